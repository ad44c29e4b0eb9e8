//! What consumers commit, and what not, against a scripted server.

use super::consumer_faults::{NOTHING, again};
use super::peer::{Accepts, Peer};
use super::topics::{DSN, TOPIC, connected, read, subscribed};
use crate::consumer::Consumer;
use crate::protocol::{SNAPSHOT_OFFSET, TmqRequest};
use futures_util::StreamExt as _;
use std::time::Duration;
use taos_query::ErrorKind;
use taos_query::tmq::raw::Place;
use taos_query::tmq::{AsAsyncConsumer as _, Offset, Timeout};

/// A consumer on a server that does not tell what is behind a message; it has taken the one at 0.
async fn older(dsn: &str) -> (Consumer, Offset, Peer, Accepts) {
    let (mut consumer, mut peer, accepts) = connected(dsn, "3.2.3.0").await;
    let (done, _) = tokio::join!(consumer.subscribe([TOPIC]), peer.subscribe(0));
    done.unwrap();
    let script = async {
        let poll = peer.poll().await;
        peer.message(poll.req_id, 1, 1, 0).await;
    };
    let (first, ()) = tokio::join!(consumer.recv(), script);
    let (offset, _) = first.unwrap().unwrap();
    (consumer, offset, peer, accepts)
}

async fn commit(consumer: &Consumer, offset: Option<&Offset>) -> taos_query::RawResult<()> {
    match offset {
        Some(offset) => consumer.commit(offset.clone()).await,
        None => consumer.commit_all().await,
    }
}

#[tokio::test(start_paused = true)]
async fn a_commit_on_an_older_server_leaves_out_what_waits_or_is_on_its_way() {
    for (all, waits) in [(false, false), (true, false), (false, true), (true, true)] {
        let (consumer, offset, mut peer, _accepts) = older(DSN).await;
        let gave_up = consumer.recv_timeout(Timeout::from_millis(10));
        let (gave_up, poll) = tokio::join!(gave_up, peer.poll());
        assert!(gave_up.unwrap().is_none());
        if waits {
            peer.message(poll.req_id, 2, 1, 4).await;
            while consumer.waits_for_nobody() {
                tokio::task::yield_now().await;
            }
        }
        let script = async {
            if !waits {
                tokio::time::sleep(Duration::from_millis(100)).await;
                peer.message(poll.req_id, 2, 1, 4).await;
            }
            peer.commit_offset().await
        };
        let offset = Some(&offset).filter(|_| !all);
        let (done, place) = tokio::join!(commit(&consumer, offset), script);
        done.unwrap();
        assert_eq!(place, 4);
        // What the group has is not committed again.
        commit(&consumer, offset).await.unwrap();
    }
}

/// A consumer that has taken the messages of 0 to 4 and of 4 to 7, and has no poll under way.
async fn with_two_taken(dsn: &str) -> (Consumer, [Offset; 2], Peer, Accepts) {
    let (consumer, mut peer, accepts) = subscribed(dsn).await;
    let (first, _) = tokio::join!(consumer.recv(), peer.serve_rows(1, 0, 4, &[1]));
    peer.serve_rows(2, 4, 7, &[2]).await;
    let second = consumer.recv().await;
    let poll = peer.poll().await;
    peer.nothing(poll.req_id).await;
    let [first, second] = [first, second].map(|message| message.unwrap().unwrap().0);
    (consumer, [first, second], peer, accepts)
}

/// A subscription made again, and then whatever the consumer asks.
async fn listed(peer: &mut Peer) {
    match peer.request().await {
        Some(TmqRequest::ListTopics(args)) => {
            let topics = r#","topics":["t"]"#;
            peer.ok("list_topics", args.req_id, topics).await;
        }
        other => panic!("`list_topics` was expected, not {other:?}"),
    }
}

#[tokio::test]
async fn what_another_of_the_group_has_committed_is_not_set_back_but_by_the_users_own_will() {
    let (consumer, [first, second], peer, mut accepts) = with_two_taken(DSN).await;
    drop(peer);
    let work = async {
        consumer.list_topics().await.unwrap();
        consumer.commit(first).await.unwrap();
        consumer.commit(second).await.unwrap();
        consumer.commit_all().await.unwrap();
        assert_eq!(consumer.position(TOPIC, 2).await.unwrap(), 100);
        consumer.commit_offset(TOPIC, 2, 2).await.unwrap();
    };
    let script = async {
        let mut peer = again(&mut accepts, 7, 100).await;
        assert_eq!(peer.sought().await, 100);
        listed(&mut peer).await;
        assert_eq!(peer.commit_offset().await, 2);
        peer
    };
    let ((), _peer) = tokio::join!(work, script);
}

