//! Values at the edges of their types, read back from the server by hand, and each type by our results.

use serde::Deserialize;
use serde_json::{Value, json};
use taos::questdb::ErrorCode;
use taos::questdb::ingress::{Buffer, Sender, TimestampMicros, TimestampNanos};
use taos::*;
use taos_tests::questdb::{Servers, exec};

use crate::{create, run, settles};

const AT: TimestampNanos = TimestampNanos::new(1_700_000_000_000_000_000);

fn sender(servers: &Servers, version: u8) -> anyhow::Result<Sender> {
    let http = servers.plain.http;
    let conf = format!("http::addr={http};protocol_version={version};");
    Ok(Sender::from_conf(conf)?)
}

#[test]
#[ignore = "needs QuestDB: cargo xtask test"]
fn doubles_at_their_edges_are_stored_as_they_are_and_what_is_no_number_as_null()
-> anyhow::Result<()> {
    let Some(servers) = Servers::of_this_run() else {
        return Ok(());
    };
    let (none, smallest) = (Value::Null, f64::from_bits(1));
    for version in [1, 2, 3] {
        let table = format!("doubles_{version}");
        let mut sender = sender(&servers, version)?;
        let mut buffer = sender.new_buffer();
        let values = [
            (f64::NAN, none.clone()),
            (f64::INFINITY, none.clone()),
            (f64::NEG_INFINITY, none.clone()),
            (0.1, json!(0.1)),
            (1e16, json!(1e16)),
            (-1.25e-7, json!(-1.25e-7)),
            (f64::MAX, json!(f64::MAX)),
            (f64::MIN_POSITIVE, json!(f64::MIN_POSITIVE)),
            (smallest, json!(smallest)),
        ];
        for (n, (value, _)) in (0_i64..).zip(&values) {
            buffer
                .table(table.as_str())?
                .column_i64("n", n)?
                .column_f64("d", *value)?
                .at(AT)?;
        }
        sender.flush(&mut buffer)?;
        let rows: Vec<Value> = values.iter().map(|(_, read)| json!([read])).collect();
        let sql = format!("select d from {table} order by n");
        settles(servers.plain.http, &sql, &json!(rows))?;
    }
    Ok(())
}

#[test]
#[ignore = "needs QuestDB: cargo xtask test"]
fn the_lowest_integer_is_the_mark_of_null() -> anyhow::Result<()> {
    let Some(servers) = Servers::of_this_run() else {
        return Ok(());
    };
    let mut sender = sender(&servers, 2)?;
    let mut buffer = sender.new_buffer();
    for (n, value) in [(0, i64::MIN), (1, i64::MIN + 1), (2, 0), (3, i64::MAX)] {
        buffer
            .table("integers")?
            .column_i64("n", n)?
            .column_i64("v", value)?
            .at(AT)?;
    }
    sender.flush(&mut buffer)?;
    let sql = "select v from integers order by n";
    settles(
        servers.plain.http,
        sql,
        &json!([[null], [i64::MIN + 1], [0], [i64::MAX]]),
    )
}

