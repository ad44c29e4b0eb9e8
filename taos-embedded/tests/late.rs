//! Rows that come late, out of order or again, in every way of writing: they are in their places, and stay
//! there when the server stops or dies.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use proptest::prelude::*;
use serde_json::{Value, json};
use support::{Program, Ws};
use taos_query::block::ColumnView;
use taos_query::common::Value as TagValue;
use taos_ws::protocol::BindTable;

const T0: i64 = 1_700_000_000_000;

fn rows(addr: SocketAddr, sql: &str) -> Value {
    let (_, body) = support::rest(addr, "/rest/sql/d?tz=UTC", sql);
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["code"], 0, "{sql}: {body}");
    body["data"].clone()
}

/// A server on a directory, ended and started again as a test wants.
struct Place {
    dir: tempfile::TempDir,
    server: Option<Program>,
}

#[derive(Debug, Clone, Copy)]
enum End {
    Stop,
    Kill,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut place = Self { dir, server: None };
        place.start();
        let mut ws = place.ws();
        ws.run("create database if not exists d keep 36500");
        place
    }

    fn start(&mut self) {
        let dir = self.dir.path().to_str().unwrap();
        self.server = Some(Program::start(&["--data-dir", dir]));
    }

    fn addr(&self) -> SocketAddr {
        self.server.as_ref().unwrap().addr
    }

    fn ws(&self) -> Ws {
        let mut ws = Ws::login(self.addr());
        if ws.sql("use d")["code"] != 0 {
            ws.run("create database d keep 36500");
            ws.run("use d");
        }
        ws
    }

    /// Ends the server and starts it on what it left.
    fn again(&mut self, end: End) {
        let mut server = self.server.take().unwrap();
        let signal = match end {
            End::Stop => "-TERM",
            End::Kill => "-KILL",
        };
        server.signal(signal);
        server.child.wait().unwrap();
        drop(server);
        self.start();
    }

    /// Asks, then again after a stop and after a kill: the answers are those wanted each time.
    fn holds(&mut self, wanted: &[(&str, Value)]) {
        for end in [None, Some(End::Kill), Some(End::Stop)] {
            if let Some(end) = end {
                self.again(end);
            }
            for (sql, wanted) in wanted {
                assert_eq!(&rows(self.addr(), sql), wanted, "{sql} after {end:?}");
            }
        }
    }
}

/// Binds `(ts, a, b)` for one table.
fn bind(ws: &mut Ws, id: u64, table: &str, values: &[(i64, Option<i32>, Option<&str>)]) -> u64 {
    let columns = [
        ColumnView::from_millis_timestamp(values.iter().map(|v| T0 + v.0).collect::<Vec<_>>()),
        ColumnView::from_ints(values.iter().map(|v| v.1).collect::<Vec<_>>()),
        ColumnView::from_varchar::<&str, _, _, _>(values.iter().map(|v| v.2).collect::<Vec<_>>()),
    ];
    let bound = BindTable {
        name: Some(table),
        tags: &[TagValue::Int(1)],
        columns: &columns,
    };
    ws.execute(id, &[bound])
}

fn lines(ws: &mut Ws, data: &str) -> u64 {
    let args = json!({"protocol": 1, "precision": "ms", "data": data});
    let reply = ws.ask("insert", args);
    assert_eq!(reply["code"], 0, "{data}: {reply}");
    reply["affected_rows"].as_u64().unwrap()
}

#[test]
fn rows_out_of_order_are_in_order_for_last_windows_and_series() {
    let mut place = Place::new();
    let mut ws = place.ws();
    ws.run("create stable st (ts timestamp, a int, b varchar(8)) tags (g int)");
    let id = ws.stmt2("insert into ? using st tags (?) values (?, ?, ?)");
    // newest first, then the middle, then the oldest, each in another way
    ws.run(&format!(
        "insert into t1 using st tags (1) values ({}, 50, 'e') ({}, 40, 'd')",
        T0 + 5000,
        T0 + 4000
    ));
    place.again(End::Kill);
    let mut ws = place.ws();
    let second = ws.stmt2("insert into ? using st tags (?) values (?, ?, ?)");
    assert_eq!(second, id, "numbers of statements are a session's own");
    let late = [(3000, Some(30), None), (2000, None, Some("b"))];
    assert_eq!(bind(&mut ws, second, "t1", &late), 2);
    place.again(End::Stop);
    let mut ws = place.ws();
    ws.run(&format!(
        "insert into t1 (ts, a) values ({}, 10)",
        T0 + 1000
    ));
    place.holds(&[
        (
            "select a, b from t1 order by ts",
            json!([[10, null], [null, "b"], [30, null], [40, "d"], [50, "e"]]),
        ),
        (
            "select a from t1 where ts >= 1700000003000 order by ts desc",
            json!([[50], [40], [30]]),
        ),
        (
            "select last(a), last(b), first(a), first(b) from st",
            json!([[50, "e", 10, "b"]]),
        ),
        ("select last_row(a, b) from st", json!([[50, "e"]])),
        (
            "select count(*), first(a), last(a) from st interval(2s)",
            json!([[1, 10, 10], [2, 30, 30], [2, 40, 50]]),
        ),
        ("select diff(a) from t1", json!([[null], [20], [10], [10]])),
        ("select count(*) from t1 session(ts, 1s)", json!([[5]])),
        (
            "select _irowts, interp(a) from t1 range('2023-11-14T22:13:21.500Z') fill(prev)",
            json!([["2023-11-14T22:13:21.500Z", 10]]),
        ),
    ]);
}

