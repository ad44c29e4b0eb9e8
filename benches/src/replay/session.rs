//! One client: actions in, prepared answers out (taosadapter-ws §3–§6).

use std::collections::HashMap;
use std::io;
use std::net::TcpStream;

use serde::Deserialize;

use super::blocks::{Bulk, Shelf, one_number, one_text};
use super::sink::{self, Sink};
use super::ws::{self, Socket};

const VERSION: &str = "3.3.7.5";
const BINARY_QUERY: u64 = 6;
const FETCH_RAW_BLOCK: u64 = 7;
const BIND: u64 = 2;
const STMT2_BIND: u64 = 9;

#[derive(Deserialize)]
struct Request {
    action: String,
    #[serde(default)]
    args: Args,
}

#[derive(Default, Deserialize)]
struct Args {
    #[serde(default)]
    req_id: u64,
    #[serde(default)]
    id: u64,
    #[serde(default)]
    sql: String,
    #[serde(default)]
    stmt_id: u64,
}

/// What is left of a result.
enum Cursor {
    Bulk(Bulk, usize),
    One(Vec<u8>),
    End,
}

struct Session<'a> {
    socket: Socket,
    shelf: &'a Shelf,
    results: HashMap<u64, Cursor>,
    last_id: u64,
    sink: Sink,
}

/// Talks to one client until it goes. On `/echo` every message comes back as it is.
pub(super) fn serve(stream: TcpStream, shelf: &Shelf) -> io::Result<()> {
    let (socket, path) = Socket::accept(stream)?;
    let echo = path == "/echo";
    let mut session = Session {
        socket,
        shelf,
        results: HashMap::new(),
        last_id: 0,
        sink: Sink::default(),
    };
    let mut payload = Vec::new();
    loop {
        match session.socket.read(&mut payload)? {
            ws::CLOSE => {
                session.socket.send(ws::CLOSE, &payload, &[])?;
                return session.socket.flush();
            }
            ws::PING => session.socket.send(ws::PONG, &payload, &[])?,
            ws::PONG => {}
            opcode if echo => session.socket.send(opcode, &payload, &[])?,
            ws::TEXT => session.text(&payload)?,
            _ => session.binary(&payload)?,
        }
    }
}

