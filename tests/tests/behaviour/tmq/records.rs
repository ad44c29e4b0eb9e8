//! The typed stream: records with their places, acknowledgements, an ordered end, and the lag.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde::Deserialize;
use taos::tmq::{Lag, Record, Shutdown};
use taos::*;
use taos_tests::{Target, for_targets, needs};

use super::{nothing_comes, numbered, rows_of, subscribed, write};

#[derive(Debug, Deserialize)]
struct Row {
    n: i64,
    /// Topics of super tables do not bring tags.
    t: Option<i32>,
}

/// What a new member of the group is given.
pub(super) async fn left(target: &Target, topic: &str) -> anyhow::Result<Vec<i64>> {
    let consumer = subscribed(target, "g", topic, &[]).await?;
    let mut found = Vec::new();
    while let Some((_, message)) = consumer.recv_timeout(super::SHORT).await? {
        let data = message
            .into_data()
            .ok_or_else(|| anyhow::anyhow!("no rows"))?;
        let rows: Vec<Row> = rows_of(&data).await?;
        found.extend(rows.into_iter().map(|row| row.n));
    }
    consumer.unsubscribe().await;
    found.sort_unstable();
    Ok(found)
}

async fn some<T, S>(stream: &mut S, count: usize) -> anyhow::Result<Vec<Record<T>>>
where
    S: Stream<Item = Result<Record<T>, Error>> + Unpin,
{
    let mut found = Vec::new();
    while found.len() < count {
        let record = tokio::time::timeout(super::LIMIT, stream.try_next()).await??;
        found.push(record.ok_or_else(|| anyhow::anyhow!("the records have ended"))?);
    }
    Ok(found)
}

#[test]
fn records_say_where_they_are_from_and_silence_does_not_end_them() {
    for_targets(&[needs::TOPICS], |target| async move {
        for (table, tag) in [(None, Some(3)), (Some("s3"), None)] {
            let (taos, mut topic) = numbered(&target, "records", 2).await?;
            if table.is_some() {
                topic += "_s";
                taos.exec(format!("create topic `{topic}` as stable s"))
                    .await?;
            }
            write(&taos, 3, 0..5).await?;
            let consumer = subscribed(&target, "g", &topic, &[("timeout", "100ms")]).await?;
            let mut records = consumer.records::<Row>();
            let found = some(&mut records, 5).await?;
            for (record, n) in found.iter().zip(0..) {
                assert_eq!((record.n, record.value().t), (n, tag));
                assert_eq!(record.topic(), topic);
                assert_eq!(record.table_name(), table);
                assert_eq!(record.vgroup_id(), found[0].vgroup_id());
            }
            assert!(found.is_sorted_by_key(|record| (record.offset(), record.row())));
            // Far longer than the DSN's timeout.
            let silence = tokio::time::timeout(Duration::from_millis(600), records.next());
            assert!(silence.await.is_err(), "they ended, or there are more");
            write(&taos, 3, [5]).await?;
            assert_eq!(some(&mut records, 1).await?[0].n, 5);
        }
        Ok(())
    });
}

#[test]
fn what_was_acknowledged_is_committed_and_the_rest_is_not() {
    for_targets(&[needs::TOPICS], |target| async move {
        let (taos, topic) = numbered(&target, "acked", 1).await?;
        let consumer = subscribed(&target, "g", &topic, &[]).await?;
        let mut records = consumer.records::<Row>();
        // One message a row, since the next is written only then.
        let mut in_hand = Vec::new();
        for n in 0..6 {
            write(&taos, 0, [n]).await?;
            in_hand.extend(some(&mut records, 1).await?);
        }
        // Acknowledged out of order; the fourth is not.
        for n in [5, 1, 0, 2, 4] {
            let at = in_hand.iter().position(|record| record.n == n);
            let at = at.ok_or_else(|| anyhow::anyhow!("{n} is missing"))?;
            in_hand.remove(at).ack();
        }
        records.commit_acked().await?;
        drop(records);
        consumer.unsubscribe().await;
        assert_eq!(left(&target, &topic).await?, [3, 4, 5]);
        Ok(())
    });
}

