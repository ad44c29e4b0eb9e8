//! The codec of bound data against the recordings of a real server and the specification's example.

#![allow(
    clippy::unwrap_used,
    reason = "a recording that cannot be read must fail the test"
)]

use bytes::{Bytes, BytesMut};
use std::fs;
use std::path::Path;
use taos_query::block::ColumnView;
use taos_query::common::{Ty, Value};
use taos_ws::protocol::{
    Action, BinaryRequest, BindForm, BindItem, BindTable, ServerReply, Stmt2PrepareBody,
    Stmt2ResultBody, StmtBody, StmtExecBody, StmtFieldBody, StmtFieldReply, StmtFieldsBody,
    StmtGetParamBody, StmtNumParamsBody, StmtPrepareBody, StmtResultFields, TextReply,
    UseResultBody, decode_binary, decode_stmt2_bind, encode_bind, encode_payload, encode_set_tags,
    encode_stmt2_bind,
};

fn recorded(scenario: &str, file: &str) -> Bytes {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden");
    fs::read(root.join(scenario).join(file)).unwrap().into()
}

fn encode(req_id: u64, stmt_id: u64, tables: &[BindTable<'_>], columns: &[BindForm]) -> Bytes {
    let mut out = BytesMut::new();
    encode_stmt2_bind(&mut out, req_id, stmt_id, tables, &[], columns).unwrap();
    out.freeze()
}

fn items(frame: &Bytes) -> Vec<taos_ws::protocol::Stmt2Table> {
    match decode_binary(frame).unwrap() {
        BinaryRequest::Stmt2Bind { bind, .. } => {
            assert_eq!(bind.col_idx, -1);
            bind.tables
        }
        other => panic!("{other:?}"),
    }
}

fn integers(item: &BindItem) -> Vec<Option<i64>> {
    item.values()
        .map(|value| {
            value.map(|bytes| {
                let negative = bytes.last().is_some_and(|top| top & 0x80 != 0);
                let mut wide = [if negative { 0xFF } else { 0 }; 8];
                wide[..bytes.len()].copy_from_slice(bytes);
                i64::from_le_bytes(wide)
            })
        })
        .collect()
}

fn texts(item: &BindItem) -> Vec<Option<String>> {
    item.values()
        .map(|value| value.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap()))
        .collect()
}

#[test]
fn the_specifications_example_comes_out_byte_for_byte() {
    let columns = [
        ColumnView::from_millis_timestamp(vec![1_700_000_000_000, 1_700_000_001_000]),
        ColumnView::from_ints(vec![Some(7), None]),
    ];
    let table = BindTable {
        name: Some("d1"),
        tags: &[Value::Int(5)],
        columns: &columns,
    };
    let mut out = BytesMut::new();
    encode_payload(&mut out, &[table], &[], &[]).unwrap();
    let expected = "7d000000 01000000 01000000 02000000 1c000000 21000000 3b000000 0300 643100 16000000 \
        160000000400000001000000 00 00 04000000 05000000 3e000000 \
        230000000900000002000000 0000 00 10000000 0068e5cf8b010000 e86be5cf8b010000 \
        1b0000000400000002000000 0001 00 08000000 07000000 00000000";
    let digits: Vec<u8> = expected
        .bytes()
        .filter(|b| !b.is_ascii_whitespace())
        .collect();
    let expected: Vec<u8> = digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect();
    assert_eq!(out.len(), 125);
    assert_eq!(out, expected);
}

