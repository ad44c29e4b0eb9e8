//! What topics make of logs.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod golden;
mod messages;
mod queries;
mod units;

use std::sync::Arc;

use taos_query::common::Value;
use taos_query::tmq::raw::DataEntry;

use super::super::{Kind, Message, Page};
use super::{ReadOptions, TopicReader};
use crate::engine::{Answer, Engine, Session, Storage};

/// An engine and a session that filled it.
struct Bed {
    engine: Engine,
    session: Session,
}

impl Bed {
    fn new(statements: &[&str]) -> Self {
        let engine = Engine::open(Storage::Memory).unwrap();
        let session = engine.session("root");
        let bed = Self { engine, session };
        statements.iter().for_each(|sql| bed.run(sql));
        bed
    }

    fn run(&self, sql: &str) {
        if let Err(error) = self.session.execute(sql) {
            panic!("{sql}: {error}");
        }
    }

    fn query(&self, sql: &str) -> Vec<Vec<Value>> {
        let Ok(Answer::Rows(mut rows)) = self.session.execute(sql) else {
            panic!("{sql} gives no rows");
        };
        let mut all = Vec::new();
        while let Some(block) = rows.next_block().unwrap() {
            all.extend(block.to_values());
        }
        all
    }

    fn reader(&self, topic: &str) -> TopicReader {
        TopicReader::open(self.engine.store(), topic).unwrap()
    }

    /// The vgroups of a database.
    fn vgroups(&self, db: &str) -> std::ops::Range<i32> {
        self.engine.store().catalog().databases[db].vgroups()
    }

    /// All messages of a topic from the first to the last, with their vgroups.
    fn messages(&self, topic: &str, options: &ReadOptions) -> Vec<(i32, Message)> {
        let reader = self.reader(topic);
        let mut all = Vec::new();
        for vgroup in self.vgroups(&reader.topic.db) {
            let mut from = 0;
            loop {
                let Page { message, next } = reader.read(vgroup, from, options).unwrap();
                let (_, end) = self.engine.store().log_bounds(vgroup);
                match message {
                    Some(message) => {
                        assert_eq!((message.begin, message.next), (from, next));
                        all.push((vgroup, message));
                    }
                    None if next == end => break,
                    None => assert!(next > from, "reading stands still at {from} of {end}"),
                }
                from = next;
            }
        }
        all
    }

    /// The rows of a topic's messages, with the names of tables.
    fn rows(&self, topic: &str) -> Vec<(Option<String>, Vec<Value>)> {
        let options = ReadOptions::default();
        let messages = self.messages(topic, &options);
        let entries = messages.iter().flat_map(|(_, message)| &message.entries);
        entries.flat_map(rows_of).collect()
    }
}

fn rows_of(entry: &DataEntry) -> Vec<(Option<String>, Vec<Value>)> {
    let block = entry.open().unwrap();
    assert_eq!(block.nrows() as u64, entry.rows);
    let rows = block.to_values().into_iter();
    rows.map(|row| (entry.table.clone(), row)).collect()
}

fn kinds(messages: &[(i32, Message)]) -> Vec<Kind> {
    messages.iter().map(|(_, message)| message.kind).collect()
}

fn jsons(messages: &[(i32, Message)]) -> Vec<String> {
    let jsons = messages.iter().map(|(_, message)| message.json.clone());
    jsons.map(Option::unwrap_or_default).collect()
}

fn names(entry: &DataEntry) -> Vec<String> {
    let schema = entry.schema.as_ref().map(Arc::clone).unwrap();
    let columns = schema.columns().into_iter();
    columns.map(|column| column.name).collect()
}
