//! Windows on one table of twelve rows, in seconds since 1970, and a super table of two subtables.

use chrono_tz::Tz;
use rusqlite::Connection;
use rusqlite::types::Value;
use taos_query::common::{Precision, Ty};

use super::column;
use crate::plan::*;
use crate::sql::ast::Statement;

struct Catalog;

impl Schema for Catalog {
    fn database(&self, _: &str) -> Result<Option<Precision>, SqlError> {
        Ok(Some(Precision::Millisecond))
    }

    fn table(&self, _: &str, name: &str) -> Result<Option<TableInfo>, SqlError> {
        let (id, kind) = match name {
            "s" => (1, TableKind::Normal),
            "m" => (2, TableKind::Super),
            "wide" => (3, TableKind::Normal),
            _ => return Ok(None),
        };
        let more = if id == 3 { 6..12 } else { 0..0 };
        let more = more.map(|id| column(&format!("c{id}"), id, Ty::Int, 4));
        Ok(Some(TableInfo {
            id,
            name: name.into(),
            db: "db".into(),
            precision: Precision::Millisecond,
            kind,
            columns: [
                column("ts", 0, Ty::Timestamp, 8),
                column("v", 1, Ty::Int, 4),
                column("st", 2, Ty::Int, 4),
                column("ss", 3, Ty::VarChar, 8),
                column("ok", 4, Ty::Bool, 1),
                column("d", 5, Ty::Double, 8),
            ]
            .into_iter()
            .chain(more)
            .collect(),
            tags: if id == 2 {
                [column("g", 1, Ty::Int, 4)].into()
            } else {
                [].into()
            },
        }))
    }

    fn system_table(&self, _: &str, name: &str) -> Result<Option<SystemTable>, SqlError> {
        Ok((name == "ins_tables").then(|| SystemTable {
            columns: vec![column("create_time", 0, Ty::Timestamp, 8)],
            rows: Vec::new(),
        }))
    }
}

/// Seconds, v, st, ss, ok, d.
const ROWS: &str = "(0, 10, 1, 'on', 1, 1.0), (10, 12, 1, 'on', 1, 1.5), (20, 11, 1, 'on', 0, 2.0),
    (30, 15, 2, 'on', 0, 2.5), (40, 9, 2, 'off', 1, 3.0), (60, 20, NULL, 'off', 1, 4.0),
    (70, 22, 2, NULL, 0, 8.0), (90, NULL, 3, 'on', NULL, 16.0), (180, 18, 3, 'on', 1, NULL),
    (190, 18, 1, 'on', 1, 0.5), (300, 25, 1, 'off', 0, 2.25), (301, 30, 1, 'off', 1, 2.75)";

fn planned(sql: &str, zone: Option<Tz>) -> Result<Plan, SqlError> {
    let context = Context {
        zone,
        schema: &Catalog,
        db: Some("db".into()),
        now: 400_000_000_000,
        version: "3.3.7.5",
    };
    match crate::sql::parse(sql)? {
        Statement::Query(query) => plan(&query, sql, &context),
        other => panic!("not a query: {other:?}"),
    }
}