#[test]
#[ignore = "needs QuestDB: cargo xtask test"]
fn far_dates_arrive_and_those_before_1970_are_refused_before_anything_is_sent() -> anyhow::Result<()>
{
    let Some(servers) = Servers::of_this_run() else {
        return Ok(());
    };
    let mut sender = sender(&servers, 2)?;
    let mut buffer = sender.new_buffer();
    // The end of the year 9999 in microseconds, and what nanoseconds of 64 bits can tell.
    let end = TimestampMicros::new(253_402_300_799_999_999);
    for (n, past) in [(0, -62_135_596_800_000_000_i64), (1, -1), (2, 0)] {
        buffer
            .table("far_dates")?
            .column_i64("n", n)?
            .column_ts("past", TimestampMicros::new(past))?
            .at(end)?;
    }
    sender.flush(&mut buffer)?;
    let sql = "select past, timestamp from far_dates order by n";
    let last = "9999-12-31T23:59:59.999999Z";
    let rows = json!([
        ["0001-01-01T00:00:00.000000Z", last],
        ["1969-12-31T23:59:59.999999Z", last],
        ["1970-01-01T00:00:00.000000Z", last],
    ]);
    settles(servers.plain.http, sql, &rows)?;

    // The last nanosecond that the server takes: nothing is left for a part of the year 2262.
    let latest = 9_214_646_399_999_999_999;
    let row = |buffer: &mut Buffer, at| {
        buffer
            .table("far_nanos")?
            .column_i64("n", 1)?
            .at(TimestampNanos::new(at))
    };
    row(&mut buffer, latest + 1)?;
    let error = sender.flush(&mut buffer).unwrap_err();
    assert!(error.msg().contains("overflow"), "{error}");
    buffer.clear();
    row(&mut buffer, latest)?;
    sender.flush(&mut buffer)?;
    let sql = "select timestamp from far_nanos";
    let rows = json!([["2261-12-31T23:59:59.999999999Z"]]);
    settles(servers.plain.http, sql, &rows)?;

    buffer.table("far_dates")?.column_i64("n", 9)?;
    let error = buffer.at(TimestampNanos::new(-1)).unwrap_err();
    assert_eq!(error.code(), ErrorCode::InvalidTimestamp);
    let error = sender.flush(&mut buffer).unwrap_err();
    assert_eq!(error.code(), ErrorCode::InvalidApiCall, "half a row");
    Ok(())
}

#[test]
#[ignore = "needs QuestDB: cargo xtask test"]
fn text_with_every_kind_of_character_comes_back_in_every_version() -> anyhow::Result<()> {
    let Some(servers) = Servers::of_this_run() else {
        return Ok(());
    };
    let texts = [
        "",
        " ",
        "it's \"quoted\"",
        "back\\slash \\\" \\n",
        "line\nfeed\r\nand tab\t",
        "comma, equals = semicolon ; space",
        "naïve 数据 😀 \u{301}",
    ];
    for version in [1, 2, 3] {
        let table = format!("texts_{version}");
        let mut sender = sender(&servers, version)?;
        let mut buffer = sender.new_buffer();
        for (n, text) in (0_i64..).zip(texts) {
            buffer
                .table(table.as_str())?
                .symbol("sym", text)?
                .column_i64("n", n)?
                .column_str("str", text)?
                .at(AT)?;
        }
        sender.flush(&mut buffer)?;
        let rows: Vec<Value> = texts.iter().map(|text| json!([text, text])).collect();
        let sql = format!("select sym, str from {table} order by n");
        settles(servers.plain.http, &sql, &json!(rows))?;
    }
    Ok(())
}

#[test]
#[ignore = "needs QuestDB: cargo xtask test"]
fn an_empty_buffer_is_flushed_without_a_word_to_the_server() -> anyhow::Result<()> {
    let Some(servers) = Servers::of_this_run() else {
        return Ok(());
    };
    // Nobody listens there any more.
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let gone = listener.local_addr()?;
    drop(listener);
    let conf = format!("http::addr={gone};protocol_version=2;retry_timeout=0;");
    let mut sender = Sender::from_conf(conf)?;
    let mut buffer = sender.new_buffer();
    sender.flush(&mut buffer)?;
    sender.flush_and_keep_with_flags(&buffer, true)?;
    buffer.table("t")?.column_i64("n", 1)?.at(AT)?;
    assert!(sender.flush(&mut buffer).is_err());
    buffer.clear();
    sender.flush(&mut buffer)?;

    let mut sender = Sender::from_conf(format!("tcp::addr={};", servers.plain.tcp))?;
    let mut buffer = sender.new_buffer();
    sender.flush(&mut buffer)?;
    assert!(!sender.must_close());
    Ok(())
}

