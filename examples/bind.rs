//! A prepared INSERT takes whole columns: every type, many rows, one call a batch.
//!
//! `cargo run --example bind` starts a server of its own; `TAOS_DSN=ws://host:6041` uses that one instead.

use serde::Deserialize;
use taos::*;
use taos_embedded::Embedded;

#[derive(Debug, Deserialize)]
#[allow(dead_code, reason = "the fields are printed by their Debug form")]
struct Reading {
    ts: String,
    running: Option<bool>,
    speed: Option<i32>,
    total: Option<u64>,
    celsius: Option<f32>,
    note: Option<String>,
    place: String,
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
        "drop database if exists example_bind",
        "create database example_bind keep 36500",
        "use example_bind",
        "create table pump (ts timestamp, running bool, speed int, total bigint unsigned, \
         celsius float, note varchar(32), place nchar(16))",
    ])
    .await?;

    let mut stmt = Stmt::init(&taos).await?;
    stmt.prepare("insert into pump values (?, ?, ?, ?, ?, ?, ?)")
        .await?;

    // One view a column, all of the same length. What may be NULL is a vector of options.
    let columns = [
        ColumnView::from_millis_timestamp(vec![1_700_000_000_000, 1_700_000_001_000]),
        ColumnView::from_bools(vec![Some(true), None]),
        ColumnView::from_ints(vec![Some(1480), None]),
        ColumnView::from_unsigned_big_ints(vec![u64::MAX - 1, 0]),
        ColumnView::from_floats(vec![Some(41.5), None]),
        ColumnView::from_varchar::<&str, _, _, _>(vec![Some("started"), None]),
        ColumnView::from_nchar(vec!["北京", "Tromsø"]),
    ];
    let rows = stmt
        .bind(&columns)
        .await?
        .add_batch()
        .await?
        .execute()
        .await?;
    println!("{rows} rows written");

    // The statement is ready for the next batch; `place` alone this time, prepared anew.
    stmt.prepare("insert into pump (ts, place) values (?, ?)")
        .await?;
    let times: Vec<i64> = (0..1000).map(|n| 1_700_000_002_000 + n * 1000).collect();
    let columns = [
        ColumnView::from_millis_timestamp(times),
        ColumnView::from_nchar(vec!["Oslo"; 1000]),
    ];
    stmt.bind(&columns).await?.add_batch().await?;
    println!("{} more", stmt.execute().await?);

    let sql = "select * from pump limit 3";
    let readings: Vec<Reading> = taos.query(sql).await?.deserialize().try_collect().await?;
    for reading in readings {
        println!("{reading:?}");
    }
    Ok(())
}
