//! Prepared statements against the embedded server, through the facade.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use taos::taos_query::RawBlock;
use taos::taos_query::common::{Precision, Ty};
use taos::*;
use taos_embedded::Embedded;

const TYPES: &str = "ts timestamp, b bool, i8 tinyint, i16 smallint, i32 int, i64 bigint, \
    u8 tinyint unsigned, u16 smallint unsigned, u32 int unsigned, u64 bigint unsigned, \
    f32 float, f64 double, vc varchar(20), nc nchar(10), vb varbinary(20), g geometry(100)";
const MARKS: &str = "?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?";

fn all_types(start: i64) -> Vec<ColumnView> {
    let point: &[u8] = &[
        1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f, 0, 0, 0, 0, 0, 0, 2, 0xc0,
    ];
    vec![
        ColumnView::from_micros_timestamp(vec![start, start + 1, start + 2]),
        ColumnView::from_bools(vec![Some(true), None, Some(false)]),
        ColumnView::from_tiny_ints(vec![Some(i8::MAX), None, Some(i8::MIN + 1)]),
        ColumnView::from_small_ints(vec![Some(i16::MAX), None, Some(i16::MIN + 1)]),
        ColumnView::from_ints(vec![Some(i32::MAX), None, Some(i32::MIN + 1)]),
        ColumnView::from_big_ints(vec![Some(i64::MAX), None, Some(i64::MIN + 1)]),
        ColumnView::from_unsigned_tiny_ints(vec![Some(u8::MAX), None, Some(0)]),
        ColumnView::from_unsigned_small_ints(vec![Some(u16::MAX), None, Some(0)]),
        ColumnView::from_unsigned_ints(vec![Some(u32::MAX), None, Some(0)]),
        ColumnView::from_unsigned_big_ints(vec![Some(u64::MAX), None, Some(0)]),
        ColumnView::from_floats(vec![Some(1.5), None, Some(-0.25)]),
        ColumnView::from_doubles(vec![Some(f64::MAX), None, Some(0.1)]),
        ColumnView::from_varchar::<&str, _, _, _>(vec![Some("grüße"), None, Some("")]),
        ColumnView::from_nchar::<&str, _, _, _>(vec![Some("中文😀"), None, Some("")]),
        ColumnView::from_bytes::<&[u8], _, _, _>(vec![Some(&[0, 1, 0xFF][..]), None, Some(&[])]),
        ColumnView::from_geobytes::<&[u8], _, _, _>(vec![Some(point), None, None]),
    ]
}

/// The newest server that takes decimals as integers, one that takes them as text, and one that
/// knows the first generation only.
const VERSIONS: [&str; 3] = ["3.3.7.5", "3.4.1.0", "3.2.3.0"];

async fn connected(database: &str, version: &str) -> (Embedded, Taos) {
    let server = Embedded::builder()
        .memory()
        .emulate(version)
        .start()
        .await
        .unwrap();
    let taos = TaosBuilder::from_dsn(server.dsn())
        .unwrap()
        .build()
        .await
        .unwrap();
    taos.exec(format!(
        "create database {database} precision 'us' keep 36500"
    ))
    .await
    .unwrap();
    taos.exec(format!("use {database}")).await.unwrap();
    (server, taos)
}

async fn rows_of(taos: &Taos, sql: &str) -> Vec<Vec<Value>> {
    let mut result = taos.query(sql).await.unwrap();
    result.to_records().await.unwrap()
}

/// The same rows as values, read from the columns themselves.
fn rows_in(columns: &[ColumnView]) -> Vec<Vec<Value>> {
    RawBlock::try_from_views(columns, Precision::Microsecond)
        .unwrap()
        .to_values()
}

fn same(read: &[Vec<Value>], bound: &[Vec<Value>]) {
    assert_eq!(format!("{read:?}"), format!("{bound:?}"));
}

