//! `cargo xtask bench …`: ours and the published crate in turn, in one run, against one server.

mod embedded;
mod questdb;
mod report;
mod topics;
mod write;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, Subcommand};
use serde_json::Value;

use crate::native;
use crate::process::{self, Server, capture, cargo, root, target};
use report::{Case, Metric, Report, Run};

#[derive(Subcommand)]
pub(crate) enum What {
    /// Reading: bulk results in each form, and small queries
    Read(Read),
    /// Writing: SQL text, statements, records and lines, and the cost of encoding alone
    Write(write::Write),
    /// The embedded server beside SQLite alone: insert, scan, and windows
    Embedded(embedded::Beside),
    /// Reading topics: raw blocks and typed rows, from the embedded server
    Tmq(topics::Topics),
    /// QuestDB: rows into buffers, over HTTP, TCP and QWP, and results over QWP
    Questdb(questdb::Questdb),
}

#[derive(Args)]
pub(crate) struct Read {
    /// How often each case is run on each side
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Only cases whose name contains this
    #[arg(long)]
    only: Option<String>,
    /// Also read this many rows from the embedded server (0: do not)
    #[arg(long, default_value_t = 100_000)]
    embedded_rows: u32,
    /// Without the rows of the native way
    #[arg(long)]
    no_native: bool,
}

pub(crate) fn run(what: &What) -> Result<()> {
    match what {
        What::Read(options) => read(options),
        What::Write(options) => write::run(options),
        What::Embedded(options) => embedded::run(options),
        What::Tmq(options) => topics::run(options),
        What::Questdb(options) => questdb::run(options),
    }
}

const CASES: [(&str, Metric); 8] = [
    ("raw", Metric::RowsPerCpu),
    ("value", Metric::RowsPerCpu),
    ("row-views", Metric::RowsPerCpu),
    ("serde", Metric::RowsPerCpu),
    ("serde-borrowed", Metric::RowsPerCpu),
    ("fixed-width", Metric::RowsPerCpu),
    ("sequential", Metric::QueriesPerSecond),
    ("in-flight", Metric::QueriesPerSecond),
];
/// Read from the embedded server too: it costs something, so this shows the whole way, not the client.
const EMBEDDED_CASES: [(&str, Metric); 2] = [
    ("serde", Metric::RowsPerCpu),
    ("sequential", Metric::QueriesPerSecond),
];

/// The two helper binaries.
struct Helpers {
    ours: PathBuf,
    peer: PathBuf,
}

/// A helper and the DSN that it is given.
struct Side {
    binary: PathBuf,
    dsn: String,
    /// Behind the name of each case.
    suffix: String,
}

impl Side {
    fn run(&self, case: &str) -> Result<Run> {
        helper(&self.binary, &self.dsn, &format!("{case}{}", self.suffix))
    }
}

/// What is measured and what it is measured against.
struct Sides {
    ours: Side,
    peer: Side,
}

impl Helpers {
    /// Ours against the published client, both at this DSN.
    fn at(&self, dsn: &str) -> Sides {
        let side = |binary: &Path| Side {
            binary: binary.to_path_buf(),
            dsn: dsn.to_owned(),
            suffix: String::new(),
        };
        Sides {
            ours: side(&self.ours),
            peer: side(&self.peer),
        }
    }

    /// Ours through our libtaos against ours over WebSocket; `place` is `ip:port`, with a database or without.
    fn natively(&self, place: &str) -> Result<Sides> {
        process::run(&mut cargo(["build", "--release", "-p", "taos-capi"]))?;
        let side = |dsn| Side {
            binary: self.ours.clone(),
            dsn,
            suffix: String::new(),
        };
        Ok(Sides {
            ours: side(native::dsn(place, &native::library("release"))?),
            peer: side(format!("ws://{place}")),
        })
    }
}

