//! What a message tells of itself.

use std::ffi::{CString, c_char, c_int};
use std::ptr::null;

use taos_query::tmq::IsOffset as _;

use crate::args::invalid;
use crate::error::{Failure, INVALID_PARA, forget, native, remember};
use crate::guard::guard;
use crate::handle::at;
use crate::message::Message;
use crate::result::Res;
use crate::types::TaosRes;

/// The error for a result that is no message.
pub(super) fn no_message() -> Failure {
    invalid("the result is not a message of a topic")
}

/// The message behind a handle.
///
/// # Safety
/// NULL, or a result that is alive for as long as what is returned is used.
pub(super) unsafe fn message<'a>(res: *const TaosRes) -> Result<&'a Message, Failure> {
    // SAFETY: the caller's duty.
    unsafe { at::<Res>(res) }
        .and_then(Res::as_message)
        .ok_or_else(no_message)
}

/// # Safety
/// As [`message`].
unsafe fn ask<T: Copy>(
    name: &str,
    res: *mut TaosRes,
    otherwise: T,
    answer: impl FnOnce(&Message) -> T,
) -> T {
    guard(name, otherwise, || {
        // SAFETY: the caller's duty.
        match unsafe { message(res) } {
            Ok(message) => {
                forget();
                answer(message)
            }
            Err(failure) => {
                remember(failure);
                otherwise
            }
        }
    })
}

fn address(text: &CString) -> *const c_char {
    text.as_ptr()
}

/// What the message holds: 1 rows, 2 meta, 3 rows and the meta of tables that were created for them, 4 rows as they
/// are stored; -1 for what is no message.
///
/// # Safety
/// NULL, or a result that is alive.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tmq_get_res_type(res: *mut TaosRes) -> c_int {
    // SAFETY: the same duty.
    unsafe { ask("tmq_get_res_type", res, -1, Message::kind) }
}

/// The topic, as text that lives as long as the message; NULL for what is no message.
///
/// # Safety
/// NULL, or a result that is alive.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tmq_get_topic_name(res: *mut TaosRes) -> *const c_char {
    // SAFETY: the same duty.
    unsafe {
        ask("tmq_get_topic_name", res, null(), |message| {
            address(&message.topic)
        })
    }
}

/// The database, as text that lives as long as the message; NULL for what is no message.
///
/// # Safety
/// NULL, or a result that is alive.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tmq_get_db_name(res: *mut TaosRes) -> *const c_char {
    // SAFETY: the same duty.
    unsafe {
        ask("tmq_get_db_name", res, null(), |message| {
            address(&message.database)
        })
    }
}

/// The table of the block that was fetched last, as text that lives until the next fetch; NULL if there is none, as in
/// topics of queries.
///
/// # Safety
/// NULL, or a result that is alive.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tmq_get_table_name(res: *mut TaosRes) -> *const c_char {
    guard("tmq_get_table_name", null(), || {
        // SAFETY: the same duty.
        match unsafe { at::<Res>(res) } {
            Some(result) if result.as_message().is_some() => {
                forget();
                result.table_name()
            }
            _ => {
                remember(no_message());
                null()
            }
        }
    })
}

/// The vgroup; negative for what is no message.
///
/// # Safety
/// NULL, or a result that is alive.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tmq_get_vgroup_id(res: *mut TaosRes) -> i32 {
    // SAFETY: the same duty.
    unsafe {
        ask("tmq_get_vgroup_id", res, -1, |message| {
            message.offset.vgroup_id()
        })
    }
}

/// The version that the message begins with; seeking to it brings the message again. Negative for what is no message,
/// and 0x80004006 for a message of a snapshot, which has no place in the log.
///
/// # Safety
/// NULL, or a result that is alive.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tmq_get_vgroup_offset(res: *mut TaosRes) -> i64 {
    let otherwise = i64::from(native(INVALID_PARA));
    // SAFETY: the same duty.
    unsafe {
        ask("tmq_get_vgroup_offset", res, otherwise, |message| {
            message.offset.offset()
        })
    }
}
