//! A server in this process, and a connection to it through the C interface.

// Each test file uses a part of it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "shared by several test files")]

pub(crate) mod topics;

use std::ffi::{CStr, CString, c_int, c_void};
use std::ptr::null_mut;

use taos_capi::connect::{taos_close, taos_connect};
use taos_capi::query::{taos_errno, taos_errstr, taos_free_result, taos_query};
use taos_embedded::{Embedded, EmbeddedBuilder};

/// A text for C.
pub(crate) fn c(text: &str) -> CString {
    CString::new(text).unwrap()
}

/// A text from C; it must be there.
pub(crate) fn owned(text: *const std::ffi::c_char) -> String {
    assert!(!text.is_null());
    // SAFETY: the library gives texts that end with NUL.
    unsafe { CStr::from_ptr(text) }.to_str().unwrap().to_owned()
}

/// The thread's last error.
pub(crate) fn last_error() -> (c_int, String) {
    // SAFETY: NULL asks for the thread's error.
    unsafe { (taos_errno(null_mut()), owned(taos_errstr(null_mut()))) }
}

/// Host and port of a server.
pub(crate) fn place(server: &Embedded) -> (CString, u16) {
    let rest = server.dsn().split_once("://").unwrap().1;
    let rest = rest.split(['/', '?']).next().unwrap();
    let (host, port) = rest
        .rsplit_once('@')
        .map_or(rest, |(_, place)| place)
        .rsplit_once(':')
        .unwrap();
    (c(host), port.parse().unwrap())
}

/// A connection to a server of its own, closed at the end.
pub(crate) struct Session {
    pub(crate) taos: *mut c_void,
    pub(crate) server: Embedded,
}

impl Session {
    pub(crate) fn start() -> Self {
        Self::of(Embedded::builder())
    }

    pub(crate) fn of(builder: EmbeddedBuilder) -> Self {
        let server = builder.memory().start_blocking().unwrap();
        let (host, port) = place(&server);
        // SAFETY: texts that end with NUL, and NULL.
        let taos = unsafe {
            taos_connect(
                host.as_ptr(),
                c"root".as_ptr(),
                c"taosdata".as_ptr(),
                std::ptr::null(),
                port,
            )
        };
        assert!(!taos.is_null(), "{:?}", last_error());
        Self { taos, server }
    }

    /// Runs a statement, which may fail.
    pub(crate) fn query(&self, sql: &str) -> Answer {
        // SAFETY: the connection is open, and the text ends with NUL.
        Answer(unsafe { taos_query(self.taos, c(sql).as_ptr()) })
    }

    /// Runs statements that must not fail.
    pub(crate) fn exec(&self, statements: &[&str]) {
        for sql in statements {
            assert_eq!(self.query(sql).error(), (0, "success".to_owned()), "{sql}");
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // SAFETY: it was opened above.
        unsafe { taos_close(self.taos) };
    }
}

/// A result, freed at the end.
pub(crate) struct Answer(pub(crate) *mut c_void);

impl Answer {
    pub(crate) fn error(&self) -> (c_int, String) {
        // SAFETY: the result is alive.
        unsafe { (taos_errno(self.0), owned(taos_errstr(self.0))) }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        // SAFETY: the result was not freed.
        unsafe { taos_free_result(self.0) };
    }
}
