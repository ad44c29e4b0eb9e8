//! Prepared statements of both generations, as a client sees them on the wire.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod changes;
mod first;
mod raw;
mod second;
#[path = "../support/mod.rs"]
mod support;

use bytes::{Bytes, BytesMut};
use serde_json::{Value as Json, json};
use support::{Ws, memory};
use taos_embedded::Embedded;
use taos_query::RawBlock;
use taos_query::block::ColumnView;
use taos_query::block::views::views_to_raw_block;
use taos_query::common::{Precision, Value};
use taos_ws::protocol::{
    BindTable, FetchOutcome, RawField, Reply, encode_bind, encode_set_tags, encode_stmt2_bind,
    encode_write_raw_block,
};

const T0: i64 = 1_700_000_000_000;

/// A server with the database `d` in use and a super table `st`.
fn server() -> (Embedded, Ws) {
    let server = memory();
    let ws = prepared_session(&server);
    (server, ws)
}

fn prepared_session(server: &Embedded) -> Ws {
    let mut ws = Ws::login(server.addr());
    ws.run("create database if not exists d");
    ws.run("use d");
    ws.run(
        "create stable if not exists st (ts timestamp, v int, s varchar(8), n nchar(4)) tags (g int, l nchar(4))",
    );
    ws.run("create table if not exists plain (ts timestamp, v int, s varchar(8))");
    ws
}

fn code(reply: &Json) -> u64 {
    reply["code"].as_u64().unwrap()
}

fn refused(reply: &Json, code: u64, text: &str) {
    assert_eq!(reply["code"], code, "{reply}");
    let message = reply["message"].as_str().unwrap();
    assert!(message.contains(text), "{reply}");
}

/// As [`refused`], of the whole message.
fn refused_as(reply: &Json, code: u64, message: &str) {
    assert_eq!(
        (&reply["code"], &reply["message"]),
        (&json!(code), &json!(message)),
        "{reply}"
    );
}

fn done(reply: Json) -> Json {
    assert_eq!(reply["code"], 0, "{reply}");
    reply
}

/// All rows of a query as text.
fn rows(ws: &mut Ws, sql: &str) -> Vec<String> {
    let reply = ws.run(sql);
    fetched(ws, reply["id"].as_u64().unwrap())
}

fn fetched(ws: &mut Ws, id: u64) -> Vec<String> {
    let mut rows = Vec::new();
    loop {
        let Reply::Fetch(reply) = ws.fetch(id) else {
            panic!("no block")
        };
        match reply.outcome {
            FetchOutcome::Block(block) => {
                let block = RawBlock::parse_from_raw_block(block, Precision::Millisecond).unwrap();
                for row in block.to_values() {
                    let cells: Vec<String> = row
                        .iter()
                        .map(|v| match v {
                            Value::Timestamp(ts) => ts.as_raw_i64().to_string(),
                            Value::Null(_) => "NULL".to_owned(),
                            other => other.to_string().unwrap_or_default(),
                        })
                        .collect();
                    rows.push(cells.join("|"));
                }
            }
            FetchOutcome::End => return rows,
            FetchOutcome::Error { code, message } => panic!("{code} {message}"),
        }
    }
}

/// A statement of the second generation with its SQL.
fn stmt2(ws: &mut Ws, sql: &str) -> u64 {
    let id = done(ws.ask("stmt2_init", json!({})))["stmt_id"]
        .as_u64()
        .unwrap();
    let args = json!({"stmt_id": id, "sql": sql, "get_fields": false});
    done(ws.ask("stmt2_prepare", args));
    id
}

fn bind2_frame(req_id: u64, id: u64, tables: &[BindTable<'_>]) -> Bytes {
    let mut frame = BytesMut::new();
    encode_stmt2_bind(&mut frame, req_id, id, tables, &[], &[]).unwrap();
    frame.freeze()
}

fn bind2(ws: &mut Ws, id: u64, tables: &[BindTable<'_>]) -> Json {
    let req_id = ws.next_id();
    ws.send_binary(bind2_frame(req_id, id, tables));
    let reply = ws.receive_json();
    assert_eq!(reply["action"], "stmt2_bind", "{reply}");
    assert_eq!(
        (&reply["req_id"], &reply["stmt_id"]),
        (&json!(req_id), &json!(id))
    );
    reply
}

fn exec2(ws: &mut Ws, id: u64) -> Json {
    ws.ask("stmt2_exec", json!({"stmt_id": id}))
}

fn columns(ts: &[i64], v: &[Option<i32>], s: &[Option<&str>]) -> [ColumnView; 3] {
    [
        ColumnView::from_millis_timestamp(ts.to_vec()),
        ColumnView::from_ints(v.to_vec()),
        ColumnView::from_varchar::<&str, _, _, _>(s.to_vec()),
    ]
}

fn table<'a>(columns: &'a [ColumnView]) -> BindTable<'a> {
    BindTable {
        columns,
        ..BindTable::default()
    }
}

/// A statement of the first generation with its SQL.
fn stmt1(ws: &mut Ws, sql: &str) -> u64 {
    let id = done(ws.ask("init", json!({})))["stmt_id"].as_u64().unwrap();
    done(ws.ask("prepare", json!({"stmt_id": id, "sql": sql})));
    id
}

fn call1(ws: &mut Ws, action: &str, id: u64) -> Json {
    ws.ask(action, json!({"stmt_id": id}))
}

fn bind1(ws: &mut Ws, id: u64, views: &[ColumnView]) -> Json {
    let req_id = ws.next_id();
    let mut block = views_to_raw_block(views);
    // as one client sends it: something behind the block
    block.extend_from_slice(br#"{"stray":"bytes"}"#);
    ws.send_binary(encode_bind(req_id, id, &block));
    ws.receive_json()
}
