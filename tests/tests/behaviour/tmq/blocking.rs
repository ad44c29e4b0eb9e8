//! Consumers without await.

use serde::Deserialize;
use taos::sync::*;
use taos_tests::{needs, targets_with};

use super::records::left;
use super::{SHORT, dsn_of, numbered, write};

#[derive(Debug, Deserialize)]
struct Number {
    n: i64,
}

/// The same without await, from a thread of no runtime.
fn received(dsn: &Dsn, topic: &str) -> anyhow::Result<(Vec<i64>, usize)> {
    let mut consumer = TmqBuilder::from_dsn(dsn)?.build()?;
    consumer.subscribe([topic])?;
    let (mut numbers, mut blocks) = (Vec::new(), 0);
    for message in consumer.iter_with_timeout(SHORT) {
        let (offset, message) = message?;
        assert_eq!(offset.topic(), topic);
        if let Some(data) = message.into_data() {
            for block in data {
                blocks += 1;
                let read: Vec<Number> = block?.deserialize().try_collect()?;
                numbers.extend(read.into_iter().map(|row| row.n));
            }
        }
        consumer.commit(offset)?;
    }
    consumer.unsubscribe();
    Ok((numbers, blocks))
}

#[test]
fn the_blocking_consumer_does_the_same_without_a_runtime_and_inside_one() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    for target in targets_with(&[needs::TOPICS]) {
        let (taos, topic) = runtime.block_on(numbered(&target, "sync", 1))?;
        runtime.block_on(write(&taos, 0, 0..20))?;
        let dsn = dsn_of(&target, "outside", &[]);
        let (numbers, blocks) = received(&dsn, &topic)?;
        assert!(numbers.into_iter().eq(0..20) && blocks > 0);
        let dsn = dsn_of(&target, "inside", &[]);
        let (numbers, _) = runtime.block_on(async { received(&dsn, &topic) })?;
        assert!(numbers.into_iter().eq(0..20));
    }
    Ok(())
}

#[test]
fn blocking_programs_have_the_same_records() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    for target in targets_with(&[needs::TOPICS]) {
        let (taos, topic) = runtime.block_on(numbered(&target, "blocking", 1))?;
        runtime.block_on(write(&taos, 0, 0..10))?;
        let dsn = dsn_of(&target, "g", &[]);
        acknowledged(&dsn, &topic)?;
        assert_eq!(runtime.block_on(left(&target, &topic))?, [0_i64; 0]);
    }
    Ok(())
}

fn acknowledged(dsn: &Dsn, topic: &str) -> anyhow::Result<()> {
    let mut consumer = TmqBuilder::from_dsn(dsn)?.build()?;
    consumer.subscribe([topic])?;
    let mut records = consumer.records::<Number>();
    let shutdown = records.shutdown_handle();
    let mut seen = Vec::new();
    for record in &mut records {
        let n = record?.ack().n;
        seen.push(n);
        if n == 9 {
            shutdown.shutdown();
        }
    }
    assert!(seen.into_iter().eq(0..10));
    drop(records);
    consumer.unsubscribe();
    Ok(())
}
