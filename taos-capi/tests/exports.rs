//! What the shared library exports, and what of it has no meaning over WebSocket.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeSet;
use std::ffi::{c_char, c_int, c_void};
use std::path::PathBuf;
use std::process::Command;
use std::ptr::{null, null_mut};

use common::{Session, last_error};
use taos_capi::unsupported::*;

/// "Operation not supported".
const NOT_SUPPORTED: u32 = 0x8000_0100;

/// The library that was built together with this test.
fn library() -> PathBuf {
    let name = format!(
        "{}taos_capi{}",
        std::env::consts::DLL_PREFIX,
        std::env::consts::DLL_SUFFIX
    );
    let test = std::env::current_exe().unwrap();
    test.ancestors()
        .skip(1)
        .take(2)
        .map(|dir| dir.join(&name))
        .find(|path| path.is_file())
        .unwrap_or_else(|| panic!("there is no {name} beside {}", test.display()))
}

#[test]
#[cfg(target_os = "linux")]
fn the_library_exports_the_interface_and_nothing_else() {
    let output = Command::new("nm")
        .args(["-D", "--defined-only"])
        .arg(library())
        .output()
        .unwrap();
    assert!(output.status.success());
    let symbols = String::from_utf8(output.stdout).unwrap();
    let exported: BTreeSet<&str> = symbols
        .lines()
        .filter_map(|line| line.split_whitespace().last())
        .collect();
    let interface: BTreeSet<&str> = include_str!("exports.txt").lines().collect();
    let missing: Vec<_> = interface.difference(&exported).collect();
    let more: Vec<_> = exported.difference(&interface).collect();
    assert!(
        missing.is_empty() && more.is_empty(),
        "missing: {missing:?}; not in exports.txt: {more:?}"
    );
    for name in EXPORTS {
        assert!(interface.contains(name), "{name}");
    }
}

unsafe extern "C" fn one(
    param: *mut c_void,
    code: c_int,
    _: *mut c_void,
    count: c_int,
    list: *mut u64,
) {
    assert!(list.is_null() && count == 0);
    // SAFETY: the test gives a place for the code.
    unsafe { *param.cast::<c_int>() = code };
}

unsafe extern "C" fn both(
    param: *mut c_void,
    code: c_int,
    _: *mut c_void,
    count: c_int,
    list: *mut *mut c_char,
) {
    assert!(list.is_null() && count == 0);
    // SAFETY: the test gives a place for the code.
    unsafe { *param.cast::<c_int>() = code };
}

#[test]
fn what_has_no_meaning_over_websocket_says_so_by_code_and_name() {
    let session = Session::start();
    let taos = session.taos;
    let mut told: c_int = 0;
    let place = (&raw mut told).cast::<c_void>();
    // Of those that give no code, the thread's error is asked for.
    let last = |name| {
        let (code, words) = last_error();
        assert!(words.contains(name), "{words}");
        session.exec(&["select 1"]);
        code
    };
    // SAFETY: the connection is open; nothing else is used by these functions.
    let answers = unsafe {
        [
            ("taos_connect_auth", {
                let user = c"root".as_ptr();
                assert!(taos_connect_auth(null(), user, user, null(), 0).is_null());
                last("taos_connect_auth")
            }),
            ("taos_fetch_whitelist_a", {
                taos_fetch_whitelist_a(taos, Some(one), place);
                told
            }),
            ("taos_fetch_whitelist_dual_stack_a", {
                taos_fetch_whitelist_dual_stack_a(taos, Some(both), place);
                told
            }),
            ("taos_free_instances", {
                taos_free_instances(null_mut(), 0);
                last("taos_free_instances")
            }),
            (
                "taos_get_db_route_info",
                taos_get_db_route_info(taos, c"d".as_ptr(), null_mut()),
            ),
            (
                "taos_list_instances",
                taos_list_instances(null(), null_mut(), null_mut()),
            ),
            (
                "taos_load_table_info",
                taos_load_table_info(taos, c"d.t".as_ptr()),
            ),
            (
                "taos_register_instance",
                taos_register_instance(null(), null(), null(), 0),
            ),
            (
                "taos_set_notify_cb",
                taos_set_notify_cb(taos, None, null_mut(), 0),
            ),
            (
                "taos_stmt2_bind_param_column",
                taos_stmt2_bind_param_column(null_mut(), null_mut()),
            ),
            ("taos_write_crashinfo", {
                taos_write_crashinfo(0, null_mut(), null_mut());
                last("taos_write_crashinfo")
            }),
        ]
    };
    let names: Vec<&str> = answers.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, EXPORTS, "each of the list is tried, in its order");
    for (name, code) in answers {
        assert_eq!(code.cast_unsigned(), NOT_SUPPORTED, "{name}");
    }
}

/// A program that names types and numbers as programs for the native library do.
const PROGRAM: &str = r#"
#include "taos.h"
static void done(void *param, TAOS_RES *res, int code) { (void)param; (void)res; (void)code; }
static void kept(tmq_t *tmq, int32_t code, void *param) { (void)tmq; (void)code; (void)param; }
int use(TAOS *taos) {
  tmq_commit_cb *commit = kept;
  TAOS_ROW row = 0;
  TAOS_FIELD field = {.type = TSDB_DATA_TYPE_BINARY};
  struct tmq_raw_data raw = {0};
  tmq_conf_res_t set = TMQ_CONF_OK;
  taos_options(TSDB_OPTION_TIMEZONE, "UTC", 1);
  taos_options_connection(taos, TSDB_OPTION_CONNECTION_USER_APP, "program");
  taos_query_a(taos, "select 1", done, 0);
  tmq_commit_async(0, 0, commit, 0);
  tmq_free_raw(raw);
  return row == 0 && field.type == TSDB_DATA_TYPE_VARCHAR && set == 0;
}
_Static_assert(sizeof(TAOS_FIELD) == 72 && sizeof(TAOS_FIELD_E) == 72 && sizeof(TAOS_FIELD_ALL) == 76, "");
_Static_assert(sizeof(TAOS_MULTI_BIND) == 48 && sizeof(TAOS_STMT2_BIND) == 40, "");
_Static_assert(sizeof(TAOS_STMT2_BINDV) == 32 && sizeof(TAOS_STMT2_OPTION) == 32, "");
_Static_assert(sizeof(tmq_raw_data) == 16 && sizeof(tmq_topic_assignment) == 32, "");
"#;

#[test]
#[cfg(target_os = "linux")]
fn the_header_compiles_and_declares_what_is_exported() {
    let include = concat!(env!("CARGO_MANIFEST_DIR"), "/include");
    let dir = tempfile::tempdir().unwrap();
    let program = dir.path().join("program.c");
    std::fs::write(&program, PROGRAM).unwrap();
    let output = Command::new("cc")
        .args([
            "-std=c11",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-fsyntax-only",
            "-I",
            include,
        ])
        .arg(&program)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let header = include_str!("../include/taos.h");
    for name in include_str!("exports.txt").lines() {
        let declared = header.lines().any(|line| {
            line.split_once(&format!("{name}("))
                .is_some_and(|(before, _)| before.ends_with([' ', '*']) && !before.contains(" * "))
        });
        assert!(declared, "{name} is not in the header");
    }
}
