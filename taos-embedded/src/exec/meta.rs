//! Messages of topics that change tables or delete rows, applied as the original applies them: a table
//! or column that is there already, or gone already, is no error.

use std::sync::Arc;

use bytes::Bytes;
use rusqlite::types::Value;
use taos_query::common::{Precision, Ty};

use super::alter::Change;
use super::bound::{Packed, Rules, Source};
use super::describe::default_compression;
use super::insert::check_table_name;
use super::rows::{NewChild, TableRows, Target, create_child, table_exists};
use super::table::{STABLE_EXISTS, check_columns, create_def, definition, drop_one};
use super::{Exec, NO_DATABASE, SYSTEM_TABLE};
use crate::catalog::{Child, Database, Found, TableDef, is_system_database};
use crate::meta::{
    Action, Alter, Bad, Column, Compression, Deletion, Key, Meta, NewKind, NewTable, Schema,
    SuperTable, TagSetting, TagValue, Tags,
};
use crate::plan::ColumnInfo;
use crate::sql::SqlError;
use crate::sql::ast::{
    AlterAction, ColumnDef, CreateTable, DataType, Ident, ObjectName, OptionValue, Span, SqlOption,
};
use crate::store::Write;

const INVALID_PARAMETERS: u32 = 0x0118;
/// Of a column: it is part of the key (tmq-raw §2.2).
const KEY_FLAG: u8 = 0x04;
const ENCODES: [(u32, &str); 5] = [
    (1, "simple8b"),
    (2, "delta-i"),
    (3, "bit-packing"),
    (4, "delta-d"),
    (0xff, "disabled"),
];
const COMPRESSES: [(u32, &str); 6] = [
    (1, "lz4"),
    (2, "zlib"),
    (3, "zstd"),
    (4, "tsz"),
    (5, "xz"),
    (0xff, "disabled"),
];
const LEVELS: [(u32, &str); 3] = [(1, "low"), (2, "medium"), (3, "high")];

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

/// The super table and the target of rows for a subtable that is to be made.
pub(super) fn child_target(
    database: &Database,
    new: &NewTable,
) -> Result<(Arc<TableDef>, Target), SqlError> {
    let NewKind::Child {
        stable,
        tags,
        names,
        ..
    } = &new.kind
    else {
        return Err(unfit("a data message creates subtables only"));
    };
    check_table_name(&new.name)?;
    let def = database
        .stables
        .get(stable)
        .ok_or_else(SqlError::unknown_table)?;
    let target = Target::NewChild {
        name: new.name.clone(),
        tags: child_tags(def, tags, names, database.precision())?,
    };
    Ok((Arc::clone(def), target))
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
        let mut is_changed = false;
        for action in actions {
            if !is_done(&change.def, action) {
                change.apply(action)?;
                is_changed = true;
            }
        }
        if !is_changed {
            return Ok(());
        }
        self.check_stored_columns(change.def.columns.len())?;
        change.store(write, &self.db)
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
                create_child(write, &self.db, &def, &child, self.now).map(drop)
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
                set_tags(write, &self.db, &child, &def, std::slice::from_ref(setting))
            }
            (Action::SetTags(settings), Some(Found::Child(child, def))) => {
                let (child, def) = (Arc::clone(child), Arc::clone(def));
                set_tags(write, &self.db, &child, &def, settings)
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

    fn delete(&self, write: &Write<'_>, rows: &Deletion) -> Result<(), SqlError> {
        let (storage, tables) = match write.catalog().find(&self.db, &rows.table)? {
            None => return Ok(()),
            Some(Found::Super(def)) => (def.id, format!("IN (SELECT tbl FROM t{})", def.id)),
            Some(Found::Normal(def)) => (def.id, format!("= {}", def.id)),
            Some(Found::Child(child, def)) => (def.id, format!("= {}", child.id)),
        };
        let sql = format!("DELETE FROM d{storage} WHERE tbl {tables} AND ts BETWEEN ?1 AND ?2");
        write.execute(&sql, rows.range).map(drop)
    }
}

