//! Every column type through both statements: what was bound comes back, NULL too.

use serde::Deserialize;
use taos::*;
use taos_tests::for_each_target;

const COLUMNS: &str = "ts timestamp, c_bool bool, c_i8 tinyint, c_i16 smallint, c_i32 int, c_i64 bigint, \
     c_u8 tinyint unsigned, c_u16 smallint unsigned, c_u32 int unsigned, c_u64 bigint unsigned, \
     c_f32 float, c_f64 double, c_vc varchar(32), c_nc nchar(16), c_ts timestamp, c_vb varbinary(16), \
     c_geo geometry(64)";
const PLACEHOLDERS: &str = "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?";

#[derive(Debug, Deserialize, PartialEq)]
struct Row {
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
    c_geo: Option<Vec<u8>>,
}

/// POINT(1 2) as WKB.
fn point() -> Vec<u8> {
    let mut wkb = vec![1, 1, 0, 0, 0];
    wkb.extend(1.0_f64.to_le_bytes());
    wkb.extend(2.0_f64.to_le_bytes());
    wkb
}

fn lowest(ts: i64) -> Row {
    Row {
        ts,
        c_bool: Some(false),
        c_i8: Some(i8::MIN + 1),
        c_i16: Some(i16::MIN + 1),
        c_i32: Some(i32::MIN + 1),
        c_i64: Some(i64::MIN + 1),
        c_u8: Some(0),
        c_u16: Some(0),
        c_u32: Some(0),
        c_u64: Some(0),
        c_f32: Some(-0.0),
        c_f64: Some(f64::MIN_POSITIVE),
        c_vc: Some(String::new()),
        c_nc: Some(String::new()),
        c_ts: Some(0),
        c_vb: Some(vec![0, 0xFF]),
        c_geo: Some(point()),
    }
}

fn highest(ts: i64) -> Row {
    Row {
        ts,
        c_bool: Some(true),
        c_i8: Some(i8::MAX),
        c_i16: Some(i16::MAX),
        c_i32: Some(i32::MAX),
        c_i64: Some(i64::MAX),
        c_u8: Some(u8::MAX - 1),
        c_u16: Some(u16::MAX - 1),
        c_u32: Some(u32::MAX - 1),
        c_u64: Some(u64::MAX - 1),
        c_f32: Some(f32::MAX),
        c_f64: Some(f64::MAX),
        c_vc: Some("it's \\ \"ä\" 32 bytes, no more".to_owned()),
        c_nc: Some("你好 😀 sixteen chr".chars().take(16).collect()),
        c_ts: Some(ts),
        c_vb: Some((0..16).collect()),
        c_geo: Some(point()),
    }
}

fn nothing(ts: i64) -> Row {
    Row {
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
        c_geo: None,
    }
}

fn times(precision: &str, values: Vec<Option<i64>>) -> ColumnView {
    match precision {
        "ms" => ColumnView::from_millis_timestamp(values),
        "us" => ColumnView::from_micros_timestamp(values),
        _ => ColumnView::from_nanos_timestamp(values),
    }
}

fn bound(rows: &[Row], precision: &str) -> Vec<ColumnView> {
    macro_rules! column {
        ($field:ident) => {
            rows.iter().map(|row| row.$field).collect::<Vec<_>>()
        };
        (&$field:ident) => {
            rows.iter()
                .map(|row| row.$field.clone())
                .collect::<Vec<_>>()
        };
    }
    vec![
        times(precision, rows.iter().map(|row| Some(row.ts)).collect()),
        ColumnView::from_bools(column!(c_bool)),
        ColumnView::from_tiny_ints(column!(c_i8)),
        ColumnView::from_small_ints(column!(c_i16)),
        ColumnView::from_ints(column!(c_i32)),
        ColumnView::from_big_ints(column!(c_i64)),
        ColumnView::from_unsigned_tiny_ints(column!(c_u8)),
        ColumnView::from_unsigned_small_ints(column!(c_u16)),
        ColumnView::from_unsigned_ints(column!(c_u32)),
        ColumnView::from_unsigned_big_ints(column!(c_u64)),
        ColumnView::from_floats(column!(c_f32)),
        ColumnView::from_doubles(column!(c_f64)),
        ColumnView::from_varchar::<String, _, _, _>(column!(&c_vc)),
        ColumnView::from_nchar::<String, _, _, _>(column!(&c_nc)),
        times(precision, column!(c_ts)),
        ColumnView::from_bytes::<Vec<u8>, _, _, _>(column!(&c_vb)),
        ColumnView::from_geobytes::<Vec<u8>, _, _, _>(column!(&c_geo)),
    ]
}

fn rows(now: i64) -> Vec<Row> {
    vec![lowest(now), nothing(now + 1), highest(now + 2)]
}

const PRECISIONS: [(&str, i64); 3] = [
    ("ms", 1_700_000_000_123),
    ("us", 1_700_000_000_123_456),
    ("ns", 1_700_000_000_123_456_789),
];

