//! What the inserter and its tasks share: rows being collected, batches on their way, and results.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tokio::time::{Instant, sleep_until};

use super::batch::Batch;
use super::error::{FailedBatch, InsertError, InsertSummary};
use super::older;
use super::options::Options;
use super::plan::Plan;
use crate::AsyncQueryable;
use crate::error::{ErrorKind, RawError, RawResult};
use crate::stmt::{Stmt2AsyncBindable, Stmt2BindParam};

/// A batch that is ready or at a worker.
#[derive(Clone, Copy)]
struct Turn {
    number: u64,
    rows: usize,
}

/// Rows for a worker.
struct Load {
    turn: Turn,
    rows: Rows,
}

enum Rows {
    New(Box<Batch>),
    Again(FailedBatch),
}

/// Rows at a worker.
struct Parcel {
    turn: Turn,
    sql: String,
    params: Vec<Stmt2BindParam>,
}

/// What a worker's statement was prepared for.
#[derive(Default)]
struct Prepared {
    sql: String,
    /// The server wants the table in a `?` of its own.
    older: bool,
}

pub(super) struct Shared {
    pub(super) options: Options,
    pub(super) plan: OnceLock<Plan>,
    state: Mutex<State>,
    /// A batch is ready for a worker.
    work: Notify,
    /// A batch came back.
    done: Notify,
    /// The first row of a batch came while the timer had nothing to wait for.
    armed: Notify,
}

#[derive(Default)]
struct State {
    batch: Option<Batch>,
    /// When the batch has waited long enough; the timer takes it from here.
    deadline: Option<Instant>,
    timer_rests: bool,
    /// The batch must leave as soon as there is room.
    due: bool,
    taken: u64,
    /// The number of the batch that is being filled, if a flush waits for it.
    awaited: Option<u64>,
    /// The number that the next batch gets.
    next_number: u64,
    ready: VecDeque<Load>,
    /// Numbers of the batches that are ready or at a worker.
    on_the_way: BTreeSet<u64>,
    /// Rows in them.
    rows_on_the_way: usize,
    spare: Vec<Batch>,
    failed: VecDeque<InsertError>,
    summary: InsertSummary,
    workers: usize,
    closed: bool,
}

/// What became of a row.
pub(super) enum Taken {
    Yes,
    /// The batch is full and must leave first.
    NoRoom,
}

impl State {
    const fn number(&mut self) -> u64 {
        let number = self.next_number;
        self.next_number += 1;
        number
    }

    fn is_collecting(&self) -> bool {
        self.batch.as_ref().is_some_and(|batch| batch.rows > 0)
    }
}

/// How far a flush is.
pub(super) enum Flushed {
    All,
    NotYet,
}

fn gone() -> RawError {
    RawError::of(
        ErrorKind::Closed,
        "the inserter is closed, or the runtime that it was made on has ended",
    )
}

impl Shared {
    pub(super) fn new(options: Options, workers: usize) -> Self {
        Self {
            options,
            plan: OnceLock::new(),
            state: Mutex::new(State {
                workers,
                ..State::default()
            }),
            work: Notify::new(),
            done: Notify::new(),
            armed: Notify::new(),
        }
    }

    #[inline]
    fn state(&self) -> MutexGuard<'_, State> {
        // A panic inside a row's own code leaves a row that `Batch` removes again.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a row unless there is no room or an earlier batch has failed.
    pub(super) fn push<T: Serialize + ?Sized>(
        &self,
        plan: &Plan,
        row: &T,
    ) -> Result<Taken, InsertError> {
        self.take(&mut self.state(), plan, row)
    }

    /// Takes rows from the front, as many as there is room for, and says how many those were and why
    /// it ended there. The lock, which costs as much as some fields, is taken once.
    pub(super) fn push_all<T: Serialize>(
        &self,
        plan: &Plan,
        rows: &[T],
    ) -> (usize, Result<Taken, InsertError>) {
        let mut state = self.state();
        for (taken, row) in rows.iter().enumerate() {
            match self.take(&mut state, plan, row) {
                Ok(Taken::Yes) => {}
                end => return (taken, end),
            }
        }
        (rows.len(), Ok(Taken::Yes))
    }

