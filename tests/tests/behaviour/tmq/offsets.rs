//! Places: where a message is from, what was committed, where reading goes on.

use serde::Deserialize;
use taos::*;
use taos_tests::{Target, for_targets, needs};

use super::{Message, next, nothing_comes, numbered, rows_of, subscribed, take, write};

#[derive(Debug, Deserialize)]
struct Row {
    n: i64,
}

async fn numbers(message: MessageSet<Meta, Data>) -> anyhow::Result<Vec<i64>> {
    let data = message.into_data();
    let data = data.ok_or_else(|| anyhow::anyhow!("no rows"))?;
    let rows: Vec<Row> = rows_of(&data).await?;
    Ok(rows.into_iter().map(|row| row.n).collect())
}

/// One vgroup with ten rows, each with a place of its own, read one message a row.
async fn ten(target: &Target) -> anyhow::Result<(Taos, String)> {
    let (taos, topic) = numbered(target, "offsets", 1).await?;
    write(&taos, 0, 0..10).await?;
    Ok((taos, topic))
}

/// Consumes all ten rows; gives where each message began and the numbers in it.
async fn all(consumer: &Consumer) -> anyhow::Result<Vec<(Offset, Vec<i64>)>> {
    let mut found = Vec::new();
    let mut count = 0;
    while count < 10 {
        let (at, message): Message = next(consumer).await?;
        let numbers = numbers(message).await?;
        count += numbers.len();
        found.push((at, numbers));
    }
    Ok(found)
}

/// What is read from now on.
async fn rest(consumer: &Consumer) -> anyhow::Result<Vec<i64>> {
    let mut found = Vec::new();
    while let Some((_, message)) = consumer.recv_timeout(super::SHORT).await? {
        found.extend(numbers(message).await?);
    }
    Ok(found)
}

async fn only_vgroup(consumer: &Consumer, topic: &str) -> anyhow::Result<Assignment> {
    let assigned = consumer.topic_assignment(topic).await;
    match assigned.as_slice() {
        [one] => Ok(*one),
        _ => anyhow::bail!("{assigned:?} is not one vgroup"),
    }
}

/// Writes the next numbers only when those before have been read: so each message has one row.
async fn one_by_one(
    taos: &Taos,
    consumer: &Consumer,
    numbers_to_write: std::ops::Range<i64>,
) -> anyhow::Result<Vec<Offset>> {
    let mut places = Vec::new();
    for n in numbers_to_write {
        write(taos, 0, [n]).await?;
        let (at, message) = next(consumer).await?;
        assert_eq!(numbers(message).await?, [n]);
        places.push(at);
    }
    Ok(places)
}

#[test]
fn a_commit_writes_down_the_place_behind_its_message() {
    for_targets(&[needs::TOPICS], |target| async move {
        let (taos, topic) = numbered(&target, "commit", 1).await?;
        let consumer = subscribed(&target, "g", &topic, &[]).await?;
        let places = one_by_one(&taos, &consumer, 0..5).await?;
        let vgroup = places[0].vgroup_id();
        assert!(
            places.is_sorted_by(|a, b| a.offset() < b.offset()),
            "{places:?}"
        );
        consumer.commit(places[2].clone()).await?;
        let committed = consumer.committed(&topic, vgroup).await?;
        assert!(
            (places[2].offset() + 1..=places[3].offset()).contains(&committed),
            "{committed} of {places:?}"
        );
        let position = consumer.position(&topic, vgroup).await?;
        assert!(position > places[4].offset());
        let assigned = only_vgroup(&consumer, &topic).await?;
        assert_eq!(assigned.vgroup_id(), vgroup);
        assert_eq!(assigned.end(), position, "all has been read");
        assert!(assigned.begin() <= places[0].offset());
        consumer.unsubscribe().await;
        let second = subscribed(&target, "g", &topic, &[]).await?;
        assert_eq!(rest(&second).await?, [3, 4]);
        Ok(())
    });
}

#[test]
fn commit_all_writes_down_all_that_was_received_and_not_what_was_fetched_ahead() {
    for_targets(&[needs::TOPICS], |target| async move {
        let (_taos, topic) = ten(&target).await?;
        let consumer = subscribed(&target, "g", &topic, &[]).await?;
        let (at, message) = next(&consumer).await?;
        let first = numbers(message).await?;
        // Time enough for a consumer that reads ahead to have done so.
        let assigned = only_vgroup(&consumer, &topic).await?;
        consumer.commit_all().await?;
        let committed = consumer.committed(&topic, at.vgroup_id()).await?;
        assert!(committed > at.offset() && committed <= assigned.end());
        consumer.unsubscribe().await;
        let second = subscribed(&target, "g", &topic, &[]).await?;
        let left: Vec<i64> = (0..10).filter(|n| !first.contains(n)).collect();
        assert_eq!(rest(&second).await?, left);
        Ok(())
    });
}

