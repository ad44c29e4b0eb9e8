//! Consumers against a scripted server that fails.

use super::peer::{Accepts, Peer};
use super::topics::{DSN, TOPIC, connected, read, rows, subscribed};
use crate::consumer::Consumer;
use crate::protocol::TmqRequest;
use futures_util::FutureExt as _;
use std::time::Duration;
use taos_query::tmq::{AsAsyncConsumer as _, IsOffset as _, Timeout};
use taos_query::{Code, ErrorKind};
use tokio::time::Instant;

/// What servers answer where nothing is committed.
pub(super) const NOTHING: i64 = crate::protocol::NO_OFFSET;

/// A consumer that has taken the message of the versions 0 to 4, and has no poll under way.
pub(super) async fn with_one_taken(dsn: &str) -> (Consumer, Peer, Accepts) {
    let (consumer, mut peer, accepts) = subscribed(dsn).await;
    let (first, _) = tokio::join!(consumer.recv(), peer.serve_rows(1, 0, 4, &[1]));
    assert_eq!(read(first.unwrap()).await, (0, vec![1]));
    let poll = peer.poll().await;
    assert_eq!((poll.blocking_time, poll.message_id), (0, Some(1)));
    peer.nothing(poll.req_id).await;
    (consumer, peer, accepts)
}

/// The next connection of a consumer that was at `place`, where the server would go on at `start`.
pub(super) async fn again(accepts: &mut Accepts, start: i64, committed: i64) -> Peer {
    let mut peer = accepts.greet("3.3.7.5").await;
    peer.resubscribe(start, committed).await;
    peer
}

#[tokio::test]
async fn a_cut_between_polls_leads_to_a_new_subscription_that_goes_on_behind_what_was_received() {
    let (consumer, peer, mut accepts) = with_one_taken(DSN).await;
    drop(peer);
    let script = async {
        let mut peer = again(&mut accepts, 9, -2_147_467_247).await;
        assert_eq!(peer.sought().await, 4);
        let poll = peer.serve_rows(1, 4, 7, &[2]).await;
        assert_eq!(poll.message_id, Some(0));
        peer
    };
    let (second, _peer) = tokio::join!(consumer.recv(), script);
    assert_eq!(read(second.unwrap()).await, (4, vec![2]));
    assert!(consumer.gaps().is_empty());
}

#[tokio::test]
async fn a_cut_during_a_poll_or_a_fetch_loses_nothing() {
    for during_fetch in [false, true] {
        let (consumer, mut peer, mut accepts) = with_one_taken(DSN).await;
        let script = async {
            let poll = peer.poll().await;
            if during_fetch {
                peer.message(poll.req_id, 2, 1, 4).await;
                peer.request().await.unwrap();
            }
            drop(peer);
            // The group has committed as far as this consumer is: nothing to seek.
            let mut peer = again(&mut accepts, 4, 4).await;
            peer.serve_rows(1, 4, 7, &[2]).await;
            peer
        };
        let (second, _peer) = tokio::join!(consumer.recv(), script);
        assert_eq!(read(second.unwrap()).await, (4, vec![2]));
    }
}

#[tokio::test]
async fn a_commit_that_a_cut_took_down_is_made_on_the_new_subscription() {
    let (consumer, mut peer, mut accepts) = with_one_taken(DSN).await;
    let script = async {
        let Some(TmqRequest::CommitOffset(args)) = peer.request().await else {
            panic!("`commit_offset` was expected");
        };
        assert_eq!(args.offset, 4);
        drop(peer);
        let mut peer = again(&mut accepts, 4, NOTHING).await;
        assert_eq!(peer.commit_offset().await, 4);
        peer
    };
    let (done, _peer) = tokio::join!(consumer.commit_all(), script);
    done.unwrap();
}

