//! Raw writes: blocks into tables, and messages of topics into databases (§10).

use super::action::BinaryAction;
use super::binary::{HEADER, header};
use super::reader::{Reader, Short};
use bytes::{BufMut, Bytes, BytesMut};
pub use taos_query::writes::RawField;

/// Length of a column's record: the C struct `TAOS_FIELD`.
const RECORD: usize = 72;
/// Room for a name in it, of which the last byte is NUL.
const NAME: usize = 65;
/// Where a raw block says its own length, and the number of its columns (raw-block §1).
const LENGTH: std::ops::Range<usize> = 4..8;
const COLUMNS: std::ops::Range<usize> = 12..16;

/// A block to write into a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawBlockWrite {
    /// Rows, as the client counts them.
    pub rows: u32,
    /// The table.
    pub table: String,
    /// The raw block, unchecked but for its length.
    pub block: Bytes,
    /// The columns of the table that the block's columns go to; `None` means all, by position.
    pub fields: Option<Vec<RawField>>,
}

/// A raw message to replay (tmq-raw §4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawWrite {
    /// What kind of message it is.
    pub raw_type: u16,
    /// The message.
    pub raw: Bytes,
}

/// The write_raw request (§10.1). `None` if the message is longer than its u32 length can say.
#[must_use]
pub fn encode_write_raw(req_id: u64, raw_type: u16, raw: &[u8]) -> Option<Bytes> {
    let len = u32::try_from(raw.len()).ok()?;
    let mut out = BytesMut::with_capacity(HEADER + 6 + raw.len());
    header(&mut out, req_id, 0, BinaryAction::WriteRaw);
    out.put_u32_le(len);
    out.put_u16_le(raw_type);
    out.put_slice(raw);
    Some(out.freeze())
}

/// The write_raw_block request (§10.2), or with fields write_raw_block_with_fields (§10.3).
/// `None` if a name is too long for its place.
#[must_use]
pub fn encode_write_raw_block(
    req_id: u64,
    rows: u32,
    table: &str,
    block: &[u8],
    fields: Option<&[RawField]>,
) -> Option<Bytes> {
    let action = match fields {
        Some(_) => BinaryAction::WriteRawBlockWithFields,
        None => BinaryAction::WriteRawBlock,
    };
    let fields = fields.unwrap_or_default();
    let len = HEADER + 6 + table.len() + block.len() + fields.len() * RECORD;
    let mut out = BytesMut::with_capacity(len);
    header(&mut out, req_id, 0, action);
    out.put_u32_le(rows);
    out.put_u16_le(u16::try_from(table.len()).ok()?);
    out.put_slice(table.as_bytes());
    out.put_slice(block);
    for field in fields {
        if field.name.len() >= NAME {
            return None;
        }
        out.put_slice(field.name.as_bytes());
        out.put_bytes(0, NAME - field.name.len());
        out.put_u8(field.ty);
        out.put_bytes(0, 2);
        out.put_u32_le(field.bytes);
    }
    Some(out.freeze())
}

fn short(short: Short) -> String {
    format!("message length is too short: {short}")
}

/// The body of code 3.
pub(super) fn decode_write_raw(reader: &mut Reader<'_>) -> Result<RawWrite, String> {
    let len = reader.u32().map_err(short)?;
    let raw_type = reader.u16().map_err(short)?;
    let raw = reader.bytes(len).map_err(short)?;
    Ok(RawWrite { raw_type, raw })
}

/// The body of codes 4 and 5; with fields, the block's own length says where they begin.
pub(super) fn decode_write_raw_block(
    reader: &mut Reader<'_>,
    with_fields: bool,
) -> Result<RawBlockWrite, String> {
    let rows = reader.u32().map_err(short)?;
    let name_len = reader.u16().map_err(short)?;
    let name = reader.bytes(name_len.into()).map_err(short)?;
    let table =
        String::from_utf8(name.into()).map_err(|_| "the table name is not UTF-8".to_owned())?;
    let mut rest = reader.rest();
    let number = |bytes: &Bytes, at: std::ops::Range<usize>| {
        bytes
            .get(at)
            .and_then(|four| four.first_chunk::<4>())
            .map(|four| u32::from_le_bytes(*four))
            .and_then(|number| usize::try_from(number).ok())
            .ok_or_else(|| "the block is too short for its head".to_owned())
    };
    let (length, columns) = (number(&rest, LENGTH)?, number(&rest, COLUMNS)?);
    if length > rest.len() {
        return Err(format!(
            "the block says that it has {length} bytes, but the message has {}",
            rest.len()
        ));
    }
    let records = rest.split_off(length);
    let fields = if with_fields {
        Some(decode_fields(&records, columns)?)
    } else {
        None
    };
    Ok(RawBlockWrite {
        rows,
        table,
        block: rest,
        fields,
    })
}

