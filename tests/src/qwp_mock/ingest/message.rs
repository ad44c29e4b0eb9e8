//! A message with rows, read as the specification lays it out (questdb §12.3 to §12.6).

use std::collections::BTreeMap;

use anyhow::{bail, ensure};

use crate::qwp_mock::codec::Cursor;

const DEFER_COMMIT: u8 = 0x01;
const DELTA_SYMBOL_DICT: u8 = 0x08;

/// A cell.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// No value, by bitmap or by the type's sentinel.
    Null,
    /// BOOLEAN.
    Bool(bool),
    /// BYTE, SHORT, INT, LONG.
    Int(i64),
    /// FLOAT, DOUBLE.
    Float(f64),
    /// SYMBOL.
    Symbol(String),
    /// VARCHAR.
    Text(String),
    /// BINARY.
    Binary(Vec<u8>),
    /// TIMESTAMP in microseconds.
    Micros(i64),
    /// TIMESTAMP_NS.
    Nanos(i64),
    /// DATE in milliseconds.
    Millis(i64),
    /// UUID and LONG256, least significant byte first.
    Bytes(Vec<u8>),
    /// CHAR.
    Char(u16),
    /// IPv4.
    Ipv4(u32),
    /// GEOHASH: bits and their number.
    Geohash(u64, u64),
    /// Arrays: lengths and elements, as bits.
    Array(Vec<u32>, Vec<u64>),
    /// DECIMAL: scale and the unscaled value, least significant byte first.
    Decimal(u8, Vec<u8>),
}

/// A row: its table, and its cells by the columns' names; the row's own time has no name.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The table.
    pub table: String,
    /// The cells, nulls too.
    pub cells: BTreeMap<String, Value>,
}

impl Row {
    /// The cell of a column.
    ///
    /// # Panics
    /// There is no such column.
    #[track_caller]
    pub fn get(&self, column: &str) -> &Value {
        self.cells
            .get(column)
            .unwrap_or_else(|| panic!("no column {column:?} in {self:?}"))
    }
}

/// A message.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// The connection it came over, from 0.
    pub connection: usize,
    /// Whether a later message commits it.
    pub deferred: bool,
    /// The number of the first symbol it brings.
    pub first_symbol: usize,
    /// The symbols it brings.
    pub symbols: Vec<String>,
    /// Its tables.
    pub tables: Vec<String>,
    rows: Vec<Row>,
}

impl Message {
    /// Its rows.
    pub fn rows(&self) -> impl Iterator<Item = Row> {
        self.rows.iter().cloned()
    }

    /// Reads a message and takes its symbols; the inner error says that earlier ones are missing.
    pub(super) fn decode(
        bytes: &[u8],
        dictionary: &mut Vec<String>,
        connection: usize,
    ) -> anyhow::Result<Result<Self, String>> {
        let mut cursor = Cursor(bytes);
        ensure!(cursor.take(4)? == b"QWP1", "not a message: {bytes:02x?}");
        ensure!(cursor.u8()? == 1, "a version that was not agreed on");
        let flags = cursor.u8()?;
        ensure!(
            flags & !DEFER_COMMIT == DELTA_SYMBOL_DICT,
            "flags {flags:#04x}"
        );
        let table_count = cursor.u16()?;
        let length = cursor.u32()?;
        ensure!(usize::try_from(length)? == cursor.0.len(), "a wrong length");
        let first_symbol = cursor.size()?;
        let count = cursor.size()?;
        ensure!(count <= bytes.len(), "more symbols than bytes");
        let symbols = (0..count)
            .map(|_| cursor.text().map(str::to_owned))
            .collect::<anyhow::Result<Vec<_>>>()?;
        if first_symbol > dictionary.len() {
            return Ok(Err(format!(
                "symbols from {first_symbol} on, known are {}",
                dictionary.len()
            )));
        }
        for (at, symbol) in (first_symbol..).zip(&symbols) {
            match dictionary.get(at) {
                Some(known) => ensure!(known == symbol, "symbol {at} changes"),
                None => dictionary.push(symbol.clone()),
            }
        }
        let mut message = Self {
            connection,
            deferred: flags & DEFER_COMMIT != 0,
            first_symbol,
            symbols,
            tables: Vec::new(),
            rows: Vec::new(),
        };
        for _ in 0..table_count {
            message.table(&mut cursor, dictionary)?;
        }
        cursor.end()?;
        Ok(Ok(message))
    }

