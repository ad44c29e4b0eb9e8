//! What the behaviour suites share: the servers they run against, and faults on purpose.
//!
//! The suites run once for each DSN in `TAOS_TEST_DSNS` (separated by blanks or semicolons). Without
//! it they start an embedded server in this process, on a free port, with its data in memory;
//! `TAOS_EMBEDDED_BIN` names a binary to start instead, `TAOS_TEST_EMULATE` a release to answer as.
#![forbid(unsafe_code)]

mod frame;
pub mod process;
pub mod proxy;
pub mod qwp_mock;
mod random;
mod targets;

pub use random::Random;
pub use targets::{Target, for_each_target, targets};
