//! Chosen tests of the C interface, from either side, under valgrind: no errors and nothing lost.
//!
//! Rust that calls C and C that calls Rust can free twice, read what is freed and lose what nobody owns, and all
//! of it may pass every test; here it does not.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::process::{self, Server, capture, cargo, root, target};
use crate::suite::test_binary;
use crate::{native, skips};

/// Tells faults that valgrind found from tests that fail.
const FAULT: &str = "97";

/// A run that has not ended by then is deadlocked: valgrind makes a program about fifty times slower, no more.
const LIMIT: Duration = Duration::from_secs(20 * 60);

/// Unit tests of the native backend that own handles or lend memory to C.
const OWNERS: [&str; 4] = ["ffi::", "raw::", "consumer::", "stmt::"];

/// Tests of the behaviour suite that go through every kind of handle: connections, results, statements of both
/// generations, lines, raw blocks, topics; and lines that are cut while calls are under way.
const BEHAVIOUR: [&str; 11] = [
    "queries::",
    "schemaless::",
    "raw_blocks::",
    "stmt::",
    "stmt2::",
    "stmt2_plain::",
    "sync::",
    "faults::a_cut_or_silent_line",
    "tmq::kinds::",
    "tmq::meta::",
    "tmq::offsets::",
];

/// What a crowd under valgrind is: everything is some twenty times slower.
const CROWD: &str = r#"{"connections":8,"queries":80,"rounds":2,"rows":5000}"#;

/// `program` under valgrind.
pub(crate) fn watched(program: &Path, suppressions: &[&str]) -> Command {
    let mut valgrind = Command::new("valgrind");
    valgrind
        .args(["--quiet", "--num-callers=30", "--leak-check=full"])
        .args([
            "--show-leak-kinds=definite",
            "--errors-for-leak-kinds=definite",
        ])
        .arg(format!("--error-exitcode={FAULT}"));
    for file in suppressions {
        let file = root().join("xtask/valgrind").join(file);
        valgrind.arg(format!("--suppressions={}", file.display()));
    }
    valgrind.arg(program);
    valgrind
}

fn is_installed() -> bool {
    Command::new("valgrind")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// The unit tests of a library.
fn unit_tests(package: &str) -> Result<PathBuf> {
    let mut build = cargo(["test", "--no-run", "--lib", "--message-format", "json"]);
    build.args(["--package", package]);
    let messages = capture(&mut build)?;
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["profile"]["test"] == true)
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .with_context(|| format!("cargo named no tests of {package}"))
}

/// All of it, or nothing where there is no valgrind.
pub(crate) fn run() -> Result<()> {
    if !is_installed() {
        println!("valgrind is not installed: nothing was run under it");
        return Ok(());
    }
    process::run(&mut cargo(["build", "--workspace", "--lib", "--bins"]))?;
    let library = native::library("debug");

    println!("\n== valgrind: the owners of handles over libraries that only seem to be one");
    let tests = unit_tests("taos-optin")?;
    skips::each_names_a_test(&tests, &OWNERS)?;
    let mut owners = watched(&tests, &["fakes.supp"]);
    process::run_for(owners.args(OWNERS).arg("--test-threads=1"), LIMIT)?;

    println!("\n== valgrind: a crowd of connections and queries through our libtaos");
    let server = Server::embedded(&target().join("debug/taos-embedded"))?;
    let mut crowd = watched(&target().join("debug/taos-test-process"), &[]);
    let dsn = native::dsn(&server.address, &library)?;
    process::run_for(crowd.args(["crowd", &dsn, CROWD]), LIMIT)?;

    println!("\n== valgrind: behaviour through our libtaos");
    let tests = test_binary("behaviour")?;
    skips::each_names_a_test(&tests, &BEHAVIOUR)?;
    let mut behaviour = watched(&tests, &[]);
    behaviour
        .env("TAOS_EMBEDDED_BIN", target().join("debug/taos-embedded"))
        .env("TAOS_CAPI_LIB", &library)
        .env_remove("TAOS_TEST_DSNS")
        .args(BEHAVIOUR)
        .arg("--test-threads=2");
    process::run_for(&mut behaviour, LIMIT)
}
