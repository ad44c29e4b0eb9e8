//! The program as a process: what it acknowledged survives its death, and it stops when told to.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::sync::{Arc, Barrier};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use serde_json::Value;
use support::{Program, Ws, rest};
use taos_ws::protocol::encode_query;
use tokio_tungstenite::tungstenite::{Message, WebSocket};

const WRITERS: u64 = 4;

/// Inserts row after row into the writer's own table until the server dies; returns how many of them were
/// acknowledged. `window` requests are in flight at once.
fn write_until_death(addr: SocketAddr, writer: u64, window: u64, ready: &Barrier) -> Vec<u64> {
    let mut ws = Ws::login(addr);
    ready.wait();
    let mut acknowledged = Vec::new();
    let send = |socket: &mut WebSocket<TcpStream>, n: u64| {
        let sql = format!("insert into d.t{writer} values ({n}, {n}) ({n}000000, {n})");
        socket
            .send(Message::binary(encode_query(n, &sql).unwrap()))
            .is_ok()
    };
    for n in 1..=window {
        send(&mut ws.socket, n);
    }
    let mut next = window + 1;
    while let Ok(message) = ws.socket.read() {
        let Message::Text(text) = message else {
            continue;
        };
        let reply: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (&reply["code"], &reply["affected_rows"]),
            (&0.into(), &2.into()),
            "{reply}"
        );
        acknowledged.push(reply["req_id"].as_u64().unwrap());
        if !send(&mut ws.socket, next) {
            break;
        }
        next += 1;
    }
    acknowledged
}

fn times(addr: SocketAddr, table: &str) -> Vec<u64> {
    let (_, body) = rest(
        addr,
        "/rest/sql",
        &format!("select cast(ts as bigint), v from d.{table} order by ts"),
    );
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["code"], 0, "{body}");
    body["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row[0].as_u64().unwrap())
        .collect()
}

/// How many entries of rows the logs in a data directory have, each of them one statement of one table;
/// their versions must have no gaps.
fn logged_statements(dir: &std::path::Path) -> usize {
    let connection = rusqlite::Connection::open(dir.join("taos.db")).unwrap();
    let sql = "SELECT id >> 40, id & ((1 << 40) - 1), hex(substr(body, 1, 1)) FROM log ORDER BY id";
    let mut statement = connection.prepare(sql).unwrap();
    let entries = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .unwrap();
    let entries: Vec<(i64, i64, String)> = entries.map(Result::unwrap).collect();
    let mut last = None;
    for (vgroup, version, _) in &entries {
        let expected = match last {
            Some((of, version)) if of == *vgroup => version + 1,
            _ => 2,
        };
        assert_eq!(*version, expected, "a gap in the log of vgroup {vgroup}");
        last = Some((*vgroup, *version));
    }
    entries.iter().filter(|(_, _, kind)| kind == "01").count()
}

fn writers(addr: SocketAddr, window: u64) -> (Arc<Barrier>, Vec<JoinHandle<Vec<u64>>>) {
    let ready = Arc::new(Barrier::new(usize::try_from(WRITERS).unwrap() + 1));
    let writers = (0..WRITERS)
        .map(|writer| {
            let ready = Arc::clone(&ready);
            std::thread::spawn(move || write_until_death(addr, writer, window, &ready))
        })
        .collect();
    (ready, writers)
}

#[test]
fn every_acknowledged_row_survives_sigkill_at_any_moment() {
    for seed in 0..6 {
        let mut random = SmallRng::seed_from_u64(seed);
        let dir = tempfile::tempdir().unwrap();
        let args = ["--data-dir", dir.path().to_str().unwrap()];
        let mut server = Program::start(&args);
        let mut ws = Ws::login(server.addr);
        ws.run("create database d keep 36500");
        for writer in 0..WRITERS {
            ws.run(&format!(
                "create table d.t{writer} (ts timestamp, v bigint)"
            ));
        }
        let (ready, writers) = writers(server.addr, random.random_range(1..8));
        ready.wait();
        // A point in time is what the test is about: no event stands for "somewhere inside a commit".
        std::thread::sleep(Duration::from_micros(random.random_range(20_000..500_000)));
        server.child.kill().unwrap();
        let acknowledged: Vec<Vec<u64>> = writers.into_iter().map(|w| w.join().unwrap()).collect();
        drop(server);
        let logged = logged_statements(dir.path());
        let server = Program::start(&args);
        let mut stored_rows = 0;
        for (writer, acknowledged) in (0..WRITERS).zip(acknowledged) {
            let stored = times(server.addr, &format!("t{writer}"));
            stored_rows += stored.len();
            for n in &acknowledged {
                assert!(
                    stored.binary_search(n).is_ok(),
                    "seed {seed}: row {n} of writer {writer} was acknowledged and is gone"
                );
            }
            // Both rows of a statement, or none.
            for n in stored.iter().filter(|n| **n < 1_000_000) {
                assert!(
                    stored.binary_search(&(n * 1_000_000)).is_ok(),
                    "seed {seed}: half a statement"
                );
            }
        }
        assert_eq!(
            logged * 2,
            stored_rows,
            "seed {seed}: the rows and the log of changes differ"
        );
    }
}

