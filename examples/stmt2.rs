//! Statements of the second generation: many tables in one call, and queries with parameters.
//!
//! `cargo run --example stmt2` starts a server of its own; `TAOS_DSN=ws://host:6041` uses that one instead.

use taos::*;
use taos_embedded::Embedded;

/// A second of readings from one meter.
fn reading(meter: i32, second: i64) -> Stmt2BindParam {
    let tags = vec![
        Value::VarChar(format!("hall {}", meter % 3)),
        Value::Int(meter),
    ];
    let columns = vec![
        ColumnView::from_millis_timestamp(vec![1_700_000_000_000 + second * 1000]),
        ColumnView::from_ints(vec![220 + meter]),
    ];
    Stmt2BindParam::new(Some(format!("meter_{meter}")), Some(tags), Some(columns))
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
        "drop database if exists example_stmt2",
        "create database example_stmt2 keep 36500",
        "use example_stmt2",
        "create table meters (ts timestamp, voltage int) tags (hall varchar(16), id int)",
    ])
    .await?;

    // The table's name is one more placeholder; tables that do not exist are made with their tags.
    let mut stmt = Stmt2::init(&taos).await?;
    stmt.prepare("insert into meters (tbname, hall, id, ts, voltage) values (?, ?, ?, ?, ?)")
        .await?;
    for second in 0..60 {
        let readings: Vec<_> = (0..100).map(|meter| reading(meter, second)).collect();
        stmt.bind(&readings).await?;
    }
    println!("{} rows written", stmt.exec().await?);

    let mut stmt = Stmt2::init(&taos).await?;
    stmt.prepare("select count(*), max(voltage) from meters where hall = ? and voltage < ?")
        .await?;
    for hall in ["hall 0", "hall 1"] {
        let parameters = vec![
            ColumnView::from_varchar(vec![hall]),
            ColumnView::from_ints(vec![300]),
        ];
        let param = Stmt2BindParam::new(None, None, Some(parameters));
        stmt.bind(&[param]).await?.exec().await?;
        let mut result = stmt.result_set().await?;
        let mut rows = result.deserialize::<(i64, i32)>();
        while let Some((count, highest)) = rows.try_next().await? {
            println!("{hall}: {count} rows, at most {highest} V");
        }
    }
    Ok(())
}
