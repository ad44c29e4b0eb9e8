//! What statements leave in the logs of the vgroups that they change: tables and their columns in the
//! words of the messages that topics carry (as 16-tmq-db-meta recorded them).

use bytes::{BufMut, Bytes, BytesMut};
use rusqlite::types::Value;
use taos_query::common::Ty;

use super::meta::compression_form;
use super::options::{OptionsOf, table_options};
use super::rows::NewChild;
use crate::catalog::{Child, TableDef, byte_length};
use crate::meta::{
    Action, Alter, ChangedField, Column, Compression, Key, Meta, NewKind, NewTable, Schema,
    SuperChange, SuperTable, TagSetting, TagValue, Tags,
};
use crate::plan::ColumnInfo;
use crate::sql::SqlError;
use crate::sql::ast::{AlterAction, Ident, OptionValue, SqlOption};
use crate::store::{Write, internal};
use crate::tmq::Body;

/// Flags of a column (tmq-raw §2.2).
const STATISTICS: u8 = 0x01;
const INDEXED: u8 = 0x02;
const KEY: u8 = 0x04;
const OTHER: u8 = 0x80;
/// Flags of tags: a JSON object; places of two bytes.
const JSON_TAGS: u8 = 0x40;
const LARGE_TAGS: u8 = 0x20;
/// From this many bytes on the places of tags have two.
const LARGE_FROM: usize = 128;
const JSON_BYTES: i32 = 16_384;

/// The number of a column or tag in messages, which count from 1.
fn number(column: &ColumnInfo) -> i32 {
    i32::try_from(column.id).map_or(i32::MAX, |id| id.saturating_add(1))
}

/// The width that messages give a column.
pub(super) fn width(column: &ColumnInfo) -> i32 {
    match column.ty {
        Ty::Json => JSON_BYTES,
        _ => i32::try_from(byte_length(column)).unwrap_or(i32::MAX),
    }
}

/// The flags of a column of a table.
pub(super) fn flags(def: &TableDef, column: &ColumnInfo) -> u8 {
    let first_tag = def.tags.iter().map(|tag| tag.id).min();
    let key = if column.composite_key { KEY } else { 0 };
    match first_tag {
        // a column that came later
        Some(tag) if column.id > tag => OTHER | key,
        _ if column.ty.is_decimal() => STATISTICS | OTHER | key,
        _ => STATISTICS | key,
    }
}

fn version(def: &TableDef) -> i32 {
    i32::try_from(def.version).map_or(i32::MAX, |version| version.saturating_add(1))
}

fn column(column: &ColumnInfo, flags: u8) -> Column {
    Column {
        ty: column.ty.as_u8(),
        flags,
        bytes: width(column),
        id: number(column),
        name: column.name.clone(),
    }
}

fn columns(def: &TableDef) -> Schema {
    let columns = def.columns.iter().map(|c| column(c, flags(def, c)));
    Schema {
        version: version(def),
        columns: columns.collect(),
    }
}

fn tags(def: &TableDef) -> Schema {
    let flags = |at| if at == 0 { INDEXED } else { 0 };
    let columns = def.tags.iter().enumerate();
    Schema {
        version: version(def),
        columns: columns.map(|(at, c)| column(c, flags(at))).collect(),
    }
}

fn form(def: &TableDef, column: &ColumnInfo) -> u32 {
    match def.compression.get(&column.id) {
        Some(words) => compression_form(words.each_ref().map(String::as_str)),
        None => compression_form(super::describe::default_compression(column.ty)),
    }
}

fn compression(def: &TableDef, version: i32) -> Compression {
    let columns = def.columns.iter().map(|c| (number(c), form(def, c)));
    Compression {
        version,
        columns: columns.collect(),
    }
}

fn digits_of(column: &ColumnInfo) -> i32 {
    match column.ty.is_decimal() {
        true => i32::from(column.precision) << 8 | i32::from(column.scale),
        false => 0,
    }
}

