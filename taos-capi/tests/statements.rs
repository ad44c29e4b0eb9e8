//! Statements of both generations, where programs go wrong.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::ffi::{CStr, c_int, c_void};
use std::mem::size_of;
use std::ptr::null_mut;
use std::sync::mpsc;
use std::time::Duration;

use common::{Answer, Session, last_error, owned};
use taos_capi::fetch::taos_fetch_raw_block;
use taos_capi::query::taos_affected_rows;
use taos_capi::schemaless::taos_schemaless_insert_raw;
use taos_capi::session::taos_kill_query;
use taos_capi::stmt::*;
use taos_capi::stmt2::*;
use taos_query::abi::*;

const TIMESTAMP: c_int = 9;
const INT: c_int = 4;

fn session() -> Session {
    let session = Session::start();
    session.exec(&[
        "create database d",
        "use d",
        "create table a (ts timestamp, v int)",
        "create table b (ts timestamp, v int)",
        "insert into a values (1700000000000, 1)",
    ]);
    session
}

fn second(session: &Session, option: *mut TaosStmt2Option, sql: &CStr) -> *mut c_void {
    // SAFETY: the connection is open, the option NULL or alive, and the text ends with NUL.
    unsafe {
        let stmt = taos_stmt2_init(session.taos, option);
        assert_eq!(
            taos_stmt2_prepare(stmt, sql.as_ptr(), 0),
            0,
            "{:?}",
            last_error()
        );
        stmt
    }
}

/// Binds one column of one row for a table; -1 for all columns.
fn bind(stmt: *mut c_void, table: Option<&CStr>, columns: &mut [TaosStmt2Bind], at: i32) -> c_int {
    let mut name = table.map_or(null_mut(), |name| name.as_ptr().cast_mut());
    let mut all = columns.as_mut_ptr();
    let mut bindv = TaosStmt2Bindv {
        count: 1,
        tbnames: &raw mut name,
        tags: null_mut(),
        bind_cols: &raw mut all,
    };
    // SAFETY: the statement is open, and all arrays have one element.
    unsafe { taos_stmt2_bind_param(stmt, &raw mut bindv, at) }
}

fn value(ty: c_int, place: *mut c_void) -> TaosStmt2Bind {
    TaosStmt2Bind {
        buffer_type: ty,
        buffer: place,
        length: null_mut(),
        is_null: null_mut(),
        num: 1,
    }
}

fn first_value(ty: c_int, place: *mut c_void) -> TaosMultiBind {
    TaosMultiBind {
        buffer_type: ty,
        buffer: place,
        buffer_length: 8,
        length: null_mut(),
        is_null: null_mut(),
        num: 1,
    }
}

#[test]
fn killing_the_queries_of_a_connection_ends_results_of_statements_too() {
    let session = session();
    let sql = c"select * from a where v = ?";
    let stmt2 = second(&session, null_mut(), sql);
    let mut one = 1_i32;
    let mut param = [value(INT, (&raw mut one).cast())];
    let mut first = [first_value(INT, (&raw mut one).cast())];
    let (mut rows, mut block) = (0, null_mut());
    // SAFETY: connection and statements are open.
    unsafe {
        let stmt = taos_stmt_init(session.taos);
        assert_eq!(taos_stmt_prepare(stmt, sql.as_ptr(), 0), 0);
        assert_eq!(taos_stmt_bind_param(stmt, first.as_mut_ptr()), 0);
        assert_eq!(taos_stmt_add_batch(stmt), 0);
        assert_eq!(taos_stmt_execute(stmt), 0, "{:?}", last_error());
        assert_eq!(bind(stmt2, None, &mut param, -1), 0);
        assert_eq!(taos_stmt2_exec(stmt2, null_mut()), 0);
        let results = [taos_stmt_use_result(stmt), taos_stmt2_result(stmt2)];
        taos_kill_query(session.taos);
        for result in results {
            let code = taos_fetch_raw_block(result, &raw mut rows, &raw mut block);
            assert_eq!(code.cast_unsigned(), 0x8000_022D);
        }
        // What begins afterwards is not stopped.
        assert_eq!(bind(stmt2, None, &mut param, -1), 0);
        assert_eq!(taos_stmt2_exec(stmt2, null_mut()), 0, "{:?}", last_error());
        assert_eq!(taos_stmt_close(stmt), 0);
        assert_eq!(taos_stmt2_close(stmt2), 0);
    }
}

#[test]
fn columns_of_one_table_do_not_go_to_another() {
    let session = session();
    let sql = c"insert into ? values (?, ?)";
    let mut time = 1_700_000_000_001_i64;
    let place = (&raw mut time).cast::<c_void>();
    let stmt2 = second(&session, null_mut(), sql);
    // SAFETY: connection and statements are open, and every array has as many elements as it says.
    unsafe {
        assert_eq!(
            bind(stmt2, Some(c"a"), &mut [value(TIMESTAMP, place)], 0),
            0
        );
        assert!(bind(stmt2, Some(c"b"), &mut [value(INT, place)], 1) < 0);
        let words = owned(taos_stmt2_error(stmt2));
        assert!(words.contains("`b`") && words.contains("`a`"), "{words}");
        assert_eq!(taos_stmt2_close(stmt2), 0);

        let stmt = taos_stmt_init(session.taos);
        assert_eq!(taos_stmt_prepare(stmt, sql.as_ptr(), 0), 0);
        assert_eq!(taos_stmt_set_tbname(stmt, c"a".as_ptr()), 0);
        let mut column = first_value(TIMESTAMP, place);
        assert_eq!(
            taos_stmt_bind_single_param_batch(stmt, &raw mut column, 0),
            0
        );
        assert!(taos_stmt_set_tbname(stmt, c"b".as_ptr()) < 0);
        let words = owned(taos_stmt_errstr(stmt));
        assert!(words.starts_with("column 1 was not bound"), "{words}");
        assert_eq!(taos_stmt_close(stmt), 0);
    }
}