/// The three rows of all types that the recordings bind, starting at a time.
fn all_types(start: i64, full: bool) -> Vec<ColumnView> {
    fn cut<T>(full: bool, mut values: Vec<T>) -> Vec<T> {
        values.truncate(if full { 3 } else { 1 });
        values
    }
    let point: &[u8] = &[
        1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f, 0, 0, 0, 0, 0, 0, 2, 0xc0,
    ];
    vec![
        ColumnView::from_millis_timestamp(cut(full, vec![start, start + 1, start + 2])),
        ColumnView::from_bools(cut(full, vec![Some(true), None, Some(false)])),
        ColumnView::from_tiny_ints(cut(full, vec![Some(1), None, Some(i8::MIN)])),
        ColumnView::from_small_ints(cut(full, vec![Some(2), None, Some(i16::MIN)])),
        ColumnView::from_ints(cut(full, vec![Some(3), None, Some(i32::MIN)])),
        ColumnView::from_big_ints(cut(full, vec![Some(4), None, Some(i64::MIN)])),
        ColumnView::from_unsigned_tiny_ints(cut(full, vec![Some(5), None, Some(u8::MAX)])),
        ColumnView::from_unsigned_small_ints(cut(full, vec![Some(6), None, Some(u16::MAX)])),
        ColumnView::from_unsigned_ints(cut(full, vec![Some(7), None, Some(u32::MAX)])),
        ColumnView::from_unsigned_big_ints(cut(full, vec![Some(8), None, Some(u64::MAX)])),
        ColumnView::from_floats(cut(full, vec![Some(1.5), None, Some(-0.5)])),
        ColumnView::from_doubles(cut(full, vec![Some(2.5), None, Some(1e300)])),
        ColumnView::from_varchar::<&str, _, _, _>(cut(full, vec![Some("varchar"), None, Some("")])),
        ColumnView::from_nchar::<&str, _, _, _>(cut(
            full,
            vec![Some("中文nchar"), None, Some("😀")],
        )),
        ColumnView::from_bytes::<&[u8], _, _, _>(cut(
            full,
            vec![Some(&[1_u8, 2][..]), None, Some(&[])],
        )),
        ColumnView::from_geobytes::<&[u8], _, _, _>(cut(full, vec![Some(point), None, None])),
    ]
}

#[test]
fn recorded_binds_of_all_types_come_out_byte_for_byte_and_read_back() {
    let tags = [
        Value::Int(50),
        Value::VarChar("tag a".into()),
        Value::NChar("标a".into()),
    ];
    let no_tags = [
        Value::Null(Ty::Int),
        Value::Null(Ty::VarChar),
        Value::Null(Ty::NChar),
    ];
    let (first, second) = (
        all_types(1_700_000_002_000, true),
        all_types(1_700_000_003_000, false),
    );
    let tables = [
        BindTable {
            name: Some("c2a"),
            tags: &tags,
            columns: &first,
        },
        BindTable {
            name: Some("c2b"),
            tags: &no_tags,
            columns: &second,
        },
    ];
    let frame = encode(1004, 1, &tables, &[]);
    assert_eq!(frame, recorded("12-stmt2", "007-c2s-stmt2_bind.bin"));

    let read = items(&frame);
    assert_eq!(read.len(), 2);
    assert_eq!(read[1].name.as_deref(), Some("c2b"));
    assert_eq!(texts(&read[0].tags[2]), [Some("标a".into())]);
    assert_eq!(integers(&read[1].tags[0]), [None]);
    assert_eq!(
        integers(&read[0].columns[5]),
        [Some(4), None, Some(i64::MIN)]
    );
    assert_eq!(
        texts(&read[0].columns[13]),
        [Some("中文nchar".into()), None, Some("😀".into())]
    );
    assert_eq!(read[0].columns[15].values().flatten().count(), 1);

    let again = all_types(1_700_000_004_000, true);
    let table = BindTable {
        columns: &again,
        ..tables[0]
    };
    let frame = encode(1006, 1, &[table], &[]);
    assert_eq!(frame, recorded("12-stmt2", "011-c2s-stmt2_bind.bin"));
}

#[test]
fn recorded_binds_without_names_and_of_queries_come_out_byte_for_byte() {
    let columns = [
        ColumnView::from_millis_timestamp(vec![1_700_000_000_000, 1_700_000_000_001]),
        ColumnView::from_ints(vec![Some(1), None]),
        ColumnView::from_varchar::<&str, _, _, _>(vec![Some("x"), None]),
    ];
    let table = BindTable {
        columns: &columns,
        ..BindTable::default()
    };
    assert_eq!(
        encode(1018, 2, &[table], &[]),
        recorded("12-stmt2", "035-c2s-stmt2_bind.bin")
    );
    let parameters = [
        ColumnView::from_ints(vec![3]),
        ColumnView::from_varchar::<&str, _, _, _>(vec!["varchar"]),
    ];
    let table = BindTable {
        columns: &parameters,
        ..BindTable::default()
    };
    let frame = encode(1031, 4, &[table], &[]);
    assert_eq!(frame, recorded("12-stmt2", "061-c2s-stmt2_bind.bin"));
    let read = items(&frame);
    assert_eq!((read[0].name.clone(), read[0].tags.len()), (None, 0));
}

