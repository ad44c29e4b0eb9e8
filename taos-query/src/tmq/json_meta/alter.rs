use std::fmt;

use serde::{Deserialize, Serialize};

use super::sql::{self, Column as ColumnSql, List, Name, TagValue};
use super::wire;
use crate::common::{Field, Ty};
use crate::util::sql_value_escape;

/// What was changed, with the numbers of tmq-raw §6.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "i64", into = "i64")]
pub enum AlterType {
    /// A tag was added: 1.
    AddTag,
    /// A tag was dropped: 2.
    DropTag,
    /// A tag has another name: 3.
    RenameTag,
    /// A tag of a subtable has another value: 4.
    SetTagValue,
    /// A column was added: 5.
    AddColumn,
    /// A column was dropped: 6.
    DropColumn,
    /// A column has another length: 7.
    ModifyColumnLength,
    /// A tag has another length: 8.
    ModifyTagLength,
    /// Options of the table were changed, it is not told which: 9.
    ModifyTableOption,
    /// A column has another name: 10.
    RenameColumn,
    /// A column is compressed in another way: 13.
    ModifyColumnCompression,
    /// A column was added that is compressed in its own way: 14.
    AddColumnWithCompression,
    /// Several tags of a subtable have other values: 15.
    SetTagValues,
    /// Tags of several subtables have other values: 19.
    SetTagValuesOfTables,
    /// Tags of all subtables that meet a condition have other values: 20.
    SetTagValuesWhere,
    /// A change of a kind that is not known here.
    Other(i64),
}

impl AlterType {
    const KNOWN: [(i64, Self); 15] = [
        (1, Self::AddTag),
        (2, Self::DropTag),
        (3, Self::RenameTag),
        (4, Self::SetTagValue),
        (5, Self::AddColumn),
        (6, Self::DropColumn),
        (7, Self::ModifyColumnLength),
        (8, Self::ModifyTagLength),
        (9, Self::ModifyTableOption),
        (10, Self::RenameColumn),
        (13, Self::ModifyColumnCompression),
        (14, Self::AddColumnWithCompression),
        (15, Self::SetTagValues),
        (19, Self::SetTagValuesOfTables),
        (20, Self::SetTagValuesWhere),
    ];
}

impl From<i64> for AlterType {
    fn from(number: i64) -> Self {
        let known = Self::KNOWN.iter().find(|(known, _)| *known == number);
        known.map_or(Self::Other(number), |(_, kind)| *kind)
    }
}

impl From<AlterType> for i64 {
    fn from(kind: AlterType) -> Self {
        if let AlterType::Other(number) = kind {
            return number;
        }
        let known = AlterType::KNOWN.iter().find(|(_, known)| *known == kind);
        known.map_or(0, |(number, _)| *number)
    }
}

/// A change of a table. Prints as SQL, or as a comment where the JSON does not tell enough for a statement: that is so for
/// new values of VARBINARY tags, which look like texts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Wire", into = "Wire")]
pub struct MetaAlter {
    /// `super`, `normal` or `child`.
    pub table_type: Option<String>,
    /// The table, without its database.
    pub table_name: String,
    /// What was changed.
    pub alter_type: AlterType,
    /// The column or tag. Without a type, where the change needs none, it is NULL.
    pub field: Field,
    /// The new name of the column or tag.
    pub col_new_name: Option<String>,
    /// The new value of the tag: a text has double quotes of its own (tmq-raw §6.2).
    pub col_value: Option<String>,
    /// True if the new value is NULL.
    pub col_value_null: Option<bool>,
    /// How the column is encoded.
    pub encode: Option<String>,
    /// How the column is compressed.
    pub compress: Option<String>,
    /// How hard the column is compressed.
    pub level: Option<String>,
    /// The new values of several tags.
    pub tags: Vec<TagChange>,
    /// The new values of tags of several subtables.
    pub tables: Vec<TableTags>,
    /// The condition that subtables meet whose tags have new values, as SQL.
    pub condition: Option<String>,
}

impl MetaAlter {
    /// A change with nothing but the table and what kind of change it is.
    pub fn new(table_name: impl Into<String>, alter_type: AlterType) -> Self {
        Self {
            table_type: None,
            table_name: table_name.into(),
            alter_type,
            field: Field::empty(),
            col_new_name: None,
            col_value: None,
            col_value_null: None,
            encode: None,
            compress: None,
            level: None,
            tags: Vec::new(),
            tables: Vec::new(),
            condition: None,
        }
    }
}

