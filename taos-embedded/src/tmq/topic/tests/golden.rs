//! The recordings of topics: the same statements give the same messages.

use std::fs;
use std::path::PathBuf;

use bytes::Bytes;
use serde_json::Value as Json;
use serde_json::value::RawValue;
use taos_query::tmq::raw::DataMessage;

use super::*;
use crate::meta::{Meta, NewKind, NewTable, decode, decode_new_table};

/// A message as a consumer got it, as far as it asked.
#[derive(Debug, Default, Clone, PartialEq)]
struct Recorded {
    kind: i64,
    json: Option<String>,
    raw: Option<(u16, Bytes)>,
    blocks: Vec<(String, Bytes)>,
}

fn folder(scenario: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/golden")
        .join(scenario)
}

fn index(scenario: &str) -> Json {
    serde_json::from_slice(&fs::read(folder(scenario).join("index.json")).unwrap()).unwrap()
}

fn set_up(bed: &Bed, scenario: &str) {
    for sql in index(scenario)["setup_sql"].as_array().unwrap() {
        let sql = sql.as_str().unwrap();
        // done between two statements that are named
        if sql.starts_with("delete from golden_tmqdb") {
            bed.run("drop table golden_tmqdb.n1");
        }
        bed.run(sql);
    }
}

/// The messages of one connection.
fn recorded(scenario: &str, connection: i64) -> Vec<Recorded> {
    let mut all: Vec<Recorded> = Vec::new();
    let mut table = String::new();
    for frame in index(scenario)["frames"].as_array().unwrap() {
        if frame["connection"] != connection || frame["direction"] != "s2c" {
            continue;
        }
        let bytes = fs::read(folder(scenario).join(frame["file"].as_str().unwrap())).unwrap();
        let json = || -> Json { serde_json::from_slice(&bytes).unwrap() };
        match frame["action"].as_str().unwrap() {
            "poll" if json()["have_message"] == true => all.push(Recorded {
                kind: json()["message_type"].as_i64().unwrap(),
                ..Recorded::default()
            }),
            "fetch_json_meta" if json()["code"] == 0 => {
                let reply: std::collections::HashMap<String, Box<RawValue>> =
                    serde_json::from_slice(&bytes).unwrap();
                all.last_mut().unwrap().json = Some(reply["data"].get().to_owned());
            }
            "fetch" => table = json()["table_name"].as_str().unwrap_or_default().to_owned(),
            "fetch_block" => {
                let block = Bytes::from(bytes).slice(24..);
                all.last_mut().unwrap().blocks.push((table.clone(), block));
            }
            "fetch_raw_data" if frame["decoded"]["code"] == 0 => {
                let bytes = Bytes::from(bytes);
                let raw_type = u16::from_le_bytes(*bytes[50..].first_chunk().unwrap());
                all.last_mut().unwrap().raw = Some((raw_type, bytes.slice(56..)));
            }
            _ => {}
        }
    }
    all
}

fn without_numbers(table: &mut NewTable) {
    (table.uid, table.created) = (0, 0);
    if let NewKind::Child { super_uid, .. } = &mut table.kind {
        *super_uid = 0;
    }
}

/// What a message about tables says, without what differs from run to run.
fn meta(raw_type: u16, raw: &Bytes) -> Meta {
    let mut meta = decode(raw_type, raw).unwrap();
    match &mut meta {
        // the original counts changes of tags apart
        Meta::CreateSuper(table) | Meta::AlterSuper(table) => {
            (table.uid, table.tags.version) = (0, 0)
        }
        Meta::DropSuper { uid, .. } => *uid = 0,
        Meta::CreateTables { tables, .. } => tables.iter_mut().for_each(without_numbers),
        Meta::AlterTable(alter) => alter.changed = 0,
        Meta::DropTables(tables) => {
            for table in tables {
                (table.uid, table.super_uid) = (0, 0);
            }
        }
        Meta::Delete(rows) => {
            (rows.super_uid, rows.changed) = (0, 0);
            rows.uids.fill(0);
        }
    }
    meta
}

/// Format, length of the head, and two places in the log.
const HEAD: usize = 23;

fn check_data(ours: &Bytes, theirs: &Bytes, raw_type: u16) {
    if raw_type == 2 {
        assert_eq!(ours.slice(HEAD..), theirs.slice(HEAD..));
    }
    let ours = DataMessage::decode(raw_type, ours).unwrap();
    let theirs = DataMessage::decode(raw_type, theirs).unwrap();
    assert_eq!(ours.entries, theirs.entries);
    let creates = |message: &DataMessage| -> Vec<NewTable> {
        let tables = message.creates.iter().map(|raw| {
            let mut table = decode_new_table(raw).unwrap();
            without_numbers(&mut table);
            table
        });
        tables.collect()
    };
    assert_eq!(creates(&ours), creates(&theirs));
}

