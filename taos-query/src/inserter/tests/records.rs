//! How records become columns.

use std::cell::Cell;
use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Serialize, Serializer};
use serde_json::json;

use super::fake::{Fake, Line};
use crate::common::{Decimal, Precision, Timestamp, Ty, Value};
use crate::error::ErrorKind;
use crate::inserter::AsyncInsertable;
use crate::stmt::Stmt2BindParam;

const METERS: [Line; 5] = [
    ("ts", "TIMESTAMP", 8, ""),
    ("current", "FLOAT", 4, ""),
    ("note", "NCHAR", 4, ""),
    ("location", "VARCHAR", 8, "TAG"),
    ("groupid", "INT", 4, "TAG"),
];

/// Writes one by one, up to an error.
async fn write<T: Serialize + Sync>(fake: &Fake, rows: &[T]) -> Result<(), String> {
    let mut inserter = fake
        .inserter::<T>("meters")
        .open()
        .await
        .map_err(|error| error.to_string())?;
    for row in rows {
        if let Err(error) = inserter.write(row).await {
            assert!(error.batch().is_none());
            return Err(error.error().to_string());
        }
    }
    inserter.close().await.map_err(|error| error.to_string())?;
    Ok(())
}

fn values(param: &Stmt2BindParam) -> Vec<Vec<Value>> {
    let columns = param.columns().unwrap().iter();
    columns
        .map(|column| column.iter().map(|value| value.into_value()).collect())
        .collect()
}

#[derive(Serialize)]
struct Reading<'a> {
    #[serde(rename = "groupid")]
    group: u8,
    note: Option<&'a str>,
    ts: i64,
    tbname: &'a str,
    location: &'a str,
}

#[tokio::test]
async fn fields_are_matched_by_name_and_rows_are_grouped_by_table() {
    let fake = Fake::new(&METERS);
    let rows: Vec<_> = (0..6)
        .map(|n| Reading {
            group: if n < 2 { 7 } else { 9 },
            note: (n % 3 > 0).then_some("é"),
            ts: n,
            tbname: if n % 2 == 0 { "d0" } else { "d1" },
            location: "Oslo",
        })
        .collect();
    write(&fake, &rows).await.unwrap();
    assert_eq!(
        fake.log().prepared,
        ["INSERT INTO `power`.`meters`(tbname,`location`,`groupid`,`ts`,`note`) VALUES(?,?,?,?,?)"],
        "without the column that the record does not have"
    );
    let params = fake.params();
    assert_eq!(params.len(), 2);
    assert_eq!(params[0].table_name(), Some("d0"));
    assert_eq!(
        params[0].tags().unwrap(),
        [Value::VarChar("Oslo".into()), Value::Int(7)],
        "those of the first row"
    );
    let at = |n| Value::Timestamp(Timestamp::Milliseconds(n));
    let note = || Value::VarChar("é".into());
    let null = || Value::Null(Ty::VarChar);
    assert_eq!(
        values(&params[0]),
        [vec![at(0), at(2), at(4)], vec![null(), note(), note()]]
    );
    assert_eq!(
        values(&params[1]),
        [vec![at(1), at(3), at(5)], vec![note(), null(), note()]]
    );
}

#[tokio::test]
async fn records_may_borrow_for_no_longer_than_a_call() {
    let fake = Fake::new(&METERS);
    let mut inserter = fake.inserter::<Reading<'_>>("meters").open().await.unwrap();
    for n in 0..3 {
        let text = n.to_string();
        let row = Reading {
            group: 1,
            note: Some(&text),
            ts: n,
            tbname: &text,
            location: &text,
        };
        inserter.write(&row).await.unwrap();
    }
    assert_eq!(inserter.close().await.unwrap().rows, 3);
}

#[derive(Serialize)]
struct Tagged {
    ts: i64,
    groupid: i32,
    location: &'static str,
}

