//! How fast blocks become rows: one million rows of a timestamp, numbers and two texts.
//!
//! Run with `cargo run --release -p taos-query --example block_speed [PART OF A CASE'S NAME]`.
#![allow(clippy::print_stdout, reason = "its output is its purpose")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::Deserialize;
use taos_query::block::{BlockWriter, ColumnBuilder, RawBlock, RowView};
use taos_query::common::{Field, Precision, Ty, Value};
use taos_query::de::RowPlan;
use taos_query::{RawError, RawResult};

const BLOCKS: u32 = 250;
const ROWS: u32 = 4_000;
const NAMES: [&str; 6] = ["ts", "current", "voltage", "phase", "location", "name"];

#[derive(Deserialize)]
#[allow(dead_code, reason = "only the cost of making it counts")]
struct Owned {
    ts: i64,
    current: f32,
    voltage: i32,
    phase: f32,
    location: String,
    name: String,
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "only the cost of making it counts")]
struct Lent<'a> {
    ts: i64,
    current: f32,
    voltage: i32,
    phase: f32,
    location: &'a str,
    name: &'a str,
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "only the cost of making it counts")]
struct Dated {
    ts: DateTime<Utc>,
    current: f32,
    voltage: i32,
    phase: f32,
    location: String,
    name: String,
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "only the cost of making it counts")]
struct Fixed {
    ts: i64,
    current: f32,
    voltage: i32,
    phase: f32,
}

fn frames(wide: bool) -> RawResult<Vec<Bytes>> {
    let text = if wide { Ty::NChar } else { Ty::VarChar };
    let mut writer = BlockWriter::new(vec![
        ColumnBuilder::new(Ty::Timestamp, 8, 0, 0),
        ColumnBuilder::new(Ty::Float, 4, 0, 0),
        ColumnBuilder::new(Ty::Int, 4, 0, 0),
        ColumnBuilder::new(Ty::Float, 4, 0, 0),
        ColumnBuilder::new(text, 24, 0, 0),
        ColumnBuilder::new(text, 24, 0, 0),
    ]);
    (0..BLOCKS)
        .map(|block| {
            for row in 0..ROWS {
                let n = block * ROWS + row;
                if let [ts, current, voltage, phase, location, name] = writer.columns_mut() {
                    ts.push_i64(1_700_000_000_000 + i64::from(n))?;
                    current.push_f64(f64::from(n) * 0.01)?;
                    voltage.push_i64((n % 400).into())?;
                    phase.push_f64(0.33)?;
                    location.push_str("California.SanFrancisco")?;
                    name.push_str("meter-0042")?;
                }
            }
            writer.finish()
        })
        .collect()
}

fn parse(bytes: &Bytes, fields: &Arc<[Field]>) -> RawResult<RawBlock> {
    let mut block = RawBlock::parse_from_raw_block(bytes.clone(), Precision::Millisecond)?;
    block.with_fields(Arc::clone(fields))?;
    Ok(block)
}

/// Time that this thread has run on a processor, or the wall clock where the system does not tell.
fn cpu(start: Instant) -> Duration {
    std::fs::read_to_string("/proc/thread-self/schedstat")
        .ok()
        .and_then(|text| text.split(' ').next()?.parse().ok())
        .map_or_else(|| start.elapsed(), Duration::from_nanos)
}

fn measure(
    name: &str,
    frames: &[Bytes],
    fields: &Arc<[Field]>,
    mut read: impl FnMut(RawBlock) -> RawResult<()>,
) -> RawResult<()> {
    // An argument selects the cases whose names contain it.
    if std::env::args()
        .nth(1)
        .is_some_and(|part| !name.contains(&part))
    {
        return Ok(());
    }
    let mut best = f64::INFINITY;
    let clock = Instant::now();
    for _ in 0..9 {
        let start = cpu(clock);
        for bytes in frames {
            read(parse(bytes, fields)?)?;
        }
        best = best.min((cpu(clock) - start).as_secs_f64());
    }
    println!("{name:28} {:7.1} ms", best * 1_000.0);
    Ok(())
}

fn each<T>(rows: impl Iterator<Item = RawResult<T>>) -> RawResult<()> {
    for row in rows {
        black_box(row?);
    }
    Ok(())
}

fn main() -> Result<(), RawError> {
    for wide in [false, true] {
        let frames = frames(wide)?;
        let text = if wide { Ty::NChar } else { Ty::VarChar };
        println!("text columns are {text}");
        let types = [Ty::Timestamp, Ty::Float, Ty::Int, Ty::Float, text, text];
        let fields: Arc<[Field]> = NAMES
            .iter()
            .zip(types)
            .map(|(name, ty)| Field::new(*name, ty, 24))
            .collect();
        measure("parse only", &frames, &fields, |block| {
            black_box(&block);
            Ok(())
        })?;
        measure("serde, String", &frames, &fields, |block| {
            each(block.into_deserialize::<Owned>())
        })?;
        let mut plan = RowPlan::default();
        measure("serde, String, row by row", &frames, &fields, |block| {
            each((0..block.nrows()).map(|row| block.deserialize_row::<Owned>(row, &mut plan)))
        })?;
        measure("serde, &str", &frames, &fields, |block| {
            each(block.deserialize::<Lent<'_>>())
        })?;
        measure("serde, fixed widths", &frames, &fields, |block| {
            each(block.deserialize::<Fixed>())
        })?;
        measure("serde, tuple", &frames, &fields, |block| {
            each(block.deserialize::<(i64, f32, i32, f32, String, String)>())
        })?;
        measure("serde, DateTime, local zone", &frames, &fields, |block| {
            each(block.into_deserialize::<Dated>())
        })?;
        measure(
            "serde, DateTime, named zone",
            &frames,
            &fields,
            |mut block| {
                block.with_timezone(Tz::Asia__Shanghai);
                each(block.into_deserialize::<Dated>())
            },
        )?;
        measure("Value rows", &frames, &fields, |block| {
            let block = Arc::new(block);
            let names = Arc::clone(block.fields_shared());
            for row in 0..block.nrows() {
                black_box(RowView::shared(Arc::clone(&block), &names, row).into_values());
            }
            Ok(())
        })?;
        measure("names and values", &frames, &fields, |block| {
            let block = Arc::new(block);
            let names = Arc::clone(block.fields_shared());
            for row in 0..block.nrows() {
                for (name, value) in RowView::shared(Arc::clone(&block), &names, row) {
                    black_box((name, value));
                }
            }
            Ok(())
        })?;
        measure("Vec<Value> by serde", &frames, &fields, |block| {
            each(block.into_deserialize::<Vec<Value>>())
        })?;
    }
    Ok(())
}
