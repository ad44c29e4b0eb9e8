//! A server of which the test writes every byte.

use crate::client::Client;
use crate::config::{Address, Config};
use crate::protocol::{
    BinaryRequest, FetchOutcome, FetchReply, TextRequest, decode_binary, decode_text,
};
use crate::query::Taos;
use crate::transport::BoxSocket;
use bytes::Bytes;
use std::sync::Arc;
use taos_query::block::{BlockWriter, ColumnBuilder};
use taos_query::common::Ty;
use taos_query::{Dsn, RawResult};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// A DSN without pauses, for tests that do not wait for them.
pub(super) const DSN: &str = "ws://root:taosdata@peer:6041?conn_retries=0&read_timeout=30";

/// A host that refuses every connection.
pub(super) const REFUSED: &str = "refused";

/// Where the server's ends of new pipes come out.
pub(super) struct Accepts(mpsc::UnboundedReceiver<DuplexStream>);

impl Accepts {
    pub(super) const fn new(ends: mpsc::UnboundedReceiver<DuplexStream>) -> Self {
        Self(ends)
    }

    /// The next connection, or `None` when the client is gone.
    pub(super) async fn next(&mut self) -> Option<Peer> {
        Some(Peer {
            io: self.0.recv().await?,
        })
    }

    pub(super) async fn accept(&mut self) -> Peer {
        Peer {
            io: self.0.recv().await.expect("the client is there"),
        }
    }

    /// The next connection, logged in.
    pub(super) async fn login(&mut self) -> Peer {
        let mut peer = self.accept().await;
        peer.upgrade().await;
        peer.login("3.3.7.5").await;
        peer
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A client whose connections are pipes of this capacity.
pub(super) fn client_with(dsn: &str, capacity: usize) -> (Taos, Accepts) {
    let dsn: Dsn = dsn.parse().unwrap();
    let (ends, accepts) = mpsc::unbounded_channel();
    let pipes = move |address: &Address| {
        if address.host == REFUSED {
            return None;
        }
        let (client, server) = tokio::io::duplex(capacity);
        ends.send(server).ok()?;
        Some(Box::new(client) as BoxSocket)
    };
    let client = Client::over(Config::from_dsn(&dsn).unwrap(), Arc::new(pipes));
    (Taos::new(Arc::new(client)), Accepts(accepts))
}

pub(super) fn client(dsn: &str) -> (Taos, Accepts) {
    client_with(dsn, 1 << 16)
}

/// A client that is logged in, and its server.
pub(super) async fn connected(dsn: &str) -> (Taos, Peer, Accepts) {
    let (taos, mut accepts) = client(dsn);
    let (version, peer) = tokio::join!(taos.current_version(), accepts.login());
    version.unwrap();
    (taos, peer, accepts)
}

/// Takes the error of an operation that must fail.
pub(super) fn error_of<T>(result: RawResult<T>) -> taos_query::RawError {
    match result {
        Ok(_) => panic!("it should have failed"),
        Err(error) => error,
    }
}

/// What the client sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Got {
    Text(TextRequest),
    Binary(BinaryRequest),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close,
    /// The pipe ended.
    End,
}

pub(super) struct Peer {
    pub(super) io: DuplexStream,
}

/// An unmasked frame.
pub(super) fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80 | opcode];
    match u16::try_from(payload.len()) {
        Ok(len @ 0..=125) => frame.push(u8::try_from(len).unwrap()),
        Ok(len) => {
            frame.push(126);
            frame.extend(len.to_be_bytes());
        }
        Err(_) => {
            frame.push(127);
            frame.extend(u64::try_from(payload.len()).unwrap().to_be_bytes());
        }
    }
    frame.extend(payload);
    frame
}

/// A block of one INT column that holds these values.
pub(super) fn block(values: &[i64]) -> Bytes {
    let mut writer = BlockWriter::new(vec![ColumnBuilder::new(Ty::Int, 4, 0, 0)]);
    for value in values {
        writer.column_mut(0).unwrap().push_i64(*value).unwrap();
    }
    writer.finish().unwrap()
}

impl Peer {
    pub(super) async fn upgrade(&mut self) {
        self.upgrade_with("").await;
    }

