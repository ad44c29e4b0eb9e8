//! Connecting, running SQL and fetching raw blocks, as a C program does.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::ffi::{c_int, c_void};
use std::ptr::{null, null_mut};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use common::{Answer, Session, c, last_error, owned, place};
use taos_capi::connect::{taos_close, taos_connect, taos_connect_dsn};
use taos_capi::fetch::{taos_fetch_raw_block, taos_fetch_raw_block_a, taos_get_raw_block};
use taos_capi::query::*;
use taos_embedded::Embedded;

const ROWS: &[&str] = &[
    "create database d",
    "use d",
    "create table t (ts timestamp, v int, s varchar(10), n nchar(5), d decimal(10, 2))",
    "insert into t values (1700000000000, 1, 'one', 'één', '1.25'), (1700000000001, null, null, null, null)",
];

#[test]
fn a_statement_gives_its_columns_and_a_raw_block() {
    let session = Session::start();
    session.exec(ROWS);
    let answer = session.query("select * from t");
    // SAFETY: the result is alive.
    unsafe {
        assert_eq!(taos_field_count(answer.0), 5);
        assert!(!taos_is_update_query(answer.0));
        let fields = std::slice::from_raw_parts(taos_fetch_fields(answer.0), 5);
        let names: Vec<String> = fields.iter().map(|f| owned(f.name.as_ptr())).collect();
        assert_eq!(names, ["ts", "v", "s", "n", "d"]);
        let bytes: Vec<(i8, i32)> = fields.iter().map(|f| (f.r#type, f.bytes)).collect();
        assert_eq!(bytes, [(9, 8), (4, 4), (8, 10), (10, 5), (21, 8)]);
        let exact = std::slice::from_raw_parts(taos_fetch_fields_e(answer.0), 5);
        assert_eq!((exact[4].precision, exact[4].scale), (10, 2));
        assert_eq!(taos_result_precision(answer.0), 0);
        let (mut rows, mut block) = (0, null_mut::<c_void>());
        assert_eq!(
            taos_fetch_raw_block(answer.0, &raw mut rows, &raw mut block),
            0
        );
        assert_eq!(rows, 2);
        let head = std::slice::from_raw_parts(block.cast::<u8>(), 16);
        assert_eq!(head[8], 2, "rows in the head of the block");
        assert_eq!(taos_get_raw_block(answer.0), block.cast_const());
        assert_eq!(
            taos_fetch_raw_block(answer.0, &raw mut rows, &raw mut block),
            0
        );
        assert_eq!((rows, block), (0, null_mut()));
    }
}

#[test]
fn a_write_tells_its_rows_and_an_error_stays_with_its_result() {
    let session = Session::start();
    session.exec(ROWS);
    let answer = session.query("insert into t values (1700000000002, 3, null, null, null)");
    // SAFETY: the result is alive.
    unsafe {
        assert_eq!(taos_affected_rows(answer.0), 1);
        assert_eq!(taos_affected_rows64(answer.0), 1);
        assert_eq!(taos_field_count(answer.0), 0);
        assert!(taos_fetch_fields(answer.0).is_null());
        assert!(taos_is_update_query(answer.0));
    }
    let wrong = session.query("select * from nowhere");
    let (code, text) = wrong.error();
    assert_eq!(code.cast_unsigned(), 0x8000_2603);
    assert_eq!(last_error(), (code, text));
    session.exec(&["use d"]);
    assert_eq!(last_error().0, 0, "a call that succeeds forgets the error");
    assert_eq!(wrong.error().0, code, "the result does not");
}

#[test]
fn connecting_fails_with_an_error_of_the_thread() {
    let server = Embedded::builder().memory().start_blocking().unwrap();
    let (host, port) = place(&server);
    // SAFETY: texts that end with NUL, and NULL.
    unsafe {
        let taos = taos_connect(host.as_ptr(), null(), c"wrong".as_ptr(), null(), port);
        assert!(taos.is_null());
        let (code, words) = last_error();
        assert_eq!(code.cast_unsigned(), 0x8000_0357);
        assert!(
            words.contains("Authentication failure") && !words.contains("0x"),
            "{words}"
        );
        let dsn = c(server.dsn());
        let taos = taos_connect_dsn(dsn.as_ptr(), null(), null(), null());
        assert!(!taos.is_null(), "{:?}", last_error());
        assert_eq!(last_error().0, 0);
        taos_close(taos);
    }
}

type Report = (usize, c_int);

/// Passes what a callback is told to the channel behind its parameter.
unsafe extern "C" fn pass(param: *mut c_void, res: *mut c_void, code: c_int) {
    // SAFETY: the tests give a sender that outlives the callback.
    let sender = unsafe { &*param.cast::<Sender<Report>>() };
    sender.send((res.addr(), code)).unwrap();
}

struct Callbacks {
    sender: Box<Sender<Report>>,
    receiver: Receiver<Report>,
}

impl Callbacks {
    fn new() -> Self {
        let (sender, receiver) = channel();
        Self {
            sender: Box::new(sender),
            receiver,
        }
    }

    fn param(&self) -> *mut c_void {
        (&raw const *self.sender).cast_mut().cast()
    }

    fn next(&self) -> (*mut c_void, c_int) {
        let (res, code) = self.receiver.recv_timeout(Duration::from_secs(30)).unwrap();
        (std::ptr::with_exposed_provenance_mut(res), code)
    }
}

#[test]
fn callbacks_bring_the_result_and_then_its_blocks() {
    let session = Session::start();
    session.exec(ROWS);
    let calls = Callbacks::new();
    // SAFETY: the connection is open and the sender outlives the callbacks.
    unsafe {
        taos_query_a(
            session.taos,
            c"select v from t".as_ptr(),
            Some(pass),
            calls.param(),
        );
        let (res, code) = calls.next();
        assert_eq!(code, 0);
        let answer = Answer(res);
        taos_fetch_raw_block_a(answer.0, Some(pass), calls.param());
        assert_eq!(calls.next(), (answer.0, 2));
        assert!(!taos_get_raw_block(answer.0).is_null());
        taos_fetch_raw_block_a(answer.0, Some(pass), calls.param());
        assert_eq!(calls.next(), (answer.0, 0));
        taos_query_a(session.taos, c"not sql".as_ptr(), Some(pass), calls.param());
        let (res, code) = calls.next();
        let answer = Answer(res);
        assert!(code < 0);
        assert_eq!(answer.error().0, code);
        taos_fetch_raw_block_a(answer.0, Some(pass), calls.param());
        assert_eq!(calls.next(), (answer.0, code), "there is nothing to fetch");
        taos_query_a(null_mut(), c"select 1".as_ptr(), Some(pass), calls.param());
        let (res, code) = calls.next();
        assert!(code < 0);
        drop(Answer(res));
    }
}

#[test]
fn a_result_freed_while_it_is_fetched_stays_until_its_callback_has_returned() {
    let session = Session::start();
    session.exec(ROWS);
    let calls = Callbacks::new();
    for _ in 0..50 {
        let answer = session.query("select * from t");
        // SAFETY: the result is alive until it is freed, and the sender outlives the callbacks.
        unsafe { taos_fetch_raw_block_a(answer.0, Some(pass), calls.param()) };
        let handle = answer.0;
        drop(answer);
        let (res, code) = calls.next();
        assert_eq!(res, handle);
        assert!(
            code == 2 || code.cast_unsigned() == 0x8000_022D,
            "{code:#x}"
        );
    }
}

#[test]
fn results_outlive_their_connection() {
    let session = Session::start();
    session.exec(ROWS);
    let (host, port) = place(&session.server);
    // SAFETY: texts that end with NUL, and handles that are alive.
    unsafe {
        let taos = taos_connect(host.as_ptr(), null(), null(), c"d".as_ptr(), port);
        let answer = Answer(taos_query(taos, c"select * from t".as_ptr()));
        taos_close(taos);
        let (mut rows, mut block) = (0, null_mut());
        assert_eq!(
            taos_fetch_raw_block(answer.0, &raw mut rows, &raw mut block),
            0
        );
        assert_eq!(rows, 2);
    }
}

#[test]
fn one_connection_serves_many_threads_at_a_time() {
    let session = Session::start();
    session.exec(ROWS);
    let taos = session.taos.expose_provenance();
    std::thread::scope(|scope| {
        for number in 0..8 {
            scope.spawn(move || {
                for round in 0..20 {
                    let sql = match (number + round) % 3 {
                        0 => "select * from t",
                        1 => "insert into t values (now, 1, null, null, null)",
                        _ => "select * from nowhere",
                    };
                    let taos = std::ptr::with_exposed_provenance_mut(taos);
                    // SAFETY: the connection is closed only after the scope.
                    let answer = Answer(unsafe { taos_query(taos, c(sql).as_ptr()) });
                    let failed = answer.error().0 != 0;
                    assert_eq!(failed, (number + round) % 3 == 2, "{:?}", answer.error());
                    assert_eq!(last_error().0, answer.error().0, "each thread has its own");
                }
            });
        }
    });
}

struct Nested {
    taos: *mut c_void,
    sender: Sender<Report>,
}

/// Waits for another statement inside of a callback, frees the result, and reports.
unsafe extern "C" fn nested(param: *mut c_void, res: *mut c_void, code: c_int) {
    // SAFETY: the test gives this, and the result is the callback's.
    unsafe {
        let given = &*param.cast::<Nested>();
        assert_eq!(code, 0);
        taos_free_result(res);
        let answer = Answer(taos_query(given.taos, c"select count(*) from t".as_ptr()));
        let (mut rows, mut block) = (0, null_mut());
        let code = taos_fetch_raw_block(answer.0, &raw mut rows, &raw mut block);
        given.sender.send((0, code + rows)).unwrap();
    }
}

#[test]
fn callbacks_may_wait_for_other_statements() {
    let session = Session::start();
    session.exec(ROWS);
    let (sender, receiver) = channel();
    let given = Box::new(Nested {
        taos: session.taos,
        sender,
    });
    let param = (&raw const *given).cast_mut().cast();
    for _ in 0..100 {
        // SAFETY: the connection is open, and what is given outlives the callbacks.
        unsafe {
            taos_query_a(
                session.taos,
                c"select v from t".as_ptr(),
                Some(nested),
                param,
            )
        };
    }
    for _ in 0..100 {
        let limit = Duration::from_secs(30);
        assert_eq!(receiver.recv_timeout(limit).unwrap().1, 1);
    }
}

#[test]
fn a_stopped_result_says_that_it_was_killed() {
    let session = Session::start();
    session.exec(ROWS);
    let answer = session.query("select * from t");
    let (mut rows, mut block) = (0, null_mut());
    // SAFETY: the result is alive.
    unsafe {
        taos_stop_query(answer.0);
        for _ in 0..2 {
            let code = taos_fetch_raw_block(answer.0, &raw mut rows, &raw mut block);
            assert_eq!((code.cast_unsigned(), rows), (0x8000_022D, 0));
        }
    }
    assert_eq!(answer.error().1, "the query was killed");
}

#[test]
fn a_second_fetch_of_a_result_is_refused_while_one_is_under_way() {
    let session = Session::start();
    session.exec(ROWS);
    let calls = Callbacks::new();
    for _ in 0..20 {
        let answer = session.query("select * from t");
        // SAFETY: the result is alive until both callbacks have come.
        unsafe {
            taos_fetch_raw_block_a(answer.0, Some(pass), calls.param());
            taos_fetch_raw_block_a(answer.0, Some(pass), calls.param());
        }
        let mut codes = [
            calls.next().1.cast_unsigned(),
            calls.next().1.cast_unsigned(),
        ];
        codes.sort_unstable();
        assert!(
            matches!(codes, [2, 0x8000_0212] | [0, 2]),
            "the second came too early, or behind the first: {codes:x?}"
        );
    }
}

#[test]
fn an_empty_password_is_not_the_default_one() {
    let session = Session::start();
    let (host, port) = place(&session.server);
    // SAFETY: texts that end with NUL, and NULL.
    unsafe {
        assert!(taos_connect(host.as_ptr(), null(), c"".as_ptr(), null(), port).is_null());
        assert_eq!(last_error().0.cast_unsigned(), 0x8000_0357);
    }
}

/// Callbacks that stay until they are let go.
#[derive(Default)]
struct Gate {
    state: std::sync::Mutex<(usize, usize, bool)>,
    changed: std::sync::Condvar,
}

unsafe extern "C" fn stays(param: *mut c_void, result: *mut c_void, _: c_int) {
    // SAFETY: the result is the callback's, and the test waits for all of them.
    let gate = unsafe {
        taos_free_result(result);
        &*param.cast::<Gate>()
    };
    let mut state = gate.state.lock().unwrap();
    state.0 += 1;
    gate.changed.notify_all();
    let mut state = gate.changed.wait_while(state, |state| !state.2).unwrap();
    state.1 += 1;
    gate.changed.notify_all();
}

#[test]
fn sixteen_callbacks_may_stay_while_other_calls_go_on_and_more_wait_for_their_turn() {
    let session = Session::start();
    let gate = Gate::default();
    for _ in 0..40 {
        let param = (&raw const gate).cast_mut().cast();
        // SAFETY: the connection is open, and the gate outlives the callbacks.
        unsafe { taos_query_a(session.taos, c"select 1".as_ptr(), Some(stays), param) };
    }
    let limit = Duration::from_secs(60);
    let state = gate.state.lock().unwrap();
    let late = |(_, timeout): &(_, std::sync::WaitTimeoutResult)| timeout.timed_out();
    let begun = gate
        .changed
        .wait_timeout_while(state, limit, |state| state.0 < 16)
        .unwrap();
    assert!(!late(&begun));
    drop(begun);
    for _ in 0..40 {
        session.exec(&["select 1"]);
    }
    let mut state = gate.state.lock().unwrap();
    assert_eq!(state.0, 16, "callbacks at a time");
    state.2 = true;
    gate.changed.notify_all();
    let ended = gate
        .changed
        .wait_timeout_while(state, limit, |state| state.1 < 40)
        .unwrap();
    assert!(!late(&ended));
}
