//! The write cases that both clients have, compiled against ours and, unchanged, the published peer.

use std::fmt::Write;
use std::time::Duration;

use taos::{AsyncBindable, AsyncQueryable, Stmt, Taos, Value};

use crate::cases::Failure;
use crate::measure::{Stopwatch, Tally};
use crate::readings::{Columns, PER_BATCH, Reading, Source, location};
use crate::sml::{SchemalessPrecision, SchemalessProtocol, SmlDataBuilder};

/// A peer that stalls on each round trip is measured over as many batches as fit in here.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct Job {
    /// How the rows are written, the part of the case in front of the tables.
    pub(crate) way: String,
    pub(crate) tables: u32,
    pub(crate) rows: u32,
}

impl Job {
    /// Reads `WAY-TABLES[:ROWS]`.
    pub(crate) fn read(case: &str) -> Option<Self> {
        let (case, rows) = case.split_once(':').unwrap_or((case, "1000000"));
        let (way, tables) = case.rsplit_once('-')?;
        Some(Self {
            way: way.to_owned(),
            tables: tables.parse().ok().filter(|tables| *tables > 0)?,
            rows: rows.parse().ok()?,
        })
    }
}

/// Writes the job's rows; `None` if it is none of the ways here.
pub(crate) async fn run(taos: &Taos, job: &Job) -> Result<Option<String>, Failure> {
    Ok(Some(match job.way.as_str() {
        "exec" => exec(taos, job).await?,
        "stmt" => stmt(taos, job).await?,
        "schemaless" => schemaless(taos, job).await?,
        _ => return Ok(None),
    }))
}

/// An answer that counts other rows than were written is an error, so these cases need no checksum.
pub(crate) fn counted(rows: usize) -> Result<u64, Failure> {
    if rows == usize::try_from(PER_BATCH)? {
        Ok(u64::from(PER_BATCH))
    } else {
        Err(format!("{PER_BATCH} rows were written and {rows} counted").into())
    }
}

/// One statement a batch. The text is made before the clock starts: it costs any client the same.
async fn exec(taos: &Taos, job: &Job) -> Result<String, Failure> {
    let mut groups = vec![String::new(); usize::try_from(job.tables)?];
    let mut source = Source::new(job.tables);
    for _ in 0..PER_BATCH {
        let r = source.next();
        let group = &mut groups[r.table];
        if group.is_empty() {
            write!(group, " {} values", r.tbname)?;
        }
        let Reading {
            ts,
            current,
            voltage,
            phase,
            power,
            energy,
            ..
        } = r;
        write!(
            group,
            " ({ts},{current},{voltage},{phase},{power},{energy})"
        )?;
    }
    let sql = format!("insert into{}", groups.concat());
    drop(groups);
    let clock = Stopwatch::start();
    let mut done = 0;
    for _ in 0..job.rows / PER_BATCH {
        done += counted(taos.exec(&sql).await?)?;
        if clock.wall() > PATIENCE {
            break;
        }
    }
    Ok(clock.report(done, &Tally::default()))
}

async fn stmt(taos: &Taos, job: &Job) -> Result<String, Failure> {
    let mut source = Source::new(job.tables);
    let mut stmt = Stmt::init(taos).await?;
    stmt.prepare("insert into ? using meters tags(?,?) values(?,?,?,?,?,?)")
        .await?;
    let clock = Stopwatch::start();
    let mut done = 0;
    for _ in 0..job.rows / PER_BATCH {
        let mut tables: Vec<Columns> = (0..job.tables).map(|_| Columns::default()).collect();
        for _ in 0..PER_BATCH {
            let reading = source.next();
            tables[reading.table].push(&reading);
        }
        for (table, columns) in tables.into_iter().enumerate() {
            let tags = tags(table)?;
            stmt.set_tbname_tags(&source.tables()[table], &tags).await?;
            stmt.bind(&columns.into_views()).await?;
            stmt.add_batch().await?;
        }
        done += counted(stmt.execute().await?)?;
        if clock.wall() > PATIENCE {
            break;
        }
    }
    Ok(clock.report(done, &Tally::default()))
}

pub(crate) fn tags(table: usize) -> Result<Vec<Value>, Failure> {
    Ok(vec![
        Value::VarChar(location(table).to_owned()),
        Value::Int(i32::try_from(table)?),
    ])
}

async fn schemaless(taos: &Taos, job: &Job) -> Result<String, Failure> {
    let mut source = Source::new(job.tables);
    let mut lines = Vec::new();
    for _ in 0..PER_BATCH {
        let Reading {
            table,
            ts,
            current,
            voltage,
            phase,
            power,
            energy,
            ..
        } = source.next();
        lines.push(format!(
            "meters,location={},groupid={table} current={current}f32,voltage={voltage}i32,\
             phase={phase}f32,power={power}f64,energy={energy}i64 {ts}",
            location(table)
        ));
    }
    let clock = Stopwatch::start();
    let mut done = 0;
    for _ in 0..job.rows / PER_BATCH {
        let data = SmlDataBuilder::default()
            .protocol(SchemalessProtocol::Line)
            .precision(SchemalessPrecision::Millisecond)
            .data(lines.clone())
            .req_id(done + 1_000_000)
            .build()?;
        taos.put(&data).await?;
        done += u64::from(PER_BATCH);
        if clock.wall() > PATIENCE {
            break;
        }
    }
    Ok(clock.report(done, &Tally::default()))
}
