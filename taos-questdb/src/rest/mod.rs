//! Results of `/exec`, read while they arrive, without I/O (questdb §10.1).

mod cell;
mod scan;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;

use serde::Deserialize;
use taos_query::block::BlockWriter;
use taos_query::common::{Field, Precision};
use taos_query::{ErrorKind, RawBlock, RawError, RawResult};

use crate::types::{Kind, precision_of};
use scan::Scan;

/// Rows of a block.
const BLOCK_ROWS: usize = 4096;
/// A block is closed once its rows took this many bytes of JSON.
const BLOCK_BYTES: usize = 4 << 20;
/// The longest row, and the longest member beside the rows, in bytes.
const LONGEST_VALUE: usize = 64 << 20;

/// What the server says before the rows.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) fields: Arc<[Field]>,
    /// The unit of all times.
    pub(crate) precision: Precision,
    kinds: Vec<Kind>,
}

/// A document that arrives in pieces. Blocks are ready as soon as their rows are there.
pub(crate) struct Reply {
    place: Place,
    /// What has arrived and is not read yet.
    pending: Vec<u8>,
    scan: Scan,
    longest: usize,
    head: Option<Arc<Head>>,
    rows: Option<Rows>,
    blocks: VecDeque<RawBlock>,
    taken: usize,
    notes: Notes,
}

/// Where in the document the next byte stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Start,
    /// The first key of the object, or its end.
    FirstKey,
    Key,
    Value(Member),
    FirstRow,
    Row,
    AfterRow,
    AfterValue,
    End,
}

/// The members that mean something here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Member {
    Columns,
    Dataset,
    Error,
    Position,
    Ddl,
    Dml,
    Other,
}

/// What stands beside the rows.
#[derive(Debug, Default)]
struct Notes {
    done: bool,
    error: Option<String>,
    position: Option<String>,
}

/// The rows that are not a block yet.
struct Rows {
    head: Arc<Head>,
    writer: BlockWriter,
    bytes: usize,
}

#[derive(Deserialize)]
struct Column {
    name: String,
    #[serde(rename = "type")]
    ty: String,
}

impl Reply {
    pub(crate) fn new() -> Self {
        Self::with_longest(LONGEST_VALUE)
    }

    fn with_longest(longest: usize) -> Self {
        Self {
            place: Place::Start,
            pending: Vec::new(),
            scan: Scan::default(),
            longest,
            head: None,
            rows: None,
            blocks: VecDeque::new(),
            taken: 0,
            notes: Notes::default(),
        }
    }

    /// The columns, once they are known.
    pub(crate) fn head(&self) -> Option<&Arc<Head>> {
        self.head.as_ref()
    }

    /// The next block that is complete.
    pub(crate) fn next_block(&mut self) -> Option<RawBlock> {
        self.blocks.pop_front()
    }

    /// Rows that are not part of a block yet.
    pub(crate) fn rows_waiting(&self) -> usize {
        self.rows.as_ref().map_or(0, |rows| rows.writer.nrows())
    }

    /// Whether a block has been made of the first rows.
    pub(crate) fn has_given(&self) -> bool {
        self.taken > self.rows_waiting()
    }

    /// True at the end of a whole document.
    pub(crate) fn is_complete(&self) -> bool {
        self.place == Place::End
    }

    /// Makes a block of the rows that are there, for one who would otherwise wait for more.
    pub(crate) fn close_block(&mut self) -> RawResult<()> {
        if let Some(block) = self.rows.as_mut().map(Rows::finish).transpose()?.flatten() {
            self.blocks.push_back(block);
        }
        Ok(())
    }

