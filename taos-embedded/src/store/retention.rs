//! Rows that a database no longer keeps (KEEP) and tables whose time is over (TTL) are removed, some
//! thousand rows a transaction, so that no writer waits for long. Each step is whole: a server that is killed
//! goes on where it was. Topics are told nothing of it, as by the original.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::{Connection, OptionalExtension};

use super::Published;
use super::readers::Readers;
use super::writer::{Write, Writer};
use crate::catalog::{Catalog, Database, Entry, TableDef};
use crate::plan::tick;
use crate::sql::SqlError;

/// Rows that one step removes, but for those that share its last time.
const STEP: i64 = 4096;
/// Subtables that one step looks at.
const TABLES: usize = 20_000;
const DAY: i64 = 24 * 3600 * 1000;

/// What the work is done with.
pub(super) struct Retention {
    pub(super) published: Arc<Published>,
    pub(super) readers: Readers,
    pub(super) writer: Writer,
    /// Ends what is under way.
    pub(super) halted: Arc<AtomicBool>,
}

/// What a step found.
#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    /// Subtables, and the last time that goes of each.
    old: Vec<(i64, i64)>,
    /// The subtable that the next step begins with; `None` behind the last.
    next: Option<i64>,
}

/// The first time that a database keeps, at this moment.
fn kept_from(database: &Database, now: i64) -> i64 {
    let precision = database.precision();
    let [.., keep] = database.options.keep;
    let kept = i128::from(keep) * 60 * i128::from(precision.ticks_per_second());
    let from = i128::from(now.div_euclid(tick(precision))) - kept;
    i64::try_from(from).unwrap_or(i64::MIN)
}

/// Whether the time of a table is over.
fn is_expired(created: i64, ttl: i32, now: i64) -> bool {
    let end = created.saturating_add(i64::from(ttl).saturating_mul(DAY));
    ttl > 0 && end <= now.div_euclid(1_000_000)
}

/// The number, the super table if there is one, and whether the time of a table is over.
fn state(entry: &Entry, now: i64) -> (i64, Option<&str>, bool) {
    match entry {
        Entry::Normal(def) => (def.id, None, is_expired(def.created, def.ttl, now)),
        Entry::Child(child) => {
            let is_over = is_expired(child.created, child.ttl, now);
            (child.id, Some(&child.stable), is_over)
        }
    }
}

/// The number of the table that holds the rows of an entry.
fn data_of(database: &Database, entry: &Entry) -> Option<i64> {
    match entry {
        Entry::Normal(def) => Some(def.id),
        Entry::Child(child) => database.stables.get(&child.stable).map(|def| def.id),
    }
}

/// True if a topic reads the table, which keeps it from being dropped.
fn is_read(catalog: &Catalog, id: i64) -> bool {
    let mut topics = catalog.topics.values();
    topics.any(|topic| topic.table == id || topic.def == id)
}

impl Retention {
    /// For how long each database keeps rows.
    pub(super) fn keeps(&self) -> BTreeMap<i64, [i64; 3]> {
        let catalog = self.published.get();
        let databases = catalog.databases.values();
        databases.map(|db| (db.id, db.options.keep)).collect()
    }

    /// Removes what is over at this time, in nanoseconds since 1970, and says in the log what went.
    pub(super) fn look(&self, now: i64) {
        let catalog = self.published.get();
        for database in catalog.databases.values() {
            for (table, name) in self.over(database, now) {
                match self.expire(database, (table, &name), now) {
                    Ok(true) => {
                        tracing::info!(
                            database = database.name,
                            table = name,
                            "a table's TTL is over"
                        );
                    }
                    Ok(false) => {}
                    Err(error) => tracing::debug!(%error, name, "an expired table stays for now"),
                }
            }
            match self.rows(database, now) {
                Ok(0) => {}
                Ok(rows) => {
                    tracing::info!(
                        database = database.name,
                        rows,
                        "rows older than KEEP are removed"
                    );
                }
                Err(error) => tracing::debug!(%error, "rows older than KEEP stay for now"),
            }
        }
    }

    fn is_halted(&self) -> bool {
        self.halted.load(Ordering::Relaxed)
    }

    /// Removes the rows that a database no longer keeps; says how many.
    fn rows(&self, database: &Database, now: i64) -> Result<u64, SqlError> {
        let normal = database.tables.iter().filter_map(|(_, entry)| match entry {
            Entry::Normal(def) => Some(def),
            Entry::Child(_) => None,
        });
        let before = kept_from(database, now);
        let mut rows = 0;
        for def in database.stables.values().chain(normal) {
            let mut from = Some(i64::MIN);
            while let Some(first) = from
                && !self.is_halted()
            {
                let id = def.id;
                let found = self.readers.run(move |c| old_rows(c, id, first, before))?;
                if !found.old.is_empty() {
                    rows += self.remove(database, def, found.old)?;
                }
                from = found.next;
            }
        }
        Ok(rows)
    }

