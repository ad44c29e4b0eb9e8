//! Decimals, geometries and the arguments of aggregates.

use super::*;

/// The type and the text of one decimal.
fn decimal(expr: &str) -> Result<(u8, u8, String), u32> {
    let sql = format!("select {expr}");
    let plan = planned(&sql).map_err(|error| error.code)?;
    let column = plan.columns.first().unwrap();
    let text = cell(&format!("select cast({expr} as varchar(60))"))?;
    Ok((column.precision, column.scale, text))
}

/// The one value of a query as text, or the code of what refuses it.
fn cell(sql: &str) -> Result<String, u32> {
    let plan = planned(sql).map_err(|error| error.code)?;
    let connection = Connection::open_in_memory().unwrap();
    register_functions(&connection).unwrap();
    let value = connection.query_row(&plan.sql, rusqlite::params_from_iter(&plan.params), |row| {
        row.get::<_, Value>(0)
    });
    match value {
        Ok(Text(text)) => Ok(text),
        Ok(other) => Ok(format!("{other:?}")),
        Err(error) => {
            let text = error.to_string();
            let code = text.strip_prefix("[0x").and_then(|rest| rest.get(..4));
            let code = code.and_then(|hex| u32::from_str_radix(hex, 16).ok());
            Err(code.unwrap_or_else(|| panic!("{sql}: {text}")))
        }
    }
}

#[test]
fn decimal_arithmetic_has_the_digits_and_values_of_exact_numbers() {
    const A: &str = "cast('12.34' as decimal(10,2))";
    const B: &str = "cast('-1.250' as decimal(5,3))";
    const C: &str = "cast('1000000000.0000000001' as decimal(38,10))";
    const Z: &str = "cast('0.12345678901234567890123456789012345678' as decimal(38,38))";
    for (expr, precision, scale, value) in [
        (format!("{A} + {B}"), 12, 3, "11.090"),
        (format!("{A} - {B}"), 12, 3, "13.590"),
        (format!("{A} * {B}"), 16, 5, "-15.42500"),
        (format!("{A} / {B}"), 19, 8, "-9.87200000"),
        (format!("{A} % {B}"), 5, 3, "1.090"),
        (format!("{A} * 2"), 30, 2, "24.68"),
        (format!("10 / {A}"), 32, 11, "0.81037277147"),
        (format!("{A} + true"), 11, 2, "13.34"),
        (
            format!("18446744073709551615 + {A}"),
            23,
            2,
            "18446744073709551627.34",
        ),
        (format!("{A} + {C}"), 38, 9, "1000000012.340000000"),
        (format!("{B} * {C}"), 38, 7, "-1250000000.0000000"),
        (format!("{C} / 3"), 38, 10, "333333333.3333333334"),
        (
            format!("{Z} * {Z}"),
            38,
            37,
            "0.0152415787532388367504953515625666819",
        ),
        (format!("-{C}"), 38, 10, "-1000000000.0000000001"),
    ] {
        assert_eq!(
            decimal(&expr),
            Ok((precision, scale, value.into())),
            "{expr}"
        );
    }
}

#[test]
fn decimals_out_of_range_and_zero_divisors_are_refused() {
    const C: &str = "cast('1234567890123456789012345678.0123456789' as decimal(38,10))";
    for (expr, code) in [
        (format!("{C} * 100000000000"), 317),
        (format!("{C} / 0"), 318),
        (format!("{C} % 0"), 318),
        (format!("cast({C} as decimal(10,2))"), 317),
        ("cast('99.9995' as decimal(5,3))".into(), 317),
    ] {
        assert_eq!(cell(&format!("select {expr}")), Err(code), "{expr}");
    }
}

#[test]
fn decimals_become_other_types_rounded_and_cut() {
    for (expr, text) in [
        (
            "cast(cast('2.50' as decimal(10,2)) as bigint)",
            "Integer(3)",
        ),
        (
            "cast(cast('-2.50' as decimal(10,2)) as bigint)",
            "Integer(-3)",
        ),
        ("cast(cast('0.00' as decimal(10,2)) as varchar(8))", "0"),
        (
            "cast(cast('-0.05' as decimal(10,2)) as varchar(8))",
            "-0.05",
        ),
        (
            "cast(cast('300' as decimal(10,2)) as tinyint)",
            "Integer(44)",
        ),
        (
            "cast(cast('1.25' as decimal(10,2)) as double)",
            "Real(1.25)",
        ),
        (
            "cast(cast('1.25' as decimal(10,2)) as decimal(5,1))",
            "Integer(13)",
        ),
    ] {
        assert_eq!(
            cell(&format!("select {expr}")).as_deref(),
            Ok(text),
            "{expr}"
        );
    }
}

#[test]
fn decimals_are_compared_exactly_but_beside_floats_and_texts_as_doubles() {
    const C: &str = "cast('1000000000.0000000001' as decimal(38,10))";
    for (condition, holds) in [
        (format!("{C} > 1000000000"), 1),
        (format!("{C} > 1000000000.0"), 0),
        (format!("{C} = '1000000000'"), 1),
        (format!("{C} in (1000000000)"), 0),
        (format!("{C} in (1000000000, 0.5)"), 1),
        (
            "cast('1.50' as decimal(4,2)) = cast('1.5' as decimal(38,1))".to_owned(),
            1,
        ),
        (format!("{C} between 0 and 18446744073709551615"), 1),
    ] {
        let value = cell(&format!("select {condition}"));
        assert_eq!(value, Ok(format!("Integer({holds})")), "{condition}");
    }
}

