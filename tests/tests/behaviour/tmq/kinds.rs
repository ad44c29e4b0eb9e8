//! What each kind of topic brings.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use taos::*;
use taos_tests::{Target, for_targets, needs};

use super::{next, nothing_comes, rows_of, subscribed, take};
use crate::types::{AllTypes, COLUMNS, VALUES, expected, nothing};

/// Two rows of everything, one without values, in the unit of the database.
async fn everything(taos: &Taos, table: &str, ts: i64) -> anyhow::Result<()> {
    let nulls = vec!["null"; 17].join(", ");
    taos.exec(format!(
        "insert into {table} values ({ts}, {VALUES}) ({}, {nulls})",
        ts + 1
    ))
    .await?;
    Ok(())
}

const PRECISIONS: [(&str, i64); 3] = [
    ("ms", 1_700_000_000_123),
    ("us", 1_700_000_000_123_456),
    ("ns", 1_700_000_000_123_456_789),
];

#[test]
fn every_type_comes_whole_through_every_kind_of_topic_in_every_precision() {
    for_targets(&[needs::TOPICS], |target| async move {
        for (precision, now) in PRECISIONS {
            let options = format!("vgroups 2 precision '{precision}'");
            let (taos, database) = target.fresh("kinds", &options).await;
            taos.exec_many([
                format!("create table s ({COLUMNS}) tags (g int, place nchar(8))"),
                "create table c using s tags (7, '北')".to_owned(),
                format!("create table plain ({COLUMNS})"),
            ])
            .await?;
            everything(&taos, "c", now).await?;
            everything(&taos, "plain", now).await?;
            let rows = [expected(now), nothing(now + 1)];
            for (n, (kind, tables)) in [
                ("select * from s", 1),
                ("select * from c", 1),
                ("select * from plain", 1),
                ("stable s", 1),
                ("stable s where g = 7", 1),
                ("database", 2),
            ]
            .into_iter()
            .enumerate()
            {
                let topic = format!("{database}_{n}");
                let kind = match kind {
                    "database" => format!("database `{database}`"),
                    kind => kind.to_owned(),
                };
                taos.exec(format!("create topic `{topic}` as {kind}"))
                    .await?;
                let consumer = subscribed(&target, "g", &topic, &[]).await?;
                let read: Vec<AllTypes> = take(&consumer, 2 * tables).await?;
                assert_eq!(read.len(), 2 * tables, "{kind}, {precision}");
                for read in read.chunks(2) {
                    assert_eq!(read, rows, "{kind}, {precision}");
                }
                nothing_comes(&consumer).await?;
                consumer.unsubscribe().await;
            }
        }
        Ok(())
    });
}

/// A database with two subtables, a normal table, and a topic for each of `kinds`; `{db}` stands for
/// the database.
async fn stage(target: &Target, kinds: &[&str]) -> anyhow::Result<(Taos, String)> {
    let (taos, database) = target.fresh("stage", "vgroups 3").await;
    taos.exec_many([
        "create table s (ts timestamp, v int, w varchar(8)) tags (g int, place varchar(8))",
        "create table a using s tags (1, 'Oslo')",
        "create table b using s tags (2, null)",
        "create table plain (ts timestamp, v int)",
    ])
    .await?;
    for (n, kind) in kinds.iter().enumerate() {
        let kind = kind.replace("{db}", &database);
        taos.exec(format!("create topic `{database}_{n}` {kind}"))
            .await?;
    }
    Ok((taos, database))
}

const WRITTEN: [&str; 3] = [
    "insert into a values (1, 1, 'one') (3, 3, 'two') (4, null, 'tee')",
    "insert into b values (11, 1, 'x') (12, 2, null)",
    "insert into plain values (1, 4) (2, 5)",
];

