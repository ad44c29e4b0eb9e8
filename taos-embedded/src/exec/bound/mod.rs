//! INSERT with placeholders: what each of them stands for, and what is bound to them as rows for the
//! store (taosadapter-ws §8, §9).

mod cells;
mod params;
mod raw;
mod room;
mod shape;
mod template;

use std::sync::Arc;

use taos_query::common::Precision;

pub(crate) use cells::{Packed, Rules, Source};
pub(crate) use raw::RawBlockRows;
pub(crate) use room::{Held, Room};
pub(crate) use shape::{BoundField, FieldKind, Shape, Tags};
pub(crate) use template::{TableName, Template};

use super::insert::{check_table_name, tag_positions};
use super::rows::{TableRows, Target, stale, table_exists};
use super::values::Reading;
use super::{Exec, SYSTEM_TABLE};
use crate::catalog::{Database, Found, TableDef, is_system_database};
use crate::sql::ast::TimeExpr;
use crate::sql::{SqlError, code};
use shape::Naming;

/// Rows that one bind may give a table (taosadapter-ws §9.2).
const MOST_ROWS: usize = 32_767;
const NO_TABLE_NAME: u32 = 0x022B;
const BAD_ROWS: u32 = 0x0236;

fn invalid(text: impl Into<String>) -> SqlError {
    SqlError::new(code::INVALID_OPERATION, text)
}

/// No table has been named for the `?` that stands for one.
pub(crate) fn no_table_name() -> SqlError {
    SqlError::new(NO_TABLE_NAME, "Stmt table name not set correctly")
}

/// A number of rows that no bind may have.
pub(crate) fn bad_rows() -> SqlError {
    SqlError::new(BAD_ROWS, "bind number out of range or not match")
}

