//! ALTER TABLE and ALTER STABLE (DIALECT §11).

use std::fmt::Write as _;
use std::sync::Arc;

use rusqlite::types::Value;
use taos_query::common::Ty;

use super::Exec;
use super::changes::{altered, log_change, log_table, log_tags};
use super::options::{OptionsOf, TableOptions, table_options};
use super::rows::{column_name, stale};
use super::table::{
    MOST_COLUMNS, MOST_TAGS, affinity, bad_tag_count, check_column_name, check_row_length,
    check_tags_length, column_info, compression, duplicate, json_column, measure, one_json_tag,
    save, too_many_columns,
};
use super::topic::check_alter;
use super::values::Reading;
use crate::catalog::{Child, Entry, Found, TableDef};
use crate::meta::Action;
use crate::plan::ColumnInfo;
use crate::sql::SqlError;
use crate::sql::ast::{AlterAction, AlterTable, DataType, Ident, InsertValue, SqlOption, TimeExpr};
use crate::store::Write;

const NOT_ALLOWED: u32 = 0x2649;
const TIME_COLUMN: u32 = 0x264A;
const ONLY_WIDEN: u32 = 0x264B;
const LAST_COLUMN: u32 = 0x2651;
const KEY_COLUMN: u32 = 0x267A;
const SUPER_TOO_WIDE: u32 = 0x0365;
const NO_SUCH_TAG: u32 = 0x036A;
const TAG_EXISTS: u32 = 0x0369;
const COLUMN_EXISTS: u32 = 0x036B;
const UNKNOWN_TAG: u32 = 0x260E;
const NO_SUCH_COLUMN: u32 = 0x036C;
const STABLE_UNKNOWN: u32 = 0x0362;
const BAD_STABLE_CHANGE: u32 = 0x03C2;
const BAD_TABLE_ACTION: u32 = 0x0524;

fn not_allowed(text: impl Into<String>) -> SqlError {
    SqlError::new(NOT_ALLOWED, text)
}

fn no_such_tag() -> SqlError {
    SqlError::new(NO_SUCH_TAG, "Tag does not exist")
}

fn unknown_tag(name: &str) -> SqlError {
    SqlError::new(UNKNOWN_TAG, format!("Invalid tag name: {name}"))
}

fn key_column() -> SqlError {
    SqlError::new(
        KEY_COLUMN,
        "composite primary key column can not be added, modified, and dropped",
    )
}

/// What ALTER STABLE never does, whatever the table.
fn check_stable_action(action: &AlterAction) -> Result<(), SqlError> {
    match action {
        AlterAction::SetTags { .. } => {
            Err(not_allowed("Set tag value only available for child table"))
        }
        AlterAction::RenameColumn(..) => {
            Err(not_allowed("Rename column only available for normal table"))
        }
        _ => Ok(()),
    }
}

/// Why ALTER STABLE cannot change a subtable or normal table so.
fn not_a_stable(action: &AlterAction) -> SqlError {
    match action {
        AlterAction::DropColumn(_)
        | AlterAction::DropTag(_)
        | AlterAction::ModifyColumn(..)
        | AlterAction::ModifyTag(..) => not_allowed("Table is not super table"),
        _ => SqlError::new(STABLE_UNKNOWN, "STable not exist"),
    }
}

/// A table's new definition, and the SQL that makes its tables fit.
pub(super) struct Change {
    pub(super) def: TableDef,
    sql: String,
    /// True where the statement names a subtable, whose columns are checked like a normal table's.
    of_child: bool,
}

/// COMMENT and TTL are all that can be altered.
fn altered_options(options: &[SqlOption]) -> Result<TableOptions, SqlError> {
    let other = |o: &&SqlOption| !matches!(o.name.as_str(), "comment" | "ttl" | "keep");
    if let Some(option) = options.iter().find(other) {
        return Err(SqlError::syntax(&option.name));
    }
    table_options(options, OptionsOf::Normal, &[])
}

fn pushed(columns: &[ColumnInfo], column: ColumnInfo) -> Arc<[ColumnInfo]> {
    columns.iter().cloned().chain([column]).collect()
}

fn without(columns: &[ColumnInfo], at: usize) -> Arc<[ColumnInfo]> {
    let kept = columns.iter().enumerate().filter(|(i, _)| *i != at);
    kept.map(|(_, c)| c.clone()).collect()
}

fn changed(
    columns: &[ColumnInfo],
    at: usize,
    change: impl FnOnce(&mut ColumnInfo),
) -> Arc<[ColumnInfo]> {
    let mut columns = columns.to_vec();
    if let Some(column) = columns.get_mut(at) {
        change(column);
    }
    columns.into()
}

