//! The rules of the house, tested over `cargo metadata`: who may depend on whom, what the default
//! build may pull in, and how old a compiler may be.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::process::{capture, cargo};

const HOST: &str = "x86_64-unknown-linux-gnu";
/// May use everything: nothing that is published is built from them.
const EVERYWHERE: [&str; 3] = ["taos-tests", "taos-examples", "taos-benches"];

fn metadata() -> Result<Value> {
    let text = capture(&mut cargo([
        "metadata",
        "--format-version",
        "1",
        "--locked",
        "--filter-platform",
        HOST,
    ]))?;
    Ok(serde_json::from_str(&text)?)
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// Our members by name, each with what it depends on: `(name, is a dev-dependency)`.
fn members(metadata: &Value) -> BTreeMap<&str, Vec<(&str, bool)>> {
    let ids: BTreeSet<&str> = list(metadata, "workspace_members")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    list(metadata, "packages")
        .iter()
        .filter(|package| ids.contains(text(package, "id")))
        .map(|package| {
            let needs = list(package, "dependencies").iter();
            let needs = needs.map(|need| (text(need, "name"), need["kind"] == "dev"));
            (text(package, "name"), needs.collect())
        })
        .collect()
}

/// Everything that `root` builds, itself included, without dev-dependencies: package ids.
fn closure<'a>(metadata: &'a Value, root: &str) -> Result<BTreeSet<&'a str>> {
    let nodes: BTreeMap<&str, &Value> = list(&metadata["resolve"], "nodes")
        .iter()
        .map(|node| (text(node, "id"), node))
        .collect();
    let packages = list(metadata, "packages").iter();
    let start = packages
        .clone()
        .find(|package| text(package, "name") == root);
    let mut open = vec![text(start.context("no such package")?, "id")];
    let mut seen = BTreeSet::new();
    while let Some(id) = open.pop() {
        if !seen.insert(id) {
            continue;
        }
        for need in nodes.get(id).map_or(&[][..], |node| list(node, "deps")) {
            if list(need, "dep_kinds")
                .iter()
                .any(|kind| kind["kind"] != "dev")
            {
                open.push(text(need, "pkg"));
            }
        }
    }
    Ok(seen)
}

#[test]
fn members_depend_only_on_the_rooms_below_them() -> Result<()> {
    let allowed = |name: &str| -> Option<&[&str]> {
        Some(match name {
            "taos-query" | "xtask" => &[],
            "taos-ws" | "taos-questdb" | "taos-optin" => &["taos-query"],
            "taos" => &["taos-query", "taos-ws", "taos-questdb", "taos-optin"],
            "taos-embedded" | "taos-capi" => &["taos-query", "taos-ws"],
            _ => return None,
        })
    };
    let metadata = metadata()?;
    let members = members(&metadata);
    for (name, needs) in &members {
        let Some(allowed) = allowed(name) else {
            assert!(
                EVERYWHERE.contains(name),
                "{name} has no rule: add it to this test"
            );
            continue;
        };
        for (need, dev) in needs {
            if !members.contains_key(need) || allowed.contains(need) {
                continue;
            }
            // Their own tests run against the embedded server.
            let excused = *dev
                && ["taos", "taos-optin", "taos-capi"].contains(name)
                && *need == "taos-embedded";
            assert!(excused, "{name} must not depend on {need}");
        }
    }
    Ok(())
}

#[test]
fn the_facades_default_build_is_small_and_needs_no_c_library() -> Result<()> {
    let tree = capture(&mut cargo([
        "tree",
        "--locked",
        "-p",
        "taos",
        "-e",
        "normal,build",
        "--prefix",
        "none",
        "--format",
        "{p}",
        "--target",
        HOST,
    ]))?;
    let crates: BTreeSet<&str> = tree
        .lines()
        .map(|line| line.trim_end_matches(" (*)"))
        .collect();
    let names: BTreeSet<&str> = crates
        .iter()
        .filter_map(|line| line.split(' ').next())
        .collect();
    let third_party = crates
        .iter()
        .filter(|line| !line.contains("(/") && !line.is_empty())
        .count();
    assert!(third_party <= 120, "{third_party} third-party crates");
    for name in &names {
        // linux-raw-sys and its like are Rust; what links a C library says so by its name.
        let binds_c = name.ends_with("-sys") && !PURE_RUST_SYS.contains(name);
        let forbidden = ["openssl", "native-tls", "cmake", "taos-embedded"].contains(name);
        assert!(!binds_c && !forbidden, "{name} is in the default build");
    }
    Ok(())
}

/// Named `-sys` and yet without a line of C.
const PURE_RUST_SYS: [&str; 2] = ["linux-raw-sys", "windows-sys"];

#[test]
fn no_library_dependency_asks_for_a_newer_compiler() -> Result<()> {
    let metadata = metadata()?;
    let ours = (1, 88);
    for library in ["taos-query", "taos-ws", "taos-optin", "taos-capi", "taos"] {
        let ids = closure(&metadata, library)?;
        for package in list(&metadata, "packages") {
            if !ids.contains(text(package, "id")) {
                continue;
            }
            let needs = minor(text(package, "rust_version"));
            assert!(
                needs <= ours,
                "{} of {library} needs Rust {needs:?}",
                text(package, "name")
            );
        }
    }
    Ok(())
}

/// `1.88.0` → `(1, 88)`; a package that does not say needs nothing.
fn minor(version: &str) -> (u32, u32) {
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}