#[test]
fn a_recorded_bind_of_two_tables_by_name_comes_out_byte_for_byte() {
    let one = [
        ColumnView::from_millis_timestamp(vec![1_700_000_005_000, 1_700_000_005_001]),
        ColumnView::from_ints(vec![Some(7), None]),
    ];
    let two = [
        ColumnView::from_millis_timestamp(vec![1_700_000_005_002]),
        ColumnView::from_ints(vec![8]),
    ];
    let tags = |n, text: &str, nchar| [Value::Int(n), Value::VarChar(text.into()), nchar];
    let tables = [
        BindTable {
            name: Some("c2t1"),
            tags: &tags(60, "x", Value::NChar("ж".into())),
            columns: &one,
        },
        BindTable {
            name: Some("c2t2"),
            tags: &tags(61, "y", Value::Null(Ty::NChar)),
            columns: &two,
        },
    ];
    assert_eq!(
        encode(1023, 3, &tables, &[]),
        recorded("12-stmt2", "045-c2s-stmt2_bind.bin")
    );
}

#[test]
fn recorded_decimals_and_blobs_come_out_byte_for_byte_in_both_forms() {
    let scenario = "22-stmt2-decimal-blob";
    let big = -12_345_678_901_234_567_890_123_456_780_123_456_789_i128;
    let binary = [
        ColumnView::from_millis_timestamp(vec![1_700_000_000_000, 1_700_000_000_001]),
        ColumnView::from_decimal64(vec![Some(1_234_567_891), None], 10, 2),
        ColumnView::from_decimal(vec![Some(big), Some(0)], 38, 10),
    ];
    let table = BindTable {
        columns: &binary,
        ..BindTable::default()
    };
    assert_eq!(
        encode(1004, 1, &[table], &[]),
        recorded(scenario, "007-c2s-stmt2_bind.bin")
    );
    let one: Vec<ColumnView> = binary.iter().map(|c| c.slice(0..1).unwrap()).collect();
    let forms = [Ty::Timestamp, Ty::Decimal64, Ty::Decimal].map(|ty| BindForm {
        ty,
        decimal_text: true,
    });
    let table = BindTable {
        columns: &one,
        ..BindTable::default()
    };
    let frame = encode(1009, 2, &[table], &forms);
    assert_eq!(frame, recorded(scenario, "017-c2s-stmt2_bind.bin"));
    let read = items(&frame);
    assert_eq!(texts(&read[0].columns[1]), [Some("12345678.91".into())]);

    let columns = [
        ColumnView::from_millis_timestamp(vec![
            1_700_000_000_000,
            1_700_000_000_001,
            1_700_000_000_002,
        ]),
        ColumnView::from_blob_bytes::<&[u8], _, _, _>(vec![
            Some(&[0, 1, 0xFF][..]),
            None,
            Some(&[]),
        ]),
    ];
    let table = BindTable {
        columns: &columns,
        ..BindTable::default()
    };
    assert_eq!(
        encode(1018, 4, &[table], &[]),
        recorded(scenario, "035-c2s-stmt2_bind.bin")
    );
}

#[test]
fn a_recorded_bind_that_was_cut_gets_the_recorded_answer() {
    let bad = decode_binary(&recorded("12-stmt2", "077-c2s-stmt2_bind.bin")).unwrap_err();
    assert_eq!(bad.message, "data length is less than 28");
    assert_eq!((bad.result_id, bad.action_name()), (5, "stmt2_bind"));
}

#[test]
fn first_generation_frames_encode_to_the_recorded_bytes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/11-stmt-binary");
    let mut seen = 0;
    for entry in fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if !name.contains("c2s") || !name.ends_with(".bin") {
            continue;
        }
        let frame = Bytes::from(fs::read(&path).unwrap());
        let again = match decode_binary(&frame).unwrap() {
            BinaryRequest::SetTags {
                req_id,
                stmt_id,
                block,
            } => encode_set_tags(req_id, stmt_id, &block),
            BinaryRequest::Bind {
                req_id,
                stmt_id,
                block,
            } => encode_bind(req_id, stmt_id, &block),
            _ => continue,
        };
        assert_eq!(again, frame, "{name}");
        seen += 1;
    }
    assert!(seen >= 3, "{seen}");
}

/// A body of a bind with this payload.
fn body(payload: &[u8]) -> Bytes {
    [&[1, 0, 0xFF, 0xFF, 0xFF, 0xFF], payload].concat().into()
}

