//! What writes without SQL are on every backend: checks and forms, nothing that is sent.

use serde_json::value::RawValue;

use crate::block::ColSchema;
use crate::common::{Field, Ty};
use crate::schemaless::{SchemalessProtocol, SmlData};
use crate::tmq::raw::DataReader;
use crate::{Code, ErrorKind, RawBlock, RawError, RawMeta, RawResult};

/// Longest name that a field record holds.
const FIELD_NAME: usize = 64;

/// A column of the table that a block is written to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawField {
    /// The column's name, at most 64 bytes.
    pub name: String,
    /// The type id.
    pub ty: u8,
    /// The storage width, as in the block's schema (raw-block §2).
    pub bytes: u32,
}

/// Schemaless lines or documents in the one text that servers and libraries take.
///
/// # Errors
/// For one of several documents that is not JSON.
pub fn payload(data: &SmlData) -> RawResult<String> {
    match (data.protocol(), data.data().as_slice()) {
        (_, [only]) => Ok(only.clone()),
        (SchemalessProtocol::Json, documents) => joined(documents),
        (_, lines) => Ok(lines.join("\n")),
    }
}

/// Documents, each an object or an array of them, as one array.
fn joined(documents: &[String]) -> RawResult<String> {
    let mut all: Vec<&RawValue> = Vec::new();
    for (at, document) in documents.iter().enumerate() {
        let read = if document.trim_start().starts_with('[') {
            serde_json::from_str::<Vec<&RawValue>>(document).map(|some| all.extend(some))
        } else {
            serde_json::from_str::<&RawValue>(document).map(|one| all.push(one))
        };
        read.map_err(|error| wrong(format!("document {at} is not JSON: {error}")))?;
    }
    serde_json::to_string(&all).map_err(|error| wrong(error.to_string()))
}

/// The table that a block says it belongs to.
///
/// # Errors
/// If it does not say.
pub fn table_of(block: &RawBlock) -> RawResult<&str> {
    block
        .table_name()
        .filter(|name| !name.is_empty())
        .ok_or_else(|| {
            wrong("the block does not say which table it belongs to: call with_table_name first")
        })
}

/// The records of the columns, with the widths of the block's own schema, if its columns have names; without, they
/// go by position.
///
/// # Errors
/// For a name that is empty or too long.
pub fn records(block: &RawBlock) -> RawResult<Option<Vec<RawField>>> {
    if block.field_names().all(str::is_empty) {
        return Ok(None);
    }
    let (schemas, fields) = (block.schemas(), block.fields());
    if schemas.len() != fields.len() {
        return Err(wrong(format!(
            "the block has {} columns, but {} fields were given",
            schemas.len(),
            fields.len()
        )));
    }
    let record = |(at, (schema, field)): (usize, (&ColSchema, &Field))| {
        let name = field.name();
        if name.is_empty() || name.len() > FIELD_NAME {
            return Err(wrong(format!(
                "the name of column {at} has {} bytes; 1 to {FIELD_NAME} are possible",
                name.len()
            )));
        }
        Ok(RawField {
            name: name.to_owned(),
            ty: schema.ty as u8,
            bytes: schema.len,
        })
    };
    let records = schemas.iter().zip(fields).enumerate().map(record);
    records.collect::<RawResult<_>>().map(Some)
}

fn has_blobs(mut types: impl Iterator<Item = Ty>) -> bool {
    types.any(|ty| matches!(ty, Ty::Blob | Ty::MediumBlob))
}

/// Refuses a BLOB in a raw write. Client libraries crash on it, and with them the program or the adapter that they are in
/// (taosadapter-ws §10, native-ffi §7): 3.3.7.5 does, and of no later one is known that it does not. `ends` says what would
/// end.
///
/// # Errors
/// With `blobs`.
pub fn refuse_blobs(blobs: bool, ends: impl FnOnce() -> String) -> RawResult<()> {
    if !blobs {
        return Ok(());
    }
    Err(RawError::of(
        ErrorKind::Unsupported,
        format!(
            "a raw write with a BLOB column could end {}; insert these rows by statements",
            ends()
        ),
    ))
}

/// Whether a block has BLOB columns.
pub fn block_has_blobs(block: &RawBlock) -> bool {
    has_blobs(block.schemas().iter().map(|column| column.ty))
}

/// Whether a raw message brings data with BLOB columns.
///
/// # Errors
/// For a data message that cannot be read.
pub fn message_has_blobs(message: &RawMeta) -> RawResult<bool> {
    // Of the data messages only these two can be looked into (tmq-raw §4).
    if !matches!(message.raw_type(), 2 | 4) {
        return Ok(false);
    }
    let look = || -> RawResult<bool> {
        let mut reader = DataReader::open(message.raw_type(), message.raw().clone())?;
        let mut blobs = false;
        while let Some(entry) = reader.next_entry()? {
            blobs |= has_blobs(entry.column_types()?.filter_map(Ty::from_u8_option));
        }
        Ok(blobs)
    };
    look().map_err(|reason| {
        wrong(format!(
            "the raw message of type {} is no data message: {reason}",
            message.raw_type()
        ))
    })
}

/// The error for an argument.
pub fn wrong(what: impl Into<String>) -> RawError {
    RawError::of(ErrorKind::Config, what.into()).with_code(Code::INVALID_PARA)
}
