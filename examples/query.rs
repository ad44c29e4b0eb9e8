//! One result, read three ways: as blocks, as rows of values, as structs.
//!
//! `TAOS_DSN=ws://host:6041 cargo run --example query`, or without it on a server of its own; QuestDB
//! does too (`TAOS_DSN=questdb://localhost:9000`).

use chrono::{DateTime, Local};
use serde::Deserialize;
use taos::*;
use taos_embedded::Embedded;

/// Fields are found by column name; what may be NULL is an `Option`.
#[derive(Debug, Deserialize)]
#[allow(dead_code, reason = "the fields are printed by their Debug form")]
struct Reading {
    ts: DateTime<Local>,
    current: Option<f32>,
    voltage: Option<i32>,
    location: String,
}

/// Borrows its text from the block instead of allocating it.
#[derive(Debug, Deserialize)]
#[allow(dead_code, reason = "the fields are printed by their Debug form")]
struct Place<'a> {
    voltage: Option<i32>,
    location: &'a str,
}

/// The statements that make the table, in the SQL of the server.
fn rows(dialect: Dialect) -> &'static [&'static str] {
    match dialect {
        Dialect::QuestDb => &[
            "drop table if exists example_meters",
            // Rows of a table without WAL can be read at once.
            "create table example_meters (ts timestamp, current float, voltage int, location symbol) \
             timestamp(ts) partition by day bypass wal",
            "insert into example_meters values (dateadd('s', -2, now()), 10.3, 219, 'Oslo'), \
             (dateadd('s', -1, now()), null, 218, 'Oslo'), (now(), 12.6, null, 'Kraków')",
        ],
        _ => &[
            "drop database if exists example_query",
            "create database example_query",
            "use example_query",
            "create table example_meters (ts timestamp, current float, voltage int) tags (location varchar(24))",
            "insert into d0 using example_meters tags ('Oslo') values (now - 2s, 10.3, 219) (now - 1s, null, 218)",
            "insert into d1 using example_meters tags ('Kraków') values (now, 12.6, null)",
        ],
    }
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
    taos.exec_many(rows(taos.capabilities().dialect)).await?;
    let sql = "select ts, current, voltage, location from example_meters order by ts";

    println!("as rows of values:");
    let mut rs = taos.query(sql).await?;
    for field in rs.fields() {
        println!("  {} is {}", field.name(), field.ty());
    }
    let mut rows = rs.rows();
    while let Some(row) = rows.try_next().await? {
        for (name, value) in row {
            print!("  {name}={value}");
        }
        println!();
    }

    println!("as structs:");
    let readings: Vec<Reading> = taos.query(sql).await?.deserialize().try_collect().await?;
    for reading in readings {
        println!("  {reading:?}");
    }

    println!("as blocks, with text borrowed from them:");
    let mut rs = taos.query(sql).await?;
    let mut blocks = rs.blocks();
    while let Some(block) = blocks.try_next().await? {
        println!("  {} rows of {} columns", block.nrows(), block.ncols());
        for place in block.deserialize::<Place<'_>>() {
            println!("  {:?}", place?);
        }
    }

    let count: Option<i64> = taos
        .query_one("select count(*) from example_meters")
        .await?;
    println!("one value: {count:?}");
    Ok(())
}
