//! Joins on time, and what a query may be made of beside them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod local;

use local::Local;
use taos_query::common::Value;

/// 2024-01-01 00:00:00 UTC.
const NEW_YEAR: i64 = 1_704_067_200_000;

struct Server(Local);

impl Server {
    /// Two tables whose times meet at 0 s, 20 s and 30 s, and two super tables with a subtable for each device.
    fn new() -> Self {
        let server = Self(Local::new());
        server.exec("create table a (ts timestamp, k int, v varchar(8))");
        server.exec("create table b (ts timestamp, k int, w varchar(8))");
        server.fill(
            "a",
            &[
                "0, 1, 'a0'",
                "10, 2, 'a10'",
                "20, 1, 'a20'",
                "30, 2, 'a30'",
                "40, null, 'a40'",
            ],
        );
        server.fill(
            "b",
            &[
                "0, 1, 'b0'",
                "5, 2, 'b5'",
                "20, 2, 'b20'",
                "30, 2, 'b30'",
                "45, 3, null",
            ],
        );
        server.exec("create table p (ts timestamp, x int) tags (dev int)");
        server.exec("create table q (ts timestamp, y int) tags (dev int)");
        server.exec("create table p1 using p tags (1) p2 using p tags (2) q1 using q tags (1) q2 using q tags (2)");
        server.fill("p1", &["0, 1", "1, 2"]);
        server.fill("p2", &["0, 3", "2, 4"]);
        server.fill("q1", &["0, 10", "2, 20"]);
        server.fill("q2", &["0, 30", "1, 40"]);
        server
    }

    /// Rows that begin with a time in seconds.
    fn fill(&self, table: &str, rows: &[&str]) {
        for row in rows {
            let (seconds, rest) = row.split_once(',').unwrap();
            let at = NEW_YEAR + seconds.parse::<i64>().unwrap() * 1000;
            self.exec(&format!("insert into {table} values ({at},{rest})"));
        }
    }

    fn exec(&self, sql: &str) {
        self.0.exec(sql);
    }

    /// The rows as text: values with blanks between them, times as seconds.
    fn rows(&self, sql: &str) -> Vec<String> {
        self.0.texts(sql, " ", shown)
    }

    fn code(&self, sql: &str) -> u32 {
        match self.0.values(sql) {
            Ok(rows) => panic!("{sql}: {rows:?}"),
            Err(error) => error.code,
        }
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null(_) => "-".to_owned(),
        Value::Timestamp(at) => ((at.as_raw_i64() - NEW_YEAR) / 1000).to_string(),
        Value::Int(v) => v.to_string(),
        Value::BigInt(v) => v.to_string(),
        Value::Double(v) => v.to_string(),
        Value::VarChar(v) => v.clone(),
        other => format!("{other:?}"),
    }
}

#[test]
fn an_outer_join_keeps_the_rows_of_the_side_it_is_named_after() {
    let s = Server::new();
    assert_eq!(
        s.rows("select a.v, b.w from a left join b on a.ts = b.ts and a.k = b.k"),
        ["a0 b0", "a10 -", "a20 -", "a30 b30", "a40 -"]
    );
    assert_eq!(
        s.rows("select a.v, b.ts from a right join b on a.ts = b.ts"),
        ["a0 0", "- 5", "a20 20", "a30 30", "- 45"]
    );
    let mut full = s.rows("select a.ts, b.ts from a full join b on a.ts = b.ts and a.k = 1");
    full.sort();
    assert_eq!(
        full,
        [
            "- 30", "- 45", "- 5", "0 0", "10 -", "20 20", "30 -", "40 -"
        ]
    );
}

#[test]
fn a_condition_in_where_comes_after_the_join_and_one_behind_on_before() {
    let s = Server::new();
    assert_eq!(
        s.rows("select a.v, b.w from a left join b on a.ts = b.ts where b.k = 2"),
        ["a20 b20", "a30 b30"]
    );
    assert_eq!(
        s.rows("select a.v, b.w from a left join b on a.ts = b.ts and b.k = 1 where a.k = 1"),
        ["a0 b0", "a20 -"]
    );
}

