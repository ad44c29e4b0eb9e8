//! Rows into user types: one test a rule.
#![allow(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

use std::collections::HashMap;

use bytes::Bytes;
use chrono::{DateTime, FixedOffset, Local, NaiveDate, NaiveDateTime, Utc};
use chrono_tz::Tz;
use serde::Deserialize;
use taos_query::block::{BlockWriter, ColumnBuilder, RawBlock};
use taos_query::common::{BorrowedValue, Decimal, Precision, Timestamp, Ty, Value};

const TIME: i64 = 1_700_000_000_123;

/// `(name, type, value)` of each column, in one row.
fn row(cells: &[(&str, Value)]) -> RawBlock {
    rows(&[cells])
}

fn rows(rows: &[&[(&str, Value)]]) -> RawBlock {
    let builders = rows[0]
        .iter()
        .map(|(_, value)| ColumnBuilder::new(value.ty(), 100, 30, 2))
        .collect();
    let mut writer = BlockWriter::new(builders);
    for cells in rows {
        for (column, (_, value)) in writer.columns_mut().iter_mut().zip(*cells) {
            column.push_value(&value.to_borrowed_value()).unwrap();
        }
    }
    let mut block = writer.finish_block(Precision::Millisecond).unwrap();
    block.with_field_names(rows[0].iter().map(|(name, _)| name));
    block
}

fn one<T: serde::de::DeserializeOwned>(value: Value) -> Result<T, String> {
    first(&row(&[("v", value)]))
}

fn first<T: serde::de::DeserializeOwned>(block: &RawBlock) -> Result<T, String> {
    let fast = block.deserialize::<T>().next().unwrap();
    // A row view follows the same rules by another way.
    let view = T::deserialize(block.rows().next().unwrap());
    assert_eq!(fast.is_ok(), view.is_ok());
    if let (Err(a), Err(b)) = (&fast, &view) {
        assert_eq!(a.to_string(), b.to_string());
    }
    fast.map_err(|error| error.to_string())
}

fn ts() -> Value {
    Value::Timestamp(Timestamp::Milliseconds(TIME))
}

#[test]
fn structs_take_columns_by_name_and_skip_others() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Record {
        n: i32,
        ts: i64,
        #[serde(default)]
        absent: u8,
        missing: Option<String>,
        #[serde(alias = "t")]
        text: String,
        #[serde(skip)]
        skipped: u8,
    }
    let block = row(&[
        ("ts", ts()),
        ("unused", Value::Double(1.0)),
        ("t", Value::from("x")),
        ("n", Value::Int(7)),
    ]);
    assert_eq!(
        first::<Record>(&block).unwrap(),
        Record {
            n: 7,
            ts: TIME,
            absent: 0,
            missing: None,
            text: "x".into(),
            skipped: 0
        }
    );
    let error = first::<Record>(&row(&[("ts", ts())])).unwrap_err();
    assert_eq!(error, "a row of the columns `ts`: missing field `n`");
    let error = first::<(i64, i32)>(&row(&[("ts", ts())])).unwrap_err();
    assert_eq!(
        error,
        "a row of the columns `ts`: invalid length 1, expected a tuple of size 2"
    );
}

#[test]
fn text_borrows_from_the_block() {
    #[derive(Deserialize)]
    struct Lent<'a> {
        narrow: &'a str,
        wide: &'a str,
        json: &'a str,
        bytes: &'a [u8],
    }
    let block = row(&[
        ("narrow", Value::from("é")),
        ("wide", Value::NChar("中".into())),
        ("json", Value::Json(serde_json::json!({"a": 1}))),
        ("bytes", Value::VarBinary(Bytes::from_static(b"\xff"))),
    ]);
    let lent: Lent<'_> = block.deserialize().next().unwrap().unwrap();
    assert_eq!((lent.narrow, lent.wide), ("é", "中"));
    assert_eq!((lent.json, lent.bytes), (r#"{"a":1}"#, &[0xff][..]));
}

#[test]
fn sequences_and_scalars_go_by_position() {
    let block = row(&[("a", Value::Int(1)), ("b", Value::from("x")), ("c", ts())]);
    assert_eq!(first::<(i64, String)>(&block).unwrap(), (1, "x".into()));
    assert_eq!(first::<u8>(&block).unwrap(), 1);
    assert_eq!(
        first::<Vec<Value>>(&block).unwrap(),
        vec![Value::Int(1), Value::from("x"), ts()]
    );
    let map: HashMap<String, Value> = first(&block).unwrap();
    assert_eq!(map["b"], Value::from("x"));
    first::<()>(&block).unwrap();
}

#[test]
fn a_struct_of_a_block_without_names_goes_by_position() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Pair {
        a: i32,
        b: String,
    }
    let named = row(&[("x", Value::Int(1)), ("y", Value::from("z"))]);
    let bytes = named.as_raw_bytes().clone();
    let block = RawBlock::parse_from_raw_block(bytes, Precision::Millisecond).unwrap();
    let pair = Pair {
        a: 1,
        b: "z".into(),
    };
    assert_eq!(first::<Pair>(&block).unwrap(), pair);
}