fn run(sql: &str, zone: Option<Tz>) -> Result<String, String> {
    let plan = planned(sql, zone).map_err(|error| error.to_string())?;
    let connection = Connection::open_in_memory().unwrap();
    register_functions(&connection).unwrap();
    connection
        .execute_batch(&format!(
            "CREATE TABLE d1 (tbl, ts, c1, c2, c3, c4, c5, PRIMARY KEY (tbl, ts)) WITHOUT ROWID;
             CREATE TABLE d2 (tbl, ts, c1, c2, c3, c4, c5, PRIMARY KEY (tbl, ts)) WITHOUT ROWID;
             CREATE TABLE t2 (tbl INTEGER PRIMARY KEY, name, created, g1);
             INSERT INTO t2 VALUES (7, 'm7', 0, 1), (8, 'm8', 0, 2);
             INSERT INTO d1 SELECT 1, column1 * 1000, column2, column3, column4, column5, column6 FROM (VALUES {ROWS});
             INSERT INTO d2 SELECT 7 + (column1 / 10) % 2, column1 * 1000, column2, column3, column4, column5, column6 FROM (VALUES {ROWS});"
        ))
        .unwrap();
    let mut statement = connection.prepare(&plan.sql).unwrap();
    let width = plan.columns.len();
    let rows = statement
        .query_map(rusqlite::params_from_iter(&plan.params), |row| {
            let cells: rusqlite::Result<Vec<Value>> = (0..width).map(|i| row.get(i)).collect();
            Ok(cells?.iter().map(shown).collect::<Vec<_>>().join(" "))
        })
        .unwrap();
    let rows: rusqlite::Result<Vec<String>> = rows.collect();
    rows.map(|rows| rows.join("; "))
        .map_err(|error| error.to_string())
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::Integer(value) if *value != 0 && value % 1000 == 0 => format!("{}s", value / 1000),
        Value::Integer(value) => value.to_string(),
        Value::Real(value) => value.to_string(),
        Value::Text(text) => text.clone(),
        Value::Blob(bytes) => format!("{bytes:?}"),
    }
}

#[track_caller]
fn answers(cases: &[(&str, &str)]) {
    for (sql, expected) in cases {
        assert_eq!(run(sql, None).as_deref(), Ok(*expected), "{sql}");
    }
}

#[track_caller]
fn refuses(cases: &[(&str, u32)]) {
    for (sql, expected) in cases {
        let code = planned(sql, None).map_or_else(|error| error.code, |_| 0);
        assert_eq!(code, *expected, "{sql}");
    }
}

const UNSUPPORTED: u32 = 0x0100;

#[test]
fn sessions_end_where_the_distance_exceeds_the_gap() {
    answers(&[
        (
            "select _wstart, _wend, _wduration, count(*) from s session(ts, 10s)",
            "0 40s 40s 5; 60s 70s 10s 2; 90s 90s 0 1; 180s 190s 10s 2; 300s 301s 1s 2",
        ),
        (
            "select _wstart, count(*) from s session(ts, 9999)",
            "0 1; 10s 1; 20s 1; 30s 1; 40s 1; 60s 1; 70s 1; 90s 1; 180s 1; 190s 1; 300s 2",
        ),
        (
            "select _wstart, ts, max(v) from s session(ts, 20s)",
            "0 70s 22; 180s 180s 18; 300s 301s 30",
        ),
        (
            "select _wstart, count(*) c from s session(ts, 10s) having count(*) > 1 order by c desc, 1 limit 2",
            "0 5; 60s 2",
        ),
        (
            "select g, _wstart, count(*) from m partition by g session(ts, 20s) order by g, _wstart",
            "1 0 4; 1 180s 1; 1 300s 2; 2 10s 2; 2 70s 2; 2 190s 1",
        ),
        (
            "select tbname, count(*) from m partition by tbname session(ts, 1h) order by tbname",
            "m7 7; m8 5",
        ),
        (
            "select _wstart, count(*) from s where v > 99 session(ts, 1s)",
            "",
        ),
        (
            "select sum(c) from (select _wstart w, count(*) c from s session(ts, 10s))",
            "12",
        ),
        (
            "select _wstart, sum(c) from (select _wstart w, count(*) c from s interval(30s)) session(w, 30s)",
            "0 8; 180s 2; 300s 2",
        ),
    ]);
    refuses(&[
        ("select count(*) from s session(ts, 0s)", 9771),
        ("select count(*) from s session(ts, 1n)", 9771),
        ("select count(*) from s session(ts, 1u)", 9771),
        ("select count(*) from s session(v, 1s)", 9772),
        ("select count(*) from s session(x, 1s)", 9730),
        ("select count(*) from s session(ts, -1s)", 9728),
        ("select count(*) from s session(ts, 1s) fill(null)", 9728),
        ("select _wstart from s session(ts, 1s)", 9822),
        ("select v from s session(ts, 1s)", 9831),
        ("select ts, max(v), count(*) from s session(ts, 1s)", 9831),
        (
            "select count(*) from (select ts, v from s partition by st) session(ts, 1s)",
            9830,
        ),
        (
            "select count(*) from (select ts, v from s order by v) session(ts, 1s)",
            9830,
        ),
        (
            "select count(*) from information_schema.ins_tables session(create_time, 1s)",
            9833,
        ),
        ("select count(*) from s session(ts, 1s) group by st", 9764),
    ]);
}

