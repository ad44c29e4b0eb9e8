//! One WebSocket session: reads requests, hands them out, keeps the times.
//!
//! The session's task answers by itself whatever costs nothing (a block that is already there, a name, a
//! version). Statements run on the blocking pool and write their replies from there, in the order
//! in which they finish (taosadapter-ws §14).

use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::StreamExt;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Control, OpCode};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error as WsError, Message};

use super::{GRACE, Limits, MAX_STATEMENT, Shared, Stop, stopping};
use crate::engine::Session;

mod binary;
mod outbox;
mod raw_message;
mod reply;
mod request;
mod results;
mod stmt;
mod text;
mod wire;

use outbox::Outbox;
use reply::NIL;
use results::Results;
use stmt::Statements;
use wire::Wire;

/// Messages up to this length are read, and most of them served, by the session's task.
const QUICK: usize = 32 << 10;

/// Enough for a batch of small requests; a larger buffer would be cleared at each read for nothing.
const READ_BUFFER: usize = 32 << 10;

/// State of one session, shared by its task and the statements it started.
struct Conn {
    shared: Arc<Shared>,
    outbox: Outbox,
    /// Set by the login that succeeded.
    session: OnceLock<Arc<Session>>,
    /// Held while a login is under way, so that the second of two sees the first.
    login: Mutex<()>,
    results: Results,
    statements: Statements,
    in_flight: Arc<Semaphore>,
    /// Bytes of messages that may be under way.
    pending: Arc<Semaphore>,
}

/// A request's own part of its session.
struct Ticket {
    conn: Arc<Conn>,
    received: Instant,
    /// Length of the message.
    size: usize,
    /// One of the session's places, and a part of the bytes that it may have under way; given back when the
    /// reply has been sent.
    _place: (OwnedSemaphorePermit, OwnedSemaphorePermit),
}

