//! Clients that others wrote, talking to the embedded server. They are installed into target/ only.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::process::{self, Server, follow, root, target};
use crate::suite::Count;

/// Runs each script of tests/third_party; every check prints one line, `ok …` or `FAILED …`.
pub(crate) fn run() -> Result<Count> {
    let folder = root().join("tests/third_party");
    let python = install(&folder)?;
    let mut total = Count::default();
    for script in ["websocket.py", "rest.py"] {
        let server = Server::embedded(&target().join("debug/taos-embedded"))?;
        let mut count = Count::default();
        let succeeded = follow(
            Command::new(&python)
                .arg(folder.join(script))
                .env("TAOS_ADDRESS", &server.address)
                .env("PYTHONDONTWRITEBYTECODE", "1"),
            |line| {
                println!("{line}");
                count.passed += u64::from(line.starts_with("ok "));
                count.failed += u64::from(line.starts_with("FAILED "));
            },
        )?;
        if !succeeded && count.failed == 0 {
            println!("FAILED {script} ended before its checks did");
            count.failed = 1;
        }
        total += count;
    }
    Ok(total)
}

/// A virtual environment with the pinned packages, made anew when the pins change.
fn install(folder: &Path) -> Result<PathBuf> {
    let pins = folder.join("requirements.txt");
    let wanted = fs::read_to_string(&pins)?;
    let home = target().join("third-party/python");
    let python = home.join("bin/python");
    let stamp = home.join("installed.txt");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(python);
    }
    process::run(
        Command::new("python3")
            .args(["-m", "venv", "--clear"])
            .arg(&home),
    )
    .context("the third-party clients need python3 with its venv module")?;
    process::run(
        Command::new(&python)
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "-r",
            ])
            .arg(&pins),
    )?;
    fs::write(&stamp, wanted)?;
    Ok(python)
}
