//! What the planner must know of the catalog: plain data, filled by the catalog.

use std::sync::Arc;

use taos_query::common::{Precision, Ty};

use crate::sql::SqlError;

/// A column or tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ColumnInfo {
    /// Its name.
    pub name: String,
    /// Its stable number: `c{id}` in a data table, `g{id}` in a table of tags. The time column is
    /// called `ts` there and its number is not used.
    pub id: u32,
    /// Its type.
    pub ty: Ty,
    /// Declared length: bytes, for NCHAR characters; the type's width if it is fixed.
    pub length: u32,
    /// Digits of a decimal, else 0.
    pub precision: u8,
    /// Digits of a decimal behind the point, else 0.
    pub scale: u8,
    /// Part of the key beside the time.
    pub composite_key: bool,
}

/// What a table is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TableKind {
    /// A table of its own.
    Normal,
    /// A super table.
    Super,
    /// A subtable, whose rows and tags lie in its super table's two tables.
    Child {
        /// The number of the super table.
        super_id: i64,
        /// The super table's name.
        super_name: String,
    },
}

/// A table as a query sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TableInfo {
    /// Its number; for a subtable the value of `tbl`.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// Its database.
    pub db: String,
    /// The unit of its times.
    pub precision: Precision,
    /// What it is.
    pub kind: TableKind,
    /// The columns, the time column first.
    pub columns: Arc<[ColumnInfo]>,
    /// The tags; empty for a normal table.
    pub tags: Arc<[ColumnInfo]>,
}

impl TableInfo {
    /// The number S of `d{S}` and `t{S}`.
    pub(crate) fn storage_id(&self) -> i64 {
        match self.kind {
            TableKind::Child { super_id, .. } => super_id,
            TableKind::Normal | TableKind::Super => self.id,
        }
    }
}

/// A table that the catalog computes.
#[derive(Debug, Clone, Default)]
pub(crate) struct SystemTable {
    /// The columns.
    pub columns: Vec<ColumnInfo>,
    /// The rows, in the stored forms of the columns' types.
    pub rows: Vec<Vec<rusqlite::types::Value>>,
}

/// The planner's view of the catalog.
pub(crate) trait Schema {
    /// The unit of a database's times, if the database exists.
    fn database(&self, name: &str) -> Result<Option<Precision>, SqlError>;

    /// A table of an existing database. System databases are asked with `system_table`.
    fn table(&self, db: &str, name: &str) -> Result<Option<TableInfo>, SqlError>;

    /// A table of `information_schema` or `performance_schema`.
    fn system_table(&self, db: &str, name: &str) -> Result<Option<SystemTable>, SqlError>;
}