#[test]
fn semi_and_anti_joins_tell_whether_there_is_a_partner() {
    let s = Server::new();
    assert_eq!(
        s.rows("select a.v, b.w from a left semi join b on a.ts = b.ts"),
        ["a0 b0", "a20 b20", "a30 b30"]
    );
    assert_eq!(
        s.rows("select a.v, b.w from a left anti join b on a.ts = b.ts"),
        ["a10 -", "a40 -"]
    );
    assert_eq!(
        s.rows("select b.ts from a right anti join b on a.ts = b.ts"),
        ["5", "45"]
    );
    // a row is there once, however many partners it has
    assert_eq!(
        s.rows("select p.x from p left semi join q on p.ts = q.ts order by p.x"),
        ["1", "2", "3", "4"]
    );
}

#[test]
fn an_asof_join_takes_the_nearest_rows_in_the_order_of_time() {
    let s = Server::new();
    let join = |on: &str| s.rows(&format!("select a.ts, b.ts from a left asof join b {on}"));
    assert_eq!(join(""), ["0 0", "10 5", "20 20", "30 30", "40 30"]);
    assert_eq!(
        join("on a.ts > b.ts"),
        ["0 -", "10 5", "20 5", "30 20", "40 30"]
    );
    assert_eq!(
        join("on a.ts < b.ts"),
        ["0 5", "10 20", "20 30", "30 45", "40 45"]
    );
    assert_eq!(
        join("on b.ts = a.ts"),
        ["0 0", "10 -", "20 20", "30 30", "40 -"]
    );
    assert_eq!(
        join("on b.ts >= a.ts jlimit 2"),
        [
            "0 0", "0 5", "10 20", "10 30", "20 20", "20 30", "30 30", "30 45", "40 45"
        ]
    );
    assert_eq!(
        join("on a.ts >= b.ts and a.k = b.k"),
        ["0 0", "10 5", "20 0", "30 30", "40 -"]
    );
    assert_eq!(
        join("on timetruncate(a.ts, 1m) > b.ts"),
        ["0 -", "10 -", "20 -", "30 -", "40 -"]
    );
    assert_eq!(
        s.rows("select a.ts, b.ts from a right asof join b on a.ts >= b.ts"),
        ["0 0", "10 5", "20 20", "30 30", "- 45"]
    );
}

#[test]
fn an_asof_join_of_super_tables_stays_within_equal_tags() {
    let s = Server::new();
    assert_eq!(
        s.rows(
            "select m.dev, m.ts, n.ts, n.y from p m left asof join q n on m.ts >= n.ts and m.dev = n.dev \
             order by m.dev, m.ts"
        ),
        ["1 0 0 10", "1 1 0 10", "2 0 0 30", "2 2 1 40"]
    );
}

#[test]
fn a_window_join_aggregates_for_each_row_of_its_driving_side() {
    let s = Server::new();
    assert_eq!(
        s.rows("select a.ts, b.ts from a left window join b window_offset(-5s, 5s)"),
        ["0 0", "0 5", "10 5", "20 20", "30 30", "40 45"]
    );
    assert_eq!(
        s.rows("select a.ts, a.k, count(*), count(b.*), sum(b.k) from a left window join b window_offset(1s, 10s)"),
        ["0 1 1 1 2", "10 2 1 1 2", "20 1 1 1 2", "30 2 1 0 -", "40 - 1 1 3"]
    );
    assert_eq!(
        s.rows("select b.ts, count(*) from a right window join b window_offset(-5s, 5s) having count(*) > 1"),
        ["5 2"]
    );
    assert_eq!(
        s.rows("select count(*) c from a left window join b window_offset(10s, -10s) jlimit 2 order by a.ts desc limit 2"),
        ["2", "2"]
    );
    assert_eq!(
        s.rows("select a.ts, b.ts from a left window join b on a.k = b.k window_offset(-10s, 10s)"),
        ["0 0", "10 5", "10 20", "20 -", "30 20", "30 30", "40 -"]
    );
}

