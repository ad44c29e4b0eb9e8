//! The logs of changes: one for each vgroup, entries numbered without gaps, written in the transaction of
//! the change itself. What topics read comes from here.

mod codec;
#[cfg(test)]
mod tests;
mod trim;

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use rusqlite::Connection;
use tokio::sync::watch;

pub(crate) use codec::{Packed, Rows, pack};
pub(super) use trim::{MEMORY_BYTES, Oldest, TrimTools};

use super::figures::Written;
use super::{internal, sqlite_error};
use crate::clock;
use crate::meta::{Meta, NewKind, NewTable};
use crate::sql::SqlError;
use crate::tmq::{Body, Entry};

/// The version of a log's first entry; 0 and 1 stand for the making of the vgroup.
pub(crate) const FIRST: i64 = 2;
/// The key of an entry has the version in its lower bits and the vgroup above them.
const VERSION_BITS: u32 = 40;
/// Rows that one entry has at most, so that what a topic makes of them has a bound too.
pub(crate) const ENTRY_ROWS: usize = 4096;
/// Bytes that one entry has at most, but for a single row of more.
pub(crate) const ENTRY_BYTES: usize = 4 << 20;
/// Tables that one message creates or drops.
const MOST_TABLES: usize = 1024;
const TAGS_TOO_LONG: u32 = 0x263D;

const APPEND: &str = "INSERT INTO log (id, at, body) VALUES (?1, ?2, ?3)";

/// The key of an entry.
fn key(vgroup: i32, version: i64) -> i64 {
    (i64::from(vgroup) << VERSION_BITS) | version
}

/// The version in an entry's key.
const fn version_of(key: i64) -> i64 {
    key & ((1 << VERSION_BITS) - 1)
}

/// Where a log begins and where its next entry goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Bounds {
    begin: i64,
    end: i64,
}

impl Bounds {
    const NEW: Self = Self {
        begin: 0,
        end: FIRST,
    };
}

/// The logs as the last commit left them.
#[derive(Debug)]
pub(super) struct Logs {
    bounds: RwLock<HashMap<i32, Bounds>>,
    changes: watch::Sender<u64>,
    pub(super) written: Written,
}

impl Logs {
    /// Reads the bounds of the logs of these vgroups.
    pub(super) fn load(
        connection: &Connection,
        vgroups: impl Iterator<Item = i32>,
    ) -> rusqlite::Result<Self> {
        let mut bounds = HashMap::new();
        let mut last = connection
            .prepare("SELECT id FROM log WHERE id >= ?1 AND id < ?2 ORDER BY id DESC LIMIT 1")?;
        let mut begun = connection.prepare("SELECT begin FROM log_begin WHERE vgroup = ?1")?;
        for vgroup in vgroups {
            let mut rows = begun.query([vgroup])?;
            let begin: i64 = rows.next()?.map_or(Ok(0), |row| row.get(0))?;
            drop(rows);
            let mut rows = last.query([key(vgroup, 0), key(vgroup + 1, 0)])?;
            let end = match rows.next()? {
                Some(row) => version_of(row.get(0)?) + 1,
                None => begin.max(FIRST),
            };
            bounds.insert(vgroup, Bounds { begin, end });
        }
        Ok(Self {
            bounds: RwLock::new(bounds),
            changes: watch::Sender::new(0),
            written: Written::default(),
        })
    }

    fn get(&self, vgroup: i32) -> Bounds {
        let bounds = self.bounds.read().unwrap_or_else(PoisonError::into_inner);
        bounds.get(&vgroup).copied().unwrap_or(Bounds::NEW)
    }

    /// How many entries there are in all logs.
    pub(super) fn entries(&self) -> u64 {
        let bounds = self.bounds.read().unwrap_or_else(PoisonError::into_inner);
        let kept = bounds.values().map(|log| log.end - log.begin.max(FIRST));
        u64::try_from(kept.sum::<i64>()).unwrap_or(0)
    }

    /// The first version that is still there, and the one that the next entry will have.
    pub(super) fn bounds(&self, vgroup: i32) -> (i64, i64) {
        let Bounds { begin, end } = self.get(vgroup);
        (begin, end)
    }

    /// Ticks after each commit that added to a log.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}

/// What a statement adds to one log.
#[derive(Debug)]
enum Pending {
    /// Rows in their stored form, and how many they are.
    Rows(Vec<u8>, u64),
    Meta(Box<Meta>),
}

/// What the statements of one transaction do to the logs.
#[derive(Debug)]
pub(super) struct Additions {
    logs: Arc<Logs>,
    /// Where logs end that this transaction added to.
    ends: HashMap<i32, i64>,
    /// Where logs begin that this transaction trimmed.
    begins: HashMap<i32, i64>,
    /// Vgroups that are gone.
    dropped: Vec<Range<i32>>,
    /// Entries that this transaction added, and their bytes.
    appended: (u64, u64),
    statement: Statement,
}

/// What the present statement does.
#[derive(Debug, Default)]
struct Statement {
    pending: Vec<(i32, Pending)>,
    /// The last of `pending` for a vgroup.
    last: BTreeMap<i32, usize>,
    begins: Vec<(i32, i64)>,
    dropped: Vec<Range<i32>>,
    is_replay: bool,
}

fn too_long(_: codec::TooLong) -> SqlError {
    SqlError::new(TAGS_TOO_LONG, "Tags length exceeds max length 16384")
}

impl Statement {
    fn last(&mut self, vgroup: i32) -> Option<&mut Pending> {
        let at = *self.last.get(&vgroup)?;
        self.pending.get_mut(at).map(|(_, pending)| pending)
    }

