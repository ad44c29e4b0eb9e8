//! What holds for the whole process.

use std::ffi::{c_char, c_int, c_void};
use std::path::PathBuf;

use crate::args::{invalid, text};
use crate::config;
use crate::error::{BROKEN, Failure, NOT_SUPPORTED, coded, forget};
use crate::guard::guard;
use crate::zone;

/// Does nothing, as the library starts what it needs when it needs it. Gives 0.
#[unsafe(no_mangle)]
pub extern "C" fn taos_init() -> c_int {
    guard("taos_init", BROKEN, || {
        forget();
        0
    })
}

/// Does nothing: handles that are left stay usable, and threads end with the process.
#[unsafe(no_mangle)]
pub extern "C" fn taos_cleanup() {
    guard("taos_cleanup", (), forget);
}

/// Sets an option for connections that are made later: 0 locale (UTF-8 ones), 1 charset (UTF-8), 2 time zone,
/// 3 directory of `taos.cfg`, 4 and 5 (taken and without effect), 6 driver (`websocket`). Gives 0 or a negative code.
///
/// In C the function is variadic; nothing behind the second argument is read, and where that stands does not depend
/// on it.
///
/// # Safety
/// `arg` is NULL or NUL-terminated text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_options(option: c_int, arg: *const c_void) -> c_int {
    guard("taos_options", BROKEN, || {
        // SAFETY: the same duty.
        let set = unsafe { text(arg.cast::<c_char>()) }.and_then(|value| set(option, value));
        coded(set)
    })
}

/// True for the names of the only character set.
pub(crate) fn is_utf8(charset: &str) -> bool {
    charset.eq_ignore_ascii_case("UTF-8") || charset.eq_ignore_ascii_case("UTF8")
}

/// The error about any other.
pub(crate) fn only_utf8(charset: &str) -> Failure {
    Failure::new(
        NOT_SUPPORTED,
        format!("charset `{charset}` is not supported: texts are UTF-8"),
    )
}

fn set(option: c_int, value: &str) -> Result<(), Failure> {
    match option {
        0 => match value.split_once('.') {
            Some((_, charset)) if !is_utf8(charset) => Err(only_utf8(charset)),
            _ => Ok(()),
        },
        1 if is_utf8(value) => Ok(()),
        1 => Err(only_utf8(value)),
        2 => {
            config::set().insert("timezone", &zone::iana(value)?);
            Ok(())
        }
        3 => {
            config::set().directory = Some(PathBuf::from(value));
            Ok(())
        }
        4 | 5 => Ok(()),
        6 if value.eq_ignore_ascii_case("websocket") => Ok(()),
        6 => Err(Failure::new(
            NOT_SUPPORTED,
            format!("driver `{value}` is not supported: this library speaks WebSocket only"),
        )),
        other => Err(invalid(&format!("there is no option {other}"))),
    }
}

/// What `taos_set_config` says.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
#[allow(non_snake_case, reason = "members have their names in C")]
pub struct SetConfRet {
    /// 0, or a negative number: -1 some keys were not taken, -3 this is no JSON object.
    pub retCode: c_int,
    /// NUL-terminated words about that.
    pub retMsg: [c_char; 1024],
}

impl SetConfRet {
    fn new(code: c_int, words: &str) -> Self {
        let mut message = [0; 1024];
        for (place, byte) in message
            .iter_mut()
            .zip(crate::args::cut(words, 1024).bytes())
        {
            *place = byte.cast_signed();
        }
        Self {
            retCode: code,
            retMsg: message,
        }
    }
}

/// Sets values for connections that are made later, under the keys of `taos.cfg`: a JSON object of texts.
///
/// # Safety
/// NULL or NUL-terminated text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_set_config(config: *const c_char) -> SetConfRet {
    guard(
        "taos_set_config",
        SetConfRet::new(-2, "internal error"),
        || {
            // SAFETY: the same duty.
            let config = match unsafe { text(config) } {
                Ok(config) => config,
                Err(failure) => return SetConfRet::new(-3, &failure.text().to_string_lossy()),
            };
            let Ok(serde_json::Value::Object(values)) = serde_json::from_str(config) else {
                return SetConfRet::new(-3, "the configuration is not a JSON object");
            };
            let mut refused = Vec::new();
            for (key, value) in &values {
                let value = match value {
                    serde_json::Value::String(text) => text.clone(),
                    other => other.to_string(),
                };
                let value = match key.eq_ignore_ascii_case("timezone") {
                    true => zone::iana(&value),
                    false => Ok(value),
                };
                match value {
                    Ok(value) if config::set().insert(key, &value) => (),
                    Ok(_) => refused.push(key.clone()),
                    Err(failure) => {
                        refused.push(format!("{key} ({})", failure.text().to_string_lossy()));
                    }
                }
            }
            if refused.is_empty() {
                return SetConfRet::new(0, "");
            }
            let words = format!(
                "keys or values without a meaning here: {}",
                refused.join(", ")
            );
            SetConfRet::new(-1, &words)
        },
    )
}