impl Exec<'_> {
    fn reading<'b>(
        &'b self,
        template: &'b Template,
        times: &'b [TimeExpr],
        precision: Precision,
    ) -> Reading<'b> {
        Reading {
            sql: &template.sql,
            times,
            precision,
            now: self.now,
            zone: self.zone,
        }
    }

    /// Looks a template's names up. `name` is the table bound, as far as it is known.
    ///
    /// # Errors
    /// 0x2603 for a table that is missing, 0x022B where the table must be known first, and those of
    /// INSERT for columns and literals.
    pub(crate) fn shape(
        &self,
        template: &Template,
        name: Option<&TableName>,
    ) -> Result<Shape, SqlError> {
        let target = &template.target;
        let using_db = target.using.as_ref().and_then(|u| u.stable.db.as_ref());
        let db = name
            .filter(|_| target.is_any_table())
            .and_then(|name| name.db.as_deref())
            .or_else(|| target.table.db.as_ref().map(|db| db.name.as_str()))
            .or_else(|| using_db.map(|db| db.name.as_str()))
            .or(self.db.as_deref())
            .ok_or_else(|| invalid("db is not specified"))?;
        if is_system_database(db) {
            return Err(SqlError::new(SYSTEM_TABLE, "System table not allowed"));
        }
        let database = self.catalog().database(db)?;
        let (def, creates) = self.table_of(template, database, name)?;
        let naming = match target.is_any_table() {
            true => Naming::Bound,
            false => Naming::Fixed(target.table.name.name.clone()),
        };
        let mut shape = Shape::new(database, def, naming);
        shape.creates = creates;
        if target.is_any_table() {
            shape.fields.push(BoundField::table_name());
        }
        if let Some(using) = &target.using {
            let reading = self.reading(template, &using.times, shape.precision);
            let def = Arc::clone(&shape.def);
            for (at, value) in tag_positions(&def, using)?.into_iter().zip(&using.values) {
                let info = def.tags.get(at).ok_or_else(stale)?;
                shape.push_tag(at, info, value, reading)?;
            }
        }
        shape.bind_columns(self, template)?;
        Ok(shape)
    }

    /// The definition that rows follow, and whether the table may be made.
    fn table_of(
        &self,
        template: &Template,
        database: &Database,
        name: Option<&TableName>,
    ) -> Result<(Arc<TableDef>, bool), SqlError> {
        let target = &template.target;
        if let Some(using) = &target.using {
            if let Some(db) = &using.stable.db
                && db.name != database.name
            {
                self.catalog().database(&db.name)?;
                return Err(SqlError::unsupported("super table of another database"));
            }
            let def = database.stables.get(&using.stable.name.name);
            return Ok((Arc::clone(def.ok_or_else(SqlError::unknown_table)?), true));
        }
        let table = match (target.is_any_table(), name) {
            (true, Some(name)) => name.table.as_str(),
            (true, None) => return Err(no_table_name()),
            (false, _) => target.table.name.name.as_str(),
        };
        match database.find(table) {
            None => Err(SqlError::unknown_table()),
            Some(Found::Super(_)) if target.columns.is_none() => Err(SqlError::insert_syntax(
                &format!(" {}", target.values_at.rest(&template.sql)),
                "(...tbname, ts...) bounded cols is expected for supertable insertion",
            )),
            Some(Found::Super(def)) => Ok((Arc::clone(def), true)),
            Some(Found::Normal(def) | Found::Child(_, def)) => Ok((Arc::clone(def), false)),
        }
    }

    /// What is bound for one table, checked and in the forms of the store. No tags at all are taken for a
    /// table that exists.
    ///
    /// # Errors
    /// As taosadapter-ws §9.4 lists them.
    pub(crate) fn bind(
        &self,
        shape: &Shape,
        name: Option<&TableName>,
        tags: Option<Tags>,
        columns: &[Source<'_>],
        rules: &Rules,
    ) -> Result<TableRows, SqlError> {
        if columns.iter().any(|source| source.rows() > MOST_ROWS) {
            return Err(bad_rows());
        }
        let database = self.catalog().database(&shape.db)?;
        let tags = match tags {
            None if shape.bound_tags == 0 => Some(shape.tags(&[], rules)?),
            tags => tags,
        };
        let target = self.target(shape, database, name, tags)?;
        let mut rows = TableRows {
            db: shape.db.clone(),
            def: Arc::clone(&shape.def),
            target,
            columns: Arc::clone(&shape.columns),
            values: shape.values(columns, rules)?,
        };
        self.check_keep(database, &rows.values, rows.columns.len())?;
        rows.merge();
        Ok(rows)
    }

    fn target(
        &self,
        shape: &Shape,
        database: &Database,
        name: Option<&TableName>,
        tags: Option<Tags>,
    ) -> Result<Target, SqlError> {
        let table = match (&shape.naming, name) {
            (Naming::Fixed(table), _) => table,
            (Naming::Bound, Some(name)) => {
                if name.db.as_ref().is_some_and(|db| *db != database.name) {
                    return Err(SqlError::unsupported("super table of another database"));
                }
                &name.table
            }
            (Naming::Bound, None) => return Err(no_table_name()),
        };
        match database.find(table) {
            Some(Found::Child(child, def)) if def.id == shape.def.id => Ok(Target::Child {
                id: child.id,
                name: table.clone(),
            }),
            Some(Found::Normal(def)) if def.id == shape.def.id => Ok(Target::Normal),
            Some(_) if shape.creates => Err(table_exists()),
            None if shape.creates => {
                check_table_name(table)?;
                let tags = tags.ok_or_else(|| {
                    invalid(format!(
                        "table {table} does not exist and no tags are bound"
                    ))
                })?;
                // they are known by their positions
                if tags.def.id != shape.def.id || tags.def.tags != shape.def.tags {
                    return Err(invalid(
                        "the table changed after tags for it were bound; prepare again",
                    ));
                }
                Ok(Target::NewChild {
                    name: table.clone(),
                    tags: tags.values,
                })
            }
            _ => Err(SqlError::unknown_table()),
        }
    }

    /// Rows that were bound before the catalog changed, brought up to it.
    ///
    /// # Errors
    /// 0x2603 if the table has gone, 0x0200 if a column or tag has.
    pub(crate) fn renew(&self, rows: &mut TableRows) -> Result<(), SqlError> {
        let database = self.catalog().database(&rows.db)?;
        let changed = || invalid("the table changed after rows for it were bound; prepare again");
        let name = match &rows.target {
            Target::Normal => rows.def.name.clone(),
            Target::Child { name, .. } | Target::NewChild { name, .. } => name.clone(),
        };
        let def = match (database.find(&name), &rows.target) {
            (Some(Found::Normal(def)), Target::Normal) => def,
            (Some(Found::Child(child, def)), Target::Child { .. } | Target::NewChild { .. }) => {
                rows.target = Target::Child { id: child.id, name };
                def
            }
            (None, Target::NewChild { .. }) => {
                let def = database.stables.get(&rows.def.name);
                def.ok_or_else(SqlError::unknown_table)?
            }
            (Some(_), Target::NewChild { .. }) => return Err(table_exists()),
            _ => return Err(SqlError::unknown_table()),
        };
        if def.id != rows.def.id {
            return Err(SqlError::unknown_table());
        }
        if matches!(rows.target, Target::NewChild { .. }) && def.tags != rows.def.tags {
            return Err(changed());
        }
        let mut columns = Vec::with_capacity(rows.columns.len());
        for at in &*rows.columns {
            let old = rows.def.columns.get(*at).ok_or_else(changed)?;
            let new = def.columns.iter().position(|column| {
                (column.id, column.ty) == (old.id, old.ty)
                    && (column.precision, column.scale) == (old.precision, old.scale)
                    && column.length >= old.length
            });
            columns.push(new.ok_or_else(changed)?);
        }
        rows.columns = columns.into();
        rows.def = Arc::clone(def);
        Ok(())
    }

    /// Writes rows that were bound, all or nothing; `is_replay` if a message of a topic brought them.
    ///
    /// # Errors
    /// Among others that the catalog has changed, see [`STALE`](super::STALE).
    pub(crate) fn write_bound(
        &self,
        tables: &Arc<Vec<TableRows>>,
        is_replay: bool,
    ) -> Result<u64, SqlError> {
        let packed = self.packed(tables)?;
        let (tables, now) = (Arc::clone(tables), self.now);
        self.store().write(move |write| {
            if is_replay {
                write.mark_replay();
            }
            let mut count = 0;
            for (table, packed) in tables.iter().zip(packed) {
                count += table.write(write, now, packed.as_deref())?;
            }
            Ok(count)
        })
    }
}
