//! Numbers and short texts as bytes, eight at a time (questdb §3.3).
//!
//! Writes may reach a few bytes behind what they count. Whoever makes room leaves [`SLACK`] bytes for
//! that, and the next write goes over them.

use super::escape;
use crate::ingress::names::{Head, class, swar};

/// How far behind its last byte a write may reach.
pub(super) const SLACK: usize = 32;

/// Room for one cell with a short name and a short value, and what a write may reach behind it.
pub(super) type Window = [u8; 64];

/// Writes into room that was made before. It stays in registers: what is not inlined gets the room
/// and the place instead of a reference to the writer.
pub(super) struct Writer<'a, Room: ?Sized> {
    out: &'a mut Room,
    at: usize,
}

impl<'a, Room: ?Sized + AsMut<[u8]>> Writer<'a, Room> {
    #[inline(always)]
    pub(super) fn new(out: &'a mut Room) -> Self {
        Self { out, at: 0 }
    }

    /// Bytes written so far.
    #[inline(always)]
    pub(super) fn written(&self) -> usize {
        self.at
    }

    /// Writes these bytes, of which `count` stay.
    #[inline(always)]
    fn put_part<const N: usize>(&mut self, bytes: [u8; N], count: usize) {
        self.out.as_mut()[self.at..self.at + N].copy_from_slice(&bytes);
        self.at += count;
    }

    #[inline(always)]
    pub(super) fn put<const N: usize>(&mut self, bytes: [u8; N]) {
        self.put_part(bytes, N);
    }

    #[inline(always)]
    pub(super) fn put_head(&mut self, head: Head, count: usize) {
        let bytes = u128::from(head.lo) | (u128::from(head.hi) << 64);
        self.put_part(bytes.to_le_bytes(), count);
    }

    #[inline(always)]
    pub(super) fn put_slice(&mut self, bytes: &[u8]) {
        self.at = copy(self.out.as_mut(), self.at, bytes);
    }

    /// Puts a backslash before each byte of this class.
    #[inline(always)]
    pub(super) fn put_escaped(&mut self, text: &[u8], bit: u8) {
        self.at = escape::write(self.out.as_mut(), self.at, text, bit);
    }

    #[inline(always)]
    pub(super) fn put_integer(&mut self, number: i64) {
        // The sign is written in any case and stays if there is one.
        self.put_part([b'-'], usize::from(number < 0));
        self.put_unsigned(number.unsigned_abs());
    }

    #[inline(always)]
    fn put_unsigned(&mut self, number: u64) {
        if number < E8 {
            self.put_leading(number);
        } else {
            self.at = unsigned(self.out.as_mut(), self.at, number);
        }
    }

    /// Up to eight digits without leading zeros.
    #[inline(always)]
    fn put_leading(&mut self, number: u64) {
        let digits = eight_digits(number);
        let zeros = (digits.trailing_zeros() / 8).min(7);
        let text = (digits | ZEROS) >> (8 * zeros);
        self.put_part(text.to_le_bytes(), 8 - zeros as usize);
    }

    /// Eight digits, zeros included.
    #[inline(always)]
    fn put_eight(&mut self, number: u64) {
        self.put((eight_digits(number) | ZEROS).to_le_bytes());
    }

    /// A number close to the one before, as the times of rows are.
    #[inline(always)]
    pub(super) fn put_next(&mut self, number: u64, last: &mut Leading) {
        let (high, low) = (number / E8, number % E8);
        if high != last.number {
            *last = Leading::of(high);
        }
        if high == 0 {
            return self.put_leading(low);
        }
        self.put_head(last.digits, usize::from(last.len.min(16)));
        self.put_eight(low);
    }

    /// Digits of a number of millionths.
    #[inline(always)]
    fn put_millionths(&mut self, number: u64) {
        self.put_unsigned(number / 1_000_000);
        // Six digits, then two zeros: all zeros at the end but the first digit are left out.
        let digits = eight_digits(number % 1_000_000 * 100);
        let zeros = (digits.leading_zeros() / 8).min(7);
        self.put([b'.']);
        self.put_part((digits | ZEROS).to_le_bytes(), 8 - zeros as usize);
    }

    /// The next bytes, to be written elsewhere.
    pub(super) fn take(&mut self, len: usize) -> &mut [u8] {
        let out = &mut self.out.as_mut()[self.at..self.at + len];
        self.at += len;
        out
    }
}

impl Writer<'_, Window> {
    /// The shortest text that reads back as the same double. The window must have at most 20 bytes
    /// yet, which leaves room for any.
    #[inline(always)]
    pub(super) fn put_double(&mut self, value: f64) {
        self.at = double(self.out, self.at, value);
    }
}

