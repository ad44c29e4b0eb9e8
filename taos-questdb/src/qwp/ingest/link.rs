//! One connection: what is on its way, and what the answers mean (questdb §12.7, §12.8).

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{FutureExt, SinkExt, StreamExt};
use tokio::time::error::Elapsed;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{self, Message};

use super::shared::Shared;
use crate::error::{Error, error};
use crate::net::BoxIo;
use crate::qwp::wire::{Reply, TableSeq};
use crate::settings::QwpIngest;

/// Messages that may be without an answer (questdb §12.7).
const WINDOW: usize = 128;

pub(super) type Stream = WebSocketStream<BoxIo>;

/// Why a connection is over.
#[derive(Debug)]
pub(super) enum Break {
    /// Another connection may do better.
    Transport(Error),
    /// No connection will.
    Fatal(Error),
    /// A message is longer than this server takes.
    TooLong(Error),
    /// The server refused a frame.
    Rejected {
        frame: u64,
        sequence: u64,
        status: u8,
        message: String,
    },
}

type Step<T> = Result<T, Break>;

/// What the message with a certain number on this connection was.
#[derive(Debug, Clone, Copy)]
enum Sent {
    /// Symbols, up to the one with this number.
    Symbols(usize),
    Frame(u64),
}

/// A committed frame that waits for the object store.
#[derive(Debug)]
struct Committed {
    frame: u64,
    tables: Vec<TableSeq>,
}

pub(super) struct Link {
    stream: Stream,
    pub(super) endpoint: usize,
    limit: usize,
    /// Without an answer, oldest first; the oldest has the number `oldest`.
    pending: VecDeque<Sent>,
    oldest: u64,
    next_frame: u64,
    /// The next symbol to tell anew; `None` when the server knows those it needs.
    next_symbol: Option<usize>,
    unflushed: bool,
    durable: bool,
    keepalive: Option<Duration>,
    committed: VecDeque<Committed>,
    durable_up_to: HashMap<String, i64>,
    /// Limit of waits without any sign of the server.
    patience: Duration,
    /// Since when the server owes a sign of life: it gave the last one, or had nothing to answer.
    quiet_since: Instant,
    /// The last ping.
    pinged: Instant,
    /// The first ping that has had no answer.
    asked: Option<Instant>,
    progressed: bool,
    idle: bool,
}

/// Does it within this time, and tells whether it had to wait.
async fn patiently<F: Future>(patience: Duration, work: F) -> (Result<F::Output, Elapsed>, bool) {
    let mut work = std::pin::pin!(work);
    match work.as_mut().now_or_never() {
        Some(done) => (Ok(done), false),
        None => (timeout(patience, work).await, true),
    }
}

impl Link {
    pub(super) fn new(
        stream: Stream,
        ingest: &QwpIngest,
        limit: usize,
        first: u64,
        tell_symbols: bool,
    ) -> Self {
        let now = Instant::now();
        Self {
            stream,
            endpoint: 0,
            limit,
            pending: VecDeque::with_capacity(WINDOW),
            oldest: 0,
            next_frame: first,
            next_symbol: tell_symbols.then_some(0),
            unflushed: false,
            durable: ingest.durable_ack,
            keepalive: ingest.durable_ack_keepalive,
            committed: VecDeque::new(),
            durable_up_to: HashMap::new(),
            patience: ingest.request_timeout,
            quiet_since: now,
            pinged: now,
            asked: None,
            progressed: false,
            idle: false,
        }
    }

    /// Whether this connection has brought frames further than they had come before.
    pub(super) const fn progressed(&self) -> bool {
        self.progressed
    }

    /// Whether the last call of [`serve`](Self::serve) neither sent nor received anything.
    pub(super) const fn is_idle(&self) -> bool {
        self.idle
    }

