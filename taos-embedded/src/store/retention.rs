//! Rows that a database no longer keeps (KEEP) and tables whose time is over (TTL) are removed, some
//! thousand rows a transaction, so that no writer waits for long. Each step is whole: a server that is killed
//! goes on where it was. Topics are told nothing of it, as by the original.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::{CachedStatement, Connection, OptionalExtension};

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
/// What dropping an empty subtable costs a step, in rows, and a normal table, for which all tables of the
/// file are looked through.
const DROP: i64 = 4;
const DROP_NORMAL: i64 = 256;
const DAY: i64 = 24 * 3600 * 1000;

/// What the work is done with.
pub(super) struct Retention {
    pub(super) published: Arc<Published>,
    pub(super) readers: Readers,
    pub(super) writer: Writer,
    /// Ends what is under way.
    pub(super) halted: Arc<AtomicBool>,
    pub(super) complaints: Arc<Complaints>,
}

/// What has failed and is still failing, so that it is said once.
#[derive(Debug, Default)]
pub(super) struct Complaints {
    rows: Complaint,
    tables: Complaint,
}

/// Whether a failure was told.
#[derive(Debug, Default)]
pub(super) struct Complaint(AtomicBool);

impl Complaint {
    /// Tells of a failure; true if it is the first since the last success.
    pub(super) fn tell(&self, what: &str, outcome: &Result<(), SqlError>) -> bool {
        let Err(error) = outcome else {
            self.0.store(false, Ordering::Relaxed);
            return false;
        };
        let is_first = !self.0.swap(true, Ordering::Relaxed);
        if is_first {
            tracing::warn!(%error, "{what} stay for now; this is tried again");
        } else {
            tracing::debug!(%error, "{what} stay for now");
        }
        is_first
    }
}

/// A table whose time is over.
#[derive(Debug, Clone)]
struct Expired {
    id: i64,
    /// The table that holds its rows.
    data: i64,
    name: String,
}

/// What one step takes of expired tables.
#[derive(Debug, PartialEq, Eq)]
enum Going {
    /// So many of them whole.
    Whole(usize),
    /// Rows of the first up to this time.
    Part(i64),
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

    /// Removes what is over at this time, in nanoseconds since 1970, and says in the log what went. `between`
    /// is called after each step, for what cannot wait for all of them.
    pub(super) fn look(&self, now: i64, between: &mut dyn FnMut()) {
        let catalog = self.published.get();
        let (mut failed_tables, mut failed_rows) = (Ok(()), Ok(()));
        for database in catalog.databases.values() {
            let tables = self.expire(database, now, between);
            let rows = self.rows(database, now, between);
            if self.is_halted() {
                return;
            }
            let name = &database.name;
            match tables {
                Ok(0) => {}
                Ok(tables) => tracing::info!(database = name, tables, "the TTL of tables is over"),
                Err(error) => failed_tables = Err(error),
            }
            match rows {
                Ok(0) => {}
                Ok(rows) => {
                    tracing::info!(database = name, rows, "rows older than KEEP are removed")
                }
                Err(error) => failed_rows = Err(error),
            }
        }
        self.complaints
            .tables
            .tell("expired tables", &failed_tables);
        self.complaints
            .rows
            .tell("rows older than KEEP", &failed_rows);
    }

    fn is_halted(&self) -> bool {
        self.halted.load(Ordering::Relaxed)
    }