    fn remove(
        &self,
        database: &Database,
        def: &Arc<TableDef>,
        old: Vec<(i64, i64)>,
    ) -> Result<u64, SqlError> {
        let (id, db, keep) = (def.id, database.name.clone(), database.options.keep);
        let (name, is_super) = (def.name.clone(), def.is_super());
        self.writer.run(Box::new(move |write| {
            // a table or an option may have changed since
            let same = write.catalog().database(&db).is_ok_and(|database| {
                let found = match is_super {
                    true => database.stables.get(&name).map(|def| def.id),
                    false => database
                        .tables
                        .get(&name)
                        .and_then(|e| data_of(database, e)),
                };
                found == Some(id) && database.options.keep == keep
            });
            if !same {
                return Ok(0);
            }
            let sql = format!("DELETE FROM d{id} WHERE tbl = ?1 AND ts <= ?2");
            let mut rows = 0;
            for part in old {
                let gone = write.execute(&sql, <[i64; 2]>::from(part))?;
                rows += u64::try_from(gone).unwrap_or_default();
            }
            Ok(rows)
        }))
    }

    /// The tables of a database whose time is over, unless topics read them.
    fn over(&self, database: &Database, now: i64) -> Vec<(i64, String)> {
        let catalog = self.published.get();
        let tables = database.tables.iter().filter_map(|(name, entry)| {
            let (id, _, is_over) = state(entry, now);
            (is_over && !is_read(&catalog, id)).then(|| (id, name.to_owned()))
        });
        tables.collect()
    }

    /// Empties a table step by step, and drops it in the last; true if it went.
    fn expire(
        &self,
        database: &Database,
        (table, name): (i64, &str),
        now: i64,
    ) -> Result<bool, SqlError> {
        let Some(data) = database.tables.get(name).and_then(|e| data_of(database, e)) else {
            return Ok(false);
        };
        loop {
            if self.is_halted() {
                return Ok(false);
            }
            let (last, rows) = self
                .readers
                .run(move |connection| last_of_step(connection, data, (table, i64::MAX), STEP))?;
            let is_last = rows < STEP;
            let until = if is_last { i64::MAX } else { last };
            let (db, name) = (database.name.clone(), name.to_owned());
            let gone = self.writer.run(Box::new(move |write| {
                let place = (db.as_str(), name.as_str());
                drop_step(write, place, (table, data), until, (is_last, now))
            }))?;
            if is_last || gone == 0 {
                return Ok(gone > 0);
            }
        }
    }
}

/// Removes the rows of an expired table up to a time, and the table itself if that was all. 1 if the table
/// is still the one that is meant.
fn drop_step(
    write: &mut Write<'_>,
    (db, name): (&str, &str),
    (table, data): (i64, i64),
    until: i64,
    (is_last, now): (bool, i64),
) -> Result<u64, SqlError> {
    let Ok(database) = write.catalog().database(db) else {
        return Ok(0);
    };
    let Some(entry) = database.tables.get(name) else {
        return Ok(0);
    };
    let (id, stable, is_over) = state(entry, now);
    if (id, data_of(database, entry)) != (table, Some(data))
        || !is_over
        || is_read(write.catalog(), id)
    {
        return Ok(0);
    }
    let is_child = stable.is_some();
    write.execute(
        &format!("DELETE FROM d{data} WHERE tbl = ?1 AND ts <= ?2"),
        [table, until],
    )?;
    if is_last {
        if is_child {
            write.execute(&format!("DELETE FROM t{data} WHERE tbl = ?1"), [table])?;
        } else {
            write.batch(&format!("DROP TABLE d{data}"))?;
            write.execute("DELETE FROM tbl WHERE id = ?1", [table])?;
        }
        write.catalog_mut().database_mut(db)?.tables.remove(name);
    }
    Ok(1)
}

/// The last time of the first `most` rows of a table in front of a time, and how many they are.
fn last_of_step(
    connection: &Connection,
    data: i64,
    (table, before): (i64, i64),
    most: i64,
) -> rusqlite::Result<(i64, i64)> {
    let sql = format!(
        "SELECT coalesce(max(ts), 0), count(*) FROM (SELECT ts FROM d{data} \
         WHERE tbl = ?1 AND ts < ?2 ORDER BY ts LIMIT ?3)"
    );
    connection
        .prepare_cached(&sql)?
        .query_row([table, before, most], |row| Ok((row.get(0)?, row.get(1)?)))
}

