//! What groups have committed, in the store.

use rusqlite::{Connection, OptionalExtension};

use crate::sql::SqlError;
use crate::store::{Store, Write, internal, sqlite_error};

/// One group's place in one vgroup of a topic.
pub(super) struct Row {
    pub(super) group: String,
    pub(super) topic: String,
    pub(super) vgroup: i32,
    pub(super) committed: Option<i64>,
    pub(super) start: Option<i64>,
}

/// What a group has committed in a vgroup, and where it began there.
pub(super) type Place = (Option<i64>, Option<i64>);

/// Reads the table.
pub(super) fn load(store: &Store) -> Result<Vec<Row>, SqlError> {
    // Not by a reader: a store that was only opened is to have no thread that closes after it.
    let (tell, told) = std::sync::mpsc::channel();
    store.write(move |write| {
        // Whoever asked waits for it.
        let _ = tell.send(rows(write.connection).map_err(sqlite_error)?);
        Ok(0)
    })?;
    told.recv().map_err(internal)
}

fn rows(connection: &Connection) -> rusqlite::Result<Vec<Row>> {
    let sql = "SELECT grp, topic, vgroup, committed, start FROM grp_offset";
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map([], |row| {
        Ok(Row {
            group: row.get(0)?,
            topic: row.get(1)?,
            vgroup: row.get(2)?,
            committed: row.get(3)?,
            start: row.get(4)?,
        })
    })?;
    rows.collect()
}

/// Where a group is in a vgroup; `None` if it is not known there.
pub(super) fn find(
    write: &Write<'_>,
    group: &str,
    topic: &str,
    vgroup: i32,
) -> Result<Option<Place>, SqlError> {
    let sql =
        "SELECT committed, start FROM grp_offset WHERE grp = ?1 AND topic = ?2 AND vgroup = ?3";
    let found = write.connection.prepare_cached(sql).and_then(|mut query| {
        let row = query.query_row((group, topic, vgroup), |row| Ok((row.get(0)?, row.get(1)?)));
        row.optional()
    });
    found.map_err(sqlite_error)
}

/// Makes a group known in a vgroup, with the place where it begins if that is not the log's begin.
pub(super) fn begin(
    write: &Write<'_>,
    group: &str,
    topic: &str,
    vgroup: i32,
    start: Option<i64>,
) -> Result<(), SqlError> {
    let sql = "INSERT INTO grp_offset (grp, topic, vgroup, start) VALUES (?1, ?2, ?3, ?4) \
               ON CONFLICT DO UPDATE SET start = excluded.start";
    write.execute(sql, (group, topic, vgroup, start)).map(drop)
}

/// Writes down what a group has committed; false if it is not known in the vgroup.
pub(super) fn commit(
    write: &Write<'_>,
    group: &str,
    topic: &str,
    vgroup: i32,
    offset: i64,
) -> Result<bool, SqlError> {
    let sql = "UPDATE grp_offset SET committed = ?4 WHERE grp = ?1 AND topic = ?2 AND vgroup = ?3";
    let changed = write.execute(sql, (group, topic, vgroup, offset))?;
    Ok(changed > 0)
}

pub(super) fn forget_topic(write: &Write<'_>, topic: &str) -> Result<(), SqlError> {
    let sql = "DELETE FROM grp_offset WHERE topic = ?1";
    write.execute(sql, [topic]).map(drop)
}

/// Forgets a group; false if it is not known.
pub(super) fn forget_group(write: &Write<'_>, group: &str, topic: &str) -> Result<bool, SqlError> {
    let sql = "DELETE FROM grp_offset WHERE grp = ?1 AND topic = ?2";
    Ok(write.execute(sql, (group, topic))? > 0)
}