#[tokio::test]
async fn a_commit_that_a_cut_took_down_is_not_made_again_where_the_group_is_further() {
    for by_user in [false, true] {
        let (consumer, [first, _], mut peer, mut accepts) = with_two_taken(DSN).await;
        let commit = async {
            if by_user {
                consumer.commit_offset(TOPIC, 2, 4).await
            } else {
                consumer.commit(first).await
            }
        };
        let script = async {
            peer.request().await.unwrap();
            drop(peer);
            let mut peer = again(&mut accepts, 7, 50).await;
            assert_eq!(peer.sought().await, 50);
            peer
        };
        let (done, _peer) = tokio::join!(commit, script);
        match done {
            Ok(()) => assert!(!by_user),
            Err(error) => {
                assert!(
                    by_user && error.kind() == ErrorKind::ConnectionLost,
                    "{error}"
                );
            }
        }
    }
}

#[tokio::test]
async fn automatic_commits_do_not_set_the_group_back_either() {
    let dsn = format!("{DSN}&enable.auto.commit=true&auto.commit.interval.ms=1000000");
    let (consumer, _, peer, mut accepts) = with_two_taken(&dsn).await;
    drop(peer);
    let script = async {
        let mut peer = again(&mut accepts, 7, 100).await;
        assert_eq!(peer.sought().await, 100);
        listed(&mut peer).await;
        peer
    };
    let (topics, mut peer) = tokio::join!(consumer.list_topics(), script);
    topics.unwrap();
    tokio::join!(consumer.unsubscribe(), peer.unsubscribed());
}

#[tokio::test]
async fn a_message_that_waits_is_dropped_if_the_group_has_dealt_with_it_during_a_cut() {
    let (consumer, mut peer, mut accepts) = subscribed(DSN).await;
    let (first, _) = tokio::join!(consumer.recv(), peer.serve_rows(1, 0, 4, &[1]));
    first.unwrap().unwrap();
    peer.serve_rows(2, 4, 7, &[2]).await;
    while consumer.waits_for_nobody() {
        tokio::task::yield_now().await;
    }
    drop(peer);
    let script = async {
        let mut peer = again(&mut accepts, 7, 20).await;
        assert_eq!(peer.sought().await, 20);
        listed(&mut peer).await;
        peer
    };
    let (topics, mut peer) = tokio::join!(consumer.list_topics(), script);
    topics.unwrap();
    let (third, _) = tokio::join!(consumer.recv(), peer.serve_rows(1, 20, 25, &[3]));
    assert_eq!(read(third.unwrap()).await, (20, vec![3]));
}

