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
use crate::{memcheck, native};

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

fn compile(program: &Path, directory: &Path, more: &[&OsStr]) -> Result<()> {
    install(
        Command::new("cc")
            .args(FLAGS)
            .args(more)
            .arg("-o")
            .arg(program)
            .args(files()?)
            .arg("-L")
            .arg(directory)
            .args(["-ltaos", "-lpthread"]),
    )
}

/// Builds the program against the header that is written from the specification, which it runs with, and against
/// the generated one, to see that both say the same.
pub(super) fn prepare() -> Result<Vec<Command>> {
    let directory = native::directory(&native::library("debug"))?;
    fs::create_dir_all(home("c"))?;
    let program = home("c").join("judge");
    compile(&program, &directory, &[])?;
    let include = root().join("taos-capi/include");
    let generated = ["-DGENERATED_HEADER", "-I"].map(OsStr::new);
    let generated = [generated.as_slice(), &[include.as_os_str()]].concat();
    let other = home("c").join("judge-of-the-generated-header");
    compile(&other, &directory, &generated).context("with the generated header")?;
    let mut command = Command::new(program);
    command.env(native::SEARCHED, &directory);
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
    let directory = native::directory(&native::library("debug"))?;
    prepare()?;
    let server = Server::embedded(&target().join("debug/taos-embedded"))?;
    let mut failed = 0;
    let clean = follow_for(
        memcheck::watched(&home("c").join("judge"), &[])
            .env(native::SEARCHED, &directory)
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
