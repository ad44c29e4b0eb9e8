//! What statements may take, as the program's options set it.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use support::{Program, Ws, rest};
use taos_query::block::ColumnView;
use taos_ws::protocol::BindTable;

/// The program with its log kept.
struct Logged {
    child: Child,
    addr: SocketAddr,
}

impl Logged {
    fn start(args: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_taos-embedded"))
            .args(["--memory", "--listen", "127.0.0.1:0"])
            .args(args)
            .env("RUST_LOG", "warn")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let addr = line.rsplit_once(' ').unwrap().1.trim().parse().unwrap();
        Self { child, addr }
    }

    /// The log of the whole life, which ends now.
    fn log(mut self) -> String {
        let pid = self.child.id().to_string();
        let told = Command::new("kill").args(["-TERM", &pid]).status().unwrap();
        assert!(told.success());
        assert!(self.child.wait().unwrap().success());
        let mut log = String::new();
        let mut err = self.child.stderr.take().unwrap();
        err.read_to_string(&mut log).unwrap();
        log
    }
}

impl Drop for Logged {
    fn drop(&mut self) {
        // It has ended already unless the test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Does something of each kind.
fn work(addr: SocketAddr) {
    let mut ws = Ws::login(addr);
    for sql in [
        "create database d",
        "use d",
        "create user worker pass 'Secret_1234'",
        "alter user worker pass 'Secret_5678'",
        "create table plain (ts timestamp, v int)",
        "insert into plain values (1700000000000, 1)",
    ] {
        ws.run(sql);
    }
    assert_eq!(ws.read_all("select v, v from plain").0, 1);
    let lines =
        json!({"protocol": 1, "precision": "ms", "data": "m,a=b v=1 1700000000000", "ttl": 0});
    assert_eq!(ws.ask("insert", lines)["code"], 0);
    let id = ws.stmt2("insert into plain values (?, ?)");
    let columns = [
        ColumnView::from_millis_timestamp(vec![1_700_000_000_001]),
        ColumnView::from_ints(vec![1]),
    ];
    let table = BindTable {
        name: None,
        tags: &[],
        columns: &columns,
    };
    assert_eq!(ws.execute(id, &[table]), 1);
}

#[test]
fn statements_of_all_kinds_that_are_slow_are_in_the_log_and_their_passwords_are_not() {
    let server = Logged::start(&["--slow-query", "0.000001"]);
    work(server.addr);
    let log = server.log();
    for (shown, times) in [
        ("slow statement: create table plain", 1),
        (
            "slow statement: insert into plain values (1700000000000, 1)",
            1,
        ),
        ("slow statement: select v, v from plain", 1),
        ("slow statement: (schemaless data)", 1),
        ("slow statement: insert into plain values (?, ?)", 1),
        ("slow statement: (a statement that is not shown)", 3),
    ] {
        assert_eq!(log.matches(shown).count(), times, "{shown}: {log}");
    }
    assert!(log.lines().all(|line| line.contains("seconds=")), "{log}");
    assert!(!log.contains("Secret_"), "{log}");
    assert!(!log.contains("taosdata"), "{log}");
}

#[test]
fn without_a_limit_no_statement_is_slow() {
    for limit in ["0", "3600"] {
        let server = Logged::start(&["--slow-query", limit]);
        work(server.addr);
        assert_eq!(server.log(), "", "--slow-query {limit}");
    }
}

#[test]
fn a_query_that_computes_for_too_long_ends_with_a_code_and_its_connection_goes_on() {
    let server = Program::start(&["--memory", "--max-query-time", "1"]);
    let mut ws = Ws::login(server.addr);
    ws.run("create database d keep 36500");
    ws.run("create table d.t (ts timestamp, v int)");
    ws.run("insert into d.t values ('2023-01-01 00:00:00.000', 1) ('2023-01-01 02:30:00.000', 2)");
    let long = "select sum(n) from (select _wstart, count(*) n from d.t where ts >= \
                '2023-01-01 00:00:00' and ts < '2023-01-01 02:30:00' interval(1a) fill(value, 0))";
    let killed = |answer: &Value, text: &str| {
        assert_eq!(answer["code"], 0x022D, "{answer}");
        let text = answer[text].as_str().unwrap();
        assert!(
            text.contains("1 s") && text.contains("--max-query-time"),
            "{text}"
        );
    };
    killed(&ws.sql(long), "message");
    let (status, body) = rest(server.addr, "/rest/sql", long);
    assert_eq!(status, 200);
    killed(&serde_json::from_str(&body).unwrap(), "desc");
    assert_eq!(ws.read_all("select * from d.t").0, 2);
    let (_, page) = support::http(server.addr, "GET /metrics HTTP/1.1", b"");
    let counted = r#"taos_statement_errors_total{code="0x022D"} 2"#;
    assert!(page.contains(counted), "{page}");
}