#[test]
fn counts_that_the_frame_cannot_hold_are_refused_before_anything_is_allocated() {
    let head = |numbers: [u32; 7]| -> Vec<u8> {
        let mut payload: Vec<u8> = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
        payload.extend([0; 8]);
        payload
    };
    for (numbers, words) in [
        ([36, 0, 0, 1, 0, 0, 28], "table count is 0"),
        ([36, u32::MAX, 0, 0, 0, 0, 0], "no table names"),
        ([36, u32::MAX, 0, 0, 28, 0, 0], "table names out of range"),
        ([36, 1, u32::MAX, 0, 0, 28, 0], "tag length is 0"),
        ([36, 3, 1, 0, 0, 28, 0], "tags out of range"),
        ([36, 1, 0, 1, 0, 0, 4], "columns out of range"),
        ([36, 1, 1, 0, 28, 0, 0], "tag count is 1"),
        ([37, 1, 0, 1, 0, 0, 28], "total length not match"),
    ] {
        let error = decode_stmt2_bind(&body(&head(numbers))).unwrap_err();
        assert!(error.starts_with(words), "{numbers:?}: {error}");
    }
    assert_eq!(
        decode_stmt2_bind(&Bytes::from_static(&[9, 0, 0, 0, 0, 0])).unwrap_err(),
        "unknown stmt2 bind version"
    );
    assert_eq!(
        decode_stmt2_bind(&Bytes::from_static(&[1, 0, 0, 0, 0])).unwrap_err(),
        "message length is too short"
    );
}

#[test]
fn every_cut_and_every_changed_length_of_a_bind_is_refused() {
    let frame = recorded("12-stmt2", "045-c2s-stmt2_bind.bin");
    for end in 0..frame.len() {
        assert!(decode_binary(&frame.slice(..end)).is_err(), "{end}");
    }
    // The length of the first tag's item.
    let mut changed = frame.to_vec();
    changed[80] += 1;
    let bad = decode_binary(&changed.into()).unwrap_err();
    assert_eq!(
        bad.message,
        "bind data length error, tableIndex: 0, fieldIndex: 0"
    );
}

#[test]
fn rows_that_are_sliced_keep_their_nulls() {
    let whole = ColumnView::from_ints(
        (0..40)
            .map(|n| (n % 3 != 0).then_some(n))
            .collect::<Vec<_>>(),
    );
    for range in [0..40, 5..9, 8..24, 13..40, 39..40] {
        let columns = [whole.slice(range.clone()).unwrap()];
        let table = BindTable {
            columns: &columns,
            ..BindTable::default()
        };
        let read = items(&encode(1, 1, &[table], &[]));
        let expected: Vec<_> = range
            .map(|n| (n % 3 != 0).then_some(i64::try_from(n).unwrap()))
            .collect();
        assert_eq!(integers(&read[0].columns[0]), expected);
    }
}

fn write<B: serde::Serialize>(reply: &TextReply, body: B) -> String {
    let action = reply.action.as_str();
    ServerReply::failure(
        action,
        reply.req_id,
        reply.timing,
        reply.code,
        &reply.message,
        body,
    )
    .encode()
}

fn fields_of(reply: &TextReply, kinds: bool) -> Option<Vec<StmtFieldBody<'_>>> {
    let fields = reply.fields.as_ref()?.iter();
    let body = |field| {
        let field: &StmtFieldReply = field;
        StmtFieldBody {
            name: &field.name,
            field_type: u8::try_from(field.field_type).unwrap(),
            precision: field.precision,
            scale: field.scale,
            bytes: field.bytes,
            bind_type: kinds.then_some(field.bind_type),
        }
    };
    Some(fields.map(body).collect())
}

fn result_of(reply: &TextReply) -> StmtResultFields<'_> {
    let names = reply.fields_names.as_ref();
    StmtResultFields {
        fields_count: usize::try_from(reply.fields_count).unwrap(),
        fields_names: names.map(|names| names.iter().map(String::as_str).collect()),
        fields_types: reply.fields_types.clone(),
        fields_lengths: reply.fields_lengths.clone(),
        precision: u8::try_from(reply.precision).unwrap(),
        fields_precisions: reply.fields_precisions.clone(),
        fields_scales: reply.fields_scales.clone(),
    }
}

