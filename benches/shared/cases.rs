//! The cases, written once against the API that both clients share: this file is compiled against
//! ours and, unchanged, against the published peer.

use std::time::Duration;

use serde::Deserialize;
use taos::{
    AsyncFetchable, AsyncQueryable, AsyncTBuilder, BorrowedValue, StreamExt, Taos, TaosBuilder,
    TryStreamExt, Value,
};

use crate::measure::{Stopwatch, Tally};

pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

const BULK: &str = "select ts, temperature, humidity, wind, location, station from readings";
const FIXED: &str = "select ts, temperature, humidity, wind from readings";
const SMALL_QUERIES: i64 = 2_000;
const IN_FLIGHT: usize = 64;
/// A peer that stalls on each round trip is measured over as many queries as fit in here.
const PATIENCE: Duration = Duration::from_secs(4);

#[derive(Deserialize)]
struct Owned {
    ts: i64,
    temperature: Option<f32>,
    humidity: Option<i32>,
    wind: Option<f32>,
    location: Option<String>,
    station: Option<String>,
}

#[derive(Deserialize)]
struct Borrowed<'a> {
    ts: i64,
    temperature: Option<f32>,
    humidity: Option<i32>,
    wind: Option<f32>,
    #[serde(borrow)]
    location: Option<&'a str>,
    #[serde(borrow)]
    station: Option<&'a str>,
}

#[derive(Deserialize)]
struct Fixed {
    ts: i64,
    temperature: Option<f32>,
    humidity: Option<i32>,
    wind: Option<f32>,
}

/// Connects to `dsn`, runs `case` and gives its report as one line of JSON.
pub(crate) async fn run(dsn: &str, case: &str) -> Result<String, Failure> {
    let taos = TaosBuilder::from_dsn(dsn)?.build().await?;
    match case {
        "raw" => raw(&taos).await,
        "value" => value(&taos).await,
        "row-views" => views(&taos).await,
        "serde" => owned(&taos).await,
        "serde-borrowed" => borrowed(&taos).await,
        "fixed-width" => fixed(&taos).await,
        "sequential" => sequential(&taos).await,
        "in-flight" => in_flight(&taos).await,
        "idle" => Ok(Stopwatch::start().report(0, &Tally::default())),
        other => Err(format!("no case is called {other}").into()),
    }
}

async fn raw(taos: &Taos) -> Result<String, Failure> {
    let mut tally = Tally::default();
    let clock = Stopwatch::start();
    let mut rs = taos.query(BULK).await?;
    let mut blocks = rs.blocks();
    while let Some(block) = blocks.try_next().await? {
        tally.raw(block.nrows(), block.as_raw_bytes());
    }
    Ok(clock.report(tally.rows, &tally))
}

/// Owned rows, as `to_records` makes them, without keeping all million.
async fn value(taos: &Taos) -> Result<String, Failure> {
    let mut tally = Tally::default();
    let clock = Stopwatch::start();
    let mut rs = taos.query(BULK).await?;
    let mut rows = rs.rows();
    while let Some(row) = rows.try_next().await? {
        tally.rows += 1;
        for value in row.into_values() {
            match value {
                Value::Null(_) => tally.null(),
                Value::Timestamp(ts) => tally.long(ts.as_raw_i64()),
                Value::Float(v) => tally.float(Some(v)),
                Value::Int(v) => tally.int(Some(v)),
                Value::VarChar(v) => tally.text(Some(v.as_str())),
                other => return Err(format!("unexpected value {other:?}").into()),
            }
        }
    }
    Ok(clock.report(tally.rows, &tally))
}

/// The same without owning anything: names and values borrowed from the block.
async fn views(taos: &Taos) -> Result<String, Failure> {
    let mut tally = Tally::default();
    let clock = Stopwatch::start();
    let mut rs = taos.query(BULK).await?;
    let mut rows = rs.rows();
    while let Some(row) = rows.try_next().await? {
        tally.rows += 1;
        for (_name, value) in row {
            match value {
                BorrowedValue::Null(_) => tally.null(),
                BorrowedValue::Timestamp(ts) => tally.long(ts.as_raw_i64()),
                BorrowedValue::Float(v) => tally.float(Some(v)),
                BorrowedValue::Int(v) => tally.int(Some(v)),
                BorrowedValue::VarChar(v) => tally.text(Some(v)),
                other => return Err(format!("unexpected value {other:?}").into()),
            }
        }
    }
    Ok(clock.report(tally.rows, &tally))
}

async fn owned(taos: &Taos) -> Result<String, Failure> {
    let mut tally = Tally::default();
    let clock = Stopwatch::start();
    let mut rs = taos.query(BULK).await?;
    let mut rows = rs.deserialize::<Owned>();
    while let Some(row) = rows.try_next().await? {
        tally.rows += 1;
        tally.long(row.ts);
        tally.float(row.temperature);
        tally.int(row.humidity);
        tally.float(row.wind);
        tally.text(row.location.as_deref());
        tally.text(row.station.as_deref());
    }
    Ok(clock.report(tally.rows, &tally))
}

async fn borrowed(taos: &Taos) -> Result<String, Failure> {
    let mut tally = Tally::default();
    let clock = Stopwatch::start();
    let mut rs = taos.query(BULK).await?;
    let mut blocks = rs.blocks();
    while let Some(block) = blocks.try_next().await? {
        for row in block.deserialize::<Borrowed<'_>>() {
            let row = row?;
            tally.rows += 1;
            tally.long(row.ts);
            tally.float(row.temperature);
            tally.int(row.humidity);
            tally.float(row.wind);
            tally.text(row.location);
            tally.text(row.station);
        }
    }
    Ok(clock.report(tally.rows, &tally))
}

async fn fixed(taos: &Taos) -> Result<String, Failure> {
    let mut tally = Tally::default();
    let clock = Stopwatch::start();
    let mut rs = taos.query(FIXED).await?;
    let mut rows = rs.deserialize::<Fixed>();
    while let Some(row) = rows.try_next().await? {
        tally.rows += 1;
        tally.long(row.ts);
        tally.float(row.temperature);
        tally.int(row.humidity);
        tally.float(row.wind);
    }
    Ok(clock.report(tally.rows, &tally))
}

/// Asks for the number `n`; another answer is an error, so that these cases need no checksum.
async fn ask(taos: &Taos, n: i64) -> Result<(), Failure> {
    match taos.query_one::<_, i64>(format!("select {n}")).await? {
        Some(answer) if answer == n => Ok(()),
        other => Err(format!("select {n} was answered by {other:?}").into()),
    }
}

async fn sequential(taos: &Taos) -> Result<String, Failure> {
    ask(taos, 1).await?;
    let clock = Stopwatch::start();
    let mut done = 0;
    for n in 0..SMALL_QUERIES {
        ask(taos, n).await?;
        done += 1;
        if clock.wall() > PATIENCE {
            break;
        }
    }
    Ok(clock.report(done, &Tally::default()))
}

async fn in_flight(taos: &Taos) -> Result<String, Failure> {
    ask(taos, 1).await?;
    let clock = Stopwatch::start();
    let mut done = 0;
    let mut answers = futures::stream::iter(0..SMALL_QUERIES)
        .map(|n| ask(taos, n))
        .buffer_unordered(IN_FLIGHT);
    while let Some(answer) = answers.next().await {
        answer?;
        done += 1;
        if clock.wall() > PATIENCE {
            break;
        }
    }
    Ok(clock.report(done, &Tally::default()))
}
