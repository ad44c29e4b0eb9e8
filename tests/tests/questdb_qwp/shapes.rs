//! Rows of random shapes, compared with what they should become.

use std::collections::BTreeMap;

use taos::questdb::ingress::{AckLevel, Buffer, TimestampMicros, TimestampNanos};
use taos_tests::Random;
use taos_tests::qwp_mock::ingest::Value;

use crate::ingest::{LONG, assert_fine, connect, serve};

/// Writes a random row and tells what should arrive.
fn random_row(random: &mut Random, buffer: &mut Buffer) -> BTreeMap<&'static str, Value> {
    let mut cells = BTreeMap::new();
    let mut value = || i64::try_from(random.below(300)).unwrap() - 150;
    let chosen = value();
    let mut columns: Vec<usize> = (0..8).filter(|at| chosen & (1 << at) != 0).collect();
    if value() > 0 {
        columns.reverse();
    }
    if columns.is_empty() {
        columns.push(0);
    }
    for column in columns {
        let n = value();
        let text = "x".repeat(usize::try_from(n.abs() % 20).unwrap());
        let (name, cell) = match column {
            0 => (
                buffer.column_bool("bool", n > 0).map(|_| "bool"),
                Value::Bool(n > 0),
            ),
            1 => (buffer.column_i64("i64", n).map(|_| "i64"), Value::Int(n)),
            2 => (buffer.column_i8("i8", 7).map(|_| "i8"), Value::Int(7)),
            3 => (
                buffer.column_str("str", &text).map(|_| "str"),
                Value::Text(text),
            ),
            4 => (
                buffer.symbol("sym", n.to_string()).map(|_| "sym"),
                Value::Symbol(n.to_string()),
            ),
            5 => (
                buffer
                    .column_ts("ts", TimestampMicros::new(n))
                    .map(|_| "ts"),
                Value::Micros(n),
            ),
            6 => (
                buffer.column_geohash("geo", 0xff, 8).map(|_| "geo"),
                Value::Geohash(0xff, 8),
            ),
            _ => (
                buffer.column_arr("arr", &[n, 1]).map(|_| "arr"),
                Value::Array(vec![2], vec![n.cast_unsigned(), 1]),
            ),
        };
        cells.insert(name.unwrap(), cell);
    }
    let time = value();
    if time > 0 {
        buffer.at(TimestampNanos::new(time)).unwrap();
        cells.insert("", Value::Nanos(time));
    } else {
        buffer.at_now().unwrap();
    }
    cells
}

#[tokio::test]
async fn rows_of_any_shape_arrive_as_they_were_written() {
    let (server, ingest) = serve().await;
    let mut sender = connect(&server, "").await.unwrap();
    let mut random = Random::new(12);
    let mut buffer = sender.new_buffer();
    let mut expected: BTreeMap<&str, Vec<BTreeMap<&str, Value>>> = BTreeMap::new();
    for _ in 0..100 {
        let mut rows = Vec::new();
        let mut marked = None;
        for _ in 0..random.below(40) {
            if random.below(10) == 0 {
                buffer.set_marker().unwrap();
                marked = Some(rows.len());
            }
            let table = if random.below(4) == 0 { "a" } else { "b" };
            buffer.table(table).unwrap();
            rows.push((table, random_row(&mut random, &mut buffer)));
            if random.below(10) == 0
                && let Some(kept) = marked.take()
            {
                buffer.rewind_to_marker().unwrap();
                rows.truncate(kept);
            }
        }
        for (table, row) in rows {
            expected.entry(table).or_default().push(row);
        }
        sender.flush(&mut buffer).await.unwrap();
    }
    sender.wait(AckLevel::Ok, LONG).await.unwrap();
    assert_fine(&server);
    for (table, expected) in expected {
        let rows: Vec<_> = ingest
            .rows()
            .into_iter()
            .filter(|row| row.table == table)
            .collect();
        assert_eq!(rows.len(), expected.len());
        for (row, cells) in rows.iter().zip(expected) {
            for (name, arrived) in &row.cells {
                let missing = match name.as_str() {
                    "bool" => Value::Bool(false),
                    "i8" => Value::Int(0),
                    _ => Value::Null,
                };
                assert_eq!(
                    arrived,
                    cells.get(name.as_str()).unwrap_or(&missing),
                    "{name}"
                );
            }
            assert!(cells.keys().all(|name| row.cells.contains_key(*name)));
        }
    }
}
