//! How long a consumer waits, and that giving up loses nothing.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use serde::Deserialize;
use taos::*;
use taos_tests::proxy::{Direction, Fault, Proxy};
use taos_tests::{Random, for_targets, needs};

use super::{dsn_of, next, nothing_comes, numbered, rows_of, subscribed, take, write};

#[derive(Debug, Deserialize)]
struct Row {
    n: i64,
}

fn numbers(rows: Vec<Row>) -> Vec<i64> {
    rows.into_iter().map(|row| row.n).collect()
}

#[test]
fn a_timeout_of_none_looks_once_and_half_a_second_waits_that_long() {
    for_targets(&[needs::TOPICS], |target| async move {
        let (taos, topic) = numbered(&target, "timeouts", 1).await?;
        let consumer = subscribed(&target, "g", &topic, &[]).await?;
        nothing_comes(&consumer).await?;
        let started = Instant::now();
        assert!(consumer.recv_timeout(Timeout::none()).await?.is_none());
        assert!(
            started.elapsed() < Duration::from_secs(1),
            "{:?}",
            started.elapsed()
        );
        let started = Instant::now();
        let received = consumer.recv_timeout(Timeout::from_millis(500)).await?;
        let waited = started.elapsed();
        assert!(received.is_none());
        assert!(waited >= Duration::from_millis(490), "{waited:?}");
        assert!(waited < Duration::from_secs(2), "{waited:?}");
        // Looking often enough, without waiting, finds what comes.
        write(&taos, 0, [1]).await?;
        let found = async {
            loop {
                match consumer.recv_timeout(Timeout::None).await? {
                    Some((_, message)) => break anyhow::Ok(message),
                    None => tokio::task::yield_now().await,
                }
            }
        };
        let message = tokio::time::timeout(super::LIMIT, found).await??;
        let data = message
            .into_data()
            .ok_or_else(|| anyhow::anyhow!("no rows"))?;
        assert_eq!(numbers(rows_of(&data).await?), [1]);
        Ok(())
    });
}

#[test]
fn a_stream_ends_after_the_silence_that_the_dsn_allows_and_may_be_made_again() {
    for_targets(&[needs::TOPICS], |target| async move {
        let (taos, topic) = numbered(&target, "silence", 1).await?;
        write(&taos, 0, 0..3).await?;
        let consumer = subscribed(&target, "g", &topic, &[("timeout", "500ms")]).await?;
        assert_eq!(consumer.default_timeout(), Timeout::from_millis(500));
        for expected in [0..3, 3..5] {
            write(&taos, 0, expected.clone()).await?;
            let mut read = Vec::new();
            let mut last = Instant::now();
            let mut stream = pin!(consumer.stream());
            while let Some((_, message)) = stream.try_next().await? {
                let data = message
                    .into_data()
                    .ok_or_else(|| anyhow::anyhow!("no rows"))?;
                read.extend(numbers(rows_of(&data).await?));
                last = Instant::now();
            }
            read.sort_unstable();
            read.dedup();
            assert!(read.ends_with(&expected.collect::<Vec<_>>()), "{read:?}");
            assert!(
                last.elapsed() >= Duration::from_millis(450),
                "{:?}",
                last.elapsed()
            );
            assert!(
                last.elapsed() < Duration::from_secs(3),
                "{:?}",
                last.elapsed()
            );
        }
        Ok(())
    });
}

