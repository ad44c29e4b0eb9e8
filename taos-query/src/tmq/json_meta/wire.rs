//! The members of the JSON as the server spells them.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::{MetaAlter, MetaCreate, MetaDelete, MetaDrop, MetaUnit};
use crate::common::{Field, Ty};

/// A message: changes put together, or the members of one.
#[derive(Deserialize)]
pub(super) struct Message {
    #[serde(default)]
    pub(super) tmq_meta_version: Option<String>,
    #[serde(default)]
    pub(super) metas: Option<Vec<Value>>,
    #[serde(flatten)]
    pub(super) unit: Map<String, Value>,
}

/// Reads one change, or as many as there are subtables created at once.
pub(super) fn read_units(value: Value, units: &mut Vec<MetaUnit>) -> Result<(), String> {
    let Value::Object(mut unit) = value else {
        return Err(format!("a change is an object, not {value}"));
    };
    let kind = match unit.remove("type") {
        Some(Value::String(kind)) => kind,
        other => return Err(format!("`type` of a change is {other:?}")),
    };
    if kind != "create" {
        units.push(read(&kind, Value::Object(unit))?);
        return Ok(());
    }
    let children = match unit.remove("createList") {
        Some(Value::Array(children)) if !children.is_empty() => children,
        _ => {
            units.push(read(&kind, Value::Object(unit))?);
            return Ok(());
        }
    };
    // The list holds all of them; the members beside it only repeat the first.
    for child in children {
        let Value::Object(child) = child else {
            return Err(format!("a table of `createList` is an object, not {child}"));
        };
        let mut whole = Map::new();
        for member in ["tableType", "using"] {
            if let Some(value) = unit.get(member) {
                whole.insert(member.to_owned(), value.clone());
            }
        }
        whole.extend(child);
        units.push(read(&kind, Value::Object(whole))?);
    }
    Ok(())
}

fn read(kind: &str, members: Value) -> Result<MetaUnit, String> {
    let text = |error: serde_json::Error| format!("{kind}: {error}");
    match kind {
        "create" => serde_json::from_value::<MetaCreate>(members)
            .map(MetaUnit::Create)
            .map_err(text),
        "alter" => serde_json::from_value::<MetaAlter>(members)
            .map(MetaUnit::Alter)
            .map_err(text),
        "drop" => serde_json::from_value::<MetaDrop>(members)
            .map(MetaUnit::Drop)
            .map_err(text),
        "delete" => serde_json::from_value::<MetaDelete>(members)
            .map(MetaUnit::Delete)
            .map_err(text),
        other => Err(format!("`{other}` is no kind of change")),
    }
}

/// A column, a tag, or a tag and its value.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Column {
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) ty: Ty,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) length: Option<u32>,
    #[serde(
        rename = "isPrimarykey",
        alias = "isPrimaryKey",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub(super) is_primary_key: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) encode: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) compress: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) level: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) value: Option<Value>,
}

impl Column {
    pub(super) fn into_field(self) -> Field {
        field(self.name, self.ty, self.length)
    }
}

impl From<Field> for Column {
    fn from(field: Field) -> Self {
        Self {
            length: length(&field),
            ty: field.ty(),
            name: field.name().to_owned(),
            is_primary_key: None,
            encode: None,
            compress: None,
            level: None,
            value: None,
        }
    }
}

/// A field; types of a fixed width have no length in the JSON.
pub(super) fn field(name: String, ty: Ty, length: Option<u32>) -> Field {
    let fixed = u32::try_from(ty.fixed_length()).unwrap_or_default();
    Field::new(name, ty, length.unwrap_or(fixed))
}

/// The length that the JSON tells of a field.
pub(super) fn length(field: &Field) -> Option<u32> {
    (field.ty().is_var_type() && !field.ty().is_json() && field.bytes() > 0)
        .then_some(field.bytes())
}

/// Tags of a super table.
pub(super) fn fields<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Field>, D::Error> {
    let columns: Vec<Column> = list(deserializer)?;
    Ok(columns.into_iter().map(Column::into_field).collect())
}

/// A list that may be missing or null.
pub(super) fn list<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    Option::<Vec<T>>::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// A text, or a number or bool that stands for its text.
pub(super) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(match Option::<Value>::deserialize(deserializer)? {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text),
        Some(other) => Some(other.to_string()),
    })
}
