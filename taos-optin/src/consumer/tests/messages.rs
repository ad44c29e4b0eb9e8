use std::time::Duration;

use taos_query::common::Value;

use taos_query::tmq::{
    AsAsyncConsumer as _, IsAsyncData as _, IsAsyncMeta as _, IsOffset as _, JsonMeta, Timeout,
};
use taos_query::{AsyncTBuilder as _, ErrorKind};

use super::fake::{building, built, dsn, message, subscribed, subscribed_by_old};
use crate::consumer::TmqBuilder;

#[tokio::test]
async fn every_block_has_the_table_and_the_columns_that_the_library_told_with_it() {
    let (consumer, mut peer) = subscribed("").await;
    peer.say("m 1 3 40 42 2").await;
    let (offset, set) = message(&consumer).await;
    assert_eq!((offset.topic(), offset.database()), ("t", "db"));
    assert_eq!(
        (offset.vgroup_id(), offset.offset(), offset.next()),
        (3, 40, Some(42))
    );
    let data = set.into_data().unwrap();
    for at in 0..2 {
        let block = data.fetch_raw_block().await.unwrap().unwrap();
        assert_eq!(block.table_name(), Some(format!("d{at}").as_str()));
        assert_eq!(block.tmq_db_name(), Some("db"));
        assert_eq!(block.fields()[0].name(), format!("v{at}"));
        assert_eq!(block.to_values()[0][0], Value::Int(40 + at));
    }
    assert!(data.fetch_raw_block().await.unwrap().is_none());
    drop(data);
    peer.sees("free 1").await;
}

#[tokio::test]
async fn the_packed_form_is_given_back_before_the_message_is_freed() {
    let (consumer, mut peer) = subscribed("").await;
    peer.say("m 3 1 5 6 1").await;
    let (_, set) = message(&consumer).await;
    let (meta, data) = match set {
        taos_query::tmq::MessageSet::MetaData(meta, data) => (meta, data),
        other => panic!("{other:?}"),
    };
    drop(consumer);
    assert!(matches!(
        meta.as_json_meta().await.unwrap(),
        JsonMeta::Single(_)
    ));
    assert_eq!(data.as_raw_data().await.unwrap().raw_len(), 4);
    drop((meta, data));
    let mut seen = Vec::new();
    while !seen.iter().any(|line| line == "free 1") {
        seen.push(peer.next().await);
    }
    seen.retain(|line| !line.starts_with("close"));
    assert_eq!(seen, ["raw 1", "unraw 1", "free 1"]);
}

#[tokio::test]
async fn an_error_in_a_block_is_told_once_and_ends_the_rows() {
    let (consumer, mut peer) = subscribed("").await;
    peer.say("m 1 1 5 6 9").await;
    let (_, set) = message(&consumer).await;
    let data = set.into_data().unwrap();
    assert_eq!(data.fetch_raw_block().await.unwrap_err().code(), 0x0123);
    assert!(data.fetch_raw_block().await.unwrap().is_none());
}

#[tokio::test]
async fn a_message_of_an_unknown_kind_is_no_message_lost() {
    let (consumer, mut peer) = subscribed("").await;
    peer.rows(1, 2).await;
    drop(message(&consumer).await);
    // Fetched ahead, while nobody waits.
    peer.say("m 77 1 2 3 1").await;
    let (offset, set) = message(&consumer).await;
    assert_eq!((offset.offset(), offset.next()), (2, Some(3)));
    let data = set.into_data().unwrap();
    let error = data.fetch_raw_block().await.unwrap_err();
    assert!(error.to_string().contains("77"), "{error}");
    assert!(data.fetch_raw_block().await.unwrap().is_none());
}

#[tokio::test]
async fn nothing_is_asked_for_while_nobody_waits_but_one_message_ahead() {
    let (consumer, mut peer) = subscribed("").await;
    consumer.list_topics().await.unwrap();
    peer.sees("subscription").await;
    assert!(peer.polls.is_empty());
    peer.rows(1, 2).await;
    let first = message(&consumer).await;
    // That poll, and one that takes no time.
    assert!(peer.poll().await > 0);
    assert_eq!(peer.poll().await, 0);
    drop(first);
    peer.sees("free 1").await;
    consumer.list_topics().await.unwrap();
    peer.sees("subscription").await;
    assert!(peer.polls.is_empty(), "{:?}", peer.polls);
}

#[tokio::test]
async fn a_message_that_nobody_waits_for_any_more_is_the_next_ones() {
    let (consumer, mut peer) = subscribed("").await;
    let left = tokio::time::timeout(
        Duration::from_millis(1),
        consumer.recv_timeout(Timeout::Never),
    );
    assert!(left.await.is_err());
    peer.poll().await;
    peer.rows(7, 8).await;
    // The order comes behind the poll.
    consumer.list_topics().await.unwrap();
    peer.sees("subscription").await;
    let seen = peer.polls.len();
    let (offset, _) = message(&consumer).await;
    assert_eq!((offset.offset(), seen), (7, peer.polls.len()));
}

#[tokio::test]
async fn one_who_only_looks_costs_one_poll_that_takes_no_time() {
    let (consumer, mut peer) = subscribed("").await;
    assert!(
        consumer
            .recv_timeout(Timeout::None)
            .await
            .unwrap()
            .is_none()
    );
    consumer.list_topics().await.unwrap();
    peer.sees("subscription").await;
    assert_eq!(peer.polls, [0]);
}

