//! What holds for all names, values and orders of calls.

use proptest::collection::vec;
use proptest::prelude::*;

use super::lines::{Row, Value, read};
use super::{ALL, V1, written};
use crate::ErrorCode;
use crate::ingress::buffer::Buffer;
use crate::ingress::buffer::state::Bookmark;
use crate::ingress::{ColumnName, ProtocolVersion, TableName, TimestampMicros, TimestampNanos};

fn version() -> impl Strategy<Value = ProtocolVersion> {
    prop::sample::select(ALL.to_vec())
}

/// Short and long, plain and strange.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[a-zA-Z0-9_]{0,40}",
        2 => "[a-z ,=\\\\\"'\n\r\t\u{0}é价😀]{0,40}",
        1 => any::<String>(),
    ]
}

fn table_name() -> impl Strategy<Value = String> {
    text().prop_filter("a name", |name| {
        name.len() <= 127 && TableName::new(name).is_ok()
    })
}

fn column_name() -> impl Strategy<Value = String> {
    text().prop_filter("a name", |name| {
        name.len() <= 127 && ColumnName::new(name).is_ok()
    })
}

fn double() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<u64>().prop_map(f64::from_bits),
        (any::<i32>(), 0..12_i32).prop_map(|(n, e)| f64::from(n) / 10_f64.powi(e)),
        (any::<u32>(), 0..12_i32).prop_map(|(n, e)| f64::from(n) * 10_f64.powi(e)),
        prop::sample::select(vec![
            0.0,
            -0.0,
            1e9,
            1e-5,
            9.999e-6,
            999_999_999.999_999_9,
            1e15,
            1e16
        ]),
    ]
}

fn integer() -> impl Strategy<Value = i64> {
    (any::<i64>(), 0..64_u32).prop_map(|(n, shift)| n >> shift)
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<bool>().prop_map(Value::Bool),
        integer().prop_map(Value::Integer),
        double().prop_map(|d| Value::Double(d.to_bits())),
        text().prop_map(Value::Text),
        integer().prop_map(Value::Micros),
        integer().prop_map(Value::Nanos),
        vec(any::<u64>(), 0..4)
            .prop_map(|v| Value::Array(vec![u32::try_from(v.len()).unwrap()], v)),
    ]
}

fn row() -> impl Strategy<Value = Row> {
    (
        table_name(),
        vec((column_name(), text()), 1..4),
        vec((column_name(), value()), 0..5),
        prop::option::of((0..i64::MAX, any::<bool>())),
    )
        .prop_map(|(table, symbols, columns, time)| Row {
            table,
            symbols,
            columns,
            time: time.map(|(n, nanos)| (n, if nanos { "n" } else { "t" }.to_owned())),
        })
}

/// Writes a row; what version 1 changes or cannot carry is changed in the row as well.
fn write(buffer: &mut Buffer, row: &mut Row) -> crate::Result<()> {
    let first = buffer.protocol_version() == V1;
    buffer.table(row.table.as_str())?;
    for (name, value) in &row.symbols {
        buffer.symbol(name.as_str(), value)?;
    }
    if first {
        row.columns
            .retain(|(_, value)| !matches!(value, Value::Array(..)));
    }
    for (name, value) in &mut row.columns {
        let name = name.as_str();
        match value {
            Value::Bool(v) => buffer.column_bool(name, *v)?,
            Value::Integer(v) => buffer.column_i64(name, *v)?,
            Value::Double(v) => {
                let double = f64::from_bits(*v);
                if first && double.is_nan() {
                    *v = f64::NAN.to_bits();
                }
                buffer.column_f64(name, double)?
            }
            Value::Text(v) => buffer.column_str(name, v)?,
            Value::Micros(v) => buffer.column_ts(name, TimestampMicros::new(*v))?,
            Value::Nanos(v) => {
                let nanos = TimestampNanos::new(*v);
                if first {
                    *value = Value::Micros(*v / 1000);
                }
                buffer.column_ts(name, nanos)?
            }
            Value::Array(_, bits) => {
                let doubles: Vec<f64> = bits.iter().map(|bits| f64::from_bits(*bits)).collect();
                buffer.column_arr(name, &doubles)?
            }
        };
    }
    match &mut row.time {
        None => buffer.at_now(),
        Some((n, unit)) if unit == "n" => {
            if first {
                unit.clear();
            }
            buffer.at(TimestampNanos::new(*n))
        }
        Some((n, unit)) => {
            let micros = if first { *n / 1000 } else { *n };
            if first {
                *n = micros * 1000;
                unit.clear();
            }
            buffer.at(TimestampMicros::new(micros))
        }
    }
}

