use super::binary::{RawDataReply, RawMessageReply, TmqBinary, TmqBlockReply};
use crate::protocol::action::Action;
use crate::protocol::reply::masked;
use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

/// Any text reply of `/rest/tmq`, read in one pass; members that a reply lacks keep their zero value.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct TmqReply {
    /// 0, or the low 16 bits of the engine's code (§13).
    #[serde(deserialize_with = "masked")]
    pub code: u32,
    /// The server's words, empty on success.
    pub message: String,
    /// Echo of the action.
    pub action: Action,
    /// Echo of the request id.
    pub req_id: u64,
    /// Server time in nanoseconds.
    pub timing: i64,
    /// `version`, `subscribe`: the server's version.
    pub version: Option<String>,
    /// `poll`: false if no message came in time.
    pub have_message: bool,
    /// `poll`, `commit_offset`: the topic.
    pub topic: Option<String>,
    /// `poll`: the topic's database.
    pub database: Option<String>,
    /// `poll`, `commit_offset`: the vgroup.
    pub vgroup_id: i32,
    /// `poll`: 1 data, 2 meta, 3 both, 4 rows as they are stored.
    pub message_type: i32,
    /// `poll`, requests about a message: its number.
    pub message_id: u64,
    /// `poll`, `commit_offset`: a place in the log.
    pub offset: i64,
    /// `fetch`: true behind the last block.
    pub completed: bool,
    /// `fetch`: the block's table.
    pub table_name: Option<String>,
    /// `fetch`: rows of the block.
    pub rows: i64,
    /// `fetch`: number of columns.
    pub fields_count: i64,
    /// `fetch`: names.
    pub fields_names: Option<Vec<String>>,
    /// `fetch`: type ids.
    pub fields_types: Option<Vec<u8>>,
    /// `fetch`: declared widths.
    pub fields_lengths: Option<Vec<i64>>,
    /// `fetch`: 0 ms, 1 µs, 2 ns.
    pub precision: i64,
    /// `fetch_json_meta`: JSON text.
    #[serde(deserialize_with = "json_text")]
    pub data: Option<String>,
    /// `assignment`: the vgroups.
    pub assignment: Option<Vec<AssignmentReply>>,
    /// `committed`: places in the order asked.
    pub committed: Option<Vec<i64>>,
    /// `position`: places in the order asked.
    pub position: Option<Vec<i64>>,
    /// `list_topics`: the topics.
    pub topics: Option<Vec<String>>,
}

/// A vgroup in the answer to `assignment` (§11.8).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AssignmentReply {
    /// The vgroup.
    pub vgroup_id: i32,
    /// Where the last message began; before the first, where consuming will begin.
    pub offset: i64,
    /// The oldest version in the log.
    pub begin: i64,
    /// One more than the newest.
    pub end: i64,
}

fn json_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let value = Option::<&'de RawValue>::deserialize(deserializer)?;
    Ok(value.map(|value| value.get().to_owned()))
}

/// What a frame received on `/rest/tmq` is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TmqFrame {
    /// A JSON reply.
    Text(Box<TmqReply>),
    /// The answer to fetch_raw.
    RawMessage(RawMessageReply),
    /// The answer to fetch_raw_data.
    RawData(RawDataReply),
    /// The answer to fetch_block.
    Block(TmqBlockReply),
    /// Something that is not the protocol.
    Malformed {
        /// The request it answers, if that much could be read.
        req_id: Option<u64>,
        /// What is wrong with it.
        reason: String,
    },
}

impl TmqFrame {
    /// The request that it answers.
    #[must_use]
    pub const fn req_id(&self) -> Option<u64> {
        match self {
            Self::Text(reply) => Some(reply.req_id),
            Self::RawMessage(reply) => Some(reply.req_id),
            Self::RawData(reply) => Some(reply.req_id),
            Self::Block(reply) => Some(reply.req_id),
            Self::Malformed { req_id, .. } => *req_id,
        }
    }
}

/// Reads a text frame of `/rest/tmq`.
#[must_use]
pub fn classify_tmq_text(text: &str) -> TmqFrame {
    match serde_json::from_str::<TmqReply>(text) {
        Ok(reply) => TmqFrame::Text(Box::new(reply)),
        Err(error) => TmqFrame::Malformed {
            req_id: None,
            reason: format!("a text frame of {} bytes is no reply: {error}", text.len()),
        },
    }
}

