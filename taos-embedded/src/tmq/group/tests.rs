#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use proptest::prelude::*;
use taos_ws::protocol::AssignmentReply;

mod commits;
mod races;

use super::*;
use crate::engine::{Answer, Engine, Storage};

fn terms(group: &str, topics: &[&str], reset: Reset) -> Terms {
    Terms {
        group: group.to_owned(),
        client: String::new(),
        user: "root".to_owned(),
        topics: topics.iter().map(|topic| (*topic).to_owned()).collect(),
        reset,
        auto_commit: None,
        session_timeout: Duration::from_secs(12),
        max_poll_interval: Duration::from_secs(300),
        read: ReadOptions::default(),
    }
}

fn run(engine: &Engine, sql: &str) {
    let answer = engine.session("root").execute(sql).unwrap();
    assert!(matches!(answer, Answer::Affected(_)), "{sql}");
}

/// An engine with the topics `t` and `u` on four vgroups.
fn engine(storage: Storage) -> Engine {
    let engine = Engine::open(storage).unwrap();
    for sql in [
        "create database d vgroups 4",
        "create stable d.st (ts timestamp, v int) tags (n int)",
        "create topic t as select ts, v from d.st",
        "create topic u as select v from d.st",
    ] {
        run(&engine, sql);
    }
    engine
}

fn consumer(engine: &Engine, group: &str, reset: Reset) -> Arc<Consumer> {
    engine.consumer(&terms(group, &["t"], reset)).unwrap()
}

fn is_subscribed(engine: &Engine, topic: &str) -> bool {
    let state = engine.broker.state();
    state.members_of(topic, None).next().is_some()
}

fn vgroups(consumer: &Consumer, topic: &str) -> BTreeSet<i32> {
    let rows = consumer.assignment(topic).unwrap();
    rows.iter().map(|row| row.vgroup_id).collect()
}

fn code<T: std::fmt::Debug>(outcome: Result<T, SqlError>) -> u32 {
    outcome.unwrap_err().code
}

/// Values of the messages until none is left.
async fn values(consumer: &Arc<Consumer>) -> Vec<i64> {
    let mut values = Vec::new();
    while let Some(delivery) = consumer.poll(Some(Duration::ZERO)).await.unwrap() {
        for entry in &delivery.message.entries {
            values.extend(
                entry
                    .open()
                    .unwrap()
                    .deserialize::<(i64, i64)>()
                    .map(|row| row.unwrap().1),
            );
        }
    }
    values.sort_unstable();
    values
}

fn insert(engine: &Engine, values: std::ops::Range<i64>) {
    for v in values {
        let at = 1_700_000_000_000 + v;
        let table = v % 8;
        run(
            engine,
            &format!("insert into d.c{table} using d.st tags ({table}) values ({at}, {v})"),
        );
    }
}

#[test]
fn members_share_evenly_take_over_from_those_who_leave_and_others_are_fenced() {
    let engine = engine(Storage::Memory);
    let first = consumer(&engine, "g", Reset::Earliest);
    let all = vgroups(&first, "t");
    assert_eq!(all.len(), 4);
    let second = consumer(&engine, "g", Reset::Earliest);
    let (mine, other) = (vgroups(&first, "t"), vgroups(&second, "t"));
    assert_eq!((mine.len(), other.len()), (2, 2));
    assert!(mine.is_disjoint(&other) && mine.is_subset(&all));
    let stranger = consumer(&engine, "h", Reset::Earliest);
    assert_eq!(vgroups(&stranger, "t"), all);

    let lost = *other.first().unwrap();
    assert_eq!(code(first.commit_offset("t", lost, 0)), FOREIGN_VGROUP);
    assert_eq!(code(first.seek("t", lost, 0)), FOREIGN_VGROUP);
    assert_eq!(code(first.commit_offset("u", lost, 0)), FOREIGN_TOPIC);
    assert_eq!(code(second.commit_offset("t", lost, 99)), 0x4007);
    second.commit_offset("t", lost, 1).unwrap();
    assert_eq!(second.committed("t", lost), Ok(1));

    second.expire();
    assert_eq!(vgroups(&first, "t"), all);
    assert_eq!(first.committed("t", lost), Ok(1));
    assert_eq!(first.position("t", lost), Ok(1));
    for error in [
        code(second.commit()),
        code(second.assignment("t")),
        code(second.commit_offset("t", lost, 1)),
    ] {
        assert_eq!(error, CONSUMER_UNKNOWN);
    }
}

