//! Scalar functions, casts and operators: type, length and value of single expressions.

use super::*;

/// `TYPE(length) value` of an expression, NULL as nothing.
fn shown(expr: &str) -> String {
    let sql = format!("select {expr}");
    let column = planned(&sql).unwrap().columns.remove(0);
    let value = match rows(&sql).concat().into_iter().next() {
        Some(Integer(value)) => format!(" {value}"),
        Some(Real(value)) => format!(" {value}"),
        Some(Text(value)) => format!(" {value}"),
        Some(Value::Blob(value)) => format!(" {value:?}"),
        _ => String::new(),
    };
    format!("{}({}){value}", column.ty, column.length)
}

fn check(cases: &[(&str, &str)]) {
    for (expr, expected) in cases {
        assert_eq!(shown(expr), *expected, "{expr}");
    }
}

fn refused(cases: &[(&str, u32)]) {
    for (expr, code) in cases {
        assert_eq!(code_of(&format!("select {expr}")), *code, "{expr}");
    }
}

#[test]
fn functions_of_numbers_keep_or_make_their_types() {
    check(&[
        ("abs(null)", "BIGINT(8)"),
        ("truncate(null, 1)", "VARCHAR(0)"),
        ("round(12345, -2)", "BIGINT(8) 12300"),
        ("round(-15, -1)", "BIGINT(8) -20"),
        ("round(2.345, null)", "DOUBLE(8)"),
        ("round(1.5, -400)", "DOUBLE(8)"),
        ("trunc(-1.999, 2)", "DOUBLE(8) -1.99"),
        (
            "round(cast(1.005 as float), 2)",
            "FLOAT(4) 1.0099999904632568",
        ),
        ("abs(cast(-128 as tinyint))", "TINYINT(1) -128"),
        ("log(8, 1)", "DOUBLE(8)"),
        ("mod(-7, 3)", "DOUBLE(8) -1"),
        ("sign(cast(5 as bigint unsigned)) = 1", "BOOL(1) 1"),
        ("greatest(1, 2.5)", "DOUBLE(8) 2.5"),
        ("greatest(true, 2)", "BIGINT(8) 2"),
        ("greatest(1.5, 'a')", "VARCHAR(23) a"),
        ("least(1.5, 'a')", "VARCHAR(23) 1.500000"),
        ("least(1, null)", "VARCHAR(0)"),
    ]);
    refused(&[
        ("abs('1')", 0x2802),
        ("sin(true)", 0x2802),
        ("abs(cast(1 as decimal(4,2)))", 0x2802),
        ("pow(1)", 0x2801),
        ("pi(1)", 0x2801),
        ("greatest(1)", 0x2801),
        ("rand('a')", 0x2802),
        ("trunc(1.5)", 0x0100),
    ]);
    assert_eq!(shown("rand() < 1"), "BOOL(1) 1");
}

#[test]
fn functions_of_texts_have_the_lengths_of_the_server() {
    check(&[
        ("concat('a', 'b')", "VARCHAR(4) ab"),
        ("concat('a', null)", "VARCHAR(4294967294)"),
        ("concat_ws(',', 'a', 'b', 'c')", "VARCHAR(13) a,b,c"),
        ("repeat('ab', 3)", "VARCHAR(10) ababab"),
        ("repeat('x', -1)", "VARCHAR(1) "),
        ("repeat('ab', null)", "VARCHAR(2)"),
        ("to_base64('hello')", "VARCHAR(10) aGVsbG8="),
        ("replace('aaa', 'aa', 'b')", "VARCHAR(3) ba"),
        ("replace('ab', 'a', 'xyz')", "VARCHAR(4) xyzb"),
        ("trim('\\t a\\n')", "VARCHAR(4) a"),
        ("ltrim('  a ')", "VARCHAR(2) a "),
        ("trim(leading 'a' from 'aaa')", "VARCHAR(3) a"),
        ("trim(trailing 'a' from 'aaa')", "VARCHAR(3) "),
        ("trim('ab' from 'ababxab')", "VARCHAR(7) x"),
        ("substring('abc', -5, 2)", "VARCHAR(3) ab"),
        ("substring('abc', 0)", "VARCHAR(3) "),
        ("substring_index('a.b.c', '.', -2)", "VARCHAR(5) b.c"),
        ("substring_index('aaa', 'aa', -1)", "VARCHAR(3) "),
        ("char(77, null, '78')", "VARCHAR(12) MN"),
        ("char(14990752)", "VARCHAR(4) 你"),
        ("ascii('é')", "TINYINT UNSIGNED(1) 195"),
        (
            "md5('mytext')",
            "VARCHAR(32) 947ef8c8db156a568d5974d71f7638f4",
        ),
        ("crc32('hello')", "INT UNSIGNED(4) 907060870"),
        ("crc32(1234.567 + 0.1) = crc32('1234.667')", "BOOL(1) 1"),
        ("crc32(true)", "INT UNSIGNED(4) 2212294583"),
        ("length(cast('é' as nchar(2)))", "BIGINT(8) 4"),
    ]);
    refused(&[
        ("lower(null)", 0x2802),
        ("concat('a', 1)", 0x2802),
        ("concat_ws(lower('a'), 'b', 'c')", 0x2802),
        ("repeat('a', 1.5)", 0x2802),
        ("char(true)", 0x2802),
        ("md5(1)", 0x2802),
        ("substring('abc')", 0x2801),
        ("to_base64(1)", 0x2802),
    ]);
}

