//! Entries that a database need not keep any longer are removed, a few at a time, so that no writer waits
//! for long (WAL_RETENTION_PERIOD, WAL_RETENTION_SIZE).

use std::collections::HashMap;
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
                let mut oldest = Oldest::new();
                while stopped.recv_timeout(PERIOD) == Err(RecvTimeoutError::Timeout) {
                    if let Err(error) = tools.trim(now(), &mut oldest) {
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

/// Where logs begin and how old their first entry is, so that those of which nothing may go are passed over
/// without a look at the file.
pub(in super::super) type Oldest = HashMap<i32, (i64, i64)>;

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
    pub(in super::super) fn trim(&self, now: i64, oldest: &mut Oldest) -> Result<(), SqlError> {
        let catalog = self.published.get();
        for database in catalog.databases.values() {
            let limits = Limits::of(database, now);
            if limits.before.is_none() && limits.bytes.is_none() {
                continue;
            }
            for vgroup in database.vgroups() {
                while self.step(database, vgroup, limits, oldest)? {}
            }
        }
        Ok(())
    }

    /// Removes a few entries; true if there are more to remove.
    fn step(
        &self,
        database: &Database,
        vgroup: i32,
        limits: Limits,
        oldest: &mut Oldest,
    ) -> Result<bool, SqlError> {
        let (begin, end) = self.logs.bounds(vgroup);
        if end <= begin.max(super::FIRST) {
            return Ok(false);
        }
        let is_young = |(first, at): &(i64, i64)| {
            *first == begin && limits.before.is_none_or(|before| *at >= before)
        };
        if limits.bytes.is_none() && oldest.get(&vgroup).is_some_and(is_young) {
            return Ok(false);
        }
        let versions = begin..end;
        let found = self
            .readers
            .run(move |connection| expired(connection, vgroup, versions, limits))?;
        match found.kept {
            Some(at) => oldest.insert(vgroup, (found.next.unwrap_or(begin), at)),
            None => oldest.remove(&vgroup),
        };
        let Some(next) = found.next else {
            return Ok(false);
        };
        let (id, db) = (database.id, database.name.clone());
        self.writer.run(Box::new(move |write| {
            let is_same = |database: &Database| database.id == id;
            if write.catalog().database(&db).is_ok_and(|d| is_same(d)) {
                write.trim_log(vgroup, next)?;
            }
            Ok(0)
        }))?;
        Ok(found.is_more)
    }
}

/// What one step may remove.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Expired {
    /// Where the log may begin then; `None` if nothing may go.
    pub(super) next: Option<i64>,
    /// More than that may go.
    pub(super) is_more: bool,
    /// The time of the first entry that stays, if it was met.
    pub(super) kept: Option<i64>,
}

/// Looks for what one step may remove.
pub(super) fn expired(
    connection: &Connection,
    vgroup: i32,
    versions: std::ops::Range<i64>,
    limits: Limits,
) -> rusqlite::Result<Expired> {
    let (first, end) = (key(vgroup, versions.start), key(vgroup, versions.end));
    let surplus = match limits.bytes {
        Some(bytes) => surplus(connection, first, end, bytes)?,
        None => first,
    };
    let mut statement = connection.prepare_cached(
        "SELECT id, at, length(body) FROM log WHERE id >= ?1 AND id < ?2 ORDER BY id",
    )?;
    let mut rows = statement.query([first, end])?;
    let mut found = Expired::default();
    let (mut entries, mut bytes) = (0, 0_i64);
    while let Some(row) = rows.next()? {
        let (id, at): (i64, i64) = (row.get(0)?, row.get(1)?);
        if id >= surplus && limits.before.is_none_or(|before| at >= before) {
            found.kept = Some(at);
            break;
        }
        if entries >= STEP_ENTRIES || bytes >= STEP_BYTES {
            found.is_more = true;
            break;
        }
        found.next = Some(version_of(id) + 1);
        entries += 1;
        bytes = bytes.saturating_add(row.get(2)?);
    }
    Ok(found)
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