fn set_tags(
    write: &Write<'_>,
    db: &str,
    child: &Child,
    def: &TableDef,
    settings: &[TagSetting],
) -> Result<(), SqlError> {
    let precision = write.catalog().database(db)?.precision();
    for setting in settings {
        let (_, tag) = def
            .tag(&setting.name)
            .ok_or_else(|| unfit(format_args!("no tag {}", setting.name)))?;
        let value = match &setting.value {
            None => Value::Null,
            Some(data) if tag.ty == Ty::Json => json_tag(&Tags::decode(data)?, tag, precision)?,
            Some(data) => stored(tag, setting.ty, data, precision)?,
        };
        let sql = format!("UPDATE t{} SET g{} = ?2 WHERE tbl = ?1", def.id, tag.id);
        write.execute(&sql, (child.id, value))?;
    }
    Ok(())
}

fn ident(name: &str) -> Ident {
    Ident {
        name: name.to_owned(),
        quoted: true,
        span: Span::default(),
    }
}

fn option(name: &str, value: OptionValue) -> SqlOption {
    SqlOption {
        name: name.to_owned(),
        values: vec![value],
        span: Span::default(),
    }
}

/// A type by its number, the bytes that a value takes, and the digits of a decimal.
fn data_type(ty: u8, bytes: i32, digits: i32) -> Result<DataType, SqlError> {
    let ty = Ty::from_u8_option(ty).ok_or_else(|| unfit(format_args!("type {ty} of a column")))?;
    let bytes = u32::try_from(bytes).unwrap_or_default();
    let length = match ty {
        Ty::VarChar | Ty::VarBinary | Ty::Geometry => Some(bytes.saturating_sub(2)),
        Ty::NChar => Some(bytes.saturating_sub(2) / 4),
        _ => None,
    };
    let digits = u32::try_from(digits).unwrap_or_default();
    Ok(DataType {
        ty,
        length,
        precision: (digits >> 8) & 0xff,
        scale: digits & 0xff,
    })
}

