//! A sender that flushes by itself: after so many rows, or when the last flush is long ago.
//!
//! `cargo run --example questdb-async` wants a QuestDB server at localhost:9000, or where `QUESTDB_ADDR` says.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use taos::questdb::ingress::{SenderBuilder, TimestampMicros};
use taos::*;
use tokio::sync::mpsc;
use tokio::time::sleep;

const HELP: &str = "is there a QuestDB server? `docker run -p 9000:9000 questdb/questdb` starts one; \
                    QUESTDB_ADDR=host:port names another";
const START_US: i64 = 1_700_000_000_000_000;

struct Reading {
    room: usize,
    celsius: f64,
    us: i64,
}

/// Takes readings as they come and sends them until nobody makes any more.
async fn collect(address: String, mut readings: mpsc::Receiver<Reading>) -> anyhow::Result<u32> {
    let mut sender =
        SenderBuilder::from_conf(format!("http::addr={address};retry_timeout=30000;"))?
            .auto_flush_rows(1_000)?
            .auto_flush_interval(Duration::from_secs(1))?
            .build_async()
            .await?;
    let mut buffer = sender.new_buffer();
    let mut flushes = 0;
    while let Some(reading) = readings.recv().await {
        buffer
            .table("example_rooms")?
            .symbol("room", ["kitchen", "hall", "attic"][reading.room % 3])?
            .column_f64("celsius", reading.celsius)?;
        // Completes the row, and flushes if it is time.
        if sender
            .at(&mut buffer, TimestampMicros::new(reading.us))
            .await?
        {
            flushes += 1;
        }
    }
    // No timer stands behind auto-flush: what is left is sent here.
    sender.flush(&mut buffer).await?;
    Ok(flushes)
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let address = std::env::var("QUESTDB_ADDR").unwrap_or_else(|_| "localhost:9000".to_owned());
    let taos = TaosBuilder::from_dsn(format!("questdb://{address}"))?
        .build()
        .await
        .context(HELP)?;
    taos.exec("drop table if exists example_rooms").await?;

    let (rooms, readings) = mpsc::channel(100);
    let collector = tokio::spawn(collect(address, readings));
    let makers = (0..3_u8).map(|room| {
        let rooms = rooms.clone();
        tokio::spawn(async move {
            for n in 0..1_500_u16 {
                let reading = Reading {
                    room: usize::from(room),
                    celsius: 18.0 + f64::from(room) + f64::from(n % 40) / 10.0,
                    us: START_US + i64::from(n) * 1_000_000 + i64::from(room),
                };
                rooms.send(reading).await?;
            }
            anyhow::Ok(())
        })
    });
    let makers: Vec<_> = makers.collect();
    // The collector ends when the last sender of its channel is gone.
    drop(rooms);
    // If it fails the makers do too, of a closed channel: its error is the one to show.
    println!(
        "flushed by itself {} times",
        collector.await?.context(HELP)?
    );
    for maker in makers {
        maker.await??;
    }

    let count = "select count() from example_rooms";
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let seen = taos.query_one::<_, i64>(count).await?;
        if seen >= Some(4_500) {
            break;
        }
        ensure!(
            Instant::now() < deadline,
            "of 4500 rows only {seen:?} can be read after half a minute"
        );
        sleep(Duration::from_millis(50)).await;
    }
    let sql = "select room, count(), max(celsius) from example_rooms order by room";
    let rooms: Vec<(String, i64, f64)> = taos.query(sql).await?.deserialize().try_collect().await?;
    for (room, readings, warmest) in rooms {
        println!("{room}: {readings} readings, at most {warmest} °C");
    }
    Ok(())
}
