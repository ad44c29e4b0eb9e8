//! `cargo xtask test`: one build, then every judge over it.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::process::{self, capture, cargo, follow, follow_for, target};
use crate::{corpus, emulated, judges, native, questdb, skips};

/// Many tests wait for timeouts most of their time, so there may be more of them than processors.
pub(crate) const TEST_THREADS: &str = "6";

/// Counts of a step, as far as it has any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl std::ops::AddAssign for Count {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

type Step = (&'static str, fn() -> Result<Count>);

/// Runs all steps, also after one has failed, and sums up.
fn run_all(steps: &[Step]) -> Result<()> {
    let mut total = Count::default();
    let mut report = Vec::new();
    for (name, step) in steps {
        println!("\n== {name}");
        let started = Instant::now();
        let outcome = step();
        let seconds = started.elapsed().as_secs_f64();
        let (count, verdict) = match outcome {
            Ok(count) if count.failed == 0 => (count, "ok".to_owned()),
            Ok(count) => (count, "FAILED".to_owned()),
            Err(error) => (
                Count {
                    failed: 1,
                    ..Count::default()
                },
                format!("FAILED: {error:#}"),
            ),
        };
        total += count;
        report.push(format!(
            "{name:<22} {:>6} passed {:>5} skipped  {seconds:>7.1} s  {verdict}",
            count.passed, count.skipped
        ));
    }
    println!("\n== summary");
    for line in report {
        println!("{line}");
    }
    println!(
        "{} passed, {} failed, {} skipped",
        total.passed, total.failed, total.skipped
    );
    ensure!(total.failed == 0, "{} failed", total.failed);
    Ok(())
}

/// The whole suite.
pub(crate) fn run() -> Result<()> {
    build()?;
    run_all(&[
        ("cargo test", cargo_tests),
        ("emulated releases", emulated::run),
        ("native", native::run),
        ("QuestDB", questdb::run),
        ("SQL corpus", corpus::run),
        ("third-party clients", judges::run),
        ("examples", examples),
    ])
}

/// Builds everything once, tests and binaries alike, so that no step builds it again with other features.
fn build() -> Result<()> {
    process::run(cargo(["build", "--workspace", "--all-targets"]).env("CARGO_TERM_COLOR", "never"))
}

fn cargo_tests() -> Result<Count> {
    let mut total = Count::default();
    let skips = skips::fresh("cargo-test")?;
    let succeeded = follow(
        cargo(["test", "--workspace", "--no-fail-fast"])
            .env("TAOS_EMBEDDED_BIN", target().join("debug/taos-embedded"))
            .env("TAOS_TEST_SKIPS", &skips)
            .env_remove("TAOS_CAPI_LIB")
            .env("RUST_TEST_THREADS", TEST_THREADS),
        |line| {
            println!("{line}");
            total += counts(line).unwrap_or_default();
        },
    )?;
    skips::subtract(&skips, &mut total)?;
    if !succeeded && total.failed == 0 {
        bail!("cargo test failed without naming a test");
    }
    Ok(total)
}

/// A test binary, as cargo names it.
pub(crate) fn test_binary(name: &str) -> Result<PathBuf> {
    let mut build = cargo(["test", "--workspace", "--no-run"]);
    build.args(["--test", name, "--message-format", "json"]);
    let messages = capture(&mut build)?;
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["target"]["name"] == name)
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .with_context(|| format!("cargo named no test binary `{name}`"))
}

/// Reads `test result: ok. 3 passed; 1 failed; …`.
pub(crate) fn counts(line: &str) -> Option<Count> {
    let (_, numbers) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let number = |word: &str| {
        numbers
            .split("; ")
            .find_map(|part| part.strip_suffix(word)?.trim().parse().ok())
    };
    Some(Count {
        passed: number("passed")?,
        failed: number("failed")?,
        skipped: 0,
    })
}

/// Programs that newcomers run, and what each must print.
pub(crate) const EXAMPLES: &[(&str, &[&str])] = &[
    ("quickstart", &["Seattle", "New York", "2,922"]),
    ("bind", &["2 rows written", "1000 more", "Tromsø"]),
    (
        "bind-tags",
        &["300 rows written", "meter_2 in Almería: 100 rows, 222 V"],
    ),
    (
        "stmt2",
        &["6000 rows written", "hall 0: 1620 rows, at most 298 V"],
    ),
    ("inserter", &["2922 rows in ", "Seattle: 1461 days"]),
    ("schemaless", &["place=Oslo celsius=-3.5 rain=2 wind=NULL"]),
    ("pool", &["32 rows by 16 workers", "the table has 32 rows"]),
    ("raw-block-copy", &["4096 rows copied", "equal: "]),
    ("subscribe", &["d1 ", "10 rows in all", ": 0 behind"]),
    ("tmq-block", &["volts=226", "the same once more"]),
    ("tmq-typed", &["5000 orders by two consumers, none twice"]),
    ("raw-dump", &[" messages, "]),
    ("raw-restore", &["d0: 1 rows", "d1: 2 rows"]),
    (
        "questdb-trades",
        &["2000 trades in 4 batches", "BTC-USD: 1500 trades"],
    ),
];

/// The first things a newcomer runs must do what the guide says.
fn examples() -> Result<Count> {
    for (name, expected) in EXAMPLES {
        example(name, &[], expected)?;
    }
    Ok(Count {
        passed: u64::try_from(EXAMPLES.len())?,
        ..Count::default()
    })
}

/// An example that has not ended by then waits for what does not come.
const EXAMPLE: Duration = Duration::from_secs(90);

/// Runs one with these variables and looks for what it must print.
pub(crate) fn example(name: &str, variables: &[(&str, &str)], expected: &[&str]) -> Result<()> {
    let mut command = Command::new(target().join("debug/examples").join(name));
    command
        .env_remove("TAOS_DSN")
        .envs(variables.iter().copied());
    let mut printed = String::new();
    let succeeded = follow_for(&mut command, EXAMPLE, |line| {
        println!("{line}");
        printed.push_str(line);
        printed.push('\n');
    })?;
    ensure!(succeeded, "the example {name} failed; why stands above");
    for expected in expected {
        ensure!(
            printed.contains(expected),
            "the example {name} printed no {expected:?}"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counts_of_a_test_binary_are_read_from_its_last_line() {
        let line =
            "test result: FAILED. 12 passed; 3 failed; 1 ignored; 0 measured; 0 filtered out";
        assert_eq!(
            counts(line),
            Some(Count {
                passed: 12,
                failed: 3,
                skipped: 0
            })
        );
        assert_eq!(counts("running 3 tests"), None);
    }
}
