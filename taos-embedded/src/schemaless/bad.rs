//! What points are refused with.

use crate::sql::{SqlError, clip};

pub(super) const PROTOCOL: u32 = 0x3000;
/// A line that cannot be read, or whose types do not fit the table.
pub(crate) const INVALID_DATA: u32 = 0x3002;
/// Two types for one column in the same payload.
pub(super) const OTHER_TYPE: u32 = 0x3004;
pub(super) const INVALID_VALUE: u32 = 0x0203;
pub(super) const TABLE_NAME: u32 = 0x020A;
pub(super) const COLUMN_NAME: u32 = 0x021F;
pub(super) const INVALID_JSON: u32 = 0x0221;
pub(super) const JSON_TYPE: u32 = 0x0222;
pub(super) const OUT_OF_RANGE: u32 = 0x0224;
pub(super) const INVALID_TIME: u32 = 0x0127;
pub(super) const DUPLICATE_KEY: u32 = 0x0124;
pub(super) const TOO_LONG: u32 = 0x2642;
pub(super) const BAD_HEX: u32 = 0x266A;

/// Most of a payload that an error shows, in bytes.
const SHOWN: usize = 400;

/// An error whose text ends with the offending place.
pub(super) fn near(code: u32, what: &str, place: &str) -> SqlError {
    SqlError::new(code, format!("{what}:{}", clip(place, SHOWN)))
}

/// 0x3002 with a text of its own.
pub(crate) fn invalid_data(text: impl Into<String>) -> SqlError {
    SqlError::new(INVALID_DATA, text)
}

pub(super) fn duplicate_key(key: &str) -> SqlError {
    near(DUPLICATE_KEY, "duplicate key", key)
}

pub(super) fn invalid_json() -> SqlError {
    SqlError::new(INVALID_JSON, "Invalid JSON format")
}

/// The text from a place of the payload to the end of its line, as errors show it.
pub(crate) fn rest_of_line(data: &str, place: usize) -> &str {
    let rest = data.get(place..).unwrap_or_default();
    clip(rest.split('\n').next().unwrap_or_default(), SHOWN)
}
