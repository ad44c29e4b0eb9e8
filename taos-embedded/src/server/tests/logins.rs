use std::io::BufReader;

use super::*;
use crate::exec::turn;
use crate::server::SQL_THREADS;

fn ask(ws: &mut WebSocket<TcpStream>, request: &str) -> serde_json::Value {
    ws.send(Message::text(request)).unwrap();
    loop {
        if let Message::Text(text) = ws.read().unwrap() {
            return serde_json::from_str(&text).unwrap();
        }
    }
}

/// Sends a request with a wrong password; its answer comes later.
fn wrong(server: &Server, line: &str) -> TcpStream {
    use base64::Engine as _;
    let mut stream = server.connect();
    let login = base64::engine::general_purpose::STANDARD.encode("root:wrong");
    write!(
        stream,
        "{line} HTTP/1.1\r\nHost: h\r\nAuthorization: Basic {login}\r\nConnection: close\r\n\
         Content-Length: 8\r\n\r\nselect 1"
    )
    .unwrap();
    stream
}

#[test]
fn passwords_that_wait_for_their_turn_take_no_thread_from_statements() {
    let server = Server::with(Limits::default());
    let mut inside = server.ws();
    let login =
        r#"{"action":"conn","args":{"req_id":1,"user":"root","password":"taosdata","db":""}}"#;
    assert_eq!(ask(&mut inside, login)["code"], 0);
    let busy = turn();
    let mut waiting = Vec::new();
    let lines = ["POST /rest/sql", "GET /metrics", "POST /console/query"];
    for line in lines.iter().cycle().take(2 * SQL_THREADS) {
        waiting.push(wrong(&server, line));
        let query = r#"{"action":"query","args":{"req_id":2,"sql":"select 1"}}"#;
        assert_eq!(ask(&mut inside, query)["code"], 0);
    }
    let mut others = ["/ws", "/rest/tmq"].map(|path| server.ws_at(path));
    for (ws, action) in others.iter_mut().zip(["conn", "subscribe"]) {
        let request = format!(
            r#"{{"action":"{action}","args":{{"req_id":3,"user":"root","password":"wrong",
                "group_id":"g","topics":["t"]}}}}"#
        );
        ws.send(Message::text(request)).unwrap();
    }
    drop(busy);
    for stream in waiting {
        let mut answer = String::new();
        BufReader::new(stream).read_to_string(&mut answer).unwrap();
        assert!(answer.contains(r#""code":855"#), "{answer}");
    }
    for mut ws in others {
        let Message::Text(text) = ws.read().unwrap() else {
            panic!("no answer to a wrong login");
        };
        let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_ne!(answer["code"], 0, "{answer}");
    }
    assert_eq!(server.engine.computed_passwords(), 2);
}

#[test]
fn a_consumer_whose_user_was_dropped_is_told_so_at_its_next_poll() {
    let server = Server::with(Limits::default());
    let root = server.engine.session("root");
    for sql in [
        "create database d",
        "create topic t as database d",
        "create user worker pass 'Secret_1234'",
    ] {
        root.execute(sql).unwrap();
    }
    let mut consumer = server.ws_at("/rest/tmq");
    let subscribe = r#"{"action":"subscribe","args":{"req_id":1,"user":"worker",
        "password":"Secret_1234","group_id":"g","topics":["t"]}}"#;
    assert_eq!(ask(&mut consumer, subscribe)["code"], 0);
    let poll = r#"{"action":"poll","args":{"req_id":2,"blocking_time":0}}"#;
    assert_eq!(ask(&mut consumer, poll)["code"], 0);
    root.execute("alter user worker enable 0").unwrap();
    assert_eq!(ask(&mut consumer, poll)["code"], 0x0315);
    root.execute("drop user worker").unwrap();
    assert_eq!(ask(&mut consumer, poll)["code"], 0x0351);
}
