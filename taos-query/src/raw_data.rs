//! Messages of a topic as the server packs them, to be replayed into another database.

use bytes::Bytes;

/// A raw message: its type and its bytes (tmq-raw §4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawData {
    raw_type: u16,
    raw: Bytes,
}

/// A raw message; the name that meta messages go by.
pub type RawMeta = RawData;

impl RawData {
    /// A message of this type.
    pub fn new(raw_type: u16, raw: impl Into<Bytes>) -> Self {
        Self {
            raw_type,
            raw: raw.into(),
        }
    }

    /// The type of the message (tmq-raw §4).
    pub const fn raw_type(&self) -> u16 {
        self.raw_type
    }

    /// Number of bytes.
    pub const fn raw_len(&self) -> usize {
        self.raw.len()
    }

    /// The bytes.
    pub fn raw_slice(&self) -> &[u8] {
        &self.raw
    }

    /// The bytes, shared.
    pub const fn raw(&self) -> &Bytes {
        &self.raw
    }
}
