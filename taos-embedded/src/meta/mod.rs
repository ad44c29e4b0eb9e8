//! Messages that create, change and drop tables or delete rows, as topics carry them (tmq-raw §4): what
//! they say, without doing it. The layouts are those of the messages that 16-tmq-db-meta recorded; changes
//! that it has no example of have the fields that the engine's release 3.3.7 gives them.

mod batch;
mod decode;
mod encode;
mod out;
mod tags;
#[cfg(test)]
mod tests;
mod wire;

use bytes::Bytes;

pub(crate) use decode::{decode, decode_batch, decode_new_table};
pub(crate) use tags::{Key, TagValue, Tags};
pub(crate) use wire::Bad;

/// Several messages in one.
pub(crate) const BATCH: u16 = 5;
const CREATE_TABLES: u16 = 515;
const ALTER_TABLE: u16 = 517;
const DROP_TABLES: u16 = 519;
const CREATE_SUPER: u16 = 531;
const ALTER_SUPER: u16 = 533;
const DROP_SUPER: u16 = 535;
const DELETE: u16 = 579;

/// True for the types that [`decode`] knows.
pub(crate) const fn is_meta(raw_type: u16) -> bool {
    matches!(
        raw_type,
        CREATE_TABLES
            | ALTER_TABLE
            | DROP_TABLES
            | CREATE_SUPER
            | ALTER_SUPER
            | DROP_SUPER
            | DELETE
    )
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Meta {
    CreateSuper(SuperTable),
    /// The table as it is afterwards, and what was changed.
    AlterSuper(SuperTable),
    DropSuper {
        name: String,
        uid: i64,
    },
    CreateTables {
        tables: Vec<NewTable>,
        source: u8,
    },
    AlterTable(Alter),
    DropTables(Vec<DroppedTable>),
    Delete(Deletion),
}

impl Meta {
    /// Says who made the change: 1 for a replay, where the message has a place for it (tmq-raw §4).
    pub(crate) fn set_source(&mut self, by: u8) {
        match self {
            Self::CreateSuper(table) | Self::AlterSuper(table) => table.source = by,
            Self::CreateTables { source, .. } => *source = by,
            Self::AlterTable(alter) => alter.source = by,
            Self::Delete(rows) => rows.source = by,
            Self::DropSuper { .. } | Self::DropTables(_) => {}
        }
    }
}

/// A column or tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) ty: u8,
    /// As tmq-raw §2.2 lists them.
    pub(crate) flags: u8,
    /// Width as it is stored: two bytes more than a VARCHAR's length, four a character for NCHAR.
    pub(crate) bytes: i32,
    /// Columns and tags of a table are counted together, from 1.
    pub(crate) id: i32,
    pub(crate) name: String,
}

/// The columns or the tags of a table.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Schema {
    pub(crate) version: i32,
    pub(crate) columns: Vec<Column>,
}

/// How columns are packed: encode in the highest byte, compress in the two in the middle, level in the
/// lowest.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Compression {
    pub(crate) version: i32,
    /// By the number of the column.
    pub(crate) columns: Vec<(i32, u32)>,
}

/// A super table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SuperTable {
    pub(crate) name: String,
    pub(crate) uid: i64,
    pub(crate) columns: Schema,
    pub(crate) tags: Schema,
    pub(crate) change: Option<SuperChange>,
    pub(crate) source: u8,
    pub(crate) is_compressed: u8,
    pub(crate) compression: Compression,
    /// Minutes; -1 if not its own.
    pub(crate) keep: i64,
    /// For each column 0, or the digits of a decimal and behind them, in the lowest byte, those behind
    /// the point.
    pub(crate) digits: Option<Vec<i32>>,
}

/// What ALTER TABLE asked of a super table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SuperChange {
    /// With account and database in front.
    pub(crate) full_name: String,
    /// A number of tmq-raw §6.3.
    pub(crate) kind: u8,
    /// The columns or tags named; of a renaming the old name and the new.
    pub(crate) fields: Vec<ChangedField>,
    /// Options and the text of the statement.
    pub(crate) rest: Bytes,
}

