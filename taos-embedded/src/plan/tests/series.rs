//! Functions over series, INTERP and HISTOGRAM. The rows of `st` are 1, 9, NULL, 5 at 1000, 1500, 2000, 3000; `c1` lacks the 9.

use super::*;

const MIXED: u32 = 0x264F;
const NESTED: u32 = 0x2627;

fn int(value: i64) -> Value {
    Integer(value)
}

#[test]
fn diff_bridges_nulls_and_leaves_out_the_first_row() {
    assert_eq!(
        rows("select ts, diff(v) from c1"),
        [[int(2000), Null], [int(3000), int(4)]]
    );
    assert_eq!(
        rows("select diff(v) from st"),
        [[int(8)], [Null], [int(-4)]]
    );
}

#[test]
fn the_bits_of_the_mode_hide_negative_differences_and_leave_out_nulls() {
    assert_eq!(
        rows("select diff(v, 1) from st"),
        [[int(8)], [Null], [Null]]
    );
    assert_eq!(rows("select diff(v, 2) from st"), [[int(8)], [int(-4)]]);
    assert_eq!(rows("select diff(v, 3) from st"), [[int(8)]]);
    assert_eq!(
        rows("select diff(v, 2), diff(v, 3) from st"),
        [[int(8), int(8)], [int(-4), Null]]
    );
}

#[test]
fn differences_of_unsigned_integers_wrap_and_times_are_counted_in_ticks() {
    // 2^63, 2^63 - 1, NULL
    assert_eq!(rows("select diff(u) from c1"), [[int(-1)], [Null]]);
    assert_eq!(rows("select diff(ts) from c1"), [[int(1000)], [int(1000)]]);
}

#[test]
fn running_values_leave_out_nulls_and_keep_their_rows_columns() {
    assert_eq!(
        rows("select ts, csum(v) from st"),
        [
            [int(1000), int(1)],
            [int(1500), int(10)],
            [int(3000), int(15)]
        ]
    );
    assert_eq!(
        rows("select mavg(v, 2), v from st"),
        [[Real(5.0), int(9)], [Real(7.0), int(5)]]
    );
    assert_eq!(
        rows("select derivative(v, 1s, 0) from st"),
        [[Real(16.0)], [Real(-4.0 / 1.5)]]
    );
    assert_eq!(rows("select derivative(v, 1s, 1) from st"), [[Real(16.0)]]);
    assert_eq!(
        rows("select csum(v) + 1 from c1"),
        [[Real(2.0)], [Real(7.0)]]
    );
}

#[test]
fn states_are_counted_on_behind_a_null() {
    assert_eq!(
        rows("select statecount(v, 'ge', 5) from st"),
        [[int(-1)], [int(1)], [Null], [int(2)]]
    );
    assert_eq!(
        rows("select stateduration(v, 'GE', 5) from st"),
        [[int(-1)], [int(0)], [Null], [int(1500)]]
    );
    assert_eq!(
        rows("select stateduration(v, 'GE', 5, 1s) from st"),
        [[int(-1)], [int(0)], [Null], [int(1)]]
    );
}

#[test]
fn partitions_have_series_of_their_own() {
    let text = |name: &str| Text(name.into());
    assert_eq!(
        rows("select tbname, csum(v) from st partition by tbname order by tbname, ts"),
        [
            [text("c1"), int(1)],
            [text("c1"), int(6)],
            [text("c2"), int(9)]
        ]
    );
    assert_eq!(
        rows("select g, diff(v, 2) from st partition by g"),
        [[text("a"), int(4)]]
    );
}