#[test]
#[ignore = "needs QuestDB: cargo xtask test"]
fn a_transaction_over_two_tables_is_refused_and_sends_nothing() -> anyhow::Result<()> {
    let Some(servers) = Servers::of_this_run() else {
        return Ok(());
    };
    let http = servers.plain.http;
    let mut sender = sender(&servers, 2)?;
    let mut buffer = sender.new_buffer();
    for table in ["two_tables_a", "two_tables_b"] {
        buffer.table(table)?.column_i64("n", 1)?.at(AT)?;
    }
    let error = sender.flush_and_keep_with_flags(&buffer, true).unwrap_err();
    assert_eq!(error.code(), ErrorCode::InvalidApiCall);
    for table in ["two_tables_a", "two_tables_b"] {
        assert_eq!(
            exec(http, &format!("select n from {table}"))?.status,
            400,
            "no table yet"
        );
    }
    // Without the promise both go.
    sender.flush(&mut buffer)?;
    settles(http, "select n from two_tables_a", &json!([[1]]))?;
    settles(http, "select n from two_tables_b", &json!([[1]]))
}

#[test]
#[ignore = "needs QuestDB: cargo xtask test"]
fn decimals_of_every_source_land_in_decimal_columns_digit_for_digit() -> anyhow::Result<()> {
    use std::str::FromStr as _;
    let Some(servers) = Servers::of_this_run() else {
        return Ok(());
    };
    let http = servers.plain.http;
    create(
        http,
        "decimals",
        "n long, small decimal(9,3), large decimal(76,20)",
    )?;
    let mut sender = sender(&servers, 3)?;
    let mut buffer = sender.new_buffer();
    let large = "12345678901234567890123456789012345678901234567890.12345678901234567890";
    buffer
        .table("decimals")?
        .column_i64("n", 0)?
        .column_dec("small", "1.5e-3")?
        .at(AT)?;
    let error = sender.flush(&mut buffer).unwrap_err();
    assert!(
        error.msg().contains("small"),
        "a digit too many is not cut off: {error}"
    );
    buffer.clear();
    let exact = rust_decimal::Decimal::from_str("-123.450")?;
    buffer
        .table("decimals")?
        .column_i64("n", 9)?
        .column_dec("small", &exact)?
        .at(AT)?;
    for (n, small, large) in [
        (0, "-123.450", large),
        (1, "0.002", "-0.00000000000000000001"),
        (2, "NaN", "0"),
    ] {
        let exact = bigdecimal::BigDecimal::from_str(large)?;
        buffer
            .table("decimals")?
            .column_i64("n", n)?
            .column_dec("small", small)?
            .column_dec("large", &exact)?
            .at(AT)?;
    }
    sender.flush(&mut buffer)?;
    let zero = "0.00000000000000000000";
    settles(
        http,
        "select small, large from decimals order by n",
        &json!([
            ["-123.450", large],
            ["0.002", "-0.00000000000000000001"],
            [null, zero],
            ["-123.450", null],
        ]),
    )
}

#[derive(Debug, Deserialize, PartialEq)]
struct Everything {
    bo: bool,
    by: i8,
    sh: i16,
    i: Option<i32>,
    l: Option<i64>,
    f: Option<f32>,
    d: Option<f64>,
    ch: Option<String>,
    st: Option<String>,
    vc: Option<String>,
    sy: Option<String>,
    uu: Option<String>,
    ip: Option<String>,
    l2: Option<String>,
    geo: Option<String>,
    da: Option<i64>,
    ts: Option<i64>,
    ns: Option<i64>,
    de: Option<String>,
    wide: Option<String>,
    ar: Option<Vec<f64>>,
    ar2: Option<Vec<Vec<f64>>>,
}

