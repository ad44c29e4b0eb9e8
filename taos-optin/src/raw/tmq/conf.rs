//! The configuration of a consumer.

use std::ffi::{CStr, c_char};
use std::ptr::NonNull;

use taos_query::util::Secret;
use taos_query::{Code, ErrorKind, RawError, RawResult};

use crate::ffi::{Library, TmqConf};
use crate::raw::text::{SecretText, c_text};

/// What `tmq_conf_set` says of a key that it does not know; anything else is about the value.
const UNKNOWN: i32 = -2;

/// Why the library does not take a setting.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// It does not know the key.
    Key,
    /// It does not take the value.
    Value,
    /// Key or value cannot be told to it at all.
    Text(RawError),
}

/// A configuration, freed when it is dropped.
pub(crate) struct Conf {
    library: &'static Library,
    conf: NonNull<TmqConf>,
}

impl Conf {
    /// One with the library's own values.
    pub(crate) fn new(library: &'static Library) -> RawResult<Self> {
        // SAFETY: takes nothing.
        let conf = unsafe { (library.api.tmq_conf_new)() };
        match NonNull::new(conf) {
            Some(conf) => Ok(Self { library, conf }),
            None => Err(RawError::of(
                ErrorKind::Server,
                "the client library gave no configuration for a consumer; it may be out of memory",
            )
            .with_code(Code::WS_CLOSED)),
        }
    }

    /// Sets a value.
    pub(crate) fn set(&mut self, key: &str, value: &str) -> Result<(), Refusal> {
        let value = c_text(&format!("the parameter {key}"), value).map_err(Refusal::Text)?;
        self.set_c(key, &value)
    }

    /// The same for what must not be seen.
    pub(crate) fn set_secret(&mut self, key: &str, value: &Secret) -> Result<(), Refusal> {
        let name = format!("the parameter {key}");
        let value = SecretText::new(&name, value).map_err(Refusal::Text)?;
        // SAFETY: a text that ends with NUL, and lives until the end of this function.
        let value = unsafe { CStr::from_ptr(value.as_ptr()) };
        self.set_c(key, value)
    }

    fn set_c(&mut self, key: &str, value: &CStr) -> Result<(), Refusal> {
        let key = c_text("the name of a parameter", key).map_err(Refusal::Text)?;
        // SAFETY: ours and not freed; both texts live until the call returns, and the library copies them.
        let code = unsafe {
            (self.library.api.tmq_conf_set)(self.conf.as_ptr(), key.as_ptr(), value.as_ptr())
        };
        match code {
            0 => Ok(()),
            UNKNOWN => Err(Refusal::Key),
            _ => Err(Refusal::Value),
        }
    }

    /// Makes a consumer of it. Blocks: the library connects.
    pub(super) fn consumer(&self) -> Result<NonNull<crate::ffi::Tmq>, String> {
        let mut words: [c_char; 1024] = [0; 1024];
        let room = i32::try_from(words.len()).unwrap_or(256);
        // SAFETY: the configuration is ours and not freed, and may be freed once this has returned; `words` has as
        // much room as is told, and ends with NUL whatever is written into the rest.
        let tmq = unsafe {
            (self.library.api.tmq_consumer_new)(self.conf.as_ptr(), words.as_mut_ptr(), room - 1)
        };
        NonNull::new(tmq).ok_or_else(|| crate::raw::text::of_array(&words))
    }

    /// The library that it is for.
    pub(super) const fn library(&self) -> &'static Library {
        self.library
    }
}

impl Drop for Conf {
    fn drop(&mut self) {
        // SAFETY: ours, freed nowhere else, and used by no consumer (native-ffi §7: it may be destroyed once the
        // consumer is made).
        unsafe { (self.library.api.tmq_conf_destroy)(self.conf.as_ptr()) }
    }
}
