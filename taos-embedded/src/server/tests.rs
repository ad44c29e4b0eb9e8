//! Times and limits, made small enough to be met.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Message, WebSocket, client};

use super::{Emulated, Limits, Pages, Shared, Stop, run, runtime};
use crate::engine::{Engine, Storage};

mod bound;
mod consumers;
mod gone;
mod logins;

/// A server with its own limits; the runtime stops it when dropped.
struct Server {
    addr: SocketAddr,
    engine: Engine,
    _stop: watch::Sender<Stop>,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Server {
    fn with(limits: Limits) -> Self {
        Self::on(runtime().unwrap(), limits)
    }

    fn on(runtime: tokio::runtime::Runtime, limits: Limits) -> Self {
        let (stop, stopped) = watch::channel(Stop::Run);
        let engine = Engine::open(Storage::Memory).unwrap();
        let pages = Pages {
            console: true,
            open_metrics: false,
        };
        let shared = Shared::new(engine.clone(), Emulated::default(), limits, pages, stopped);
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let addr = listener.local_addr().unwrap();
        runtime.spawn(run(listener, Arc::clone(&shared)));
        Self {
            addr,
            engine,
            _stop: stop,
            runtime: Some(runtime),
        }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.addr).unwrap();
        stream.set_nodelay(true).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        stream
            .set_write_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        stream
    }

    fn ws(&self) -> WebSocket<TcpStream> {
        self.ws_at("/ws")
    }

