//! What connections are asked and told, and where they go.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::ffi::{c_char, c_int};
use std::ptr::{null, null_mut};

use common::{Answer, Session, c, last_error, owned, place};
use taos_capi::connect::{taos_close, taos_connect, taos_connect_test, taos_connect_token};
use taos_capi::misc::{taos_check_server_status, taos_data_type};
use taos_capi::options::{taos_cleanup, taos_init, taos_options, taos_set_config};
use taos_capi::query::taos_query;
use taos_capi::session::*;
use taos_capi::version::taos_get_client_info;

fn current_db(session: &Session) -> String {
    let mut buffer = [0 as c_char; 64];
    let mut required = 0;
    // SAFETY: the connection is open, and the buffer has 64 bytes.
    unsafe {
        let code = taos_get_current_db(session.taos, buffer.as_mut_ptr(), 64, &raw mut required);
        assert_eq!(code, 0, "{:?}", last_error());
    }
    let name = owned(buffer.as_ptr());
    assert_eq!(usize::try_from(required).unwrap(), name.len() + 1);
    name
}

#[test]
fn the_current_database_is_chosen_told_and_reset() {
    let session = Session::start();
    session.exec(&["create database power", "create database `Odd-1`"]);
    // SAFETY: the connection is open, and the places may be written.
    unsafe {
        assert_eq!(current_db(&session), "");
        assert_eq!(taos_select_db(session.taos, c"POWER".as_ptr()), 0);
        assert_eq!(current_db(&session), "power");
        assert_eq!(taos_select_db(session.taos, c"Odd-1".as_ptr()), 0);
        assert_eq!(taos_select_db(session.taos, c"power".as_ptr()), 0);
        assert_eq!(
            taos_select_db(session.taos, c"nowhere".as_ptr()).cast_unsigned(),
            0x8000_0388
        );
        let (mut small, mut required) = ([1 as c_char; 4], 0);
        let code = taos_get_current_db(session.taos, small.as_mut_ptr(), 4, &raw mut required);
        assert_eq!((code.cast_unsigned(), required), (0x8000_0118, 6));
        assert_eq!(owned(small.as_ptr()), "pow");
        taos_reset_current_db(session.taos);
        assert_eq!(last_error().0, 0);
        assert_eq!(current_db(&session), "");
    }
}

#[test]
fn a_connection_tells_its_server_its_user_and_where_tables_lie() {
    let session = Session::start();
    session.exec(&[
        "create database d",
        "create table d.t (ts timestamp, v int)",
    ]);
    // SAFETY: the connection is open, and the places may be written.
    unsafe {
        let info = taos_get_server_info(session.taos);
        assert!(owned(info).contains("3."));
        assert_eq!(info, taos_get_server_info(session.taos), "asked once");
        let (mut name, mut len) = ([0 as c_char; 16], 16);
        let code = taos_get_connection_info(session.taos, 0, name.as_mut_ptr(), &raw mut len);
        assert_eq!((code, owned(name.as_ptr()).as_str(), len), (0, "root", 5));
        let mut vgroup = 0;
        let table = |name| (c"d".as_ptr(), name);
        let (db, t) = table(c"t".as_ptr());
        assert_eq!(taos_get_table_vgId(session.taos, db, t, &raw mut vgroup), 0);
        assert!(vgroup > 0);
        let mut vgroups = [0; 2];
        let code = taos_get_tables_vgId(session.taos, db, [t, t].as_ptr(), 2, vgroups.as_mut_ptr());
        assert_eq!((code, vgroups), (0, [vgroup; 2]));
        let code = taos_get_table_vgId(session.taos, db, c"x".as_ptr(), &raw mut vgroup);
        assert_eq!(code.cast_unsigned(), 0x8000_2603);
    }
}

#[test]
fn statements_are_checked_without_being_run() {
    let session = Session::start();
    // SAFETY: the connection is open.
    unsafe {
        assert_eq!(
            taos_validate_sql(session.taos, c"create database d".as_ptr()),
            0
        );
        assert!(taos_validate_sql(session.taos, c"create nothing".as_ptr()) < 0);
        assert!(
            taos_select_db(session.taos, c"d".as_ptr()) < 0,
            "it was not run"
        );
    }
}

