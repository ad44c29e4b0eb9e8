//! The blocking API: the same calls without async, from any thread.
//!
//! `TAOS_DSN=ws://host:6041 cargo run --example sync-query`, or without it on a server of its own.

use serde::Deserialize;
use taos::sync::*;
use taos_embedded::Embedded;

#[derive(Debug, Deserialize)]
struct Sum {
    location: String,
    #[serde(rename = "sum(rain)")]
    rain: f64,
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
    taos.exec_many([
        "drop database if exists example_sync",
        "create database example_sync",
        "use example_sync",
        "create table gauges (ts timestamp, rain double) tags (location varchar(24))",
        "insert into g1 using gauges tags ('Bergen') values (now - 1d, 7.5) (now, 12.0)",
        "insert into g2 using gauges tags ('Almería') values (now, 0.0)",
    ])?;

    let mut rs = taos.query("select ts, rain, location from gauges")?;
    for row in rs.rows() {
        for (name, value) in row? {
            print!("{name}={value} ");
        }
        println!();
    }

    let sums: Vec<Sum> = taos
        .query("select location, sum(rain) from gauges group by location order by location")?
        .deserialize()
        .collect::<Result<_, _>>()?;
    for Sum { location, rain } in sums {
        println!("{location}: {rain} mm");
    }
    Ok(())
}
