//! A C program that uses our libtaos as any other does.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::clients::{home, install, sources};
use super::starts;
use crate::process::{self, Server, cargo, follow_for, root, target};
use crate::{capi, memcheck, native};

/// What nearly every compiler understands.
const FLAGS: [&str; 7] = [
    "-std=c11",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-pedantic",
    "-g",
    "-O1",
];
/// Valgrind makes a program about fifty times slower.
const LIMIT: Duration = Duration::from_secs(15 * 60);

fn files() -> Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> = fs::read_dir(sources("c"))?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    files.retain(|file| file.extension() == Some(OsStr::new("c")));
    files.sort();
    Ok(files)
}

fn compile(program: &Path, files: &[PathBuf], more: &[&OsStr]) -> Result<()> {
    install(
        Command::new("cc")
            .args(FLAGS)
            .args(more)
            .arg("-o")
            .arg(program)
            .args(files)
            .arg("-L")
            .arg(prefix().join("lib"))
            .args(["-ltaos", "-lpthread"]),
    )
}

/// Where our libtaos is installed for the program.
fn prefix() -> PathBuf {
    home("c").join("prefix")
}

/// The program that the guide shows first.
fn documented() -> Result<PathBuf> {
    let guide = fs::read_to_string(root().join("docs/src/c-library.md"))?;
    let program = guide
        .split_once("```c\n")
        .and_then(|(_, rest)| rest.split_once("```"))
        .context("docs/src/c-library.md shows no C program")?;
    let file = home("c").join("documented.c");
    fs::write(&file, program.0)?;
    Ok(file)
}

/// Builds the program against the header that is written from the specification, which it runs with, and against
/// the generated one, to see that both say the same; and the one of the guide.
pub(super) fn prepare() -> Result<Vec<Command>> {
    fs::create_dir_all(home("c"))?;
    capi::put(&native::library("debug"), &prefix())?;
    let program = home("c").join("judge");
    compile(&program, &files()?, &[])?;
    let include = prefix().join("include");
    let installed = [OsStr::new("-I"), include.as_os_str()];
    let generated = [&[OsStr::new("-DGENERATED_HEADER")], installed.as_slice()].concat();
    let other = home("c").join("judge-of-the-generated-header");
    compile(&other, &files()?, &generated).context("with the generated header")?;
    let other = home("c").join("documented");
    compile(&other, &[documented()?], &installed).context("the program of the guide")?;
    let mut command = Command::new(program);
    command.env(native::SEARCHED, prefix().join("lib"));
    Ok(vec![command])
}

/// Lets valgrind look at the program and our libtaos while they do all of their checks.
pub(crate) fn under_valgrind() -> Result<()> {
    for needed in [["cc", "--version"], ["valgrind", "--version"]] {
        if !starts(&needed) {
            println!(
                "skipped the C program under valgrind: `{}` does not run here",
                needed[0]
            );
            return Ok(());
        }
    }
    process::run(&mut cargo([
        "build",
        "--workspace",
        "--lib",
        "--bin",
        "taos-embedded",
    ]))?;
    prepare()?;
    let server = Server::embedded(&target().join("debug/taos-embedded"))?;
    let mut failed = 0;
    let clean = follow_for(
        memcheck::watched(&home("c").join("judge"), &[])
            .env(native::SEARCHED, prefix().join("lib"))
            .env("TAOS_ADDRESS", &server.address),
        LIMIT,
        |line| {
            println!("{line}");
            failed += u64::from(line.starts_with("FAILED "));
        },
    )?;
    ensure!(
        failed == 0,
        "{failed} checks of the C program failed under valgrind"
    );
    ensure!(clean, "valgrind found errors or leaks; they stand above");
    Ok(())
}
