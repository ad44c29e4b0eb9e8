//! What has no meaning over WebSocket. These functions are there, so that programs that name them can be loaded, and
//! answer 0x80000100 "operation not supported": as their result where that is a code, else as `taos_errno(NULL)`.

use std::ffi::{c_char, c_int};
use std::ptr::null_mut;

use crate::error::{Failure, NOT_SUPPORTED, native, remember};
use crate::guard::guard;
use crate::types::Taos;

fn refuse(name: &str, why: &str) -> c_int {
    remember(Failure::new(
        NOT_SUPPORTED,
        format!("{name} is not supported over WebSocket: {why}"),
    ))
}

/// taosAdapter takes a password or a token, and no digest of a password.
///
/// # Safety
/// None of the arguments is used.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_connect_auth(
    _ip: *const c_char,
    _user: *const c_char,
    _auth: *const c_char,
    _db: *const c_char,
    _port: u16,
) -> *mut Taos {
    guard("taos_connect_auth", null_mut(), || {
        refuse(
            "taos_connect_auth",
            "the server takes the password itself, not its MD5 digest; use taos_connect",
        );
        null_mut()
    })
}

/// There is no cache of tables on this side that could be filled.
///
/// # Safety
/// None of the arguments is used.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_load_table_info(
    _taos: *mut Taos,
    _table_name_list: *const c_char,
) -> c_int {
    guard("taos_load_table_info", native(NOT_SUPPORTED), || {
        refuse(
            "taos_load_table_info",
            "this side has no cache of tables; the call can be left out",
        )
    })
}
