//! A child of `fork` has none of the library's threads: it is told so, and never waits for them.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::ffi::{c_int, c_void};
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicI32, Ordering};

use common::{Session, last_error, place};
use taos_capi::connect::taos_connect;
use taos_capi::query::{taos_free_result, taos_query, taos_query_a};

// SAFETY: the C library that every program has declares them so.
unsafe extern "C" {
    fn fork() -> c_int;
    fn waitpid(pid: c_int, status: *mut c_int, options: c_int) -> c_int;
    fn alarm(seconds: u32) -> u32;
    fn _exit(code: c_int) -> !;
}

static TOLD: AtomicI32 = AtomicI32::new(0);

unsafe extern "C" fn tell(_: *mut c_void, result: *mut c_void, code: c_int) {
    // SAFETY: the result is the callback's.
    unsafe { taos_free_result(result) };
    TOLD.store(code, Ordering::Release);
}

/// What the child does; 0 if all is as it should be.
fn child(session: &Session) -> c_int {
    let (host, port) = place(&session.server);
    let refused =
        || last_error().0.cast_unsigned() == 0x8000_0100 && last_error().1.contains("fork");
    // SAFETY: the connection is open, and the texts end with NUL.
    unsafe {
        if !taos_connect(host.as_ptr(), null(), null(), null(), port).is_null() || !refused() {
            return 2;
        }
        if !taos_query(session.taos, c"select 1".as_ptr()).is_null() || !refused() {
            return 3;
        }
        taos_query_a(session.taos, c"select 1".as_ptr(), Some(tell), null_mut());
    }
    while TOLD.load(Ordering::Acquire) == 0 {
        std::thread::yield_now();
    }
    c_int::from(TOLD.load(Ordering::Acquire).cast_unsigned() != 0x8000_0100)
}

#[test]
fn a_child_of_fork_is_told_why_it_cannot_wait_and_its_parent_goes_on() {
    let session = Session::start();
    let mut status = -1;
    // SAFETY: the child calls what is tried here, and ends without running what the parent would run at its end.
    unsafe {
        let pid = fork();
        if pid == 0 {
            // One that hangs is killed.
            alarm(60);
            _exit(child(&session));
        }
        assert_eq!(waitpid(pid, &raw mut status, 0), pid);
    }
    assert_eq!(status, 0, "the child's exit or signal");
    session.exec(&["select 1"]);
}