    fn table(&mut self, cursor: &mut Cursor<'_>, dictionary: &[String]) -> anyhow::Result<()> {
        let table = cursor.text()?.to_owned();
        ensure!((1..=127).contains(&table.len()), "table name {table:?}");
        let rows = cursor.size()?;
        ensure!((1..=1_000_000).contains(&rows), "{rows} rows");
        let columns = cursor.size()?;
        ensure!((1..=2048).contains(&columns), "{columns} columns");
        let schema = (0..columns)
            .map(|_| Ok((cursor.text()?.to_owned(), cursor.u8()?)))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let mut read = vec![BTreeMap::new(); rows];
        for (name, kind) in schema {
            if name.is_empty() {
                ensure!(
                    matches!(kind, 0x0A | 0x10),
                    "the row's time has type {kind:#04x}"
                );
            }
            let values = column(cursor, kind, rows, dictionary)?;
            for (row, value) in read.iter_mut().zip(values) {
                ensure!(row.insert(name.clone(), value).is_none(), "{name:?} twice");
            }
        }
        self.rows.extend(read.into_iter().map(|cells| Row {
            table: table.clone(),
            cells,
        }));
        self.tables.push(table);
        Ok(())
    }
}

/// The cells of one column.
fn column(
    cursor: &mut Cursor<'_>,
    kind: u8,
    rows: usize,
    dictionary: &[String],
) -> anyhow::Result<Vec<Value>> {
    let nulls: Vec<bool> = if cursor.u8()? == 0 {
        vec![false; rows]
    } else {
        let bits = cursor.take(rows.div_ceil(8))?;
        ensure!(
            rows.is_multiple_of(8) || bits[rows / 8] >> (rows % 8) == 0,
            "bits behind the last row"
        );
        (0..rows)
            .map(|row| bits[row / 8] >> (row % 8) & 1 == 1)
            .collect()
    };
    let present = nulls.iter().filter(|null| !**null).count();
    let mut values = values(cursor, kind, present, dictionary)?.into_iter();
    nulls
        .into_iter()
        .map(|null| {
            if null {
                return Ok(Value::Null);
            }
            values
                .next()
                .ok_or_else(|| anyhow::anyhow!("too few values"))
        })
        .collect()
}

fn values(
    cursor: &mut Cursor<'_>,
    kind: u8,
    count: usize,
    dictionary: &[String],
) -> anyhow::Result<Vec<Value>> {
    let each = |cursor: &mut Cursor<'_>, read: fn(&mut Cursor<'_>) -> anyhow::Result<Value>| {
        (0..count).map(|_| read(cursor)).collect()
    };
    match kind {
        0x01 => {
            let bits = cursor.take(count.div_ceil(8))?;
            let bit = |row: usize| Value::Bool(bits[row / 8] >> (row % 8) & 1 == 1);
            Ok((0..count).map(bit).collect())
        }
        0x02 => each(cursor, |c| {
            Ok(Value::Int(i8::from_le_bytes(c.array()?).into()))
        }),
        0x03 => each(cursor, |c| {
            Ok(Value::Int(i16::from_le_bytes(c.array()?).into()))
        }),
        0x04 => (0..count)
            .map(|_| {
                let value = i32::from_le_bytes(cursor.array()?);
                Ok(null_or(value == i32::MIN, Value::Int(value.into())))
            })
            .collect(),
        0x06 => (0..count)
            .map(|_| {
                let value = f32::from_le_bytes(cursor.array()?);
                Ok(null_or(value.is_nan(), Value::Float(value.into())))
            })
            .collect(),
        0x07 => (0..count)
            .map(|_| {
                let value = f64::from_le_bytes(cursor.array()?);
                Ok(null_or(value.is_nan(), Value::Float(value)))
            })
            .collect(),
        0x05 | 0x0A | 0x0B | 0x10 => longs(cursor, kind, count),
        0x09 => symbols(cursor, count, dictionary),
        0x0C => each(cursor, |c| Ok(Value::Bytes(c.take(16)?.to_vec()))),
        0x0D => each(cursor, |c| Ok(Value::Bytes(c.take(32)?.to_vec()))),
        0x0E => geohashes(cursor, count),
        0x0F | 0x17 => texts(cursor, kind == 0x17, count),
        0x11 | 0x12 => each(cursor, array),
        0x13..=0x15 => decimals(cursor, kind, count),
        0x16 => each(cursor, |c| Ok(Value::Char(c.u16()?))),
        0x18 => (0..count)
            .map(|_| {
                let value = cursor.u32()?;
                Ok(null_or(value == 0, Value::Ipv4(value)))
            })
            .collect(),
        _ => bail!("type {kind:#04x}"),
    }
}