/// The digits of all columns, where `always` or one of them is a decimal.
fn digits(def: &TableDef, always: bool) -> Option<Vec<i32>> {
    let named = always || def.columns.iter().any(|c| c.ty.is_decimal());
    named.then(|| def.columns.iter().map(digits_of).collect())
}

fn super_table(def: &TableDef, change: Option<SuperChange>) -> SuperTable {
    SuperTable {
        name: def.name.clone(),
        uid: def.id,
        columns: columns(def),
        tags: tags(def),
        digits: digits(def, change.is_some()),
        change,
        source: 0,
        is_compressed: 1,
        compression: compression(def, version(def)),
        keep: -1,
    }
}

fn wide(text: &str) -> Bytes {
    let mut out = BytesMut::with_capacity(text.len() * 4);
    text.chars().for_each(|c| out.put_u32_le(c.into()));
    out.freeze()
}

/// The bytes of a tag's value; `None` for NULL.
fn tag_bytes(tag: &ColumnInfo, value: &Value) -> Result<Option<Bytes>, SqlError> {
    let unfit = |_| internal(format_args!("a value of tag {} beyond its type", tag.name));
    let bytes = match (tag.ty, value) {
        (_, Value::Null) => return Ok(None),
        (Ty::Json, Value::Text(text)) => return json_bytes(text).map(Some),
        (Ty::NChar, Value::Text(text)) => wide(text),
        (_, Value::Text(text)) => Bytes::copy_from_slice(text.as_bytes()),
        (_, Value::Blob(bytes)) => Bytes::copy_from_slice(bytes),
        #[allow(
            clippy::cast_possible_truncation,
            reason = "rounding is what FLOAT means"
        )]
        (Ty::Float, Value::Real(v)) => Bytes::copy_from_slice(&(*v as f32).to_le_bytes()),
        (_, Value::Real(v)) => Bytes::copy_from_slice(&v.to_le_bytes()),
        (Ty::UBigInt, Value::Integer(v)) => {
            Bytes::copy_from_slice(&(v.cast_unsigned() ^ (1 << 63)).to_le_bytes())
        }
        (Ty::Bool, Value::Integer(v)) => Bytes::copy_from_slice(&[u8::from(*v != 0)]),
        (ty, Value::Integer(v)) => {
            let (fits, width) = match ty {
                Ty::TinyInt => (i8::try_from(*v).map(drop), 1),
                Ty::UTinyInt => (u8::try_from(*v).map(drop), 1),
                Ty::SmallInt => (i16::try_from(*v).map(drop), 2),
                Ty::USmallInt => (u16::try_from(*v).map(drop), 2),
                Ty::Int => (i32::try_from(*v).map(drop), 4),
                Ty::UInt => (u32::try_from(*v).map(drop), 4),
                _ => (Ok(()), 8),
            };
            fits.map_err(unfit)?;
            Bytes::copy_from_slice(v.to_le_bytes().get(..width).unwrap_or_default())
        }
    };
    Ok(Some(bytes))
}

/// The pairs of a JSON tag; its stored form has the keys sorted.
fn json_pairs(text: &str) -> Result<Vec<TagValue>, SqlError> {
    let pairs: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(text).map_err(internal)?;
    let value = |(key, value): (String, serde_json::Value)| {
        let (ty, data) = match value {
            serde_json::Value::Bool(v) => (Ty::Bool, Bytes::copy_from_slice(&[u8::from(v)])),
            serde_json::Value::Number(v) => {
                let number = v.as_f64().unwrap_or_default();
                (Ty::Double, Bytes::copy_from_slice(&number.to_le_bytes()))
            }
            serde_json::Value::String(v) => (Ty::NChar, wide(&v)),
            _ => (Ty::Null, Bytes::new()),
        };
        TagValue {
            key: Key::Json(key.into()),
            ty: ty.as_u8(),
            data,
        }
    };
    Ok(pairs.into_iter().map(value).collect())
}