#[test]
fn a_committed_place_is_the_next_to_be_read() {
    for_targets(&[needs::TOPICS], |target| async move {
        let (taos, topic) = numbered(&target, "commit_offset", 1).await?;
        let consumer = subscribed(&target, "g", &topic, &[]).await?;
        let places = one_by_one(&taos, &consumer, 0..6).await?;
        let (vgroup, offset) = (places[4].vgroup_id(), places[4].offset());
        consumer.commit_offset(&topic, vgroup, offset).await?;
        assert_eq!(consumer.committed(&topic, vgroup).await?, offset);
        consumer.unsubscribe().await;
        let second = subscribed(&target, "g", &topic, &[]).await?;
        assert_eq!(second.committed(&topic, vgroup).await?, offset);
        assert_eq!(second.position(&topic, vgroup).await?, offset);
        assert_eq!(rest(&second).await?, [4, 5]);
        Ok(())
    });
}

#[test]
fn a_seek_brings_a_message_again_and_commits_nothing() {
    for_targets(&[needs::TOPICS], |target| async move {
        let (taos, topic) = numbered(&target, "seek", 1).await?;
        let mut consumer = subscribed(&target, "g", &topic, &[]).await?;
        let places = one_by_one(&taos, &consumer, 0..6).await?;
        let vgroup = places[0].vgroup_id();
        consumer
            .offset_seek(&topic, vgroup, places[3].offset())
            .await?;
        assert_eq!(consumer.position(&topic, vgroup).await?, places[3].offset());
        let (again, message) = next(&consumer).await?;
        assert_eq!(again.offset(), places[3].offset());
        let mut read = numbers(message).await?;
        read.extend(rest(&consumer).await?);
        assert_eq!(read, [3, 4, 5]);
        let assigned = only_vgroup(&consumer, &topic).await?;
        consumer
            .offset_seek(&topic, vgroup, assigned.begin())
            .await?;
        assert_eq!(rest(&consumer).await?, [0, 1, 2, 3, 4, 5]);
        consumer.offset_seek(&topic, vgroup, assigned.end()).await?;
        assert!(rest(&consumer).await?.is_empty());
        consumer.unsubscribe().await;
        let second = subscribed(&target, "g", &topic, &[]).await?;
        assert_eq!(rest(&second).await?.len(), 6, "nothing was committed");
        Ok(())
    });
}

#[test]
fn a_place_outside_the_log_and_a_foreign_vgroup_or_topic_are_errors_that_say_so() {
    for_targets(&[needs::TOPICS], |target| async move {
        let (_taos, topic) = ten(&target).await?;
        let mut consumer = subscribed(&target, "g", &topic, &[]).await?;
        all(&consumer).await?;
        let vgroup = only_vgroup(&consumer, &topic).await?;
        let (id, end) = (vgroup.vgroup_id(), vgroup.end());
        for (code, error) in [
            (0x4007, consumer.offset_seek(&topic, id, end + 1_000).await),
            (
                0x4007,
                consumer.commit_offset(&topic, id, end + 1_000).await,
            ),
            (0x4008, consumer.offset_seek(&topic, id + 90_000, 0).await),
            (0x4008, consumer.commit_offset(&topic, id + 90_000, 0).await),
            (0x4009, consumer.commit_offset("no_such_topic", id, 0).await),
            (0x4009, consumer.offset_seek("no_such_topic", id, 0).await),
            (
                0x4009,
                consumer.committed("no_such_topic", id).await.map(drop),
            ),
            (
                0x4009,
                consumer.position("no_such_topic", id).await.map(drop),
            ),
            (
                0x4009,
                consumer
                    .try_topic_assignment("no_such_topic")
                    .await
                    .map(drop),
            ),
        ] {
            assert_eq!(error.map_err(|e| e.code()), Err(Code::new(code)));
        }
        assert!(
            rest(&consumer).await?.is_empty(),
            "it reads on where it was"
        );
        Ok(())
    });
}

#[test]
fn nothing_committed_is_told_apart_from_a_place() {
    for_targets(&[needs::TOPICS], |target| async move {
        let (_taos, topic) = ten(&target).await?;
        let consumer = subscribed(&target, "g", &topic, &[]).await?;
        let vgroup = only_vgroup(&consumer, &topic).await?.vgroup_id();
        assert_eq!(consumer.committed(&topic, vgroup).await?, -2_147_467_247);
        all(&consumer).await?;
        consumer.commit_all().await?;
        assert!(consumer.committed(&topic, vgroup).await? > 0);
        Ok(())
    });
}

