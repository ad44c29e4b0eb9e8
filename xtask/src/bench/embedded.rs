//! `cargo xtask bench embedded`: the server, its wire included, beside SQLite alone in one process.

use std::process::Command;

use anyhow::{Result, ensure};
use clap::Args;

use super::report::{Case, Metric, Report};
use super::{Side, Sides, publish, rounds};
use crate::process::{self, Server, cargo, target};

#[derive(Args)]
pub(crate) struct Beside {
    /// How often each case is run on each side
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// How many rows are written and read
    #[arg(long, default_value_t = 10_000_000)]
    rows: u32,
    /// Only cases whose name contains this; reading needs what `insert` wrote
    #[arg(long)]
    only: Option<String>,
}

const CASES: [&str; 3] = ["insert", "scan", "window"];
/// What the ratio of rows per second is meant to be at least.
const GOAL: f64 = 0.5;

pub(super) fn run(options: &Beside) -> Result<()> {
    ensure!(options.rounds > 0, "at least one round is needed");
    process::run(&mut cargo([
        "build",
        "--release",
        "-p",
        "taos-embedded",
        "-p",
        "taos-benches",
        "--bin",
        "taos-embedded",
        "--bin",
        "bench-embedded",
    ]))?;
    let data = tempfile::tempdir()?;
    let place = |name: &str| {
        let dir = data.path().join(name);
        std::fs::create_dir(&dir).map(|()| dir)
    };
    let (ours, plain) = (place("ours")?, place("plain")?);
    let server = Server::start(
        Command::new(target().join("release/taos-embedded"))
            .args(["--listen", "127.0.0.1:0", "--data-dir"])
            .arg(ours),
    )?;
    let side = |dsn| Side {
        binary: target().join("release/bench-embedded"),
        dsn,
        suffix: format!(":{}", options.rows),
    };
    let sides = Sides {
        ours: side(server.dsn()),
        peer: side(format!("sqlite:{}", plain.display())),
    };
    let only = options.only.as_deref().unwrap_or_default();
    let cases = CASES.into_iter().filter(|name| name.contains(only));
    let cases = cases.map(|name| Case::new(name, Metric::RowsPerSecond));
    let cases = rounds(&sides, options.rounds, cases.collect())?;
    let notes = cases.iter().map(|case| {
        let ratio = case.metric_ratio();
        let verdict = if ratio >= GOAL { "" } else { ": MISSED" };
        format!(
            "{}: {ratio:.2} times the rows per second of plain SQLite (at least {GOAL}){verdict}",
            case.name
        )
    });
    let report = Report {
        notes: notes.collect(),
        cases,
        ..Report::default()
    };
    publish(&report, "embedded.json")
}
