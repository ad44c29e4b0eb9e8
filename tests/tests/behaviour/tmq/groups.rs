//! Several consumers in one group: who holds what, and who takes over.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde::Deserialize;
use taos::*;
use taos_tests::proxy::Proxy;
use taos_tests::{Target, for_targets, needs};

use super::{dsn_of, next, nothing_comes, numbered, rows_of, subscribed, write};

/// The least that servers take.
const SESSION: [(&str, &str); 1] = [("session.timeout.ms", "6000")];

/// Servers before 3.3.3.0 are not told how long (taosadapter-ws §16).
fn session_timeout() -> Duration {
    let release = std::env::var("TAOS_TEST_EMULATE").unwrap_or_default();
    let old = release.starts_with("3.2") || release.starts_with("3.3.2");
    Duration::from_secs(if old { 12 } else { 6 })
}

#[derive(Debug, Clone, Deserialize)]
struct Row {
    n: i64,
    tbname: String,
}

async fn held(consumer: &Consumer, topic: &str) -> BTreeSet<VGroupId> {
    let assigned = consumer.topic_assignment(topic).await;
    assigned.iter().map(Assignment::vgroup_id).collect()
}

/// Waits until the two together hold each of the vgroups once, so many each. Both go on polling
/// meanwhile: a server tells its members of a change only then. Rows that come are kept.
async fn shared(
    consumers: &[&Consumer],
    topic: &str,
    expected: &[usize],
    rows: &mut Vec<Row>,
) -> anyhow::Result<Vec<BTreeSet<VGroupId>>> {
    let deadline = Instant::now() + super::LIMIT;
    loop {
        let mut found = Vec::new();
        for consumer in consumers {
            rows.extend(taken(consumer, Timeout::from_millis(20)).await?);
            found.push(held(consumer, topic).await);
        }
        let counts: Vec<usize> = found.iter().map(BTreeSet::len).collect();
        let all: BTreeSet<VGroupId> = found.iter().flatten().copied().collect();
        if counts == expected && all.len() == expected.iter().sum::<usize>() {
            return Ok(found);
        }
        anyhow::ensure!(
            Instant::now() < deadline,
            "{found:?} instead of {expected:?} each"
        );
    }
}

/// Rows that are there, each message committed.
async fn taken(consumer: &Consumer, timeout: Timeout) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    while let Some((at, message)) = consumer.recv_timeout(timeout).await? {
        if let Some(data) = message.into_data() {
            rows.extend(rows_of::<Row>(&data).await?);
        }
        consumer.commit(at).await?;
    }
    Ok(rows)
}

fn numbers(rows: &[Row]) -> Vec<i64> {
    let mut numbers: Vec<i64> = rows.iter().map(|row| row.n).collect();
    numbers.sort_unstable();
    numbers
}

#[test]
fn two_consumers_hold_two_of_four_vgroups_each_and_every_row_comes_to_one_of_them() {
    for_targets(&[needs::TOPICS], |target| async move {
        let (taos, topic) = numbered(&target, "halves", 4).await?;
        let a = subscribed(&target, "g", &topic, &[]).await?;
        let mut rows = Vec::new();
        shared(&[&a], &topic, &[4], &mut rows).await?;
        let b = subscribed(&target, "g", &topic, &[]).await?;
        let halves = shared(&[&a, &b], &topic, &[2, 2], &mut rows).await?;
        assert!(halves[0].is_disjoint(&halves[1]));
        for table in 0..12 {
            write(
                &taos,
                table,
                [i64::from(table) * 10, i64::from(table) * 10 + 1],
            )
            .await?;
        }
        let deadline = Instant::now() + super::LIMIT;
        let (mut of_a, mut of_b) = (Vec::new(), Vec::new());
        while of_a.len() + of_b.len() < 24 {
            anyhow::ensure!(Instant::now() < deadline, "{of_a:?} and {of_b:?}");
            of_a.extend(taken(&a, Timeout::from_millis(50)).await?);
            of_b.extend(taken(&b, Timeout::from_millis(50)).await?);
        }
        assert!(
            !of_a.is_empty() && !of_b.is_empty(),
            "{} and {}",
            of_a.len(),
            of_b.len()
        );
        let tables = |rows: &[Row]| {
            rows.iter()
                .map(|row| row.tbname.clone())
                .collect::<BTreeSet<_>>()
        };
        assert!(tables(&of_a).is_disjoint(&tables(&of_b)));
        of_a.append(&mut of_b);
        let expected = (0..12).flat_map(|table| [table * 10, table * 10 + 1]);
        assert!(numbers(&of_a).into_iter().eq(expected));
        nothing_comes(&a).await?;
        nothing_comes(&b).await
    });
}

