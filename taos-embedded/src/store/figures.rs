//! How the store fares, in numbers.

use super::{FILE, Store};
use crate::metrics::Counter;

/// What the writer has done since the start.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub(super) commits: Counter,
    pub(super) changes: Counter,
    pub(super) log_entries: Counter,
    pub(super) log_bytes: Counter,
}

/// Reader threads by what they do, and what waits for one.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ReaderFigures {
    pub(crate) busy: usize,
    /// Waiting for clients to fetch.
    pub(crate) waiting: usize,
    pub(crate) idle: usize,
    pub(crate) queued: usize,
}

/// The store at one moment.
#[derive(Debug)]
pub(crate) struct Figures {
    /// Transactions since the start.
    pub(crate) commits: u64,
    /// Changes in them.
    pub(crate) changes: u64,
    /// Entries added to logs since the start, and their bytes.
    pub(crate) appended_entries: u64,
    pub(crate) appended_bytes: u64,
    /// Entries that the logs keep.
    pub(crate) log_entries: u64,
    /// Names of files and their bytes; 0 for one that is not there.
    pub(crate) files: [(&'static str, u64); 2],
    pub(crate) readers: ReaderFigures,
}

impl Store {
    /// Looks at files, but runs nothing on them.
    pub(crate) fn figures(&self) -> Figures {
        let path = self.inner.readers.path();
        let size = |extension: &str| {
            let path = path.with_extension(extension);
            path.metadata().map_or(0, |file| file.len())
        };
        let logs = &self.inner.logs;
        Figures {
            commits: logs.written.commits.get(),
            changes: logs.written.changes.get(),
            appended_entries: logs.written.log_entries.get(),
            appended_bytes: logs.written.log_bytes.get(),
            log_entries: logs.entries(),
            files: [(FILE, size("db")), ("taos.db-wal", size("db-wal"))],
            readers: self.inner.readers.figures(),
        }
    }
}
