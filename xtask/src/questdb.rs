//! The suites against a real QuestDB, which Maven brings into target/ and which ends with this step.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::process::{self, cargo, follow_for, target};
use crate::skips;
use crate::suite::{self, Count, test_binary};

const ARTIFACT: &str = "org.questdb:questdb:9.3.4";
const JAR: &str = "questdb-9.3.4.jar";
/// The oldest Java that it runs on.
const JAVA: u32 = 17;

/// Limits, after which something waits for what does not come.
const FETCH: Duration = Duration::from_secs(10 * 60);
const START: Duration = Duration::from_secs(120);
const SUITE: Duration = Duration::from_secs(5 * 60);

/// Skipped with one line where there is no Java, no Maven, or no jar to be had.
pub(crate) fn run() -> Result<Count> {
    let jar = match jar() {
        Ok(jar) => jar,
        Err(why) => {
            println!("skipped QuestDB: {why:#}");
            return Ok(Count {
                skipped: 1,
                ..Count::default()
            });
        }
    };
    let servers = Servers::start(&jar)?;
    let mut total = Count::default();
    let mut suite = Command::new(test_binary("questdb")?);
    suite.arg("--include-ignored");
    total += run_tests(suite, &servers)?;
    let mut behaviour = Command::new(test_binary("behaviour")?);
    behaviour.env("TAOS_TEST_DSNS", format!("questdb://{}", servers.http()?));
    total += run_tests(behaviour, &servers)?;
    total += examples(servers.http()?)?;
    Ok(total)
}

/// The programs of this database, which `cargo test` and the suite have built.
fn examples(address: &str) -> Result<Count> {
    let dsn = format!("questdb://{address}");
    let here = [("QUESTDB_ADDR", address)];
    let there = [("TAOS_DSN", dsn.as_str())];
    suite::example("questdb-ingest", &here, &["ETH-USD: 3334 trades"])?;
    suite::example("questdb-async", &here, &["attic: 1500 readings"])?;
    suite::example("questdb-trades", &there, &["BTC-USD: 1500 trades"])?;
    suite::example("query", &there, &["location=Kraków", "one value: Some(3)"])?;
    suite::example("sync-query", &there, &["Bergen: 19.5 mm"])?;
    Ok(Count {
        passed: 5,
        ..Count::default()
    })
}

/// The same as a chore of its own.
pub(crate) fn alone() -> Result<()> {
    process::run(&mut cargo([
        "build",
        "--workspace",
        "--bin",
        "taos-test-process",
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

/// Where the server's jar is; the first run has Maven copy it there, from where its settings say.
pub(crate) fn jar() -> Result<PathBuf> {
    let java = Command::new("java").arg("-version").output();
    let java = java.context("`java` does not run here")?;
    let printed = String::from_utf8_lossy(&java.stderr);
    let version = java_version(&printed).context("`java -version` tells no version")?;
    ensure!(
        version >= JAVA,
        "it needs Java {JAVA}, and this is {version}"
    );
    let home = target().join("questdb");
    let jar = home.join(JAR);
    if jar.exists() {
        return Ok(jar);
    }
    fs::create_dir_all(&home)?;
    // What an interrupted copy leaves must not pass for the jar.
    let partial = home.join("partial");
    if partial.exists() {
        fs::remove_dir_all(&partial)?;
    }
    let mut maven = Command::new("mvn");
    maven
        .args(["--quiet", "--batch-mode", "dependency:copy"])
        .arg(format!("-Dartifact={ARTIFACT}"))
        .arg(format!("-DoutputDirectory={}", partial.display()))
        // Without a project around, whatever lies in the directory that this runs in.
        .current_dir(&home);
    let fetched = follow_for(&mut maven, FETCH, |line| println!("{line}"))?;
    let copied = partial.join(JAR);
    ensure!(fetched && copied.exists(), "Maven could not get {ARTIFACT}");
    fs::rename(&copied, &jar)?;
    fs::remove_dir_all(&partial)?;
    Ok(jar)
}

/// Reads the `17` of `openjdk version "17.0.15" 2025-04-15`; Java 8 said `1.8`.
fn java_version(printed: &str) -> Option<u32> {
    let (_, rest) = printed.split_once("version \"")?;
    let number = rest.split(['.', '"', '-']).next()?;
    number.parse().ok()
}

/// A process with two servers in it, which ends them when its standard input ends.
pub(crate) struct Servers {
    child: Child,
    input: Option<ChildStdin>,
    /// What the suites find them by.
    names: String,
}

impl Servers {
    pub(crate) fn start(jar: &Path) -> Result<Self> {
        let home = target().join("questdb");
        let mut child = Command::new(target().join("debug/taos-test-process"))
            .arg("questdb")
            .args([jar, &home])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start taos-test-process")?;
        let out = child.stdout.take().context("no standard output to read")?;
        let mut servers = Self {
            input: child.stdin.take(),
            child,
            names: String::new(),
        };
        let (sender, first) = mpsc::channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            let read = BufReader::new(out).read_line(&mut line);
            // Nobody listens any more if it took too long.
            let _ = sender.send(read.map(|_| line));
        });
        let line = first
            .recv_timeout(START)
            .context("QuestDB does not start")??;
        let names = line.trim().strip_prefix("listening on ");
        names
            .context("QuestDB did not start; why stands above")?
            .clone_into(&mut servers.names);
        Ok(servers)
    }

    fn http(&self) -> Result<&str> {
        self.address("http")
    }

    /// Where it listens for this, as `ip:port`.
    pub(crate) fn address(&self, what: &str) -> Result<&str> {
        let mut pairs = self
            .names
            .split(';')
            .filter_map(|pair| pair.split_once('='));
        let found = pairs.find_map(|(name, address)| (name == what).then_some(address));
        found.with_context(|| format!("it does not say where it listens for {what}"))
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        drop(self.input.take());
        let deadline = Instant::now() + Duration::from_secs(40);
        while Instant::now() < deadline {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        // It may have ended in this very moment.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a test binary on the servers.
fn run_tests(mut binary: Command, servers: &Servers) -> Result<Count> {
    binary
        .env("TAOS_TEST_QUESTDB", &servers.names)
        .env_remove("TAOS_CAPI_LIB")
        .env_remove("QDB_CLIENT_CONF");
    skips::counted(binary, "questdb", SUITE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_java_is_told_from_what_it_prints() {
        let new = "openjdk version \"17.0.15\" 2025-04-15\nOpenJDK Runtime Environment";
        assert_eq!(java_version(new), Some(17));
        assert_eq!(java_version("java version \"1.8.0_402\""), Some(1));
        assert_eq!(java_version("openjdk version \"21-ea\""), Some(21));
        assert_eq!(java_version("no java here"), None);
    }
}