#[test]
fn three_consumers_of_two_vgroups_leave_one_idle_that_takes_over_when_another_leaves() {
    for_targets(&[needs::TOPICS], |target| async move {
        let (taos, topic) = numbered(&target, "idle", 2).await?;
        let a = subscribed(&target, "g", &topic, &[]).await?;
        let b = subscribed(&target, "g", &topic, &[]).await?;
        let mut rows = Vec::new();
        shared(&[&a, &b], &topic, &[1, 1], &mut rows).await?;
        let c = subscribed(&target, "g", &topic, &[]).await?;
        let deadline = Instant::now() + super::LIMIT;
        loop {
            let mut counts = Vec::new();
            for consumer in [&a, &b, &c] {
                rows.extend(taken(consumer, Timeout::from_millis(20)).await?);
                counts.push(held(consumer, &topic).await.len());
            }
            counts.sort_unstable();
            if counts == [0, 1, 1] {
                break;
            }
            anyhow::ensure!(Instant::now() < deadline, "{counts:?}");
        }
        a.unsubscribe().await;
        b.unsubscribe().await;
        shared(&[&c], &topic, &[2], &mut rows).await?;
        for table in 0..8 {
            write(&taos, table, [i64::from(table)]).await?;
        }
        while rows.len() < 8 {
            anyhow::ensure!(Instant::now() < deadline + super::LIMIT, "{rows:?}");
            rows.extend(taken(&c, Timeout::from_millis(50)).await?);
        }
        assert!(numbers(&rows).into_iter().eq(0..8));
        Ok(())
    });
}

/// Two members, of which the first is about to die: it has committed a part of what it was given.
struct Dying {
    taos: Taos,
    topic: String,
    dies: Consumer,
    stays: Consumer,
    committed: Vec<i64>,
    proxy: Proxy,
}

async fn dying(target: &Target) -> anyhow::Result<Dying> {
    let (taos, topic) = numbered(target, "dies", 4).await?;
    let proxy = Proxy::to(target.address().await?).start().await?;
    let mut dsn = dsn_of(target, "g", &SESSION);
    dsn.addresses = vec![Address::new("127.0.0.1", proxy.address().port())];
    let mut dies = TmqBuilder::from_dsn(dsn)?.build().await?;
    dies.subscribe([topic.as_str()]).await?;
    let stays = subscribed(target, "g", &topic, &SESSION).await?;
    let mut rows = Vec::new();
    shared(&[&dies, &stays], &topic, &[2, 2], &mut rows).await?;
    for table in 0..12 {
        write(&taos, table, [i64::from(table)]).await?;
    }
    // One message is committed, another taken and not committed.
    let (at, message) = next(&dies).await?;
    let data = message
        .into_data()
        .ok_or_else(|| anyhow::anyhow!("no rows"))?;
    let committed = numbers(&rows_of::<Row>(&data).await?);
    dies.commit(at).await?;
    let _ = dies.recv_timeout(super::SHORT).await?;
    Ok(Dying {
        taos,
        topic,
        dies,
        stays,
        committed,
        proxy,
    })
}

/// The one that stays gets all rows but those that the dead one committed, within `limit`.
async fn takes_over(
    stays: &Consumer,
    topic: &str,
    committed: &[i64],
    limit: Duration,
) -> anyhow::Result<()> {
    let started = Instant::now();
    let mut rows = Vec::new();
    shared(&[stays], topic, &[4], &mut rows).await?;
    let waited = started.elapsed();
    anyhow::ensure!(waited < limit, "it took {waited:?}");
    let deadline = Instant::now() + super::LIMIT;
    while rows.len() + committed.len() < 12 {
        anyhow::ensure!(Instant::now() < deadline, "{committed:?} and {rows:?}");
        rows.extend(taken(stays, Timeout::from_millis(50)).await?);
    }
    let expected = (0..12).filter(|n| !committed.contains(n));
    assert!(
        numbers(&rows).into_iter().eq(expected),
        "{committed:?} and {rows:?}"
    );
    nothing_comes(stays).await
}

#[test]
fn when_a_member_is_dropped_the_other_takes_over_and_committed_rows_do_not_come_again() {
    for_targets(&[needs::TOPICS, needs::KNOWN_FRAMES], |target| async move {
        let dying = dying(&target).await?;
        drop(dying.dies);
        let limit = session_timeout() + Duration::from_secs(2);
        takes_over(&dying.stays, &dying.topic, &dying.committed, limit).await
    });
}

#[test]
fn when_a_member_leaves_the_other_takes_over_at_once() {
    for_targets(&[needs::TOPICS, needs::KNOWN_FRAMES], |target| async move {
        let dying = dying(&target).await?;
        dying.dies.unsubscribe().await;
        let limit = Duration::from_secs(3);
        takes_over(&dying.stays, &dying.topic, &dying.committed, limit).await?;
        write(&dying.taos, 0, [100]).await?;
        next(&dying.stays).await?;
        Ok(())
    });
}

