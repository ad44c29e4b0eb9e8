//! Structs go in as they are: the inserter collects them into batches and sends those.
//!
//! `cargo run --example inserter` starts a server of its own; `TAOS_DSN=ws://host:6041` uses that one instead.

use anyhow::Context;
use serde::Serialize;
use taos::*;
use taos_embedded::Embedded;

const CSV: &str = include_str!("data/weather.csv");

/// Fields are matched by name with columns and tags; `tbname` is the table, made if it is missing.
#[derive(Serialize)]
struct Day<'a> {
    tbname: String,
    location: &'a str,
    ts: chrono::DateTime<chrono::Utc>,
    precipitation: f64,
    temp_max: f64,
    temp_min: Option<f64>,
    sky: &'a str,
}

fn parse(line: &str) -> anyhow::Result<Day<'_>> {
    let columns: Vec<&str> = line.split(',').collect();
    let [location, date, rain, high, low, _wind, sky] = columns[..] else {
        anyhow::bail!("not seven columns: {line}");
    };
    let date: chrono::NaiveDate = date.parse()?;
    Ok(Day {
        tbname: location.to_lowercase().replace(' ', "_"),
        location,
        ts: date.and_hms_opt(0, 0, 0).context("no midnight")?.and_utc(),
        precipitation: rain.parse()?,
        temp_max: high.parse()?,
        temp_min: low.parse().ok(),
        sky,
    })
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let (dsn, _server) = match std::env::var("TAOS_DSN") {
        Ok(dsn) => (dsn, None),
        Err(_) => {
            let server = Embedded::builder().memory().start().await?;
            (server.dsn().to_owned(), Some(server))
        }
    };
    let taos = TaosBuilder::from_dsn(&dsn)?.build().await?;
    taos.exec_many([
        "drop database if exists example_inserter",
        "create database example_inserter keep 36500",
        "use example_inserter",
        "create table weather (ts timestamp, precipitation double, temp_max double, \
         temp_min double, sky varchar(16)) tags (location varchar(32))",
    ])
    .await?;

    let mut inserter = taos
        .inserter::<Day<'_>>("weather")
        .max_rows(1000)
        .open()
        .await?;
    for line in CSV.lines().skip(1) {
        inserter.write(&parse(line)?).await?;
    }
    // Waits for what is still under way; an error would bring its rows back.
    let summary = inserter.close().await?;
    println!("{} rows in {} batches", summary.rows, summary.batches);

    let sql = "select location, count(*), max(temp_max) from weather group by location \
               order by location";
    let mut result = taos.query(sql).await?;
    let mut cities = result.deserialize::<(String, i64, f64)>();
    while let Some((city, days, hottest)) = cities.try_next().await? {
        println!("{city}: {days} days, at most {hottest} °C");
    }
    Ok(())
}