    /// Removes the rows that a database no longer keeps; says how many. Ends early if the database has
    /// changed meanwhile: the next look sees it as it is then.
    fn rows(
        &self,
        database: &Database,
        now: i64,
        between: &mut dyn FnMut(),
    ) -> Result<u64, SqlError> {
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
                    let Some(gone) = self.remove(database, def, found.old)? else {
                        return Ok(rows);
                    };
                    rows += gone;
                    between();
                }
                from = found.next;
            }
        }
        Ok(rows)
    }

    /// Removes rows of subtables up to a time of each; `None` if the table or the option is another by now.
    fn remove(
        &self,
        database: &Database,
        def: &Arc<TableDef>,
        old: Vec<(i64, i64)>,
    ) -> Result<Option<u64>, SqlError> {
        let (id, db, keep) = (def.id, database.name.clone(), database.options.keep);
        let (name, is_super) = (def.name.clone(), def.is_super());
        let is_same = Arc::new(AtomicBool::new(true));
        let still = Arc::clone(&is_same);
        let gone = self.writer.run(Box::new(move |write| {
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
            still.store(same, Ordering::Relaxed);
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
        }))?;
        Ok(is_same.load(Ordering::Relaxed).then_some(gone))
    }

    /// The tables of a database whose time is over, unless topics read them.
    fn over(&self, database: &Database, now: i64) -> Vec<Expired> {
        let catalog = self.published.get();
        let tables = database.tables.iter().filter_map(|(name, entry)| {
            let (id, _, is_over) = state(entry, now);
            let data = data_of(database, entry).filter(|_| is_over && !is_read(&catalog, id))?;
            let name = name.to_owned();
            Some(Expired { id, data, name })
        });
        tables.collect()
    }

    /// Drops the tables whose time is over, many small ones in a step and large ones in several; says how
    /// many.
    fn expire(
        &self,
        database: &Database,
        now: i64,
        between: &mut dyn FnMut(),
    ) -> Result<u64, SqlError> {
        let over: Arc<[Expired]> = self.over(database, now).into();
        let (mut first, mut dropped) = (0, 0);
        while first < over.len() && !self.is_halted() {
            let tables = Arc::clone(&over);
            let going = self
                .readers
                .run(move |c| going_of(c, tables.get(first..).unwrap_or_default()))?;
            let (tables, db) = (Arc::clone(&over), database.name.clone());
            let (count, until) = match going {
                Going::Whole(count) => (count, None),
                Going::Part(until) => (1, Some(until)),
            };
            let done = self.writer.run(Box::new(move |write| {
                let mut done = 0;
                for table in tables.iter().skip(first).take(count) {
                    done += drop_step(write, &db, table, until, now)?;
                }
                Ok(done)
            }))?;
            // what is left of a large one is for the next step, unless it is another table by now
            if until.is_none() || done == 0 {
                first += count;
            }
            if until.is_none() {
                dropped += done;
            }
            between();
        }
        Ok(dropped)
    }
}

/// How many tables, from the first on, go in one step.
fn going_of(connection: &Connection, tables: &[Expired]) -> rusqlite::Result<Going> {
    let mut room = STEP;
    let mut whole = 0;
    for table in tables {
        if room <= 0 {
            break;
        }
        let (last, rows) = last_of_step(connection, table.data, (table.id, i64::MAX), room)?;
        if rows >= room {
            if whole == 0 {
                return Ok(Going::Part(last));
            }
            break;
        }
        let is_normal = table.id == table.data;
        room -= rows + if is_normal { DROP_NORMAL } else { DROP };
        whole += 1;
    }
    Ok(Going::Whole(whole))
}

/// Removes the rows of an expired table up to a time, or all of it; 1 if the table is still the one that is
/// meant.
fn drop_step(
    write: &mut Write<'_>,
    db: &str,
    Expired {
        id: table,
        data,
        name,
    }: &Expired,
    until: Option<i64>,
    now: i64,
) -> Result<u64, SqlError> {
    let Ok(database) = write.catalog().database(db) else {
        return Ok(0);
    };
    let Some(entry) = database.tables.get(name.as_str()) else {
        return Ok(0);
    };
    let (id, stable, is_over) = state(entry, now);
    if (id, data_of(database, entry)) != (*table, Some(*data))
        || !is_over
        || is_read(write.catalog(), id)
    {
        return Ok(0);
    }
    let is_child = stable.is_some();
    write.execute(
        &format!("DELETE FROM d{data} WHERE tbl = ?1 AND ts <= ?2"),
        [*table, until.unwrap_or(i64::MAX)],
    )?;
    if until.is_none() {
        if is_child {
            write.execute(&format!("DELETE FROM t{data} WHERE tbl = ?1"), [table])?;
        } else {
            write.batch(&format!("DROP TABLE d{data}"))?;
            write.execute("DELETE FROM tbl WHERE id = ?1", [table])?;
        }
        write
            .catalog_mut()
            .database_mut(db)?
            .tables
            .remove(name.as_str());
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
    match prepared(connection, &sql)? {
        Some(mut statement) => {
            statement.query_row([table, before, most], |row| Ok((row.get(0)?, row.get(1)?)))
        }
        None => Ok((0, 0)),
    }
}

/// A statement on a table; `None` if the table was dropped since the catalog was looked at.
fn prepared<'c>(
    connection: &'c Connection,
    sql: &str,
) -> rusqlite::Result<Option<CachedStatement<'c>>> {
    match connection.prepare_cached(sql) {
        Err(error) if error.to_string().contains("no such table") => Ok(None),
        outcome => outcome.map(Some),
    }
}

