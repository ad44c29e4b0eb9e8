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
//! count (RFC 6455 opcodes 0 to 2). Where the number of a frame is not known its kind is:
//! [`on_kind`](Builder::on_kind) strikes the first one about `stmt2_exec`, say. The handshake, pings,
//! pongs and closes pass untouched. A fault strikes once in the proxy's life, so that a client which
//! connects again finds a healthy line.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::Random;
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
    /// In its place comes a close frame, as from a server that is shut down in order (code 1001).
    Close,
    /// In its place comes a text that is no message of the protocol, unmasked as servers send.
    Garbage,
}

/// Faults to come; [`Builder::start`] opens the line.
#[derive(Debug)]
pub struct Builder {
    server: SocketAddr,
    rules: Vec<Rule>,
    pace: Option<Pace>,
    chance: Option<Chance>,
    plain: bool,
}

/// Faults at no particular frame.
#[derive(Debug)]
struct Chance {
    random: Mutex<Random>,
    one_in: u64,
}

#[derive(Debug)]
struct Rule {
    direction: Direction,
    place: Place,
    fault: Fault,
    spent: AtomicBool,
    /// The request has been seen whose answer is meant.
    armed: AtomicBool,
}

#[derive(Debug)]
enum Place {
    Nth(usize),
    Kind(String),
    AnswerTo(String),
}

/// How fast a direction takes bytes.
#[derive(Clone, Copy, Debug)]
struct Pace {
    direction: Direction,
    bytes: usize,
    every: Duration,
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
    server: Mutex<SocketAddr>,
    rules: Vec<Rule>,
    pace: Option<Pace>,
    chance: Option<Chance>,
    /// The protocol is not WebSocket.
    plain: bool,
    /// No more faults by chance.
    calm: AtomicBool,
    connections: AtomicUsize,
    struck: watch::Sender<usize>,
    /// Counts the orders to cut all lines.
    cuts: watch::Sender<usize>,
    /// Nothing passes any more.
    mute: watch::Sender<bool>,
    /// The kinds of the data frames that were passed on whole.
    passed: Mutex<Vec<(Direction, String)>>,
}

/// The line of one connection is gone, on purpose.
struct CutLine;

/// How a direction of a line came to its end.
enum Ended {
    Orderly,
    Cut,
}

impl Builder {
    /// Lets `fault` strike the `nth` data frame (from 1) that goes in `direction`.
    #[must_use]
    pub fn on(mut self, direction: Direction, nth: usize, fault: Fault) -> Self {
        self.rules
            .push(Rule::new(direction, Place::Nth(nth), fault));
        self
    }

    /// Lets `fault` strike the first data frame that goes in `direction` and whose kind begins with
    /// `kind`: the name of its action, for requests with SQL followed by the first word of it, as in
    /// `query insert`.
    #[must_use]
    pub fn on_kind(mut self, direction: Direction, kind: &str, fault: Fault) -> Self {
        let place = Place::Kind(kind.to_owned());
        self.rules.push(Rule::new(direction, place, fault));
        self
    }

    /// Lets `fault` strike the first data frame to the client after the first request whose kind begins
    /// with `kind`: its answer, if nothing else is under way.
    #[must_use]
    pub fn on_answer_to(mut self, kind: &str, fault: Fault) -> Self {
        let place = Place::AnswerTo(kind.to_owned());
        self.rules
            .push(Rule::new(Direction::ToClient, place, fault));
        self
    }

    /// Passes at most so many `bytes` on in `direction`, then pauses.
    #[must_use]
    pub const fn pace(mut self, direction: Direction, bytes: usize, every: Duration) -> Self {
        self.pace = Some(Pace {
            direction,
            bytes,
            every,
        });
        self
    }

    /// Lets a fault strike one in so many data frames, in both directions: cuts, whole or within a
    /// frame, answers that never come, lines that fall silent, closes and delays. `seed` decides which.
    #[must_use]
    pub const fn by_chance(mut self, seed: u64, one_in: u64) -> Self {
        self.chance = Some(Chance {
            random: Mutex::new(Random::new(seed)),
            one_in,
        });
        self
    }