#[tokio::test]
async fn every_type_survives_both_generations_with_its_nulls() {
    for version in VERSIONS {
        let (_server, taos) = connected("types", version).await;
        taos.exec(format!("create table t ({TYPES})"))
            .await
            .unwrap();
        let first = all_types(1_700_000_000_000_000);
        let second = all_types(1_700_000_001_000_000);
        let mut stmt = Stmt::init(&taos).await.unwrap();
        stmt.prepare(&format!("insert into t values({MARKS})"))
            .await
            .unwrap();
        let rows = stmt
            .bind(&first)
            .await
            .unwrap()
            .add_batch()
            .await
            .unwrap()
            .execute()
            .await
            .unwrap();
        assert_eq!(rows, 3);
        let mut stmt = taos
            .stmt2(&format!("insert into t values({MARKS})"))
            .await
            .unwrap();
        let param = Stmt2BindParam::new(None, None, Some(second.clone()));
        assert_eq!(stmt.bind(&[param]).await.unwrap().exec().await.unwrap(), 3);
        let mut bound = rows_in(&first);
        bound.extend(rows_in(&second));
        same(&rows_of(&taos, "select * from t order by ts").await, &bound);
    }
}

#[tokio::test]
async fn tables_are_made_with_their_tags_by_either_generation_and_by_name() {
    for version in VERSIONS {
        let (_server, taos) = connected("labels", version).await;
        taos.exec("create table st (ts timestamp, v int) tags (n int, place nchar(10))")
            .await
            .unwrap();
        let columns = |start: i64, v: i32| {
            vec![
                ColumnView::from_millis_timestamp(vec![start, start + 1]),
                ColumnView::from_ints(vec![Some(v), None]),
            ]
        };
        let tags = |n: i32, place: &str| vec![Value::Int(n), Value::NChar(place.into())];
        let mut stmt = taos
            .stmt("insert into ? using st tags(?,?) values(?,?)")
            .await
            .unwrap();
        for (table, n) in [("d1", 1), ("d2", 2)] {
            stmt.set_tbname_tags(table, &tags(n, "Köln")).await.unwrap();
            stmt.bind(&columns(i64::from(n) * 10, n))
                .await
                .unwrap()
                .add_batch()
                .await
                .unwrap();
        }
        assert_eq!(stmt.execute().await.unwrap(), 4);
        let params: Vec<_> = [("d3", 3), ("d4", 4)]
            .map(|(table, n)| {
                Stmt2BindParam::new(
                    Some(table.into()),
                    Some(tags(n, "中文")),
                    Some(columns(i64::from(n) * 10, n)),
                )
            })
            .into();
        for sql in [
            "insert into ? using st tags(?,?) values(?,?)",
            "insert into st(tbname, n, place, ts, v) values(?,?,?,?,?)",
        ] {
            if version == VERSIONS[2] && sql.contains("tbname") {
                continue;
            }
            let mut stmt = taos.stmt2(sql).await.unwrap();
            assert_eq!(stmt.bind(&params).await.unwrap().exec().await.unwrap(), 4);
        }
        let rows: Vec<(String, i32, String, i64, Option<i32>)> = taos
            .query("select tbname, n, place, cast(ts as bigint), v from st order by ts")
            .await
            .unwrap()
            .deserialize()
            .try_collect()
            .await
            .unwrap();
        let read: Vec<_> = rows
            .iter()
            .map(|(table, n, place, ts, v)| (table.as_str(), *n, place.as_str(), *ts, *v))
            .collect();
        assert_eq!(
            read,
            [
                ("d1", 1, "Köln", 10_000, Some(1)),
                ("d1", 1, "Köln", 11_000, None),
                ("d2", 2, "Köln", 20_000, Some(2)),
                ("d2", 2, "Köln", 21_000, None),
                ("d3", 3, "中文", 30_000, Some(3)),
                ("d3", 3, "中文", 31_000, None),
                ("d4", 4, "中文", 40_000, Some(4)),
                ("d4", 4, "中文", 41_000, None),
            ]
        );
    }
}

