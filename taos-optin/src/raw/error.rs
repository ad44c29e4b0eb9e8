//! Errors of the library, in its own words (native-ffi §4).

use std::ffi::c_int;
use std::fmt::Display;
use std::ptr;

use taos_query::{Code, ErrorKind, RawError, RawResult};

use super::text;
use crate::ffi::{Library, TaosRes};

/// "Unable to establish connection": the network, or a server that starts.
pub(crate) const NO_NETWORK: i32 = 0x000B;
/// "Object is creating": right after a CREATE.
pub(crate) const BEING_CREATED: i32 = 0x032C;

/// Codes after which a connection has to be made anew: broken links of the library, and what a library over WebSocket
/// tells of a lost socket.
const LOST: &[i32] = &[0x0018, 0x020B, 0x0213, 0x0215, 0xE002];

/// What a library over WebSocket tells of a server that does not answer in time.
const SILENT: &[i32] = &[0xE003, 0xE004];

/// The code without the library's marks.
pub(crate) const fn bare(code: c_int) -> i32 {
    code & 0xFFFF
}

/// True if the code says that the server cannot be reached (any more).
pub(crate) fn is_lost(code: i32) -> bool {
    code == NO_NETWORK || LOST.contains(&code)
}

/// True for the codes of a server's parts (management, data and query nodes), which no library makes by itself.
pub(crate) const fn is_of_server(code: i32) -> bool {
    matches!(code, 0x0300..=0x07FF)
}

/// The error of a write: of one whose link broke, or that was not answered, nobody knows whether it was done. One that
/// goes to several servers may be done in part when one of them cannot be reached.
pub(crate) fn of_write(error: RawError) -> RawError {
    if matches!(error.kind(), ErrorKind::ConnectionLost | ErrorKind::Timeout)
        || error.code() == NO_NETWORK
    {
        error.with_outcome_unknown()
    } else {
        error
    }
}

/// True if the same call may do a moment later, and does no harm if the first has done something after all.
pub(crate) fn is_passing(error: &RawError, writes: bool) -> bool {
    let code = error.code();
    code == BEING_CREATED || (code == NO_NETWORK && !writes)
}

/// An error with the library's code and these words.
pub(crate) fn of_code(code: c_int, words: String) -> RawError {
    let code = bare(code);
    let error = RawError::new(code, words);
    if LOST.contains(&code) {
        error.with_kind(ErrorKind::ConnectionLost)
    } else if SILENT.contains(&code) {
        error.with_kind(ErrorKind::Timeout)
    } else {
        error
    }
}

/// The error for a result, or a message, that is not as it must be.
pub(crate) fn malformed(what: impl Display) -> RawError {
    RawError::of(
        ErrorKind::Protocol,
        format!("the result of the client library {what}"),
    )
    .with_code(Code::WS_BAD_ANSWER)
}

/// The error of the call on this very thread that has just failed.
pub(crate) fn last(library: &Library) -> RawError {
    // SAFETY: NULL asks for the calling thread's last error (native-ffi §4).
    let code = unsafe { (library.api.taos_errno)(ptr::null_mut()) };
    of_code(code, last_words(library))
}

fn last_words(library: &Library) -> String {
    // SAFETY: NULL asks for the calling thread's last error, whose text stays until the thread's next call.
    unsafe { text::read((library.api.taos_errstr)(ptr::null_mut())) }
}

/// The error of a result, with the code that the library told, or the result's own if that is 0.
///
/// # Safety
/// The result is NULL or not freed yet, and used by nobody else meanwhile.
pub(in crate::raw) unsafe fn of_result(
    library: &Library,
    res: *mut TaosRes,
    code: c_int,
) -> RawError {
    // SAFETY: the caller's; the text stays until the result is freed.
    let (own, words) = unsafe {
        (
            (library.api.taos_errno)(res),
            text::read((library.api.taos_errstr)(res)),
        )
    };
    of_code(if code == 0 { own } else { code }, words)
}

/// Turns the code of a call that has just returned on this thread into an error; `what` was tried.
///
/// # Errors
/// For any code but 0, with the library's words.
pub(crate) fn check(library: &Library, code: c_int, what: &str) -> RawResult<()> {
    if code == 0 {
        return Ok(());
    }
    Err(of_code(code, last_words(library)).context(what.to_owned()))
}
