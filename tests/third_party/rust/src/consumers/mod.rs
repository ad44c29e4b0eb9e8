//! Subscriptions to topics.

mod contents;
mod groups;

use std::time::{Duration, Instant};

use anyhow::Result;
use taos::*;

use crate::{Check, address, at, check, connect, text};

const DATABASE: &str = "judge_rust_tmq";
/// Where the tables of numbers are.
const NUMBERS: &str = "judge_rust_numbers";
/// Enough of them that each of the four vgroups has some.
const TABLES: i64 = 8;
const ROWS_EACH: i64 = 5;
/// How long to wait for what must come, and for what must not.
const PATIENCE: Duration = Duration::from_secs(30);
/// The client drops a message whose answer comes after it gave up waiting.
const SILENCE: Duration = Duration::from_millis(300);

pub(crate) const PREPARATION: &[Check] = &[check!(
    "creates databases of four vgroups, and topics of each kind",
    contents::create_topics
)];

/// They do not disturb each other.
pub(crate) const CHECKS: &[Check] = &[
    check!(
        "reads every type it knows, NULLs, names and tags from a topic of a query",
        contents::query_topic
    ),
    check!(
        "reads the rows of a super table with the names of their tables",
        contents::stable_topic
    ),
    check!(
        "reads a database's topic with what made its tables",
        contents::meta_topic
    ),
    check!("reads messages into structs", contents::structs),
    check!(
        "copies a database by its raw messages, and makes its tables again by their SQL",
        contents::copies
    ),
    check!(
        "is told what changes tables, as the statements that would change them",
        contents::changes
    ),
    check!(
        "lists four vgroups, seeks to their begin and reads all again",
        groups::seek_back
    ),
    check!(
        "commits an offset of its own choice, and is told it",
        groups::offsets
    ),
    check!(
        "commits messages; another consumer of the group goes on behind them",
        groups::resume
    ),
    check!("has the server commit by itself", groups::auto_commit),
    check!(
        "sees only what is written after it came, when it starts at latest",
        groups::latest
    ),
    check!(
        "shares four vgroups with another consumer of its group, two each",
        groups::share
    ),
    check!(
        "keeps a topic from being dropped until it unsubscribes",
        groups::drop_topic
    ),
    check!(
        "is told of a topic that is not there, and can subscribe to another",
        groups::unknown_topic
    ),
    check!("is refused with a wrong password", groups::login),
];

/// A consumer of a group; `more` are further parameters, each with its `&`.
async fn consumer(group: &str, more: &str) -> Result<Consumer> {
    let dsn = format!(
        "ws://root:taosdata@{}/?group.id={group}&client.id={group}_client&auto.offset.reset=earliest{more}",
        address()
    );
    Ok(TmqBuilder::from_dsn(dsn)?.build().await?)
}

async fn subscribed(group: &str, topic: &str, more: &str) -> Result<Consumer> {
    let mut reader = consumer(group, more).await?;
    reader.subscribe([topic]).await?;
    Ok(reader)
}

/// What one message held.
#[derive(Default)]
struct Message {
    topic: String,
    database: String,
    vgroup: i32,
    blocks: Vec<RawBlock>,
    metas: Vec<String>,
    offset: Option<Offset>,
}

impl Message {
    fn rows(&self) -> Vec<Vec<Value>> {
        self.blocks.iter().flat_map(RawBlock::to_values).collect()
    }
}

async fn poll(reader: &Consumer, timeout: Duration) -> Result<Option<Message>> {
    let Some((offset, set)) = reader.recv_timeout(Timeout::Duration(timeout)).await? else {
        return Ok(None);
    };
    let mut message = Message {
        topic: offset.topic().to_owned(),
        database: offset.database().to_owned(),
        vgroup: offset.vgroup_id(),
        ..Message::default()
    };
    let (meta, data) = match set {
        MessageSet::Meta(meta) => (Some(meta), None),
        MessageSet::Data(data) => (None, Some(data)),
        MessageSet::MetaData(meta, data) => (Some(meta), Some(data)),
    };
    if let Some(meta) = meta {
        for unit in &meta.as_json_meta().await? {
            message.metas.push(unit.to_string());
        }
    }
    if let Some(data) = data {
        while let Some(block) = data.fetch_raw_block().await? {
            message.blocks.push(block);
        }
    }
    message.offset = Some(offset);
    Ok(Some(message))
}

/// Reads until there were so many rows, and a moment longer for one too many.
async fn drain(reader: &Consumer, rows: usize) -> Result<Vec<Message>> {
    let mut messages = Vec::new();
    let mut found = 0;
    let deadline = Instant::now() + PATIENCE;
    while found < rows && Instant::now() < deadline {
        if let Some(message) = poll(reader, deadline - Instant::now()).await? {
            found += message.rows().len();
            messages.push(message);
        }
    }
    while let Some(message) = poll(reader, SILENCE).await? {
        messages.push(message);
    }
    Ok(messages)
}

/// All rows, sorted by the time that stands at a place of theirs.
fn by_time(messages: &[Message], place: usize) -> Vec<Vec<Value>> {
    let mut all: Vec<_> = messages.iter().flat_map(Message::rows).collect();
    all.sort_by_key(|row| match row.get(place) {
        Some(Value::Timestamp(time)) => time.as_raw_i64(),
        _ => i64::MIN,
    });
    all
}

/// A super table of numbered rows and a topic of the same name, which selects them; gives what a consumer reads.
async fn numbers(name: &str) -> Result<Vec<Vec<Value>>> {
    let taos = connect(NUMBERS).await?;
    taos.exec(format!(
        "create table {name} (ts timestamp, n int) tags (id int)"
    ))
    .await?;
    taos.exec(format!(
        "create topic {name} as select tbname, ts, n, id from {NUMBERS}.{name}"
    ))
    .await?;
    let mut all = Vec::new();
    for table in 0..TABLES {
        all.extend(write(&taos, name, table, 0..ROWS_EACH).await?);
    }
    Ok(all)
}

/// Writes rows of one table.
async fn write(
    taos: &Taos,
    name: &str,
    table: i64,
    rows: std::ops::Range<i64>,
) -> Result<Vec<Vec<Value>>> {
    let mut values = String::new();
    let mut written = Vec::new();
    for n in rows {
        let (place, number) = (1000 * table + n, 100 * table + n);
        values += &format!(" ({}, {number})", 1_700_000_000_000 + place);
        written.push(vec![
            text(&format!("{name}_{table}")),
            at(place),
            Value::Int(i32::try_from(number)?),
            Value::Int(i32::try_from(table)?),
        ]);
    }
    taos.exec(format!(
        "insert into {name}_{table} using {name} tags ({table}) values{values}"
    ))
    .await?;
    Ok(written)
}
