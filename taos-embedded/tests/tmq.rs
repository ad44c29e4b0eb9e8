//! `/rest/tmq` from the outside: groups, polls, messages and offsets.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::net::SocketAddr;

use serde_json::{Value, json};
use support::{Program, Ws, memory};
use taos_ws::protocol::{RawDataOutcome, TmqFrame, classify_tmq_binary};
use tokio_tungstenite::tungstenite::Message;

/// A consumer's socket.
struct Tmq(Ws);

impl Tmq {
    fn open(addr: SocketAddr) -> Self {
        Self(Ws::open_at(addr, "/rest/tmq"))
    }

    /// Subscribed as a member of a group that begins with what is oldest.
    fn subscribed(addr: SocketAddr, group: &str, topic: &str) -> Self {
        let mut tmq = Self::open(addr);
        let reply = tmq.subscribe(group, topic, json!({}));
        assert_eq!(reply["code"], 0, "{reply}");
        tmq
    }

    fn subscribe(&mut self, group: &str, topic: &str, more: Value) -> Value {
        let mut args = json!({"user": "root", "password": "taosdata", "group_id": group,
            "offset_rest": "earliest", "topics": [topic]});
        for (key, value) in more.as_object().unwrap() {
            args[key] = value.clone();
        }
        self.0.ask("subscribe", args)
    }

    fn ask(&mut self, action: &str, args: Value) -> Value {
        self.0.ask(action, args)
    }

    fn poll(&mut self, blocking_time: i64) -> Value {
        self.ask("poll", json!({"blocking_time": blocking_time}))
    }

    /// The binary reply to a request about a message.
    fn binary(&mut self, action: &str, message_id: &Value) -> TmqFrame {
        let args = json!({"req_id": 77, "message_id": message_id});
        self.0
            .send_text(json!({"action": action, "args": args}).to_string());
        match self.0.receive() {
            Message::Binary(frame) => classify_tmq_binary(&frame),
            other => panic!("binary expected, got {other:?}"),
        }
    }

    /// The vgroups that the member holds of a topic.
    fn vgroups(&mut self, topic: &str) -> Vec<i64> {
        let reply = self.ask("assignment", json!({"topic": topic}));
        assert_eq!(reply["code"], 0, "{reply}");
        let rows = reply["assignment"].as_array().cloned().unwrap_or_default();
        rows.iter()
            .map(|row| row["vgroup_id"].as_i64().unwrap())
            .collect()
    }
}

/// A server with a topic on four vgroups and twelve subtables.
fn four_vgroups() -> (taos_embedded::Embedded, Ws) {
    let server = memory();
    let mut ws = Ws::login(server.addr());
    ws.run("create database d vgroups 4");
    ws.run("create stable d.st (ts timestamp, v int) tags (n int)");
    for n in 0..12 {
        ws.run(&format!("create table d.c{n} using d.st tags ({n})"));
    }
    ws.run("create topic t as select ts, v from d.st");
    (server, ws)
}

#[test]
fn a_message_is_had_block_by_block_and_whole_in_both_frames() {
    let (server, mut ws) = four_vgroups();
    ws.run("insert into d.c0 values (1700000000000, 1)(1700000000001, 2)");
    let mut tmq = Tmq::subscribed(server.addr(), "g", "t");
    let poll = tmq.poll(2000);
    assert_eq!(poll["have_message"], true, "{poll}");
    assert_eq!(
        (&poll["topic"], &poll["database"]),
        (&json!("t"), &json!("d"))
    );
    let id = poll["message_id"].clone();
    let TmqFrame::RawData(whole) = tmq.binary("fetch_raw_data", &id) else {
        panic!("no message");
    };
    let RawDataOutcome::Message { raw_type, raw } = whole.outcome else {
        panic!("{whole:?}");
    };
    let TmqFrame::RawMessage(older) = tmq.binary("fetch_raw", &id) else {
        panic!("no message");
    };
    assert_eq!((older.raw_type, &older.raw), (raw_type, &raw));
    let step = tmq.ask("fetch", json!({"message_id": id}));
    assert_eq!(
        (&step["completed"], &step["rows"]),
        (&json!(false), &json!(2)),
        "{step}"
    );
    assert_eq!(step["fields_names"], json!(["ts", "v"]));
    let TmqFrame::Block(block) = tmq.binary("fetch_block", &id) else {
        panic!("no block");
    };
    assert!(
        raw.windows(block.block.len())
            .any(|part| part == block.block)
    );
    let end = tmq.ask("fetch", json!({"message_id": id}));
    assert_eq!(end["completed"], true, "{end}");
    assert_eq!(tmq.ask("commit", json!({"message_id": id}))["code"], 0);
    assert_eq!(tmq.poll(0)["have_message"], false);
    assert_eq!(tmq.ask("unsubscribe", json!({}))["code"], 0);
}

