//! The behaviour suite and the examples once more, natively: through our own libtaos.

use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::process::{self, Server, cargo, root, target};
use crate::skips;
use crate::suite::{self, Count, test_binary};

/// A suite that has not ended by then waits for what does not come.
const SUITE: Duration = Duration::from_secs(15 * 60);
/// What the lists of skips call this run.
const RUN: &str = "native";

/// The variable that lists where programs look for libraries.
pub(crate) const SEARCHED: &str = if cfg!(target_os = "macos") {
    "DYLD_LIBRARY_PATH"
} else if cfg!(windows) {
    "PATH"
} else {
    "LD_LIBRARY_PATH"
};

/// What is about connections that fail soon, and the environment that tells a native library so.
const SOON: [&str; 5] = [
    "fault_column::",
    "fault_table::",
    "faults::",
    "mistakes::",
    "pools::",
];
const LIMITS: [(&str, &str); 3] = [
    ("TAOS_CONN_RETRIES", "1"),
    ("TAOS_CONN_TIMEOUT_SEC", "2"),
    ("TAOS_READ_TIMEOUT_SEC", "3"),
];

/// Our libtaos as cargo leaves it, of the profile `debug` or `release`.
pub(crate) fn library(profile: &str) -> PathBuf {
    let name = format!("{DLL_PREFIX}taos_capi{DLL_SUFFIX}");
    target().join(profile).join(name)
}

/// How the server at `address` is reached through a library.
pub(crate) fn dsn(address: &str, library: &Path) -> Result<String> {
    let library = library
        .to_str()
        .context("the path of the library is no UTF-8")?;
    Ok(format!("taos://{address}?libraryPath={library}"))
}

/// A directory in which a library has the name that programs look for.
pub(crate) fn directory(library: &Path) -> Result<PathBuf> {
    let directory = target().join("native");
    fs::create_dir_all(&directory)?;
    let name = directory.join(format!("{DLL_PREFIX}taos{DLL_SUFFIX}"));
    // A copy in place of one that a program has loaded would change it under that program's feet.
    let fresh = directory.join(format!("fresh-{}", std::process::id()));
    fs::copy(library, &fresh)?;
    fs::rename(&fresh, &name)?;
    Ok(directory)
}

/// Every test but for those in `tests/native_skips.txt`, which must fail; then the examples.
pub(crate) fn run() -> Result<Count> {
    let library = library("debug");
    ensure!(library.exists(), "{} is not built", library.display());
    let list = fs::read_to_string(root().join("tests/native_skips.txt"))?;
    let skips = skips::parse(&list, &[RUN])?;
    let skipped = skips::of(&skips, RUN);
    let suite = test_binary("behaviour")?;
    let behaviour = || {
        let mut command = Command::new(&suite);
        command
            .env_remove("TAOS_TEST_DSNS")
            .env_remove("TAOS_TEST_EMULATE")
            .env("TAOS_EMBEDDED_BIN", target().join("debug/taos-embedded"))
            .env("TAOS_CAPI_LIB", &library);
        command
    };
    let mut command = behaviour();
    command.arg("--exact");
    command.args(skipped.iter().flat_map(|test| ["--skip", test]));
    let mut total = skips::counted(command, RUN, SUITE)?;
    total.skipped += u64::try_from(skipped.len())?;
    total += skips::stale(behaviour(), &skipped)?;
    println!("-- with short limits");
    let mut command = behaviour();
    command.args(SOON).envs(LIMITS);
    total += skips::counted(command, "native-limits", SUITE)?;
    total += examples(&library)?;
    Ok(total)
}

/// The examples that take a DSN, unchanged; those of one server in an order in which none finds what
/// another has left.
fn examples(library: &Path) -> Result<Count> {
    let server = Server::embedded(&target().join("debug/taos-embedded"))?;
    let dsn = dsn(&server.address, library)?;
    let mut count = Count::default();
    for (name, expected) in suite::EXAMPLES {
        // With a server that it has not started it is told what to dump.
        let more = match *name {
            "raw-dump" => vec![("TAOS_TOPIC", "example_meters")],
            _ => Vec::new(),
        };
        let variables: Vec<_> = [("TAOS_DSN", dsn.as_str())]
            .into_iter()
            .chain(more)
            .collect();
        // `subscribe` has left a topic of which its group has read all: there is nothing to bring back.
        let expected: &[&str] = if *name == "raw-restore" {
            &[" messages replayed"]
        } else {
            expected
        };
        suite::example(name, &variables, expected)?;
        count.passed += 1;
    }
    for (name, expected) in [
        ("query", &["location=Kraków", "one value: Some(3)"][..]),
        ("sync-query", &["Bergen: 19.5 mm"]),
        ("create-database", &["rows written", "databases:"]),
    ] {
        suite::example(name, &[("TAOS_DSN", dsn.as_str())], expected)?;
        count.passed += 1;
    }
    Ok(count)
}

/// The same as a chore of its own.
pub(crate) fn alone() -> Result<()> {
    process::run(&mut cargo([
        "build",
        "--workspace",
        "--lib",
        "--bins",
        "--examples",
    ]))?;
    let count = run()?;
    println!(
        "{} passed, {} failed, {} skipped",
        count.passed, count.failed, count.skipped
    );
    ensure!(count.failed == 0, "{} failed", count.failed);
    Ok(())
}