#[test]
fn a_stream_that_never_times_out_waits_for_what_comes_late() {
    for_targets(&[needs::TOPICS], |target| async move {
        let (taos, topic) = numbered(&target, "never", 1).await?;
        let consumer = subscribed(&target, "g", &topic, &[("timeout", "never")]).await?;
        assert_eq!(consumer.default_timeout(), Timeout::Never);
        let reading = async {
            let mut stream = pin!(consumer.stream());
            let received = stream.try_next().await?;
            anyhow::Ok(received.is_some())
        };
        let writing = async {
            // Longer than a poll waits at the server.
            tokio::time::sleep(Duration::from_millis(1_300)).await;
            write(&taos, 0, [1]).await
        };
        let (read, written) =
            tokio::time::timeout(super::LIMIT, async { futures::join!(reading, writing) }).await?;
        written?;
        assert!(read?, "the stream has ended");
        let never = consumer.recv_timeout(Timeout::Never);
        assert!(
            tokio::time::timeout(Duration::from_millis(700), never)
                .await
                .is_err()
        );
        write(&taos, 0, [2]).await?;
        assert_eq!(
            numbers(take(&consumer, 1).await?),
            [2],
            "nothing was lost with it"
        );
        Ok(())
    });
}

#[test]
fn the_timeouts_of_the_dsn_are_read_in_every_unit() {
    for_targets(&[needs::TOPICS], |target| async move {
        for (text, expected) in [
            ("never", Timeout::Never),
            ("none", Timeout::None),
            ("500ms", Timeout::from_millis(500)),
            ("2s", Timeout::from_secs(2)),
            ("1m", Timeout::from_secs(60)),
            ("1h", Timeout::from_secs(3600)),
            ("250us", Timeout::Duration(Duration::from_micros(250))),
            ("1d", Timeout::from_secs(86_400)),
        ] {
            let dsn = dsn_of(&target, "g", &[("timeout", text)]);
            let consumer = TmqBuilder::from_dsn(dsn)?.build().await?;
            assert_eq!(consumer.default_timeout(), expected, "{text}");
        }
        let consumer = TmqBuilder::from_dsn(dsn_of(&target, "g", &[]))?
            .build()
            .await?;
        assert_eq!(consumer.default_timeout(), Timeout::from_secs(5));
        Ok(())
    });
}

/// Lets `future` go on `turns` times, then drops it.
async fn give_up_after<F: Future>(future: F, turns: u64) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = turns;
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending if left == 0 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}

#[test]
fn a_receive_that_is_dropped_at_any_await_loses_nothing() {
    for_targets(&[needs::TOPICS], |target| async move {
        let seed = Random::seed();
        eprintln!("TAOS_TEST_SEED={seed}");
        let mut random = Random::new(seed);
        let (taos, topic) = numbered(&target, "dropped", 3).await?;
        let consumer = subscribed(&target, "g", &topic, &[]).await?;
        let writing = async {
            for n in 0..40 {
                for table in 0..4 {
                    write(&taos, table, [i64::from(table) * 1_000 + n]).await?;
                }
            }
            anyhow::Ok(())
        };
        let (written, read) = futures::join!(writing, restless(&consumer, &mut random, 160));
        written?;
        let (mut read, given_up) = read?;
        assert!(given_up > 5, "only {given_up} of the receives were dropped");
        read.sort_unstable();
        let expected = (0..4).flat_map(|table| (0..40).map(move |n| table * 1_000 + n));
        assert!(read.into_iter().eq(expected), "each row once");
        nothing_comes(&consumer).await
    });
}

/// Receives `count` rows, giving up again and again; also says how often it gave up.
async fn restless(
    consumer: &Consumer,
    random: &mut Random,
    count: usize,
) -> anyhow::Result<(Vec<i64>, u32)> {
    let mut read = Vec::new();
    let mut given_up = 0;
    let deadline = Instant::now() + super::LIMIT;
    while read.len() < count {
        anyhow::ensure!(Instant::now() < deadline, "{} of {count} rows", read.len());
        // By turns, and by the clock: both hit other awaits.
        let turns = random.below(4);
        let receive = consumer.recv_timeout(Timeout::from_secs(2));
        let received = if turns < 3 {
            give_up_after(receive, turns).await
        } else {
            let wait = Duration::from_micros(random.below(3_000));
            tokio::time::timeout(wait, receive).await.ok()
        };
        match received.transpose()?.flatten() {
            None => {
                given_up += 1;
                tokio::time::sleep(Duration::from_micros(random.below(300))).await;
            }
            Some((_, message)) => {
                let data = message
                    .into_data()
                    .ok_or_else(|| anyhow::anyhow!("no rows"))?;
                read.extend(numbers(rows_of(&data).await?));
            }
        }
    }
    Ok((read, given_up))
}

