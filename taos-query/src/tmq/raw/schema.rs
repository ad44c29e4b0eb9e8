//! The description of an entry's columns (tmq-raw §2.2).

use std::fmt;
use std::sync::Arc;

use super::cursor::Cursor;
use super::{bad, write};
use crate::common::{Field, Ty};
use crate::error::RawResult;

/// Bytes that a column takes at least: type, flags, width, number, and the length of a name.
const SHORTEST_COLUMN: usize = 5;
/// The length that a server gives for BLOB columns, whose widths in descriptions mean nothing (raw-block §2).
const BLOB_LENGTH: u32 = 4_194_304;

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

impl EntryColumn {
    fn read(cursor: &mut Cursor<'_>) -> RawResult<Self> {
        let [ty, flags] = cursor.array()?;
        Ok(Self {
            ty,
            flags,
            bytes: cursor.zigzag()?,
            id: cursor.zigzag()?,
            name: cursor.text()?.to_owned(),
        })
    }

    fn into_field(self) -> Field {
        let ty = Ty::from_u8_option(self.ty).unwrap_or(Ty::Null);
        let stored = u32::try_from(self.bytes).unwrap_or_default();
        let length = match ty {
            Ty::NChar | Ty::Json => stored.saturating_sub(2) / 4,
            Ty::VarChar | Ty::VarBinary | Ty::Geometry => stored.saturating_sub(2),
            ty if ty.is_blob() => BLOB_LENGTH,
            _ => stored,
        };
        Field::new(self.name, ty, length)
    }
}

/// The columns of an entry. Made once for all neighbours that have the same.
#[derive(Clone)]
pub struct EntrySchema {
    /// As it stands in the message, from the number of columns on.
    raw: Box<[u8]>,
    version: i32,
    fields: Arc<[Field]>,
}

impl EntrySchema {
    /// A description of these columns; `version` counts the changes of the table.
    pub fn new(version: i32, columns: Vec<EntryColumn>) -> Self {
        let mut raw = Vec::new();
        write::schema(version, &columns, &mut raw);
        Self {
            raw: raw.into(),
            version,
            fields: columns.into_iter().map(EntryColumn::into_field).collect(),
        }
    }

    /// The next description, which is `last` if its bytes are the same.
    pub(super) fn read(cursor: &mut Cursor<'_>, last: Option<&Arc<Self>>) -> RawResult<Arc<Self>> {
        let bytes = cursor.rest();
        if let Some(last) = last
            && bytes.starts_with(&last.raw)
        {
            cursor.take(last.raw.len())?;
            return Ok(Arc::clone(last));
        }
        let start = cursor.at();
        let (version, columns) = read(cursor)?;
        let fields = columns.into_iter().map(EntryColumn::into_field).collect();
        let raw = bytes.get(..cursor.at() - start).unwrap_or_default().into();
        Ok(Arc::new(Self {
            raw,
            version,
            fields,
        }))
    }

    /// How often the table was changed, as far as the server tells it.
    pub const fn version(&self) -> i32 {
        self.version
    }

    /// Names, types and lengths, as the reply to `fetch` tells them: characters for NCHAR and JSON, bytes
    /// without the length in front for VARCHAR and its like, and the greatest length there is for BLOB.
    pub const fn fields(&self) -> &Arc<[Field]> {
        &self.fields
    }

    /// The columns with all that the message says of them.
    pub fn columns(&self) -> Vec<EntryColumn> {
        read(&mut Cursor::new(&self.raw, 0)).map_or_else(|_| Vec::new(), |(_, columns)| columns)
    }

    pub(super) fn raw(&self) -> &[u8] {
        &self.raw
    }
}

fn read(cursor: &mut Cursor<'_>) -> RawResult<(i32, Vec<EntryColumn>)> {
    let count = cursor.zigzag()?;
    let version = cursor.zigzag()?;
    let count = usize::try_from(count)
        .ok()
        .filter(|count| *count <= cursor.rest().len() / SHORTEST_COLUMN)
        .ok_or_else(|| {
            bad(format!(
                "a description of {count} columns does not fit behind offset {}",
                cursor.at()
            ))
        })?;
    let columns = (0..count).map(|_| EntryColumn::read(cursor));
    Ok((version, columns.collect::<RawResult<_>>()?))
}

impl PartialEq for EntrySchema {
    fn eq(&self, other: &Self) -> bool {
        self.raw == other.raw
    }
}

impl Eq for EntrySchema {}

impl fmt::Debug for EntrySchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EntrySchema")
            .field("version", &self.version)
            .field("columns", &self.columns())
            .finish()
    }
}
