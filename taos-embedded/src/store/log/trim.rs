//! Entries that a database need not keep any longer are removed, a few at a time, so that no writer waits
//! for long (WAL_RETENTION_PERIOD, WAL_RETENTION_SIZE).

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;

use super::super::Published;
use super::super::readers::Readers;
use super::super::writer::Writer;
use super::{Logs, key, now, version_of};
use crate::catalog::Database;
use crate::sql::SqlError;
use crate::store::internal;

/// How often the logs are looked through.
const PERIOD: Duration = Duration::from_secs(1);
/// What one step removes at the most.
const STEP_ENTRIES: usize = 256;
const STEP_BYTES: i64 = 4 << 20;

/// What the work is done with.
pub(in super::super) struct TrimTools {
    pub(in super::super) published: Arc<Published>,
    pub(in super::super) logs: Arc<Logs>,
    pub(in super::super) readers: Readers,
    pub(in super::super) writer: Writer,
}

/// The thread that trims; it ends when this is dropped.
#[derive(Debug)]
pub(in super::super) struct Trimmer {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Trimmer {
    pub(in super::super) fn start(tools: TrimTools) -> Result<Self, SqlError> {
        let (stop, stopped) = channel();
        let thread = std::thread::Builder::new()
            .name("taos-trim".to_owned())
            .spawn(move || {
                while stopped.recv_timeout(PERIOD) == Err(RecvTimeoutError::Timeout) {
                    if let Err(error) = tools.trim(now()) {
                        tracing::debug!(%error, "old changes stay for now");
                    }
                }
            })
            .map_err(internal)?;
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Ends the thread.
    pub(in super::super) fn stop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != std::thread::current().id()
            && thread.join().is_err()
        {
            tracing::error!("the thread that trims the logs ended in a panic");
        }
    }
}

impl Drop for Trimmer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// What of a log may go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Entries that are older, in milliseconds since 1970.
    pub(super) before: Option<i64>,
    /// Entries in front of the last so many bytes.
    pub(super) bytes: Option<i64>,
}

impl Limits {
    pub(super) fn of(database: &Database, now: i64) -> Self {
        let kibibytes = database.options.number("wal_retention_size");
        let seconds = database.options.number("wal_retention_period");
        Self {
            before: (seconds >= 0).then(|| now.saturating_sub(seconds.saturating_mul(1000))),
            bytes: (kibibytes > 0).then(|| kibibytes.saturating_mul(1024)),
        }
    }
}

impl TrimTools {
    /// Removes what no log need keep at this time.
    pub(in super::super) fn trim(&self, now: i64) -> Result<(), SqlError> {
        let catalog = self.published.get();
        for database in catalog.databases.values() {
            let limits = Limits::of(database, now);
            if limits.before.is_none() && limits.bytes.is_none() {
                continue;
            }
            for vgroup in database.vgroups() {
                while self.step(database.id, &database.name, vgroup, limits)? {}
            }
        }
        Ok(())
    }

    /// Removes a few entries; true if there are more to remove.
    fn step(&self, id: i64, db: &str, vgroup: i32, limits: Limits) -> Result<bool, SqlError> {
        let (begin, end) = self.logs.bounds(vgroup);
        if end <= begin.max(super::FIRST) {
            return Ok(false);
        }
        let versions = begin..end;
        let found = self
            .readers
            .run(move |connection| expired(connection, vgroup, versions, limits))?;
        let Some((next, is_more)) = found else {
            return Ok(false);
        };
        let db = db.to_owned();
        self.writer.run(Box::new(move |write| {
            let is_same = |database: &Database| database.id == id;
            if write.catalog().database(&db).is_ok_and(|d| is_same(d)) {
                write.trim_log(vgroup, next)?;
            }
            Ok(0)
        }))?;
        Ok(is_more)
    }
}

/// Where the log may begin after one step, and whether more than that may go; `None` if nothing may.
pub(super) fn expired(
    connection: &Connection,
    vgroup: i32,
    versions: std::ops::Range<i64>,
    limits: Limits,
) -> rusqlite::Result<Option<(i64, bool)>> {
    let (first, end) = (key(vgroup, versions.start), key(vgroup, versions.end));
    let surplus = match limits.bytes {
        Some(bytes) => surplus(connection, first, end, bytes)?,
        None => first,
    };
    let mut statement = connection.prepare_cached(
        "SELECT id, at, length(body) FROM log WHERE id >= ?1 AND id < ?2 ORDER BY id",
    )?;
    let mut rows = statement.query([first, end])?;
    let (mut next, mut entries, mut bytes) = (None, 0, 0_i64);
    while let Some(row) = rows.next()? {
        let (id, at): (i64, i64) = (row.get(0)?, row.get(1)?);
        if id >= surplus && limits.before.is_none_or(|before| at >= before) {
            break;
        }
        if entries >= STEP_ENTRIES || bytes >= STEP_BYTES {
            return Ok(next.map(|next| (next, true)));
        }
        next = Some(version_of(id) + 1);
        entries += 1;
        bytes = bytes.saturating_add(row.get(2)?);
    }
    Ok(next.map(|next| (next, false)))
}

/// The first key whose entry and all behind it have no more than so many bytes.
fn surplus(connection: &Connection, first: i64, end: i64, most: i64) -> rusqlite::Result<i64> {
    let mut statement = connection.prepare_cached(
        "SELECT id, length(body) FROM log WHERE id >= ?1 AND id < ?2 ORDER BY id DESC",
    )?;
    let mut rows = statement.query([first, end])?;
    let (mut kept, mut bytes) = (end, 0_i64);
    while let Some(row) = rows.next()? {
        bytes = bytes.saturating_add(row.get(1)?);
        if bytes > most {
            break;
        }
        kept = row.get(0)?;
    }
    Ok(kept)
}
