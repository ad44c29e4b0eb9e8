//! Schemaless writes.

use anyhow::Result;
use taos::taos_query::common::{SchemalessPrecision, SchemalessProtocol, SmlData, SmlDataBuilder};
use taos::*;

use crate::{Check, at, check, connect, equal, nchar, refused, rows, text};

const DATABASE: &str = "judge_rust_lines";

pub(crate) const CHECKS: &[Check] = &[
    check!("writes lines, whose names and types make the tables", line),
    check!("writes telnet lines", telnet),
    check!("writes JSON", json),
    check!("is told of a bad line, and goes on", errors),
];

fn data(
    protocol: SchemalessProtocol,
    precision: SchemalessPrecision,
    lines: &[&str],
) -> Result<SmlData> {
    Ok(SmlDataBuilder::default()
        .protocol(protocol)
        .precision(precision)
        .data(lines.iter().map(ToString::to_string).collect::<Vec<_>>())
        .ttl(1000)
        .req_id(100u64)
        .build()?)
}

async fn line() -> Result<()> {
    connect("")
        .await?
        .exec(format!("create database {DATABASE} precision 'ms'"))
        .await?;
    let taos = connect(DATABASE).await?;
    let lines = [
        r#"meters,room=hall,site=Łódź current=10.5f64,ok=t,n=-7i32,u=255u8,name=L"żółw",text="plain words" 1700000000000"#,
        "meters,room=attic current=12,late=1i64 1700000002000",
    ];
    taos.put(&data(
        SchemalessProtocol::Line,
        SchemalessPrecision::Millisecond,
        &lines,
    )?)
    .await?;
    equal(
        rows(&taos, "select * from meters order by _ts").await?,
        [
            vec![
                at(0),
                Value::Double(10.5),
                Value::Bool(true),
                Value::Int(-7),
                Value::UTinyInt(255),
                nchar("żółw"),
                text("plain words"),
                Value::Null(Ty::BigInt),
                nchar("hall"),
                nchar("Łódź"),
            ],
            vec![
                at(2000),
                Value::Double(12.0),
                Value::Null(Ty::Bool),
                Value::Null(Ty::Int),
                Value::Null(Ty::UTinyInt),
                Value::Null(Ty::NChar),
                Value::Null(Ty::VarChar),
                Value::BigInt(1),
                nchar("attic"),
                Value::Null(Ty::NChar),
            ],
        ],
    )
}

async fn telnet() -> Result<()> {
    let taos = connect(DATABASE).await?;
    let lines = [
        "cpu.load 1700000000000 0.5 node=a",
        "cpu.load 1700000001000 0.75 node=b",
    ];
    taos.put(&data(
        SchemalessProtocol::Telnet,
        SchemalessPrecision::Millisecond,
        &lines,
    )?)
    .await?;
    equal(
        rows(&taos, "select _ts, _value, node from cpu_load order by _ts").await?,
        [
            [at(0), Value::Double(0.5), nchar("a")],
            [at(1000), Value::Double(0.75), nchar("b")],
        ],
    )
}

async fn json() -> Result<()> {
    let taos = connect(DATABASE).await?;
    let point = r#"{"metric":"temp","timestamp":1700000000000,"value":21.5,"tags":{"room":"hall","floor":2}}"#;
    taos.put(&data(
        SchemalessProtocol::Json,
        SchemalessPrecision::Millisecond,
        &[point],
    )?)
    .await?;
    equal(
        rows(&taos, "select _ts, _value, room, floor from temp").await?,
        [[at(0), Value::Double(21.5), text("hall"), Value::Double(2.0)]],
    )
}

async fn errors() -> Result<()> {
    let taos = connect(DATABASE).await?;
    let bad = data(
        SchemalessProtocol::Line,
        SchemalessPrecision::Millisecond,
        &["not a line"],
    )?;
    let outcome = taos.put(&bad).await.map_err(Into::into);
    refused(outcome, &["0x3002", "SML line invalid data: line"])?;
    let one: Option<i64> = taos.query_one("select 1").await?;
    equal(one, Some(1))
}
