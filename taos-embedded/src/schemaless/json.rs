//! OpenTSDB JSON: a point, or an array of points, with `metric`, `timestamp`, `value` and `tags`.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;

use rusqlite::types::Value as Stored;
use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;
use taos_query::common::Ty;

use super::VALUE;
use super::bad::{INVALID_TIME, JSON_TYPE, invalid_json, near};
use super::points::{Collector, Tag, check_key, check_name};
use super::time::{Clock, Unit};
use super::value::{self, Cell, sized};
use crate::sql::SqlError;

/// Reads a document.
pub(super) fn read(data: &str, clock: Clock, points: &mut Collector<'_>) -> Result<(), SqlError> {
    let Document(document) = serde_json::from_str(data).map_err(|_| invalid_json())?;
    let mut tables = HashMap::new();
    for point in document {
        let metric = point.metric.as_ref();
        check_name(metric, "SML json invalid measure", metric)?;
        let measure = points.measure(metric);
        let tags = point.tags.get();
        let child = match tables.get(&(measure, tags)) {
            Some(&known) => known,
            None => {
                let child = points.child(measure, metric, self::tags(point.tags)?)?;
                tables.insert((measure, tags), child);
                child
            }
        };
        points.begin();
        points.cell(measure, VALUE, cell(&point.value)?, place(data, metric))?;
        points.end(measure, child, time(&point.timestamp, clock)?);
    }
    Ok(())
}

/// Where a part of the document lies in it; 0 for a text that had to be unescaped.
fn place(document: &str, part: &str) -> usize {
    let at = part.as_ptr().addr().checked_sub(document.as_ptr().addr());
    at.filter(|at| *at < document.len()).unwrap_or_default()
}

/// One point or several.
struct Document<'a>(Vec<Point<'a>>);

struct Point<'a> {
    metric: Cow<'a, str>,
    timestamp: Value,
    value: Value,
    tags: &'a RawValue,
}

/// What is read from the members of an object.
trait FromMembers<'de>: Sized {
    const WHAT: &'static str;

    fn read<A: MapAccess<'de>>(members: A) -> Result<Self, A::Error>;
}

/// Reads an object.
struct Object<T>(PhantomData<T>);

impl<'de, T: FromMembers<'de>> Visitor<'de> for Object<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::WHAT)
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<T, A::Error> {
        T::read(members)
    }
}

impl<'de> Deserialize<'de> for Document<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Points;
        impl<'de> Visitor<'de> for Points {
            type Value = Document<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a point or an array of points")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut points: A) -> Result<Self::Value, A::Error> {
                let mut all = Vec::new();
                while let Some(point) = points.next_element()? {
                    all.push(point);
                }
                Ok(Document(all))
            }

            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Self::Value, A::Error> {
                Ok(Document(vec![Point::read(members)?]))
            }
        }
        deserializer.deserialize_any(Points)
    }
}

impl<'de> Deserialize<'de> for Point<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Object(PhantomData))
    }
}

/// A text that is borrowed where it can be.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> FromMembers<'de> for Point<'de> {
    const WHAT: &'static str = "a point";

    /// The four members in any order and case, and no other.
    fn read<A: MapAccess<'de>>(mut members: A) -> Result<Self, A::Error> {
        let (mut metric, mut timestamp, mut value, mut tags) = (None, None, None, None);
        while let Some(Text(member)) = members.next_key()? {
            if member.eq_ignore_ascii_case("metric") {
                metric = Some(members.next_value::<Text<'de>>()?.0);
            } else if member.eq_ignore_ascii_case("timestamp") {
                timestamp = Some(members.next_value()?);
            } else if member.eq_ignore_ascii_case("value") {
                value = Some(members.next_value()?);
            } else if member.eq_ignore_ascii_case("tags") {
                tags = Some(members.next_value()?);
            } else {
                return Err(A::Error::custom("a member that points do not have"));
            }
        }
        match (metric, timestamp, value, tags) {
            (Some(metric), Some(timestamp), Some(value), Some(tags)) => Ok(Point {
                metric,
                timestamp,
                value,
                tags,
            }),
            _ => Err(A::Error::custom("a point lacks a member")),
        }
    }
}

