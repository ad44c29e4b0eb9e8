//! A table is copied in the form that blocks have on the wire: no row is looked at on the way.
//!
//! `cargo run --example raw-block-copy` starts a server of its own; `TAOS_DSN=ws://host:6041` uses that one
//! instead. With `TAOS_DSN_TO` as well, the copy goes to that server.

use taos::*;
use taos_embedded::Embedded;

const COLUMNS: &str = "(ts timestamp, celsius float, place varchar(16))";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let (dsn, _server) = match std::env::var("TAOS_DSN") {
        Ok(dsn) => (dsn, None),
        Err(_) => {
            let server = Embedded::builder().memory().start().await?;
            (server.dsn().to_owned(), Some(server))
        }
    };
    let from = TaosBuilder::from_dsn(&dsn)?.build().await?;
    let to_dsn = std::env::var("TAOS_DSN_TO").unwrap_or(dsn);
    let to = TaosBuilder::from_dsn(&to_dsn)?.build().await?;
    for (taos, database, table) in [
        (&from, "example_raw_from", "source"),
        (&to, "example_raw_to", "copy"),
    ] {
        taos.exec_many([
            format!("drop database if exists {database}"),
            format!("create database {database} keep 36500"),
            format!("use {database}"),
            format!("create table {table} {COLUMNS}"),
        ])
        .await?;
    }
    let rows: String = (0..10_000)
        .map(|n| format!("({}, {}, 'Oslo')", 1_700_000_000_000_i64 + n, n % 30))
        .collect();
    from.exec(format!("insert into source values {rows}"))
        .await?;

    let mut result = from.query("select * from source").await?;
    let mut blocks = result.blocks();
    while let Some(mut block) = blocks.try_next().await? {
        // Columns go by the names they were read under; without names they would go by position.
        block.with_table_name("copy");
        to.write_raw_block(&block).await?;
        println!("{} rows copied", block.nrows());
    }

    let sums = "select count(*), sum(celsius) from";
    let before: Option<(i64, f64)> = from.query_one(format!("{sums} source")).await?;
    let after: Option<(i64, f64)> = to.query_one(format!("{sums} copy")).await?;
    anyhow::ensure!(before == after, "{before:?} became {after:?}");
    println!("equal: {after:?}");
    Ok(())
}
