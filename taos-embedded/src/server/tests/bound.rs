//! What one connection may bind, and what it may have under way.

use std::io::ErrorKind;

use bytes::{Bytes, BytesMut};
use serde_json::{Value, json};
use taos_query::block::ColumnView;
use taos_query::block::views::views_to_raw_block;
use taos_ws::protocol::{BindTable, encode_set_tags, encode_stmt2_bind, encode_write_raw_block};
use tokio_tungstenite::tungstenite::Error as WsError;

use super::*;

const T0: i64 = 1_700_000_000_000;

/// A session with the tables `d.t` and `d.st`.
struct Client(WebSocket<TcpStream>);

impl Client {
    fn new(server: &Server) -> Self {
        let mut ws = server.ws();
        log_in(&mut ws);
        for sql in [
            "create database if not exists d",
            "create table if not exists d.t (ts timestamp, v int)",
            "create table if not exists d.st (ts timestamp, v int) tags (s varchar(2000))",
        ] {
            assert_eq!(query(&mut ws, sql)["code"], 0, "{sql}");
        }
        Self(ws)
    }

    fn send(&mut self, action: &str, args: Value) {
        let request = json!({"action": action, "args": args}).to_string();
        self.0.send(Message::text(request)).unwrap();
    }

    fn reply(&mut self) -> Value {
        loop {
            if let Message::Text(text) = self.0.read().unwrap() {
                return serde_json::from_str(&text).unwrap();
            }
        }
    }

    fn ask(&mut self, action: &str, args: Value) -> Value {
        self.send(action, args);
        self.reply()
    }

    fn send_frame(&mut self, frame: Bytes) {
        self.0.send(Message::binary(frame)).unwrap();
    }

    fn ask_frame(&mut self, frame: Bytes) -> Value {
        self.send_frame(frame);
        self.reply()
    }

    fn first(&mut self, sql: &str) -> Value {
        let id = self.ask("init", json!({}))["stmt_id"].clone();
        let prepared = self.ask("prepare", json!({"stmt_id": id, "sql": sql}));
        assert_eq!(prepared["code"], 0, "{prepared}");
        id
    }

    fn second(&mut self, sql: &str) -> Value {
        let id = self.ask("stmt2_init", json!({}))["stmt_id"].clone();
        let prepared = self.ask("stmt2_prepare", json!({"stmt_id": id, "sql": sql}));
        assert_eq!(prepared["code"], 0, "{prepared}");
        id
    }
}

