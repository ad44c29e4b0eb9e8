//! Little memory and much to do: a write is done whole or refused whole.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::Value;
use support::{Program, Ws, rest};

/// What is said of a statement that the memory does not suffice for.
const NO_MEMORY: u64 = 0x073A;
/// Rows of the table that is read.
const ROWS: usize = 30_000;

fn rows(addr: SocketAddr, sql: &str) -> Value {
    let (_, body) = rest(addr, "/rest/sql", sql);
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["code"], 0, "{sql}: {body}");
    body["data"].clone()
}

fn fill(ws: &mut Ws) {
    ws.run("create database d keep 36500");
    ws.run("create table d.big (ts timestamp, f double, s varchar(200))");
    for first in (0..ROWS).step_by(3000) {
        let text = "x".repeat(180);
        let values: String = (first..first + 3000)
            .map(|n| format!("({n},{},'{text}{n}')", n * 7919 % ROWS))
            .collect();
        ws.run(&format!("insert into d.big values {values}"));
    }
}

/// True if a statement succeeded; it may fail only for want of memory.
fn succeeded(reply: &Value, sql: &str) -> bool {
    let code = reply["code"].as_u64().unwrap();
    let sql = sql.get(..60).unwrap_or(sql);
    assert!(code == 0 || code == NO_MEMORY, "{sql}: {reply}");
    code == 0
}

/// Writes statements of so many rows until told to stop; gives the numbers of those acknowledged and of
/// those refused.
fn write(addr: SocketAddr, writer: usize, each: usize, over: &AtomicBool) -> [Vec<usize>; 2] {
    let mut ws = Ws::login(addr);
    let mut outcomes = [Vec::new(), Vec::new()];
    for n in 1.. {
        if over.load(Ordering::Relaxed) && n > 5 {
            return outcomes;
        }
        // spread over all times, so that each statement touches many pages
        let values: String = (0..each)
            .map(|row| format!("({},{n},'{n}')", row * 100_000 + n))
            .collect();
        let sql = format!("insert into d.w{writer} values {values}");
        let reply = ws.sql(&sql);
        let [done, refused] = &mut outcomes;
        match succeeded(&reply, &sql) {
            true => done.push(n),
            false => refused.push(n),
        }
    }
    outcomes
}

/// Four writers beside six readers who ask for more than there is.
fn under_pressure(megabytes: &str) {
    const EACH: usize = 500;
    let dir = tempfile::tempdir().unwrap();
    let place = ["--data-dir", dir.path().to_str().unwrap()];
    let server = Program::start(&place);
    let mut ws = Ws::login(server.addr);
    fill(&mut ws);
    for writer in 0..4 {
        ws.run(&format!(
            "create table d.w{writer} (ts timestamp, v int, s varchar(16))"
        ));
    }
    drop(ws);
    drop(server);
    let mut server = Program::start(&[&place[..], &["--max-memory", megabytes]].concat());
    let addr = server.addr;
    let (over, answers) = (AtomicBool::new(false), AtomicUsize::new(0));
    let outcomes: Vec<[Vec<usize>; 2]> = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..4)
            .map(|writer| {
                scope.spawn({
                    let over = &over;
                    move || write(addr, writer, EACH, over)
                })
            })
            .collect();
        let readers: Vec<_> = (0..6)
            .map(|reader| {
                let answers = &answers;
                scope.spawn(move || {
                    let mut ws = Ws::login(addr);
                    for sql in [
                        "select * from d.big order by s desc, f",
                        "select percentile(f, 50), count(*) from d.big",
                        "select s, count(*) from d.big group by s order by s",
                        "select distinct s from d.big",
                    ]
                    .iter()
                    .cycle()
                    .skip(reader)
                    .take(5)
                    {
                        let reply = ws.sql(sql);
                        if succeeded(&reply, sql) {
                            answers.fetch_add(1, Ordering::Relaxed);
                        }
                        let id = reply["id"].as_u64().unwrap_or_default();
                        ws.send_text(format!(
                            r#"{{"action":"free_result","args":{{"req_id":1,"id":{id}}}}}"#
                        ));
                    }
                })
            })
            .collect();
        for reader in readers {
            reader.join().unwrap();
        }
        over.store(true, Ordering::Relaxed);
        writers
            .into_iter()
            .map(|writer| writer.join().unwrap())
            .collect()
    });
    let done: usize = outcomes.iter().map(|[done, _]| done.len()).sum();
    let refused: usize = outcomes.iter().map(|[_, refused]| refused.len()).sum();
    eprintln!(
        "{megabytes} MiB: {done} writes done, {refused} refused; {} of 30 queries answered",
        answers.load(Ordering::Relaxed)
    );
    // the server goes on, and what it said holds after its death too
    server.child.kill().unwrap();
    server.child.wait().unwrap();
    let server = Program::start(&place);
    for (writer, [done, _]) in outcomes.iter().enumerate() {
        let sql = format!("select v, count(*) from d.w{writer} group by v order by v");
        let found = rows(server.addr, &sql);
        let found: Vec<(usize, usize)> = serde_json::from_value(found).unwrap();
        let wanted: Vec<(usize, usize)> = done.iter().map(|n| (*n, EACH)).collect();
        assert_eq!(found, wanted, "writer {writer}");
    }
}

#[test]
fn writes_beside_queries_that_take_all_memory_are_done_whole_or_refused_whole() {
    under_pressure("16");
}

#[test]
fn writes_with_hardly_any_memory_are_done_whole_or_refused_whole() {
    under_pressure("3");
}

#[test]
fn a_statement_that_changes_more_pages_than_there_is_memory_is_done() {
    let dir = tempfile::tempdir().unwrap();
    let place = ["--data-dir", dir.path().to_str().unwrap()];
    let server = Program::start(&[&place[..], &["--max-memory", "8"]].concat());
    let mut ws = Ws::login(server.addr);
    fill(&mut ws);
    let changed: String = (0..ROWS).map(|n| format!("({n},0)")).collect();
    let reply = ws.run(&format!("insert into d.big (ts, f) values {changed}"));
    assert_eq!(reply["affected_rows"], ROWS);
    let sql = "select count(*), sum(f), min(length(s)) from d.big";
    let sums = rows(server.addr, sql);
    assert_eq!(sums, serde_json::json!([[ROWS, 0, 181]]));
}

#[test]
fn the_columns_that_mode_keeps_beside_its_values_are_counted() {
    let server = Program::start(&["--memory", "--max-memory", "28"]);
    let mut ws = Ws::login(server.addr);
    fill(&mut ws);
    assert_eq!(rows(server.addr, "select mode(f) from d.big")[0][0], 0.0);
    let reply = ws.sql("select mode(f), s from d.big");
    assert_eq!(reply["code"], NO_MEMORY, "{reply}");
}