    #[inline]
    fn take<T: Serialize + ?Sized>(
        &self,
        state: &mut State,
        plan: &Plan,
        row: &T,
    ) -> Result<Taken, InsertError> {
        if state.due || state.closed || state.workers == 0 || !state.failed.is_empty() {
            match self.attend(state)? {
                Taken::Yes => {}
                Taken::NoRoom => return Ok(Taken::NoRoom),
            }
        }
        let batch = match &mut state.batch {
            Some(batch) => batch,
            none => none.insert(state.spare.pop().unwrap_or_else(|| Batch::new(plan))),
        };
        batch.push(plan, row, state.taken)?;
        let full = batch.rows >= self.options.max_rows
            || batch.bytes >= self.options.max_bytes
            || batch.capped;
        let first = batch.rows == 1;
        state.taken += 1;
        if full {
            state.due = true;
            self.ship(state);
        } else if first && let Some(delay) = self.options.max_delay {
            state.deadline = Some(Instant::now() + delay);
            if std::mem::take(&mut state.timer_rests) {
                self.armed.notify_one();
            }
        }
        Ok(Taken::Yes)
    }

    /// What stands between a row and its batch; [`Taken::Yes`] if it may go on.
    #[cold]
    fn attend(&self, state: &mut State) -> Result<Taken, InsertError> {
        if let Some(error) = state.failed.pop_front() {
            return Err(error);
        }
        if state.closed || state.workers == 0 {
            return Err(gone().into());
        }
        if state.due && !self.ship(state) {
            return Ok(Taken::NoRoom);
        }
        Ok(Taken::Yes)
    }

    /// Hands the batch over if there is room for one more on the way.
    fn ship(&self, state: &mut State) -> bool {
        if state.on_the_way.len() >= self.options.in_flight() {
            return false;
        }
        self.hand_over_collected(state);
        true
    }

    fn hand_over_collected(&self, state: &mut State) {
        state.due = false;
        state.deadline = None;
        if let Some(batch) = state.batch.take_if(|batch| batch.rows > 0) {
            let number = state.awaited.take().unwrap_or_else(|| state.number());
            let turn = Turn {
                number,
                rows: batch.rows,
            };
            self.hand_over(state, turn, Rows::New(Box::new(batch)));
        }
    }

    fn hand_over(&self, state: &mut State, turn: Turn, rows: Rows) {
        state.on_the_way.insert(turn.number);
        state.rows_on_the_way += turn.rows;
        state.ready.push_back(Load { turn, rows });
        self.work.notify_one();
    }

    /// Puts a failed batch back in line. It does not wait for room, as its memory is in use anyway.
    pub(super) fn retry(&self, batch: FailedBatch) {
        let mut state = self.state();
        if state.closed || state.workers == 0 {
            state
                .failed
                .push_back(InsertError::new(gone(), Some(batch)));
        } else {
            let turn = Turn {
                number: state.number(),
                rows: batch.rows,
            };
            self.hand_over(&mut state, turn, Rows::Again(batch));
        }
    }

    /// Sends what is there. A flush waits for the batches with lower numbers than this, and not for
    /// those that others fill in the meantime.
    pub(super) fn start_flush(&self) -> Result<u64, InsertError> {
        let mut state = self.state();
        if let Some(error) = state.failed.pop_front() {
            return Err(error);
        }
        if state.is_collecting() {
            if state.awaited.is_none() {
                state.awaited = Some(state.number());
            }
            state.due = true;
            self.ship(&mut state);
        }
        Ok(state.next_number)
    }

