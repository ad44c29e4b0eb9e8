//! The numbers and texts that messages about tables are made of (tmq-raw §1).

use bytes::{Buf, Bytes};

/// Why a message is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Bad {
    /// The bytes do not fit the layout.
    Malformed(String),
    /// The bytes mean something that is not known here.
    Unsupported(String),
}

pub(super) fn malformed(text: impl Into<String>) -> Bad {
    Bad::Malformed(text.into())
}

/// Bytes that are still to be read. Nothing is allocated before the bytes for it are known to be there.
#[derive(Debug, Clone)]
pub(super) struct Cursor(Bytes);

impl Cursor {
    pub(super) const fn new(bytes: Bytes) -> Self {
        Self(bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn rest(self) -> Bytes {
        self.0
    }

    pub(super) fn take(&mut self, length: usize) -> Result<Bytes, Bad> {
        if length > self.0.len() {
            return Err(malformed(format!(
                "{length} bytes are needed where {} are left",
                self.0.len()
            )));
        }
        Ok(self.0.split_to(length))
    }

    pub(super) fn u8(&mut self) -> Result<u8, Bad> {
        self.0.try_get_u8().map_err(short)
    }

    pub(super) fn i16(&mut self) -> Result<i16, Bad> {
        self.0.try_get_i16_le().map_err(short)
    }

    pub(super) fn i32(&mut self) -> Result<i32, Bad> {
        self.0.try_get_i32_le().map_err(short)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Bad> {
        self.0.try_get_u32_le().map_err(short)
    }

    pub(super) fn i64(&mut self) -> Result<i64, Bad> {
        self.0.try_get_i64_le().map_err(short)
    }

    /// An unsigned number in groups of seven bits.
    pub(super) fn varint(&mut self) -> Result<u64, Bad> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(malformed("a number is too long"))
    }

    /// A signed number, its sign in the lowest bit.
    pub(super) fn zigzag(&mut self) -> Result<i64, Bad> {
        let value = self.varint()?;
        Ok((value >> 1).cast_signed() ^ -((value & 1).cast_signed()))
    }

    pub(super) fn zigzag32(&mut self) -> Result<i32, Bad> {
        i32::try_from(self.zigzag()?).map_err(|_| malformed("a number has more than 32 bits"))
    }

    /// How many things follow, of which there may be `most`.
    pub(super) fn count(number: i64, most: usize, what: &str) -> Result<usize, Bad> {
        usize::try_from(number)
            .ok()
            .filter(|count| *count <= most)
            .ok_or_else(|| malformed(format!("{number} {what}")))
    }

    pub(super) fn binary(&mut self) -> Result<Bytes, Bad> {
        let length = self.varint()?;
        self.take(usize::try_from(length).unwrap_or(usize::MAX))
    }

    /// A text whose length counts the NUL behind it.
    pub(super) fn text(&mut self) -> Result<String, Bad> {
        let bytes = self.binary()?;
        let text = bytes
            .strip_suffix(&[0])
            .ok_or_else(|| malformed("a text does not end with NUL"))?;
        std::str::from_utf8(text)
            .map(str::to_owned)
            .map_err(|_| malformed("a text is not UTF-8"))
    }

    /// A part that says its length first; what is behind the fields known here is left alone, because
    /// later releases append fields.
    pub(super) fn part(&mut self) -> Result<Self, Bad> {
        let length = self.u32()?;
        self.take(usize::try_from(length).unwrap_or(usize::MAX))
            .map(Self)
    }
}

fn short(_: bytes::TryGetError) -> Bad {
    malformed("the message ends too early")
}