/// Looks from a subtable on for rows in front of a time, as many as one step removes.
fn old_rows(connection: &Connection, data: i64, from: i64, before: i64) -> rusqlite::Result<Found> {
    let sql = format!("SELECT tbl, ts FROM d{data} WHERE tbl >= ?1 ORDER BY tbl, ts LIMIT 1");
    let mut found = Found::default();
    let Some(mut first) = prepared(connection, &sql)? else {
        return Ok(found);
    };
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
        engine.store().retention().look(clock::nanos(), &mut || {});
        assert_eq!(
            count(&session, "select count(*) from d.t"),
            before,
            "KEEP is 10 days"
        );
        let later = clock::nanos() + 3 * DAY * 1_000_000;
        engine.store().retention().look(later, &mut || {});
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
        engine.store().retention().look(clock::nanos(), &mut || {});
        assert_eq!(tables(), ["a", "b", "c", "n", "read"]);
        engine
            .store()
            .retention()
            .look(clock::nanos() + 2 * DAY * 1_000_000, &mut || {});
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

    /// An engine with a super table `d.st` and KEEP 10.
    fn engine() -> (Engine, Session) {
        let engine = Engine::open(Storage::Memory).unwrap();
        let session = engine.session("root");
        exec(&session, "create database d keep 10 duration 1");
        exec(
            &session,
            "create stable d.st (ts timestamp, v int) tags (g int)",
        );
        (engine, session)
    }

    #[test]
    fn rows_that_are_to_be_kept_longer_after_all_stay_and_the_look_ends() {
        let (engine, session) = engine();
        let rows: Vec<String> = (0..9_000)
            .map(|row| format!("(now - {}a, {row})", 8 * 86_400_000 - row))
            .collect();
        exec(
            &session,
            &format!(
                "insert into d.t using d.st tags(1) values {}",
                rows.join(",")
            ),
        );
        let retention = engine.store().retention();
        let catalog = engine.store().catalog();
        let before = catalog.database("d").unwrap();
        let later = clock::nanos() + 3 * DAY * 1_000_000;
        // the option changes when the first of three steps is done
        let mut steps = 0;
        let gone = retention.rows(before, later, &mut || {
            steps += 1;
            exec(&session, "alter database d keep 3650");
        });
        assert_eq!((gone, steps), (Ok(4096), 1));
        assert_eq!(retention.rows(before, later, &mut || {}), Ok(0));
        assert_eq!(count(&session, "select count(*) from d.st"), 9_000 - 4096);
    }

    #[test]
    fn small_tables_go_together_and_something_else_may_be_done_between_steps() {
        let (engine, session) = engine();
        let row = |n: i32| format!("d.t{n} using d.st tags({n}) values (now, 1) ");
        exec(
            &session,
            &format!("insert into {}", (0..1000).map(row).collect::<String>()),
        );
        let catalog = engine.store().catalog();
        let database = catalog.database("d").unwrap();
        let over: Vec<Expired> = database
            .tables
            .iter()
            .filter_map(|(name, entry)| {
                let (id, ..) = state(entry, 0);
                let (data, name) = (data_of(database, entry)?, name.to_owned());
                Some(Expired { id, data, name })
            })
            .collect();
        let going = engine
            .store()
            .read(move |connection| going_of(connection, &over))
            .unwrap();
        assert_eq!(
            going,
            Going::Whole(usize::try_from(STEP / (DROP + 1)).unwrap())
        );
        for n in 0..1000 {
            exec(&session, &format!("alter table d.t{n} ttl 1"));
        }
        let mut steps = 0;
        let later = clock::nanos() + 2 * DAY * 1_000_000;
        engine.store().retention().look(later, &mut || steps += 1);
        assert_eq!(steps, 2);
        assert_eq!(count(&session, "select count(*) from d.st"), 0);
    }

    #[test]
    fn tables_that_were_dropped_meanwhile_have_no_rows_to_remove() {
        let (engine, _session) = engine();
        let found = engine.store().read(|connection| {
            last_of_step(connection, 999, (1, 1), 1)?;
            old_rows(connection, 999, 0, 1)
        });
        assert_eq!(found, Ok(Found::default()));
    }

    #[test]
    fn what_keeps_failing_is_told_once_and_again_after_it_went_well() {
        let complaint = Complaint::default();
        let bad = || Err(SqlError::unsupported("this"));
        assert!(complaint.tell("rows", &bad()));
        assert!(!complaint.tell("rows", &bad()));
        assert!(!complaint.tell("rows", &Ok(())));
        assert!(complaint.tell("rows", &bad()));
    }
}
