//! What takes longer than a test may.

use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use crate::process::{self, cargo, has_subcommand, root, target};
use crate::suite::test_binary;
use crate::{judges, memcheck, native};

const TARGETS: [&str; 10] = [
    "raw_block",
    "dump",
    "dsn",
    "reply",
    "bind",
    "inflate",
    "schemaless",
    "topic_message",
    "data_message",
    "json_meta",
];

/// A crowd that has not gone by then waits for what does not come.
const CROWD: Duration = Duration::from_secs(10 * 60);

/// Hundreds of connections and thousands of queries at once, over WebSocket and through our libtaos.
fn crowds() -> Result<()> {
    let behaviour = test_binary("behaviour")?;
    for (name, library) in [
        ("WebSocket", None),
        ("libtaos", Some(native::library("debug"))),
    ] {
        println!("\n== a crowd, by {name}");
        let mut crowd = Command::new(&behaviour);
        crowd
            .env_remove("TAOS_TEST_DSNS")
            .env_remove("TAOS_CAPI_LIB");
        if let Some(library) = library {
            crowd.env("TAOS_CAPI_LIB", library);
        }
        crowd.env("TAOS_EMBEDDED_BIN", target().join("debug/taos-embedded"));
        process::run_for(crowd.args(["crowd::", "--ignored", "--nocapture"]), CROWD)?;
    }
    Ok(())
}

/// Tests of the embedded server that print what they measure: kills, sessions, rows and history.
const MEASURED: [&str; 5] = [
    "survives_two_hundred_kills",
    "thirty_kills_while",
    "ten_million_rows",
    "two_thousand_sessions",
    "a_million_rows_a_minute",
];
/// Their figures would otherwise be those of an unoptimised build.
const MEASURING: Duration = Duration::from_secs(60 * 60);

fn embedded() -> Result<()> {
    println!("\n== the embedded server under kills and loads");
    let mut names = cargo(["test", "--release", "-p", "taos-embedded"]);
    names.args(["--test", "durability", "--test", "load", "--", "--list"]);
    let names = process::capture(&mut names)?;
    for name in MEASURED {
        anyhow::ensure!(names.contains(name), "no test is named {name}");
    }
    let mut tests = cargo(["test", "--release", "-p", "taos-embedded"]);
    tests.args(["--test", "durability", "--test", "load", "--"]);
    tests.args(["--ignored", "--nocapture", "--test-threads", "1"]);
    process::run_for(tests.args(MEASURED), MEASURING)
}

/// The ignored tests, crowds, chosen tests under valgrind, then each fuzz target for `seconds`.
pub(crate) fn run(seconds: u32) -> Result<()> {
    process::run(&mut cargo(["build", "--workspace", "--lib", "--bins"]))?;
    process::run(
        cargo([
            "test",
            "--workspace",
            "--",
            "--ignored",
            "--skip",
            "crowd::",
        ])
        .args(MEASURED.iter().flat_map(|name| ["--skip", name]))
        .env_remove("TAOS_TEST_DSNS")
        .env_remove("TAOS_CAPI_LIB"),
    )?;
    crowds()?;
    embedded()?;
    judges::under_valgrind()?;
    memcheck::run()?;
    if !has_subcommand("fuzz") {
        println!("cargo-fuzz is not installed: the fuzz targets were not run");
        return Ok(());
    }
    for target in TARGETS {
        let limit = format!("-max_total_time={seconds}");
        process::run(
            cargo(["+nightly", "fuzz", "run", target, "--", &limit])
                .current_dir(root().join("fuzz")),
        )?;
    }
    Ok(())
}
