//! Data messages of topics, as they are replayed (tmq-raw §2).

use bytes::{Buf, Bytes};

use crate::meta::{Bad, NewTable, decode_new_table};

/// Data, and nothing else (tmq-raw §4).
pub(super) const DATA: u16 = 2;
/// Data, and subtables to create (tmq-raw §4).
pub(super) const DATA_AND_TABLES: u16 = 4;
/// The only format that is written since 3.2.3.
const VERSION: u8 = 100;
/// Bytes in front of the block in an entry.
const PREFIX: usize = 18;

/// The rows of one table.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) table: String,
    pub(super) names: Vec<String>,
    /// Unit of the times: 0 ms, 1 µs, 2 ns.
    pub(super) precision: u8,
    pub(super) rows: u32,
    pub(super) block: Bytes,
}

/// The rows that a message holds, and the bytes behind them.
///
/// # Errors
/// What does not fit the layout, in words.
pub(super) fn decode(raw: &Bytes) -> Result<(Vec<Entry>, Bytes), String> {
    let mut raw = raw.clone();
    match byte(&mut raw)? {
        VERSION => {}
        other => return Err(format!("format {other} of data messages is unknown")),
    }
    let head = raw.try_get_u32_le().map_err(short)?;
    take(&mut raw, head)?;
    let count = raw.try_get_u32_le().map_err(short)?;
    if count == 0 {
        return Ok((Vec::new(), raw));
    }
    let (named, described) = (byte(&mut raw)? != 0, byte(&mut raw)? != 0);
    if !named || !described {
        return Err("a message without names of tables and columns cannot be written".to_owned());
    }
    let mut entries = Vec::new();
    for _ in 0..count {
        entries.push(entry(&mut raw)?);
    }
    Ok((entries, raw))
}

/// The subtables that a message of the type 4 creates, from the bytes behind its rows.
///
/// # Errors
/// What does not fit the layout.
pub(super) fn decode_tables(mut raw: Bytes) -> Result<Vec<NewTable>, Bad> {
    let mut tables = Vec::new();
    let count = raw.try_get_i32_le().map_err(short);
    for _ in 0..count.map_err(Bad::Malformed)?.max(0) {
        let length = varint(&mut raw).map_err(Bad::Malformed)?;
        let one = take(&mut raw, length).map_err(Bad::Malformed)?;
        tables.push(decode_new_table(&one)?);
    }
    Ok(tables)
}

fn entry(raw: &mut Bytes) -> Result<Entry, String> {
    let length = varint(raw)?;
    let mut part = take(raw, length)?;
    if part.len() < PREFIX {
        return Err(format!("an entry of {length} bytes is too short"));
    }
    let version = part.get_i64_le();
    if version != 1 {
        return Err(format!("version {version} of an entry is unknown"));
    }
    let rows = u32::try_from(part.get_i64()).map_err(|_| "too many rows".to_owned())?;
    if part.get_u8() != 0 {
        return Err("a compressed entry cannot be read".to_owned());
    }
    let precision = part.get_u8();
    let columns = zigzag(varint(raw)?);
    zigzag(varint(raw)?); // version of the schema
    let mut names = Vec::new();
    for _ in 0..columns {
        take(raw, 2)?; // type and flags
        varint(raw)?; // width
        varint(raw)?; // number of the column
        names.push(text(raw)?);
    }
    Ok(Entry {
        table: text(raw)?,
        names,
        precision,
        rows,
        block: part,
    })
}

fn short(_: bytes::TryGetError) -> String {
    "the message ends too early".to_owned()
}

fn byte(raw: &mut Bytes) -> Result<u8, String> {
    raw.try_get_u8().map_err(short)
}

fn take(raw: &mut Bytes, length: u32) -> Result<Bytes, String> {
    match usize::try_from(length) {
        Ok(length) if length <= raw.len() => Ok(raw.split_to(length)),
        _ => Err("the message ends too early".to_owned()),
    }
}

/// Unsigned LEB128 of at most five bytes (tmq-raw §1).
fn varint(raw: &mut Bytes) -> Result<u32, String> {
    let mut value = 0_u64;
    for shift in [0, 7, 14, 21, 28] {
        let byte = byte(raw)?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return u32::try_from(value).map_err(|_| "a number is too large".to_owned());
        }
    }
    Err("a number is too long".to_owned())
}

fn zigzag(value: u32) -> i64 {
    i64::from(value >> 1) ^ -i64::from(value & 1)
}

/// A text whose length counts the NUL behind it.
fn text(raw: &mut Bytes) -> Result<String, String> {
    let length = varint(raw)?;
    let bytes = take(raw, length)?;
    let text = bytes.strip_suffix(&[0]).unwrap_or(&bytes);
    String::from_utf8(text.to_vec()).map_err(|_| "a name is not UTF-8".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of tmq-raw §2.3.
    fn example() -> Vec<u8> {
        let parts = [
            "64",
            "12000000",
            "11050000000000000011060000000000000001000000",
            "0101",
            "4f",
            "0100000000000000",
            "0000000000000001",
            "0000",
            "020000003d000000010000000200000000000080",
            "0000000000000000",
            "09080000000404000000",
            "0800000004000000",
            "000068e5cf8b010000",
            "0007000000",
            "00",
            "0402",
            "0900100203747300",
            "04000804027600",
            "03643100",
            "0000000000000000",
        ];
        let hex = parts.concat();
        let digit = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
        (0..hex.len()).step_by(2).map(digit).collect()
    }

    #[test]
    fn a_message_names_its_tables_and_columns() {
        let (entries, _) = decode(&Bytes::from(example())).unwrap();
        let [entry] = entries.as_slice() else {
            panic!("{entries:?}")
        };
        assert_eq!((entry.table.as_str(), entry.rows), ("d1", 1));
        assert_eq!(entry.names, ["ts", "v"]);
        assert_eq!((entry.precision, entry.block.len()), (0, 61));
    }

    #[test]
    fn no_bytes_make_a_message_that_panics() {
        let whole = example();
        for end in 0..whole.len() - 8 {
            assert!(
                decode(&Bytes::copy_from_slice(&whole[..end])).is_err(),
                "{end}"
            );
        }
        for at in 0..whole.len() {
            for change in [0xff, 0x80, 0x01] {
                let mut bytes = whole.clone();
                bytes[at] ^= change;
                let _ = decode(&Bytes::from(bytes));
            }
        }
    }
}
