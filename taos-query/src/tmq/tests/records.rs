use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use futures_util::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use serde::Deserialize;
use tokio::time::{Instant, timeout};

use super::fake::{Fake, block};
use crate::error::{ErrorKind, RawError, RawResult};
use crate::tmq::{AsAsyncConsumer, Record, Records, Shutdown};

#[derive(Debug, Deserialize)]
struct Row {
    n: i32,
}

type Numbers<'a> = Records<'a, Fake, Row>;

async fn next(records: &mut Numbers<'_>) -> Record<Row> {
    timeout(Duration::from_secs(10), records.next())
        .await
        .expect("a record within 10 s")
        .unwrap()
        .unwrap()
}

/// Nothing comes; the stream gets a turn to do its work.
async fn none(records: &mut Numbers<'_>) {
    tokio::task::yield_now().await;
    let item = poll_fn(|cx| Poll::Ready(records.poll_next_unpin(cx))).await;
    assert!(item.is_pending(), "{item:?}");
}

#[tokio::test]
async fn records_come_from_every_block_and_say_where_from() {
    for slow_blocks in [false, true] {
        let mut consumer = Fake::new();
        consumer.slow_blocks = slow_blocks;
        consumer.rows(2, 5, &[("d1", &[1, 2]), ("empty", &[]), ("d2", &[3])]);
        consumer.meta(2, 6);
        consumer.rows(3, 9, &[("d3", &[4])]);
        let mut records = consumer.records::<Row>();
        let mut seen = Vec::new();
        for _ in 0..4 {
            let record = next(&mut records).await;
            assert_eq!((record.topic(), record.database()), ("topic", "db"));
            let place = (record.vgroup_id(), record.offset(), record.row());
            seen.push((record.n, record.table_name().unwrap().to_owned(), place));
        }
        let expected = [
            (1, "d1", (2, 5, 0)),
            (2, "d1", (2, 5, 1)),
            (3, "d2", (2, 5, 0)),
            (4, "d3", (3, 9, 0)),
        ];
        assert_eq!(
            seen,
            expected.map(|(n, table, place)| (n, table.to_owned(), place))
        );
        none(&mut records).await;
        assert!(consumer.commits().is_empty(), "nothing was acknowledged");
    }
}

#[tokio::test]
async fn a_message_is_committed_when_all_its_records_and_those_before_are_acknowledged() {
    let consumer = Fake::new();
    consumer.rows(1, 5, &[("d1", &[1]), ("d2", &[2])]);
    consumer.rows(1, 6, &[("d1", &[3])]);
    consumer.rows(2, 50, &[("d3", &[4])]);
    let mut records = consumer.records::<Row>().commit_on_ack(Duration::ZERO);
    let [a, b, c, d] = [
        next(&mut records).await,
        next(&mut records).await,
        next(&mut records).await,
        next(&mut records).await,
    ];
    none(&mut records).await;
    c.ack();
    none(&mut records).await;
    assert!(consumer.commits().is_empty(), "5 comes before 6");
    assert_eq!(d.ack().n, 4);
    none(&mut records).await;
    assert_eq!(
        consumer.commits(),
        [(2, 50)],
        "the other vgroup waits for nobody"
    );
    let (row, ack) = b.into_parts();
    assert_eq!(row.n, 2);
    ack.ack();
    none(&mut records).await;
    assert_eq!(consumer.commits(), [(2, 50)]);
    a.ack();
    none(&mut records).await;
    assert_eq!(consumer.commits(), [(2, 50), (1, 6)], "6 covers 5");
}

#[tokio::test]
async fn an_acknowledgement_from_elsewhere_wakes_a_waiting_stream() {
    let consumer = Fake::new();
    consumer.rows(1, 5, &[("d1", &[1])]);
    let mut records = consumer.records::<Row>().commit_on_ack(Duration::ZERO);
    let record = next(&mut records).await;
    let worker = async {
        tokio::task::yield_now().await;
        record.ack();
        consumer.until_committed(&[(1, 5)]).await;
    };
    tokio::select! {
        biased;
        item = records.next() => panic!("{item:?}"),
        () = worker => {}
    }
}

