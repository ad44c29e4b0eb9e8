//! What each statement leaves in the logs.

use std::sync::Arc;

use taos_query::RawBlock;
use taos_query::common::Precision;

use crate::engine::{Engine, Session, Storage};
use crate::meta::{Action, Meta, NewKind};
use crate::tmq::{Body, Entry, Part};

const DATABASE: &str = "create database d vgroups 1";

pub(super) struct Bed {
    pub(super) engine: Engine,
    pub(super) session: Arc<Session>,
}

impl Bed {
    pub(super) fn new(database: &str) -> Self {
        let engine = Engine::open(Storage::Memory).unwrap();
        let session = Arc::new(engine.session("root"));
        let bed = Self { engine, session };
        bed.run(database);
        bed.run("use d");
        bed
    }

    pub(super) fn run(&self, sql: &str) {
        let outcome = self.session.execute(sql);
        outcome.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// All entries of a vgroup, whose versions have no gaps.
    pub(super) fn log(&self, vgroup: i32) -> Vec<Entry> {
        let store = self.engine.store();
        let (begin, end) = store.log_bounds(vgroup);
        let entries = store.log_read(vgroup, 0, usize::MAX, usize::MAX).unwrap();
        let versions: Vec<i64> = entries.iter().map(|entry| entry.version).collect();
        assert_eq!(versions, (begin.max(2)..end).collect::<Vec<_>>());
        entries
    }

    /// The entries of the only vgroup, a line each.
    pub(super) fn lines(&self) -> Vec<String> {
        let vgroups = self
            .engine
            .store()
            .catalog()
            .database("d")
            .unwrap()
            .vgroups();
        assert_eq!(vgroups.len(), 1);
        self.log(vgroups.start).iter().map(line).collect()
    }

    /// The entries that a statement leaves.
    pub(super) fn left_by(&self, sql: &str) -> Vec<String> {
        let before = self.lines().len();
        self.run(sql);
        self.lines().split_off(before)
    }
}

fn line(entry: &Entry) -> String {
    match &entry.body {
        Body::Rows(parts) => parts.iter().map(rows).collect::<Vec<_>>().join("; "),
        Body::Meta(meta) => words(meta),
    }
}

fn new_table(table: &crate::meta::NewTable) -> String {
    match &table.kind {
        NewKind::Child { stable, names, .. } => {
            format!("{} of {stable}({})", table.name, names.join(" "))
        }
        NewKind::Normal { columns, .. } => {
            let names: Vec<&str> = columns.columns.iter().map(|c| c.name.as_str()).collect();
            format!("{}({})", table.name, names.join(" "))
        }
    }
}

fn rows(part: &Part) -> String {
    let precision = Precision::from_u8_option(part.rows.precision).unwrap();
    let block = RawBlock::parse_from_raw_block(part.rows.block.clone(), precision).unwrap();
    let columns = part.rows.schema.as_ref().unwrap().columns();
    let names: Vec<&str> = columns.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(block.ncols(), names.len());
    assert_eq!(u64::try_from(block.nrows()).unwrap(), part.rows.rows);
    let mut cells = Vec::new();
    for row in 0..block.nrows() {
        for column in 0..block.ncols() {
            let value = block.columns().nth(column).unwrap().get(row).unwrap();
            cells.push(value.to_string().unwrap_or_else(|_| "NULL".to_owned()));
        }
    }
    let created = part
        .created
        .as_ref()
        .map(|new| format!("+{} ", new_table(new)));
    format!(
        "{}{}({}) {}",
        created.unwrap_or_default(),
        part.rows.table.as_deref().unwrap(),
        names.join(" "),
        cells.join(" ")
    )
}

fn words(meta: &Meta) -> String {
    match meta {
        Meta::CreateSuper(table) => format!("create stable {}", table.name),
        Meta::AlterSuper(table) => {
            let change = table.change.as_ref().unwrap();
            let names: Vec<&str> = change.fields.iter().map(|f| f.name.as_str()).collect();
            format!(
                "alter stable {} {} {}",
                table.name,
                change.kind,
                names.join(" ")
            )
        }
        Meta::DropSuper { name, .. } => format!("drop stable {name}"),
        Meta::CreateTables { tables, .. } => {
            let tables: Vec<String> = tables.iter().map(new_table).collect();
            format!("create {}", tables.join(" "))
        }
        Meta::AlterTable(alter) => format!("alter {} {}", alter.table, action(&alter.action)),
        Meta::DropTables(tables) => {
            let names: Vec<&str> = tables.iter().map(|t| t.name.as_str()).collect();
            format!("drop {}", names.join(" "))
        }
        Meta::Delete(rows) => format!(
            "delete {} {}..{} of {}",
            rows.affected, rows.range.0, rows.range.1, rows.table
        ),
    }
}

fn action(action: &Action) -> String {
    let set = |s: &crate::meta::TagSetting| format!("{}={:?}", s.name, s.value.as_deref());
    match action {
        Action::SetTag(setting) => format!("set {}", set(setting)),
        Action::SetTags(settings) => {
            format!(
                "set {}",
                settings.iter().map(set).collect::<Vec<_>>().join(" ")
            )
        }
        other => format!("{other:?}"),
    }
}

#[test]
fn the_statements_of_the_recording_leave_the_entries_that_it_has() {
    let bed = Bed::new(DATABASE);
    for sql in [
        "create stable d.st (ts timestamp, v int, name nchar(16)) tags (tg int, tn varchar(8))",
        "create table d.d1 using d.st tags (1, 'a')",
        "insert into d.d1 values (1700000000000, 1, 'one')(1700000000001, 2, '二')",
        "insert into d.d2 using d.st tags (2, 'b') values (1700000000002, 3, 'three')",
        "create table d.n1 (ts timestamp, x double)",
        "insert into d.n1 values (1700000000003, 0.25)",
        "drop table d.n1",
    ] {
        bed.run(sql);
    }
    assert_eq!(
        bed.lines(),
        [
            "create stable st",
            "create d1 of st(tg tn)",
            "d1(ts v name) 2023-11-14T22:13:20+00:00 1 one 2023-11-14T22:13:20.001+00:00 2 二",
            "+d2 of st(tg tn) d2(ts v name) 2023-11-14T22:13:20.002+00:00 3 three",
            "create n1(ts x)",
            "n1(ts x) 2023-11-14T22:13:20.003+00:00 0.25",
            "drop n1",
        ]
    );
}
