//! Timestamps as differences of differences (questdb §12.6).

use super::super::Reader;
use crate::error::{Error, Result, error};

/// Bits of a stream, the least significant of each byte first.
struct Bits<'a> {
    bytes: &'a [u8],
    /// Bytes taken into `held`.
    at: usize,
    held: u64,
    count: u32,
}

impl Bits<'_> {
    /// Holds at least `n` bits (32 at most), or fails.
    #[inline]
    fn need(&mut self, n: u32) -> Result<()> {
        while self.count < n {
            let Some(byte) = self.bytes.get(self.at) else {
                return Err(ended());
            };
            self.held |= u64::from(*byte) << self.count;
            self.count += 8;
            self.at += 1;
        }
        Ok(())
    }

    #[inline]
    fn bit(&mut self) -> Result<bool> {
        self.need(1)?;
        let bit = self.held & 1 == 1;
        self.held >>= 1;
        self.count -= 1;
        Ok(bit)
    }

    /// A number of `n` bits in two's complement.
    #[inline]
    fn signed(&mut self, n: u32) -> Result<i64> {
        self.need(n)?;
        let unused = 64 - n;
        let value = i64::from_le_bytes((self.held << unused).to_le_bytes()) >> unused;
        self.held >>= n;
        self.count -= n;
        Ok(value)
    }

    #[inline]
    fn difference(&mut self) -> Result<i64> {
        for width in [0, 7, 9, 12] {
            if !self.bit()? {
                return if width == 0 {
                    Ok(0)
                } else {
                    self.signed(width)
                };
            }
        }
        self.signed(32)
    }
}

#[cold]
fn ended() -> Error {
    error!(
        ProtocolError,
        "encoded timestamps end before the last of them"
    )
}

/// Reads `count` timestamps and appends them as plain integers.
pub(super) fn read(reader: &mut Reader<'_>, count: usize, out: &mut Vec<u8>) -> Result<()> {
    let head = reader.bytes(8 * count.min(2), "first timestamps")?;
    out.extend_from_slice(head);
    let (ends, _) = head.as_chunks::<8>();
    let &[first, second] = ends else {
        return Ok(());
    };
    if count < 3 {
        return Ok(());
    }
    let (first, mut last) = (i64::from_le_bytes(first), i64::from_le_bytes(second));
    let mut step = last.wrapping_sub(first);
    // Each takes a bit at least.
    if (count - 2).div_ceil(8) > reader.remaining() {
        return Err(ended());
    }
    out.reserve(8 * (count - 2));
    let rest = reader.clone().bytes(reader.remaining(), "timestamps")?;
    let mut bits = Bits {
        bytes: rest,
        at: 0,
        held: 0,
        count: 0,
    };
    for _ in 2..count {
        step = step.wrapping_add(bits.difference()?);
        last = last.wrapping_add(step);
        out.extend_from_slice(&last.to_le_bytes());
    }
    reader.bytes(bits.at, "timestamps")?;
    Ok(())
}