#[test]
fn geometries_are_read_shown_and_compared() {
    for (expr, text) in [
        (
            "st_astext(st_makepoint(3, 4.5))",
            "POINT (3.000000 4.500000)",
        ),
        (
            "st_astext(st_geomfromtext('point(1 2)'))",
            "POINT (1.000000 2.000000)",
        ),
        ("st_geomfromtext('')", "Null"),
        (
            "st_touches(st_makepoint(0, 0), st_geomfromtext('LINESTRING(0 0, 2 2)'))",
            "Integer(1)",
        ),
        ("st_contains(null, st_makepoint(0, 0))", "Null"),
        ("st_makepoint(1, 2) = 'POINT(1 2)'", "Integer(1)"),
    ] {
        assert_eq!(
            cell(&format!("select {expr}")).as_deref(),
            Ok(text),
            "{expr}"
        );
    }
    for (expr, code) in [
        ("st_geomfromtext('NOT WKT')", 10243),
        ("st_geomfromtext(5)", 10242),
        ("st_astext('abc')", 10242),
        ("st_intersects(st_makepoint(1, 2))", 10241),
        ("st_makepoint('1', 2)", 10242),
        ("st_makepoint(1, 2) < st_makepoint(1, 3)", 1841),
    ] {
        assert_eq!(cell(&format!("select {expr}")), Err(code), "{expr}");
    }
}

#[test]
fn aggregates_refuse_what_they_are_not_for() {
    for (expr, code) in [
        ("sum(v > 1)", 10242),
        ("avg(v > 1)", 10242),
        ("max(ts)", 10242),
        ("spread(null)", 10242),
        ("first(null)", 10242),
        ("percentile(v, 101)", 10257),
        ("percentile(v, v)", 10242),
        ("apercentile(v, 50.5)", 10242),
        ("apercentile(v, 50, 'nosuch')", 10243),
        ("leastsquares(v, v, 1)", 10242),
        ("elapsed(v)", 10242),
        ("elapsed(ts, 2s)", 10250),
        ("elapsed(ts, 1u)", 10251),
    ] {
        let error = planned(&format!("select {expr} from c1")).unwrap_err();
        assert_eq!(error.code, code, "{expr}");
    }
    for (expr, ty) in [
        ("sum(v)", Ty::BigInt),
        ("sum(u)", Ty::UBigInt),
        ("sum(null)", Ty::BigInt),
        ("max(null)", Ty::BigInt),
        ("avg(null)", Ty::Double),
        ("max(u)", Ty::UBigInt),
        ("first(ts)", Ty::Timestamp),
        ("spread(ts)", Ty::Double),
    ] {
        let plan = planned(&format!("select {expr} from c1")).unwrap();
        assert_eq!(plan.columns.first().unwrap().ty, ty, "{expr}");
    }
}

#[test]
fn a_bare_bool_is_a_condition_only_alone() {
    assert!(planned("select v from c1 where v").is_ok());
    for (condition, code) in [
        ("v and v > 1", 9728),
        ("v > 1 and v", 9729),
        ("not v", 9729),
        ("not v order by ts", 9728),
        ("v > 1 or (v)", 9729),
    ] {
        let error = planned(&format!("select v from c1 where {condition}")).unwrap_err();
        assert_eq!(error.code, code, "{condition}");
    }
    assert!(planned("select v from c1 where not (v > 1 and v is null) or v in (1)").is_ok());
}

#[test]
fn constants_beyond_what_sqlite_takes_are_refused_by_name() {
    let list = |count: u32| {
        let items: Vec<String> = (0..count).map(|item| format!("{item}.5")).collect();
        format!("select v from c1 where sqrt(v) in ({})", items.join(","))
    };
    assert_eq!(code_of(&list(32_766)), 0);
    let error = planned(&list(32_767)).unwrap_err();
    assert_eq!(error.code, 0x0100);
    assert!(
        error.to_string().contains("32766 different constants"),
        "{error}"
    );
}

#[test]
fn computed_times_of_a_range_are_counted() {
    let list = |count: u32| {
        let items: Vec<String> = (0..count).map(|item| format!("now + {item}s")).collect();
        format!(
            "select count(*) from c1 where ts in ({}) interval(1h) fill(null)",
            items.join(",")
        )
    };
    assert_eq!(code_of(&list(2_000)), 0);
    let error = planned(&list(10_001)).unwrap_err();
    assert_eq!(error.code, 0x0100);
    assert!(
        error.to_string().contains("10000 computed times"),
        "{error}"
    );
}

#[test]
fn times_at_the_end_of_the_calendar_are_no_panic() {
    let end = "8210266876799000";
    assert_eq!(
        rows(&format!("select to_iso8601({end}, '+12:00')")),
        [[Null]]
    );
    assert_eq!(rows("select to_iso8601(0, '+12:00')").len(), 1);
}

#[test]
fn nested_base64_does_not_grow_without_end() {
    let nested = |depth: usize| {
        let (open, close) = ("to_base64(".repeat(depth), ")".repeat(depth));
        format!("select length({open}repeat('x', 21000){close})")
    };
    assert_eq!(rows(&nested(2)), [[Integer(37_336)]]);
    let plan = planned(&nested(10)).unwrap();
    let connection = Connection::open_in_memory().unwrap();
    register_functions(&connection).unwrap();
    let params = rusqlite::params_from_iter(&plan.params);
    let error = connection
        .query_row(&plan.sql, params, |row| row.get::<_, Value>(0))
        .unwrap_err()
        .to_string();
    assert!(error.contains("65517 bytes"), "{error}");
}