#[tokio::test]
async fn a_server_that_has_forgotten_the_consumer_is_subscribed_to_anew() {
    for (code, message) in [
        (0x03E6, "Consumer not exist"),
        (0x4017, "not subscribed"),
        (0xFFFF, "tmq not init"),
        (0x020B, "Invalid connection"),
    ] {
        let (consumer, mut peer, mut accepts) = with_one_taken(DSN).await;
        let script = async {
            let poll = peer.poll().await;
            peer.refuse("poll", poll.req_id, code, message).await;
            let mut next = again(&mut accepts, 0, -2_147_467_247).await;
            assert_eq!(next.sought().await, 4);
            assert!(peer.request().await.is_none(), "the old one is left");
            next.serve_rows(1, 4, 7, &[2]).await;
            next
        };
        let (second, _peer) = tokio::join!(consumer.recv(), script);
        assert_eq!(read(second.unwrap()).await, (4, vec![2]), "{message}");
    }
}

#[tokio::test]
async fn other_errors_of_a_poll_are_told_and_the_next_call_polls_again() {
    let (consumer, mut peer, _accepts) = with_one_taken(DSN).await;
    let script = async {
        let poll = peer.poll().await;
        peer.refuse("poll", poll.req_id, 0x0303, "no privilege")
            .await;
    };
    let (failed, ()) = tokio::join!(consumer.recv(), script);
    assert_eq!(i32::from(failed.unwrap_err().code()), 0x0303);
    let (second, _) = tokio::join!(consumer.recv(), peer.serve_rows(2, 4, 7, &[2]));
    assert_eq!(read(second.unwrap()).await, (4, vec![2]));
}

#[tokio::test]
async fn what_is_produced_during_a_cut_before_the_first_message_is_not_missed() {
    let (mut consumer, mut peer, mut accepts) = connected(DSN, "3.3.7.5").await;
    // A group without commits that begins at the newest: version 30.
    let (done, _) = tokio::join!(consumer.subscribe([TOPIC]), peer.subscribe(30));
    done.unwrap();
    drop(peer);
    let script = async {
        // Meanwhile the newest is 33.
        let mut peer = again(&mut accepts, 33, -2_147_467_247).await;
        assert_eq!(peer.sought().await, 30);
        peer.serve_rows(1, 30, 33, &[3]).await;
        peer
    };
    let (first, _peer) = tokio::join!(consumer.recv(), script);
    assert_eq!(read(first.unwrap()).await, (30, vec![3]));
}

#[tokio::test]
async fn what_the_log_has_lost_meanwhile_is_told_as_a_gap() {
    // Where the log begins, and where reading goes on.
    for (begin, end, gap) in [(50, 60, (4, 50)), (0, 2, (4, 0))] {
        let (consumer, peer, mut accepts) = with_one_taken(DSN).await;
        drop(peer);
        let script = async {
            let mut peer = accepts.greet("3.3.7.5").await;
            let Some(TmqRequest::Subscribe(args)) = peer.request().await else {
                panic!("`subscribe` was expected");
            };
            peer.ok("subscribe", args.req_id, "").await;
            peer.assign(begin, begin, end).await;
            peer.committed(-2_147_467_247).await;
            assert_eq!(peer.sought().await, begin);
            peer.serve_rows(1, begin, begin + 1, &[5]).await;
            peer
        };
        let (next, _peer) = tokio::join!(consumer.recv(), script);
        assert_eq!(read(next.unwrap()).await, (begin, vec![5]));
        let gaps = consumer.gaps();
        let [told] = gaps.as_slice() else {
            panic!("{gaps:?}");
        };
        assert_eq!((told.topic.as_str(), told.vgroup_id), (TOPIC, 2));
        assert_eq!((told.from, told.to), gap);
    }
}

