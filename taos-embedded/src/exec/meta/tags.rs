//! Tags as messages carry them, in the stored forms of their super table.

use std::sync::Arc;

use bytes::Bytes;
use rusqlite::types::Value;
use taos_query::common::{Precision, Ty};

use super::super::bound::{Packed, Rules, Source};
use super::super::changes::log_tags;
use super::super::insert::check_table_name;
use super::super::rows::Target;
use super::unfit;
use crate::catalog::{Child, Database, TableDef};
use crate::meta::{Key, NewKind, NewTable, TagSetting, TagValue, Tags};
use crate::plan::ColumnInfo;
use crate::sql::SqlError;
use crate::store::Write;

/// The super table and the target of rows for a subtable that is to be made.
pub(in super::super) fn child_target(
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

/// Gives a subtable's tags other values.
pub(super) fn set_tags(
    write: &mut Write<'_>,
    db: &str,
    (child, def): (&Child, &TableDef),
    settings: &[TagSetting],
    now: i64,
) -> Result<(), SqlError> {
    let precision = write.catalog().database(db)?.precision();
    let mut set = Vec::with_capacity(settings.len());
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
        write.execute(&sql, (child.id, &value))?;
        set.push((tag.clone(), value));
    }
    log_tags(write, db, child, &set, now)
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
        now: 0,
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