    fn ws_at(&self, path: &str) -> WebSocket<TcpStream> {
        let request = format!("ws://{}{path}", self.addr)
            .into_client_request()
            .unwrap();
        client(request, self.connect()).unwrap().0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn version(ws: &mut WebSocket<TcpStream>) {
    ws.send(Message::text(r#"{"action":"version"}"#)).unwrap();
    loop {
        if let Message::Text(text) = ws.read().unwrap() {
            assert!(text.contains("version"), "{text}");
            return;
        }
    }
}

#[test]
fn a_silent_client_is_cut_and_its_own_pings_do_not_save_it() {
    let limits = Limits {
        silence: Duration::from_millis(300),
        ping: Duration::from_secs(60),
        ..Limits::default()
    };
    let server = Server::with(limits);
    let started = Instant::now();
    let mut ws = server.ws();
    let end = loop {
        let pinged = ws.send(Message::Ping("x".into()));
        match ws.read() {
            Ok(Message::Pong(_)) if pinged.is_ok() => {}
            Ok(Message::Close(reason)) => break reason,
            other => panic!("a closing frame expected, got {other:?}"),
        }
    };
    assert_eq!(end, None, "the original gives no reason");
    assert!(started.elapsed() >= Duration::from_millis(300));
}

#[test]
fn a_client_that_only_answers_pings_stays_connected() {
    let limits = Limits {
        silence: Duration::from_millis(1500),
        ping: Duration::from_millis(250),
        ..Limits::default()
    };
    let server = Server::with(limits);
    let started = Instant::now();
    let mut ws = server.ws();
    while started.elapsed() < Duration::from_secs(4) {
        assert!(matches!(ws.read().unwrap(), Message::Ping(_)));
        ws.flush().unwrap();
    }
    version(&mut ws);
}

#[test]
fn a_client_that_takes_no_replies_is_not_read_any_more_and_then_cut() {
    let limits = Limits {
        write: Duration::from_millis(500),
        ..Limits::default()
    };
    let server = Server::with(limits);
    let mut ws = server.ws();
    let request = Message::text(r#"{"action":"version"}"#);
    let cut = loop {
        if let Err(error) = ws.send(request.clone()) {
            break error;
        }
    };
    assert!(
        !format!("{cut:?}").contains("WouldBlock"),
        "the server neither reads nor cuts"
    );
    version(&mut server.ws());
}

/// Sends a statement over HTTP; its answer is left unread.
fn ask(server: &Server, sql: &str) -> TcpStream {
    let mut stream = server.connect();
    let head = format!(
        "POST /rest/sql HTTP/1.1\r\nHost: x\r\nAuthorization: Basic cm9vdDp0YW9zZGF0YQ==\r\n\
         Connection: close\r\nContent-Length: {}\r\n\r\n{sql}",
        sql.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream
}

#[test]
fn a_client_that_takes_nothing_of_a_long_http_result_is_cut() {
    let limits = Limits {
        connections: 1,
        write: Duration::from_millis(500),
        ..Limits::default()
    };
    let server = Server::with(limits);
    let done = |sql: &str| {
        let mut answer = String::new();
        ask(&server, sql).read_to_string(&mut answer).unwrap();
        assert!(answer.contains("\"code\":0"), "{answer}");
    };
    done("create database db keep 36500");
    done("create table db.t (ts timestamp, s varchar(16000))");
    // Far more in all than the buffers of both sockets hold.
    for batch in 0..16 {
        let rows: String = (0..50)
            .map(|n| format!("({}, '{}')", batch * 50 + n, "x".repeat(16_000)))
            .collect();
        done(&format!("insert into db.t values {rows}"));
    }
    let mut unread = ask(&server, "select s from db.t");
    let mut beginning = [0; 1024];
    unread.read_exact(&mut beginning).unwrap();
    assert!(beginning.ends_with(b"xxx"), "{beginning:?}");
    // There is one place only, so this waits until the other connection is gone.
    version(&mut server.ws());
    drop(unread);
}

#[test]
fn connections_beyond_the_limit_wait_for_a_place() {
    let limits = Limits {
        connections: 2,
        ..Limits::default()
    };
    let server = Server::with(limits);
    let (mut first, mut second) = (server.ws(), server.ws());
    version(&mut first);
    version(&mut second);
    let mut third = server.connect();
    third
        .set_read_timeout(Some(Duration::from_millis(200)))
        .unwrap();
    third
        .write_all(b"GET /-/ping HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    let mut byte = [0];
    let waiting = third.read(&mut byte).unwrap_err().kind();
    assert!(matches!(
        waiting,
        ErrorKind::WouldBlock | ErrorKind::TimedOut
    ));
    drop(first);
    third
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    assert_eq!(third.read(&mut byte).unwrap(), 1);
}

#[test]
fn a_message_beyond_the_limit_ends_its_session() {
    let limits = Limits {
        message: 1 << 20,
        ..Limits::default()
    };
    let server = Server::with(limits);
    let mut ws = server.ws();
    ws.send(Message::binary(vec![0; 8 << 20])).unwrap();
    let reason = close_reason(&mut ws);
    assert!(
        reason.starts_with("message longer than 1048576 bytes"),
        "{reason}"
    );
    version(&mut server.ws());
}

/// The reason of a close for a message that is too long.
fn close_reason(ws: &mut WebSocket<TcpStream>) -> String {
    match ws.read() {
        Ok(Message::Close(Some(frame))) => {
            assert_eq!(u16::from(frame.code), 1009);
            frame.reason.to_string()
        }
        other => panic!("a closing frame expected, got {other:?}"),
    }
}

fn log_in(ws: &mut WebSocket<TcpStream>) {
    let login = r#"{"action":"conn","args":{"req_id":1,"user":"root","password":"taosdata"}}"#;
    assert_eq!(answer(ws, login)["code"], 0);
}

fn answer(ws: &mut WebSocket<TcpStream>, request: &str) -> serde_json::Value {
    ws.send(Message::text(request)).unwrap();
    loop {
        if let Message::Text(text) = ws.read().unwrap() {
            return serde_json::from_str(&text).unwrap();
        }
    }
}

#[test]
fn a_long_message_needs_a_login() {
    let server = Server::with(Limits::default());
    let mut ws = server.ws();
    // Small ones do not add up.
    for _ in 0..40 {
        let filler = format!(
            "{{\"action\":\"version\",\"x\":\"{}\"}}",
            "x".repeat(100_000)
        );
        assert_eq!(answer(&mut ws, &filler)["action"], "version");
    }
    ws.send(Message::binary(vec![0; 8 << 20])).unwrap();
    let reason = close_reason(&mut ws);
    assert!(
        reason.starts_with("message longer than 2097152 bytes"),
        "{reason}"
    );
    let mut ws = server.ws();
    log_in(&mut ws);
    ws.send(Message::binary(vec![0; 8 << 20])).unwrap();
    assert!(matches!(ws.read(), Ok(Message::Text(_))));
}

fn query(ws: &mut WebSocket<TcpStream>, sql: &str) -> serde_json::Value {
    let args = serde_json::json!({"req_id": 1, "sql": sql});
    answer(
        ws,
        &serde_json::json!({"action": "query", "args": args}).to_string(),
    )
}

#[test]
fn a_session_has_so_many_open_results_and_no_more() {
    let limits = Limits {
        results: 3,
        ..Limits::default()
    };
    let server = Server::with(limits);
    let mut ws = server.ws();
    log_in(&mut ws);
    for _ in 0..3 {
        assert_eq!(query(&mut ws, "select 1")["code"], 0);
    }
    let full = query(&mut ws, "select 1");
    assert_eq!(full["code"], 0xffff);
    let message = full["message"].as_str().unwrap();
    assert!(message.starts_with("3 results are open"), "{message}");
    assert_eq!(query(&mut ws, "create database d")["code"], 0);
    ws.send(Message::text(
        r#"{"action":"free_result","args":{"req_id":2,"id":1}}"#,
    ))
    .unwrap();
    assert_eq!(query(&mut ws, "select 1")["code"], 0);
}

#[test]
fn results_left_unread_give_their_readers_to_waiting_statements() {
    let limits = Limits {
        unread: Duration::from_millis(100),
        ping: Duration::from_millis(100),
        ..Limits::default()
    };
    let server = Server::with(limits);
    let mut lazy = server.ws();
    log_in(&mut lazy);
    query(&mut lazy, "create database d keep 36500");
    query(&mut lazy, "create table d.t (ts timestamp, v bool)");
    for part in 0..5 {
        let rows: String = (0..5000)
            .map(|n| format!("({}, true)", part * 5000 + n))
            .collect();
        let inserted = query(&mut lazy, &format!("insert into d.t values {rows}"));
        assert_eq!(inserted["affected_rows"], 5000);
    }
    // More than there are readers, so the last of them are answered only if some are dropped.
    for n in 0..300 {
        let opened = query(&mut lazy, "select ts, v from d.t");
        assert_eq!(opened["code"], 0, "{n}: {opened}");
    }
    let fetch = r#"{"action":"fetch","args":{"req_id":1,"id":1}}"#;
    let dropped = answer(&mut lazy, fetch);
    assert_eq!(dropped["code"], 0xffff, "{dropped}");
    let message = dropped["message"].as_str().unwrap();
    assert!(message.starts_with("the result was dropped"), "{message}");
    assert_eq!(answer(&mut lazy, fetch)["message"], "result is nil");
}

#[test]
fn a_head_that_never_ends_is_refused() {
    let server = Server::with(Limits::default());
    let mut stream = server.connect();
    let line = format!("X-Long: {}\r\n", "x".repeat(1000));
    stream.write_all(b"GET /-/ping HTTP/1.1\r\n").unwrap();
    let mut sent = 0;
    while stream.write_all(line.as_bytes()).is_ok() {
        sent += line.len();
        assert!(sent < 16 << 20, "the server reads on and on");
    }
}
