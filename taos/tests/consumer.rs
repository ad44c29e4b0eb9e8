//! Consumers through the facade, in both flavours, on a server in this process.

use serde::Deserialize;
use taos::{Error, ErrorKind};
use taos_embedded::Embedded;

#[derive(Debug, Deserialize)]
struct Reading {
    n: i32,
}

const TABLES: [&str; 4] = [
    "create database d wal_retention_period 3600",
    "create table d.s (ts timestamp, n int) tags (t int)",
    "create topic readings as stable d.s",
    "insert into d.t1 using d.s tags (1) values (now, 1) (now + 1s, 2) d.t2 using d.s tags (2) values (now, 3)",
];

async fn server() -> Result<Embedded, Error> {
    use taos::{AsyncQueryable as _, AsyncTBuilder as _};
    let server = Embedded::builder().memory().start().await?;
    let taos = taos::TaosBuilder::from_dsn(server.dsn())?.build().await?;
    taos.exec_many(TABLES).await?;
    Ok(server)
}

fn dsn(server: &Embedded, driver: &str) -> String {
    let place = server.dsn().trim_start_matches("ws");
    format!("{driver}{place}?group.id=g&auto.offset.reset=earliest&timeout=500ms")
}

#[tokio::test(flavor = "multi_thread")]
async fn records_are_resumed_behind_what_was_acknowledged() {
    use taos::*;
    let server = server().await.unwrap();
    let builder = TmqBuilder::from_dsn(dsn(&server, "tmq+ws")).unwrap();
    let mut numbers = Vec::new();
    for part in [2, 1] {
        let mut consumer = builder.build().await.unwrap();
        consumer.subscribe(["readings"]).await.unwrap();
        let mut records = consumer.records::<Reading>();
        for _ in 0..part {
            let record = records.try_next().await.unwrap().unwrap();
            assert_eq!((record.topic(), record.database()), ("readings", "d"));
            numbers.push((record.table_name().unwrap().to_owned(), record.n));
            record.ack();
        }
        records.shutdown_handle().shutdown();
        // What is left of the message in hand.
        while let Some(record) = records.try_next().await.unwrap() {
            numbers.push((record.table_name().unwrap().to_owned(), record.n));
            record.ack();
        }
        drop(records);
        assert!(consumer.is_ws());
        consumer.unsubscribe().await;
        if numbers.len() == 3 {
            break;
        }
    }
    numbers.sort();
    let expected = [("t1", 1), ("t1", 2), ("t2", 3)];
    assert_eq!(numbers, expected.map(|(table, n)| (table.to_owned(), n)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_record_comes_again() {
    use taos::*;
    let server = server().await.unwrap();
    let builder = TmqBuilder::from_dsn(dsn(&server, "ws")).unwrap();
    for _ in 0..2 {
        let mut consumer = builder.build().await.unwrap();
        consumer.subscribe(["readings"]).await.unwrap();
        let mut records = consumer.records::<Reading>();
        let mut numbers = Vec::new();
        while numbers.len() < 3 {
            numbers.push(records.try_next().await.unwrap().unwrap().n);
        }
        records.shutdown_handle().shutdown();
        assert!(records.try_next().await.unwrap().is_none());
        drop(records);
        let lags = consumer.lag().await.unwrap();
        assert!(
            !lags.is_empty() && lags.iter().all(|lag| lag.behind() == 0),
            "{lags:?}"
        );
        consumer.unsubscribe().await;
        numbers.sort_unstable();
        assert_eq!(numbers, [1, 2, 3]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dropped_stream_left_comes_with_the_next_one() {
    use taos::*;
    let server = server().await.unwrap();
    let builder = TmqBuilder::from_dsn(dsn(&server, "ws")).unwrap();
    let mut consumer = builder.build().await.unwrap();
    consumer.subscribe(["readings"]).await.unwrap();
    let mut records = consumer.records::<Reading>();
    for _ in 0..3 {
        // The first of a table is dealt with; what came of the second is not known.
        let record = records.try_next().await.unwrap().unwrap();
        if record.n != 2 {
            record.ack();
        }
    }
    drop(records);
    let mut records = consumer.records::<Reading>();
    let again = records.try_next().await.unwrap().unwrap().ack().n;
    let more = records.try_next().await.unwrap().unwrap().ack().n;
    assert_eq!((again, more), (1, 2), "the whole message");
    records.shutdown_handle().shutdown();
    assert!(records.try_next().await.unwrap().is_none());
    drop(records);
    assert!(consumer.recv().await.unwrap().is_none());
    consumer.unsubscribe().await;
    let mut consumer = builder.build().await.unwrap();
    consumer.subscribe(["readings"]).await.unwrap();
    if let Some((_, message)) = consumer.recv().await.unwrap() {
        // Only the first stream had the other table's row, and ended without a commit.
        let block = message
            .into_data()
            .unwrap()
            .fetch_raw_block()
            .await
            .unwrap();
        assert_eq!(block.unwrap().table_name(), Some("t2"));
    }
    consumer.unsubscribe().await;
}

fn blocking(dsn: &str) -> Result<(), Error> {
    use taos::sync::*;
    let mut consumer = TmqBuilder::from_dsn(dsn)?.build()?;
    assert_eq!(consumer.default_timeout(), Timeout::from_millis(500));
    consumer.subscribe(["readings"])?;
    assert_eq!(consumer.list_topics()?, ["readings"]);
    let mut rows = 0;
    for message in consumer.iter() {
        let (offset, message) = message?;
        assert_eq!(offset.topic(), "readings");
        let (topic, vgroup) = (offset.topic().to_owned(), offset.vgroup_id());
        if let MessageSet::Data(data) | MessageSet::MetaData(_, data) = message {
            for block in data {
                rows += block?.nrows();
            }
        }
        consumer.commit(offset)?;
        let committed = consumer.committed(&topic, vgroup)?;
        assert_eq!(committed, consumer.position(&topic, vgroup)?);
    }
    assert_eq!(rows, 3);
    for (topic, vgroups) in consumer.assignments().unwrap_or_default() {
        for vgroup in vgroups {
            consumer.offset_seek(&topic, vgroup.vgroup_id(), vgroup.begin())?;
        }
    }
    for message in consumer.iter_data_only(Timeout::from_millis(500)) {
        for block in message?.1 {
            rows += block?.nrows();
        }
    }
    assert_eq!(rows, 6, "all of them again");
    consumer.commit_all()?;
    consumer.unsubscribe();
    Ok(())
}

#[tokio::test]
async fn the_blocking_calls_work_from_plain_threads_and_inside_runtimes() {
    let (inside, outside) = (server().await.unwrap(), server().await.unwrap());
    tokio::task::spawn_blocking(move || {
        let dsn = dsn(&outside, "taos+ws");
        let thread = std::thread::spawn(move || blocking(&dsn));
        thread.join().unwrap().unwrap();
        // The server ends with the runtime that it was started on.
        drop(outside);
    })
    .await
    .unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let dsn = dsn(&inside, "ws");
    tokio::task::spawn_blocking(move || runtime.block_on(async { blocking(&dsn) }))
        .await
        .unwrap()
        .unwrap();
}

#[test]
fn a_backend_without_consumers_says_so() {
    use taos::AsyncTBuilder as _;
    let error = taos::TmqBuilder::from_dsn("questdb://localhost?group.id=g").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("QuestDB"), "{error}");
    let error = taos::TmqBuilder::from_dsn("ws://localhost").unwrap_err();
    assert!(error.to_string().contains("group.id"), "{error}");
}

/// Names that programs import one by one.
#[test]
fn what_programs_import_is_there() {
    use taos::sync::{AsConsumer, IsData, IsMeta, MessageSet as Blocking, Offset as Same};
    use taos::{AsAsyncConsumer, IsAsyncData, IsAsyncMeta, IsOffset, MessageSet, Offset};
    fn both<C>()
    where
        C: AsAsyncConsumer<Offset = Offset, Meta: IsMeta, Data: IsData>
            + AsConsumer<Offset = Same, Meta: IsAsyncMeta, Data: IsAsyncData>,
    {
    }
    both::<taos::Consumer>();
    fn place<O: IsOffset>() {}
    place::<Offset>();
    let message: MessageSet<taos::Meta, taos::Data>;
    let same: Option<Blocking<taos::Meta, taos::Data>> = None;
    if let Some(same) = same {
        message = same;
        assert!(message.has_data());
    }
}
