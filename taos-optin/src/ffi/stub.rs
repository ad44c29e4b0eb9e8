//! Libraries for tests, compiled while they run: they look like the client library, and do next to nothing.
#![cfg(unix)]

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use super::Api;

/// A library whose functions do nothing, apart from telling its version and, as the last error, the sum of
/// the options that were set.
pub(crate) struct Stub {
    version: &'static str,
    functions: Vec<&'static str>,
    code: String,
}

impl Stub {
    pub(crate) fn of(version: &'static str, functions: Vec<&'static str>) -> Self {
        Self {
            version,
            functions,
            code: String::new(),
        }
    }

    /// With every function.
    pub(crate) fn whole(version: &'static str) -> Self {
        let mut stub = Self::required(version);
        stub.functions
            .extend(Api::OPTIONAL.iter().map(|(name, _)| *name));
        stub
    }

    /// With what every 3.x has, and nothing newer.
    pub(crate) fn required(version: &'static str) -> Self {
        Self::of(version, Api::REQUIRED.to_vec())
    }

    /// Takes functions out.
    pub(crate) fn without(mut self, names: &[&str]) -> Self {
        self.functions.retain(|name| !names.contains(name));
        let calls: Vec<String> = names.iter().map(|name| format!("{name}(")).collect();
        let lines = self.code.lines();
        let kept = lines.filter(|line| !calls.iter().any(|call| line.contains(call)));
        self.code = kept.map(|line| format!("{line}\n")).collect();
        self
    }

    /// With these functions in place of those that do nothing, each on a line of its own.
    pub(crate) fn with(mut self, code: &str) -> Self {
        code.clone_into(&mut self.code);
        self
    }

    pub(crate) fn build(&self, file: &Path) {
        let mut source = self.code.clone();
        for (name, code) in [
            (
                "taos_get_client_info",
                format!("(void) {{ return \"{}\"; }}", self.version),
            ),
            (
                "taos_options",
                "(int option, const void *arg, ...) { options += option; return 0; }".to_owned(),
            ),
            ("taos_errno", "(void *res) { return options; }".to_owned()),
        ] {
            if !self.defines(name) {
                let ty = if name == "taos_get_client_info" {
                    "static int options;\nconst char *"
                } else {
                    "int "
                };
                writeln!(source, "{ty}{name}{code}").unwrap();
            }
        }
        for name in &self.functions {
            let own = ["taos_get_client_info", "taos_options", "taos_errno"].contains(name);
            if !own && !self.defines(name) {
                writeln!(source, "long {name}(void) {{ return 0; }}").unwrap();
            }
        }
        compile(&source, file);
    }

    fn defines(&self, name: &str) -> bool {
        let call = format!("{name}(");
        self.code.lines().any(|line| line.contains(&call))
    }
}

/// Makes a shared library of C code.
pub(crate) fn compile(source: &str, file: &Path) {
    let text = file.with_extension("c");
    std::fs::write(&text, source).unwrap();
    let output = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .args([file, &text])
        .output()
        .expect("a C compiler is needed to link Rust too");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
