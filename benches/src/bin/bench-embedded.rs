//! `bench-embedded PLACE CASE:ROWS`: one case of the embedded server's bench. A place is a DSN, or
//! `sqlite:DIRECTORY` for the same work by SQLite alone, in this process, on the same schema and as durable.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "the report goes to standard output")]

#[allow(dead_code, reason = "other programs use the rest")]
#[path = "../../shared/measure.rs"]
mod measure;
#[path = "../plain.rs"]
mod plain;
#[allow(dead_code, reason = "other programs use the rest")]
#[path = "../../shared/readings.rs"]
mod readings;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures::future::try_join_all;
use serde::Deserialize;
use taos::{
    AsyncFetchable, AsyncQueryable, AsyncStatements, AsyncTBuilder, Stmt2AsyncBindable,
    Stmt2BindParam, Taos, TaosBuilder, TryStreamExt, Value,
};

use measure::{Stopwatch, Tally};
use readings::{Columns, PER_BATCH, Reading, Source, location};

pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Tables that the rows go to.
pub(crate) const TABLES: u32 = 100;
/// Connections that write, so that the server has work while a client packs.
const WRITERS: u32 = 2;
const INSERT: &str = "insert into meters(tbname,location,groupid,ts,current,voltage,phase,power,energy) \
                      values(?,?,?,?,?,?,?,?,?)";

/// What all rows of a scan add up to, whatever their order.
#[derive(Default)]
pub(crate) struct Scanned {
    rows: u64,
    sum: u64,
}

/// A row of the super table, tags and all.
#[derive(Deserialize)]
pub(crate) struct Meter<'a> {
    pub(crate) ts: i64,
    pub(crate) current: f32,
    pub(crate) voltage: i32,
    pub(crate) phase: f32,
    pub(crate) power: f64,
    pub(crate) energy: i64,
    #[serde(borrow)]
    pub(crate) location: &'a str,
    pub(crate) groupid: i32,
}

