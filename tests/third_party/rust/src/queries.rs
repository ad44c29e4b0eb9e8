//! Logins, SQL and results.

use anyhow::Result;
use serde::Deserialize;
use taos::taos_query::common::Timestamp;
use taos::*;

use crate::{Check, at, check, connect, equal, nchar, refused, rows, text};

const DATABASE: &str = "judge_rust";
const MANY: i32 = 10_000;

pub(crate) const CHECKS: &[Check] = &[
    check!("connects, and asks for the version", version),
    check!(
        "creates a super table of every type it knows and inserts into it",
        creates
    ),
    check!("reads every type it knows and NULLs of every type", types),
    check!("reads rows into structs", structs),
    check!("names its columns, and reads tags beside them", tags),
    check!("reads JSON tags", json),
    check!("reads times of each precision", precisions),
    check!("reads ten thousand rows in several blocks", blocks),
    check!("describes tables, and lists databases", metadata),
    check!("asks from sixteen tasks on one connection", tasks),
    check!(
        "gets the server's codes and texts for what is wrong",
        errors
    ),
    check!(
        "is refused with a wrong password, and with a database that is not there",
        logins
    ),
];

/// Columns, each with a literal: all but decimals, which make the client drop its connection.
const COLUMNS: [(&str, &str, &str); 15] = [
    ("b", "bool", "true"),
    ("i8", "tinyint", "-128"),
    ("i16", "smallint", "-32768"),
    ("i32", "int", "-2147483648"),
    ("i64", "bigint", "-9223372036854775807"),
    ("u8", "tinyint unsigned", "255"),
    ("u16", "smallint unsigned", "65535"),
    ("u32", "int unsigned", "4294967295"),
    ("u64", "bigint unsigned", "18446744073709551615"),
    ("f32", "float", "1.5"),
    ("f64", "double", "2.25"),
    ("vc", "varchar(32)", "'plain \"text\"'"),
    ("nc", "nchar(32)", "'żółw 🐢'"),
    ("vb", "varbinary(16)", "'\\x00ff10'"),
    ("geo", "geometry(64)", "'POINT(1 2)'"),
];

pub(crate) const POINT: [u8; 21] = [
    1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0, 0, 0, 0, 0, 0, 0, 0x40,
];

