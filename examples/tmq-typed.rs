//! Rows of a topic as structs, acknowledged one by one; ended from elsewhere, without a loss.
//!
//! `cargo run --example tmq-typed` starts a server of its own; `TAOS_DSN=ws://host:6041` uses that one instead.

use std::time::Duration;

use serde::Deserialize;
use taos::*;
use taos_embedded::Embedded;

#[derive(Debug, Deserialize)]
struct Order {
    number: i64,
    item: String,
}

const ORDERS: i64 = 5000;

async fn write(taos: Taos) -> RawResult<()> {
    for batch in 0..ORDERS / 100 {
        let rows: String = (0..100)
            .map(|n| batch * 100 + n)
            .map(|n| format!("({}, {n}, 'item {}')", 1_700_000_000_000_i64 + n, n % 7))
            .collect();
        taos.exec(format!(
            "insert into shop_{0} using orders tags ({0}) values {rows}",
            batch % 4
        ))
        .await?;
    }
    Ok(())
}

/// Takes orders until `wanted` have come, then asks the stream to end.
async fn work(consumer: &Consumer, wanted: usize) -> RawResult<usize> {
    let mut orders = consumer
        .records::<Order>()
        .commit_on_ack(Duration::from_millis(200));
    // A clone of the handle could wait for Ctrl-C in a task of its own.
    let shutdown = orders.shutdown_handle();
    let mut taken = 0;
    while let Some(order) = orders.try_next().await? {
        if taken == 0 {
            println!(
                "order {} of {:?} from table {:?}, vgroup {}, offset {}",
                order.number,
                order.item,
                order.table_name().unwrap_or_default(),
                order.vgroup_id(),
                order.offset()
            );
        }
        taken += 1;
        // From here on the order is not delivered again, once the rest of its message has been acknowledged too.
        order.ack();
        if taken == wanted {
            shutdown.shutdown();
        }
    }
    Ok(taken)
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
        "drop topic if exists example_orders",
        "drop database if exists example_tmq_typed",
        "create database example_tmq_typed keep 36500 wal_retention_period 3600",
        "use example_tmq_typed",
        "create table orders (ts timestamp, number bigint, item varchar(16)) tags (shop int)",
        "create topic example_orders as stable orders",
    ])
    .await?;
    let writer = tokio::spawn(write(taos));

    let mut dsn: Dsn = dsn.parse()?;
    dsn.set("group.id", "example");
    dsn.set("auto.offset.reset", "earliest");
    let tmq = TmqBuilder::from_dsn(&dsn)?;

    // The first consumer leaves in the middle; the second goes on where it stopped.
    let mut consumer = tmq.build().await?;
    consumer.subscribe(["example_orders"]).await?;
    let first = work(&consumer, 1234).await?;
    consumer.unsubscribe().await;
    writer.await??;

    let mut consumer = tmq.build().await?;
    consumer.subscribe(["example_orders"]).await?;
    let all = usize::try_from(ORDERS)?;
    let second = work(&consumer, all - first).await?;
    consumer.unsubscribe().await;
    println!("{} orders by two consumers, none twice", first + second);
    Ok(())
}
