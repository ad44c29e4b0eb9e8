//! Schemaless data: text in one of three languages to points by table. Nothing here knows the storage
//! or the network.
//!
//! The languages and what they make of names, types and times are taosadapter-ws §7; where that is
//! silent, the recordings decide.

mod bad;
mod json;
mod line;
mod name;
mod points;
mod telnet;
mod time;
mod value;

use taos_query::common::Precision;

pub(crate) use bad::{INVALID_DATA, invalid_data, rest_of_line};
pub(crate) use points::{Field, Measure};
pub(crate) use time::Unit;

use crate::sql::SqlError;
use points::{Collector, Points};

/// The time column of tables made for schemaless data.
pub(crate) const TIME: &str = "_ts";
/// The column of telnet and JSON points.
const VALUE: &str = "_value";
/// The tag of super tables whose points have none.
pub(crate) const NO_TAG: &str = "_tag_null";

/// One payload, with what it is read under.
#[derive(Debug, Clone, Copy)]
pub struct SchemalessBatch<'a> {
    /// 1 InfluxDB lines, 2 OpenTSDB telnet lines, 3 OpenTSDB JSON.
    pub protocol: i32,
    /// The unit of the lines' times: `h`, `m`, `s`, `ms`, `u`, `ns`; any other text is none, which
    /// means nanoseconds. The other languages go by the number of digits.
    pub precision: &'a str,
    /// Days that subtables made by this write live, 0 for ever.
    pub ttl: i32,
    /// The tag whose value names the subtable; empty for none.
    pub table_name_key: &'a str,
    /// The payload.
    pub data: &'a str,
}

/// What a schemaless write did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// Rows written.
    pub affected: u64,
    /// Lines of the payload without comments.
    pub total: i32,
}

/// Lines of the payload as a reply counts them: those of JSON too, whatever they hold.
fn total(batch: &SchemalessBatch<'_>) -> i32 {
    let lines = batch.data.split_terminator('\n');
    let lines = lines.filter(|line| batch.protocol != 1 || !line.starts_with('#'));
    i32::try_from(lines.count()).unwrap_or(i32::MAX)
}

/// Reads a payload whole, and says how many lines it had. Times come out in ticks of `precision`.
///
/// # Errors
/// 0x3000 for an unknown language, else what is wrong with the first bad point.
pub(crate) fn read(
    batch: &SchemalessBatch<'_>,
    precision: Precision,
    now: i64,
) -> Result<(Points, i32), SqlError> {
    let total = total(batch);
    let clock = time::Clock { precision, now };
    let mut points = Collector::new(batch.table_name_key);
    match batch.protocol {
        1 | 2 if total == 0 => return Err(SqlError::new(INVALID_DATA, "line num is invalid")),
        1 => line::read(batch.data, Unit::of(batch.precision), clock, &mut points)?,
        2 => telnet::read(batch.data, clock, &mut points)?,
        3 => json::read(batch.data, clock, &mut points)?,
        _ => return Err(SqlError::new(bad::PROTOCOL, "Invalid line protocol type")),
    }
    Ok((points.finish(), total))
}

/// Reads a payload whose language the first byte chooses, for the fuzz targets and their corpus: it is
/// refused, or every row has a place for each of its values.
pub fn fuzz_schemaless(data: &[u8]) {
    let Some((first, data)) = data.split_first() else {
        return;
    };
    let Ok(data) = std::str::from_utf8(data) else {
        return;
    };
    let batch = SchemalessBatch {
        protocol: i32::from(first % 4),
        precision: if first & 16 == 0 { "" } else { "ms" },
        ttl: 0,
        table_name_key: if first & 32 == 0 { "" } else { "a" },
        data,
    };
    let Ok((points, _)) = read(&batch, Precision::Millisecond, 0) else {
        return;
    };
    for measure in &points.measures {
        for child in &measure.children {
            assert!(!child.name.is_empty());
            assert!(child.tags.iter().all(|(at, _)| *at < measure.tags.len()));
            for group in &child.groups {
                assert_eq!(group.values.len() % (group.columns.len() + 1), 0);
                assert!(group.columns.iter().all(|at| *at < measure.columns.len()));
            }
        }
    }
}

#[cfg(test)]
mod tests;
