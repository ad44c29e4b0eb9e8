//! The twelve bytes in front of a message (questdb §12.3).

use super::Reader;
use crate::error::{Result, error};

/// Bytes of [`Header`] on the wire.
pub(crate) const HEADER_LEN: usize = 12;

/// The one version of the protocol there is.
const VERSION: u8 = 1;

const MAGIC: [u8; 4] = *b"QWP1";

/// Bits of [`Header::flags`].
pub(crate) mod flags {
    /// Rows are appended, and committed by a later message without this flag.
    pub(crate) const DEFER_COMMIT: u8 = 0x01;
    /// Timestamp columns say how they are encoded.
    pub(crate) const GORILLA: u8 = 0x04;
    /// The payload starts with new entries of the symbol dictionary.
    pub(crate) const DELTA_SYMBOL_DICT: u8 = 0x08;
    /// Everything after the batch number is one zstd frame; queries only.
    pub(crate) const ZSTD: u8 = 0x10;
}

/// What a message says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) flags: u8,
    pub(crate) table_count: u16,
    /// Bytes behind the header.
    pub(crate) payload_len: u32,
}

impl Header {
    pub(crate) fn to_bytes(self) -> [u8; HEADER_LEN] {
        let [m0, m1, m2, m3] = MAGIC;
        let [t0, t1] = self.table_count.to_le_bytes();
        let [l0, l1, l2, l3] = self.payload_len.to_le_bytes();
        [m0, m1, m2, m3, VERSION, self.flags, t0, t1, l0, l1, l2, l3]
    }

    /// Takes the header off a whole message, whose rest must be as long as the header says.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self> {
        let magic = reader.array::<4>("magic number")?;
        if magic != MAGIC {
            return Err(error!(
                ProtocolError,
                "a QWP message starts with {magic:02x?} instead of {MAGIC:02x?}"
            ));
        }
        let version = reader.u8("version")?;
        if version != VERSION {
            return Err(error!(
                ProtocolError,
                "a QWP message has version {version}; this client speaks version {VERSION}"
            ));
        }
        let header = Self {
            flags: reader.u8("flags")?,
            table_count: reader.u16("table count")?,
            payload_len: reader.u32("payload length")?,
        };
        let rest = reader.remaining();
        if usize::try_from(header.payload_len).ok() != Some(rest) {
            return Err(error!(
                ProtocolError,
                "a QWP message announces {} payload bytes and has {rest}", header.payload_len
            ));
        }
        Ok(header)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_reads_back_as_it_was_written() {
        let header = Header {
            flags: flags::DELTA_SYMBOL_DICT | flags::DEFER_COMMIT,
            table_count: 0x0102,
            payload_len: 3,
        };
        let mut bytes = header.to_bytes().to_vec();
        assert_eq!(bytes, [0x51, 0x57, 0x50, 0x31, 1, 9, 2, 1, 3, 0, 0, 0]);
        bytes.extend_from_slice(b"abc");
        assert_eq!(Header::read(&mut Reader::new(&bytes)).unwrap(), header);
    }

    #[test]
    fn a_message_of_another_length_magic_or_version_is_refused() {
        let good = Header {
            flags: 0,
            table_count: 0,
            payload_len: 1,
        }
        .to_bytes();
        assert!(Header::read(&mut Reader::new(&good)).is_err());
        for at in [0, 4] {
            let mut bytes = good.to_vec();
            bytes.push(0);
            assert!(Header::read(&mut Reader::new(&bytes)).is_ok());
            bytes[at] ^= 0x40;
            assert!(Header::read(&mut Reader::new(&bytes)).is_err());
        }
    }
}
