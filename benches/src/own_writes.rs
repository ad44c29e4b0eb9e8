//! The write cases that the published client does not have.

use std::collections::HashMap;
use std::hint::black_box;

use bytes::BytesMut;
use serde::Serialize;
use taos::{
    AsyncInsertable, AsyncQueryable, AsyncStatements, AsyncTBuilder, InsertSummary,
    Stmt2AsyncBindable, Stmt2BindParam, Taos, TaosBuilder, Value,
};
use taos_ws::protocol::{BindTable, encode_stmt2_bind};

use crate::cases::Failure;
use crate::measure::{Stopwatch, Tally};
use crate::readings::{Columns, PER_BATCH, Reading, Source, location};
use crate::writes::{self, Job, counted, tags};

const ONE: &str = "insert into d0(ts,current,voltage,phase,power,energy) values(?,?,?,?,?,?)";
const MANY: &str = "insert into meters(tbname,location,groupid,ts,current,voltage,phase,power,energy) \
                    values(?,?,?,?,?,?,?,?,?)";

/// Runs a write case on `dsn`; `None` if `case` is none.
pub(crate) async fn run(dsn: &str, case: &str) -> Result<Option<String>, Failure> {
    match case.split_once(':').map_or(case, |(case, _)| case) {
        "encode" | "encode-text" | "memcpy" | "memcpy-text" => return encode(case).map(Some),
        "setup" => return setup(dsn).await.map(Some),
        _ => {}
    }
    let Some(job) = Job::read(case) else {
        return Ok(None);
    };
    let taos = TaosBuilder::from_dsn(dsn)?.build().await?;
    match job.way.as_str() {
        "stmt2" => stmt2(&taos, &job).await.map(Some),
        "inserter" => inserter(&taos, &job).await.map(Some),
        "inserter-all" if job.tables == 1 => inserter_all(&taos, &job).await.map(Some),
        _ => writes::run(&taos, &job).await,
    }
}

/// The database and the tables that text is written into.
async fn setup(dsn: &str) -> Result<String, Failure> {
    let taos = TaosBuilder::from_dsn(dsn)?.build().await?;
    let clock = Stopwatch::start();
    taos.exec_many([
        "create database bench",
        "use bench",
        "create table meters (ts timestamp, current float, voltage int, phase float, power double, \
         energy bigint) tags (location varchar(24), groupid int)",
    ])
    .await?;
    for table in 0..100 {
        let location = location(table);
        taos.exec(format!(
            "create table d{table} using meters tags ('{location}', {table})"
        ))
        .await?;
    }
    Ok(clock.report(100, &Tally::default()))
}

/// Columns collected by hand: those of one table, or of many by their names.
async fn stmt2(taos: &Taos, job: &Job) -> Result<String, Failure> {
    let mut source = Source::new(job.tables);
    let many = job.tables > 1;
    let mut stmt = taos.stmt2(if many { MANY } else { ONE }).await?;
    let clock = Stopwatch::start();
    let mut done = 0;
    for _ in 0..job.rows / PER_BATCH {
        let mut params = Vec::new();
        if many {
            let mut tables: HashMap<String, (usize, Columns)> = HashMap::new();
            for _ in 0..PER_BATCH {
                let reading = source.next();
                match tables.get_mut(reading.tbname) {
                    Some((_, columns)) => columns.push(&reading),
                    None => {
                        let mut columns = Columns::default();
                        columns.push(&reading);
                        tables.insert(reading.tbname.to_owned(), (reading.table, columns));
                    }
                }
            }
            for (name, (table, columns)) in tables {
                let (tags, columns) = (tags(table)?, columns.into_views());
                params.push(Stmt2BindParam::new(Some(name), Some(tags), Some(columns)));
            }
        } else {
            let mut columns = Columns::default();
            for _ in 0..PER_BATCH {
                columns.push(&source.next());
            }
            params.push(Stmt2BindParam::new(None, None, Some(columns.into_views())));
        }
        stmt.bind(&params).await?;
        done += counted(stmt.exec().await?)?;
    }
    Ok(clock.report(done, &Tally::default()))
}

/// A row of one table.
#[derive(Serialize)]
struct Meter {
    ts: i64,
    current: f32,
    voltage: i32,
    phase: f32,
    power: f64,
    energy: i64,
}

