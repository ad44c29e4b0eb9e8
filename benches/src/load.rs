//! Fills a server with the readings that the bulk cases ask for.

use std::fmt::Write;

use taos::{AsyncQueryable, AsyncTBuilder, TaosBuilder};

use crate::cases::Failure;
use crate::measure::{Stopwatch, Tally};

const STATIONS: u32 = 10;
const ROWS_PER_INSERT: u32 = 2_000;
const START_MS: u64 = 1_700_000_000_000;

pub(crate) async fn run(dsn: &str, rows: u32) -> Result<String, Failure> {
    let taos = TaosBuilder::from_dsn(dsn)?.build().await?;
    taos.exec_many([
        "create database bench",
        "use bench",
        "create table readings (ts timestamp, temperature float, humidity int, wind float) \
         tags (location varchar(24), station varchar(16))",
    ])
    .await?;
    let clock = Stopwatch::start();
    let per_station = rows / STATIONS;
    for station in 0..STATIONS {
        taos.exec(format!(
            "create table bench.d{station} using bench.readings tags ('place {station}', 'S{station}')"
        ))
        .await?;
        let mut from = 0;
        while from < per_station {
            let to = per_station.min(from + ROWS_PER_INSERT);
            let mut sql = format!("insert into bench.d{station} values");
            for row in from..to {
                let ts = START_MS + u64::from(row) * 1000;
                let humidity = row % 100;
                write!(sql, " ({ts}, {}.5, {humidity}, {}.25)", row % 40, row % 12)?;
            }
            taos.exec(sql).await?;
            from = to;
        }
    }
    Ok(clock.report(u64::from(rows), &Tally::default()))
}