#[tokio::test]
async fn nothing_from_a_dropped_record_on_is_committed() {
    let consumer = Fake::new();
    for version in 5..8 {
        consumer.rows(1, version, &[("d1", &[0])]);
    }
    let mut records = consumer.records::<Row>().commit_on_ack(Duration::ZERO);
    next(&mut records).await.ack();
    drop(next(&mut records).await);
    next(&mut records).await.ack();
    none(&mut records).await;
    assert_eq!(consumer.commits(), [(1, 5)]);
    // It comes again, and this time it is dealt with.
    consumer.rows(1, 6, &[("d1", &[0])]);
    consumer.rows(1, 7, &[("d1", &[0])]);
    next(&mut records).await.ack();
    next(&mut records).await.ack();
    none(&mut records).await;
    assert_eq!(consumer.commits().last(), Some(&(1, 7)));
}

#[tokio::test]
async fn what_is_delivered_again_must_be_acknowledged_again() {
    let consumer = Fake::new();
    consumer.rows(1, 5, &[("d1", &[0])]);
    consumer.rows(1, 6, &[("d1", &[0])]);
    let mut records = consumer.records::<Row>().commit_on_ack(Duration::ZERO);
    let first = next(&mut records).await;
    let second = next(&mut records).await;
    // The connection was lost and the group goes on at what was committed.
    consumer.rows(1, 5, &[("d1", &[0])]);
    let again = next(&mut records).await;
    second.ack();
    first.ack();
    none(&mut records).await;
    assert!(
        !consumer.commits().contains(&(1, 6)),
        "6 will come again, too"
    );
    again.ack();
    none(&mut records).await;
    assert_eq!(consumer.commits().last(), Some(&(1, 5)));
}

#[tokio::test]
async fn a_message_that_comes_again_alone_takes_the_place_of_the_first() {
    let consumer = Fake::new();
    consumer.rows(1, 5, &[("d1", &[0])]);
    let mut records = consumer.records::<Row>().commit_on_ack(Duration::ZERO);
    let first = next(&mut records).await;
    // The vgroup went to another consumer and came back.
    consumer.rows(1, 5, &[("d1", &[0])]);
    let again = next(&mut records).await;
    drop(first);
    none(&mut records).await;
    again.ack();
    none(&mut records).await;
    assert_eq!(consumer.commits(), [(1, 5)]);
}

#[tokio::test]
async fn a_commit_never_goes_back() {
    let consumer = Fake::new();
    consumer.rows(1, 5, &[("d1", &[0])]);
    consumer.rows(1, 6, &[("d1", &[0])]);
    let mut records = consumer.records::<Row>().commit_on_ack(Duration::ZERO);
    next(&mut records).await.ack();
    next(&mut records).await.ack();
    none(&mut records).await;
    consumer.rows(1, 5, &[("d1", &[0])]);
    next(&mut records).await.ack();
    none(&mut records).await;
    assert_eq!(consumer.commits().last(), Some(&(1, 6)));
}

#[tokio::test]
async fn a_row_that_cannot_be_read_says_where_it_is_and_is_passed_over() {
    let consumer = Fake::new();
    let mut odd = block("d2", &[7]);
    odd.with_field_names(["place", "n"]);
    consumer.blocks(
        3,
        5,
        vec![Ok(block("d1", &[1])), Ok(odd), Ok(block("d3", &[2]))],
    );
    let mut records = consumer.records::<Row>().commit_on_ack(Duration::ZERO);
    next(&mut records).await.ack();
    let error = records.next().await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode);
    let text = error.to_string();
    for part in ["`topic`", "vgroup 3", "offset 5", "`d2`", "row 0", "`n`"] {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
    records.commit_acked().await.unwrap();
    assert!(
        consumer.commits().is_empty(),
        "a program that stops here gets it again"
    );
    next(&mut records).await.ack();
    none(&mut records).await;
    assert_eq!(consumer.commits(), [(3, 5)]);
}

