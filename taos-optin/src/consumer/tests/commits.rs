use taos_query::tmq::backend::NOTHING_COMMITTED;
use taos_query::tmq::{AsAsyncConsumer as _, IsOffset as _, Timeout};

use super::fake::{Peer, message, subscribed, subscribed_by_old};
use crate::consumer::Consumer;

/// The library asks what the group has committed.
async fn told(peer: &mut Peer, committed: &str) {
    peer.sees("committed t 1").await;
    peer.say(committed).await;
}

/// A consumer that has taken a message from 5 to 7, of a group that had committed nothing then.
async fn with_one_taken(params: &str) -> (Consumer, taos_query::tmq::Offset, Peer) {
    let (consumer, mut peer) = subscribed(params).await;
    peer.rows(5, 7).await;
    let ((offset, set), ()) = tokio::join!(message(&consumer), told(&mut peer, "0x80004011"));
    drop(set);
    peer.sees("free 1").await;
    (consumer, offset, peer)
}

#[tokio::test]
async fn a_commit_writes_the_place_behind_and_none_that_lies_before() {
    let (consumer, mut peer) = subscribed("").await;
    peer.rows(5, 7).await;
    peer.rows(7, 9).await;
    let (first, _) = message(&consumer).await;
    let (second, _) = message(&consumer).await;
    consumer.commit(second).await.unwrap();
    consumer.commit(first).await.unwrap();
    consumer.commit_all().await.unwrap();
    peer.sees("free 1").await;
    peer.sees("free 2").await;
    peer.sees("commit_offset t 1 9").await;
    // By the user's own will.
    consumer.commit_offset("t", 1, 3).await.unwrap();
    peer.sees("commit_offset t 1 3").await;
    assert_eq!(consumer.committed("t", 1).await.unwrap(), 3);
    assert_eq!(consumer.committed("t", 2).await.unwrap(), NOTHING_COMMITTED);
}

#[tokio::test]
async fn what_the_group_has_committed_before_is_not_set_back() {
    let (consumer, mut peer) = subscribed("").await;
    consumer.commit_offset("t", 1, 20).await.unwrap();
    peer.sees("commit_offset t 1 20").await;
    peer.rows(5, 7).await;
    let (offset, _) = message(&consumer).await;
    consumer.commit(offset).await.unwrap();
    consumer.list_topics().await.unwrap();
    peer.sees("free 1").await;
    peer.sees("subscription").await;
}

#[tokio::test]
async fn what_others_have_committed_meanwhile_is_not_set_back_though_the_library_tells_of_no_change()
 {
    let (consumer, offset, mut peer) = with_one_taken("fake.ask=committed&").await;
    let commit = consumer.commit(offset.clone());
    let (done, ()) = tokio::join!(commit, told(&mut peer, "9"));
    done.unwrap();
    // Known by now.
    consumer.commit(offset).await.unwrap();
    consumer.commit_all().await.unwrap();
    consumer.list_topics().await.unwrap();
    peer.sees("subscription").await;
    // By the user's own will it is.
    consumer.commit_offset("t", 1, 7).await.unwrap();
    peer.sees("commit_offset t 1 7").await;
}

#[tokio::test]
async fn a_commit_tells_what_is_wrong_where_the_question_before_it_was_refused() {
    let params = "fake.ask=committed.commit_offset&";
    let (consumer, offset, mut peer) = with_one_taken(params).await;
    let script = async {
        told(&mut peer, "0x80004008").await;
        peer.sees("commit_offset t 1 7").await;
        peer.say("0x80004008").await;
    };
    let (done, ()) = tokio::join!(consumer.commit(offset), script);
    assert_eq!(done.unwrap_err().code(), 0x4008);
}

#[tokio::test]
async fn a_commit_that_a_cut_took_down_has_succeeded_where_the_group_is_further() {
    for (told_then, fails) in [("9", false), ("6", true)] {
        let params = "fake.ask=committed.commit_offset&";
        let (consumer, offset, mut peer) = with_one_taken(params).await;
        let script = async {
            told(&mut peer, "6").await;
            peer.sees("commit_offset t 1 7").await;
            peer.say("0x8000020B").await;
            told(&mut peer, told_then).await;
        };
        let (done, ()) = tokio::join!(consumer.commit(offset), script);
        assert_eq!(done.is_err(), fails, "{done:?}");
    }
}

#[tokio::test]
async fn after_a_seek_the_group_may_be_set_back() {
    let (mut consumer, mut peer) = subscribed("").await;
    peer.rows(5, 7).await;
    let (offset, _) = message(&consumer).await;
    consumer.commit(offset).await.unwrap();
    peer.sees("free 1").await;
    peer.sees("commit_offset t 1 7").await;
    // One that was fetched ahead is not wanted now.
    peer.rows(7, 8).await;
    consumer.recv_timeout(Timeout::None).await.unwrap().unwrap();
    peer.sees("free 2").await;
    consumer.offset_seek("t", 1, 2).await.unwrap();
    peer.sees("seek t 1 2").await;
    peer.rows(2, 3).await;
    let (offset, _) = message(&consumer).await;
    assert_eq!(offset.offset(), 2);
    consumer.commit(offset).await.unwrap();
    peer.sees("free 3").await;
    peer.sees("commit_offset t 1 3").await;
}

