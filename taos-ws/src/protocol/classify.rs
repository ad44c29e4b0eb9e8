use super::fetch::{BadFetch, FETCH_TAG, FetchReply, OldBlockReply};
use super::reader::Reader;
use super::reply::TextReply;
use super::tagged::TAGGED;
use bytes::Bytes;

/// What a received frame is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reply {
    /// A JSON reply, paired by its `req_id`.
    Text(Box<TextReply>),
    /// The answer to fetch_raw_block, paired by its `req_id`.
    Fetch(FetchReply),
    /// The answer to `fetch_block`, paired by its result id.
    OldBlock(OldBlockReply),
    /// Something that is not the protocol.
    Malformed {
        /// The request it answers, if that much could be read.
        req_id: Option<u64>,
        /// What is wrong with it.
        reason: String,
    },
}

/// Reads a text frame.
#[must_use]
pub fn classify_text(text: &str) -> Reply {
    match serde_json::from_str::<TextReply>(text) {
        Ok(reply) => Reply::Text(Box::new(reply)),
        Err(error) => Reply::Malformed {
            req_id: None,
            reason: format!("a text frame of {} bytes is no reply: {error}", text.len()),
        },
    }
}

/// Reads a binary frame of `/ws` (§3.4). Blocks stay views of the frame.
#[must_use]
pub fn classify_binary(frame: &Bytes) -> Reply {
    let malformed = |bad: BadFetch| Reply::Malformed {
        req_id: bad.req_id,
        reason: bad.reason,
    };
    let mut reader = Reader::new(frame);
    match (reader.u64(), reader.u64()) {
        (Ok(TAGGED), Ok(FETCH_TAG)) => {
            FetchReply::decode(frame).map_or_else(malformed, Reply::Fetch)
        }
        (Ok(TAGGED), Ok(tag)) => Reply::Malformed {
            req_id: None,
            reason: format!("a binary frame carries the unknown tag {tag}"),
        },
        (Ok(_), Ok(_)) => OldBlockReply::decode(frame).map_or_else(malformed, Reply::OldBlock),
        _ => Reply::Malformed {
            req_id: None,
            reason: format!("a binary frame of {} bytes is too short", frame.len()),
        },
    }
}

/// Feeds arbitrary bytes to every reader of frames; used by the fuzz targets and their corpora.
///
/// Whatever a fetch reply decodes to must encode to the same bytes again.
pub fn fuzz_reply(data: &[u8]) {
    let frame = Bytes::copy_from_slice(data);
    if let Reply::Fetch(reply) = classify_binary(&frame) {
        let lossless = match &reply.outcome {
            super::FetchOutcome::Block(_) => true,
            super::FetchOutcome::End => frame.len() == 51,
            super::FetchOutcome::Error { .. } => false,
        };
        if lossless && frame.get(38..42) == Some(&[0; 4]) {
            let again = reply.encode();
            assert!(
                again
                    .as_ref()
                    .is_some_and(|again| again.get(..50) == frame.get(..50)),
                "a fetch reply does not encode to what it was decoded from"
            );
        }
    }
    let _ = super::decode_binary(&frame);
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = classify_text(text);
        let _ = super::decode_text(text);
    }
}