#[test]
fn options_and_modes_of_a_connection_are_checked_and_survive_a_new_login() {
    let session = Session::start();
    session.exec(&["create database d", "use d"]);
    // SAFETY: the connection is open.
    unsafe {
        let set = |option, value: &std::ffi::CStr| {
            taos_options_connection(session.taos, option, value.as_ptr().cast())
        };
        assert_eq!(set(1, c"Asia/Tokyo"), 0);
        assert_eq!(set(1, c"UTC-9"), 0);
        assert!(set(1, c"Mars/Base") < 0);
        assert_eq!(set(0, c"utf-8"), 0);
        assert_eq!(set(0, c"gbk").cast_unsigned(), 0x8000_0100);
        assert_eq!(set(2, c"10.0.0.1"), 0);
        assert!(set(2, c"here") < 0);
        assert_eq!(set(3, c"program"), 0);
        assert!(set(99, c"x") < 0);
        assert_eq!(taos_options_connection(session.taos, 1, null()), 0);
        assert_eq!(
            taos_set_conn_mode(session.taos, 0, 1),
            0,
            "{:?}",
            last_error()
        );
        assert!(taos_set_conn_mode(session.taos, 1, 1) < 0);
        assert_eq!(current_db(&session), "d");
        assert_eq!(taos_set_conn_mode(session.taos, 0, 0), 0);
    }
}

#[test]
fn kill_query_ends_what_was_begun_and_nothing_later() {
    let session = Session::start();
    session.exec(&[
        "create database d",
        "create table d.t (ts timestamp, v int)",
    ]);
    let answer = session.query("select * from d.t");
    // SAFETY: the connection is open, the result alive.
    unsafe {
        taos_kill_query(session.taos);
        let (mut rows, mut block) = (0, null_mut());
        let code = taos_capi::fetch::taos_fetch_raw_block(answer.0, &raw mut rows, &raw mut block);
        assert_eq!(code.cast_unsigned(), 0x8000_022D);
        session.exec(&["select * from d.t"]);
    }
}

#[test]
fn a_server_tells_its_health_and_one_that_is_not_there_is_down() {
    let session = Session::start();
    let (host, port) = place(&session.server);
    let mut words = [0 as c_char; 256];
    // SAFETY: texts that end with NUL, and a buffer of 256 bytes.
    unsafe {
        let port = c_int::from(port);
        let status = taos_check_server_status(host.as_ptr(), port, words.as_mut_ptr(), 256);
        assert_eq!(status, 2, "{}", owned(words.as_ptr()));
        let status = taos_check_server_status(host.as_ptr(), 1, words.as_mut_ptr(), 256);
        assert_eq!(status, 0);
        assert!(!owned(words.as_ptr()).is_empty());
        assert_eq!(
            taos_check_server_status(host.as_ptr(), -1, null_mut(), 0),
            0
        );
    }
}

#[test]
fn the_process_has_options_and_a_version() {
    assert_eq!(taos_init(), 0);
    assert!(owned(taos_get_client_info()).starts_with("3.3.8"));
    assert_eq!(owned(taos_data_type(8)), "TSDB_DATA_TYPE_VARCHAR");
    assert_eq!(owned(taos_data_type(99)), "UNKNOWN");
    // SAFETY: texts that end with NUL, and NULL.
    unsafe {
        let set = |option, value: &std::ffi::CStr| taos_options(option, value.as_ptr().cast());
        assert_eq!(set(0, c"en_US.UTF-8"), 0);
        assert!(set(1, c"gbk") < 0);
        assert_eq!(set(4, c"3"), 0);
        assert!(set(6, c"native") < 0);
        assert_eq!(set(6, c"websocket"), 0);
        assert!(set(77, c"x") < 0);
        assert!(taos_options(1, null()) < 0);
        assert_eq!(taos_set_config(c"{\"connRetries\": 1}".as_ptr()).retCode, 0);
        let partly = taos_set_config(c"{\"debugFlag\": \"131\"}".as_ptr());
        assert_eq!(partly.retCode, -1);
        assert!(owned(partly.retMsg.as_ptr()).contains("debugFlag"));
        assert_eq!(taos_set_config(c"[]".as_ptr()).retCode, -3);
    }
    taos_cleanup();
}

#[test]
fn connections_without_a_host_go_where_the_file_says() {
    let session = Session::start();
    let (host, port) = place(&session.server);
    let dir = tempfile::tempdir().unwrap();
    let host = host.to_str().unwrap();
    let text = format!("# ours\nadapterList {host}:{port} # one server\ndebugFlag 131\n");
    std::fs::write(dir.path().join("taos.cfg"), text).unwrap();
    let dir = c(dir.path().to_str().unwrap());
    // SAFETY: texts that end with NUL, and NULL.
    unsafe {
        assert_eq!(taos_options(3, dir.as_ptr().cast()), 0);
        let taos = taos_connect(null(), null(), null(), null(), 0);
        assert!(!taos.is_null(), "{:?}", last_error());
        drop(Answer(taos_query(taos, c"select 1".as_ptr())));
        taos_close(taos);
        let wrong = c"no".as_ptr();
        assert!(taos_connect_test(null(), null(), wrong, null(), null(), 0) < 0);
        assert_eq!(
            taos_connect_test(null(), null(), null(), null(), null(), 0),
            0
        );
        assert!(taos_connect_token(null(), c"nonsense".as_ptr(), null(), 0).is_null());
        assert!(last_error().0 < 0);
    }
}
