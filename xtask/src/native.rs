//! The behaviour suite and the examples once more, natively: through our own libtaos.

use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::process::{self, Server, cargo, root, target};
use crate::suite::{self, Count, test_binary};
use crate::{capi, skips};

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

/// Why tests are skipped that need a library which gives up soon, and the environment that tells it so.
const PATIENT: &str = "there is no limits of single connections";
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
    Ok(format!("taos://{address}?libraryPath={}", escaped(library)))
}

/// Text as a value in a DSN. What no program gives a meaning stays as it is.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

/// A directory in which a library has the name that programs look for.
pub(crate) fn directory(library: &Path) -> Result<PathBuf> {
    let directory = target().join("native");
    capi::place(library, &directory, &capi::file())?;
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
    let patient = skips::skipped_for(RUN, PATIENT)?;
    println!("-- {} of them with short limits", patient.len());
    let mut command = behaviour();
    command.arg("--exact").args(&patient).envs(LIMITS);
    total += skips::counted(command, "native-limits", SUITE)?;
    total.skipped = total.skipped.saturating_sub(u64::try_from(patient.len())?);
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
        suite::example(name, &[("TAOS_DSN", dsn.as_str())], expected)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_a_library_may_have_any_character() -> Result<()> {
        let dsn = dsn("127.0.0.1:6041", Path::new("/a b/c&d=#%+é/libtaos.so"))?;
        let path = "/a%20b/c%26d%3D%23%25%2B%C3%A9/libtaos.so";
        assert_eq!(dsn, format!("taos://127.0.0.1:6041?libraryPath={path}"));
        Ok(())
    }
}
