//! A pool of connections: made when needed, checked before they are handed out again.
//!
//! `cargo run --example pool` starts a server of its own; `TAOS_DSN=ws://host:6041` uses that one instead.

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
    let builder = TaosBuilder::from_dsn(&dsn)?;
    let mut config = builder.default_pool_config();
    config.max_size = 4;
    let pool: TaosPool = builder.with_pool_config(config)?;

    let taos = pool.get().await?;
    taos.exec_many([
        "drop database if exists example_pool",
        "create database example_pool",
        "create table example_pool.requests (ts timestamp, path varchar(32)) tags (worker int)",
    ])
    .await?;
    // Dropped, it goes back to the pool.
    drop(taos);

    let workers = (0..16).map(|worker| {
        let pool = pool.clone();
        tokio::spawn(async move {
            let taos = pool.get().await?;
            // Pooled connections are shared: name the database instead of choosing it with USE.
            let rows = taos
                .exec(format!(
                    "insert into example_pool.w{worker} using example_pool.requests \
                     tags ({worker}) values (now, '/index') (now + 1s, '/about')"
                ))
                .await?;
            anyhow::Ok(rows)
        })
    });
    let mut rows = 0;
    for worker in workers.collect::<Vec<_>>() {
        rows += worker.await??;
    }
    let status = pool.status();
    println!("{rows} rows by 16 workers over {} connections", status.size);

    let taos = pool.get().await?;
    let count: Option<i64> = taos
        .query_one("select count(*) from example_pool.requests")
        .await?;
    println!("the table has {} rows", count.unwrap_or_default());
    Ok(())
}
