//! What a consumer is told to do while a scripted server keeps its task waiting, or refuses.

use super::peer::{Peer, frame};
use super::topics::{DSN, TOPIC, connected, read, rows, subscribed};
use crate::protocol::{RawDataOutcome, RawDataReply, TmqRequest};
use futures_util::FutureExt as _;
use std::time::Duration;
use taos_query::ErrorKind;
use taos_query::tmq::raw::DATA;
use taos_query::tmq::{AsAsyncConsumer as _, IsOffset as _, Timeout};
use tokio::time::{Instant, timeout};

const NOTHING: i64 = -2_147_467_247;

impl Peer {
    /// Answers pings and nothing else, until the client goes; gives the number of requests.
    async fn mute(&mut self) -> usize {
        let mut requests = 0;
        while let Some((first, payload)) = self.recv_frame().await {
            match first & 0x0F {
                8 => break,
                9 => self.raw(&frame(10, &payload)).await,
                10 => {}
                _ => requests += 1,
            }
        }
        requests
    }

    async fn asked_for(&mut self, id: u64) -> u64 {
        match self.request().await {
            Some(TmqRequest::FetchRawData(args)) => {
                assert_eq!(args.message_id, id);
                args.req_id
            }
            other => panic!("`fetch_raw_data` was expected, not {other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn unsubscribing_does_not_wait_for_a_message_that_is_not_given() {
    let (consumer, mut peer, _accepts) = subscribed(DSN).await;
    let script = async {
        let poll = peer.poll().await;
        peer.message(poll.req_id, 1, 1, 0).await;
        peer.asked_for(1).await;
    };
    let (none, ()) = tokio::join!(consumer.recv_timeout(Timeout::from_millis(100)), script);
    assert!(none.unwrap().is_none());
    let mute = tokio::spawn(async move { peer.mute().await });
    let started = Instant::now();
    consumer.unsubscribe().await;
    assert!(
        started.elapsed() < Duration::from_secs(20),
        "{:?}",
        started.elapsed()
    );
    assert_eq!(mute.await.unwrap(), 1, "`unsubscribe`");
}

#[tokio::test(start_paused = true)]
async fn a_question_about_places_that_is_not_answered_leads_to_another_subscription() {
    let (consumer, mut peer, mut accepts) = subscribed(DSN).await;
    let (first, _) = tokio::join!(consumer.recv(), peer.serve_rows(1, 0, 4, &[1]));
    first.unwrap().unwrap();
    drop(peer);
    let started = Instant::now();
    let script = async {
        let mut peer = accepts.greet("3.3.7.5").await;
        let Some(TmqRequest::Subscribe(args)) = peer.request().await else {
            panic!("`subscribe` was expected");
        };
        peer.ok("subscribe", args.req_id, "").await;
        // The vgroup is given to it later, and so looked for after an empty answer.
        let Some(TmqRequest::Assignment(args)) = peer.request().await else {
            panic!("`assignment` was expected");
        };
        peer.ok("assignment", args.req_id, r#","assignment":null"#)
            .await;
        let assigned = loop {
            match peer.request().await {
                Some(TmqRequest::Poll(args)) => {
                    tokio::time::sleep(Duration::from_millis(500)).await;
                    peer.nothing(args.req_id).await;
                }
                Some(TmqRequest::Assignment(args)) => break args.req_id,
                other => panic!("{other:?}"),
            }
        };
        let vgroup = r#","assignment":[{"vgroup_id":2,"offset":9,"begin":0,"end":100}]"#;
        peer.ok("assignment", assigned, vgroup).await;
        // `committed`.
        assert_eq!(peer.mute().await, 1);
        let mut peer = accepts.greet("3.3.7.5").await;
        peer.resubscribe(4, 4).await;
        peer.serve_rows(1, 4, 7, &[2]).await;
        peer
    };
    let (second, _peer) = tokio::join!(consumer.recv_timeout(Timeout::Never), script);
    assert_eq!(read(second.unwrap()).await, (4, vec![2]));
    assert!(
        started.elapsed() < Duration::from_secs(90),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_not_given_is_fetched_by_another_subscription_long_before_read_timeout() {
    let (consumer, mut peer, mut accepts) = subscribed(DSN).await;
    let started = Instant::now();
    let script = async {
        let poll = peer.poll().await;
        peer.message(poll.req_id, 1, 1, 0).await;
        peer.mute().await;
        let mut peer = accepts.greet("3.3.7.5").await;
        peer.resubscribe(0, NOTHING).await;
        peer.serve_rows(1, 0, 4, &[1]).await;
        peer
    };
    let (first, _peer) = tokio::join!(consumer.recv_timeout(Timeout::Never), script);
    assert_eq!(read(first.unwrap()).await, (0, vec![1]));
    assert!(
        started.elapsed() < Duration::from_secs(90),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn other_topics_are_subscribed_to_on_a_socket_where_no_late_answer_comes() {
    let (mut consumer, mut peer, mut accepts) = subscribed(DSN).await;
    let gave_up = consumer.recv_timeout(Timeout::from_millis(100));
    let (none, _) = tokio::join!(gave_up, peer.poll());
    assert!(none.unwrap().is_none());
    let mute = tokio::spawn(async move { peer.mute().await });
    let started = Instant::now();
    let script = async {
        let mut peer = accepts.greet("3.3.7.5").await;
        let args = peer.subscribe(0).await;
        (args.topics, peer)
    };
    let (done, (topics, mut peer)) = tokio::join!(consumer.subscribe(["u"]), script);
    done.unwrap();
    assert_eq!(topics, ["u"]);
    assert!(started.elapsed() < Duration::from_secs(2));
    assert_eq!(mute.await.unwrap(), 0);
    // Whoever waited for the poll that was given up waits for this one.
    let (first, _) = tokio::join!(consumer.recv(), peer.serve_rows(1, 0, 4, &[1]));
    assert_eq!(read(first.unwrap()).await, (0, vec![1]));
}

#[tokio::test(start_paused = true)]
async fn a_subscription_that_is_not_answered_gives_way_to_the_next() {
    for again in [false, true] {
        let (mut consumer, mut peer, mut accepts) = connected(DSN, "3.3.7.5").await;
        let mute = tokio::spawn(async move { peer.mute().await });
        let gave_up = timeout(Duration::from_secs(3), consumer.subscribe([TOPIC])).await;
        assert!(gave_up.is_err());
        let started = Instant::now();
        if again {
            let script = async {
                let mut peer = accepts.greet("3.3.7.5").await;
                peer.subscribe(0).await;
                peer
            };
            let (done, _peer) = tokio::join!(consumer.subscribe([TOPIC]), script);
            done.unwrap();
        } else {
            consumer.unsubscribe().await;
        }
        assert!(
            started.elapsed() < Duration::from_secs(2),
            "{:?}",
            started.elapsed()
        );
        assert_eq!(mute.await.unwrap(), 1, "`subscribe` and nothing behind it");
    }
}

#[tokio::test(start_paused = true)]
async fn a_dropped_consumer_commits_at_once_though_a_poll_is_not_answered() {
    let dsn = format!("{DSN}&enable.auto.commit=true&auto.commit.interval.ms=1000000");
    let (consumer, mut peer, _accepts) = subscribed(&dsn).await;
    let (first, _) = tokio::join!(consumer.recv(), peer.serve_rows(1, 0, 4, &[1]));
    first.unwrap().unwrap();
    let ahead = peer.poll().await;
    peer.nothing(ahead.req_id).await;
    let gave_up = consumer.recv_timeout(Timeout::from_millis(100));
    let (none, _) = tokio::join!(gave_up, peer.poll());
    assert!(none.unwrap().is_none());
    let started = Instant::now();
    drop(consumer);
    assert_eq!(peer.commit_offset().await, 4);
    assert!(peer.request().await.is_none());
    assert!(started.elapsed() < Duration::from_secs(1));
}

#[tokio::test]
async fn a_consumer_leaves_although_nobody_waits_for_it() {
    let (consumer, mut peer, _accepts) = subscribed(DSN).await;
    let mut leaving = Box::pin(consumer.unsubscribe());
    assert!((&mut leaving).now_or_never().is_none());
    drop(leaving);
    peer.unsubscribed().await;
    assert!(peer.request().await.is_none());
}

#[tokio::test]
async fn one_who_receives_waits_for_a_subscription_that_is_under_way() {
    let (mut consumer, mut peer, _accepts) = connected(DSN, "3.3.7.5").await;
    {
        let mut subscribing = Box::pin(consumer.subscribe([TOPIC]));
        assert!((&mut subscribing).now_or_never().is_none());
        tokio::task::yield_now().await;
    }
    let script = async {
        peer.subscribe(0).await;
        peer.serve_rows(1, 0, 4, &[1]).await;
    };
    let (first, ()) = tokio::join!(consumer.recv(), script);
    assert_eq!(read(first.unwrap()).await, (0, vec![1]));
}

#[tokio::test]
async fn a_message_that_cannot_be_fetched_is_told_although_empty_answers_come_in_between() {
    let (consumer, mut peer, mut accepts) = subscribed(DSN).await;
    let script = async {
        let mut tries = 0;
        loop {
            let poll = peer.poll().await;
            peer.nothing(poll.req_id).await;
            let poll = peer.poll().await;
            peer.message(poll.req_id, 1, 1, 0).await;
            let req_id = peer.asked_for(1).await;
            let refused = RawDataReply {
                timing: 1,
                req_id,
                message_id: 1,
                outcome: RawDataOutcome::Error {
                    code: 0xFFFF,
                    message: "no memory".to_owned(),
                },
            };
            peer.binary(&refused.encode().unwrap()).await;
            tries += 1;
            // One more than conn_retries allows is told.
            if tries > 3 {
                return tries;
            }
            peer = accepts.greet("3.3.7.5").await;
            peer.resubscribe(0, NOTHING).await;
        }
    };
    let (failed, tries) = tokio::join!(consumer.recv(), script);
    let error = failed.unwrap_err();
    assert_eq!(tries, 4);
    let text = error.to_string();
    for word in [
        "fetch_raw_data",
        "message 1",
        "`g`",
        "peer:6041",
        "no memory",
    ] {
        assert!(text.contains(word), "{word}: {text}");
    }
}

#[tokio::test]
async fn what_passes_by_itself_is_told_only_if_it_does_not_pass() {
    for code in [0x03EA, 0x000B, 0x0020, 0x0130, 0x0903, 0x0914] {
        let (consumer, mut peer, _accepts) = subscribed(DSN).await;
        let script = async {
            for _ in 0..2 {
                let poll = peer.poll().await;
                peer.refuse("poll", poll.req_id, code, "not now").await;
            }
            peer.serve_rows(1, 0, 4, &[1]).await;
        };
        let (first, ()) = tokio::join!(consumer.recv(), script);
        assert_eq!(read(first.unwrap()).await, (0, vec![1]), "{code:#x}");
        let script = async {
            for _ in 0..3 {
                let poll = peer.poll().await;
                peer.refuse("poll", poll.req_id, code, "not now").await;
            }
        };
        let (failed, ()) = tokio::join!(consumer.recv(), script);
        let text = failed.unwrap_err().to_string();
        for word in ["`poll`", "`g`", "peer:6041", "try again later"] {
            assert!(text.contains(word), "{word}: {text}");
        }
    }
}

#[tokio::test]
async fn a_refused_call_says_what_was_asked_where_and_what_to_do() {
    let (mut consumer, mut peer, _accepts) = subscribed(DSN).await;
    let server = tokio::spawn(async move {
        let codes = [0x4008, 0x4007, 0x4009, 0x4009, 0x4008];
        for code in codes {
            let (action, req_id) = match peer.request().await {
                Some(TmqRequest::CommitOffset(args)) => ("commit_offset", args.req_id),
                Some(TmqRequest::Seek(args)) => ("seek", args.req_id),
                Some(TmqRequest::Assignment(args)) => ("assignment", args.req_id),
                Some(TmqRequest::Committed(args)) => ("committed", args.req_id),
                Some(TmqRequest::Position(args)) => ("position", args.req_id),
                other => panic!("{other:?}"),
            };
            peer.refuse(action, req_id, code, "no").await;
        }
        peer
    });
    let errors = [
        consumer.commit_offset("some", 7, 99).await.unwrap_err(),
        consumer.offset_seek("some", 7, 99).await.unwrap_err(),
        consumer.try_topic_assignment("some").await.unwrap_err(),
        consumer.committed("some", 7).await.unwrap_err(),
        consumer.position("some", 7).await.unwrap_err(),
    ];
    let words = [
        &["commit_offset", "99", "vgroup 7", "another member"][..],
        &["seek", "99", "vgroup 7", "does not have this offset"],
        &["assignment", "not subscribed to this topic"],
        &["committed", "7", "not subscribed to this topic"],
        &["position", "7", "another member"],
    ];
    for (error, words) in errors.iter().zip(words) {
        assert_eq!(error.kind(), ErrorKind::Server);
        let text = error.to_string();
        for word in words.iter().chain(&["`some`", "`g`", "peer:6041"]) {
            assert!(text.contains(word), "{word}: {text}");
        }
        assert!(!text.contains("taosdata"), "{text}");
    }
    server.await.unwrap();
}

#[tokio::test]
async fn an_unknown_parameter_is_looked_for_among_those_that_went_to_the_server() {
    let dsn = format!("{DSN}&sasl.password=hidden&fetch.max.wait.ms=10");
    let (mut consumer, mut peer, _accepts) = connected(&dsn, "3.3.7.5").await;
    let script = async {
        // With batches of meta, and without.
        for _ in 0..2 {
            let Some(TmqRequest::Subscribe(args)) = peer.request().await else {
                panic!("`subscribe` was expected");
            };
            peer.refuse("subscribe", args.req_id, 0xFFFE, "unknown")
                .await;
        }
    };
    let (done, ()) = tokio::join!(consumer.subscribe([TOPIC]), script);
    let text = done.unwrap_err().to_string();
    assert!(
        text.contains("`fetch.max.wait.ms`, `sasl.password`"),
        "{text}"
    );
    assert!(!text.contains("hidden"), "{text}");
}

#[tokio::test]
async fn a_seek_outlives_cuts_of_the_subscription_that_is_made_for_it() {
    let (mut consumer, mut peer, mut accepts) = subscribed(DSN).await;
    let (first, _) = tokio::join!(consumer.recv(), peer.serve_rows(1, 0, 4, &[1]));
    first.unwrap().unwrap();
    let ahead = peer.poll().await;
    peer.nothing(ahead.req_id).await;
    drop(peer);
    let script = async {
        for _ in 0..2 {
            let mut peer = accepts.greet("3.3.7.5").await;
            peer.resubscribe(4, 4).await;
        }
        let mut peer = accepts.greet("3.3.7.5").await;
        peer.resubscribe(4, 4).await;
        assert_eq!(peer.sought().await, 1);
        peer
    };
    let (done, mut peer) = tokio::join!(consumer.offset_seek(TOPIC, 2, 1), script);
    done.unwrap();
    let script = async {
        let poll = peer.poll().await;
        peer.message(poll.req_id, 1, 1, 1).await;
        peer.serve_raw(1, DATA, rows(1, 4, &[7])).await;
    };
    let (again, ()) = tokio::join!(consumer.recv(), script);
    let (offset, _) = again.unwrap().unwrap();
    assert_eq!(offset.offset(), 1);
}
