//! Formatting, lints, documentation, licences.

use std::process::Command;

use anyhow::Result;

use crate::process::{self, cargo, has_subcommand, root, target};

/// Warnings are errors here; the manifests only warn.
pub(crate) fn run() -> Result<()> {
    process::run(&mut cargo(["fmt", "--all", "--check"]))?;
    process::run(&mut cargo([
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]))?;
    backends()?;
    process::run(cargo(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"))?;
    if has_subcommand("deny") {
        process::run(&mut cargo(["deny", "check"]))?;
    } else {
        println!("cargo-deny is not installed: licences and advisories were not checked");
    }
    Ok(())
}

/// Each backend is enough by itself, and a build without any says what to do.
fn backends() -> Result<()> {
    let alone = ["-p", "taos", "--no-default-features"];
    for backend in ["ws", "optin", "native", "questdb"] {
        let mut clippy = cargo(["clippy", "--all-targets"]);
        clippy.args(alone).args(["--features", backend]);
        process::run(clippy.args(["--", "-D", "warnings"]))?;
    }
    let none = cargo(["check"]).args(alone).output()?;
    anyhow::ensure!(
        String::from_utf8_lossy(&none.stderr).contains("needs at least one backend"),
        "a build of taos without a backend does not say what it needs"
    );
    Ok(())
}

/// The guide and the API documentation.
pub(crate) fn docs() -> Result<()> {
    process::run(&mut cargo(["doc", "--workspace", "--no-deps"]))?;
    let guide = target().join("guide");
    let mut mdbook = Command::new("mdbook");
    mdbook
        .arg("build")
        .arg(root().join("docs"))
        .arg("--dest-dir")
        .arg(&guide);
    match mdbook.status() {
        Ok(status) if status.success() => println!("guide: {}", guide.display()),
        Ok(status) => anyhow::bail!("mdbook failed ({status})"),
        Err(_) => {
            println!("mdbook is not installed: the guide was not built (its sources are in docs/)")
        }
    }
    Ok(())
}