#[test]
fn chosen_rows_bring_their_columns_along() {
    assert_eq!(
        rows("select top(v, 2), ts from st"),
        [[int(9), int(1500)], [int(5), int(3000)]]
    );
    assert_eq!(
        rows("select bottom(v, 1), ts from st"),
        [[int(1), int(1000)]]
    );
    assert_eq!(
        rows("select unique(v), ts from c1 order by ts"),
        [[int(1), int(1000)], [Null, int(2000)], [int(5), int(3000)]]
    );
    assert_eq!(rows("select tail(v, 1, 1) from c1"), [[Null]]);
    assert_eq!(rows("select sample(v, 5) from c1").len(), 2);
    assert_eq!(
        rows("select g, top(v, 1) from st group by g"),
        [[Text("a".into()), int(5)], [Text("b".into()), int(9)]]
    );
}

#[test]
fn only_nulls_give_one_null_and_no_rows_none() {
    assert_eq!(rows("select top(v, 3) from c1 where v is null"), [[Null]]);
    assert!(rows("select top(v, 3) from c1 where v > 100").is_empty());
    assert!(rows("select diff(v) from c1 where 1 = 0").is_empty());
}

#[test]
fn several_rows_of_a_window_stay_in_the_order_of_windows() {
    assert_eq!(
        rows("select _wstart, top(v, 2) from st interval(2s)"),
        [[int(0), int(1)], [int(0), int(9)], [int(2000), int(5)]]
    );
    assert_eq!(
        rows("select _wstart, top(v, 1) from st interval(2s) order by _wstart desc"),
        [[int(2000), int(5)], [int(0), int(9)]]
    );
}

#[test]
fn series_nest_in_subqueries_with_their_time() {
    assert_eq!(
        rows("select sum(x) from (select diff(v) x from st)"),
        [[int(4)]]
    );
    assert_eq!(
        rows("select ts, diff(x) from (select ts, csum(v) x from st)"),
        [[int(1500), int(9)], [int(3000), int(5)]]
    );
}

#[test]
fn functions_over_series_keep_to_themselves() {
    for sql in [
        "select diff(v), sum(v) from c1",
        "select sum(v), diff(v) from c1",
        "select top(v, 1), bottom(v, 1) from c1",
        "select count(*), top(v, 1) from c1",
        "select mavg(v, 2), csum(v) from c1",
        "select statecount(v, 'EQ', 1), statecount(v, 'NE', 1) from c1",
        "select diff(v) from c1 group by v",
        "select diff(v) from c1 interval(1s)",
        "select diff(v) from c1 where diff(v) > 1",
        "select diff(sum(v)) from c1",
        "select csum(diff(v)) from c1",
        "select interp(v), diff(v) from c1 range('2024-01-01') fill(prev)",
    ] {
        assert_eq!(code_of(sql), MIXED, "{sql}");
    }
    for sql in [
        "select diff(diff(v)) from c1",
        "select sum(diff(v)) from c1",
        "select top(sum(v), 1) from c1",
    ] {
        assert_eq!(code_of(sql), NESTED, "{sql}");
    }
    assert_eq!(code_of("select v from c1 where top(v, 1) > 0"), 0x2608);
    assert_eq!(code_of("select top(v, 1) from c1 limit 1"), 0);
    assert_eq!(code_of("select top(v, 2) from c1 limit 1"), 0x0100);
}

#[test]
fn arguments_are_refused_by_count_type_value_and_range() {
    for (sql, code) in [
        ("select diff() from c1", 0x2801),
        ("select tail(v) from c1", 0x2801),
        ("select derivative(v, 1s) from c1", 0x2801),
        ("select top(v, 'a') from c1", 0x2802),
        ("select top(v, 1.5) from c1", 0x2802),
        ("select top(g, 1) from c1", 0x2802),
        ("select statecount(v, 'GT', 'a') from c1", 0x2802),
        ("select diff(v, 4) from c1", 0x2803),
        ("select derivative(v, 1s, 2) from c1", 0x2803),
        ("select statecount(v, 'XX', 1) from c1", 0x2803),
        ("select top(v, 0) from c1", 0x2811),
        ("select bottom(v, 101) from c1", 0x2811),
        ("select sample(v, 1001) from c1", 0x2811),
        ("select mavg(v, -1) from c1", 0x2811),
        ("select tail(v, 1, 101) from c1", 0x2811),
        ("select derivative(v, 0s, 0) from c1", 0x2811),
        (
            "select histogram(v, 'user_input', '[2, 1]', 0) from c1",
            0x2800,
        ),
        ("select histogram(v, 'nosuch', '[1, 2]', 0) from c1", 0x2803),
    ] {
        assert_eq!(code_of(sql), code, "{sql}");
    }
}

