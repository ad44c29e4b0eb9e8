//! The network side: HTTP with the WebSocket upgrade, sessions, REST.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::engine::{Engine, SqlError};
use crate::sql::MAX_STATEMENT;

mod console;
mod emulate;
mod http;
mod login;
mod metrics;
mod paced;
mod rest;
mod session;
mod tmq;
mod ws;

#[cfg(test)]
mod tests;

pub(crate) use emulate::Emulated;

/// How long a graceful stop waits for running requests and for clients to take their replies.
const GRACE: Duration = Duration::from_secs(5);

/// How long statements whose clients have gone may go on after that.
pub(crate) const STRAGGLERS: Duration = Duration::from_secs(1);

/// Statements that run at the same time, whatever the number of connections. Most wait for the
/// writer thread's next commit, and the more wait together, the more one commit serves.
const SQL_THREADS: usize = 64;

/// What the server asks of its clients.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    /// Open connections; further ones wait in the listen queue.
    pub(crate) connections: usize,
    /// Requests of one connection that are under way; further ones are not read.
    pub(crate) in_flight: usize,
    /// Bytes of one session's messages that are under way, at least one of them; texts count eightfold.
    /// Further ones wait.
    pub(crate) pending: usize,
    /// Longest WebSocket message, in bytes.
    pub(crate) message: usize,
    /// Most that a WebSocket session may send for one message before its login, in bytes.
    pub(crate) greeting: usize,
    /// Results that a WebSocket session may have open.
    pub(crate) results: usize,
    /// Statements that a WebSocket session may have open.
    pub(crate) statements: usize,
    /// Memory that the rows bound to a session's statements may take until they are executed, in bytes.
    pub(crate) bound: usize,
    /// Time for which a result may be left unread while statements wait for a reader.
    pub(crate) unread: Duration,
    /// Longest HTTP header section, in bytes.
    pub(crate) head: usize,
    /// Longest HTTP body, in bytes.
    pub(crate) body: usize,
    /// Silence after which a session is cut; a data frame or a pong ends the silence.
    pub(crate) silence: Duration,
    /// Time between two pings of the server.
    pub(crate) ping: Duration,
    /// Time in which a client must take at least some bytes of what waits for it.
    pub(crate) write: Duration,
}

impl Default for Limits {
    /// The times are those of the original (taosadapter-ws §15).
    fn default() -> Self {
        Self {
            connections: 4096,
            in_flight: 256,
            pending: 128 << 20,
            message: 64 << 20,
            greeting: 2 << 20,
            results: 1024,
            statements: 1024,
            bound: 256 << 20,
            unread: Duration::from_secs(300),
            head: 64 << 10,
            body: 8 << 20,
            silence: Duration::from_secs(114),
            ping: Duration::from_secs(54),
            write: Duration::from_secs(60),
        }
    }
}

/// Whether and how to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Go on.
    Run,
    /// Finish what runs, then say goodbye.
    Graceful,
    /// Cut every connection.
    Now,
}

/// What is served beside the protocols.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pages {
    /// Whether there is a console.
    pub(crate) console: bool,
    /// Whether `/metrics` asks for no login, since nobody but this machine can reach it.
    pub(crate) open_metrics: bool,
}

/// What every connection has in common.
pub(crate) struct Shared {
    engine: Engine,
    /// The release that clients see.
    emulated: Emulated,
    limits: Limits,
    pages: Pages,
    stop: watch::Receiver<Stop>,
    connections: Arc<Semaphore>,
    /// The place of the password that is being computed.
    logins: Arc<Semaphore>,
    /// Places for long messages that are being read.
    decoders: Arc<Semaphore>,
}

impl Shared {
    pub(crate) fn new(
        engine: Engine,
        emulated: Emulated,
        limits: Limits,
        pages: Pages,
        stop: watch::Receiver<Stop>,
    ) -> Arc<Self> {
        Arc::new(Self {
            connections: Arc::new(Semaphore::new(limits.connections)),
            logins: Arc::new(Semaphore::new(1)),
            decoders: Arc::new(Semaphore::new(cores())),
            engine,
            emulated,
            limits,
            pages,
            stop,
        })
    }
}

/// Waits until the server shall stop; at once if it shall already.
async fn stopping(stop: &mut watch::Receiver<Stop>) -> Stop {
    match stop.wait_for(|stop| *stop != Stop::Run).await {
        Ok(stop) => *stop,
        // The handle is gone without a word.
        Err(_) => Stop::Now,
    }
}

/// The runtime that a server lives on.
pub(crate) fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(cores().min(4))
        .max_blocking_threads(SQL_THREADS)
        .thread_name("taos-embedded")
        .enable_all()
        .build()
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Accepts connections until told to stop, then waits for the present ones to end.
pub(crate) async fn run(listener: TcpListener, shared: Arc<Shared>) {
    let mut stop = shared.stop.clone();
    loop {
        tokio::select! {
            biased;
            _ = stopping(&mut stop) => break,
            (stream, permit) = accept(&listener, &shared.connections) => {
                shared.engine.metrics().accepted.add(1);
                tokio::spawn(http::serve(stream, Arc::clone(&shared), permit));
            }
        }
    }
    drop(listener);
    // Every permit back means every connection closed.
    let all = u32::try_from(shared.limits.connections).unwrap_or(u32::MAX);
    let closed = shared.connections.acquire_many(all);
    tokio::select! {
        _ = tokio::time::timeout(GRACE + STRAGGLERS, closed) => {}
        _ = stop.wait_for(|stop| *stop == Stop::Now) => {}
    }
}

async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> (TcpStream, OwnedSemaphorePermit) {
    loop {
        let Ok(permit) = Arc::clone(slots).acquire_owned().await else {
            return std::future::pending().await;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "a connection was gone before it was served");
                    continue;
                }
                return (stream, permit);
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection; trying again");
                // Out of file descriptors, mostly: retrying at once would only burn a core.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

fn statement_too_long() -> SqlError {
    SqlError {
        code: 0x0219,
        message: "SQL statement too long".to_owned(),
    }
}

/// Runs engine code; a panic there fails the one request and not its session.
fn guarded<T>(work: impl FnOnce() -> Result<T, SqlError>) -> Result<T, SqlError> {
    // What the panic left half done belongs to the engine, whose transactions roll back.
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or_else(|_| {
        Err(SqlError {
            code: 0xffff,
            message: "internal error: the statement failed inside the server; see its log"
                .to_owned(),
        })
    })
}