/// The same cases with nothing but ourselves to compare with.
fn against_ourselves(cases: impl IntoIterator<Item = (&'static str, Metric)>) -> Vec<Case> {
    let cases = cases.into_iter();
    cases
        .map(|(name, metric)| Case::new(name, metric))
        .collect()
}

fn read(options: &Read) -> Result<()> {
    ensure!(options.rounds > 0, "at least one round is needed");
    let helpers = build()?;
    let server = Server::start(&mut Command::new(target().join("release/replay-server")))?;
    let mut report = Report {
        cases: rounds(
            &helpers.at(&server.dsn()),
            options.rounds,
            chosen(&CASES, options.only.as_deref()),
        )?,
        ..Report::default()
    };
    for _ in 0..options.rounds {
        report
            .echo
            .push(helper(&helpers.ours, &server.dsn(), "echo")?);
    }
    if !options.no_native {
        report.native = rounds(
            &helpers.natively(&server.address)?,
            options.rounds,
            chosen(&CASES, options.only.as_deref()),
        )?;
    }
    drop(server);
    if options.embedded_rows > 0 {
        report.embedded = embedded(&helpers, options)?;
    }
    publish(&report, "read.json")
}

/// Onto the terminal, and every round into a file.
fn publish(report: &Report, file: &str) -> Result<()> {
    report.print();
    let path = target().join("bench").join(file);
    fs::create_dir_all(target().join("bench"))?;
    fs::write(&path, format!("{:#}\n", report.to_json()))?;
    println!("\nwritten: {}", path.display());
    Ok(())
}

fn build() -> Result<Helpers> {
    build_of(&["bench-ours", "replay-server"], "bench-peer")
}

/// Builds our programs, of which the first is the helper, and the peer's.
fn build_of(ours: &[&str], peer: &str) -> Result<Helpers> {
    let bins = |names: &[&str]| {
        names
            .iter()
            .flat_map(|name| ["--bin".to_owned(), (*name).to_owned()])
            .collect::<Vec<_>>()
    };
    process::run(cargo(["build", "--release", "-p", "taos-benches"]).args(bins(ours)))?;
    let workspace = root().join("benches/peer");
    process::run(
        cargo(["build", "--release", "--locked", "--target-dir", "target"])
            .args(bins(&[peer]))
            .current_dir(&workspace),
    )
    .context("the published peer could not be built")?;
    let helper = ours.first().copied().unwrap_or_default();
    Ok(Helpers {
        ours: target().join("release").join(helper),
        peer: workspace.join("target/release").join(peer),
    })
}

fn chosen(cases: &[(&'static str, Metric)], only: Option<&str>) -> Vec<Case> {
    cases
        .iter()
        .filter(|(name, _)| only.is_none_or(|only| name.contains(only)))
        .map(|(name, metric)| Case::new(name, *metric))
        .collect()
}

/// Each case on both sides, round by round, so that a slow moment of the machine meets both.
fn rounds(sides: &Sides, rounds: usize, mut cases: Vec<Case>) -> Result<Vec<Case>> {
    let Sides { ours, peer } = sides;
    for round in 1..=rounds {
        for case in &mut cases {
            println!("round {round} of {rounds}: {}", case.name);
            let Some(against) = case.against else {
                case.ours.push(ours.run(case.name)?);
                continue;
            };
            // Who goes first changes each round.
            let (ours, peer) = if round % 2 == 0 {
                let ours = ours.run(case.name)?;
                (ours, peer.run(against)?)
            } else {
                let peer = peer.run(against)?;
                (ours.run(case.name)?, peer)
            };
            if ours.checksum != peer.checksum {
                bail!(
                    "{}: the two clients read different values (checksums {} and {})",
                    case.name,
                    ours.checksum,
                    peer.checksum
                );
            }
            case.ours.push(ours);
            case.peer.push(peer);
        }
    }
    Ok(cases)
}

/// The embedded server as it is released.
fn embedded_server() -> Result<Server> {
    process::run(&mut cargo([
        "build",
        "--release",
        "-p",
        "taos-embedded",
        "--bins",
    ]))?;
    Server::embedded(&target().join("release/taos-embedded"))
}

fn embedded(helpers: &Helpers, options: &Read) -> Result<Vec<Case>> {
    let server = embedded_server()?;
    println!(
        "loading {} rows into the embedded server",
        options.embedded_rows
    );
    helper(
        &helpers.ours,
        &server.dsn(),
        &format!("load:{}", options.embedded_rows),
    )?;
    rounds(
        &helpers.at(&format!("{}/bench", server.dsn())),
        options.rounds,
        chosen(&EMBEDDED_CASES, options.only.as_deref()),
    )
}

fn helper(binary: &Path, dsn: &str, case: &str) -> Result<Run> {
    let line = capture(Command::new(binary).args([dsn, case]))?;
    let json: Value =
        serde_json::from_str(&line).with_context(|| format!("not a report: {line}"))?;
    Run::read(&json).with_context(|| format!("not a whole report: {line}"))
}
