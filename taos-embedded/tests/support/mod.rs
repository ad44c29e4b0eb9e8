//! Thin clients for the tests: frames and bytes, no SDK.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test file uses its own part"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use base64::Engine as _;
use bytes::{Bytes, BytesMut};
use serde_json::{Value, json};
use taos_embedded::Embedded;
use taos_ws::protocol::{
    BindTable, FetchOutcome, FetchReply, Reply, classify_binary, classify_text,
    encode_fetch_raw_block, encode_query, encode_stmt2_bind,
};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Message, WebSocket, client};

/// Longer than anything here takes, so that a hang is a failure and not a wait.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server in this process.
pub fn memory() -> Embedded {
    Embedded::builder().memory().start_blocking().unwrap()
}

pub fn connect(addr: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(addr).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// A WebSocket, to `/ws` unless told otherwise.
pub struct Ws {
    pub socket: WebSocket<TcpStream>,
    next_id: u64,
}

impl Ws {
    /// Opened, but not logged in.
    pub fn open(addr: SocketAddr) -> Self {
        Self::open_at(addr, "/ws")
    }

    /// Opened on this path.
    pub fn open_at(addr: SocketAddr, path: &str) -> Self {
        let request = format!("ws://{addr}{path}").into_client_request().unwrap();
        let (socket, _) = client(request, connect(addr)).unwrap();
        Self { socket, next_id: 0 }
    }

    /// Logged in as root.
    pub fn login(addr: SocketAddr) -> Self {
        let mut ws = Self::open(addr);
        let reply = ws.ask("conn", json!({"user": "root", "password": "taosdata"}));
        assert_eq!(reply["code"], 0, "{reply}");
        ws
    }

    pub fn next_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    pub fn send_text(&mut self, text: impl Into<String>) {
        self.socket.send(Message::text(text.into())).unwrap();
    }

    pub fn send_binary(&mut self, frame: impl Into<Bytes>) {
        self.socket.send(Message::binary(frame.into())).unwrap();
    }

    /// The next data message.
    pub fn receive(&mut self) -> Message {
        loop {
            match self.socket.read().unwrap() {
                message @ (Message::Text(_) | Message::Binary(_)) => return message,
                Message::Close(_) => panic!("closed by the server"),
                _ => {}
            }
        }
    }

    pub fn receive_json(&mut self) -> Value {
        match self.receive() {
            Message::Text(text) => serde_json::from_str(&text).unwrap(),
            other => panic!("text expected, got {other:?}"),
        }
    }

    pub fn receive_reply(&mut self) -> Reply {
        match self.receive() {
            Message::Text(text) => classify_text(&text),
            Message::Binary(frame) => classify_binary(&frame),
            other => panic!("a reply expected, got {other:?}"),
        }
    }

    /// One text request and its reply.
    pub fn ask(&mut self, action: &str, mut args: Value) -> Value {
        let req_id = self.next_id();
        args["req_id"] = req_id.into();
        self.send_text(json!({"action": action, "args": args}).to_string());
        let reply = self.receive_json();
        assert_eq!(reply["req_id"], req_id, "{reply}");
        assert_eq!(reply["action"], action, "{reply}");
        reply
    }

    /// One statement and its reply.
    pub fn sql(&mut self, sql: &str) -> Value {
        let req_id = self.next_id();
        self.send_binary(encode_query(req_id, sql).unwrap());
        let reply = self.receive_json();
        assert_eq!(reply["req_id"], req_id, "{reply}");
        reply
    }

    /// One statement that must succeed.
    pub fn run(&mut self, sql: &str) -> Value {
        let reply = self.sql(sql);
        assert_eq!(reply["code"], 0, "{sql}: {reply}");
        reply
    }

    /// A prepared INSERT of the second generation.
    pub fn stmt2(&mut self, sql: &str) -> u64 {
        let made = self.ask("stmt2_init", json!({}));
        let id = made["stmt_id"].as_u64().unwrap();
        let prepared = self.ask("stmt2_prepare", json!({"stmt_id": id, "sql": sql}));
        assert_eq!(prepared["code"], 0, "{prepared}");
        id
    }

    /// Binds rows and runs the statement; gives how many were written.
    pub fn execute(&mut self, id: u64, tables: &[BindTable<'_>]) -> u64 {
        let mut frame = BytesMut::new();
        let req_id = self.next_id();
        encode_stmt2_bind(&mut frame, req_id, id, tables, &[], &[]).unwrap();
        self.send_binary(frame);
        let bound = self.receive_json();
        assert_eq!(bound["code"], 0, "{bound}");
        let done = self.ask("stmt2_exec", json!({"stmt_id": id}));
        assert_eq!(done["code"], 0, "{done}");
        done["affected"].as_u64().unwrap()
    }

    /// Rows of a query that is read to its end, and their bytes.
    pub fn read_all(&mut self, sql: &str) -> (usize, usize) {
        let reply = self.run(sql);
        let id = reply["id"].as_u64().unwrap();
        let (mut rows, mut bytes) = (0, 0);
        loop {
            match self.fetch(id) {
                Reply::Fetch(FetchReply {
                    outcome: FetchOutcome::Block(block),
                    ..
                }) => {
                    // rows stand behind version and length (raw-block §3)
                    let count = <[u8; 4]>::try_from(&block[8..12]).unwrap();
                    rows += usize::try_from(u32::from_le_bytes(count)).unwrap();
                    bytes += block.len();
                }
                Reply::Fetch(FetchReply {
                    outcome: FetchOutcome::End,
                    ..
                }) => return (rows, bytes),
                other => panic!("{sql}: {other:?}"),
            }
        }
    }

    /// One fetch and its reply.
    pub fn fetch(&mut self, result_id: u64) -> Reply {
        let req_id = self.next_id();
        self.send_binary(encode_fetch_raw_block(req_id, result_id));
        self.receive_reply()
    }
}

/// Status and body of an HTTP reply.
pub type Http = (u16, String);

/// One request on a connection of its own; `head` is its lines without the end.
pub fn http(addr: SocketAddr, head: &str, body: &[u8]) -> Http {
    let mut stream = connect(addr);
    write!(
        stream,
        "{head}\r\nHost: test\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    )
    .unwrap();
    stream.write_all(body).unwrap();
    read_http(stream)
}

pub fn read_http(stream: impl Read) -> Http {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let status = line.split(' ').nth(1).unwrap().parse().unwrap();
    let mut chunked = false;
    loop {
        line.clear();
        reader.read_line(&mut line).unwrap();
        if line.trim().is_empty() {
            break;
        }
        chunked |= line
            .to_ascii_lowercase()
            .starts_with("transfer-encoding: chunked");
    }
    let mut body = Vec::new();
    if chunked {
        loop {
            line.clear();
            reader.read_line(&mut line).unwrap();
            let length = usize::from_str_radix(line.trim(), 16).unwrap();
            let mut chunk = vec![0; length + 2];
            reader.read_exact(&mut chunk).unwrap();
            if length == 0 {
                break;
            }
            body.extend_from_slice(&chunk[..length]);
        }
    } else {
        reader.read_to_end(&mut body).unwrap();
    }
    (status, String::from_utf8(body).unwrap())
}

pub fn basic(user: &str, password: &str) -> String {
    let pair = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
    format!("Authorization: Basic {pair}")
}

/// `POST /rest/sql…` as root.
pub fn rest(addr: SocketAddr, path: &str, sql: &str) -> Http {
    let head = format!("POST {path} HTTP/1.1\r\n{}", basic("root", "taosdata"));
    http(addr, &head, sql.as_bytes())
}

/// The program as a child process.
pub struct Program {
    pub child: Child,
    pub addr: SocketAddr,
    pub out: BufReader<ChildStdout>,
}

impl Program {
    /// Starts it and waits for its line.
    pub fn start(args: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_taos-embedded"))
            .args(["--listen", "127.0.0.1:0"])
            .args(args)
            .env("RUST_LOG", "warn")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let addr = line
            .strip_prefix("listening on ")
            .unwrap_or_else(|| panic!("unexpected first line {line:?}"))
            .trim()
            .parse()
            .unwrap();
        Self { child, addr, out }
    }

    /// Sends it a signal, such as `-TERM`.
    pub fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status().unwrap();
        assert!(sent.success());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already, which is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
