//! The entry point of the fuzzer of JSON meta.

use super::JsonMeta;

/// Reads arbitrary bytes as the meta of a message.
///
/// # Panics
/// If meta that was read reads differently after it was written, which is a defect.
pub fn fuzz_json_meta(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let Ok(meta) = JsonMeta::parse(text) else {
        return;
    };
    let _ = meta.iter().map(ToString::to_string).count();
    let written = serde_json::to_string(&meta).unwrap_or_default();
    let again = JsonMeta::parse(&written);
    assert!(again.is_ok_and(|again| again == meta), "{written}");
}
