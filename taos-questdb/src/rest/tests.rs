use proptest::prelude::*;
use taos_query::common::{Precision, Ty, Value};
use taos_query::{ErrorKind, RawBlock, RawResult};

use super::Reply;

/// All blocks of a document that arrives in these pieces.
fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> RawResult<(Reply, Vec<RawBlock>)> {
    let mut reply = Reply::new();
    let mut blocks = Vec::new();
    for piece in pieces {
        reply.feed(piece)?;
        blocks.extend(std::iter::from_fn(|| reply.next_block()));
    }
    reply.finish()?;
    blocks.extend(std::iter::from_fn(|| reply.next_block()));
    Ok((reply, blocks))
}

fn values(text: &str) -> RawResult<Vec<Vec<Value>>> {
    let (_, blocks) = read([text.as_bytes()])?;
    Ok(blocks.iter().flat_map(RawBlock::to_values).collect())
}

/// Every type, a row of values and one of NULLs, as the server writes them.
const ALL_TYPES: &str = r#"{"query":"select * from \"t\"","columns":[
{"name":"b","type":"BOOLEAN"},{"name":"by","type":"BYTE"},{"name":"sh","type":"SHORT"},
{"name":"c","type":"CHAR"},{"name":"i","type":"INT"},{"name":"l","type":"LONG"},
{"name":"f","type":"FLOAT"},{"name":"d","type":"DOUBLE"},{"name":"s","type":"STRING"},
{"name":"v","type":"VARCHAR"},{"name":"sy","type":"SYMBOL"},{"name":"dt","type":"DATE"},
{"name":"ts","type":"TIMESTAMP"},{"name":"tn","type":"TIMESTAMP_NS"},{"name":"u","type":"UUID"},
{"name":"ip","type":"IPv4"},{"name":"l2","type":"LONG256"},{"name":"gb","type":"GEOHASH(8b)"},
{"name":"gc","type":"GEOHASH(5c)"},{"name":"a","type":"ARRAY","dim":2,"elemType":"DOUBLE"},
{"name":"dec","type":"DECIMAL(18,3)"},{"name":"dw","type":"DECIMAL(50,4)"}],"timestamp":12,"dataset":[
[true,-128,32767,"x",-5,-9223372036854775807,1.5,1.0E10,"a\n\"b\",[","é\\]","s","2024-01-02T00:00:00.000Z",
"2024-01-02T03:04:05.678901Z","2024-01-02T03:04:05.678901234Z","11111111-2222-3333-4444-555555555555",
"10.0.0.1","0x1234","00000001","u33d8",[[1.0,2.5],[null,-3.0]],"-12.345","123456789.1234"],
[false,0,0,"",null,null,null,null,null,null,null,null,null,null,null,null,"",null,null,null,null,null]
],"count":2}"#;

fn decimal(unscaled: i128) -> Value {
    Value::Decimal(taos_query::common::Decimal::new(unscaled, 18, 3))
}

#[test]
fn every_type_of_the_server_arrives() {
    let rows = values(ALL_TYPES).unwrap();
    let text = |s: &str| Value::VarChar(s.into());
    let at = |ns: i64| Value::Timestamp(taos_query::common::Timestamp::Nanoseconds(ns));
    assert_eq!(
        rows[0],
        [
            Value::Bool(true),
            Value::TinyInt(-128),
            Value::SmallInt(32767),
            text("x"),
            Value::Int(-5),
            Value::BigInt(-9_223_372_036_854_775_807),
            Value::Float(1.5),
            Value::Double(1e10),
            text("a\n\"b\",["),
            text("é\\]"),
            text("s"),
            at(1_704_153_600_000_000_000),
            at(1_704_164_645_678_901_000),
            at(1_704_164_645_678_901_234),
            text("11111111-2222-3333-4444-555555555555"),
            text("10.0.0.1"),
            text("0x1234"),
            text("00000001"),
            text("u33d8"),
            Value::Json(serde_json::json!([[1.0, 2.5], [null, -3.0]])),
            decimal(-12_345),
            text("123456789.1234"),
        ]
    );
    let nulls = rows[1].iter().filter(|value| value.is_null()).count();
    assert_eq!(nulls, rows[1].len() - 3, "{:?}", rows[1]);
    assert_eq!(
        rows[1][..3],
        [Value::Bool(false), Value::TinyInt(0), Value::SmallInt(0)]
    );
}

#[test]
fn the_columns_are_known_before_the_rows() {
    let (head, rows) = ALL_TYPES.split_once("\"dataset\":[").unwrap();
    let mut reply = Reply::new();
    reply.feed(head.as_bytes()).unwrap();
    let columns = reply.head().unwrap();
    assert_eq!(columns.precision, Precision::Nanosecond);
    assert_eq!(columns.fields[12].name(), "ts");
    assert_eq!(columns.fields[19].ty(), Ty::Json);
    assert!(reply.next_block().is_none());
    reply.feed(b"\"dataset\":[").unwrap();
    reply.feed(rows.as_bytes()).unwrap();
    assert_eq!(reply.next_block().unwrap().nrows(), 2);
}

