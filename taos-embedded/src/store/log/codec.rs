//! How an entry of a log lies in the store. What a topic of whole tables carries can be copied from it.

use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes};
use taos_query::tmq::raw::{DataEntry, EntryColumn, EntrySchema};

use crate::meta::{self, Meta, NewTable};
use crate::tmq::{Body, Part};

const ROWS: u8 = 1;
const META: u8 = 2;
/// Marks what a replay wrote, beside the kind.
const REPLAYED: u8 = 0x80;
/// Bytes that a column of a description has at the least.
const LEAST_COLUMN: usize = 14;

/// Why stored bytes are no entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Damaged(&'static str);

impl std::fmt::Display for Damaged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "an entry of the log is damaged: {}", self.0)
    }
}

/// What cannot be written: the tags of a table are more than their lengths can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooLong;

/// Rows of a table, before they are packed.
#[derive(Debug)]
pub(crate) struct Rows<'a> {
    pub(crate) table: &'a str,
    pub(crate) rows: u64,
    pub(crate) precision: u8,
    pub(crate) columns: &'a [EntryColumn],
    /// A raw block.
    pub(crate) block: &'a [u8],
}

/// Rows of one table in the form of the log.
#[derive(Debug)]
pub(crate) struct Packed {
    pub(super) rows: u64,
    pub(super) bytes: Vec<u8>,
}

/// The rows of a part. They can be packed before the numbers of their table are known.
pub(crate) fn pack(rows: &Rows<'_>) -> Packed {
    let schema = Some((0, rows.columns));
    let numbers = (rows.rows, rows.precision);
    put_rows(numbers, schema, Some(rows.table), rows.block)
}

/// As [`pack`], of rows that were read from somewhere.
pub(super) fn pack_entry(entry: &DataEntry) -> Packed {
    let schema = entry.schema.as_ref().map(|s| (s.version(), s.columns()));
    let schema = schema.as_ref().map(|(version, s)| (*version, s.as_slice()));
    let numbers = (entry.rows, entry.precision);
    put_rows(numbers, schema, entry.table.as_deref(), &entry.block)
}

fn put_rows(
    (rows, precision): (u64, u8),
    schema: Option<(i32, &[EntryColumn])>,
    table: Option<&str>,
    block: &[u8],
) -> Packed {
    let mut out = Vec::with_capacity(block.len() + 256);
    out.put_u64_le(rows);
    out.put_u8(precision);
    match schema {
        None => out.put_u8(0),
        Some((version, columns)) => {
            out.put_u8(1);
            let mut described = Vec::with_capacity(columns.len() * (LEAST_COLUMN + 8) + 4);
            described.put_i32_le(version);
            for column in columns {
                described.put_u8(column.ty);
                described.put_u8(column.flags);
                described.put_i32_le(column.bytes);
                described.put_i32_le(column.id);
                binary(&mut described, column.name.as_bytes());
            }
            binary(&mut out, &described);
        }
    }
    match table {
        None => out.put_u8(0),
        Some(table) => {
            out.put_u8(1);
            binary(&mut out, table.as_bytes());
        }
    }
    binary(&mut out, block);
    Packed { rows, bytes: out }
}

/// The description that was read last; neighbours share it.
#[derive(Debug, Default)]
pub(crate) struct Last(Option<(Bytes, Arc<EntrySchema>)>);

impl Last {
    fn schema(&mut self, stored: Bytes) -> Result<Arc<EntrySchema>, Damaged> {
        if let Some((bytes, schema)) = &self.0
            && *bytes == stored
        {
            return Ok(Arc::clone(schema));
        }
        let mut rest = stored.clone();
        let version = i32(&mut rest)?;
        let mut columns = Vec::with_capacity(rest.len() / LEAST_COLUMN);
        while rest.has_remaining() {
            columns.push(column(&mut rest)?);
        }
        let schema = Arc::new(EntrySchema::new(version, columns));
        self.0 = Some((stored, Arc::clone(&schema)));
        Ok(schema)
    }
}

/// The beginning of an entry of rows, to which [`put_part`] adds.
pub(super) fn rows() -> Vec<u8> {
    vec![ROWS]
}

/// Adds packed rows.
pub(super) fn put_part(
    out: &mut Vec<u8>,
    (table, def): (i64, i64),
    created: Option<&NewTable>,
    packed: &Packed,
) -> Result<(), TooLong> {
    let created = created.map(|new| new.encode().ok_or(TooLong)).transpose()?;
    out.put_i64_le(table);
    out.put_i64_le(def);
    binary(out, &created.unwrap_or_default());
    out.put_slice(&packed.bytes);
    Ok(())
}

