//! One prepared INSERT for many subtables: those that do not exist are made with their tags.
//!
//! `cargo run --example bind-tags` starts a server of its own; `TAOS_DSN=ws://host:6041` uses that one instead.

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
    taos.exec_many([
        "drop database if exists example_bind_tags",
        "create database example_bind_tags keep 36500",
        "use example_bind_tags",
        "create table meters (ts timestamp, current float, voltage int) \
         tags (place varchar(24), floor int)",
    ])
    .await?;

    let mut stmt = Stmt::init(&taos).await?;
    stmt.prepare("insert into ? using meters tags (?, ?) values (?, ?, ?)")
        .await?;

    for (n, place) in (0_i32..).zip(["Oslo", "Kraków", "Almería"]) {
        let tags = [Value::VarChar(place.to_owned()), Value::Int(n)];
        let times = (0..100)
            .map(|i| 1_700_000_000_000 + i * 1000)
            .collect::<Vec<_>>();
        let columns = [
            ColumnView::from_millis_timestamp(times),
            ColumnView::from_floats(vec![10.0; 100]),
            ColumnView::from_ints(vec![Some(220 + n); 100]),
        ];
        stmt.set_tbname_tags(&format!("meter_{n}"), &tags)
            .await?
            .bind(&columns)
            .await?
            .add_batch()
            .await?;
    }
    // Nothing has been sent but the SQL; now all batches go.
    println!("{} rows written", stmt.execute().await?);

    let sql = "select tbname, place, count(*), avg(voltage) from meters \
               group by tbname, place order by tbname";
    let mut result = taos.query(sql).await?;
    let mut rows = result.deserialize::<(String, String, i64, f64)>();
    while let Some((table, place, rows, volts)) = rows.try_next().await? {
        println!("{table} in {place}: {rows} rows, {volts} V");
    }
    Ok(())
}