    /// Reads the next piece. After an error nothing more can be read.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> RawResult<()> {
        let mut data = std::mem::take(&mut self.pending);
        data.extend_from_slice(bytes);
        let mut at = 0;
        while let Some(rest) = data.get(at..) {
            match self.step(rest)? {
                Some(len) => at += len,
                None => break,
            }
        }
        data.drain(..at);
        if data.len() > self.longest {
            return Err(RawError::of(
                ErrorKind::Decode,
                format!(
                    "a row of the result is longer than {} bytes; ask for fewer or shorter columns",
                    self.longest
                ),
            ));
        }
        self.pending = data;
        Ok(())
    }

    /// The document has ended.
    pub(crate) fn finish(&mut self) -> RawResult<()> {
        // A number at the very end has no byte behind it that would end it.
        self.feed(b" ")?;
        if self.place != Place::End {
            return Err(RawError::of(
                ErrorKind::Server,
                format!(
                    "the server broke off its answer in the middle, after {} rows: the query failed \
                     while its rows were on their way; the log of the server says why",
                    self.taken
                ),
            ));
        }
        if let Some(error) = self.server_error() {
            return Err(error);
        }
        if self.head.is_none() && !self.notes.done {
            return Err(malformed(
                "an object with none of `columns`, `ddl`, `dml` and `error`",
            ));
        }
        Ok(())
    }

    /// The error that the document carries.
    fn server_error(&mut self) -> Option<RawError> {
        let error = self.notes.error.take()?;
        let kind = if error.starts_with("timeout, ") {
            ErrorKind::Timeout
        } else {
            ErrorKind::Server
        };
        let words = match self.notes.position.take() {
            Some(position) => format!("{error} (at position {position} of the query)"),
            None => error,
        };
        Some(RawError::of(kind, words))
    }

    /// Reads the next thing of the document and gives its length, or `None` if it is not all there.
    fn step(&mut self, data: &[u8]) -> RawResult<Option<usize>> {
        let Some(spaces) = data.iter().position(|byte| !byte.is_ascii_whitespace()) else {
            return Ok(None);
        };
        let (Some(data), Some(first)) = (data.get(spaces..), data.get(spaces).copied()) else {
            return Ok(None);
        };
        let next = match (self.place, first) {
            (Place::Start, b'{') => Place::FirstKey,
            (Place::FirstKey | Place::AfterValue, b'}') => Place::End,
            (Place::FirstKey | Place::Key, b'"') => {
                return Ok(self.key(data)?.map(|len| spaces + len));
            }
            (Place::Value(Member::Dataset), b'[') => {
                self.begin_rows()?;
                Place::FirstRow
            }
            (Place::Value(Member::Dataset), _) => return Err(unexpected(first, "rows")),
            (Place::Value(member), _) => {
                let Some(len) = self.scan.end(data) else {
                    return Ok(None);
                };
                self.scan.clear();
                self.member(member, data.get(..len).unwrap_or_default())?;
                self.place = Place::AfterValue;
                return Ok(Some(spaces + len));
            }
            (Place::FirstRow | Place::Row, b'[') => {
                let Some(len) = self.scan.end(data) else {
                    return Ok(None);
                };
                self.row(data.get(..len).unwrap_or_default())?;
                self.scan.clear();
                self.place = Place::AfterRow;
                return Ok(Some(spaces + len));
            }
            (Place::AfterRow, b',') => Place::Row,
            (Place::FirstRow | Place::AfterRow, b']') => {
                self.close_block()?;
                Place::AfterValue
            }
            (Place::AfterValue, b',') => Place::Key,
            (place, byte) => return Err(unexpected(byte, place.expects())),
        };
        self.place = next;
        Ok(Some(spaces + 1))
    }

    /// `"name":`.
    fn key(&mut self, data: &[u8]) -> RawResult<Option<usize>> {
        let Some(len) = self.scan.end(data) else {
            return Ok(None);
        };
        let behind = data.get(len..).unwrap_or_default();
        let Some(spaces) = behind.iter().position(|byte| !byte.is_ascii_whitespace()) else {
            // Looked at again from its beginning when more has come.
            self.scan.clear();
            return Ok(None);
        };
        match behind.get(spaces) {
            Some(b':') => {}
            byte => return Err(unexpected(byte.copied().unwrap_or_default(), "a colon")),
        }
        self.scan.clear();
        self.place = Place::Value(match data.get(..len).unwrap_or_default() {
            b"\"columns\"" => Member::Columns,
            b"\"dataset\"" => Member::Dataset,
            b"\"error\"" => Member::Error,
            b"\"position\"" => Member::Position,
            b"\"ddl\"" => Member::Ddl,
            b"\"dml\"" => Member::Dml,
            _ => Member::Other,
        });
        Ok(Some(len + spaces + 1))
    }

    fn member(&mut self, member: Member, value: &[u8]) -> RawResult<()> {
        match member {
            Member::Columns => {
                let columns: Vec<Column> = serde_json::from_slice(value)
                    .map_err(|error| malformed(format_args!("columns: {error}")))?;
                self.head = Some(Arc::new(Head::new(&columns)?));
            }
            Member::Error => self.notes.error = Some(text(value)?),
            // A number, or for an empty query a string.
            Member::Position => self.notes.position = Some(text(value)?),
            Member::Ddl | Member::Dml => self.notes.done = true,
            Member::Dataset | Member::Other => {}
        }
        Ok(())
    }

    fn begin_rows(&mut self) -> RawResult<()> {
        let head = self
            .head
            .as_ref()
            .ok_or_else(|| malformed("rows before their columns"))?;
        let columns = head.kinds.iter().map(|kind| kind.builder()).collect();
        self.rows = Some(Rows {
            head: Arc::clone(head),
            writer: BlockWriter::new(columns),
            bytes: 0,
        });
        Ok(())
    }

    fn row(&mut self, row: &[u8]) -> RawResult<()> {
        let Some(rows) = &mut self.rows else {
            return Err(malformed("rows before their columns"));
        };
        rows.push(row, self.scan.commas())
            .map_err(|error| error.context(format!("row {}", self.taken)))?;
        self.taken += 1;
        if rows.writer.nrows() >= BLOCK_ROWS || rows.bytes >= BLOCK_BYTES {
            self.close_block()?;
        }
        Ok(())
    }
}

