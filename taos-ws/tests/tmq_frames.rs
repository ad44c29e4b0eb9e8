//! The codec against every `/rest/tmq` frame recorded from a real server.

#![allow(
    clippy::unwrap_used,
    reason = "a recording that cannot be read must fail the test"
)]

use bytes::Bytes;
use serde_json::Value;
use serde_json::value::RawValue;
use std::fs;
use std::path::{Path, PathBuf};
use taos_ws::protocol::{
    Action, AssignmentBody, CommitOffsetBody, CommittedBody, EmptyBody, JsonMetaBody, MessageBody,
    PollBody, PositionBody, RawDataOutcome, ServerReply, SubscribeBody, TmqFetchBody, TmqFrame,
    TmqReply, TmqRequest, TopicsBody, VersionBody, classify_tmq_binary, classify_tmq_text,
    decode_tmq, encode_text, fuzz_tmq,
};

const SCENARIOS: [&str; 5] = [
    "14-tmq-data",
    "15-tmq-errors",
    "16-tmq-db-meta",
    "20-tmq-stable-topic",
    "21-tmq-types",
];

struct Frame {
    path: PathBuf,
    bytes: Bytes,
}

fn frames(kind: &str, direction: &str) -> Vec<Frame> {
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
            if frame["kind"] == kind && frame["direction"] == direction {
                let path = folder.join(file);
                let bytes = fs::read(&path).unwrap().into();
                frames.push(Frame { path, bytes });
            }
        }
    }
    frames
}

fn encode_request(request: &TmqRequest) -> String {
    match request {
        TmqRequest::Version(args) => encode_text(&Action::Version, args),
        TmqRequest::Subscribe(args) => encode_text(&Action::Subscribe, args),
        TmqRequest::Poll(args) => encode_text(&Action::Poll, args),
        TmqRequest::Fetch(args) => encode_text(&Action::Fetch, args),
        TmqRequest::FetchBlock(args) => encode_text(&Action::FetchBlock, args),
        TmqRequest::FetchRaw(args) => encode_text(&Action::FetchRaw, args),
        TmqRequest::FetchRawData(args) => encode_text(&Action::FetchRawData, args),
        TmqRequest::FetchJsonMeta(args) => encode_text(&Action::FetchJsonMeta, args),
        TmqRequest::Commit(args) => encode_text(&Action::Commit, args),
        TmqRequest::CommitOffset(args) => encode_text(&Action::CommitOffset, args),
        TmqRequest::Assignment(args) => encode_text(&Action::Assignment, args),
        TmqRequest::Seek(args) => encode_text(&Action::Seek, args),
        TmqRequest::Committed(args) => encode_text(&Action::Committed, args),
        TmqRequest::Position(args) => encode_text(&Action::Position, args),
        TmqRequest::ListTopics(args) => encode_text(&Action::ListTopics, args),
        TmqRequest::Unsubscribe(args) => encode_text(&Action::Unsubscribe, args),
        other => panic!("no writer for {other:?}"),
    }
}

#[test]
fn text_requests_decode_and_encode_to_the_recorded_members() {
    let frames = frames("text", "c2s");
    assert!(frames.len() > 230, "{}", frames.len());
    for frame in frames {
        let text = std::str::from_utf8(&frame.bytes).unwrap();
        let request = decode_tmq(text).unwrap_or_else(|| panic!("{}", frame.path.display()));
        let again: Value = serde_json::from_str(&encode_request(&request)).unwrap();
        let mut recorded: Value = serde_json::from_str(text).unwrap();
        if let Value::Object(args) = &mut recorded["args"] {
            // What is empty need not be sent.
            args.retain(|name, value| name == "group_id" || value != "");
        }
        assert_eq!(again, recorded, "{}", frame.path.display());
    }
}