#[test]
#[ignore = "needs QuestDB: cargo xtask test"]
fn every_type_of_column_is_read_and_so_is_its_null() -> anyhow::Result<()> {
    run(async |servers| {
        let http = servers.plain.http;
        let columns = "n int, bo boolean, by byte, sh short, i int, l long, f float, d double, ch char, \
             st string, vc varchar, sy symbol, uu uuid, ip ipv4, l2 long256, geo geohash(4c), da date, \
             ts timestamp, ns timestamp_ns, de decimal(18,3), wide decimal(60,5), ar double[], \
             ar2 double[][]";
        create(http, "everything", columns)?;
        let values = "1, true, -128, -32768, -2147483647, -9223372036854775807, 1.5, 2.5, 'x', 'str', \
             'vär', 'sym', '11111111-2222-3333-4444-555555555555', '10.0.0.1', \
             '0x0123456789abcdef', #u33d, '2024-01-02T00:00:00.000Z', '2024-01-02T03:04:05.678901Z', \
             '2024-01-02T03:04:05.678901234Z', 12.345m, -98765.43210m, ARRAY[1.0, 2.0], \
             ARRAY[[1.0, 2.0], [3.0, 4.0]], 0";
        let nulls = format!("2, {}, 1", vec!["null"; 22].join(", "));
        for row in [values, &nulls] {
            let answer = exec(http, &format!("insert into everything values ({row})"))?;
            anyhow::ensure!(answer.status == 200, "{}", answer.json);
        }
        settles(http, "select count() from everything", &json!([[2]]))?;
        let taos = TaosBuilder::from_dsn(format!("questdb://{http}"))?
            .build()
            .await?;
        let mut result = taos.query("select * from everything order by n").await?;
        let rows: Vec<Everything> = result.deserialize().try_collect().await?;
        let text = |text: &str| Some(text.to_owned());
        let ns = 1_704_164_645_678_901_234;
        let full = Everything {
            bo: true,
            by: i8::MIN,
            sh: i16::MIN,
            i: Some(-i32::MAX),
            l: Some(-i64::MAX),
            f: Some(1.5),
            d: Some(2.5),
            ch: text("x"),
            st: text("str"),
            vc: text("vär"),
            sy: text("sym"),
            uu: text("11111111-2222-3333-4444-555555555555"),
            ip: text("10.0.0.1"),
            l2: text("0x0123456789abcdef"),
            geo: text("u33d"),
            // One column of nanoseconds makes nanoseconds of all times of a result.
            da: Some(1_704_153_600_000_000_000),
            ts: Some(ns / 1_000 * 1_000),
            ns: Some(ns),
            de: text("12.345"),
            wide: text("-98765.43210"),
            ar: Some(vec![1.0, 2.0]),
            ar2: Some(vec![vec![1.0, 2.0], vec![3.0, 4.0]]),
        };
        let empty = Everything {
            bo: false,
            by: 0,
            sh: 0,
            i: None,
            l: None,
            f: None,
            d: None,
            ch: None,
            st: None,
            vc: None,
            sy: None,
            uu: None,
            ip: None,
            l2: None,
            geo: None,
            da: None,
            ts: None,
            ns: None,
            de: None,
            wide: None,
            ar: None,
            ar2: None,
        };
        assert_eq!(rows, [full, empty]);
        Ok(())
    })
}

#[test]
#[ignore = "needs QuestDB: cargo xtask test"]
fn a_buffer_of_another_version_is_refused_and_kept() -> anyhow::Result<()> {
    use taos::questdb::ingress::ProtocolVersion;
    let Some(servers) = Servers::of_this_run() else {
        return Ok(());
    };
    let mut sender = sender(&servers, 2)?;
    let mut buffer = Buffer::new(ProtocolVersion::V1);
    buffer.table("versions")?.column_f64("d", 0.5)?.at(AT)?;
    let error = sender.flush(&mut buffer).unwrap_err();
    assert_eq!(error.code(), ErrorCode::ProtocolVersionError);
    assert_eq!(buffer.row_count(), 1);
    let newest = Sender::from_conf(format!("http::addr={};", servers.plain.http))?;
    assert_eq!(
        newest.protocol_version(),
        ProtocolVersion::V3,
        "by negotiation"
    );
    Ok(())
}
