//! QWP (questdb §13, §14) with real servers: what one without it is told of, and, where `QDB_QWP_ADDR` names a
//! server that speaks it, rows and queries through it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, Utc};
use serde::Deserialize;
use taos::questdb::ErrorCode;
use taos::questdb::ingress::{AckLevel, AsyncSender, Buffer, TimestampMicros, TimestampNanos};
use taos::*;
use taos_tests::{skipped, until_rows};

use crate::run;

/// Names a server that speaks QWP, as `host:port`.
const VARIABLE: &str = "QDB_QWP_ADDR";

#[test]
#[ignore = "needs QuestDB: cargo xtask test"]
fn a_sender_over_qwp_tells_that_the_server_is_too_old_for_it() -> anyhow::Result<()> {
    run(async |servers| {
        let http = servers.plain.http;
        let error = AsyncSender::from_conf(format!("ws::addr={http};"))
            .await
            .unwrap_err();
        assert_eq!(error.code(), ErrorCode::UnsupportedServer, "{error}");
        for part in ["QWP needs QuestDB 10.0", "http::", &http.to_string()] {
            assert!(error.msg().contains(part), "no {part:?} in {error}");
        }
        Ok(())
    })
}

#[test]
#[ignore = "needs QuestDB: cargo xtask test"]
fn a_connection_over_qwp_tells_that_the_server_is_too_old_for_it() -> anyhow::Result<()> {
    run(async |servers| {
        let http = servers.plain.http;
        let asked = async {
            let taos = TaosBuilder::from_dsn(format!("questdb+ws://{http}"))?
                .build()
                .await?;
            taos.query_one::<_, i64>("select 1").await
        };
        let error = asked.await.unwrap_err();
        for part in ["QWP needs QuestDB 10.0", &http.to_string()] {
            assert!(error.to_string().contains(part), "no {part:?} in {error:?}");
        }
        Ok(())
    })
}

/// Runs a test with the server of `QDB_QWP_ADDR` and a table name that is free there; drops the table.
fn with_qwp<T>(test: T) -> anyhow::Result<()>
where
    T: AsyncFnOnce(&str, &Taos, &str) -> anyhow::Result<()>,
{
    let Ok(address) = std::env::var(VARIABLE) else {
        skipped(&format!("{VARIABLE} names no server"));
        return Ok(());
    };
    let moment = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos();
    let table = format!("taos_qwp_{}_{moment}", std::process::id());
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?
        .block_on(async {
            let taos = TaosBuilder::from_dsn(format!("questdb+ws://{address}"))?
                .build()
                .await?;
            let tested = test(&address, &taos, &table).await;
            taos.exec(format!("drop table if exists {table}")).await?;
            tested
        })
}

async fn send(
    address: &str,
    buffer: impl FnOnce(&mut Buffer) -> questdb::Result<()>,
) -> anyhow::Result<()> {
    let mut sender = AsyncSender::from_conf(format!("ws::addr={address};")).await?;
    let mut rows = sender.new_buffer();
    buffer(&mut rows)?;
    sender.flush(&mut rows).await?;
    sender.wait(AckLevel::Ok, Duration::from_secs(20)).await?;
    Ok(())
}

#[derive(Debug, PartialEq, Deserialize)]
struct Row {
    flag: bool,
    sym: Option<String>,
    i8: i8,
    i16: i16,
    i32: Option<i32>,
    i64: Option<i64>,
    f32: Option<f32>,
    f64: Option<f64>,
    text: Option<String>,
    us: Option<DateTime<Utc>>,
    day: Option<DateTime<Utc>>,
    uuid: Option<String>,
    letter: Option<String>,
    ip: Option<String>,
    geo: Option<String>,
    arr: Option<Vec<Vec<f64>>>,
    dec: Option<String>,
    at: DateTime<Utc>,
}

