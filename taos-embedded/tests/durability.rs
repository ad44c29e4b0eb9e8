//! The program as a process: what it acknowledged survives its death, and it stops when told to.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::io::Read;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::{Arc, Barrier};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use support::{Program, Ws, rest};
use taos_query::block::ColumnView;
use taos_ws::protocol::{BindTable, encode_query, encode_stmt2_bind};
use tokio_tungstenite::tungstenite::Message;

/// How a writer writes its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Sql,
    Bound,
    Schemaless,
}

/// The second row of a statement lies so many times as far as the first.
const FAR: u64 = 1_000_000;

/// One writer each.
const WAYS: [Way; 4] = [Way::Sql, Way::Sql, Way::Bound, Way::Schemaless];

impl Way {
    /// Where the rows of writer `n` are found again.
    fn table(self, writer: usize) -> String {
        match self {
            Self::Schemaless => "points".to_owned(),
            _ => format!("t{writer}"),
        }
    }
}

/// One connection that writes the rows `(n, n)` and `(n000000, n)` of its table in one go.
struct Writer {
    ws: Ws,
    way: Way,
    writer: usize,
    statement: u64,
}

impl Writer {
    fn new(addr: SocketAddr, way: Way, writer: usize) -> Self {
        let mut ws = Ws::login(addr);
        ws.run("use d");
        let statement = match way {
            Way::Bound => ws.stmt2("insert into ? using d.st tags (?) values (?, ?)"),
            _ => 0,
        };
        Self {
            ws,
            way,
            writer,
            statement,
        }
    }

    /// False if the server has gone.
    fn send(&mut self, n: u64) -> bool {
        let far = n * FAR;
        let socket = &mut self.ws.socket;
        let text = |text: Value| Message::text(text.to_string());
        match self.way {
            Way::Sql => {
                let writer = self.writer;
                let sql = format!("insert into d.t{writer} values ({n}, {n}) ({far}, {n})");
                let frame = encode_query(n, &sql).unwrap();
                socket.send(Message::binary(frame)).is_ok()
            }
            Way::Bound => {
                let value = i64::try_from(n).unwrap();
                let table = BindTable {
                    name: Some(&format!("t{}", self.writer)),
                    tags: &[taos_query::common::Value::Int(1)],
                    columns: &[
                        ColumnView::from_millis_timestamp(vec![value, value * 1_000_000]),
                        ColumnView::from_big_ints(vec![value, value]),
                    ],
                };
                let mut frame = BytesMut::new();
                encode_stmt2_bind(&mut frame, n, self.statement, &[table], &[], &[]).unwrap();
                let args = json!({"req_id": n, "stmt_id": self.statement});
                socket.send(Message::binary(frame)).is_ok()
                    && socket
                        .send(text(json!({"action": "stmt2_exec", "args": args})))
                        .is_ok()
            }
            Way::Schemaless => {
                let lines = format!("points,w=1 v={n}i64 {n}\npoints,w=1 v={n}i64 {far}");
                let args = json!({"req_id": n, "protocol": 1, "precision": "ms", "data": lines});
                socket
                    .send(text(json!({"action": "insert", "args": args})))
                    .is_ok()
            }
        }
    }

    /// The next row that is acknowledged; `None` if the server has gone.
    fn acknowledged(&mut self) -> Option<u64> {
        loop {
            let Message::Text(text) = self.ws.socket.read().ok()? else {
                continue;
            };
            let reply: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(reply["code"], 0, "{:?}: {reply}", self.way);
            if reply["action"] == "stmt2_bind" {
                continue;
            }
            let affected = match self.way {
                Way::Bound => &reply["affected"],
                _ => &reply["affected_rows"],
            };
            assert_eq!(affected, 2, "{:?}: {reply}", self.way);
            return reply["req_id"].as_u64();
        }
    }

    /// Writes row after row until the server dies, `window` requests in flight at once; gives those that
    /// were acknowledged.
    fn until_death(mut self, window: u64, ready: &Barrier) -> Vec<u64> {
        ready.wait();
        let mut acknowledged = Vec::new();
        let mut next = 1;
        while next <= window && self.send(next) {
            next += 1;
        }
        while let Some(n) = self.acknowledged() {
            acknowledged.push(n);
            if self.send(next) {
                next += 1;
            }
        }
        acknowledged
    }
}

