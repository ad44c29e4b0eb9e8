//! Changes of tables as `fetch_json_meta` tells them (tmq-raw §6), member by member in its order.

use serde::ser::{Serialize, SerializeMap, Serializer};
use taos_query::common::Ty;

use super::values;
use crate::exec::packing_words;
use crate::meta::{
    Action, Alter, Column, Compression, Meta, NewKind, NewTable, SuperTable, TagSetting,
};

/// Names a super table's tag by its number.
pub(super) type Names<'a> = &'a dyn Fn(&str, i32) -> Option<String>;

/// Set for columns of the key beside the time (tmq-raw §2.2).
const KEY_FLAG: u8 = 0x04;

/// An object whose members keep their order.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Object(Vec<(&'static str, Json)>);

/// A member's value.
#[derive(Debug, Clone, PartialEq)]
enum Json {
    Value(serde_json::Value),
    Objects(Vec<Object>),
}

impl Serialize for Object {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            match value {
                Json::Value(value) => map.serialize_entry(name, value)?,
                Json::Objects(objects) => map.serialize_entry(name, objects)?,
            }
        }
        map.end()
    }
}

impl std::fmt::Display for Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| std::fmt::Error)?)
    }
}

impl Object {
    fn of(kind: &str) -> Self {
        Self(Vec::new()).with("type", kind)
    }

    fn with(mut self, name: &'static str, value: impl Into<serde_json::Value>) -> Self {
        self.0.push((name, Json::Value(value.into())));
        self
    }

    fn maybe(self, name: &'static str, value: Option<impl Into<serde_json::Value>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    fn listing(mut self, name: &'static str, objects: Vec<Self>) -> Self {
        self.0.push((name, Json::Objects(objects)));
        self
    }
}

/// Several changes.
pub(super) fn batch(metas: &[Meta], names: Names<'_>) -> Object {
    let units = metas.iter().map(|meta| unit(meta, names)).collect();
    Object(Vec::new())
        .with("tmq_meta_version", "1.0")
        .listing("metas", units)
}

/// One change.
pub(super) fn unit(meta: &Meta, names: Names<'_>) -> Object {
    match meta {
        Meta::CreateSuper(table) => Object::of("create")
            .with("tableType", "super")
            .with("tableName", table.name.as_str())
            .listing(
                "columns",
                columns(&table.columns.columns, &table.compression),
            )
            .listing("tags", table.tags.columns.iter().map(column).collect()),
        Meta::AlterSuper(table) => alter_super(table),
        Meta::DropSuper { name, .. } => Object::of("drop")
            .with("tableType", "super")
            .with("tableName", name.as_str()),
        Meta::CreateTables { tables, .. } => creates(tables, names),
        Meta::AlterTable(alter) => alter_table(alter),
        Meta::DropTables(tables) => {
            let names: Vec<&str> = tables.iter().map(|table| table.name.as_str()).collect();
            Object::of("drop").with("tableNameList", names)
        }
        Meta::Delete(rows) => {
            let (table, time, (low, high)) = (&rows.table, &rows.time_column, rows.range);
            Object::of("delete").with(
                "sql",
                format!("delete from `{table}` where `{time}` >= {low} and `{time}` <= {high}"),
            )
        }
    }
}

/// New tables; only subtables come several at a time.
pub(super) fn creates(tables: &[NewTable], names: Names<'_>) -> Object {
    let object = Object::of("create");
    match tables {
        [] => object,
        [
            NewTable {
                name,
                kind:
                    NewKind::Normal {
                        columns: schema,
                        compression,
                        ..
                    },
                ..
            },
            ..,
        ] => object
            .with("tableType", "normal")
            .with("tableName", name.as_str())
            .listing("columns", columns(&schema.columns, compression))
            .listing("tags", Vec::new()),
        [first, rest @ ..] => {
            let all = match rest {
                [] => Vec::new(),
                _ => tables
                    .iter()
                    .map(|table| child(Object(Vec::new()), table, names))
                    .collect(),
            };
            child(object.with("tableType", "child"), first, names).listing("createList", all)
        }
    }
}

fn child(object: Object, table: &NewTable, known: Names<'_>) -> Object {
    let NewKind::Child {
        stable,
        tag_count,
        tags,
        names,
        ..
    } = &table.kind
    else {
        return object;
    };
    let object = object
        .with("tableName", table.name.as_str())
        .with("using", stable.as_str())
        .with("tagNum", *tag_count);
    if tags.is_json() {
        // NULL has neither name nor value, and is left out like other NULL tags (tmq-raw §6.2).
        let tag = names.first().map(|name| {
            Object(Vec::new())
                .with("name", name.as_str())
                .with("type", Ty::Json.as_u8())
                .with("value", values::pairs(tags).to_string())
        });
        return object.listing("tags", tag.into_iter().collect());
    }
    let mut all = Vec::new();
    for (index, value) in tags.values.iter().enumerate() {
        let own = names
            .get(index)
            .filter(|_| names.len() == tags.values.len());
        let name = own
            .cloned()
            .or_else(|| known(stable, value.number()?))
            .or_else(|| names.get(index).cloned());
        all.push(
            Object(Vec::new())
                .maybe("name", name)
                .with("type", value.ty)
                .maybe("value", values::json(value.ty, &value.data)),
        );
    }
    object.listing("tags", all)
}

