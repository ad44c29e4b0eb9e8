//! The catalog's own tables in the store, and reading them when it is opened.

use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use taos_query::common::Ty;

use super::{Catalog, Child, Database, Entry, Options, TableDef, Tables, Topic, User};
use crate::plan::ColumnInfo;

/// A table's definition as it is stored, in JSON.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Definition {
    columns: Vec<StoredColumn>,
    tags: Vec<StoredColumn>,
    #[serde(default)]
    compression: BTreeMap<u32, [String; 3]>,
    version: u32,
    next_column: u32,
    #[serde(default)]
    comment: Option<String>,
    #[serde(default)]
    ttl: i32,
    #[serde(default)]
    sma: Vec<u32>,
}

#[derive(Debug, Serialize, Deserialize)]
struct StoredColumn {
    name: String,
    id: u32,
    ty: u8,
    length: u32,
    precision: u8,
    scale: u8,
    key: bool,
}

impl From<&ColumnInfo> for StoredColumn {
    fn from(column: &ColumnInfo) -> Self {
        Self {
            name: column.name.clone(),
            id: column.id,
            ty: column.ty as u8,
            length: column.length,
            precision: column.precision,
            scale: column.scale,
            key: column.composite_key,
        }
    }
}

impl StoredColumn {
    fn into_info(self) -> Option<ColumnInfo> {
        Some(ColumnInfo {
            name: self.name,
            id: self.id,
            ty: Ty::from_u8_option(self.ty)?,
            length: self.length,
            precision: self.precision,
            scale: self.scale,
            composite_key: self.key,
        })
    }
}

impl Definition {
    pub(crate) fn json(def: &TableDef) -> Result<String, serde_json::Error> {
        serde_json::to_string(&Self {
            columns: def.columns.iter().map(StoredColumn::from).collect(),
            tags: def.tags.iter().map(StoredColumn::from).collect(),
            compression: def.compression.clone(),
            version: def.version,
            next_column: def.next_column,
            comment: def.comment.clone(),
            ttl: def.ttl,
            sma: def.sma.clone(),
        })
    }

    fn into_def(self, id: i64, name: String, created: i64) -> Option<TableDef> {
        let infos = |columns: Vec<StoredColumn>| -> Option<Arc<[ColumnInfo]>> {
            columns.into_iter().map(StoredColumn::into_info).collect()
        };
        Some(TableDef {
            id,
            name,
            created,
            columns: infos(self.columns)?,
            tags: infos(self.tags)?,
            compression: self.compression,
            version: self.version,
            next_column: self.next_column,
            comment: self.comment,
            ttl: self.ttl,
            sma: self.sma,
        })
    }
}

fn damaged(what: &str) -> rusqlite::Error {
    rusqlite::Error::UserFunctionError(format!("the catalog is damaged: {what}").into())
}

/// Reads the whole catalog.
pub(crate) fn load(connection: &Connection) -> rusqlite::Result<Catalog> {
    let mut catalog = Catalog::default();
    let mut names = BTreeMap::new();
    let mut statement = connection.prepare("SELECT id, name, created, options, vgroup FROM db")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (id, name): (i64, String) = (row.get(0)?, row.get(1)?);
        let options: String = row.get(3)?;
        names.insert(id, name.clone());
        let database = Database {
            id,
            name: name.clone(),
            created: row.get(2)?,
            options: serde_json::from_str::<Options>(&options)
                .map_err(|_| damaged("options of a database"))?,
            first_vgroup: row.get(4)?,
            stables: BTreeMap::new(),
            tables: Tables::default(),
        };
        catalog.databases.insert(name, Arc::new(database));
    }
    let mut statement = connection.prepare("SELECT id, db, name, created, definition FROM tbl")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let name: String = row.get(2)?;
        let definition: String = row.get(4)?;
        let def = serde_json::from_str::<Definition>(&definition)
            .ok()
            .and_then(|d| d.into_def(row.get(0).ok()?, name.clone(), row.get(3).ok()?))
            .ok_or_else(|| damaged("definition of a table"))?;
        let database = names
            .get(&row.get::<_, i64>(1)?)
            .and_then(|name| catalog.databases.get_mut(name))
            .map(Arc::make_mut)
            .ok_or_else(|| damaged("table without a database"))?;
        if def.is_super() {
            load_children(connection, &def, database)?;
            database.stables.insert(name, Arc::new(def));
        } else {
            database.tables.insert(name, Entry::Normal(Arc::new(def)));
        }
    }
    load_users(connection, &mut catalog)?;
    load_topics(connection, &mut catalog)?;
    Ok(catalog)
}

fn load_children(
    connection: &Connection,
    def: &TableDef,
    database: &mut Database,
) -> rusqlite::Result<()> {
    let sql = format!("SELECT tbl, name, created, comment, ttl FROM t{}", def.id);
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let name: String = row.get(1)?;
        let child = Child {
            id: row.get(0)?,
            name: name.clone(),
            stable: def.name.clone(),
            created: row.get(2)?,
            comment: row.get(3)?,
            ttl: row.get(4)?,
        };
        database.tables.insert(name, Entry::Child(Arc::new(child)));
    }
    Ok(())
}

fn load_users(connection: &Connection, catalog: &mut Catalog) -> rusqlite::Result<()> {
    let mut statement =
        connection.prepare("SELECT name, salt, hash, administrator, created, rights FROM usr")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let rights: String = row.get(5)?;
        let user = User {
            rights: serde_json::from_str(&rights).map_err(|_| damaged("rights of a user"))?,
            salt: row.get(1)?,
            hash: row.get(2)?,
            administrator: row.get(3)?,
            created: row.get(4)?,
        };
        catalog.users.insert(row.get(0)?, Arc::new(user));
    }
    Ok(())
}

fn load_topics(connection: &Connection, catalog: &mut Catalog) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(
        "SELECT name, db, sql, created, kind, with_meta, id, tbl, columns, def \
         FROM topic",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let columns: Option<String> = row.get(8)?;
        let columns = columns
            .map(|json| serde_json::from_str(&json).map_err(|_| damaged("columns of a topic")))
            .transpose()?
            .unwrap_or_default();
        let topic = Topic {
            id: row.get(6)?,
            table: row.get(7)?,
            def: row.get(9)?,
            columns,
            db: row.get(1)?,
            sql: row.get(2)?,
            created: row.get(3)?,
            kind: row.get(4)?,
            with_meta: row.get(5)?,
        };
        catalog.topics.insert(row.get(0)?, Arc::new(topic));
    }
    Ok(())
}
