//! The library of `tests/fake/fake.c`, which explains its statements.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use taos_query::{AsyncQueryable, AsyncTBuilder, RawResult};
use tempfile::TempDir;

use crate::ffi::Api;
use crate::{Taos, TaosBuilder};

static COMPILED: LazyLock<[Vec<u8>; 2]> =
    LazyLock::new(|| [&[][..], &["-DOLD"]].map(|options| compile("fake.c", options)));

/// The bytes of a library made of one of the sources in `tests/fake`.
pub(crate) fn compile(source: &str, options: &[&str]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let rest = folder.path().join("rest.c");
    let library = folder.path().join("fake.so");
    // The functions that every library has and the fake has not; weak, so that the fake's come first.
    let mut stubs = String::new();
    for name in Api::REQUIRED {
        writeln!(
            stubs,
            "__attribute__((weak)) long {name}(void) {{ return 0; }}"
        )
        .unwrap();
    }
    std::fs::write(&rest, stubs).unwrap();
    let fake = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fake")
        .join(source);
    let output = Command::new("cc")
        .args(["-shared", "-fPIC", "-pthread", "-g", "-o"])
        .args([&library, &fake, &rest])
        .args(options)
        .output()
        .expect("a C compiler is needed to link Rust too");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    std::fs::read(&library).unwrap()
}

/// A copy of the library, with counters of its own.
pub(super) struct Fake {
    folder: TempDir,
}

impl Fake {
    pub(super) fn new() -> Self {
        Self::copy(0)
    }

    /// Without the functions that not every 3.x has.
    pub(super) fn old() -> Self {
        Self::copy(1)
    }

    fn copy(version: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("fake.so"), &COMPILED[version]).unwrap();
        Self { folder }
    }

    /// A DSN for it, with parameters that end with `&`.
    pub(super) fn dsn(&self, user: &str, params: &str) -> String {
        let file = self.folder.path().join("fake.so");
        format!("taos://{user}@host?{params}libraryPath={}", file.display())
    }

    pub(super) async fn connect(&self, user: &str, params: &str) -> RawResult<Taos> {
        TaosBuilder::from_dsn(self.dsn(user, params))?.build().await
    }

    pub(super) async fn taos(&self) -> Taos {
        self.connect("root", "").await.unwrap()
    }
}

/// A counter of the library.
pub(super) async fn count(taos: &Taos, name: &str) -> usize {
    taos.exec(format!("count {name}")).await.unwrap()
}

/// Waits until a counter has this value.
pub(super) async fn reaches(taos: &Taos, name: &str, value: usize) {
    taos.exec(format!("await {name} {value}")).await.unwrap();
}

/// Waits until all results are freed, and sees that the library was used as it demands.
pub(super) async fn assert_clean(taos: &Taos) {
    reaches(taos, "live", 0).await;
    assert_eq!(count(taos, "misuse").await, 0);
    assert_eq!(count(taos, "freed").await, count(taos, "queries").await);
}
