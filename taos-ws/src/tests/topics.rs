//! A server of topics of which the test writes every answer.

use super::peer::{Accepts, Peer, block};
use crate::consumer::{Consumer, TmqBuilder};
use crate::protocol::{
    PollArgs, RawDataOutcome, RawDataReply, SubscribeArgs, TmqRequest, decode_tmq,
};
use crate::transport::BoxSocket;
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;
use taos_query::AsyncTBuilder as _;
use taos_query::tmq::raw::{DATA, DataEntry, DataMessage, Place};
use taos_query::tmq::{
    AsAsyncConsumer as _, Data, IsAsyncData as _, IsOffset as _, MessageSet, Meta, Offset,
};
use tokio::sync::mpsc;

/// A DSN without pauses, for tests that do not wait for them.
pub(super) const DSN: &str =
    "ws://root:taosdata@peer:6041?group.id=g&conn_retries=2&retry_backoff_ms=1&timeout=20s";

pub(super) const TOPIC: &str = "t";

/// A consumer that is connected and not subscribed, and its server.
pub(super) async fn connected(dsn: &str, version: &str) -> (Consumer, Peer, Accepts) {
    let (ends, accepts) = mpsc::unbounded_channel();
    let pipes = move |_: &crate::config::Address| {
        let (client, server) = tokio::io::duplex(1 << 16);
        ends.send(server).ok()?;
        Some(Box::new(client) as BoxSocket)
    };
    let builder = TmqBuilder::from_dsn(dsn).unwrap();
    let mut accepts = Accepts::new(accepts);
    let (consumer, peer) =
        tokio::join!(builder.build_over(Arc::new(pipes)), accepts.greet(version));
    (consumer.unwrap(), peer, accepts)
}

/// The same, subscribed to [`TOPIC`].
pub(super) async fn subscribed(dsn: &str) -> (Consumer, Peer, Accepts) {
    let (mut consumer, mut peer, accepts) = connected(dsn, "3.3.7.5").await;
    let (done, _) = tokio::join!(consumer.subscribe([TOPIC]), peer.subscribe(0));
    done.unwrap();
    (consumer, peer, accepts)
}

/// The bytes of a message of one block of the table `d1`.
pub(super) fn rows(begin: i64, end: i64, values: &[i64]) -> Bytes {
    message(Place::Log(begin), Place::Log(end), values)
}

pub(super) fn message(begin: Place, end: Place, values: &[i64]) -> Bytes {
    let message = DataMessage {
        begin,
        end,
        entries: vec![DataEntry {
            block: block(values),
            rows: values.len().try_into().unwrap(),
            precision: 0,
            schema: None,
            table: Some("d1".into()),
        }],
        creates: Vec::new(),
    };
    message.encode(DATA)
}

/// All rows of a message.
pub(super) async fn values(data: &Data) -> Vec<i64> {
    let mut all = Vec::new();
    while let Some(block) = data.fetch_raw_block().await.unwrap() {
        let rows: Vec<i64> = block.deserialize().collect::<Result<_, _>>().unwrap();
        all.extend(rows);
    }
    all
}

/// The place and the rows of a message.
pub(super) async fn read(message: Option<(Offset, MessageSet<Meta, Data>)>) -> (i64, Vec<i64>) {
    let (offset, set) = message.expect("a message came");
    let data = set.into_data().expect("it has rows");
    (offset.offset(), values(&data).await)
}

impl Accepts {
    /// The next connection, after `version`.
    pub(super) async fn greet(&mut self, version: &str) -> Peer {
        let mut peer = self.accept().await;
        assert!(peer.upgrade_with("").await.starts_with("GET /rest/tmq "));
        peer.version(version).await;
        peer
    }
}

impl Peer {
    /// The next request, or nothing when the client closes.
    pub(super) async fn request(&mut self) -> Option<TmqRequest> {
        loop {
            let (first, payload) = self.recv_frame().await?;
            match first & 0x0F {
                1 => return Some(decode_tmq(std::str::from_utf8(&payload).unwrap()).unwrap()),
                8 => return None,
                9 | 10 => {}
                other => panic!("opcode {other}"),
            }
        }
    }

    /// A successful answer with these members.
    pub(super) async fn ok(&mut self, action: &str, req_id: u64, members: &str) {
        self.text(&format!(
            r#"{{"code":0,"message":"","action":"{action}","req_id":{req_id},"timing":1{members}}}"#
        ))
        .await;
    }

    pub(super) async fn refuse(&mut self, action: &str, req_id: u64, code: u32, message: &str) {
        self.text(&format!(
            r#"{{"code":{code},"message":"{message}","action":"{action}","req_id":{req_id},"timing":1}}"#
        ))
        .await;
    }

    /// Takes a subscription, and the question where the only vgroup, 2, begins.
    pub(super) async fn subscribe(&mut self, start: i64) -> SubscribeArgs {
        let Some(TmqRequest::Subscribe(args)) = self.request().await else {
            panic!("`subscribe` was expected");
        };
        self.ok("subscribe", args.req_id, "").await;
        self.assign(start, 0, 100).await;
        *args
    }

    pub(super) async fn assign(&mut self, offset: i64, begin: i64, end: i64) {
        match self.request().await {
            Some(TmqRequest::Assignment(args)) => {
                let vgroup = format!(
                    r#","assignment":[{{"vgroup_id":2,"offset":{offset},"begin":{begin},"end":{end}}}]"#
                );
                self.ok("assignment", args.req_id, &vgroup).await;
            }
            other => panic!("`assignment` was expected, not {other:?}"),
        }
    }

