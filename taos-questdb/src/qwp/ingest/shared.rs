//! What the producer and the connection both know.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::{Notify, watch};

use super::report::{QwpWsSenderError, QwpWsTotals};
use super::store::Store;
use crate::error::{Error, Result, error};
use crate::ingress::SymbolTable;
use crate::qwp::wire::{HEADER_LEN, Header, flags, put_varint};

/// Longest message for a server that tells no limit (questdb §12.1).
pub(super) const DEFAULT_LIMIT: usize = 1_900_000;

pub(super) struct Shared {
    state: Mutex<State>,
    symbols: Mutex<Dictionary>,
    /// Whether symbols were known before the first frame of this process.
    pub(super) recovered_symbols: bool,
    /// There is something to send.
    pub(super) work: Notify,
    /// Counts what producers wait for: room, acknowledgements, the end.
    progress: watch::Sender<u64>,
    /// The sender is gone.
    pub(super) closed: watch::Sender<bool>,
}

pub(super) struct State {
    pub(super) store: Store,
    /// Frames with smaller numbers are committed.
    pub(super) acked: u64,
    /// Frames with smaller numbers are in the object store.
    pub(super) durable: u64,
    /// Longest message in bytes.
    pub(super) limit: usize,
    pub(super) terminal: Option<(Error, Option<QwpWsSenderError>)>,
    pub(super) inbox: VecDeque<QwpWsSenderError>,
    inbox_capacity: usize,
    pub(super) dropped: u64,
    pub(super) totals: QwpWsTotals,
}

/// The symbols of all connections, in the order of their numbers.
#[derive(Default)]
pub(super) struct Dictionary {
    pub(super) known: SymbolTable,
    /// Those of published frames; the others may be taken back.
    published: usize,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Everything is changed in one piece, so what a panic left behind is whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(super) fn new(store: Store, known: SymbolTable, inbox_capacity: usize) -> Self {
        let published = known.len();
        let acked = store.first();
        Self {
            recovered_symbols: published > 0,
            state: Mutex::new(State {
                store,
                acked,
                durable: acked,
                limit: DEFAULT_LIMIT,
                terminal: None,
                inbox: VecDeque::new(),
                inbox_capacity,
                dropped: 0,
                totals: QwpWsTotals::default(),
            }),
            symbols: Mutex::new(Dictionary { known, published }),
            work: Notify::new(),
            progress: watch::Sender::new(0),
            closed: watch::Sender::new(false),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    pub(super) fn symbols(&self) -> MutexGuard<'_, Dictionary> {
        lock(&self.symbols)
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<u64> {
        self.progress.subscribe()
    }

    pub(super) fn progressed(&self) {
        self.progress
            .send_modify(|count| *count = count.wrapping_add(1));
    }

    /// The error that has stopped the sender.
    pub(super) fn check(&self) -> Result<()> {
        match &self.state().terminal {
            Some((error, _)) => Err(error.clone()),
            None => Ok(()),
        }
    }

    /// Publishes a frame whose symbols begin at number `first`.
    pub(super) fn append(&self, frame: Bytes, first: usize) -> Result<u64> {
        let mut symbols = self.symbols();
        let number = self
            .state()
            .store
            .append(frame, symbols.known.from(first))?;
        symbols.published = symbols.known.len();
        drop(symbols);
        self.work.notify_one();
        Ok(number)
    }

    /// Takes back the numbers of a frame that is not published.
    pub(super) fn forget_symbols(&self, first: usize) {
        self.symbols().known.truncate(first);
    }

    /// Stops the sender; the first reason stays.
    pub(super) fn fail(&self, error: Error, report: Option<QwpWsSenderError>) {
        tracing::error!("QWP sender stops: {error}");
        self.state().terminal.get_or_insert((error, report));
        self.progressed();
    }

    /// Stops the sender, whose frames stay where they are if they are on disk. If a frame is to
    /// blame, its slot is not sent again.
    pub(super) fn refuse(&self, error: Error, report: QwpWsSenderError, blamed: bool) {
        let error = match self.state().store.slot() {
            Some(slot) => slot.refused(&error, blamed),
            None => error,
        };
        self.fail(error, Some(report));
    }

    pub(super) fn report(&self, report: QwpWsSenderError) {
        let mut state = self.state();
        state.totals.server_errors += 1;
        if state.inbox.len() >= state.inbox_capacity {
            state.inbox.pop_front();
            state.dropped += 1;
        }
        state.inbox.push_back(report);
    }

    /// Frames before `number` are committed, or durable. Gives whether that was not known: what is
    /// sent again is also acknowledged again.
    pub(super) fn acknowledge(&self, number: u64, durable: bool) -> bool {
        let mut state = self.state();
        let known = if durable {
            &mut state.durable
        } else {
            &mut state.acked
        };
        let news = number.saturating_sub(*known);
        *known += news;
        if !durable {
            state.totals.acks += news;
        }
        drop(state);
        self.progressed();
        news > 0
    }

    pub(super) fn trim(&self, number: u64) {
        self.state().store.trim(number);
        self.progressed();
    }

    /// A message with nothing but published symbols from number `first` on, as many as `limit` bytes
    /// hold, and the number of the first one left out (questdb §12.8).
    pub(super) fn symbols_message(&self, first: usize, limit: usize) -> Option<(Vec<u8>, usize)> {
        const FRONT: usize = HEADER_LEN + 10;
        let symbols = self.symbols();
        let mut body = Vec::new();
        let mut count = 0;
        for symbol in symbols
            .known
            .from(first)
            .take(symbols.published.saturating_sub(first))
        {
            if count > 0 && FRONT + body.len() + symbol.len() + 5 > limit {
                break;
            }
            put_varint(&mut body, symbol.len() as u64);
            body.extend_from_slice(symbol);
            count += 1;
        }
        if count == 0 {
            return None;
        }
        let mut front = Vec::with_capacity(FRONT);
        put_varint(&mut front, first as u64);
        put_varint(&mut front, count as u64);
        let header = Header {
            flags: flags::DELTA_SYMBOL_DICT | flags::DEFER_COMMIT,
            table_count: 0,
            payload_len: u32::try_from(front.len() + body.len()).ok()?,
        };
        let mut message = header.to_bytes().to_vec();
        message.append(&mut front);
        message.append(&mut body);
        Some((message, first + count))
    }
}

/// The error of waiting longer than allowed for acknowledgements.
pub(super) fn not_acknowledged(acked: u64, published: u64, what: &str) -> Error {
    error!(
        SocketError,
        "{} of {published} published frames are not acknowledged {what}; they are still on their way",
        published.saturating_sub(acked)
    )
    .doubtful()
}