fn bind2(id: &Value, tables: &[BindTable<'_>]) -> Bytes {
    let mut frame = BytesMut::new();
    encode_stmt2_bind(&mut frame, 1, id.as_u64().unwrap(), tables, &[], &[]).unwrap();
    frame.freeze()
}

/// A bind of one column alone.
fn single2(id: &Value, at: i32, column: &ColumnView) -> Bytes {
    let table = BindTable {
        columns: std::slice::from_ref(column),
        ..BindTable::default()
    };
    let mut frame = bind2(id, &[table]).to_vec();
    frame[26..30].copy_from_slice(&at.to_le_bytes());
    frame.into()
}

fn rows(count: usize) -> [ColumnView; 2] {
    let times = (T0..).take(count).collect::<Vec<i64>>();
    [
        ColumnView::from_millis_timestamp(times),
        ColumnView::from_ints(vec![1; count]),
    ]
}

fn full(reply: &Value) {
    assert_eq!(reply["code"], 0xFFFF, "{reply}");
    let message = reply["message"].as_str().unwrap();
    assert!(message.contains("more than 8192 bytes; execute"), "{reply}");
}

fn small() -> Server {
    Server::with(Limits {
        bound: 8192,
        ..Limits::default()
    })
}

#[test]
fn a_connection_has_so_many_statements_and_no_more() {
    let server = Server::with(Limits {
        statements: 2,
        ..Limits::default()
    });
    let mut client = Client::new(&server);
    assert_eq!(client.ask("init", json!({}))["stmt_id"], 1);
    assert_eq!(client.ask("stmt2_init", json!({}))["stmt_id"], 2);
    let refused = client.ask("init", json!({}));
    assert_eq!(refused["code"], 0xFFFF);
    let message = refused["message"].as_str().unwrap();
    assert!(message.contains("2 statements are open"), "{refused}");
    client.ask("stmt2_close", json!({"stmt_id": 2}));
    assert_eq!(client.ask("init", json!({}))["stmt_id"], 3);
}

#[test]
fn rows_that_are_bound_are_bounded_for_each_connection() {
    let server = small();
    let mut client = Client::new(&server);
    let sql = "insert into d.t values (?, ?)";
    let (one, other) = (client.first(sql), client.first(sql));
    let mut bind = |id: &Value, rows: i64| {
        let times: Vec<i64> = (0..rows).map(|i| T0 + i).collect();
        let columns = json!([times, vec![1; times.len()]]);
        client.ask("bind", json!({"stmt_id": id, "columns": columns}))
    };
    assert_eq!(bind(&one, 100)["code"], 0);
    // one that takes the place of another is not counted beside it
    assert_eq!(bind(&one, 100)["code"], 0);
    full(&bind(&other, 100));
    let block = views_to_raw_block(&rows(100));
    let write = encode_write_raw_block(1, 100, "d.t", &block, None).unwrap();
    full(&client.ask_frame(write.clone()));
    client.send("close", json!({"stmt_id": one}));
    assert_eq!(client.ask_frame(write)["code"], 0);
}

#[test]
fn tags_and_names_count_among_what_is_bound() {
    let server = small();
    let mut client = Client::new(&server);
    let long = "x".repeat(1500);
    let id = client.second("insert into ? using d.st tags (?) values (?, ?)");
    let columns = rows(1);
    let tags = [taos_query::common::Value::VarChar(long.clone())];
    let names: Vec<String> = (0..10).map(|n| format!("d.c{n}")).collect();
    let tables: Vec<BindTable<'_>> = names
        .iter()
        .map(|name| BindTable {
            name: Some(name),
            tags: &tags,
            columns: &columns,
        })
        .collect();
    full(&client.ask_frame(bind2(&id, &tables)));
    assert_eq!(client.ask_frame(bind2(&id, &tables[..3]))["code"], 0);
    client.ask("stmt2_close", json!({"stmt_id": id}));
    let id = client.second("insert into ? values (?, ?)");
    let name = "d.t".to_owned();
    let empty: Vec<BindTable<'_>> = (0..100)
        .map(|_| BindTable {
            name: Some(&name),
            columns: &columns,
            ..BindTable::default()
        })
        .collect();
    full(&client.ask_frame(bind2(&id, &empty)));

    let tags = views_to_raw_block(&[ColumnView::from_varchar::<&str, _, _, _>(vec![&*long])]);
    let mut held = 0;
    let refused = loop {
        let id = client.first("insert into ? using d.st tags (?) values (?, ?)");
        client.ask("set_table_name", json!({"stmt_id": id, "name": "d.c1"}));
        let reply = client.ask_frame(encode_set_tags(1, id.as_u64().unwrap(), &tags));
        if reply["code"] != 0 {
            break reply;
        }
        held += 1;
        assert!(held < 10, "tags are not counted");
    };
    full(&refused);
    assert_eq!(held, 5);
}

#[test]
fn values_that_wait_for_others_count_among_what_is_bound() {
    let server = small();
    let mut client = Client::new(&server);
    let query = "select * from d.t where v = ? and 'x' = ?";
    let text = |length| ColumnView::from_varchar::<String, _, _, _>(vec!["x".repeat(length)]);
    let id = client.second(query);
    full(&client.ask_frame(single2(&id, 1, &text(9000))));
    assert_eq!(client.ask_frame(single2(&id, 1, &text(7000)))["code"], 0);
    // in place of the one before
    assert_eq!(client.ask_frame(single2(&id, 1, &text(7500)))["code"], 0);
    let other = client.second(query);
    full(&client.ask_frame(single2(&other, 1, &text(2000))));
    client.ask("stmt2_close", json!({"stmt_id": id}));
    let values = [ColumnView::from_ints(vec![1]), text(7000)];
    let table = |columns| BindTable {
        columns,
        ..BindTable::default()
    };
    assert_eq!(
        client.ask_frame(bind2(&other, &[table(&values)]))["code"],
        0
    );
    let third = client.second(query);
    full(&client.ask_frame(bind2(&third, &[table(&values)])));
}

#[test]
fn what_was_sent_behind_a_close_finds_no_statement_and_keeps_no_memory() {
    let server = small();
    let mut client = Client::new(&server);
    let columns = rows(100);
    let table = BindTable {
        columns: &columns,
        ..BindTable::default()
    };
    let sql = "insert into d.t values (?, ?)";
    for _ in 0..20 {
        let id = client.second(sql);
        let args = json!({"stmt_id": id, "sql": sql});
        assert_eq!(client.ask_frame(bind2(&id, &[table]))["code"], 0);
        client.send("stmt2_exec", args.clone());
        client.send("stmt2_close", args.clone());
        client.send("stmt2_prepare", args.clone());
        client.send_frame(bind2(&id, &[table]));
        client.send("stmt2_close", args);
        let replies: Vec<Value> = (0..5).map(|_| client.reply()).collect();
        let told: Vec<(&Value, &Value)> = replies
            .iter()
            .map(|r| (&r["code"], &r["message"]))
            .collect();
        let (ok, no) = (
            (json!(0), json!("")),
            (json!(0xFFFF), json!("stmt2 is nil")),
        );
        let expected = [&ok, &ok, &no, &no, &ok].map(|(code, text)| (code, text));
        assert_eq!(told, expected);
    }
    for _ in 0..20 {
        let id = client.first(sql);
        let args = json!({"stmt_id": id, "sql": sql, "columns": [[T0], [1]]});
        client.ask("bind", args.clone());
        client.ask("add_batch", args.clone());
        for action in ["exec", "close", "prepare", "close"] {
            client.send(action, args.clone());
        }
        assert_eq!(client.reply()["code"], 0);
        assert_eq!(client.reply()["message"], "stmt is nil");
    }
    assert_eq!(query(&mut client.0, "select 1")["code"], 0);
}

#[test]
fn messages_beyond_what_may_be_under_way_wait() {
    let server = Server::with(Limits {
        pending: 1,
        ..Limits::default()
    });
    let mut client = Client::new(&server);
    for _ in 0..10 {
        let values: String = (0..500).map(|n| format!("({}, 1)", T0 + n)).collect();
        let sql = format!("insert into d.t values {values}");
        client.send("query", json!({"req_id": 1, "sql": sql}));
        client.send("version", json!({"req_id": 2}));
        assert_eq!(client.reply()["action"], "query");
        assert_eq!(client.reply()["action"], "version");
    }
}

/// A server whose sessions share one thread.
fn narrow() -> Server {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .max_blocking_threads(4)
        .enable_all()
        .build();
    Server::on(runtime.unwrap(), Limits::default())
}

/// Sends a message that takes long, and makes sure that another client never waits for most of that time.
fn others_are_served(server: &Server, busy: &mut Client, message: Message) -> Value {
    let mut other = server.ws();
    version(&mut other);
    busy.0.send(message).unwrap();
    busy.0.get_ref().set_nonblocking(true).unwrap();
    let mut longest = Duration::ZERO;
    let reply: Value = loop {
        let asked = Instant::now();
        version(&mut other);
        longest = longest.max(asked.elapsed());
        match busy.0.read() {
            Ok(Message::Text(text)) => break serde_json::from_str(&text).unwrap(),
            Err(WsError::Io(error)) if error.kind() == ErrorKind::WouldBlock => {}
            Ok(_) => {}
            Err(error) => panic!("{error}"),
        }
    };
    let took = Duration::from_nanos(reply["timing"].as_u64().unwrap());
    assert!(longest * 2 < took, "waited {longest:?} of {took:?}");
    reply
}

#[test]
fn a_bind_of_very_many_tables_keeps_nobody_waiting() {
    let server = narrow();
    let mut client = Client::new(&server);
    let id = client.second("insert into ? values (?, ?)");
    let columns = rows(1);
    let tables = vec![
        BindTable {
            name: Some("d.t"),
            columns: &columns,
            ..BindTable::default()
        };
        50_000
    ];
    let frame = Message::binary(bind2(&id, &tables));
    let reply = others_are_served(&server, &mut client, frame);
    assert_eq!(reply["code"], 0, "{reply}");
}

#[test]
fn a_long_text_is_read_while_others_are_served() {
    let server = narrow();
    let mut client = Client::new(&server);
    let id = client.first("insert into d.t values (?, ?)");
    let request = format!(
        "{{\"action\":\"bind\",\"args\":{{\"stmt_id\":{id},\"columns\":[[{}0]]}}}}",
        "0,".repeat(2_000_000)
    );
    let reply = others_are_served(&server, &mut client, Message::text(request));
    assert_eq!(reply["code"], 0xFFFF, "{reply}");
}
