//! The behaviour suite once more, against the embedded server answering as older and newer releases.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::process::{cargo, follow, root, target};
use crate::suite::{Count, TEST_THREADS, counts, test_binary};

const RELEASES: [&str; 3] = ["3.2.3.0", "3.3.2.0", "3.4.1.0"];

/// A test that a release cannot pass.
#[derive(Debug, PartialEq, Eq)]
struct Skip<'a> {
    releases: Vec<&'a str>,
    test: &'a str,
    reason: &'a str,
}

/// Every test against every release but for those in `tests/emulated_skips.txt`, which must fail.
pub(crate) fn run() -> Result<Count> {
    let list = fs::read_to_string(root().join("tests/emulated_skips.txt"))?;
    let skips = parse(&list)?;
    let suite = test_binary("behaviour")?;
    let mut total = Count::default();
    for release in RELEASES {
        let skipped: Vec<&str> = skips
            .iter()
            .filter(|skip| skip.releases.contains(&release))
            .map(|skip| skip.test)
            .collect();
        println!("-- release {release}, {} skipped", skipped.len());
        let mut command = behaviour(&suite, release);
        command.arg("--exact");
        command.args(skipped.iter().flat_map(|test| ["--skip", test]));
        let mut passed = Count::default();
        follow(&mut command, |line| {
            if !line.ends_with("... ok") {
                println!("{line}");
            }
            passed += counts(line).unwrap_or_default();
        })?;
        ensure!(passed.passed > 0, "no test was run as {release}");
        total += passed;
        if skipped.is_empty() {
            continue;
        }
        let mut command = behaviour(&suite, release);
        command.arg("--exact").args(&skipped);
        follow(&mut command, |line| {
            if line.ends_with("... ok") {
                println!("FAILED {line}: it passes as {release}, so its skip is stale");
                total.failed += 1;
            }
        })?;
    }
    Ok(total)
}

/// The same as a chore of its own.
pub(crate) fn alone() -> Result<()> {
    crate::process::run(&mut cargo(["build", "-p", "taos-embedded"]))?;
    let count = run()?;
    println!("{} passed, {} failed", count.passed, count.failed);
    ensure!(count.failed == 0, "{} failed", count.failed);
    Ok(())
}

fn behaviour(suite: &Path, release: &str) -> Command {
    let mut command = Command::new(suite);
    command
        .current_dir(root().join("tests"))
        .env("RUST_BACKTRACE", "0")
        .env_remove("TAOS_TEST_DSNS")
        .env("TAOS_EMBEDDED_BIN", target().join("debug/taos-embedded"))
        .env("RUST_TEST_THREADS", TEST_THREADS)
        .env("TAOS_TEST_EMULATE", release);
    command
}

fn parse(list: &str) -> Result<Vec<Skip<'_>>> {
    let lines = list.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            let mut parts = line.splitn(3, '|').map(str::trim);
            let mut part = || parts.next().filter(|part| !part.is_empty());
            let skip = part().zip(part()).zip(part());
            let ((releases, test), reason) = skip.with_context(|| format!("no skip: {line}"))?;
            let releases: Vec<&str> = releases.split(' ').collect();
            let known = releases.iter().all(|release| RELEASES.contains(release));
            ensure!(known, "an unknown release: {line}");
            Ok(Skip {
                releases,
                test,
                reason,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skip_names_releases_a_test_and_a_reason() {
        let skips = parse("# why\n\n3.2.3.0 3.3.2.0 | a::b | no such thing | there\n").unwrap();
        let expected = Skip {
            releases: vec!["3.2.3.0", "3.3.2.0"],
            test: "a::b",
            reason: "no such thing | there",
        };
        assert_eq!(skips, [expected]);
        assert!(parse("3.2.3.0 | a::b |").is_err());
        assert!(parse("1.0 | a::b | old").is_err());
    }
}
