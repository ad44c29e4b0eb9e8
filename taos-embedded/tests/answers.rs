//! Answers at the edges of types and time zones: right, or refused as unsupported.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod local;

use local::Local;
use taos_embedded::engine::Answer;
use taos_query::common::Value;

struct Server(Local);

impl Server {
    fn new() -> Self {
        Self(Local::new())
    }

    fn zone(&self, name: &str) {
        self.0.set_timezone(Some(name.parse().unwrap()));
    }

    fn exec(&self, sql: &str) {
        self.0.exec(sql);
    }

    /// The rows as text: values divided by commas, times as ticks.
    fn rows(&self, sql: &str) -> Vec<String> {
        self.0.texts(sql, ", ", shown)
    }

    fn unsupported(&self, sql: &str, name: &str) {
        let error = match self.0.execute(sql) {
            Ok(Answer::Rows(_)) => self.0.values(sql).unwrap_err(),
            Ok(other) => panic!("{sql}: {other:?}"),
            Err(error) => error,
        };
        assert_eq!(error.code, 0x0100, "{sql}: {error}");
        assert!(error.message.contains(name), "{sql}: {error}");
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null(_) => "null".to_owned(),
        Value::Timestamp(at) => at.as_raw_i64().to_string(),
        Value::BigInt(v) => v.to_string(),
        Value::UBigInt(v) => v.to_string(),
        Value::Int(v) => v.to_string(),
        Value::VarChar(v) => v.clone(),
        other => format!("{other:?}"),
    }
}

/// 2024-01-01 00:00:00 UTC.
const NEW_YEAR: i64 = 1_704_067_200_000;
const HOUR: i64 = 3_600_000;

#[test]
fn times_without_an_offset_are_those_of_the_chosen_zone() {
    let server = Server::new();
    server.exec("create stable s (ts timestamp, v int) tags (t timestamp)");
    server.zone("Asia/Shanghai");
    server.exec(
        "insert into a using s tags ('2024-01-01 08:00:00') values \
         ('2024-01-01 08:00:00', 1) ('2024-01-01T00:00:01Z', 2) ('2024-01-01 08:00:02' + 1s, 3)",
    );
    let zone_free = format!("select v from s where ts >= {NEW_YEAR} and t = {NEW_YEAR}");
    assert_eq!(server.rows(&zone_free), ["1", "2", "3"]);
    assert_eq!(
        server.rows("select v from a where ts <= '2024-01-01 08:00:00'"),
        ["1"]
    );
    assert_eq!(
        server.rows(
            "select v from a where ts between '2024-01-01 08:00:01' and '2024-01-01T00:00:02Z'"
        ),
        ["2"]
    );
    assert_eq!(
        server.rows(
            "select timestamp '2024-01-01', cast('2024-01-01' as timestamp), \
             to_unixtimestamp('2024-01-01'), timediff('2024-01-01', '2024-01-01T00:00:00Z', 1h)"
        ),
        [format!("{0}, {0}, {0}, -8", NEW_YEAR - 8 * HOUR)]
    );
    server.exec("delete from a where ts < '2024-01-01 08:00:01'");
    assert_eq!(server.rows("select v from a"), ["2", "3"]);
    server.0.set_timezone(None);
    assert_eq!(
        server.rows("select to_unixtimestamp('2024-01-01')"),
        [NEW_YEAR.to_string()]
    );
}