    fn push(&mut self, vgroup: i32, pending: Pending) {
        self.last.insert(vgroup, self.pending.len());
        self.pending.push((vgroup, pending));
    }
}

/// True for subtables that one message can tell together; of normal tables it has no more than one.
fn are_children(tables: &[NewTable], more: &[NewTable]) -> bool {
    let is_child = |table: &NewTable| matches!(table.kind, NewKind::Child { .. });
    tables.len() < MOST_TABLES && tables.iter().chain(more).all(is_child)
}

impl Additions {
    pub(super) fn new(logs: Arc<Logs>) -> Self {
        Self {
            logs,
            ends: HashMap::new(),
            begins: HashMap::new(),
            dropped: Vec::new(),
            appended: (0, 0),
            statement: Statement::default(),
        }
    }

    /// Where a log ends for the present statement.
    pub(super) fn end(&self, vgroup: i32) -> i64 {
        let added = self.ends.get(&vgroup).copied();
        added.unwrap_or_else(|| self.logs.get(vgroup).end)
    }

    /// Before each statement.
    pub(super) fn begin(&mut self) {
        self.statement = Statement::default();
    }

    /// Says that the present statement is a replay of messages.
    pub(super) fn mark_replay(&mut self) {
        self.statement.is_replay = true;
    }

    /// Adds a change; those of one statement and vgroup become one entry where one can say them.
    pub(super) fn log(&mut self, vgroup: i32, body: Body) -> Result<(), SqlError> {
        let meta = match body {
            Body::Rows(parts) => {
                for part in parts {
                    let ids = (part.table, part.def);
                    let packed = codec::pack_entry(&part.rows);
                    self.log_rows(vgroup, ids, part.created.as_ref(), &packed)?;
                }
                return Ok(());
            }
            Body::Meta(meta) => meta,
        };
        let last = match self.statement.last(vgroup) {
            Some(Pending::Meta(last)) => Some(&mut **last),
            _ => None,
        };
        match (last, meta) {
            (Some(Meta::CreateTables { tables, .. }), Meta::CreateTables { tables: more, .. })
                if are_children(tables, &more) =>
            {
                tables.extend(more);
            }
            (Some(Meta::DropTables(tables)), Meta::DropTables(more))
                if tables.len() < MOST_TABLES =>
            {
                tables.extend(more);
            }
            (_, meta) => self.statement.push(vgroup, Pending::Meta(Box::new(meta))),
        }
        Ok(())
    }

    /// Adds rows that are packed; those of one statement and vgroup become one entry as long as it has room.
    pub(super) fn log_rows(
        &mut self,
        vgroup: i32,
        ids: (i64, i64),
        created: Option<&NewTable>,
        packed: &Packed,
    ) -> Result<(), SqlError> {
        if let Some(Pending::Rows(out, rows)) = self.statement.last(vgroup)
            && *rows + packed.rows <= ENTRY_ROWS as u64
            && out.len() + packed.bytes.len() <= ENTRY_BYTES
        {
            *rows += packed.rows;
            return codec::put_part(out, ids, created, packed).map_err(too_long);
        }
        let mut out = codec::rows();
        codec::put_part(&mut out, ids, created, packed).map_err(too_long)?;
        self.statement.push(vgroup, Pending::Rows(out, packed.rows));
        Ok(())
    }

    /// Removes the logs of vgroups that are gone for ever.
    pub(super) fn drop_logs(
        &mut self,
        connection: &Connection,
        vgroups: Range<i32>,
    ) -> rusqlite::Result<()> {
        connection.execute(
            "DELETE FROM log WHERE id >= ?1 AND id < ?2",
            [key(vgroups.start, 0), key(vgroups.end, 0)],
        )?;
        connection.execute(
            "DELETE FROM log_begin WHERE vgroup >= ?1 AND vgroup < ?2",
            [vgroups.start, vgroups.end],
        )?;
        self.statement.dropped.push(vgroups);
        Ok(())
    }

    /// Removes entries below `begin`.
    pub(super) fn trim(
        &mut self,
        connection: &Connection,
        vgroup: i32,
        begin: i64,
    ) -> rusqlite::Result<()> {
        connection
            .prepare_cached("DELETE FROM log WHERE id >= ?1 AND id < ?2")?
            .execute([key(vgroup, 0), key(vgroup, begin)])?;
        connection
            .prepare_cached("INSERT OR REPLACE INTO log_begin (vgroup, begin) VALUES (?1, ?2)")?
            .execute((vgroup, begin))?;
        self.statement.begins.push((vgroup, begin));
        Ok(())
    }