/// Writes a decoded reply again as a server would.
fn encode_reply(reply: &TmqReply) -> String {
    fn write<B: serde::Serialize>(reply: &TmqReply, body: B) -> String {
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
    let message = MessageBody {
        message_id: reply.message_id,
    };
    let of_message = matches!(
        reply.action,
        Action::Fetch | Action::FetchBlock | Action::FetchRaw | Action::FetchJsonMeta
    );
    match &reply.action {
        _ if reply.code != 0 && of_message => write(reply, message),
        _ if reply.code != 0 => write(reply, EmptyBody {}),
        Action::Commit => write(reply, message),
        Action::Version => write(
            reply,
            VersionBody {
                version: reply.version.as_deref().unwrap(),
            },
        ),
        Action::Subscribe => write(
            reply,
            SubscribeBody {
                version: reply.version.as_deref(),
            },
        ),
        Action::Poll => write(reply, poll(reply)),
        Action::Fetch => write(reply, fetch(reply)),
        Action::FetchJsonMeta => {
            let data: &RawValue = serde_json::from_str(reply.data.as_deref().unwrap()).unwrap();
            let message_id = reply.message_id;
            write(reply, JsonMetaBody { message_id, data })
        }
        Action::CommitOffset => write(
            reply,
            CommitOffsetBody {
                topic: reply.topic.as_deref().unwrap(),
                vgroup_id: reply.vgroup_id,
                offset: reply.offset,
            },
        ),
        Action::Assignment => {
            let assignment = reply.assignment.clone();
            write(reply, AssignmentBody { assignment })
        }
        Action::Committed => {
            let committed = reply.committed.clone();
            write(reply, CommittedBody { committed })
        }
        Action::Position => {
            let position = reply.position.clone();
            write(reply, PositionBody { position })
        }
        Action::ListTopics => {
            let topics = reply.topics.clone();
            write(reply, TopicsBody { topics })
        }
        Action::Seek | Action::Unsubscribe => write(reply, EmptyBody {}),
        other => panic!("no writer for {other}"),
    }
}

fn poll(reply: &TmqReply) -> PollBody<'_> {
    PollBody {
        have_message: reply.have_message,
        topic: reply.topic.as_deref().unwrap(),
        database: reply.database.as_deref().unwrap(),
        vgroup_id: reply.vgroup_id,
        message_type: reply.message_type,
        message_id: reply.message_id,
        offset: reply.offset,
    }
}

fn fetch(reply: &TmqReply) -> TmqFetchBody<'_> {
    TmqFetchBody {
        message_id: reply.message_id,
        completed: reply.completed,
        table_name: reply.table_name.as_deref().unwrap(),
        rows: usize::try_from(reply.rows).unwrap(),
        fields_count: usize::try_from(reply.fields_count).unwrap(),
        fields_names: reply
            .fields_names
            .as_ref()
            .map(|names| names.iter().map(String::as_str).collect()),
        fields_types: reply.fields_types.clone(),
        fields_lengths: reply.fields_lengths.clone(),
        precision: u8::try_from(reply.precision).unwrap(),
    }
}

#[test]
fn text_replies_decode_and_encode_to_the_recorded_bytes() {
    let frames = frames("text", "s2c");
    assert!(frames.len() > 150, "{}", frames.len());
    for frame in frames {
        let text = std::str::from_utf8(&frame.bytes).unwrap();
        let TmqFrame::Text(reply) = classify_tmq_text(text) else {
            panic!("{}", frame.path.display());
        };
        assert_eq!(encode_reply(&reply), text, "{}", frame.path.display());
    }
}

#[test]
fn binary_replies_decode_and_encode_to_the_recorded_bytes() {
    let (mut raw, mut data, mut blocks, mut errors) = (0, 0, 0, 0);
    for frame in frames("binary", "s2c") {
        let again = match classify_tmq_binary(&frame.bytes) {
            TmqFrame::RawMessage(reply) => {
                raw += 1;
                reply.encode().unwrap()
            }
            TmqFrame::RawData(reply) => {
                data += 1;
                errors += usize::from(matches!(reply.outcome, RawDataOutcome::Error { .. }));
                reply.encode().unwrap()
            }
            TmqFrame::Block(reply) => {
                blocks += 1;
                reply.encode()
            }
            other => panic!("{}: {other:?}", frame.path.display()),
        };
        assert_eq!(again, frame.bytes, "{}", frame.path.display());
        fuzz_tmq(&frame.bytes);
    }
    assert!(
        raw == 1 && data > 20 && blocks > 20 && errors == 1,
        "{raw} {data} {blocks} {errors}"
    );
}
