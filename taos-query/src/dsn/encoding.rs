use std::borrow::Cow;
use std::fmt::{self, Write as _};

/// Writes text with everything but RFC 3986's unreserved characters percent-encoded.
pub(super) struct Component<'a>(pub(super) &'a str);

/// Writes text with only those characters encoded that would change how a parameter is read.
pub(super) struct Param<'a>(pub(super) &'a str);

impl fmt::Display for Component<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_encoded(f, self.0, |c| {
            !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '~'))
        })
    }
}

impl fmt::Display for Param<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_encoded(f, self.0, |c| {
            c.is_ascii_control() || matches!(c, '%' | '=' | '&' | '#' | '@' | '?')
        })
    }
}

fn write_encoded(
    f: &mut fmt::Formatter<'_>,
    text: &str,
    must_encode: impl Fn(char) -> bool,
) -> fmt::Result {
    let mut utf8 = [0; 4];
    for c in text.chars() {
        if must_encode(c) {
            for byte in c.encode_utf8(&mut utf8).bytes() {
                write!(f, "%{byte:02X}")?;
            }
        } else {
            f.write_char(c)?;
        }
    }
    Ok(())
}

/// Percent-decodes when every `%` begins an escape and the bytes are UTF-8, else returns the text.
pub(super) fn decode(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    match decode_bytes(text.as_bytes()).and_then(|bytes| String::from_utf8(bytes).ok()) {
        Some(decoded) => Cow::Owned(decoded),
        None => Cow::Borrowed(text),
    }
}

fn decode_bytes(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(&byte) = rest.next() {
        if byte == b'%' {
            let high = hex_digit(*rest.next()?)?;
            let low = hex_digit(*rest.next()?)?;
            bytes.push(high << 4 | low);
        } else {
            bytes.push(byte);
        }
    }
    Some(bytes)
}

fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}
