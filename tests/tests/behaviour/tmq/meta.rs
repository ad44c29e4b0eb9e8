//! What topics say of tables: as JSON, as SQL that makes them again, and raw, to be replayed.

use std::collections::BTreeSet;

use taos::*;
use taos_tests::{Target, for_targets, needs};

use super::{next, nothing_comes, subscribed};

/// A database with a topic on all of it, made before anything else.
async fn source(target: &Target, options: &str) -> anyhow::Result<(Taos, String)> {
    let (taos, database) = target.fresh("source", options).await;
    taos.exec(format!(
        "create topic `{database}` with meta as database `{database}`"
    ))
    .await?;
    Ok((taos, database))
}

/// All messages that there are, raw: what is fetched on demand is there only until the next one.
async fn raw_messages(target: &Target, topic: &str, batch: &str) -> anyhow::Result<Vec<RawData>> {
    let parameters = [("msg.enable.batchmeta", batch)];
    let consumer = subscribed(target, &format!("batch_{batch}"), topic, &parameters).await?;
    let mut messages = Vec::new();
    while let Some((_, message)) = consumer.recv_timeout(super::SHORT).await? {
        messages.push(match &message {
            MessageSet::Meta(meta) => meta.as_raw_meta().await?,
            MessageSet::Data(data) | MessageSet::MetaData(_, data) => data.as_raw_data().await?,
        });
    }
    consumer.unsubscribe().await;
    Ok(messages)
}

/// What `fetch_json_meta` said of each change, in order.
async fn units(target: &Target, topic: &str, batch: &str) -> anyhow::Result<Vec<MetaUnit>> {
    let parameters = [("msg.enable.batchmeta", batch)];
    let consumer = subscribed(target, &format!("units_{batch}"), topic, &parameters).await?;
    let mut units = Vec::new();
    while let Some((_, message)) = consumer.recv_timeout(super::SHORT).await? {
        if let Some(meta) = message.meta() {
            units.extend(meta.as_json_meta().await?);
        }
    }
    consumer.unsubscribe().await;
    Ok(units)
}

const TABLES: [&str; 10] = [
    "create table s (ts timestamp, v int, name varchar(16), wide nchar(8)) tags (g int, place nchar(16), ok bool)",
    "create table a using s tags (1, 'it''s', true)",
    "create table b using s (g) tags (2)",
    "create table c using s tags (null, null, null)",
    "create table plain (ts timestamp, x double, u bigint unsigned, b varbinary(8))",
    "alter table s add column more float",
    "alter table s modify column name varchar(40)",
    "alter table s add tag extra varchar(12)",
    "alter table a set tag extra = 'new'",
    "alter table plain rename column x y",
];

/// All that can be asked of the tables of a database.
async fn picture(taos: &Taos) -> anyhow::Result<(Vec<String>, BTreeSet<String>)> {
    let mut columns = Vec::new();
    for table in ["s", "plain"] {
        for column in taos.describe(table).await?.iter() {
            columns.push(format!("{table}: {column:?}"));
        }
    }
    let mut tags = taos
        .query("select distinct tbname, g, place, ok, extra from s")
        .await?;
    let mut rows = BTreeSet::new();
    let mut more = taos
        .query("select tags tbname, g, place, ok, extra from s")
        .await?;
    for result in [&mut tags, &mut more] {
        for row in result.to_records().await? {
            rows.insert(format!("{row:?}"));
        }
    }
    Ok((columns, rows))
}

#[test]
fn the_sql_of_each_change_makes_the_tables_again_in_another_database() {
    for_targets(&[needs::TOPICS], |target| async move {
        // Each vgroup tells of super tables, and they are not in step with each other.
        let (taos, topic) = source(&target, "vgroups 1").await?;
        taos.exec_many(TABLES).await?;
        for batch in ["1", "0"] {
            let units = units(&target, &topic, batch).await?;
            let (again, _) = target.fresh("again", "").await;
            for unit in &units {
                let sql = unit.to_string();
                again
                    .exec(&sql)
                    .await
                    .map_err(|error| anyhow::anyhow!("{sql}: {error}"))?;
            }
            assert_eq!(
                picture(&again).await?,
                picture(&taos).await?,
                "batch {batch}"
            );
        }
        Ok(())
    });
}

#[test]
fn json_says_each_change_in_words_that_serde_reads_and_writes() {
    for_targets(&[needs::TOPICS], |target| async move {
        let (taos, topic) = source(&target, "vgroups 1").await?;
        taos.exec_many(TABLES).await?;
        let units = units(&target, &topic, "0").await?;
        let json: Vec<serde_json::Value> = units
            .iter()
            .map(serde_json::to_value)
            .collect::<Result<_, _>>()?;
        let kinds: Vec<(&str, &str)> = json
            .iter()
            .map(|unit| {
                let text = |key: &str| unit[key].as_str().unwrap_or_default();
                (text("type"), text("tableType"))
            })
            .collect();
        assert_eq!(
            kinds,
            [
                ("create", "super"),
                ("create", "child"),
                ("create", "child"),
                ("create", "child"),
                ("create", "normal"),
                ("alter", "super"),
                ("alter", "super"),
                ("alter", "super"),
                ("alter", "child"),
                ("alter", "normal"),
            ]
        );
        assert_eq!(json[1]["tagNum"], 3);
        assert_eq!(json[1]["using"], "s");
        assert_eq!(json[3]["tags"], serde_json::json!([]), "NULLs are left out");
        let alters: Vec<i64> = json
            .iter()
            .filter_map(|unit| unit["alterType"].as_i64())
            .collect();
        assert_eq!(alters, [5, 7, 1, 4, 10]);
        for (unit, json) in units.iter().zip(&json) {
            let back: MetaUnit = serde_json::from_value(json.clone())?;
            assert_eq!(back.to_string(), unit.to_string());
        }
        Ok(())
    });
}