#[test]
fn what_is_no_request_is_not_answered_and_the_version_needs_no_subscription() {
    let server = memory();
    let mut tmq = Tmq::open(server.addr());
    for text in [
        "{",
        r#"{"action":"dance","args":{"req_id":1}}"#,
        r#"{"action":"poll","args":{"req_id":"x"}}"#,
    ] {
        tmq.0.send_text(text);
    }
    tmq.0.send_binary(vec![1_u8, 2, 3]);
    tmq.0.send_text(r#"{"action":"version"}"#);
    let reply = tmq.0.receive_json();
    assert_eq!(
        (&reply["req_id"], &reply["version"]),
        (&json!(0), &json!("3.3.7.5"))
    );
    for (action, args) in [
        ("commit", json!({"message_id": 0})),
        (
            "commit_offset",
            json!({"topic": "t", "vgroup_id": 2, "offset": 0}),
        ),
        ("assignment", json!({"topic": "t"})),
        ("seek", json!({"topic": "t", "vgroup_id": 2, "offset": 0})),
        ("committed", json!({"topic_vgroup_ids": []})),
        ("position", json!({"topic_vgroup_ids": []})),
        ("list_topics", json!({})),
        ("unsubscribe", json!({})),
        ("fetch", json!({"message_id": 1})),
        ("fetch_block", json!({"message_id": 1})),
        ("fetch_raw", json!({"message_id": 1})),
        ("fetch_json_meta", json!({"message_id": 1})),
    ] {
        let reply = tmq.ask(action, args);
        assert_eq!(
            (&reply["code"], &reply["message"]),
            (&json!(65535), &json!("tmq not init"))
        );
        assert_eq!(
            reply.get("message_id").is_some(),
            action.starts_with("fetch"),
            "{reply}"
        );
    }
}

#[test]
fn texts_of_a_subscription_are_checked_one_by_one() {
    let (server, _ws) = four_vgroups();
    let mut tmq = Tmq::open(server.addr());
    let invalid = |key: &str, value: &str| (280, format!("invalid value for key '{key}': {value}"));
    for (more, (code, text)) in [
        (
            json!({"session_timeout_ms": "5999"}),
            invalid("session.timeout.ms", "5999"),
        ),
        (
            json!({"session_timeout_ms": "x"}),
            invalid("session.timeout.ms", "x"),
        ),
        (
            json!({"max_poll_interval_ms": "999"}),
            invalid("max.poll.interval.ms", "999"),
        ),
        (json!({"group_id": "a:b"}), invalid("group.id", "a:b")),
        (
            json!({"config": {"auto.offset.reset": "never"}}),
            invalid("auto.offset.reset", "never"),
        ),
        (
            json!({"config": {"heartbeat.interval.ms": "12000"}}),
            invalid("heartbeat.interval.ms", "12000"),
        ),
        (
            json!({"config": {"enable.replay": "true"}}),
            (256, "unsupported feature: enable.replay".into()),
        ),
        (
            json!({"user": "nobody"}),
            (65535, "init tscObj failed".into()),
        ),
    ] {
        let reply = tmq.subscribe("g", "t", more);
        assert_eq!(
            (&reply["code"], &reply["message"]),
            (&json!(code), &json!(text))
        );
    }
    // What the clients send (clients-need §5).
    let more = json!({"db": "", "auto_commit": "T", "auto_commit_interval_ms": null, "offset_seek": null,
        "session_timeout_ms": "", "max_poll_interval_ms": "", "snapshot_enable": "false",
        "with_table_name": "true", "enable_batch_meta": "1", "connector": "x", "tz": "", "app": null,
        "config": {"td.connect.user": "ignored", "min.poll.rows": "100"}});
    let reply = tmq.subscribe("g", "t", more);
    assert_eq!(
        (&reply["code"], &reply["version"]),
        (&json!(0), &json!("3.3.7.5")),
        "{reply}"
    );
    let again = tmq.subscribe("g", "t", json!({}));
    assert_eq!(again["message"], "tmq should have unsubscribed first");
}

#[test]
fn after_unsubscribing_the_topic_may_go_and_another_group_may_come() {
    let (server, mut ws) = four_vgroups();
    ws.run("create topic u as select v from d.st");
    ws.run("insert into d.c0 values (1700000000000, 1)");
    let mut tmq = Tmq::subscribed(server.addr(), "g", "t");
    assert_eq!(tmq.poll(2000)["message_id"], 1);
    assert_eq!(ws.sql("drop topic t")["code"], 1003);
    assert_eq!(tmq.ask("unsubscribe", json!({}))["code"], 0);
    let freed = tmq.ask("fetch", json!({"message_id": 1}));
    assert_eq!(freed["message"], "message has been freed");
    assert_eq!(tmq.poll(10)["have_message"], false);
    assert_eq!(tmq.ask("list_topics", json!({}))["topics"], Value::Null);
    assert_eq!(tmq.ask("commit", json!({"message_id": 0}))["code"], 0);
    ws.run("drop topic t");
    assert_eq!(tmq.subscribe("h", "t", json!({}))["code"], 993);
    assert_eq!(tmq.subscribe("h", "u", json!({}))["code"], 0);
    let poll = tmq.poll(2000);
    assert_eq!(
        (&poll["topic"], &poll["message_id"]),
        (&json!("u"), &json!(2)),
        "{poll}"
    );
}

#[test]
fn a_lost_reply_is_repeated_for_who_tells_the_last_message_received() {
    let (server, mut ws) = four_vgroups();
    ws.run("insert into d.c0 values (1700000000000, 1)");
    ws.run("insert into d.c1 values (1700000000000, 1)");
    let mut tmq = Tmq::subscribed(server.addr(), "g", "t");
    let mut poll = |received: Value| {
        tmq.ask(
            "poll",
            json!({"blocking_time": 300, "message_id": received}),
        )
    };
    let first = poll(json!(0));
    assert_eq!(first["message_id"], 1, "{first}");
    let mut again = poll(json!(0));
    for member in ["req_id", "timing"] {
        again[member] = first[member].clone();
    }
    assert_eq!(again, first);
    let second = poll(json!(1));
    assert_eq!(second["message_id"], 2, "{second}");
    // Without the number nothing is repeated, and an empty answer leaves the message where it is.
    assert_eq!(poll(Value::Null)["have_message"], false);
    assert_eq!(poll(json!(1))["message_id"], 2);
    assert_eq!(poll(json!(2))["have_message"], false);
}

#[test]
fn one_poll_runs_one_waits_and_a_third_takes_its_place_unanswered() {
    let (server, mut ws) = four_vgroups();
    let mut tmq = Tmq::open(server.addr());
    let send = |tmq: &mut Tmq, req_id: u64| {
        let args = json!({"req_id": req_id, "blocking_time": 200});
        tmq.0
            .send_text(json!({"action": "poll", "args": args}).to_string());
    };
    // Held until there is something to poll from.
    send(&mut tmq, 100);
    send(&mut tmq, 101);
    assert_eq!(tmq.subscribe("g", "t", json!({}))["code"], 0);
    assert_eq!(tmq.0.receive_json()["req_id"], 101);
    for req_id in [102, 103, 104] {
        send(&mut tmq, req_id);
    }
    // Requests that need not wait are answered meanwhile.
    assert_eq!(tmq.ask("list_topics", json!({}))["topics"], json!(["t"]));
    let answered: Vec<Value> = (0..2)
        .map(|_| tmq.0.receive_json()["req_id"].clone())
        .collect();
    assert_eq!(answered, [102, 104]);
    // A poll that waits for ever ends with what is written.
    let args = json!({"req_id": 105, "blocking_time": -1});
    tmq.0
        .send_text(json!({"action": "poll", "args": args}).to_string());
    ws.run("insert into d.c0 values (1700000000000, 1)");
    let reply = tmq.0.receive_json();
    assert_eq!(
        (&reply["req_id"], &reply["have_message"]),
        (&json!(105), &json!(true))
    );
}

#[test]
fn a_poll_without_a_subscription_does_not_hold_up_those_of_the_next_one() {
    let (server, mut ws) = four_vgroups();
    ws.run("insert into d.c0 values (1700000000000, 1)");
    let mut tmq = Tmq::subscribed(server.addr(), "g", "t");
    assert_eq!(tmq.ask("unsubscribe", json!({}))["code"], 0);
    assert_eq!(tmq.poll(-1)["have_message"], false);
    let args = json!({"req_id": 300, "blocking_time": 600_000});
    tmq.0
        .send_text(json!({"action": "poll", "args": args}).to_string());
    assert_eq!(tmq.ask("list_topics", json!({}))["topics"], Value::Null);
    tmq.0.send_text(
        json!({"action": "subscribe", "args": {"req_id": 301, "user": "root", "password": "taosdata",
            "group_id": "h", "offset_rest": "earliest", "topics": ["t"]}})
        .to_string(),
    );
    let mut replies = [tmq.0.receive_json(), tmq.0.receive_json()];
    replies.sort_by_key(|reply| reply["req_id"].as_u64());
    assert_eq!(replies[0]["have_message"], false, "{}", replies[0]);
    assert_eq!(replies[1]["code"], 0, "{}", replies[1]);
    assert_eq!(tmq.poll(5000)["have_message"], true);
}

#[test]
fn commits_in_flight_are_made_in_the_order_in_which_they_came() {
    let (server, _ws) = four_vgroups();
    let mut tmq = Tmq::subscribed(server.addr(), "g", "t");
    let vgroup = tmq.vgroups("t")[0];
    const COMMITS: u64 = 60;
    for req_id in 0..COMMITS {
        let offset = (req_id + 1) % 3;
        let args = json!({"req_id": req_id, "topic": "t", "vgroup_id": vgroup, "offset": offset});
        tmq.0
            .send_text(json!({"action": "commit_offset", "args": args}).to_string());
    }
    for req_id in 0..COMMITS {
        let reply = tmq.0.receive_json();
        assert_eq!(
            (&reply["req_id"], &reply["code"]),
            (&json!(req_id), &json!(0))
        );
    }
    let place = json!({"topic_vgroup_ids": [{"topic": "t", "vgroup_id": vgroup}]});
    assert_eq!(tmq.ask("committed", place)["committed"], json!([0]));
}

#[test]
fn a_member_that_was_removed_is_told_so_and_not_given_its_message_again() {
    let (server, mut ws) = four_vgroups();
    ws.run("insert into d.c0 values (1700000000000, 1)");
    let mut tmq = Tmq::subscribed(server.addr(), "g", "t");
    let poll = |tmq: &mut Tmq| {
        let args = json!({"blocking_time": 2000, "message_id": 0});
        tmq.ask("poll", args)
    };
    assert_eq!(poll(&mut tmq)["message_id"], 1);
    assert_eq!(poll(&mut tmq)["message_id"], 1);
    ws.run("drop consumer group force g on t");
    assert_eq!(poll(&mut tmq)["code"], 0x03E6);
}

#[test]
fn a_new_group_on_the_same_socket_is_not_given_the_message_of_the_one_before() {
    let (server, mut ws) = four_vgroups();
    ws.run("create topic u as select v from d.st");
    ws.run("insert into d.c0 values (1700000000000, 1)");
    let mut tmq = Tmq::subscribed(server.addr(), "g", "t");
    let poll = |tmq: &mut Tmq| {
        let args = json!({"blocking_time": 2000, "message_id": 0});
        tmq.ask("poll", args)
    };
    assert_eq!(poll(&mut tmq)["topic"], "t");
    assert_eq!(tmq.ask("unsubscribe", json!({}))["code"], 0);
    assert_eq!(tmq.subscribe("h", "u", json!({}))["code"], 0);
    let first = poll(&mut tmq);
    assert_eq!(
        (&first["topic"], &first["message_id"]),
        (&json!("u"), &json!(2))
    );
}

#[test]
fn the_vgroups_of_a_socket_that_closes_go_to_the_others_at_once() {
    let (server, mut ws) = four_vgroups();
    for n in 0..12 {
        ws.run(&format!("insert into d.c{n} values (1700000000000, {n})"));
    }
    let mut first = Tmq::subscribed(server.addr(), "g", "t");
    let mut second = Tmq::subscribed(server.addr(), "g", "t");
    assert_eq!(
        (first.vgroups("t").len(), second.vgroups("t").len()),
        (2, 2)
    );
    let args = json!({"req_id": 9, "blocking_time": -1});
    while first.poll(0)["have_message"] == true {}
    first
        .0
        .send_text(json!({"action": "poll", "args": args}).to_string());
    drop(second);
    let poll = first.0.receive_json();
    assert_eq!(poll["have_message"], true, "{poll}");
    assert_eq!(first.vgroups("t").len(), 4);
}

#[test]
fn a_member_that_is_silent_for_its_session_timeout_is_removed_and_told_so() {
    let (server, _ws) = four_vgroups();
    let mut silent = Tmq::open(server.addr());
    let more = json!({"session_timeout_ms": "6000"});
    assert_eq!(silent.subscribe("g", "t", more)["code"], 0);
    let mut lively = Tmq::subscribed(server.addr(), "g", "t");
    let started = std::time::Instant::now();
    // This one reads, and so answers pings; the other is not read.
    while lively.vgroups("t").len() < 4 {
        assert_eq!(lively.poll(200)["have_message"], false);
        assert!(started.elapsed() < std::time::Duration::from_secs(8));
    }
    let reply = silent.poll(0);
    assert_eq!(
        (&reply["code"], &reply["message"]),
        (&json!(0x03E6), &json!("Consumer not exist"))
    );
    assert_eq!(silent.ask("unsubscribe", json!({}))["code"], 0);
    assert_eq!(silent.subscribe("g", "t", json!({}))["code"], 0);
    assert_eq!(silent.vgroups("t").len(), 2);
}

#[test]
fn a_member_that_does_not_poll_in_its_time_is_removed() {
    let (server, _ws) = four_vgroups();
    let mut idle = Tmq::open(server.addr());
    let more = json!({"max_poll_interval_ms": "1000"});
    assert_eq!(idle.subscribe("g", "t", more)["code"], 0);
    let mut other = Tmq::subscribed(server.addr(), "g", "t");
    let started = std::time::Instant::now();
    while other.vgroups("t").len() < 4 {
        other.poll(100);
        assert!(started.elapsed() < std::time::Duration::from_secs(5));
    }
    assert_eq!(idle.poll(0)["code"], 0x03E6);
}

#[test]
fn what_was_committed_survives_the_death_of_the_server() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().to_str().unwrap();
    let insert = |ws: &mut Ws, v: i64| {
        ws.run(&format!(
            "insert into d.c values ({}, {v})",
            1_700_000_000_000_i64 + v
        ));
    };
    {
        let program = Program::start(&["--data-dir", dir]);
        let mut ws = Ws::login(program.addr);
        ws.run("create database d vgroups 1");
        ws.run("create table d.c (ts timestamp, v int)");
        ws.run("create topic t as select ts, v from d.c");
        insert(&mut ws, 1);
        let mut tmq = Tmq::subscribed(program.addr, "g", "t");
        assert_eq!(tmq.poll(2000)["have_message"], true);
        assert_eq!(tmq.ask("commit", json!({"message_id": 0}))["code"], 0);
        insert(&mut ws, 2);
        assert_eq!(tmq.poll(2000)["have_message"], true);
        // Dropping the program kills it.
    }
    let program = Program::start(&["--data-dir", dir]);
    let mut tmq = Tmq::subscribed(program.addr, "g", "t");
    let poll = tmq.poll(2000);
    assert_eq!(poll["have_message"], true);
    let step = tmq.ask("fetch", json!({"message_id": poll["message_id"]}));
    assert_eq!(step["rows"], 1, "{step}");
    assert_eq!(tmq.poll(100)["have_message"], false);
}

