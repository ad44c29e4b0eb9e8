//! Open results of a session, each read one block ahead of its client.
//!
//! A result is read by one job at a time. Fetches that come while the job runs wait in the result, so
//! nobody blocks: the job answers them when their block is there. Fetches of a block that
//! is already there are answered on the spot by the session's task.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use taos_query::RawBlock;
use taos_ws::protocol::{ADAPTER_ERROR, FetchOutcome};

use super::reply::{NIL, bytes_of, fetch_error};
use super::{Conn, Ticket};
use crate::engine::{ResultColumn, ResultRows, SqlError};
use crate::server::guarded;
use crate::store::Cancel;

/// A shorter block is most likely the last, so that looking for the end costs little.
const FULL_BLOCK: usize = 4096;

/// The results of one session, by id.
#[derive(Default)]
pub(super) struct Results(Mutex<Table>);

#[derive(Default)]
struct Table {
    last_id: u64,
    open: HashMap<u64, Arc<OpenResult>>,
    closed: bool,
}

/// One result that the client has neither read to its end nor given up.
pub(super) struct OpenResult {
    id: u64,
    columns: Arc<[ResultColumn]>,
    /// Ends the query while a job waits for it.
    cancel: Option<Arc<Cancel>>,
    state: Mutex<State>,
}

/// Why a result was not taken in.
pub(super) enum Unopened {
    /// The session has ended.
    Closed,
    /// As many are open as may be.
    Full(usize),
}

struct State {
    /// When the client last asked for something or was given it.
    touched: Instant,
    /// Away while a job reads.
    rows: Option<ResultRows>,
    /// What was read ahead.
    ready: VecDeque<Step>,
    /// What was asked for while a job read.
    waiting: VecDeque<Fetch>,
    /// The block that `fetch` chose for `fetch_block`.
    current: Option<RawBlock>,
    reading: bool,
    freed: bool,
}

impl State {
    fn new() -> Self {
        Self {
            touched: Instant::now(),
            rows: None,
            ready: VecDeque::new(),
            waiting: VecDeque::new(),
            current: None,
            reading: false,
            freed: false,
        }
    }
}

/// What reading gives.
enum Step {
    Block(RawBlock),
    End,
    Failed(SqlError),
}

/// Which of the two ways to fetch.
#[derive(Clone, Copy)]
pub(super) enum Style {
    /// fetch_raw_block: step and block in one binary reply.
    Raw,
    /// fetch: only the step; the block follows by fetch_block.
    Old,
}

/// A fetch that has not been answered.
pub(super) struct Fetch {
    pub(super) ticket: Ticket,
    pub(super) req_id: u64,
    pub(super) style: Style,
}

impl Fetch {
    fn answer(self, result: &OpenResult, state: &mut State, step: Step) {
        let Self {
            ticket,
            req_id,
            style,
        } = self;
        let id = result.id;
        match (style, step) {
            (Style::Raw, Step::Block(block)) => {
                ticket.fetched(req_id, id, FetchOutcome::Block(bytes_of(&block)));
            }
            (Style::Raw, Step::End) => ticket.fetched(req_id, id, FetchOutcome::End),
            (Style::Raw, Step::Failed(error)) => ticket.fetched(req_id, id, fetch_error(error)),
            (Style::Old, Step::Block(block)) => {
                ticket.stepped(req_id, id, block.nrows(), &result.columns);
                state.current = Some(block);
            }
            (Style::Old, Step::End) => ticket.completed(req_id, id),
            (Style::Old, Step::Failed(error)) => ticket.failed("fetch", req_id, &error),
        }
    }

    /// Answers that there is no such result.
    pub(super) fn nil(self, id: u64) {
        match self.style {
            Style::Raw => self.ticket.fetch_refused(self.req_id, id, NIL),
            Style::Old => self.ticket.refused("fetch", self.req_id, NIL),
        }
    }
}

impl Results {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a result its id and a job that will read it, if fewer than `limit` are open.
    pub(super) fn open(
        &self,
        rows: &ResultRows,
        limit: usize,
    ) -> Result<Arc<OpenResult>, Unopened> {
        let mut table = self.table();
        if table.closed {
            return Err(Unopened::Closed);
        }
        if table.open.len() >= limit {
            return Err(Unopened::Full(limit));
        }
        table.last_id += 1;
        let result = Arc::new(OpenResult {
            id: table.last_id,
            columns: Arc::clone(&rows.columns),
            cancel: rows.cancel(),
            state: Mutex::new(State {
                reading: true,
                ..State::new()
            }),
        });
        table.open.insert(result.id, Arc::clone(&result));
        Ok(result)
    }

