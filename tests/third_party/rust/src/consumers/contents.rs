//! What topics of each kind tell.

use std::collections::BTreeSet;
use std::time::Instant;

use anyhow::{Result, bail, ensure};
use serde::Deserialize;
use taos::taos_query::common::RawMeta;
use taos::*;

use super::{DATABASE, Message, NUMBERS, PATIENCE, TABLES, by_time, drain, subscribed};
use crate::queries::{declarations, full, list, nulls};
use crate::{connect, equal, rows, text};

/// The table that comes into being with its first rows.
const MADE_BY_INSERT: i64 = 7;

pub(super) async fn create_topics() -> Result<()> {
    let taos = connect("").await?;
    let kinds = format!("{DATABASE}.kinds");
    for sql in [
        format!("create database {DATABASE} precision 'ms' vgroups 4 wal_retention_period 3600"),
        format!("create database {NUMBERS} precision 'ms' vgroups 4 wal_retention_period 3600"),
        format!(
            "create table {kinds} (ts timestamp, {}) tags (place varchar(24), floor int)",
            declarations()
        ),
        format!(
            "create topic rust_select as select tbname, ts, {}, place, floor from {kinds}",
            list(|(name, _, _)| name)
        ),
        format!("create topic rust_stable as stable {kinds}"),
        format!("create topic rust_meta with meta as database {DATABASE}"),
    ] {
        taos.exec(sql).await?;
    }
    let values = list(|(_, _, literal)| literal);
    let nothing = list(|_| "null");
    for table in 0..TABLES {
        let tags = match table {
            0 => "null, null".to_owned(),
            _ => format!("'Gdańsk 🐢', {table}"),
        };
        let using = format!("{DATABASE}.k{table} using {kinds} tags ({tags})");
        // Of several creations in one message the client takes the first only.
        if table != MADE_BY_INSERT {
            taos.exec(format!("create table {using}")).await?;
        }
        let time = 1_700_000_000_000 + 1000 * table;
        let after = time + 1;
        taos.exec(format!(
            "insert into {using} values ({time}, {values}) ({after}, {nothing})"
        ))
        .await?;
    }
    Ok(())
}

/// The rows that `create_topics` wrote, in the order of their times.
fn kind_rows() -> Vec<Vec<Value>> {
    (0..TABLES)
        .flat_map(|table| [full(1000 * table), nulls(1000 * table + 1)])
        .collect()
}

pub(super) async fn query_topic() -> Result<()> {
    let reader = subscribed("select", "rust_select", "").await?;
    equal(reader.list_topics().await?, ["rust_select"])?;
    let messages = drain(&reader, kind_rows().len()).await?;
    let mut vgroups = BTreeSet::new();
    for message in &messages {
        equal(&message.topic, "rust_select")?;
        equal(&message.database, DATABASE)?;
        vgroups.insert(message.vgroup);
    }
    equal(vgroups.len(), 4)?;
    let mut expected = kind_rows();
    for (n, row) in expected.iter_mut().enumerate() {
        let table = i32::try_from(n / 2)?;
        row.insert(0, text(&format!("k{table}")));
        row.extend(match table {
            0 => [Value::Null(Ty::VarChar), Value::Null(Ty::Int)],
            _ => [text("Gdańsk 🐢"), Value::Int(table)],
        });
    }
    equal(by_time(&messages, 1), expected)?;
    reader.unsubscribe().await;
    Ok(())
}

/// Each block is of the table that it names.
fn names_its_tables(messages: &[Message]) -> Result<()> {
    for block in messages.iter().flat_map(|message| &message.blocks) {
        equal(block.field_names().first().map(String::as_str), Some("ts"))?;
        for row in block.to_values() {
            let Some(Value::Timestamp(time)) = row.first() else {
                bail!("no time in {row:?}");
            };
            let table = (time.as_raw_i64() - 1_700_000_000_000) / 1000;
            equal(block.table_name(), Some(format!("k{table}").as_str()))?;
        }
    }
    Ok(())
}