    /// Takes a subscription that follows a loss, of which the server would go on at `start`.
    pub(super) async fn resubscribe(&mut self, start: i64, committed: i64) {
        let Some(TmqRequest::Subscribe(args)) = self.request().await else {
            panic!("`subscribe` was expected");
        };
        self.ok("subscribe", args.req_id, "").await;
        self.assign(start, 0, 100).await;
        self.committed(committed).await;
    }

    pub(super) async fn committed(&mut self, offset: i64) {
        match self.request().await {
            Some(TmqRequest::Committed(args)) => {
                let members = format!(r#","committed":[{offset}]"#);
                self.ok("committed", args.req_id, &members).await;
            }
            other => panic!("`committed` was expected, not {other:?}"),
        }
    }

    pub(super) async fn poll(&mut self) -> PollArgs {
        match self.request().await {
            Some(TmqRequest::Poll(args)) => args,
            other => panic!("`poll` was expected, not {other:?}"),
        }
    }

    /// Answers a poll that there is nothing.
    pub(super) async fn nothing(&mut self, req_id: u64) {
        self.ok(
            "poll",
            req_id,
            r#","have_message":false,"topic":"","database":"","vgroup_id":0,"message_type":0,"message_id":0,"offset":0"#,
        )
        .await;
    }

    /// Answers a poll.
    pub(super) async fn message(&mut self, req_id: u64, id: u64, kind: i32, offset: i64) {
        self.ok(
            "poll",
            req_id,
            &format!(
                r#","have_message":true,"topic":"{TOPIC}","database":"db","vgroup_id":2,"message_type":{kind},"message_id":{id},"offset":{offset}"#
            ),
        )
        .await;
    }

    /// Serves one message of rows: the poll, and the fetch of the whole.
    pub(super) async fn serve_rows(
        &mut self,
        id: u64,
        begin: i64,
        end: i64,
        values: &[i64],
    ) -> PollArgs {
        let poll = self.poll().await;
        self.message(poll.req_id, id, 1, begin).await;
        self.serve_raw(id, DATA, rows(begin, end, values)).await;
        poll
    }

    pub(super) async fn serve_raw(&mut self, id: u64, raw_type: u16, raw: Bytes) {
        let args = match self.request().await {
            Some(TmqRequest::FetchRawData(args)) => args,
            other => panic!("`fetch_raw_data` was expected, not {other:?}"),
        };
        assert_eq!(args.message_id, id);
        let reply = RawDataReply {
            timing: 1,
            req_id: args.req_id,
            message_id: id,
            outcome: RawDataOutcome::Message { raw_type, raw },
        };
        self.binary(&reply.encode().unwrap()).await;
    }

    /// Takes a commit of a place in the vgroup 2.
    pub(super) async fn commit_offset(&mut self) -> i64 {
        match self.request().await {
            Some(TmqRequest::CommitOffset(args)) => {
                assert_eq!((args.topic.as_str(), args.vgroup_id), (TOPIC, 2));
                self.ok("commit_offset", args.req_id, "").await;
                args.offset
            }
            other => panic!("`commit_offset` was expected, not {other:?}"),
        }
    }

    /// True if the client has nothing to say for so long, on a paused clock.
    pub(super) async fn is_silent_for(&mut self, long: Duration) -> bool {
        tokio::time::timeout(long, self.request()).await.is_err()
    }

    /// Takes any request but those for messages, which find nothing.
    pub(super) async fn request_but_polls(&mut self) -> Option<TmqRequest> {
        loop {
            match self.request().await {
                Some(TmqRequest::Poll(args)) => self.nothing(args.req_id).await,
                other => return other,
            }
        }
    }

    /// Refuses a commit of a place in the vgroup 2.
    pub(super) async fn refuse_commit(&mut self, code: u32) -> i64 {
        match self.request_but_polls().await {
            Some(TmqRequest::CommitOffset(args)) => {
                self.refuse("commit_offset", args.req_id, code, "no").await;
                args.offset
            }
            other => panic!("`commit_offset` was expected, not {other:?}"),
        }
    }

    /// Refuses a seek in the vgroup 2.
    pub(super) async fn refuse_seek(&mut self, code: u32) -> i64 {
        match self.request().await {
            Some(TmqRequest::Seek(args)) => {
                self.refuse("seek", args.req_id, code, "no").await;
                args.offset
            }
            other => panic!("`seek` was expected, not {other:?}"),
        }
    }

    /// Answers which vgroups there are: none.
    pub(super) async fn assign_nothing(&mut self) {
        match self.request_but_polls().await {
            Some(TmqRequest::Assignment(args)) => {
                self.ok("assignment", args.req_id, r#","assignment":null"#)
                    .await;
            }
            other => panic!("`assignment` was expected, not {other:?}"),
        }
    }

    /// Takes a subscription, and tells nothing more.
    pub(super) async fn joined(&mut self) {
        let Some(TmqRequest::Subscribe(args)) = self.request().await else {
            panic!("`subscribe` was expected");
        };
        self.ok("subscribe", args.req_id, "").await;
    }

    /// Takes a seek in the vgroup 2.
    pub(super) async fn sought(&mut self) -> i64 {
        match self.request().await {
            Some(TmqRequest::Seek(args)) => {
                assert_eq!((args.topic.as_str(), args.vgroup_id), (TOPIC, 2));
                self.ok("seek", args.req_id, "").await;
                args.offset
            }
            other => panic!("`seek` was expected, not {other:?}"),
        }
    }

    pub(super) async fn unsubscribed(&mut self) {
        match self.request().await {
            Some(TmqRequest::Unsubscribe(args)) => self.ok("unsubscribe", args.req_id, "").await,
            other => panic!("`unsubscribe` was expected, not {other:?}"),
        }
    }
}