#[test]
fn a_text_with_a_nul_in_its_middle_is_refused_and_not_cut() {
    let session = session();
    let sql = b"delete from a\0 where ts < 1\0";
    let mut lines = b"l v=1 1700000000000\nl v=2 1700000000001\0\nl v=3 1700000000002\0".to_vec();
    let mut total = 0;
    // SAFETY: the connection is open, and the texts are as long as they say.
    unsafe {
        let stmt = taos_stmt_init(session.taos);
        let length = SqlLen::try_from(sql.len()).unwrap();
        let code = taos_stmt_prepare(stmt, sql.as_ptr().cast(), length);
        assert_eq!(code.cast_unsigned(), 0x8000_0118);
        assert!(owned(taos_stmt_errstr(stmt)).contains("byte 13"));
        assert_eq!(taos_stmt_close(stmt), 0);
        let mut write = |lines: &mut [u8]| {
            let length = c_int::try_from(lines.len()).unwrap();
            let place = lines.as_mut_ptr().cast();
            Answer(taos_schemaless_insert_raw(
                session.taos,
                place,
                length,
                &raw mut total,
                1,
                4,
            ))
        };
        let (code, words) = write(&mut lines).error();
        assert_eq!(code.cast_unsigned(), 0x8000_3002, "{words}");
        lines.retain(|byte| *byte != 0);
        lines.push(0);
        let written = write(&mut lines);
        assert_eq!(written.error().0, 0, "{:?}", written.error());
        assert_eq!(taos_affected_rows(written.0), 3);
    }
}

unsafe extern "C" fn tell(param: *mut c_void, _: *mut c_void, code: c_int) {
    // SAFETY: the tests give one that outlives the call.
    let sender = unsafe { &*param.cast::<mpsc::Sender<c_int>>() };
    sender.send(code).unwrap();
}

#[test]
fn options_that_are_not_aligned_count_and_errors_before_a_callback_have_words() {
    let session = session();
    let (sender, receiver) = mpsc::channel::<c_int>();
    let option = TaosStmt2Option {
        reqid: 7,
        singleStbInsert: false,
        singleTableBindOnce: false,
        asyncExecFn: Some(tell),
        userdata: (&raw const sender).cast_mut().cast(),
    };
    let mut room = [0_u64; size_of::<TaosStmt2Option>() / 8 + 1];
    let odd = room
        .as_mut_ptr()
        .cast::<u8>()
        .wrapping_add(1)
        .cast::<TaosStmt2Option>();
    // SAFETY: there is one word more than it takes.
    unsafe { odd.write_unaligned(option) };
    let sql = c"insert into b values (?, ?)";
    let stmt = second(&session, odd, sql);
    let mut time = 1_700_000_000_002_i64;
    let place = (&raw mut time).cast::<c_void>();
    let mut columns = [value(TIMESTAMP, place), value(INT, place)];
    // SAFETY: the statement is open.
    unsafe {
        assert_eq!(bind(stmt, None, &mut columns, -1), 0, "{:?}", last_error());
        assert_eq!(taos_stmt2_exec(stmt, null_mut()), 0);
        assert_eq!(receiver.recv_timeout(Duration::from_secs(60)), Ok(0));
        assert_eq!(bind(stmt, None, &mut columns[..1], 0), 0);
        assert!(taos_stmt2_exec(stmt, null_mut()) < 0);
        let words = owned(taos_stmt2_error(stmt));
        assert!(words.starts_with("column 1 was not bound"), "{words}");
        // As after a step that waits, only preparing helps.
        assert!(bind(stmt, None, &mut columns, -1) < 0);
        assert_eq!(taos_stmt2_prepare(stmt, sql.as_ptr(), 0), 0);
        assert_eq!(taos_stmt2_close(stmt), 0);
    }
}

#[test]
fn an_array_that_is_not_aligned_is_an_error_and_not_an_empty_one() {
    let session = session();
    let mut room = [0_u64; 2 * size_of::<TaosMultiBind>() / 8 + 1];
    let odd = room.as_mut_ptr().cast::<u8>().wrapping_add(1).cast();
    // SAFETY: connection and statement are open, and there is room for two binds.
    unsafe {
        let stmt = taos_stmt_init(session.taos);
        let sql = c"insert into a values (?, ?)".as_ptr();
        assert_eq!(taos_stmt_prepare(stmt, sql, 0), 0);
        let code = taos_stmt_bind_param_batch(stmt, odd);
        assert_eq!(code.cast_unsigned(), 0x8000_0118);
        let words = owned(taos_stmt_errstr(stmt));
        assert!(words.contains("aligned"), "{words}");
        assert_eq!(taos_stmt_close(stmt), 0);
    }
}
