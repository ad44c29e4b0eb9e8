//! Blocks in files: the layout of the published crate's dumps.

use std::io::{self, Error, ErrorKind, Read, Write};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::parse::HEADER_LEN;
use super::{ColumnBuilder, ColumnView, RawBlock, decode_nchar};
use crate::common::{Precision, Ty};
use crate::util::{AsyncInlinable, Blocking, Inlinable, now, read_bytes, read_text, write_text};
use crate::{RawError, RawResult};

/// The name of the table follows.
const TABLE: u32 = 1;
/// The names of the columns follow.
const NAMES: u32 = 1 << 1;
/// Group id and schema are inside the block, as they are in every block of today.
const GROUP_AND_SCHEMA: u32 = 0b11 << 2;
/// The published crate decodes NCHAR in place and dumps what has become of the block.
const NCHAR_IS_UTF8: u32 = 1 << 4;
/// Two bits with the unit of the timestamps.
const PRECISION: u32 = 8;
/// All bits with a meaning in a dump of blocks; bit 5 only had one in memory.
const KNOWN: u32 = 0x033F;
/// Stands in place of the flags when no block follows.
const END: u32 = u32::MAX;

/// The length in a block's header counts from its start.
const LENGTH_END: usize = 8;

impl RawBlock {
    fn flags(&self) -> u32 {
        let with = |bit: u32, is: bool| if is { bit } else { 0 };
        GROUP_AND_SCHEMA
            | with(TABLE, self.table_name().is_some())
            | with(NAMES, self.is_named())
            | u32::from(self.precision().as_u8()) << PRECISION
    }

    async fn dump<W: AsyncWrite + Unpin>(&self, writer: &mut W) -> io::Result<usize> {
        let bytes = self.as_raw_bytes();
        if bytes.is_empty() {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "a block that holds nothing at all cannot be written",
            ));
        }
        // Before the first byte of the block: a name that is too long must not leave half of one.
        let mut names = Vec::new();
        if let Some(table) = self.table_name() {
            write_text::<2, _>(&mut names, table).await?;
        }
        if self.is_named() {
            for name in self.field_names() {
                write_text::<1, _>(&mut names, name).await?;
            }
        }
        writer.write_u32_le(self.flags()).await?;
        writer.write_all(bytes).await?;
        writer.write_all(&names).await?;
        Ok(size_of::<u32>() + bytes.len() + names.len())
    }

    /// The next block, `None` at the mark of the end.
    async fn restore<R: AsyncRead + Unpin>(reader: &mut R) -> io::Result<Option<Self>> {
        let flags = reader.read_u32_le().await?;
        if flags == END {
            return Ok(None);
        }
        let precision = (flags & !KNOWN == 0)
            .then_some(flags >> PRECISION)
            .and_then(|bits| u8::try_from(bits).ok())
            .and_then(Precision::from_u8_option)
            .ok_or_else(|| invalid(format!("flags {flags:#x} are not those of a block")))?;
        let bytes = read_block(reader).await?;
        let block = if flags & NCHAR_IS_UTF8 == 0 {
            Self::parse_from_raw_block(bytes, precision)
        } else {
            with_decoded_nchar(bytes, precision)
        };
        let mut block = block.map_err(invalid)?;
        if flags & TABLE != 0 {
            let length = reader.read_u16_le().await?.into();
            block.with_table_name(read_text(reader, length).await?);
        }
        if flags & NAMES != 0 {
            let mut names = Vec::with_capacity(block.ncols());
            for _ in 0..block.ncols() {
                let length = reader.read_u8().await?.into();
                names.push(read_text(reader, length).await?);
            }
            block.with_field_names(names);
        }
        Ok(Some(block))
    }
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(ErrorKind::InvalidData, error)
}

fn none_there() -> Error {
    invalid("the end of the dump stands where a block was expected")
}

/// The bytes of one block, as long as its header says.
async fn read_block<R: AsyncRead + Unpin>(reader: &mut R) -> io::Result<Vec<u8>> {
    let mut bytes = read_bytes(reader, LENGTH_END).await?;
    let length = u32::from_le_bytes(super::parse::array(&bytes, 4));
    let rest = usize::try_from(length)
        .ok()
        .filter(|_| i32::try_from(length).is_ok())
        .and_then(|length| length.checked_sub(LENGTH_END))
        .ok_or_else(|| invalid(format!("a block cannot have {length} bytes")))?;
    bytes.append(&mut read_bytes(reader, rest).await?);
    Ok(bytes)
}