#[test]
fn several_tables_that_are_dropped_at_once_are_named_with_commas() {
    for_targets(&[needs::TOPICS], |target| async move {
        let (taos, topic) = source(&target, "vgroups 1").await?;
        taos.exec_many([
            "create table s (ts timestamp, v int) tags (g int)",
            "create table a using s tags (1) b using s tags (2) c using s tags (3)",
            "drop table a, b",
        ])
        .await?;
        let units = units(&target, &topic, "1").await?;
        let (again, _) = target.fresh("again", "").await;
        for unit in &units {
            again.exec(unit.to_string()).await?;
        }
        let left: Vec<String> = again
            .query("select tags tbname from s")
            .await?
            .deserialize()
            .try_collect()
            .await?;
        assert_eq!(left, ["c"]);
        taos.exec("drop table s").await?;
        Ok(())
    });
}

/// Replays all that the topic has into a new database.
async fn replayed(
    target: &Target,
    topic: &str,
    batch: &str,
    options: &str,
) -> anyhow::Result<Taos> {
    let (copy, _) = target.fresh("copy", options).await;
    for raw in raw_messages(target, topic, batch).await? {
        copy.write_raw_meta(&raw)
            .await
            .map_err(|error| anyhow::anyhow!("type {}: {error}", raw.raw_type()))?;
    }
    Ok(copy)
}

async fn contents(taos: &Taos, table: &str) -> anyhow::Result<BTreeSet<String>> {
    let mut result = taos.query(format!("select * from {table}")).await?;
    let rows = result.to_records().await?;
    Ok(rows.iter().map(|row| format!("{row:?}")).collect())
}

#[test]
fn raw_messages_replayed_into_another_database_make_the_same_tables_and_rows() {
    for_targets(&[needs::TOPICS], |target| async move {
        let (taos, topic) = source(&target, "vgroups 1").await?;
        taos.exec_many(TABLES).await?;
        taos.exec_many([
            "insert into a values (1, 1, 'one', '一', 0.5) (2, null, null, null, null)",
            "insert into fresh using s tags (5, 'x', false, 'y') values (3, 3, 'three', '三', 1.5)",
            "insert into b (ts, v) values (4, 4)",
            "insert into plain values (1, 1.5, 18446744073709551615, '\\x00FF') (2, 2.5, 0, null)",
            "delete from a where ts = 2",
            "insert into a (ts, name) values (1, 'uno')",
            "drop table c",
        ])
        .await?;
        for batch in ["1", "0"] {
            let copy = replayed(&target, &topic, batch, "").await?;
            assert_eq!(
                picture(&copy).await?,
                picture(&taos).await?,
                "batch {batch}"
            );
            for table in ["s", "plain"] {
                let rows = contents(&taos, table).await?;
                assert!(rows.len() >= 2, "{table}: {rows:?}");
                assert_eq!(
                    contents(&copy, table).await?,
                    rows,
                    "{table}, batch {batch}"
                );
            }
        }
        Ok(())
    });
}

#[test]
fn every_type_is_replayed_as_it_was() {
    use crate::types::{AllTypes, COLUMNS, VALUES, expected, nothing};
    for_targets(&[needs::TOPICS], |target| async move {
        let options = "precision 'ns' vgroups 1";
        let (taos, topic) = source(&target, options).await?;
        let now = 1_700_000_000_123_456_789;
        let nulls = vec!["null"; 17].join(", ");
        taos.exec_many([
            format!("create table t ({COLUMNS})"),
            format!(
                "insert into t values ({now}, {VALUES}) ({}, {nulls})",
                now + 1
            ),
        ])
        .await?;
        let copy = replayed(&target, &topic, "1", "precision 'ns'").await?;
        let rows: Vec<AllTypes> = copy
            .query("select * from t")
            .await?
            .deserialize()
            .try_collect()
            .await?;
        assert_eq!(rows, [expected(now), nothing(now + 1)]);
        Ok(())
    });
}

#[test]
fn a_row_that_makes_its_table_comes_with_the_table() {
    for_targets(&[needs::TOPICS], |target| async move {
        let (taos, topic) = source(&target, "vgroups 1").await?;
        taos.exec("create table s (ts timestamp, v int) tags (g int)")
            .await?;
        let consumer = subscribed(&target, "g", &topic, &[]).await?;
        assert!(matches!(next(&consumer).await?.1, MessageSet::Meta(_)));
        taos.exec("insert into a using s tags (1) values (1, 10)")
            .await?;
        let (_, message) = next(&consumer).await?;
        let MessageSet::MetaData(meta, data) = message else {
            anyhow::bail!("not both: {message:?}")
        };
        let json = meta.as_json_meta().await?;
        assert_eq!(json.iter().count(), 1);
        let sql: Vec<String> = json.iter().map(ToString::to_string).collect();
        assert!(sql[0].contains("`a`") && sql[0].contains("`s`"), "{sql:?}");
        let rows: Vec<(i64, i32)> = super::rows_of(&data).await?;
        assert_eq!(rows, [(1, 10)]);
        // The table is there now.
        taos.exec("insert into a values (2, 20)").await?;
        assert!(matches!(next(&consumer).await?.1, MessageSet::Data(_)));
        nothing_comes(&consumer).await
    });
}
