//! Topics and their consumers, as programs use them.

mod auto_commit;
mod blocking;
mod fault_column;
mod groups;
mod kinds;
mod loss;
mod meta;
mod mistakes;
mod offsets;
mod records;
mod restarts;
mod seed;
mod waiting;

use std::time::Duration;

use serde::de::DeserializeOwned;
use taos::*;
use taos_tests::Target;

/// A message that has not come by then does not come.
const LIMIT: Duration = Duration::from_secs(20);
/// Long enough for a message that is there already.
const SHORT: Timeout = Timeout::Duration(Duration::from_millis(1500));
/// What starts the helper that is killed, or that is a server.
const PROCESS: &str = env!("CARGO_BIN_EXE_taos-test-process");

/// What `recv` gives of the facade's consumer.
type Message = (Offset, MessageSet<Meta, Data>);

/// A consumer's DSN: from the beginning, and a call that is not answered fails the test.
fn dsn_of(target: &Target, group: &str, parameters: &[(&str, &str)]) -> Dsn {
    let mut dsn = target.parsed();
    dsn.set("group.id", group);
    dsn.set("auto.offset.reset", "earliest");
    dsn.set("read_timeout", "20");
    for (key, value) in parameters {
        dsn.set(*key, *value);
    }
    dsn
}

/// A member of `group` that reads `topic` from its beginning.
async fn subscribed(
    target: &Target,
    group: &str,
    topic: &str,
    parameters: &[(&str, &str)],
) -> anyhow::Result<Consumer> {
    let builder = TmqBuilder::from_dsn(dsn_of(target, group, parameters))?;
    let mut consumer = builder.build().await?;
    consumer.subscribe([topic]).await?;
    Ok(consumer)
}

/// The next message, which must come.
async fn next(consumer: &Consumer) -> anyhow::Result<Message> {
    let received = consumer.recv_timeout(Timeout::Duration(LIMIT)).await?;
    received.ok_or_else(|| anyhow::anyhow!("no message within {LIMIT:?}"))
}

/// All rows of a message.
async fn rows_of<T: DeserializeOwned>(data: &Data) -> anyhow::Result<Vec<T>> {
    let mut rows = Vec::new();
    while let Some(block) = data.fetch_raw_block().await? {
        let read: Vec<T> = block.deserialize().try_collect()?;
        rows.extend(read);
    }
    Ok(rows)
}

/// The next `count` rows or a few more, as many as their messages have; messages without rows are passed over.
async fn take<T: DeserializeOwned>(consumer: &Consumer, count: usize) -> anyhow::Result<Vec<T>> {
    let mut rows = Vec::new();
    while rows.len() < count {
        let (_, message) = next(consumer).await?;
        if let Some(data) = message.into_data() {
            rows.extend(rows_of::<T>(&data).await?);
        }
    }
    Ok(rows)
}

/// Nothing is there to be read.
async fn nothing_comes(consumer: &Consumer) -> anyhow::Result<()> {
    let received = consumer.recv_timeout(SHORT).await?;
    anyhow::ensure!(received.is_none(), "a message came: {received:?}");
    Ok(())
}

/// A database with a super table `s (ts, n) tags (t)`, and a topic on it.
async fn numbered(target: &Target, stem: &str, vgroups: u32) -> anyhow::Result<(Taos, String)> {
    let (taos, database) = target.fresh(stem, &format!("vgroups {vgroups}")).await;
    taos.exec_many([
        "create table s (ts timestamp, n bigint) tags (t int)".to_owned(),
        format!("create topic `{database}` as select ts, n, t, tbname from s"),
    ])
    .await?;
    Ok((taos, database))
}

/// Writes the numbers into a subtable, one statement each, so that each has a place of its own.
async fn write(
    taos: &Taos,
    table: u32,
    numbers: impl IntoIterator<Item = i64>,
) -> anyhow::Result<()> {
    for n in numbers {
        taos.exec(format!(
            "insert into s{table} using s tags ({table}) values ({n}, {n})"
        ))
        .await?;
    }
    Ok(())
}