/// The length after MODIFY, which may only widen a text type.
fn widened(column: &ColumnInfo, to: DataType, is_tag: bool) -> Result<u32, SqlError> {
    let text = matches!(
        column.ty,
        Ty::VarChar | Ty::NChar | Ty::VarBinary | Ty::Geometry
    );
    let wider = to.length.is_some_and(|length| length > column.length);
    if text && to.ty == column.ty && wider {
        return Ok(measure(to, is_tag)?.0);
    }
    Err(SqlError::new(
        ONLY_WIDEN,
        "Only varbinary/binary/nchar/geometry column length could be modified, and the length can \
         only be increased, not decreased",
    ))
}

impl Change {
    pub(super) fn new(def: &TableDef) -> Self {
        let mut def = def.clone();
        def.version += 1;
        Self {
            def,
            sql: String::new(),
            of_child: false,
        }
    }

    fn is_super(&self) -> bool {
        self.def.is_super() && !self.of_child
    }

    fn column(&self, name: &Ident) -> Result<(usize, ColumnInfo), SqlError> {
        self.def
            .column(&name.name)
            .map(|(at, c)| (at, c.clone()))
            .ok_or_else(|| SqlError::unknown_column(&name.name))
    }

    /// The column that DROP and MODIFY COLUMN name: a tag of that name is seen, but too late.
    fn named_column(&self, name: &Ident) -> Result<(usize, ColumnInfo), SqlError> {
        let missing = || match self.def.tag(&name.name) {
            Some(_) => SqlError::new(NO_SUCH_COLUMN, "Column does not exist"),
            None => SqlError::unknown_column(&name.name),
        };
        let column = self.def.column(&name.name);
        column.map(|(at, c)| (at, c.clone())).ok_or_else(missing)
    }

    /// The tag that DROP and MODIFY TAG name: a column of that name is seen, but too late.
    fn named_tag(&self, name: &Ident) -> Result<(usize, ColumnInfo), SqlError> {
        let missing = || match self.def.column(&name.name) {
            Some(_) => no_such_tag(),
            None => unknown_tag(&name.name),
        };
        let tag = self.def.tag(&name.name);
        tag.map(|(at, c)| (at, c.clone())).ok_or_else(missing)
    }

    /// Refuses a name that a column or tag has.
    fn check_free(&self, name: &str) -> Result<(), SqlError> {
        if !self.is_super() && (self.def.column(name).is_some() || self.def.tag(name).is_some()) {
            return Err(duplicate());
        }
        if self.def.column(name).is_some() {
            return Err(SqlError::new(COLUMN_EXISTS, "Column already exists"));
        }
        if self.def.tag(name).is_some() {
            return Err(SqlError::new(TAG_EXISTS, "Tag already exists"));
        }
        Ok(())
    }

    /// Makes the table so, and logs each of the actions that led to it.
    pub(super) fn store(
        self,
        write: &mut Write<'_>,
        db: &str,
        actions: &[&AlterAction],
        said: (&str, i64),
    ) -> Result<(), SqlError> {
        write.batch(&self.sql)?;
        let def = save(write, db, self.def)?;
        for action in actions {
            log_change(write, db, &def, action, said)?;
        }
        Ok(())
    }

    fn new_number(&mut self) -> u32 {
        let number = self.def.next_column;
        self.def.next_column += 1;
        number
    }

    pub(super) fn apply(&mut self, action: &AlterAction) -> Result<(), SqlError> {
        match action {
            AlterAction::AddColumn(new) => {
                if new.data_type.ty == Ty::Json {
                    return Err(json_column());
                }
                if new.composite_key {
                    return Err(key_column());
                }
                check_column_name(&new.name.name)?;
                if self.def.columns.len() >= MOST_COLUMNS {
                    return Err(too_many_columns());
                }
                if self.def.columns.len() + self.def.tags.len() >= MOST_COLUMNS {
                    return Err(SqlError::new(SUPER_TOO_WIDE, "Too many columns"));
                }
                measure(new.data_type, false)?;
                self.check_free(&new.name.name)?;
                let id = self.new_number();
                let info = column_info(new, id, false)?;
                if let Some(c) = compression(info.ty, &new.options, None)? {
                    self.def.compression.insert(id, c);
                }
                self.alter_data(&format!("ADD COLUMN c{id} {}", affinity(info.ty)));
                self.def.columns = pushed(&self.def.columns, info);
                check_row_length(&self.def.columns)
            }
            AlterAction::DropColumn(name) => self.drop_column(name),
            AlterAction::ModifyColumn(name, to) => {
                if let Some((_, tag)) = self.def.tag(&name.name) {
                    widened(tag, *to, false)?;
                }
                let (at, column) = self.named_column(name)?;
                if column.composite_key {
                    return Err(key_column());
                }
                let length = widened(&column, *to, false)?;
                self.def.columns = changed(&self.def.columns, at, |c| c.length = length);
                check_row_length(&self.def.columns)
            }
            AlterAction::ModifyColumnOptions(name, options) => {
                let (_, column) = self.column(name)?;
                let before = self.def.compression.get(&column.id);
                if let Some(c) = compression(column.ty, options, before)? {
                    self.def.compression.insert(column.id, c);
                }
                Ok(())
            }
            AlterAction::RenameColumn(from, to) => {
                if self.is_super() {
                    return Err(not_allowed("Rename column only available for normal table"));
                }
                check_column_name(&to.name)?;
                let (at, _) = self.column(from)?;
                self.check_free(&to.name)?;
                self.def.columns = changed(&self.def.columns, at, |c| c.name = to.name.clone());
                Ok(())
            }
            AlterAction::Options(options) => self.options(options),
            _ if !self.is_super() => Err(not_allowed("Table is not a super table")),
            _ => self.apply_to_tags(action),
        }
    }