impl Rows {
    /// `[cell,cell,…]`, whose commas are known.
    fn push(&mut self, row: &[u8], commas: &[usize]) -> RawResult<()> {
        let wrong = |cells: usize| {
            malformed(format_args!(
                "a row of {cells} cells in a result of {} columns",
                self.head.kinds.len()
            ))
        };
        if commas.len() + 1 != self.head.kinds.len() {
            return Err(wrong(commas.len() + 1));
        }
        let ends = commas.iter().copied().chain([row.len() - 1]);
        let mut start = 1;
        let columns = self.head.kinds.iter().zip(self.head.fields.iter());
        for ((end, (kind, field)), out) in ends.zip(columns).zip(self.writer.columns_mut()) {
            let raw = row.get(start..end).unwrap_or_default();
            let target = cell::Target {
                name: field.name(),
                kind: *kind,
                precision: self.head.precision,
            };
            cell::push(target, raw, out)?;
            start = end + 1;
        }
        self.bytes += row.len();
        Ok(())
    }

    fn finish(&mut self) -> RawResult<Option<RawBlock>> {
        if self.writer.nrows() == 0 {
            return Ok(None);
        }
        self.bytes = 0;
        let mut block = self.writer.finish_block(self.head.precision)?;
        block
            .with_fields(Arc::clone(&self.head.fields))?
            .with_timezone(chrono_tz::UTC);
        Ok(Some(block))
    }
}

impl Head {
    fn new(columns: &[Column]) -> RawResult<Self> {
        if columns.is_empty() {
            return Err(malformed("a result without columns"));
        }
        let kinds: Vec<Kind> = columns.iter().map(|c| Kind::of_name(&c.ty)).collect();
        let named = || columns.iter().zip(&kinds);
        if let Some((column, _)) = named().find(|(_, kind)| **kind == Kind::Binary) {
            return Err(cell::binary(&column.name));
        }
        Ok(Self {
            fields: named().map(|(c, kind)| kind.field(&*c.name)).collect(),
            precision: precision_of(kinds.iter().copied()),
            kinds,
        })
    }
}

impl Place {
    const fn expects(self) -> &'static str {
        match self {
            Self::Start => "an object",
            Self::FirstKey | Self::Key => "a key",
            Self::Value(_) => "a value",
            Self::FirstRow | Self::Row => "a row",
            Self::AfterRow | Self::AfterValue => "a comma or a closing bracket",
            Self::End => "nothing more",
        }
    }
}

/// A string, or anything else as it stands.
fn text(value: &[u8]) -> RawResult<String> {
    let value: serde_json::Value =
        serde_json::from_slice(value).map_err(|error| malformed(format_args!("{error}")))?;
    Ok(match value {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    })
}

#[cold]
fn unexpected(byte: u8, instead_of: &str) -> RawError {
    let shown = byte.escape_ascii();
    malformed(format_args!("`{shown}` in place of {instead_of}"))
}

#[cold]
fn malformed(what: impl std::fmt::Display) -> RawError {
    RawError::of(
        ErrorKind::Protocol,
        format!(
            "the server's answer to /exec cannot be read: {what}; is there a QuestDB server at this \
             address?"
        ),
    )
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reply")
            .field("place", &self.place)
            .field("rows", &self.taken)
            .finish_non_exhaustive()
    }
}