    /// Says whether all batches with lower numbers have come back.
    pub(super) fn flushed(&self, end: u64) -> Result<Flushed, InsertError> {
        let mut state = self.state();
        if let Some(error) = state.failed.pop_front() {
            return Err(error);
        }
        let mut open = state.on_the_way.iter().chain(&state.awaited);
        Ok(if open.any(|number| *number < end) {
            Flushed::NotYet
        } else {
            Flushed::All
        })
    }

    /// Waits until a batch has come back after this call.
    pub(super) fn progress(&self) -> Notified<'_> {
        self.done.notified()
    }

    pub(super) fn summary(&self) -> InsertSummary {
        self.state().summary
    }

    /// Rows that were taken and have not been confirmed or given back.
    pub(super) fn pending(&self) -> usize {
        let state = self.state();
        let failed = state.failed.iter().filter_map(InsertError::batch);
        state.batch.as_ref().map_or(0, |batch| batch.rows)
            + state.rows_on_the_way
            + failed.map(FailedBatch::rows).sum::<usize>()
    }

    /// Takes no more rows, and lets the workers end when nothing is left for them.
    pub(super) fn close(&self) -> bool {
        let mut state = self.state();
        self.work.notify_waiters();
        self.work.notify_one();
        self.armed.notify_one();
        !std::mem::replace(&mut state.closed, true)
    }

    /// The next batch, `None` when the inserter is closed and nothing is left.
    async fn next(&self) -> Option<Load> {
        loop {
            {
                let mut state = self.state();
                if let Some(load) = state.ready.pop_front() {
                    if !state.ready.is_empty() {
                        self.work.notify_one();
                    }
                    return Some(load);
                }
                if state.closed {
                    self.work.notify_one();
                    return None;
                }
            }
            self.work.notified().await;
        }
    }

    /// The batch as parameters; its memory is free for new rows from now on. If they cannot be made,
    /// the batch is settled with that.
    fn unpack(&self, load: Load) -> Option<Parcel> {
        let turn = load.turn;
        let mut batch = match load.rows {
            Rows::New(batch)
            | Rows::Again(FailedBatch {
                unsent: Some(batch),
                ..
            }) => batch,
            Rows::Again(FailedBatch { sql, params, .. }) => {
                return Some(Parcel { turn, sql, params });
            }
        };
        let plan = self.plan.get();
        let params = plan.map_or_else(|| Err(gone()), |plan| batch.take_params(plan));
        let sql = plan.map(|plan| plan.sql.clone()).unwrap_or_default();
        match params {
            Ok(params) => {
                self.state().spare.push(*batch);
                Some(Parcel { turn, sql, params })
            }
            Err(error) => {
                let batch = FailedBatch {
                    sql,
                    params: Vec::new(),
                    rows: turn.rows,
                    unsent: Some(batch),
                };
                self.settle(turn, Err(InsertError::new(error, Some(batch))));
                None
            }
        }
    }

    fn settle(&self, turn: Turn, result: Result<usize, InsertError>) {
        let mut state = self.state();
        state.on_the_way.remove(&turn.number);
        state.rows_on_the_way -= turn.rows;
        match result {
            Ok(affected) => {
                state.summary.rows += u64::try_from(turn.rows).unwrap_or_default();
                state.summary.batches += 1;
                state.summary.affected_rows += u64::try_from(affected).unwrap_or_default();
            }
            Err(error) => {
                state.summary.failed_batches += 1;
                state.failed.push_back(error);
            }
        }
        if state.due {
            self.ship(&mut state);
        }
        self.done.notify_waiters();
    }

    fn worker_ends(&self) {
        let mut state = self.state();
        state.workers -= 1;
        if state.workers > 0 {
            return;
        }
        // Nobody is left to send these. Rows of an inserter that was dropped have no one to go to.
        if !state.closed {
            self.hand_over_collected(&mut state);
        }
        while let Some(load) = state.ready.pop_front() {
            drop(state);
            if let Some(parcel) = self.unpack(load) {
                self.settle(parcel.turn, Err(parcel.fail(gone())));
            }
            state = self.state();
        }
        self.done.notify_waiters();
    }

    /// Sends the batch whose time has come. Returns when there is no more to come.
    pub(super) async fn watch_the_clock(&self) {
        loop {
            let next = {
                let mut state = self.state();
                if state.closed {
                    return;
                }
                if state.deadline.is_some_and(|at| at <= Instant::now()) {
                    state.deadline = None;
                    state.due = true;
                    self.ship(&mut state);
                }
                state.timer_rests = state.deadline.is_none();
                state.deadline
            };
            match next {
                Some(deadline) => sleep_until(deadline).await,
                None => self.armed.notified().await,
            }
        }
    }
}