/// The text of a double by the rules of questdb §3.3, from the digits the standard library finds.
fn expected_text(value: f64) -> String {
    let shortest = format!("{value:e}");
    let (digits, exponent) = shortest.split_once('e').unwrap();
    let (sign, digits) = match digits.strip_prefix('-') {
        Some(rest) => ("-", rest.replace('.', "")),
        None => ("", digits.replace('.', "")),
    };
    let point: i32 = exponent.parse::<i32>().unwrap() + 1;
    let count = i32::try_from(digits.len()).unwrap();
    let zeros = |n: i32| "0".repeat(usize::try_from(n).unwrap());
    let text = match point {
        1..=16 if count <= point => format!("{digits}{}.0", zeros(point - count)),
        1..=16 => {
            let (whole, rest) = digits.split_at(usize::try_from(point).unwrap());
            format!("{whole}.{rest}")
        }
        -4..=0 => format!("0.{}{digits}", zeros(-point)),
        _ => match digits.split_at(1) {
            (first, "") => format!("{first}e{}", point - 1),
            (first, rest) => format!("{first}.{rest}e{}", point - 1),
        },
    };
    format!("{sign}{text}")
}

/// Backslashes one byte at a time.
fn escaped(text: &str, special: &[u8]) -> Vec<u8> {
    let escape = |byte: u8| {
        if special.contains(&byte) {
            vec![b'\\', byte]
        } else {
            vec![byte]
        }
    };
    text.bytes().flat_map(escape).collect()
}

#[derive(Debug, Clone)]
enum Call {
    Table(String),
    Symbol(String, String),
    Column(String, Value),
    Decimal(String),
    At(i64),
    AtNow,
    SetMarker,
    Rewind,
    Bookmark,
    RewindBookmark,
    ClearMarker,
    Clear,
}

fn call() -> impl Strategy<Value = Call> {
    let name = || prop_oneof![4 => Just("t".to_owned()), 1 => text()];
    prop_oneof![
        6 => name().prop_map(Call::Table),
        4 => (name(), text()).prop_map(|(name, value)| Call::Symbol(name, value)),
        6 => (name(), value()).prop_map(|(name, value)| Call::Column(name, value)),
        1 => text().prop_map(Call::Decimal),
        4 => integer().prop_map(Call::At),
        4 => Just(Call::AtNow),
        2 => Just(Call::SetMarker),
        2 => Just(Call::Rewind),
        1 => Just(Call::Bookmark),
        1 => Just(Call::RewindBookmark),
        1 => Just(Call::ClearMarker),
        1 => Just(Call::Clear),
    ]
}

fn apply(buffer: &mut Buffer, bookmark: &mut Option<Bookmark>, call: &Call) -> crate::Result<()> {
    match call {
        Call::Table(name) => buffer.table(name.as_str()).map(drop),
        Call::Symbol(name, value) => buffer.symbol(name.as_str(), value).map(drop),
        Call::Column(name, value) => {
            let name = name.as_str();
            match value {
                Value::Bool(v) => buffer.column_bool(name, *v),
                Value::Integer(v) => buffer.column_i64(name, *v),
                Value::Double(v) => buffer.column_f64(name, f64::from_bits(*v)),
                Value::Text(v) => buffer.column_str(name, v),
                Value::Micros(v) => buffer.column_ts(name, TimestampMicros::new(*v)),
                Value::Nanos(v) => buffer.column_ts(name, TimestampNanos::new(*v)),
                Value::Array(..) => buffer.column_arr(name, &vec![vec![1.0], vec![]]),
            }
            .map(drop)
        }
        Call::Decimal(value) => buffer.column_dec("d", value.as_str()).map(drop),
        Call::At(nanos) => buffer.at(TimestampNanos::new(*nanos)),
        Call::AtNow => buffer.at_now(),
        Call::SetMarker => buffer.set_marker(),
        Call::Rewind => buffer.rewind_to_marker(),
        Call::Bookmark => buffer.bookmark().map(|new| *bookmark = Some(new)),
        Call::RewindBookmark => match bookmark {
            Some(bookmark) => buffer.rewind_to_bookmark(*bookmark),
            None => Ok(()),
        },
        Call::ClearMarker => {
            buffer.clear_marker();
            Ok(())
        }
        Call::Clear => {
            buffer.clear();
            Ok(())
        }
    }
}

/// The table of questdb §4.1 for cells and rows: the state after a call, or none where it is wrong.
fn next_state(state: &str, call: &Call) -> Option<&'static str> {
    Some(match (call, state) {
        (Call::Table(_), "ready") => "table",
        (Call::Symbol(..), "table" | "symbol") => "symbol",
        (Call::Column(..) | Call::Decimal(_), "table" | "symbol" | "column") => "column",
        (Call::At(_) | Call::AtNow, "symbol" | "column") => "ready",
        _ => return None,
    })
}

