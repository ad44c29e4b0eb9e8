//! A proxy that knows WebSocket frames and does to the n-th of them what a bad network would.
//!
//! ```no_run
//! # async fn demo(server: std::net::SocketAddr) -> std::io::Result<()> {
//! use taos_tests::proxy::{Direction, Fault, Proxy};
//! let proxy = Proxy::to(server)
//!     .on(Direction::ToClient, 3, Fault::Cut)
//!     .start()
//!     .await?;
//! let dsn = format!("ws://{}", proxy.address());
//! # Ok(()) }
//! ```
//!
//! Frames are counted from 1, each direction for itself, anew on each connection; only data frames
//! count (RFC 6455 opcodes 0 to 2). The handshake, pings, pongs and closes pass untouched. A fault
//! strikes once in the proxy's life, so that a client which connects again finds a healthy line.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::frame::{Frame, FrameReader};

/// Which way a frame goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the server.
    ToServer,
    /// From the server to the client.
    ToClient,
}

/// What happens to a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It arrives later; what follows it waits too.
    Delay(Duration),
    /// The line is cut before it.
    Cut,
    /// Its first bytes arrive, header included, then the line is cut.
    CutAfter(usize),
    /// It arrives in pieces of at most so many bytes, each its own segment.
    Split(usize),
    /// From it on nothing arrives in this direction; the line stays open.
    Stall,
    /// One byte of its payload is inverted (the last one, if the payload is shorter).
    Corrupt(usize),
    /// It arrives twice.
    Duplicate,
    /// It never arrives; what follows it does.
    Drop,
}

/// Faults to come; [`Builder::start`] opens the line.
#[derive(Debug)]
pub struct Builder {
    server: SocketAddr,
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    direction: Direction,
    nth: usize,
    fault: Fault,
    spent: AtomicBool,
}

/// A running proxy; dropping it cuts all its lines.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    struck: watch::Receiver<usize>,
    accepting: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    server: SocketAddr,
    rules: Vec<Rule>,
    connections: AtomicUsize,
    struck: watch::Sender<usize>,
}

/// The line of one connection is gone, on purpose.
struct CutLine;

impl Builder {
    /// Lets `fault` strike the `nth` data frame (from 1) that goes in `direction`.
    #[must_use]
    pub fn on(mut self, direction: Direction, nth: usize, fault: Fault) -> Self {
        self.rules.push(Rule {
            direction,
            nth,
            fault,
            spent: AtomicBool::new(false),
        });
        self
    }

    /// Listens on a free port of the loopback interface.
    ///
    /// # Errors
    /// If no port can be had.
    pub async fn start(self) -> io::Result<Proxy> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (struck, watcher) = watch::channel(0);
        let shared = Arc::new(Shared {
            server: self.server,
            rules: self.rules,
            connections: AtomicUsize::new(0),
            struck,
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Proxy {
            address,
            shared,
            struck: watcher,
            accepting,
        })
    }
}

impl Proxy {
    /// A proxy in front of `server`, so far without faults.
    #[must_use]
    pub const fn to(server: SocketAddr) -> Builder {
        Builder {
            server,
            rules: Vec::new(),
        }
    }

    /// Where clients connect.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections clients have opened so far.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// How many faults have struck so far: a test that passes without one has tested nothing.
    #[must_use]
    pub fn struck(&self) -> usize {
        *self.struck.borrow()
    }

    /// Waits until `count` faults have struck.
    pub async fn until_struck(&self, count: usize) {
        let mut watcher = self.struck.clone();
        // The sender lives in `self.shared`, so waiting cannot fail.
        let _ = watcher.wait_for(|struck| *struck >= count).await;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    // Dropped with this task, and all lines with it.
    let mut lines = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        shared.connections.fetch_add(1, Ordering::SeqCst);
        lines.spawn(line(client, Arc::clone(&shared)));
    }
}

/// One connection, until either end closes it or a fault cuts it.
async fn line(client: TcpStream, shared: Arc<Shared>) -> io::Result<()> {
    let server = TcpStream::connect(shared.server).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::select! {
        _ = pump(from_client, to_server, Direction::ToServer, &shared) => {}
        _ = pump(from_server, to_client, Direction::ToClient, &shared) => {}
    }
    Ok(())
}

async fn pump(
    from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    direction: Direction,
    shared: &Shared,
) -> io::Result<()> {
    let mut reader = FrameReader::new(from);
    to.write_all(&reader.handshake().await?).await?;
    let mut nth = 0;
    while let Some(frame) = reader.next().await? {
        nth += usize::from(frame.is_data());
        let fault = frame
            .is_data()
            .then(|| shared.fault(direction, nth))
            .flatten();
        match fault {
            None => to.write_all(frame.bytes()).await?,
            Some(fault) => {
                if let Some(CutLine) = strike(fault, frame, &mut to).await? {
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}

impl Shared {
    fn fault(&self, direction: Direction, nth: usize) -> Option<Fault> {
        let rule = self.rules.iter().find(|rule| {
            rule.direction == direction
                && rule.nth == nth
                && !rule.spent.swap(true, Ordering::SeqCst)
        })?;
        self.struck.send_modify(|struck| *struck += 1);
        Some(rule.fault)
    }
}

async fn strike(
    fault: Fault,
    mut frame: Frame,
    to: &mut (impl AsyncWrite + Unpin),
) -> io::Result<Option<CutLine>> {
    match fault {
        Fault::Delay(pause) => {
            tokio::time::sleep(pause).await;
            to.write_all(frame.bytes()).await?;
        }
        Fault::Cut => return Ok(Some(CutLine)),
        Fault::CutAfter(bytes) => {
            let bytes = frame.bytes().get(..bytes).unwrap_or_else(|| frame.bytes());
            to.write_all(bytes).await?;
            to.flush().await?;
            return Ok(Some(CutLine));
        }
        Fault::Split(size) => {
            for piece in frame.bytes().chunks(size.max(1)) {
                to.write_all(piece).await?;
                // With TCP_NODELAY each write is a segment; yielding lets the other side see it.
                tokio::task::yield_now().await;
            }
        }
        Fault::Stall => std::future::pending().await,
        Fault::Corrupt(at) => {
            frame.invert(at);
            to.write_all(frame.bytes()).await?;
        }
        Fault::Duplicate => {
            to.write_all(frame.bytes()).await?;
            to.write_all(frame.bytes()).await?;
        }
        Fault::Drop => {}
    }
    Ok(None)
}