#[test]
fn topics_and_assignments_of_two_topics_are_listed() {
    for_targets(&[needs::TOPICS], |target| async move {
        let (taos, first) = numbered(&target, "two", 3).await?;
        let second = format!("{first}_b");
        taos.exec(format!("create topic `{second}` as select ts from s"))
            .await?;
        let builder = TmqBuilder::from_dsn(super::dsn_of(&target, "g", &[]))?;
        let mut consumer = builder.build().await?;
        let listed = consumer.list_topics().await.map_err(|error| error.code());
        assert_eq!(listed, Err(Code::new(0x4017)));
        consumer.subscribe([&*first, &*second]).await?;
        let mut topics = consumer.list_topics().await?;
        topics.sort();
        assert_eq!(topics, [first.clone(), second.clone()]);
        write(&taos, 0, 0..4).await?;
        let rows: Vec<(i64,)> = take(&consumer, 8).await?;
        assert_eq!(rows.len(), 8);
        nothing_comes(&consumer).await?;
        let assigned = consumer.assignments().await.unwrap_or_default();
        assert_eq!(assigned.len(), 2);
        for (topic, vgroups) in assigned {
            assert!(topic == first || topic == second);
            let mut ids: Vec<VGroupId> = vgroups.iter().map(Assignment::vgroup_id).collect();
            ids.sort_unstable();
            ids.dedup();
            assert_eq!(ids.len(), 3, "{vgroups:?}");
            for vgroup in &vgroups {
                assert!(vgroup.begin() <= vgroup.end(), "{vgroup:?}");
                let position = consumer.position(&topic, vgroup.vgroup_id()).await?;
                assert!((vgroup.begin()..=vgroup.end()).contains(&position));
            }
        }
        Ok(())
    });
}

#[test]
fn a_builder_of_consumers_tells_the_servers_version_and_pings_with_and_without_topics() {
    for_targets(&[needs::TOPICS], |target| async move {
        let (taos, topic) = numbered(&target, "version", 1).await?;
        let builder = TmqBuilder::from_dsn(super::dsn_of(&target, "g", &[]))?;
        let version = taos.server_version().await?;
        assert_eq!(builder.server_version().await?, version);
        let mut consumer = builder.build().await?;
        builder.ping(&mut consumer).await?;
        consumer.subscribe([&*topic]).await?;
        builder.ping(&mut consumer).await?;
        assert!(!TmqBuilder::is_broken(&consumer));
        Ok(())
    });
}

#[test]
fn a_new_group_begins_where_its_reset_says() {
    for_targets(&[needs::TOPICS], |target| async move {
        let (taos, topic) = ten(&target).await?;
        let with = async |group: &str, reset: &str| {
            subscribed(&target, group, &topic, &[("auto.offset.reset", reset)]).await
        };
        let earliest = with("early", "earliest").await?;
        let latest = with("late", "latest").await?;
        assert_eq!(rest(&earliest).await?, (0..10).collect::<Vec<_>>());
        nothing_comes(&latest).await?;
        write(&taos, 0, [10]).await?;
        assert_eq!(rest(&latest).await?, [10]);
        assert_eq!(rest(&earliest).await?, [10]);
        latest.commit_all().await?;
        latest.unsubscribe().await;
        // With a place committed the reset does not matter, and "none" is content.
        write(&taos, 0, [11]).await?;
        let again = with("late", "earliest").await?;
        assert_eq!(rest(&again).await?, [11]);
        again.commit_all().await?;
        again.unsubscribe().await;
        write(&taos, 0, [12]).await?;
        let none = with("late", "none").await?;
        assert_eq!(rest(&none).await?, [12]);
        // Without one it is an error, not silence.
        let none = with("nowhere", "none").await?;
        let read = none.recv_timeout(super::SHORT).await;
        assert!(read.is_err(), "{read:?}");
        Ok(())
    });
}

#[test]
fn the_dsn_says_where_to_begin_vgroup_by_vgroup() {
    for_targets(&[needs::TOPICS], |target| async move {
        let (taos, topic) = numbered(&target, "offset", 1).await?;
        let consumer = subscribed(&target, "first", &topic, &[]).await?;
        let places = one_by_one(&taos, &consumer, 0..5).await?;
        let at = format!("{}:{}", places[2].vgroup_id(), places[2].offset());
        let second = subscribed(&target, "second", &topic, &[("offset", &at)]).await?;
        assert_eq!(rest(&second).await?, [2, 3, 4]);
        Ok(())
    });
}