#[test]
fn functions_of_times_know_units_and_zones() {
    check(&[
        (
            "timetruncate('2024-03-15 13:14:15.678', 1w)",
            "TIMESTAMP(8) 1710374400000",
        ),
        ("timetruncate(-1, 1d)", "TIMESTAMP(8) 0"),
        ("timetruncate('junk', 1d)", "TIMESTAMP(8)"),
        ("timediff(5000, 3000, 1s)", "BIGINT(8) 2"),
        ("timediff(0, null)", "BIGINT(8)"),
        (
            "to_iso8601(1, '+05:30')",
            "VARCHAR(62) 1970-01-01T05:30:00.001+05:30",
        ),
        ("to_unixtimestamp('abc')", "BIGINT(8)"),
        ("weekday(1704067200000)", "BIGINT(8) 0"),
        (
            "to_char(timestamp '2024-01-02', 'dd/mm')",
            "VARCHAR(4094) 02/01",
        ),
        (
            "to_timestamp('02/01/24', 'dd/mm/yy')",
            "TIMESTAMP(8) 1704153600000",
        ),
        ("timezone()", "VARCHAR(16) UTC (UTC, +0000)"),
    ]);
    refused(&[
        ("timetruncate(0, 1u)", 0x280B),
        ("timetruncate(0, 1n)", 0x280A),
        ("timetruncate(0, 2h)", 0x280A),
        ("timetruncate(0, '1h')", 0x2802),
        ("timetruncate(0, 1h, 2)", 0x2803),
        ("to_iso8601(1, '+14:00')", 0x2800),
        ("to_iso8601(null)", 0x2802),
        ("to_unixtimestamp('2024-01-01', 2)", 0x2803),
        ("to_char(1, 'yyyy')", 0x2802),
        ("week(0, 9)", 0x2803),
        ("weekday(1.5)", 0x2802),
    ]);
}

#[test]
fn casts_cut_wrap_and_read_as_c_does() {
    check(&[
        ("cast('0.5' as bool)", "BOOL(1) 0"),
        ("cast('256' as bool)", "BOOL(1) 0"),
        ("cast(0.5 as bool)", "BOOL(1) 1"),
        ("cast(300.7 as tinyint)", "TINYINT(1) 44"),
        ("cast(-1.9 as int unsigned)", "INT UNSIGNED(4) 4294967295"),
        (
            "cast('99999999999999999999' as bigint)",
            "BIGINT(8) 9223372036854775807",
        ),
        ("cast('1e3' as int)", "INT(4) 1"),
        ("cast(0.1 + 0.2 as varchar(20))", "VARCHAR(20) 0.3"),
        (
            "cast(cast(12345.678 as float) as varchar(20))",
            "VARCHAR(20) 12345.7",
        ),
        ("cast(1e15 as varchar(20))", "VARCHAR(20) 1e+15"),
        ("cast('你好' as nchar(3))", "NCHAR(3) 你"),
        ("cast('abc' as varbinary(2))", "VARBINARY(2) [97, 98]"),
        ("cast(null as varchar(5))", "VARCHAR(5)"),
        ("cast('junk' as timestamp)", "TIMESTAMP(8) 0"),
    ]);
    refused(&[
        ("cast('a' as varchar(0))", 0x2800),
        ("cast('a' as nchar(16380))", 0x2800),
        ("cast(1 as varbinary(2))", 0x2802),
        ("cast(cast('a' as varbinary(1)) as varchar(2))", 0x2802),
    ]);
}

#[test]
fn operators_know_what_their_operands_are() {
    check(&[
        ("- -5", "BIGINT(8) 5"),
        ("-(1 + 1)", "DOUBLE(8) -2"),
        ("-(1 - 1)", "DOUBLE(8) 0"),
        ("5 % 0.0000001", "DOUBLE(8)"),
        ("-7.5 % 2", "DOUBLE(8) -1.5"),
        ("'1e2' + 1", "DOUBLE(8) 101"),
        ("1h * 2", "DOUBLE(8) 7200000"),
        ("'2024-01-01' + 1d", "DOUBLE(8) 86402024"),
        ("timestamp '1970-01-02' * 2", "DOUBLE(8) 172800000"),
        ("1 - timestamp '1970-01-02'", "TIMESTAMP(8) -86399999"),
        ("1.9 & 3", "BIGINT(8) 1"),
        ("'1e1' | 0", "BIGINT(8) 10"),
        ("1 = '1.5'", "BOOL(1) 1"),
        ("1.5 = '1.5'", "BOOL(1) 1"),
        ("2 > '10'", "BOOL(1) 0"),
        ("18446744073709551615 > -1", "BOOL(1) 1"),
    ]);
    refused(&[
        ("-lower('5')", 0x0200),
        ("timestamp '2024-01-01' + 1.5", 0x0100),
        ("timestamp '2024-01-01' - timestamp '2024-01-01'", 0x0200),
        ("'abc' like concat('a', '%')", 0x0200),
        ("1 like '1'", 0x0200),
        ("1 not in (2, null)", 0x0100),
        ("99999999999999999999", 0x0100),
    ]);
}

#[test]
fn case_shows_its_branches_in_one_type() {
    check(&[
        (
            "case when 1 = 1 then timestamp '1970-01-02' else 5 end",
            "BIGINT(8) 86400000",
        ),
        ("case when 1 = 2 then 1 else 1.5 end", "VARCHAR(63) 1.5"),
        ("case when 1 = 1 then true else 2 end", "BIGINT(8) 1"),
        ("case when 1 = 1 then true else 'x' end", "VARCHAR(63) true"),
        ("case when '1' then 'a' else 'bc' end", "VARCHAR(2) a"),
        ("case when 1 = 1 then cast(1 as float) end", "FLOAT(4) 1"),
        (
            "case when 1 = 1 then cast(1 as int) else cast(2 as int unsigned) end",
            "BIGINT(8) 1",
        ),
        ("case when 1 = 1 then null end", "VARCHAR(0)"),
    ]);
}