#[test]
fn states_run_as_long_as_they_are_equal_and_null_is_none() {
    answers(&[
        (
            "select _wstart, _wend, st, count(*) from s state_window(st)",
            "0 20s 1 3; 30s 70s 2 3; 90s 180s 3 2; 190s 301s 1 3",
        ),
        (
            "select _wstart, ok, count(*) from s state_window(ok)",
            "0 1 2; 20s 0 2; 40s 1 2; 70s 0 1; 180s 1 2; 300s 0 1; 301s 1 1",
        ),
        ("select st from s state_window(st)", "1; 2; 3; 1"),
        (
            "select case when v > 15 then 'hi' else 'lo' end, count(*) from s \
             state_window(case when v > 15 then 'hi' else 'lo' end)",
            "lo 5; hi 2; lo 1; hi 4",
        ),
        (
            "select _wstart, count(*) from s state_window(st) true_for(1m)",
            "90s 2; 190s 3",
        ),
        (
            "select g, _wstart, st, count(*) from m partition by g state_window(st) order by g, _wstart",
            "1 0 1 2; 1 40s 2 1; 1 180s 3 1; 1 300s 1 2; 2 10s 1 1; 2 30s 2 2; 2 90s 3 1; 2 190s 1 1",
        ),
    ]);
    refuses(&[
        ("select count(*) from s state_window(d)", 9768),
        ("select count(*) from s state_window(ts)", 9768),
        ("select count(*) from s state_window(st % 2)", 9768),
        ("select count(*) from m state_window(g)", 9769),
        ("select v, count(*) from s state_window(st)", 9831),
        ("select count(*) from s state_window(count(*))", 9736),
        ("select count(*) from s state_window(st, 1)", UNSUPPORTED),
        ("select count(*) from s state_window(1)", UNSUPPORTED),
        (
            "select count(*) from (select v from s) state_window(v)",
            9808,
        ),
    ]);
}

#[test]
fn events_begin_and_end_by_conditions_and_unfinished_ones_are_not_shown() {
    answers(&[
        (
            "select _wstart, _wend, count(*) from s event_window start with ok = true end with ok = false",
            "0 20s 3; 40s 70s 3; 180s 300s 3",
        ),
        (
            "select _wstart, first(v), last(v) from s event_window start with v > 11 end with v < 12",
            "10s 12 11; 30s 15 9",
        ),
        (
            "select _wstart, count(*) from s event_window start with v > 20 end with v > 20",
            "70s 1; 300s 1; 301s 1",
        ),
        (
            "select _wstart, count(*) from s event_window start with st = 1 end with st = 2 true_for(31s)",
            "",
        ),
        (
            "select g, _wstart, count(*) from m partition by g event_window start with v < 12 end with v > 12 \
             order by g, _wstart",
            "1 0 4",
        ),
    ]);
    refuses(&[
        (
            "select count(*) from s event_window start with count(*) > 1 end with v > 1",
            9736,
        ),
        (
            "select count(*) from s event_window start with x > 1 end with v > 1",
            9730,
        ),
        (
            "select count(*) from s event_window start with v end with v > 1",
            UNSUPPORTED,
        ),
        ("select count(*) from s event_window start with v > 1", 9729),
    ]);
}

