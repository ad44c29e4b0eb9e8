//! Keys of PARTITION BY and GROUP BY, and columns whose names look like pseudo columns.

use super::*;

const UNSUPPORTED: u32 = 0x0100;

/// The same statement with each way to name the key.
fn same_by(before: &str, key: &str, after: &str, others: &[&str]) {
    let statement = |key: &str| rows(&format!("{before} partition by {key} {after}"));
    let expected = statement(key);
    assert!(expected.len() > 1, "{before} has one partition only");
    for other in others {
        assert_eq!(statement(other), expected, "{before} by {other}");
    }
}

#[test]
fn a_position_and_an_alias_partition_like_the_column_they_mean() {
    let ways = &["1", "t"];
    let selected = |columns: &str| format!("select tbname as t, {columns} from st");
    same_by(&selected("count(*)"), "tbname", "session(ts, 1s)", ways);
    same_by(&selected("count(*)"), "tbname", "state_window(v)", ways);
    same_by(&selected("count(*)"), "tbname", "count_window(2)", ways);
    same_by(&selected("v"), "tbname", "limit 1", ways);
    same_by(&selected("csum(v)"), "tbname", "order by 1, 2", ways);
    same_by(
        &selected("interp(v)"),
        "tbname",
        "range('1970-01-01 00:00:01', '1970-01-01 00:00:02') every(500a) fill(prev)",
        ways,
    );
}

#[test]
fn a_session_by_position_is_found_in_each_subtable() {
    // rows of c1 at 1, 2 and 3 s, of c2 at 1.5 s
    let by_position =
        rows("select tbname, count(*) from st partition by 1 session(ts, 700a) order by 1");
    let counts: Vec<&Value> = by_position.iter().filter_map(|row| row.get(1)).collect();
    assert_eq!(counts, [&Integer(1); 4]);
}

#[test]
fn a_position_beyond_the_list_and_one_of_an_aggregate_are_refused() {
    for rest in ["", "session(ts, 1s)", "limit 1"] {
        let sql = format!("select tbname, v from st partition by 7 {rest}");
        assert_eq!(code_of(&sql), 0x2609, "{sql}");
    }
    assert_eq!(
        code_of("select interp(v) from st partition by 7 range(now) fill(prev)"),
        0x2609
    );
    assert_ne!(code_of("select diff(v) from st partition by 1"), 0);
    assert_ne!(
        code_of("select count(*) from st partition by 1 session(ts, 1s)"),
        0
    );
}

#[test]
fn distinct_is_not_undone_by_limits_of_partitions() {
    for sql in [
        "select distinct v from st partition by tbname limit 5",
        "select distinct v from st partition by tbname slimit 1",
        "select distinct count(*) from st partition by tbname, v limit 5",
        "select distinct count(*) from st partition by tbname slimit 2",
    ] {
        assert_eq!(code_of(sql), UNSUPPORTED, "{sql}");
    }
    assert_eq!(
        rows("select distinct v from st where v > 0 limit 2").len(),
        2
    );
}

#[test]
fn names_that_only_begin_like_pseudo_columns_are_columns() {
    let from = "from (select ts, v as _wind, v as _q from c1)";
    assert_eq!(
        rows(&format!(
            "select _wind + _q {from} where _q > 0 group by _wind + _q"
        )),
        [[Real(2.0)], [Real(10.0)]]
    );
    let windows =
        format!("select count(*) {from} event_window start with _wind = 1 end with _q = 5");
    assert_eq!(rows(&windows), [[Integer(3)]]);
    // a range of this form is none that _qstart could be told for
    assert_eq!(
        rows(&format!(
            "select _q {from} where not ts < '1970-01-01 00:00:03'"
        )),
        [[Integer(5)]]
    );
}

#[test]
fn windows_of_a_join_have_no_bounds_to_show() {
    let join = "from c1 a left window join c1 b window_offset(-1s, 1s)";
    assert_eq!(code_of(&format!("select count(*) {join}")), 0);
    for sql in [
        format!("select _wstart, count(*) {join}"),
        format!("select _wduration + 1, count(*) {join}"),
        format!("select count(*) {join} having _wend > 0"),
        format!("select count(*) {join} order by _wstart"),
    ] {
        assert_ne!(code_of(&sql), 0, "{sql}");
    }
}
