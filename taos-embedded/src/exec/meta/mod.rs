//! Messages of topics that change tables or delete rows, applied as the original applies them: a table
//! or column that is there already, or gone already, is no error.

mod tags;
#[cfg(test)]
mod tests;
mod words;

use std::sync::Arc;

use super::alter::Change;
use super::changes::{created, log_table};
use super::delete::Rows;
use super::insert::check_table_name;
use super::rows::{NewChild, TableRows, Target, create_child, table_exists};
use super::table::{STABLE_EXISTS, check_columns, create_def, definition, drop_one};
use super::topic::check_alter;
use super::{Exec, NO_DATABASE, SYSTEM_TABLE};
use crate::catalog::{Found, TableDef, is_system_database};
use crate::meta::{Action, Alter, Bad, Deletion, Meta, NewKind, NewTable, SuperTable};
use crate::sql::SqlError;
use crate::sql::ast::{AlterAction, ColumnDef, CreateTable, ObjectName, OptionValue, SqlOption};
use crate::store::Write;
pub(super) use tags::child_target;
use tags::set_tags;
pub(super) use words::compression_form;
pub(crate) use words::compression_words as packing_words;
use words::{column_defs, ident, is_done, option, super_actions, table_action};

const INVALID_PARAMETERS: u32 = 0x0118;

fn unfit(detail: impl std::fmt::Display) -> SqlError {
    SqlError::new(INVALID_PARAMETERS, format!("Invalid parameters: {detail}"))
}

impl From<Bad> for SqlError {
    fn from(bad: Bad) -> Self {
        match bad {
            Bad::Malformed(text) => unfit(text),
            Bad::Unsupported(text) => Self::unsupported(format!("write_raw of {text}")),
        }
    }
}

impl Exec<'_> {
    /// Applies messages to the current database, all or nothing; they are durable then.
    ///
    /// # Errors
    /// 0x2616 without a database, 0x0118 for what cannot be applied to the tables that are there.
    pub(crate) fn write_meta(&self, metas: &Arc<Vec<Meta>>) -> Result<u64, SqlError> {
        let db = self.db.clone();
        let db = db.ok_or_else(|| SqlError::new(NO_DATABASE, "Database not specified"))?;
        if is_system_database(&db) {
            return Err(SqlError::new(SYSTEM_TABLE, "System table not allowed"));
        }
        let replay = Replay {
            db,
            now: self.now,
            most_columns: self.store().max_columns(),
        };
        let metas = Arc::clone(metas);
        self.store().write(move |write| {
            write.catalog().database(&replay.db)?;
            write.mark_replay();
            metas.iter().try_for_each(|meta| replay.one(write, meta))?;
            Ok(0)
        })
    }

    /// A subtable that a data message creates; `None` if there is a table of its name.
    ///
    /// # Errors
    /// 0x2603 without its super table, 0x0118 for tags that do not fit it.
    pub(crate) fn new_child(&self, new: &NewTable) -> Result<Option<TableRows>, SqlError> {
        let db = self.db.as_deref();
        let db = db.ok_or_else(|| SqlError::new(NO_DATABASE, "Database not specified"))?;
        let database = self.catalog().database(db)?;
        if database.find(&new.name).is_some() {
            return Ok(None);
        }
        let (def, target) = child_target(database, new)?;
        Ok(Some(TableRows {
            db: db.to_owned(),
            def,
            target,
            columns: [0].into(),
            values: Vec::new(),
        }))
    }
}

/// Where and when messages are applied.
struct Replay {
    db: String,
    now: i64,
    most_columns: usize,
}

impl Replay {
    fn one(&self, write: &mut Write<'_>, meta: &Meta) -> Result<(), SqlError> {
        match meta {
            Meta::CreateSuper(table) => self.create_super(write, table),
            Meta::AlterSuper(table) => self.alter_super(write, table),
            Meta::DropSuper { name, .. } => match write.catalog().find(&self.db, name)? {
                Some(Found::Super(_)) => drop_one(write, true, true, &self.db, name),
                _ => Ok(()),
            },
            Meta::CreateTables { tables, .. } => tables
                .iter()
                .try_for_each(|table| self.create(write, table)),
            Meta::AlterTable(alter) => self.alter(write, alter),
            Meta::DropTables(tables) => tables.iter().try_for_each(|table| {
                match write.catalog().find(&self.db, &table.name)? {
                    Some(Found::Normal(_) | Found::Child(..)) => {
                        drop_one(write, true, false, &self.db, &table.name)
                    }
                    _ => Ok(()),
                }
            }),
            Meta::Delete(rows) => self.delete(write, rows),
        }
    }

    fn create_super(&self, write: &mut Write<'_>, table: &SuperTable) -> Result<(), SqlError> {
        match write.catalog().find(&self.db, &table.name)? {
            Some(Found::Super(_)) => return Ok(()),
            Some(_) => return Err(table_exists()),
            None => {}
        }
        let digits = table.digits.as_deref();
        let columns = column_defs(&table.columns, Some(&table.compression), digits)?;
        let tags = column_defs(&table.tags, None, None)?;
        if tags.is_empty() {
            return Err(unfit("a super table without tags"));
        }
        self.create_table(write, &table.name, columns, Some(tags), Vec::new())
    }