/// A row of one of many tables.
#[derive(Serialize)]
struct NamedMeter<'a> {
    tbname: &'a str,
    location: &'a str,
    groupid: usize,
    ts: i64,
    current: f32,
    voltage: i32,
    phase: f32,
    power: f64,
    energy: i64,
}

impl From<Reading<'_>> for Meter {
    #[inline]
    fn from(r: Reading<'_>) -> Self {
        Self {
            ts: r.ts,
            current: r.current,
            voltage: r.voltage,
            phase: r.phase,
            power: r.power,
            energy: r.energy,
        }
    }
}

impl<'a> From<Reading<'a>> for NamedMeter<'a> {
    #[inline]
    fn from(r: Reading<'a>) -> Self {
        Self {
            tbname: r.tbname,
            location: location(r.table),
            groupid: r.table,
            ts: r.ts,
            current: r.current,
            voltage: r.voltage,
            phase: r.phase,
            power: r.power,
            energy: r.energy,
        }
    }
}

async fn inserter(taos: &Taos, job: &Job) -> Result<String, Failure> {
    let mut source = Source::new(job.tables);
    let rows = usize::try_from(PER_BATCH)?;
    let clock;
    let summary = if job.tables > 1 {
        let inserter = taos.inserter::<NamedMeter<'_>>("meters");
        let mut inserter = inserter.max_rows(rows).open().await?;
        clock = Stopwatch::start();
        for _ in 0..job.rows {
            let meter = source.next().into();
            inserter.write(&meter).await?;
        }
        inserter.close().await?
    } else {
        let mut inserter = taos.inserter::<Meter>("d0").max_rows(rows).open().await?;
        clock = Stopwatch::start();
        for _ in 0..job.rows {
            let meter = source.next().into();
            inserter.write(&meter).await?;
        }
        inserter.close().await?
    };
    report(&clock, &summary, job)
}

/// The same for a program that has rows of one table in hand, here 100 at a time.
async fn inserter_all(taos: &Taos, job: &Job) -> Result<String, Failure> {
    const IN_HAND: u32 = 100;
    let mut source = Source::new(1);
    let inserter = taos.inserter::<Meter>("d0");
    let mut inserter = inserter
        .max_rows(usize::try_from(PER_BATCH)?)
        .open()
        .await?;
    let clock = Stopwatch::start();
    let mut meters: Vec<Meter> = Vec::new();
    for _ in 0..job.rows / IN_HAND {
        meters.clear();
        meters.extend((0..IN_HAND).map(|_| Meter::from(source.next())));
        inserter.write_all(&meters).await?;
    }
    report(&clock, &inserter.close().await?, job)
}

fn report(clock: &Stopwatch, summary: &InsertSummary, job: &Job) -> Result<String, Failure> {
    if summary.affected_rows != u64::from(job.rows) {
        return Err(format!("{summary:?} of {} rows", job.rows).into());
    }
    Ok(clock.report(summary.rows, &Tally::default()))
}

/// Columns into the bytes of a bind, without a socket; beside it, the same bytes copied. A row of
/// the report is a byte of the frame.
fn encode(case: &str) -> Result<String, Failure> {
    const ROUNDS: u32 = 2_000;
    let mut source = Source::new(1);
    let mut columns = Columns::default();
    let mut texts = Vec::new();
    for _ in 0..PER_BATCH {
        let reading = source.next();
        columns.push(&reading);
        texts.push(format!("{:x}", reading.energy * 7_919));
    }
    let mut views = columns.into_views();
    if case.ends_with("text") {
        views.push(taos::ColumnView::from_varchar::<String, _, _, _>(texts));
    }
    let tags: Vec<Value> = tags(0)?;
    let table = BindTable {
        name: Some("d0"),
        tags: &tags,
        columns: &views,
    };
    let mut frame = BytesMut::new();
    encode_stmt2_bind(&mut frame, 1, 1, &[table], &[], &[])?;
    let size = u64::try_from(frame.len())?;
    let mut copy = vec![0; frame.len()];
    let clock = Stopwatch::start();
    for _ in 0..ROUNDS {
        if case.starts_with("memcpy") {
            copy.copy_from_slice(black_box(&frame));
            black_box(&copy);
        } else {
            frame.clear();
            encode_stmt2_bind(&mut frame, 1, 1, black_box(&[table]), &[], &[])?;
            black_box(&frame);
        }
    }
    Ok(clock.report(size * u64::from(ROUNDS), &Tally::default()))
}
