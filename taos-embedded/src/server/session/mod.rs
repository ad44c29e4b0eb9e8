//! One WebSocket session of any kind: reads messages, hands them out, keeps the times.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::StreamExt;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Sleep;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Control, OpCode};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error as WsError, Message};

use super::{GRACE, Limits, MAX_STATEMENT, Shared, Stop, stopping};
use crate::metrics;

mod outbox;
mod reply;
mod wire;

use outbox::Outbox;
use wire::Wire;

/// Enough for a batch of small requests; a larger buffer would be cleared at each read for nothing.
const READ_BUFFER: usize = 32 << 10;

/// What is particular to the sessions of one path.
pub(super) trait Kind: Sized + Send + Sync + 'static {
    /// The path, as it is counted.
    const PATH: metrics::Path;

    /// The state of a session that begins.
    fn new(shared: &Arc<Shared>) -> Self;

    /// Whether messages may be as long as those of a client that has logged in.
    fn has_login(&self) -> bool;

    /// What a message counts for among those that are under way.
    fn weight(message: &Message) -> usize;

    /// Answers a message, or starts what will. The next is not read before this is done.
    fn serve(ticket: Ticket<Self>, message: Message) -> impl Future<Output = ()> + Send;

    /// When the first [`tick`](Self::tick) is due.
    fn first_tick(limits: &Limits) -> Instant;

    /// Does what is due from time to time, a ping at least; tells when the next is due.
    fn tick(line: &Arc<Line<Self>>) -> Instant;

    /// The server stops: what waits for something to happen is to end.
    fn stopping(_line: &Line<Self>) {}

    /// The session has ended.
    fn ended(line: &Line<Self>);
}

/// State of one session, shared by its task and the requests it started.
pub(super) struct Line<S> {
    pub(super) shared: Arc<Shared>,
    pub(super) state: S,
    outbox: Outbox,
    /// When the client last gave a sign of life.
    heard: Mutex<Instant>,
    in_flight: Arc<Semaphore>,
    /// Bytes of messages that may be under way.
    pending: Arc<Semaphore>,
}

impl<S> Line<S> {
    /// When the client last sent a data frame or a pong.
    fn heard(&self) -> Instant {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When the client last showed that it lives: as a sender, or by taking what had waited for it.
    pub(super) fn alive(&self) -> Instant {
        let heard = self.heard();
        self.outbox
            .last_taken()
            .map_or(heard, |taken| taken.max(heard))
    }

    fn hear(&self, at: Instant) {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = at;
    }

    /// Asks for a sign of life.
    pub(super) fn ping(&self) {
        self.outbox
            .send(OpCode::Control(Control::Ping), &[], Bytes::new());
    }
}

/// A request's own part of its session.
pub(super) struct Ticket<S> {
    pub(super) conn: Arc<Line<S>>,
    received: Instant,
    /// Length of the message.
    pub(super) size: usize,
    /// One of the session's places, and a part of the bytes that it may have under way; given back when the
    /// reply has been sent.
    _place: (OwnedSemaphorePermit, OwnedSemaphorePermit),
}

impl<S: Kind> Ticket<S> {
    /// Nanoseconds since the request was read, as replies tell them.
    pub(super) fn timing(&self) -> u64 {
        u64::try_from(self.received.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Runs `work`, which may block, away from the session's task.
    pub(super) fn run(self, work: impl FnOnce(Self) + Send + 'static) {
        tokio::task::spawn_blocking(move || work(self));
    }
}

/// Serves a session to its end.
pub(super) async fn run<S: Kind>(stream: TcpStream, early: Bytes, shared: Arc<Shared>) {
    let _counted = shared.engine.metrics().session(S::PATH);
    let limits = shared.limits.clone();
    let (read, write) = stream.into_split();
    let write = Arc::new(write);
    let conn = Arc::new(Line {
        outbox: Outbox::new(Arc::clone(&write)),
        state: S::new(&shared),
        heard: Mutex::new(Instant::now()),
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
    S::ended(&conn);
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

async fn receive<S: Kind>(
    mut socket: WebSocketStream<Wire<S>>,
    conn: &Arc<Line<S>>,
    limits: &Limits,
) -> End {
    let mut stop = conn.shared.stop.clone();
    let mut stop = std::pin::pin!(stopping(&mut stop));
    let mut silence = std::pin::pin!(tokio::time::sleep(limits.silence));
    let mut due = std::pin::pin!(tokio::time::sleep_until(S::first_tick(limits).into()));
    loop {
        let message = tokio::select! {
            message = socket.next() => message,
            () = silence.as_mut() => {
                let quiet = conn.heard().elapsed();
                if quiet >= limits.silence {
                    say_goodbye(conn).await;
                    return End::Silence;
                }
                silence.as_mut().reset((Instant::now() + (limits.silence - quiet)).into());
                continue;
            }
            () = due.as_mut() => {
                due.as_mut().reset(S::tick(conn).into());
                continue;
            }
            how = stop.as_mut() => {
                if how == Stop::Graceful {
                    S::stopping(conn);
                    finish(conn).await;
                }
                return End::Stopped;
            }
        };
        let received = Instant::now();
        match message {
            Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => {
                let Some(ticket) = admitted(conn, received, &message, due.as_mut()).await else {
                    return End::Stopped;
                };
                S::serve(ticket, message).await;
                conn.hear(Instant::now());
                socket.get_mut().pending = 0;
            }
            Some(Ok(Message::Pong(_))) => conn.hear(received),
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

/// A ticket for one more request, once there is a place and memory for it and the client takes its
/// replies.
async fn admitted<S: Kind>(
    conn: &Arc<Line<S>>,
    received: Instant,
    message: &Message,
    mut due: Pin<&mut Sleep>,
) -> Option<Ticket<S>> {
    let limits = &conn.shared.limits;
    let weight = S::weight(message).min(limits.pending);
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
        tokio::select! {
            place = admitted.as_mut() => {
                return Some(Ticket {
                    conn: Arc::clone(conn),
                    received,
                    size: message.len(),
                    _place: place?,
                });
            }
            () = due.as_mut() => due.as_mut().reset(S::tick(conn).into()),
        }
    }
}

/// Lets the closing frame that tungstenite has answered with go out.
async fn closed<S>(conn: &Line<S>) -> End {
    // Without an end of its own the wait could last as long as the client likes.
    let _ = tokio::time::timeout(Duration::from_secs(1), conn.outbox.flushed()).await;
    End::Closed
}

/// Waits for running requests, within limits, and closes.
async fn finish<S>(conn: &Line<S>) {
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
async fn refuse_message<S>(conn: &Line<S>, wire: &mut Wire<S>, limit: usize) {
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
async fn say_goodbye<S>(conn: &Line<S>) {
    conn.outbox
        .send(OpCode::Control(Control::Close), &[], Bytes::new());
    let _ = tokio::time::timeout(Duration::from_secs(1), conn.outbox.flushed()).await;
}
