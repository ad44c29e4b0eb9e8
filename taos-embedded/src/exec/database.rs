//! CREATE, ALTER and DROP DATABASE.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use super::Exec;
use super::topic::{must_be_dropped, no_log};
use crate::catalog::{Database, Entry, Options, Tables, is_system_database};
use crate::sql::SqlError;
use crate::sql::ast::{AlterDatabase, CreateDatabase, DropDatabase};
use crate::store::{Write, internal};

/// Longest name in bytes.
const DATABASE_NAME: usize = 64;
const EXISTS: u32 = 0x0381;
const SYSTEM: u32 = 0x0200;

impl Exec<'_> {
    pub(super) fn create_database(&self, create: &CreateDatabase) -> Result<u64, SqlError> {
        let name = create.name.name.clone();
        if is_system_database(&name) {
            return Err(SqlError::new(
                SYSTEM,
                format!("Cannot create system database: `{name}`"),
            ));
        }
        if name.is_empty() || name.len() > DATABASE_NAME || name.contains('.') {
            return Err(SqlError::new(
                crate::sql::code::INVALID_NAME,
                format!("Invalid identifier name: {name}"),
            ));
        }
        let options = Options::default().with(&create.options, false, self.sql)?;
        let if_not_exists = create.if_not_exists;
        let created = self.now / 1_000_000;
        self.store().write(move |write| {
            if write.catalog().databases.contains_key(&name) {
                if if_not_exists {
                    return Ok(0);
                }
                return Err(SqlError::new(EXISTS, "Database already exists"));
            }
            let id = write.new_id();
            let vgroups = i32::try_from(options.number("vgroups")).map_err(internal)?;
            let first_vgroup = write.new_vgroups(vgroups.max(1))?;
            write.execute(
                "INSERT INTO db (id, name, created, options, vgroup) VALUES (?1, ?2, ?3, ?4, ?5)",
                (id, &name, created, json(&options)?, first_vgroup),
            )?;
            let database = Database {
                id,
                name: name.clone(),
                created,
                options,
                first_vgroup,
                stables: BTreeMap::new(),
                tables: Tables::default(),
            };
            write
                .catalog_mut()
                .databases
                .insert(name, Arc::new(database));
            Ok(0)
        })
    }

    pub(super) fn alter_database(&self, alter: &AlterDatabase) -> Result<u64, SqlError> {
        let name = alter.name.name.clone();
        let (changes, sql) = (alter.options.clone(), self.sql.to_owned());
        self.store().write(move |write| {
            let before = &write.catalog().database(&name)?.options;
            let options = before.clone().with(&changes, true, &sql)?;
            let has_topic = write.catalog().topics.values().any(|t| t.db == name);
            if has_topic && options.number("wal_retention_period") == 0 {
                return Err(no_log());
            }
            let database = write.catalog_mut().database_mut(&name)?;
            let id = database.id;
            database.options = options.clone();
            write.execute(
                "UPDATE db SET options = ?2 WHERE id = ?1",
                (id, json(&options)?),
            )?;
            Ok(0)
        })
    }

    pub(super) fn drop_database(&self, drop: &DropDatabase) -> Result<u64, SqlError> {
        let name = drop.name.name.clone();
        if is_system_database(&name) {
            return Err(SqlError::new(
                SYSTEM,
                format!("Cannot drop system database: `{name}`"),
            ));
        }
        let if_exists = drop.if_exists;
        self.store().write(move |write| {
            let database = match write.catalog().databases.get(&name) {
                Some(database) => Arc::clone(database),
                None if if_exists => return Ok(0),
                None => return Err(SqlError::unknown_database()),
            };
            if write.catalog().topics.values().any(|t| t.db == name) {
                return Err(must_be_dropped());
            }
            drop_data(write, &database)?;
            write.catalog_mut().databases.remove(&name);
            Ok(0)
        })
    }
}

fn drop_data(write: &mut Write<'_>, database: &Database) -> Result<(), SqlError> {
    let mut sql = String::new();
    for def in database.stables.values() {
        let _ = write!(sql, "DROP TABLE d{0}; DROP TABLE t{0};", def.id);
    }
    for (_, entry) in database.tables.iter() {
        if let Entry::Normal(def) = entry {
            let _ = write!(sql, "DROP TABLE d{};", def.id);
        }
    }
    write.batch(&sql)?;
    write.drop_logs(database.vgroups())?;
    write.execute("DELETE FROM tbl WHERE db = ?1", [database.id])?;
    write.execute("DELETE FROM db WHERE id = ?1", [database.id])?;
    Ok(())
}

fn json(options: &Options) -> Result<String, SqlError> {
    serde_json::to_string(options).map_err(internal)
}