#[test]
fn counted_windows_have_so_many_rows_and_the_last_the_rest() {
    answers(&[
        (
            "select _wstart, count(*), sum(v) from s count_window(5)",
            "0 5 57; 60s 5 78; 300s 2 55",
        ),
        (
            "select _wstart, count(*) from s count_window(5, 3)",
            "0 5; 30s 5; 70s 5; 190s 3",
        ),
        (
            "select _wstart, count(*), count(v) from s count_window(4, ss)",
            "0 4 4; 40s 4 3; 190s 3 3",
        ),
        (
            "select _wstart, count(*) from s count_window(4, 2, ss)",
            "0 4; 20s 4; 40s 4; 90s 4; 190s 3; 301s 1",
        ),
        (
            "select g, _wstart, count(*) from m partition by g count_window(3) order by g, _wstart",
            "1 0 3; 1 60s 3; 1 301s 1; 2 10s 3; 2 90s 2",
        ),
        ("select count(*) from s where v > 99 count_window(3)", ""),
    ]);
    refuses(&[
        ("select count(*) from s count_window(1)", 9797),
        ("select count(*) from s count_window(3, 0)", 9797),
        ("select count(*) from s count_window(3, 4)", 9797),
        ("select count(*) from s count_window(-3)", 9728),
        ("select count(*) from s count_window(3, x)", 9730),
        (
            "select count(*) from s count_window(100000, 1)",
            UNSUPPORTED,
        ),
    ]);
}

#[test]
fn intervals_begin_at_multiples_moved_by_the_offset() {
    answers(&[
        (
            "select _wstart, _wend, count(*) from s interval(1m, 15s)",
            "-45s 15s 2; 15s 75s 5; 75s 135s 1; 135s 195s 2; 255s 315s 2",
        ),
        (
            "select _wstart, count(*) from s interval(60000, 10000) sliding(30s) limit 3",
            "-50s 1; -20s 4; 10s 5",
        ),
        (
            "select _wstart, _wend, count(*) from s interval(1n, 10d)",
            "-1814400s 864000s 12",
        ),
        (
            "select _wstart, count(*) from s where ts >= 7000 interval(1m, auto)",
            "7s 5; 67s 2; 127s 1; 187s 1; 247s 2",
        ),
        (
            "select _qstart, _qend, _qduration, count(*) from s where ts > 5000 and ts <= 60000 interval(1h)",
            "5001 60s 55s 5",
        ),
        (
            "select _qstart, _qend, count(*) from s where ts > 0 interval(1h)",
            "1 - 11",
        ),
    ]);
    refuses(&[
        ("select count(*) from s interval(0s)", 9749),
        ("select count(*) from s interval(1u)", 9749),
        ("select count(*) from s interval(-1s)", 9728),
        ("select count(*) from s interval(1m, 1m)", 9775),
        ("select count(*) from s interval(1m, '-1s')", 9773),
        ("select count(*) from s interval(1n, 1y)", 9774),
        ("select count(*) from s interval(1n, 1n)", 9775),
        ("select count(*) from s interval(1d, 1n)", 9775),
        ("select count(*) from s interval(1d) sliding(1n)", 9776),
        ("select count(*) from s interval(1m) sliding(2m)", 9777),
        ("select count(*) from s interval(1m) sliding(500a)", 9778),
        ("select count(*) from s interval(1m) sliding(0s)", 9778),
        ("select count(*) from s interval(3y)", UNSUPPORTED),
        ("select twa(v) from s interval(1m)", UNSUPPORTED),
        ("select count(*) from (select v from s) interval(1m)", 9808),
        ("select v from s where _qstart = 0", 9807),
        ("select _wstart from s interval(1m)", 9822),
        ("select * from s interval(1m)", 9831),
        ("select count(*) from s interval(1m) order by v", 9831),
    ]);
}

/// Six minutes: rows in the first, second, fourth and sixth.
const RANGE: &str = "ts >= 0 and ts < 360000";

