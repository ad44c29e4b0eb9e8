//! Threads that read, each with a connection of its own.
//!
//! A job may wait for a client that does not fetch its rows. Such a waiting thread does not count
//! against [`ACTIVE`]: another one is started in its place, up to [`THREADS`] in all. A result of up to
//! two blocks never waits. While one waits, the log in front of the file cannot be emptied and grows with
//! what is written. Beyond that bound further statements wait until a result is read or dropped, which
//! the server does on behalf of clients that leave theirs unread.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::cancel::{Cancel, Lifeline};
use super::error::{cancelled, shutting_down};
use super::figures::ReaderFigures;
use super::limits::{QueryLimits, STEPS, Timer};
use super::{internal, sqlite_error};
use crate::sql::SqlError;

/// Threads that compute at the same time.
const ACTIVE: usize = 16;
/// The part of the memory allowed that the cache of one of them may take: a quarter for all that compute,
/// as much for those that have just done so, and the rest for sorts and results.
const CACHES: u64 = 64;
/// Threads in all, those that wait for their clients included.
const THREADS: usize = 256;
/// Threads that stay when there is nothing to do.
const KEPT: usize = 4;
const IDLE: Duration = Duration::from_secs(10);

type Job = Box<dyn FnOnce(Result<&Reader, SqlError>) + Send>;

/// What a thread reads with.
pub(super) struct Reader {
    pub(super) connection: Connection,
    pub(super) timer: Arc<Timer>,
}

#[derive(Debug, Clone)]
pub(super) struct Readers {
    shared: Arc<Shared>,
}

struct Shared {
    path: PathBuf,
    limits: QueryLimits,
    state: Mutex<State>,
    work: Condvar,
    /// Ends what runs.
    closing: Arc<AtomicBool>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

#[derive(Default)]
struct State {
    queue: VecDeque<Job>,
    threads: usize,
    idle: usize,
    parked: usize,
    closed: bool,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a thread if there is work that no idle one will take.
    fn grow(self: &Arc<Self>, state: &mut State) -> Result<(), SqlError> {
        if state.queue.len() <= state.idle
            || state.threads - state.parked >= ACTIVE
            || state.threads >= THREADS
        {
            return Ok(());
        }
        let shared = Arc::clone(self);
        let spawned = std::thread::Builder::new()
            .name("taos-reader".to_owned())
            .spawn(move || shared.serve());
        match spawned {
            Ok(_) => state.threads += 1,
            Err(error) if state.threads == state.parked => {
                return Err(internal(format!(
                    "no reader thread can be started: {error}"
                )));
            }
            Err(error) => tracing::warn!(%error, "no further reader thread can be started"),
        }
        Ok(())
    }

    fn serve(&self) {
        let mut reader = None;
        while let Some(job) = self.next() {
            if reader.is_none() {
                match open(&self.path, self.limits, &self.closing) {
                    Ok(opened) => reader = Some(opened),
                    Err(error) => {
                        job(Err(sqlite_error(error)));
                        continue;
                    }
                }
            }
            if let Some(open) = &reader {
                let run = std::panic::AssertUnwindSafe(|| job(Ok(open)));
                if std::panic::catch_unwind(run).is_err() {
                    tracing::error!("a read ended in a panic");
                    reader = None;
                }
            }
        }
        self.state().threads -= 1;
    }

    fn next(&self) -> Option<Job> {
        let mut state = self.state();
        loop {
            if let Some(job) = state.queue.pop_front() {
                return Some(job);
            }
            // their caches would be too many together
            if state.closed || state.idle >= ACTIVE {
                return None;
            }
            state.idle += 1;
            let (woken, timeout) = self
                .work
                .wait_timeout(state, IDLE)
                .unwrap_or_else(PoisonError::into_inner);
            state = woken;
            state.idle -= 1;
            if timeout.timed_out() && state.queue.is_empty() && state.threads > KEPT {
                return None;
            }
        }
    }
}

fn open(path: &Path, limits: QueryLimits, closing: &Arc<AtomicBool>) -> rusqlite::Result<Reader> {
    let mut connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    // sorts beyond the cache go to temporary files, so that a query's memory is bounded
    connection.execute_batch(&format!(
        "PRAGMA query_only = 1;
         PRAGMA cache_size = -{};
         PRAGMA temp_store = FILE;
         PRAGMA busy_timeout = 10000;",
        limits.cache(8 << 10, CACHES)
    ))?;
    connection.set_prepared_statement_cache_capacity(64);
    crate::plan::register_functions(&connection)?;
    let timer = Arc::new(Timer::new(Arc::clone(closing)));
    let clock = Arc::clone(&timer);
    connection.progress_handler(STEPS, Some(move || clock.is_over()))?;
    Ok(Reader { connection, timer })
}

impl Readers {
    pub(super) fn new(path: PathBuf, limits: QueryLimits) -> Self {
        Self {
            shared: Arc::new(Shared {
                path,
                limits,
                state: Mutex::default(),
                work: Condvar::new(),
                closing: Arc::default(),
            }),
        }
    }