impl Ticket {
    /// Nanoseconds since the request was read, as replies tell them.
    fn timing(&self) -> u64 {
        u64::try_from(self.received.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Runs `work`, which may block, away from the session's task.
    fn run(self, work: impl FnOnce(Self) + Send + 'static) {
        tokio::task::spawn_blocking(move || work(self));
    }
}

/// Serves a session to its end.
pub(super) async fn run(stream: TcpStream, early: Bytes, shared: Arc<Shared>) {
    let limits = shared.limits.clone();
    let (read, write) = stream.into_split();
    let write = Arc::new(write);
    let conn = Arc::new(Conn {
        outbox: Outbox::new(Arc::clone(&write)),
        session: OnceLock::new(),
        login: Mutex::new(()),
        results: Results::default(),
        statements: Statements::new(limits.bound),
        in_flight: Arc::new(Semaphore::new(limits.in_flight)),
        pending: Arc::new(Semaphore::new(limits.pending)),
        shared,
    });
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .max_message_size(Some(limits.message))
        .max_frame_size(Some(limits.message));
    let wire = Wire {
        read,
        conn: Arc::clone(&conn),
        pending: 0,
    };
    let socket =
        WebSocketStream::from_partially_read(wire, early.to_vec(), Role::Server, Some(config))
            .await;
    let end = tokio::select! {
        end = receive(socket, &conn, &limits) => end,
        error = conn.outbox.drain(write, limits.write) => End::Broken(error),
    };
    tracing::debug!(?end, "session ended");
    conn.statements.close();
    conn.results.close();
    conn.outbox.close();
}

/// Why a session ended.
#[derive(Debug)]
#[expect(dead_code, reason = "the log shows the causes")]
enum End {
    Closed,
    Silence,
    Stopped,
    Refused(WsError),
    Broken(std::io::Error),
}

async fn receive(mut socket: WebSocketStream<Wire>, conn: &Arc<Conn>, limits: &Limits) -> End {
    let mut stop = conn.shared.stop.clone();
    let mut stop = std::pin::pin!(stopping(&mut stop));
    let mut heard = Instant::now();
    let mut silence = std::pin::pin!(tokio::time::sleep(limits.silence));
    let mut ping = tokio::time::interval(limits.ping);
    ping.tick().await; // the first is immediate
    loop {
        let message = tokio::select! {
            message = socket.next() => message,
            () = silence.as_mut() => {
                let quiet = heard.elapsed();
                if quiet >= limits.silence {
                    say_goodbye(conn).await;
                    return End::Silence;
                }
                silence.as_mut().reset((Instant::now() + (limits.silence - quiet)).into());
                continue;
            }
            _ = ping.tick() => {
                tick(conn);
                continue;
            }
            how = stop.as_mut() => {
                if how == Stop::Graceful {
                    finish(conn).await;
                }
                return End::Stopped;
            }
        };
        let received = Instant::now();
        match message {
            Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => {
                let Some(ticket) = admitted(conn, received, &message).await else {
                    return End::Stopped;
                };
                request::serve(ticket, message).await;
                heard = Instant::now();
                socket.get_mut().pending = 0;
            }
            Some(Ok(Message::Pong(_))) => heard = received,
            // Answered by tungstenite; a ping does not count as a sign of life (taosadapter-ws §15).
            Some(Ok(_)) => {}
            Some(Err(WsError::ConnectionClosed | WsError::AlreadyClosed)) | None => {
                return closed(conn).await;
            }
            Some(Err(error)) => {
                match too_long(&error, limits) {
                    Some(limit) => refuse_message(conn, socket.get_mut(), limit).await,
                    None => say_goodbye(conn).await,
                }
                return End::Refused(error);
            }
        }
    }
}

/// What is due from time to time.
fn tick(conn: &Conn) {
    if conn.shared.engine.is_crowded() {
        conn.results.drop_unread(conn.shared.limits.unread);
    }
    conn.outbox
        .send(OpCode::Control(Control::Ping), &[], Bytes::new());
}

/// A ticket for one more request, once there is a place and memory for it and the client takes its
/// replies.
async fn admitted(conn: &Arc<Conn>, received: Instant, message: &Message) -> Option<Ticket> {
    let limits = &conn.shared.limits;
    let weight = request::weight(message).min(limits.pending);
    let weight = u32::try_from(weight).unwrap_or(u32::MAX);
    let admitted = async {
        if conn.outbox.is_crowded() {
            conn.outbox.relief().await;
        }
        let place = Arc::clone(&conn.in_flight).acquire_owned().await.ok()?;
        let bytes = Arc::clone(&conn.pending).acquire_many_owned(weight);
        Some((place, bytes.await.ok()?))
    };
    let mut admitted = std::pin::pin!(admitted);
    loop {
        // What waits may hang on results that are dropped only because nobody reads them.
        match tokio::time::timeout(limits.ping, admitted.as_mut()).await {
            Ok(place) => {
                return Some(Ticket {
                    conn: Arc::clone(conn),
                    received,
                    size: message.len(),
                    _place: place?,
                });
            }
            Err(_) => tick(conn),
        }
    }
}

/// Lets the closing frame that tungstenite has answered with go out.
async fn closed(conn: &Conn) -> End {
    // Without an end of its own the wait could last as long as the client likes.
    let _ = tokio::time::timeout(Duration::from_secs(1), conn.outbox.flushed()).await;
    End::Closed
}

/// Waits for running requests, within limits, and closes.
async fn finish(conn: &Conn) {
    let all = u32::try_from(conn.shared.limits.in_flight).unwrap_or(u32::MAX);
    let idle = conn.in_flight.acquire_many(all);
    if tokio::time::timeout(GRACE, idle).await.is_err() {
        tracing::warn!("a session was closed while its statements still ran");
    }
    say_goodbye(conn).await;
}

/// The limit, if it is what a message broke.
fn too_long(error: &WsError, limits: &Limits) -> Option<usize> {
    match error {
        WsError::Capacity(_) => Some(limits.message),
        WsError::Io(error) if error.kind() == wire::BEYOND => Some(limits.greeting),
        _ => None,
    }
}

/// Closes with a reason, then reads away what the client still sends: a connection closed over unread
/// bytes is reset, and the reason lost.
async fn refuse_message(conn: &Conn, wire: &mut Wire, limit: usize) {
    const QUIET: Duration = Duration::from_secs(1);
    let reason =
        format!("message longer than {limit} bytes; a statement has at most {MAX_STATEMENT}");
    conn.outbox.send(
        OpCode::Control(Control::Close),
        &u16::from(CloseCode::Size).to_be_bytes(),
        reason.into(),
    );
    let mut scrap = vec![0; READ_BUFFER];
    let discard = async {
        while let Ok(Ok(1..)) = tokio::time::timeout(QUIET, wire.read.read(&mut scrap)).await {}
    };
    let _ = tokio::time::timeout(GRACE, discard).await;
}

/// Sends a closing frame without a reason, as the original does (taosadapter-ws §4).
async fn say_goodbye(conn: &Conn) {
    conn.outbox
        .send(OpCode::Control(Control::Close), &[], Bytes::new());
    let _ = tokio::time::timeout(Duration::from_secs(1), conn.outbox.flushed()).await;
}