/// The bytes of an entry.
pub(super) fn encode(body: &Body) -> Result<Vec<u8>, TooLong> {
    match body {
        Body::Rows(parts) => {
            let mut out = rows();
            for part in parts {
                let ids = (part.table, part.def);
                put_part(
                    &mut out,
                    ids,
                    part.created.as_ref(),
                    &pack_entry(&part.rows),
                )?;
            }
            Ok(out)
        }
        Body::Meta(meta) => {
            let message = meta.encode(0).ok_or(TooLong)?;
            let (table, def) = match meta {
                Meta::AlterTable(alter) => alter.ids,
                _ => (0, 0),
            };
            let mut out = Vec::with_capacity(message.len() + 19);
            out.put_u8(META);
            out.put_u16_le(meta.raw_type());
            out.put_i64_le(table);
            out.put_i64_le(def);
            out.put_slice(&message);
            Ok(out)
        }
    }
}

/// Marks an entry as written by a replay.
pub(super) fn mark_replayed(entry: &mut [u8]) {
    if let Some(kind) = entry.first_mut() {
        *kind |= REPLAYED;
    }
}

/// True for an entry that is marked so.
pub(super) fn is_replayed(entry: &[u8]) -> bool {
    entry.first().is_some_and(|kind| kind & REPLAYED != 0)
}

/// Reads what [`encode`] wrote. Blocks share its bytes.
///
/// # Errors
/// What does not fit the layout.
pub(crate) fn decode(mut bytes: Bytes, last: &mut Last) -> Result<Body, Damaged> {
    match u8(&mut bytes)? & !REPLAYED {
        ROWS => {
            let mut parts = Vec::new();
            while bytes.has_remaining() {
                parts.push(part(&mut bytes, last)?);
            }
            Ok(Body::Rows(parts))
        }
        META => {
            let raw_type = bytes.try_get_u16_le().map_err(short)?;
            let table = bytes.try_get_i64_le().map_err(short)?;
            let def = bytes.try_get_i64_le().map_err(short)?;
            let mut meta = meta::decode(raw_type, &bytes)
                .map_err(|_| Damaged("its message cannot be read"))?;
            if let Meta::AlterTable(alter) = &mut meta {
                alter.ids = (table, def);
            }
            Ok(Body::Meta(meta))
        }
        _ => Err(Damaged("it is of another kind")),
    }
}

fn part(bytes: &mut Bytes, last: &mut Last) -> Result<Part, Damaged> {
    let table = bytes.try_get_i64_le().map_err(short)?;
    let def = bytes.try_get_i64_le().map_err(short)?;
    let created = take(bytes)?;
    let created = (!created.is_empty())
        .then(|| meta::decode_new_table(&created))
        .transpose()
        .map_err(|_| Damaged("the table that it creates cannot be read"))?;
    Ok(Part {
        table,
        def,
        created,
        rows: entry(bytes, last)?,
    })
}

fn entry(bytes: &mut Bytes, last: &mut Last) -> Result<DataEntry, Damaged> {
    let rows = bytes.try_get_u64_le().map_err(short)?;
    let precision = u8(bytes)?;
    let schema = match flag(bytes)? {
        false => None,
        true => Some(last.schema(take(bytes)?)?),
    };
    let table = match flag(bytes)? {
        false => None,
        true => Some(text(bytes)?),
    };
    Ok(DataEntry {
        block: take(bytes)?,
        rows,
        precision,
        schema,
        table,
    })
}

fn column(bytes: &mut Bytes) -> Result<EntryColumn, Damaged> {
    Ok(EntryColumn {
        ty: u8(bytes)?,
        flags: u8(bytes)?,
        bytes: i32(bytes)?,
        id: i32(bytes)?,
        name: text(bytes)?,
    })
}

fn length(length: usize) -> u32 {
    // SQLite holds no value of 4 GiB
    u32::try_from(length).unwrap_or(u32::MAX)
}

fn binary(out: &mut Vec<u8>, bytes: &[u8]) {
    out.put_u32_le(length(bytes.len()));
    out.put_slice(bytes);
}

fn short(_: bytes::TryGetError) -> Damaged {
    Damaged("it ends too early")
}

fn u8(bytes: &mut Bytes) -> Result<u8, Damaged> {
    bytes.try_get_u8().map_err(short)
}

fn i32(bytes: &mut Bytes) -> Result<i32, Damaged> {
    bytes.try_get_i32_le().map_err(short)
}

fn flag(bytes: &mut Bytes) -> Result<bool, Damaged> {
    match u8(bytes)? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Damaged("a mark is neither 0 nor 1")),
    }
}

fn take(bytes: &mut Bytes) -> Result<Bytes, Damaged> {
    let length = bytes.try_get_u32_le().map_err(short)?;
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if length > bytes.remaining() {
        return Err(Damaged("it ends too early"));
    }
    Ok(bytes.split_to(length))
}

fn text(bytes: &mut Bytes) -> Result<String, Damaged> {
    let bytes = take(bytes)?;
    std::str::from_utf8(&bytes)
        .map(str::to_owned)
        .map_err(|_| Damaged("a name is not UTF-8"))
}