/// Reads a binary frame of `/rest/tmq` (§3.4). Messages and blocks stay views of the frame.
#[must_use]
pub fn classify_tmq_binary(frame: &Bytes) -> TmqFrame {
    match TmqBinary::decode(frame) {
        Ok(TmqBinary::RawMessage(reply)) => TmqFrame::RawMessage(reply),
        Ok(TmqBinary::RawData(reply)) => TmqFrame::RawData(reply),
        Ok(TmqBinary::Block(reply)) => TmqFrame::Block(reply),
        Err(bad) => TmqFrame::Malformed {
            req_id: bad.req_id,
            reason: bad.reason,
        },
    }
}

/// Feeds arbitrary bytes to every reader of frames; used by fuzzing. What a binary reply decodes to
/// must encode to the same bytes again.
pub fn fuzz_tmq(data: &[u8]) {
    let frame = Bytes::copy_from_slice(data);
    let again = match classify_tmq_binary(&frame) {
        TmqFrame::RawMessage(reply) => reply.encode(),
        TmqFrame::Block(reply) => Some(reply.encode()),
        TmqFrame::RawData(reply) if frame.get(34..42) == Some(&[0; 8]) => reply.encode(),
        _ => Some(frame.clone()),
    };
    assert!(
        again == Some(frame),
        "a reply does not encode to what it was decoded from"
    );
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = classify_tmq_text(text);
        let _ = super::decode_tmq(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::RawDataOutcome;

    fn samples() -> [TmqFrame; 4] {
        let raw = Bytes::from_static(b"sixteen bytes ..");
        let data = |outcome| RawDataReply {
            timing: 7,
            req_id: u64::MAX - 1,
            message_id: u64::MAX,
            outcome,
        };
        [
            TmqFrame::RawMessage(RawMessageReply {
                timing: 7,
                req_id: u64::MAX - 1,
                message_id: u64::MAX,
                raw_type: 515,
                raw: raw.clone(),
            }),
            TmqFrame::Block(TmqBlockReply {
                timing: 7,
                req_id: u64::MAX - 1,
                message_id: u64::MAX,
                block: raw.clone(),
            }),
            TmqFrame::RawData(data(RawDataOutcome::Message { raw_type: 2, raw })),
            TmqFrame::RawData(data(RawDataOutcome::Error {
                code: 0xFFFF,
                message: "message has been freed".into(),
            })),
        ]
    }

    fn encode(frame: &TmqFrame) -> Bytes {
        match frame {
            TmqFrame::RawMessage(reply) => reply.encode().unwrap(),
            TmqFrame::RawData(reply) => reply.encode().unwrap(),
            TmqFrame::Block(reply) => reply.encode(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn binary_replies_come_back_as_they_were_and_cuts_are_refused() {
        for sample in samples() {
            let frame = encode(&sample);
            assert_eq!(classify_tmq_binary(&frame), sample);
            if matches!(sample, TmqFrame::Block(_)) {
                continue;
            }
            for end in 0..frame.len() {
                let cut = classify_tmq_binary(&frame.slice(..end));
                assert!(matches!(cut, TmqFrame::Malformed { .. }), "{end}: {cut:?}");
            }
            let longer = [&frame[..], b"x"].concat();
            let TmqFrame::Malformed { req_id, .. } = classify_tmq_binary(&longer.into()) else {
                panic!("bytes behind the end are taken");
            };
            assert_eq!(req_id, Some(u64::MAX - 1));
        }
    }

    #[test]
    fn codes_of_nothing_and_nulls_are_read() {
        let text = r#"{"code":0,"message":"","action":"committed","req_id":18446744073709551615,"timing":1,"committed":[-2147467247,4]}"#;
        let TmqFrame::Text(reply) = classify_tmq_text(text) else {
            panic!("not read");
        };
        assert_eq!(reply.req_id, u64::MAX);
        assert_eq!(reply.committed, Some(vec![crate::protocol::NO_OFFSET, 4]));
        let text = r#"{"code":0,"req_id":1,"action":"assignment","assignment":null,"data":null}"#;
        let TmqFrame::Text(reply) = classify_tmq_text(text) else {
            panic!("not read");
        };
        assert_eq!((reply.assignment, reply.data), (None, None));
    }
}