/// All that the n-th topic brings to a new group, sorted by its first column.
async fn read<T: DeserializeOwned>(target: &Target, topic: &str) -> anyhow::Result<Vec<T>> {
    let consumer = subscribed(target, "read", topic, &[]).await?;
    let mut rows = Vec::new();
    while let Some((_, message)) = consumer.recv_timeout(super::SHORT).await? {
        if let Some(data) = message.into_data() {
            rows.extend(rows_of::<T>(&data).await?);
        }
    }
    consumer.unsubscribe().await;
    Ok(rows)
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn a_select_brings_its_filter_expressions_tags_and_names_of_tables() {
    for_targets(&[needs::TOPICS], |target| async move {
        let (taos, database) = stage(
            &target,
            &[
                "as select ts, v + g as total, upper(w) as w, place, tbname from s where v > 1",
                "as select ts, w from a where w like 't%'",
                "as select v * 2 as twice from plain where v <> 5",
                "as select ts, tbname, g from s where place is null",
            ],
        )
        .await?;
        taos.exec_many(WRITTEN).await?;

        type Row = (i64, f64, Option<String>, Option<String>, String);
        let mut rows: Vec<Row> = read(&target, &format!("{database}_0")).await?;
        rows.sort_by_key(|row| row.0);
        assert_eq!(
            rows,
            [
                (3, 4.0, some("TWO"), some("Oslo"), "a".to_owned()),
                (12, 4.0, None, None, "b".to_owned())
            ]
        );
        let rows: Vec<(i64, String)> = read(&target, &format!("{database}_1")).await?;
        assert_eq!(rows, [(3, "two".to_owned()), (4, "tee".to_owned())]);
        let rows: Vec<(f64,)> = read(&target, &format!("{database}_2")).await?;
        assert_eq!(rows, [(8.0,)]);
        let rows: Vec<(i64, String, i32)> = read(&target, &format!("{database}_3")).await?;
        assert_eq!(rows, [(11, "b".to_owned(), 2), (12, "b".to_owned(), 2)]);
        Ok(())
    });
}

/// Timestamps by table, of a topic whose blocks have names.
async fn by_table(target: &Target, topic: &str) -> anyhow::Result<BTreeMap<String, Vec<i64>>> {
    let consumer = subscribed(target, "by_table", topic, &[]).await?;
    let mut found: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    while let Some((_, message)) = consumer.recv_timeout(super::SHORT).await? {
        let Some(data) = message.into_data() else {
            continue;
        };
        while let Some(block) = data.fetch_raw_block().await? {
            let table = block.table_name().unwrap_or_default().to_owned();
            let times: Vec<Time> = block.deserialize().try_collect()?;
            let times = times.into_iter().map(|row| row.ts);
            found.entry(table).or_default().extend(times);
        }
    }
    consumer.unsubscribe().await;
    Ok(found)
}

#[derive(Debug, Deserialize)]
struct Time {
    ts: i64,
}

#[test]
fn a_super_table_and_a_database_bring_the_names_of_their_tables() {
    for_targets(&[needs::TOPICS], |target| async move {
        let (taos, database) = stage(
            &target,
            &[
                "as stable s",
                "as stable s where place = 'Oslo'",
                "as database `{db}`",
                "with meta as stable s",
                "with meta as database `{db}`",
            ],
        )
        .await?;
        taos.exec_many(WRITTEN).await?;
        let all = [
            ("a", vec![1, 3, 4]),
            ("b", vec![11, 12]),
            ("plain", vec![1, 2]),
        ];
        for (n, tables) in [2, 1, 3, 2, 3].into_iter().enumerate() {
            let found = by_table(&target, &format!("{database}_{n}")).await?;
            let expected = all[..tables].iter().cloned();
            let expected = expected.map(|(table, times)| (table.to_owned(), times));
            assert_eq!(found, expected.collect(), "topic {n}");
        }
        Ok(())
    });
}

#[test]
fn a_topic_on_a_view_that_sums_up_or_sorts_is_refused_with_the_reason() {
    for_targets(&[needs::TOPICS], |target| async move {
        let (taos, _) = stage(&target, &[]).await?;
        for (topic, code) in [
            ("as select count(*) from s", 9785),
            ("as select ts, v from s order by ts", 9785),
            ("as select nosuch from s", 9730),
            ("as stable nosuch", 866),
        ] {
            let error = taos.exec(format!("create topic t {topic}")).await;
            assert_eq!(error.map_err(|e| e.code()), Err(Code::new(code)), "{topic}");
        }
        Ok(())
    });
}

#[test]
fn a_column_that_is_added_while_someone_reads_comes_with_the_next_rows() {
    for_targets(&[needs::TOPICS], |target| async move {
        let (taos, database) = stage(&target, &["as stable s", "as select ts, v from s"]).await?;
        taos.exec("insert into a values (1, 1, 'one')").await?;
        let whole = subscribed(&target, "g", &format!("{database}_0"), &[]).await?;
        let part = subscribed(&target, "g", &format!("{database}_1"), &[]).await?;
        let columns = async |consumer: &Consumer| {
            let data = next(consumer).await?.1.into_data();
            let data = data.ok_or_else(|| anyhow::anyhow!("no rows"))?;
            let block = data.fetch_raw_block().await?;
            let block = block.ok_or_else(|| anyhow::anyhow!("no block"))?;
            let names = block.field_names().map(ToString::to_string).collect();
            anyhow::Ok::<(Vec<String>, usize)>((names, block.nrows()))
        };
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(columns(&whole).await?, (names(&["ts", "v", "w"]), 1));
        assert_eq!(columns(&part).await?, (names(&["ts", "v"]), 1));
        taos.exec_many([
            "alter table s add column more double",
            "insert into a (ts, v, w, more) values (2, 2, 'two', 0.5)",
        ])
        .await?;
        let both = (names(&["ts", "v", "w", "more"]), 1);
        assert_eq!(columns(&whole).await?, both);
        assert_eq!(columns(&part).await?, (names(&["ts", "v"]), 1));
        Ok(())
    });
}

#[test]
fn a_table_that_is_made_later_is_part_of_its_topics() {
    for_targets(&[needs::TOPICS], |target| async move {
        let (taos, database) = stage(&target, &["as select ts, tbname from s"]).await?;
        let consumer = subscribed(&target, "g", &format!("{database}_0"), &[]).await?;
        nothing_comes(&consumer).await?;
        taos.exec("insert into late using s tags (9, 'Bergen') values (77, 1, 'x')")
            .await?;
        let rows: Vec<(i64, String)> = take(&consumer, 1).await?;
        assert_eq!(rows, [(77, "late".to_owned())]);
        Ok(())
    });
}

#[test]
fn a_topic_is_dropped_when_nobody_reads_it_any_more() {
    for_targets(&[needs::TOPICS], |target| async move {
        let (taos, database) = stage(&target, &["as stable s"]).await?;
        let topic = format!("{database}_0");
        let consumer = subscribed(&target, "g", &topic, &[]).await?;
        let drop = format!("drop topic `{topic}`");
        let refused = taos.exec(&drop).await.map_err(|error| error.code());
        assert_eq!(refused, Err(Code::new(1003)));
        consumer.unsubscribe().await;
        // The server may take its time to notice.
        let dropped = async {
            while let Err(error) = taos.exec(&drop).await {
                assert_eq!(error.code(), 1003, "{error}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(super::LIMIT, dropped).await?;
        let builder = TmqBuilder::from_dsn(super::dsn_of(&target, "g", &[]))?;
        let error = builder.build().await?.subscribe([topic.as_str()]).await;
        let error = error
            .err()
            .ok_or_else(|| anyhow::anyhow!("subscribed to nothing"))?;
        assert_eq!(error.code(), 0x03E1, "{error}");
        assert!(error.to_string().contains(&topic), "{error}");
        Ok(())
    });
}
