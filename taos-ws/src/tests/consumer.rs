//! Consumers against a scripted server that behaves.

use super::topics::{DSN, TOPIC, connected, read, subscribed, values};
use crate::protocol::{Action, NO_OFFSET, SNAPSHOT_OFFSET, TmqRequest};
use futures_util::StreamExt as _;
use std::time::Duration;
use taos_query::tmq::raw::Place;
use taos_query::tmq::{
    AsAsyncConsumer as _, IsAsyncData as _, IsAsyncMeta as _, IsOffset as _, Timeout,
};
use taos_query::{AsyncTBuilder as _, ErrorKind};

#[tokio::test]
async fn messages_come_whole_and_the_next_is_asked_for_when_the_first_was_taken() {
    let (consumer, mut peer, _accepts) = subscribed(DSN).await;
    let (first, poll) = tokio::join!(consumer.recv(), peer.serve_rows(1, 0, 4, &[1, 2]));
    assert_eq!((poll.blocking_time, poll.message_id), (500, Some(0)));
    let (offset, set) = first.unwrap().unwrap();
    assert_eq!(
        (
            offset.topic(),
            offset.database(),
            offset.vgroup_id(),
            offset.offset()
        ),
        (TOPIC, "db", 2, 0)
    );
    assert_eq!((offset.next(), offset.message_id()), (Some(4), 1));
    // What is ready comes while the user is busy, and nothing waits behind that poll.
    let poll = peer.serve_rows(2, 4, 7, &[3]).await;
    assert_eq!((poll.blocking_time, poll.message_id), (0, Some(1)));
    let data = set.into_data().unwrap();
    let block = data.fetch_raw_block().await.unwrap().unwrap();
    assert_eq!(
        (block.table_name(), block.tmq_db_name()),
        (Some("d1"), Some("db"))
    );
    assert_eq!(data.as_raw_data().await.unwrap().raw_type(), 2);
    let (committed, place) = tokio::join!(consumer.commit(offset), peer.commit_offset());
    committed.unwrap();
    assert_eq!(place, 4);
    assert_eq!(consumer.position(TOPIC, 2).await.unwrap(), 4);
    assert_eq!(read(consumer.recv().await.unwrap()).await, (4, vec![3]));
    assert_eq!(consumer.position(TOPIC, 2).await.unwrap(), 7);
}

#[tokio::test]
async fn the_servers_own_automatic_commit_stays_off_and_the_parameters_arrive() {
    let dsn = format!(
        "{DSN}&enable.auto.commit=true&client.id=c&auto.offset.reset=earliest&\
         fetch.max.wait.ms=10&session.timeout.ms=7000&timezone=Asia/Tokyo"
    );
    let (mut consumer, mut peer, _accepts) = connected(&dsn, "3.3.7.5").await;
    let (done, args) = tokio::join!(consumer.subscribe([TOPIC]), peer.subscribe(0));
    done.unwrap();
    assert_eq!(args.auto_commit, "false");
    assert_eq!(
        (args.group_id.as_str(), args.client_id.as_str()),
        ("g", "c")
    );
    assert_eq!(
        (args.reset(), args.offset_rest.as_str()),
        ("earliest", "earliest")
    );
    assert_eq!(
        (
            args.enable_batch_meta.as_str(),
            args.with_table_name.as_str()
        ),
        ("1", "true")
    );
    assert_eq!(
        (args.session_timeout_ms.as_str(), args.tz.as_str()),
        ("7000", "Asia/Tokyo")
    );
    assert_eq!(args.config["fetch.max.wait.ms"], "10");
    assert_eq!(args.topics, [TOPIC]);
}

#[tokio::test]
async fn a_server_that_knows_no_batches_of_meta_is_asked_without() {
    for (code, message) in [
        (0xFFFE, "unknown"),
        (0x0118, "unknown key: msg.enable.batchmeta"),
    ] {
        let (mut consumer, mut peer, _accepts) = connected(DSN, "3.3.7.5").await;
        let script = async {
            let Some(TmqRequest::Subscribe(args)) = peer.request().await else {
                panic!("`subscribe` was expected");
            };
            assert_eq!(args.enable_batch_meta, "1");
            peer.refuse("subscribe", args.req_id, code, message).await;
            peer.subscribe(0).await
        };
        let (done, args) = tokio::join!(consumer.subscribe([TOPIC]), script);
        done.unwrap();
        assert_eq!(args.enable_batch_meta, "");
    }
}

