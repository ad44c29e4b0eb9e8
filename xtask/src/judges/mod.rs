//! Clients that others wrote, talking to the embedded server, or to the QWP server of the tests. They are installed into target/; their package
//! managers keep what they download in the caches that they always use.

mod c;
mod clients;

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::process::{self, cargo, follow_for};
use crate::suite::Count;

pub(crate) use c::under_valgrind;
use clients::{CLIENTS, Client};

/// A client that has not ended by then waits for an answer that does not come.
const LIMIT: Duration = Duration::from_secs(150);

/// Lets each client of tests/third_party do its checks; every check prints one line, `ok …` or `FAILED …`.
pub(crate) fn run() -> Result<Count> {
    Ok(all(&CLIENTS))
}

/// The same without the rest of the suite, for one client or for all.
pub(crate) fn alone(name: Option<&str>) -> Result<()> {
    let chosen: Vec<Client> = CLIENTS
        .into_iter()
        .filter(|client| name.is_none_or(|name| client.name == name))
        .collect();
    ensure!(
        !chosen.is_empty(),
        "no such client; there are {}",
        CLIENTS.map(|client| client.name).join(", ")
    );
    process::run(&mut cargo([
        "build",
        "--workspace",
        "--lib",
        "--bin",
        "taos-embedded",
        "--bin",
        "qwp-mock",
    ]))?;
    let count = all(&chosen);
    ensure!(count.failed == 0, "{} failed", count.failed);
    Ok(())
}

fn all(clients: &[Client]) -> Count {
    let mut total = Count::default();
    for client in clients {
        total += one(client);
    }
    println!(
        "third-party clients: {} checks passed, {} failed, {} of {} clients skipped",
        total.passed,
        total.failed,
        total.skipped,
        clients.len()
    );
    total
}

fn one(client: &Client) -> Count {
    if let Some(missing) = client.needs.iter().find(|needed| !starts(needed)) {
        println!(
            "skipped {}: `{}` does not run here",
            client.name,
            missing.join(" ")
        );
        return Count {
            skipped: 1,
            ..Count::default()
        };
    }
    let mut count = Count::default();
    if let Err(error) = judge(client, &mut count) {
        println!("FAILED {}: {error:#}", client.name);
        count.failed += 1;
    }
    count
}

fn starts(command: &[&str]) -> bool {
    let Some((program, arguments)) = command.split_first() else {
        return true;
    };
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn judge(client: &Client, count: &mut Count) -> Result<()> {
    let commands = (client.prepare)().context("it could not be installed")?;
    for mut command in commands {
        let server = (client.server)()?;
        let before = *count;
        let succeeded = follow_for(
            command.env("TAOS_ADDRESS", &server.address),
            LIMIT,
            |line| {
                println!("{line}");
                count.passed += u64::from(line.starts_with("ok "));
                count.failed += u64::from(line.starts_with("FAILED "));
            },
        )?;
        ensure!(*count != before, "it made no check");
        ensure!(
            succeeded || count.failed != before.failed,
            "it ended before its checks did"
        );
    }
    Ok(())
}
