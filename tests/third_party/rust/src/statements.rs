//! Prepared statements of the first generation, which are the only ones it has. Their results it cannot read yet.

use anyhow::Result;
use taos::*;

use crate::queries::{POINT, declarations, full, nulls};
use crate::{Check, check, connect, equal, refused, rows, text};

const DATABASE: &str = "judge_rust_stmt";
const MANY: i64 = 10_000;

pub(crate) const CHECKS: &[Check] = &[
    check!(
        "binds tags and columns of every type it can bind, and NULLs, for two tables",
        tables
    ),
    check!(
        "binds one statement again and again, counting only the last execution",
        again
    ),
    check!(
        "binds a JSON tag and times in nanoseconds",
        json_and_nanoseconds
    ),
    check!("is told of a table that is not there, and goes on", errors),
];

fn columns(milliseconds: i64) -> Vec<ColumnView> {
    let first = 1_700_000_000_000 + milliseconds;
    vec![
        ColumnView::from_millis_timestamp(vec![first, first + 1000]),
        ColumnView::from_bools(vec![Some(true), None]),
        ColumnView::from_tiny_ints(vec![Some(-128), None]),
        ColumnView::from_small_ints(vec![Some(-32768), None]),
        ColumnView::from_ints(vec![Some(-2_147_483_648), None]),
        ColumnView::from_big_ints(vec![Some(-9_223_372_036_854_775_807), None]),
        ColumnView::from_unsigned_tiny_ints(vec![Some(255), None]),
        ColumnView::from_unsigned_small_ints(vec![Some(65_535), None]),
        ColumnView::from_unsigned_ints(vec![Some(4_294_967_295), None]),
        ColumnView::from_unsigned_big_ints(vec![Some(18_446_744_073_709_551_615), None]),
        ColumnView::from_floats(vec![Some(1.5), None]),
        ColumnView::from_doubles(vec![Some(2.25), None]),
        ColumnView::from_varchar::<&str, _, _, _>(vec![Some("plain \"text\""), None]),
        ColumnView::from_nchar::<&str, _, _, _>(vec![Some("żółw 🐢"), None]),
        ColumnView::from_bytes::<&[u8], _, _, _>(vec![Some(&[0, 0xff, 0x10][..]), None]),
        ColumnView::from_geobytes::<&[u8], _, _, _>(vec![Some(&POINT[..]), None]),
    ]
}

async fn tables() -> Result<()> {
    let taos = connect("").await?;
    taos.exec(format!("create database {DATABASE} precision 'ms'"))
        .await?;
    taos.exec(format!("use {DATABASE}")).await?;
    let create = format!(
        "create table kinds (ts timestamp, {}) tags (place varchar(24), floor int)",
        declarations()
    );
    taos.exec(create).await?;
    let mut insert = Stmt::init(&taos).await?;
    let marks = vec!["?"; 16].join(", ");
    insert
        .prepare(&format!(
            "insert into ? using kinds tags (?, ?) values ({marks})"
        ))
        .await?;
    let tags = [
        [text("Gdańsk"), Value::Int(3)],
        [Value::Null(Ty::VarChar), Value::Null(Ty::Int)],
    ];
    for (table, tags) in tags.iter().enumerate() {
        insert.set_tbname(&format!("d{table}")).await?;
        insert.set_tags(tags).await?;
        insert.bind(&columns(2000 * i64::try_from(table)?)).await?;
        insert.add_batch().await?;
    }
    equal(insert.execute().await?, 4)?;
    let names = "b, i8, i16, i32, i64, u8, u16, u32, u64, f32, f64, vc, nc, vb, geo";
    equal(
        rows(&taos, &format!("select ts, {names} from kinds order by ts")).await?,
        [full(0), nulls(1000), full(2000), nulls(3000)],
    )?;
    equal(
        rows(
            &taos,
            "select tbname, place, floor from kinds where i32 is not null order by ts",
        )
        .await?,
        [
            vec![text("d0"), text("Gdańsk"), Value::Int(3)],
            vec![text("d1"), Value::Null(Ty::VarChar), Value::Null(Ty::Int)],
        ],
    )
}

async fn json_and_nanoseconds() -> Result<()> {
    let taos = connect("").await?;
    taos.exec(format!("create database {DATABASE}_ns precision 'ns'"))
        .await?;
    taos.exec(format!("use {DATABASE}_ns")).await?;
    taos.exec("create table places (ts timestamp, n int) tags (info json)")
        .await?;
    let mut insert = Stmt::init(&taos).await?;
    insert
        .prepare("insert into ? using places tags (?) values (?, ?)")
        .await?;
    insert.set_tbname("p1").await?;
    let info = r#"{"city":"Łódź"}"#;
    insert.set_tags(&[text(info)]).await?;
    let stamp = 1_700_000_000_123_456_789;
    let views = [
        ColumnView::from_nanos_timestamp(vec![stamp]),
        ColumnView::from_ints(vec![1]),
    ];
    insert.bind(&views).await?.add_batch().await?;
    equal(insert.execute().await?, 1)?;
    let read: Vec<(i64, i32, String)> = taos
        .query("select ts, n, info from places")
        .await?
        .deserialize()
        .try_collect()
        .await?;
    equal(read, [(stamp, 1, info.to_owned())])
}

async fn again() -> Result<()> {
    let taos = connect(DATABASE).await?;
    taos.exec("create table many (ts timestamp, n bigint)")
        .await?;
    let mut insert = Stmt::init(&taos).await?;
    insert.prepare("insert into many values (?, ?)").await?;
    for start in (0..MANY).step_by(2500) {
        let numbers: Vec<i64> = (start..start + 2500).collect();
        let times = numbers.iter().map(|n| 1_700_000_000_000 + n).collect();
        let views = [
            ColumnView::from_millis_timestamp(times),
            ColumnView::from_big_ints(numbers),
        ];
        insert.bind(&views).await?.add_batch().await?;
        equal(insert.execute().await?, 2500)?;
    }
    equal(
        rows(&taos, "select count(*), sum(n) from many").await?,
        [[Value::BigInt(MANY), Value::BigInt(MANY * (MANY - 1) / 2)]],
    )
}

async fn errors() -> Result<()> {
    let taos = connect(DATABASE).await?;
    let mut insert = Stmt::init(&taos).await?;
    insert.prepare("insert into ? values (?, ?)").await?;
    let outcome = insert
        .set_tbname("nowhere")
        .await
        .map(|_| ())
        .map_err(Into::into);
    refused(outcome, &["0x2603", "Table does not exist"])?;
    let one: Option<i64> = taos.query_one("select 1").await?;
    equal(one, Some(1))
}
