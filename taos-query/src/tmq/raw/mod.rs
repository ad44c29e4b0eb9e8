//! Data messages of topics, both directions (tmq-raw §1, §2).
//!
//! [`DataReader`] hands out one entry after another and looks at nothing before it is asked for;
//! [`DataMessage`] holds a whole message. Blocks are parts of the message's own bytes.

mod cursor;
mod fuzz;
mod read;
mod schema;
mod write;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use bytes::Bytes;

use crate::common::Precision;
use crate::error::RawResult;
use crate::{ErrorKind, RawBlock, RawError};

#[doc(hidden)]
pub use fuzz::fuzz_data_message;
pub use read::DataReader;
pub use schema::{EntryColumn, EntrySchema};

/// Raw type of messages of rows (tmq-raw §4).
pub const DATA: u16 = 2;
/// Raw type of messages of rows and of requests to create tables for them (tmq-raw §4).
pub const DATA_AND_TABLES: u16 = 4;

/// Bytes in front of the block in an entry (tmq-raw §2.2).
const PREFIX: usize = 18;
/// The format that is written; lower numbers are the kind of an offset (tmq-raw §2.4).
const FORMAT: u8 = 100;

/// A place in what a topic is read from (tmq-raw §2.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// No place, or one of a kind that is not known.
    None,
    /// The oldest that there is.
    Earliest,
    /// Behind the newest.
    Latest,
    /// A version of the log.
    Log(i64),
    /// A place in a snapshot: the byte of its kind, and the bytes behind it as they are.
    Snapshot(u8, Bytes),
}

impl Place {
    /// The version of the log, if it is one.
    pub const fn version(&self) -> Option<i64> {
        match self {
            Self::Log(version) => Some(*version),
            _ => None,
        }
    }
}

/// Rows of one table (tmq-raw §2.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataEntry {
    /// The raw block.
    pub block: Bytes,
    /// Number of rows.
    pub rows: u64,
    /// Unit of the times: 0 ms, 1 µs, 2 ns.
    pub precision: u8,
    /// The columns, shared by neighbours of one description; `None` if the message has none.
    pub schema: Option<Arc<EntrySchema>>,
    /// The table, without its database; `None` if the message has no names.
    pub table: Option<String>,
}

/// A data message: raw types 2 and 4.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataMessage {
    /// Where the poll began to read.
    pub begin: Place,
    /// Where the next poll goes on: what a commit of this message writes down.
    pub end: Place,
    /// The rows.
    pub entries: Vec<DataEntry>,
    /// Raw type 4: the requests that create tables, opaque.
    pub creates: Vec<Bytes>,
}

impl DataMessage {
    /// Reads a message of raw type 2 or 4. The blocks share the bytes of `raw`.
    ///
    /// # Errors
    /// Kind [`Unsupported`](ErrorKind::Unsupported) for other raw types, else
    /// [`Protocol`](ErrorKind::Protocol): what does not fit the layout, and where.
    pub fn decode(raw_type: u16, raw: &Bytes) -> RawResult<Self> {
        let mut reader = DataReader::open(raw_type, raw.clone())?;
        let mut entries = Vec::with_capacity(reader.blocks_at_most());
        while let Some(entry) = reader.next_entry()? {
            entries.push(entry);
        }
        let (begin, end) = (reader.begin().clone(), reader.end().clone());
        Ok(Self {
            begin,
            end,
            entries,
            creates: reader.creates()?,
        })
    }

    /// The bytes of the message; `raw_type` 2 or 4. Names and descriptions are written if any entry has
    /// them, and the pause that type 2 ends with is none.
    pub fn encode(&self, raw_type: u16) -> Bytes {
        write::message(self, raw_type)
    }
}

impl DataEntry {
    /// The rows, opened, with names of columns and table.
    ///
    /// # Errors
    /// What does not fit the layout of a block, or the description of its columns.
    pub fn open(&self) -> RawResult<RawBlock> {
        self.clone().into_block()
    }

    /// As [`open`](Self::open), without a copy of the table's name.
    ///
    /// # Errors
    /// As `open`.
    pub fn into_block(self) -> RawResult<RawBlock> {
        let precision = Precision::from_u8_option(self.precision).ok_or_else(|| {
            bad(format!(
                "{} is no unit of times, those are 0, 1 and 2",
                self.precision
            ))
        })?;
        let fields = self.schema.map(|schema| Arc::clone(schema.fields()));
        RawBlock::parse_entry(self.block, precision, fields, self.table)
    }

    /// The type ids of the block's columns, without a look at its rows.
    ///
    /// # Errors
    /// The block is too short for its head.
    pub fn column_types(&self) -> RawResult<impl Iterator<Item = u8>> {
        RawBlock::types_of(&self.block)
            .ok_or_else(|| bad("a block is too short for its head".to_owned()))
    }

    /// Appends the entry as a message carries it, schema and name included.
    pub fn encode(&self, out: &mut Vec<u8>) {
        write::entry(self, self.schema.is_some(), self.table.is_some(), out);
    }
}

fn bad(what: String) -> RawError {
    RawError::of(
        ErrorKind::Protocol,
        format!("malformed data message: {what}"),
    )
}
