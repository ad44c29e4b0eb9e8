//! The cases of the embedded server's bench, done by SQLite in this process, without a server or a wire.

use std::path::Path;

use rusqlite::{Connection, params};

use crate::measure::{Stopwatch, Tally};
use crate::readings::{PER_BATCH, location};
use crate::{Failure, Meter, Scanned, TABLES, Window, batch};

const FILE: &str = "plain.db";

pub(crate) fn run(dir: &Path, case: &str, rows: u32) -> Result<String, Failure> {
    match case {
        "insert" => insert(dir, rows),
        "scan" => scan(&open(dir)?),
        "window" => window(&open(dir)?, rows),
        other => Err(format!("no case is called {other}").into()),
    }
}

/// What an acknowledged row of the server has, a commit that is on the disk, has one here.
fn open(dir: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(dir.join(FILE))?;
    connection.execute_batch(
        "PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
         PRAGMA cache_size = -65536; PRAGMA wal_autocheckpoint = 4000;",
    )?;
    Ok(connection)
}

fn insert(dir: &Path, rows: u32) -> Result<String, Failure> {
    for suffix in ["", "-wal", "-shm"] {
        match std::fs::remove_file(dir.join(format!("{FILE}{suffix}"))) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    let mut connection = open(dir)?;
    connection.execute_batch(
        "CREATE TABLE tables (tbl INTEGER PRIMARY KEY, location TEXT, groupid INTEGER);
         CREATE TABLE meters (tbl INTEGER NOT NULL, ts INTEGER NOT NULL, current REAL,
             voltage INTEGER, phase REAL, power REAL, energy INTEGER, PRIMARY KEY (tbl, ts))
             WITHOUT ROWID;",
    )?;
    let clock = Stopwatch::start();
    for table in 0..TABLES {
        connection.execute(
            "INSERT INTO tables VALUES (?1, ?2, ?1)",
            params![table, location(usize::try_from(table)?)],
        )?;
    }
    let mut written = 0;
    for number in 0..rows / PER_BATCH {
        let transaction = connection.transaction()?;
        let mut statement = transaction
            .prepare_cached("INSERT OR REPLACE INTO meters VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?;
        for (table, columns) in (0..TABLES).zip(batch(number)) {
            for (row, ts) in columns.ts.iter().enumerate() {
                statement.execute(params![
                    table,
                    ts,
                    f64::from(columns.current[row]),
                    columns.voltage[row],
                    f64::from(columns.phase[row]),
                    columns.power[row],
                    columns.energy[row],
                ])?;
                written += 1;
            }
        }
        drop(statement);
        transaction.commit()?;
    }
    Ok(clock.report(written, &Tally::default()))
}

#[allow(clippy::cast_possible_truncation, reason = "a FLOAT was stored")]
fn scan(connection: &Connection) -> Result<String, Failure> {
    let mut scanned = Scanned::default();
    let clock = Stopwatch::start();
    let mut statement = connection.prepare(
        "SELECT ts, current, voltage, phase, power, energy, location, groupid \
         FROM meters JOIN tables USING (tbl)",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        scanned.add(&Meter {
            ts: row.get(0)?,
            current: row.get::<_, f64>(1)? as f32,
            voltage: row.get(2)?,
            phase: row.get::<_, f64>(3)? as f32,
            power: row.get(4)?,
            energy: row.get(5)?,
            location: row.get_ref(6)?.as_str()?,
            groupid: row.get(7)?,
        });
    }
    Ok(scanned.report(&clock))
}

fn window(connection: &Connection, rows: u32) -> Result<String, Failure> {
    let mut tally = Tally::default();
    let clock = Stopwatch::start();
    let mut statement = connection.prepare(
        "SELECT ts / 60000 * 60000 AS start, avg(current), max(voltage) FROM meters \
         GROUP BY start ORDER BY start",
    )?;
    let mut windows = statement.query([])?;
    while let Some(row) = windows.next()? {
        let window = Window {
            start: row.get(0)?,
            average: row.get(1)?,
            most: row.get(2)?,
        };
        window.add(&mut tally);
    }
    Ok(clock.report(u64::from(rows), &tally))
}