#[test]
fn an_answer_to_a_poll_that_is_lost_is_asked_for_again() {
    for_targets(&[needs::TOPICS, needs::KNOWN_FRAMES], |target| async move {
        let (taos, topic) = numbered(&target, "lost", 1).await?;
        let proxy = Proxy::to(target.address().await?)
            .on_answer_to("poll", Fault::Drop)
            .start()
            .await?;
        write(&taos, 0, 0..5).await?;
        let mut dsn = dsn_of(&target, "g", &[("read_timeout", "1")]);
        dsn.addresses = vec![Address::new("127.0.0.1", proxy.address().port())];
        let mut consumer = TmqBuilder::from_dsn(dsn)?.build().await?;
        consumer.subscribe([topic.as_str()]).await?;
        let mut read: Vec<i64> = Vec::new();
        let deadline = Instant::now() + super::LIMIT;
        while read.len() < 5 {
            anyhow::ensure!(Instant::now() < deadline, "only {read:?} came");
            // That the answer is lost may be told, but only as an error that can be got over.
            let Ok(Some((_, message))) = consumer.recv_timeout(Timeout::from_secs(3)).await else {
                continue;
            };
            let data = message
                .into_data()
                .ok_or_else(|| anyhow::anyhow!("no rows"))?;
            read.extend(numbers(rows_of(&data).await?));
        }
        assert_eq!(proxy.struck(), 1);
        assert_eq!(read, [0, 1, 2, 3, 4]);
        Ok(())
    });
}

#[test]
fn a_late_answer_to_a_poll_that_nobody_waits_for_any_more_is_kept() {
    for_targets(&[needs::TOPICS, needs::KNOWN_FRAMES], |target| async move {
        let (taos, topic) = numbered(&target, "late", 1).await?;
        let late = Duration::from_millis(900);
        let proxy = Proxy::to(target.address().await?)
            .on_answer_to("poll", Fault::Delay(late))
            .start()
            .await?;
        write(&taos, 0, 0..3).await?;
        let mut dsn = dsn_of(&target, "g", &[]);
        dsn.addresses = vec![Address::new("127.0.0.1", proxy.address().port())];
        let mut consumer = TmqBuilder::from_dsn(dsn)?.build().await?;
        consumer.subscribe([topic.as_str()]).await?;
        let started = Instant::now();
        let received = consumer.recv_timeout(Timeout::from_millis(100)).await?;
        assert!(received.is_none() && started.elapsed() < late);
        assert_eq!(numbers(take(&consumer, 3).await?), [0, 1, 2]);
        assert!(proxy.passed(Direction::ToServer, "poll") > 0);
        Ok(())
    });
}

#[test]
fn an_idle_consumer_asks_seldom() {
    for_targets(&[needs::TOPICS, needs::KNOWN_FRAMES], |target| async move {
        let (taos, topic) = numbered(&target, "idle", 1).await?;
        let proxy = Proxy::to(target.address().await?).start().await?;
        let mut dsn = dsn_of(&target, "g", &[]);
        dsn.addresses = vec![Address::new("127.0.0.1", proxy.address().port())];
        let mut consumer = TmqBuilder::from_dsn(dsn)?.build().await?;
        consumer.subscribe([topic.as_str()]).await?;
        let received = consumer.recv_timeout(Timeout::from_secs(2)).await?;
        assert!(received.is_none());
        let asked = proxy.passed(Direction::ToServer, "");
        assert!(asked <= 20, "{asked} requests in two idle seconds");
        write(&taos, 0, [1]).await?;
        let started = Instant::now();
        next(&consumer).await?;
        let waited = started.elapsed();
        assert!(waited < Duration::from_secs(1), "a row needed {waited:?}");
        Ok(())
    });
}
