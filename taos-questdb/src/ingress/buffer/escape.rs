//! Backslashes (questdb §3.2).

use crate::ingress::names::{class, swar};

/// Bytes that may need a backslash in a name or symbol, with false alarms: everything that does lies
/// below '-', or is '=' or '\'.
#[inline(always)]
pub(super) fn not_bare(word: u64) -> u64 {
    swar::less(word, b'-') | swar::equal(word, b'=') | swar::equal(word, b'\\')
}

/// The same for strings.
#[inline(always)]
pub(super) fn not_quotable(word: u64) -> u64 {
    swar::less(word, b' ') | swar::equal(word, b'"') | swar::equal(word, b'\\')
}

/// Bytes of this class.
pub(super) fn count(text: &[u8], bit: u8) -> usize {
    text.iter()
        .filter(|&&b| class::OF[usize::from(b)] & bit != 0)
        .count()
}

/// Writes `text` with its backslashes from `at` on, where there is room for them, and says where it
/// ends.
#[inline(never)]
pub(super) fn write(out: &mut [u8], mut at: usize, text: &[u8], bit: u8) -> usize {
    let special = |byte: u8| class::OF[usize::from(byte)] & bit != 0;
    for run in text.split_inclusive(|&byte| special(byte)) {
        let (plain, last) = match run {
            [plain @ .., last] if special(*last) => (plain, Some(*last)),
            _ => (run, None),
        };
        out[at..at + plain.len()].copy_from_slice(plain);
        at += plain.len();
        if let Some(last) = last {
            out[at..at + 2].copy_from_slice(&[b'\\', last]);
            at += 2;
        }
    }
    at
}
