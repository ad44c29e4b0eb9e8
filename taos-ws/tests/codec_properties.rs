//! Whatever is encoded decodes to the same, and whatever is not a frame is refused without a panic.

use proptest::prelude::*;
use taos_ws::protocol::{
    Action, BinaryRequest, FetchOutcome, FetchReply, Reply, ServerReply, SqlArgs, TextRequest,
    VersionBody, classify_binary, classify_text, decode_binary, decode_text, encode_query,
    encode_text, encode_validate_sql, fuzz_reply,
};

fn outcome() -> impl Strategy<Value = FetchOutcome> {
    prop_oneof![
        Just(FetchOutcome::End),
        (1..=0xFFFFu32, ".*").prop_map(|(code, message)| FetchOutcome::Error { code, message }),
        prop::collection::vec(any::<u8>(), 8..300).prop_map(|mut block| {
            let len = u32::try_from(block.len()).unwrap_or(0);
            block[4..8].copy_from_slice(&len.to_le_bytes());
            FetchOutcome::Block(block.into())
        }),
    ]
}

proptest! {
    #[test]
    fn statements_survive_both_forms_with_any_text_and_id(req_id: u64, sql in ".+") {
        let query = encode_query(req_id, &sql).map(|frame| decode_binary(&frame));
        let expected = BinaryRequest::Query { req_id, sql: sql.clone() };
        prop_assert_eq!(query, Some(Ok(expected)));
        let validate = encode_validate_sql(req_id, &sql).map(|frame| decode_binary(&frame));
        let expected = BinaryRequest::ValidateSql { req_id, sql: sql.clone() };
        prop_assert_eq!(validate, Some(Ok(expected)));
        let args = SqlArgs::new(req_id, sql);
        let text = decode_text(&encode_text(&Action::Query, &args));
        prop_assert_eq!(text, Ok(TextRequest::Query(args)));
    }

    #[test]
    fn fetch_replies_survive_with_any_ids(req_id: u64, result_id: u64, timing: u64, outcome in outcome()) {
        let reply = FetchReply { req_id, result_id, timing, outcome };
        let frame = reply.encode();
        prop_assert!(frame.is_some());
        let read = frame.map(|frame| classify_binary(&frame));
        prop_assert_eq!(read, Some(Reply::Fetch(reply)));
    }

    #[test]
    fn text_replies_survive_with_any_words(req_id: u64, timing: i64, version in ".*", message in ".*") {
        let reply = ServerReply { message: &message, ..ServerReply::ok("version", req_id, timing, VersionBody { version: &version }) };
        let Reply::Text(read) = classify_text(&reply.encode()) else {
            return Err(TestCaseError::fail("not a text reply"));
        };
        prop_assert_eq!((read.req_id, read.timing), (req_id, timing));
        prop_assert_eq!(read.version, Some(version));
        prop_assert_eq!(read.message, message);
    }

    #[test]
    fn arbitrary_bytes_never_panic(data in prop::collection::vec(any::<u8>(), 0..200)) {
        fuzz_reply(&data);
    }

    #[test]
    fn a_damaged_fetch_reply_never_panics(outcome in outcome(), at: prop::sample::Index, bit in 0..8u8, cut: prop::sample::Index) {
        let reply = FetchReply { req_id: 1, result_id: 2, timing: 3, outcome };
        let mut frame = reply.encode().unwrap_or_default().to_vec();
        let at = at.index(frame.len());
        frame[at] ^= 1 << bit;
        frame.truncate(cut.index(frame.len()) + 1);
        fuzz_reply(&frame);
    }
}