#[test]
fn windows_without_rows_are_filled_over_the_range() {
    let with = |what: &str, fill: &str| {
        let sql = format!("select _wstart, {what} from s where {RANGE} interval(1m) fill({fill})");
        run(&sql, None).unwrap_or_else(|error| panic!("{sql}: {error}"))
    };
    assert_eq!(with("sum(v)", "none"), "0 57; 60s 42; 180s 36; 300s 55");
    let nulls = "0 57; 60s 42; 120s -; 180s 36; 240s -; 300s 55";
    assert_eq!(with("sum(v)", "null"), nulls);
    assert_eq!(with("sum(v)", "null_f"), nulls);
    let fives = "0 57; 60s 42; 120s 5; 180s 36; 240s 5; 300s 55";
    assert_eq!(with("sum(v)", "value, 5.9"), fives);
    assert_eq!(with("sum(v)", "value_f, '5'"), fives);
    let before = "0 57; 60s 42; 120s 42; 180s 36; 240s 36; 300s 55";
    assert_eq!(with("sum(v)", "prev"), before);
    let behind = "0 57; 60s 42; 120s 36; 180s 36; 240s 55; 300s 55";
    assert_eq!(with("sum(v)", "next"), behind);
    let between = "0 57; 60s 42; 120s 39; 180s 36; 240s 45; 300s 55";
    assert_eq!(with("sum(v)", "linear"), between);
    assert_eq!(
        with("count(*) / 4", "linear"),
        "0 1.25; 60s 0.75; 120s 0.625; 180s 0.5; 240s 0.5; 300s 0.5"
    );
    assert_eq!(
        with("last(ss)", "linear"),
        "0 off; 60s on; 120s -; 180s on; 240s -; 300s off"
    );
    assert_eq!(
        with("'x', 7, last(ss), count(*)", "value, 'none and more', 0"),
        "0 x 7 off 5; 60s x 7 on 3; 120s x 7 none and 0; 180s x 7 on 2; 240s x 7 none and 0; 300s x 7 off 2"
    );
}

#[test]
fn windows_whose_rows_give_null_are_filled_too() {
    let rows = "ts >= 60000 and ts < 240000";
    let with = |fill: &str| {
        let sql = format!("select _wstart, max(v) from s where {rows} interval(30s) fill({fill})");
        run(&sql, None)
    };
    assert_eq!(
        with("value, 1").unwrap(),
        "60s 22; 90s 1; 120s 1; 150s 1; 180s 18; 210s 1"
    );
    assert_eq!(
        with("prev").unwrap(),
        "60s 22; 90s 22; 120s 22; 150s 22; 180s 18; 210s 18"
    );
    assert_eq!(
        with("next").unwrap(),
        "60s 22; 90s 18; 120s 18; 150s 18; 180s 18; 210s -"
    );
    assert!(with("linear").unwrap_err().contains("unsupported feature"));
}