#[test]
fn sigterm_finishes_running_statements_and_says_goodbye() {
    let dir = tempfile::tempdir().unwrap();
    let args = ["--data-dir", dir.path().to_str().unwrap()];
    let mut server = Program::start(&args);
    let mut ws = Ws::login(server.addr);
    ws.run("create database d keep 36500");
    ws.run("create table d.t (ts timestamp, v bigint)");
    for n in 1..=20 {
        ws.send_binary(encode_query(n, &format!("insert into d.t values ({n}, {n})")).unwrap());
    }
    // The first answer shows that the statements have arrived.
    let mut answers = 0;
    ws.receive_json();
    answers += 1;
    let pid = server.child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .unwrap()
            .success()
    );
    let closed = loop {
        match ws.socket.read() {
            Ok(Message::Text(_)) => answers += 1,
            Ok(Message::Close(_)) => break true,
            Ok(_) => {}
            Err(_) => break false,
        }
    };
    assert!(closed, "no closing frame");
    let asked = Instant::now();
    assert!(server.child.wait().unwrap().success());
    assert!(
        asked.elapsed() < Duration::from_secs(8),
        "{:?}",
        asked.elapsed()
    );
    let mut rest_of_output = String::new();
    server.out.read_to_string(&mut rest_of_output).unwrap();
    assert_eq!(
        rest_of_output, "",
        "one line on standard output and no more"
    );
    let server = Program::start(&args);
    assert!(
        times(server.addr, "t").len() >= answers,
        "an answered row is gone"
    );
}

#[test]
fn an_idle_client_does_not_hold_up_the_stop() {
    let mut server = Program::start(&["--memory"]);
    let mut ws = Ws::login(server.addr);
    let half = support::connect(server.addr);
    let pid = server.child.id().to_string();
    let asked = Instant::now();
    assert!(
        Command::new("kill")
            .args(["-INT", &pid])
            .status()
            .unwrap()
            .success()
    );
    assert!(matches!(ws.socket.read(), Ok(Message::Close(_))));
    assert!(server.child.wait().unwrap().success());
    assert!(
        asked.elapsed() < Duration::from_secs(8),
        "{:?}",
        asked.elapsed()
    );
    drop(half);
}

#[test]
fn a_bad_address_or_directory_is_an_error_that_names_it() {
    let run = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_taos-embedded"))
            .args(args)
            .output()
            .unwrap();
        assert!(!output.status.success());
        assert_eq!(output.stdout, b"");
        String::from_utf8(output.stderr).unwrap()
    };
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    assert!(run(&["--memory", "--listen", &addr]).contains(&addr));
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    assert!(run(&["--data-dir", path, "--listen", "127.0.0.1:0"]).contains(path));
    let storage = run(&["--listen", "127.0.0.1:0"]);
    assert!(
        storage.contains("--data-dir") && storage.contains("--memory"),
        "{storage}"
    );
    let in_use = run(&["--memory", "--listen", &addr]);
    assert!(!in_use.contains('\u{1b}'), "colours in a file: {in_use}");
    assert_eq!(in_use.matches("os error").count(), 1, "{in_use}");
    assert!(run(&["--memory", "--listen", "here"]).contains("NAME:PORT"));
}

#[test]
fn the_password_of_the_command_line_replaces_the_stored_one_and_is_never_logged() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_str().unwrap();
    for password in ["first-s3cret", "second-s3cret"] {
        let server = Program::start(&["--data-dir", path, "--password", password]);
        let login = |password: &str| {
            let mut ws = Ws::open(server.addr);
            ws.ask(
                "conn",
                serde_json::json!({"user": "root", "password": password}),
            )["code"]
                .clone()
        };
        assert_eq!(login(password), 0);
        assert_eq!(login("taosdata"), 855);
    }
    for entry in std::fs::read_dir(path).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        for secret in ["first-s3cret", "second-s3cret"] {
            assert!(
                !bytes.windows(secret.len()).any(|w| w == secret.as_bytes()),
                "a password in clear"
            );
        }
    }
}

#[test]
fn an_execution_that_was_acknowledged_survives_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let arguments = ["--data-dir", dir.path().to_str().unwrap()];
    let mut program = Program::start(&arguments);
    let mut ws = Ws::login(program.addr);
    ws.run("create database d");
    ws.run("use d");
    ws.run("create stable st (ts timestamp, v int) tags (g int)");
    let mut ask = |action: &str, args: Value| {
        let reply = ws.ask(action, args);
        assert_eq!(reply["code"], 0, "{reply}");
        reply
    };
    let id = ask("init", serde_json::json!({}))["stmt_id"].clone();
    let sql = "insert into ? using st tags (1) values (?, ?)";
    ask("prepare", serde_json::json!({"stmt_id": id, "sql": sql}));
    let columns = serde_json::json!([[1_700_000_000_000_i64, 1_700_000_000_001_i64], [1, null]]);
    for name in ["a", "b"] {
        ask(
            "set_table_name",
            serde_json::json!({"stmt_id": id, "name": name}),
        );
        ask(
            "bind",
            serde_json::json!({"stmt_id": id, "columns": columns}),
        );
        ask("add_batch", serde_json::json!({"stmt_id": id}));
    }
    assert_eq!(
        ask("exec", serde_json::json!({"stmt_id": id}))["affected"],
        4
    );
    program.child.kill().unwrap();
    program.child.wait().unwrap();
    let program = Program::start(&arguments);
    for table in ["a", "b"] {
        assert_eq!(times(program.addr, table).len(), 2, "{table}");
    }
}
