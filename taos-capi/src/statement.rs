//! What both generations of statements need.

use std::ffi::{c_char, c_int, c_void};
use std::ptr;

use taos_query::abi::SqlLen;
use taos_query::{Code, ErrorKind, RawError, RawResult};

use crate::args::{put, text, without_end};
use crate::binds::{array, wrong};
use crate::connect::{Conn, no_connection};
use crate::error::{Failure, INVALID_PARA};
use crate::handle::give;
use crate::result::{Res, release};

/// A result that belongs to a statement: programs look at it and do not free it.
#[derive(Debug)]
pub(crate) struct OwnedResult(*mut c_void);

// SAFETY: the pointer is the statement's own, and results may be moved to other threads (native-ffi §4).
unsafe impl Send for OwnedResult {}

impl OwnedResult {
    pub(crate) const fn none() -> Self {
        Self(ptr::null_mut())
    }

    pub(crate) fn new(result: Res) -> Self {
        Self(give(result.of_statement()))
    }

    pub(crate) const fn pointer(&self) -> *mut c_void {
        self.0
    }
}

impl Drop for OwnedResult {
    fn drop(&mut self) {
        // SAFETY: it comes from `give` and nobody else frees it: `taos_free_result` leaves results of statements
        // alone.
        unsafe { release(self.0) };
    }
}

/// A call at the wrong time: the code that the native library has for it.
pub(crate) fn out_of_order(text: &'static str) -> RawError {
    RawError::of(ErrorKind::Config, text).with_code(Code::new(0x022A))
}

/// A handle that is NULL or of another kind.
pub(crate) fn no_statement() -> Failure {
    Failure::new(
        INVALID_PARA,
        "the handle is not one of a statement: it is NULL or of another kind",
    )
}

/// The connection behind a handle.
///
/// # Safety
/// As [`crate::handle::at`].
pub(crate) unsafe fn connection<'a>(taos: *const c_void) -> Result<&'a Conn, Failure> {
    // SAFETY: as the caller says.
    let conn = unsafe { crate::handle::at::<Conn>(taos) };
    conn.ok_or_else(no_connection)
}

/// The text of a statement, whose length a program may give or leave to us with 0.
///
/// # Safety
/// `sql` is NULL or leads to so many bytes, or to a text that ends with NUL if `length` is 0.
pub(crate) unsafe fn sql_text<'a>(sql: *const c_char, length: SqlLen) -> RawResult<&'a str> {
    let length =
        usize::try_from(length).map_err(|_| wrong("the length of the SQL is out of range"))?;
    if length == 0 || sql.is_null() {
        // SAFETY: as the caller says.
        return unsafe { text(sql) }.map_err(|failure| wrong(failure.text().to_string_lossy()));
    }
    // SAFETY: as the caller says.
    let bytes = unsafe { array(sql.cast::<u8>(), length) }?;
    let bytes = without_end(bytes)
        .map_err(|place| wrong(format!("byte {place} of the SQL is NUL, and more follows")))?;
    std::str::from_utf8(bytes).map_err(|error| wrong(format!("the SQL is not UTF-8: {error}")))
}

/// The name of a table.
///
/// # Safety
/// `name` is NULL or leads to a text that ends with NUL.
pub(crate) unsafe fn table_name<'a>(name: *const c_char) -> RawResult<&'a str> {
    // SAFETY: as the caller says.
    unsafe { text(name) }.map_err(|failure| {
        wrong(format!(
            "the name of the table: {}",
            failure.text().to_string_lossy()
        ))
    })
}

/// Room for a value that the program wants.
#[derive(Debug)]
pub(crate) struct Out<T>(*mut T);

impl<T> Out<T> {
    pub(crate) fn put(self, value: T) {
        // SAFETY: whoever called `out` vouched for it.
        unsafe { put(self.0, value) };
    }
}

/// A pointer to be written to.
///
/// # Safety
/// It is NULL or leads to room for a value that nobody else uses, for as long as what is returned is used.
pub(crate) unsafe fn out<T>(pointer: *mut T, what: &str) -> RawResult<Out<T>> {
    if pointer.is_null() {
        return Err(wrong(format!("`{what}` is NULL")));
    }
    Ok(Out(pointer))
}

/// A number of rows in the type that C has for it.
pub(crate) fn count(rows: usize) -> c_int {
    c_int::try_from(rows).unwrap_or(c_int::MAX)
}