#[test]
fn points_are_filled_from_the_rows_beside_them() {
    let points = |fill: &str| {
        rows(&format!(
            "select _irowts, interp(v) from st range(500, 2500) every(500a) fill({fill})"
        ))
    };
    assert_eq!(
        points("prev"),
        [
            [int(1000), int(1)],
            [int(1500), int(9)],
            [int(2000), Null],
            [int(2500), Null]
        ]
    );
    assert_eq!(
        points("next"),
        [
            [int(500), int(1)],
            [int(1000), int(1)],
            [int(1500), int(9)],
            [int(2000), Null],
            [int(2500), int(5)]
        ]
    );
    assert_eq!(points("value, 7.9")[0], [int(500), int(7)]);
    assert_eq!(points("null").len(), 5);
}

#[test]
fn lines_are_drawn_between_rows_and_cut_to_integers() {
    assert_eq!(
        rows(
            "select _irowts, _isfilled, interp(v, 1) from st range(900, 2300) every(350a) fill(linear)"
        ),
        [
            // 1 + 8 * 250 / 500
            [int(1250), int(1), int(5)],
            // 9 - 4 * 100 / 1500
            [int(1600), int(1), int(8)],
            [int(1950), int(1), int(7)],
            [int(2300), int(1), int(6)],
        ]
    );
    assert_eq!(
        rows("select _isfilled, interp(v) from c1 range(1000) fill(linear)"),
        [[int(0), int(1)]]
    );
}

#[test]
fn the_nearest_row_wins_within_the_distance() {
    let near = |at: i64, distance: i64| {
        rows(&format!(
            "select interp(v), _irowts_origin from st range({at}, {distance}a) fill(near, 42)"
        ))
    };
    assert_eq!(near(1200, 300), [[int(1), int(1000)]]);
    assert_eq!(near(1250, 300), [[int(1), int(1000)]]);
    assert_eq!(near(1300, 300), [[int(9), int(1500)]]);
    assert_eq!(near(2500, 300), [[int(42), Null]]);
}

#[test]
fn interp_wants_all_its_clauses() {
    for (sql, code) in [
        ("select interp(v) from c1", 0x265D),
        ("select interp(v) from c1 range(1, 2) fill(prev)", 0x265D),
        ("select interp(v) from c1 range(1, 2) every(1s)", 0x265D),
        ("select v from c1 range(1, 2) every(1s) fill(prev)", 0x265D),
        (
            "select interp(v) from c1 range(1, 2) every(1s) fill(value, 1, 2)",
            0x2605,
        ),
        (
            "select interp(v) from c1 range(1, 2) every(1s) fill(prev, 1)",
            0x2605,
        ),
        ("select interp(v) from c1 range(1, 1s) fill(prev)", 0x2605),
        ("select interp(v) from c1 range(1, 1s) fill(linear)", 0x263B),
        (
            "select interp(v, 2) from c1 range(1, 2) every(1s) fill(prev)",
            0x2803,
        ),
        (
            "select interp(g) from c1 range(1, 2) every(1s) fill(prev)",
            0x2802,
        ),
        (
            "select interp(interp(v)) from c1 range(1, 2) every(1s) fill(prev)",
            NESTED,
        ),
        (
            "select interp(v, 1), interp(u, 1) from c1 range(1, 2) every(1s) fill(prev)",
            MIXED,
        ),
        (
            "select interp(v) from c1 range('soon', 2) every(1s) fill(prev)",
            0x0127,
        ),
    ] {
        assert_eq!(code_of(sql), code, "{sql}");
    }
}