    /// Sends what may be sent, then waits for one event, or only looks whether there is one.
    pub(super) async fn serve(&mut self, shared: &Shared, sent: &mut u64, wait: bool) -> Step<()> {
        self.idle = true;
        // Long messages take their time, so answers are taken in between.
        self.take_ready(shared)?;
        while self.pending.len() < WINDOW
            && let Some((message, what)) = self.next_message(shared)?
        {
            self.send(Message::Binary(message)).await?;
            self.sent(shared, what, sent);
            self.take_ready(shared)?;
        }
        self.flush().await?;
        let wake = self.wake();
        if !wait {
            self.take_ready(shared)?;
            if wake.is_some_and(|at| at <= Instant::now()) {
                self.knock().await?;
            }
            return Ok(());
        }
        tokio::select! {
            biased;
            message = self.stream.next() => self.take(shared, message)?,
            () = shared.work.notified() => {}
            () = async {
                match wake {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            } => self.knock().await?,
        }
        Ok(())
    }

    /// Notes that a message has left; before it had, dropping the future would have lost it.
    fn sent(&mut self, shared: &Shared, what: Sent, sent: &mut u64) {
        self.idle = false;
        if self.pending.is_empty() {
            self.quiet_since = Instant::now();
        }
        self.pending.push_back(what);
        match what {
            Sent::Symbols(next) => self.next_symbol = Some(next),
            Sent::Frame(frame) => {
                self.next_frame = frame + 1;
                let mut state = shared.state();
                state.totals.frames_sent += 1;
                state.totals.frames_replayed += u64::from(frame < *sent);
                *sent = (*sent).max(frame + 1);
            }
        }
    }

    /// Takes the messages that are there.
    fn take_ready(&mut self, shared: &Shared) -> Step<()> {
        while let Some(message) = self.stream.next().now_or_never() {
            self.idle = false;
            self.take(shared, message)?;
        }
        Ok(())
    }

    pub(super) async fn close(mut self) {
        let goodbye = CloseFrame {
            code: CloseCode::Normal,
            reason: "".into(),
        };
        if self.stream.close(Some(goodbye)).await.is_ok() {
            // Until the server agrees, so that it reads what was sent before.
            while let Some(Ok(_)) = self.stream.next().await {}
        }
    }

    fn next_message(&mut self, shared: &Shared) -> Step<Option<(Bytes, Sent)>> {
        if let Some(first) = self.next_symbol {
            match shared.symbols_message(first, self.limit) {
                Some((message, next)) => {
                    return Ok(Some((message.into(), Sent::Symbols(next))));
                }
                None => self.next_symbol = None,
            }
        }
        let mut state = shared.state();
        if self.next_frame >= state.store.next() {
            return Ok(None);
        }
        let frame = state.store.get(self.next_frame).map_err(Break::Fatal)?;
        drop(state);
        if frame.len() > self.limit {
            return Err(Break::TooLong(error!(
                BatchTooLarge,
                "frame {} has {} bytes, and the server now takes {}; it was published when the limit \
                 was another",
                self.next_frame,
                frame.len(),
                self.limit
            )));
        }
        Ok(Some((frame, Sent::Frame(self.next_frame))))
    }

    async fn send(&mut self, message: Message) -> Step<()> {
        self.unflushed = true;
        let (done, waited) = patiently(self.patience, self.stream.feed(message)).await;
        self.written(done, waited)
    }

    async fn flush(&mut self) -> Step<()> {
        if self.unflushed {
            let (done, waited) = patiently(self.patience, self.stream.flush()).await;
            self.written(done, waited)?;
            self.unflushed = false;
        }
        Ok(())
    }

    fn written(
        &mut self,
        done: Result<Result<(), tungstenite::Error>, Elapsed>,
        waited: bool,
    ) -> Step<()> {
        match done {
            Ok(Ok(())) => {
                if waited {
                    // There was no room, and the server has made some.
                    let now = Instant::now();
                    self.quiet_since = now;
                    self.asked = self.asked.map(|_| now);
                }
                Ok(())
            }
            Ok(Err(e)) => Err(Break::Transport(error!(SocketError, "sending failed: {e}"))),
            Err(_) => Err(Break::Transport(error!(
                SocketError,
                "the server has not read for {:?}", self.patience
            ))),
        }
    }

    /// When to knock if nothing comes: only while answers are missing.
    fn wake(&self) -> Option<Instant> {
        let half = self.patience / 2;
        let answer = match self.asked {
            Some(asked) => Some(asked + half),
            None => (!self.pending.is_empty()).then(|| self.quiet_since + half),
        };
        let keepalive = self
            .keepalive
            .filter(|_| !self.committed.is_empty())
            .map(|interval| self.quiet_since.max(self.pinged) + interval);
        answer.into_iter().chain(keepalive).min()
    }

    /// Asks for a sign of life, or gives up when the last question had no answer.
    async fn knock(&mut self) -> Step<()> {
        let half = self.patience / 2;
        let now = Instant::now();
        if self.asked.is_some_and(|asked| asked + half <= now) {
            return Err(Break::Transport(error!(
                SocketError,
                "nothing has come from the server, not even an answer to a ping within {half:?}"
            )));
        }
        self.send(Message::Ping(Bytes::new())).await?;
        self.pinged = now;
        self.asked.get_or_insert(now);
        self.flush().await
    }

    fn take(
        &mut self,
        shared: &Shared,
        message: Option<Result<Message, tungstenite::Error>>,
    ) -> Step<()> {
        let lost = |what: String| Err(Break::Transport(error!(SocketError, "{what}")));
        self.quiet_since = Instant::now();
        self.asked = None;
        match message {
            None => lost("the server closed the connection".to_owned()),
            Some(Err(e)) => lost(format!("receiving failed: {e}")),
            Some(Ok(Message::Binary(bytes))) => {
                let reply = Reply::decode(&bytes).map_err(Break::Fatal)?;
                self.answer(shared, reply)
            }
            Some(Ok(Message::Close(frame))) => match frame {
                Some(frame) if frame.code == CloseCode::Size => Err(Break::TooLong(error!(
                    BatchTooLarge,
                    "the server closed the connection because a message was too long for it (1009); \
                     flush oftener: {}",
                    frame.reason
                ))),
                Some(frame) => lost(format!("the server closed the connection: {frame}")),
                None => lost("the server closed the connection".to_owned()),
            },
            Some(Ok(Message::Text(_))) => Err(Break::Fatal(error!(
                ProtocolError,
                "the server sent text where binary messages belong"
            ))),
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {
                // The answer to a ping leaves with the next flush.
                self.unflushed = true;
                Ok(())
            }
        }
    }

    fn answer(&mut self, shared: &Shared, reply: Reply) -> Step<()> {
        match reply {
            Reply::Ok { sequence, tables } => self.committed(shared, sequence, tables),
            Reply::DurableAck { tables } => {
                self.stored(shared, tables);
                Ok(())
            }
            Reply::Rejected {
                sequence,
                status,
                message,
            } => {
                let place = sequence
                    .checked_sub(self.oldest)
                    .and_then(|at| usize::try_from(at).ok());
                let frame = match place.and_then(|at| self.pending.get(at)) {
                    Some(Sent::Frame(frame)) => *frame,
                    Some(Sent::Symbols(_)) => self.next_frame,
                    None => return Err(Break::Fatal(self.never_sent(sequence))),
                };
                Err(Break::Rejected {
                    frame,
                    sequence,
                    status,
                    message,
                })
            }
        }
    }

    fn never_sent(&self, sequence: u64) -> Error {
        error!(
            ProtocolError,
            "the server answers message {sequence}; waiting for an answer are {} from {} on",
            self.pending.len(),
            self.oldest
        )
    }

    /// This message and all before it are committed.
    fn committed(&mut self, shared: &Shared, sequence: u64, tables: Vec<TableSeq>) -> Step<()> {
        let end = self.oldest + self.pending.len() as u64;
        if sequence >= end {
            return Err(Break::Fatal(self.never_sent(sequence)));
        }
        let mut last = None;
        while self.oldest <= sequence
            && let Some(sent) = self.pending.pop_front()
        {
            self.oldest += 1;
            if let Sent::Frame(frame) = sent {
                last = Some(frame);
            }
        }
        let Some(frame) = last else {
            return Ok(());
        };
        self.progressed |= shared.acknowledge(frame + 1, false);
        if self.durable {
            self.committed.push_back(Committed { frame, tables });
            self.stored(shared, Vec::new());
        } else {
            shared.trim(frame + 1);
        }
        Ok(())
    }

    /// These tables have come so far in the object store.
    fn stored(&mut self, shared: &Shared, tables: Vec<TableSeq>) {
        for TableSeq { table, seq_txn } in tables {
            let known = self.durable_up_to.entry(table).or_insert(seq_txn);
            *known = seq_txn.max(*known);
        }
        let mut last = None;
        while let Some(committed) = self.committed.front()
            && committed.tables.iter().all(|need| {
                self.durable_up_to
                    .get(&need.table)
                    .is_some_and(|have| *have >= need.seq_txn)
            })
        {
            last = Some(committed.frame);
            self.committed.pop_front();
        }
        if let Some(frame) = last {
            self.progressed |= shared.acknowledge(frame + 1, true);
            shared.trim(frame + 1);
        }
    }
}