/// What servers send about statements, decoded and written again.
fn encode_again(reply: &TextReply) -> String {
    let (stmt_id, is_insert) = (reply.stmt_id, reply.is_insert);
    if reply.code != 0 {
        return write(reply, StmtBody { stmt_id });
    }
    match &reply.action {
        Action::Prepare => write(reply, StmtPrepareBody { stmt_id, is_insert }),
        Action::Exec | Action::Stmt2Exec => {
            let affected = reply.affected;
            write(reply, StmtExecBody { stmt_id, affected })
        }
        Action::GetTagFields | Action::GetColFields => {
            let fields = fields_of(reply, false);
            write(reply, StmtFieldsBody { stmt_id, fields })
        }
        Action::UseResult => {
            let body = UseResultBody {
                stmt_id,
                result_id: reply.result_id,
                fields: result_of(reply),
            };
            write(reply, body)
        }
        Action::Stmt2Result => {
            let body = Stmt2ResultBody {
                stmt_id,
                id: reply.id,
                fields: result_of(reply),
            };
            write(reply, body)
        }
        Action::Stmt2Prepare => {
            let body = Stmt2PrepareBody {
                stmt_id,
                is_insert,
                fields: fields_of(reply, true),
                fields_count: usize::try_from(reply.fields_count).unwrap(),
            };
            write(reply, body)
        }
        _ => encode_parameters_again(reply),
    }
}

fn encode_parameters_again(reply: &TextReply) -> String {
    let stmt_id = reply.stmt_id;
    match &reply.action {
        Action::StmtNumParams => {
            let num_params = usize::try_from(reply.num_params).unwrap();
            write(
                reply,
                StmtNumParamsBody {
                    stmt_id,
                    num_params,
                },
            )
        }
        Action::StmtGetParam => {
            let body = StmtGetParamBody {
                stmt_id,
                index: reply.index,
                data_type: u8::try_from(reply.data_type).unwrap(),
                length: reply.length,
            };
            write(reply, body)
        }
        _ => write(reply, StmtBody { stmt_id }),
    }
}

#[test]
fn recorded_replies_about_statements_decode_and_encode_to_the_same_bytes() {
    use taos_ws::protocol::{Reply, classify_text};
    let mut seen = 0;
    for scenario in [
        "10-stmt-json",
        "11-stmt-binary",
        "12-stmt2",
        "22-stmt2-decimal-blob",
    ] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../tests/golden")
            .join(scenario);
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let other = ["conn", "query", "fetch"];
            if !name.contains("s2c") || other.iter().any(|word| name.contains(word)) {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let Reply::Text(reply) = classify_text(&text) else {
                panic!("{name}");
            };
            assert_eq!(encode_again(&reply), text, "{scenario}/{name}");
            seen += 1;
        }
    }
    assert!(seen > 60, "{seen}");
}

#[test]
fn recorded_requests_about_statements_are_what_we_write() {
    use taos_ws::protocol::{
        Action, Stmt2InitArgs, Stmt2PrepareArgs, StmtArgs, TextRequest, decode_text, encode_text,
    };
    let mut seen = 0;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/12-stmt2");
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if !name.contains("c2s-stmt2") || !name.ends_with(".json") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let simple = |action: Action, args: StmtArgs| {
            encode_text(&action, &StmtArgs::new(args.req_id, args.stmt_id))
        };
        let again = match decode_text(&text).unwrap() {
            TextRequest::Stmt2Init(args) => encode_text(
                &Action::Stmt2Init,
                &Stmt2InitArgs::new(
                    args.req_id,
                    args.single_stb_insert,
                    args.single_table_bind_once,
                ),
            ),
            TextRequest::Stmt2Prepare(args) => encode_text(
                &Action::Stmt2Prepare,
                &Stmt2PrepareArgs::new(args.req_id, args.stmt_id, args.sql, args.get_fields),
            ),
            TextRequest::Stmt2Exec(args) => simple(Action::Stmt2Exec, args),
            TextRequest::Stmt2Result(args) => simple(Action::Stmt2Result, args),
            TextRequest::Stmt2Close(args) => simple(Action::Stmt2Close, args),
            other => panic!("{name}: {other:?}"),
        };
        // The recorder wrote blanks between the members.
        let blank = text.replace("\": ", "\":").replace(", \"", ",\"");
        assert_eq!(again, blank, "{name}");
        seen += 1;
    }
    assert!(seen >= 15, "{seen}");
}
