//! `cargo xtask bench tmq`.

use anyhow::{Result, ensure};
use clap::Args;

use super::report::{Case, Metric, Report};
use super::{against_ourselves, build, embedded_server, helper, publish, rounds};

#[derive(Args)]
pub(crate) struct Topics {
    /// How often each case is run on each side; the peer takes a minute for one
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Only cases whose name contains this
    #[arg(long)]
    only: Option<String>,
    /// How many rows each case reads
    #[arg(long, default_value_t = 1_000_000)]
    rows: u32,
    /// Also topics over queries, and a commit for each message
    #[arg(long)]
    all: bool,
    /// Without the rows of the native way
    #[arg(long)]
    no_native: bool,
}

/// Our case, the peer's, and what the ratio of rows per second of CPU is meant to be at least.
const CASES: [(&str, &str, f64); 6] = [
    ("tmq-raw", "tmq-raw", 1.5),
    ("tmq-typed", "tmq-typed", 2.5),
    ("tmq-typed-records", "tmq-typed", 2.5),
    ("tmq-raw-select", "tmq-raw-select", 1.5),
    ("tmq-typed-select", "tmq-typed-select", 2.5),
    ("tmq-typed-commit", "tmq-typed-commit", 2.5),
];
/// Those of the cases that are run unless all are asked for, or some by name.
const USUAL: usize = 3;
/// What the ratio of rows per second is meant to be at least.
const WALL: f64 = 2.0;

pub(super) fn run(options: &Topics) -> Result<()> {
    ensure!(options.rounds > 0, "at least one round is needed");
    let helpers = build()?;
    let server = embedded_server()?;
    println!("writing {} rows into the embedded server", options.rows);
    let setup = format!("tmq-setup:{}", options.rows);
    helper(&helpers.ours, &server.dsn(), &setup)?;
    let many = if options.all || options.only.is_some() {
        CASES.len()
    } else {
        USUAL
    };
    let chosen = CASES
        .iter()
        .take(many)
        .filter(|(name, ..)| options.only.as_ref().is_none_or(|only| name.contains(only)));
    let cases = chosen
        .clone()
        .map(|(ours, peer, _)| Case::against(ours, Metric::RowsPerCpu, Some(peer)));
    let cases = rounds(&helpers.at(&server.dsn()), options.rounds, cases.collect())?;
    let natively = if options.no_native {
        Vec::new()
    } else {
        let names = chosen.clone().map(|(ours, ..)| (*ours, Metric::RowsPerCpu));
        let sides = helpers.natively(&server.address)?;
        rounds(&sides, options.rounds, against_ourselves(names))?
    };
    let notes = cases
        .iter()
        .zip(chosen)
        .map(|(case, (name, _, target))| {
            format!(
                "{name}: {:.2} times the rows per second of CPU (at least {target}), {:.2} times the rows per \
                 second (at least {WALL})",
                case.metric_ratio(),
                case.wall_ratio(),
            )
        })
        .collect();
    let report = Report {
        cases,
        native: natively,
        notes,
        ..Report::default()
    };
    publish(&report, "tmq.json")
}
