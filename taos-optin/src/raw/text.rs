//! Texts on their way into the library and out of it.

use std::ffi::{CStr, CString, c_char};
use std::ptr;

use taos_query::util::Secret;
use taos_query::{ErrorKind, RawError, RawResult};

/// The text behind a pointer of the library, empty for NULL.
///
/// # Safety
/// The pointer is NULL, or to a text that ends with NUL and stays until this returns.
pub(in crate::raw) unsafe fn read(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: the caller's.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_string_lossy().into_owned()
}

/// The text of an array of fixed size, up to its NUL.
pub(in crate::raw) fn of_array(array: &[c_char]) -> String {
    let bytes: Vec<u8> = array
        .iter()
        .take_while(|&&byte| byte != 0)
        .map(|&byte| byte.to_ne_bytes()[0])
        .collect();
    String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// A text for the library. `what` says what it is, for the error.
///
/// # Errors
/// For a text with a NUL in it, behind which the library would not read.
pub(crate) fn c_text(what: &str, text: impl Into<Vec<u8>>) -> RawResult<CString> {
    CString::new(text).map_err(|error| with_nul(what, error.nul_position()))
}

fn with_nul(what: &str, at: usize) -> RawError {
    RawError::of(
        ErrorKind::Config,
        format!(
            "{what} has a NUL character at byte {at}, where the client library would stop reading; \
             take it out"
        ),
    )
}

/// A secret for the library, wiped when it is dropped.
pub(in crate::raw) struct SecretText(Secret);

impl SecretText {
    /// # Errors
    /// For a NUL in it.
    pub(in crate::raw) fn new(what: &str, secret: &Secret) -> RawResult<Self> {
        match secret.expose().find('\0') {
            Some(at) => Err(with_nul(what, at)),
            None => {
                let mut text = String::with_capacity(secret.expose().len() + 1);
                text.push_str(secret.expose());
                text.push('\0');
                Ok(Self(Secret::new(text)))
            }
        }
    }

    /// Good as long as the secret lives.
    pub(in crate::raw) fn as_ptr(&self) -> *const c_char {
        self.0.expose().as_ptr().cast()
    }
}

/// NULL for a text that is not given.
pub(in crate::raw) fn pointer(text: Option<&CString>) -> *const c_char {
    text.map_or(ptr::null(), |text| text.as_ptr())
}

/// The same for a secret.
pub(in crate::raw) fn secret_pointer(text: Option<&SecretText>) -> *const c_char {
    text.map_or(ptr::null(), SecretText::as_ptr)
}