#[tokio::test]
async fn tables_without_a_name_are_named_after_their_tags_always_the_same() {
    let rows = |places: &[(i32, &'static str)]| -> Vec<Tagged> {
        let row = |(groupid, location): &(i32, &'static str)| Tagged {
            ts: 1,
            groupid: *groupid,
            location,
        };
        places.iter().map(row).collect()
    };
    let names = |fake: &Fake| -> Vec<String> {
        let name = |param: &Stmt2BindParam| param.table_name().unwrap().to_owned();
        fake.params().iter().map(name).collect()
    };
    let fake = Fake::new(&METERS);
    write(
        &fake,
        &rows(&[(1, "Oslo"), (2, "Oslo"), (1, "Oslo"), (1, "Bonn")]),
    )
    .await
    .unwrap();
    let first = names(&fake);
    assert_eq!(first.len(), 3);
    // A fixed text: programs of the next version must find the same tables.
    assert_eq!(first[0], "t_663decf56bc83659f7ee5e12a737e557af6028ee");
    let again = Fake::new(&METERS);
    write(&again, &rows(&[(1, "Bonn"), (1, "Oslo")]))
        .await
        .unwrap();
    assert_eq!(names(&again), [first[2].clone(), first[0].clone()]);
}

const ALL: [Line; 17] = [
    ("ts", "TIMESTAMP", 8, ""),
    ("b", "BOOL", 1, ""),
    ("i8", "TINYINT", 1, ""),
    ("i16", "SMALLINT", 2, ""),
    ("i32", "INT", 4, ""),
    ("i64", "BIGINT", 8, ""),
    ("u8", "TINYINT UNSIGNED", 1, ""),
    ("u16", "SMALLINT UNSIGNED", 2, ""),
    ("u32", "INT UNSIGNED", 4, ""),
    ("u64", "BIGINT UNSIGNED", 8, ""),
    ("f32", "FLOAT", 4, ""),
    ("f64", "DOUBLE", 8, ""),
    ("text", "VARCHAR", 20, ""),
    ("wide", "NCHAR", 20, ""),
    ("bin", "VARBINARY", 20, ""),
    ("dec", "DECIMAL(10, 2)", 8, ""),
    ("j", "JSON", 4095, "TAG"),
];

#[derive(Serialize)]
enum Weather {
    Rain,
}

#[derive(Serialize)]
struct Kelvin(f32);

#[derive(Serialize)]
struct All {
    ts: DateTime<Utc>,
    b: bool,
    i8: i8,
    i16: Option<i16>,
    i32: Value,
    i64: i64,
    u8: u64,
    u16: u16,
    u32: u32,
    u64: u64,
    f32: Kelvin,
    f64: i32,
    text: Weather,
    wide: char,
    bin: Vec<u8>,
    dec: Decimal,
    j: serde_json::Value,
}

fn all() -> All {
    All {
        ts: DateTime::from_timestamp_micros(1_500_001).unwrap(),
        b: true,
        i8: i8::MIN,
        i16: Some(i16::MAX),
        i32: Value::Int(-5),
        i64: i64::MIN,
        u8: 255,
        u16: u16::MAX,
        u32: u32::MAX,
        u64: u64::MAX,
        f32: Kelvin(2.5),
        f64: 1 << 30,
        text: Weather::Rain,
        wide: '文',
        bin: vec![0, 255],
        dec: "-12.5".parse().unwrap(),
        j: json!({"k": [1, null]}),
    }
}

#[tokio::test]
async fn every_type_takes_the_rust_values_that_mean_it() {
    let fake = Fake::new(&ALL).with_precision(Precision::Microsecond);
    write(&fake, &[all()]).await.unwrap();
    let params = fake.params();
    let cells: Vec<Value> = values(&params[0]).into_iter().flatten().collect();
    assert_eq!(
        cells,
        [
            Value::Timestamp(Timestamp::Microseconds(1_500_001)),
            Value::Bool(true),
            Value::TinyInt(i8::MIN),
            Value::SmallInt(i16::MAX),
            Value::Int(-5),
            Value::BigInt(i64::MIN),
            Value::UTinyInt(255),
            Value::USmallInt(u16::MAX),
            Value::UInt(u32::MAX),
            Value::UBigInt(u64::MAX),
            Value::Float(2.5),
            Value::Double(f64::from(1 << 30)),
            Value::VarChar("Rain".into()),
            Value::VarChar("文".into()),
            Value::VarBinary(vec![0, 255].into()),
            Value::Decimal64(Decimal::new(-1250, 10, 2)),
        ]
    );
    assert_eq!(
        params[0].tags().unwrap(),
        [Value::Json(json!({"k": [1, null]}))]
    );
}

#[tokio::test]
async fn times_are_taken_as_ticks_texts_dates_and_with_their_unit() {
    #[derive(Serialize)]
    struct At<T> {
        ts: T,
    }
    async fn ticks<T: Serialize + Sync>(ts: T) -> i64 {
        let fake = Fake::new(&METERS[..2]);
        write(&fake, &[At { ts }]).await.unwrap();
        fake.numbers(0)[0]
    }
    assert_eq!(ticks(1_500_i64).await, 1_500);
    assert_eq!(ticks("1970-01-01T00:00:01.5Z").await, 1_500);
    assert_eq!(ticks(Timestamp::Nanoseconds(1_500_000_001)).await, 1_500);
    assert_eq!(ticks(Value::Timestamp(Timestamp::Milliseconds(7))).await, 7);
    let date = NaiveDate::from_ymd_opt(1970, 1, 2).unwrap();
    assert_eq!(ticks(date).await, 86_400_000);
    assert_eq!(ticks(date.and_hms_opt(0, 0, 1).unwrap()).await, 86_401_000);
}

#[tokio::test]
async fn what_does_not_fit_is_refused_with_row_field_and_type() {
    async fn refused(change: impl Fn(&mut All), words: &[&str]) {
        let fake = Fake::new(&ALL);
        let mut second = all();
        change(&mut second);
        let error = write(&fake, &[all(), second]).await.unwrap_err();
        for word in ["row 1 for `meters`"].iter().chain(words) {
            assert!(error.contains(word), "{error} lacks {word}");
        }
    }
    refused(
        |r| r.u8 = 256,
        &["field `u8` of type TINYINT UNSIGNED", "256"],
    )
    .await;
    refused(
        |r| r.i32 = Value::Double(0.5),
        &["`i32` of type INT", "float 0.5"],
    )
    .await;
    refused(|r| r.i32 = Value::VarChar("x".into()), &["`i32`", "text"]).await;
    refused(|r| r.bin = vec![0; 21], &["`bin`", "21 bytes", "(20)"]).await;
    refused(
        |r| r.dec = "0.125".parse().unwrap(),
        &["`dec`", "0.125", "(10, 2)"],
    )
    .await;
    refused(|r| r.dec = 1_000_000_000.into(), &["`dec`", "1000000000"]).await;

    let fake = Fake::new(&METERS);
    let row = |note| Reading {
        group: 1,
        note: Some(note),
        ts: 1,
        tbname: "d0",
        location: "Oslo",
    };
    write(&fake, &[row("éééé")]).await.unwrap();
    let error = write(&fake, &[row("eeeee")]).await.unwrap_err();
    assert!(
        error.contains("5 characters is too long for type NCHAR(4)"),
        "{error}"
    );
}

#[tokio::test]
async fn a_refused_row_leaves_no_trace() {
    #[derive(Serialize)]
    struct Row {
        tbname: &'static str,
        ts: i64,
        note: &'static str,
        current: Option<f64>,
    }
    let row = |tbname, ts, current| Row {
        tbname,
        ts,
        note: if ts % 3 == 0 { "" } else { "ab" },
        current,
    };
    let fake = Fake::new(&METERS);
    let mut inserter = fake.inserter::<Row>("meters").open().await.unwrap();
    for ts in 0..20 {
        let bad = inserter.write(&row("d0", 1_000 + ts, Some(1e300))).await;
        assert!(bad.unwrap_err().batch().is_none());
        inserter
            .write(&row("new", 1_000, Some(-1e300)))
            .await
            .unwrap_err();
        let current = (ts % 4 > 0).then_some(0.5);
        inserter.write(&row("d0", ts, current)).await.unwrap();
    }
    inserter.close().await.unwrap();
    let params = fake.params();
    assert_eq!(params.len(), 1, "no table without rows");
    assert_eq!(fake.numbers(0), (0..20).collect::<Vec<_>>());
    let columns = values(&params[0]);
    for (ts, (current, note)) in columns[1].iter().zip(&columns[2]).enumerate() {
        assert_eq!(current.is_null(), ts % 4 == 0, "row {ts}");
        let text = if ts % 3 == 0 { "" } else { "ab" };
        assert_eq!(*note, Value::VarChar(text.into()), "row {ts}");
    }
}

#[tokio::test]
async fn a_value_that_panics_leaves_no_trace() {
    struct Bomb(Cell<bool>);
    impl Serialize for Bomb {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            assert!(!self.0.get(), "boom");
            serializer.serialize_none()
        }
    }
    #[derive(Serialize)]
    struct Row {
        ts: i64,
        current: Bomb,
    }
    let row = |ts, armed| Row {
        ts,
        current: Bomb(Cell::new(armed)),
    };
    let fake = Fake::new(&METERS[..2]);
    let mut inserter = fake.inserter::<Row>("meters").open().await.unwrap();
    inserter.write(&row(1, false)).await.unwrap();
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _ = inserter.offer(&row(2, true));
    }));
    assert!(caught.is_err());
    inserter.write(&row(3, false)).await.unwrap();
    inserter.close().await.unwrap();
    assert_eq!(fake.numbers(0), [1, 3]);
}