#[test]
fn every_type_survives_the_first_statement_in_every_precision() {
    for_each_target(|target| async move {
        for (precision, now) in PRECISIONS {
            let options = format!("precision '{precision}'");
            let (taos, _) = target.fresh("bound", &options).await;
            taos.exec(format!("create table t ({COLUMNS})")).await?;
            let mut stmt = Stmt::init(&taos).await?;
            stmt.prepare(&format!("insert into t values ({PLACEHOLDERS})"))
                .await?;
            stmt.bind(&bound(&rows(now), precision)).await?;
            assert_eq!(stmt.add_batch().await?.execute().await?, 3);
            let got: Vec<Row> = taos
                .query("select * from t")
                .await?
                .deserialize()
                .try_collect()
                .await?;
            assert_eq!(got, rows(now), "precision {precision}");
        }
        Ok(())
    });
}

#[test]
fn every_type_survives_the_second_statement_in_every_precision() {
    for_each_target(|target| async move {
        for (precision, now) in PRECISIONS {
            let options = format!("precision '{precision}'");
            let (taos, _) = target.fresh("bound2", &options).await;
            taos.exec(format!("create table t ({COLUMNS})")).await?;
            let mut stmt = taos
                .stmt2(&format!("insert into t values ({PLACEHOLDERS})"))
                .await?;
            let columns = bound(&rows(now), precision);
            let param = Stmt2BindParam::new(None, None, Some(columns));
            assert_eq!(stmt.bind(&[param]).await?.exec().await?, 3);
            let got: Vec<Row> = taos
                .query("select * from t")
                .await?
                .deserialize()
                .try_collect()
                .await?;
            assert_eq!(got, rows(now), "precision {precision}");
        }
        Ok(())
    });
}

#[test]
fn columns_of_a_block_that_was_read_can_be_bound_as_they_are() {
    for_each_target(|target| async move {
        let (taos, _) = target.fresh("bound_copy", "").await;
        let now = PRECISIONS[0].1;
        taos.exec_many([
            format!("create table t ({COLUMNS})"),
            format!("create table copy ({COLUMNS})"),
        ])
        .await?;
        let mut stmt = taos
            .stmt(&format!("insert into t values ({PLACEHOLDERS})"))
            .await?;
        stmt.bind(&bound(&rows(now), "ms")).await?;
        stmt.add_batch().await?.execute().await?;
        stmt.prepare(&format!("insert into copy values ({PLACEHOLDERS})"))
            .await?;
        let mut result = taos.query("select * from t").await?;
        let mut blocks = result.blocks();
        while let Some(block) = blocks.try_next().await? {
            stmt.bind(block.column_views()).await?.add_batch().await?;
        }
        assert_eq!(stmt.execute().await?, 3);
        let got: Vec<Row> = taos
            .query("select * from copy")
            .await?
            .deserialize()
            .try_collect()
            .await?;
        assert_eq!(got, rows(now));
        Ok(())
    });
}

#[test]
fn every_type_of_tag_survives_both_statements() {
    for_each_target(|target| async move {
        let (taos, _) = target.fresh("bound_tags", "").await;
        taos.exec(
            "create table st (ts timestamp, v int) tags (t_bool bool, t_i8 tinyint, t_i64 bigint, \
             t_u64 bigint unsigned, t_f32 float, t_f64 double, t_vc varchar(16), t_nc nchar(8), \
             t_ts timestamp, t_null int)",
        )
        .await?;
        let tags = vec![
            Value::Bool(true),
            Value::TinyInt(-5),
            Value::BigInt(i64::MAX),
            Value::UBigInt(u64::MAX - 1),
            Value::Float(1.5),
            Value::Double(-2.25),
            Value::VarChar("it's".to_owned()),
            Value::NChar("你好".to_owned()),
            Value::Timestamp(Timestamp::Milliseconds(1_600_000_000_001)),
            Value::Null(Ty::Int),
        ];
        let sql = "insert into ? using st tags (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) values (?, ?)";
        let columns = [
            ColumnView::from_millis_timestamp(vec![1]),
            ColumnView::from_ints(vec![1]),
        ];
        let mut first = taos.stmt(sql).await?;
        first.set_tbname_tags("d1", &tags).await?;
        first.bind(&columns).await?.add_batch().await?;
        assert_eq!(first.execute().await?, 1);
        let mut second = taos.stmt2(sql).await?;
        let param = Stmt2BindParam::new(
            Some("d2".to_owned()),
            Some(tags.clone()),
            Some(columns.into()),
        );
        assert_eq!(second.bind(&[param]).await?.exec().await?, 1);
        let got = taos
            .query(
                "select t_bool, t_i8, t_i64, t_u64, t_f32, t_f64, t_vc, t_nc, t_ts, t_null \
                 from st order by tbname",
            )
            .await?
            .to_records()
            .await?;
        assert_eq!(got, [tags.clone(), tags]);
        Ok(())
    });
}