/// Looks from a subtable on for rows in front of a time, as many as one step removes.
fn old_rows(connection: &Connection, data: i64, from: i64, before: i64) -> rusqlite::Result<Found> {
    let sql = format!("SELECT tbl, ts FROM d{data} WHERE tbl >= ?1 ORDER BY tbl, ts LIMIT 1");
    let mut first = connection.prepare_cached(&sql)?;
    let mut found = Found::default();
    let (mut from, mut room) = (from, STEP);
    for _ in 0..TABLES {
        let row = first.query_row([from], |row| Ok((row.get(0)?, row.get(1)?)));
        let Some((table, ts)): Option<(i64, i64)> = row.optional()? else {
            return Ok(found);
        };
        if ts < before {
            let (last, rows) = last_of_step(connection, data, (table, before), room)?;
            found.old.push((table, last));
            room -= rows;
            if room <= 0 {
                found.next = Some(table);
                return Ok(found);
            }
        }
        let Some(next) = table.checked_add(1) else {
            return Ok(found);
        };
        from = next;
    }
    found.next = Some(from);
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;
    use crate::engine::{Answer, Engine, Session, Storage};

    fn exec(session: &Session, sql: &str) {
        session
            .execute(sql)
            .map(drop)
            .unwrap_or_else(|e| panic!("{sql}: {e}"));
    }

    fn count(session: &Session, sql: &str) -> i64 {
        let Ok(Answer::Rows(mut rows)) = session.execute(sql) else {
            panic!("{sql}");
        };
        let block = rows.next_block().unwrap().unwrap();
        match block.to_values().first().and_then(|row| row.first()) {
            Some(taos_query::common::Value::BigInt(n)) => *n,
            other => panic!("{sql}: {other:?}"),
        }
    }

    fn rows_of(precision: &str, table: &str) {
        let dir = tempfile::tempdir().unwrap();
        let engine = Engine::open(Storage::Dir(dir.path().to_owned())).unwrap();
        let session = engine.session("root");
        exec(
            &session,
            &format!("create database d keep 10 duration 1 precision '{precision}'"),
        );
        exec(&session, table);
        for n in 0..5 {
            // more than two steps of them in one table, few in the others
            let rows = if n == 1 { 9_000 } else { 3 };
            let old: Vec<String> = (0..rows)
                .map(|row| format!("(now - {}a, {row})", 8 * 86_400_000 - row))
                .collect();
            let name = if table.contains("tags") {
                format!("d.t{n} using d.t tags({n})")
            } else {
                "d.t".to_owned()
            };
            exec(
                &session,
                &format!("insert into {name} values {}", old.join(",")),
            );
            exec(
                &session,
                &format!("insert into {name} values (now - 1d, 1) (now + 1h, 2)"),
            );
        }
        let before = count(&session, "select count(*) from d.t");
        engine.store().retention().look(clock::nanos());
        assert_eq!(
            count(&session, "select count(*) from d.t"),
            before,
            "KEEP is 10 days"
        );
        let later = clock::nanos() + 3 * DAY * 1_000_000;
        engine.store().retention().look(later);
        let left = count(&session, "select count(*) from d.t");
        assert_eq!(
            left,
            count(&session, "select count(*) from d.t where ts > now - 7d")
        );
        assert!(left >= 2 && left < before, "{left} of {before}");
        // what is left is still there after a restart
        engine.close();
        drop((session, engine));
        let engine = Engine::open(Storage::Dir(dir.path().to_owned())).unwrap();
        assert_eq!(
            count(&engine.session("root"), "select count(*) from d.t"),
            left
        );
    }

    #[test]
    fn rows_older_than_keep_go_and_nothing_else_does() {
        rows_of("ms", "create stable d.t (ts timestamp, v int) tags (g int)");
        rows_of("ns", "create stable d.t (ts timestamp, v int) tags (g int)");
        rows_of("us", "create table d.t (ts timestamp, v int)");
        rows_of("ms", "create table d.t (ts timestamp, k int composite key)");
    }

    #[test]
    fn tables_go_when_their_ttl_is_over_and_not_before() {
        let engine = Engine::open(Storage::Memory).unwrap();
        let session = engine.session("root");
        exec(&session, "create database d");
        exec(
            &session,
            "create stable d.st (ts timestamp, v int) tags (g int)",
        );
        exec(&session, "create table d.a using d.st tags(1) ttl 1");
        exec(&session, "create table d.b using d.st tags(2) ttl 3");
        exec(&session, "create table d.c using d.st tags(3)");
        exec(&session, "create table d.n (ts timestamp, v int) ttl 1");
        exec(&session, "create table d.read (ts timestamp, v int) ttl 1");
        exec(&session, "create topic reader as select * from d.read");
        let many: Vec<String> = (0..9_000)
            .map(|row| format!("(now + {row}a, {row})"))
            .collect();
        for table in ["a", "b", "c", "n", "read"] {
            exec(
                &session,
                &format!("insert into d.{table} values {}", many.join(",")),
            );
        }
        let tables = || -> Vec<String> {
            let catalog = engine.store().catalog();
            let database = catalog.database("d").unwrap();
            let mut names: Vec<String> = database
                .tables
                .iter()
                .map(|(name, _)| name.to_owned())
                .collect();
            names.sort();
            names
        };
        engine.store().retention().look(clock::nanos());
        assert_eq!(tables(), ["a", "b", "c", "n", "read"]);
        engine
            .store()
            .retention()
            .look(clock::nanos() + 2 * DAY * 1_000_000);
        assert_eq!(tables(), ["b", "c", "read"]);
        assert_eq!(count(&session, "select count(*) from d.st"), 18_000);
        exec(&session, "create table d.n (ts timestamp, other double)");
        exec(
            &session,
            "insert into d.a using d.st tags(9) values (now, 1)",
        );
        assert_eq!(count(&session, "select count(*) from d.a"), 1);
        assert_eq!(count(&session, "select count(*) from d.n"), 0);
    }
}
