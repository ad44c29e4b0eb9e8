//! Auto commit: what was taken and moved past, and nothing else.

use std::time::Duration;

use serde::Deserialize;
use taos::*;
use taos_tests::{Target, for_targets, needs};

use super::{next, numbered, rows_of, subscribed, take, write};

#[derive(Debug, Deserialize)]
struct Row {
    n: i64,
}

const AUTO: [(&str, &str); 2] = [
    ("enable.auto.commit", "true"),
    ("auto.commit.interval.ms", "200"),
];

async fn numbers(message: MessageSet<Meta, Data>) -> anyhow::Result<Vec<i64>> {
    let data = message.into_data();
    let data = data.ok_or_else(|| anyhow::anyhow!("no rows"))?;
    let rows: Vec<Row> = rows_of(&data).await?;
    Ok(rows.into_iter().map(|row| row.n).collect())
}

/// What a new member of the group is given.
async fn left(target: &Target, topic: &str) -> anyhow::Result<Vec<i64>> {
    let consumer = subscribed(target, "g", topic, &[]).await?;
    let mut found = Vec::new();
    while let Some((_, message)) = consumer.recv_timeout(super::SHORT).await? {
        found.extend(numbers(message).await?);
    }
    consumer.unsubscribe().await;
    found.sort_unstable();
    Ok(found)
}

#[test]
fn a_message_is_committed_when_the_next_one_was_asked_for_and_not_before() {
    for_targets(&[needs::TOPICS], |target| async move {
        let (taos, topic) = numbered(&target, "auto", 1).await?;
        let consumer = subscribed(&target, "g", &topic, &AUTO).await?;
        for n in 0..4 {
            write(&taos, 0, [n]).await?;
            assert_eq!(numbers(next(&consumer).await?.1).await?, [n]);
        }
        // Several intervals pass while the program is at work on the last one.
        tokio::time::sleep(Duration::from_millis(700)).await;
        // As if the program had died: nothing more is said to the server.
        drop(consumer);
        let left = left(&target, &topic).await?;
        assert!(left.contains(&3), "the message in hand was committed");
        assert!(left.is_sorted() && left.iter().all(|n| (0..4).contains(n)));
        Ok(())
    });
}

#[test]
fn what_was_moved_past_is_committed_within_the_interval() {
    for_targets(&[needs::TOPICS], |target| async move {
        let (taos, topic) = numbered(&target, "auto_past", 1).await?;
        let consumer = subscribed(&target, "g", &topic, &AUTO).await?;
        write(&taos, 0, 0..20).await?;
        let _: Vec<Row> = take(&consumer, 20).await?;
        // Asking again says that the last one is done with; the interval passes meanwhile.
        let idle = consumer.recv_timeout(Timeout::from_secs(1)).await?;
        assert!(idle.is_none());
        drop(consumer);
        assert_eq!(left(&target, &topic).await?, [0_i64; 0]);
        Ok(())
    });
}

#[test]
fn without_auto_commit_nothing_is_committed() {
    for_targets(&[needs::TOPICS], |target| async move {
        let (taos, topic) = numbered(&target, "no_auto", 1).await?;
        write(&taos, 0, 0..10).await?;
        let consumer = subscribed(&target, "g", &topic, &[]).await?;
        let _: Vec<Row> = take(&consumer, 10).await?;
        assert!(
            consumer
                .recv_timeout(Timeout::from_secs(1))
                .await?
                .is_none()
        );
        consumer.unsubscribe().await;
        assert!(left(&target, &topic).await?.into_iter().eq(0..10));
        Ok(())
    });
}

#[test]
fn a_seek_back_is_not_undone_by_an_auto_commit_of_what_was_read_before() {
    for_targets(&[needs::TOPICS], |target| async move {
        let (taos, topic) = numbered(&target, "auto_seek", 1).await?;
        write(&taos, 0, 0..10).await?;
        let mut consumer = subscribed(&target, "g", &topic, &AUTO).await?;
        let (first, message) = next(&consumer).await?;
        let mut read = numbers(message).await?;
        while read.len() < 10 {
            read.extend(numbers(next(&consumer).await?.1).await?);
        }
        consumer
            .offset_seek(&topic, first.vgroup_id(), first.offset())
            .await?;
        let again: Vec<Row> = take(&consumer, 10).await?;
        assert!(again.iter().map(|row| row.n).eq(read));
        Ok(())
    });
}