#[test]
fn filled_windows_are_ordered_cut_and_used_as_all_are() {
    let sql = |tail: &str| {
        format!("select _wstart w, count(*) c from s where {RANGE} interval(1m) {tail}")
    };
    let run = |sql: &str| run(sql, None).unwrap();
    assert_eq!(
        run(&sql("fill(value, 0) order by w desc limit 2")),
        "300s 2; 240s 0"
    );
    assert_eq!(
        run(&sql("fill(value, 0) limit 2 offset 1")),
        "60s 3; 120s 0"
    );
    assert_eq!(
        run(&sql("fill(value, 0) order by c, _wstart limit 2")),
        "120s 0; 240s 0"
    );
    let nested = format!("select sum(c), count(*) from ({})", sql("fill(value, 1)"));
    assert_eq!(run(&nested), "14 6");
    assert_eq!(
        run(
            "select _wstart, _wend, _wduration, count(*) from s where ts > 310000 and ts <= 400000 interval(1m) fill(value_f, 0)"
        ),
        "300s 360s 60s 0; 360s 420s 60s 0"
    );
    assert_eq!(
        run(
            "select _wstart, count(*) from s where ts > 310000 and ts <= 400000 interval(1m) fill(value, 0)"
        ),
        ""
    );
    assert_eq!(
        run(
            "select _wstart, count(*) from s where ts > 5000 and ts < 1000 interval(1m) fill(value_f, 0)"
        ),
        ""
    );
    assert_eq!(
        run(
            "select _wstart, count(*) from s where ts >= 0 and ts < 120000 interval(1m) sliding(30s) fill(null)"
        ),
        "-30s 3; 0 5; 30s 4; 60s 3; 90s 1"
    );
    assert_eq!(
        run(
            "select g, _wstart, count(*) from m where ts >= -60000 and ts < 120000 partition by g interval(1m) fill(value, 0) order by g, _wstart"
        ),
        "1 -60s 0; 1 0 3; 1 60s 1; 2 -60s 0; 2 0 2; 2 60s 2"
    );
    assert_eq!(
        run(
            "select g, count(*) from m where ts >= 0 and ts < 180000 partition by g interval(1m) fill(value, 0) slimit 1 limit 2"
        ),
        "1 3; 1 1"
    );
    assert_eq!(
        run(
            "select _wstart, count(*) from s where ts >= '1969-12-30' and ts <= '1970-03-01' interval(1n, 4d) fill(value, 0)"
        ),
        "-2332800s 12; 345600s 0; 3024000s 0"
    );
    assert_eq!(
        run(
            "select count(*) from s where ts in (0, 130000) or ts between 60000 and 70000 interval(1m) fill(value, 0)"
        ),
        "1; 2; 0"
    );
}

#[test]
fn fills_without_bounds_or_with_wrong_values_are_refused() {
    refuses(&[
        ("select count(*) from s interval(1m) fill(null)", 9787),
        (
            "select count(*) from s where v > 1 interval(1m) fill(null)",
            9787,
        ),
        (
            "select count(*) from s where ts > 0 interval(1m) fill(null)",
            9787,
        ),
        (
            "select count(*) from s where ts > 0 and ts < '2024-01-01' interval(1m) fill(null)",
            9787,
        ),
        (
            "select count(*) from s where ts > 0 and ts < 90 interval(1s) fill(value, 1, 2)",
            9733,
        ),
        (
            "select count(*), sum(v) from s where ts > 0 and ts < 90 interval(1s) fill(value, 1)",
            9733,
        ),
        (
            "select count(*) from s where ts > 0 and ts < 90 interval(1s) fill(value, v)",
            9733,
        ),
        (
            "select count(*) from s where ts > 0 and ts < 90 interval(1s) fill(value)",
            9728,
        ),
        ("select count(*) from s fill(null)", 9821),
        (
            "select count(*) from s where ts > 0 and ts < 90 interval(1s) fill(near)",
            UNSUPPORTED,
        ),
        (
            "select count(*) from s where ts > 0 and ts < 90 interval(1s) fill(prev) having count(*) > 1",
            UNSUPPORTED,
        ),
    ]);
}

#[test]
fn days_begin_at_the_zones_midnight_with_offset_sliding_and_fill() {
    let tokyo = |sql: &str| run(sql, Some(Tz::Asia__Tokyo)).unwrap();
    let midnight = -9 * 3600;
    let at = |hours: i64| format!("{}s", midnight + hours * 3600);
    assert_eq!(
        tokyo("select _wstart, count(*) from s interval(1d, 2h)"),
        format!("{} 12", at(2))
    );
    assert_eq!(
        tokyo("select _wstart, count(*) from s interval(1d) sliding(12h)"),
        format!("{} 12; {} 12", at(-12), at(0))
    );
    assert_eq!(
        tokyo(
            "select _wstart, count(*) from s where ts >= -86400000 and ts < 86400000 interval(1d) fill(value, 0)"
        ),
        format!("{} 0; {} 12; {} 0", at(-24), at(0), at(24))
    );
}