#[tokio::test]
async fn a_message_that_waits_survives_a_cut_and_does_not_come_twice() {
    let (consumer, mut peer, mut accepts) = subscribed(DSN).await;
    let (first, _) = tokio::join!(consumer.recv(), peer.serve_rows(1, 0, 4, &[1]));
    first.unwrap().unwrap();
    peer.serve_rows(2, 4, 7, &[2]).await;
    // Its answer says that the message before it was received.
    let script = async {
        let Some(TmqRequest::ListTopics(_)) = peer.request().await else {
            panic!("`list_topics` was expected");
        };
        drop(peer);
        let mut peer = again(&mut accepts, 4, 4).await;
        assert_eq!(peer.sought().await, 7);
        let Some(TmqRequest::ListTopics(args)) = peer.request().await else {
            panic!("`list_topics` was expected");
        };
        peer.ok("list_topics", args.req_id, r#","topics":["t"]"#)
            .await;
        peer
    };
    let (topics, mut peer) = tokio::join!(consumer.list_topics(), script);
    assert_eq!(topics.unwrap(), [TOPIC]);
    assert_eq!(read(consumer.recv().await.unwrap()).await, (4, vec![2]));
    let script = async {
        // A server that begins too early all the same.
        peer.serve_rows(1, 4, 7, &[2]).await;
        peer.serve_rows(2, 7, 8, &[3]).await;
    };
    let (third, ()) = tokio::join!(consumer.recv(), script);
    assert_eq!(read(third.unwrap()).await, (7, vec![3]));
}

/// What a consumer gets that was at 4, from a vgroup that is given to it some time after a loss.
async fn comes_back(begin: i64, refused: bool) -> (i64, Vec<i64>) {
    let (consumer, peer, mut accepts) = with_one_taken(DSN).await;
    drop(peer);
    let script = async {
        let mut peer = accepts.greet("3.3.7.5").await;
        let Some(TmqRequest::Subscribe(args)) = peer.request().await else {
            panic!("`subscribe` was expected");
        };
        peer.ok("subscribe", args.req_id, "").await;
        let Some(TmqRequest::Assignment(args)) = peer.request().await else {
            panic!("`assignment` was expected");
        };
        // The server still thinks that the lost consumer has it.
        peer.ok("assignment", args.req_id, r#","assignment":null"#)
            .await;
        // Later it is given to this one, which has it begin elsewhere.
        let rows = [begin];
        peer.serve_rows(1, begin, begin + 5, &rows).await;
        peer.committed(-2_147_467_247).await;
        if refused {
            let Some(TmqRequest::Seek(args)) = peer.request().await else {
                panic!("`seek` was expected");
            };
            peer.refuse("seek", args.req_id, 0x4008, "not this consumer's")
                .await;
        } else {
            assert_eq!(peer.sought().await, 4);
            peer.serve_rows(2, 4, 7, &[2]).await;
        }
        peer
    };
    let (second, _peer) = tokio::join!(consumer.recv(), script);
    read(second.unwrap()).await
}

#[tokio::test]
async fn a_vgroup_that_comes_back_later_goes_on_where_it_was_too() {
    assert_eq!(comes_back(9, false).await, (4, vec![2]));
    // Nor does what was received come twice as part of a longer message.
    assert_eq!(comes_back(0, false).await, (4, vec![2]));
    // A message is better than none.
    assert_eq!(comes_back(9, true).await, (9, vec![9]));
}

#[tokio::test]
async fn without_auto_reconnect_the_loss_is_told_until_subscribe_is_called_again() {
    let dsn = format!("{DSN}&auto.reconnect=false");
    let (mut consumer, mut peer, mut accepts) = connected(&dsn, "3.3.7.5").await;
    let script = async {
        let Some(TmqRequest::Subscribe(args)) = peer.request().await else {
            panic!("`subscribe` was expected");
        };
        peer.ok("subscribe", args.req_id, "").await;
    };
    let (done, ()) = tokio::join!(consumer.subscribe([TOPIC]), script);
    done.unwrap();
    drop(peer);
    for _ in 0..2 {
        let error = consumer.recv().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionLost, "{error}");
        assert!(
            error.to_string().contains("call subscribe again"),
            "{error}"
        );
    }
    let script = async {
        let mut peer = accepts.greet("3.3.7.5").await;
        let Some(TmqRequest::Subscribe(args)) = peer.request().await else {
            panic!("`subscribe` was expected");
        };
        peer.ok("subscribe", args.req_id, "").await;
        peer
    };
    let (done, mut peer) = tokio::join!(consumer.subscribe([TOPIC]), script);
    done.unwrap();
    let (first, _) = tokio::join!(consumer.recv(), peer.serve_rows(1, 0, 4, &[1]));
    assert_eq!(read(first.unwrap()).await, (0, vec![1]));
}

#[tokio::test]
async fn when_no_address_can_be_reached_the_call_fails_and_the_next_one_tries_again() {
    let (consumer, peer, mut accepts) = with_one_taken(DSN).await;
    drop(peer);
    let refuse = async {
        // One for each round.
        for _ in 0..3 {
            drop(accepts.accept().await);
        }
    };
    let (failed, ()) = tokio::join!(consumer.recv(), refuse);
    assert_eq!(failed.unwrap_err().kind(), ErrorKind::Connect);
    let script = async {
        let mut peer = again(&mut accepts, 4, 4).await;
        peer.serve_rows(1, 4, 7, &[2]).await;
        peer
    };
    let (second, _peer) = tokio::join!(consumer.recv(), script);
    assert_eq!(read(second.unwrap()).await, (4, vec![2]));
}

#[tokio::test(start_paused = true)]
async fn a_poll_whose_answer_was_lost_is_asked_again_with_the_last_message() {
    let (consumer, mut peer, _accepts) = with_one_taken(&format!("{DSN}&timeout=never")).await;
    let script = async {
        let lost = peer.poll().await;
        assert_eq!(lost.message_id, Some(1));
        let again = peer.poll().await;
        assert_ne!(again.req_id, lost.req_id);
        assert_eq!(again.message_id, Some(1));
        peer.message(again.req_id, 2, 1, 4).await;
        peer.serve_raw(2, 2, rows(4, 7, &[2])).await;
    };
    let (second, ()) = tokio::join!(consumer.recv(), script);
    assert_eq!(read(second.unwrap()).await, (4, vec![2]));
}

#[tokio::test(start_paused = true)]
async fn every_call_to_a_mute_server_ends_within_its_own_time() {
    let (consumer, mut peer, accepts) = with_one_taken(&format!("{DSN}&read_timeout=7")).await;
    let started = Instant::now();
    let none = consumer.recv_timeout(Timeout::from_millis(300)).await;
    assert!(none.unwrap().is_none());
    assert_eq!(started.elapsed(), Duration::from_millis(300));
    let started = Instant::now();
    let error = consumer.commit_all().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert_eq!(error.code(), Code::WS_RECV_TIMEOUT);
    assert_eq!(started.elapsed(), Duration::from_secs(7));
    let started = Instant::now();
    let none = consumer.recv_timeout(Timeout::from_secs(2)).await;
    assert!(none.unwrap().is_none());
    assert_eq!(started.elapsed(), Duration::from_secs(2));
    peer.poll().await;
    let started = Instant::now();
    consumer.unsubscribe().await;
    assert!(started.elapsed() < Duration::from_secs(60));
    drop(accepts);
}

#[tokio::test]
async fn a_close_by_the_server_is_a_loss_like_any_other() {
    let (consumer, mut peer, mut accepts) = with_one_taken(DSN).await;
    let script = async {
        peer.poll().await;
        peer.raw(&super::peer::frame(8, &[])).await;
        let mut next = again(&mut accepts, 4, 4).await;
        next.serve_rows(1, 4, 7, &[2]).await;
        next
    };
    let (second, _peer) = tokio::join!(consumer.recv(), script);
    assert_eq!(read(second.unwrap()).await, (4, vec![2]));
}

#[tokio::test]
async fn a_server_that_answers_nonsense_each_time_is_given_up_after_some_tries() {
    let (consumer, mut peer, mut accepts) = with_one_taken(DSN).await;
    let script = async {
        for nonsense in [&b"{"[..], b"7", b"{\"code\":\"x\"}", b"null"] {
            peer.poll().await;
            peer.raw(&super::peer::frame(1, nonsense)).await;
            if nonsense != b"null" {
                peer = again(&mut accepts, 4, 4).await;
            }
        }
    };
    let (failed, ()) = tokio::join!(consumer.recv(), script);
    let error = failed.unwrap_err();
    assert_eq!(error.code(), Code::WS_BAD_ANSWER, "{error}");
}

#[tokio::test]
async fn a_receiver_may_be_dropped_anywhere_and_every_message_still_comes_once() {
    let (consumer, mut peer, _accepts) = subscribed(DSN).await;
    let server = tokio::spawn(async move {
        for id in 1..=40u64 {
            let begin = i64::try_from(id).unwrap();
            let poll = loop {
                let poll = peer.poll().await;
                // An empty answer now and then.
                if poll.req_id % 3 != 0 {
                    break poll;
                }
                peer.nothing(poll.req_id).await;
            };
            peer.message(poll.req_id, id, 1, begin).await;
            tokio::task::yield_now().await;
            peer.serve_raw(id, 2, rows(begin, begin + 1, &[begin]))
                .await;
        }
        peer
    });
    let mut seen = Vec::new();
    for polls in (0..5).cycle() {
        let mut receiving = Box::pin(consumer.recv());
        for _ in 0..polls {
            if let Some(message) = (&mut receiving).now_or_never() {
                seen.push(read(message.unwrap()).await.0);
                break;
            }
            tokio::task::yield_now().await;
        }
        if seen.len() == 40 {
            break;
        }
    }
    assert_eq!(seen, (1..=40).collect::<Vec<i64>>());
    drop(consumer);
    server.await.unwrap();
}

#[tokio::test]
async fn positions_and_assignments_do_not_count_what_was_fetched_ahead() {
    let (consumer, mut peer, _accepts) = subscribed(DSN).await;
    let (first, _) = tokio::join!(consumer.recv(), peer.serve_rows(1, 0, 4, &[1]));
    first.unwrap().unwrap();
    peer.serve_rows(2, 4, 7, &[2]).await;
    assert_eq!(consumer.position(TOPIC, 2).await.unwrap(), 4);
    let script = peer.assign(4, 0, 9);
    let (assigned, ()) = tokio::join!(consumer.try_topic_assignment(TOPIC), script);
    let assigned = assigned.unwrap();
    assert_eq!(assigned.len(), 1);
    assert_eq!(
        assigned.first().map(|a| (a.current_offset(), a.end())),
        Some((0, 9))
    );
}

#[tokio::test]
async fn an_answer_for_an_old_message_has_no_effect() {
    let (consumer, mut peer, _accepts) = with_one_taken(DSN).await;
    let script = async {
        let poll = peer.poll().await;
        // The message that was received already, sent once more.
        peer.message(poll.req_id, 1, 1, 0).await;
        peer.serve_rows(2, 4, 7, &[2]).await;
    };
    let (second, ()) = tokio::join!(consumer.recv(), script);
    let (offset, _) = second.unwrap().unwrap();
    assert_eq!(offset.offset(), 4);
}

#[test]
fn futures_of_a_consumer_are_small() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let (consumer, _peer, _accepts) = subscribed(DSN).await;
        let sizes = [
            size_of_val(&consumer.recv()),
            size_of_val(&consumer.recv_timeout(Timeout::Never)),
            size_of_val(&consumer.commit_all()),
            size_of_val(&consumer.commit_offset(TOPIC, 2, 1)),
            size_of_val(&consumer.position(TOPIC, 2)),
        ];
        for size in sizes {
            assert!(size <= 1024, "{sizes:?}");
        }
    });
}

#[tokio::test]
async fn a_cut_while_subscribing_again_is_only_another_try() {
    let (consumer, peer, mut accepts) = with_one_taken(DSN).await;
    drop(peer);
    let script = async {
        for asked in 0..2 {
            let mut peer = accepts.greet("3.3.7.5").await;
            let Some(TmqRequest::Subscribe(args)) = peer.request().await else {
                panic!("`subscribe` was expected");
            };
            if asked > 0 {
                peer.ok("subscribe", args.req_id, "").await;
                peer.request().await.unwrap();
            }
        }
        let mut peer = again(&mut accepts, 4, 4).await;
        peer.serve_rows(1, 4, 7, &[2]).await;
        peer
    };
    let (second, _peer) = tokio::join!(consumer.recv(), script);
    assert_eq!(read(second.unwrap()).await, (4, vec![2]));
}
