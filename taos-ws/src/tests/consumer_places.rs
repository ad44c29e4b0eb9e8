//! Where consumers go on after a loss, against a scripted server.

use super::consumer_faults::{NOTHING, again, with_one_taken};
use super::peer::{Accepts, Peer};
use super::topics::{DSN, TOPIC, read};
use crate::consumer::Consumer;
use crate::protocol::TmqRequest;
use taos_query::tmq::AsAsyncConsumer as _;

/// Which gaps were told, as from and to.
fn gaps(consumer: &Consumer) -> Vec<(i64, i64)> {
    let gaps = consumer.gaps();
    gaps.iter().map(|gap| (gap.from, gap.to)).collect()
}

/// A new subscription to a log that has `begin..end` only.
async fn to_another_log(accepts: &mut Accepts, begin: i64, end: i64) -> Peer {
    let mut peer = accepts.greet("3.3.7.5").await;
    peer.joined().await;
    peer.assign(end, begin, end).await;
    peer.committed(NOTHING).await;
    peer
}

#[tokio::test]
async fn a_seek_that_is_refused_for_a_while_is_tried_again_on_another_subscription() {
    for code in [0x000B, 0x0020, 0x0914] {
        let (consumer, peer, mut accepts) = with_one_taken(DSN).await;
        drop(peer);
        let script = async {
            let mut refusing = again(&mut accepts, 9, NOTHING).await;
            assert_eq!(refusing.refuse_seek(code).await, 4);
            let mut peer = again(&mut accepts, 9, NOTHING).await;
            assert_eq!(peer.sought().await, 4);
            peer.serve_rows(1, 4, 7, &[2]).await;
            peer
        };
        let (second, _peer) = tokio::join!(consumer.recv(), script);
        assert_eq!(read(second.unwrap()).await, (4, vec![2]), "{code}");
        assert!(consumer.gaps().is_empty());
    }
}

#[tokio::test]
async fn what_is_passed_over_because_a_seek_is_refused_for_good_is_told_as_a_gap() {
    let (consumer, peer, mut accepts) = with_one_taken(DSN).await;
    drop(peer);
    let script = async {
        let mut peer = again(&mut accepts, 9, NOTHING).await;
        peer.refuse_seek(0x0118).await;
        peer.serve_rows(1, 9, 12, &[2]).await;
        peer
    };
    let (second, _peer) = tokio::join!(consumer.recv(), script);
    assert_eq!(read(second.unwrap()).await, (9, vec![2]));
    assert_eq!(gaps(&consumer), [(4, 9)]);
}

#[tokio::test]
async fn a_vgroup_that_went_away_before_the_seek_goes_on_where_it_was_when_it_comes_back() {
    let (consumer, peer, mut accepts) = with_one_taken(DSN).await;
    drop(peer);
    let script = async {
        let mut peer = again(&mut accepts, 9, NOTHING).await;
        peer.refuse_seek(0x4008).await;
        peer.serve_rows(1, 9, 12, &[3]).await;
        peer.committed(NOTHING).await;
        assert_eq!(peer.sought().await, 4);
        peer.serve_rows(2, 4, 7, &[2]).await;
        peer
    };
    let (second, _peer) = tokio::join!(consumer.recv(), script);
    assert_eq!(read(second.unwrap()).await, (4, vec![2]));
    assert!(consumer.gaps().is_empty());
}

#[tokio::test]
async fn a_cut_while_the_log_is_cut_off_too_is_another_try_from_the_same_place() {
    let (consumer, peer, mut accepts) = with_one_taken(DSN).await;
    drop(peer);
    let script = async {
        let mut peer = again(&mut accepts, 9, NOTHING).await;
        peer.refuse_seek(0x4007).await;
        peer.assign(60, 50, 60).await;
        let Some(TmqRequest::Seek(args)) = peer.request().await else {
            panic!("`seek` was expected");
        };
        assert_eq!(args.offset, 50);
        drop(peer);
        let mut peer = to_another_log(&mut accepts, 50, 60).await;
        assert_eq!(peer.sought().await, 50);
        peer.serve_rows(1, 50, 52, &[2]).await;
        peer
    };
    let (second, _peer) = tokio::join!(consumer.recv(), script);
    assert_eq!(read(second.unwrap()).await, (50, vec![2]));
    assert_eq!(gaps(&consumer), [(4, 50)]);
}