#[test]
fn releases_know_of_consumers_what_they_knew() {
    for (version, raw_data, batch, version_told) in [
        ("3.2.3.0", false, false, false),
        ("3.3.2.0", true, true, false),
        ("3.4.1.0", true, true, true),
    ] {
        let server = taos_embedded::Embedded::builder()
            .emulate(version)
            .start_blocking()
            .unwrap();
        let mut ws = Ws::login(server.addr());
        for sql in [
            "create database d",
            "create table d.c (ts timestamp, v int)",
            "create topic t as select ts, v from d.c",
        ] {
            assert_eq!(ws.ask("query", json!({"sql": sql}))["code"], 0, "{sql}");
        }
        let mut tmq = Tmq::open(server.addr());
        let reply = tmq.subscribe("g", "t", json!({"enable_batch_meta": "1"}));
        assert_eq!(reply["code"], if batch { 0 } else { 0xfffe }, "{reply}");
        if !batch {
            let reply = tmq.subscribe("g", "t", json!({"config": {"no.such.key": "1"}}));
            assert_eq!(reply["code"], 0, "{reply}");
        }
        assert_eq!(reply.get("version").is_some(), version_told, "{reply}");
        let args = json!({"req_id": 50, "message_id": 1});
        tmq.0
            .send_text(json!({"action": "fetch_raw_data", "args": args}).to_string());
        if raw_data {
            assert!(matches!(tmq.0.receive(), Message::Binary(_)));
        }
        assert_eq!(tmq.ask("list_topics", json!({}))["topics"], json!(["t"]));
    }
}

