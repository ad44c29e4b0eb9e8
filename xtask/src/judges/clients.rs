//! The clients, each with what installs it and what runs its checks.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::c;
use crate::native;
use crate::process::{Server, cargo, follow_for, root, target};

/// A download or a build that has not ended by then never will.
const INSTALL: Duration = Duration::from_secs(20 * 60);

/// A package that somebody else publishes.
#[derive(Clone, Copy)]
pub(super) struct Client {
    pub(super) name: &'static str,
    /// Command lines of the tools it is built and run with, none of which does anything.
    pub(super) needs: &'static [&'static [&'static str]],
    /// Installs and builds it as far as that has not been done yet; gives what runs its checks.
    pub(super) prepare: fn() -> Result<Vec<Command>>,
    /// Whom it talks to.
    pub(super) server: fn() -> Result<Server>,
}

fn embedded() -> Result<Server> {
    Server::embedded(&target().join("debug/taos-embedded"))
}

// With NULLs marked: the values that stand for NULL are values to the client that judges.
fn qwp() -> Result<Server> {
    qwp_in_form(&["--bitmaps", "--gorilla"])
}

fn qwp_compressed() -> Result<Server> {
    qwp_in_form(&["--bitmaps", "--zstd"])
}

fn qwp_in_form(form: &[&str]) -> Result<Server> {
    Server::start(Command::new(target().join("debug/qwp-mock")).args(form))
}

// Some systems ship a Python whose environments come without pip.
const PYTHON: &[&[&str]] = &[&["python3", "-c", "import venv, ensurepip"]];

pub(super) const CLIENTS: [Client; 10] = [
    Client {
        name: "taos-ws-py",
        needs: PYTHON,
        prepare: || python(&["websocket.py", "statements.py", "consumers.py"]),
        server: embedded,
    },
    Client {
        name: "taospy",
        needs: PYTHON,
        prepare: || python(&["rest.py"]),
        server: embedded,
    },
    Client {
        name: "taospy native",
        needs: PYTHON,
        prepare: python_natively,
        server: embedded,
    },
    Client {
        name: "C",
        needs: &[&["cc", "--version"]],
        prepare: c::prepare,
        server: embedded,
    },
    Client {
        name: "@tdengine/rest",
        needs: &[&["node", "--version"], &["npm", "--version"]],
        prepare: node,
        server: embedded,
    },
    Client {
        name: "driver-go",
        needs: &[&["go", "version"]],
        prepare: go,
        server: embedded,
    },
    Client {
        name: "taos-jdbcdriver",
        needs: &[&["javac", "-version"], &["mvn", "--version"]],
        prepare: java,
        server: embedded,
    },
    Client {
        name: "taos 0.12",
        needs: &[],
        prepare: || rust("rust", "third-party"),
        server: embedded,
    },
    Client {
        name: "questdb-rs",
        needs: &[],
        prepare: || rust("rust-questdb", "third-party-questdb"),
        server: qwp,
    },
    Client {
        name: "questdb-rs, zstd",
        needs: &[],
        prepare: || {
            let mut commands = rust("rust-questdb", "third-party-questdb")?;
            for command in &mut commands {
                command.env("JUDGE_COMPRESSION", "zstd");
            }
            Ok(commands)
        },
        server: qwp_compressed,
    },
];

/// Where the checks in a language are written.
pub(super) fn sources(language: &str) -> PathBuf {
    root().join("tests/third_party").join(language)
}

/// Where the client of a language is installed.
pub(super) fn home(language: &str) -> PathBuf {
    target().join("third-party").join(language)
}

/// Runs a step of an installation to its end.
pub(super) fn install(command: &mut Command) -> Result<()> {
    let succeeded = follow_for(command, INSTALL, |line| println!("{line}"))?;
    ensure!(succeeded, "it failed; what it printed stands above");
    Ok(())
}

/// Runs `installing` unless it has succeeded with the same files before.
fn once(
    language: &str,
    files: &[PathBuf],
    installing: impl FnOnce(&Path) -> Result<()>,
) -> Result<()> {
    let mut wanted = String::new();
    for file in files {
        let text = fs::read_to_string(file);
        wanted += &text.with_context(|| format!("cannot read {}", file.display()))?;
    }
    let home = home(language);
    let stamp = home.join("installed-from.txt");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    if home.exists() {
        fs::remove_dir_all(&home)?;
    }
    fs::create_dir_all(&home)?;
    installing(&home)?;
    Ok(fs::write(&stamp, wanted)?)
}

fn python(scripts: &[&str]) -> Result<Vec<Command>> {
    let pins = sources("python").join("requirements.txt");
    let python = home("python").join("bin/python");
    once("python", std::slice::from_ref(&pins), |home| {
        install(Command::new("python3").args(["-m", "venv"]).arg(home))?;
        let pip = [
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ];
        install(Command::new(&python).args(pip).arg("-r").arg(&pins))
    })?;
    let command = |script: &&str| {
        let mut command = Command::new(&python);
        command.arg(sources("python").join(script));
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        command
    };
    Ok(scripts.iter().map(command).collect())
}

/// With our libtaos under the name that the client looks for.
fn python_natively() -> Result<Vec<Command>> {
    let directory = native::directory(&native::library("debug"))?;
    let scripts = ["native.py", "native_statements.py", "native_consumers.py"];
    let mut commands = python(&scripts)?;
    for command in &mut commands {
        command.env(native::SEARCHED, &directory);
    }
    Ok(commands)
}

fn node() -> Result<Vec<Command>> {
    let pins = ["package.json", "package-lock.json"].map(|file| sources("node").join(file));
    once("node", &pins, |home| {
        for file in &pins {
            fs::copy(file, home.join(file.file_name().unwrap_or_default()))?;
        }
        let quietly = [
            "ci",
            "--no-audit",
            "--no-fund",
            "--no-update-notifier",
            "--loglevel=error",
        ];
        install(Command::new("npm").args(quietly).current_dir(home))
    })?;
    let mut command = Command::new("node");
    command.arg(sources("node").join("rest.js"));
    command.env("NODE_PATH", home("node").join("node_modules"));
    Ok(vec![command])
}

fn go() -> Result<Vec<Command>> {
    let judge = home("go").join("judge");
    let build = ["build", "-buildvcs=false", "-mod=readonly", "-o"];
    install(
        Command::new("go")
            .args(build)
            .args([judge.as_os_str(), OsStr::new(".")])
            .env("CGO_ENABLED", "0")
            .current_dir(sources("go")),
    )?;
    Ok(vec![Command::new(judge)])
}

fn java() -> Result<Vec<Command>> {
    let pom = sources("java").join("pom.xml");
    let jars = home("java").join("lib");
    once("java", std::slice::from_ref(&pom), |_| {
        install(
            Command::new("mvn")
                .args([
                    "--quiet",
                    "--batch-mode",
                    "dependency:copy-dependencies",
                    "-f",
                ])
                .arg(&pom)
                .arg(format!("-DoutputDirectory={}", jars.display())),
        )
    })?;
    let mut files: Vec<PathBuf> = fs::read_dir(sources("java"))?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    files.retain(|file| file.extension() == Some(OsStr::new("java")));
    let classes = home("java").join("classes");
    install(
        Command::new("javac")
            .args(["-encoding", "UTF-8", "-Xlint:all,-processing", "-cp"])
            .arg(jars.join("*"))
            .arg("-d")
            .arg(&classes)
            .args(files),
    )?;
    let path = std::env::join_paths([classes, jars.join("*")])?;
    let mut command = Command::new("java");
    command.args(["-Dstdout.encoding=UTF-8", "-Dfile.encoding=UTF-8", "-cp"]);
    command.arg(path).arg("Judge");
    Ok(vec![command])
}

fn rust(folder: &str, program: &str) -> Result<Vec<Command>> {
    install(
        cargo(["build", "--quiet", "--locked"])
            .current_dir(sources(folder))
            .env("CARGO_TARGET_DIR", home(folder)),
    )?;
    let built = home(folder).join("debug").join(program);
    Ok(vec![Command::new(built)])
}