#[test]
fn when_a_member_falls_silent_the_other_takes_over_within_the_session_timeout() {
    for_targets(&[needs::TOPICS, needs::KNOWN_FRAMES], |target| async move {
        let dying = dying(&target).await?;
        dying.proxy.mute();
        let limit = session_timeout() + Duration::from_secs(3);
        takes_over(&dying.stays, &dying.topic, &dying.committed, limit).await
    });
}

#[test]
fn who_gets_a_vgroup_back_goes_on_behind_what_another_has_committed_meanwhile() {
    for_targets(&[needs::TOPICS], |target| async move {
        let (taos, topic) = numbered(&target, "back", 2).await?;
        let a = subscribed(&target, "g", &topic, &[]).await?;
        for table in 0..8 {
            write(&taos, table, [i64::from(table)]).await?;
        }
        let mut rows = taken(&a, super::SHORT).await?;
        let b = subscribed(&target, "g", &topic, &[]).await?;
        shared(&[&a, &b], &topic, &[1, 1], &mut rows).await?;
        assert!(numbers(&rows).into_iter().eq(0..8), "{rows:?}");
        // While the first is busy elsewhere the second comes, works and goes.
        for table in 0..8 {
            write(&taos, table, [100 + i64::from(table)]).await?;
        }
        let of_b = taken(&b, super::SHORT).await?;
        assert!(!of_b.is_empty());
        b.unsubscribe().await;
        let mut of_a = taken(&a, super::SHORT).await?;
        shared(&[&a], &topic, &[2], &mut of_a).await?;
        of_a.extend(taken(&a, super::SHORT).await?);
        of_a.extend(of_b);
        assert!(numbers(&of_a).into_iter().eq(100..108), "{of_a:?}");
        Ok(())
    });
}

#[test]
fn rows_of_one_table_come_from_one_vgroup_and_in_their_order() {
    for_targets(&[needs::TOPICS], |target| async move {
        let (taos, topic) = numbered(&target, "order", 4).await?;
        for round in 0..8 {
            for table in 0..10 {
                write(&taos, table, [round * 100 + i64::from(table)]).await?;
            }
        }
        let consumer = subscribed(&target, "g", &topic, &[]).await?;
        let mut vgroups: BTreeMap<String, BTreeSet<VGroupId>> = BTreeMap::new();
        let mut orders: BTreeMap<String, Vec<i64>> = BTreeMap::new();
        let mut count = 0;
        while count < 80 {
            let (at, message) = next(&consumer).await?;
            let data = message
                .into_data()
                .ok_or_else(|| anyhow::anyhow!("no rows"))?;
            for row in rows_of::<Row>(&data).await? {
                count += 1;
                vgroups
                    .entry(row.tbname.clone())
                    .or_default()
                    .insert(at.vgroup_id());
                orders.entry(row.tbname).or_default().push(row.n);
            }
        }
        assert_eq!(orders.len(), 10);
        assert!(vgroups.values().all(|of| of.len() == 1), "{vgroups:?}");
        assert!(
            orders.values().all(|of| of.is_sorted() && of.len() == 8),
            "{orders:?}"
        );
        let used: BTreeSet<VGroupId> = vgroups.into_values().flatten().collect();
        assert!(used.len() > 1, "all tables are in {used:?}");
        Ok(())
    });
}

#[test]
fn groups_do_not_know_of_each_other() {
    for_targets(&[needs::TOPICS], |target| async move {
        let (taos, topic) = numbered(&target, "apart", 2).await?;
        let a = subscribed(&target, "one", &topic, &[]).await?;
        let b = subscribed(&target, "other", &topic, &[]).await?;
        for table in 0..6 {
            write(&taos, table, [i64::from(table)]).await?;
        }
        for consumer in [&a, &b] {
            let rows = taken(consumer, super::SHORT).await?;
            assert!(numbers(&rows).into_iter().eq(0..6), "{rows:?}");
        }
        Ok(())
    });
}

#[test]
fn the_server_lists_topics_consumers_and_subscriptions() {
    for_targets(&[needs::TOPICS], |target| async move {
        let (taos, topic) = numbered(&target, "listed", 2).await?;
        let client = [("client.id", "lister")];
        let consumer = subscribed(&target, "g_listed", &topic, &client).await?;
        nothing_comes(&consumer).await?;
        let count = async |sql: String| {
            let found: Option<i64> = taos.query_one(sql).await?;
            anyhow::Ok(found.unwrap_or_default())
        };
        let of = format!("where topic_name = '{topic}'");
        let topics = count(format!(
            "select count(*) from information_schema.ins_topics {of}"
        ));
        assert_eq!(topics.await?, 1);
        let subscriptions = count(format!(
            "select count(*) from information_schema.ins_subscriptions {of} and consumer_group = 'g_listed'"
        ));
        assert_eq!(subscriptions.await?, 2, "one a vgroup");
        let consumers = "select count(*) from performance_schema.perf_consumers where consumer_group = 'g_listed' and client_id = 'lister'";
        assert_eq!(count(consumers.to_owned()).await?, 1);
        consumer.unsubscribe().await;
        Ok(())
    });
}
