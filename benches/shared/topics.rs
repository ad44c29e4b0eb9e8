//! The subscription cases that both clients have, compiled against ours and, unchanged, the published peer.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::Deserialize;
use taos::{
    AsAsyncConsumer, AsyncQueryable, AsyncTBuilder, Consumer, IsAsyncData, RawBlock, TaosBuilder,
    Timeout, TmqBuilder, TryStreamExt,
};

use crate::cases::Failure;
use crate::measure::{Stopwatch, Tally};

/// Seconds of silence after which rows are missing.
const SILENCE: u64 = 30;

/// A row as its table has it.
#[derive(Deserialize)]
pub(crate) struct Reading {
    ts: i64,
    temperature: Option<f32>,
    humidity: Option<i32>,
    wind: Option<f32>,
    location: Option<String>,
}

impl Reading {
    #[inline]
    pub(crate) fn count(&self, tally: &mut Tally) {
        tally.rows += 1;
        tally.long(self.ts);
        tally.float(self.temperature);
        tally.int(self.humidity);
        tally.float(self.wind);
        tally.text(self.location.as_deref());
    }
}

/// What is done with a block.
type Take = fn(&RawBlock, &mut Tally) -> Result<(), Failure>;

/// Runs a subscription case; `None` if `case` is none of these.
pub(crate) async fn run(dsn: &str, case: &str) -> Result<Option<String>, Failure> {
    let (topic, commits, take): (_, _, Take) = match case {
        "tmq-raw" => ("bench_stable", false, raw),
        "tmq-typed" => ("bench_stable", false, typed),
        "tmq-raw-select" => ("bench_select", false, raw),
        "tmq-typed-select" => ("bench_select", false, typed),
        "tmq-typed-commit" => ("bench_stable", true, typed),
        _ => return Ok(None),
    };
    let rows = rows(dsn).await?;
    let mut tally = Tally::default();
    let clock = Stopwatch::start();
    let consumer = consumer(dsn, topic).await?;
    {
        let mut stream = consumer.stream_with_timeout(Timeout::from_secs(SILENCE));
        while tally.rows < rows {
            let Some((offset, message)) = stream.try_next().await? else {
                return Err(format!("the topic ended at {} of {rows} rows", tally.rows).into());
            };
            if let Some(data) = message.into_data() {
                while let Some(block) = data.fetch_raw_block().await? {
                    take(&block, &mut tally)?;
                }
            }
            if commits {
                consumer.commit(offset).await?;
            }
        }
    }
    let report = clock.report(tally.rows, &tally);
    consumer.unsubscribe().await;
    Ok(Some(report))
}

/// How many rows a topic has to bring.
pub(crate) async fn rows(dsn: &str) -> Result<u64, Failure> {
    let taos = TaosBuilder::from_dsn(dsn)?.build().await?;
    let rows = taos
        .query_one::<_, i64>("select count(*) from bench.readings")
        .await?;
    Ok(rows.unwrap_or_default().try_into()?)
}

/// A consumer of a group of its own, which begins with the first row.
pub(crate) async fn consumer(dsn: &str, topic: &str) -> Result<Consumer, Failure> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos();
    let group = format!("bench_{}_{now}", std::process::id());
    let separator = if dsn.contains('?') { '&' } else { '?' };
    let dsn = format!("{dsn}{separator}group.id={group}&auto.offset.reset=earliest");
    let mut consumer = TmqBuilder::from_dsn(dsn)?.build().await?;
    consumer.subscribe([topic]).await?;
    Ok(consumer)
}

fn raw(block: &RawBlock, tally: &mut Tally) -> Result<(), Failure> {
    tally.raw(block.nrows(), block.as_raw_bytes());
    Ok(())
}

fn typed(block: &RawBlock, tally: &mut Tally) -> Result<(), Failure> {
    for row in block.deserialize::<Reading>() {
        row?.count(tally);
    }
    Ok(())
}