#[test]
fn many_large_replies_to_a_client_that_reads_slowly_share_one_message() {
    let (server, mut ws) = four_vgroups();
    let rows: String = (0..20_000)
        .map(|n| format!("({},{n})", 1_700_000_000_000_i64 + n))
        .collect();
    ws.run(&format!("insert into d.c0 values {rows}"));
    let mut tmq = Tmq::subscribed(server.addr(), "g", "t");
    let id = tmq.poll(2000)["message_id"].clone();
    const REQUESTS: u64 = 200;
    for req_id in 0..REQUESTS {
        let args = json!({"req_id": req_id, "message_id": id});
        tmq.0
            .send_text(json!({"action": "fetch_raw_data", "args": args}).to_string());
    }
    for req_id in 0..REQUESTS {
        let Message::Binary(frame) = tmq.0.receive() else {
            panic!("no message");
        };
        assert_eq!(classify_tmq_binary(&frame).req_id(), Some(req_id));
    }
}

#[test]
fn groups_and_members_are_shown_in_the_system_tables() {
    let (server, mut ws) = four_vgroups();
    let query = |sql: &str| -> Value {
        let (_, body) = support::rest(server.addr(), "/rest/sql", sql);
        serde_json::from_str::<Value>(&body).unwrap()["data"].clone()
    };
    ws.run("insert into d.c0 values (1700000000000, 1)(1700000000001, 2)");
    let mut tmq = Tmq::open(server.addr());
    let more = json!({"client_id": "me", "auto_commit": "true", "auto_commit_interval_ms": "700"});
    assert_eq!(tmq.subscribe("g", "t", more)["code"], 0);
    assert_eq!(tmq.poll(2000)["have_message"], true);
    let sql = "select consumer_group, client_id, user, status, topics, parameters \
               from performance_schema.perf_consumers";
    let parameters = "tbname:1,commit:1,interval:700ms,reset:earliest";
    assert_eq!(
        query(sql),
        json!([["g", "me", "root", "ready", "t", parameters]])
    );
    let sql = "select sum(`rows`), count(*), count(consumer_id) from information_schema.ins_subscriptions \
               where topic_name = 't' and consumer_group = 'g'";
    assert_eq!(query(sql), json!([[2, 4, 4]]));
    assert_eq!(query("show subscriptions").as_array().unwrap().len(), 4);
    let shown = query("show consumers");
    assert_eq!(
        (&shown[0][1], shown[0].as_array().unwrap().len()),
        (&json!("g"), 11)
    );
    tmq.ask("commit", json!({"message_id": 0}));
    tmq.ask("unsubscribe", json!({}));
    assert_eq!(query("show consumers"), json!([]));
    let sql = "select consumer_id, `offset` from information_schema.ins_subscriptions \
               where `offset` like 'wal:%'";
    assert_eq!(query(sql).as_array().unwrap().len(), 4);
    ws.run("drop consumer group g on t");
    assert_eq!(query("show subscriptions"), json!([]));
}

