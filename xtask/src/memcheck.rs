//! Chosen tests of the C interface, from either side, under valgrind: no errors and nothing lost.
//!
//! Rust that calls C and C that calls Rust can free twice, read what is freed and lose what nobody owns, and all
//! of it may pass every test; here it does not.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::native;
use crate::process::{self, Server, capture, cargo, root, target};
use crate::suite::test_binary;

/// Tells faults that valgrind found from tests that fail.
const FAULT: &str = "97";

/// Tests of the behaviour suite that go through every kind of handle: connections, results, statements of both
/// generations, lines, raw blocks, topics.
const BEHAVIOUR: [&str; 7] = [
    "queries::",
    "schemaless::",
    "raw_blocks::",
    "stmt::",
    "stmt2_plain::",
    "sync::",
    "tmq::kinds::",
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
    let mut owners = watched(&unit_tests("taos-optin")?, &["fakes.supp"]);
    process::run(owners.args(["ffi::", "raw::", "--test-threads=1"]))?;

    println!("\n== valgrind: a crowd of connections and queries through our libtaos");
    let server = Server::embedded(&target().join("debug/taos-embedded"))?;
    let mut crowd = watched(&target().join("debug/taos-test-process"), &[]);
    let dsn = native::dsn(&server.address, &library)?;
    process::run(crowd.args(["crowd", &dsn, CROWD]))?;

    println!("\n== valgrind: behaviour through our libtaos");
    let mut behaviour = watched(&test_binary("behaviour")?, &[]);
    behaviour
        .env("TAOS_EMBEDDED_BIN", target().join("debug/taos-embedded"))
        .env("TAOS_CAPI_LIB", &library)
        .env_remove("TAOS_TEST_DSNS")
        .args(BEHAVIOUR)
        .arg("--test-threads=2");
    process::run(&mut behaviour)
}
