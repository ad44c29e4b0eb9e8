//! Every column type, in every precision: what was written comes back, NULL too.

use serde::Deserialize;
use taos::*;
use taos_tests::{Table, Target, for_each_target, on_every_target};

pub(super) const COLUMNS: &str = "ts timestamp, c_bool bool, c_i8 tinyint, c_i16 smallint, c_i32 int, c_i64 bigint, \
     c_u8 tinyint unsigned, c_u16 smallint unsigned, c_u32 int unsigned, c_u64 bigint unsigned, \
     c_f32 float, c_f64 double, c_vc varchar(32), c_nc nchar(16), c_ts timestamp, c_vb varbinary(16), \
     c_d64 decimal(10,2), c_d128 decimal(38,10)";

pub(super) const VALUES: &str = "true, -128, -32768, -2147483648, -9223372036854775808, 255, 65535, 4294967295, \
     18446744073709551615, 3.5, 2.718281828459045, 'it''s ä', '你好 😀', 1600000000001, '\\x00FF7F80', \
     '-99999999.99', '1234567890123456789012345678.0123456789'";

#[derive(Debug, Deserialize, PartialEq)]
pub(super) struct AllTypes {
    ts: i64,
    c_bool: Option<bool>,
    c_i8: Option<i8>,
    c_i16: Option<i16>,
    c_i32: Option<i32>,
    c_i64: Option<i64>,
    c_u8: Option<u8>,
    c_u16: Option<u16>,
    c_u32: Option<u32>,
    c_u64: Option<u64>,
    c_f32: Option<f32>,
    c_f64: Option<f64>,
    c_vc: Option<String>,
    c_nc: Option<String>,
    c_ts: Option<i64>,
    c_vb: Option<Vec<u8>>,
    c_d64: Option<String>,
    c_d128: Option<String>,
}

pub(super) fn expected(ts: i64) -> AllTypes {
    AllTypes {
        ts,
        c_bool: Some(true),
        c_i8: Some(i8::MIN),
        c_i16: Some(i16::MIN),
        c_i32: Some(i32::MIN),
        c_i64: Some(i64::MIN),
        c_u8: Some(u8::MAX),
        c_u16: Some(u16::MAX),
        c_u32: Some(u32::MAX),
        c_u64: Some(u64::MAX),
        c_f32: Some(3.5),
        c_f64: Some(std::f64::consts::E),
        c_vc: Some("it's ä".to_owned()),
        c_nc: Some("你好 😀".to_owned()),
        c_ts: Some(1_600_000_000_001),
        c_vb: Some(vec![0, 0xFF, 0x7F, 0x80]),
        c_d64: Some("-99999999.99".to_owned()),
        c_d128: Some("1234567890123456789012345678.0123456789".to_owned()),
    }
}

pub(super) fn nothing(ts: i64) -> AllTypes {
    AllTypes {
        ts,
        c_bool: None,
        c_i8: None,
        c_i16: None,
        c_i32: None,
        c_i64: None,
        c_u8: None,
        c_u16: None,
        c_u32: None,
        c_u64: None,
        c_f32: None,
        c_f64: None,
        c_vc: None,
        c_nc: None,
        c_ts: None,
        c_vb: None,
        c_d64: None,
        c_d128: None,
    }
}

#[test]
fn every_type_comes_back_in_every_precision() {
    for_each_target(|target| async move {
        for (precision, now) in [
            ("ms", 1_700_000_000_123_i64),
            ("us", 1_700_000_000_123_456),
            ("ns", 1_700_000_000_123_456_789),
        ] {
            let options = format!("precision '{precision}'");
            let (taos, _) = target.fresh("types", &options).await;
            let nulls = vec!["null"; 17].join(", ");
            taos.exec_many([
                format!("create table t ({COLUMNS})"),
                format!(
                    "insert into t values ({now}, {VALUES}) ({}, {nulls})",
                    now + 1
                ),
            ])
            .await?;
            let mut result = taos.query("select * from t").await?;
            assert_eq!(result.precision(), precision);
            let rows: Vec<AllTypes> = result.deserialize().try_collect().await?;
            assert_eq!(
                rows,
                [expected(now), nothing(now + 1)],
                "precision {precision}"
            );
        }
        Ok(())
    });
}