#[test]
fn seeking_needs_a_poll_or_assignment_first_and_nothing_read_is_nothing_told() {
    let engine = engine(Storage::Memory);
    let consumer = consumer(&engine, "g", Reset::Earliest);
    let vgroup = engine
        .store()
        .catalog()
        .database("d")
        .unwrap()
        .vgroups()
        .start;
    assert_eq!(code(consumer.seek("t", vgroup, 0)), 0x4010);
    let nothing = taos_ws::protocol::NO_OFFSET;
    assert_eq!(consumer.position("t", vgroup), Ok(nothing));
    assert_eq!(consumer.committed("t", vgroup), Ok(nothing));
    consumer.assignment("t").unwrap();
    consumer.seek("t", vgroup, 1).unwrap();
    assert_eq!(consumer.position("t", vgroup), Ok(1));
}

#[test]
fn a_member_of_two_topics_has_its_share_of_both() {
    let engine = engine(Storage::Memory);
    let both = engine
        .consumer(&terms("g", &["t", "u"], Reset::Earliest))
        .unwrap();
    let one = consumer(&engine, "g", Reset::Earliest);
    assert_eq!(vgroups(&both, "t").len(), 2);
    assert_eq!(vgroups(&both, "u").len(), 4);
    assert_eq!(vgroups(&one, "t").len(), 2);
    assert_eq!(code(one.assignment("u")), FOREIGN_TOPIC);
}

