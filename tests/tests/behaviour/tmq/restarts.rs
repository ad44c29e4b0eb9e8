//! The line is cut, or the server goes and comes again: the consumer goes on by itself.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde::Deserialize;
use taos::tmq::Lag;
use taos::*;
use taos_embedded::Embedded;
use taos_tests::process::ServerProcess;
use taos_tests::proxy::Proxy;
use taos_tests::{dsn_at, for_targets, needs};

use super::{PROCESS, next, nothing_comes, numbered, rows_of, subscribed, take, write};

#[derive(Debug, Deserialize)]
struct Row {
    n: i64,
}

fn numbers(rows: Vec<Row>) -> Vec<i64> {
    rows.into_iter().map(|row| row.n).collect()
}

/// A consumer through a proxy, quick to notice.
async fn through(proxy: &Proxy, topic: &str, more: &[(&str, &str)]) -> anyhow::Result<Consumer> {
    let mut dsn: Dsn = dsn_at(proxy.address()).parse()?;
    for (key, value) in [
        ("group.id", "g"),
        ("auto.offset.reset", "earliest"),
        ("read_timeout", "2"),
        ("retry_backoff_ms", "50"),
        ("conn_retries", "20"),
    ] {
        dsn.set(key, value);
    }
    for (key, value) in more {
        dsn.set(*key, *value);
    }
    let mut consumer = TmqBuilder::from_dsn(dsn)?.build().await?;
    consumer.subscribe([topic]).await?;
    Ok(consumer)
}

#[test]
fn a_consumer_that_is_cut_between_polls_subscribes_again_and_goes_on() {
    for_targets(&[needs::TOPICS, needs::KNOWN_FRAMES], |target| async move {
        let (taos, topic) = numbered(&target, "cut", 2).await?;
        let proxy = Proxy::to(target.address().await?).start().await?;
        let consumer = through(&proxy, &topic, &[]).await?;
        for round in 0..4 {
            write(&taos, 0, [round]).await?;
            // Committed, so that it does not come again.
            let (at, message) = next(&consumer).await?;
            let data = message
                .into_data()
                .ok_or_else(|| anyhow::anyhow!("no rows"))?;
            assert_eq!(numbers(rows_of(&data).await?), [round]);
            consumer.commit(at).await?;
            proxy.cut();
        }
        assert_eq!(consumer.list_topics().await?, [topic.as_str()]);
        nothing_comes(&consumer).await?;
        assert!(
            proxy.connections() >= 5,
            "{} connections",
            proxy.connections()
        );
        Ok(())
    });
}

#[test]
fn a_thousand_rows_with_twenty_cuts_all_arrive() {
    for_targets(&[needs::TOPICS, needs::KNOWN_FRAMES], |target| async move {
        let (taos, topic) = numbered(&target, "cuts", 2).await?;
        let proxy = Proxy::to(target.address().await?).start().await?;
        let consumer = through(&proxy, &topic, &[]).await?;
        let mut seen = std::collections::BTreeSet::new();
        for round in 0..20_i64 {
            let rows: Vec<String> = (round * 50..round * 50 + 50)
                .map(|n| format!("({n}, {n})"))
                .collect();
            taos.exec(format!(
                "insert into s{0} using s tags ({0}) values {1}",
                round % 3,
                rows.join(" ")
            ))
            .await?;
            while i64::try_from(seen.len())? < round * 50 + 25 {
                let (at, message) = next(&consumer).await?;
                if let Some(data) = message.into_data() {
                    seen.extend(numbers(rows_of(&data).await?));
                }
                consumer.commit(at).await?;
            }
            proxy.cut();
        }
        while seen.len() < 1_000 {
            let (_, message) = next(&consumer).await?;
            if let Some(data) = message.into_data() {
                seen.extend(numbers(rows_of(&data).await?));
            }
        }
        assert!(seen.into_iter().eq(0..1_000));
        Ok(())
    });
}

#[test]
fn without_auto_reconnect_a_cut_is_an_error_and_not_silence() {
    for_targets(&[needs::TOPICS, needs::KNOWN_FRAMES], |target| async move {
        if target.is_native() {
            // A native library mends its lines by itself, and the DSN may not say otherwise.
            let dsn = target.dsn_with("group.id=g&auto.reconnect=false");
            let Err(error) = TmqBuilder::from_dsn(dsn) else {
                anyhow::bail!("it was taken");
            };
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
            assert!(error.to_string().contains("auto.reconnect"), "{error}");
            return Ok(());
        }
        let (taos, topic) = numbered(&target, "no_reconnect", 1).await?;
        let proxy = Proxy::to(target.address().await?).start().await?;
        let consumer = through(&proxy, &topic, &[("auto.reconnect", "false")]).await?;
        write(&taos, 0, [1]).await?;
        next(&consumer).await?;
        proxy.cut();
        let received = consumer.recv_timeout(Timeout::from_secs(5)).await;
        let error = received.err().ok_or_else(|| anyhow::anyhow!("no error"))?;
        assert!(
            matches!(error.kind(), ErrorKind::ConnectionLost | ErrorKind::Connect),
            "{error:?}"
        );
        Ok(())
    });
}

/// A server whose data outlive it.
async fn start(directory: &std::path::Path) -> anyhow::Result<Embedded> {
    let mut builder = Embedded::builder().data_dir(directory);
    if let Ok(release) = std::env::var("TAOS_TEST_EMULATE") {
        builder = builder.emulate(release);
    }
    Ok(builder.start().await?)
}