/// The digits above the lowest eight of the last number.
#[derive(Clone, Copy, Default)]
pub(super) struct Leading {
    number: u64,
    digits: Head,
    len: u8,
}

impl Leading {
    #[cold]
    #[inline(never)]
    fn of(number: u64) -> Self {
        let mut text = [0; 64];
        let mut out = Writer::new(&mut text);
        out.put_unsigned(number);
        let len = out.written();
        Self {
            number,
            digits: Head::load(&text[..len]),
            // Twenty digits less eight.
            len: u8::try_from(len).unwrap_or(12),
        }
    }
}

/// The text of up to sixteen bytes, if none of them is of the class that needs a backslash.
#[inline(always)]
pub(super) fn short_bare(text: &[u8]) -> Option<(Head, usize)> {
    Head::load_unless(text, escape::not_bare)
}

/// The same for strings.
#[inline(always)]
pub(super) fn short_quotable(text: &[u8]) -> Option<(Head, usize)> {
    Head::load_unless(text, escape::not_quotable)
}

/// Bytes of a text that need a backslash.
pub(super) fn escapes(text: &[u8], bit: u8) -> usize {
    let none = match bit {
        class::BARE => swar::none(text, escape::not_bare),
        _ => swar::none(text, escape::not_quotable),
    };
    if none { 0 } else { escape::count(text, bit) }
}

/// Added to a double below 2^52 it leaves the integer in the lowest bits.
const TO_INTEGER: f64 = 4_503_599_627_370_496.0;
/// Eight times the digit 0.
const ZEROS: u64 = 0x3030_3030_3030_3030;
const E8: u64 = 100_000_000;

#[inline(never)]
fn copy(out: &mut [u8], at: usize, bytes: &[u8]) -> usize {
    let end = at + bytes.len();
    out[at..end].copy_from_slice(bytes);
    end
}

/// From 10^8 up.
#[inline(never)]
fn unsigned(out: &mut [u8], at: usize, number: u64) -> usize {
    let mut out = Writer { out, at };
    let (high, low) = (number / E8, number % E8);
    if high < E8 {
        out.put_leading(high);
    } else {
        out.put_leading(high / E8);
        out.put_eight(high % E8);
    }
    out.put_eight(low);
    out.at
}

#[inline(never)]
fn double(out: &mut Window, at: usize, value: f64) -> usize {
    let mut out = Writer { out, at };
    let size = value.abs();
    // Most doubles in real data have few decimals. A text of up to fifteen digits that reads back as
    // the value is the only one, so it is the shortest; whether one with six decimals does, one
    // division says.
    const E6: f64 = 1e6;
    if (1e-5..1e9).contains(&size) {
        let scaled = size * E6 + TO_INTEGER;
        if (scaled - TO_INTEGER) / E6 == size {
            out.put_part([b'-'], usize::from(value.is_sign_negative()));
            out.put_millionths(scaled.to_bits() - TO_INTEGER.to_bits());
            return out.at;
        }
    }
    if value.is_finite() {
        let mut digits = zmij::Buffer::new();
        let text = digits.format_finite(value).as_bytes();
        if size >= 1e16
            && let Some(plus) = text.iter().rposition(|byte| *byte == b'+')
        {
            // Exponents go without a plus sign.
            out.put_slice(&text[..plus]);
            out.put_slice(&text[plus + 1..]);
            return out.at;
        }
        match (text.first_chunk::<16>(), text.last_chunk::<16>()) {
            (Some(first), Some(last)) => {
                // At most 24 bytes: the last sixteen overlap the first.
                out.put_part(*first, text.len() - 16);
                out.put(*last);
            }
            _ => out.put_head(Head::load(text), text.len()),
        }
    } else {
        out.put_slice(match value {
            f64::INFINITY => b"Infinity",
            f64::NEG_INFINITY => b"-Infinity",
            _ => b"NaN",
        });
    }
    out.at
}

/// The eight decimal digits of a number below 10^8, one a byte, the first in the lowest byte. Each
/// step halves all parts at once: four and four digits, then twos, then single ones.
#[inline(always)]
fn eight_digits(number: u64) -> u64 {
    let fours = (number / 10_000) | ((number % 10_000) << 32);
    let hundreds = ((fours * 10_486) >> 20) & 0x0000_007F_0000_007F;
    let twos = hundreds | ((fours - hundreds * 100) << 16);
    let tens = ((twos * 103) >> 10) & 0x000F_000F_000F_000F;
    tens | ((twos - tens * 10) << 8)
}