impl Scanned {
    #[inline]
    pub(crate) fn add(&mut self, row: &Meter<'_>) {
        let mut hash = 0_u64;
        for bits in [
            row.ts.cast_unsigned(),
            u64::from(row.current.to_bits()),
            u64::from(row.voltage.cast_unsigned()),
            u64::from(row.phase.to_bits()),
            row.power.to_bits(),
            row.energy.cast_unsigned(),
            u64::from(row.groupid.cast_unsigned()),
        ] {
            hash = (hash ^ bits).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
        for byte in row.location.bytes() {
            hash = hash.rotate_left(5) ^ u64::from(byte);
        }
        self.rows += 1;
        self.sum = self.sum.wrapping_add(hash);
    }

    pub(crate) fn report(&self, clock: &Stopwatch) -> String {
        let mut tally = Tally::default();
        tally.add(self.sum);
        clock.report(self.rows, &tally)
    }
}

/// One window of a minute.
#[derive(Deserialize)]
pub(crate) struct Window {
    pub(crate) start: i64,
    pub(crate) average: f64,
    pub(crate) most: i32,
}

impl Window {
    /// Averages may differ in what adding in another order changes.
    pub(crate) fn add(&self, tally: &mut Tally) {
        tally.long(self.start);
        tally.long(i64::from(self.most));
        tally.add(((self.average * 1e4).round()).to_bits());
    }
}

/// The rows of one batch, by table.
pub(crate) fn batch(number: u32) -> Vec<Columns> {
    let mut source = Source::at(TABLES, number * PER_BATCH);
    let mut tables: Vec<Columns> = (0..TABLES).map(|_| Columns::default()).collect();
    for _ in 0..PER_BATCH {
        let reading: Reading<'_> = source.next();
        if let Some(columns) = tables.get_mut(reading.table) {
            columns.push(&reading);
        }
    }
    tables
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut args = std::env::args().skip(1);
    let (Some(place), Some(case)) = (args.next(), args.next()) else {
        return Err("usage: bench-embedded PLACE CASE:ROWS".into());
    };
    let (case, rows) = case.split_once(':').ok_or("a case is CASE:ROWS")?;
    let rows: u32 = rows.parse()?;
    let report = match place.strip_prefix("sqlite:") {
        Some(dir) => plain::run(dir.as_ref(), case, rows)?,
        None => run(&place, case, rows).await?,
    };
    println!("{report}");
    Ok(())
}

async fn run(dsn: &str, case: &str, rows: u32) -> Result<String, Failure> {
    match case {
        "insert" => insert(dsn, rows).await,
        "scan" => scan(&connect(dsn).await?).await,
        "window" => window(&connect(dsn).await?, rows).await,
        other => Err(format!("no case is called {other}").into()),
    }
}

async fn connect(dsn: &str) -> Result<Taos, Failure> {
    Ok(TaosBuilder::from_dsn(format!("{dsn}/bench"))?
        .build()
        .await?)
}

/// A new database, filled by prepared statements that bind all tables at once.
async fn insert(dsn: &str, rows: u32) -> Result<String, Failure> {
    let taos = TaosBuilder::from_dsn(dsn)?.build().await?;
    taos.exec_many([
        "drop database if exists bench",
        "create database bench",
        "use bench",
        "create table meters (ts timestamp, current float, voltage int, phase float, power double, \
         energy bigint) tags (location varchar(24), groupid int)",
    ])
    .await?;
    let next = Arc::new(AtomicU32::new(0));
    let batches = rows / PER_BATCH;
    let clock = Stopwatch::start();
    let writers = (0..WRITERS).map(|_| {
        let next = Arc::clone(&next);
        async move {
            let written = tokio::spawn(write(connect(dsn).await?, next, batches)).await??;
            Ok::<u64, Failure>(written)
        }
    });
    let written: u64 = try_join_all(writers).await?.into_iter().sum();
    Ok(clock.report(written, &Tally::default()))
}

async fn write(taos: Taos, next: Arc<AtomicU32>, batches: u32) -> Result<u64, Failure> {
    let mut stmt = taos.stmt2(INSERT).await?;
    let mut written = 0;
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= batches {
            return Ok(written);
        }
        let mut params = Vec::new();
        for (table, columns) in batch(number).into_iter().enumerate() {
            let tags = vec![
                Value::VarChar(location(table).to_owned()),
                Value::Int(i32::try_from(table)?),
            ];
            params.push(Stmt2BindParam::new(
                Some(format!("d{table}")),
                Some(tags),
                Some(columns.into_views()),
            ));
        }
        stmt.bind(&params).await?;
        let rows = stmt.exec().await?;
        if rows != usize::try_from(PER_BATCH)? {
            return Err(format!("{PER_BATCH} rows were written and {rows} counted").into());
        }
        written += u64::from(PER_BATCH);
    }
}

async fn scan(taos: &Taos) -> Result<String, Failure> {
    let mut scanned = Scanned::default();
    let clock = Stopwatch::start();
    let mut rs = taos.query("select * from meters").await?;
    let mut blocks = rs.blocks();
    while let Some(block) = blocks.try_next().await? {
        for row in block.deserialize::<Meter<'_>>() {
            scanned.add(&row?);
        }
    }
    Ok(scanned.report(&clock))
}

async fn window(taos: &Taos, rows: u32) -> Result<String, Failure> {
    let mut tally = Tally::default();
    let clock = Stopwatch::start();
    let sql = "select _wstart as `start`, avg(current) as average, max(voltage) as most \
               from meters interval(1m)";
    let mut rs = taos.query(sql).await?;
    let mut windows = rs.deserialize::<Window>();
    while let Some(window) = windows.try_next().await? {
        window.add(&mut tally);
    }
    Ok(clock.report(u64::from(rows), &tally))
}