    fn create_table(
        &self,
        write: &mut Write<'_>,
        name: &str,
        columns: Vec<ColumnDef>,
        tags: Option<Vec<ColumnDef>>,
        options: Vec<SqlOption>,
    ) -> Result<(), SqlError> {
        check_table_name(name)?;
        check_columns(&columns, tags.as_deref())?;
        self.check_stored_columns(columns.len())?;
        let create = CreateTable {
            stable: tags.is_some(),
            if_not_exists: true,
            name: ObjectName {
                db: None,
                name: ident(name),
            },
            columns,
            tags,
            options,
        };
        let def = definition(&create, name, self.now)?;
        create_def(write, &self.db, def).map(drop)
    }

    fn check_stored_columns(&self, columns: usize) -> Result<(), SqlError> {
        if columns > self.most_columns {
            let most = self.most_columns;
            return Err(SqlError::unsupported(format!("more than {most} columns")));
        }
        Ok(())
    }

    fn alter_super(&self, write: &mut Write<'_>, table: &SuperTable) -> Result<(), SqlError> {
        let def = match write.catalog().find(&self.db, &table.name)? {
            None => return self.create_super(write, table),
            Some(Found::Super(def)) => Arc::clone(def),
            Some(_) => return Err(SqlError::new(STABLE_EXISTS, "STable already exists")),
        };
        self.change(write, &def, &super_actions(table)?)
    }

    /// Changes a table's columns and tags as far as they are not so already.
    fn change(
        &self,
        write: &mut Write<'_>,
        def: &TableDef,
        actions: &[AlterAction],
    ) -> Result<(), SqlError> {
        let mut change = Change::new(def);
        let mut applied = Vec::new();
        for action in actions {
            if !is_done(&change.def, action) {
                check_alter(write.catalog(), &change.def, action)?;
                change.apply(action)?;
                applied.push(action);
            }
        }
        if applied.is_empty() {
            return Ok(());
        }
        self.check_stored_columns(change.def.columns.len())?;
        change.store(write, &self.db, &applied, ("", self.now))
    }

    fn create(&self, write: &mut Write<'_>, new: &NewTable) -> Result<(), SqlError> {
        let database = write.catalog().database(&self.db)?;
        match (&new.kind, database.find(&new.name)) {
            (_, Some(Found::Super(_))) => Err(table_exists()),
            (_, Some(_)) => Ok(()),
            (NewKind::Child { stable, .. }, None) => {
                if !database.stables.contains_key(stable) {
                    // the original leaves such a subtable out
                    tracing::info!(table = %new.name, %stable, "no super table for a replayed subtable");
                    return Ok(());
                }
                let (def, target) = child_target(database, new)?;
                let Target::NewChild { name, tags } = &target else {
                    return Ok(());
                };
                let child = NewChild {
                    name,
                    tags,
                    comment: new.comment.as_deref().filter(|text| !text.is_empty()),
                    ttl: new.ttl.max(0),
                };
                let (id, new) = create_child(write, &self.db, &def, &child, self.now)?;
                log_table(write, &self.db, id, || Ok(created(vec![new])))
            }
            (
                NewKind::Normal {
                    columns,
                    compression,
                    digits,
                },
                None,
            ) => {
                let columns = column_defs(columns, Some(compression), digits.as_deref())?;
                let mut options = Vec::new();
                if let Some(comment) = new.comment.as_deref().filter(|text| !text.is_empty()) {
                    options.push(option("comment", OptionValue::Text(comment.to_owned())));
                }
                if new.ttl > 0 {
                    options.push(option("ttl", OptionValue::Integer(new.ttl.into())));
                }
                self.create_table(write, &new.name, columns, None, options)
            }
        }
    }

    fn alter(&self, write: &mut Write<'_>, alter: &Alter) -> Result<(), SqlError> {
        let database = write.catalog().database(&self.db)?;
        match (&alter.action, database.find(&alter.table)) {
            // the original does not replay options either
            (Action::Options { .. }, _) | (_, None) => Ok(()),
            (Action::SetTag(setting), Some(Found::Child(child, def))) => {
                let (child, def) = (Arc::clone(child), Arc::clone(def));
                let set = std::slice::from_ref(setting);
                set_tags(write, &self.db, (&child, &def), set, self.now)
            }
            (Action::SetTags(settings), Some(Found::Child(child, def))) => {
                let (child, def) = (Arc::clone(child), Arc::clone(def));
                set_tags(write, &self.db, (&child, &def), settings, self.now)
            }
            (action, Some(Found::Normal(def))) => {
                let def = Arc::clone(def);
                self.change(write, &def, &[table_action(action, &def)?])
            }
            (_, Some(_)) => Err(unfit(format_args!(
                "{} is not a table of the kind that this changes",
                alter.table
            ))),
        }
    }

    fn delete(&self, write: &mut Write<'_>, rows: &Deletion) -> Result<(), SqlError> {
        let deletion = Rows {
            db: &self.db,
            range: rows.range,
            now: self.now,
            tables: None,
        };
        deletion.delete(write, &rows.table).map(drop)
    }
}
