//! A cursor over received bytes: everything it gives is checked against what is there.

use crate::error::{Error, Result, error};

/// Reads the fields of one message in order. Each call names its field for the error.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    total: usize,
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            total: bytes.len(),
        }
    }

    /// Bytes not read yet.
    pub(crate) const fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Bytes already read.
    pub(crate) const fn position(&self) -> usize {
        self.total - self.rest.len()
    }

    #[inline]
    pub(crate) fn bytes(&mut self, n: usize, what: &str) -> Result<&'a [u8]> {
        match self.rest.split_at_checked(n) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => Err(self.too_short(n, what)),
        }
    }

    #[inline]
    pub(crate) fn array<const N: usize>(&mut self, what: &str) -> Result<[u8; N]> {
        match self.rest.split_first_chunk::<N>() {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(*taken)
            }
            None => Err(self.too_short(N, what)),
        }
    }

    pub(crate) fn u8(&mut self, what: &str) -> Result<u8> {
        Ok(self.array::<1>(what)?[0])
    }

    pub(crate) fn u16(&mut self, what: &str) -> Result<u16> {
        self.array(what).map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self, what: &str) -> Result<u32> {
        self.array(what).map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self, what: &str) -> Result<u64> {
        self.array(what).map(u64::from_le_bytes)
    }

    pub(crate) fn i64(&mut self, what: &str) -> Result<i64> {
        self.array(what).map(i64::from_le_bytes)
    }

    #[inline]
    pub(crate) fn varint(&mut self, what: &str) -> Result<u64> {
        // Most are small.
        if let [byte @ ..0x80, rest @ ..] = self.rest {
            self.rest = rest;
            return Ok(u64::from(*byte));
        }
        self.long_varint(what)
    }

    fn long_varint(&mut self, what: &str) -> Result<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8(what)?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(error!(
            ProtocolError,
            "the {what} before byte {} does not fit 64 bits",
            self.position()
        ))
    }

    /// A varint that counts things, of which there may be at most `max`.
    pub(crate) fn count(&mut self, max: usize, what: &str) -> Result<usize> {
        let value = self.varint(what)?;
        match usize::try_from(value) {
            Ok(count) if count <= max => Ok(count),
            _ => Err(error!(
                ProtocolError,
                "the {what} is {value}; at most {max} is possible here"
            )),
        }
    }

    /// A string counted by a varint, of at most `max` bytes.
    pub(crate) fn string(&mut self, max: usize, what: &str) -> Result<&'a str> {
        let len = self.count(max, what)?;
        self.utf8(len, what)
    }

    /// A string counted by a u16.
    pub(crate) fn string_u16(&mut self, what: &str) -> Result<&'a str> {
        let len = self.u16(what)?;
        self.utf8(usize::from(len), what)
    }

    /// Text of `len` bytes.
    pub(crate) fn utf8(&mut self, len: usize, what: &str) -> Result<&'a str> {
        let at = self.position();
        std::str::from_utf8(self.bytes(len, what)?)
            .map_err(|e| error!(ProtocolError, "the {what} at byte {at} is not UTF-8: {e}"))
    }

    /// Fails unless everything was read: a message ends where its fields end.
    pub(crate) fn finish(&self, what: &str) -> Result<()> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(error!(
                ProtocolError,
                "{} bytes are left behind the last field of the {what}",
                self.rest.len()
            ))
        }
    }

    #[cold]
    fn too_short(&self, wanted: usize, what: &str) -> Error {
        error!(
            ProtocolError,
            "the {what} at byte {} takes {wanted} bytes, and {} are left of the message",
            self.position(),
            self.rest.len()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_past_the_end_fails_and_moves_nothing() {
        let mut reader = Reader::new(&[1, 2, 3]);
        assert_eq!(reader.u16("a").unwrap(), 0x0201);
        assert!(
            reader
                .u32("b")
                .unwrap_err()
                .msg()
                .contains("the b at byte 2")
        );
        assert_eq!(reader.u8("c").unwrap(), 3);
        assert!(reader.finish("message").is_ok());
        assert!(reader.u8("d").is_err());
    }

    #[test]
    fn a_varint_that_does_not_end_or_fit_is_refused() {
        assert!(Reader::new(&[0x80; 3]).varint("v").is_err());
        assert!(Reader::new(&[0x80; 11]).varint("v").is_err());
        let mut bytes = [0xff; 10];
        bytes[9] = 0x02;
        assert!(Reader::new(&bytes).varint("v").is_err());
        bytes[9] = 0x01;
        assert_eq!(Reader::new(&bytes).varint("v").unwrap(), u64::MAX);
    }

    #[test]
    fn counts_and_strings_above_their_limit_are_refused() {
        assert!(Reader::new(&[5]).count(4, "n").is_err());
        assert_eq!(Reader::new(&[2, b'h', b'i']).string(2, "s").unwrap(), "hi");
        assert!(Reader::new(&[2, b'h', b'i']).string(1, "s").is_err());
        assert!(Reader::new(&[1, 0xff]).string(9, "s").is_err());
        assert!(Reader::new(&[9, b'h']).string(9, "s").is_err());
        assert_eq!(Reader::new(&[1, 0, b'x']).string_u16("s").unwrap(), "x");
    }
}