/// A block of which some NCHAR columns hold UTF-8; which ones does not stand in the dump. Text in
/// UTF-8 is never valid UTF-32: its fourth byte would have to be zero.
fn with_decoded_nchar(mut bytes: Vec<u8>, precision: Precision) -> RawResult<RawBlock> {
    let columns = u32::from_le_bytes(super::parse::array(&bytes, 12));
    let columns = usize::try_from(columns).unwrap_or_default();
    let schema = bytes.get_mut(HEADER_LEN..).unwrap_or_default();
    let mut decoded = Vec::new();
    for (index, entry) in schema.chunks_exact_mut(5).take(columns).enumerate() {
        if let Some(ty) = entry.first_mut().filter(|ty| **ty == Ty::NChar.as_u8()) {
            // Read as bytes, the column needs no UTF-32 to be valid.
            *ty = Ty::VarBinary.as_u8();
            decoded.push(index);
        }
    }
    let block = RawBlock::parse_from_raw_block(Bytes::from(bytes), precision)?;
    let views = block
        .columns()
        .enumerate()
        .map(|(index, view)| {
            if decoded.contains(&index) {
                nchar(view).map_err(|error| error.context(format!("column {index}")))
            } else {
                Ok(view.clone())
            }
        })
        .collect::<RawResult<Vec<ColumnView>>>()?;
    RawBlock::try_from_views(&views, precision)
}

fn nchar(view: &ColumnView) -> RawResult<ColumnView> {
    let payloads = || (0..view.len()).map(|row| view.payload(row));
    let wide = payloads()
        .flatten()
        .all(|bytes| bytes.len().is_multiple_of(4) && decode_nchar(bytes).is_some());
    let mut builder = ColumnBuilder::new(Ty::NChar, 0, 0, 0);
    for payload in payloads() {
        match payload {
            None => builder.push_null(),
            Some(bytes) if wide => builder.push_bytes(bytes)?,
            Some(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => builder.push_str(text)?,
                Err(error) => {
                    let text = "NCHAR is neither UTF-32 nor UTF-8";
                    return Err(RawError::of(crate::ErrorKind::Protocol, text).with_source(error));
                }
            },
        }
    }
    ColumnView::of_cells(&mut builder, view.precision())
}

impl Inlinable for RawBlock {
    fn read_inlined<R: Read>(reader: &mut R) -> io::Result<Self> {
        now(Self::restore(&mut Blocking(reader)))?.ok_or_else(none_there)
    }

    fn read_optional_inlined<R: Read>(reader: &mut R) -> io::Result<Option<Self>> {
        now(Self::restore(&mut Blocking(reader)))
    }

    fn write_inlined<W: Write>(&self, wtr: &mut W) -> io::Result<usize> {
        now(self.dump(&mut Blocking(wtr)))
    }
}

impl AsyncInlinable for RawBlock {
    async fn read_inlined<R: AsyncRead + Send + Unpin>(reader: &mut R) -> io::Result<Self> {
        Self::restore(reader).await?.ok_or_else(none_there)
    }

    async fn read_optional_inlined<R: AsyncRead + Send + Unpin>(
        reader: &mut R,
    ) -> io::Result<Option<Self>> {
        Self::restore(reader).await
    }

