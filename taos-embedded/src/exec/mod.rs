//! Everything but SELECT: what a statement says is turned into a change or a computed result.

mod alter;
pub(crate) mod bound;
mod changes;
mod database;
pub(crate) mod decimal;
mod delete;
mod describe;
mod explain;
pub(crate) mod geometry;
mod insert;
mod json;
#[cfg(test)]
mod json_meta_tests;
mod likes;
#[cfg(test)]
mod log_replay_tests;
#[cfg(test)]
mod log_tests;
mod meta;
mod options;
mod passwords;
mod rows;
#[cfg(test)]
mod rules_tests;
mod schemaless;
mod select_into;
mod show;
mod table;
mod time;
mod topic;
#[cfg(test)]
mod topic_tests;
mod users;
pub(crate) mod values;

use std::sync::Arc;

use rusqlite::types::Value;
use taos_query::common::{Precision, Ty};

pub(crate) use passwords::{Passwords, enabled};
#[cfg(test)]
pub(crate) use passwords::{old_hash, turn};
pub(crate) use users::{choose_administrator, ensure_administrator, renew, set_administrator};

use crate::catalog::{Catalog, Found, View, is_system_database};
use crate::engine::{Answer, ResultRows};
use crate::plan::{Context, ResultColumn};
use crate::sql::SqlError;
use crate::sql::ast::{Ident, ObjectName, Statement};
use crate::store::{Lifeline, Store, blocks_of};

pub(crate) use meta::packing_words;
pub(crate) use rows::{STALE, TableRows, stale};
pub(crate) use table::affinity;
pub(crate) use topic::resolve_topics;

/// No database chosen, in DDL.
const NO_DATABASE: u32 = 0x2616;
/// A system database cannot be written.
const SYSTEM_TABLE: u32 = 0x2669;

/// A statement with all it is run under.
pub(crate) struct Exec<'a> {
    pub(crate) view: View,
    /// The current database.
    pub(crate) db: Option<String>,
    /// Nanoseconds since 1970.
    pub(crate) now: i64,
    /// The zone the connection chose.
    pub(crate) zone: Option<chrono_tz::Tz>,
    pub(crate) user: &'a str,
    /// What `server_version()` says.
    pub(crate) version: &'a str,
    pub(crate) sql: &'a str,
    /// What queries of the statement end with.
    pub(crate) queries: &'a Lifeline,
}

impl Exec<'_> {
    fn catalog(&self) -> &Catalog {
        &self.view.catalog
    }

    fn store(&self) -> &Store {
        &self.view.store
    }

    /// What the planner is given.
    pub(crate) fn context(&self) -> Context<'_> {
        Context {
            schema: &self.view,
            db: self.db.clone(),
            now: self.now,
            zone: self.zone,
            version: self.version,
        }
    }

    /// The database of an object, named or current.
    fn db_of<'b>(&'b self, named: Option<&'b Ident>) -> Option<&'b str> {
        named.map_or(self.db.as_deref(), |db| Some(db.name.as_str()))
    }

    /// Database and name of an object that DDL works on.
    fn object(&self, name: &ObjectName) -> Result<(String, String), SqlError> {
        let db = self
            .db_of(name.db.as_ref())
            .ok_or_else(|| SqlError::new(NO_DATABASE, "Database not specified"))?;
        Ok((db.to_owned(), name.name.name.clone()))
    }

    /// As [`object`](Self::object), refusing system databases.
    fn writable_object(&self, name: &ObjectName) -> Result<(String, String), SqlError> {
        let (db, name) = self.object(name)?;
        if is_system_database(&db) {
            return Err(SqlError::new(SYSTEM_TABLE, "System table not allowed"));
        }
        Ok((db, name))
    }

    /// A table that must exist.
    fn find(&self, db: &str, name: &str) -> Result<Found<'_>, SqlError> {
        self.catalog()
            .find(db, name)?
            .ok_or_else(SqlError::unknown_table)
    }

    /// Runs any statement but SELECT, USE and those unknown.
    ///
    /// # Errors
    /// What is wrong with it, with the code of the dialect.
    pub(crate) fn run(&self, statement: &Statement) -> Result<Answer, SqlError> {
        let affected = match statement {
            Statement::Insert(insert) => self.insert(insert)?,
            Statement::Delete(delete) => self.delete(delete)?,
            Statement::CreateDatabase(create) => self.create_database(create)?,
            Statement::AlterDatabase(alter) => self.alter_database(alter)?,
            Statement::DropDatabase(drop) => self.drop_database(drop)?,
            Statement::FlushDatabase(name) => self.catalog().database(&name.name).map(|_| 0)?,
            Statement::CreateTable(create) => self.create_table(create)?,
            Statement::CreateSubtables(create) => self.create_subtables(create)?,
            Statement::DropTable(drop) => self.drop_tables(drop)?,
            Statement::AlterTable(alter) => self.alter_table(alter)?,
            Statement::CreateTopic(create) => self.create_topic(create)?,
            Statement::DropTopic(drop) => self.drop_topic(drop)?,
            Statement::DropConsumerGroup(drop) => self.drop_consumer_group(drop)?,
            Statement::CreateUser(create) => self.create_user(create)?,
            Statement::AlterUser(alter) => self.alter_user(alter)?,
            Statement::DropUser(drop) => self.drop_user(drop)?,
            Statement::DropFunction(drop) if drop.if_exists => 0,
            Statement::DropFunction(_) => {
                return Err(SqlError::new(0x0374, "Func not exists"));
            }
            Statement::Show(show) => return self.show(show).map(Answer::Rows),
            Statement::Describe(name) => return self.describe(name).map(Answer::Rows),
            Statement::Explain(explain) => return self.explain(explain).map(Answer::Rows),
            Statement::Other(name) => return Err(SqlError::unsupported(name)),
            Statement::Query(_) | Statement::Use(_) => {
                return Err(crate::store::internal("statement of another kind"));
            }
        };
        Ok(Answer::Affected(affected))
    }
}

/// A column of a computed result; `length` 0 stands for the width of the type.
fn result_column(name: &str, ty: Ty, length: u32) -> ResultColumn {
    let info = crate::catalog::column(name, ty, length);
    ResultColumn {
        name: info.name,
        ty,
        length: info.length,
        precision: 0,
        scale: 0,
    }
}

/// A result whose rows are all there.
fn computed(
    columns: Vec<ResultColumn>,
    precision: Precision,
    rows: &[Vec<Value>],
) -> Result<ResultRows, SqlError> {
    let columns: Arc<[ResultColumn]> = columns.into();
    let blocks = blocks_of(&columns, precision, rows)?;
    Ok(ResultRows::ready(columns, precision, blocks))
}
