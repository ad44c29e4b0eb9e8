use serde::Deserialize;

use super::fake::Fake;
use crate::error::{ErrorKind, RawError};
use crate::tmq::{AsConsumer, IsMeta as _, IsOffset as _, Timeout};

#[derive(Debug, Deserialize)]
struct Row {
    n: i32,
}

fn filled() -> Fake {
    let consumer = Fake::new();
    consumer.rows(1, 5, &[("d1", &[1, 2]), ("d2", &[3])]);
    consumer.meta(1, 6);
    consumer.rows(2, 7, &[("d3", &[4])]);
    consumer
}

#[test]
fn messages_are_iterated_until_silence_and_their_rows_block_by_block() {
    let mut consumer = filled();
    consumer.subscribe(["topic"]).unwrap();
    let mut seen = Vec::new();
    for message in consumer.iter() {
        let (offset, message) = message.unwrap();
        if let Some(meta) = message.meta() {
            assert_eq!(meta.as_raw_meta().unwrap().raw_type(), 2);
        }
        if let Some(data) = message.into_data() {
            for block in data {
                seen.push((offset.vgroup_id(), block.unwrap().nrows()));
            }
        }
        consumer.commit(offset).unwrap();
    }
    assert_eq!(seen, [(1, 2), (1, 1), (2, 1)]);
    assert_eq!(consumer.commits(), [(1, 5), (1, 6), (2, 7)]);
    assert!(consumer.recv().unwrap().is_none());
    consumer.unsubscribe();
}

#[test]
fn messages_without_rows_can_be_left_out_and_errors_are_not() {
    let consumer = filled();
    consumer.fail(RawError::of(ErrorKind::ConnectionLost, "cut"));
    let items: Vec<_> = consumer
        .iter_data_only(Timeout::None)
        .map(|item| {
            item.map(|(offset, _)| offset.offset())
                .map_err(|e| e.kind())
        })
        .collect();
    assert_eq!(items, [Ok(5), Ok(7), Err(ErrorKind::ConnectionLost)]);
}

#[tokio::test]
async fn records_are_iterated_and_committed_inside_a_runtime_too() {
    let consumer = filled();
    let mut records = AsConsumer::records::<Row>(&consumer);
    let mut numbers = Vec::new();
    for record in records.by_ref().take(4) {
        numbers.push(record.unwrap().ack().n);
    }
    assert_eq!(numbers, [1, 2, 3, 4]);
    records.shutdown_handle().shutdown();
    assert!(records.next().is_none());
    let mut commits = consumer.commits();
    commits.sort_unstable();
    assert_eq!(commits, [(1, 6), (2, 7)]);
}

#[test]
fn places_are_asked_for_and_set() {
    let mut consumer = Fake::new();
    consumer.position_of(4, Ok(8));
    assert_eq!(consumer.assignments().unwrap()[0].1[0].end(), 10);
    assert_eq!(AsConsumer::lag(&consumer).unwrap()[0].behind(), 2);
    AsConsumer::commit_offset(&consumer, "topic", 4, 9).unwrap();
    assert_eq!(AsConsumer::committed(&consumer, "topic", 4).unwrap(), 9);
    AsConsumer::offset_seek(&mut consumer, "topic", 4, 2).unwrap();
    AsConsumer::commit_all(&consumer).unwrap();
    assert_eq!(AsConsumer::list_topics(&consumer).unwrap(), ["topic"]);
}