    async fn write_inlined<W: AsyncWrite + Send + Unpin>(&self, wtr: &mut W) -> io::Result<usize> {
        self.dump(wtr).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::Value;

    fn sample() -> RawBlock {
        let views = [
            ColumnView::from_micros_timestamp(vec![1_i64, 2, 3]),
            ColumnView::from_nchar::<&str, _, _, _>(vec![Some("\u{6587}a"), None, Some("abcd")]),
        ];
        RawBlock::from_views(&views, Precision::Microsecond)
    }

    fn dumped(block: &RawBlock) -> Vec<u8> {
        let mut bytes = Vec::new();
        let written = Inlinable::write_inlined(block, &mut bytes).unwrap();
        assert_eq!(written, bytes.len());
        bytes
    }

    fn restored(bytes: &[u8]) -> io::Result<RawBlock> {
        let mut reader = bytes;
        let block = <RawBlock as Inlinable>::read_inlined(&mut reader)?;
        assert!(reader.is_empty(), "{} bytes are left", reader.len());
        Ok(block)
    }

    #[test]
    fn a_block_with_its_names_comes_back() {
        let mut block = sample();
        block
            .with_table_name("t\u{6587}")
            .with_field_names(["ts", "v"]);
        let bytes = dumped(&block);
        let raw = block.as_raw_bytes();
        let tail = [&[4, 0][..], "t\u{6587}".as_bytes(), &[2], b"ts", &[1], b"v"].concat();
        assert_eq!(bytes, [&[0x0F, 1, 0, 0][..], raw, &tail].concat());
        let back = restored(&bytes).unwrap();
        assert_eq!(back.to_values(), block.to_values());
        assert_eq!(back.table_name(), Some("t\u{6587}"));
        assert_eq!(back.precision(), Precision::Microsecond);
        assert!(back.field_names().eq(["ts", "v"]));
    }

    #[test]
    fn a_block_without_names_has_none_afterwards() {
        let bytes = dumped(&sample());
        assert_eq!(bytes[..4], [0x0C, 1, 0, 0]);
        let back = restored(&bytes).unwrap();
        assert!(!back.is_named() && back.table_name().is_none());
    }

    #[tokio::test]
    async fn both_kinds_of_stream_hold_the_same_and_end_at_the_mark() {
        let block = sample();
        let mut bytes = Vec::new();
        AsyncInlinable::write_inlined(&block, &mut bytes)
            .await
            .unwrap();
        assert_eq!(bytes, dumped(&block));
        bytes.extend(END.to_le_bytes());
        let mut reader = &bytes[..];
        let mut next =
            async || <RawBlock as AsyncInlinable>::read_optional_inlined(&mut reader).await;
        let back = next().await.unwrap().unwrap();
        assert_eq!(back.to_values(), block.to_values());
        assert!(next().await.unwrap().is_none());
        assert!(next().await.is_err(), "nothing stands behind the mark");
        let mark = END.to_le_bytes();
        assert!(<RawBlock as Inlinable>::read_inlined(&mut &mark[..]).is_err());
    }

    #[test]
    fn text_that_the_published_crate_decoded_in_place_is_read() {
        // One NCHAR column as the server sent it, and one turned into UTF-8.
        let texts: [&[u8]; 2] = ["\u{6587}a".as_bytes(), b"abcd"];
        let views = [
            ColumnView::from_nchar::<&str, _, _, _>(vec!["\u{6587}a", "abcd"]),
            ColumnView::from_varchar::<&str, _, _, _>(vec!["\u{6587}a", "abcd"]),
        ];
        let mut bytes = dumped(&RawBlock::from_views(&views, Precision::Millisecond));
        bytes[0] |= 0x30;
        bytes[4 + HEADER_LEN + 5] = Ty::NChar.as_u8();
        let back = restored(&bytes).unwrap();
        for (row, text) in back.to_values().into_iter().zip(texts) {
            let text = Value::NChar(String::from_utf8(text.to_vec()).unwrap());
            assert_eq!(row, [text.clone(), text]);
        }
    }

    /// A block of TIMESTAMP, NCHAR and INT with NULLs, dumped by the published crate (taos-query
    /// 0.12.4) after its rows had been read.
    const RECORDED: &str = "1e00000001000000850000000300000003000000ffffffff000000000000000009080000000a\
             000000000404000000180000001c0000000c0000000001000000000000000200000000000000\
             030000000000000000000000ffffffff0a0000000400e6968761610000000400616263646200\
             0000630000006400000040010000000000000003000000027473016e0176";

    #[test]
    fn a_dump_of_the_published_crate_is_read() {
        let bytes = crate::util::hex::hex_string_to_bytes(RECORDED).unwrap();
        let back = restored(&bytes).unwrap();
        assert!(back.field_names().eq(["ts", "n", "v"]));
        let cells: Vec<Vec<Value>> = (back.to_values().into_iter())
            .map(|row| row.into_iter().skip(1).collect())
            .collect();
        let expected = [
            [Value::NChar("\u{6587}a".into()), Value::Int(1)],
            [Value::Null(Ty::NChar), Value::Null(Ty::Int)],
            [Value::NChar("abcd".into()), Value::Int(3)],
        ];
        assert_eq!(cells, expected);
    }

    #[test]
    fn changed_bytes_are_an_error_or_another_block_but_never_a_panic() {
        let mut block = sample();
        block.with_table_name("t").with_field_names(["ts", "v"]);
        let bytes = dumped(&block);
        for end in 0..bytes.len() {
            assert!(restored(&bytes[..end]).is_err(), "{end} bytes");
        }
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[at] ^= 1 << bit;
                let _ = <RawBlock as Inlinable>::read_optional_inlined(&mut &changed[..]);
            }
        }
    }

    #[test]
    fn a_name_too_long_for_its_length_is_refused() {
        let mut column = sample();
        column.with_field_names(["x".repeat(256)]);
        let mut table = sample();
        table.with_table_name("x".repeat(65_536));
        for block in [column, table] {
            let mut stream = Vec::new();
            Inlinable::write_inlined(&block, &mut stream).unwrap_err();
            assert!(stream.is_empty(), "half of a block has been written");
            assert!(Inlinable::inlined(&block).is_empty());
        }
    }
}