#[test]
fn fields_carry_names_types_and_declared_lengths() {
    for_each_target(|target| async move {
        let (taos, _) = target.fresh("fields", "").await;
        taos.exec(format!("create table t ({COLUMNS})")).await?;
        let result = taos.query("select * from t").await?;
        let fields: Vec<(&str, Ty, u32)> = result
            .fields()
            .iter()
            .map(|field| (field.name(), field.ty(), field.bytes()))
            .collect();
        assert_eq!(fields[0], ("ts", Ty::Timestamp, 8));
        assert_eq!(fields[9], ("c_u64", Ty::UBigInt, 8));
        assert_eq!(fields[12], ("c_vc", Ty::VarChar, 32));
        assert_eq!(fields[13], ("c_nc", Ty::NChar, 16));
        assert_eq!(fields[15], ("c_vb", Ty::VarBinary, 16));
        assert_eq!(fields[16].1, Ty::Decimal64);
        assert_eq!(fields[17].1, Ty::Decimal);
        Ok(())
    });
}

#[test]
fn values_keep_their_types() {
    for_each_target(|target| async move {
        let (taos, _) = target.fresh("values", "").await;
        taos.exec_many([
            format!("create table t ({COLUMNS})"),
            format!("insert into t values (1, {VALUES})"),
        ])
        .await?;
        let values = taos.query("select * from t").await?.to_records().await?;
        let row = &values[0];
        assert_eq!(row[0], Value::Timestamp(Timestamp::Milliseconds(1)));
        assert_eq!(row[1], Value::Bool(true));
        assert_eq!(row[2], Value::TinyInt(i8::MIN));
        assert_eq!(row[9], Value::UBigInt(u64::MAX));
        assert_eq!(row[10], Value::Float(3.5));
        assert_eq!(row[12], Value::VarChar("it's ä".to_owned()));
        assert_eq!(row[13], Value::NChar("你好 😀".to_owned()));
        assert_eq!(row[16].to_string()?, "-99999999.99");
        Ok(())
    });
}

#[test]
fn json_tags_are_read_as_json() {
    for_each_target(|target| async move {
        let (taos, _) = target.fresh("json", "").await;
        taos.exec_many([
            "create table st (ts timestamp, v int) tags (j json)",
            r#"insert into a using st tags ('{"name":"x","n":5}') values (1, 1)"#,
            "insert into b using st tags (null) values (2, 2)",
        ])
        .await?;
        let rows: Vec<(i32, Option<serde_json::Value>)> = taos
            .query("select v, j from st order by ts")
            .await?
            .deserialize()
            .try_collect()
            .await?;
        let json = rows[0].1.as_ref().expect("a JSON tag");
        assert_eq!(json["name"], "x");
        assert_eq!(json["n"].as_f64(), Some(5.0));
        assert_eq!(rows[1], (2, None));
        Ok(())
    });
}

#[test]
fn geometry_and_blob_come_back_as_bytes() {
    for_each_target(|target| async move {
        let (taos, _) = target.fresh("bytes", "").await;
        taos.exec_many([
            "create table g (ts timestamp, p geometry(64))",
            "insert into g values (1, 'POINT(1 2)') (2, null)",
            "create table b (ts timestamp, v blob)",
            "insert into b values (1, '\\x00FF10') (2, null)",
        ])
        .await?;
        let mut points = vec![1, 1, 0, 0, 0];
        points.extend(1.0_f64.to_le_bytes());
        points.extend(2.0_f64.to_le_bytes());
        for (table, column, want) in [("g", "p", points), ("b", "v", vec![0, 0xFF, 0x10])] {
            let rows: Vec<Vec<Value>> = taos
                .query(format!("select {column} from {table}"))
                .await?
                .to_records()
                .await?;
            let bytes = match &rows[0][0] {
                Value::Geometry(bytes) | Value::Blob(bytes) => bytes.to_vec(),
                other => panic!("{other:?} came from {table}"),
            };
            assert_eq!(bytes, want, "{table}");
            assert!(rows[1][0].is_null());
        }
        Ok(())
    });
}

