//! Error codes and texts as C programs know them: negative 32-bit codes, and the last error of each thread for
//! calls that have no handle to ask (native-ffi §4).

use std::cell::RefCell;
use std::ffi::{CStr, CString, c_int};

use taos_query::{Code, ErrorKind, RawError};

/// An error to be asked for later.
#[derive(Debug, Clone, Default)]
pub(crate) struct Failure {
    code: c_int,
    text: CString,
}

thread_local! {
    static LAST: RefCell<Failure> = RefCell::default();
}

/// The code in the form of the C interface.
pub(crate) const fn native(code: i32) -> c_int {
    if code == 0 {
        return 0;
    }
    // The upper half is 0x8000 for every error of the engine.
    (0x8000_0000_u32 | (code.unsigned_abs() & 0xFFFF)).cast_signed()
}

/// What a function gives if it came to a panic.
pub(crate) const BROKEN: c_int = native(0xFFFF);
/// "Invalid parameters".
pub(crate) const INVALID_PARA: i32 = 0x0118;
/// "Operation not supported".
pub(crate) const NOT_SUPPORTED: i32 = 0x0100;
/// "Action in progress".
pub(crate) const IN_PROGRESS: i32 = 0x0212;
/// "Query killed".
pub(crate) const KILLED: i32 = 0x022D;
/// "Invalid connection" of a handle that is none.
pub(crate) const DISCONNECTED: i32 = 0x020B;

impl Failure {
    /// What is left of a call that came to a panic.
    pub(crate) fn broken() -> Self {
        Self::new(0xFFFF, "a call before this one came to a panic")
    }

    pub(crate) fn new(code: i32, text: impl Into<Vec<u8>>) -> Self {
        let mut text = text.into();
        text.retain(|byte| *byte != 0);
        Self {
            code: native(code),
            text: CString::new(text).unwrap_or_default(),
        }
    }

    /// Negative, or 0.
    pub(crate) const fn code(&self) -> c_int {
        self.code
    }

    pub(crate) fn text(&self) -> &CStr {
        if self.code == 0 {
            c"success"
        } else {
            &self.text
        }
    }
}

/// The words alone: programs show the code themselves.
fn without_code(text: &str) -> &str {
    match text
        .strip_prefix("[0x")
        .and_then(|rest| rest.split_once("] "))
    {
        Some((_, words)) => words,
        None => text,
    }
}

impl From<&RawError> for Failure {
    fn from(error: &RawError) -> Self {
        let code: i32 = error.code().into();
        let code = match error.kind() {
            // Codes that only this side has mean nothing to programs written for the native library.
            _ if code != i32::from(Code::FAILED) && code < 0xE000 => code,
            ErrorKind::Auth => 0x0357,
            ErrorKind::Connect => 0x000B,
            ErrorKind::Unsupported => NOT_SUPPORTED,
            ErrorKind::Config => INVALID_PARA,
            ErrorKind::Closed | ErrorKind::ConnectionLost => DISCONNECTED,
            _ => code,
        };
        let text = match error.kind() {
            ErrorKind::Server => error.message(),
            _ => without_code(&error.to_string()).to_owned(),
        };
        Self::new(code, text)
    }
}

impl From<RawError> for Failure {
    fn from(error: RawError) -> Self {
        Self::from(&error)
    }
}

/// Remembers an error for `taos_errno(NULL)` on this thread, and gives its code back.
pub(crate) fn remember(failure: impl Into<Failure>) -> c_int {
    let failure = failure.into();
    let code = failure.code();
    // A thread that ends has no place for it any more, and asks for nothing.
    let _ = LAST.try_with(|last| last.replace(failure));
    code
}

/// Forgets the thread's last error, as calls that succeed do, unless they only look at what is there.
pub(crate) fn forget() {
    let _ = LAST.try_with(|last| {
        let mut last = last.borrow_mut();
        if last.code != 0 {
            *last = Failure::default();
        }
    });
}

/// Makes the end of a call the thread's last error, and gives the code.
pub(crate) fn coded(ended: Result<(), impl Into<Failure>>) -> c_int {
    match ended {
        Ok(()) => {
            forget();
            0
        }
        Err(failure) => remember(failure),
    }
}

/// Looks at the thread's last error; there is none on a thread that ends.
pub(crate) fn last<T>(look: impl Fn(&Failure) -> T) -> T {
    LAST.try_with(|last| look(&last.borrow()))
        .unwrap_or_else(|_| look(&Failure::default()))
}

/// True in `atexit` and in destructors of thread-locals and static objects, where this thread has lost its own.
pub(crate) fn thread_ends() -> bool {
    LAST.try_with(|_| ()).is_err()
}
