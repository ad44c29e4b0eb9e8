//! Backslashes (questdb §3.2).

use crate::ingress::names::class;

/// True when no byte of a name or symbol needs a backslash.
#[inline]
pub(super) fn is_bare(text: &[u8]) -> bool {
    none(text, class::BARE, |b| {
        (b == b' ') | (b == b',') | (b == b'=') | (b == b'\n') | (b == b'\r') | (b == b'\\')
    })
}

/// True when no byte of a string needs a backslash.
#[inline]
pub(super) fn is_quotable(text: &[u8]) -> bool {
    none(text, class::QUOTED, |b| {
        (b == b'"') | (b == b'\n') | (b == b'\r') | (b == b'\\')
    })
}

/// Long texts by comparisons, which become vector instructions; the rest by the table.
#[inline(always)]
fn none(text: &[u8], bit: u8, special: impl Fn(u8) -> bool) -> bool {
    let (chunks, rest) = text.as_chunks::<16>();
    for chunk in chunks {
        let mut any = false;
        for &byte in chunk {
            any |= special(byte);
        }
        if any {
            return false;
        }
    }
    class::of_all(rest) & bit == 0
}

/// Bytes that need a backslash.
pub(super) fn count(text: &[u8], bit: u8) -> usize {
    text.iter()
        .filter(|&&b| class::OF[usize::from(b)] & bit != 0)
        .count()
}

/// Writes `text` with its backslashes to the front of `out`, which has room for them, and says how
/// many bytes that took.
#[cold]
pub(super) fn write(text: &[u8], bit: u8, out: &mut [u8]) -> usize {
    let mut at = 0;
    for run in text.split_inclusive(|&b| class::OF[usize::from(b)] & bit != 0) {
        let (last, plain) = match run.split_last() {
            Some((last, plain)) if class::OF[usize::from(*last)] & bit != 0 => (Some(*last), plain),
            _ => (None, run),
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
