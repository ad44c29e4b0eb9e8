//! The blocking API: the same calls without async, from any thread.
//!
//! `TAOS_DSN=ws://host:6041 cargo run --example sync-query`, or without it on a server of its own; QuestDB
//! does too (`TAOS_DSN=questdb://localhost:9000`).

use serde::Deserialize;
use taos::sync::*;
use taos_embedded::Embedded;

#[derive(Debug, Deserialize)]
struct Sum {
    location: String,
    rain: f64,
}

/// The statements that make the table, in the SQL of the server.
fn rows(dialect: Dialect) -> &'static [&'static str] {
    match dialect {
        Dialect::QuestDb => &[
            "drop table if exists example_gauges",
            // Rows of a table without WAL can be read at once.
            "create table example_gauges (ts timestamp, rain double, location symbol) \
             timestamp(ts) partition by day bypass wal",
            "insert into example_gauges values (dateadd('d', -1, now()), 7.5, 'Bergen'), \
             (now(), 12.0, 'Bergen'), (now(), 0.0, 'Almería')",
        ],
        _ => &[
            "drop database if exists example_sync",
            "create database example_sync",
            "use example_sync",
            "create table example_gauges (ts timestamp, rain double) tags (location varchar(24))",
            "insert into g1 using example_gauges tags ('Bergen') values (now - 1d, 7.5) (now, 12.0)",
            "insert into g2 using example_gauges tags ('Almería') values (now, 0.0)",
        ],
    }
}

fn main() -> anyhow::Result<()> {
    let (dsn, _server) = match std::env::var("TAOS_DSN") {
        Ok(dsn) => (dsn, None),
        Err(_) => {
            let server = Embedded::builder().memory().start_blocking()?;
            (server.dsn().to_owned(), Some(server))
        }
    };
    let taos = TaosBuilder::from_dsn(&dsn)?.build()?;
    taos.exec_many(rows(taos.capabilities().dialect))?;

    let mut rs = taos.query("select ts, rain, location from example_gauges")?;
    for row in rs.rows() {
        for (name, value) in row? {
            print!("{name}={value} ");
        }
        println!();
    }

    let sums: Vec<Sum> = taos
        .query("select location, sum(rain) as rain from example_gauges group by location order by location")?
        .deserialize()
        .collect::<Result<_, _>>()?;
    for Sum { location, rain } in sums {
        println!("{location}: {rain} mm");
    }
    Ok(())
}