#[test]
fn three_sources_join_in_either_spelling_and_around_a_third() {
    let s = Server::new();
    let expected = ["a0 b0 1", "a20 b20 1"];
    for sql in [
        "select a.v, b.w, c.k from a, b, a c where a.ts = b.ts and b.ts = c.ts and c.k = 1",
        "select a.v, b.w, c.k from a join b on a.ts = b.ts join a c on c.ts = a.ts where c.k = 1",
        "select a.v, b.w, c.k from a join b join a c where c.ts = b.ts and c.ts = a.ts and c.k = 1",
    ] {
        assert_eq!(s.rows(sql), expected, "{sql}");
    }
}

#[test]
fn super_tables_join_by_time_and_tags_and_show_their_tags() {
    let s = Server::new();
    assert_eq!(
        s.rows("select * from p m join q n on m.ts = n.ts and m.dev = n.dev order by m.x"),
        ["0 1 1 0 10 1", "0 3 2 0 30 2"]
    );
    assert_eq!(
        s.rows("select n.tbname, m.tbname, n.y from p1 m join q n on m.ts = n.ts order by n.y"),
        ["q1 p1 10", "q2 p1 30", "q2 p1 40"]
    );
    assert_eq!(
        s.rows("select m.* from p1 m join q1 n on m.ts = n.ts"),
        ["0 1"]
    );
}

#[test]
fn queries_and_constant_times_join_like_tables() {
    let s = Server::new();
    assert_eq!(
        s.rows(
            "select x.ts, x.c, y.k from (select _wstart ts, count(*) c from a interval(20s)) x \
             left join (select ts, k from b) y on x.ts = y.ts"
        ),
        ["0 2 1", "20 2 2", "40 1 -"]
    );
    assert_eq!(
        s.rows(
            "select a.v from a join (select timestamp '2024-01-01 00:00:10' t, w from b where k = 1) c on a.ts = c.t"
        ),
        ["a10"]
    );
    assert_eq!(
        s.rows("select count(*) from (select a.ts, b.k from a left join b on a.ts = b.ts) where k is null"),
        ["2"]
    );
}

#[test]
fn aggregates_and_windows_run_over_a_join() {
    let s = Server::new();
    assert_eq!(
        s.rows(
            "select _wstart, count(*), sum(b.k) from a left join b on a.ts = b.ts interval(20s)"
        ),
        ["0 2 1", "20 2 4", "40 1 -"]
    );
    assert_eq!(
        s.rows("select last(a.v), first(b.w) from a join b on a.ts = b.ts"),
        ["a30 b0"]
    );
    assert_eq!(
        s.rows("select a.k, count(*) from a join b on a.ts = b.ts group by a.k order by a.k"),
        ["1 2", "2 1"]
    );
    assert_eq!(
        s.rows("select diff(a.k) from a join b on a.ts = b.ts"),
        ["0", "1"]
    );
}

#[test]
fn windows_over_rows_and_their_bounds_work_with_the_names_of_a_join() {
    let s = Server::new();
    assert_eq!(
        s.rows("select _wstart, count(*) from a join b on a.ts = b.ts session(b.ts, 10s)"),
        ["0 1", "20 2"]
    );
    assert_eq!(
        s.rows("select a.ts, c.n from a left join (select _wend e, count(*) n from b interval(10s)) c on a.ts = c.e"),
        ["0 -", "10 2", "20 -", "30 1", "40 1"]
    );
    assert_eq!(
        s.rows("select c.ts, a.k from (select timetruncate(ts, 1m) ts from b) c join a on c.ts = a.ts limit 2"),
        ["0 1", "0 1"]
    );
    assert!(
        s.rows("select a.ts from a left asof join b jlimit 0")
            .is_empty()
    );
}

