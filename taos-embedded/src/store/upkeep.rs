//! The thread that removes what need not be kept: entries of logs, rows beyond KEEP, tables beyond their
//! TTL.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::internal;
use super::log::{Oldest, TrimTools};
use super::retention::Retention;
use crate::clock;
use crate::sql::SqlError;

/// How often the logs are looked through.
const LOGS: Duration = Duration::from_secs(1);
/// How often rows and tables are, and whenever a database keeps them for another time.
const ROWS: Duration = Duration::from_secs(30);

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
                let mut looked: Option<Instant> = None;
                let mut kept = None;
                while stopped.recv_timeout(LOGS) == Err(RecvTimeoutError::Timeout) {
                    if let Err(error) = trim.trim(clock::millis(), &mut oldest) {
                        tracing::debug!(%error, "old changes stay for now");
                    }
                    let keeps = retention.keeps();
                    let is_due = looked.is_none_or(|at| at.elapsed() >= ROWS);
                    if is_due || kept.as_ref() != Some(&keeps) {
                        retention.look(clock::nanos());
                        (looked, kept) = (Some(Instant::now()), Some(keeps));
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

    /// Ends the thread.
    pub(super) fn stop(&mut self) {
        self.halted.store(true, Ordering::Relaxed);
        drop(self.stop.take());
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
