//! `cargo xtask …`: the workspace's chores, each the same here and in CI.
#![forbid(unsafe_code)]
#![allow(
    clippy::print_stdout,
    reason = "a command line tool reports on standard output"
)]

mod bench;
mod capi;
mod corpus;
mod emulated;
#[cfg(test)]
mod house_rules;
mod judges;
mod lint;
mod memcheck;
mod native;
mod process;
mod questdb;
mod skips;
mod soak;
mod suite;
#[cfg(test)]
mod unsafe_code;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Chores of the taos workspace")]
struct Options {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Everything that must hold before a change lands: tests, emulated releases, the native way, QuestDB, SQL corpus, third-party clients, examples
    Test,
    /// The behaviour suite against the server as older releases, without the rest of the tests
    Emulated,
    /// The behaviour suite and the examples through our libtaos, without the rest of the tests
    Native,
    /// The suites against a real QuestDB, without the rest of the tests
    Questdb,
    /// The recorded SQL without the rest of the tests
    Corpus {
        /// Put the counts into the guide instead of judging them
        #[arg(long)]
        write: bool,
    },
    /// The third-party clients without the rest of the tests
    Clients {
        /// Only this one, such as `driver-go`
        name: Option<String>,
    },
    /// Formatting, clippy, documentation and licences
    Lint,
    /// Figures beside those of the published crates
    Bench {
        #[command(subcommand)]
        what: bench::What,
    },
    /// The guide (if mdbook is installed) and the API documentation, into target/
    Docs,
    /// The header of the C library, written anew into taos-capi/include
    Header,
    /// The C library and its header, built for release and put under a directory
    InstallCapi {
        /// Gets lib/ and include/, such as /usr/local
        #[arg(long)]
        prefix: std::path::PathBuf,
    },
    /// Long forms of the tests: ignored ones, crowds, chosen ones under valgrind and the fuzz targets, as far as valgrind and cargo-fuzz are installed
    Soak {
        /// Seconds for each fuzz target
        #[arg(long, default_value_t = 60)]
        seconds: u32,
    },
}

fn main() -> Result<()> {
    match Options::parse().chore {
        Chore::Test => suite::run(),
        Chore::Emulated => emulated::alone(),
        Chore::Native => native::alone(),
        Chore::Questdb => questdb::alone(),
        Chore::Corpus { write } => corpus::alone(write),
        Chore::Clients { name } => judges::alone(name.as_deref()),
        Chore::Lint => lint::run(),
        Chore::Bench { what } => bench::run(&what),
        Chore::Docs => lint::docs(),
        Chore::Header => capi::write_header(),
        Chore::InstallCapi { prefix } => capi::install(&prefix),
        Chore::Soak { seconds } => soak::run(seconds),
    }
}
