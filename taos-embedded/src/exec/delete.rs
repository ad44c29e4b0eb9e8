//! DELETE by a range of time.

use super::{Exec, SYSTEM_TABLE};
use crate::catalog::is_system_database;
use crate::plan::{self, TableKind};
use crate::sql::SqlError;
use crate::sql::ast::Delete;
use crate::store::bind;

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
        let version = found.def().version;
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
            let storage = info.storage_id();
            let range = format!("ts BETWEEN {} AND {}", filter.low, filter.high);
            let (tables, params) = match (&info.kind, &filter.tables) {
                (TableKind::Super, Some((sql, params))) => {
                    (format!("IN ({sql})"), params.as_slice())
                }
                (TableKind::Super, None) => (format!("IN (SELECT tbl FROM t{storage})"), &[][..]),
                _ => (format!("= {}", info.id), &[][..]),
            };
            let sql = format!("DELETE FROM d{storage} WHERE tbl {tables} AND {range}");
            let count = write
                .connection
                .prepare(&sql)
                .and_then(|mut s| {
                    bind(&mut s, params)?;
                    s.raw_execute()
                })
                .map_err(crate::store::sqlite_error)?;
            u64::try_from(count).map_err(crate::store::internal)
        })
    }
}
