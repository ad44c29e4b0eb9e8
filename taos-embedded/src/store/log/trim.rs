//! Entries that a database need not keep any longer are removed, a few at a time, so that no writer waits
//! for long (WAL_RETENTION_PERIOD, WAL_RETENTION_SIZE).

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::Connection;

use super::super::Published;
use super::super::readers::Readers;
use super::super::writer::Writer;
use super::{Logs, key, version_of};
use crate::catalog::Database;
use crate::sql::SqlError;

/// Entries and bytes that one step removes at the most.
const STEP: (usize, i64) = (8192, 4 << 20);
/// Bytes of one log that a store in memory keeps at the most: what fills it up harms more than tables.
pub(in super::super) const MEMORY_BYTES: i64 = 256 << 20;

/// What the work is done with.
pub(in super::super) struct TrimTools {
    pub(in super::super) published: Arc<Published>,
    pub(in super::super) logs: Arc<Logs>,
    pub(in super::super) readers: Readers,
    pub(in super::super) writer: Writer,
    /// Bytes of one log, whatever its database says.
    pub(in super::super) most: Option<i64>,
    /// Ends what is under way.
    pub(in super::super) halted: Arc<AtomicBool>,
}

/// What is known of logs, so that nothing of them is read again.
pub(in super::super) type Oldest = HashMap<i32, Seen>;

/// What was seen of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Seen {
    begin: i64,
    /// The time of the entry there, if it was met.
    at: Option<i64>,
    /// The version up to which bytes were counted, and how many there are.
    counted: i64,
    pub(super) bytes: i64,
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
    /// What the options of a database say, and `most` bytes beside them.
    pub(super) fn of(database: &Database, now: i64, most: Option<i64>) -> Self {
        let kibibytes = database.options.number("wal_retention_size");
        let seconds = database.options.number("wal_retention_period");
        Self {
            before: (seconds >= 0).then(|| now.saturating_sub(seconds.saturating_mul(1000))),
            bytes: (kibibytes > 0)
                .then(|| kibibytes.saturating_mul(1024))
                .into_iter()
                .chain(most)
                .min(),
        }
    }
}

impl TrimTools {
    /// Removes what no log need keep at this time.
    pub(in super::super) fn trim(&self, now: i64, oldest: &mut Oldest) -> Result<(), SqlError> {
        let catalog = self.published.get();
        for database in catalog.databases.values() {
            let limits = Limits::of(database, now, self.most);
            if limits.before.is_none() && limits.bytes.is_none() {
                continue;
            }
            for vgroup in database.vgroups() {
                while !self.halted.load(Ordering::Relaxed)
                    && self.step(database, vgroup, limits, oldest)?
                {}
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
        let seen = oldest.get(&vgroup).filter(|seen| seen.begin == begin);
        let seen = seen.copied().unwrap_or(Seen {
            begin,
            at: None,
            counted: begin,
            bytes: 0,
        });
        let is_young = seen
            .at
            .is_some_and(|at| limits.before.is_none_or(|before| at >= before));
        let is_small = limits
            .bytes
            .is_none_or(|most| seen.counted == end && seen.bytes <= most);
        if is_young && is_small {
            return Ok(false);
        }
        let (found, bytes) = self.readers.run(move |connection| {
            let added = match limits.bytes {
                Some(_) => bytes_of(connection, vgroup, seen.counted..end)?,
                None => 0,
            };
            let bytes = seen.bytes.saturating_add(added);
            let found = expired(connection, vgroup, begin..end, (limits, bytes), STEP)?;
            Ok((found, bytes))
        })?;
        let next = found.next.unwrap_or(begin);
        let seen = Seen {
            begin: next,
            at: found.kept,
            counted: if limits.bytes.is_some() { end } else { next },
            bytes: if limits.bytes.is_some() {
                bytes - found.bytes
            } else {
                0
            },
        };
        if found.next.is_none() {
            oldest.insert(vgroup, seen);
            return Ok(false);
        }
        let (id, db) = (database.id, database.name.clone());
        self.writer.run(Box::new(move |write| {
            let is_same = |database: &Database| database.id == id;
            if write.catalog().database(&db).is_ok_and(|d| is_same(d)) {
                write.trim_log(vgroup, next)?;
            }
            Ok(0)
        }))?;
        oldest.insert(vgroup, seen);
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
    /// Bytes of what may go.
    pub(super) bytes: i64,
}

/// Looks for what one step may remove of a log of so many bytes.
pub(super) fn expired(
    connection: &Connection,
    vgroup: i32,
    versions: Range<i64>,
    (limits, size): (Limits, i64),
    (most_entries, most_bytes): (usize, i64),
) -> rusqlite::Result<Expired> {
    let mut statement = connection.prepare_cached(
        "SELECT id, at, length(body) FROM log WHERE id >= ?1 AND id < ?2 ORDER BY id",
    )?;
    let mut rows = statement.query([key(vgroup, versions.start), key(vgroup, versions.end)])?;
    let mut found = Expired::default();
    let mut entries = 0;
    while let Some(row) = rows.next()? {
        let (id, at): (i64, i64) = (row.get(0)?, row.get(1)?);
        let is_surplus = limits.bytes.is_some_and(|most| size - found.bytes > most);
        if !is_surplus && limits.before.is_none_or(|before| at >= before) {
            found.kept = Some(at);
            break;
        }
        if entries >= most_entries || found.bytes >= most_bytes {
            found.is_more = true;
            break;
        }
        found.next = Some(version_of(id) + 1);
        entries += 1;
        found.bytes = found.bytes.saturating_add(row.get(2)?);
    }
    Ok(found)
}

/// Bytes of the entries of these versions.
fn bytes_of(connection: &Connection, vgroup: i32, versions: Range<i64>) -> rusqlite::Result<i64> {
    connection
        .prepare_cached(
            "SELECT coalesce(sum(length(body)), 0) FROM log WHERE id >= ?1 AND id < ?2",
        )?
        .query_row(
            [key(vgroup, versions.start), key(vgroup, versions.end)],
            |row| row.get(0),
        )
}
