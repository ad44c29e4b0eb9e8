//! The codec of raw and schemaless writes against the frames recorded from a real server.

#![allow(
    clippy::unwrap_used,
    reason = "a recording that cannot be read must fail the test"
)]

use bytes::Bytes;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use taos_query::tmq::raw::DataMessage;
use taos_ws::protocol::{
    Action, BinaryRequest, EmptyBody, InsertBody, Reply, ServerReply, TextRequest, classify_text,
    decode_binary, decode_text, encode_text, encode_write_raw, encode_write_raw_block,
};

/// The recorded frames of one direction whose file name holds `word`.
fn frames(scenario: &str, direction: &str, word: &str) -> Vec<(PathBuf, Bytes)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/golden")
        .join(scenario);
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            let name = path.file_name().unwrap().to_str().unwrap();
            name.contains(&format!("-{direction}-")) && name.contains(word)
        })
        .collect();
    files.sort();
    files
        .into_iter()
        .map(|path| (path.clone(), fs::read(path).unwrap().into()))
        .collect()
}

#[test]
fn raw_writes_decode_and_encode_to_the_recorded_bytes() {
    let (mut messages, mut blocks) = (0, 0);
    for (path, frame) in frames("18-raw-block-write", "c2s", "write_raw") {
        let again = match decode_binary(&frame).unwrap() {
            BinaryRequest::WriteRaw { req_id, write, .. } => {
                messages += 1;
                if matches!(write.raw_type, 2 | 4) {
                    let message = DataMessage::decode(write.raw_type, &write.raw).unwrap();
                    assert_eq!(message.encode(write.raw_type), write.raw);
                    let entries = message.entries.iter();
                    let types: Vec<u8> = entries
                        .flat_map(|entry| entry.column_types().unwrap())
                        .collect();
                    assert!(!types.is_empty() && !types.contains(&18), "{types:?}");
                }
                encode_write_raw(req_id, write.raw_type, &write.raw)
            }
            BinaryRequest::WriteRawBlock { req_id, write } => {
                blocks += 1;
                let names = write
                    .fields
                    .as_ref()
                    .map(|fields| fields.iter().map(|f| f.name.as_str()).collect::<Vec<_>>());
                assert_eq!(write.table, "t");
                assert!(names.is_none_or(|names| names == ["ts", "s"]));
                encode_write_raw_block(
                    req_id,
                    write.rows,
                    &write.table,
                    &write.block,
                    write.fields.as_deref(),
                )
            }
            other => panic!("{}: {other:?}", path.display()),
        };
        assert_eq!(again.unwrap(), frame, "{}", path.display());
    }
    assert_eq!((messages, blocks), (8, 2));
}

#[test]
fn replies_to_writes_decode_and_encode_to_the_recorded_bytes() {
    let mut seen = 0;
    for (scenario, word) in [
        ("18-raw-block-write", "write_raw"),
        ("13-schemaless", "insert"),
    ] {
        for (path, frame) in frames(scenario, "s2c", word) {
            let text = std::str::from_utf8(&frame).unwrap();
            let Reply::Text(reply) = classify_text(text) else {
                panic!("{}", path.display());
            };
            let action = reply.action.as_str();
            let again = if reply.code != 0 {
                let error = ServerReply {
                    code: reply.code,
                    message: &reply.message,
                    action,
                    req_id: reply.req_id,
                    timing: reply.timing,
                    body: EmptyBody {},
                };
                error.encode()
            } else if reply.action == Action::Insert {
                let body = InsertBody {
                    affected_rows: reply.affected_rows,
                    total_rows: reply.total_rows.map(|rows| i32::try_from(rows).unwrap()),
                };
                ServerReply::ok(action, reply.req_id, reply.timing, body).encode()
            } else {
                ServerReply::ok(action, reply.req_id, reply.timing, EmptyBody {}).encode()
            };
            assert_eq!(again, text, "{}", path.display());
            seen += 1;
        }
    }
    assert!(seen > 20, "{seen}");
}

/// The recording client wrote JSON with blanks, so its members are compared instead of its bytes.
#[test]
fn schemaless_requests_decode_and_encode_to_the_recorded_members() {
    let mut seen = 0;
    for (path, frame) in frames("13-schemaless", "c2s", "insert") {
        let text = std::str::from_utf8(&frame).unwrap();
        let TextRequest::Insert(args) = decode_text(text).unwrap() else {
            panic!("{}", path.display());
        };
        let again: Value = serde_json::from_str(&encode_text(&Action::Insert, &args)).unwrap();
        let mut recorded: Value = serde_json::from_str(text).unwrap();
        let members = recorded["args"].as_object_mut().unwrap();
        for (name, zero) in [
            ("precision", json!("")),
            ("ttl", json!(0)),
            ("protocol", json!(0)),
        ] {
            members.entry(name).or_insert(zero);
        }
        if members.get("table_name_key") == Some(&json!("")) {
            members.remove("table_name_key");
        }
        assert_eq!(again, recorded, "{}", path.display());
        seen += 1;
    }
    assert!(seen > 10, "{seen}");
}