#[tokio::test]
async fn a_bare_table_mark_takes_tables_that_exist() {
    for version in VERSIONS {
        let (_server, taos) = connected("bare", version).await;
        taos.exec("create table t1 (ts timestamp, v int)")
            .await
            .unwrap();
        let columns = [
            ColumnView::from_millis_timestamp(vec![7]),
            ColumnView::from_ints(vec![70]),
        ];
        let mut stmt = taos.stmt("insert into ? values(?,?)").await.unwrap();
        stmt.set_tbname("t1").await.unwrap();
        stmt.bind(&columns)
            .await
            .unwrap()
            .add_batch()
            .await
            .unwrap();
        assert_eq!(stmt.execute().await.unwrap(), 1);
        let mut stmt = taos.stmt("insert into ? values(?,?)").await.unwrap();
        stmt.set_tbname("missing").await.unwrap();
        stmt.bind(&columns)
            .await
            .unwrap()
            .add_batch()
            .await
            .unwrap();
        let error = stmt.execute().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Server, "{error}");
        // In microseconds, whatever was bound.
        let ticks: Option<i64> = taos
            .query_one("select cast(ts as bigint) from t1")
            .await
            .unwrap();
        assert_eq!(ticks, Some(7_000));
    }
}

#[tokio::test]
async fn queries_take_parameters_and_give_rows() {
    for version in VERSIONS {
        let (_server, taos) = connected("asks", version).await;
        taos.exec_many([
            "create table t (ts timestamp, v int, s varchar(10))",
            "insert into t values(1000, 1, 'a') (2000, 2, 'b') (3000, 3, 'c')",
        ])
        .await
        .unwrap();
        let mut stmt = taos
            .stmt2("select v, s from t where v > ? and s <> ? order by ts")
            .await
            .unwrap();
        assert_eq!(stmt.is_insert(), Some(false));
        for (v, s, expected) in [(0, "b", vec![1, 3]), (1, "c", vec![2])] {
            let param = Stmt2BindParam::new(
                None,
                None,
                Some(vec![
                    ColumnView::from_ints(vec![v]),
                    ColumnView::from_varchar::<&str, _, _, _>(vec![s]),
                ]),
            );
            stmt.bind(&[param]).await.unwrap().exec().await.unwrap();
            let mut result = stmt.result_set().await.unwrap();
            let rows: Vec<(i32, String)> = result.deserialize().try_collect().await.unwrap();
            let read: Vec<i32> = rows.iter().map(|row| row.0).collect();
            assert_eq!(read, expected);
        }
        // A time is the same time whatever unit it is given in.
        let mut stmt = taos.stmt("select v from t where ts >= ?").await.unwrap();
        stmt.bind(&[ColumnView::from_millis_timestamp(vec![2])])
            .await
            .unwrap()
            .add_batch()
            .await
            .unwrap()
            .execute()
            .await
            .unwrap();
        let mut result = stmt.result_set().await.unwrap();
        let rows: Vec<i32> = result.deserialize::<i32>().try_collect().await.unwrap();
        assert_eq!(rows, [2, 3]);
    }
}

#[tokio::test]
async fn decimals_and_blobs_are_stored_exactly_and_at_the_columns_scale() {
    for version in [VERSIONS[0], VERSIONS[1]] {
        let (_server, taos) = connected("exact", version).await;
        taos.exec("create table t (ts timestamp, a decimal(10,2), b decimal(38,10), c blob)")
            .await
            .unwrap();
        let mut stmt = taos.stmt("insert into t values(?,?,?,?)").await.unwrap();
        let big = -12_345_678_901_234_567_890_123_456_780_123_456_789_i128;
        let columns = [
            ColumnView::from_millis_timestamp(vec![1, 2]),
            ColumnView::from_decimal64(vec![Some(-505), None], 10, 1),
            ColumnView::from_decimal(vec![Some(big), Some(5)], 38, 10),
            ColumnView::from_blob_bytes::<&[u8], _, _, _>(vec![Some(&[0, 0xFF][..]), None]),
        ];
        stmt.bind(&columns)
            .await
            .unwrap()
            .add_batch()
            .await
            .unwrap();
        assert_eq!(stmt.execute().await.unwrap(), 2);
        let rows = rows_of(&taos, "select a, b, c from t order by ts").await;
        let texts: Vec<String> = rows
            .iter()
            .flat_map(|row| row.iter().take(2))
            .map(|value| format!("{value}"))
            .collect();
        assert_eq!(
            texts,
            [
                "-50.50",
                "-1234567890123456789012345678.0123456789",
                "NULL",
                "0.0000000005"
            ]
        );
        assert_eq!(rows[1][2].ty(), Ty::Blob);
        let lossy = [
            columns[0].clone(),
            ColumnView::from_decimal64(vec![1_i64, 1], 10, 3),
            columns[2].clone(),
            columns[3].clone(),
        ];
        let error = stmt.bind(&lossy).await.err().unwrap().to_string();
        assert!(error.contains("column `a` is DECIMAL(10,2)"), "{error}");
    }
}