/// Keys and values in the order in which they came.
struct Pairs<'a>(Vec<(Cow<'a, str>, Value)>);

impl<'de> FromMembers<'de> for Pairs<'de> {
    const WHAT: &'static str = "an object of tags";

    fn read<A: MapAccess<'de>>(mut members: A) -> Result<Self, A::Error> {
        let mut pairs = Vec::new();
        while let Some(Text(key)) = members.next_key()? {
            pairs.push((key, members.next_value()?));
        }
        Ok(Self(pairs))
    }
}

fn tags(tags: &RawValue) -> Result<Vec<Tag<'_>>, SqlError> {
    let mut deserializer = serde_json::Deserializer::from_str(tags.get());
    let Pairs(pairs) = deserializer
        .deserialize_map(Object(PhantomData))
        .map_err(|_| invalid_json())?;
    if pairs.is_empty() {
        return Err(invalid_json());
    }
    let tag = |(key, value): (Cow<'_, str>, Value)| {
        check_key(&key, &key)?;
        let cell = cell(&value)?;
        Ok((Cow::Owned(key.into_owned()), cell, 0))
    };
    pairs.into_iter().map(tag).collect()
}

/// A value: a boolean, a number as DOUBLE, a text as VARCHAR, or `{"value": …, "type": "…"}`.
fn cell(value: &Value) -> Result<Cell, SqlError> {
    match value {
        Value::Bool(value) => Ok(Cell::boolean(*value)),
        Value::Number(number) => value::double(number.as_f64().unwrap_or(f64::NAN)),
        Value::String(text) => sized(Ty::VarChar, Stored::Text(text.clone())),
        Value::Object(members) => {
            let (value, ty) = pair(members)?;
            typed(value, ty)
        }
        _ => Err(invalid_json()),
    }
}

/// `value` and `type` of an object that has these two members only.
fn pair(members: &serde_json::Map<String, Value>) -> Result<(&Value, &str), SqlError> {
    match (members.get("value"), members.get("type")) {
        (Some(value), Some(Value::String(ty))) if members.len() == 2 => Ok((value, ty)),
        _ => Err(invalid_json()),
    }
}

fn typed(value: &Value, ty: &str) -> Result<Cell, SqlError> {
    let unknown = || SqlError::new(JSON_TYPE, "Invalid JSON data type");
    match value {
        Value::Bool(value) if ty.eq_ignore_ascii_case("bool") => Ok(Cell::boolean(*value)),
        Value::Number(number) => value::typed(number, ty).ok_or_else(unknown)?,
        Value::String(text) => match ty.to_ascii_lowercase().as_str() {
            "binary" => sized(Ty::VarChar, Stored::Text(text.clone())),
            "nchar" => sized(Ty::NChar, Stored::Text(text.clone())),
            "varbinary" => sized(Ty::VarBinary, Stored::Blob(text.clone().into_bytes())),
            _ => Err(unknown()),
        },
        _ => Err(unknown()),
    }
}

/// A time: a number of ten or thirteen digits, or `{"value": …, "type": "s"}` with a unit.
fn time(timestamp: &Value, clock: Clock) -> Result<i64, SqlError> {
    let whole = |number: &serde_json::Number| {
        #[allow(clippy::cast_possible_truncation, reason = "a fraction is cut off")]
        let cut = || number.as_f64().map_or(-1, |number| number as i64);
        number.as_i64().unwrap_or_else(cut)
    };
    match timestamp {
        Value::Number(number) => clock.by_digits(&whole(number).to_string()),
        Value::Object(members) => {
            let (value, ty) = pair(members)?;
            let Value::Number(number) = value else {
                return Err(invalid_json());
            };
            let unit = match ty.to_ascii_lowercase().as_str() {
                "s" => Unit::Second,
                "ms" => Unit::Milli,
                "us" => Unit::Micro,
                "ns" => Unit::Nano,
                _ => return Err(near(INVALID_TIME, "Invalid timestamp format", ty)),
            };
            match whole(number) {
                0 => Ok(clock.now()),
                time => clock.ticks(time, unit, &number.to_string()),
            }
        }
        _ => Err(invalid_json()),
    }
}