/// Tags with the flags that their size asks for.
fn with_flags(flags: u8, version: i32, values: Vec<TagValue>) -> Tags {
    // number or key, type, and a length take at most ten bytes beside the value and the key
    let size = |value: &TagValue| {
        let key = match &value.key {
            Key::Number(_) => 0,
            Key::Json(key) => key.len(),
        };
        value.data.len() + key + 10
    };
    let large = values.iter().map(size).sum::<usize>() >= LARGE_FROM;
    Tags {
        flags: flags | if large { LARGE_TAGS } else { 0 },
        version,
        values,
    }
}

fn json_bytes(text: &str) -> Result<Bytes, SqlError> {
    let tags = with_flags(JSON_TAGS, 1, json_pairs(text)?);
    let bytes = tags.encode().map(Bytes::from);
    bytes.ok_or_else(|| internal("a JSON tag beyond 64 KiB"))
}

/// A subtable as messages tell of it.
pub(super) fn new_child(
    def: &TableDef,
    id: i64,
    new: &NewChild<'_>,
    created: i64,
) -> Result<NewTable, SqlError> {
    let (mut values, mut names) = (Vec::new(), Vec::new());
    let is_json = def.has_json_tag();
    for (tag, value) in def.tags.iter().zip(new.tags) {
        if let (true, Value::Text(text)) = (is_json, value) {
            values = json_pairs(text)?;
            names.push(tag.name.clone());
        } else if let Some(data) = tag_bytes(tag, value)? {
            values.push(TagValue {
                key: Key::Number(number(tag)),
                ty: tag.ty.as_u8(),
                data,
            });
            names.push(tag.name.clone());
        }
    }
    Ok(NewTable {
        flags: 0,
        name: new.name.to_owned(),
        uid: id,
        created,
        ttl: new.ttl,
        comment: new.comment.map(str::to_owned),
        kind: NewKind::Child {
            stable: def.name.clone(),
            tag_count: u8::try_from(def.tags.len()).unwrap_or(u8::MAX),
            super_uid: def.id,
            tags: with_flags(if is_json { JSON_TAGS } else { 0 }, 1, values),
            names,
        },
        sql: Bytes::new(),
    })
}

/// Logs that tables are created.
pub(super) fn created(tables: Vec<NewTable>) -> Meta {
    Meta::CreateTables { tables, source: 0 }
}

/// Logs a change of a table in its vgroup.
pub(super) fn log_table(
    write: &mut Write<'_>,
    db: &str,
    table: i64,
    meta: impl FnOnce() -> Result<Meta, SqlError>,
) -> Result<(), SqlError> {
    let database = write.catalog().database(db)?;
    if !database.keeps_log() {
        return Ok(());
    }
    let vgroup = database.vgroup_of(table);
    let mut meta = meta()?;
    if let Meta::AlterTable(alter) = &mut meta {
        let found = database.find(&alter.table);
        alter.ids = (table, found.map_or(0, |found| found.def().id));
    }
    write.log(vgroup, Body::Meta(meta))
}

/// Logs a change of a super table in all vgroups of its database.
pub(super) fn log_super(
    write: &mut Write<'_>,
    db: &str,
    meta: impl FnOnce() -> Meta,
) -> Result<(), SqlError> {
    let database = write.catalog().database(db)?;
    if !database.keeps_log() {
        return Ok(());
    }
    let vgroups = database.vgroups();
    let meta = meta();
    for vgroup in vgroups {
        write.log(vgroup, Body::Meta(meta.clone()))?;
    }
    Ok(())
}

/// Logs a new super table or normal table.
pub(super) fn log_new_def(write: &mut Write<'_>, db: &str, def: &TableDef) -> Result<(), SqlError> {
    if def.is_super() {
        return log_super(write, db, || Meta::CreateSuper(super_table(def, None)));
    }
    log_table(write, db, def.id, || {
        Ok(created(vec![NewTable {
            flags: 0,
            name: def.name.clone(),
            uid: def.id,
            created: def.created,
            ttl: def.ttl,
            comment: def.comment.clone(),
            kind: NewKind::Normal {
                columns: columns(def),
                compression: compression(def, 0),
                digits: digits(def, false),
            },
            sql: Bytes::new(),
        }]))
    })
}