fn every_type(buffer: &mut Buffer, table: &str) -> questdb::Result<()> {
    let row = buffer.table(table)?;
    row.column_bool("flag", true)?;
    row.symbol("sym", "价格 €")?;
    row.column_i8("i8", -2)?;
    row.column_i16("i16", -3)?;
    row.column_i32("i32", -4)?;
    row.column_i64("i64", i64::MAX)?;
    row.column_f32("f32", 1.5)?;
    row.column_f64("f64", -0.1)?;
    row.column_str("text", "hé\n'")?;
    row.column_ts("us", TimestampMicros::new(-5))?;
    row.column_date("day", 11)?;
    row.column_uuid("uuid", 1, 2)?;
    row.column_char("letter", 0x41)?;
    row.column_ipv4("ip", std::net::Ipv4Addr::new(10, 0, 0, 1))?;
    row.column_geohash("geo", 0b10101, 5)?;
    row.column_arr("arr", &vec![vec![1.0, 2.0], vec![3.0, 4.0]])?;
    row.column_dec("dec", "-1.25")?;
    row.at(TimestampNanos::new(1_700_000_000_000_000_001))?;
    buffer
        .table(table)?
        .symbol("sym", "")?
        .at(TimestampNanos::new(1_700_000_001_000_000_001))
}

#[test]
#[ignore = "needs QuestDB: cargo xtask test"]
fn rows_of_every_type_go_in_over_qwp_and_come_back_over_it() -> anyhow::Result<()> {
    with_qwp(async |address, taos, table| {
        send(address, |buffer| every_type(buffer, table)).await?;
        until_rows(taos, table, 2).await?;
        let sql = format!(
            "select flag, sym, i8, i16, i32, i64, f32, f64, text, us, day, uuid, letter, ip, geo, arr, \
             dec::string as dec, timestamp as at from {table} order by timestamp"
        );
        let read: Vec<Row> = taos.query(sql).await?.deserialize().try_collect().await?;
        let text = |text: &str| Some(text.to_owned());
        let full = Row {
            flag: true,
            sym: text("价格 €"),
            i8: -2,
            i16: -3,
            i32: Some(-4),
            i64: Some(i64::MAX),
            f32: Some(1.5),
            f64: Some(-0.1),
            text: text("hé\n'"),
            us: DateTime::from_timestamp_micros(-5),
            day: DateTime::from_timestamp_millis(11),
            uuid: text("00000000-0000-0002-0000-000000000001"),
            letter: text("A"),
            ip: text("10.0.0.1"),
            geo: text("p"),
            arr: Some(vec![vec![1.0, 2.0], vec![3.0, 4.0]]),
            dec: text("-1.25"),
            at: DateTime::from_timestamp_nanos(1_700_000_000_000_000_001),
        };
        anyhow::ensure!(read.first() == Some(&full), "{:?}", read.first());
        let second = read.get(1);
        anyhow::ensure!(
            second.is_some_and(|row| !row.flag
                && row.i8 == 0
                && row.i64.is_none()
                && row.arr.is_none()),
            "{second:?}"
        );
        Ok(())
    })
}

#[test]
#[ignore = "needs QuestDB: cargo xtask test"]
fn a_query_over_qwp_takes_parameters_and_gives_many_blocks() -> anyhow::Result<()> {
    const ROWS: i64 = 20_000;
    with_qwp(async |address, taos, table| {
        let rows = |buffer: &mut Buffer| {
            for n in 0..ROWS {
                buffer
                    .table(table)?
                    .symbol("sym", if n % 4 == 0 { "ETH" } else { "BTC" })?
                    .column_i64("n", n)?
                    .at(TimestampMicros::new(1_700_000_000_000_000 + n))?;
            }
            Ok(())
        };
        send(address, rows).await?;
        until_rows(taos, table, ROWS).await?;
        let sql = format!("select n from {table} order by timestamp");
        let mut result = taos.query(sql).await?;
        let read: Vec<i64> = result.deserialize::<i64>().try_collect().await?;
        anyhow::ensure!(
            read.into_iter().eq(0..ROWS),
            "other rows, or in another order"
        );

        let mut stmt = Stmt2::init(taos).await?;
        stmt.prepare(&format!(
            "select count() from {table} where sym = ? and n < ?"
        ))
        .await?;
        for (symbol, below, expected) in [("ETH", 100, 25), ("BTC", 8, 6), ("none", 9, 0)] {
            let parameters = vec![
                ColumnView::from_varchar(vec![symbol]),
                ColumnView::from_big_ints(vec![below]),
            ];
            let parameters = Stmt2BindParam::new(None, None, Some(parameters));
            stmt.bind(&[parameters]).await?.exec().await?;
            let mut result = stmt.result_set().await?;
            let counted: Vec<i64> = result.deserialize::<i64>().try_collect().await?;
            assert_eq!(counted, [expected], "{symbol} below {below}");
        }
        Ok(())
    })
}