#[tokio::test]
async fn a_refused_subscription_says_what_to_look_at() {
    for (code, message, words) in [
        (0x03E1, "Topic not exist", "no topic `t`"),
        (0xFFFF, "init tscObj failed", "check user and password"),
        (
            0x0118,
            "invalid value for key 'auto.offset.reset'",
            "auto.offset.reset",
        ),
    ] {
        let (mut consumer, mut peer, _accepts) = connected(DSN, "3.3.7.5").await;
        let script = async {
            let Some(TmqRequest::Subscribe(args)) = peer.request().await else {
                panic!("`subscribe` was expected");
            };
            peer.refuse("subscribe", args.req_id, code, message).await;
        };
        let (done, ()) = tokio::join!(consumer.subscribe([TOPIC]), script);
        let error = done.unwrap_err();
        assert_eq!(
            i64::from(i32::from(error.code())),
            i64::from(code),
            "{error}"
        );
        assert!(error.to_string().contains(words), "{error}");
        let error = consumer.recv().await.unwrap_err();
        assert!(
            error.to_string().contains("call subscribe first"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn one_who_only_looks_has_exactly_one_poll_answered() {
    let (consumer, mut peer, _accepts) = subscribed(DSN).await;
    let script = async {
        let poll = peer.poll().await;
        assert_eq!(poll.blocking_time, 0);
        peer.nothing(poll.req_id).await;
    };
    let (looked, ()) = tokio::join!(consumer.recv_timeout(Timeout::None), script);
    assert!(looked.unwrap().is_none());
    let (looked, poll) = tokio::join!(
        consumer.recv_timeout(Timeout::from_millis(0)),
        peer.serve_rows(1, 0, 4, &[1])
    );
    assert_eq!(poll.blocking_time, 0);
    assert_eq!(read(looked.unwrap()).await, (0, vec![1]));
    // Nothing was asked for in between: the next request is this commit.
    let (done, place) = tokio::join!(consumer.commit_all(), peer.commit_offset());
    done.unwrap();
    assert_eq!(place, 4);
}

#[tokio::test]
async fn nothing_is_polled_for_one_who_never_asks() {
    let (consumer, mut peer, _accepts) = subscribed(DSN).await;
    let script = async {
        let Some(TmqRequest::ListTopics(args)) = peer.request().await else {
            panic!("`list_topics` was expected");
        };
        peer.ok("list_topics", args.req_id, r#","topics":["t"]"#)
            .await;
    };
    let (topics, ()) = tokio::join!(consumer.list_topics(), script);
    assert_eq!(topics.unwrap(), ["t"]);
    let script = async {
        let Some(TmqRequest::Committed(args)) = peer.request().await else {
            panic!("`committed` was expected");
        };
        peer.ok("committed", args.req_id, r#","committed":[-2147467247]"#)
            .await;
    };
    let (committed, ()) = tokio::join!(consumer.committed(TOPIC, 2), script);
    assert_eq!(committed.unwrap(), NO_OFFSET);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_comes_after_its_receiver_left_is_the_next_ones() {
    let (consumer, mut peer, _accepts) = subscribed(DSN).await;
    let gave_up = consumer.recv_timeout(Timeout::from_millis(20));
    let (gave_up, poll) = tokio::join!(gave_up, peer.poll());
    assert!(gave_up.unwrap().is_none());
    assert_eq!(poll.blocking_time, 20);
    peer.message(poll.req_id, 1, 1, 0).await;
    peer.serve_raw(1, 2, super::topics::rows(0, 4, &[1, 2]))
        .await;
    assert_eq!(read(consumer.recv().await.unwrap()).await, (0, vec![1, 2]));
}

#[tokio::test]
async fn meta_comes_as_json_and_as_raw_and_its_place_is_the_servers() {
    let (consumer, mut peer, _accepts) = subscribed(DSN).await;
    let script = async {
        let poll = peer.poll().await;
        peer.message(poll.req_id, 1, 2, 3).await;
        peer.serve_raw(1, 531, (&b"opaque"[..]).into()).await;
        let Some(TmqRequest::FetchJsonMeta(args)) = peer.request().await else {
            panic!("`fetch_json_meta` was expected");
        };
        peer.ok(
            "fetch_json_meta",
            args.req_id,
            r#","message_id":1,"data":{"type":"drop","tableNameList":["d1"]}"#,
        )
        .await;
        let Some(TmqRequest::Position(args)) = peer.request().await else {
            panic!("`position` was expected");
        };
        peer.ok("position", args.req_id, r#","position":[3]"#).await;
    };
    let (message, ()) = tokio::join!(consumer.recv(), script);
    let (offset, set) = message.unwrap().unwrap();
    assert!(set.has_meta() && !set.has_data());
    assert_eq!(offset.next(), Some(3));
    let meta = set.into_meta().unwrap();
    let raw = meta.as_raw_meta().await.unwrap();
    assert_eq!((raw.raw_type(), raw.raw_slice()), (531, &b"opaque"[..]));
}

#[tokio::test]
async fn older_servers_are_asked_block_by_block_and_never_ahead() {
    let (mut consumer, mut peer, _accepts) = connected(DSN, "3.2.3.0").await;
    let (done, _) = tokio::join!(consumer.subscribe([TOPIC]), peer.subscribe(0));
    done.unwrap();
    let script = async {
        let poll = peer.poll().await;
        assert_eq!(poll.message_id, None);
        peer.message(poll.req_id, 1, 1, 0).await;
    };
    let (message, ()) = tokio::join!(consumer.recv(), script);
    let (offset, set) = message.unwrap().unwrap();
    let data = set.into_data().unwrap();
    let script = async {
        for (completed, values) in [(false, &[5, 6][..]), (true, &[])] {
            let Some(TmqRequest::Fetch(fetch)) = peer.request().await else {
                panic!("`fetch` was expected");
            };
            let members = format!(
                r#","message_id":1,"completed":{completed},"table_name":"d1","rows":2,"fields_count":1,"fields_names":["v"],"fields_types":[4],"fields_lengths":[4],"precision":1"#
            );
            peer.ok("fetch", fetch.req_id, &members).await;
            if completed {
                break;
            }
            let Some(TmqRequest::FetchBlock(args)) = peer.request().await else {
                panic!("`fetch_block` was expected");
            };
            assert_eq!((args.req_id, args.message_id), (fetch.req_id, 1));
            let reply = crate::protocol::TmqBlockReply {
                timing: 1,
                req_id: fetch.req_id,
                message_id: 1,
                block: super::peer::block(values),
            };
            peer.binary(&reply.encode()).await;
        }
    };
    let (rows, ()) = tokio::join!(values(&data), script);
    assert_eq!(rows, [5, 6]);
    let script = async {
        let Some(TmqRequest::Commit(args)) = peer.request().await else {
            panic!("`commit` was expected");
        };
        assert_eq!(args.message_id, 1);
        peer.ok("commit", args.req_id, r#","message_id":1"#).await;
    };
    let (done, ()) = tokio::join!(consumer.commit(offset), script);
    done.unwrap();
}

#[tokio::test]
async fn a_seek_throws_away_what_was_fetched_ahead_from_there() {
    let (mut consumer, mut peer, _accepts) = subscribed(DSN).await;
    let (first, _) = tokio::join!(consumer.recv(), peer.serve_rows(1, 0, 4, &[1]));
    first.unwrap().unwrap();
    peer.serve_rows(2, 4, 7, &[2]).await;
    let (done, place) = tokio::join!(consumer.offset_seek(TOPIC, 2, 1), peer.sought());
    done.unwrap();
    assert_eq!(place, 1);
    let (again, _) = tokio::join!(consumer.recv(), peer.serve_rows(3, 1, 4, &[7]));
    assert_eq!(read(again.unwrap()).await, (1, vec![7]));
}

#[tokio::test]
async fn a_seek_counts_more_than_what_a_stream_of_records_left() {
    for refused in [false, true] {
        let (mut consumer, mut peer, _accepts) = subscribed(DSN).await;
        let mut records = consumer.records::<i64>();
        let (record, _) = tokio::join!(records.next(), peer.serve_rows(1, 50, 60, &[7]));
        assert_eq!(record.unwrap().unwrap().into_value(), 7);
        drop(records);
        let poll = peer.poll().await;
        peer.nothing(poll.req_id).await;
        let script = async {
            if !refused {
                assert_eq!(peer.sought().await, 10);
                return;
            }
            let Some(TmqRequest::Seek(args)) = peer.request().await else {
                panic!("`seek` was expected");
            };
            peer.refuse("seek", args.req_id, 0x4007, "out of range")
                .await;
        };
        let (done, ()) = tokio::join!(consumer.offset_seek(TOPIC, 2, 10), script);
        assert_eq!(done.is_err(), refused);
        let mut records = consumer.records::<i64>();
        let script = async {
            if refused {
                // Where nothing was sought, what was left is still to come.
                peer.committed(NO_OFFSET).await;
                assert_eq!(peer.sought().await, 50);
            }
            peer.serve_rows(2, 10, 20, &[8]).await
        };
        let (record, _) = tokio::join!(records.next(), script);
        assert_eq!(record.unwrap().unwrap().into_value(), 8);
    }
}

#[tokio::test]
async fn the_places_of_the_dsn_are_sought_after_subscribing() {
    let dsn = format!("{DSN}&offset=2:9");
    let (mut consumer, mut peer, _accepts) = connected(&dsn, "3.3.7.5").await;
    let script = async {
        peer.subscribe(0).await;
        peer.sought().await
    };
    let (done, place) = tokio::join!(consumer.subscribe([TOPIC]), script);
    done.unwrap();
    assert_eq!(place, 9);
}

#[tokio::test(start_paused = true)]
async fn automatic_commits_write_down_only_what_was_moved_past() {
    let dsn = format!("{DSN}&enable.auto.commit=true&auto.commit.interval.ms=1000");
    let (consumer, mut peer, _accepts) = subscribed(&dsn).await;
    let (first, _) = tokio::join!(consumer.recv(), peer.serve_rows(1, 0, 4, &[1]));
    first.unwrap().unwrap();
    peer.serve_rows(2, 4, 7, &[2]).await;
    // The first message was not moved past.
    assert!(peer.is_silent_for(Duration::from_secs(5)).await);
    let (second, place) = tokio::join!(consumer.recv(), async {
        match peer.request_but_polls().await {
            Some(TmqRequest::CommitOffset(args)) => {
                peer.ok("commit_offset", args.req_id, "").await;
                args.offset
            }
            other => panic!("`commit_offset` was expected, not {other:?}"),
        }
    });
    second.unwrap().unwrap();
    assert_eq!(place, 4);
    // Nor is the second one now, though another is asked for ahead.
    let quiet = tokio::time::timeout(Duration::from_secs(5), async {
        loop {
            match peer.request_but_polls().await {
                Some(TmqRequest::Assignment(args)) => {
                    peer.ok("assignment", args.req_id, r#","assignment":null"#)
                        .await;
                }
                other => return other,
            }
        }
    });
    let quiet = quiet.await;
    assert!(quiet.is_err(), "{quiet:?}");
}

#[tokio::test]
async fn unsubscribing_commits_what_was_moved_past_and_closes() {
    let dsn = format!("{DSN}&enable.auto.commit=true&auto.commit.interval.ms=1000000");
    let (consumer, mut peer, _accepts) = subscribed(&dsn).await;
    let (first, _) = tokio::join!(consumer.recv(), peer.serve_rows(1, 0, 4, &[1]));
    first.unwrap().unwrap();
    peer.serve_rows(2, 4, 7, &[2]).await;
    consumer.recv().await.unwrap().unwrap();
    let poll = peer.poll().await;
    peer.nothing(poll.req_id).await;
    let script = async {
        assert_eq!(peer.commit_offset().await, 4);
        peer.unsubscribed().await;
        assert!(peer.request().await.is_none());
    };
    tokio::join!(consumer.unsubscribe(), script);
}

#[tokio::test]
async fn dropping_the_consumer_closes_its_socket_at_once() {
    let (consumer, mut peer, _accepts) = subscribed(DSN).await;
    let (first, _) = tokio::join!(consumer.recv(), peer.serve_rows(1, 0, 4, &[1]));
    let (_, set) = first.unwrap().unwrap();
    let poll = peer.poll().await;
    drop(consumer);
    assert!(peer.request().await.is_none(), "after {poll:?}");
    // What was fetched whole can still be read.
    assert_eq!(values(&set.into_data().unwrap()).await, [1]);
}

#[tokio::test]
async fn subscribing_again_leaves_the_first_topics_on_the_same_socket() {
    let (mut consumer, mut peer, _accepts) = subscribed(DSN).await;
    let script = async {
        peer.unsubscribed().await;
        peer.subscribe(0).await
    };
    let (done, args) = tokio::join!(consumer.subscribe(["u"]), script);
    done.unwrap();
    assert_eq!(args.topics, ["u"]);
}

#[tokio::test]
async fn a_group_is_required_and_unknown_parameters_are_named() {
    let error = crate::TmqBuilder::from_dsn("ws://h:1").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("group.id"), "{error}");
    assert!(crate::TaosBuilder::from_dsn("ws://h:1?group.id=g&timeout=5s").is_ok());
    assert_eq!(Action::from("poll"), Action::Poll);
}

#[tokio::test]
async fn rows_as_they_are_stored_are_for_replay_only() {
    let (consumer, mut peer, _accepts) = subscribed(DSN).await;
    let script = async {
        let poll = peer.poll().await;
        peer.message(poll.req_id, 1, 4, 3).await;
        peer.serve_raw(1, 6, (&b"stored"[..]).into()).await;
        let Some(TmqRequest::Position(args)) = peer.request().await else {
            panic!("`position` was expected");
        };
        peer.ok("position", args.req_id, r#","position":[5]"#).await;
    };
    let (message, ()) = tokio::join!(consumer.recv(), script);
    let (offset, set) = message.unwrap().unwrap();
    assert_eq!(offset.next(), Some(5));
    let data = set.into_data().unwrap();
    let error = data.fetch_raw_block().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("as_raw_data"), "{error}");
    assert_eq!(data.as_raw_data().await.unwrap().raw_type(), 6);
}

#[tokio::test(start_paused = true)]
async fn messages_of_a_snapshot_have_no_place_and_are_committed_by_the_server() {
    let dsn = format!("{DSN}&snapshot=true&enable.auto.commit=true&auto.commit.interval.ms=10");
    let (mut consumer, mut peer, _accepts) = connected(&dsn, "3.3.7.5").await;
    let script = async {
        let Some(TmqRequest::Subscribe(args)) = peer.request().await else {
            panic!("`subscribe` was expected");
        };
        assert_eq!(args.snapshot_enable, "true");
        peer.ok("subscribe", args.req_id, "").await;
    };
    let (done, ()) = tokio::join!(consumer.subscribe([TOPIC]), script);
    done.unwrap();
    let snapshot = |values: &[i64]| {
        let place = Place::Snapshot(0x12, bytes::Bytes::from_static(&[0; 25]));
        super::topics::message(place.clone(), place, values)
    };
    let first = async {
        let poll = peer.poll().await;
        peer.message(poll.req_id, 1, 1, SNAPSHOT_OFFSET).await;
        peer.serve_raw(1, 2, snapshot(&[1])).await;
    };
    let (message, ()) = tokio::join!(consumer.recv(), first);
    let (offset, _) = message.unwrap().unwrap();
    assert_eq!((offset.offset(), offset.next()), (SNAPSHOT_OFFSET, None));
    tokio::time::sleep(Duration::from_secs(1)).await;
    // Nothing was asked for ahead; what was moved past is committed before the next poll.
    let second = async {
        let Some(TmqRequest::Commit(args)) = peer.request().await else {
            panic!("`commit` was expected");
        };
        peer.ok("commit", args.req_id, r#","message_id":1"#).await;
        let poll = peer.poll().await;
        peer.message(poll.req_id, 2, 1, SNAPSHOT_OFFSET).await;
        peer.serve_raw(2, 2, snapshot(&[2])).await;
    };
    let (message, ()) = tokio::join!(consumer.recv(), second);
    assert_eq!(read(message.unwrap()).await, (SNAPSHOT_OFFSET, vec![2]));
}