#[tokio::test]
async fn a_wait_ends_in_time_even_while_the_library_is_busy() {
    let (consumer, mut peer) = subscribed("fake.ask=subscription&").await;
    let consumer = std::sync::Arc::new(consumer);
    let asking = {
        let consumer = std::sync::Arc::clone(&consumer);
        tokio::spawn(async move { consumer.list_topics().await })
    };
    peer.sees("subscription").await;
    let waited = consumer.recv_timeout(Timeout::from_millis(5)).await;
    assert!(waited.unwrap().is_none());
    peer.say("0").await;
    assert_eq!(asking.await.unwrap().unwrap(), ["t"]);
}

#[tokio::test]
async fn an_error_of_a_poll_is_told_to_who_waits_and_the_next_goes_on() {
    let (consumer, mut peer) = subscribed("").await;
    peer.say("e 0x800003E6").await;
    let error = consumer.recv_timeout(Timeout::Never).await.unwrap_err();
    assert_eq!(error.code(), 0x03E6);
    assert!(error.to_string().contains("group `g`"), "{error}");
    peer.rows(1, 2).await;
    assert_eq!(message(&consumer).await.0.offset(), 1);
}

#[tokio::test]
async fn a_library_that_tells_no_errors_of_polls_is_asked_again() {
    let (consumer, mut peer) = subscribed_by_old("").await;
    peer.say("e 0x800003E6").await;
    peer.rows(1, 2).await;
    message(&consumer).await;
    // The message that was told no place: not even where it begins.
    drop(consumer);
    peer.sees("close").await;
    peer.sees("closed").await;
    assert!(peer.polls.len() >= 2);
}

#[tokio::test]
async fn an_order_does_not_wait_for_a_message() {
    let (consumer, mut peer) = subscribed("").await;
    let waiting = consumer.recv_timeout(Timeout::Never);
    tokio::pin!(waiting);
    tokio::select! {
        got = &mut waiting => panic!("{got:?}"),
        topics = consumer.list_topics() => assert_eq!(topics.unwrap(), ["t"]),
    }
    peer.rows(3, 4).await;
    assert_eq!(waiting.await.unwrap().unwrap().0.offset(), 3);
    peer.sees("subscription").await;
    assert!(
        peer.polls.iter().all(|millis| *millis <= 500),
        "{:?}",
        peer.polls
    );
}

#[tokio::test]
async fn what_the_library_does_not_take_is_named_with_key_and_value() {
    for (params, words) in [
        (
            "fetch.max.wiat.ms=1&",
            &["`fetch.max.wiat.ms`", "`fetch.max.wait.ms`", "3.3.7.5"][..],
        ),
        ("session.timeout.ms=10&", &["`session.timeout.ms=10`"]),
        (
            "td.connect.token=sesame&",
            &["`td.connect.token`", "3.4.0.0"],
        ),
    ] {
        let builder = TmqBuilder::from_dsn(dsn(params)).unwrap();
        let error = builder.build().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        let text = error.to_string();
        assert!(words.iter().all(|word| text.contains(word)), "{text}");
        assert!(!text.contains("sesame"), "{text}");
    }
}

#[tokio::test]
async fn a_refused_login_is_told_with_the_user_and_the_group() {
    let dsn = dsn("").replace("root@", "wrong:secret@");
    let error = TmqBuilder::from_dsn(dsn)
        .unwrap()
        .build()
        .await
        .unwrap_err();
    assert_eq!(
        (error.code().into(), error.kind()),
        (0x0357, ErrorKind::Auth)
    );
    let text = error.to_string();
    assert!(text.contains("`wrong`") && text.contains("`g`"), "{text}");
    assert!(!text.contains("secret"), "{text}");
}

#[tokio::test]
async fn a_consumer_that_nobody_waits_for_any_more_is_closed_when_it_is_there() {
    let (building, mut peer) = building("fake.ask=new&").await;
    building.abort();
    assert!(building.await.unwrap_err().is_cancelled());
    peer.say("0").await;
    peer.sees("close").await;
    peer.sees("closed").await;
}

#[tokio::test]
async fn a_dropped_consumer_is_closed_by_its_thread_while_nobody_waits() {
    let (consumer, mut peer) = subscribed("fake.ask=close&").await;
    drop(consumer);
    peer.sees("close").await;
    // What the library does not close is tried again.
    peer.say("-1").await;
    peer.sees("close").await;
    peer.say("0").await;
    peer.sees("closed").await;
}

#[tokio::test]
async fn unsubscribing_leaves_the_topics_and_closes() {
    let (consumer, mut peer) = subscribed("").await;
    consumer.unsubscribe().await;
    for call in ["unsubscribe", "close", "closed"] {
        peer.sees(call).await;
    }
}

#[tokio::test]
async fn other_topics_take_the_place_of_the_first() {
    let (mut consumer, mut peer) = subscribed("").await;
    peer.rows(1, 2).await;
    message(&consumer).await;
    peer.sees("free 1").await;
    consumer.subscribe(["other"]).await.unwrap();
    peer.sees("unsubscribe").await;
    peer.sees("subscribe other").await;
}

#[tokio::test]
async fn what_is_not_subscribed_says_so_and_is_no_broken_consumer() {
    let dsn = dsn("");
    let builder = TmqBuilder::from_dsn(&dsn).unwrap();
    let (mut consumer, mut peer) = built(false, "").await;
    let looked = consumer.recv_timeout(Timeout::None).await.map(drop);
    for refused in [
        looked,
        consumer.list_topics().await.map(drop),
        consumer.commit_all().await,
        consumer.offset_seek("t", 1, 1).await,
    ] {
        assert_eq!(refused.unwrap_err().code(), 0x4017);
    }
    builder.ping(&mut consumer).await.unwrap();
    assert!(!TmqBuilder::is_broken(&consumer));
    consumer.unsubscribe().await;
    peer.sees("close").await;
}