fn decode_fields(records: &Bytes, columns: usize) -> Result<Vec<RawField>, String> {
    // Before any room is made for as many columns as the block claims to have.
    if columns.checked_mul(RECORD) != Some(records.len()) {
        return Err(format!(
            "the block has {columns} columns, but {} bytes of fields follow it",
            records.len()
        ));
    }
    let mut reader = Reader::new(records);
    let mut fields = Vec::with_capacity(columns);
    for _ in 0..columns {
        let name = reader.bytes(65).map_err(short)?;
        let end = name.iter().position(|byte| *byte == 0).unwrap_or(NAME);
        let name = std::str::from_utf8(name.get(..end).unwrap_or_default())
            .map_err(|_| "a column name is not UTF-8".to_owned())?
            .to_owned();
        let ty = reader.u8().map_err(short)?;
        reader.u16().map_err(short)?;
        let bytes = reader.u32().map_err(short)?;
        fields.push(RawField { name, ty, bytes });
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use super::super::{BinaryRequest, decode_binary};
    use super::*;

    fn block(columns: u32) -> Vec<u8> {
        let mut block = vec![0; 40];
        block[LENGTH].copy_from_slice(&40u32.to_le_bytes());
        block[COLUMNS].copy_from_slice(&columns.to_le_bytes());
        block
    }

    fn fields() -> Vec<RawField> {
        ["ts", &"x".repeat(64)]
            .map(|name| RawField {
                name: name.into(),
                ty: 9,
                bytes: 8,
            })
            .into()
    }

    #[test]
    fn writes_come_back_as_they_were_and_every_cut_is_an_error() {
        let fields = fields();
        for fields in [None, Some(fields.as_slice())] {
            let frame = encode_write_raw_block(7, 3, "t é", &block(2), fields).unwrap();
            let expected = RawBlockWrite {
                rows: 3,
                table: "t é".into(),
                block: block(2).into(),
                fields: fields.map(<[_]>::to_vec),
            };
            assert_eq!(
                decode_binary(&frame),
                Ok(BinaryRequest::WriteRawBlock {
                    req_id: 7,
                    write: expected
                })
            );
            for end in 0..frame.len() {
                assert!(decode_binary(&frame.slice(..end)).is_err(), "{end}");
            }
        }
        let frame = encode_write_raw(8, 535, b"raw").unwrap();
        let write = RawWrite {
            raw_type: 535,
            raw: Bytes::from_static(b"raw"),
        };
        assert_eq!(
            decode_binary(&frame),
            Ok(BinaryRequest::WriteRaw {
                req_id: 8,
                message_id: 0,
                write
            })
        );
        for end in 0..frame.len() {
            assert!(decode_binary(&frame.slice(..end)).is_err(), "{end}");
        }
    }

    #[test]
    fn lies_about_columns_make_no_room_and_long_names_do_not_leave() {
        let frame = encode_write_raw_block(7, 3, "t", &block(u32::MAX), Some(&fields())).unwrap();
        let bad = decode_binary(&frame).unwrap_err();
        assert!(bad.message.contains("4294967295 columns"), "{bad:?}");
        assert_eq!(bad.action_name(), "write_raw_block_with_fields");
        let mut long = fields();
        long[0].name = "x".repeat(65);
        assert_eq!(
            encode_write_raw_block(7, 3, "t", &block(2), Some(&long)),
            None
        );
        let table = "x".repeat(70_000);
        assert_eq!(encode_write_raw_block(7, 3, &table, &block(2), None), None);
    }
}