#[test]
fn updates_of_some_columns_keep_the_others_in_every_way_of_writing() {
    let mut place = Place::new();
    let mut ws = place.ws();
    ws.run("create stable st (ts timestamp, a int, b varchar(8)) tags (g int)");
    let id = ws.stmt2("insert into ? using st tags (?) values (?, ?, ?)");
    let all: Vec<_> = (0..4).map(|n| (n, Some(1), Some("old"))).collect();
    assert_eq!(bind(&mut ws, id, "t1", &all), 4);
    lines(
        &mut ws,
        &format!(
            "m,g=1 a=1i32,b=\"old\" {T0}\nm,g=1 a=1i32,b=\"old\" {}",
            T0 + 1
        ),
    );
    place.again(End::Kill);
    let mut ws = place.ws();
    // one column; NULL over a value; the same time twice in a statement; all columns
    ws.run(&format!("insert into t1 (ts, a) values ({T0}, 2)"));
    ws.run(&format!("insert into t1 (ts, b) values ({}, null)", T0 + 1));
    let time = T0 + 2;
    ws.run(&format!(
        "insert into t1 values ({time}, null, 'new') ({time}, 3, null)"
    ));
    let id = ws.stmt2("insert into t1 (ts, b) values (?, ?)");
    let columns = [
        ColumnView::from_millis_timestamp(vec![T0 + 3]),
        ColumnView::from_varchar::<&str, _, _, _>(vec![Some("bound")]),
    ];
    let bound = BindTable {
        name: None,
        tags: &[],
        columns: &columns,
    };
    assert_eq!(ws.execute(id, &[bound]), 1);
    lines(&mut ws, &format!("m,g=1 a=7i32 {T0}\nm,g=1 c=t {}", T0 + 1));
    place.holds(&[
        (
            "select a, b from t1 order by ts",
            json!([[2, "old"], [1, null], [3, "new"], [1, "bound"]]),
        ),
        (
            "select a, b, c from m order by _ts",
            json!([[7, "old", null], [1, "old", true]]),
        ),
        ("select last(b), last_row(a) from t1", json!([["bound", 1]])),
    ]);
}

#[test]
fn rows_with_a_second_key_are_unique_by_both_and_in_the_order_of_both() {
    let mut place = Place::new();
    let mut ws = place.ws();
    ws.run("create stable st (ts timestamp, k varchar(8) primary key, a int) tags (g int)");
    ws.run(&format!(
        "insert into t1 using st tags (1) values ({T0}, 'b', 2) ({T0}, 'a', 1) ({}, 'b', 3)",
        T0 - 1000
    ));
    place.again(End::Kill);
    let mut ws = place.ws();
    ws.run(&format!(
        "insert into t1 values ({T0}, 'b', 20) ({T0}, 'c', 4)"
    ));
    ws.run(&format!(
        "insert into t1 (ts, k) values ({}, 'b') ({}, 'a')",
        T0 - 1000,
        T0 - 1000
    ));
    ws.run(&format!(
        "insert into t2 using st tags (2) values ({T0}, 'd', 40) ({T0}, 'e', null)"
    ));
    let deleted = rows(
        place.addr(),
        &format!("delete from t1 where ts = {}", T0 + 1),
    );
    assert_eq!(deleted, json!([[0]]));
    place.holds(&[
        (
            "select k, a from t1 order by ts, k",
            json!([["a", null], ["b", 3], ["a", 1], ["b", 20], ["c", 4]]),
        ),
        ("select count(*) from st where k = 'b'", json!([[2]])),
        // where the least or greatest key has no value, its time has none
        ("select first(a), last(a) from t1", json!([[1, 4]])),
        ("select last(a), k from t1", json!([[4, "c"]])),
        ("select last_row(a), k from t2", json!([[null, "e"]])),
        ("select last(a) from t2", json!([[null]])),
        (
            "select last(a), first(k), last_row(k) from st",
            json!([[4, "a", "e"]]),
        ),
        ("select last(a) from t1 interval(1s)", json!([[3], [4]])),
    ]);
}

