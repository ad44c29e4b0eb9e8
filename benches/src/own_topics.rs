//! The subscription cases that the published client does not have, and what fills their topics.

use serde::Serialize;
use taos::{
    AsAsyncConsumer, AsyncInsertable, AsyncQueryable, AsyncTBuilder, TaosBuilder, TryStreamExt,
};

use crate::cases::Failure;
use crate::measure::{Stopwatch, Tally};
use crate::topics::{self, Reading};

const TABLES: u32 = 10;
/// Rows that a table is given at a time, which are an entry of the log.
const PER_WRITE: usize = 2_000;
const START_MS: i64 = 1_700_000_000_000;

#[derive(Serialize)]
struct Written {
    ts: i64,
    temperature: f32,
    humidity: Option<i32>,
    wind: f32,
    location: &'static str,
}

/// Runs a case of ours; `None` if `case` is none.
pub(crate) async fn run(dsn: &str, case: &str) -> Result<Option<String>, Failure> {
    if let Some(rows) = case.strip_prefix("tmq-setup:") {
        return setup(dsn, rows.parse()?).await.map(Some);
    }
    match case {
        "tmq-typed-records" => records(dsn).await.map(Some),
        other => topics::run(dsn, other).await,
    }
}

/// A database of one vgroup, whose order is that of the writes, so that checksums can be compared.
async fn setup(dsn: &str, rows: u32) -> Result<String, Failure> {
    let taos = TaosBuilder::from_dsn(dsn)?.build().await?;
    let clock = Stopwatch::start();
    taos.exec_many([
        "create database bench vgroups 1 wal_retention_period 3600",
        "use bench",
        "create table readings (ts timestamp, temperature float, humidity int, wind float, \
         location varchar(24)) tags (station int)",
        "create topic bench_stable as stable bench.readings",
        "create topic bench_select as select ts, temperature, humidity, wind, location from bench.readings",
    ])
    .await?;
    for table in 0..TABLES {
        taos.exec(format!(
            "create table d{table} using readings tags ({table})"
        ))
        .await?;
        let inserter = taos.inserter::<Written>(&format!("d{table}"));
        let mut inserter = inserter.max_rows(PER_WRITE).open().await?;
        for row in 0..rows / TABLES {
            let low = u16::try_from(row % 4_096)?;
            let humidity = i32::from(low % 100);
            inserter
                .write(&Written {
                    ts: START_MS + i64::from(row) * 1_000,
                    temperature: f32::from(low) / 64.0,
                    humidity: (humidity != 13).then_some(humidity),
                    wind: f32::from(low % 12) + 0.25,
                    location: ["Oslo", "Krakow", "Vancouver", "Nairobi"][usize::from(low % 4)],
                })
                .await?;
        }
        inserter.close().await?;
    }
    Ok(clock.report(u64::from(rows), &Tally::default()))
}

async fn records(dsn: &str) -> Result<String, Failure> {
    let rows = topics::rows(dsn).await?;
    let mut tally = Tally::default();
    let clock = Stopwatch::start();
    let consumer = topics::consumer(dsn, "bench_stable").await?;
    {
        let mut records = consumer.records::<Reading>();
        while tally.rows < rows {
            let Some(record) = records.try_next().await? else {
                return Err(format!("the topic ended at {} of {rows} rows", tally.rows).into());
            };
            record.ack().count(&mut tally);
        }
    }
    let report = clock.report(tally.rows, &tally);
    consumer.unsubscribe().await;
    Ok(report)
}
