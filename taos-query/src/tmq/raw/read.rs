use std::sync::Arc;

use bytes::Bytes;

use super::cursor::Cursor;
use super::{DATA, DATA_AND_TABLES, DataEntry, EntrySchema, FORMAT, PREFIX, Place, bad};
use crate::common::Ty;
use crate::error::RawResult;
use crate::{ErrorKind, RawBlock, RawError};

/// Bits of an offset's kind: what it is, and the version of its encoding.
const KIND: u8 = 0x0f;

/// The entries of a data message, one after another.
#[derive(Debug)]
pub struct DataReader {
    raw: Bytes,
    raw_type: u16,
    at: usize,
    begin: Place,
    end: Place,
    left: usize,
    named: bool,
    described: bool,
    last: Option<Arc<EntrySchema>>,
}

impl DataReader {
    /// Reads the head of a message of raw type 2 or 4.
    ///
    /// # Errors
    /// Kind [`Unsupported`](ErrorKind::Unsupported) for other raw types, else
    /// [`Protocol`](ErrorKind::Protocol): what does not fit the layout.
    pub fn open(raw_type: u16, raw: Bytes) -> RawResult<Self> {
        if raw_type != DATA && raw_type != DATA_AND_TABLES {
            return Err(RawError::of(
                ErrorKind::Unsupported,
                format!(
                    "the rows of a raw message of type {raw_type} cannot be read, only those of {DATA} and \
                     {DATA_AND_TABLES}; it can be written into another database as it is"
                ),
            ));
        }
        let mut cursor = Cursor::new(&raw, 0);
        let (begin, end) = head(&raw, &mut cursor)?;
        let left = cursor.count("entries")?;
        let [named, described] = match left {
            0 => [0, 0],
            _ => cursor.array()?,
        };
        Ok(Self {
            raw_type,
            at: cursor.at(),
            begin,
            end,
            left,
            named: named != 0,
            described: described != 0,
            last: None,
            raw,
        })
    }

    /// Takes over a description that an earlier message had, which saves reading it again.
    #[must_use]
    pub fn with_schema(mut self, schema: Option<Arc<EntrySchema>>) -> Self {
        self.last = schema;
        self
    }

    /// The description of the entry that was read last.
    pub const fn schema(&self) -> Option<&Arc<EntrySchema>> {
        self.last.as_ref()
    }

    /// Where the poll began to read.
    pub const fn begin(&self) -> &Place {
        &self.begin
    }

    /// Where the next poll goes on: what a commit of this message writes down.
    pub const fn end(&self) -> &Place {
        &self.end
    }

    /// Number of entries that the message says it has left.
    pub const fn left(&self) -> usize {
        self.left
    }

    /// No more entries than the bytes leave room for.
    pub(super) fn blocks_at_most(&self) -> usize {
        self.left
            .min(self.raw.len().saturating_sub(self.at) / PREFIX)
    }

    /// The next entry; `None` at the end, and after an error.
    ///
    /// # Errors
    /// What does not fit the layout.
    pub fn next_entry(&mut self) -> RawResult<Option<DataEntry>> {
        if self.left == 0 {
            return Ok(None);
        }
        let entry = self.entry();
        // What stands behind a broken entry cannot be found.
        self.left = if entry.is_ok() { self.left - 1 } else { 0 };
        entry.map(Some)
    }

    /// The next entry's rows, opened, with names of columns and table; `None` at the end.
    ///
    /// # Errors
    /// What does not fit the layout.
    pub fn next_block(&mut self) -> RawResult<Option<RawBlock>> {
        self.next_entry()?.map(DataEntry::into_block).transpose()
    }

