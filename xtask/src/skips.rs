//! Runs of a test binary that are counted, and lists of what a run cannot do.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::process::{capture, follow, follow_for, root, target};
use crate::suite::{Count, TEST_THREADS, counts};

/// A test that some runs cannot pass.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Skip<'a> {
    pub(crate) runs: Vec<&'a str>,
    pub(crate) test: &'a str,
    pub(crate) reason: &'a str,
}

/// Reads lines `runs | test | reason`, of which the runs must be known.
pub(crate) fn parse<'a>(list: &'a str, known: &[&str]) -> Result<Vec<Skip<'a>>> {
    let lines = list.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            let mut parts = line.splitn(3, '|').map(str::trim);
            let mut part = || parts.next().filter(|part| !part.is_empty());
            let skip = part().zip(part()).zip(part());
            let ((runs, test), reason) = skip.with_context(|| format!("no skip: {line}"))?;
            let runs: Vec<&str> = runs.split(' ').collect();
            ensure!(
                runs.iter().all(|run| known.contains(run)),
                "an unknown run: {line}"
            );
            Ok(Skip { runs, test, reason })
        })
        .collect()
}

/// Those of the tests that `run` skips.
pub(crate) fn of<'a>(skips: &[Skip<'a>], run: &str) -> Vec<&'a str> {
    let skips = skips.iter().filter(|skip| skip.runs.contains(&run));
    skips.map(|skip| skip.test).collect()
}

/// Fails for a filter that no test of the binary has in its name: it would run nothing, and say nothing.
pub(crate) fn each_names_a_test(binary: &Path, filters: &[&str]) -> Result<()> {
    let list = capture(Command::new(binary).arg("--list"))?;
    for filter in filters {
        ensure!(names_a_test(&list, filter), "no test is named {filter}");
    }
    Ok(())
}

/// Whether a line `NAME: test` of what `--list` prints has it.
fn names_a_test(list: &str, filter: &str) -> bool {
    list.lines()
        .filter_map(|line| line.strip_suffix(": test"))
        .any(|test| test.contains(filter))
}

/// Runs the tests that must fail; each that passes is counted as a failure, since its skip is stale.
///
/// # Errors
/// For a name that is not of a test: its skip is stale too.
pub(crate) fn stale(mut binary: Command, skipped: &[&str]) -> Result<Count> {
    let mut count = Count::default();
    if skipped.is_empty() {
        return Ok(count);
    }
    surroundings(&mut binary);
    binary.arg("--exact").args(skipped);
    let mut ran = 0;
    follow(&mut binary, |line| {
        ran += counts(line).map_or(0, |count| count.passed + count.failed);
        if line.ends_with("... ok") {
            println!("FAILED {line}: it passes, so its skip is stale");
            count.failed += 1;
        }
    })?;
    ensure!(
        ran == u64::try_from(skipped.len())?,
        "only {ran} tests are there of the {} that are to be skipped",
        skipped.len()
    );
    Ok(count)
}

/// What every run of a suite finds around it.
fn surroundings(binary: &mut Command) {
    binary
        .current_dir(root().join("tests"))
        .env("RUST_BACKTRACE", "0")
        .env("RUST_TEST_THREADS", TEST_THREADS);
}

/// Runs a test binary within `limit`; tests that say why they are skipped count as that, and `name` is
/// where their reasons are kept.
pub(crate) fn counted(mut binary: Command, name: &str, limit: Duration) -> Result<Count> {
    surroundings(&mut binary);
    let skips = fresh(name)?;
    binary.env("TAOS_TEST_SKIPS", &skips);
    let mut count = Count::default();
    let succeeded = follow_for(&mut binary, limit, |line| {
        if !line.ends_with("... ok") {
            println!("{line}");
        }
        count += counts(line).unwrap_or_default();
    })?;
    subtract(&skips, &mut count)?;
    ensure!(count.passed > 0, "no test was run");
    ensure!(
        succeeded || count.failed > 0,
        "it failed without naming a test"
    );
    Ok(count)
}

/// An empty file that the tests of the run `name` write their skips into, by `TAOS_TEST_SKIPS`.
pub(crate) fn fresh(name: &str) -> Result<PathBuf> {
    fs::create_dir_all(target().join("skipped"))?;
    let skips = kept(name);
    fs::write(&skips, "")?;
    Ok(skips)
}

/// Prints why tests were skipped and counts them as that; their binary has counted them as passed.
pub(crate) fn subtract(skips: &Path, count: &mut Count) -> Result<()> {
    let skips = fs::read_to_string(skips)?;
    let (tests, reasons) = reasons(&skips);
    for (reason, tests) in reasons {
        println!("skipped {tests:>4}: {reason}");
    }
    count.skipped += tests;
    count.passed = count.passed.saturating_sub(tests);
    Ok(())
}

fn kept(name: &str) -> PathBuf {
    target().join("skipped").join(format!("{name}.txt"))
}

/// The tests that the run `name` skipped for this reason.
///
/// # Errors
/// If there are none: then the reason has got other words.
pub(crate) fn skipped_for(name: &str, reason: &str) -> Result<Vec<String>> {
    let lines = fs::read_to_string(kept(name))?;
    let tests: BTreeSet<String> = lines
        .lines()
        .filter_map(|line| line.strip_prefix("skipped ")?.split_once(": "))
        .filter(|(_, why)| *why == reason)
        .map(|(test, _)| test.to_owned())
        .collect();
    ensure!(!tests.is_empty(), "nothing was skipped because {reason}");
    Ok(tests.into_iter().collect())
}

/// How many tests were skipped, and how often for which reason, from lines `skipped TEST: REASON`.
fn reasons(lines: &str) -> (u64, BTreeMap<&str, u64>) {
    let mut reasons = BTreeMap::new();
    let mut tests = BTreeSet::new();
    for (test, reason) in lines.lines().filter_map(|line| line.split_once(": ")) {
        if tests.insert(test) {
            *reasons.entry(reason).or_default() += 1;
        }
    }
    (u64::try_from(tests.len()).unwrap_or(u64::MAX), reasons)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skip_names_runs_a_test_and_a_reason() {
        let known = ["3.2.3.0", "3.3.2.0"];
        let list = "# why\n\n3.2.3.0 3.3.2.0 | a::b | no such thing | there\n";
        let skips = parse(list, &known).unwrap();
        let expected = Skip {
            runs: known.to_vec(),
            test: "a::b",
            reason: "no such thing | there",
        };
        assert_eq!(skips, [expected]);
        assert_eq!(of(&skips, "3.2.3.0"), ["a::b"]);
        assert!(of(&skips, "3.4.1.0").is_empty());
        assert!(parse("3.2.3.0 | a::b |", &known).is_err());
        assert!(parse("1.0 | a::b | old", &known).is_err());
    }

    #[test]
    fn a_filter_names_a_test_by_any_part_and_nothing_else() {
        let list = "stmt::a_row: test\nbench_rows: benchmark\n\n2 tests, 1 benchmark\n";
        assert!(names_a_test(list, "stmt::") && names_a_test(list, "row"));
        assert!(!names_a_test(list, "bench_rows") && !names_a_test(list, "tests"));
    }

    #[test]
    fn a_test_is_skipped_once_and_for_its_first_reason() {
        let lines = "skipped a::b: no tags\nskipped a::b: no topics\nskipped c: no tags\n";
        assert_eq!(reasons(lines), (2, BTreeMap::from([("no tags", 2)])));
    }
}
