//! `cargo xtask bench write`.

use std::process::Command;

use anyhow::{Result, ensure};
use clap::Args;

use super::report::{Case, Metric, Report};
use super::{against_ourselves, build, embedded_server, helper, publish, rounds};
use crate::process::{Server, target};

#[derive(Args)]
pub(crate) struct Write {
    /// How often each case is run on each side
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Only cases whose name contains this
    #[arg(long)]
    only: Option<String>,
    /// Also write each case once into the embedded server
    #[arg(long)]
    embedded: bool,
    /// Without the rows of the native way
    #[arg(long)]
    no_native: bool,
}

/// Our case and the peer's: it has no second-generation statement and no inserter, so those stand
/// against its only statement.
const CASES: [(&str, &str); 11] = [
    ("exec-1", "exec-1"),
    ("exec-100", "exec-100"),
    ("stmt-1", "stmt-1"),
    ("stmt-100", "stmt-100"),
    ("stmt2-1", "stmt-1"),
    ("stmt2-100", "stmt-100"),
    ("inserter-1", "stmt-1"),
    ("inserter-all-1", "stmt-1"),
    ("inserter-100", "stmt-100"),
    ("schemaless-1", "schemaless-1"),
    ("schemaless-100", "schemaless-100"),
];
const ENCODE: [&str; 4] = ["encode", "memcpy", "encode-text", "memcpy-text"];
/// Figures of ours over others of ours, with what they are meant to be.
const NOTES: [(&str, &str, &str); 5] = [
    ("inserter-1", "stmt2-1", "at least 0.87"),
    ("inserter-all-1", "stmt2-1", "at least 0.87"),
    ("inserter-100", "stmt2-100", "at least 0.87"),
    ("encode", "memcpy", "at least 0.5, unless at 1 GB/s"),
    ("encode-text", "memcpy-text", "no target"),
];

pub(super) fn run(options: &Write) -> Result<()> {
    ensure!(options.rounds > 0, "at least one round is needed");
    let chosen = |name: &str| {
        options
            .only
            .as_ref()
            .is_none_or(|only| name.contains(only.as_str()))
    };
    let cases = |metric| {
        CASES
            .iter()
            .filter(|(ours, _)| chosen(ours))
            .map(move |(ours, peer)| Case::against(ours, metric, Some(peer)))
    };
    let encode = ENCODE
        .iter()
        .filter(|name| chosen(name))
        .map(|name| Case::against(name, Metric::BytesPerSecond, None));
    let helpers = build()?;
    let server = Server::start(Command::new(target().join("release/replay-server")).arg("1"))?;
    let all = cases(Metric::RowsPerCpu).chain(encode).collect();
    let mut report = Report {
        cases: rounds(&helpers.at(&server.dsn()), options.rounds, all)?,
        ..Report::default()
    };
    if !options.no_native {
        let names = CASES
            .iter()
            .map(|(ours, _)| *ours)
            .filter(|name| chosen(name));
        let cases = against_ourselves(names.map(|name| (name, Metric::RowsPerCpu)));
        report.native = rounds(&helpers.natively(&server.address)?, options.rounds, cases)?;
    }
    drop(server);
    report.notes = NOTES
        .iter()
        .filter_map(|(case, over, target)| note(&report.cases, case, over, target))
        .collect();
    if options.embedded {
        let server = embedded_server()?;
        helper(&helpers.ours, &server.dsn(), "setup")?;
        let dsn = format!("{}/bench", server.dsn());
        report.embedded = rounds(&helpers.at(&dsn), 1, cases(Metric::RowsPerCpu).collect())?;
    }
    publish(&report, "write.json")
}

fn note(cases: &[Case], name: &str, over: &str, target: &str) -> Option<String> {
    let figure = |name: &str| Some(cases.iter().find(|case| case.name == name)?.ours());
    let ratio = figure(name)? / figure(over)?;
    Some(format!("{name} at {ratio:.2} of {over} ({target})"))
}
