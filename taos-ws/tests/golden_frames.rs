//! The codec against every `/ws` frame recorded from a real server, byte for byte.

#![allow(
    clippy::unwrap_used,
    reason = "a recording that cannot be read must fail the test"
)]

use bytes::Bytes;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use taos_ws::protocol::{
    Action, BinaryRequest, ConnBody, CurrentDbBody, EmptyBody, FetchBody, NumFieldsBody, QueryBody,
    Reply, ServerInfoBody, ServerReply, StatusBody, TextReply, ValidateBody, VersionBody,
    classify_binary, classify_text, decode_binary, decode_text, encode_fetch_raw_block,
    encode_query, encode_validate_sql,
};

const SCENARIOS: [&str; 9] = [
    "01-version-conn",
    "02-conn-errors",
    "03-types-ms",
    "06-query-json",
    "07-json-tag",
    "08-multi-block",
    "09-query-errors",
    "17-options-misc",
    "23-frame-errors",
];

struct Frame {
    path: PathBuf,
    from_client: bool,
    bytes: Bytes,
}

fn frames(kind: &str) -> Vec<Frame> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden");
    let mut frames = Vec::new();
    for scenario in SCENARIOS {
        let folder = root.join(scenario);
        let index: Value =
            serde_json::from_slice(&fs::read(folder.join("index.json")).unwrap()).unwrap();
        for frame in index["frames"].as_array().unwrap() {
            let Some(file) = frame["file"].as_str() else {
                continue;
            };
            if frame["kind"] != kind || file.contains("handshake") {
                continue;
            }
            let path = folder.join(file);
            frames.push(Frame {
                bytes: fs::read(&path).unwrap().into(),
                from_client: frame["direction"] == "c2s",
                path,
            });
        }
    }
    assert!(
        frames.len() > 20,
        "only {} {kind} frames found",
        frames.len()
    );
    frames
}

#[test]
fn binary_requests_decode_and_encode_to_the_recorded_bytes() {
    let mut seen = 0;
    for frame in frames("binary").iter().filter(|frame| frame.from_client) {
        let again = match decode_binary(&frame.bytes) {
            Ok(BinaryRequest::Query { req_id, sql }) => encode_query(req_id, &sql).unwrap(),
            Ok(BinaryRequest::ValidateSql { req_id, sql }) => {
                encode_validate_sql(req_id, &sql).unwrap()
            }
            Ok(BinaryRequest::FetchRawBlock { req_id, result_id }) => {
                encode_fetch_raw_block(req_id, result_id)
            }
            Ok(other) => panic!("{}: {other:?}", frame.path.display()),
            Err(_) => continue,
        };
        assert_eq!(again, frame.bytes, "{}", frame.path.display());
        seen += 1;
    }
    assert!(seen > 20, "{seen}");
}

#[test]
fn refused_binary_requests_get_the_recorded_answer() {
    let texts = frames("text");
    let mut refused = 0;
    for frame in frames("binary").iter().filter(|frame| frame.from_client) {
        let Err(bad) = decode_binary(&frame.bytes) else {
            continue;
        };
        let recorded = texts
            .iter()
            .filter(|text| !text.from_client && text.path.parent() == frame.path.parent())
            .filter_map(
                |text| match classify_text(std::str::from_utf8(&text.bytes).ok()?) {
                    Reply::Text(reply) if reply.req_id == bad.req_id => Some(reply),
                    _ => None,
                },
            )
            .next()
            .unwrap();
        assert_eq!(
            (bad.action_name(), &bad.message),
            (recorded.action.as_str(), &recorded.message),
            "{}",
            frame.path.display()
        );
        refused += 1;
    }
    assert_eq!(refused, 3);
}

#[test]
fn binary_replies_decode_and_encode_to_the_recorded_bytes() {
    let mut seen = 0;
    for frame in frames("binary").iter().filter(|frame| !frame.from_client) {
        let again = match classify_binary(&frame.bytes) {
            Reply::Fetch(reply) => reply.encode().unwrap(),
            Reply::OldBlock(reply) => reply.encode(),
            other => panic!("{}: {other:?}", frame.path.display()),
        };
        assert_eq!(again, frame.bytes, "{}", frame.path.display());
        seen += 1;
    }
    assert!(seen > 15, "{seen}");
}

