//! What the inserter and its tasks share: rows being collected, batches on their way, and results.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
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

/// Rows for a worker.
enum Load {
    New(Box<Batch>),
    Again(FailedBatch),
}

/// Rows at a worker.
struct Parcel {
    sql: String,
    params: Vec<Stmt2BindParam>,
    rows: usize,
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
    ready: VecDeque<Load>,
    /// Batches that are ready or at a worker.
    on_the_way: usize,
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
        let mut guard = self.state();
        let state = &mut *guard;
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
        if state.on_the_way >= self.options.in_flight() {
            return false;
        }
        state.due = false;
        state.deadline = None;
        if let Some(batch) = state.batch.take_if(|batch| batch.rows > 0) {
            self.hand_over(state, batch.rows, Load::New(Box::new(batch)));
        }
        true
    }

    fn hand_over(&self, state: &mut State, rows: usize, load: Load) {
        state.on_the_way += 1;
        state.rows_on_the_way += rows;
        state.ready.push_back(load);
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
            self.hand_over(&mut state, batch.rows, Load::Again(batch));
        }
    }

    /// One step of a flush: sends what is there, and says whether all has come back.
    pub(super) fn flush(&self) -> Result<Flushed, InsertError> {
        let mut state = self.state();
        if let Some(error) = state.failed.pop_front() {
            return Err(error);
        }
        let waiting = state.batch.as_ref().is_some_and(|batch| batch.rows > 0);
        if waiting {
            if state.closed || state.workers == 0 {
                return Err(gone().into());
            }
            state.due = true;
            self.ship(&mut state);
        }
        Ok(if state.on_the_way == 0 {
            Flushed::All
        } else {
            Flushed::NotYet
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

    /// The batch as parameters; its memory is free for new rows from now on.
    fn unpack(&self, load: Load) -> Result<Parcel, (usize, InsertError)> {
        let mut batch = match load {
            Load::Again(FailedBatch { sql, params, rows }) => {
                return Ok(Parcel { sql, params, rows });
            }
            Load::New(batch) => batch,
        };
        let rows = batch.rows;
        let plan = self.plan.get().ok_or_else(|| (rows, gone().into()))?;
        let params = batch
            .take_params(plan)
            .map_err(|error| (rows, error.into()))?;
        self.state().spare.push(*batch);
        Ok(Parcel {
            sql: plan.sql.clone(),
            params,
            rows,
        })
    }

    fn settle(&self, rows: usize, result: Result<usize, InsertError>) {
        let mut state = self.state();
        state.on_the_way -= 1;
        state.rows_on_the_way -= rows;
        match result {
            Ok(affected) => {
                state.summary.rows += u64::try_from(rows).unwrap_or_default();
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
        // Nobody is left to send these.
        while let Some(load) = state.ready.pop_front() {
            drop(state);
            let (rows, error) = match self.unpack(load) {
                Ok(parcel) => (parcel.rows, parcel.fail(gone())),
                Err((rows, error)) => (rows, error),
            };
            self.settle(rows, Err(error));
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
            rows: self.rows,
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
            let rows = parcel.rows;
            self.shared
                .settle(rows, result.map_err(|error| parcel.fail(error)));
        }
    }
}

impl Drop for InHand<'_> {
    fn drop(&mut self) {
        if let Some(parcel) = self.parcel.take() {
            let rows = parcel.rows;
            let error = parcel.fail(gone().with_outcome_unknown());
            self.shared.settle(rows, Err(error));
        }
    }
}

struct Present<'a>(&'a Shared);

impl Drop for Present<'_> {
    fn drop(&mut self) {
        self.0.worker_ends();
    }
}

/// Executes batches on one statement, one after another.
pub(super) async fn work<Q, S>(shared: &Shared, mut stmt: S)
where
    Q: AsyncQueryable,
    S: Stmt2AsyncBindable<Q>,
{
    let _present = Present(shared);
    let mut prepared = Prepared::default();
    while let Some(load) = shared.next().await {
        let parcel = match shared.unpack(load) {
            Ok(parcel) => parcel,
            Err((rows, error)) => {
                shared.settle(rows, Err(error));
                continue;
            }
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