#[test]
fn json_tags_survive_both_statements() {
    for_each_target(|target| async move {
        let (taos, _) = target.fresh("bound_json", "").await;
        taos.exec("create table st (ts timestamp, v int) tags (j json)")
            .await?;
        let sql = "insert into ? using st tags (?) values (?, ?)";
        let json = serde_json::json!({"place": "Oslo", "on": true, "none": null});
        let tags = vec![Value::Json(json.clone())];
        let columns = [
            ColumnView::from_millis_timestamp(vec![1]),
            ColumnView::from_ints(vec![1]),
        ];
        let mut first = taos.stmt(sql).await?;
        first.set_tbname_tags("d1", &tags).await?;
        first.bind(&columns).await?.add_batch().await?;
        first.execute().await?;
        let mut second = taos.stmt2(sql).await?;
        let param = Stmt2BindParam::new(Some("d2".to_owned()), Some(tags), Some(columns.into()));
        second.bind(&[param]).await?.exec().await?;
        let got: Vec<(serde_json::Value,)> = taos
            .query("select j from st")
            .await?
            .deserialize()
            .try_collect()
            .await?;
        assert_eq!(got, [(json.clone(),), (json,)]);
        Ok(())
    });
}

#[test]
fn decimals_survive_both_statements_in_both_widths() {
    for_each_target(|target| async move {
        let (taos, _) = target.fresh("bound_decimal", "").await;
        let table = "(ts timestamp, short decimal(10, 2), long decimal(38, 10))";
        taos.exec_many([
            format!("create table a {table}"),
            format!("create table b {table}"),
        ])
        .await?;
        let long = 12_345_678_901_234_567_890_123_456_780_123_456_789_i128;
        let columns = vec![
            ColumnView::from_millis_timestamp(vec![1, 2, 3]),
            ColumnView::from_decimal64(vec![Some(-9_999_999_999_i64), None, Some(5)], 10, 2),
            ColumnView::from_decimal(vec![Some(long), None, Some(-1)], 38, 10),
        ];
        let mut first = taos.stmt("insert into a values (?, ?, ?)").await?;
        first.bind(&columns).await?.add_batch().await?;
        assert_eq!(first.execute().await?, 3);
        let mut second = taos.stmt2("insert into b values (?, ?, ?)").await?;
        let param = Stmt2BindParam::new(None, None, Some(columns));
        assert_eq!(second.bind(&[param]).await?.exec().await?, 3);
        for name in ["a", "b"] {
            let got: Vec<(Option<String>, Option<String>)> = taos
                .query(format!("select short, long from {name}"))
                .await?
                .deserialize()
                .try_collect()
                .await?;
            let text = |text: &str| Some(text.to_owned());
            assert_eq!(
                got,
                [
                    (
                        text("-99999999.99"),
                        text("1234567890123456789012345678.0123456789")
                    ),
                    (None, None),
                    (text("0.05"), text("-0.0000000001")),
                ],
                "table {name}"
            );
        }
        Ok(())
    });
}

#[test]
fn a_decimal_of_another_scale_is_refused_and_never_stored_as_something_else() {
    for_each_target(|target| async move {
        let (taos, _) = target.fresh("bound_scale", "").await;
        taos.exec("create table t (ts timestamp, price decimal(10, 2))")
            .await?;
        let mut stmt = taos.stmt2("insert into t values (?, ?)").await?;
        let columns = vec![
            ColumnView::from_millis_timestamp(vec![1]),
            ColumnView::from_decimal64(vec![12_345_i64], 10, 3),
        ];
        let param = Stmt2BindParam::new(None, None, Some(columns));
        let outcome = async { stmt.bind(&[param]).await?.exec().await }.await;
        let error = outcome.expect_err("12.345 has no place in (10, 2)");
        assert!(error.to_string().contains("`price`"), "{error}");
        let rows: Option<i64> = taos.query_one("select count(*) from t").await?;
        assert_eq!(rows, Some(0));
        Ok(())
    });
}

#[test]
fn a_blob_survives_the_second_statement() {
    for_each_target(|target| async move {
        let (taos, _) = target.fresh("bound_blob", "").await;
        taos.exec("create table t (ts timestamp, b blob)").await?;
        let long: Vec<u8> = (0..=u8::MAX).cycle().take(100_000).collect();
        let values = vec![Some(long.clone()), None, Some(vec![])];
        let columns = vec![
            ColumnView::from_millis_timestamp(vec![1, 2, 3]),
            ColumnView::from_blob_bytes::<Vec<u8>, _, _, _>(values),
        ];
        let mut stmt = taos.stmt2("insert into t values (?, ?)").await?;
        let param = Stmt2BindParam::new(None, None, Some(columns));
        assert_eq!(stmt.bind(&[param]).await?.exec().await?, 3);
        let got = taos.query("select b from t").await?.to_records().await?;
        let bytes = |bytes: Vec<u8>| vec![Value::Blob(bytes.into())];
        let null = vec![Value::Null(Ty::Blob)];
        assert_eq!(got, [bytes(long), null, bytes(vec![])]);
        Ok(())
    });
}
