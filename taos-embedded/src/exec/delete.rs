//! DELETE by a range of time.

use std::sync::Arc;

use rusqlite::types::Value;

use super::changes::log_table;
use super::{Exec, SYSTEM_TABLE};
use crate::catalog::{Found, TableDef, is_system_database};
use crate::meta::{Deletion, Meta};
use crate::plan;
use crate::sql::SqlError;
use crate::sql::ast::Delete;
use crate::store::{Write, bind, internal, sqlite_error};

/// A subtable or normal table, its name, and how many of its rows go.
type Affected = (i64, String, i64);

/// Rows that are to go.
pub(super) struct Rows<'a> {
    pub(super) db: &'a str,
    /// The first and the last time.
    pub(super) range: (i64, i64),
    /// Nanoseconds since 1970.
    pub(super) now: i64,
    /// A SELECT of the subtables of a super table that are concerned; `None` if all are.
    pub(super) tables: Option<(&'a str, &'a [Value])>,
}

impl Rows<'_> {
    /// Deletes them from a table, and says how many they were. Each subtable has an entry of its own in
    /// the log, because which of them a condition meant cannot be told when it is replayed.
    pub(super) fn delete(&self, write: &mut Write<'_>, table: &str) -> Result<u64, SqlError> {
        let found = write.catalog().find(self.db, table)?;
        let (def, affected) = match found {
            None => return Ok(0),
            Some(Found::Super(def)) => {
                let def = Arc::clone(def);
                let keeps_log = write.catalog().database(self.db)?.keeps_log();
                return self.delete_super(write, &def, keeps_log);
            }
            Some(Found::Normal(def)) => (Arc::clone(def), (def.id, def.name.clone())),
            Some(Found::Child(child, def)) => (Arc::clone(def), (child.id, child.name.clone())),
        };
        let (id, name) = affected;
        let sql = format!(
            "DELETE FROM d{} WHERE tbl = {id} AND {}",
            def.id,
            self.times()
        );
        let count = write.execute(&sql, [])?;
        let affected = i64::try_from(count).map_err(internal)?;
        self.log(write, &def, &[(id, name, affected)])?;
        u64::try_from(count).map_err(internal)
    }

    fn times(&self) -> String {
        format!("ts BETWEEN {} AND {}", self.range.0, self.range.1)
    }

    fn delete_super(
        &self,
        write: &mut Write<'_>,
        def: &Arc<TableDef>,
        keeps_log: bool,
    ) -> Result<u64, SqlError> {
        let id = def.id;
        let (tables, params) = match self.tables {
            Some((sql, params)) => (format!("IN ({sql})"), params),
            None => (format!("IN (SELECT tbl FROM t{id})"), &[][..]),
        };
        let affected = match keeps_log {
            true => self.affected(write, id, &tables, params)?,
            false => Vec::new(),
        };
        let sql = format!("DELETE FROM d{id} WHERE tbl {tables} AND {}", self.times());
        let count = write
            .connection
            .prepare(&sql)
            .and_then(|mut s| {
                bind(&mut s, params)?;
                s.raw_execute()
            })
            .map_err(sqlite_error)?;
        self.log(write, def, &affected)?;
        u64::try_from(count).map_err(internal)
    }

    /// The subtables of which rows go.
    fn affected(
        &self,
        write: &Write<'_>,
        id: i64,
        tables: &str,
        params: &[Value],
    ) -> Result<Vec<Affected>, SqlError> {
        let sql = format!(
            "SELECT d.tbl, n.name, d.rows FROM (SELECT tbl, count(*) AS rows FROM d{id} \
             WHERE tbl {tables} AND {} GROUP BY tbl) d JOIN t{id} n ON n.tbl = d.tbl",
            self.times()
        );
        let mut statement = write.connection.prepare(&sql).map_err(sqlite_error)?;
        bind(&mut statement, params).map_err(sqlite_error)?;
        let mut rows = statement.raw_query();
        let mut affected = Vec::new();
        while let Some(row) = rows.next().map_err(sqlite_error)? {
            let one = (|| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))();
            affected.push(one.map_err(sqlite_error)?);
        }
        Ok(affected)
    }

    fn log(
        &self,
        write: &mut Write<'_>,
        def: &TableDef,
        affected: &[Affected],
    ) -> Result<(), SqlError> {
        let time = def.columns.first().map(|time| time.name.clone());
        for (id, name, count) in affected {
            if *count == 0 {
                continue;
            }
            log_table(write, self.db, *id, || {
                Ok(Meta::Delete(Deletion {
                    super_uid: if def.is_super() { def.id } else { 0 },
                    uids: vec![*id],
                    range: self.range,
                    affected: *count,
                    table: name.clone(),
                    time_column: time.clone().unwrap_or_default(),
                    changed: self.now / 1_000_000,
                    source: 0,
                }))
            })?;
        }
        Ok(())
    }
}

impl Exec<'_> {
    pub(super) fn delete(&self, delete: &Delete) -> Result<u64, SqlError> {
        let (db, name) = self.object(&delete.table)?;
        if is_system_database(&db) {
            return Err(SqlError::new(SYSTEM_TABLE, "System table not allowed"));
        }
        let found = self.find(&db, &name)?;
        let info = self.catalog().database(&db)?.info(&found);
        let filter = plan::plan_delete(delete, &info, self.sql, &self.context())?;
        if filter.low > filter.high {
            return Ok(0);
        }
        let (version, now) = (found.def().version, self.now);
        self.store().write(move |write| {
            let unchanged = match write.catalog().find(&db, &name)? {
                Some(found) => {
                    found.def().version == version
                        && write.catalog().database(&db)?.info(&found).id == info.id
                }
                None => false,
            };
            if !unchanged {
                return Err(super::rows::stale());
            }
            let rows = Rows {
                db: &db,
                range: (filter.low, filter.high),
                now,
                tables: filter
                    .tables
                    .as_ref()
                    .map(|(sql, params)| (sql.as_str(), params.as_slice())),
            };
            rows.delete(write, &name)
        })
    }
}