fn null_or(null: bool, value: Value) -> Value {
    if null { Value::Null } else { value }
}

fn longs(cursor: &mut Cursor<'_>, kind: u8, count: usize) -> anyhow::Result<Vec<Value>> {
    (0..count)
        .map(|_| {
            let value = cursor.i64()?;
            let cell = match kind {
                0x05 => Value::Int(value),
                0x0A => Value::Micros(value),
                0x0B => Value::Millis(value),
                _ => Value::Nanos(value),
            };
            Ok(null_or(value == i64::MIN, cell))
        })
        .collect()
}

fn symbols(
    cursor: &mut Cursor<'_>,
    count: usize,
    dictionary: &[String],
) -> anyhow::Result<Vec<Value>> {
    (0..count)
        .map(|_| {
            let number = cursor.size()?;
            match dictionary.get(number) {
                Some(symbol) => Ok(Value::Symbol(symbol.clone())),
                None => bail!("symbol {number} of {}", dictionary.len()),
            }
        })
        .collect()
}

fn decimals(cursor: &mut Cursor<'_>, kind: u8, count: usize) -> anyhow::Result<Vec<Value>> {
    let scale = cursor.u8()?;
    let (width, max) = [(8, 18), (16, 38), (32, 76)][usize::from(kind - 0x13)];
    ensure!(scale <= max, "scale {scale}");
    (0..count)
        .map(|_| Ok(Value::Decimal(scale, cursor.take(width)?.to_vec())))
        .collect()
}

fn geohashes(cursor: &mut Cursor<'_>, count: usize) -> anyhow::Result<Vec<Value>> {
    let bits = cursor.varint()?;
    ensure!((1..=60).contains(&bits), "a geohash of {bits} bits");
    (0..count)
        .map(|_| {
            let mut value = [0; 8];
            let bytes = cursor.take(usize::try_from(bits.div_ceil(8))?)?;
            value[..bytes.len()].copy_from_slice(bytes);
            Ok(Value::Geohash(u64::from_le_bytes(value), bits))
        })
        .collect()
}

fn texts(cursor: &mut Cursor<'_>, binary: bool, count: usize) -> anyhow::Result<Vec<Value>> {
    let offsets = (0..=count)
        .map(|_| Ok(usize::try_from(cursor.u32()?)?))
        .collect::<anyhow::Result<Vec<_>>>()?;
    ensure!(
        offsets[0] == 0 && offsets.is_sorted(),
        "offsets {offsets:?}"
    );
    let bytes = cursor.take(offsets[count])?;
    offsets
        .windows(2)
        .map(|pair| {
            let bytes = bytes[pair[0]..pair[1]].to_vec();
            Ok(if binary {
                Value::Binary(bytes)
            } else {
                Value::Text(String::from_utf8(bytes)?)
            })
        })
        .collect()
}

fn array(cursor: &mut Cursor<'_>) -> anyhow::Result<Value> {
    let rank = cursor.u8()?;
    ensure!((1..=32).contains(&rank), "rank {rank}");
    let lengths = (0..rank)
        .map(|_| cursor.u32())
        .collect::<anyhow::Result<Vec<_>>>()?;
    let count = lengths
        .iter()
        .try_fold(1_usize, |product, length| {
            product.checked_mul(usize::try_from(*length).ok()?)
        })
        .filter(|count| *count <= cursor.0.len())
        .ok_or_else(|| anyhow::anyhow!("lengths {lengths:?}"))?;
    let elements = (0..count)
        .map(|_| Ok(u64::from_le_bytes(cursor.array()?)))
        .collect::<anyhow::Result<Vec<_>>>()?;
    Ok(Value::Array(lengths, elements))
}
