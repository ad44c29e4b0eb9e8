//! Behaviour of one WebSocket session, as a client sees it on the wire.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::Shutdown;

use serde_json::json;
use support::{Ws, connect, memory};
use taos_query::RawBlock;
use taos_query::common::{Precision, Value};
use taos_ws::protocol::{FetchOutcome, Reply, encode_fetch_raw_block, encode_query};
use tokio_tungstenite::tungstenite::{Error, Message};

#[test]
fn nothing_but_version_login_and_status_works_before_login() {
    let server = memory();
    let mut ws = Ws::open(server.addr());
    ws.send_text(r#"{"action":"version"}"#);
    let version = ws.receive_json();
    assert_eq!(
        (&version["code"], &version["req_id"]),
        (&json!(0), &json!(0))
    );
    assert_eq!(version["version"], "3.3.7.5");
    let status = ws.ask("check_server_status", json!({"fqdn": null, "port": 0}));
    assert_eq!((&status["code"], &status["status"]), (&json!(0), &json!(2)));
    for action in [
        "get_current_db",
        "get_server_info",
        "num_fields",
        "fetch",
        "fetch_block",
        "query",
        "options_connection",
    ] {
        let reply = ws.ask(action, json!({}));
        assert_eq!(reply["code"], 65535, "{action}");
        assert_eq!(reply["message"], "server not connected", "{action}");
    }
    for frame in [
        encode_query(7, "select 1").unwrap(),
        encode_fetch_raw_block(7, 1),
    ] {
        ws.send_binary(frame);
        let reply = ws.receive_json();
        assert_eq!(reply["message"], "server not connected");
        assert_eq!(reply["req_id"], 7);
    }
}

#[test]
fn a_refused_login_leaves_the_session_open_for_a_better_one() {
    let server = memory();
    let mut ws = Ws::open(server.addr());
    for (args, code) in [
        (json!({"user": "root", "password": "wrong"}), 855),
        (json!({"user": "nobody", "password": "taosdata"}), 849),
        (
            json!({"user": "root", "password": "taosdata", "db": "missing"}),
            904,
        ),
        (
            json!({"user": "root", "password": "taosdata", "mode": 3}),
            65535,
        ),
        (
            json!({"user": "root", "password": "taosdata", "bearer_token": "t"}),
            256,
        ),
    ] {
        let reply = ws.ask("conn", args);
        assert_eq!(reply["code"], code, "{reply}");
    }
    let reply = ws.ask("conn", json!({"user": "root", "password": "taosdata", "tz": "No/Where", "ip": "x", "totp_code": ""}));
    assert_eq!(reply["code"], 0, "{reply}");
    let again = ws.ask("conn", json!({"user": "root", "password": "taosdata"}));
    assert_eq!(again["message"], "duplicate connections");
}

#[test]
fn the_builders_login_is_the_one_that_works() {
    let server = taos_embedded::Embedded::builder()
        .user("ann")
        .password("s3:cret/")
        .start_blocking()
        .unwrap();
    assert!(
        server.dsn().starts_with("ws://ann:s3%3Acret%2F@127.0.0.1:"),
        "{}",
        server.dsn()
    );
    let mut ws = Ws::open(server.addr());
    assert_eq!(
        ws.ask("conn", json!({"user": "ann", "password": "s3"}))["code"],
        855
    );
    assert_eq!(
        ws.ask("conn", json!({"user": "ann", "password": "s3:cret/"}))["code"],
        0
    );
}

#[test]
fn a_start_without_a_login_keeps_the_one_stored_with_the_data() {
    let dir = tempfile::tempdir().unwrap();
    let start = |user: Option<&str>, password: Option<&str>| {
        let mut builder = taos_embedded::Embedded::builder().data_dir(dir.path());
        if let Some(user) = user {
            builder = builder.user(user);
        }
        if let Some(password) = password {
            builder = builder.password(password);
        }
        builder.start_blocking()
    };
    let logs_in = |server: taos_embedded::Embedded, user: &str, password: &str| {
        let mut ws = Ws::open(server.addr());
        let reply = ws.ask("conn", json!({"user": user, "password": password}));
        server.shutdown_blocking();
        reply["code"] == 0
    };
    assert!(logs_in(start(None, None).unwrap(), "root", "taosdata"));
    assert!(logs_in(start(None, Some("new")).unwrap(), "root", "new"));
    let again = start(None, None).unwrap();
    assert!(
        again.dsn().starts_with("ws://root@127.0.0.1:"),
        "{}",
        again.dsn()
    );
    assert!(logs_in(again, "root", "new"));
    assert!(!logs_in(start(None, None).unwrap(), "root", "taosdata"));
    let refused = start(Some("ann"), None).unwrap_err().to_string();
    assert!(refused.contains("give a password too"), "{refused}");
    assert!(logs_in(
        start(Some("ann"), Some("s3")).unwrap(),
        "ann",
        "s3"
    ));
    assert!(logs_in(start(None, Some("s4")).unwrap(), "ann", "s4"));
    for (user, password) in [(Some(""), None), (None, Some(""))] {
        let refused = start(user, password).unwrap_err().to_string();
        assert!(refused.contains("must not be empty"), "{refused}");
    }
    assert!(logs_in(start(None, None).unwrap(), "ann", "s4"));
}

#[test]
fn two_hundred_results_are_open_at_once_and_each_fetch_gets_its_own() {
    let server = memory();
    let mut ws = Ws::login(server.addr());
    let ids: Vec<u64> = (0..200)
        .map(|n| ws.run(&format!("select {n}"))["id"].as_u64().unwrap())
        .collect();
    assert_eq!(ids, (1..=200).collect::<Vec<u64>>());
    for id in &ids {
        ws.send_binary(encode_fetch_raw_block(1000 + id, *id));
    }
    let mut seen = HashSet::new();
    for _ in &ids {
        let Reply::Fetch(reply) = ws.receive_reply() else {
            panic!("a fetch reply expected")
        };
        assert_eq!(reply.req_id, 1000 + reply.result_id);
        let FetchOutcome::Block(block) = reply.outcome else {
            panic!("a block expected")
        };
        let block = RawBlock::parse_from_raw_block(block, Precision::Millisecond).unwrap();
        let value = block.get_ref(0, 0).unwrap().to_value();
        assert_eq!(
            value,
            Value::BigInt(i64::try_from(reply.result_id).unwrap() - 1)
        );
        assert!(seen.insert(reply.result_id));
    }
}

#[test]
fn a_result_is_gone_after_its_end_and_after_free_result() {
    let server = memory();
    let mut ws = Ws::login(server.addr());
    let id = ws.run("select 1")["id"].as_u64().unwrap();
    assert!(matches!(ws.fetch(id), Reply::Fetch(r) if matches!(r.outcome, FetchOutcome::Block(_))));
    assert!(matches!(ws.fetch(id), Reply::Fetch(r) if r.outcome == FetchOutcome::End));
    let nil = |reply| match reply {
        Reply::Fetch(r) => {
            matches!(r.outcome, FetchOutcome::Error { code: 0xffff, message } if message == "result is nil")
        }
        _ => false,
    };
    assert!(nil(ws.fetch(id)));
    let freed = ws.run("select 2")["id"].as_u64().unwrap();
    ws.send_text(json!({"action": "free_result", "args": {"req_id": 99, "id": freed}}).to_string());
    // The next message is the answer to the fetch: free_result has none.
    assert!(nil(ws.fetch(freed)));
}

#[test]
fn overlapping_fetches_of_one_result_get_its_blocks_in_order() {
    let server = memory();
    let mut ws = Ws::login(server.addr());
    ws.run("create database d keep 36500");
    ws.run("create table d.t (ts timestamp, v int)");
    for part in 0..3 {
        let rows: String = (0..4000)
            .map(|n| part * 4000 + n)
            .map(|n| format!("({n},{n})"))
            .collect();
        ws.run(&format!("insert into d.t values {rows}"));
    }
    for round in 0..20 {
        let id = ws.run("select ts, v from d.t order by ts")["id"]
            .as_u64()
            .unwrap();
        for req_id in 1..=8 {
            ws.send_binary(encode_fetch_raw_block(req_id, id));
        }
        let (mut next, mut ends, mut nils) = (0, 0, 0);
        for _ in 1..=8 {
            let Reply::Fetch(reply) = ws.receive_reply() else {
                panic!("a fetch reply expected")
            };
            match reply.outcome {
                FetchOutcome::Block(block) => {
                    let block =
                        RawBlock::parse_from_raw_block(block, Precision::Millisecond).unwrap();
                    for row in 0..block.nrows() {
                        let value = block.get_ref(row, 1).unwrap().to_value();
                        assert_eq!(value, Value::Int(next), "round {round}");
                        next += 1;
                    }
                }
                FetchOutcome::End => ends += 1,
                FetchOutcome::Error { message, .. } => {
                    assert_eq!(message, "result is nil");
                    nils += 1;
                }
            }
        }
        assert_eq!((next, ends), (12_000, 1), "round {round}: {nils} nil");
    }
}

#[test]
fn a_quick_request_overtakes_a_slow_one() {
    let server = memory();
    let mut ws = Ws::login(server.addr());
    ws.run("create database d keep 36500");
    ws.run("create table d.t (ts timestamp, v int)");
    ws.run(&format!(
        "insert into d.t values {}",
        (0..5000).map(|n| format!("({n},{n})")).collect::<String>()
    ));
    let values = (5000..9000)
        .map(|n| format!("({n},{n})"))
        .collect::<String>();
    ws.send_binary(encode_query(1, &format!("insert into d.t values {values}")).unwrap());
    ws.send_text(r#"{"action":"get_current_db","args":{"req_id":2}}"#);
    let order: Vec<u64> = (0..2)
        .map(|_| ws.receive_json()["req_id"].as_u64().unwrap())
        .collect();
    assert_eq!(order, [2, 1]);
}

#[test]
fn a_thousand_requests_at_once_are_all_answered() {
    let server = memory();
    let mut ws = Ws::login(server.addr());
    for n in 1..=1000 {
        ws.send_binary(encode_query(n, &format!("select {n}")).unwrap());
    }
    let answered: HashSet<u64> = (0..1000)
        .map(|_| {
            let reply = ws.receive_json();
            assert_eq!(reply["code"], 0, "{reply}");
            reply["req_id"].as_u64().unwrap()
        })
        .collect();
    assert_eq!(answered.len(), 1000);
}

#[test]
fn garbage_frames_are_answered_or_close_their_own_session_only() {
    let server = memory();
    let mut good = Ws::login(server.addr());
    let mut ws = Ws::login(server.addr());
    for text in [
        "",
        "null",
        "[]",
        "{",
        "{\"action\":5}",
        "{\"action\":\"\\u0000\"}",
        "{\"action\":\"query\",\"args\":[]}",
    ] {
        ws.send_text(text);
        assert_eq!(ws.receive_json()["code"], 65535, "{text}");
    }
    for length in 0..40 {
        ws.send_binary(vec![0xff; length]);
        match ws.receive_reply() {
            Reply::Text(reply) => assert_eq!(reply.code, 0xffff),
            other => panic!("an error expected, got {other:?}"),
        }
    }
    let mut frame = encode_query(3, "select 1").unwrap().to_vec();
    for at in 0..frame.len() {
        frame[at] ^= 0xff;
        ws.send_binary(frame.clone());
        frame[at] ^= 0xff;
        ws.receive();
    }
    // Unmasked bytes, a reserved opcode: the connection ends, and only this one.
    for raw in [
        &[0x82, 0x01, 0x00][..],
        &[0x8f, 0x80, 0, 0, 0, 0],
        &[0xff; 64],
    ] {
        let mut ws = Ws::login(server.addr());
        ws.socket.get_mut().write_all(raw).unwrap();
        let mut rest = Vec::new();
        // A reset is as good an end as an orderly one.
        let _ = ws.socket.get_mut().read_to_end(&mut rest);
    }
    assert_eq!(good.run("select 1")["fields_count"], 1);
}

#[test]
fn a_statement_longer_than_a_mebibyte_is_refused_with_its_code() {
    let server = memory();
    let mut ws = Ws::login(server.addr());
    let reply = ws.sql(&format!("select {}1", " ".repeat(1 << 20)));
    assert_eq!(
        (&reply["code"], &reply["message"]),
        (&json!(0x0219), &json!("SQL statement too long"))
    );
    assert_eq!(ws.run("select 1")["fields_count"], 1);
}

#[test]
fn pings_are_answered_and_a_close_is_answered_with_a_close() {
    let server = memory();
    let mut ws = Ws::login(server.addr());
    ws.socket.send(Message::Ping("TAOS".into())).unwrap();
    assert_eq!(ws.socket.read().unwrap(), Message::Pong("TAOS".into()));
    ws.socket.close(None).unwrap();
    assert!(matches!(ws.socket.read(), Ok(Message::Close(_))));
    assert!(matches!(ws.socket.read(), Err(Error::ConnectionClosed)));
}

#[test]
fn a_client_that_vanishes_in_the_middle_of_its_requests_harms_nobody() {
    let server = memory();
    for _ in 0..20 {
        let mut ws = Ws::login(server.addr());
        for n in 1..=50 {
            ws.send_binary(encode_query(n, "select 1").unwrap());
        }
        ws.socket.get_ref().shutdown(Shutdown::Both).unwrap();
    }
    assert_eq!(Ws::login(server.addr()).run("select 1")["fields_count"], 1);
}

#[test]
fn a_handshake_that_is_not_one_is_refused() {
    let server = memory();
    let status = |head: &str| {
        let mut stream = connect(server.addr());
        write!(
            stream,
            "{head}\r\nHost: x\r\nConnection: Upgrade, close\r\n\r\n"
        )
        .unwrap();
        support::read_http(stream).0
    };
    assert_eq!(status("GET /ws HTTP/1.1"), 400);
    assert_eq!(
        status(
            "GET /ws HTTP/1.1\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 8\r\nSec-WebSocket-Key: eA=="
        ),
        426
    );
    assert_eq!(
        status("GET /ws HTTP/1.1\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13"),
        400
    );
    assert_eq!(status("POST /ws HTTP/1.1"), 405);
    assert_eq!(
        status(
            "GET /nowhere HTTP/1.1\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: eA=="
        ),
        404
    );
    assert_eq!(status("GET /-/ping HTTP/1.1"), 200);
}

#[tokio::test]
async fn it_starts_and_stops_inside_a_current_thread_runtime() {
    let server = taos_embedded::Embedded::builder().start().await.unwrap();
    let addr = server.addr();
    let task = tokio::task::spawn_blocking(move || {
        let mut ws = Ws::login(addr);
        ws.run("select 1");
        ws
    });
    let mut ws = task.await.unwrap();
    server.shutdown().await;
    assert!(matches!(ws.socket.read(), Ok(Message::Close(_))));
    let second = taos_embedded::Embedded::builder().start_blocking().unwrap();
    drop(second);
}
