//! The catalog as the planner asks for it.

use std::fmt::Write as _;
use std::sync::Arc;

use rusqlite::types::Value;
use taos_query::common::{Precision, Ty};

use super::system::{self, text};
use super::{
    Catalog, Child, Entry, Known, TableDef, is_system_database, system_columns, type_text,
};
use crate::exec::geometry;
use crate::plan::{ColumnInfo, Schema, SystemTable, TableInfo};
use crate::sql::SqlError;
use crate::store::Store;
use crate::tmq::Broker;

/// Not this user's to see.
const DENIED: u32 = 0x2644;

/// One picture of the catalog, with the store that holds the tags and the groups that read topics.
#[derive(Debug, Clone)]
pub(crate) struct View {
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) store: Store,
    pub(crate) broker: Arc<Broker>,
    /// May see the tables about the server itself.
    pub(crate) sysinfo: bool,
}

impl Schema for View {
    fn database(&self, name: &str) -> Result<Option<Precision>, SqlError> {
        if is_system_database(name) {
            return Ok(Some(Precision::Millisecond));
        }
        Ok(self.catalog.databases.get(name).map(|db| db.precision()))
    }

    fn table(&self, db: &str, name: &str) -> Result<Option<TableInfo>, SqlError> {
        let database = self.catalog.database(db)?;
        Ok(database.find(name).map(|found| database.info(&found)))
    }

    fn system_table(&self, db: &str, name: &str) -> Result<Option<SystemTable>, SqlError> {
        let Some(columns) = self.system_columns(db, name)? else {
            return Ok(None);
        };
        let catalog = &*self.catalog;
        let rows = match name {
            "ins_databases" => system::databases(catalog),
            "ins_stables" => system::stables(catalog),
            "ins_tables" => system::tables(catalog),
            "ins_columns" => system::columns(catalog),
            "ins_tags" => self.all_tags()?,
            "ins_topics" => system::topics(catalog),
            "ins_subscriptions" => self.broker.subscriptions(),
            "perf_consumers" => self.broker.consumers(),
            "ins_vgroups" => system::vgroups(catalog),
            "ins_mnodes" => system::mnodes(),
            "ins_users" => system::users(catalog),
            "ins_dnodes" => system::dnodes(catalog),
            "ins_vnodes" => system::vnodes(catalog),
            "ins_cluster" => system::cluster(),
            "ins_user_privileges" => system::privileges(catalog),
            _ => Vec::new(),
        };
        Ok(Some(SystemTable { columns, rows }))
    }
}

/// A subtable's name and the stored forms of its tags.
pub(crate) type TagRow = (String, Vec<Value>);

impl View {
    /// The columns of a system table that the user may see.
    ///
    /// # Errors
    /// 0x0100 for a table that is lacking here, 0x2644 for one about the server that the user may not see.
    pub(crate) fn system_columns(
        &self,
        db: &str,
        name: &str,
    ) -> Result<Option<Vec<ColumnInfo>>, SqlError> {
        match system_columns(db, name) {
            Known::Columns(_, true) if !self.sysinfo => Err(SqlError::new(
                DENIED,
                "Permission denied or target object not exist",
            )),
            Known::Columns(columns, _) => Ok(Some(columns)),
            Known::Lacking => Err(SqlError::unsupported(format!("system table {db}.{name}"))),
            Known::Unknown => Ok(None),
        }
    }

    /// The tags of a super table's subtables, or of one of them.
    pub(crate) fn tag_rows(
        &self,
        def: &TableDef,
        child: Option<&Child>,
    ) -> Result<Vec<TagRow>, SqlError> {
        let mut sql = "SELECT name".to_owned();
        for tag in &*def.tags {
            let _ = write!(sql, ", g{}", tag.id);
        }
        let _ = write!(sql, " FROM t{}", def.id);
        if let Some(child) = child {
            let _ = write!(sql, " WHERE tbl = {}", child.id);
        }
        let width = def.tags.len();
        self.store.read(move |connection| {
            let mut statement = connection.prepare(&sql)?;
            let mut rows = statement.query([])?;
            let mut all = Vec::new();
            while let Some(row) = rows.next()? {
                let tags: rusqlite::Result<Vec<Value>> = (1..=width).map(|i| row.get(i)).collect();
                all.push((row.get(0)?, tags?));
            }
            Ok(all)
        })
    }

    /// Rows of SHOW TAGS: one for each subtable and tag.
    pub(crate) fn show_tags(
        &self,
        db: &str,
        def: &TableDef,
        child: Option<&Child>,
    ) -> Result<Vec<Vec<Value>>, SqlError> {
        let mut rows = Vec::new();
        for (name, values) in self.tag_rows(def, child)? {
            for (tag, value) in def.tags.iter().zip(values) {
                let kind = match tag.ty {
                    // a JSON tag's length is that of its four-byte characters
                    Ty::Json => "JSON(16382)".to_owned(),
                    _ => type_text(tag, true),
                };
                rows.push(vec![
                    text(&name),
                    text(db),
                    text(&def.name),
                    text(&tag.name),
                    text(kind),
                    tag_text(tag, &value).map_or(Value::Null, text),
                ]);
            }
        }
        Ok(rows)
    }

    fn all_tags(&self) -> Result<Vec<Vec<Value>>, SqlError> {
        let mut rows = Vec::new();
        for db in self.catalog.databases.values() {
            for def in db.stables.values() {
                let used = db
                    .tables
                    .iter()
                    .any(|(_, e)| matches!(e, Entry::Child(c) if c.stable == def.name));
                if used {
                    rows.extend(self.show_tags(&db.name, def, None)?);
                }
            }
        }
        Ok(rows)
    }
}

/// A tag's value as SHOW TAGS writes it; `None` for NULL.
pub(crate) fn tag_text(tag: &ColumnInfo, value: &Value) -> Option<String> {
    Some(match (tag.ty, value) {
        (_, Value::Null) => return None,
        (Ty::Bool, Value::Integer(v)) => (*v != 0).to_string(),
        (Ty::UBigInt, Value::Integer(v)) => (v.cast_unsigned() ^ (1 << 63)).to_string(),
        (Ty::Float, Value::Real(v)) => format!("{v:.5}"),
        (_, Value::Real(v)) => format!("{v:.9}"),
        (Ty::Geometry, Value::Blob(v)) => geometry::to_text(v)?,
        (_, Value::Integer(v)) => v.to_string(),
        (_, Value::Text(v)) => v.clone(),
        (_, Value::Blob(v)) => {
            let mut out = "\\x".to_owned();
            for byte in v {
                let _ = write!(out, "{byte:02X}");
            }
            out
        }
    })
}