/// Name, type and length as users write them.
fn column(column: &Column) -> Object {
    Object(Vec::new())
        .with("name", column.name.as_str())
        .with("type", column.ty)
        .maybe("length", length(column.ty, column.bytes))
}

fn columns(columns: &[Column], compression: &Compression) -> Vec<Object> {
    let described = columns.iter().map(|one| {
        let object = column(one).with("isPrimarykey", one.flags & KEY_FLAG != 0);
        let form = compression.columns.iter().find(|(id, _)| *id == one.id);
        match form {
            None => object,
            Some((_, form)) => packing_words(*form)
                .into_iter()
                .fold(object, |object, (name, word)| {
                    object.with(name, word.unwrap_or("unknown"))
                }),
        }
    });
    described.collect()
}

/// The length that a declaration names, from the width as it is stored.
fn length(ty: u8, bytes: i32) -> Option<i32> {
    match Ty::from_u8_option(ty)? {
        Ty::VarChar | Ty::VarBinary | Ty::Geometry => Some(bytes.saturating_sub(2)),
        Ty::NChar => Some(bytes.saturating_sub(2) / 4),
        // says nothing, but is there
        Ty::Blob | Ty::MediumBlob => Some(1),
        _ => None,
    }
}

fn altered(kind: &'static str, table: &str, number: u8) -> Object {
    Object::of("alter")
        .with("tableType", kind)
        .with("tableName", table)
        .with("alterType", number)
}

fn new_column(object: Object, name: &str, ty: u8, bytes: i32) -> Object {
    object
        .with("colName", name)
        .with("colType", ty)
        .maybe("colLength", length(ty, bytes))
}

/// The first part of a packing that is named.
fn packing(object: Object, form: u32) -> Object {
    let named = packing_words(form)
        .into_iter()
        .zip([form >> 24, (form >> 8) & 0xffff, form & 0xff])
        .find(|(_, part)| *part != 0);
    match named {
        Some(((name, word), _)) => object.with(name, word.unwrap_or("unknown")),
        None => object,
    }
}

fn alter_super(table: &SuperTable) -> Object {
    let Some(change) = &table.change else {
        return altered("super", &table.name, 9);
    };
    let object = altered("super", &table.name, change.kind);
    let [first, rest @ ..] = change.fields.as_slice() else {
        return object;
    };
    match change.kind {
        1 | 5 | 7 | 8 => new_column(object, &first.name, first.ty, first.bytes),
        14 => {
            let object = new_column(object, &first.name, first.ty, first.bytes);
            packing(object, first.compression.unwrap_or_default())
        }
        2 | 6 => object.with("colName", first.name.as_str()),
        3 | 10 => object
            .with("colName", first.name.as_str())
            .maybe("colNewName", rest.first().map(|new| new.name.as_str())),
        13 => {
            let named = first.bytes.cast_unsigned();
            packing(object.with("colName", first.name.as_str()), named)
        }
        _ => object,
    }
}

fn alter_table(alter: &Alter) -> Object {
    let table = &alter.table;
    match &alter.action {
        Action::AddColumn {
            name,
            ty,
            bytes,
            compression,
            ..
        } => {
            let number = if compression.is_some() { 14 } else { 5 };
            let object = new_column(altered("normal", table, number), name, *ty, *bytes);
            compression
                .iter()
                .fold(object, |object, form| packing(object, *form))
        }
        Action::DropColumn(name) => altered("normal", table, 6).with("colName", name.as_str()),
        Action::Widen { name, ty, bytes } => {
            new_column(altered("normal", table, 7), name, *ty, *bytes)
        }
        Action::Options { .. } => altered("normal", table, 9),
        Action::Rename(from, to) => altered("normal", table, 10)
            .with("colName", from.as_str())
            .with("colNewName", to.as_str()),
        Action::Compress(name, form) => packing(
            altered("normal", table, 13).with("colName", name.as_str()),
            *form,
        ),
        Action::SetTag(setting) => setting_of(altered("child", table, 4), setting),
        Action::SetTags(settings) => {
            let all = settings
                .iter()
                .map(|setting| setting_of(Object(Vec::new()), setting))
                .collect();
            altered("child", table, 15).listing("tags", all)
        }
    }
}

fn setting_of(object: Object, setting: &TagSetting) -> Object {
    let value = setting.value.as_ref();
    object
        .with("colName", setting.name.as_str())
        .maybe(
            "colValue",
            value.and_then(|data| values::text(setting.ty, data)),
        )
        .with("colValueNull", value.is_none())
}