#[tokio::test]
async fn a_second_cut_after_a_gap_and_before_a_message_passes_over_nothing() {
    let (consumer, peer, mut accepts) = with_one_taken(DSN).await;
    drop(peer);
    let script = async {
        let mut peer = to_another_log(&mut accepts, 50, 60).await;
        assert_eq!(peer.sought().await, 50);
        drop(peer);
        let mut peer = to_another_log(&mut accepts, 50, 70).await;
        assert_eq!(peer.sought().await, 50);
        peer.serve_rows(1, 50, 52, &[2]).await;
        peer
    };
    let (second, _peer) = tokio::join!(consumer.recv(), script);
    assert_eq!(read(second.unwrap()).await, (50, vec![2]));
    assert_eq!(gaps(&consumer), [(4, 50)]);
}

#[tokio::test]
async fn numbers_of_a_log_that_is_gone_are_not_committed_and_not_told_as_positions() {
    for (begin, end) in [(50, 60), (0, 2)] {
        let (consumer, peer, mut accepts) = with_one_taken(DSN).await;
        drop(peer);
        let work = async {
            // Has it subscribed again.
            consumer.list_topics().await.unwrap();
            consumer.commit_all().await.unwrap();
            consumer.position(TOPIC, 2).await.unwrap()
        };
        let script = async {
            let mut peer = to_another_log(&mut accepts, begin, end).await;
            assert_eq!(peer.sought().await, begin);
            let Some(TmqRequest::ListTopics(args)) = peer.request().await else {
                panic!("`list_topics` was expected");
            };
            peer.ok("list_topics", args.req_id, r#","topics":["t"]"#)
                .await;
            match peer.request().await {
                Some(TmqRequest::Position(args)) => {
                    let members = format!(r#","position":[{begin}]"#);
                    peer.ok("position", args.req_id, &members).await;
                }
                other => panic!("`position` was expected, not {other:?}"),
            }
            peer
        };
        let (position, _peer) = tokio::join!(work, script);
        assert_eq!(position, begin);
    }
}

#[tokio::test(start_paused = true)]
async fn a_vgroup_that_does_not_come_back_is_anothers_and_begins_anew_when_it_does() {
    let (consumer, peer, mut accepts) = with_one_taken(&format!("{DSN}&timeout=never")).await;
    drop(peer);
    let script = async {
        let mut peer = accepts.greet("3.3.7.5").await;
        peer.joined().await;
        let began = tokio::time::Instant::now();
        while began.elapsed().as_secs() < 150 {
            match peer.request().await {
                Some(TmqRequest::Assignment(args)) => {
                    let none = r#","assignment":null"#;
                    peer.ok("assignment", args.req_id, none).await;
                }
                Some(TmqRequest::Poll(args)) => {
                    let wait = args.blocking_time.try_into().unwrap();
                    tokio::time::sleep(std::time::Duration::from_millis(wait)).await;
                    peer.nothing(args.req_id).await;
                }
                other => panic!("{other:?}"),
            }
        }
        // A neighbour was here, and has read on to 30.
        loop {
            match peer.request().await {
                Some(TmqRequest::Assignment(args)) => {
                    let none = r#","assignment":null"#;
                    peer.ok("assignment", args.req_id, none).await;
                }
                Some(TmqRequest::Poll(args)) => {
                    peer.message(args.req_id, 1, 1, 30).await;
                    break;
                }
                other => panic!("{other:?}"),
            }
        }
        peer.serve_raw(1, 2, super::topics::rows(30, 33, &[3]))
            .await;
        peer
    };
    let (second, _peer) = tokio::join!(consumer.recv(), script);
    assert_eq!(read(second.unwrap()).await, (30, vec![3]));
    assert!(consumer.gaps().is_empty());
}