pub(super) async fn stable_topic() -> Result<()> {
    let reader = subscribed("stable", "rust_stable", "").await?;
    let messages = drain(&reader, kind_rows().len()).await?;
    names_its_tables(&messages)?;
    equal(by_time(&messages, 0), kind_rows())
}

pub(super) async fn meta_topic() -> Result<()> {
    let reader = subscribed("meta", "rust_meta", "").await?;
    let messages = drain(&reader, kind_rows().len()).await?;
    names_its_tables(&messages)?;
    equal(by_time(&messages, 0), kind_rows())?;
    let said: BTreeSet<&String> = messages.iter().flat_map(|message| &message.metas).collect();
    let creates = |table: &str| {
        let start = format!("CREATE TABLE IF NOT EXISTS `{table}`");
        let found: Vec<_> = said.iter().filter(|sql| sql.starts_with(&start)).collect();
        ensure!(
            found.len() == 1,
            "{table} is made so: {found:?}, of {said:?}"
        );
        Ok(found[0].to_string())
    };
    for table in 0..TABLES {
        creates(&format!("k{table}"))?;
    }
    equal(said.len(), 9)?;
    let made = creates("kinds")?;
    for words in ["`vc` BINARY(32)", "`nc` NCHAR(32)", "`floor` INT"] {
        ensure!(made.contains(words), "{words} is not in {made}");
    }
    equal(
        creates("k3")?.as_str(),
        "CREATE TABLE IF NOT EXISTS `k3` USING `kinds` (`place`, `floor`) TAGS(\"Gdańsk 🐢\", 3)",
    )
}

pub(super) async fn structs() -> Result<()> {
    #[derive(Debug, Deserialize, PartialEq)]
    struct Row {
        tbname: String,
        ts: i64,
        i64: Option<i64>,
        u64: Option<u64>,
        f32: Option<f32>,
        nc: Option<String>,
        floor: Option<i32>,
    }
    let reader = subscribed("structs", "rust_select", "").await?;
    let mut found: Vec<Row> = Vec::new();
    for message in drain(&reader, kind_rows().len()).await? {
        for block in message.blocks {
            found.extend(block.deserialize().collect::<Result<Vec<Row>, _>>()?);
        }
    }
    found.sort_by_key(|row| row.ts);
    let expected: Vec<Row> = (0..2 * TABLES)
        .map(|n| {
            let (table, there) = (n / 2, n % 2 == 0);
            Ok(Row {
                tbname: format!("k{table}"),
                ts: 1_700_000_000_000 + 1000 * table + n % 2,
                i64: there.then_some(-9_223_372_036_854_775_807),
                u64: there.then_some(18_446_744_073_709_551_615),
                f32: there.then_some(1.5),
                nc: there.then(|| "żółw 🐢".to_owned()),
                floor: (table > 0).then_some(i32::try_from(table)?),
            })
        })
        .collect::<Result<_>>()?;
    equal(found, expected)
}

pub(super) async fn copies() -> Result<()> {
    let taos = connect("").await?;
    for name in ["raw", "sql"] {
        taos.exec(format!("create database {DATABASE}_{name} vgroups 2"))
            .await?;
    }
    let (raw, sql) = (
        connect(&format!("{DATABASE}_raw")).await?,
        connect(&format!("{DATABASE}_sql")).await?,
    );
    let reader = subscribed("copies", "rust_meta", "").await?;
    let mut wanted = kind_rows().len();
    let deadline = Instant::now() + PATIENCE;
    while wanted > 0 && Instant::now() < deadline {
        let timeout = Timeout::Duration(deadline - Instant::now());
        let Some((_, set)) = reader.recv_timeout(timeout).await? else {
            bail!("nothing came");
        };
        if let Some(meta) = set.meta() {
            raw.write_raw_meta(&meta.as_raw_meta().await?).await?;
            for unit in &meta.as_json_meta().await? {
                sql.exec(unit.to_string()).await?;
            }
        }
        let with_meta = set.has_meta();
        if let Some(data) = set.into_data() {
            if !with_meta {
                let copy: RawMeta = data.as_raw_data().await?.into();
                raw.write_raw_meta(&copy).await?;
            }
            while let Some(block) = data.fetch_raw_block().await? {
                wanted = wanted.saturating_sub(block.nrows());
            }
        }
    }
    let tags = "select distinct tbname, place, floor from";
    for copy in [&raw, &sql] {
        let mut made = rows(copy, &format!("{tags} kinds")).await?;
        made.sort_by_key(|row| format!("{row:?}"));
        let mut wanted = rows(&taos, &format!("{tags} {DATABASE}.kinds")).await?;
        wanted.sort_by_key(|row| format!("{row:?}"));
        equal(wanted.len(), kind_rows().len() / 2)?;
        equal(made, wanted)?;
        equal(
            rows(copy, "describe kinds").await?,
            rows(&taos, &format!("describe {DATABASE}.kinds")).await?,
        )?;
    }
    equal(
        rows(&raw, "select * from kinds order by ts").await?,
        rows(
            &taos,
            &format!("select * from {DATABASE}.kinds order by ts"),
        )
        .await?,
    )
}