    fn apply_to_tags(&mut self, action: &AlterAction) -> Result<(), SqlError> {
        match action {
            AlterAction::AddTag(new) => {
                check_column_name(&new.name.name)?;
                if self.def.has_json_tag() || new.data_type.ty == Ty::Json {
                    return Err(one_json_tag());
                }
                if self.def.tags.len() >= MOST_TAGS {
                    return Err(bad_tag_count());
                }
                measure(new.data_type, true)?;
                self.check_free(&new.name.name)?;
                let id = self.new_number();
                let info = column_info(new, id, true)?;
                self.alter_tags(&format!("ADD COLUMN g{id} {}", affinity(info.ty)));
                self.def.tags = pushed(&self.def.tags, info);
                check_tags_length(&self.def.tags)?;
            }
            AlterAction::DropTag(_) | AlterAction::ModifyTag(..) if self.def.has_json_tag() => {
                return Err(one_json_tag());
            }
            AlterAction::DropTag(name) => {
                let found = self.named_tag(name);
                if self.def.tags.len() == 1 && !matches!(&found, Err(e) if e.code == UNKNOWN_TAG) {
                    return Err(not_allowed("the only tag cannot be dropped"));
                }
                let (at, tag) = found?;
                self.alter_tags(&format!("DROP COLUMN g{}", tag.id));
                self.def.tags = without(&self.def.tags, at);
            }
            AlterAction::ModifyTag(name, to) => {
                if let Some((_, column)) = self.def.column(&name.name) {
                    widened(column, *to, true)?;
                }
                let (at, tag) = self.named_tag(name)?;
                let length = widened(&tag, *to, true)?;
                self.def.tags = changed(&self.def.tags, at, |t| t.length = length);
                check_tags_length(&self.def.tags)?;
            }
            AlterAction::RenameTag(from, to) => {
                check_column_name(&to.name)?;
                let (at, _) = self.def.tag(&from.name).ok_or_else(no_such_tag)?;
                self.check_free(&to.name)?;
                self.def.tags = changed(&self.def.tags, at, |t| t.name = to.name.clone());
            }
            _ => return Err(not_allowed("Set tag value only available for child table")),
        }
        Ok(())
    }

    fn drop_column(&mut self, name: &Ident) -> Result<(), SqlError> {
        let last = self.def.columns.len() == 2;
        let no_more = || SqlError::new(LAST_COLUMN, "No columns can be dropped");
        if last && !self.is_super() {
            return Err(no_more());
        }
        let (at, column) = self.named_column(name)?;
        if at == 0 && self.is_super() {
            let text = "Invalid stable alter options: the time column stays";
            return Err(SqlError::new(BAD_STABLE_CHANGE, text));
        }
        if at == 0 {
            return Err(SqlError::new(
                TIME_COLUMN,
                "Primary timestamp column cannot be dropped",
            ));
        }
        if column.composite_key {
            return Err(key_column());
        }
        if last {
            return Err(no_more());
        }
        self.alter_data(&format!("DROP COLUMN {}", column_name(&column, false)));
        self.def.columns = without(&self.def.columns, at);
        self.def.compression.remove(&column.id);
        Ok(())
    }

    fn options(&mut self, options: &[SqlOption]) -> Result<(), SqlError> {
        if self.is_super() && options.iter().any(|o| o.name == "ttl") {
            return Err(not_allowed("a super table has no TTL, its subtables may"));
        }
        let options = altered_options(options)?;
        if let Some(comment) = options.comment {
            self.def.comment = Some(comment);
        }
        if let Some(ttl) = options.ttl {
            self.def.ttl = ttl;
        }
        Ok(())
    }

    fn alter_data(&mut self, what: &str) {
        let _ = write!(self.sql, "ALTER TABLE d{} {what};", self.def.id);
    }

    fn alter_tags(&mut self, what: &str) {
        let _ = write!(self.sql, "ALTER TABLE t{} {what};", self.def.id);
    }
}