#[tokio::test(start_paused = true)]
async fn no_commit_is_sent_before_the_one_before_it_is_answered_even_if_nobody_waits_for_that() {
    let (consumer, [first, second], mut peer, _accepts) = with_two_taken(DSN).await;
    let mut dropped = Box::pin(consumer.commit(first.clone()));
    let held = tokio::select! {
        _ = &mut dropped => panic!("it is not answered yet"),
        held = peer.request() => held,
    };
    drop(dropped);
    let Some(TmqRequest::CommitOffset(held)) = held else {
        panic!("`commit_offset` was expected, not {held:?}");
    };
    assert_eq!(held.offset, 4);
    let script = async {
        assert!(peer.is_silent_for(Duration::from_millis(400)).await);
        peer.ok("commit_offset", held.req_id, "").await;
        assert_eq!(peer.commit_offset().await, 7);
    };
    let (done, ()) = tokio::join!(consumer.commit(second), script);
    done.unwrap();
    // And a smaller one never follows.
    consumer.commit(first).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_seek_waits_for_a_commit_on_its_way_and_what_comes_then_is_committed_anew() {
    let dsn = format!("{DSN}&enable.auto.commit=true&auto.commit.interval.ms=1000");
    let (mut consumer, _, mut peer, _accepts) = with_two_taken(&dsn).await;
    let held = peer.request_but_polls().await;
    let Some(TmqRequest::CommitOffset(held)) = held else {
        panic!("`commit_offset` was expected, not {held:?}");
    };
    assert_eq!(held.offset, 4);
    let script = async {
        assert!(peer.is_silent_for(Duration::from_millis(400)).await);
        peer.ok("commit_offset", held.req_id, "").await;
        assert_eq!(peer.sought().await, 0);
    };
    let (done, ()) = tokio::join!(consumer.offset_seek(TOPIC, 2, 0), script);
    done.unwrap();
    let (first, _) = tokio::join!(consumer.recv(), peer.serve_rows(3, 0, 2, &[1]));
    let (offset, _) = first.unwrap().unwrap();
    let poll = peer.poll().await;
    peer.nothing(poll.req_id).await;
    let (done, place) = tokio::join!(consumer.commit(offset), peer.commit_offset());
    done.unwrap();
    assert_eq!(place, 2);
}

#[tokio::test(start_paused = true)]
async fn a_commit_waits_for_a_vgroup_that_the_group_has_not_given_back_after_a_cut() {
    for automatic in [false, true] {
        let dsn = format!("{DSN}&enable.auto.commit={automatic}&auto.commit.interval.ms=1000");
        let (consumer, [first, _], mut peer, mut accepts) = with_two_taken(&dsn).await;
        if automatic {
            // The first of them is lost.
            peer.request_but_polls().await.unwrap();
        }
        drop(peer);
        let work = async {
            if automatic {
                consumer.list_topics().await.unwrap();
            } else {
                consumer.commit(first).await.unwrap();
            }
        };
        let script = async {
            let mut peer = accepts.greet("3.3.7.5").await;
            peer.joined().await;
            peer.assign_nothing().await;
            if automatic {
                listed(&mut peer).await;
            }
            peer.committed(NOTHING).await;
            assert_eq!(peer.refuse_commit(0x4008).await, 4);
            peer.committed(NOTHING).await;
            assert_eq!(peer.commit_offset().await, 4);
            peer
        };
        let ((), _peer) = tokio::join!(work, script);
    }
}

#[tokio::test(start_paused = true)]
async fn a_place_of_the_users_does_not_set_back_what_others_committed_while_it_waited_for_its_vgroup()
 {
    let (consumer, _, peer, mut accepts) = with_two_taken(DSN).await;
    drop(peer);
    let script = async {
        let mut peer = accepts.greet("3.3.7.5").await;
        peer.joined().await;
        peer.assign_nothing().await;
        peer.committed(NOTHING).await;
        assert_eq!(peer.refuse_commit(0x4008).await, 4);
        // Given back when another had gone further.
        peer.committed(50).await;
        peer
    };
    let (done, mut peer) = tokio::join!(consumer.commit_offset(TOPIC, 2, 4), script);
    let error = done.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionLost, "{error}");
    // Told of that, the user may want it all the same.
    let (done, place) = tokio::join!(consumer.commit_offset(TOPIC, 2, 4), peer.commit_offset());
    done.unwrap();
    assert_eq!(place, 4);
}

#[tokio::test]
async fn a_commit_of_a_vgroup_that_is_anothers_is_refused_at_once_where_nothing_was_cut() {
    let (consumer, [first, _], mut peer, _accepts) = with_two_taken(DSN).await;
    let (done, place) = tokio::join!(consumer.commit(first), peer.refuse_commit(0x4008));
    assert_eq!((i32::from(done.unwrap_err().code()), place), (0x4008, 4));
}

#[tokio::test]
async fn streams_of_records_do_not_go_back_behind_what_the_group_has_committed() {
    let (consumer, mut peer, _accepts) = subscribed(DSN).await;
    let mut records = consumer.records::<i64>();
    let (record, _) = tokio::join!(records.next(), peer.serve_rows(1, 50, 60, &[7]));
    assert_eq!(record.unwrap().unwrap().into_value(), 7);
    drop(records);
    let poll = peer.poll().await;
    peer.nothing(poll.req_id).await;
    let mut records = consumer.records::<i64>();
    let script = async {
        peer.committed(80).await;
        assert_eq!(peer.sought().await, 80);
        peer.serve_rows(2, 80, 90, &[8]).await;
    };
    let (record, ()) = tokio::join!(records.next(), script);
    assert_eq!(record.unwrap().unwrap().into_value(), 8);
}

