//! Child processes: run to the end, or kept as a server until dropped.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// A cargo command in the workspace's root, with the cargo that runs this program.
pub(crate) fn cargo<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args).current_dir(root());
    command
}

/// Where this workspace's build lands.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// Runs to the end; an exit code other than 0 is an error.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let shown = show(command);
    println!("$ {shown}");
    let status = command
        .status()
        .with_context(|| format!("cannot start `{shown}`"))?;
    ensure!(status.success(), "`{shown}` failed ({status})");
    Ok(())
}

/// Runs to the end and gives what it printed; standard error goes through.
pub(crate) fn capture(command: &mut Command) -> Result<String> {
    let shown = show(command);
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start `{shown}`"))?;
    ensure!(
        output.status.success(),
        "`{shown}` failed ({})",
        output.status
    );
    String::from_utf8(output.stdout).with_context(|| format!("`{shown}` printed no UTF-8"))
}

/// Runs to the end, handing each line of its standard output to `line`; gives whether it succeeded.
pub(crate) fn follow(command: &mut Command, mut line: impl FnMut(&str)) -> Result<bool> {
    let shown = show(command);
    println!("$ {shown}");
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start `{shown}`"))?;
    if let Some(out) = child.stdout.take() {
        for text in BufReader::new(out).lines() {
            line(&text?);
        }
    }
    Ok(child.wait()?.success())
}

/// [`follow`] for a program that may hang: after `limit` it is ended, which is an error.
pub(crate) fn follow_for(
    command: &mut Command,
    limit: Duration,
    mut line: impl FnMut(&str),
) -> Result<bool> {
    let shown = show(command);
    println!("$ {shown}");
    let deadline = Instant::now() + limit;
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start `{shown}`"))?;
    let out = child.stdout.take().context("no standard output to read")?;
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        // The receiver is gone once the program has been ended.
        BufReader::new(out)
            .lines()
            .try_for_each(|text| sender.send(text))
    });
    let failure = loop {
        match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(Ok(text)) => line(&text),
            Ok(Err(error)) => break format!("printed what cannot be read: {error}"),
            Err(RecvTimeoutError::Disconnected) => return Ok(child.wait()?.success()),
            Err(RecvTimeoutError::Timeout) => break format!("was ended after {limit:?}"),
        }
    };
    child.kill()?;
    child.wait()?;
    bail!("`{shown}` {failure}")
}

/// [`run`] for a program that may hang: after `limit` it is ended, which is an error.
pub(crate) fn run_for(command: &mut Command, limit: Duration) -> Result<()> {
    let shown = show(command);
    let succeeded = follow_for(command, limit, |line| println!("{line}"))?;
    ensure!(succeeded, "`{shown}` failed");
    Ok(())
}

/// Whether a cargo subcommand such as `deny` is installed.
pub(crate) fn has_subcommand(name: &str) -> bool {
    cargo([name, "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// A child that serves until this is dropped.
pub(crate) struct Server {
    child: Child,
    /// What it said it listens on: `ip:port`.
    pub(crate) address: String,
}

impl Server {
    /// Starts it and waits for its line `listening on IP:PORT`.
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let shown = show(command);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start `{shown}`"))?;
        let out = child.stdout.take().context("no standard output to read")?;
        let mut server = Self {
            child,
            address: String::new(),
        };
        for line in BufReader::new(out).lines() {
            if let Some(address) = line?.strip_prefix("listening on ") {
                address.trim().clone_into(&mut server.address);
                return Ok(server);
            }
        }
        bail!("`{shown}` ended before it said what it listens on")
    }

    /// How a client is told to connect to it.
    pub(crate) fn dsn(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// The embedded server on a free port, its data in a directory that goes with it.
    pub(crate) fn embedded(binary: &Path) -> Result<Self> {
        Self::start(Command::new(binary).args(["--memory", "--listen", "127.0.0.1:0"]))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended on its own; then there is nothing left to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn show(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str());
    std::iter::once(name)
        .chain(command.get_args())
        .map(OsStr::to_string_lossy)
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_hangs_is_ended_and_its_lines_until_then_are_kept() {
        let mut lines = Vec::new();
        let mut command = Command::new("sh");
        command.args(["-c", "echo started; exec sleep 600"]);
        let outcome = follow_for(&mut command, Duration::from_secs(2), |line| {
            lines.push(line.to_owned());
        });
        let text = outcome.map_err(|error| error.to_string());
        assert!(text.is_err_and(|text| text.ends_with("was ended after 2s")));
        assert_eq!(lines, ["started"]);
    }
}
