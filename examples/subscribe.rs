//! A topic over a whole database, read message by message: tables that appear, rows that arrive.
//!
//! `cargo run --example subscribe` starts a server of its own; `TAOS_DSN=ws://host:6041` uses that one instead.

use std::time::Duration;

use serde::Deserialize;
use taos::*;
use taos_embedded::Embedded;

/// The columns that this program wants, by name; a message may have more.
#[derive(Debug, Deserialize)]
struct Reading {
    ts: chrono::DateTime<chrono::Utc>,
    current: Option<f32>,
    voltage: Option<i32>,
}

async fn prepare(taos: &Taos) -> RawResult<()> {
    taos.exec_many([
        "drop topic if exists example_meters",
        "drop database if exists example_subscribe",
        "create database example_subscribe wal_retention_period 3600",
        "use example_subscribe",
        "create table meters (ts timestamp, current float, voltage int) tags (place varchar(16))",
        "create topic example_meters with meta as database example_subscribe",
    ])
    .await?;
    Ok(())
}

/// What happens elsewhere while the consumer reads.
async fn write(taos: Taos) -> RawResult<()> {
    taos.exec("insert into d0 using meters tags ('Oslo') values (now - 10s, 10.3, 219)")
        .await?;
    for volts in [218, 221, 230] {
        tokio::time::sleep(Duration::from_millis(100)).await;
        taos.exec(format!(
            "insert into d0 values (now, null, {volts}) \
             d1 using meters tags ('Bergen') values (now, 9.5, {volts}) (now + 1s, 9.6, {volts})"
        ))
        .await?;
    }
    Ok(())
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
    prepare(&taos).await?;
    let writer = tokio::spawn(write(taos));

    let mut dsn: Dsn = dsn.parse()?;
    dsn.set("group.id", "example");
    dsn.set("auto.offset.reset", "earliest");
    // A stream ends when nothing came for so long; `never` makes it endless.
    dsn.set("timeout", "2s");
    let mut consumer = TmqBuilder::from_dsn(&dsn)?.build().await?;
    consumer.subscribe(["example_meters"]).await?;

    let mut rows = 0;
    {
        let mut stream = consumer.stream();
        while let Some((offset, message)) = stream.try_next().await? {
            println!("vgroup {} of {}:", offset.vgroup_id(), offset.topic());
            if let Some(meta) = message.meta() {
                for unit in meta.as_json_meta().await?.iter() {
                    println!("  {unit}");
                }
            }
            if let Some(data) = message.into_data() {
                while let Some(block) = data.fetch_raw_block().await? {
                    // A block has rows of one table.
                    let table = block.table_name().unwrap_or_default();
                    let readings: Vec<Reading> = block.deserialize().try_collect()?;
                    for Reading {
                        ts,
                        current,
                        voltage,
                    } in &readings
                    {
                        println!("  {table} {}: {current:?} A, {voltage:?} V", ts.time());
                    }
                    rows += readings.len();
                }
            }
            match consumer.commit(offset).await {
                // Another consumer of the group has this part of the database by now, and is given the message again.
                Err(error) if error.is_foreign_vgroup() => println!("  {error}"),
                // From here on this message does not come again.
                done => done?,
            }
        }
    }
    for lag in consumer.lag().await? {
        println!("vgroup {}: {} behind", lag.vgroup_id(), lag.behind());
    }
    println!("{rows} rows in all");
    consumer.unsubscribe().await;
    writer.await??;
    Ok(())
}
