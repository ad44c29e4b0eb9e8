//! The behaviour suite once more, against the embedded server answering as older and newer releases.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::process::{cargo, root, target};
use crate::skips;
use crate::suite::{Count, test_binary};

const RELEASES: [&str; 3] = ["3.2.3.0", "3.3.2.0", "3.4.1.0"];
/// A suite that has not ended by then waits for what does not come.
const SUITE: Duration = Duration::from_secs(15 * 60);

/// Every test against every release but for those in `tests/emulated_skips.txt`, which must fail.
pub(crate) fn run() -> Result<Count> {
    let list = fs::read_to_string(root().join("tests/emulated_skips.txt"))?;
    let skips = skips::parse(&list, &RELEASES)?;
    let suite = test_binary("behaviour")?;
    let mut total = Count::default();
    for release in RELEASES {
        let skipped = skips::of(&skips, release);
        println!("-- release {release}, {} skipped", skipped.len());
        let mut command = behaviour(&suite, release);
        command.arg("--exact");
        command.args(skipped.iter().flat_map(|test| ["--skip", test]));
        total += skips::counted(command, release, SUITE)?;
        total += skips::stale(behaviour(&suite, release), &skipped)?;
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
        .env_remove("TAOS_TEST_DSNS")
        .env_remove("TAOS_CAPI_LIB")
        .env("TAOS_EMBEDDED_BIN", target().join("debug/taos-embedded"))
        .env("TAOS_TEST_EMULATE", release);
    command
}
