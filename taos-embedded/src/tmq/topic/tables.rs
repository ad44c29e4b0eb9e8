//! What a page must know of the tables whose rows it carries.

use std::collections::HashMap;

use rusqlite::types::Value;

use crate::catalog::{Database, Entry, TableDef};
use crate::sql::SqlError;
use crate::store::Store;

/// A table as it is now.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Known {
    pub(super) name: String,
    /// In the order of the super table's tags; empty if nobody asks for them.
    pub(super) tags: Vec<Value>,
}

/// By their numbers.
pub(super) type Tables = HashMap<i64, Known>;

/// The number of a subtable or normal table that a database has.
pub(super) fn number(database: &Database, name: &str) -> Option<i64> {
    match database.tables.get(name)? {
        Entry::Normal(def) => Some(def.id),
        Entry::Child(child) => Some(child.id),
    }
}

/// Reads names and tags of subtables; those that are gone are left out.
pub(super) fn with_tags<'i>(
    store: &Store,
    def: &TableDef,
    ids: impl Iterator<Item = &'i i64>,
) -> Result<Tables, SqlError> {
    let mut sql = "SELECT tbl, name".to_owned();
    for tag in &*def.tags {
        sql.push_str(&format!(", g{}", tag.id));
    }
    sql.push_str(&format!(
        " FROM t{} WHERE tbl IN (SELECT value FROM json_each(?1))",
        def.id
    ));
    let list = serde_json::Value::from(ids.copied().collect::<Vec<_>>()).to_string();
    let width = def.tags.len();
    store.read(move |connection| {
        let mut statement = connection.prepare_cached(&sql)?;
        let mut rows = statement.query([list])?;
        let mut tables = Tables::new();
        while let Some(row) = rows.next()? {
            let tags: rusqlite::Result<Vec<Value>> = (0..width).map(|at| row.get(at + 2)).collect();
            let known = Known {
                name: row.get(1)?,
                tags: tags?,
            };
            tables.insert(row.get(0)?, known);
        }
        Ok(tables)
    })
}