/// The words for a column's way of packing, none if it is the usual one of its type.
fn compression_options(ty: Ty, form: Option<u32>) -> Vec<SqlOption> {
    let Some(form) = form else {
        return Vec::new();
    };
    let word = |words: &[(u32, &'static str)], number: u32| {
        let found = words.iter().find(|(of, _)| *of == number);
        found.map(|(_, word)| *word)
    };
    let named = [
        ("encode", word(&ENCODES, form >> 24)),
        ("compress", word(&COMPRESSES, (form >> 8) & 0xffff)),
        ("level", word(&LEVELS, form & 0xff)),
    ];
    let usual = default_compression(ty);
    if named
        .iter()
        .zip(usual)
        .all(|((_, word), usual)| word.is_none_or(|word| word == usual))
    {
        return Vec::new();
    }
    let text = |(name, word): (&str, Option<&str>)| {
        word.map(|word| option(name, OptionValue::Word(word.to_owned())))
    };
    named.into_iter().filter_map(text).collect()
}

fn column_def(column: &Column, form: Option<u32>, digits: i32) -> Result<ColumnDef, SqlError> {
    let data_type = data_type(column.ty, column.bytes, digits)?;
    Ok(ColumnDef {
        name: ident(&column.name),
        data_type,
        composite_key: column.flags & KEY_FLAG != 0,
        options: compression_options(data_type.ty, form),
    })
}

fn column_defs(
    schema: &Schema,
    compression: Option<&Compression>,
    digits: Option<&[i32]>,
) -> Result<Vec<ColumnDef>, SqlError> {
    let forms: std::collections::HashMap<i32, u32> = compression
        .map(|all| all.columns.iter().copied().collect())
        .unwrap_or_default();
    let digits = digits.unwrap_or_default();
    let columns = schema.columns.iter().enumerate();
    columns
        .map(|(at, column)| {
            let digits = digits.get(at).copied().unwrap_or_default();
            column_def(column, forms.get(&column.id).copied(), digits)
        })
        .collect()
}

/// What a change of a super table asks for, its columns and tags as they are afterwards.
fn super_actions(table: &SuperTable) -> Result<Vec<AlterAction>, SqlError> {
    let Some(change) = &table.change else {
        return Err(SqlError::unsupported(
            "write_raw of a changed super table without its statement",
        ));
    };
    let digits = table.digits.as_deref();
    let columns = column_defs(&table.columns, Some(&table.compression), digits)?;
    let tags = column_defs(&table.tags, None, None)?;
    let find = |defs: &[ColumnDef], name: &str| {
        let found = defs.iter().find(|def| def.name.name == name);
        found
            .cloned()
            .ok_or_else(|| unfit(format_args!("{name} is changed but not described")))
    };
    let names: Vec<&str> = change.fields.iter().map(|f| f.name.as_str()).collect();
    if let (3 | 10, [from, to]) = (change.kind, names.as_slice()) {
        let (from, to) = (ident(from), ident(to));
        return Ok(vec![match change.kind {
            3 => AlterAction::RenameTag(from, to),
            _ => AlterAction::RenameColumn(from, to),
        }]);
    }
    let action = |name: &str| {
        Ok(match change.kind {
            1 => AlterAction::AddTag(find(&tags, name)?),
            2 => AlterAction::DropTag(ident(name)),
            5 | 14 => AlterAction::AddColumn(find(&columns, name)?),
            6 => AlterAction::DropColumn(ident(name)),
            7 => AlterAction::ModifyColumn(ident(name), find(&columns, name)?.data_type),
            8 => AlterAction::ModifyTag(ident(name), find(&tags, name)?.data_type),
            13 => AlterAction::ModifyColumnOptions(ident(name), find(&columns, name)?.options),
            other => {
                return Err(SqlError::unsupported(format!(
                    "write_raw of changes of super tables of kind {other}"
                )));
            }
        })
    };
    match change.kind {
        9 => Ok(Vec::new()),
        _ => names.into_iter().map(action).collect(),
    }
}

fn table_action(action: &Action, def: &TableDef) -> Result<AlterAction, SqlError> {
    Ok(match action {
        Action::AddColumn {
            name,
            ty,
            flags,
            bytes,
            compression,
            digits,
        } => {
            let column = Column {
                ty: *ty,
                flags: *flags,
                bytes: *bytes,
                id: 0,
                name: name.clone(),
            };
            AlterAction::AddColumn(column_def(&column, *compression, *digits)?)
        }
        Action::DropColumn(name) => AlterAction::DropColumn(ident(name)),
        Action::Widen { name, bytes, .. } => {
            // the type that the message names is not always filled in
            let ty = def.column(name).map_or(Ty::Null, |(_, column)| column.ty);
            AlterAction::ModifyColumn(ident(name), data_type(ty.as_u8(), *bytes, 0)?)
        }
        Action::Rename(from, to) => AlterAction::RenameColumn(ident(from), ident(to)),
        Action::Compress(name, form) => {
            let ty = def.column(name).map_or(Ty::Null, |(_, column)| column.ty);
            AlterAction::ModifyColumnOptions(ident(name), compression_options(ty, Some(*form)))
        }
        Action::SetTag(_) | Action::SetTags(_) | Action::Options { .. } => {
            return Err(unfit("a normal table has no tags"));
        }
    })
}

/// True if a change has been made before.
fn is_done(def: &TableDef, action: &AlterAction) -> bool {
    let same = |found: Option<(usize, &ColumnInfo)>, new: &ColumnDef| {
        found.is_some_and(|(_, column)| column.ty == new.data_type.ty)
    };
    let wide = |found: Option<(usize, &ColumnInfo)>, to: &DataType| {
        found.is_some_and(|(_, column)| {
            column.ty == to.ty && to.length.is_some_and(|length| column.length >= length)
        })
    };
    match action {
        AlterAction::AddColumn(new) => same(def.column(&new.name.name), new),
        AlterAction::AddTag(new) => same(def.tag(&new.name.name), new),
        AlterAction::DropColumn(name) => def.column(&name.name).is_none(),
        AlterAction::DropTag(name) => def.tag(&name.name).is_none(),
        AlterAction::ModifyColumn(name, to) => wide(def.column(&name.name), to),
        AlterAction::ModifyTag(name, to) => wide(def.tag(&name.name), to),
        AlterAction::RenameColumn(from, to) => {
            def.column(&from.name).is_none() && def.column(&to.name).is_some()
        }
        AlterAction::RenameTag(from, to) => {
            def.tag(&from.name).is_none() && def.tag(&to.name).is_some()
        }
        _ => false,
    }
}

/// A value for each tag of a super table.
///
/// The message names the tags that were given and numbers the values, but not in one place: if there are as
/// many of both, they belong together in the order of the tags. Otherwise the numbers must be those that
/// the tags have here.
fn child_tags(
    def: &TableDef,
    tags: &Tags,
    names: &[String],
    precision: Precision,
) -> Result<Vec<Value>, SqlError> {
    if let (true, Some(tag)) = (
        tags.is_json(),
        def.tags.first().filter(|t| t.ty == Ty::Json),
    ) {
        return Ok(vec![json_tag(tags, tag, precision)?]);
    }
    let mut positions: Vec<usize> = names
        .iter()
        .filter_map(|name| def.tag(name).map(|(at, _)| at))
        .collect();
    positions.sort_unstable();
    positions.dedup();
    let mut values: Vec<(i32, &TagValue)> = Vec::with_capacity(tags.values.len());
    for value in &tags.values {
        match value.key {
            Key::Number(number) => values.push((number, value)),
            Key::Json(_) => return Err(unfit("JSON for tags of other types")),
        }
    }
    values.sort_by_key(|(number, _)| *number);
    let mut out = vec![Value::Null; def.tags.len()];
    for (index, (number, value)) in values.iter().enumerate() {
        let at = if positions.len() == values.len() && names.len() == values.len() {
            positions.get(index).copied()
        } else {
            let numbered = |tag: &ColumnInfo| i64::from(tag.id) + 1 == i64::from(*number);
            def.tags.iter().position(numbered)
        };
        let place = at.and_then(|at| Some((def.tags.get(at)?, out.get_mut(at)?)));
        let Some((tag, slot)) = place else {
            return Err(unfit(format_args!(
                "which tag of {} a value is for cannot be told",
                def.name
            )));
        };
        *slot = stored(tag, value.ty, &value.data, precision)?;
    }
    Ok(out)
}

/// The stored form of a value of a tag.
fn stored(tag: &ColumnInfo, ty: u8, data: &Bytes, precision: Precision) -> Result<Value, SqlError> {
    let ty = Ty::from_u8_option(ty);
    let data = match ty {
        Some(Ty::NChar) => Bytes::from(wide_text(data)?),
        _ => data.clone(),
    };
    let length = i32::try_from(data.len()).map_err(unfit)?;
    let packed = Packed {
        ty,
        nulls: &Bytes::from_static(&[0]),
        lengths: Some(&[length]),
        data: &data,
    };
    let rules = Rules {
        precision,
        zone: None,
        decimal_text: false,
    };
    Source::Packed(packed).one(tag, &rules)
}

/// Text of four bytes a character.
fn wide_text(data: &[u8]) -> Result<String, SqlError> {
    let (characters, rest) = data.as_chunks::<4>();
    let text: Option<String> = characters
        .iter()
        .map(|four| char::from_u32(u32::from_le_bytes(*four)))
        .collect();
    text.filter(|_| rest.is_empty())
        .ok_or_else(|| unfit("a text that is not of four bytes a character"))
}

/// The stored form of a JSON tag; none of its pairs is NULL.
fn json_tag(tags: &Tags, tag: &ColumnInfo, precision: Precision) -> Result<Value, SqlError> {
    if tags.values.is_empty() {
        return Ok(Value::Null);
    }
    let mut pairs = serde_json::Map::new();
    for value in &tags.values {
        let Key::Json(key) = &value.key else {
            return Err(unfit("a number where a JSON key was expected"));
        };
        let key = std::str::from_utf8(key).map_err(unfit)?;
        pairs.insert(key.to_owned(), json_value(value)?);
    }
    let text = serde_json::Value::Object(pairs).to_string();
    stored(tag, Ty::Json.as_u8(), &Bytes::from(text), precision)
}

fn json_value(value: &TagValue) -> Result<serde_json::Value, SqlError> {
    let number = || {
        let eight = value.data.first_chunk::<8>()?;
        serde_json::Number::from_f64(f64::from_le_bytes(*eight))
    };
    Ok(match Ty::from_u8_option(value.ty) {
        Some(Ty::Null) => serde_json::Value::Null,
        Some(Ty::Bool) => serde_json::Value::Bool(value.data.first().is_some_and(|b| *b != 0)),
        Some(Ty::Double) => number()
            .map(serde_json::Value::Number)
            .ok_or_else(|| unfit("a number of a JSON tag"))?,
        Some(Ty::NChar) => serde_json::Value::String(wide_text(&value.data)?),
        _ => return Err(unfit(format_args!("type {} in a JSON tag", value.ty))),
    })
}
