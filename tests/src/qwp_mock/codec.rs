//! The fields of messages (questdb §12.2).

/// Reads a message of a client field by field.
pub struct Cursor<'a>(pub &'a [u8]);

impl<'a> Cursor<'a> {
    /// The next `n` bytes.
    ///
    /// # Errors
    /// The message is shorter.
    pub fn take(&mut self, n: usize) -> anyhow::Result<&'a [u8]> {
        anyhow::ensure!(n <= self.0.len(), "{n} bytes wanted, {} left", self.0.len());
        let (taken, rest) = self.0.split_at(n);
        self.0 = rest;
        Ok(taken)
    }

    /// The next `N` bytes.
    ///
    /// # Errors
    /// The message is shorter.
    pub fn array<const N: usize>(&mut self) -> anyhow::Result<[u8; N]> {
        Ok(self.take(N)?.try_into()?)
    }

    /// One byte.
    ///
    /// # Errors
    /// The message is shorter.
    pub fn u8(&mut self) -> anyhow::Result<u8> {
        Ok(self.array::<1>()?[0])
    }

    /// Two bytes, little-endian.
    ///
    /// # Errors
    /// The message is shorter.
    pub fn u16(&mut self) -> anyhow::Result<u16> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    /// Four bytes, little-endian.
    ///
    /// # Errors
    /// The message is shorter.
    pub fn u32(&mut self) -> anyhow::Result<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    /// Eight bytes, little-endian.
    ///
    /// # Errors
    /// The message is shorter.
    pub fn i64(&mut self) -> anyhow::Result<i64> {
        Ok(i64::from_le_bytes(self.array()?))
    }

    /// Unsigned LEB128.
    ///
    /// # Errors
    /// The message is shorter, or the number is above 64 bits.
    pub fn varint(&mut self) -> anyhow::Result<u64> {
        let mut value = 0_u128;
        for position in 0..10 {
            let byte = self.u8()?;
            value |= u128::from(byte & 0x7f) << (7 * position);
            if byte & 0x80 == 0 {
                return Ok(u64::try_from(value)?);
            }
        }
        anyhow::bail!("a varint of more than ten bytes")
    }

    /// A varint that counts something in memory.
    ///
    /// # Errors
    /// As [`varint`](Self::varint).
    pub fn size(&mut self) -> anyhow::Result<usize> {
        Ok(usize::try_from(self.varint()?)?)
    }

    /// Text behind its length.
    ///
    /// # Errors
    /// The message is shorter, or it is no UTF-8.
    pub fn text(&mut self) -> anyhow::Result<&'a str> {
        let length = self.size()?;
        Ok(std::str::from_utf8(self.take(length)?)?)
    }

    /// Nothing may be left.
    ///
    /// # Errors
    /// Something is.
    pub fn end(&self) -> anyhow::Result<()> {
        anyhow::ensure!(self.0.is_empty(), "{} bytes too many", self.0.len());
        Ok(())
    }
}

/// Appends unsigned LEB128.
pub fn varint(out: &mut Vec<u8>, mut value: u64) {
    loop {
        let [low, ..] = (value & 0x7f).to_le_bytes();
        value >>= 7;
        if value == 0 {
            return out.push(low);
        }
        out.push(low | 0x80);
    }
}

/// As [`varint`], of a size in memory.
pub fn size(out: &mut Vec<u8>, value: usize) {
    varint(out, value.try_into().unwrap_or(u64::MAX));
}

/// Appends text behind its length.
pub fn text(out: &mut Vec<u8>, text: &str) {
    size(out, text.len());
    out.extend_from_slice(text.as_bytes());
}

/// Appends text behind its length in two bytes.
pub fn short_text(out: &mut Vec<u8>, text: &str) {
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&text.as_bytes()[..length.into()]);
}

/// A message with its header of twelve bytes (questdb §12.3).
pub fn message(flags: u8, tables: u16, payload: &[u8]) -> Vec<u8> {
    let mut out = b"QWP1\x01".to_vec();
    out.push(flags);
    out.extend_from_slice(&tables.to_le_bytes());
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(payload);
    out
}

/// A bitmap, least significant bit first.
pub fn bitmap(bits: impl ExactSizeIterator<Item = bool>) -> Vec<u8> {
    let mut bytes = vec![0; bits.len().div_ceil(8)];
    for (at, bit) in bits.enumerate() {
        bytes[at / 8] |= u8::from(bit) << (at % 8);
    }
    bytes
}
