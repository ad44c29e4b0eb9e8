//! What queries may take: time, and memory beside SQLite's own bounds.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::cancel::Cancel;
use super::error::shutting_down;
use crate::sql::SqlError;

/// The code of a query that was ended before it was done.
pub(crate) const KILLED: u32 = 0x022D;
/// The code of what would need more memory than queries may have.
pub(crate) const NO_MEMORY: u32 = 0x073A;
/// Steps of SQLite's machine between two looks at the clock, some hundred microseconds.
pub(super) const STEPS: i32 = 20_000;
/// Bytes of a statement that the log shows.
const TEXT: usize = 400;

/// What statements may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueryLimits {
    /// How long a query may compute; what it waits for its client does not count.
    pub max_query_time: Option<Duration>,
    /// Statements that take longer are named in the log.
    pub slow_query: Option<Duration>,
    /// Bytes that SQLite may have, and of which collecting functions may have a quarter.
    pub max_memory: Option<u64>,
}

impl Default for QueryLimits {
    fn default() -> Self {
        Self {
            max_query_time: Some(Duration::from_secs(600)),
            slow_query: Some(Duration::from_secs(3)),
            max_memory: None,
        }
    }
}

impl QueryLimits {
    /// KiB of a connection's cache: as many as are asked for, or a part of all memory if that is less.
    pub(super) fn cache(&self, kib: u64, part: u64) -> u64 {
        let most = self
            .max_memory
            .map_or(u64::MAX, |bytes| bytes / 1024 / part);
        kib.min(most.max(512))
    }

    /// Names a statement in the log if it took too long.
    pub(crate) fn report(&self, sql: &str, took: Duration) {
        if !sql.is_empty() && self.slow_query.is_some_and(|limit| took >= limit) {
            let text = crate::sql::clip(sql, TEXT);
            let cut = if text.len() < sql.len() { " …" } else { "" };
            tracing::warn!(
                seconds = took.as_secs_f64(),
                "slow statement: {}{cut}",
                text.escape_debug()
            );
        }
    }
}

/// Says of a query that it ran too long.
fn killed(limit: Duration) -> SqlError {
    SqlError::new(
        KILLED,
        format!(
            "Query killed: it computed for more than {} s; narrow its range of time, or allow more by \
             --max-query-time",
            limit.as_secs_f64()
        ),
    )
}

/// The clock of a reader's present job, looked at by SQLite while it computes.
#[derive(Debug, Default)]
pub(super) struct Timer {
    run: Mutex<Run>,
    /// Ends all jobs.
    closing: Arc<AtomicBool>,
}

#[derive(Debug, Default)]
struct Run {
    started: Option<Instant>,
    limit: Option<Duration>,
    /// Spent waiting for the client.
    waited: Duration,
    is_over: bool,
    cancel: Option<Arc<Cancel>>,
}

impl Timer {
    fn state(&self) -> MutexGuard<'_, Run> {
        self.run.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A clock that ends what runs once this is true.
    pub(super) fn new(closing: Arc<AtomicBool>) -> Self {
        Self {
            run: Mutex::default(),
            closing,
        }
    }

    fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }

    /// True if the present job is to end.
    pub(super) fn is_over(&self) -> bool {
        let mut run = self.state();
        // an interrupt that comes before a statement's first step is forgotten by SQLite
        if run
            .cancel
            .as_ref()
            .is_some_and(|cancel| cancel.is_unwanted())
        {
            return true;
        }
        if run.started.is_some() && self.is_closing() {
            return true;
        }
        let (Some(started), Some(limit)) = (run.started, run.limit) else {
            return false;
        };
        run.is_over |= started.elapsed().saturating_sub(run.waited) > limit;
        run.is_over
    }

    /// Takes time off that was spent waiting.
    pub(super) fn add_waited(&self, time: Duration) {
        self.state().waited += time;
    }

    /// Runs `work` with the clock on, until somebody cancels it; gives the time that it computed too.
    pub(super) fn run<T>(
        self: &Arc<Self>,
        limit: Option<Duration>,
        cancel: Option<&Arc<Cancel>>,
        work: impl FnOnce() -> Result<T, SqlError>,
    ) -> (Result<T, SqlError>, Duration) {
        let started = Instant::now();
        *self.state() = Run {
            started: Some(started),
            limit,
            cancel: cancel.cloned(),
            ..Run::default()
        };
        let outcome = work();
        let run = std::mem::take(&mut *self.state());
        let outcome = match limit {
            _ if self.is_closing() => outcome.map_err(|_| shutting_down()),
            Some(limit) if run.is_over => outcome.map_err(|_| killed(limit)),
            _ => outcome,
        };
        (outcome, started.elapsed().saturating_sub(run.waited))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_spent_waiting_for_a_client_is_not_a_querys_own() {
        let timer = Arc::new(Timer::default());
        let limit = Some(Duration::from_secs(5));
        let (outcome, _) = timer.run(limit, None, || {
            assert!(!timer.is_over());
            timer.add_waited(Duration::from_secs(9));
            assert!(!timer.is_over());
            Ok(())
        });
        assert_eq!(outcome, Ok(()));
        assert!(!timer.is_over(), "nothing runs");
        let (outcome, _) = timer.run(Some(Duration::ZERO), None, || {
            assert!(timer.is_over());
            Err::<(), _>(SqlError::unsupported("what SQLite says of it"))
        });
        assert_eq!(outcome.unwrap_err().code, KILLED);
    }
}
