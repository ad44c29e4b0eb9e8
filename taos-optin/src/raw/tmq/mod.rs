//! Owners of what consumers are made of: `tmq_conf_t`, `tmq_list_t`, `tmq_t`, and messages (native-ffi §7).
//!
//! "A consumer is single-threaded: serialize all calls": the owner of a `tmq_t` is `Send` and not `Sync`, and lives on
//! the consumer's own thread. A message is a result of its own and may outlive its consumer.

mod conf;
mod handle;
mod message;

pub(crate) use conf::{Conf, Refusal};
pub(crate) use handle::Handle;
pub(crate) use message::{Kind, Message};

use std::ffi::c_int;

use taos_query::{ErrorKind, RawError, RawResult};

use super::{error, text};
use crate::ffi::Library;

/// "Something went wrong", which the thread's last error may tell more of.
const JUST_FAILED: i32 = -1;

/// The error of a `tmq_` call that has just returned this code on this thread.
fn refused(library: &Library, code: c_int) -> RawError {
    if code == JUST_FAILED {
        let last = error::last(library);
        if i32::from(last.code()) != 0 {
            return last;
        }
        return RawError::of(ErrorKind::Server, "the client library does not say why");
    }
    // SAFETY: any number is fine, and the text stays until the thread's next call of it.
    let words = unsafe { text::read((library.api.tmq_err2str)(code)) };
    error::of_code(code, words)
}

/// Turns the code of a `tmq_` call that has just returned on this thread into an error.
fn check(library: &Library, code: c_int) -> RawResult<()> {
    if code == 0 {
        Ok(())
    } else {
        Err(refused(library, code))
    }
}

/// An offset, or in its place the code of an error.
fn offset(library: &Library, told: i64) -> RawResult<i64> {
    match c_int::try_from(told) {
        Ok(code) if code < 0 => Err(refused(library, code)),
        _ => Ok(told),
    }
}
