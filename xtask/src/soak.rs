//! What takes longer than a test may.

use anyhow::Result;

use crate::judges;
use crate::process::{self, cargo, has_subcommand, root};

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

/// The ignored tests, the C program under valgrind, then each fuzz target for `seconds`.
pub(crate) fn run(seconds: u32) -> Result<()> {
    process::run(&mut cargo(["test", "--workspace", "--", "--ignored"]))?;
    judges::under_valgrind()?;
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