impl Exec<'_> {
    pub(super) fn alter_table(&self, alter: &AlterTable) -> Result<u64, SqlError> {
        let (db, name) = self.writable_object(&alter.name)?;
        if alter.stable {
            check_stable_action(&alter.action)?;
        }
        let found = match self.catalog().find(&db, &name)? {
            Some(found) => found,
            None => return Err(SqlError::unknown_table()),
        };
        if alter.stable && !matches!(found, Found::Super(_)) {
            return Err(not_a_stable(&alter.action));
        }
        let def = match found {
            Found::Child(child, def) => return self.alter_child(db, child, def, &alter.action),
            Found::Super(def) | Found::Normal(def) => def,
        };
        let mut change = Change::new(def);
        change.apply(&alter.action)?;
        self.check_stored_columns(change.def.columns.len())?;
        let version = def.version;
        let (before, action) = (Arc::clone(def), alter.action.clone());
        let (sql, now) = (self.sql.to_owned(), self.now);
        self.store().write(move |write| {
            let unchanged = write
                .catalog()
                .find(&db, &change.def.name)?
                .is_some_and(|f| f.def().id == change.def.id && f.def().version == version);
            if !unchanged {
                return Err(stale());
            }
            check_alter(write.catalog(), &before, &action)?;
            change.store(write, &db, &[&action], (&sql, now))?;
            Ok(0)
        })
    }

    fn alter_child(
        &self,
        db: String,
        child: &Arc<Child>,
        def: &Arc<TableDef>,
        action: &AlterAction,
    ) -> Result<u64, SqlError> {
        let mut new = Child::clone(child);
        let mut cells: Vec<(String, Value)> = Vec::new();
        let mut set: Vec<(ColumnInfo, Value)> = Vec::new();
        let mut changed = None;
        match action {
            AlterAction::SetTags { tags, times } => {
                set = self.tag_values(&db, def, tags, times)?;
                let cell =
                    |(tag, value): &(ColumnInfo, Value)| (format!("g{}", tag.id), value.clone());
                cells = set.iter().map(cell).collect();
            }
            AlterAction::Options(options) => {
                let TableOptions { comment, ttl, .. } = altered_options(options)?;
                changed = Some(Action::Options {
                    ttl,
                    comment: comment.clone(),
                });
                if let Some(comment) = comment {
                    cells.push(("comment".to_owned(), Value::Text(comment.clone())));
                    new.comment = Some(comment);
                }
                if let Some(ttl) = ttl {
                    cells.push(("ttl".to_owned(), Value::Integer(ttl.into())));
                    new.ttl = ttl;
                }
            }
            _ => {
                let mut change = Change::new(def);
                change.of_child = true;
                change.apply(action)?;
                let text = "Invalid table action: a subtable has the columns of its super table";
                return Err(SqlError::new(BAD_TABLE_ACTION, text));
            }
        }
        let (def_id, version, now) = (def.id, def.version, self.now);
        self.store().write(move |write| {
            let unchanged = match write.catalog().find(&db, &new.name)? {
                Some(Found::Child(now, def)) => now.id == new.id && def.version == version,
                _ => false,
            };
            if !unchanged {
                return Err(stale());
            }
            for (cell, value) in &cells {
                let sql = format!("UPDATE t{def_id} SET {cell} = ?2 WHERE tbl = ?1");
                write.execute(&sql, (new.id, value))?;
            }
            match changed {
                Some(action) => log_table(write, &db, new.id, || {
                    Ok(altered(&new.name, action, 0, now))
                })?,
                None => log_tags(write, &db, &new, &set, now)?,
            }
            let database = write.catalog_mut().database_mut(&db)?;
            let name = new.name.clone();
            database.tables.insert(name, Entry::Child(Arc::new(new)));
            Ok(0)
        })
    }

    fn tag_values(
        &self,
        db: &str,
        def: &TableDef,
        tags: &[(Ident, InsertValue)],
        times: &[TimeExpr],
    ) -> Result<Vec<(ColumnInfo, Value)>, SqlError> {
        let reading = Reading {
            sql: self.sql,
            times,
            precision: self.catalog().database(db)?.precision(),
            now: self.now,
            zone: self.zone,
        };
        let mut cells: Vec<(ColumnInfo, Value)> = Vec::with_capacity(tags.len());
        for (name, value) in tags {
            let (_, tag) = def
                .tag(&name.name)
                .ok_or_else(|| not_allowed(format!("Invalid tag name: {}", name.name)))?;
            if cells.iter().any(|(set, _)| set.id == tag.id) {
                return Err(SqlError::unsupported("setting a tag twice"));
            }
            cells.push((tag.clone(), reading.convert(value, tag)?));
        }
        Ok(cells)
    }
}