#[test]
fn a_bin_excludes_its_lower_bound_and_includes_the_upper() {
    let bin = |text: &str| [Text(text.to_owned())];
    assert_eq!(
        rows("select histogram(v, 'user_input', '[1, 5, 9]', 0) from st"),
        [
            bin(r#"{"lower_bin":1, "upper_bin":5, "count":1}"#),
            bin(r#"{"lower_bin":5, "upper_bin":9, "count":1}"#)
        ]
    );
    let log = r#"'{"start": 2, "factor": 2, "count": 1, "infinity": true}'"#;
    assert_eq!(
        rows(&format!("select histogram(v, 'log_bin', {log}, 1) from st")),
        [
            bin(r#"{"lower_bin":-inf, "upper_bin":2, "count":0.333333}"#),
            bin(r#"{"lower_bin":2, "upper_bin":4, "count":0.000000}"#),
            bin(r#"{"lower_bin":4, "upper_bin":inf, "count":0.666667}"#)
        ]
    );
}

#[test]
fn the_instant_rate_counts_from_zero_after_a_fall() {
    assert_eq!(
        rows("select irate(v) from st"),
        // 5 after 9, 1.5 seconds later
        [[Real(5.0 / 1.5)]]
    );
    assert_eq!(rows("select irate(v) from c1"), [[Real(2.0)]]);
    assert_eq!(rows("select irate(v) from c1 where v = 1"), [[Real(0.0)]]);
}

#[test]
fn columns_and_clauses_beside_interp_are_refused_by_their_kind() {
    let range = "range('2024-01-01', '2024-01-02')";
    for (sql, code) in [
        ("select interp(v), v from c1".to_owned(), 0x260C),
        ("select interp(v), ts from c1".to_owned(), 0x260C),
        ("select tbname, interp(v) from st".to_owned(), 0x260C),
        ("select _irowts from c1".to_owned(), 0x2602),
        (
            format!("select _irowts, interp(v) + 1 from c1 {range} every(1s) fill(prev)"),
            0x2602,
        ),
        (
            format!("select interp(v) from c1 {range} every(0s) fill(prev)"),
            0x2605,
        ),
        (
            format!("select interp(v) from c1 {range} every(1n) fill(prev)"),
            0x2605,
        ),
        (
            format!("select interp(v) from c1 {range} every(1s) fill(none)"),
            0x2605,
        ),
        (
            "select interp(v) from c1 range('2024-01-01')".to_owned(),
            0x2605,
        ),
        (
            "select percentile(v, 50) from c1 partition by v".to_owned(),
            0x264F,
        ),
        (
            "select percentile(v, 50) from (select ts, v from c1)".to_owned(),
            0x265F,
        ),
        (
            "select v, sum(v) from c1 partition by ts".to_owned(),
            0x260C,
        ),
        ("select v, sum(v) from c1 group by ts".to_owned(), 0x260A),
        ("select last(*), tbname from st".to_owned(), 0x260C),
    ] {
        assert_eq!(code_of(&sql), code, "{sql}");
    }
}

#[test]
fn columns_stand_beside_one_selecting_function_wherever_it_stands() {
    assert_eq!(
        rows("select max(v) + 1, ts from st"),
        [[Real(10.0), int(1500)]]
    );
    assert_eq!(
        rows("select max(v), max(v), ts from st"),
        [[int(9), int(9), int(1500)]]
    );
    assert_eq!(
        rows("select last_row(ts, v), tbname from st"),
        [[int(3000), int(5), Text("c1".to_owned())]]
    );
}

#[test]
fn a_range_that_ends_before_it_starts_has_no_points() {
    assert!(rows("select interp(v) from c1 range(3000, 1000) every(1s) fill(prev)").is_empty());
}

#[test]
fn running_values_need_rows_in_the_order_of_time() {
    for (sql, code) in [
        (
            "select diff(v) from (select ts, v from c1 order by v)",
            MIXED,
        ),
        (
            "select twa(v) from (select ts, v from c1 order by v, ts)",
            MIXED,
        ),
        ("select diff(v) from (select ts, v from c1 order by ts)", 0),
        (
            "select diff(v) from (select ts as t, v from c1 order by ts)",
            0,
        ),
        (
            "select diff(v) from (select ts, v from c1 order by ts desc)",
            0x0100,
        ),
        ("select max(v) from (select ts, v from c1 order by v)", 0),
        ("select stateduration(v, 'GT', 1, 5s) from c1", 0x280A),
        ("select stateduration(v, 'GT', 1, 1n) from c1", 0x280A),
        ("select stateduration(v, 'GT', 1, 1000) from c1", 0x280A),
        ("select stateduration(v, 'GT', 1, 1u) from c1", 0x280B),
        ("select stateduration(v, 'GT', 1, '1s') from c1", 0x2802),
    ] {
        assert_eq!(code_of(sql), code, "{sql}");
    }
}

#[test]
fn points_of_interp_that_stay_empty_cost_no_time() {
    let points = |range: &str, fill: &str| {
        rows(&format!(
            "select _irowts, interp(v) from c1 range({range}) every(1a) fill({fill})"
        ))
    };
    let ends = |rows: &[Vec<Value>]| {
        let end = |row: Option<&Vec<Value>>| row.cloned().unwrap_or_default();
        (rows.len(), end(rows.first()), end(rows.last()))
    };
    // 1 at 1000, NULL at 2000, 5 at 3000, among 10^12 points and more
    let late = "'1970-01-01 00:00:00', '2200-01-02 00:00:00'";
    assert_eq!(
        ends(&points(late, "next")),
        (3001, vec![int(0), int(1)], vec![int(3000), int(5)])
    );
    assert_eq!(points(late, "linear").len(), 2001);
    let early = "'1900-01-01 00:00:00', '1970-01-01 00:00:04'";
    assert_eq!(
        ends(&points(early, "prev")),
        (3001, vec![int(1000), int(1)], vec![int(4000), int(5)])
    );
    assert_eq!(points(early, "linear").len(), 2001);
    // the grid is not moved by what is passed over
    let steps = rows(
        "select _irowts, interp(v) from c1 range('1970-01-01 00:00:00.100', '1970-01-01 00:00:04') every(700a) fill(prev)",
    );
    let times: Vec<Value> = steps
        .into_iter()
        .filter_map(|row| row.into_iter().next())
        .collect();
    assert_eq!(times, [1500, 2200, 2900, 3600].map(int));
}

#[test]
fn values_at_the_edges_of_bins_count_in_the_lower_one() {
    let bins = |kind: &str, bins: &str| -> Vec<String> {
        let sql = format!("select histogram(v, '{kind}', '{bins}', 0) from st");
        let count = |row: Vec<Value>| match row.into_iter().next() {
            Some(Text(text)) => text.rsplit(':').next().unwrap_or_default().to_owned(),
            other => format!("{other:?}"),
        };
        rows(&sql).into_iter().map(count).collect()
    };
    // 1, 5 and 9
    assert_eq!(
        bins("user_input", "[0,1,4,5,8,9]"),
        ["1}", "0}", "1}", "0}", "1}"]
    );
    assert_eq!(bins("user_input", "[1,5,8]"), ["1}", "0}"]);
    let falling = r#"{"start":9,"width":-4,"count":2,"infinity":true}"#;
    assert_eq!(bins("linear_bin", falling), ["0}", "1}", "1}", "1}"]);
    let many: Vec<String> = (0..1004).map(|edge| edge.to_string()).collect();
    let sql = |list: &[String]| {
        format!(
            "select histogram(v, 'user_input', '[{}]', 0) from st",
            list.join(",")
        )
    };
    assert_eq!(code_of(&sql(many.get(1..).unwrap_or_default())), 0);
    assert_eq!(code_of(&sql(&many)), 0x0100);
}