#[tokio::test]
async fn fields_that_the_table_lacks_or_needs_are_named() {
    #[derive(Serialize)]
    struct Misspelt {
        ts: i64,
        curent: f32,
    }
    let fake = Fake::new(&METERS);
    let error = write(&fake, &[Misspelt { ts: 1, curent: 1.0 }])
        .await
        .unwrap_err();
    assert_eq!(
        error,
        "`meters` has no column or tag for the field `curent`; did you mean `current`? It has: ts, \
         current, note, location, groupid"
    );
    #[derive(Serialize)]
    struct Timeless {
        current: f32,
    }
    let error = write(&fake, &[Timeless { current: 1.0 }])
        .await
        .unwrap_err();
    assert!(error.contains("needs the field `ts`"), "{error}");
    let error = write(&fake, &[(1, 2)]).await.unwrap_err();
    assert!(error.contains("must be a struct or a map"), "{error}");
    #[derive(Serialize)]
    struct Nothing {
        ts: Option<i64>,
    }
    let error = write(&fake, &[Nothing { ts: None }]).await.unwrap_err();
    assert!(error.contains("cannot be NULL"), "{error}");
    assert!(fake.log().executed.is_empty());
}

#[tokio::test]
async fn maps_go_by_key_and_what_they_leave_out_is_null() {
    let fake = Fake::new(&METERS);
    let row =
        |text: &str| -> BTreeMap<String, serde_json::Value> { serde_json::from_str(text).unwrap() };
    let rows = [
        row(r#"{"ts": 1, "tbname": "d0", "location": "Oslo", "current": 1.5}"#),
        row(r#"{"ts": 2, "tbname": "d0", "note": "n"}"#),
    ];
    write(&fake, &rows).await.unwrap();
    let param = &fake.params()[0];
    let tags = [Value::VarChar("Oslo".into()), Value::Null(Ty::Int)];
    assert_eq!(param.tags().unwrap(), tags);
    let columns = values(param);
    assert_eq!(columns[1], [Value::Float(1.5), Value::Null(Ty::Float)]);
    assert_eq!(
        columns[2],
        [Value::Null(Ty::VarChar), Value::VarChar("n".into())]
    );
    let unknown = [
        row(r#"{"ts": 1, "tbname": "d0"}"#),
        row(r#"{"tbname": "d0", "ts": 2, "x": 1}"#),
    ];
    let error = write(&fake, &unknown).await.unwrap_err();
    assert!(error.contains("`x`"), "{error}");
    let unnamed = [row(r#"{"ts": 1, "tbname": "d0"}"#), row(r#"{"ts": 2}"#)];
    let error = write(&fake, &unnamed).await.unwrap_err();
    assert!(error.contains("`tbname` has 0 bytes"), "{error}");
}

#[tokio::test]
async fn maps_of_equal_tags_go_into_one_table_whatever_their_order() {
    struct Pairs(Vec<(&'static str, serde_json::Value)>);
    impl Serialize for Pairs {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
        }
    }
    let (ts, place) = (("ts", 1.into()), ("location", "Oslo".into()));
    let rows = [
        Pairs(vec![ts.clone(), place.clone(), ("groupid", 3.into())]),
        Pairs(vec![("groupid", 3.into()), place.clone(), ("ts", 2.into())]),
        Pairs(vec![place.clone(), ("ts", 3.into())]),
        Pairs(vec![
            ("groupid", serde_json::Value::Null),
            place,
            ("ts", 4.into()),
        ]),
    ];
    let fake = Fake::new(&METERS);
    write(&fake, &rows).await.unwrap();
    let params = fake.params();
    let rows: Vec<_> = params
        .iter()
        .map(|p| p.columns().unwrap()[0].len())
        .collect();
    assert_eq!(rows, [2, 2]);
    assert_ne!(params[0].table_name(), params[1].table_name());
}

#[tokio::test]
async fn a_struct_may_leave_out_what_is_none() {
    #[derive(Serialize)]
    struct Row {
        ts: i64,
        #[serde(skip_serializing_if = "Option::is_none")]
        current: Option<f32>,
        note: &'static str,
    }
    let rows = [None, Some(1.0), None].map(|current| Row {
        ts: 1,
        current,
        note: "n",
    });
    let fake = Fake::new(&METERS);
    write(&fake, &rows).await.unwrap();
    let columns = values(&fake.params()[0]);
    let null = || Value::Null(Ty::Float);
    assert_eq!(columns[1], [null(), Value::Float(1.0), null()]);
    assert!(fake.params()[0].tags().is_none() && fake.params()[0].table_name().is_none());
}

#[tokio::test]
async fn many_tables_come_and_go_in_any_order() {
    #[derive(Serialize)]
    struct Row {
        tbname: String,
        ts: i64,
    }
    let fake = Fake::new(&METERS);
    let mut inserter = fake
        .inserter::<Row>("meters")
        .max_rows(100)
        .open()
        .await
        .unwrap();
    let table = |n: i64| format!("d{}", (n * n / 7) % (1 + n / 50));
    for n in 0..1_000 {
        let row = Row {
            tbname: table(n),
            ts: n,
        };
        inserter.write(&row).await.unwrap();
    }
    inserter.close().await.unwrap();
    assert_eq!(fake.batches(), [100; 10]);
    let mut seen = vec![None; 1_000];
    for param in fake.params() {
        for value in param.columns().unwrap()[0].iter() {
            let Value::Timestamp(at) = value.into_value() else {
                panic!("not a time");
            };
            let n = usize::try_from(at.as_raw_i64()).unwrap();
            assert_eq!(
                seen[n].replace(param.table_name().unwrap().to_owned()),
                None
            );
        }
    }
    for (n, name) in (0..).zip(seen) {
        assert_eq!(name, Some(table(n)), "row {n}");
    }
}

#[tokio::test]
async fn errors_of_rows_are_of_their_own_kind() {
    let fake = Fake::new(&METERS);
    let inserter = fake.inserter::<Tagged>("meters").open().await.unwrap();
    let row = Tagged {
        ts: 1,
        groupid: 1,
        location: "much too long",
    };
    let error = inserter.write(&row).await.unwrap_err();
    assert_eq!(error.error().kind(), ErrorKind::Decode);
    let text = error.to_string();
    assert!(text.starts_with("nothing was taken: "), "{text}");
    assert!(text.contains("VARCHAR(8)"), "{text}");
}
