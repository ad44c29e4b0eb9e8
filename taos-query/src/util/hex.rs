//! Bytes as hexadecimal text and back.

use std::fmt::Write as _;

use bytes::Bytes;

use crate::error::{ErrorKind, RawError, RawResult};

/// The bytes as lower-case digits, two for each byte.
pub fn bytes_to_hex_string(bytes: impl AsRef<[u8]>) -> String {
    let bytes = bytes.as_ref();
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// The bytes that such digits stand for; upper case is as good, and so is `\x` or `0x` in front.
///
/// # Errors
/// For a character that is no digit and an odd number of digits.
pub fn hex_string_to_bytes(text: &str) -> RawResult<Bytes> {
    let digits = text
        .strip_prefix("\\x")
        .or_else(|| text.strip_prefix("0x"))
        .unwrap_or(text);
    let values: Option<Vec<u8>> = digits
        .chars()
        .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect();
    values
        .filter(|values| values.len() % 2 == 0)
        .map(|values| {
            values
                .chunks_exact(2)
                .map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit))
                .collect()
        })
        .ok_or_else(|| {
            RawError::of(
                ErrorKind::Decode,
                "hexadecimal text has two digits 0-9, a-f for each byte and nothing else",
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_from_their_digits() {
        let all: Vec<u8> = (0..=255).collect();
        let text = bytes_to_hex_string(&all);
        assert_eq!(hex_string_to_bytes(&text).unwrap(), all);
        assert_eq!(hex_string_to_bytes("\\xAbCd").unwrap(), [0xAB, 0xCD][..]);
        assert_eq!(hex_string_to_bytes("").unwrap(), [][..]);
    }

    #[test]
    fn other_text_is_an_error() {
        for text in ["1", "xy", "12 4", "1é"] {
            assert!(hex_string_to_bytes(text).is_err(), "{text}");
        }
    }
}
