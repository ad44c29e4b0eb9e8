use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _};

use super::fake::{Fake, block};
use crate::error::{ErrorKind, RawError, RawResult};
use crate::tmq::{
    AsAsyncConsumer, IsAsyncData as _, IsAsyncMeta as _, IsOffset as _, Shutdown, Timeout,
};

#[tokio::test(start_paused = true)]
async fn a_stream_ends_at_the_first_silence_and_a_new_one_goes_on() {
    let consumer = Fake::new();
    consumer.rows(1, 5, &[("d1", &[1, 2])]);
    consumer.rows(2, 7, &[("d2", &[3])]);
    let mut seen = Vec::new();
    let mut stream = consumer.stream();
    while let Some((offset, mut message)) = stream.try_next().await.unwrap() {
        let data = message.data().unwrap();
        while let Some(block) = data.fetch_raw_block().await.unwrap() {
            seen.push((
                offset.offset(),
                block.table_name().unwrap().to_owned(),
                block.nrows(),
            ));
        }
        consumer.commit(offset).await.unwrap();
    }
    assert_eq!(seen, [(5, "d1".to_owned(), 2), (7, "d2".to_owned(), 1)]);
    assert_eq!(consumer.commits(), [(1, 5), (2, 7)]);
    assert!(stream.next().await.is_none(), "over is over");
    drop(stream);
    consumer.rows(1, 8, &[("d1", &[4])]);
    assert!(consumer.stream().next().await.is_some());
}

#[tokio::test(start_paused = true)]
async fn without_a_timeout_a_stream_outlasts_silence() {
    let consumer = Fake::new();
    let mut stream = consumer.stream_with_timeout(Timeout::Never);
    let silence = tokio::time::timeout(Duration::from_secs(86_400), stream.next()).await;
    assert!(silence.is_err());
    consumer.rows(1, 5, &[("d1", &[1])]);
    assert!(stream.next().await.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_when_it_is_asked_to_and_loses_nothing() {
    let consumer = Fake::new();
    let shutdown = Shutdown::new();
    consumer.rows(1, 5, &[("d1", &[1])]);
    let mut stream = consumer.stream_until(&shutdown);
    assert!(stream.next().await.is_some());
    let asked = async {
        tokio::time::sleep(Duration::from_secs(86_400)).await;
        shutdown.shutdown();
        consumer.rows(1, 6, &[("d1", &[2])]);
    };
    let (end, ()) = tokio::join!(stream.next(), asked);
    assert!(end.is_none());
    let (offset, _) = consumer.recv().await.unwrap().unwrap();
    assert_eq!(offset.offset(), 6);
}

#[tokio::test(start_paused = true)]
async fn an_error_does_not_end_a_stream() {
    let consumer = Fake::new();
    consumer.fail(RawError::of(ErrorKind::ConnectionLost, "cut"));
    consumer.meta(1, 5);
    let mut stream = consumer.stream();
    assert!(stream.next().await.unwrap().is_err());
    let (_, message) = stream.next().await.unwrap().unwrap();
    assert!(message.has_meta() && !message.has_data());
    let meta = message.into_meta().unwrap();
    let json = meta.as_json_meta().await.unwrap();
    let sql = json.iter().next().unwrap().to_string();
    assert!(
        sql.to_lowercase().contains("drop table") && sql.contains("d1"),
        "{sql}"
    );
    let raw = meta.as_raw_meta().await.unwrap();
    assert_eq!(raw.raw_slice(), [1, 2, 3]);
}

#[tokio::test]
async fn the_blocks_of_a_message_are_a_stream_too() {
    let consumer = Fake::new();
    consumer.blocks(1, 5, vec![Ok(block("d1", &[1])), Ok(block("d2", &[2, 3]))]);
    let (_, message) = consumer.recv().await.unwrap().unwrap();
    let data = message.into_data().unwrap();
    let rows: RawResult<Vec<usize>> = data
        .blocks()
        .map_ok(|block| block.nrows())
        .try_collect()
        .await;
    assert_eq!(rows.unwrap(), [1, 2]);
    assert!(data.fetch_raw_block().await.unwrap().is_none());
}

#[tokio::test]
async fn lag_is_counted_from_what_was_taken() {
    let consumer = Fake::new();
    consumer.position_of(4, Ok(8));
    // Nothing was read of it yet, said as a value and as an error: it will begin at 3.
    consumer.position_of(5, Ok(-2_147_467_247));
    consumer.position_of(6, Err(RawError::from_code(0x4011)));
    // Another consumer's by now.
    consumer.position_of(8, Err(RawError::from_code(0x4008)));
    // A snapshot has no place in the log.
    consumer.position_of(7, Ok(-2_147_467_258));
    let lags = consumer.lag().await.unwrap();
    let behind: Vec<_> = lags
        .iter()
        .map(|lag| (lag.vgroup_id(), lag.behind()))
        .collect();
    assert_eq!(behind, [(4, 2), (5, 7), (6, 7), (7, 8)]);
    assert!(
        lags.iter()
            .all(|lag| lag.topic() == "topic" && lag.end() == 10)
    );
    assert_eq!(lags[3].position(), None);

    let consumer = Fake::new();
    consumer.position_of(4, Err(RawError::of(ErrorKind::ConnectionLost, "cut")));
    assert_eq!(
        consumer.lag().await.unwrap_err().kind(),
        ErrorKind::ConnectionLost
    );
}

#[tokio::test]
async fn what_the_older_calls_hide_the_newer_ones_tell() {
    let consumer = Fake::new();
    consumer.position_of(4, Ok(8));
    assert!(consumer.topic_assignment("other").await.is_empty());
    assert!(consumer.try_topic_assignment("other").await.is_err());
    let (topic, vgroups) = consumer.assignments().await.unwrap().remove(0);
    assert_eq!((topic.as_str(), vgroups[0].vgroup_id()), ("topic", 4));
    assert_eq!(vgroups, consumer.topic_assignment("topic").await);
}