    fn entry(&mut self) -> RawResult<DataEntry> {
        let mut cursor = Cursor::new(&self.raw, self.at);
        let length = cursor.varint()?;
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let start = cursor.at();
        let mut part = Cursor::new(cursor.take(length)?, 0);
        let version = part.i64()?;
        if version != 1 {
            return Err(bad(format!(
                "version {version} of the entry at offset {start} is unknown"
            )));
        }
        let rows = i64::from_be_bytes(part.array()?);
        let rows = u64::try_from(rows)
            .map_err(|_| bad(format!("the entry at offset {start} has {rows} rows")))?;
        let [compressed, precision] = part.array()?;
        if compressed != 0 {
            return Err(bad(format!("the entry at offset {start} is compressed")));
        }
        if self.described {
            self.last = Some(EntrySchema::read(&mut cursor, self.last.as_ref())?);
        }
        let table = if self.named {
            Some(cursor.text()?.to_owned())
        } else {
            None
        };
        self.at = cursor.at();
        Ok(DataEntry {
            block: self.raw.slice(start + PREFIX..start + length),
            rows,
            precision,
            schema: self.last.as_ref().filter(|_| self.described).cloned(),
            table,
        })
    }

    /// The requests that create tables, of a message of type 4; entries not read yet are passed over.
    ///
    /// # Errors
    /// What does not fit the layout.
    pub fn creates(mut self) -> RawResult<Vec<Bytes>> {
        while self.next_entry()?.is_some() {}
        let mut cursor = Cursor::new(&self.raw, self.at);
        if self.raw_type != DATA_AND_TABLES || cursor.rest().is_empty() {
            return Ok(Vec::new());
        }
        let count = cursor.count("requests")?;
        let mut creates = Vec::with_capacity(count.min(cursor.rest().len()));
        for _ in 0..count {
            let len = cursor.binary()?.len();
            creates.push(self.raw.slice(cursor.at() - len..cursor.at()));
        }
        Ok(creates)
    }
}

/// The two offsets in front (tmq-raw §2.1), or the older head (§2.4).
fn head(raw: &Bytes, cursor: &mut Cursor<'_>) -> RawResult<(Place, Place)> {
    let format = cursor.u8()?;
    if format < FORMAT {
        return Ok((
            old_place(raw, cursor, format)?,
            cursor.u8().and_then(|kind| old_place(raw, cursor, kind))?,
        ));
    }
    let len = cursor.count("bytes of head")?;
    let start = cursor.at();
    cursor.take(len)?;
    // Rows can be read without their place: what is not known here is none.
    let head = raw.slice(start..start + len);
    let mut cursor = Cursor::new(&head, 0);
    let begin = place(&head, &mut cursor).ok().flatten();
    let end = begin
        .as_ref()
        .and_then(|_| place(&head, &mut cursor).ok().flatten());
    Ok((begin.unwrap_or(Place::None), end.unwrap_or(Place::None)))
}

fn place(head: &Bytes, cursor: &mut Cursor<'_>) -> RawResult<Option<Place>> {
    let kind = cursor.u8()?;
    Ok(match kind.cast_signed() {
        -3 => Some(Place::None),
        -2 => Some(Place::Earliest),
        -1 => Some(Place::Latest),
        1.. if kind & KIND == 1 => Some(Place::Log(cursor.i64()?)),
        1.. if matches!(kind & KIND, 2 | 3) => {
            let start = cursor.at();
            cursor.take(16)?;
            if kind > KIND {
                let key = cursor.u8()?;
                if Ty::from_u8_option(key).is_some_and(Ty::is_var_type) {
                    cursor.binary()?;
                } else {
                    cursor.take(8)?;
                }
            }
            Some(Place::Snapshot(kind, head.slice(start..cursor.at())))
        }
        _ => None,
    })
}

fn old_place(raw: &Bytes, cursor: &mut Cursor<'_>, kind: u8) -> RawResult<Place> {
    match kind {
        1 => cursor.i64().map(Place::Log),
        2 | 3 => {
            let start = cursor.at();
            cursor.take(16)?;
            Ok(Place::Snapshot(kind, raw.slice(start..cursor.at())))
        }
        other => Err(bad(format!(
            "its first byte is {other}: neither a format of {FORMAT} or more nor the kind of an offset"
        ))),
    }
}
