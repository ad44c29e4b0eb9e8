use bytes::Bytes;

use super::{DATA_AND_TABLES, DataEntry, DataMessage, EntryColumn, FORMAT, PREFIX, Place};

/// Kind of a place in the log, with the version of its encoding (tmq-raw §2.1).
const LOG: u8 = 0x11;
/// Room for the heads of a message and of an entry.
const HEAD: usize = 64;

pub(super) fn message(message: &DataMessage, raw_type: u16) -> Bytes {
    let blocks: usize = message.entries.iter().map(|e| e.block.len() + HEAD).sum();
    let mut out = Vec::with_capacity(blocks + HEAD);
    out.push(FORMAT);
    let mut head = Vec::with_capacity(HEAD);
    place(&message.begin, &mut head);
    place(&message.end, &mut head);
    count(head.len(), &mut out);
    out.extend_from_slice(&head);
    count(message.entries.len(), &mut out);
    if !message.entries.is_empty() {
        let named = message.entries.iter().any(|entry| entry.table.is_some());
        let described = message.entries.iter().any(|entry| entry.schema.is_some());
        out.extend_from_slice(&[named.into(), described.into()]);
        for one in &message.entries {
            entry(one, described, named, &mut out);
        }
    }
    if raw_type == DATA_AND_TABLES {
        count(message.creates.len(), &mut out);
        for create in &message.creates {
            binary(create, &mut out);
        }
    } else {
        out.extend_from_slice(&0_i64.to_le_bytes());
    }
    out.into()
}

pub(super) fn entry(entry: &DataEntry, described: bool, named: bool, out: &mut Vec<u8>) {
    varint(length(PREFIX + entry.block.len()), out);
    out.extend_from_slice(&1_i64.to_le_bytes());
    out.extend_from_slice(&entry.rows.to_be_bytes());
    out.extend_from_slice(&[0, entry.precision]);
    out.extend_from_slice(&entry.block);
    if described {
        match &entry.schema {
            Some(schema) => out.extend_from_slice(schema.raw()),
            None => schema(0, &[], out),
        }
    }
    if named {
        text(entry.table.as_deref().unwrap_or_default(), out);
    }
}

pub(super) fn schema(version: i32, columns: &[EntryColumn], out: &mut Vec<u8>) {
    zigzag(i32::try_from(columns.len()).unwrap_or(i32::MAX), out);
    zigzag(version, out);
    for column in columns {
        out.extend_from_slice(&[column.ty, column.flags]);
        zigzag(column.bytes, out);
        zigzag(column.id, out);
        text(&column.name, out);
    }
}

fn place(place: &Place, out: &mut Vec<u8>) {
    match place {
        Place::None => out.push((-3_i8).cast_unsigned()),
        Place::Earliest => out.push((-2_i8).cast_unsigned()),
        Place::Latest => out.push((-1_i8).cast_unsigned()),
        Place::Log(version) => {
            out.push(LOG);
            out.extend_from_slice(&version.to_le_bytes());
        }
        Place::Snapshot(kind, rest) => {
            out.push(*kind);
            out.extend_from_slice(rest);
        }
    }
}

fn length(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

fn count(count: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&i32::try_from(count).unwrap_or(i32::MAX).to_le_bytes());
}

fn varint(mut value: u64, out: &mut Vec<u8>) {
    loop {
        let [low, ..] = value.to_le_bytes();
        value >>= 7;
        if value == 0 {
            return out.push(low & 0x7f);
        }
        out.push(low | 0x80);
    }
}

fn zigzag(value: i32, out: &mut Vec<u8>) {
    varint(((value << 1) ^ (value >> 31)).cast_unsigned().into(), out);
}

fn binary(bytes: &[u8], out: &mut Vec<u8>) {
    varint(length(bytes.len()), out);
    out.extend_from_slice(bytes);
}

fn text(text: &str, out: &mut Vec<u8>) {
    varint(length(text.len()) + 1, out);
    out.extend_from_slice(text.as_bytes());
    out.push(0);
}