impl Session<'_> {
    fn text(&mut self, payload: &[u8]) -> io::Result<()> {
        let request: Request = serde_json::from_slice(payload)?;
        let Args {
            req_id,
            id,
            sql,
            stmt_id,
        } = request.args;
        if let Some(members) = self.sink.text(&request.action, stmt_id, &sql) {
            return self.envelope(&request.action, req_id, &members);
        }
        match request.action.as_str() {
            "free_result" => {
                self.results.remove(&id);
                Ok(())
            }
            "query" => self.query("query", req_id, &sql),
            "version" | "conn" => self.envelope(
                &request.action,
                req_id,
                &format!(r#""version":"{VERSION}""#),
            ),
            "get_current_db" => self.envelope(&request.action, req_id, r#""db":"""#),
            action => self.envelope(action, req_id, r#""status":2"#),
        }
    }

    fn envelope(&mut self, action: &str, req_id: u64, more: &str) -> io::Result<()> {
        let text = format!(
            r#"{{"code":0,"message":"","action":"{action}","req_id":{req_id},"timing":1000,{more}}}"#
        );
        self.socket.send(ws::TEXT, text.as_bytes(), &[])
    }

    fn binary(&mut self, payload: &[u8]) -> io::Result<()> {
        let number = |at: usize| {
            let bytes = payload.get(at..at + 8)?;
            Some(u64::from_le_bytes(bytes.try_into().ok()?))
        };
        match (number(0), number(8), number(16)) {
            (Some(req_id), _, Some(BINARY_QUERY)) => {
                let sql = payload.get(30..).unwrap_or_default();
                let sql = String::from_utf8_lossy(sql);
                self.query("binary_query", req_id, &sql)
            }
            (Some(req_id), Some(id), Some(FETCH_RAW_BLOCK)) => self.fetch(req_id, id),
            (Some(req_id), Some(id), Some(BIND)) => {
                let members = self.sink.bind(id, payload.get(24..).unwrap_or_default());
                self.envelope("bind", req_id, &members)
            }
            (Some(req_id), Some(id), Some(STMT2_BIND)) => {
                let payload = payload.get(30..).unwrap_or_default();
                let members = self.sink.stmt2_bind(id, payload);
                self.envelope("stmt2_bind", req_id, &members)
            }
            _ => Err(io::Error::other("the replay server knows no such action")),
        }
    }

    fn query(&mut self, action: &str, req_id: u64, sql: &str) -> io::Result<()> {
        let sql = sql.trim();
        if sql.starts_with("insert") {
            let rows = sink::rows_of_text(sql);
            return self.envelope(
                action,
                req_id,
                &format!(
                    r#""id":0,"is_update":true,"affected_rows":{rows},"fields_count":0,"precision":0"#
                ),
            );
        }
        let (cursor, columns) = if sql.ends_with("from readings") {
            if sql.contains("station") {
                (Cursor::Bulk(Bulk::Full, 0), FULL)
            } else {
                (Cursor::Bulk(Bulk::Fixed, 0), FIXED)
            }
        } else if let Some(number) = sql.strip_prefix("select ").and_then(|n| n.parse().ok()) {
            (Cursor::One(one_number(number)), NUMBER)
        } else if sql.starts_with("describe") {
            (Cursor::One(sink::description()), sink::DESCRIPTION)
        } else {
            (Cursor::One(one_text(VERSION)), TEXT)
        };
        self.last_id += 1;
        self.results.insert(self.last_id, cursor);
        let id = self.last_id;
        self.envelope(
            action,
            req_id,
            &format!(r#""id":{id},"is_update":false,"affected_rows":0,"precision":0,{columns}"#),
        )
    }

    /// taosadapter-ws §6.5.
    fn fetch(&mut self, req_id: u64, id: u64) -> io::Result<()> {
        let mut head = [0_u8; 55];
        head[..8].fill(0xff);
        head[8..16].copy_from_slice(&FETCH_RAW_BLOCK.to_le_bytes());
        head[16..18].copy_from_slice(&1_u16.to_le_bytes());
        head[18..26].copy_from_slice(&1000_u64.to_le_bytes());
        head[26..34].copy_from_slice(&req_id.to_le_bytes());
        head[42..50].copy_from_slice(&id.to_le_bytes());
        let one;
        let block: Option<&[u8]> = match self.results.get_mut(&id) {
            Some(Cursor::Bulk(bulk, next)) => {
                let block = self.shelf.block(*bulk, *next);
                *next += 1;
                block
            }
            Some(cursor @ Cursor::One(_)) => match std::mem::replace(cursor, Cursor::End) {
                Cursor::One(block) => {
                    one = block;
                    Some(&one)
                }
                _ => None,
            },
            Some(Cursor::End) => None,
            None => return Err(io::Error::other("fetch of a result that is not there")),
        };
        if let Some(block) = block {
            let length = u32::try_from(block.len()).map_err(io::Error::other)?;
            head[51..].copy_from_slice(&length.to_le_bytes());
            self.socket.send(ws::BINARY, &head, block)
        } else {
            head[50] = 1;
            self.results.remove(&id);
            self.socket.send(ws::BINARY, &head[..51], &[])
        }
    }
}

const FULL: &str = r#""fields_count":6,"fields_names":["ts","temperature","humidity","wind","location","station"],"fields_types":[9,6,4,6,8,8],"fields_lengths":[8,4,4,4,24,16],"fields_precisions":[0,0,0,0,0,0],"fields_scales":[0,0,0,0,0,0]"#;
const FIXED: &str = r#""fields_count":4,"fields_names":["ts","temperature","humidity","wind"],"fields_types":[9,6,4,6],"fields_lengths":[8,4,4,4],"fields_precisions":[0,0,0,0],"fields_scales":[0,0,0,0]"#;
const NUMBER: &str = r#""fields_count":1,"fields_names":["n"],"fields_types":[5],"fields_lengths":[8],"fields_precisions":[0],"fields_scales":[0]"#;
const TEXT: &str = r#""fields_count":1,"fields_names":["version"],"fields_types":[8],"fields_lengths":[64],"fields_precisions":[0],"fields_scales":[0]"#;
