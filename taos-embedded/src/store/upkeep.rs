//! The thread that removes what need not be kept: entries of logs, rows beyond KEEP, tables beyond their
//! TTL.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::internal;
use super::log::{Oldest, TrimTools};
use super::retention::{Complaint, Retention};
use crate::clock;
use crate::sql::SqlError;

/// How often the logs are looked through.
const LOGS: Duration = Duration::from_secs(1);
/// How often rows and tables are, and whenever a database keeps them for another time.
const ROWS: Duration = Duration::from_secs(30);
/// The part of its time that this may be: with very many subtables a look takes seconds of a reader.
const PART: u32 = 50;

/// How long to wait after a look that took so long.
fn pause_after(took: Duration) -> Duration {
    ROWS.max(took.saturating_mul(PART))
}

/// When the logs were trimmed, and whether that failed.
#[derive(Default)]
struct Logs {
    trimmed: Option<Instant>,
    complaint: Complaint,
}

impl Logs {
    /// Trims them, if that is due.
    fn trim(&mut self, tools: &TrimTools, oldest: &mut Oldest) {
        if self.trimmed.is_some_and(|at| at.elapsed() < LOGS) {
            return;
        }
        let outcome = tools.trim(clock::millis(), oldest);
        if !tools.halted.load(Ordering::Relaxed) {
            self.complaint.tell("old changes", &outcome);
        }
        self.trimmed = Some(Instant::now());
    }
}

/// The thread; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Upkeep {
    stop: Option<Sender<()>>,
    /// Ends what is under way.
    halted: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Upkeep {
    pub(super) fn start(
        trim: TrimTools,
        retention: Retention,
        halted: Arc<AtomicBool>,
    ) -> Result<Self, SqlError> {
        let (stop, stopped) = channel();
        let thread = std::thread::Builder::new()
            .name("taos-upkeep".to_owned())
            .spawn(move || {
                let mut oldest = Oldest::new();
                let mut logs = Logs::default();
                let mut due = Instant::now();
                let mut kept = None;
                while stopped.recv_timeout(LOGS) == Err(RecvTimeoutError::Timeout) {
                    logs.trim(&trim, &mut oldest);
                    let keeps = retention.keeps();
                    if due <= Instant::now() || kept.as_ref() != Some(&keeps) {
                        let began = Instant::now();
                        // what is removed may be much, and logs must not grow meanwhile
                        retention.look(clock::nanos(), &mut || logs.trim(&trim, &mut oldest));
                        due = Instant::now() + pause_after(began.elapsed());
                        kept = Some(keeps);
                    }
                }
            })
            .map_err(internal)?;
        Ok(Self {
            stop: Some(stop),
            halted,
            thread: Some(thread),
        })
    }

    /// Has the thread end after the step that it is at.
    pub(super) fn halt(&mut self) {
        self.halted.store(true, Ordering::Relaxed);
        drop(self.stop.take());
    }

    /// Ends the thread.
    pub(super) fn stop(&mut self) {
        self.halt();
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != std::thread::current().id()
            && thread.join().is_err()
        {
            tracing::error!("the thread that removes what is old ended in a panic");
        }
    }
}

impl Drop for Upkeep {
    fn drop(&mut self) {
        self.stop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_take_a_small_part_of_the_time_however_long_one_is() {
        assert_eq!(pause_after(Duration::from_millis(1)), ROWS);
        assert_eq!(
            pause_after(Duration::from_secs(3)),
            Duration::from_secs(150)
        );
    }
}
