//! What codes mean.

use std::cell::RefCell;
use std::ffi::{CString, c_char};

use taos_query::Code;

use crate::error::{Failure, last};
use crate::guard::guard;

thread_local! {
    static WORDS: RefCell<CString> = RefCell::default();
}

/// Codes of consumers that have no name elsewhere (taosadapter-ws §13).
const OF_TOPICS: [(i32, &str); 12] = [
    (0x03E1, "Topic not exist"),
    (0x03E6, "Consumer not exist"),
    (0x03EA, "Consumer not ready"),
    (0x4001, "Invalid message"),
    (0x4002, "Consumer closed"),
    (0x4006, "Snapshot has no place in the log"),
    (0x4011, "Nothing committed or polled yet"),
    (0x4017, "Consumer not subscribed"),
    (0x0100, "Operation not supported"),
    (0x0118, "Invalid parameters"),
    (0x020B, "Invalid connection"),
    (0x000B, "Unable to establish connection"),
];

/// The words for a code; those of the thread's last error if it has that code.
fn words(code: i32) -> String {
    match code {
        0 => return "success".to_owned(),
        -1 => return "fail".to_owned(),
        _ => (),
    }
    let own = |failure: &Failure| {
        (failure.code() == code).then(|| failure.text().to_string_lossy().into_owned())
    };
    last(own).unwrap_or_else(|| {
        let low = code & 0xFFFF;
        let known = OF_TOPICS.iter().find(|(known, _)| *known == low);
        known
            .map(|(_, words)| *words)
            .or_else(|| Code::new(low).text())
            .map_or_else(
                || format!("error 0x{:08x}", code.cast_unsigned()),
                str::to_owned,
            )
    })
}

/// The words for a code that a `tmq` function gave, which live until the next such call on this thread.
#[unsafe(no_mangle)]
pub extern "C" fn tmq_err2str(code: i32) -> *const c_char {
    guard("tmq_err2str", c"internal error".as_ptr(), || {
        let words = CString::new(words(code)).unwrap_or_default();
        let held = WORDS.try_with(|held| {
            let mut held = held.borrow_mut();
            *held = words;
            held.as_ptr()
        });
        // A thread that ends has nowhere to keep them.
        held.unwrap_or(c"error".as_ptr())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::invalid;
    use crate::error::{forget, remember};

    #[test]
    fn the_words_of_the_last_error_are_more_telling_than_those_of_its_code() {
        forget();
        assert_eq!(words(0), "success");
        assert_eq!(words(-1), "fail");
        assert_eq!(words(-2_147_467_247), "Nothing committed or polled yet");
        assert_eq!(words(0x1234), "error 0x00001234");
        let code = remember(invalid("the group is missing"));
        assert_eq!(words(code), "the group is missing");
    }
}