async fn all_is_committed(consumer: &Consumer, topic: &str) -> anyhow::Result<bool> {
    for vgroup in consumer.try_topic_assignment(topic).await? {
        let vgroup = vgroup.vgroup_id();
        if consumer.committed(topic, vgroup).await? != consumer.position(topic, vgroup).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

#[test]
fn commit_on_ack_commits_by_itself_while_the_records_are_read() {
    for_targets(&[needs::TOPICS], |target| async move {
        let (taos, topic) = numbered(&target, "on_ack", 2).await?;
        for table in 0..4 {
            write(&taos, table, (0..10).map(|n| i64::from(table) * 10 + n)).await?;
        }
        let consumer = subscribed(&target, "g", &topic, &[]).await?;
        let interval = Duration::from_millis(50);
        let mut records = consumer.records::<Row>().commit_on_ack(interval);
        for record in some(&mut records, 40).await? {
            record.ack();
        }
        // Nothing more comes, and polling is what commits.
        let given_up = Instant::now() + Duration::from_secs(20);
        while !all_is_committed(&consumer, &topic).await? && Instant::now() < given_up {
            let silence = tokio::time::timeout(interval, records.next());
            assert!(silence.await.is_err());
        }
        drop(records);
        drop(consumer);
        assert_eq!(left(&target, &topic).await?, [0_i64; 0]);
        Ok(())
    });
}

#[test]
fn a_shutdown_gives_what_is_in_hand_commits_and_ends() {
    for_targets(&[needs::TOPICS], |target| async move {
        let (taos, topic) = numbered(&target, "shutdown", 1).await?;
        // Several rows in one message.
        taos.exec("insert into s0 using s tags (0) values (0, 0) (1, 1) (2, 2)")
            .await?;
        let consumer = subscribed(&target, "g", &topic, &[]).await?;
        let mut records = consumer.records::<Row>().grace(Duration::from_secs(2));
        let shutdown = records.shutdown_handle();
        let mut seen = BTreeSet::new();
        seen.insert(some(&mut records, 1).await?.remove(0).ack().n);
        shutdown.shutdown();
        assert!(shutdown.is_shutdown());
        let drained = async {
            while let Some(record) = records.next().await {
                seen.insert(record?.ack().n);
            }
            anyhow::Ok(())
        };
        tokio::time::timeout(super::LIMIT, drained).await??;
        assert!(seen.iter().copied().eq(0..3), "{seen:?}");
        assert!(records.next().await.is_none(), "it stays ended");
        drop(records);
        drop(consumer);
        write(&taos, 0, [3]).await?;
        assert_eq!(left(&target, &topic).await?, [3]);
        Ok(())
    });
}

#[test]
fn a_shutdown_while_nothing_comes_ends_at_once() {
    for_targets(&[needs::TOPICS], |target| async move {
        let (_taos, topic) = numbered(&target, "quiet", 1).await?;
        let consumer = subscribed(&target, "g", &topic, &[]).await?;
        let shutdown = Shutdown::new();
        let mut records = consumer.records::<Row>().with_shutdown(&shutdown);
        let asking = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            shutdown.shutdown();
            Instant::now()
        };
        let reading = async { (records.next().await.is_none(), Instant::now()) };
        let both = async { futures::join!(asking, reading) };
        let (asked, (ended, at)) = tokio::time::timeout(super::LIMIT, both).await?;
        assert!(ended);
        let waited = at.saturating_duration_since(asked);
        assert!(waited < Duration::from_secs(2), "{waited:?}");
        Ok(())
    });
}

#[test]
fn a_row_that_does_not_fit_is_an_error_that_names_it_and_the_next_ones_come() {
    #[derive(Debug, Deserialize)]
    struct Narrow {
        n: i8,
    }
    for_targets(&[needs::TOPICS], |target| async move {
        let (taos, topic) = numbered(&target, "narrow", 1).await?;
        write(&taos, 0, [1, 1_000, 2]).await?;
        let consumer = subscribed(&target, "g", &topic, &[]).await?;
        let mut records = consumer.records::<Narrow>();
        let mut seen = Vec::new();
        let mut errors = Vec::new();
        while seen.len() < 2 {
            match tokio::time::timeout(super::LIMIT, records.next()).await? {
                Some(Ok(record)) => seen.push(record.ack().n),
                Some(Err(error)) => errors.push(error.to_string()),
                None => anyhow::bail!("the records have ended"),
            }
        }
        assert_eq!(seen, [1, 2]);
        assert_eq!(errors.len(), 1);
        assert!(
            errors[0].contains(&topic) && errors[0].contains('n'),
            "{errors:?}"
        );
        Ok(())
    });
}

#[test]
fn the_lag_falls_to_nothing_when_all_was_taken() {
    for_targets(&[needs::TOPICS], |target| async move {
        let (taos, topic) = numbered(&target, "lag", 3).await?;
        for table in 0..5 {
            write(&taos, table, 0..6).await?;
        }
        let consumer = subscribed(&target, "g", &topic, &[]).await?;
        let behind = async || {
            let lags = consumer.lag().await?;
            assert_eq!(lags.len(), 3, "{lags:?}");
            assert!(
                lags.iter()
                    .all(|lag| lag.topic() == topic && lag.missed() == 0)
            );
            anyhow::Ok(lags.iter().map(Lag::behind).sum::<u64>())
        };
        assert!(behind().await? >= 30);
        let mut records = consumer.records::<Row>();
        for record in some(&mut records, 30).await? {
            record.ack();
        }
        drop(records);
        nothing_comes(&consumer).await?;
        assert_eq!(behind().await?, 0);
        write(&taos, 0, [100]).await?;
        assert!(behind().await? >= 1);
        Ok(())
    });
}