#[test]
fn a_document_cut_at_any_byte_gives_the_same_rows() {
    let whole = values(ALL_TYPES).unwrap();
    for cut in 0..=ALL_TYPES.len() {
        let (first, second) = ALL_TYPES.as_bytes().split_at(cut);
        let (_, blocks) = read([first, second]).unwrap();
        let rows: Vec<_> = blocks.iter().flat_map(RawBlock::to_values).collect();
        assert_eq!(rows, whole, "cut at {cut}");
    }
    let (_, blocks) = read(ALL_TYPES.as_bytes().chunks(1)).unwrap();
    let rows: Vec<_> = blocks.iter().flat_map(RawBlock::to_values).collect();
    assert_eq!(rows, whole);
}

#[test]
fn a_document_that_ends_early_is_an_error_at_every_byte() {
    for end in 0..ALL_TYPES.len() {
        let error = read([&ALL_TYPES.as_bytes()[..end]]).unwrap_err();
        assert!(error.to_string().contains("broke off"), "{end}: {error}");
    }
}

#[test]
fn blocks_have_at_most_4096_rows_and_come_while_rows_arrive() {
    let mut reply = Reply::new();
    reply
        .feed(br#"{"columns":[{"name":"x","type":"LONG"}],"dataset":[[0]"#)
        .unwrap();
    for x in 1..10_000 {
        reply.feed(format!(",[{x}]").as_bytes()).unwrap();
    }
    let early: Vec<_> = std::iter::from_fn(|| reply.next_block().map(|b| b.nrows())).collect();
    assert_eq!(early, [4096, 4096]);
    reply.close_block().unwrap();
    assert_eq!(reply.next_block().unwrap().nrows(), 10_000 - 2 * 4096);
    reply.feed(b"],\"count\":10000}").unwrap();
    reply.finish().unwrap();
    assert!(reply.next_block().is_none());
}

#[test]
fn statements_without_rows_are_done_without_columns() {
    for text in [
        r#"{"ddl":"OK"}"#,
        r#"{"dml":"OK"}"#,
        " {\"dml\" : \"OK\", \"updated\":3}\n",
    ] {
        let (reply, blocks) = read([text.as_bytes()]).unwrap();
        assert!(reply.head().is_none() && blocks.is_empty(), "{text}");
    }
}

#[test]
fn errors_keep_their_words_and_place_whatever_its_form() {
    for (text, words) in [
        (
            r#"{"query":"x","error":"table does not exist [table=n]","position":14}"#,
            "table does not exist [table=n] (at position 14",
        ),
        (
            r#"{"error":"empty query","query":"","position":"0"}"#,
            "empty query (at position 0",
        ),
        (r#"{"error":"timeout"}"#, "timeout"),
    ] {
        let error = read([text.as_bytes()]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Server);
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[test]
fn a_statement_that_the_server_aborted_for_its_limit_is_a_timeout() {
    let text = r#"{"query":"q","error":"timeout, query aborted [fd=1, runtime=60568ms, timeout=60000ms]","position":0}"#;
    let error = read([text.as_bytes()]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.to_string().contains("60000ms"), "{error}");
}

#[test]
fn binary_columns_are_refused_by_name() {
    let error = values(r#"{"columns":[{"name":"bi","type":"BINARY"}],"dataset":[[[]]]}"#);
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("`bi`"), "{error}");
}

#[test]
fn a_time_that_the_unit_cannot_hold_names_column_and_cast() {
    let text = r#"{"columns":[{"name":"far","type":"DATE"},{"name":"n","type":"TIMESTAMP_NS"}],
        "dataset":[["3000-01-01T00:00:00.000Z",null]]}"#;
    let error = values(text).unwrap_err().to_string();
    assert!(
        error.contains("`far`") && error.contains("cast("),
        "{error}"
    );
    let alone = r#"{"columns":[{"name":"far","type":"DATE"}],
        "dataset":[["292278994-08-17T07:12:55.807Z"]]}"#;
    let rows = values(alone).unwrap();
    let expected = taos_query::common::Timestamp::Milliseconds(i64::MAX);
    assert_eq!(rows, [[Value::Timestamp(expected)]]);
}

#[test]
fn values_that_do_not_fit_name_row_and_column() {
    for (ty, cell) in [
        ("BYTE", "128"),
        ("INT", "2147483648"),
        ("LONG", "1.5"),
        ("BOOLEAN", "1"),
        ("DOUBLE", "\"x\""),
        ("TIMESTAMP", "\"yesterday\""),
        ("DECIMAL(18,3)", "\"1.2345\""),
        ("ARRAY", "\"x\""),
        ("VARCHAR", r#""\x""#),
    ] {
        let text = format!(r#"{{"columns":[{{"name":"k","type":"{ty}"}}],"dataset":[[{cell}]]}}"#);
        let error = values(&text).unwrap_err().to_string();
        assert!(
            error.contains("`k`") && error.contains("row 0"),
            "{ty}: {error}"
        );
    }
}

#[test]
fn a_text_longer_than_a_cell_is_refused_not_cut() {
    let long = "x".repeat(65_536);
    let text = format!(r#"{{"columns":[{{"name":"v","type":"VARCHAR"}}],"dataset":[["{long}"]]}}"#);
    let error = values(&text).unwrap_err().to_string();
    assert!(error.contains("`v`") && error.contains("65536"), "{error}");
    let fits = text.replace(&long, &long[1..]);
    assert_eq!(values(&fits).unwrap().len(), 1);
}

#[test]
fn a_row_beyond_the_limit_is_an_error_before_it_is_all_there() {
    let mut reply = Reply::with_longest(1000);
    reply
        .feed(br#"{"columns":[{"name":"x","type":"VARCHAR"}],"dataset":[[""#)
        .unwrap();
    let error = (0..100)
        .find_map(|_| reply.feed(&[b'x'; 100]).err())
        .unwrap();
    assert!(error.to_string().contains("1000 bytes"), "{error}");
}

#[test]
fn what_is_not_the_protocol_is_an_error_of_that_kind() {
    for text in [
        "<html>",
        "[]",
        "{}",
        r#"{"dataset":[]}"#,
        r#"{"columns":[],"dataset":[]}"#,
        r#"{"columns":7}"#,
        r#"{"columns":[{"name":"x","type":"LONG"}],"dataset":[[1,2]]}"#,
        r#"{"columns":[{"name":"x","type":"LONG"}],"dataset":[[1][2]]}"#,
        r#"{"columns":[{"name":"x","type":"LONG"}],"dataset":[[1],]}"#,
        r#"{"columns":[{"name":"x","type":"LONG"}],"dataset":[1]}"#,
        r#"{"ddl":"OK"}{"#,
        r#"{"ddl" "OK"}"#,
    ] {
        let error = read([text.as_bytes()]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol, "{text}: {error}");
    }
}

#[test]
fn arrays_are_read_by_serde_as_nested_vectors() {
    #[derive(serde::Deserialize, Debug, PartialEq)]
    struct Row {
        flat: Vec<f64>,
        deep: Vec<Vec<f64>>,
        gaps: Vec<Option<f64>>,
        none: Option<Vec<f64>>,
    }
    let text = r#"{"columns":[{"name":"flat","type":"ARRAY"},{"name":"deep","type":"ARRAY"},
        {"name":"gaps","type":"ARRAY"},{"name":"none","type":"ARRAY"}],
        "dataset":[[[1.0,-2.5E-3],[[1.0],[2.0]],[null,3.0],null]]}"#;
    let (_, blocks) = read([text.as_bytes()]).unwrap();
    let rows: Vec<Row> = blocks[0].deserialize().collect::<RawResult<_>>().unwrap();
    assert_eq!(
        rows,
        [Row {
            flat: vec![1.0, -0.0025],
            deep: vec![vec![1.0], vec![2.0]],
            gaps: vec![None, Some(3.0)],
            none: None,
        }]
    );
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes: Vec<u8>, at in 0_usize..2000) {
        let _ = read([&bytes[..]]);
        let (first, second) = ALL_TYPES.as_bytes().split_at(at.min(ALL_TYPES.len()));
        let _ = read([first, &bytes, second]);
    }

    #[test]
    fn a_changed_byte_never_panics(at in 0_usize..ALL_TYPES.len(), byte: u8) {
        let mut bytes = ALL_TYPES.as_bytes().to_vec();
        bytes[at] = byte;
        let _ = read([&bytes[..]]);
    }

    #[test]
    fn numbers_and_texts_come_back(
        cells in prop::collection::vec((any::<i64>(), any::<f64>(), any::<String>()), 0..50),
        piece in 1_usize..64,
    ) {
        let rows: Vec<_> = cells.iter().map(|(l, d, v)| serde_json::json!([l, d, v])).collect();
        let text = serde_json::json!({
            "columns": [{"name": "l", "type": "LONG"}, {"name": "d", "type": "DOUBLE"},
                {"name": "v", "type": "VARCHAR"}],
            "dataset": rows,
        });
        let text = text.to_string();
        let (_, blocks) = read(text.as_bytes().chunks(piece)).unwrap();
        let got: Vec<(i64, Option<f64>, String)> = blocks
            .iter()
            .flat_map(|block| block.deserialize().collect::<Vec<RawResult<_>>>())
            .collect::<RawResult<_>>()
            .unwrap();
        prop_assert_eq!(got.len(), cells.len());
        for ((l, d, v), (gl, gd, gv)) in cells.iter().zip(&got) {
            prop_assert_eq!((l, v), (gl, gv));
            prop_assert_eq!(Some(*d).filter(|d| d.is_finite()), *gd);
        }
    }
}