#[test]
fn elapsed_runs_from_bound_to_bound_but_not_beyond_the_first_and_the_last_row() {
    answers(&[
        (
            "select _wstart, elapsed(ts, 1s) from s where v > 10 interval(1m)",
            "0 50; 60s 60; 180s 60; 300s 1",
        ),
        (
            "select elapsed(ts, 1s) from s interval(1m) order by _wstart desc limit 2",
            "1; 60",
        ),
    ]);
    refuses(&[
        ("select elapsed(ts) from m interval(1m)", UNSUPPORTED),
        ("select twa(v) from s interval(1m)", UNSUPPORTED),
        (
            "select elapsed(ts) from s interval(1m) sliding(30s)",
            UNSUPPORTED,
        ),
    ]);
}

#[test]
fn state_windows_around_rows_of_null_show_only_what_is_sure() {
    for sql in [
        "select sum(v) from s state_window(st)",
        "select _wend, count(*) from s where ts < 80000 state_window(ss)",
    ] {
        let answer = run(sql, None);
        assert!(
            answer.is_err_and(|text| text.contains("state window")),
            "{sql}"
        );
    }
    answers(&[
        (
            "select ok, sum(v) from s where ts < 40000 state_window(ok)",
            "1 22; 0 26",
        ),
        (
            "select ss, count(*) from s where ts < 80000 state_window(ss)",
            "on 4; off 2",
        ),
    ]);
}

#[test]
fn columns_of_counted_windows_sliding_and_expressions_beside_fill() {
    answers(&[
        (
            "select sum(v) from s count_window(3, v, d)",
            "33; 44; 40; 73",
        ),
        (
            "select _wstart + 1s, sum(v) from s where ts >= 60000 and ts < 240000 interval(1m) fill(null)",
            "61s 42; 121s -; 181s 36",
        ),
    ]);
    answers(&[(
        "select _wstart, last(ok) from s where ts >= 60000 and ts < 240000 interval(1m) fill(value, 'yes')",
        "60s 0; 120s 0; 180s 1",
    )]);
    refuses(&[
        ("select v, count(*) from s partition by st", 9740),
        ("select v, count(*) from s group by st", 9738),
        (
            "select count(*) from (select * from s order by ts desc) session(ts, 10s)",
            UNSUPPORTED,
        ),
        ("select count(*) from s interval(20a) sliding(5a)", 9778),
        ("select count(*) from s interval(20a) sliding(20u)", 9778),
    ]);
}

#[test]
fn partitions_are_filled_together_with_no_more_windows_than_one() {
    let fill = |partition: &str, width: &str| {
        format!(
            "select count(*) from m where ts >= 0 and ts < 6000000 {partition} interval({width}) fill(prev) limit 1"
        )
    };
    assert!(run(&fill("partition by tbname", "1s"), None).is_ok());
    assert!(planned(&fill("partition by g", "1a"), None).is_ok());
    let refused = run(&fill("partition by tbname", "1a"), None).unwrap_err();
    assert!(refused.contains("in all partitions"), "{refused}");
    assert_eq!(
        run(
            "select count(*) from m where ts >= 0 and ts < 6000000 and v > 99 partition by tbname interval(1a) fill(prev)",
            None
        )
        .as_deref(),
        Ok("")
    );
}

#[test]
fn only_the_state_itself_and_no_column_of_a_like_name_stands_for_a_function() {
    for column in 6..12 {
        let of = |shown: &str| {
            format!("select {shown} from wide partition by c{column} state_window(v)")
        };
        refuses(&[(&of(&format!("c{column}")), 0x265E)]);
        assert!(planned(&of("v"), None).is_ok());
        assert!(planned(&of(&format!("c{column}, v + 1")), None).is_ok());
    }
}
