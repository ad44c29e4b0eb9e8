//! What only a real QuestDB can tell. Ignored without one: `cargo xtask test` starts it and runs them.

mod rest;
mod server;

use taos_tests::questdb::Servers;

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