pub(crate) fn list(part: fn((&'static str, &'static str, &'static str)) -> &'static str) -> String {
    COLUMNS.map(part).join(", ")
}

pub(crate) fn declarations() -> String {
    COLUMNS
        .map(|(name, kind, _)| format!("{name} {kind}"))
        .join(", ")
}

/// What a row of the literals reads as.
pub(crate) fn full(milliseconds: i64) -> Vec<Value> {
    vec![
        at(milliseconds),
        Value::Bool(true),
        Value::TinyInt(-128),
        Value::SmallInt(-32768),
        Value::Int(-2_147_483_648),
        Value::BigInt(-9_223_372_036_854_775_807),
        Value::UTinyInt(255),
        Value::USmallInt(65_535),
        Value::UInt(4_294_967_295),
        Value::UBigInt(18_446_744_073_709_551_615),
        Value::Float(1.5),
        Value::Double(2.25),
        text("plain \"text\""),
        nchar("żółw 🐢"),
        Value::VarBinary(vec![0, 0xff, 0x10].into()),
        Value::Geometry(POINT.to_vec().into()),
    ]
}

/// What a row of NULLs reads as.
pub(crate) fn nulls(milliseconds: i64) -> Vec<Value> {
    let mut row = vec![at(milliseconds)];
    row.extend(full(0)[1..].iter().map(|value| Value::Null(value.ty())));
    row
}

async fn version() -> Result<()> {
    let taos = connect("").await?;
    let version: String = taos
        .query_one("select server_version()")
        .await?
        .unwrap_or_default();
    equal(version.split('.').next(), Some("3"))
}

async fn creates() -> Result<()> {
    let taos = connect("").await?;
    let values = list(|(_, _, literal)| literal);
    let nothing = list(|_| "null");
    let mut affected = Vec::new();
    for sql in [
        format!("create database {DATABASE} precision 'ms'"),
        format!("use {DATABASE}"),
        format!(
            "create table kinds (ts timestamp, {}) tags (place varchar(24), floor int)",
            declarations()
        ),
        "create table d1 using kinds tags ('Gdańsk', 3)".to_owned(),
        format!("insert into d1 values (1700000000000, {values}) (1700000001000, {nothing})"),
        format!("insert into d2 using kinds tags (null, null) values (1700000002000, {values})"),
    ] {
        affected.push(taos.exec(sql).await?);
    }
    equal(affected, [0, 0, 0, 0, 2, 1])
}

async fn types() -> Result<()> {
    let taos = connect(DATABASE).await?;
    equal(
        rows(&taos, "select * from d1 order by ts").await?,
        [full(0), nulls(1000)],
    )
}

async fn structs() -> Result<()> {
    #[derive(Debug, Deserialize, PartialEq)]
    struct Row {
        ts: i64,
        i64: Option<i64>,
        nc: Option<String>,
        place: String,
    }
    let taos = connect(DATABASE).await?;
    let mut result = taos
        .query("select ts, i64, nc, place from kinds where tbname = 'd1' order by ts")
        .await?;
    let read: Vec<Row> = result.deserialize().try_collect().await?;
    let place = "Gdańsk".to_owned();
    equal(
        read,
        [
            Row {
                ts: 1_700_000_000_000,
                i64: Some(-9_223_372_036_854_775_807),
                nc: Some("żółw 🐢".to_owned()),
                place: place.clone(),
            },
            Row {
                ts: 1_700_000_001_000,
                i64: None,
                nc: None,
                place,
            },
        ],
    )
}

async fn tags() -> Result<()> {
    let taos = connect(DATABASE).await?;
    let sql =
        "select tbname, place, floor as level_of from kinds where i32 is not null order by ts";
    let result = taos.query(sql).await?;
    let names: Vec<&str> = result.fields().iter().map(Field::name).collect();
    equal(names, ["tbname", "place", "level_of"])?;
    equal(
        rows(&taos, sql).await?,
        [
            vec![text("d1"), text("Gdańsk"), Value::Int(3)],
            vec![text("d2"), Value::Null(Ty::VarChar), Value::Null(Ty::Int)],
        ],
    )
}

async fn json() -> Result<()> {
    let taos = connect(DATABASE).await?;
    taos.exec("create table places (ts timestamp, n int) tags (info json)")
        .await?;
    taos.exec(r#"insert into p1 using places tags ('{"city":"Łódź"}') values (1700000000000, 1)"#)
        .await?;
    let info: Option<String> = taos.query_one("select info from places").await?;
    equal(info.as_deref(), Some(r#"{"city":"Łódź"}"#))
}

async fn precisions() -> Result<()> {
    let taos = connect("").await?;
    for (precision, stamp) in [
        ("us", Timestamp::Microseconds(1_700_000_000_123_456)),
        ("ns", Timestamp::Nanoseconds(1_700_000_000_123_456_789)),
    ] {
        taos.exec(format!(
            "create database {DATABASE}_{precision} precision '{precision}'"
        ))
        .await?;
        taos.exec(format!(
            "create table {DATABASE}_{precision}.t (ts timestamp, n int)"
        ))
        .await?;
        let raw = stamp.as_raw_i64();
        taos.exec(format!(
            "insert into {DATABASE}_{precision}.t values ({raw}, 1)"
        ))
        .await?;
        let read = rows(&taos, &format!("select ts from {DATABASE}_{precision}.t")).await?;
        equal(read, [vec![Value::Timestamp(stamp)]])?;
    }
    Ok(())
}

async fn blocks() -> Result<()> {
    let taos = connect(DATABASE).await?;
    taos.exec("create table many (ts timestamp, n int)").await?;
    let numbers: Vec<i32> = (0..MANY).collect();
    for thousand in numbers.chunks(1000) {
        let values: Vec<String> = thousand
            .iter()
            .map(|n| format!("({}, {n})", 1_700_000_000_000 + i64::from(*n)))
            .collect();
        let affected = taos
            .exec(format!("insert into many values {}", values.join(" ")))
            .await?;
        equal(affected, 1000)?;
    }
    let mut result = taos.query("select n from many order by ts").await?;
    let sizes: Vec<usize> = result
        .blocks()
        .map_ok(|block| block.nrows())
        .try_collect()
        .await?;
    equal(sizes.len() > 1, true)?;
    equal(sizes.iter().sum::<usize>(), numbers.len())?;
    let read: Vec<i32> = taos
        .query("select n from many order by ts")
        .await?
        .deserialize::<i32>()
        .try_collect()
        .await?;
    equal(read, numbers)
}

async fn metadata() -> Result<()> {
    let taos = connect(DATABASE).await?;
    let about = taos.describe("many").await?;
    let names: Vec<&str> = about.names().collect();
    equal(names, ["ts", "n"])?;
    let databases = taos.databases().await?;
    let found = databases
        .iter()
        .filter(|database| database.name == DATABASE)
        .count();
    equal(found, 1)
}

async fn tasks() -> Result<()> {
    let taos = std::sync::Arc::new(connect(DATABASE).await?);
    let tasks: Vec<_> = (0..16)
        .map(|task| {
            let taos = taos.clone();
            tokio::spawn(async move {
                for n in (task..MANY).step_by(500) {
                    let read: Option<i32> = taos
                        .query_one(format!("select n from many where n = {n}"))
                        .await?;
                    equal(read, Some(n))?;
                }
                Ok::<(), anyhow::Error>(())
            })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    Ok(())
}

async fn errors() -> Result<()> {
    let taos = connect(DATABASE).await?;
    let missing = taos.exec("select * from nowhere").await.map_err(Into::into);
    refused(missing, &["0x2603", "Table does not exist"])?;
    let wrong = taos.exec("selec 1").await.map_err(Into::into);
    refused(wrong, &["0x2600", "syntax error near \"selec 1\""])?;
    let one: Option<i64> = taos.query_one("select 1").await?;
    equal(one, Some(1))
}

async fn logins() -> Result<()> {
    async fn first(dsn: String) -> Result<usize> {
        let taos = TaosBuilder::from_dsn(dsn)?.build().await?;
        Ok(taos.exec("select 1").await?)
    }
    let address = crate::address();
    refused(
        first(format!("ws://root:wrong@{address}")).await,
        &["0x0357", "Authentication failure"],
    )?;
    refused(
        first(format!("ws://root:taosdata@{address}/no_such_database")).await,
        &["0x0388", "Database not exist"],
    )
}