/// A consumer of a snapshot that has taken one message; the next one waits.
async fn of_a_snapshot() -> (Consumer, Offset, Peer, Accepts) {
    let dsn = format!("{DSN}&snapshot=true");
    let (mut consumer, mut peer, accepts) = connected(&dsn, "3.3.7.5").await;
    let (done, ()) = tokio::join!(consumer.subscribe([TOPIC]), peer.joined());
    done.unwrap();
    let place = Place::Snapshot(0x12, bytes::Bytes::from_static(&[0; 25]));
    let raw = |values: &[i64]| super::topics::message(place.clone(), place.clone(), values);
    let script = async {
        let poll = peer.poll().await;
        peer.message(poll.req_id, 1, 1, SNAPSHOT_OFFSET).await;
        peer.serve_raw(1, 2, raw(&[1])).await;
    };
    let (first, ()) = tokio::join!(consumer.recv(), script);
    let gave_up = consumer.recv_timeout(Timeout::from_millis(10));
    let (gave_up, poll) = tokio::join!(gave_up, peer.poll());
    assert!(gave_up.unwrap().is_none());
    peer.message(poll.req_id, 2, 1, SNAPSHOT_OFFSET).await;
    peer.serve_raw(2, 2, raw(&[2])).await;
    while consumer.waits_for_nobody() {
        tokio::task::yield_now().await;
    }
    (consumer, first.unwrap().unwrap().0, peer, accepts)
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_of_which_a_message_waits_is_not_said_to_be_committed() {
    let (consumer, first, mut peer, _accepts) = of_a_snapshot().await;
    for offset in [Some(&first), None] {
        let error = commit(&consumer, offset).await.unwrap_err();
        assert!(
            error.to_string().contains("take that message too"),
            "{error}"
        );
    }
    consumer.recv().await.unwrap().unwrap();
    let script = async {
        match peer.request().await {
            Some(TmqRequest::Commit(args)) => peer.ok("commit", args.req_id, "").await,
            other => panic!("`commit` was expected, not {other:?}"),
        }
    };
    let (done, ()) = tokio::join!(consumer.commit_all(), script);
    done.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_last_automatic_commit_on_an_older_server_covers_what_was_moved_past() {
    let dsn = format!("{DSN}&enable.auto.commit=true&auto.commit.interval.ms=1000000");
    for dropped in [false, true] {
        let (consumer, _, mut peer, _accepts) = older(&dsn).await;
        let gave_up = consumer.recv_timeout(Timeout::from_millis(10));
        let (gave_up, poll) = tokio::join!(gave_up, peer.poll());
        assert!(gave_up.unwrap().is_none());
        peer.nothing(poll.req_id).await;
        let script = async {
            match peer.request().await {
                Some(TmqRequest::Commit(args)) => peer.ok("commit", args.req_id, "").await,
                other => panic!("`commit` was expected, not {other:?}"),
            }
            if !dropped {
                peer.unsubscribed().await;
            }
        };
        let end = async {
            if dropped {
                drop(consumer);
            } else {
                consumer.unsubscribe().await;
            }
        };
        tokio::join!(end, script);
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_automatic_commit_on_an_older_server_leaves_out_what_is_in_the_users_hand() {
    let dsn = format!("{DSN}&enable.auto.commit=true&auto.commit.interval.ms=1000000");
    let (consumer, _, mut peer, _accepts) = older(&dsn).await;
    let script = async {
        let poll = peer.poll().await;
        peer.message(poll.req_id, 2, 1, 4).await;
    };
    let (second, ()) = tokio::join!(consumer.recv(), script);
    second.unwrap().unwrap();
    let script = async {
        assert_eq!(peer.commit_offset().await, 4);
        peer.unsubscribed().await;
    };
    tokio::join!(consumer.unsubscribe(), script);
}

#[tokio::test(start_paused = true)]
async fn automatic_commits_do_not_undo_that_the_user_has_set_the_group_back() {
    let dsn = format!("{DSN}&enable.auto.commit=true&auto.commit.interval.ms=1000000");
    let (consumer, _, mut peer, _accepts) = with_two_taken(&dsn).await;
    let (done, place) = tokio::join!(consumer.commit_offset(TOPIC, 2, 1), peer.commit_offset());
    done.unwrap();
    assert_eq!(place, 1);
    tokio::join!(consumer.unsubscribe(), peer.unsubscribed());
}
