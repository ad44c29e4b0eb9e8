//! One program, two databases: the DSN decides where the trades go, and the capabilities of the
//! connection say where the databases differ.
//!
//! `cargo run --example questdb-trades` starts an embedded server that speaks TDengine's SQL;
//! `TAOS_DSN=questdb://localhost:9000` or `TAOS_DSN=ws://host:6041` uses that one instead.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};
use taos::*;
use taos_embedded::Embedded;

#[derive(Serialize)]
struct Trade<'a> {
    ts: chrono::DateTime<chrono::Utc>,
    symbol: &'a str,
    price: f64,
    amount: f64,
}

#[derive(Debug, Deserialize)]
struct Turnover {
    symbol: String,
    trades: i64,
    highest: f64,
    turnover: f64,
}

/// Makes an empty table; this is where the dialects differ.
async fn prepare<Q: AsyncQueryable>(db: &Q) -> RawResult<()> {
    let can = db.capabilities();
    if can.databases {
        db.exec("create database if not exists example_trades keep 36500")
            .await?;
        db.exec("use example_trades").await?;
    }
    // QuestDB has no databases, so the table must not be called like one of yours.
    db.exec("drop table if exists example_trades").await?;
    let columns = match can.dialect {
        Dialect::QuestDb => {
            "(ts timestamp, symbol symbol, price double, amount double) \
             timestamp(ts) partition by day"
        }
        _ => "(ts timestamp, symbol varchar(16), price double, amount double)",
    };
    db.exec(format!("create table example_trades {columns}"))
        .await?;
    Ok(())
}

/// Waits until a query sees as many rows as were written, where that is not at once.
async fn shown<Q: AsyncQueryable>(db: &Q, rows: i64) -> anyhow::Result<()> {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let count = "select count(*) from example_trades";
        let seen = db.query_one::<_, i64>(count).await?;
        if seen >= Some(rows) {
            return Ok(());
        }
        ensure!(
            Instant::now() < deadline,
            "of {rows} rows only {seen:?} can be read after half a minute"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The same SQL on both.
async fn turnover<Q: AsyncQueryable>(db: &Q) -> RawResult<Vec<Turnover>> {
    let sql = "select symbol, count(*) as trades, max(price) as highest, \
               sum(price * amount) as turnover from example_trades group by symbol order by symbol";
    db.query(sql).await?.deserialize().try_collect().await
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
    let taos = TaosBuilder::from_dsn(&dsn)?
        .build()
        .await
        .context("is the server of TAOS_DSN there? for QuestDB, `docker run -p 9000:9000 questdb/questdb` starts one")?;
    prepare(&taos).await?;

    let mut inserter = taos
        .inserter::<Trade<'_>>("example_trades")
        .max_rows(500)
        .open()
        .await?;
    let start = chrono::DateTime::from_timestamp(1_700_000_000, 0).context("no such time")?;
    for n in 0..2_000_u32 {
        let trade = Trade {
            ts: start + chrono::TimeDelta::milliseconds(i64::from(n) * 250),
            symbol: if n % 4 == 0 { "ETH-USD" } else { "BTC-USD" },
            price: 2_600.0 + f64::from(n % 50),
            amount: 0.5,
        };
        inserter.write(&trade).await?;
    }
    let summary = inserter.close().await?;
    println!("{} trades in {} batches", summary.rows, summary.batches);

    shown(&taos, 2_000).await?;
    for of in turnover(&taos).await? {
        println!(
            "{}: {} trades, at most {}, turnover {}",
            of.symbol, of.trades, of.highest, of.turnover
        );
    }
    Ok(())
}