/// A tag of a subtable with another value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TagChange {
    /// The tag.
    pub col_name: String,
    /// Its value, as [`MetaAlter::col_value`].
    #[serde(
        default,
        deserialize_with = "wire::text",
        skip_serializing_if = "Option::is_none"
    )]
    pub col_value: Option<String>,
    /// True if the value is NULL.
    #[serde(default)]
    pub col_value_null: bool,
    /// A pattern: what it matches in the old value was replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regexp: Option<String>,
    /// What it was replaced with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replacement: Option<String>,
}

/// Tags of one of several subtables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TableTags {
    /// The subtable, without its database.
    pub table_name: String,
    /// The tags that have other values.
    #[serde(default, deserialize_with = "wire::list")]
    pub tags: Vec<TagChange>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    table_type: Option<String>,
    #[serde(default)]
    table_name: String,
    alter_type: AlterType,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    col_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    col_type: Option<Ty>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    col_length: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    col_new_name: Option<String>,
    #[serde(
        default,
        deserialize_with = "wire::text",
        skip_serializing_if = "Option::is_none"
    )]
    col_value: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    col_value_null: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    encode: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    compress: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    level: Option<String>,
    #[serde(
        default,
        deserialize_with = "wire::list",
        skip_serializing_if = "Vec::is_empty"
    )]
    tags: Vec<TagChange>,
    #[serde(
        default,
        deserialize_with = "wire::list",
        skip_serializing_if = "Vec::is_empty"
    )]
    tables: Vec<TableTags>,
    #[serde(rename = "where", default, skip_serializing_if = "Option::is_none")]
    condition: Option<String>,
}

impl From<Wire> for MetaAlter {
    fn from(wire: Wire) -> Self {
        let ty = wire.col_type.unwrap_or(Ty::Null);
        Self {
            field: wire::field(wire.col_name.unwrap_or_default(), ty, wire.col_length),
            table_type: wire.table_type,
            table_name: wire.table_name,
            alter_type: wire.alter_type,
            col_new_name: wire.col_new_name,
            col_value: wire.col_value,
            col_value_null: wire.col_value_null,
            encode: wire.encode,
            compress: wire.compress,
            level: wire.level,
            tags: wire.tags,
            tables: wire.tables,
            condition: wire.condition,
        }
    }
}

impl From<MetaAlter> for Wire {
    fn from(alter: MetaAlter) -> Self {
        let (name, ty) = (alter.field.name(), alter.field.ty());
        Self {
            col_name: (!name.is_empty()).then(|| name.to_owned()),
            col_type: (!ty.is_null()).then_some(ty),
            col_length: wire::length(&alter.field),
            table_type: alter.table_type,
            table_name: alter.table_name,
            alter_type: alter.alter_type,
            col_new_name: alter.col_new_name,
            col_value: alter.col_value,
            col_value_null: alter.col_value_null,
            encode: alter.encode,
            compress: alter.compress,
            level: alter.level,
            tags: alter.tags,
            tables: alter.tables,
            condition: alter.condition,
        }
    }
}

impl fmt::Display for MetaAlter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.is_told() {
            return self.untold(f);
        }
        let (table, name) = (Name(&self.table_name), Name(self.field.name()));
        let column = ColumnSql(&self.field);
        let renamed = || Name(self.col_new_name.as_deref().unwrap_or_default());
        match self.alter_type {
            AlterType::AddTag => write!(f, "ALTER TABLE {table} ADD TAG {column}"),
            AlterType::DropTag => write!(f, "ALTER TABLE {table} DROP TAG {name}"),
            AlterType::RenameTag => {
                write!(f, "ALTER TABLE {table} RENAME TAG {name} {}", renamed())
            }
            AlterType::SetTagValue => {
                let value = new_value(self.col_value_null, self.col_value.as_deref());
                write!(f, "ALTER TABLE {table} SET TAG {name} = {value}")
            }
            AlterType::AddColumn | AlterType::AddColumnWithCompression => {
                write!(f, "ALTER TABLE {table} ADD COLUMN {column}")?;
                self.compression(f)
            }
            AlterType::DropColumn => write!(f, "ALTER TABLE {table} DROP COLUMN {name}"),
            AlterType::ModifyColumnLength => {
                write!(f, "ALTER TABLE {table} MODIFY COLUMN {column}")
            }
            AlterType::ModifyTagLength => write!(f, "ALTER TABLE {table} MODIFY TAG {column}"),
            AlterType::RenameColumn => {
                write!(f, "ALTER TABLE {table} RENAME COLUMN {name} {}", renamed())
            }
            AlterType::ModifyColumnCompression => {
                write!(f, "ALTER TABLE {table} MODIFY COLUMN {name}")?;
                self.compression(f)
            }
            AlterType::SetTagValues => {
                write!(f, "ALTER TABLE {table} SET TAG {}", List(self.tags.iter()))
            }
            AlterType::SetTagValuesOfTables => {
                f.write_str("ALTER TABLE")?;
                for TableTags { table_name, tags } in &self.tables {
                    write!(f, " {} SET TAG {}", Name(table_name), List(tags.iter()))?;
                }
                Ok(())
            }
            AlterType::SetTagValuesWhere => {
                let tags = List(self.tags.iter());
                write!(f, "ALTER TABLE USING {table} SET TAG {tags}")?;
                match &self.condition {
                    Some(condition) => write!(f, " WHERE {condition}"),
                    None => Ok(()),
                }
            }
            AlterType::ModifyTableOption | AlterType::Other(_) => self.untold(f),
        }
    }
}