fn check(ours: &Message, theirs: &Recorded) {
    assert_eq!(i64::from(ours.kind as i32), theirs.kind);
    if theirs.json.is_some() {
        assert_eq!(ours.json, theirs.json);
    }
    if let Some((raw_type, raw)) = &theirs.raw {
        assert_eq!(ours.raw_type, *raw_type);
        match raw_type {
            2 | 4 => check_data(&ours.raw, raw, *raw_type),
            raw_type => assert_eq!(meta(*raw_type, &ours.raw), meta(*raw_type, raw)),
        }
    }
    if !theirs.blocks.is_empty() {
        let blocks = ours.entries.iter().map(|entry| {
            let table = entry.table.clone().unwrap_or_default();
            (table, entry.block.clone())
        });
        assert_eq!(blocks.collect::<Vec<_>>(), theirs.blocks);
    }
}

fn check_all(ours: &[(i32, Message)], theirs: &[Recorded]) {
    assert!(!theirs.is_empty());
    for ((_, ours), theirs) in ours.iter().zip(theirs) {
        check(ours, theirs);
    }
    assert_eq!(ours.len(), theirs.len());
}

#[test]
fn a_query_topic_gives_what_14_recorded() {
    let bed = Bed::new(&[]);
    set_up(&bed, "14-tmq-data");
    let theirs = recorded("14-tmq-data", 1);
    let reader = bed.reader("golden_topic");
    let vgroup = bed.vgroups("golden_tmq").start;
    let read = |from| {
        let page = reader.read(vgroup, from, &ReadOptions::default()).unwrap();
        (page.message, page.next)
    };
    let (first, next) = read(0);
    check(&first.unwrap(), &theirs[0]);
    assert_eq!(read(next), (None, next));
    for frame in index("14-tmq-data")["frames"].as_array().unwrap() {
        if frame["direction"] == "side" {
            bed.run(frame["sql"].as_str().unwrap());
        }
    }
    let (second, end) = read(next);
    check(&second.unwrap(), &theirs[1]);
    let (all, again) = read(0);
    check(&all.unwrap(), &theirs[2]);
    assert_eq!(again, end);
}

#[test]
fn a_database_topic_gives_what_16_recorded() {
    let bed = Bed::new(&[]);
    set_up(&bed, "16-tmq-db-meta");
    let options = ReadOptions::default();
    check_all(
        &bed.messages("golden_dbtopic", &options),
        &recorded("16-tmq-db-meta", 1),
    );
    let options = ReadOptions {
        batch_meta: true,
        ..options
    };
    let batches = bed.messages("golden_dbtopic", &options);
    check_all(&batches, &recorded("16-tmq-db-meta", 2));
    let sizes = batches.iter().filter(|(_, one)| one.raw_type == 5);
    let sizes = sizes.map(|(_, one)| crate::meta::decode_batch(&one.raw).unwrap().len());
    assert_eq!(sizes.collect::<Vec<_>>(), [2, 1, 4]);
}

#[test]
fn topics_on_a_super_table_give_what_20_recorded() {
    let bed = Bed::new(&[]);
    set_up(&bed, "20-tmq-stable-topic");
    let options = ReadOptions {
        max_rows: 1,
        ..ReadOptions::default()
    };
    for (topic, connection, count) in [("golden_stbtopic", 1, 4), ("golden_stbmeta", 2, 5)] {
        let mut ours = bed.messages(topic, &options);
        let mut theirs = recorded("20-tmq-stable-topic", connection);
        // which subtable is in which vgroup differs
        let table = |entries: &[DataEntry]| entries.first().and_then(|entry| entry.table.clone());
        ours.sort_by_key(|(_, message)| table(&message.entries));
        theirs.sort_by_key(|message| message.blocks.first().map(|(table, _)| table.clone()));
        check_all(&ours, &theirs);
        assert_eq!(ours.len(), count);
    }
}

#[test]
fn a_query_topic_carries_every_type_as_21_recorded() {
    let bed = Bed::new(&[]);
    set_up(&bed, "05-types-ns");
    set_up(&bed, "21-tmq-types");
    let options = ReadOptions::default();
    for (topic, connection) in [("golden_typetopic", 1), ("golden_blobtopic", 2)] {
        let theirs = recorded("21-tmq-types", connection);
        assert!(theirs[0].raw.is_some());
        check_all(&bed.messages(topic, &options), &theirs);
    }
}