/// A column or tag in a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChangedField {
    pub(crate) ty: u8,
    pub(crate) bytes: i32,
    pub(crate) name: String,
    /// Only where a column is added with it.
    pub(crate) compression: Option<u32>,
}

/// A table to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewTable {
    pub(crate) flags: i32,
    pub(crate) name: String,
    pub(crate) uid: i64,
    /// Milliseconds since 1970.
    pub(crate) created: i64,
    /// Days.
    pub(crate) ttl: i32,
    pub(crate) comment: Option<String>,
    pub(crate) kind: NewKind,
    pub(crate) sql: Bytes,
}

/// What kind of table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NewKind {
    Child {
        stable: String,
        /// Tags that the super table has.
        tag_count: u8,
        super_uid: i64,
        tags: Tags,
        /// The names of the tags that were given values.
        names: Vec<String>,
    },
    Normal {
        columns: Schema,
        compression: Compression,
        /// As of [`SuperTable`].
        digits: Option<Vec<i32>>,
    },
}

/// A change of a normal table or of a subtable's tags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Alter {
    pub(crate) table: String,
    pub(crate) action: Action,
    pub(crate) column_id: i32,
    /// Milliseconds since 1970.
    pub(crate) changed: i64,
    pub(crate) source: u8,
    /// The numbers of the table and of what has its columns, as [`Part`](crate::tmq::Part) has them. No
    /// message tells them, only the log.
    pub(crate) ids: (i64, i64),
}

/// What is changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    AddColumn {
        name: String,
        ty: u8,
        flags: u8,
        bytes: i32,
        compression: Option<u32>,
        /// As of [`SuperTable`], 0 for no decimal.
        digits: i32,
    },
    DropColumn(String),
    Widen {
        name: String,
        ty: u8,
        bytes: i32,
    },
    Rename(String, String),
    SetTag(TagSetting),
    SetTags(Vec<TagSetting>),
    Options {
        ttl: Option<i32>,
        comment: Option<String>,
    },
    Compress(String, u32),
}

/// A tag's new value; `None` is NULL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TagSetting {
    /// The number of the tag where several are set, else 0.
    pub(crate) id: i32,
    pub(crate) name: String,
    pub(crate) ty: u8,
    pub(crate) value: Option<Bytes>,
}

/// A subtable or normal table that is dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DroppedTable {
    pub(crate) name: String,
    pub(crate) super_uid: i64,
    pub(crate) uid: i64,
    pub(crate) if_exists: u8,
}

/// Rows that were deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Deletion {
    pub(crate) super_uid: i64,
    pub(crate) uids: Vec<i64>,
    /// The first and the last time that is deleted.
    pub(crate) range: (i64, i64),
    pub(crate) affected: i64,
    pub(crate) table: String,
    pub(crate) time_column: String,
    /// Milliseconds since 1970.
    pub(crate) changed: i64,
    pub(crate) source: u8,
}

/// Reads a message whose type the first two bytes tell, for the fuzz target and its corpus: it is refused,
/// or what was read is written as bytes that mean the same.
pub fn fuzz_topic_message(data: &[u8]) {
    let Some((raw_type, raw)) = data.split_first_chunk::<2>() else {
        return;
    };
    let raw = Bytes::copy_from_slice(raw);
    let metas = match u16::from_le_bytes(*raw_type) {
        BATCH => decode_batch(&raw).unwrap_or_default(),
        4 => {
            if let Ok(table) = decode_new_table(&raw) {
                let again = table.encode().map(|bytes| decode_new_table(&bytes));
                assert_eq!(again, Some(Ok(table)));
            }
            Vec::new()
        }
        raw_type => decode(raw_type, &raw).into_iter().collect(),
    };
    for meta in metas {
        let again = meta.encode(1).map(|bytes| decode(meta.raw_type(), &bytes));
        assert_eq!(again, Some(Ok(meta)));
    }
}