#[test]
fn days_months_and_texts_begin_at_the_midnight_of_the_chosen_zone() {
    let server = Server::new();
    server.exec("create table t (ts timestamp, v int)");
    server.exec("insert into t values ('2023-12-31 15:59:59', 1) ('2023-12-31 16:00:00', 2)");
    server.zone("Asia/Shanghai");
    let midnight = NEW_YEAR - 8 * HOUR;
    for (window, before) in [
        ("1d", midnight - 24 * HOUR),
        // December in Shanghai
        ("1n", midnight - 31 * 24 * HOUR),
        ("1y", midnight - 365 * 24 * HOUR),
    ] {
        assert_eq!(
            server.rows(&format!(
                "select _wstart, count(*) from t interval({window})"
            )),
            [format!("{before}, 1"), format!("{midnight}, 1")],
            "{window}"
        );
    }
    assert_eq!(
        server.rows("select timetruncate(ts, 1d), timetruncate(ts, 1d, 0), ts + 1n from t"),
        [
            format!(
                "{}, {}, {}",
                midnight - 24 * HOUR,
                NEW_YEAR - 24 * HOUR,
                midnight + 31 * 24 * HOUR - 1000
            ),
            format!(
                "{midnight}, {}, {}",
                NEW_YEAR - 24 * HOUR,
                midnight + 31 * 24 * HOUR
            ),
        ]
    );
    assert_eq!(
        server.rows("select to_iso8601(1700000000000), timezone()"),
        ["2023-11-15T06:13:20.000+0800, Asia/Shanghai (CST, +0800)"]
    );
    assert_eq!(
        server.rows("select timediff(today(), timetruncate(now, 1d)), to_iso8601(today()) like '%T00:00:00.000+0800'"),
        ["0, Bool(true)"]
    );
}

#[test]
fn what_a_zone_leaves_open_is_refused() {
    let server = Server::new();
    server.exec("create table t (ts timestamp, v int)");
    server.zone("Europe/Berlin");
    server.exec("insert into t values ('2024-01-15 12:00:00', 1) ('2024-07-15 12:00:00', 2)");
    assert_eq!(
        server.rows("select ts from t"),
        ["1705316400000", "1721037600000"]
    );
    // January and July begin at midnight, an hour or two before UTC's
    assert_eq!(
        server.rows("select _wstart, sum(v) from t interval(1n)"),
        [
            format!("{}, 1", NEW_YEAR - HOUR),
            "1719784800000, 2".to_owned()
        ]
    );
    server.unsupported(
        "insert into t values ('2024-03-31 02:30:00', 1)",
        "Europe/Berlin",
    );
    server.unsupported(
        "select v from t where ts > '2024-10-27 02:30:00'",
        "Europe/Berlin",
    );
    // one of the two days had another offset than today has
    server.unsupported(
        "select _wstart, count(*) from t interval(1d)",
        "Europe/Berlin",
    );
    server.unsupported("select to_iso8601(ts) from t", "Europe/Berlin");
    // both noons lie on the same day in every zone between
    assert_eq!(server.rows("select weekday(ts) from t"), ["0", "0"]);
    server.zone("Etc/UTC");
    assert_eq!(server.rows("select weekday(ts) from t"), ["0", "0"]);
    server.0.set_timezone(None);
    assert_eq!(server.rows("select timezone()"), ["UTC (UTC, +0000)"]);
}

#[test]
fn a_sum_of_64_bit_integers_wraps_around() {
    let server = Server::new();
    server.exec("create table t (ts timestamp, b bigint, u bigint unsigned)");
    server.exec(
        "insert into t values (1, 9223372036854775807, 18446744073709551615) \
         (2, 9223372036854775807, 2) (3, null, null)",
    );
    assert_eq!(server.rows("select sum(b), sum(u) from t"), ["-2, 1"]);
    assert_eq!(
        server.rows("select sum(b) from t where b is null"),
        ["null"]
    );
}

#[test]
fn results_beyond_their_type_are_refused_and_no_internal_error() {
    let server = Server::new();
    server.exec("create table t (ts timestamp, s varchar(20))");
    server.exec("insert into t values (1, 'x')");
    for sql in [
        "select cast(1e30 as bigint)",
        "select concat(repeat('a', 60000), repeat('b', 60000))",
        "select length(replace(repeat('a', 60000), 'a', repeat('b', 60000)))",
        "select length(repeat(s, 9223372036854775807)) from t",
        "select null union all select 1",
        "select ts + 9223372036854775807 from t",
        "select ts + 1000000y from t",
        "select count(*) from t interval(1000000000000d)",
    ] {
        server.unsupported(sql, "unsupported feature: ");
    }
    assert_eq!(
        server.rows("select case when s = 'x' then ts else 5 end from t"),
        ["1"]
    );
    // a text is read up to the bound of the type
    assert_eq!(
        server.rows("select cast('99999999999999999999' as bigint)"),
        ["9223372036854775807"]
    );
    assert_eq!(
        server.rows(
            "select cast(1e19 as bigint unsigned), cast('18446744073709551615' as bigint unsigned)"
        ),
        ["10000000000000000000, 18446744073709551615"]
    );
}

