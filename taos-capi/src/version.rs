//! What this library says it is.

use std::ffi::{CStr, c_char};

use crate::guard::guard;

/// The generation of client libraries whose rules hold here: a result of a second-generation statement belongs
/// to the statement, and decimals are bound as scaled integers (native-ffi §6.2). Callers compare this number.
pub const CLIENT: &CStr = c"3.3.8.0";

/// The version of the client library, as text that lives for ever.
#[unsafe(no_mangle)]
pub extern "C" fn taos_get_client_info() -> *const c_char {
    guard("taos_get_client_info", CLIENT.as_ptr(), || CLIENT.as_ptr())
}
