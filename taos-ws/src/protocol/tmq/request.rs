use super::args::{MessageArgs, OffsetArgs, PollArgs, SubscribeArgs, TopicArgs, VgroupsArgs};
use crate::protocol::action::Action;
use crate::protocol::args::ReqArgs;
use crate::protocol::request::{Parts, read};

/// A request on `/rest/tmq` as a server sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TmqRequest {
    /// §5.1
    Version(ReqArgs),
    /// §11.1
    Subscribe(Box<SubscribeArgs>),
    /// §11.2
    Poll(PollArgs),
    /// §11.4
    Fetch(MessageArgs),
    /// §11.4
    FetchBlock(MessageArgs),
    /// §11.5
    FetchRaw(MessageArgs),
    /// §11.6
    FetchRawData(MessageArgs),
    /// §11.7
    FetchJsonMeta(MessageArgs),
    /// §11.8
    Commit(MessageArgs),
    /// §11.8
    CommitOffset(OffsetArgs),
    /// §11.8
    Assignment(TopicArgs),
    /// §11.8
    Seek(OffsetArgs),
    /// §11.8
    Committed(VgroupsArgs),
    /// §11.8
    Position(VgroupsArgs),
    /// §11.8
    ListTopics(ReqArgs),
    /// §11.8
    Unsubscribe(ReqArgs),
}

/// Decodes a request. `None` for whatever gets no answer on this endpoint: text that is not JSON,
/// an unknown action, arguments of the wrong shape (§11).
#[must_use]
pub fn decode_tmq(text: &str) -> Option<TmqRequest> {
    let parts = serde_json::from_str::<Parts<'_>>(text).ok()?;
    let args = parts.args;
    Some(match Action::from(parts.action.as_str()) {
        Action::Version if args.is_none() => TmqRequest::Version(ReqArgs::default()),
        Action::Version => TmqRequest::Version(read(args)?),
        Action::Subscribe => TmqRequest::Subscribe(Box::new(read(args)?)),
        Action::Poll => TmqRequest::Poll(read(args)?),
        Action::Fetch => TmqRequest::Fetch(read(args)?),
        Action::FetchBlock => TmqRequest::FetchBlock(read(args)?),
        Action::FetchRaw => TmqRequest::FetchRaw(read(args)?),
        Action::FetchRawData => TmqRequest::FetchRawData(read(args)?),
        Action::FetchJsonMeta => TmqRequest::FetchJsonMeta(read(args)?),
        Action::Commit => TmqRequest::Commit(read(args)?),
        Action::CommitOffset => TmqRequest::CommitOffset(read(args)?),
        Action::Assignment => TmqRequest::Assignment(read(args)?),
        Action::Seek => TmqRequest::Seek(read(args)?),
        Action::Committed => TmqRequest::Committed(read(args)?),
        Action::Position => TmqRequest::Position(read(args)?),
        Action::ListTopics => TmqRequest::ListTopics(read(args)?),
        Action::Unsubscribe => TmqRequest::Unsubscribe(read(args)?),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::encode_text;

    #[test]
    fn what_a_server_may_not_answer_decodes_to_nothing() {
        for text in [
            "",
            "{not json",
            r#"{"action":"dance","args":{"req_id":1}}"#,
            r#"{"action":"poll"}"#,
            r#"{"action":"poll","args":{"req_id":-1}}"#,
            r#"{"action":"poll","args":{"req_id":1,"message_id":"7"}}"#,
            r#"{"action":"query","args":{"req_id":1,"sql":"select 1"}}"#,
        ] {
            assert_eq!(decode_tmq(text), None, "{text}");
        }
    }

    #[test]
    fn nulls_and_the_older_spelling_are_read_and_ids_stay_exact() {
        let text = r#"{"action":"subscribe","args":{"req_id":18446744073709551615,"group_id":"g","offset_rest":"earliest","topics":null,"auto_commit_interval_ms":null,"offset_seek":null}}"#;
        let Some(TmqRequest::Subscribe(args)) = decode_tmq(text) else {
            panic!("not read");
        };
        assert_eq!((args.req_id, args.reset()), (u64::MAX, "earliest"));
        assert_eq!(args.topics, Vec::<String>::new());
        let poll = PollArgs::new(u64::MAX - 1, 500, Some(u64::MAX));
        let text = encode_text(&Action::Poll, &poll);
        assert_eq!(decode_tmq(&text), Some(TmqRequest::Poll(poll)));
        let null = r#"{"action":"poll","args":{"req_id":1,"blocking_time":5,"message_id":null}}"#;
        assert_eq!(
            decode_tmq(null),
            Some(TmqRequest::Poll(PollArgs::new(1, 5, None)))
        );
    }

    #[test]
    fn secrets_of_a_subscription_do_not_show() {
        let mut args = SubscribeArgs::new(1, "g", vec!["t".into()]);
        args.password = "hunter2".into();
        args.config
            .insert("td.connect.token".into(), "tok-tok".into());
        let shown = format!("{args:?}");
        assert!(
            !shown.contains("hunter2") && !shown.contains("tok-tok"),
            "{shown}"
        );
    }
}