/// The options of a column that are named, as one number; those that are not are 0.
fn named_form(options: &[SqlOption]) -> u32 {
    let word = |name: &str| {
        let named = options.iter().rev().find(|option| option.name == name);
        match named.and_then(|option| option.values.first()) {
            Some(OptionValue::Text(word) | OptionValue::Word(word)) => word.to_lowercase(),
            _ => String::new(),
        }
    };
    let words = [word("encode"), word("compress"), word("level")];
    compression_form(words.each_ref().map(String::as_str))
}

fn field(ty: u8, bytes: i32, name: &str) -> ChangedField {
    ChangedField {
        ty,
        bytes,
        name: name.to_owned(),
        compression: None,
    }
}

/// Column or tag of a name, after the change.
fn described(infos: &[ColumnInfo], name: &Ident) -> ChangedField {
    let found = infos.iter().find(|info| info.name == name.name);
    let (ty, bytes) = found.map_or((0, 0), |info| (info.ty.as_u8(), width(info)));
    field(ty, bytes, &name.name)
}

/// The number of a change (tmq-raw §6.3), and what it names.
fn super_fields(def: &TableDef, action: &AlterAction) -> (u8, Vec<ChangedField>) {
    let bare = |name: &Ident| field(0, 0, &name.name);
    match action {
        AlterAction::AddTag(new) => (1, vec![described(&def.tags, &new.name)]),
        AlterAction::DropTag(name) => (2, vec![bare(name)]),
        AlterAction::RenameTag(from, to) => (3, vec![bare(from), bare(to)]),
        AlterAction::AddColumn(new) => {
            let mut added = described(&def.columns, &new.name);
            if new.options.is_empty() {
                return (5, vec![added]);
            }
            let info = def.column(&new.name.name);
            added.compression = info.map(|(_, info)| form(def, info));
            (14, vec![added])
        }
        AlterAction::DropColumn(name) => (6, vec![bare(name)]),
        AlterAction::ModifyColumn(name, _) => (7, vec![described(&def.columns, name)]),
        AlterAction::ModifyTag(name, _) => (8, vec![described(&def.tags, name)]),
        AlterAction::RenameColumn(from, to) => (10, vec![bare(from), bare(to)]),
        AlterAction::ModifyColumnOptions(name, options) => {
            let form = named_form(options).cast_signed();
            (13, vec![field(0, form, &name.name)])
        }
        AlterAction::Options(_) | AlterAction::SetTags { .. } => (9, Vec::new()),
    }
}

/// What stands behind the fields of a change: no options, then the text of the statement.
fn rest(sql: &str) -> Bytes {
    let mut out = BytesMut::with_capacity(sql.len() + 32);
    out.put_bytes(0, 16);
    out.put_u32_le(u32::try_from(sql.len()).unwrap_or_default());
    // the length once more, in groups of seven bits
    let mut length = sql.len();
    while length > 0 {
        let more = if length >= 0x80 { 0x80 } else { 0 };
        out.put_u8(u8::try_from(length & 0x7f).unwrap_or_default() | more);
        length >>= 7;
    }
    out.put_slice(sql.as_bytes());
    out.put_slice(&[1, 0, 0, 0, 0]);
    out.freeze()
}

/// Logs a change of a super table, which is `def` afterwards.
pub(super) fn log_super_change(
    write: &mut Write<'_>,
    db: &str,
    def: &TableDef,
    (kind, fields): (u8, Vec<ChangedField>),
    sql: &str,
) -> Result<(), SqlError> {
    log_super(write, db, || {
        let change = SuperChange {
            full_name: format!("1.{db}.{}", def.name),
            kind,
            fields,
            rest: rest(sql),
        };
        Meta::AlterSuper(super_table(def, Some(change)))
    })
}

