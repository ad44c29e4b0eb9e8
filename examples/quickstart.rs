//! Four years of weather in two cities: 2,922 rows go in through a real connection and come back as
//! structs.
//!
//! `cargo run --example quickstart` starts a server of its own, in this process and in memory.
//! `TAOS_DSN=ws://root:taosdata@host:6041 cargo run --example quickstart` uses that one instead.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::Context;
use chrono::{DateTime, Datelike, NaiveDate, Utc};
use comfy_table::{CellAlignment, Table, presets::UTF8_FULL_CONDENSED};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Deserialize;
use taos::*;
use taos_embedded::Embedded;

const CSV: &str = include_str!("data/weather.csv");
const ROWS_PER_INSERT: usize = 200;
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// One day in one city, as a query returns it.
#[derive(Debug, Deserialize)]
struct Record {
    ts: DateTime<Utc>,
    location: String,
    precipitation: f64,
    temp_max: f64,
    temp_min: f64,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // Without TAOS_DSN the server is part of this program; it ends with `_server`.
    let (dsn, _server) = match std::env::var("TAOS_DSN") {
        Ok(dsn) => (dsn, None),
        Err(_) => {
            let server = Embedded::builder().memory().start().await?;
            (server.dsn().to_owned(), Some(server))
        }
    };
    let taos = TaosBuilder::from_dsn(&dsn)?.build().await?;
    println!(
        "connected to server version {}",
        taos.server_version().await?
    );

    create_tables(&taos).await?;

    let started = Instant::now();
    let loaded = load(&taos).await?;
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "loaded {} observations in {seconds:.2} s",
        thousands(loaded)
    );

    let started = Instant::now();
    let records: Vec<Record> = taos
        .query("select ts, location, precipitation, temp_max, temp_min from weather order by ts")
        .await?
        .deserialize()
        .try_collect()
        .await?;
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "read {} records back in {seconds:.2} s",
        thousands(records.len())
    );
    if let (Some(first), Some(last)) = (records.first(), records.last()) {
        println!(
            "from {} to {}\n",
            first.ts.date_naive(),
            last.ts.date_naive()
        );
    }

    for (city, months) in by_city_and_month(&records) {
        println!("{city}\n{}\n", table(&months));
    }
    Ok(())
}

/// A database, and in it one super table: each city becomes a subtable with its name as tag.
async fn create_tables(taos: &Taos) -> anyhow::Result<()> {
    taos.exec_many([
        "drop database if exists quickstart",
        // The observations are older than the ten years that a database keeps by default.
        "create database quickstart precision 'ms' keep 36500",
        "use quickstart",
        "create table weather (ts timestamp, precipitation double, temp_max double, \
         temp_min double, wind double, sky varchar(16)) tags (location varchar(32))",
    ])
    .await?;
    Ok(())
}

/// Sends the file in batches; a subtable that does not exist yet is created by its first insert.
async fn load(taos: &Taos) -> anyhow::Result<usize> {
    let lines: Vec<&str> = CSV.lines().skip(1).collect();
    // Draws itself on a terminal only.
    let bar = ProgressBar::new(lines.len().try_into()?).with_style(ProgressStyle::with_template(
        "{bar:40} {pos}/{len} rows {per_sec}",
    )?);
    let mut loaded = 0;
    for batch in lines.chunks(ROWS_PER_INSERT) {
        let mut sql = String::from("insert into");
        let mut city = "";
        for line in batch {
            let [location, date, rain, high, low, wind, sky] = columns(line)?;
            if location != city {
                let table = location.to_lowercase().replace(' ', "_");
                sql += &format!(" {table} using weather tags ('{location}') values");
                city = location;
            }
            let day: NaiveDate = date.parse()?;
            let ts = day
                .and_time(chrono::NaiveTime::MIN)
                .and_utc()
                .timestamp_millis();
            sql += &format!(" ({ts}, {rain}, {high}, {low}, {wind}, '{sky}')");
        }
        loaded += taos.exec(&sql).await?;
        bar.inc(batch.len().try_into()?);
    }
    bar.finish_and_clear();
    Ok(loaded)
}

fn columns(line: &str) -> anyhow::Result<[&str; 7]> {
    let columns: Vec<&str> = line.split(',').collect();
    columns
        .try_into()
        .ok()
        .with_context(|| format!("not seven columns: {line}"))
}

/// What a month of the year was like, summed over the years.
#[derive(Clone, Copy, Default)]
struct Month {
    days: f64,
    degrees: f64,
    rain: f64,
}

fn by_city_and_month(records: &[Record]) -> BTreeMap<&str, [Month; 12]> {
    let mut cities: BTreeMap<&str, [Month; 12]> = BTreeMap::new();
    for record in records {
        let months = cities.entry(&record.location).or_default();
        let month = usize::try_from(record.ts.month0())
            .ok()
            .and_then(|i| months.get_mut(i));
        if let Some(month) = month {
            month.days += 1.0;
            month.degrees += f64::midpoint(record.temp_max, record.temp_min);
            month.rain += record.precipitation;
        }
    }
    cities
}

/// Narrow enough for a terminal of 60 columns.
fn table(months: &[Month; 12]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header([
        "month",
        "°C",
        "mean temperature",
        "mm/day",
        "rain",
    ]);
    for (name, month) in MONTHS.iter().zip(months) {
        let (degrees, rain) = (month.degrees / month.days, month.rain / month.days);
        table.add_row([
            (*name).to_owned(),
            format!("{degrees:.1}"),
            bar(degrees / 2.0),
            format!("{rain:.1}"),
            bar(rain * 2.0),
        ]);
    }
    for figures in [1, 3] {
        if let Some(column) = table.column_mut(figures) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// One block for each unit, and a half one for what is over.
fn bar(length: f64) -> String {
    let mut bar = String::new();
    let mut drawn = 0.75;
    while drawn <= length {
        bar.push('█');
        drawn += 1.0;
    }
    if length - (drawn - 0.75) >= 0.25 {
        bar.push('▌');
    }
    bar
}

fn thousands(n: usize) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