    /// Gives the changes of a statement that succeeded their versions and stores them.
    pub(super) fn finish(&mut self, connection: &Connection) -> Result<(), SqlError> {
        let statement = std::mem::take(&mut self.statement);
        if !statement.pending.is_empty() {
            let at = clock::millis();
            let mut before: Vec<(i32, Option<i64>)> = Vec::new();
            let (mut entries, mut length) = (0, 0);
            for (vgroup, pending) in statement.pending {
                let old = self.ends.get(&vgroup).copied();
                before.push((vgroup, old));
                let end = old.unwrap_or_else(|| self.logs.get(vgroup).end);
                self.ends.insert(vgroup, end + 1);
                let place = (key(vgroup, end), at);
                let appended = append(connection, place, pending, statement.is_replay);
                if let Ok(bytes) = &appended {
                    entries += 1;
                    length += bytes;
                }
                if let Err(error) = appended {
                    for (vgroup, old) in before.into_iter().rev() {
                        match old {
                            Some(old) => self.ends.insert(vgroup, old),
                            None => self.ends.remove(&vgroup),
                        };
                    }
                    return Err(error);
                }
            }
            self.appended.0 += entries;
            self.appended.1 += u64::try_from(length).unwrap_or(0);
        }
        self.begins.extend(statement.begins);
        self.dropped.extend(statement.dropped);
        Ok(())
    }

    /// After the commit of so many changes: everybody may see it.
    pub(super) fn publish(&mut self, changes: u64) {
        let has_grown = !self.ends.is_empty();
        if has_grown || !self.begins.is_empty() || !self.dropped.is_empty() {
            let mut bounds = self
                .logs
                .bounds
                .write()
                .unwrap_or_else(PoisonError::into_inner);
            for (vgroup, end) in self.ends.drain() {
                bounds.entry(vgroup).or_insert(Bounds::NEW).end = end;
            }
            for (vgroup, begin) in self.begins.drain() {
                bounds.entry(vgroup).or_insert(Bounds::NEW).begin = begin;
            }
            for vgroups in self.dropped.drain(..) {
                bounds.retain(|vgroup, _| !vgroups.contains(vgroup));
            }
        }
        if has_grown {
            self.logs.changes.send_modify(|count| *count += 1);
        }
        let (entries, bytes) = std::mem::take(&mut self.appended);
        let written = &self.logs.written;
        written.commits.add(1);
        written.changes.add(changes);
        written.log_entries.add(entries);
        written.log_bytes.add(bytes);
    }

    /// After a commit that failed.
    pub(super) fn reset(&mut self) {
        self.ends.clear();
        self.begins.clear();
        self.dropped.clear();
        self.appended = (0, 0);
        self.statement = Statement::default();
    }
}

/// Gives the length of the entry.
fn append(
    connection: &Connection,
    (key, at): (i64, i64),
    pending: Pending,
    is_replay: bool,
) -> Result<usize, SqlError> {
    let mut body = match pending {
        Pending::Rows(body, _) => body,
        Pending::Meta(mut meta) => {
            meta.set_source(u8::from(is_replay));
            codec::encode(&Body::Meta(*meta)).map_err(too_long)?
        }
    };
    if is_replay {
        codec::mark_replayed(&mut body);
    }
    connection
        .prepare_cached(APPEND)
        .and_then(|mut statement| statement.execute((key, at, &body)))
        .map(|_| body.len())
        .map_err(sqlite_error)
}

/// Entries of a log from `from` on and below `end`: at least one if there is any, then while they have
/// fewer rows and bytes than asked for.
pub(super) fn read(
    connection: &Connection,
    vgroup: i32,
    versions: Range<i64>,
    (max_rows, max_bytes): (usize, usize),
) -> rusqlite::Result<Vec<Entry>> {
    let mut statement = connection
        .prepare_cached("SELECT id, at, body FROM log WHERE id >= ?1 AND id < ?2 ORDER BY id")?;
    let keys = [key(vgroup, versions.start), key(vgroup, versions.end)];
    let mut found = statement.query(keys)?;
    let mut entries = Vec::new();
    let mut last = codec::Last::default();
    let (mut rows, mut bytes) = (0_usize, 0_usize);
    while let Some(row) = found.next()? {
        let body: Vec<u8> = row.get(2)?;
        bytes = bytes.saturating_add(body.len());
        let is_replayed = codec::is_replayed(&body);
        let body = codec::decode(Bytes::from(body), &mut last).map_err(|damaged| {
            rusqlite::Error::UserFunctionError(internal(damaged).message.into())
        })?;
        rows = rows.saturating_add(rows_of(&body));
        entries.push(Entry {
            version: version_of(row.get(0)?),
            at: row.get(1)?,
            is_replayed,
            body,
        });
        if rows >= max_rows || bytes >= max_bytes {
            break;
        }
    }
    Ok(entries)
}

/// Rows of an entry; a change of tables counts as one.
fn rows_of(body: &Body) -> usize {
    match body {
        Body::Rows(parts) => {
            let rows = parts.iter().map(|part| part.rows.rows);
            usize::try_from(rows.sum::<u64>()).unwrap_or(usize::MAX)
        }
        Body::Meta(_) => 1,
    }
}