#[test]
fn polls_that_wait_for_ever_end_with_their_subscription_and_with_the_server() {
    let (server, _ws) = four_vgroups();
    let wait = |tmq: &mut Tmq| {
        let args = json!({"req_id": 9, "blocking_time": -1});
        tmq.0
            .send_text(json!({"action": "poll", "args": args}).to_string());
    };
    let mut leaving = Tmq::subscribed(server.addr(), "g", "t");
    wait(&mut leaving);
    leaving
        .0
        .send_text(json!({"action": "unsubscribe", "args": {"req_id": 10}}).to_string());
    let mut replies = [leaving.0.receive_json(), leaving.0.receive_json()];
    replies.sort_by_key(|reply| reply["req_id"].as_u64());
    assert_eq!(replies[0]["have_message"], false, "{}", replies[0]);
    assert_eq!(replies[1]["code"], 0);

    let mut staying = Tmq::subscribed(server.addr(), "g", "t");
    wait(&mut staying);
    // Answered only once the poll is under way.
    assert_eq!(staying.ask("list_topics", json!({}))["code"], 0);
    let started = std::time::Instant::now();
    let stopped = std::thread::spawn(move || server.shutdown_blocking());
    assert_eq!(staying.0.receive_json()["have_message"], false);
    stopped.join().unwrap();
    assert!(started.elapsed() < std::time::Duration::from_secs(4));
}