    pub(super) fn submit(&self, job: Job) -> Result<(), SqlError> {
        let mut state = self.shared.state();
        if state.closed {
            return Err(shutting_down());
        }
        state.queue.push_back(job);
        self.shared.grow(&mut state)?;
        drop(state);
        self.shared.work.notify_one();
        Ok(())
    }

    pub(super) fn limits(&self) -> QueryLimits {
        self.shared.limits
    }

    pub(super) fn run<T, F>(&self, work: F) -> Result<T, SqlError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        self.run_wanted(None, None, work)
    }

    /// As [`run`](Self::run), for work of a user's statement: it has its time, and ends with `line`.
    pub(super) fn run_for<T, F>(&self, line: &Lifeline, work: F) -> Result<T, SqlError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let cancel = Arc::new(Cancel::default());
        line.tie(&cancel);
        self.run_wanted(self.shared.limits.max_query_time, Some(cancel), work)
    }

    fn run_wanted<T, F>(
        &self,
        limit: Option<Duration>,
        cancel: Option<Arc<Cancel>>,
        work: F,
    ) -> Result<T, SqlError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let (reply, answer) = sync_channel(1);
        self.submit(Box::new(move |reader| {
            let outcome = reader.and_then(|reader| {
                let Reader { connection, timer } = reader;
                if let Some(cancel) = &cancel
                    && !cancel.start(connection.get_interrupt_handle())
                {
                    return Err(cancelled());
                }
                let work = || work(connection).map_err(sqlite_error);
                let (outcome, _) = timer.run(limit, cancel.as_ref(), work);
                if let Some(cancel) = &cancel {
                    cancel.finish();
                }
                outcome
            });
            // nobody may be waiting any more
            let _ = reply.send(outcome);
        }))?;
        answer
            .recv()
            .unwrap_or_else(|_| Err(internal("a read ended without an answer")))
    }

    /// True if work waits and no further thread may be started for it.
    pub(super) fn is_crowded(&self) -> bool {
        let state = self.shared.state();
        !state.queue.is_empty() && state.threads >= THREADS
    }

    /// The file that is read.
    pub(super) fn path(&self) -> &Path {
        &self.shared.path
    }

    /// What the threads do now.
    pub(super) fn figures(&self) -> ReaderFigures {
        let state = self.shared.state();
        ReaderFigures {
            busy: state.threads.saturating_sub(state.idle + state.parked),
            waiting: state.parked,
            idle: state.idle,
            queued: state.queue.len(),
        }
    }

    /// What a job says while it waits for its client.
    pub(super) fn parking(&self) -> Parking {
        Parking(Arc::clone(&self.shared))
    }

    /// Refuses what waits, interrupts what computes, and lets the threads end.
    pub(super) fn close(&self) {
        let mut state = self.shared.state();
        state.closed = true;
        let waiting = std::mem::take(&mut state.queue);
        drop(state);
        self.shared.closing.store(true, Ordering::Relaxed);
        self.shared.work.notify_all();
        for job in waiting {
            job(Err(shutting_down()));
        }
    }
}

/// Lets a job say that its thread waits for a client.
pub(super) struct Parking(Arc<Shared>);

impl Parking {
    /// True if so many threads wait that their caches are worth more than the time to fill them again.
    pub(super) fn is_crowded(&self) -> bool {
        self.0.state().parked >= ACTIVE
    }

    pub(super) fn wait<T>(&self, blocking: impl FnOnce() -> T) -> T {
        {
            let mut state = self.0.state();
            state.parked += 1;
            if let Err(error) = self.0.grow(&mut state) {
                tracing::warn!(%error, "statements wait for a reader");
            }
        }
        let result = blocking();
        self.0.state().parked -= 1;
        result
    }
}
