//! A topic over a query, read in columns; then read again from the start.
//!
//! `cargo run --example tmq-block` starts a server of its own; `TAOS_DSN=ws://host:6041` uses that one instead.

use taos::*;
use taos_embedded::Embedded;

/// Sums a column of every block until nothing comes any more.
async fn sum(consumer: &Consumer) -> RawResult<(usize, i64)> {
    let (mut rows, mut sum) = (0, 0);
    let mut stream = consumer.stream();
    while let Some((_, message)) = stream.try_next().await? {
        let Some(data) = message.into_data() else {
            continue;
        };
        let mut blocks = data.blocks();
        while let Some(block) = blocks.try_next().await? {
            if rows == 0 {
                for row in block.rows().take(3) {
                    let mut cells = row.map(|(name, value)| format!("{name}={value}"));
                    println!("{}", cells.join(" "));
                }
            }
            rows += block.nrows();
            // Columns are read where they stand; no row is made of them.
            if let Some(ColumnView::Int(volts)) = block.column_views().get(1) {
                sum += volts.iter().flatten().map(i64::from).sum::<i64>();
            }
        }
    }
    Ok((rows, sum))
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
        "drop topic if exists example_high",
        "drop database if exists example_tmq_block",
        "create database example_tmq_block keep 36500 wal_retention_period 3600",
        "use example_tmq_block",
        "create table meters (ts timestamp, volts int) tags (place varchar(16))",
        "create topic example_high as select ts, volts, place from meters where volts > 225",
    ])
    .await?;
    for place in ["oslo", "bergen"] {
        let rows: String = (0..1000)
            .map(|n| format!("({}, {})", 1_700_000_000_000_i64 + n * 1000, 210 + n % 30))
            .collect();
        taos.exec(format!(
            "insert into {place} using meters tags ('{place}') values {rows}"
        ))
        .await?;
    }

    let mut dsn: Dsn = dsn.parse()?;
    dsn.set("group.id", "example");
    dsn.set("auto.offset.reset", "earliest");
    dsn.set("timeout", "1s");
    let mut consumer = TmqBuilder::from_dsn(&dsn)?.build().await?;
    consumer.subscribe(["example_high"]).await?;

    let (rows, volts) = sum(&consumer).await?;
    println!("{rows} rows above 225 V, {volts} V in all");
    consumer.commit_all().await?;

    // Every vgroup begins again with the oldest that its log still has.
    for vgroup in consumer.try_topic_assignment("example_high").await? {
        consumer
            .offset_seek("example_high", vgroup.vgroup_id(), vgroup.begin())
            .await?;
    }
    let again = sum(&consumer).await?;
    anyhow::ensure!(again == (rows, volts), "{again:?} the second time");
    println!("the same once more");
    consumer.unsubscribe().await;
    Ok(())
}