/// Writes a decoded reply again as a server would.
fn encode_again(reply: &TextReply) -> String {
    fn write<B: serde::Serialize>(reply: &TextReply, body: B) -> String {
        ServerReply {
            code: reply.code,
            message: &reply.message,
            action: reply.action.as_str(),
            req_id: reply.req_id,
            timing: reply.timing,
            body,
        }
        .encode()
    }
    if reply.code != 0 {
        return write(reply, EmptyBody {});
    }
    match &reply.action {
        Action::Version => write(
            reply,
            VersionBody {
                version: reply.version.as_deref().unwrap(),
            },
        ),
        Action::Conn => write(
            reply,
            ConnBody {
                version: reply.version.as_deref(),
            },
        ),
        Action::Query | Action::BinaryQuery => write(
            reply,
            QueryBody {
                id: reply.id,
                is_update: reply.is_update,
                affected_rows: reply.affected_rows,
                fields_count: usize::try_from(reply.fields_count).unwrap(),
                fields_names: reply
                    .fields_names
                    .as_ref()
                    .map(|names| names.iter().map(String::as_str).collect()),
                fields_types: reply.fields_types.clone(),
                fields_lengths: reply.fields_lengths.clone(),
                precision: u8::try_from(reply.precision).unwrap(),
                fields_precisions: reply.fields_precisions.clone(),
                fields_scales: reply.fields_scales.clone(),
            },
        ),
        Action::NumFields => write(
            reply,
            NumFieldsBody {
                num_fields: usize::try_from(reply.num_fields).unwrap(),
            },
        ),
        Action::GetCurrentDb => write(
            reply,
            CurrentDbBody {
                db: reply.db.as_deref().unwrap(),
            },
        ),
        Action::GetServerInfo => write(
            reply,
            ServerInfoBody {
                info: reply.info.as_deref().unwrap(),
            },
        ),
        Action::CheckServerStatus => write(
            reply,
            StatusBody {
                status: reply.status,
                details: reply.details.as_deref().unwrap(),
            },
        ),
        Action::ValidateSql => write(
            reply,
            ValidateBody {
                result_code: reply.result_code,
            },
        ),
        Action::OptionsConnection => write(reply, EmptyBody {}),
        other => panic!("no writer for {other}"),
    }
}

#[test]
fn text_replies_decode_and_encode_to_the_recorded_bytes() {
    let mut seen = 0;
    for frame in frames("text").iter().filter(|frame| !frame.from_client) {
        let text = std::str::from_utf8(&frame.bytes).unwrap();
        let Reply::Text(reply) = classify_text(text) else {
            panic!("{}", frame.path.display());
        };
        let again = if reply.action == Action::Fetch && reply.code == 0 {
            // The widths, which a client has no use for, are not kept.
            let lengths: Value = serde_json::from_str(text).unwrap();
            ServerReply::ok(
                "fetch",
                reply.req_id,
                reply.timing,
                FetchBody {
                    id: reply.id,
                    completed: reply.completed,
                    lengths: serde_json::from_value(lengths["lengths"].clone()).unwrap(),
                    rows: usize::try_from(reply.rows).unwrap(),
                },
            )
            .encode()
        } else {
            encode_again(&reply)
        };
        assert_eq!(again, text, "{}", frame.path.display());
        seen += 1;
    }
    assert!(seen > 60, "{seen}");
}

#[test]
fn text_requests_decode_and_refused_ones_get_the_recorded_answer() {
    let all = frames("text");
    let mut refused = 0;
    for (at, frame) in all.iter().enumerate() {
        if !frame.from_client {
            continue;
        }
        let Err(bad) = decode_text(std::str::from_utf8(&frame.bytes).unwrap()) else {
            continue;
        };
        let answer = std::str::from_utf8(&all[at + 1].bytes).unwrap();
        let Reply::Text(recorded) = classify_text(answer) else {
            panic!("{}", all[at + 1].path.display());
        };
        assert_eq!(
            (bad.action.as_str(), bad.req_id, bad.message.as_str()),
            (
                recorded.action.as_str(),
                recorded.req_id,
                recorded.message.as_str()
            ),
            "{}",
            frame.path.display()
        );
        refused += 1;
    }
    assert_eq!(refused, 6);
}