#[test]
fn what_cannot_be_joined_is_refused_with_the_codes_of_the_dialect() {
    let s = Server::new();
    for (sql, code) in [
        ("select a.v, k from a join b on a.ts = b.ts", 0x2604),
        ("select * from a, b", 0x2702),
        ("select * from a left join b", 0x2702),
        ("select * from a join b on a.k = b.k", 0x2664),
        ("select * from a, b where a.k = b.k", 0x2664),
        ("select * from a join b on a.ts = b.ts or a.k = b.k", 0x0100),
        ("select * from a left join b where a.ts = b.ts", 0x2702),
        (
            "select * from a left join b on a.ts = b.ts jlimit 1",
            0x0200,
        ),
        ("select a.v from a left window join b", 0x0200),
        (
            "select a.v from a left window join b window_offset(-1n, 1n)",
            0x2673,
        ),
        (
            "select count(*) from a left window join b window_offset(-1s, 1s) group by a.v",
            0x2664,
        ),
        (
            "select * from a left asof join b on a.ts >= b.ts or a.k = b.k",
            0x0733,
        ),
        (
            "select * from a x join b y join a z where x.ts = y.ts",
            0x2664,
        ),
        (
            "select * from a left join b on a.k = b.k where a.ts = b.ts",
            0x2664,
        ),
        (
            "select * from (select k from a) x join b on x.k = b.ts",
            0x2664,
        ),
        ("select * from a join a on a.ts = a.ts", 0x2663),
        ("select a.v from a x join b y on x.ts = y.ts", 0x2603),
        ("select x.nosuch from a x join b y on x.ts = y.ts", 0x2602),
        ("select x.v from a x join nosuch y on x.ts = y.ts", 0x2603),
        ("select tbname from a x join b y on x.ts = y.ts", 0x264C),
        ("select * from a left asof join b on a.k >= b.k", 0x0733),
        ("select * from a left asof join b on a.ts <> b.ts", 0x0733),
        (
            "select * from a left asof join b on a.ts = b.ts and a.ts > b.ts",
            0x0100,
        ),
        (
            "select * from a left window join b on a.ts = b.ts window_offset(-1s, 1s)",
            0x0100,
        ),
        ("select * from a, b on a.ts = b.ts", 0x2600),
        ("select * from a left asof join b jlimit -1", 0x2600),
        ("select * from a left asof join b jlimit 1025", 0x0200),
        (
            "select x.k, count(*) from a x join b y on x.ts = y.ts",
            0x260C,
        ),
        (
            "select count(*) from a x join b y on x.ts = y.ts where count(*) > 1",
            0x2608,
        ),
        ("select sum(k) from a having sum(k) > 1", 0x260A),
        ("select distinct k from a order by v", 0x260B),
        ("select k from a where k in (select k from b)", 0x2600),
        ("select count(distinct k) from a", 0x2600),
    ] {
        assert_eq!(s.code(sql), code, "{sql}");
    }
}

#[test]
fn partition_by_and_group_by_together_make_a_group_of_each_pair() {
    let s = Server::new();
    let mut groups =
        s.rows("select tbname, x % 2, count(*) from p partition by tbname group by x % 2");
    groups.sort();
    assert_eq!(groups, ["p1 0 1", "p1 1 1", "p2 0 1", "p2 1 1"]);
}

#[test]
fn explain_plans_the_query_and_with_analyze_runs_it() {
    let s = Server::new();
    let plan = s.rows("explain select a.v from a left join b on a.ts = b.ts order by a.ts");
    assert_eq!(plan.len(), 5);
    assert!(plan[2].trim_start().starts_with("-> Left Outer Join"));
    let run = s.rows("explain analyze select * from p");
    assert!(run[0].contains("(rows=4)"), "{run:?}");
    assert_eq!(s.code("explain select nosuch from a"), 0x2602);
}

#[test]
fn insert_casts_what_a_query_gives_to_its_columns() {
    let s = Server::new();
    s.exec("create table t (ts timestamp, i tinyint, s varchar(3), d double)");
    s.exec("insert into t (ts, i, s, d) select a.ts, a.k + 255, b.w, a.v from a left join b on a.ts = b.ts");
    assert_eq!(
        s.rows("select i, s, d from t"),
        [
            "TinyInt(0) b0 0",
            "TinyInt(1) - 0",
            "TinyInt(0) b20 0",
            "TinyInt(1) b30 0",
            "- - 0"
        ]
    );
}