impl Parcel {
    fn fail(self, error: RawError) -> InsertError {
        let batch = FailedBatch {
            sql: self.sql,
            params: self.params,
            rows: self.turn.rows,
            unsent: None,
        };
        InsertError::new(error, Some(batch))
    }
}

/// Gives the rows back if the worker ends while it holds them.
struct InHand<'a> {
    shared: &'a Shared,
    parcel: Option<Parcel>,
}

impl InHand<'_> {
    fn done(mut self, result: RawResult<usize>) {
        if let Some(parcel) = self.parcel.take() {
            self.shared
                .settle(parcel.turn, result.map_err(|error| parcel.fail(error)));
        }
    }
}

impl Drop for InHand<'_> {
    fn drop(&mut self) {
        if let Some(parcel) = self.parcel.take() {
            let turn = parcel.turn;
            let error = parcel.fail(gone().with_outcome_unknown());
            self.shared.settle(turn, Err(error));
        }
    }
}

/// A worker, from before its task starts, which it may never do.
pub(super) struct Worker(pub(super) Arc<Shared>);

impl Drop for Worker {
    fn drop(&mut self) {
        self.0.worker_ends();
    }
}

/// Executes batches on one statement, one after another.
pub(super) async fn work<Q, S>(worker: Worker, mut stmt: S)
where
    Q: AsyncQueryable,
    S: Stmt2AsyncBindable<Q>,
{
    let shared = &*worker.0;
    let mut prepared = Prepared::default();
    while let Some(load) = shared.next().await {
        let Some(parcel) = shared.unpack(load) else {
            continue;
        };
        let hand = InHand {
            shared,
            parcel: Some(parcel),
        };
        let result = match &hand.parcel {
            Some(parcel) => send::<Q, S>(&mut stmt, &mut prepared, parcel).await,
            None => Ok(0),
        };
        if result.is_err() {
            // What is bound in it now is unknown (taosadapter-ws §9.4), so it begins anew.
            prepared = Prepared::default();
        }
        hand.done(result);
    }
}

async fn send<Q, S>(stmt: &mut S, prepared: &mut Prepared, parcel: &Parcel) -> RawResult<usize>
where
    Q: AsyncQueryable,
    S: Stmt2AsyncBindable<Q>,
{
    if prepared.sql != parcel.sql {
        let told = stmt.prepare(&parcel.sql).await.map(drop);
        prepared.older = match &told {
            Ok(()) => older::is_needed(&parcel.sql, stmt.fields()),
            Err(error) => older::is_meant(error),
        };
        let tags = parcel.params.first().and_then(Stmt2BindParam::tags);
        match older::statement(&parcel.sql, tags.map_or(0, <[_]>::len)) {
            Some(sql) if prepared.older => drop(stmt.prepare(&sql).await?),
            _ => told?,
        }
        parcel.sql.clone_into(&mut prepared.sql);
    }
    let qualified = if prepared.older {
        older::params(&parcel.sql, &parcel.params)
    } else {
        None
    };
    stmt.bind(qualified.as_ref().unwrap_or(&parcel.params))
        .await?;
    stmt.exec().await
}

/// The default of [`InserterBuilder::max_delay`](super::InserterBuilder::max_delay).
pub(super) const MAX_DELAY: Duration = Duration::from_secs(1);
