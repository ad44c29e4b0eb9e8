//! A server that speaks QWP over WebSocket, written from questdb §12 and §13 with a codec of its own:
//! what the backend gets wrong must not come out right because both sides share the mistake.
//!
//! [`QwpMock`] accepts connections and answers requests that are no upgrades; the two directions are
//! two [`Half`]s, each with its script.

pub mod codec;
pub mod egress;
pub mod ingest;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

/// The connection behind an upgrade.
pub type Socket = WebSocketStream<TcpStream>;

/// Longest head of a request.
const MAX_HEAD: usize = 32 * 1024;

/// The head of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// `GET`, `POST` ...
    pub method: String,
    /// The target without its query.
    pub path: String,
    /// Names as they came, in their order.
    pub headers: Vec<(String, String)>,
}

impl Head {
    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.split("\r\n");
        let mut first = lines.next()?.split(' ');
        let (method, target) = (first.next()?.to_owned(), first.next()?);
        let path = target.split('?').next()?.to_owned();
        let headers = lines
            .take_while(|line| !line.is_empty())
            .map(|line| {
                let (name, value) = line.split_once(':')?;
                Some((name.to_owned(), value.trim().to_owned()))
            })
            .collect::<Option<_>>()?;
        Some(Self {
            method,
            path,
            headers,
        })
    }

    /// The value of a header, its name in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// An answer that is not an upgrade.
#[derive(Debug, Clone, Default)]
pub struct Refusal {
    /// The status.
    pub status: u16,
    /// Headers beside the length of the body.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: String,
}

impl Refusal {
    /// A refusal with nothing but a status.
    pub fn status(status: u16) -> Self {
        Self {
            status,
            ..Self::default()
        }
    }

    /// A server of another role (questdb §12.1).
    pub fn role(role: &str) -> Self {
        Self {
            status: 421,
            headers: vec![("X-QuestDB-Role", role.to_owned())],
            body: String::new(),
        }
    }
}

/// One direction of the protocol.
pub trait Half: Send + Sync + 'static {
    /// Headers for the 101, or a refusal.
    ///
    /// # Errors
    /// The answer to send instead of an upgrade.
    fn upgrade(&self, head: &Head) -> Result<Vec<(&'static str, String)>, Refusal>;

    /// Speaks until the connection ends. What fails is what the client did wrong; see
    /// [`QwpMock::complaints`].
    fn serve(self: Arc<Self>, head: Head, socket: Socket)
    -> BoxFuture<'static, anyhow::Result<()>>;
}

/// What a mock answers with.
#[derive(Clone, Default)]
pub struct Halves {
    /// `/write/v4` and `/api/v4/write`; without it they are 404, as on servers before 10.0.
    pub ingest: Option<Arc<dyn Half>>,
    /// `/read/v1`; without it that is 404.
    pub queries: Option<Arc<dyn Half>>,
}

#[derive(Default)]
struct Seen {
    heads: Vec<Head>,
    complaints: Vec<String>,
}

/// A running server. It and its connections end when it is dropped.
pub struct QwpMock {
    addr: SocketAddr,
    seen: Arc<Mutex<Seen>>,
    task: JoinHandle<()>,
}

impl QwpMock {
    /// A server on a free port of the loopback.
    ///
    /// # Errors
    /// No port.
    pub async fn start(halves: Halves) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        Self::on(listener, halves)
    }

    /// A server on a socket that listens already.
    ///
    /// # Errors
    /// The socket has no address.
    pub fn on(listener: TcpListener, halves: Halves) -> io::Result<Self> {
        let addr = listener.local_addr()?;
        let seen: Arc<Mutex<Seen>> = Arc::default();
        let task = tokio::spawn(accept(listener, halves, Arc::clone(&seen)));
        Ok(Self { addr, seen, task })
    }

    /// Where it listens.
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The heads of all requests so far.
    pub fn heads(&self) -> Vec<Head> {
        lock(&self.seen).heads.clone()
    }

    /// What clients did that the protocol does not allow.
    pub fn complaints(&self) -> Vec<String> {
        lock(&self.seen).complaints.clone()
    }

    /// Ends the server and all its connections; resolves when the port is free.
    pub async fn stop(mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }
}