pub(super) async fn changes() -> Result<()> {
    let database = format!("{DATABASE}_changes");
    let taos = connect("").await?;
    for sql in [
        format!("create database {database} vgroups 1"),
        format!("create topic rust_changes with meta as database {database}"),
        format!("create table {database}.plain (ts timestamp, n int)"),
        format!("alter table {database}.plain add column more nchar(8)"),
        format!("alter table {database}.plain modify column more nchar(16)"),
        format!("alter table {database}.plain rename column more most"),
        format!("alter table {database}.plain drop column most"),
        format!("create table {database}.tops (ts timestamp, n int) tags (id int)"),
        format!("alter table {database}.tops add tag name varchar(8)"),
        format!("create table {database}.t1 using {database}.tops (id) tags (1)"),
        format!("alter table {database}.t1 set tag id = 7"),
        format!("insert into {database}.t1 values (1700000000000, 1)"),
        format!("delete from {database}.t1 where ts <= 1700000000000"),
        format!("create table {database}.t2 using {database}.tops tags (2, null)"),
        format!("drop table {database}.t2"),
        format!("create table {database}.gone (ts timestamp, n int) tags (id int)"),
        format!("drop table {database}.gone"),
    ] {
        taos.exec(sql).await?;
    }
    let reader = subscribed("changes", "rust_changes", "").await?;
    let said: Vec<String> = drain(&reader, 1)
        .await?
        .into_iter()
        .flat_map(|message| message.metas)
        .collect();
    let said_all = said.join("\n");
    ensure!(said.len() == 14, "{said_all}");
    // How the client writes down compression is its own affair.
    let starts = [
        "CREATE TABLE IF NOT EXISTS `plain`(`ts` TIMESTAMP",
        "ALTER TABLE `plain` ADD COLUMN `more` NCHAR(8)",
        "ALTER TABLE `plain` MODIFY COLUMN `more` NCHAR(16)",
        "ALTER TABLE `plain` RENAME COLUMN `more` `most`",
        "ALTER TABLE `plain` DROP COLUMN `most`",
        "CREATE TABLE IF NOT EXISTS `tops`(`ts` TIMESTAMP",
        "ALTER TABLE `tops` ADD TAG `name` BINARY(8)",
        "CREATE TABLE IF NOT EXISTS `t1` USING `tops` (`id`) TAGS(1)",
        "ALTER TABLE `t1` SET TAG `id` 7",
        "delete from `t1` where `ts` >= -9223372036854775808 and `ts` <= 1700000000000",
        "CREATE TABLE IF NOT EXISTS `t2` USING `tops` (`id`) TAGS(2)",
        "DROP TABLE IF EXISTS `t2`",
        "CREATE TABLE IF NOT EXISTS `gone`(`ts` TIMESTAMP",
        "DROP TABLE IF EXISTS `gone`",
    ];
    for (sql, start) in said.iter().zip(starts) {
        ensure!(sql.starts_with(start), "expected {start}\n     got {sql}");
    }
    Ok(())
}