#[test]
fn what_is_deleted_stays_away_until_it_is_written_again() {
    let mut place = Place::new();
    let mut ws = place.ws();
    ws.run("create stable st (ts timestamp, a int, b int) tags (g int)");
    for table in 1..=2 {
        let values: String = (0..100)
            .map(|n| format!("({}, {n}, {table})", T0 + n))
            .collect();
        ws.run(&format!(
            "insert into t{table} using st tags ({table}) values {values}"
        ));
    }
    ws.run(&format!(
        "delete from st where ts >= {} and ts < {}",
        T0 + 10,
        T0 + 90
    ));
    place.again(End::Kill);
    let mut ws = place.ws();
    // b of the deleted row does not come back
    ws.run(&format!(
        "insert into t1 (ts, a) values ({}, 1000)",
        T0 + 50
    ));
    ws.run(&format!("delete from t2 where ts >= {}", T0 + 95));
    place.holds(&[
        (
            "select count(*), sum(a) from t1",
            json!([[21, 45 + 945 + 1000]]),
        ),
        ("select a, b from t1 where a = 1000", json!([[1000, null]])),
        ("select count(*), last(a) from t2", json!([[15, 94]])),
        ("select count(*) from st interval(1s)", json!([[36]])),
    ]);
}

/// One write in one of the ways: table, times and values.
#[derive(Debug, Clone)]
enum Step {
    Sql(usize, Vec<(i64, Option<i32>)>),
    Bound(usize, Vec<(i64, Option<i32>)>),
    Delete(i64, i64),
    Again(bool),
}

fn step() -> impl Strategy<Value = Step> {
    let row = (0_i64..30, prop::option::weighted(0.8, 0_i32..1000));
    let rows = prop::collection::vec(row, 1..8);
    prop_oneof![
        4 => (0..2_usize, rows.clone()).prop_map(|(table, rows)| Step::Sql(table, rows)),
        4 => (0..2_usize, rows).prop_map(|(table, rows)| Step::Bound(table, rows)),
        2 => (0_i64..30, 0_i64..6).prop_map(|(low, width)| Step::Delete(low, low + width)),
        1 => any::<bool>().prop_map(Step::Again),
    ]
}

type Model = BTreeMap<(usize, i64), Option<i32>>;

/// Within a statement NULL does not hide a value of the same time.
fn merge(model: &mut Model, table: usize, rows: &[(i64, Option<i32>)]) {
    let mut merged: BTreeMap<i64, Option<i32>> = BTreeMap::new();
    for (time, value) in rows {
        let slot = merged.entry(*time).or_default();
        *slot = value.or(*slot);
    }
    model.extend(
        merged
            .into_iter()
            .map(|(time, value)| ((table, time), value)),
    );
}

fn apply(place: &mut Place, ws: &mut Ws, step: &Step, model: &mut Model) {
    match step {
        Step::Sql(table, rows) => {
            merge(model, *table, rows);
            let value = |v: &Option<i32>| v.map_or("null".to_owned(), |v| v.to_string());
            let values: Vec<String> = rows
                .iter()
                .map(|(time, v)| format!("({}, {})", T0 + time, value(v)))
                .collect();
            let head = format!("insert into t{table} using st tags (1) (ts, a) values");
            ws.run(&format!("{head}{}", values.concat()));
        }
        Step::Bound(table, rows) => {
            merge(model, *table, rows);
            let id = ws.stmt2("insert into ? using st tags (?) (ts, a) values (?, ?)");
            let columns = [
                ColumnView::from_millis_timestamp(
                    rows.iter().map(|row| T0 + row.0).collect::<Vec<_>>(),
                ),
                ColumnView::from_ints(rows.iter().map(|row| row.1).collect::<Vec<_>>()),
            ];
            let name = format!("t{table}");
            let tags = [TagValue::Int(1)];
            let bound = BindTable {
                name: Some(&name),
                tags: &tags,
                columns: &columns,
            };
            ws.execute(id, &[bound]);
        }
        Step::Delete(low, high) => {
            model.retain(|(_, time), _| !(low..=high).contains(&time));
            ws.run(&format!(
                "delete from st where ts >= {} and ts <= {}",
                T0 + low,
                T0 + high
            ));
        }
        Step::Again(kill) => {
            place.again(if *kill { End::Kill } else { End::Stop });
            *ws = place.ws();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_order_of_writes_deletes_and_deaths_leaves_what_a_sorted_map_has(
        steps in prop::collection::vec(step(), 1..30)
    ) {
        let mut place = Place::new();
        let mut ws = place.ws();
        ws.run("create stable st (ts timestamp, a int) tags (g int)");
        let mut model = Model::new();
        for step in &steps {
            apply(&mut place, &mut ws, step, &mut model);
        }
        place.again(End::Kill);
        let found = rows(place.addr(), "select tbname, cast(ts as bigint), a from st order by tbname, ts");
        let wanted: Vec<Value> = model
            .iter()
            .map(|((table, time), value)| json!([format!("t{table}"), T0 + time, value]))
            .collect();
        prop_assert_eq!(&found, &json!(wanted));
        for table in 0..2 {
            let of = |(key, value): (&(usize, i64), &Option<i32>)| (key.0 == table).then_some(*value);
            let values: Vec<Option<i32>> = model.iter().filter_map(of).collect();
            if let Some(newest) = values.last() {
                let sql = format!("select last_row(a), last(a), count(a) from t{table}");
                let last = values.iter().rev().find_map(|v| *v);
                let count = values.iter().flatten().count();
                prop_assert_eq!(rows(place.addr(), &sql), json!([[newest, last, count]]));
            }
        }
    }
}