impl MetaAlter {
    fn compression(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let settings = [&self.encode, &self.compress, &self.level];
        let [encode, compress, level] = settings.map(Option::as_ref);
        sql::compression(f, encode, compress, level)
    }

    /// False if a statement needs something that the JSON does not have.
    fn is_told(&self) -> bool {
        let table = !self.table_name.is_empty();
        let named = table && !self.field.name().is_empty();
        match self.alter_type {
            AlterType::AddTag
            | AlterType::AddColumn
            | AlterType::AddColumnWithCompression
            | AlterType::ModifyColumnLength
            | AlterType::ModifyTagLength => named && self.is_type_told(),
            AlterType::DropTag | AlterType::DropColumn => named,
            AlterType::RenameTag | AlterType::RenameColumn => {
                named
                    && self
                        .col_new_name
                        .as_ref()
                        .is_some_and(|new| !new.is_empty())
            }
            AlterType::ModifyColumnCompression => {
                named
                    && [&self.encode, &self.compress, &self.level]
                        .iter()
                        .any(|set| set.is_some())
            }
            AlterType::SetTagValue => named && is_value_told(self.col_value.as_deref()),
            AlterType::SetTagValues | AlterType::SetTagValuesWhere => table && are_told(&self.tags),
            AlterType::SetTagValuesOfTables => {
                let told = |one: &TableTags| !one.table_name.is_empty() && are_told(&one.tags);
                !self.tables.is_empty() && self.tables.iter().all(told)
            }
            AlterType::ModifyTableOption | AlterType::Other(_) => false,
        }
    }

    /// False without a type, and for a type that needs a length without one.
    fn is_type_told(&self) -> bool {
        let ty = self.field.ty();
        let sized = ty.is_var_type() && !ty.is_json() && !ty.is_blob();
        let complete = !sized || self.field.bytes() > 0;
        complete && !ty.is_null()
    }

    /// A comment in the place of a statement.
    fn untold(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let table = self.table_name.replace("*/", "* /");
        let what: &dyn fmt::Display = match self.alter_type {
            AlterType::AddTag => &"an added tag",
            AlterType::DropTag => &"a dropped tag",
            AlterType::RenameTag | AlterType::RenameColumn => &"a new name",
            AlterType::SetTagValue
            | AlterType::SetTagValues
            | AlterType::SetTagValuesOfTables
            | AlterType::SetTagValuesWhere => &"new tag values",
            AlterType::AddColumn | AlterType::AddColumnWithCompression => &"an added column",
            AlterType::DropColumn => &"a dropped column",
            AlterType::ModifyColumnLength | AlterType::ModifyTagLength => &"a new length",
            AlterType::ModifyColumnCompression => &"a new compression",
            AlterType::ModifyTableOption => &"its options",
            AlterType::Other(number) => &format!("a change of the type {number}"),
        };
        write!(
            f,
            "/* {what} of `{table}`: JSON does not tell more, take the raw message */"
        )
    }
}

/// True if a new value of a tag is known to be what it looks like; NULL is.
fn is_value_told(value: Option<&str>) -> bool {
    value.is_none_or(TagValue::is_told)
}

fn are_told(tags: &[TagChange]) -> bool {
    let told =
        |tag: &TagChange| !tag.col_name.is_empty() && is_value_told(tag.col_value.as_deref());
    !tags.is_empty() && tags.iter().all(told)
}

fn new_value(null: Option<bool>, value: Option<&str>) -> TagValue<'_> {
    match value {
        Some(value) if null != Some(true) => TagValue::untyped(value),
        _ => TagValue::Null,
    }
}

impl fmt::Display for TagChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Name(&self.col_name);
        let Some(regexp) = &self.regexp else {
            let value = new_value(Some(self.col_value_null), self.col_value.as_deref());
            return write!(f, "{name} = {value}");
        };
        let replacement = self.replacement.as_deref().unwrap_or_default();
        write!(
            f,
            "{name} = REGEXP_REPLACE({name}, '{}', '{}')",
            sql_value_escape(regexp),
            sql_value_escape(replacement)
        )
    }
}