    /// Takes the upgrade with further header lines; gives the client's.
    pub(super) async fn upgrade_with(&mut self, headers: &str) -> String {
        let head = self.head().await;
        let key = head
            .lines()
            .find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "))
            .unwrap();
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {}\r\n{headers}\r\n",
            derive_accept_key(key.as_bytes())
        );
        self.raw(answer.as_bytes()).await;
        head
    }

    /// The head of the client's HTTP request.
    pub(super) async fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.io.read_u8().await.unwrap());
        }
        String::from_utf8(head).unwrap()
    }

    /// Answers `version` and `conn`; gives the arguments of the latter.
    pub(super) async fn login(&mut self, version: &str) -> crate::protocol::ConnArgs {
        self.version(version).await;
        let Got::Text(TextRequest::Conn(args)) = self.recv().await else {
            panic!("`conn` comes second");
        };
        self.text(&format!(
            r#"{{"code":0,"message":"","action":"conn","req_id":{},"timing":1}}"#,
            args.req_id
        ))
        .await;
        *args
    }

    pub(super) async fn version(&mut self, version: &str) {
        let Got::Text(TextRequest::Version(args)) = self.recv().await else {
            panic!("`version` comes first");
        };
        self.text(&format!(
            r#"{{"code":0,"message":"","action":"version","req_id":{},"version":"{version}"}}"#,
            args.req_id
        ))
        .await;
    }

    pub(super) async fn raw(&mut self, bytes: &[u8]) {
        self.io.write_all(bytes).await.unwrap();
    }

    pub(super) async fn text(&mut self, text: &str) {
        self.raw(&frame(1, text.as_bytes())).await;
    }

    pub(super) async fn binary(&mut self, payload: &[u8]) {
        self.raw(&frame(2, payload)).await;
    }

    /// The first byte and the payload of the client's next frame, or nothing at the end.
    pub(super) async fn recv_frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let first = self.io.read_u8().await.ok()?;
        let length = self.io.read_u8().await.unwrap();
        assert_eq!(length & 0x80, 0x80, "clients mask their frames");
        let length = match length & 0x7F {
            126 => usize::from(self.io.read_u16().await.unwrap()),
            127 => usize::try_from(self.io.read_u64().await.unwrap()).unwrap(),
            short => usize::from(short),
        };
        let mut mask = [0; 4];
        self.io.read_exact(&mut mask).await.unwrap();
        let mut payload = vec![0; length];
        self.io.read_exact(&mut payload).await.unwrap();
        for (at, byte) in payload.iter_mut().enumerate() {
            *byte ^= mask[at % 4];
        }
        Some((first, payload))
    }

    /// The next frame of the client.
    pub(super) async fn recv(&mut self) -> Got {
        let Some((first, payload)) = self.recv_frame().await else {
            return Got::End;
        };
        match first & 0x0F {
            1 => Got::Text(decode_text(std::str::from_utf8(&payload).unwrap()).unwrap()),
            2 => Got::Binary(decode_binary(&payload.into()).unwrap()),
            8 => Got::Close,
            9 => Got::Ping(payload),
            10 => Got::Pong(payload),
            other => panic!("opcode {other}"),
        }
    }

    /// The next frame, which must be a statement: its request id and text.
    pub(super) async fn query(&mut self) -> (u64, String) {
        match self.recv().await {
            Got::Binary(BinaryRequest::Query { req_id, sql }) => (req_id, sql),
            Got::Text(TextRequest::Query(args)) => (args.req_id, args.sql),
            other => panic!("a statement was expected, not {other:?}"),
        }
    }

    /// The next frame, which must be a fetch: its request and result id.
    pub(super) async fn fetch(&mut self) -> (u64, u64) {
        match self.recv().await {
            Got::Binary(BinaryRequest::FetchRawBlock { req_id, result_id }) => (req_id, result_id),
            other => panic!("a fetch was expected, not {other:?}"),
        }
    }

    /// The next frame, which must give a result up: the result id.
    pub(super) async fn freed(&mut self) -> u64 {
        match self.recv().await {
            Got::Text(TextRequest::FreeResult(args)) => args.id,
            other => panic!("free_result was expected, not {other:?}"),
        }
    }

    /// Answers a statement that has no columns.
    pub(super) async fn updated(&mut self, req_id: u64, rows: u64) {
        self.text(&format!(
            r#"{{"code":0,"message":"","action":"binary_query","req_id":{req_id},"timing":1,"id":0,"is_update":true,"affected_rows":{rows},"fields_count":0,"fields_names":null,"fields_types":null,"fields_lengths":null,"precision":0}}"#
        ))
        .await;
    }

    /// Answers a statement with a result of one INT column `v`.
    pub(super) async fn result(&mut self, req_id: u64, id: u64) {
        self.text(&result_text(req_id, id)).await;
    }

    pub(super) async fn error(&mut self, req_id: u64, code: u32, message: &str) {
        self.text(&format!(
            r#"{{"code":{code},"message":"{message}","action":"binary_query","req_id":{req_id},"timing":1}}"#
        ))
        .await;
    }

    pub(super) async fn fetched(&mut self, req_id: u64, result_id: u64, outcome: FetchOutcome) {
        self.binary(&fetched(req_id, result_id, outcome)).await;
    }

    /// Serves one statement to its end with one block.
    pub(super) async fn serve(&mut self, id: u64, values: &[i64]) {
        let (req_id, _) = self.query().await;
        self.result(req_id, id).await;
        let (req_id, result_id) = self.fetch().await;
        assert_eq!(result_id, id);
        self.fetched(req_id, id, FetchOutcome::Block(block(values)))
            .await;
        let (req_id, _) = self.fetch().await;
        self.fetched(req_id, id, FetchOutcome::End).await;
    }

    /// Serves one statement whose asker leaves with the first row.
    pub(super) async fn serve_one(&mut self, id: u64, values: &[i64]) {
        let (req_id, _) = self.query().await;
        self.result(req_id, id).await;
        let (req_id, _) = self.fetch().await;
        self.fetched(req_id, id, FetchOutcome::Block(block(values)))
            .await;
        assert_eq!(self.freed().await, id);
    }
}

pub(super) fn result_text(req_id: u64, id: u64) -> String {
    format!(
        r#"{{"code":0,"message":"","action":"binary_query","req_id":{req_id},"timing":1,"id":{id},"is_update":false,"affected_rows":0,"fields_count":1,"fields_names":["v"],"fields_types":[4],"fields_lengths":[4],"precision":0,"fields_precisions":[0],"fields_scales":[0]}}"#
    )
}

pub(super) fn fetched(req_id: u64, result_id: u64, outcome: FetchOutcome) -> Bytes {
    FetchReply {
        req_id,
        result_id,
        timing: 1,
        outcome,
    }
    .encode()
    .unwrap()
}
