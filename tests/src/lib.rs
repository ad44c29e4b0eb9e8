//! What the behaviour suites share: the servers they run against, and faults on purpose.
//!
//! The suites run once for each DSN in `TAOS_TEST_DSNS` (separated by blanks or semicolons). Without
//! it they start an embedded server in this process, on a free port, with its data in memory;
//! `TAOS_EMBEDDED_BIN` names a binary to start instead, `TAOS_TEST_EMULATE` a release to answer as.
#![forbid(unsafe_code)]

pub mod crowd;
mod frame;
pub mod needs;
pub mod process;
pub mod proxy;
pub mod questdb;
pub mod qwp_mock;
mod random;
mod table;
mod targets;
pub mod tls;

pub use needs::Need;
pub use random::Random;
pub use table::{Table, until_rows, until_rows_blocking};
pub use targets::{
    Target, dsn_at, for_each_target, for_targets, on_every_target, targets, targets_with,
};

/// Says that the test of this thread is not run: in a line of the file that `TAOS_TEST_SKIPS` names, or on
/// standard error, past the test harness, which keeps what passing tests print.
pub fn skipped(why: &str) {
    use std::fs::File;
    use std::io::Write as _;
    let thread = std::thread::current();
    let line = format!("skipped {}: {why}\n", thread.name().unwrap_or("a test"));
    let file = std::env::var_os("TAOS_TEST_SKIPS")
        .and_then(|path| File::options().append(true).open(path).ok());
    // Nobody to tell is no reason to fail.
    let _ = match file {
        Some(mut file) => file.write_all(line.as_bytes()),
        None => std::io::stderr().write_all(line.as_bytes()),
    };
}
