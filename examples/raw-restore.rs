//! Messages that `raw-dump` has written are replayed into another database, in their order.
//!
//! `cargo run --example raw-restore [FILE]` starts a server of its own; `TAOS_DSN=ws://host:6041/database` uses that one
//! instead, and the database if it names one. A message may be replayed twice in a row: equal times overwrite. A whole dump
//! replayed once more into its own result may not fit, where tables were changed in between.

use std::path::PathBuf;

use anyhow::Context as _;
use taos::*;
use taos_embedded::Embedded;
use tokio::io::{AsyncBufReadExt as _, BufReader};

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
    let dsn: Dsn = dsn.parse()?;
    let taos = TaosBuilder::from_dsn(&dsn)?.build().await?;
    if dsn.subject.is_none() {
        taos.create_database("example_raw_restore").await?;
        taos.use_database("example_raw_restore").await?;
    }

    let dump = tokio::fs::File::open(&file)
        .await
        .with_context(|| format!("{} cannot be opened; run raw-dump first", file.display()))?;
    let mut dump = BufReader::new(dump);
    let mut messages = 0;
    while !dump.fill_buf().await?.is_empty() {
        let raw = <RawMeta as AsyncInlinable>::read_inlined(&mut dump).await?;
        taos.write_raw_meta(&raw)
            .await
            .with_context(|| format!("message {messages} of raw type {}", raw.raw_type()))?;
        messages += 1;
    }
    println!("{messages} messages replayed");

    let mut tables = taos.query("show tables").await?;
    let mut tables = tables.rows();
    while let Some(mut row) = tables.try_next().await? {
        if let Some((_, name)) = row.next() {
            let sql = format!("select count(*) from `{name}`");
            let rows: Option<i64> = taos.query_one(sql).await?;
            println!("{name}: {} rows", rows.unwrap_or_default());
        }
    }
    Ok(())
}