proptest! {
    #[test]
    fn rows_read_back_as_they_were_given(version in version(), rows in vec(row(), 0..6)) {
        let mut buffer = Buffer::new(version);
        let mut given = rows;
        for row in &mut given {
            write(&mut buffer, row).unwrap();
        }
        prop_assert_eq!(buffer.row_count(), given.len());
        prop_assert_eq!(buffer.transactional(), given.iter().all(|r| r.table == given[0].table));
        prop_assert_eq!(read(&buffer), given);
    }

    #[test]
    fn checked_names_write_the_same_as_text(
        version in version(),
        table in table_name(),
        column in column_name(),
        n in integer(),
    ) {
        let plain = written(version, |buffer| {
            buffer.table(table.as_str())?.column_i64(column.as_str(), n)?.at_now()
        });
        let (table, column) = (TableName::new(&table).unwrap(), ColumnName::new(&column).unwrap());
        let checked = written(version, |buffer| {
            buffer.table(table)?.column_i64(column, n)?.at_now()
        });
        prop_assert_eq!(plain, checked);
    }

    #[test]
    fn names_are_judged_as_a_plain_reading_of_the_rules_does(name in text()) {
        let forbidden = |c: char| {
            c <= '\u{F}' || "\u{7F}\u{FEFF}?,'\"\\/:)(+*%~".contains(c)
        };
        let common = !name.is_empty() && !name.contains(forbidden);
        prop_assert_eq!(ColumnName::new(&name).is_ok(), common && !name.contains(['.', '-']));
        let dots = name.starts_with('.') || name.ends_with('.') || name.contains("..");
        prop_assert_eq!(TableName::new(&name).is_ok(), common && !dots);
    }

    #[test]
    fn text_is_escaped_as_byte_by_byte(value in text()) {
        let symbol = written(V1, |buffer| buffer.table("t")?.symbol("s", &value)?.at_now());
        let expected = [b"t,s=", &escaped(&value, b" ,=\n\r\\")[..], b"\n"].concat();
        prop_assert_eq!(symbol, expected);
        let string = written(V1, |buffer| buffer.table("t")?.column_str("s", &value)?.at_now());
        let expected = [b"t s=\"", &escaped(&value, b"\n\r\"\\")[..], b"\"\n"].concat();
        prop_assert_eq!(string, expected);
    }

    #[test]
    fn doubles_are_the_shortest_text_that_reads_back(value in double()) {
        prop_assume!(value.is_finite());
        let line = written(V1, |buffer| buffer.table("t")?.column_f64("d", value)?.at_now());
        prop_assert_eq!(line, format!("t d={}\n", expected_text(value)).into_bytes());
    }

    #[test]
    fn integers_are_written_as_anywhere(numbers in vec(integer(), 1..8)) {
        let mut buffer = Buffer::new(V1);
        let mut expected = String::new();
        for n in numbers {
            let time = n.unsigned_abs() >> 1;
            buffer.table("t").unwrap().column_i64("i", n).unwrap();
            buffer.at(TimestampNanos::new(i64::try_from(time).unwrap())).unwrap();
            expected.push_str(&format!("t i={n}i {time}\n"));
        }
        prop_assert_eq!(buffer.as_bytes(), expected.as_bytes());
    }

    #[test]
    fn no_order_of_calls_panics_and_wrong_calls_change_nothing(
        version in version(),
        calls in vec(call(), 0..40),
    ) {
        let mut buffer = Buffer::new(version);
        let mut bookmark = None;
        let mut state = "ready";
        for call in &calls {
            let (before, rows) = (buffer.as_bytes().to_vec(), buffer.row_count());
            let result = apply(&mut buffer, &mut bookmark, call);
            match (&result, next_state(state, call)) {
                (Ok(()), Some(next)) => state = next,
                (Ok(()), None) => {
                    // Only calls that are no part of a row may succeed here.
                    let outside = !matches!(
                        call,
                        Call::Table(_) | Call::Symbol(..) | Call::Column(..) | Call::Decimal(_)
                            | Call::At(_) | Call::AtNow
                    );
                    prop_assert!(outside, "{call:?} in state {state}");
                    if matches!(call, Call::Rewind | Call::Clear)
                        || (matches!(call, Call::RewindBookmark) && bookmark.is_some())
                    {
                        state = "ready";
                    }
                }
                (Err(error), expected) => {
                    prop_assert_eq!(buffer.as_bytes(), &before[..]);
                    prop_assert_eq!(buffer.row_count(), rows);
                    if expected.is_some() {
                        prop_assert_ne!(error.code(), ErrorCode::InvalidApiCall);
                    }
                }
            }
            prop_assert_eq!(buffer.check_can_flush().is_ok(), state == "ready");
            prop_assert_eq!(buffer.len(), buffer.as_bytes().len());
        }
    }
}