#[tokio::test]
async fn what_was_committed_survives_a_restart_and_the_rest_comes_again() {
    let dir = tempfile::tempdir().unwrap();
    let open = || Storage::Dir(dir.path().to_owned());
    {
        let engine = engine(open());
        insert(&engine, 0..40);
        let reader = consumer(&engine, "g", Reset::Earliest);
        assert_eq!(values(&reader).await, (0..40).collect::<Vec<_>>());
        reader.commit().unwrap();
        insert(&engine, 40..50);
        assert_eq!(values(&reader).await, (40..50).collect::<Vec<_>>());
        drop(reader);
        engine.close();
    }
    let engine = Engine::open(open()).unwrap();
    let reader = consumer(&engine, "g", Reset::Earliest);
    assert_eq!(values(&reader).await, (40..50).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_group_that_begins_with_the_newest_keeps_that_place_over_rebalances_and_restarts() {
    let dir = tempfile::tempdir().unwrap();
    let open = || Storage::Dir(dir.path().to_owned());
    {
        let engine = engine(open());
        insert(&engine, 0..20);
        let first = consumer(&engine, "g", Reset::Latest);
        insert(&engine, 20..40);
        let second = consumer(&engine, "g", Reset::Latest);
        insert(&engine, 40..60);
        drop(first);
        assert_eq!(values(&second).await, (20..60).collect::<Vec<_>>());
        drop(second);
        engine.close();
    }
    let engine = Engine::open(open()).unwrap();
    let again = consumer(&engine, "g", Reset::Latest);
    assert_eq!(values(&again).await, (20..60).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_group_that_may_not_choose_where_to_begin_is_told_so_until_it_has_committed_anything() {
    let engine = engine(Storage::Memory);
    let lost = consumer(&engine, "g", Reset::None);
    insert(&engine, 0..8);
    for _ in 0..8 {
        assert_eq!(code(lost.poll(Some(Duration::ZERO)).await), 0x0A0D);
    }
    let row = *lost.assignment("t").unwrap().first().unwrap();
    lost.commit_offset("t", row.vgroup_id, row.begin).unwrap();
    drop(lost);
    // Of the other vgroups it has read nothing yet.
    let found = consumer(&engine, "g", Reset::None);
    assert_eq!(values(&found).await, (0..8).collect::<Vec<_>>());
}

/// Waits until a poll of this consumer has read everything and waits for more.
async fn asleep(engine: &Engine, consumer: &Consumer) {
    let is_read = |row: &AssignmentReply| {
        let end = engine.store().log_bounds(row.vgroup_id).1;
        consumer.position("t", row.vgroup_id) == Ok(end)
    };
    while consumer.poll_due().is_some() || !consumer.assignment("t").unwrap().iter().all(is_read) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_poll_that_waits_wakes_at_an_insert_a_seek_a_rebalance_and_its_end() {
    let engine = engine(Storage::Memory);
    let reader = consumer(&engine, "g", Reset::Earliest);
    let poll = || {
        let reader = Arc::clone(&reader);
        tokio::spawn(async move { reader.poll(None).await })
    };
    let waiting = poll();
    asleep(&engine, &reader).await;
    insert(&engine, 0..1);
    let delivery = waiting.await.unwrap().unwrap().unwrap();
    assert_eq!((&*delivery.topic, &*delivery.database), ("t", "d"));

    let waiting = poll();
    asleep(&engine, &reader).await;
    let begin = delivery.message.begin;
    reader.seek("t", delivery.vgroup, begin).unwrap();
    let again = waiting.await.unwrap().unwrap().unwrap();
    assert_eq!(
        (again.vgroup, again.message.begin),
        (delivery.vgroup, begin)
    );

    let waiting = poll();
    asleep(&engine, &reader).await;
    reader.expire();
    assert_eq!(code(waiting.await.unwrap()), CONSUMER_UNKNOWN);

    let other = consumer(&engine, "h", Reset::Latest);
    let task = Arc::clone(&other);
    let waiting = tokio::spawn(async move { task.poll(None).await });
    asleep(&engine, &other).await;
    other.close();
    assert!(waiting.await.unwrap().unwrap().is_none());
}

#[tokio::test]
async fn polls_commit_by_themselves_only_what_was_consumed_before_them() {
    let engine = engine(Storage::Memory);
    insert(&engine, 0..1);
    let mut asked = terms("g", &["t"], Reset::Earliest);
    asked.auto_commit = Some(Duration::ZERO);
    let reader = engine.consumer(&asked).unwrap();
    let delivery = reader.poll(Some(Duration::ZERO)).await.unwrap().unwrap();
    let nothing = taos_ws::protocol::NO_OFFSET;
    assert_eq!(reader.committed("t", delivery.vgroup), Ok(nothing));
    reader.poll(Some(Duration::ZERO)).await.unwrap();
    let next = delivery.message.next;
    assert_eq!(reader.committed("t", delivery.vgroup), Ok(next));
}

#[tokio::test]
async fn only_time_between_polls_makes_a_member_overdue() {
    let engine = engine(Storage::Memory);
    let reader = consumer(&engine, "g", Reset::Latest);
    assert!(reader.poll_due().is_some());
    let task = Arc::clone(&reader);
    let waiting = tokio::spawn(async move { task.poll(None).await });
    while reader.poll_due().is_some() {
        tokio::task::yield_now().await;
    }
    insert(&engine, 0..1);
    waiting.await.unwrap().unwrap();
    assert!(reader.poll_due().is_some());
}

#[test]
fn topics_and_groups_in_use_are_dropped_only_by_force_and_leave_nothing_behind() {
    let engine = engine(Storage::Memory);
    let broker = &engine.broker;
    let drop_topic = |force: bool| {
        let broker = Arc::clone(broker);
        engine
            .store()
            .write(move |write| broker.drop_topic(write, "t", force).map(|()| 0))
    };
    let drop_group = |if_exists: bool, force: bool| {
        let broker = Arc::clone(broker);
        let change = move |write: &mut Write<'_>| {
            broker
                .drop_group(write, "g", "t", if_exists, force)
                .map(|()| 0)
        };
        engine.store().write(change)
    };
    assert_eq!(code(drop_group(false, false)), GROUP_UNKNOWN);
    drop_group(true, false).unwrap();
    let reader = consumer(&engine, "g", Reset::Earliest);
    assert!(is_subscribed(&engine, "t") && !is_subscribed(&engine, "u"));
    assert_eq!(code(drop_topic(false)), TOPIC_SUBSCRIBED);
    assert_eq!(code(drop_group(true, false)), GROUP_USED);
    let vgroup = *vgroups(&reader, "t").first().unwrap();
    reader.commit_offset("t", vgroup, 1).unwrap();
    drop_group(false, true).unwrap();
    assert_eq!(code(reader.assignment("t")), CONSUMER_UNKNOWN);
    let reader = consumer(&engine, "g", Reset::Earliest);
    assert_eq!(
        reader.committed("t", vgroup),
        Ok(taos_ws::protocol::NO_OFFSET)
    );
    drop_topic(true).unwrap();
    assert_eq!(code(reader.commit()), CONSUMER_UNKNOWN);
    assert!(table::load(engine.store()).unwrap().is_empty());
}

#[tokio::test]
async fn what_is_read_ahead_comes_once_and_in_order_and_is_dropped_by_a_seek() {
    let engine = Engine::open(Storage::Memory).unwrap();
    for sql in [
        "create database d vgroups 1",
        "create table d.c (ts timestamp, v int)",
        "create topic t as select ts, v from d.c",
    ] {
        run(&engine, sql);
    }
    for v in 0..20 {
        let at = 1_700_000_000_000_i64 + v;
        run(&engine, &format!("insert into d.c values ({at}, {v})"));
    }
    let mut asked = terms("g", &["t"], Reset::Earliest);
    asked.read.max_rows = 1;
    let reader = engine.consumer(&asked).unwrap();
    assert_eq!(values(&reader).await, (0..20).collect::<Vec<_>>());
    let row = *reader.assignment("t").unwrap().first().unwrap();
    let vgroup = row.vgroup_id;
    reader.seek("t", vgroup, row.begin).unwrap();
    let mut seen = Vec::new();
    for _ in 0..3 {
        let delivery = reader.poll(Some(Duration::ZERO)).await.unwrap().unwrap();
        seen.push(delivery.message.begin);
    }
    // The page behind the third message is on its way.
    reader.seek("t", vgroup, row.begin).unwrap();
    let again = reader.poll(Some(Duration::ZERO)).await.unwrap().unwrap();
    assert_eq!(Some(&again.message.begin), seen.first());
}

#[test]
fn an_unknown_topic_leaves_no_member_behind() {
    let engine = engine(Storage::Memory);
    let outcome = engine.consumer(&terms("g", &["nosuch", "t"], Reset::Earliest));
    assert_eq!(code(outcome), TOPIC_UNKNOWN);
    assert!(!is_subscribed(&engine, "t"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn whoever_comes_and_goes_every_vgroup_has_exactly_one_reader(
        steps in prop::collection::vec((any::<bool>(), 0_usize..8), 1..16),
    ) {
        let engine = engine(Storage::Memory);
        let mut members: Vec<Arc<Consumer>> = Vec::new();
        for (comes, at) in steps {
            if comes || members.is_empty() {
                members.push(consumer(&engine, "g", Reset::Earliest));
            } else {
                drop(members.remove(at % members.len()));
            }
            let held: Vec<i32> = members.iter().flat_map(|m| vgroups(m, "t")).collect();
            let distinct: BTreeSet<i32> = held.iter().copied().collect();
            let expected = if members.is_empty() { 0 } else { 4 };
            prop_assert_eq!((held.len(), distinct.len()), (expected, expected));
        }
    }
}
