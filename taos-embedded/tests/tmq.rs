//! `/rest/tmq` from the outside: groups, polls, messages and offsets.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::net::SocketAddr;

use serde_json::{Value, json};
use support::{Ws, memory};
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
        self.0.send_text(json!({"action": action, "args": args}).to_string());
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
        rows.iter().map(|row| row["vgroup_id"].as_i64().unwrap()).collect()
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
    assert_eq!((&poll["topic"], &poll["database"]), (&json!("t"), &json!("d")));
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
    assert_eq!((&step["completed"], &step["rows"]), (&json!(false), &json!(2)), "{step}");
    assert_eq!(step["fields_names"], json!(["ts", "v"]));
    let TmqFrame::Block(block) = tmq.binary("fetch_block", &id) else {
        panic!("no block");
    };
    assert!(raw.windows(block.block.len()).any(|part| part == block.block));
    let end = tmq.ask("fetch", json!({"message_id": id}));
    assert_eq!(end["completed"], true, "{end}");
    assert_eq!(tmq.ask("commit", json!({"message_id": id}))["code"], 0);
    assert_eq!(tmq.poll(0)["have_message"], false);
    assert_eq!(tmq.ask("unsubscribe", json!({}))["code"], 0);
}
