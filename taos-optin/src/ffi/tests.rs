//! Libraries that are missing, of no use, too old or incomplete. The stubs are compiled while the tests run.
#![cfg(unix)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::ptr;

use taos_query::{ErrorKind, RawError};

use super::find::{DEFAULT_NAME, VARIABLE};
use super::stub::{Stub, compile};
use super::{Api, Library};

fn refusal(file: &Path) -> RawError {
    Library::open(file.to_str()).unwrap_err()
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(DEFAULT_NAME);
    (folder, file)
}

#[test]
fn a_library_is_loaded_once_under_all_its_names() {
    let (folder, file) = folder();
    Stub::whole("3.3.7.5").build(&file);
    let opened = Library::open(file.to_str()).unwrap();
    assert_eq!(opened.version, "3.3.7.5");
    for used in opened.api.uses() {
        used.unwrap();
    }
    // The folder form, and many threads at once.
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let again = Library::open(folder.path().to_str()).unwrap();
                assert!(ptr::eq(opened, again));
            });
        }
    });
}

#[test]
fn a_missing_library_is_named_with_what_to_do() {
    let (folder, file) = folder();
    let missing = folder.path().join("deeper").join("libtaos.so.3");
    for (asked, named) in [
        (missing.as_path(), missing.as_path()),
        (folder.path(), &file),
    ] {
        let error = refusal(asked);
        let text = error.to_string();
        assert_eq!(error.kind(), ErrorKind::Config);
        for part in [
            named.to_str().unwrap(),
            "libraryPath",
            "TAOS_LIBRARY_PATH",
            "Install",
            "taos+ws://",
            "not found",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}

#[test]
fn a_library_of_the_second_generation_is_too_old() {
    let (_folder, file) = folder();
    Stub::of("2.6.0.34", vec!["taos_connect"]).build(&file);
    let error = refusal(&file);
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let text = error.to_string();
    for part in [file.to_str().unwrap(), "2.6.0.34", "3.x is needed"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn required_functions_that_are_missing_are_named_and_counted() {
    let (_folder, file) = folder();
    let few = ["taos_query_a", "tmq_get_raw"];
    Stub::whole("3.1.0.0").without(&few).build(&file);
    let text = refusal(&file).to_string();
    assert!(text.contains("taos_query_a, tmq_get_raw."), "{text}");
    assert!(text.contains("libtaos 3.1.0.0"), "{text}");

    let file = file.with_file_name("libalmost.so");
    Stub::of("3.0.0.0", Vec::new()).build(&file);
    let text = refusal(&file).to_string();
    // taos_options, the version and taos_errno are there.
    let more = format!("and {} more", Api::REQUIRED.len() - 3 - 5);
    assert!(text.contains(&more), "{text}");
}

#[test]
fn each_optional_function_that_is_missing_is_an_error_of_its_use_only() {
    let (_folder, file) = folder();
    Stub::required("3.0.0.1").build(&file);
    let library = Library::open(file.to_str()).unwrap();
    let uses = library.api.uses();
    assert_eq!(uses.len(), Api::OPTIONAL.len());
    for (used, (name, since)) in uses.into_iter().zip(Api::OPTIONAL) {
        let error = used.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        let text = error.to_string();
        for part in [*name, *since, "3.0.0.1"] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}

#[test]
fn what_is_no_library_is_said_to_be_there_and_why_it_cannot_be_loaded() {
    let mut elf = b"\x7FELF\x01\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\x03\0".to_vec();
    elf.resize(4096, 0);
    let mut foreign = elf.clone();
    foreign[4] = 2;
    foreign[18] = 22;
    for (content, reason) in [
        (b"export LIBTAOS=1\n".to_vec(), "a text file"),
        (elf, "32-bit library for x86"),
        (foreign, "64-bit library for s390x"),
        (Vec::new(), "empty"),
    ] {
        let (_folder, file) = folder();
        std::fs::write(&file, content).unwrap();
        let text = refusal(&file).to_string();
        for part in [
            file.to_str().unwrap(),
            "is there but cannot be loaded",
            reason,
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}

#[test]
fn a_library_of_something_else_is_refused() {
    let (_folder, file) = folder();
    compile("int nothing_of_the_kind(void) { return 1; }", &file);
    let text = refusal(&file).to_string();
    assert!(text.contains("not TDengine's client library"), "{text}");
}

#[test]
fn a_front_without_the_library_behind_it_is_explained() {
    let (_folder, file) = folder();
    compile(
        "const char *taos_get_client_info(void) { return 0; }\n\
         int taos_errno(void *res) { return (int)0x8000010B; }",
        &file,
    );
    let text = refusal(&file).to_string();
    assert!(text.contains("libtaosnative"), "{text}");
}

#[test]
fn the_configuration_directory_is_one_for_all_connections() {
    let (folder, file) = folder();
    Stub::whole("3.3.0.0").build(&file);
    let library = Library::open(file.to_str()).unwrap();
    let first = folder.path().to_str().unwrap();
    let text = library
        .configure(Some("/no/such/directory"))
        .unwrap_err()
        .to_string();
    assert!(text.contains("no such directory"), "{text}");
    library.configure(Some(first)).unwrap();
    library.configure(Some(first)).unwrap();
    library.configure(None).unwrap();
    // SAFETY: the stub's function ignores its argument, and adds up the options that were set.
    assert_eq!(unsafe { (library.api.taos_errno)(ptr::null_mut()) }, 3);
    let text = library.configure(Some("/")).unwrap_err().to_string();
    assert!(text.contains(first) && text.contains("too late"), "{text}");
}

#[test]
fn a_configuration_directory_after_a_connection_without_one_is_an_error() {
    let (_folder, file) = folder();
    Stub::whole("3.3.0.0").build(&file);
    let library = Library::open(file.to_str()).unwrap();
    library.configure(None).unwrap();
    let text = library.configure(Some("/")).unwrap_err().to_string();
    assert!(text.contains("its default"), "{text}");
}

/// Runs one of the ignored tests below in a process of its own, whose environment is that given.
fn in_a_child(test: &str, environment: &[(&str, &Path)]) {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args([
        "--exact",
        &format!("ffi::tests::{test}"),
        "--ignored",
        "--nocapture",
    ]);
    child.env_remove(VARIABLE).env_remove("LD_LIBRARY_PATH");
    for (name, value) in environment {
        child.env(name, value);
    }
    let output = child.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// What a child that was not started by a test must not take for a failure.
fn is_child() -> bool {
    std::env::var_os("TAOS_FFI_CHILD").is_some()
}

#[test]
fn the_environment_names_a_file_or_a_folder() {
    let (folder, file) = folder();
    Stub::whole("3.2.1.0").build(&file);
    for named in [file.as_path(), folder.path()] {
        in_a_child(
            "child_that_finds",
            &[(VARIABLE, named), ("TAOS_FFI_CHILD", Path::new("1"))],
        );
    }
    #[cfg(target_os = "linux")]
    in_a_child(
        "child_that_finds",
        &[
            ("LD_LIBRARY_PATH", folder.path()),
            ("TAOS_FFI_CHILD", Path::new("1")),
        ],
    );
}

#[test]
#[ignore = "the child of the above"]
fn child_that_finds() {
    if !is_child() {
        return;
    }
    assert_eq!(Library::open(None).unwrap().version, "3.2.1.0");
}

#[test]
#[cfg(target_os = "linux")]
fn a_name_without_a_folder_is_what_the_loader_finds_and_not_what_lies_here() {
    let (folder, file) = folder();
    Stub::whole("3.2.1.0").build(&file);
    let here = tempfile::tempdir().unwrap();
    Stub::whole("3.4.0.0").build(&here.path().join(DEFAULT_NAME));
    in_a_child(
        "child_that_tells_apart",
        &[
            ("LD_LIBRARY_PATH", folder.path()),
            ("TAOS_FFI_CHILD", here.path()),
        ],
    );
}

#[test]
#[cfg(target_os = "linux")]
#[ignore = "the child of the above"]
fn child_that_tells_apart() {
    let Some(here) = std::env::var_os("TAOS_FFI_CHILD") else {
        return;
    };
    std::env::set_current_dir(&here).unwrap();
    let found = Library::open(None).unwrap();
    assert_eq!(found.version, "3.2.1.0");
    let relative = Path::new(".").join(DEFAULT_NAME);
    let relative = Library::open(relative.to_str()).unwrap();
    assert_eq!(relative.version, "3.4.0.0");
    // By its path it is the same library, with one configuration for all.
    let folder = std::env::var("LD_LIBRARY_PATH").unwrap();
    assert!(ptr::eq(Library::open(Some(&folder)).unwrap(), found));
}

#[test]
fn what_the_environment_names_is_not_passed_over() {
    let (folder, file) = folder();
    in_a_child(
        "child_that_misses",
        &[(VARIABLE, &file), ("TAOS_FFI_CHILD", &file)],
    );
    #[cfg(target_os = "linux")]
    in_a_child(
        "child_that_misses",
        &[
            ("LD_LIBRARY_PATH", folder.path()),
            ("TAOS_FFI_CHILD", folder.path()),
            (
                "TAOS_FFI_PLACES",
                Path::new("LD_LIBRARY_PATH|ldconfig -p|/usr/lib"),
            ),
        ],
    );
}

#[test]
#[ignore = "the child of the above"]
fn child_that_misses() {
    if !is_child() {
        return;
    }
    let text = Library::open(None).unwrap_err().to_string();
    let place = std::env::var("TAOS_FFI_CHILD").unwrap();
    let places = std::env::var("TAOS_FFI_PLACES").unwrap_or_default();
    let words = [place.as_str(), DEFAULT_NAME, "not found", "taos+ws://"];
    for part in words.into_iter().chain(places.split('|')) {
        assert!(text.contains(part), "{part}: {text}");
    }
}