fn rows(addr: SocketAddr, sql: &str) -> Vec<Vec<Value>> {
    let (_, body) = rest(addr, "/rest/sql", sql);
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["code"], 0, "{sql}: {body}");
    let rows = body["data"].as_array().unwrap().iter();
    rows.map(|row| row.as_array().unwrap().clone()).collect()
}

/// The times of a table's rows, in order; each must have the value that was written with it.
fn times(addr: SocketAddr, table: &str) -> Vec<u64> {
    let time = if table == "points" { "_ts" } else { "ts" };
    let sql = format!("select cast({time} as bigint), v from d.{table} order by {time}");
    let rows = rows(addr, &sql);
    let time_of = |row: &Vec<Value>| {
        let at = row[0].as_u64().unwrap();
        let n = if at < FAR { at } else { at / FAR };
        assert_eq!(row[1], n, "{table}: another value than was written at {at}");
        at
    };
    rows.iter().map(time_of).collect()
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

/// Tables of a database, by name.
fn tables(addr: SocketAddr) -> Vec<String> {
    let rows = rows(addr, "show d.tables").into_iter();
    let mut names: Vec<String> = rows
        .map(|row| row[0].as_str().unwrap().to_owned())
        .collect();
    names.extend(rows_of_stables(addr));
    names
}

fn rows_of_stables(addr: SocketAddr) -> Vec<String> {
    let rows = rows(addr, "show d.stables").into_iter();
    rows.map(|row| row[0].as_str().unwrap().to_owned())
        .collect()
}

/// Kills the server at a moment that the seed chooses while four writers write, and looks at what is there
/// after a restart; gives how many rows were acknowledged to each writer.
fn killed_run(seed: u64) -> Vec<usize> {
    let mut random = SmallRng::seed_from_u64(seed);
    let dir = tempfile::tempdir().unwrap();
    let args = ["--data-dir", dir.path().to_str().unwrap()];
    let mut server = Program::start(&args);
    let mut ws = Ws::login(server.addr);
    ws.run("create database d keep 36500");
    ws.run("create table d.t0 (ts timestamp, v bigint)");
    ws.run("create table d.t1 (ts timestamp, v bigint)");
    ws.run("create stable d.st (ts timestamp, v bigint) tags (g int)");
    let ready = Arc::new(Barrier::new(WAYS.len() + 1));
    let window = random.random_range(1..8);
    let writers = WAYS.iter().enumerate().map(|(n, way)| {
        let (writer, ready) = (Writer::new(server.addr, *way, n), Arc::clone(&ready));
        std::thread::spawn(move || writer.until_death(window, &ready))
    });
    let writers: Vec<JoinHandle<Vec<u64>>> = writers.collect();
    ready.wait();
    // A point in time is what the test is about: no event stands for "somewhere inside a commit".
    std::thread::sleep(Duration::from_micros(random.random_range(5_000..500_000)));
    let ended = server.child.try_wait().unwrap();
    assert_eq!(ended, None, "seed {seed}: the server ended by itself");
    server.child.kill().unwrap();
    let acknowledged: Vec<Vec<u64>> = writers.into_iter().map(|w| w.join().unwrap()).collect();
    drop(server);
    let server = Program::start(&args);
    let there = tables(server.addr);
    let mut stored_rows = 0;
    for (n, (way, acknowledged)) in WAYS.iter().zip(&acknowledged).enumerate() {
        let table = way.table(n);
        let place = format!("seed {seed}, writer {n} ({way:?})");
        let stored = match there.contains(&table) {
            true => times(server.addr, &table),
            false => Vec::new(),
        };
        stored_rows += stored.len();
        assert!(
            stored.is_sorted_by(|a, b| a < b),
            "{place}: a row is there twice"
        );
        for n in acknowledged {
            assert!(
                stored.binary_search(n).is_ok(),
                "{place}: row {n} was acknowledged and is gone"
            );
        }
        // Both rows of a statement, or none.
        for n in stored.iter().filter(|n| **n < FAR) {
            assert!(
                stored.binary_search(&(n * FAR)).is_ok(),
                "{place}: half a statement"
            );
        }
    }
    // Only now: whoever opens the file first recovers what the killed server left.
    drop(server);
    let logged = logged_statements(dir.path());
    assert_eq!(
        logged * 2,
        stored_rows,
        "seed {seed}: the rows and the log of changes differ"
    );
    acknowledged.iter().map(|rows| rows.len() * 2).collect()
}

/// Runs with these seeds; an assertion names the seed that it failed with.
fn killed_runs(seeds: std::ops::Range<u64>) {
    let started = Instant::now();
    let runs = seeds.end - seeds.start;
    let mut rows = [0; WAYS.len()];
    for seed in seeds {
        for (all, more) in rows.iter_mut().zip(killed_run(seed)) {
            *all += more;
        }
    }
    for (way, rows) in WAYS.iter().zip(rows) {
        assert!(
            rows > 0,
            "{way:?}: nothing was acknowledged, so nothing was tested"
        );
    }
    eprintln!(
        "{runs} kills: {} acknowledged rows are all there, none twice, in {:.0} s",
        rows.iter().sum::<usize>(),
        started.elapsed().as_secs_f64()
    );
}

#[test]
fn every_acknowledged_row_survives_sigkill_at_any_moment() {
    killed_runs(0..12);
}

#[test]
#[ignore = "takes minutes; cargo xtask soak runs it"]
fn every_acknowledged_row_survives_two_hundred_kills() {
    killed_runs(1000..1200);
}

/// Kills the server while it removes old rows and old entries of its log.
fn killed_while_removing(seed: u64) {
    const OLD: usize = 60_000;
    const NEW: usize = 1000;
    let mut random = SmallRng::seed_from_u64(seed);
    let dir = tempfile::tempdir().unwrap();
    let args = ["--data-dir", dir.path().to_str().unwrap()];
    let mut server = Program::start(&args);
    let mut ws = Ws::login(server.addr);
    ws.run("create database d duration 1 keep 3650 wal_retention_period 1 vgroups 1");
    ws.run("create stable d.st (ts timestamp, v bigint) tags (g int)");
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis();
    for (days, rows) in [(20, OLD / 3), (1, NEW)] {
        for table in 0..3 {
            let first = now - days * 86_400_000;
            let values: Vec<String> = (0..rows)
                .map(|row| format!("({},1)", first + u128::try_from(row).unwrap()))
                .collect();
            let head = format!("insert into d.t{table} using d.st tags({table}) values");
            ws.run(&format!("{head}{}", values.concat()));
        }
    }
    ws.run("alter database d keep 10");
    // the removal begins within a second and takes some tenths of one
    std::thread::sleep(Duration::from_micros(
        random.random_range(500_000..1_500_000),
    ));
    server.child.kill().unwrap();
    drop(server);
    let server = Program::start(&args);
    let count = |condition: &str| {
        let sql = format!("select count(*) from d.st where {condition}");
        rows(server.addr, &sql)[0][0].as_u64().unwrap()
    };
    let asked = Instant::now();
    while count("ts < now - 10d") > 0 {
        assert!(
            asked.elapsed() < Duration::from_secs(60),
            "seed {seed}: old rows stay"
        );
        std::thread::park_timeout(Duration::from_millis(100));
    }
    assert_eq!(
        count("ts > now - 10d"),
        3 * NEW as u64,
        "seed {seed}: rows that KEEP keeps are gone"
    );
    let mut ws = Ws::login(server.addr);
    ws.run("insert into d.t0 values (now, 1)");
}

#[test]
fn a_kill_while_old_rows_are_removed_takes_nothing_else_and_the_rest_goes_after_a_restart() {
    (0..3).for_each(killed_while_removing);
}

#[test]
#[ignore = "takes minutes; cargo xtask soak runs it"]
fn thirty_kills_while_old_rows_are_removed_take_nothing_else() {
    (100..130).for_each(killed_while_removing);
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
    server.signal("-TERM");
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
        let sql = format!("select cast(ts as bigint), v from d.{table} order by ts");
        let stored = serde_json::json!([[1_700_000_000_000_i64, 1], [1_700_000_000_001_i64, null]]);
        assert_eq!(
            serde_json::json!(rows(program.addr, &sql)),
            stored,
            "{table}"
        );
    }
}