#[tokio::test]
async fn a_message_that_breaks_off_is_not_committed() {
    let consumer = Fake::new();
    let cut = RawError::of(ErrorKind::ConnectionLost, "cut");
    consumer.blocks(3, 5, vec![Ok(block("d1", &[1])), Err(cut)]);
    consumer.fail(RawError::of(ErrorKind::Timeout, "late"));
    consumer.rows(3, 6, &[("d1", &[2])]);
    let mut records = consumer.records::<Row>().commit_on_ack(Duration::ZERO);
    next(&mut records).await.ack();
    let error = records.next().await.unwrap().unwrap_err();
    assert!(error.to_string().contains("vgroup 3, offset 5"), "{error}");
    assert_eq!(
        records.next().await.unwrap().unwrap_err().kind(),
        ErrorKind::Timeout
    );
    next(&mut records).await.ack();
    none(&mut records).await;
    assert!(consumer.commits().is_empty());
}

#[tokio::test(start_paused = true)]
async fn commits_keep_their_interval() {
    let consumer = Fake::new();
    let mut records = consumer
        .records::<Row>()
        .commit_on_ack(Duration::from_secs(5));
    for version in 0..3 {
        consumer.rows(1, version, &[("d1", &[0])]);
        next(&mut records).await.ack();
        none(&mut records).await;
    }
    assert_eq!(consumer.commits(), [(1, 0)], "the first at once");
    let start = Instant::now();
    tokio::select! {
        item = records.next() => panic!("{item:?}"),
        () = consumer.until_committed(&[(1, 0), (1, 2)]) => {}
    }
    let waited = start.elapsed();
    assert!(
        waited > Duration::from_secs(4) && waited < Duration::from_secs(6),
        "{waited:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn slow_programs_commit_between_the_rows_of_a_block() {
    let consumer = Fake::new();
    let mut records = consumer
        .records::<Row>()
        .commit_on_ack(Duration::from_secs(5));
    consumer.rows(1, 0, &[("d1", &[0])]);
    consumer.rows(1, 1, &[("d1", &[0])]);
    consumer.rows(1, 2, &[("d1", &[0; 200])]);
    for _ in 0..3 {
        next(&mut records).await.ack();
    }
    assert_eq!(consumer.commits(), [(1, 0)], "the interval has not ended");
    let mut rows = 0;
    while consumer.commits() != [(1, 0), (1, 1)] {
        tokio::time::advance(Duration::from_secs(6)).await;
        next(&mut records).await.ack();
        rows += 1;
        assert!(rows <= 64, "{:?} after {rows} rows", consumer.commits());
    }
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_fails_is_an_error_and_is_tried_again() {
    let consumer = Fake::new();
    consumer.refuse(RawError::of(ErrorKind::ConnectionLost, "cut"));
    consumer.rows(1, 5, &[("d1", &[0])]);
    let mut records = consumer.records::<Row>().commit_on_ack(Duration::ZERO);
    next(&mut records).await.ack();
    let error = records.next().await.unwrap().unwrap_err();
    assert!(
        error
            .to_string()
            .contains("committing topic `topic`, vgroup 1, offset 5"),
        "{error}"
    );
    tokio::select! {
        item = records.next() => panic!("{item:?}"),
        () = consumer.until_committed(&[(1, 5)]) => {}
    }
}

#[tokio::test(start_paused = true)]
async fn a_vgroup_that_has_gone_to_another_consumer_is_no_error_and_the_others_are_committed() {
    let consumer = Fake::new();
    consumer.rows(1, 5, &[("d1", &[0])]);
    let mut records = consumer.records::<Row>().commit_on_ack(Duration::ZERO);
    consumer.refuse(RawError::from_code(0x4008));
    next(&mut records).await.ack();
    none(&mut records).await;
    consumer.rows(2, 6, &[("d1", &[0])]);
    let rest = async {
        next(&mut records).await.ack();
        records.next().await
    };
    tokio::select! {
        item = rest => panic!("{item:?}"),
        () = consumer.until_one_is_committed((2, 6)) => {}
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_acknowledged_is_committed_when_the_vgroup_is_back_soon() {
    let consumer = Fake::new();
    consumer.refuse(RawError::from_code(0x4008));
    consumer.refuse(RawError::from_code(0x4010));
    consumer.refuse(RawError::from_code(0x4009));
    consumer.rows(1, 5, &[("d1", &[0])]);
    let mut records = consumer.records::<Row>().commit_on_ack(Duration::ZERO);
    next(&mut records).await.ack();
    none(&mut records).await;
    records.commit_acked().await.unwrap();
    assert!(consumer.commits().is_empty());
    tokio::select! {
        item = records.next() => panic!("{item:?}"),
        () = consumer.until_committed(&[(1, 5)]) => {}
    }
}

#[tokio::test(start_paused = true)]
async fn a_vgroup_that_does_not_come_back_is_not_asked_for_all_the_time() {
    let consumer = Fake::new();
    for _ in 0..200 {
        consumer.refuse(RawError::from_code(0x4008));
    }
    consumer.rows(1, 5, &[("d1", &[0])]);
    let mut records = consumer.records::<Row>().commit_on_ack(Duration::ZERO);
    next(&mut records).await.ack();
    let silence = timeout(Duration::from_secs(3600), records.next()).await;
    assert!(silence.is_err(), "{silence:?}");
    assert_eq!(consumer.refusals(), 140);
}

#[tokio::test]
async fn acknowledged_messages_are_committed_on_request() {
    let consumer = Fake::new();
    consumer.rows(1, 5, &[("d1", &[1])]);
    consumer.rows(1, 6, &[("d1", &[2]), ("d2", &[3])]);
    let mut records = consumer.records::<Row>();
    next(&mut records).await.ack();
    records.commit_acked().await.unwrap();
    assert_eq!(consumer.commits(), [(1, 5)], "its last record was given");
    next(&mut records).await.ack();
    records.commit_acked().await.unwrap();
    assert_eq!(consumer.commits(), [(1, 5)], "half of 6 is still to come");
    assert_eq!(next(&mut records).await.ack().n, 3, "and it does come");
    consumer.refuse(RawError::of(ErrorKind::ConnectionLost, "cut"));
    assert!(records.commit_acked().await.is_err());
    records.commit_acked().await.unwrap();
    assert_eq!(consumer.commits(), [(1, 5), (1, 6)]);
}

#[tokio::test]
async fn dropping_a_future_at_any_await_loses_nothing() {
    let mut consumer = Fake::new();
    consumer.slow_blocks = true;
    for version in 0..20 {
        consumer.rows(1, version, &[("d1", &[1, 2]), ("d2", &[3])]);
    }
    consumer.close_gate();
    let mut records = consumer.records::<Row>().commit_on_ack(Duration::ZERO);
    let mut rows = 0;
    while rows < 60 {
        // Every future is given one poll.
        if let Some(record) = records.next().now_or_never() {
            record.unwrap().unwrap().ack();
            rows += 1;
        }
        assert!(
            records
                .commit_acked()
                .now_or_never()
                .is_none_or(|done| done.is_ok())
        );
        tokio::task::yield_now().await;
    }
    consumer.open_gate();
    // That the last message has no more blocks is known a turn later.
    none(&mut records).await;
    none(&mut records).await;
    records.commit_acked().await.unwrap();
    assert_eq!(consumer.commits().last(), Some(&(1, 19)));
    assert!(consumer.commits().is_sorted());
}

#[tokio::test(start_paused = true)]
async fn shutdown_gives_the_message_in_hand_commits_and_ends() {
    let consumer = Fake::new();
    consumer.rows(1, 5, &[("d1", &[1, 2]), ("d2", &[3])]);
    consumer.rows(1, 6, &[("d1", &[4])]);
    let mut records = consumer
        .records::<Row>()
        .commit_on_ack(Duration::from_secs(60));
    let shutdown = records.shutdown_handle();
    next(&mut records).await.ack();
    shutdown.clone().shutdown();
    assert!(shutdown.is_shutdown());
    let rest: Vec<i32> = records
        .by_ref()
        .map_ok(|record| record.ack().n)
        .try_collect()
        .await
        .unwrap();
    assert_eq!(rest, [2, 3]);
    assert_eq!(consumer.commits(), [(1, 5)]);
    assert!(records.next().await.is_none());
    drop(records);
    let again = consumer.records::<Row>().next().await.unwrap().unwrap();
    assert_eq!(again.n, 4, "not taken, not lost");
}

#[tokio::test(start_paused = true)]
async fn shutdown_ends_a_stream_that_waits_and_several_at_once() {
    let consumers = [Fake::new(), Fake::new()];
    let shutdown = Shutdown::default();
    let ends = consumers.each_ref().map(|consumer| {
        let mut records = consumer.records::<Row>().with_shutdown(&shutdown);
        async move { records.next().await.is_none() }
    });
    let asked = async {
        tokio::time::sleep(Duration::from_secs(3600)).await;
        shutdown.shutdown();
    };
    let (ended, ()) = tokio::join!(futures_util::future::join_all(ends), asked);
    assert_eq!(ended, [true, true]);
}

#[tokio::test(start_paused = true)]
async fn shutdown_waits_for_records_in_someones_hands() {
    let consumer = Fake::new();
    consumer.rows(1, 5, &[("d1", &[1])]);
    consumer.rows(2, 6, &[("d1", &[2])]);
    let mut records = consumer.records::<Row>();
    let (first, second) = (next(&mut records).await, next(&mut records).await);
    records.shutdown_handle().shutdown();
    let worker = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        first.ack();
        drop(second);
    };
    let start = Instant::now();
    let (end, ()) = tokio::join!(records.next(), worker);
    assert!(end.is_none());
    assert_eq!(start.elapsed().as_secs(), 2);
    assert_eq!(consumer.commits(), [(1, 5)]);

    consumer.rows(1, 7, &[("d1", &[1])]);
    let mut records = consumer.records::<Row>().grace(Duration::from_secs(1));
    records.shutdown_handle().shutdown();
    assert!(records.next().await.is_none(), "nothing was taken");
    let mut records = consumer.records::<Row>().grace(Duration::from_secs(1));
    let _held = next(&mut records).await;
    records.shutdown_handle().shutdown();
    let start = Instant::now();
    assert!(records.next().await.is_none());
    assert_eq!(start.elapsed().as_secs(), 1, "not for ever");
}

#[tokio::test(start_paused = true)]
async fn the_last_commit_that_fails_is_told() {
    let consumer = Fake::new();
    consumer.rows(1, 5, &[("d1", &[1])]);
    let mut records = consumer.records::<Row>();
    next(&mut records).await.ack();
    records.shutdown_handle().shutdown();
    consumer.refuse(RawError::of(ErrorKind::ConnectionLost, "cut"));
    assert!(records.next().await.unwrap().is_err());
    assert!(records.next().await.is_none());
}

#[tokio::test]
async fn what_a_dropped_stream_left_is_delivered_again_to_the_next_one() {
    let consumer = Fake::new();
    consumer.rows(1, 5, &[("d1", &[1, 2])]);
    consumer.rows(1, 6, &[("d1", &[3])]);
    consumer.rows(2, 40, &[("d2", &[4])]);
    let mut records = consumer.records::<Row>();
    next(&mut records).await.ack();
    drop(records);
    consumer.refuse(RawError::of(ErrorKind::ConnectionLost, "cut"));
    let mut records = consumer.records::<Row>();
    let error = records.next().await.unwrap().unwrap_err();
    assert!(
        error.to_string().contains("topic `topic`, vgroup 1"),
        "{error}"
    );
    assert!(
        records.next().now_or_never().is_none(),
        "it goes back first"
    );
    assert_eq!(next(&mut records).await.n, 3);
    assert_eq!(consumer.returns(), [(1, 5)]);
    // Dropped without an acknowledgement, as the next is.
    next(&mut records).await;
    drop(records);
    consumer.refuse(RawError::from_code(0x4008));
    let mut records = consumer.records::<Row>();
    consumer.rows(3, 7, &[("d1", &[5])]);
    next(&mut records).await.ack();
    let mut returns = consumer.returns();
    assert_eq!(returns.len(), 2, "one of the two has gone elsewhere");
    returns.dedup();
    assert!(
        matches!(returns[..], [(1, 5), (1, 6) | (2, 40)]),
        "{returns:?}"
    );
    records.commit_acked().await.unwrap();
    drop(records);
    next(&mut consumer_with_one_more(&consumer)).await.ack();
    assert_eq!(consumer.returns().len(), 3, "it may be back");
    next(&mut consumer_with_one_more(&consumer)).await;
    assert_eq!(consumer.returns().len(), 3, "nothing is left");
}

#[tokio::test]
async fn what_was_left_of_a_vgroup_that_was_away_comes_before_all_else_of_it() {
    let consumer = Fake::new();
    consumer.rows(1, 5, &[("d1", &[1])]);
    drop(next(&mut consumer.records::<Row>()).await);
    // After a cut the group still counts the member that was lost.
    consumer.refuse(RawError::from_code(0x4008));
    let mut records = consumer.records::<Row>();
    consumer.rows(2, 8, &[("d2", &[2])]);
    assert_eq!(next(&mut records).await.ack().n, 2);
    assert!(consumer.returns().is_empty());
    consumer.rows(1, 6, &[("d1", &[3])]);
    none(&mut records).await;
    none(&mut records).await;
    assert_eq!(consumer.returns(), [(1, 5)], "it goes back first");
    for version in [5, 6] {
        consumer.rows(1, version, &[("d1", &[4])]);
        assert_eq!(next(&mut records).await.offset(), version);
    }
    drop(records);
    // What is out of the log by then is told, and what came is given.
    consumer.refuse(RawError::from_code(0x4008));
    let mut records = consumer.records::<Row>();
    consumer.rows(3, 8, &[("d2", &[2])]);
    next(&mut records).await.ack();
    consumer.refuse(RawError::from_code(0x4007));
    consumer.rows(1, 9, &[("d1", &[3])]);
    let error = records.next().await.unwrap().unwrap_err();
    assert_eq!(error.code(), 0x4007);
    assert_eq!(next(&mut records).await.offset(), 9);
}

fn consumer_with_one_more(consumer: &Fake) -> Numbers<'_> {
    consumer.rows(1, 8, &[("d1", &[6])]);
    consumer.records::<Row>()
}

#[tokio::test]
async fn streams_of_records_may_go_to_other_tasks() {
    fn sent<T: Send>(value: T) -> T {
        value
    }
    let consumer = Fake::new();
    consumer.rows(1, 5, &[("d1", &[1])]);
    let mut records = sent(consumer.records::<Row>());
    let record = sent(records.next()).await.unwrap();
    assert_eq!(sent(record).unwrap().into_value().n, 1);
    let _: Pin<&mut Numbers<'_>> = Pin::new(&mut records);
}

#[tokio::test]
async fn many_rows_are_acknowledged_whatever_the_order() {
    let consumer = Fake::new();
    let numbers: Vec<i32> = (0..500).collect();
    for version in 0..40 {
        let vgroup = i32::try_from(version % 3).unwrap();
        consumer.rows(vgroup, version, &[("d1", &numbers), ("d2", &numbers)]);
    }
    let mut records = consumer.records::<Row>();
    let mut held: Vec<Record<Row>> = records.by_ref().take(40_000).try_collect().await.unwrap();
    let mut seed = 7_u64;
    while !held.is_empty() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let at = usize::try_from(seed >> 33).unwrap() % held.len();
        held.swap_remove(at).ack();
    }
    let done: RawResult<()> = records.commit_acked().await;
    done.unwrap();
    let mut commits = consumer.commits();
    commits.sort_unstable();
    assert_eq!(commits, [(0, 39), (1, 37), (2, 38)]);
}
