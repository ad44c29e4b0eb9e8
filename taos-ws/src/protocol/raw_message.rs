//! Just enough of a topic's data messages to see the types of their columns (tmq-raw §2).

use super::reader::{Reader, Short};
use bytes::Bytes;

/// First format version that is written as such; below, the first byte is the kind of an offset.
const FIRST_VERSION: u8 = 100;
/// Bytes in front of the block in an entry (tmq-raw §2.2).
const PREFIX: u32 = 18;
/// Where a block counts its columns, and where their types begin (raw-block §1).
const COLUMNS: usize = 12;
const SCHEMA: usize = 28;
/// Bytes of a type in a block's schema.
const SCHEMA_ENTRY: usize = 5;

/// The type ids of all columns of all blocks of a data message (raw types 2 and 4), in order.
///
/// # Errors
/// What does not fit the layout, in words.
pub fn data_message_types(raw: &Bytes) -> Result<Vec<u8>, String> {
    let text = |short: Short| short.to_string();
    let mut reader = Reader::new(raw);
    let version = reader.u8().map_err(text)?;
    if version >= FIRST_VERSION {
        let head = reader.u32().map_err(text)?;
        reader.bytes(head).map_err(text)?;
    } else {
        skip_old_offset(&mut reader, version)?;
        let kind = reader.u8().map_err(text)?;
        skip_old_offset(&mut reader, kind)?;
    }
    let blocks = reader.u32().map_err(text)?;
    let mut types = Vec::new();
    if blocks == 0 {
        return Ok(types);
    }
    let with_name = reader.u8().map_err(text)? != 0;
    let with_schema = reader.u8().map_err(text)? != 0;
    for _ in 0..blocks {
        let len = varint(&mut reader).map_err(text)?;
        let entry = reader.bytes(len).map_err(text)?;
        if len < PREFIX {
            return Err(format!("an entry of {len} bytes is too short"));
        }
        block_types(&entry.slice(18..), &mut types)?;
        if with_schema {
            skip_schema(&mut reader).map_err(text)?;
        }
        if with_name {
            skip_counted(&mut reader).map_err(text)?;
        }
    }
    Ok(types)
}

/// An offset of a library before 3.2.3 (tmq-raw §2.4).
fn skip_old_offset(reader: &mut Reader<'_>, kind: u8) -> Result<(), String> {
    let len = match kind {
        1 => 8,
        2 | 3 => 16,
        _ => return Err(format!("{kind} is no kind of offset")),
    };
    reader.bytes(len).map(drop).map_err(|s| s.to_string())
}

fn block_types(block: &[u8], types: &mut Vec<u8>) -> Result<(), String> {
    let columns = block
        .get(COLUMNS..)
        .and_then(|rest| rest.first_chunk::<4>())
        .and_then(|four| usize::try_from(u32::from_le_bytes(*four)).ok())
        .ok_or("a block is too short for its head")?;
    let schema = columns
        .checked_mul(SCHEMA_ENTRY)
        .and_then(|len| block.get(SCHEMA..SCHEMA.checked_add(len)?))
        .ok_or_else(|| format!("a block is too short for {columns} columns"))?;
    types.extend(schema.iter().step_by(SCHEMA_ENTRY));
    Ok(())
}

fn skip_schema(reader: &mut Reader<'_>) -> Result<(), Short> {
    // Zigzag numbers of things that are counted are not negative: twice the number.
    let columns = varint(reader)? / 2;
    varint(reader)?;
    for _ in 0..columns {
        reader.u16()?;
        varint(reader)?;
        varint(reader)?;
        skip_counted(reader)?;
    }
    Ok(())
}

fn skip_counted(reader: &mut Reader<'_>) -> Result<(), Short> {
    let len = varint(reader)?;
    reader.bytes(len).map(drop)
}

/// Seven bits a byte, the lowest first; bits beyond the 32nd are dropped.
fn varint(reader: &mut Reader<'_>) -> Result<u32, Short> {
    let mut value = 0u32;
    let mut shift = 0;
    loop {
        let byte = reader.u8()?;
        value |= u32::from(byte & 0x7F).checked_shl(shift).unwrap_or(0);
        shift += 7;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The worked example of tmq-raw §2.3.
    fn example() -> Vec<u8> {
        let text = "64 12000000 11 0500000000000000 11 0600000000000000 01000000 01 01 4f \
            0100000000000000 0000000000000001 00 00 02000000 3d000000 01000000 02000000 00000080 \
            0000000000000000 0908000000 0404000000 08000000 04000000 00 0068e5cf8b010000 00 07000000 \
            00 04 02 09 00 10 02 03 747300 04 00 08 04 02 7600 03 643100 0000000000000000";
        let digits: String = text.split_whitespace().collect();
        (0..digits.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
            .collect()
    }

    #[test]
    fn the_types_of_the_papers_example_are_found_behind_either_head() {
        let message = example();
        assert_eq!(message.len(), 138);
        assert_eq!(data_message_types(&message.clone().into()), Ok(vec![9, 4]));
        let old = [&[1][..], &[0; 8], &[2], &[0; 16], &message[23..]].concat();
        assert_eq!(data_message_types(&old.into()), Ok(vec![9, 4]));
        let empty = [&message[..23], &[0; 4]].concat();
        assert_eq!(data_message_types(&empty.into()), Ok(vec![]));
    }

    #[test]
    fn every_cut_and_every_changed_byte_is_read_or_refused() {
        let message = example();
        // What follows the last table name is not looked at.
        for end in 0..message.len() - 8 {
            let cut = Bytes::copy_from_slice(&message[..end]);
            assert!(data_message_types(&cut).is_err(), "{end}");
        }
        for at in 0..message.len() {
            for value in [0, 1, 0x7F, 0x80, 0xFF] {
                let mut changed = message.clone();
                changed[at] = value;
                if let Ok(types) = data_message_types(&changed.into()) {
                    assert!(types.len() <= message.len());
                }
            }
        }
    }
}
