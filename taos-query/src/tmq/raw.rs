//! Data messages of topics, both directions (tmq-raw §1, §2).

use bytes::Bytes;

use crate::RawBlock;
use crate::error::RawResult;

/// A place in what a topic is read from (tmq-raw §2.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// No place.
    None,
    /// The oldest that there is.
    Earliest,
    /// Behind the newest.
    Latest,
    /// A version of the log.
    Log(i64),
    /// Rows of a snapshot; the bytes behind the kind as they are.
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

/// A column in the description of an entry (tmq-raw §2.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryColumn {
    /// Type id.
    pub ty: u8,
    /// Bits as tmq-raw §2.2 lists them.
    pub flags: u8,
    /// Width as it is stored: two bytes more than a VARCHAR's length, four a character for NCHAR.
    pub bytes: i32,
    /// Number of the column, from 1.
    pub id: i32,
    /// Name.
    pub name: String,
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
    /// The version of the description, and the columns; `None` if the message has none.
    pub schema: Option<(i32, Vec<EntryColumn>)>,
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
    /// What does not fit the layout.
    pub fn decode(raw_type: u16, raw: &Bytes) -> RawResult<Self> {
        let _ = (raw_type, raw);
        Err(crate::RawError::from_string("not there yet"))
    }

    /// The bytes of the message; `raw_type` 2 or 4.
    pub fn encode(&self, raw_type: u16) -> Bytes {
        let _ = raw_type;
        Bytes::new()
    }
}

impl DataEntry {
    /// The rows, opened, with names of columns and table.
    ///
    /// # Errors
    /// What does not fit the layout of a block.
    pub fn open(&self) -> RawResult<RawBlock> {
        Err(crate::RawError::from_string("not there yet"))
    }

    /// Appends the entry as a message carries it, schema and name included.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let _ = out;
    }
}