#[test]
fn integers_take_any_integer_column_that_fits() {
    assert_eq!(one::<i8>(Value::UBigInt(127)), Ok(127));
    assert_eq!(one::<u64>(Value::TinyInt(1)), Ok(1));
    assert_eq!(one::<i64>(ts()), Ok(TIME));
    assert_eq!(one::<i128>(Value::BigInt(-1)), Ok(-1));
    let error = one::<i8>(Value::Int(70_000)).unwrap_err();
    assert_eq!(
        error,
        "column `v` (#0, INT) of row 0: invalid value: integer `70000`, expected i8"
    );
    assert!(one::<u8>(Value::Int(-1)).is_err());
    assert!(one::<i32>(Value::Double(1.0)).is_err());
    assert!(one::<i32>(Value::from("1")).is_err());
    assert!(one::<i32>(Value::Bool(true)).is_err());
}

#[test]
fn floats_take_integers_and_floats() {
    assert_eq!(one::<f64>(Value::Float(0.5)), Ok(0.5));
    assert_eq!(one::<f32>(Value::Double(0.25)), Ok(0.25));
    assert_eq!(one::<f64>(Value::USmallInt(3)), Ok(3.0));
    assert!(one::<f64>(Value::from("1.0")).is_err());
}

#[test]
fn decimals_become_what_they_fit() {
    let half = Value::Decimal64(Decimal::new(150, 30, 2));
    assert_eq!(one::<String>(half.clone()), Ok("1.50".into()));
    assert_eq!(one::<f64>(half.clone()), Ok(1.5));
    assert_eq!(one::<bool>(half.clone()), Ok(true));
    assert_eq!(
        one::<(Decimal,)>(half.clone()),
        Ok((Decimal::new(15, 3, 1),))
    );
    assert!(one::<i32>(half).unwrap_err().contains("decimal 1.50"));
    assert_eq!(one::<i32>(Value::Decimal(Decimal::new(700, 30, 2))), Ok(7));
    let big = Value::Decimal(Decimal::new(i128::from(i64::MAX) * 1_000, 30, 2));
    assert_eq!(one::<i128>(big.clone()), Ok(i128::from(i64::MAX) * 10));
    assert!(one::<i64>(big).is_err());
}