impl Drop for QwpMock {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: TcpListener, halves: Halves, seen: Arc<Mutex<Seen>>) {
    // Dropping the set ends the connections with the server.
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (halves, seen) = (halves.clone(), Arc::clone(&seen));
        connections.spawn(async move {
            if let Err(error) = connection(stream, &halves, &seen).await {
                lock(&seen).complaints.push(format!("{error:#}"));
            }
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn connection(
    mut stream: TcpStream,
    halves: &Halves,
    seen: &Mutex<Seen>,
) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::new();
    loop {
        let Some(end) = head_end(&mut stream, &mut buffer).await? else {
            return Ok(());
        };
        let rest = buffer.split_off(end);
        let head = Head::parse(std::str::from_utf8(&buffer)?).ok_or_else(|| {
            anyhow::anyhow!("not a request: {:?}", String::from_utf8_lossy(&buffer))
        })?;
        buffer = rest;
        lock(seen).heads.push(head.clone());
        let half = match head.path.as_str() {
            "/write/v4" | "/api/v4/write" => halves.ingest.clone(),
            "/read/v1" => halves.queries.clone(),
            _ => None,
        };
        let answer = match half {
            None => plain(&head),
            Some(half) => match (check_upgrade(&head), half.upgrade(&head)) {
                (Err(why), _) => {
                    lock(seen).complaints.push(why.to_owned());
                    Refusal::status(400)
                }
                (_, Err(refusal)) => refusal,
                (Ok(key), Ok(headers)) => {
                    let text = switching(&derive_accept_key(key.as_bytes()), &headers);
                    stream.write_all(text.as_bytes()).await?;
                    let socket =
                        Socket::from_partially_read(stream, buffer, Role::Server, None).await;
                    return half.serve(head, socket).await;
                }
            },
        };
        stream.write_all(refusing(&answer).as_bytes()).await?;
        // A body of a request is not read, so nothing can follow on this connection.
        if answer.status >= 400 {
            return Ok(stream.shutdown().await?);
        }
    }
}

/// Reads until the blank line and gives the place behind it, `None` if nothing comes any more.
async fn head_end(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> anyhow::Result<Option<usize>> {
    loop {
        if let Some(at) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            return Ok(Some(at + 4));
        }
        anyhow::ensure!(
            buffer.len() <= MAX_HEAD,
            "a head of more than {MAX_HEAD} bytes"
        );
        if stream.read_buf(buffer).await? == 0 {
            anyhow::ensure!(buffer.is_empty(), "the connection ends inside a head");
            return Ok(None);
        }
    }
}

/// What of questdb §12.1 the request must say; gives the key.
fn check_upgrade(head: &Head) -> Result<&str, &'static str> {
    let has = |name: &str, token: &str| {
        head.header(name).is_some_and(|value| {
            value
                .split(',')
                .any(|t| t.trim().eq_ignore_ascii_case(token))
        })
    };
    if head.method != "GET" {
        return Err("an upgrade that is no GET");
    }
    if !has("Connection", "upgrade") || !has("Upgrade", "websocket") {
        return Err("a request to a WebSocket path without an upgrade");
    }
    if head.header("Host").is_none_or(str::is_empty) {
        return Err("an upgrade without a host");
    }
    if head.header("Sec-WebSocket-Version") != Some("13") {
        return Err("an upgrade to another version of WebSocket");
    }
    if head.header("X-QWP-Max-Version") != Some("1") {
        return Err("an upgrade that does not offer version 1 of QWP");
    }
    // 16 bytes in base64.
    match head.header("Sec-WebSocket-Key") {
        Some(key) if key.len() == 24 && key.ends_with("==") => Ok(key),
        _ => Err("an upgrade with an odd key"),
    }
}

fn switching(accept: &str, headers: &[(&'static str, String)]) -> String {
    let mut text = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n"
    );
    for (name, value) in headers {
        text += &format!("{name}: {value}\r\n");
    }
    text + "\r\n"
}

fn refusing(answer: &Refusal) -> String {
    let mut text = format!("HTTP/1.1 {} Mock\r\n", answer.status);
    // A 204 must not tell a length.
    if answer.status != 204 {
        text += &format!("Content-Length: {}\r\n", answer.body.len());
    }
    for (name, value) in &answer.headers {
        text += &format!("{name}: {value}\r\n");
    }
    text + "\r\n" + &answer.body
}

/// The requests that are no upgrades (questdb §5.1, §10).
fn plain(head: &Head) -> Refusal {
    match head.path.as_str() {
        "/ping" => Refusal::status(204),
        "/settings" => Refusal {
            status: 200,
            headers: vec![("Content-Type", "application/json; charset=utf-8".to_owned())],
            body: "{\"config\":{\"release.type\":\"OSS\",\"release.version\":\"10.0.0\",\
                   \"line.proto.support.versions\":[1,2,3],\"ilp.proto.transports\":[\"tcp\",\"http\"],\
                   \"cairo.max.file.name.length\":127},\"preferences.version\":0,\"preferences\":{}}"
                .to_owned(),
        },
        _ => Refusal::status(404),
    }
}