/// What points add to a super table: the number of the change, and what it names.
pub(super) fn grown_field(
    column: &ColumnInfo,
    is_tag: bool,
    is_new: bool,
) -> (u8, Vec<ChangedField>) {
    let kind = match (is_tag, is_new) {
        (true, true) => 1,
        (false, true) => 5,
        (false, false) => 7,
        (true, false) => 8,
    };
    (
        kind,
        vec![field(column.ty.as_u8(), width(column), &column.name)],
    )
}

/// A change of a normal table, which is `def` afterwards.
fn table_action(def: &TableDef, action: &AlterAction) -> Option<Action> {
    Some(match action {
        AlterAction::AddColumn(new) => {
            let (_, info) = def.column(&new.name.name)?;
            Action::AddColumn {
                name: info.name.clone(),
                ty: info.ty.as_u8(),
                flags: flags(def, info),
                bytes: width(info),
                compression: (!new.options.is_empty()).then(|| form(def, info)),
                digits: digits_of(info),
            }
        }
        AlterAction::DropColumn(name) => Action::DropColumn(name.name.clone()),
        AlterAction::ModifyColumn(name, _) => {
            let (_, info) = def.column(&name.name)?;
            Action::Widen {
                name: info.name.clone(),
                ty: info.ty.as_u8(),
                bytes: width(info),
            }
        }
        AlterAction::RenameColumn(from, to) => Action::Rename(from.name.clone(), to.name.clone()),
        AlterAction::ModifyColumnOptions(name, options) => {
            Action::Compress(name.name.clone(), named_form(options))
        }
        AlterAction::Options(options) => {
            let options = table_options(options, OptionsOf::Normal, &[]).ok()?;
            Action::Options {
                ttl: options.ttl,
                comment: options.comment,
            }
        }
        _ => return None,
    })
}

/// Logs a change of a super table or normal table, which is `def` afterwards.
pub(super) fn log_change(
    write: &mut Write<'_>,
    db: &str,
    def: &TableDef,
    action: &AlterAction,
    (sql, now): (&str, i64),
) -> Result<(), SqlError> {
    if def.is_super() {
        return log_super_change(write, db, def, super_fields(def, action), sql);
    }
    let Some(action) = table_action(def, action) else {
        return Err(internal("a change of a table that no message tells"));
    };
    log_table(write, db, def.id, || Ok(altered(&def.name, action, 0, now)))
}

/// A change of a subtable or normal table; `now` are nanoseconds since 1970.
pub(super) fn altered(table: &str, action: Action, column_id: i32, now: i64) -> Meta {
    Meta::AlterTable(Alter {
        table: table.to_owned(),
        action,
        column_id,
        changed: now / 1_000_000,
        source: 0,
        ids: (0, 0),
    })
}

/// Logs that tags of a subtable were given values.
pub(super) fn log_tags(
    write: &mut Write<'_>,
    db: &str,
    child: &Child,
    tags: &[(ColumnInfo, Value)],
    now: i64,
) -> Result<(), SqlError> {
    let is_one = tags.len() == 1;
    let setting = |(tag, value): &(ColumnInfo, Value)| {
        Ok(TagSetting {
            id: if is_one { 0 } else { number(tag) },
            name: tag.name.clone(),
            ty: tag.ty.as_u8(),
            value: tag_bytes(tag, value)?,
        })
    };
    log_table(write, db, child.id, || {
        let mut settings: Vec<TagSetting> =
            tags.iter().map(setting).collect::<Result<_, SqlError>>()?;
        Ok(match (tags.first(), settings.pop()) {
            (Some((tag, _)), Some(only)) if is_one => {
                altered(&child.name, Action::SetTag(only), number(tag), now)
            }
            (_, last) => {
                settings.extend(last);
                altered(&child.name, Action::SetTags(settings), 0, now)
            }
        })
    })
}