    /// Takes any protocol over TCP. What arrives at once counts as a data frame, from the first byte on;
    /// that of an HTTP head has the kind `POST /write` or `HTTP/1.1 204`, say.
    #[must_use]
    pub const fn plain(mut self) -> Self {
        self.plain = true;
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
            server: Mutex::new(self.server),
            rules: self.rules,
            pace: self.pace,
            chance: self.chance,
            plain: self.plain,
            calm: AtomicBool::new(false),
            connections: AtomicUsize::new(0),
            struck,
            cuts: watch::Sender::new(0),
            mute: watch::Sender::new(false),
            passed: Mutex::default(),
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
            pace: None,
            chance: None,
            plain: false,
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

    /// How many data frames whose kind begins with `kind` have been passed on whole in `direction`.
    #[must_use]
    pub fn passed(&self, direction: Direction, kind: &str) -> usize {
        let passed = self.shared.passed();
        let found = passed
            .iter()
            .filter(|(to, seen)| *to == direction && seen.starts_with(kind));
        found.count()
    }

    /// Cuts all lines that are open now; clients may connect again.
    pub fn cut(&self) {
        self.shared.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// From now on nothing passes, on lines that are open and on those still to come; none is closed.
    pub fn mute(&self) {
        self.shared.mute.send_replace(true);
    }

    /// Ends the faults by chance.
    pub fn calm(&self) {
        self.shared.calm.store(true, Ordering::SeqCst);
    }

    /// Lines still to come lead to another server; those that are open stay as they are.
    pub fn lead_to(&self, server: SocketAddr) {
        *lock(&self.shared.server) = server;
    }

    /// Cuts all lines and refuses further ones.
    pub async fn shut(&mut self) {
        self.accepting.abort();
        // Its end closes the listener; how it ended says nothing.
        let _ = (&mut self.accepting).await;
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
    let server = *lock(&shared.server);
    let server = TcpStream::connect(server).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let mut cuts = shared.cuts.subscribe();
    let mut mute = shared.mute.subscribe();
    let mut pumps = pin!(async {
        let mut there = pin!(pump(from_client, to_server, Direction::ToServer, &shared));
        let mut back = pin!(pump(from_server, to_client, Direction::ToClient, &shared));
        // Closed one way, a plain line may still carry an answer the other way.
        let goes_on = |ended| shared.plain && matches!(ended, Ok(Ended::Orderly));
        tokio::select! {
            ended = &mut there => if goes_on(ended) { drop(back.await) },
            ended = &mut back => if goes_on(ended) { drop(there.await) },
        }
    });
    tokio::select! {
        biased;
        // The pumps stand still then, and keep both sockets open.
        () = async { drop(mute.wait_for(|mute| *mute).await) } => {
            let _ = cuts.changed().await;
        }
        _ = cuts.changed() => {}
        _ = &mut pumps => {}
    }
    Ok(())
}

async fn pump(
    from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    direction: Direction,
    shared: &Shared,
) -> io::Result<Ended> {
    let mut reader = FrameReader::new(from);
    if !shared.plain {
        to.write_all(&reader.handshake().await?).await?;
    }
    let mut nth = 0;
    loop {
        let read = match shared.plain {
            true => reader.piece().await?,
            false => reader.next().await?,
        };
        let Some(frame) = read else {
            if shared.plain {
                to.shutdown().await?;
            }
            return Ok(Ended::Orderly);
        };
        nth += usize::from(frame.is_data());
        let kind = frame.is_data().then(|| frame.kind());
        let fault = kind
            .as_deref()
            .and_then(|kind| shared.fault(direction, nth, kind));
        match fault {
            None => {
                shared.pass(direction, frame.bytes(), &mut to).await?;
                if let Some(kind) = kind {
                    shared.passed().push((direction, kind));
                }
            }
            Some(fault) => {
                if let Some(CutLine) = strike(fault, frame, &mut to).await? {
                    return Ok(Ended::Cut);
                }
            }
        }
    }
}

impl Rule {
    const fn new(direction: Direction, place: Place, fault: Fault) -> Self {
        Self {
            direction,
            place,
            fault,
            spent: AtomicBool::new(false),
            armed: AtomicBool::new(false),
        }
    }

    fn concerns(&self, direction: Direction, nth: usize, kind: &str) -> bool {
        let mut armed = false;
        if let Place::AnswerTo(wanted) = &self.place {
            if direction == Direction::ToServer && kind.starts_with(wanted.as_str()) {
                self.armed.store(true, Ordering::SeqCst);
            }
            armed = self.armed.load(Ordering::SeqCst);
        }
        self.direction == direction
            && match &self.place {
                Place::Nth(wanted) => *wanted == nth,
                Place::Kind(wanted) => kind.starts_with(wanted.as_str()),
                Place::AnswerTo(_) => armed,
            }
    }
}

impl Chance {
    fn fault(&self) -> Option<Fault> {
        let mut random = lock(&self.random);
        if random.below(self.one_in) != 0 {
            return None;
        }
        let bytes = usize::try_from(random.below(64)).unwrap_or(0);
        Some(match random.below(8) {
            0 | 1 => Fault::Cut,
            2 | 3 => Fault::CutAfter(bytes),
            4 => Fault::Stall,
            5 => Fault::Drop,
            6 => Fault::Close,
            _ => Fault::Delay(Duration::from_millis(400)),
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    fn passed(&self) -> MutexGuard<'_, Vec<(Direction, String)>> {
        lock(&self.passed)
    }

    async fn pass(
        &self,
        direction: Direction,
        bytes: &[u8],
        to: &mut (impl AsyncWrite + Unpin),
    ) -> io::Result<()> {
        match self.pace.filter(|pace| pace.direction == direction) {
            None => to.write_all(bytes).await,
            Some(pace) => {
                for piece in bytes.chunks(pace.bytes.max(1)) {
                    to.write_all(piece).await?;
                    tokio::time::sleep(pace.every).await;
                }
                Ok(())
            }
        }
    }

    fn fault(&self, direction: Direction, nth: usize, kind: &str) -> Option<Fault> {
        let rule = self.rules.iter().find(|rule| {
            rule.concerns(direction, nth, kind) && !rule.spent.swap(true, Ordering::SeqCst)
        });
        let chance = self.chance.as_ref();
        let chance = chance.filter(|_| !self.calm.load(Ordering::SeqCst));
        let fault = rule
            .map(|rule| rule.fault)
            .or_else(|| chance.and_then(Chance::fault))?;
        self.struck.send_modify(|struck| *struck += 1);
        Some(fault)
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
        Fault::Close => {
            to.write_all(&[0x88, 2, 0x03, 0xe9]).await?;
            to.shutdown().await?;
            // The line ends when the client closes its side.
            std::future::pending().await
        }
        Fault::Garbage => to.write_all(b"\x81\x0d{not a frame}").await?,
    }
    Ok(None)
}