#[tokio::test]
async fn the_position_is_what_was_taken_and_not_what_was_fetched_ahead() {
    let (consumer, mut peer) = subscribed("").await;
    assert_eq!(consumer.position("t", 1).await.unwrap(), NOTHING_COMMITTED);
    peer.rows(5, 7).await;
    peer.rows(7, 9).await;
    let first = message(&consumer).await;
    // Whatever was fetched ahead is there once an order behind it is done.
    while peer.poll().await != 0 {}
    consumer.list_topics().await.unwrap();
    peer.sees("subscription").await;
    assert_eq!(consumer.position("t", 1).await.unwrap(), 7);
    let assigned = consumer.try_topic_assignment("t").await.unwrap();
    let places: Vec<_> = assigned
        .iter()
        .map(|vgroup| (vgroup.vgroup_id(), vgroup.current_offset(), vgroup.end()))
        .collect();
    assert_eq!(places, [(1, 5, 100), (2, 0, 100)]);
    drop(first);
    message(&consumer).await;
    assert_eq!(consumer.position("t", 1).await.unwrap(), 9);
}

#[tokio::test]
async fn an_automatic_commit_covers_what_was_moved_past_and_no_more() {
    let params = "enable.auto.commit=true&auto.commit.interval.ms=1&";
    let (consumer, mut peer) = subscribed(params).await;
    peer.rows(5, 7).await;
    peer.rows(7, 9).await;
    drop(message(&consumer).await);
    peer.sees("free 1").await;
    drop(message(&consumer).await);
    let (mut lines, mut last) = (Vec::new(), String::new());
    while last != "commit_offset t 1 7" {
        last = peer.next().await;
        lines.push(last.clone());
    }
    drop(consumer);
    loop {
        lines.push(peer.next().await);
        if lines.last().is_some_and(|line| line == "closed") {
            break;
        }
    }
    // The second is in the user's hand until the end.
    lines.retain(|line| line.starts_with("commit"));
    assert_eq!(lines, ["commit_offset t 1 7"]);
}

#[tokio::test]
async fn a_dropped_consumer_commits_what_was_moved_past() {
    let params = "enable.auto.commit=true&auto.commit.interval.ms=600000&";
    let (consumer, mut peer) = subscribed(params).await;
    peer.rows(5, 7).await;
    drop(message(&consumer).await);
    assert!(
        consumer
            .recv_timeout(Timeout::None)
            .await
            .unwrap()
            .is_none()
    );
    drop(consumer);
    for call in ["free 1", "commit_offset t 1 7", "close", "closed"] {
        peer.sees(call).await;
    }
}

#[tokio::test]
async fn without_automatic_commits_nothing_is_committed_at_the_end() {
    let (consumer, mut peer) = subscribed("").await;
    peer.rows(5, 7).await;
    drop(message(&consumer).await);
    assert!(
        consumer
            .recv_timeout(Timeout::None)
            .await
            .unwrap()
            .is_none()
    );
    consumer.unsubscribe().await;
    for call in ["free 1", "unsubscribe", "close", "closed"] {
        peer.sees(call).await;
    }
}

#[tokio::test]
async fn a_vgroup_that_went_to_another_is_not_committed_by_itself_again() {
    let params = "enable.auto.commit=true&auto.commit.interval.ms=1&fake.ask=commit_offset&";
    let (consumer, mut peer) = subscribed(params).await;
    peer.rows(5, 7).await;
    drop(message(&consumer).await);
    peer.sees("free 1").await;
    // The look may wait for the commit, which comes first if it is due.
    let (looked, ()) = tokio::join!(consumer.recv_timeout(Timeout::None), async {
        peer.sees("commit_offset t 1 7").await;
        peer.say("0x80004008").await;
    });
    assert!(looked.unwrap().is_none());
    consumer.unsubscribe().await;
    for call in ["unsubscribe", "close", "closed"] {
        peer.sees(call).await;
    }
}

#[tokio::test]
async fn a_commit_is_made_to_its_end_though_its_caller_leaves() {
    let (consumer, mut peer) = subscribed("fake.ask=commit_offset&").await;
    peer.rows(5, 7).await;
    let (offset, _) = message(&consumer).await;
    peer.sees("free 1").await;
    tokio::select! {
        done = consumer.commit(offset.clone()) => panic!("{done:?}"),
        () = peer.sees("commit_offset t 1 7") => {}
    }
    peer.say("0").await;
    // Known to be made: it is not made again.
    consumer.commit(offset).await.unwrap();
    consumer.list_topics().await.unwrap();
    peer.sees("subscription").await;
}

#[tokio::test]
async fn messages_that_tell_no_place_are_committed_by_themselves() {
    let (consumer, mut peer) = subscribed_by_old("").await;
    peer.rows(1, 2).await;
    let (first, _) = message(&consumer).await;
    assert_eq!(first.next(), None);
    peer.rows(2, 3).await;
    let (second, _) = message(&consumer).await;
    consumer.commit(first.clone()).await.unwrap();
    peer.sees("commit 1").await;
    peer.sees("free 1").await;
    consumer.commit_all().await.unwrap();
    peer.sees("commit 2").await;
    peer.sees("free 2").await;
    consumer.commit(second).await.unwrap();
    consumer.commit(first).await.unwrap();
    consumer.list_topics().await.unwrap();
    peer.sees("subscription").await;
    let error = consumer.commit_offset("t", 1, 5).await.unwrap_err();
    assert!(error.to_string().contains("3.1.0.0"), "{error}");
}