#[test]
fn a_constant_key_is_no_position_and_a_wildcard_needs_a_table() {
    let server = Server::new();
    server.exec("create stable s (ts timestamp, i int) tags (g int)");
    server.exec(
        "insert into a using s tags (1) values (1, 7) (2, 8) b using s tags (2) values (3, 9)",
    );
    assert_eq!(server.rows("select i from a order by 2d"), ["7", "8"]);
    assert_eq!(
        server.rows("select 2 as k, count(*) from s group by k"),
        ["2, 3"]
    );
    assert_eq!(
        server.rows("select 8 tbname, count(*) from s group by tbname"),
        ["8, 2", "8, 1"]
    );
    for sql in ["select last_row(*)", "select *"] {
        let error = server.0.execute(sql).unwrap_err();
        assert_eq!(error.code, 0x2600, "{sql}: {error}");
    }
}

#[test]
fn a_broken_pattern_is_named_and_a_column_is_no_pattern() {
    let server = Server::new();
    server.exec("create table t (ts timestamp, s varchar(20))");
    server.exec("insert into t values (1, '[')");
    for (sql, code) in [
        ("select ts from t where s match '['", 0x2681),
        ("select ts from t where 'x' match s", 0x0200),
    ] {
        let error = server.0.execute(sql).unwrap_err();
        assert_eq!(error.code, code, "{sql}: {error}");
    }
}

#[test]
fn statements_too_large_for_the_storage_are_refused_and_no_internal_error() {
    let server = Server::new();
    server.exec("create table t (ts timestamp, i int)");
    server.exec("insert into t values (1, 1)");
    let many = |part: &str| part.repeat(17_000);
    for sql in [
        format!("select i from t where {}i = 1", many("i = 1 and ")),
        format!("select {}i from t", many("i,")),
        format!("select count(*) from t group by {}i", many("i,")),
        format!("select i from t order by {}i", many("i,")),
        format!("select {}1{}", many("("), many(")")),
        format!("select {}1", many("- ")),
        format!("select * from t where {}i = 1", many("not ")),
        format!("select * from {}t{}", many("(select * from "), many(")")),
    ] {
        server.unsupported(&sql, "unsupported feature: ");
    }
    assert_eq!(
        server.rows(&format!("select i from t where i in ({}1)", many("7,"))),
        ["1"]
    );
}

#[test]
fn the_last_row_is_the_same_with_filters_groups_and_other_aggregates() {
    let server = Server::new();
    server.exec("create stable s (ts timestamp, v int) tags (g int)");
    server.exec(
        "insert into a using s tags (1) values (1, 10) (3, null) \
         b using s tags (2) values (2, 20) (4, 40)",
    );
    server.exec("create table c using s tags (3)");
    for (sql, rows) in [
        ("select last_row(*) from a", vec!["3, null"]),
        ("select last_row(v), ts from a where v > 0", vec!["10, 1"]),
        ("select last_row(v) from a where v > 99", vec![]),
        ("select last_row(*) from s", vec!["4, 40"]),
        ("select last_row(v), tbname from s", vec!["40, b"]),
        ("select last_row(v), g from s where g = 1", vec!["null, 1"]),
        ("select last_row(v), last(v) from a", vec!["null, 10"]),
        ("select last_row(v), count(*) from s", vec!["40, 4"]),
        ("select last_row(v) from c", vec![]),
        ("select last_row(v) from (select * from a)", vec!["null"]),
        (
            "select last_row(v), g from s group by tbname order by tbname",
            vec!["null, 1", "40, 2"],
        ),
    ] {
        assert_eq!(server.rows(sql), rows, "{sql}");
    }
}