    pub(super) fn get(&self, id: u64) -> Option<Arc<OpenResult>> {
        self.table().open.get(&id).cloned()
    }

    /// Forgets a result and everything it holds.
    pub(super) fn free(&self, id: u64) {
        let result = self.table().open.remove(&id);
        if let Some(result) = result {
            result.free();
        }
    }

    /// Ends the queries behind results that were left unread for so long.
    pub(super) fn drop_unread(&self, patience: Duration) {
        let open: Vec<_> = self.table().open.values().cloned().collect();
        for result in open {
            result.drop_unread(patience);
        }
    }

    /// Frees all results, and from now on each new one at once.
    pub(super) fn close(&self) {
        let mut table = self.table();
        table.closed = true;
        let open = std::mem::take(&mut table.open);
        drop(table);
        for result in open.into_values() {
            result.free();
        }
    }
}

impl OpenResult {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) const fn id(&self) -> u64 {
        self.id
    }

    pub(super) fn columns(&self) -> usize {
        self.columns.len()
    }

    /// The block that the last `fetch` chose.
    pub(super) fn current(&self) -> Option<RawBlock> {
        self.state().current.clone()
    }

    fn free(&self) {
        let mut state = self.state();
        let waiting = std::mem::take(&mut state.waiting);
        *state = State {
            freed: true,
            reading: state.reading,
            ..State::new()
        };
        drop(state);
        if let Some(cancel) = &self.cancel {
            cancel.cancel();
        }
        for fetch in waiting {
            fetch.nil(self.id);
        }
    }

    /// Gives the reader back; a later fetch is told why.
    fn drop_unread(&self, patience: Duration) {
        let mut state = self.state();
        // What a job reads is not what the client left.
        if state.touched.elapsed() < patience || state.reading {
            return;
        }
        let Some(rows) = state.rows.take() else {
            return;
        };
        state.ready.clear();
        state.ready.push_back(Step::Failed(SqlError {
            code: ADAPTER_ERROR,
            message: format!(
                "the result was dropped: nothing of it was fetched for {patience:?} while other \
                 statements waited"
            ),
        }));
        drop(state);
        tracing::info!(id = self.id, "an unread result was dropped");
        drop(rows);
    }

    /// Answers from what was read ahead, or leaves the fetch to the job that reads.
    pub(super) fn fetch(self: &Arc<Self>, fetch: Fetch) {
        let conn = Arc::clone(&fetch.ticket.conn);
        let mut state = self.state();
        if state.freed {
            drop(state);
            return fetch.nil(self.id);
        }
        state.touched = Instant::now();
        match state.ready.pop_front() {
            Some(step) => {
                let last = !matches!(step, Step::Block(_));
                fetch.answer(self, &mut state, step);
                if last {
                    drop(state);
                    return conn.state.results.free(self.id);
                }
            }
            None => state.waiting.push_back(fetch),
        }
        if state.ready.is_empty()
            && let Some(rows) = state.rows.take()
        {
            state.reading = true;
            drop(state);
            let result = Arc::clone(self);
            tokio::task::spawn_blocking(move || result.read_on(&conn, rows));
        }
    }

    /// Reads until everyone who waits has been answered and one block is ready. Blocks.
    pub(super) fn read_on(&self, conn: &Conn, mut rows: ResultRows) {
        loop {
            let step = match guarded(|| rows.next_block()) {
                Ok(Some(block)) => Step::Block(block),
                Ok(None) => Step::End,
                Err(error) => Step::Failed(error),
            };
            let (last, short) = match &step {
                Step::Block(block) => (false, block.nrows() < FULL_BLOCK),
                Step::End | Step::Failed(_) => (true, false),
            };
            let mut state = self.state();
            if state.freed {
                return;
            }
            state.touched = Instant::now();
            let taken = match state.waiting.pop_front() {
                Some(fetch) => {
                    fetch.answer(self, &mut state, step);
                    true
                }
                None => {
                    state.ready.push_back(step);
                    false
                }
            };
            if last {
                state.reading = false;
                drop(state);
                if taken {
                    conn.state.results.free(self.id);
                }
                return;
            }
            let look_on = short && state.ready.len() < 2;
            if state.waiting.is_empty() && !state.ready.is_empty() && !look_on {
                state.rows = Some(rows);
                state.reading = false;
                return;
            }
        }
    }
}
