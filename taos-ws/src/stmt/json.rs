//! Columns that are given as JSON.

use chrono::{DateTime, FixedOffset};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use taos_query::block::ColumnView;
use taos_query::common::{Precision, Ty};
use taos_query::stmt::logic::{Layout, Target};
use taos_query::writes::wrong;
use taos_query::{ErrorKind, RawError, RawResult};

#[derive(Deserialize)]
#[serde(untagged)]
enum Time {
    Ticks(i64),
    Text(DateTime<FixedOffset>),
}

impl Time {
    /// In ticks of this unit, if there is room for it.
    fn ticks(&self, unit: Precision) -> Option<i64> {
        match self {
            Self::Ticks(ticks) => Some(*ticks),
            Self::Text(time) => {
                let per_second = unit.ticks_per_second();
                let part = i64::from(time.timestamp_subsec_nanos()) / (1_000_000_000 / per_second);
                time.timestamp().checked_mul(per_second)?.checked_add(part)
            }
        }
    }
}

pub(super) fn columns(layout: &Layout, given: Vec<Json>) -> RawResult<Vec<ColumnView>> {
    if given.len() != layout.columns.len() {
        return Err(wrong(format!(
            "the statement has {} columns to bind, but {} were given",
            layout.columns.len(),
            given.len()
        )));
    }
    let pairs = layout.columns.iter().zip(given);
    pairs.map(|(target, json)| column(target, json)).collect()
}

fn read<T: DeserializeOwned>(target: &Target, json: Json) -> RawResult<Vec<Option<T>>> {
    serde_json::from_value(json).map_err(|error| {
        wrong(format!(
            "column `{}` takes an array of {}: {error}",
            target.name, target.ty
        ))
    })
}

fn column(target: &Target, json: Json) -> RawResult<ColumnView> {
    Ok(match target.ty {
        Ty::Bool => ColumnView::from_bools(read::<bool>(target, json)?),
        Ty::TinyInt => ColumnView::from_tiny_ints(read::<i8>(target, json)?),
        Ty::SmallInt => ColumnView::from_small_ints(read::<i16>(target, json)?),
        Ty::Int => ColumnView::from_ints(read::<i32>(target, json)?),
        Ty::BigInt => ColumnView::from_big_ints(read::<i64>(target, json)?),
        Ty::UTinyInt => ColumnView::from_unsigned_tiny_ints(read::<u8>(target, json)?),
        Ty::USmallInt => ColumnView::from_unsigned_small_ints(read::<u16>(target, json)?),
        Ty::UInt => ColumnView::from_unsigned_ints(read::<u32>(target, json)?),
        Ty::UBigInt => ColumnView::from_unsigned_big_ints(read::<u64>(target, json)?),
        Ty::Float => ColumnView::from_floats(read::<f32>(target, json)?),
        Ty::Double => ColumnView::from_doubles(read::<f64>(target, json)?),
        Ty::VarChar => ColumnView::from_varchar::<String, _, _, _>(read::<String>(target, json)?),
        Ty::NChar => ColumnView::from_nchar::<String, _, _, _>(read::<String>(target, json)?),
        Ty::Timestamp => times(target, json)?,
        ty => {
            return Err(RawError::of(
                ErrorKind::Unsupported,
                format!(
                    "column `{}` is of type {ty}, which cannot be given as JSON; bind a ColumnView",
                    target.name
                ),
            ));
        }
    })
}

fn times(target: &Target, json: Json) -> RawResult<ColumnView> {
    let unit = target.precision;
    let ticks = read::<Time>(target, json)?
        .into_iter()
        .enumerate()
        .map(|(row, time)| match time.map(|time| time.ticks(unit)) {
            Some(None) => Err(wrong(format!(
                "column `{}`: the time in row {row} is beyond what {unit} can say",
                target.name
            ))),
            ticks => Ok(ticks.flatten()),
        })
        .collect::<RawResult<Vec<Option<i64>>>>()?;
    Ok(match unit {
        Precision::Millisecond => ColumnView::from_millis_timestamp(ticks),
        Precision::Microsecond => ColumnView::from_micros_timestamp(ticks),
        Precision::Nanosecond => ColumnView::from_nanos_timestamp(ticks),
    })
}