/// The types that every server has.
const COMMON: [(&str, Ty); 9] = [
    ("c_bool", Ty::Bool),
    ("c_i8", Ty::TinyInt),
    ("c_i16", Ty::SmallInt),
    ("c_i32", Ty::Int),
    ("c_i64", Ty::BigInt),
    ("c_f32", Ty::Float),
    ("c_f64", Ty::Double),
    ("c_vc", Ty::VarChar),
    ("c_dec", Ty::Decimal),
];

const COMMON_ROW: &str = "1700000000123456, true, -128, -32768, -2147483647, \
     -9223372036854775807, 3.5, 2.718281828459045, 'it''s ä 😀', ";

async fn common(target: &Target, stem: &str) -> anyhow::Result<Table> {
    let mut table = target.table(stem, &COMMON).await?;
    let decimal = match target.is_tdengine() {
        true => "'-99999999.0123456789'",
        false => "-99999999.0123456789m",
    };
    let nulls = vec!["null"; COMMON.len()].join(", ");
    table
        .insert(&[
            format!("{COMMON_ROW}{decimal}"),
            format!("1700000000123457, {nulls}"),
        ])
        .await?;
    Ok(table)
}

#[test]
fn common_types_come_back_and_their_nulls() {
    type Row = (
        i64,
        Option<bool>,
        Option<i8>,
        Option<i16>,
        Option<i32>,
        Option<i64>,
        Option<f32>,
        Option<f64>,
        Option<String>,
        Option<String>,
    );
    on_every_target(|target| async move {
        let table = common(&target, "common").await?;
        let mut result = table
            .taos()
            .query(format!("select * from {}", table.name()))
            .await?;
        assert_eq!(result.precision(), "us");
        let rows: Vec<Row> = result.deserialize().try_collect().await?;
        let full = (
            1_700_000_000_123_456,
            Some(true),
            Some(i8::MIN),
            Some(i16::MIN),
            Some(-i32::MAX),
            Some(-i64::MAX),
            Some(3.5),
            Some(std::f64::consts::E),
            Some("it's ä 😀".to_owned()),
            Some("-99999999.0123456789".to_owned()),
        );
        let some = !target.capabilities().nulls_of_every_type;
        let empty = (
            1_700_000_000_123_457,
            some.then_some(false),
            some.then_some(0),
            some.then_some(0),
            None,
            None,
            None,
            None,
            None,
            None,
        );
        assert_eq!(rows, [full, empty]);
        Ok(())
    });
}

#[test]
fn fields_and_values_have_the_types_of_their_columns() {
    on_every_target(|target| async move {
        let table = common(&target, "common_values").await?;
        let mut result = table
            .taos()
            .query(format!("select * from {}", table.name()))
            .await?;
        let fields: Vec<(String, Ty)> = result
            .fields()
            .iter()
            .map(|field| (field.name().to_owned(), field.ty()))
            .collect();
        let columns = COMMON.iter().map(|(name, ty)| ((*name).to_owned(), *ty));
        let time = ("ts".to_owned(), Ty::Timestamp);
        assert_eq!(
            fields,
            std::iter::once(time).chain(columns).collect::<Vec<_>>()
        );
        let values = result.to_records().await?;
        let row = &values[0];
        let at = Timestamp::Microseconds(1_700_000_000_123_456);
        assert_eq!(row[0], Value::Timestamp(at));
        assert_eq!(row[1], Value::Bool(true));
        assert_eq!(row[2], Value::TinyInt(i8::MIN));
        assert_eq!(row[4], Value::Int(-i32::MAX));
        assert_eq!(row[6], Value::Float(3.5));
        assert_eq!(row[8], Value::VarChar("it's ä 😀".to_owned()));
        assert_eq!(row[9].to_string()?, "-99999999.0123456789");
        assert!(values[1][4..].iter().all(Value::is_null), "{:?}", values[1]);
        Ok(())
    });
}
