//! Programs in the style users already have, which must compile as they are.

use serde::Deserialize;
use taos::*;
use taos_tests::{Target, for_targets, needs, targets_with};

use super::{dsn_of, numbered, subscribed, take, write};

#[derive(Debug, Deserialize, PartialEq)]
struct Record {
    ts: i64,
    current: Option<f32>,
    voltage: Option<i32>,
    location: String,
}

/// A topic on the meters that tutorials have.
async fn meters(target: &Target, select: &str) -> anyhow::Result<(Taos, String)> {
    let (taos, topic) = target.fresh("meters", "vgroups 2").await;
    taos.exec_many([
        "create stable meters (ts timestamp, current float, voltage int) tags (groupid int, location varchar(24))".to_owned(),
        "create table d0 using meters tags (0, 'Los Angles')".to_owned(),
        "insert into d0 values (1700000000000, 10.5, 116) (1700000001000, null, null)".to_owned(),
        "insert into d1 using meters tags (1, 'San Francisco') values (1700000002000, 11.25, 118)".to_owned(),
        format!("create topic `{topic}` as {select}"),
    ])
    .await?;
    Ok((taos, topic))
}

fn expected() -> [Record; 3] {
    let record = |ts, current, voltage, location: &str| Record {
        ts,
        current,
        voltage,
        location: location.to_owned(),
    };
    [
        record(1_700_000_000_000, Some(10.5), Some(116), "Los Angles"),
        record(1_700_000_001_000, None, None, "Los Angles"),
        record(1_700_000_002_000, Some(11.25), Some(118), "San Francisco"),
    ]
}

#[test]
fn the_loop_that_tutorials_have_compiles_as_it_is_and_brings_every_row() {
    for_targets(&[needs::TOPICS], |target| async move {
        let select = "select ts, current, voltage, location, tbname from meters";
        let (_taos, topic) = meters(&target, select).await?;
        let dsn = dsn_of(&target, "g1", &[("timeout", "1s")]).to_string();
        let mut records = Vec::new();
        let mut places = Vec::new();

        let tmq = TmqBuilder::from_dsn(&dsn)?;
        let mut consumer = tmq.build().await?;
        consumer.subscribe([topic.as_str()]).await?;
        {
            let mut stream = consumer.stream();
            while let Some((offset, message)) = stream.try_next().await? {
                places.push((offset.topic().to_owned(), offset.vgroup_id()));
                if let Some(data) = message.into_data() {
                    while let Some(block) = data.fetch_raw_block().await? {
                        block.table_name();
                        let r: Vec<Record> = block.deserialize().try_collect()?;
                        records.extend(r);
                    }
                }
                consumer.commit(offset).await?;
            }
        }
        consumer.unsubscribe().await;

        records.sort_by_key(|record| record.ts);
        assert_eq!(records, expected());
        assert!(
            places.iter().all(|(found, _)| *found == topic),
            "{places:?}"
        );
        let consumer = subscribed(&target, "g1", &topic, &[]).await?;
        super::nothing_comes(&consumer).await
    });
}

#[test]
fn messages_of_a_database_say_where_they_are_from_and_what_they_hold() {
    for_targets(&[needs::TOPICS], |target| async move {
        let (taos, database) = target.fresh("whole", "vgroups 1").await;
        let topic = target.unique("topic");
        taos.exec_many([
            format!("create topic `{topic}` with meta as database `{database}`"),
            "create table a (ts timestamp, v int)".to_owned(),
            "insert into a values (1, 1)".to_owned(),
            "create table b (ts timestamp, v int)".to_owned(),
        ])
        .await?;
        let consumer = subscribed(&target, "g", &topic, &[]).await?;
        let (mut data, mut meta) = (0, 0);
        {
            let mut stream = consumer.stream_with_timeout(super::SHORT);
            while let Some((offset, mut message)) = stream.try_next().await? {
                assert_eq!((offset.database(), offset.topic()), (&*database, &*topic));
                data += usize::from(message.data().is_some());
                meta += usize::from(message.meta().is_some());
                assert_eq!(message.has_data(), message.data().is_some());
                consumer.commit(offset).await?;
            }
        }
        assert!(data == 1 && meta == 2, "{data} with rows, {meta} with meta");
        consumer.unsubscribe().await;
        Ok(())
    });
}

#[derive(Debug, Deserialize)]
struct Number {
    n: i64,
}

#[test]
fn a_consumer_works_on_a_current_thread_runtime() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    for target in targets_with(&[needs::TOPICS]) {
        runtime.block_on(async {
            let (taos, topic) = numbered(&target, "current_thread", 1).await?;
            write(&taos, 0, 0..10).await?;
            let consumer = subscribed(&target, "g", &topic, &[]).await?;
            let rows: Vec<Number> = take(&consumer, 10).await?;
            assert!(rows.iter().map(|row| row.n).eq(0..10));
            consumer.commit_all().await?;
            consumer.unsubscribe().await;
            anyhow::Ok(())
        })?;
    }
    Ok(())
}

#[test]
fn many_tasks_may_ask_one_consumer_while_one_of_them_receives() {
    for_targets(&[needs::TOPICS], |target| async move {
        let (taos, topic) = numbered(&target, "shared", 2).await?;
        write(&taos, 0, 0..30).await?;
        let consumer = subscribed(&target, "g", &topic, &[]).await?;
        let receiving = async {
            let rows: Vec<Number> = take(&consumer, 30).await?;
            anyhow::Ok(rows.len())
        };
        let asking = async {
            for _ in 0..20 {
                assert_eq!(consumer.list_topics().await?, [topic.as_str()]);
                assert!(!consumer.topic_assignment(&topic).await.is_empty());
            }
            anyhow::Ok(())
        };
        let (received, asked) = futures::join!(receiving, asking);
        asked?;
        assert_eq!(received?, 30);
        Ok(())
    });
}
