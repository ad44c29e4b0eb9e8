//! `cargo xtask bench questdb`.

use std::process::Command;

use anyhow::{Result, ensure};
use clap::Args;

use super::report::{Case, Metric, Report};
use super::{build_of, publish, rounds};
use crate::process::{self, Server, cargo, target};
use crate::questdb::{self, Servers};

#[derive(Args)]
pub(crate) struct Questdb {
    /// How often each case is run on each side
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Only cases whose name contains this
    #[arg(long)]
    only: Option<String>,
    /// A QuestDB server that runs already, as `HTTP-ADDRESS,TCP-ADDRESS`; without it one is started
    #[arg(long)]
    server: Option<String>,
}

/// A case, and what the ratio of rows per second of the client's CPU is meant to be at least, if anything.
type Goal = (&'static str, Option<f64>);

/// Against a server of ours that costs nothing, or none at all.
const ALONE: [Goal; 10] = [
    ("buffer-v1", Some(1.5)),
    ("buffer-v2", Some(1.5)),
    ("buffer-v3", Some(1.5)),
    ("buffer-v2-names", Some(1.5)),
    ("buffer-qwp", Some(1.0)),
    ("http-null", Some(1.2)),
    ("tcp-null", Some(1.2)),
    ("qwp-ingest", Some(1.0)),
    ("qwp-egress", None),
    ("qwp-egress-rows", None),
];
/// To the end: the server's count of rows and a sum over them decide.
const REAL: [Goal; 2] = [("http", Some(1.2)), ("tcp", Some(1.2))];

pub(super) fn run(options: &Questdb) -> Result<()> {
    ensure!(options.rounds > 0, "at least one round is needed");
    let chosen = |goals: &[Goal]| -> Vec<Goal> {
        let only = options.only.as_deref().unwrap_or_default();
        let wanted = goals.iter().filter(|(name, _)| name.contains(only));
        wanted.copied().collect()
    };
    let cases = |goals: &[Goal]| {
        let cases = goals.iter();
        cases
            .map(|(name, _)| {
                // The published client has no rows, only columns.
                let peer = name.strip_suffix("-rows").unwrap_or(name);
                Case::against(name, Metric::RowsPerCpu, Some(peer))
            })
            .collect()
    };
    let helpers = build_of(&["bench-questdb", "questdb-server"], "bench-peer-questdb")?;
    let (alone, real) = (chosen(&ALONE), chosen(&REAL));
    let mut report = Report::default();
    if !alone.is_empty() {
        let server = Server::start(&mut Command::new(target().join("release/questdb-server")))?;
        report.cases = rounds(&helpers.at(&server.address), options.rounds, cases(&alone))?;
    }
    if !real.is_empty() {
        let (_server, addresses) = server(options)?;
        let cases = rounds(&helpers.at(&addresses), options.rounds, cases(&real))?;
        report.cases.extend(cases);
    }
    report.notes = notes(&report.cases, &[alone, real].concat());
    publish(&report, "questdb.json")
}

/// A real one, and where it takes HTTP and TCP.
fn server(options: &Questdb) -> Result<(Option<Servers>, String)> {
    if let Some(addresses) = &options.server {
        return Ok((None, addresses.clone()));
    }
    process::run(&mut cargo([
        "build",
        "-p",
        "taos-tests",
        "--bin",
        "taos-test-process",
    ]))?;
    let servers = Servers::start(&questdb::jar()?)?;
    let addresses = format!("{},{}", servers.address("http")?, servers.address("tcp")?);
    Ok((Some(servers), addresses))
}

fn notes(cases: &[Case], goals: &[Goal]) -> Vec<String> {
    let goal = |name: &str| goals.iter().find(|(goal, _)| *goal == name);
    cases
        .iter()
        .filter_map(|case| {
            let (name, least) = goal(case.name)?;
            let ratio = case.metric_ratio();
            let least = (*least)?;
            let verdict = if ratio >= least { "" } else { ": MISSED" };
            Some(format!(
                "{name}: {ratio:.2} times the rows per second of CPU (at least {least}){verdict}"
            ))
        })
        .collect()
}