/// Ten rows of which a part is committed.
async fn before(dsn: &str, consumer: &Consumer, topic: &str) -> anyhow::Result<(VGroupId, i64)> {
    let taos = TaosBuilder::from_dsn(dsn)?.build().await?;
    taos.exec(format!("use `{topic}`")).await?;
    let mut places = Vec::new();
    for n in 0..5 {
        write(&taos, 0, [n]).await?;
        places.push(next(consumer).await?.0);
    }
    consumer.commit(places[2].clone()).await?;
    let vgroup = places[2].vgroup_id();
    Ok((vgroup, consumer.committed(topic, vgroup).await?))
}

async fn made(dsn: &str) -> anyhow::Result<String> {
    let taos = TaosBuilder::from_dsn(dsn)?.build().await?;
    taos.exec_many([
        "create database kept vgroups 1 keep 36500",
        "create table kept.s (ts timestamp, n bigint) tags (t int)",
        "create topic kept as select ts, n from kept.s",
    ])
    .await?;
    Ok("kept".to_owned())
}

/// After the restart: the place is there, and what was not committed comes once more, then what is new.
async fn after(
    address: SocketAddr,
    proxy: &Proxy,
    consumer: &Consumer,
    (topic, vgroup, committed): (&str, VGroupId, i64),
) -> anyhow::Result<()> {
    proxy.lead_to(address);
    let taos = TaosBuilder::from_dsn(dsn_at(address))?.build().await?;
    taos.exec(format!("use `{topic}`")).await?;
    write(&taos, 0, [5]).await?;
    let mut read = Vec::new();
    while read.last() != Some(&5) {
        let (at, message) = next(consumer).await?;
        let data = message
            .into_data()
            .ok_or_else(|| anyhow::anyhow!("no rows"))?;
        read.extend(numbers(rows_of(&data).await?));
        assert_eq!(
            consumer.committed(topic, vgroup).await?,
            committed,
            "at {at:?}"
        );
    }
    assert!(
        [3, 4, 5].ends_with(&read),
        "{read:?} came; what was taken before may come again, what was committed may not"
    );
    consumer.commit_all().await?;
    Ok(())
}

#[test]
fn a_server_that_is_stopped_and_started_keeps_what_was_committed() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let directory = tempfile::tempdir()?;
        let server = start(directory.path()).await?;
        let topic = made(server.dsn()).await?;
        let proxy = Proxy::to(server.addr()).start().await?;
        let consumer = through(&proxy, &topic, &[]).await?;
        let (vgroup, committed) = before(server.dsn(), &consumer, &topic).await?;
        server.shutdown().await;
        let server = start(directory.path()).await?;
        after(
            server.addr(),
            &proxy,
            &consumer,
            (&topic, vgroup, committed),
        )
        .await
    })
}

#[test]
fn a_server_that_is_killed_keeps_what_was_committed() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let directory = tempfile::tempdir()?;
        let server = ServerProcess::start(PROCESS, directory.path())?;
        let topic = made(&server.dsn()).await?;
        let proxy = Proxy::to(server.address()).start().await?;
        let consumer = through(&proxy, &topic, &[]).await?;
        let (vgroup, committed) = before(&server.dsn(), &consumer, &topic).await?;
        server.kill();
        let server = ServerProcess::start(PROCESS, directory.path())?;
        after(
            server.address(),
            &proxy,
            &consumer,
            (&topic, vgroup, committed),
        )
        .await
    })
}

#[test]
fn a_consumer_whose_place_was_trimmed_sees_the_gap_and_goes_on_with_what_is_left() {
    for_targets(&[needs::TOPICS], |target| async move {
        let options = "vgroups 1 wal_retention_period 1";
        let (taos, topic) = target.fresh("trimmed", options).await;
        taos.exec_many([
            "create table s (ts timestamp, n bigint) tags (t int)".to_owned(),
            format!("create topic `{topic}` as select ts, n, tbname from s"),
        ])
        .await?;
        let consumer = subscribed(&target, "g", &topic, &[]).await?;
        write(&taos, 0, [0]).await?;
        let (at, message) = next(&consumer).await?;
        drop(message);
        consumer.commit(at).await?;
        write(&taos, 0, 1..5).await?;
        let missed = async || {
            let lags = consumer.lag().await?;
            anyhow::Ok(lags.iter().map(Lag::missed).sum::<u64>())
        };
        let deadline = Instant::now() + super::LIMIT;
        while missed().await? < 4 {
            anyhow::ensure!(Instant::now() < deadline, "nothing was trimmed");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        taos.exec(format!(
            "alter database `{topic}` wal_retention_period 3600"
        ))
        .await?;
        write(&taos, 0, 100..103).await?;
        let mut read = Vec::new();
        while read.last() != Some(&102) {
            read.extend(numbers(take(&consumer, 1).await?));
        }
        // What came behind the first may have been fetched ahead, all in one message, while it was there.
        let (ahead, left) = read.split_at(read.len().saturating_sub(3));
        assert!(
            left == [100, 101, 102] && [1, 2, 3, 4].starts_with(ahead),
            "{read:?}"
        );
        assert_eq!(missed().await?, 0, "it is behind the gap");
        // One that comes back to a committed place that is gone goes on just so.
        consumer.unsubscribe().await;
        let late = subscribed(&target, "g", &topic, &[]).await?;
        let rows: Vec<Row> = take(&late, 3).await?;
        assert_eq!(numbers(rows), [100, 101, 102]);
        Ok(())
    });
}
