//! What only a real QuestDB can tell. Ignored without one: `cargo xtask test` starts it and runs them.
#![allow(
    clippy::unwrap_used,
    reason = "the programs of users do, and what the helpers set up must be there"
)]

mod arrays;
mod documented;
mod failures;
mod names;
mod qwp;
mod rest;
mod restarts;
mod secured;
mod server;
mod statements;
mod values;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::Value;
use taos_tests::questdb::{Servers, exec};

/// Runs a test on a runtime of its own, if there are servers.
fn run<T: AsyncFnOnce(Servers) -> anyhow::Result<()>>(test: T) -> anyhow::Result<()> {
    let Some(servers) = Servers::of_this_run() else {
        return Ok(());
    };
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?
        .block_on(test(servers))
}

/// Makes a table whose column `timestamp` is the designated one.
fn create(http: SocketAddr, table: &str, columns: &str) -> anyhow::Result<()> {
    let sql = format!(
        "create table '{table}' ({columns}, timestamp timestamp) timestamp(timestamp) \
         partition by day wal"
    );
    let answer = exec(http, &sql)?;
    anyhow::ensure!(answer.status == 200, "{sql}: {}", answer.json);
    Ok(())
}

/// Waits until a query gives these rows: what was written becomes visible a little later.
fn settles(http: SocketAddr, sql: &str, expected: &Value) -> anyhow::Result<()> {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let answer = exec(http, sql)?;
        if answer.json.get("dataset") == Some(expected) {
            return Ok(());
        }
        anyhow::ensure!(
            Instant::now() < deadline,
            "{sql} gives {} instead of {expected}",
            answer.json
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}