#[test]
fn strings_take_the_text_of_every_value_but_not_null() {
    assert_eq!(one::<String>(Value::Int(-7)), Ok("-7".into()));
    assert_eq!(one::<String>(Value::Float(0.1)), Ok("0.1".into()));
    assert_eq!(one::<String>(Value::Bool(true)), Ok("true".into()));
    assert_eq!(
        one::<String>(Value::Json(serde_json::json!(["a"]))),
        Ok(r#"["a"]"#.into())
    );
    assert_eq!(
        one::<String>(Value::Null(Ty::VarChar)).unwrap_err(),
        "column `v` (#0, VARCHAR) of row 0: invalid type: NULL, expected a string"
    );
    assert!(one::<i32>(Value::Null(Ty::Int)).is_err());
    assert_eq!(one::<Option<String>>(Value::Null(Ty::Int)), Ok(None));
    assert_eq!(one::<Option<i32>>(Value::Int(3)), Ok(Some(3)));
}

#[test]
fn invalid_utf8_is_an_error_for_text_and_available_as_bytes() {
    let mut writer = BlockWriter::new(vec![ColumnBuilder::new(Ty::VarChar, 8, 0, 0)]);
    writer.column_mut(0).unwrap().push_bytes(b"a\xff").unwrap();
    let mut block = writer.finish_block(Precision::Millisecond).unwrap();
    block.with_field_names(["v"]);
    let error = first::<String>(&block).unwrap_err();
    assert!(error.contains("not UTF-8"), "{error}");
    assert!(error.contains("column `v`"), "{error}");
    assert_eq!(first::<(Vec<u8>,)>(&block).unwrap().0, b"a\xff");
    assert_eq!(
        first::<Bytes>(&block).unwrap(),
        Bytes::from_static(b"a\xff")
    );
    assert_eq!(
        block.get_ref(0, 0).unwrap(),
        BorrowedValue::VarBinary(b"a\xff".into())
    );
}

#[test]
fn times_honour_the_zone_everywhere() {
    #[derive(Debug, Deserialize)]
    struct Times {
        text: String,
        maybe: Option<String>,
        naive: NaiveDateTime,
        date: NaiveDate,
        fixed: DateTime<FixedOffset>,
        utc: Option<DateTime<Utc>>,
        local: DateTime<Local>,
        stamp: Timestamp,
    }
    let names = [
        "text", "maybe", "naive", "date", "fixed", "utc", "local", "stamp",
    ];
    let cells: Vec<_> = names.iter().map(|name| (*name, ts())).collect();
    let mut block = row(&cells);
    block.with_timezone(Tz::Asia__Shanghai);
    let text = "2023-11-15T06:13:20.123+08:00";
    let times: Times = first(&block).unwrap();
    assert_eq!(times.text, text);
    assert_eq!(times.maybe.as_deref(), Some(text));
    assert_eq!(times.naive.to_string(), "2023-11-15 06:13:20.123");
    assert_eq!(times.date.to_string(), "2023-11-15");
    assert_eq!(times.fixed.to_rfc3339(), text);
    assert_eq!(times.utc.unwrap().timestamp_millis(), TIME);
    assert_eq!(times.local.timestamp_millis(), TIME);
    assert_eq!(times.stamp, Timestamp::Milliseconds(TIME));
    let pair: (String, Option<String>) = first(&block).unwrap();
    assert_eq!(pair, (text.to_owned(), Some(text.to_owned())));
    block.with_timezone(None);
    let local = Timestamp::Milliseconds(TIME)
        .to_datetime_with_tz()
        .to_rfc3339();
    assert_eq!(first::<String>(&block).unwrap(), local);
}

#[test]
fn enums_json_and_bytes() {
    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum State {
        On,
        Off,
    }
    #[derive(Debug, PartialEq, Deserialize)]
    struct Nested {
        a: Vec<i32>,
    }
    #[derive(Debug, PartialEq, Deserialize)]
    struct Wrapper(u16);

    assert_eq!(one::<State>(Value::from("off")), Ok(State::Off));
    assert!(
        one::<State>(Value::from("no"))
            .unwrap_err()
            .contains("`no`")
    );
    let json = Value::Json(serde_json::json!({"a": [1, 2]}));
    assert_eq!(
        first::<(Nested,)>(&row(&[("j", json.clone())])),
        Ok((Nested { a: vec![1, 2] },))
    );
    assert_eq!(
        first::<(serde_json::Value,)>(&row(&[("j", json.clone())])),
        Ok((serde_json::json!({"a": [1, 2]}),))
    );
    assert_eq!(first::<(Value,)>(&row(&[("j", json.clone())])), Ok((json,)));
    let bytes = Value::Geometry(Bytes::from_static(&[1, 2, 3]));
    assert_eq!(
        first::<(Vec<u8>,)>(&row(&[("b", bytes.clone())])),
        Ok((vec![1, 2, 3],))
    );
    let buf: (serde_bytes::ByteBuf,) = first(&row(&[("b", bytes)])).unwrap();
    assert_eq!(buf.0.as_slice(), [1, 2, 3]);
    assert_eq!(one::<Wrapper>(Value::Int(9)), Ok(Wrapper(9)));
}

#[test]
fn every_value_deserializes_into_value() {
    let values = [
        Value::Null(Ty::NChar),
        Value::Bool(true),
        Value::TinyInt(-1),
        Value::SmallInt(-2),
        Value::Int(-3),
        Value::BigInt(i64::MIN),
        Value::Float(0.5),
        Value::Double(-0.25),
        Value::from("é"),
        ts(),
        Value::NChar("中".into()),
        Value::UTinyInt(1),
        Value::USmallInt(2),
        Value::UInt(3),
        Value::UBigInt(u64::MAX),
        Value::Json(serde_json::json!({"k": [null, 1.5]})),
        Value::VarBinary(Bytes::from_static(&[0, 255])),
        Value::Decimal(Decimal::new(-123, 30, 2)),
        Value::Decimal64(Decimal::new(5, 30, 2)),
        Value::Blob(Bytes::from_static(b"b")),
        Value::MediumBlob(Bytes::from_static(b"m")),
        Value::Geometry(Bytes::from_static(b"g")),
    ];
    for value in values {
        let block = row(&[("v", value.clone())]);
        let (read,): (Value,) = first(&block).unwrap();
        assert_eq!(read, value);
        assert_eq!(read.ty(), value.ty());
        assert_eq!(Value::deserialize(&value).unwrap(), value);
        assert_eq!(Value::deserialize(value.clone()).unwrap(), value);
    }
}

#[test]
fn a_value_deserializes_by_the_rules_of_cells() {
    assert_eq!(i64::deserialize(Value::Int(3)).unwrap(), 3);
    assert_eq!(String::deserialize(Value::from("x")).unwrap(), "x");
    let owned = Value::from("lent");
    assert_eq!(<&str>::deserialize(&owned).unwrap(), "lent");
    assert!(String::deserialize(Value::Null(Ty::Int)).is_err());
}

#[test]
fn owned_iteration_gives_the_same_rows() {
    let block = rows(&[
        &[("a", Value::Int(1)), ("b", Value::from("x"))],
        &[("a", Value::Int(2)), ("b", Value::Null(Ty::VarChar))],
    ]);
    #[derive(Debug, PartialEq, Deserialize)]
    struct Pair {
        b: Option<String>,
        a: i32,
    }
    let lent: Vec<Pair> = block.deserialize().map(Result::unwrap).collect();
    let owned: Vec<Pair> = block
        .clone()
        .into_deserialize()
        .map(Result::unwrap)
        .collect();
    assert_eq!(lent, owned);
    assert_eq!(lent.len(), 2);
    let fail = block.deserialize::<(i32, String)>().last().unwrap();
    assert!(fail.unwrap_err().to_string().contains("of row 1"));
}
