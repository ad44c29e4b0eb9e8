//! All messages of a topic, tables and rows, go into a file as the server packs them.
//!
//! `cargo run --example raw-dump [FILE]` fills a server of its own and dumps that; `raw-restore` reads the file.
//! `TAOS_DSN=ws://host:6041` fills and dumps that server; with `TAOS_TOPIC=name` as well it dumps a topic that is
//! there, one `with meta`.

use std::path::PathBuf;

use taos::*;
use taos_embedded::Embedded;
use tokio::io::{AsyncWriteExt as _, BufWriter};

/// The last statement changes a table of which rows are in the log already: replay must keep the order.
const HISTORY: [&str; 11] = [
    "drop topic if exists example_raw_dump",
    "drop database if exists example_raw_dump",
    "create database example_raw_dump keep 36500 wal_retention_period 3600",
    "use example_raw_dump",
    "create table meters (ts timestamp, current float) tags (place varchar(16))",
    "create topic example_raw_dump with meta as database example_raw_dump",
    "insert into d0 using meters tags ('Oslo') values (1700000000000, 10.3) (1700000001000, 10.4)",
    "insert into d1 using meters tags ('Bergen') values (1700000000000, 9.5)",
    "alter table meters add column voltage int",
    "insert into d1 values (1700000002000, 9.6, 220)",
    "delete from d0 where ts < 1700000001000",
];

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let file = std::env::args_os().nth(1).map_or_else(
        || std::env::temp_dir().join("example-topic.dump"),
        PathBuf::from,
    );
    let (dsn, _server) = match std::env::var("TAOS_DSN") {
        Ok(dsn) => (dsn, None),
        Err(_) => {
            let server = Embedded::builder().memory().start().await?;
            (server.dsn().to_owned(), Some(server))
        }
    };
    let topic = match std::env::var("TAOS_TOPIC") {
        Ok(topic) => topic,
        Err(_) => {
            let taos = TaosBuilder::from_dsn(&dsn)?.build().await?;
            taos.exec_many(HISTORY).await?;
            "example_raw_dump".to_owned()
        }
    };

    let mut dsn: Dsn = dsn.parse()?;
    dsn.set("group.id", "example");
    dsn.set("auto.offset.reset", "earliest");
    dsn.set("timeout", "2s");
    let mut consumer = TmqBuilder::from_dsn(&dsn)?.build().await?;
    consumer.subscribe([topic]).await?;

    let mut dump = BufWriter::new(tokio::fs::File::create(&file).await?);
    let (mut messages, mut bytes) = (0, 0);
    {
        let mut stream = consumer.stream();
        while let Some((offset, message)) = stream.try_next().await? {
            let raw = match &message {
                // The raw form of meta with rows has both.
                MessageSet::Meta(meta) | MessageSet::MetaData(meta, _) => {
                    meta.as_raw_meta().await?
                }
                MessageSet::Data(data) => data.as_raw_data().await?,
            };
            bytes += AsyncInlinable::write_inlined(&raw, &mut dump).await?;
            messages += 1;
            // Only what is safely in the file is committed.
            dump.flush().await?;
            dump.get_ref().sync_data().await?;
            consumer.commit(offset).await?;
        }
    }
    consumer.unsubscribe().await;
    println!("{messages} messages, {bytes} bytes in {}", file.display());
    Ok(())
}