#[tokio::test]
async fn wrong_data_is_named_before_anything_is_sent() {
    for version in VERSIONS {
        let (_server, taos) = connected("wrong", version).await;
        taos.exec("create table t (ts timestamp, v int, s varchar(4))")
            .await
            .unwrap();
        let mut stmt = taos.stmt("insert into t values(?,?,?)").await.unwrap();
        let columns = |v: ColumnView, s: &str| {
            [
                ColumnView::from_millis_timestamp(vec![1]),
                v,
                ColumnView::from_varchar::<&str, _, _, _>(vec![s]),
            ]
        };
        for (bound, words) in [
            (
                columns(ColumnView::from_big_ints(vec![1]), "x"),
                "column `v` is of type INT",
            ),
            (
                columns(ColumnView::from_ints(vec![1, 2]), "x"),
                "column `v` has 2 rows",
            ),
            (
                columns(ColumnView::from_ints(vec![1]), "12345"),
                "column `s` takes 4 bytes",
            ),
        ] {
            let error = stmt.bind(&bound).await.err().unwrap().to_string();
            assert!(error.contains(words), "{error}");
        }
        let count: Option<i64> = taos.query_one("select count(*) from t").await.unwrap();
        assert_eq!(count, Some(0));
    }
}

/// The calls without `await`, in a plain thread and inside runtimes of either kind.
#[test]
fn blocking_statements_work_from_anywhere() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime
        .block_on(Embedded::builder().memory().start())
        .unwrap();
    let dsn = server.dsn();
    blocking::work(dsn, "t1");
    runtime.block_on(async { blocking::work(dsn, "t2") });
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(async { blocking::work(dsn, "t3") });
}

mod blocking {
    use taos::sync::*;

    pub(crate) fn work(dsn: &str, table: &str) {
        let taos = TaosBuilder::from_dsn(dsn).unwrap().build().unwrap();
        taos.exec("create database if not exists plain keep 36500")
            .unwrap();
        taos.exec("use plain").unwrap();
        taos.exec(format!("create table {table} (ts timestamp, v int)"))
            .unwrap();
        let columns = vec![
            ColumnView::from_millis_timestamp(vec![1, 2]),
            ColumnView::from_ints(vec![Some(1), None]),
        ];
        let mut stmt = Stmt::init(&taos).unwrap();
        let rows = stmt
            .prepare(format!("insert into {table} values(?,?)"))
            .unwrap()
            .bind(&columns)
            .unwrap()
            .add_batch()
            .unwrap()
            .execute()
            .unwrap();
        assert_eq!((rows, stmt.affected_rows()), (2, 2));
        let mut stmt = taos
            .stmt2(&format!("select v from {table} where v = ?"))
            .unwrap();
        let one = Stmt2BindParam::new(None, None, Some(vec![ColumnView::from_ints(vec![1])]));
        stmt.bind(&[one]).unwrap().exec().unwrap();
        let mut result = stmt.result_set().unwrap();
        let rows: Vec<i32> = result
            .deserialize::<i32>()
            .collect::<Result<_, _>>()
            .unwrap();
        assert_eq!(rows, [1]);
    }
}
