//! Databases, super tables and subtables, and what the server says about them.
//!
//! `TAOS_DSN=ws://host:6041 cargo run --example create-database`, or without it on a server of its own.

use taos::*;
use taos_embedded::Embedded;

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

    taos.exec("drop database if exists example_create").await?;
    // Time stamps of this database count microseconds.
    taos.exec("create database example_create precision 'us'")
        .await?;
    taos.use_database("example_create").await?;

    // A super table says what all its subtables have in common; tags tell the subtables apart.
    taos.exec(
        "create table pumps (ts timestamp, pressure double, running bool) \
         tags (site varchar(32), serial int)",
    )
    .await?;
    let tables = [("p1", "north", 17), ("p2", "south", 18)];
    for (table, site, serial) in tables {
        taos.exec(format!(
            "create table {table} using pumps tags ('{site}', {serial})"
        ))
        .await?;
    }
    let rows = taos
        .exec("insert into p1 values (now, 2.5, true) p2 values (now, 2.75, false)")
        .await?;
    println!("{rows} rows written");

    println!("databases:");
    for database in taos.databases().await? {
        println!("  {}", database.name);
    }
    println!("pumps:");
    for column in taos.describe("pumps").await?.iter() {
        let kind = if column.is_tag() { "tag" } else { "column" };
        println!("  {kind} {} {}", column.field(), column.ty());
    }

    // Errors carry the server's code and say what was tried.
    match taos.exec("insert into nowhere values (now, 1)").await {
        Ok(_) => anyhow::bail!("a table that is not there took a row"),
        Err(error) => println!("as expected: {error} (code {:#06x})", error.code()),
    }
    Ok(())
}
