//! What each statement leaves in the logs.

use std::sync::Arc;

use taos_query::RawBlock;
use taos_query::common::Precision;

use crate::engine::{Engine, Session, Storage};
use crate::meta::{Action, Meta, NewKind};
use crate::tmq::{Body, Entry, Part};

pub(super) const DATABASE: &str = "create database d vgroups 1";

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

    /// The only vgroup of the database.
    pub(super) fn vgroup(&self) -> i32 {
        let vgroups = self
            .engine
            .store()
            .catalog()
            .database("d")
            .unwrap()
            .vgroups();
        assert_eq!(vgroups.len(), 1);
        vgroups.start
    }

    /// The entries of the only vgroup, a line each.
    pub(super) fn lines(&self) -> Vec<String> {
        self.log(self.vgroup()).iter().map(line).collect()
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
            let column = block.columns().nth(column).unwrap();
            cells.push(match column.is_null(row) {
                true => "NULL".to_owned(),
                false => column.get(row).unwrap().to_string().unwrap(),
            });
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

const SUPER: &str =
    "create stable st (ts timestamp, v int, name nchar(16)) tags (tg int, tn varchar(8))";

pub(super) fn with_super() -> Bed {
    let bed = Bed::new(DATABASE);
    bed.run(SUPER);
    bed
}

#[test]
fn the_statements_of_the_recording_leave_the_entries_that_it_has() {
    let bed = with_super();
    for sql in [
        "create table d.d1 using d.st tags (1, 'a')",
        "insert into d.d1 values (1700000000000, 1, 'one')(1700000000001, 2, '二')",
        "insert into d.d2 using d.st tags (2, 'b') values (1700000000002, 3, 'three')",
        "create table d.n1 (ts timestamp, x double)",
        "insert into d.n1 values (1700000000003, 0.25)",
        "alter table d.st add column extra int",
        "alter table d.d1 set tag tg = 9",
        "drop table d.n1",
        "delete from d.d1 where ts = 1700000000001",
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
            "alter stable st 5 extra",
            "alter d1 set tg=Some([9, 0, 0, 0])",
            "drop n1",
            "delete 1 1700000000001..1700000000001 of d1",
        ]
    );
}

/// The messages of the recording but for uids and times, which are the server's own.
#[test]
fn the_messages_are_those_of_the_recording() {
    let bed = with_super();
    bed.run("create table d.d1 using d.st tags (1, 'a')");
    bed.run("create table d.n1 (ts timestamp, x double)");
    bed.run("alter table d.st add column extra int");
    let metas: Vec<Meta> = bed
        .log(2)
        .into_iter()
        .filter_map(|entry| match entry.body {
            Body::Meta(meta) => Some(meta),
            Body::Rows(_) => None,
        })
        .collect();
    let [
        Meta::CreateSuper(st),
        Meta::CreateTables { tables: d1, .. },
        Meta::CreateTables { tables: n1, .. },
        Meta::AlterSuper(extra),
    ] = metas.as_slice()
    else {
        panic!("{metas:?}")
    };
    assert_eq!(
        st.compression.columns,
        [(1, 0x0200_0102), (2, 0x0100_0102), (3, 0xff00_0302)]
    );
    assert_eq!(
        (
            st.columns.version,
            st.compression.version,
            st.is_compressed,
            st.keep
        ),
        (1, 1, 1, -1)
    );
    assert_eq!((&st.digits, &st.change), (&None, &None));
    let described = |columns: &[crate::meta::Column]| -> Vec<(u8, u8, i32, i32)> {
        columns
            .iter()
            .map(|c| (c.ty, c.flags, c.bytes, c.id))
            .collect()
    };
    assert_eq!(
        described(&st.columns.columns),
        [(9, 1, 8, 1), (4, 1, 4, 2), (10, 1, 66, 3)]
    );
    assert_eq!(described(&st.tags.columns), [(4, 2, 4, 4), (8, 0, 10, 5)]);
    let NewKind::Child {
        tags,
        tag_count,
        super_uid,
        ..
    } = &d1[0].kind
    else {
        panic!("{d1:?}")
    };
    assert_eq!((*tag_count, *super_uid), (2, st.uid));
    let tags = tags.encode().unwrap();
    let recorded = "00150002000100000000060804010000000a080161";
    let hex: String = tags.iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(hex, recorded);
    let NewKind::Normal {
        compression,
        digits,
        ..
    } = &n1[0].kind
    else {
        panic!("{n1:?}")
    };
    assert_eq!((compression.version, digits), (0, &None));
    assert_eq!(compression.columns, [(1, 0x0200_0102), (2, 0x0400_0102)]);
    assert_eq!(described(&extra.columns.columns)[3], (4, 0x80, 4, 6));
    assert_eq!(extra.digits, Some(vec![0; 4]));
    let change = extra.change.as_ref().unwrap();
    assert_eq!((change.full_name.as_str(), change.kind), ("1.d.st", 5));
    let mut rest = vec![0; 16];
    rest.extend(37_u32.to_le_bytes());
    rest.push(37);
    rest.extend(b"alter table d.st add column extra int");
    rest.extend([1, 0, 0, 0, 0]);
    assert_eq!(change.rest, rest);
}

#[test]
fn an_entry_has_the_columns_that_were_named_and_rows_of_one_time_merged() {
    let bed = with_super();
    bed.run("create table d1 using st tags (1, 'a')");
    assert_eq!(
        bed.left_by("insert into d1 (name, ts) values ('x', 1700000000001)('y', 1700000000000)"),
        ["d1(ts name) 2023-11-14T22:13:20+00:00 y 2023-11-14T22:13:20.001+00:00 x"]
    );
    assert_eq!(
        bed.left_by("insert into d1 (ts, v) values (1700000000000, 1)(1700000000000, null)"),
        ["d1(ts v) 2023-11-14T22:13:20+00:00 1"]
    );
    assert_eq!(
        bed.left_by("insert into d1 (ts, v) values (1700000000000, null)"),
        ["d1(ts v) 2023-11-14T22:13:20+00:00 NULL"]
    );
}

#[test]
fn a_statement_for_several_tables_leaves_one_entry_a_vgroup() {
    let bed = with_super();
    assert_eq!(
        bed.left_by(
            "insert into a using st tags (1, 'a') (ts, v) values (1700000000000, 1) \
             b using st tags (2, 'b') (ts, v) values (1700000000000, 2) \
             a (ts, name) values (1700000000001, 'x')"
        ),
        ["+a of st(tg tn) a(ts v) 2023-11-14T22:13:20+00:00 1; \
          +b of st(tg tn) b(ts v) 2023-11-14T22:13:20+00:00 2; \
          a(ts name) 2023-11-14T22:13:20.001+00:00 x"]
    );
    assert_eq!(
        bed.left_by("insert into st (tbname, ts, v, tg) values ('c', 1700000000000, 3, 7)('a', 1700000000002, 4, 7)"),
        ["+c of st(tg) c(ts v) 2023-11-14T22:13:20+00:00 3; a(ts v) 2023-11-14T22:13:20.002+00:00 4"]
    );
    assert_eq!(
        bed.left_by("insert into c (ts, v) select ts, v from a where ts = 1700000000002"),
        ["c(ts v) 2023-11-14T22:13:20.002+00:00 4"]
    );
    assert_eq!(
        bed.left_by("create table e using st tags (1, null) f using st (tn) tags ('f')"),
        ["create e of st(tg) f of st(tn)"]
    );
    assert_eq!(bed.left_by("drop table e, f"), ["drop e f"]);
    assert_eq!(bed.left_by("drop table st"), ["drop stable st"]);
}

#[test]
fn changes_of_tables_and_tags_are_logged_where_the_tables_are() {
    let bed = with_super();
    bed.run("create table d1 using st tags (1, 'a')");
    for (sql, left) in [
        (
            "alter table d1 set tag tg = null, tn = 'b'",
            "alter d1 set tg=None tn=Some([98])",
        ),
        (
            "alter table d1 ttl 7",
            "alter d1 Options { ttl: Some(7), comment: None }",
        ),
        ("alter table st drop column v", "alter stable st 6 v"),
        (
            "alter table st modify column name nchar(20)",
            "alter stable st 7 name",
        ),
        ("alter table st add tag t3 bool", "alter stable st 1 t3"),
        ("alter table st rename tag t3 t4", "alter stable st 3 t3 t4"),
        ("alter table st drop tag t4", "alter stable st 2 t4"),
        (
            "alter table st modify tag tn varchar(9)",
            "alter stable st 8 tn",
        ),
        (
            "alter table st modify column name level 'high'",
            "alter stable st 13 name",
        ),
        (
            "alter table st add column z int compress 'zlib'",
            "alter stable st 14 z",
        ),
        ("alter table st comment 'x'", "alter stable st 9 "),
    ] {
        assert_eq!(bed.left_by(sql), [left], "{sql}");
    }
    bed.run("create table n (ts timestamp, v int, w varchar(3))");
    for (sql, left) in [
        (
            "alter table n rename column v u",
            r#"alter n Rename("v", "u")"#,
        ),
        ("alter table n drop column u", r#"alter n DropColumn("u")"#),
        (
            "alter table n modify column w varchar(9)",
            r#"alter n Widen { name: "w", ty: 8, bytes: 11 }"#,
        ),
        (
            "alter table n modify column w level 'low'",
            r#"alter n Compress("w", 1)"#,
        ),
        (
            "alter table n add column d decimal(10, 2)",
            r#"alter n AddColumn { name: "d", ty: 21, flags: 129, bytes: 8, compression: None, digits: 2562 }"#,
        ),
    ] {
        assert_eq!(bed.left_by(sql), [left], "{sql}");
    }
}

#[test]
fn a_deletion_is_told_for_each_table_that_lost_rows() {
    let bed = with_super();
    bed.run(
        "insert into a using st tags (1, 'a') (ts, v) values (1700000000000, 1)(1700000000001, 1) \
         b using st tags (2, 'b') (ts, v) values (1700000000001, 2) \
         c using st tags (2, 'c') (ts, v) values (1700000000009, 2)",
    );
    let mut left = bed.left_by("delete from st where ts < 1700000000009 and tg < 3");
    left.sort();
    let low = i64::MIN;
    assert_eq!(
        left,
        [
            format!("delete 1 {low}..1700000000008 of b"),
            format!("delete 2 {low}..1700000000008 of a"),
        ]
    );
    let none: [&str; 0] = [];
    assert_eq!(bed.left_by("delete from a where ts > 1700000000000"), none);
    assert_eq!(
        bed.left_by("delete from c"),
        [format!("delete 1 {low}..{} of c", i64::MAX)]
    );
}

#[test]
fn points_without_a_schema_leave_tables_then_rows() {
    let bed = Bed::new(DATABASE);
    let put = |data: &str| {
        let batch = crate::engine::SchemalessBatch {
            data,
            protocol: 1,
            precision: "ms",
            ttl: 0,
            table_name_key: "",
        };
        bed.session.schemaless(&batch).unwrap();
    };
    put("m,t=a v=1i32 1700000000000");
    put("m,t=a w=\"xy\" 1700000000001");
    let lines = bed.lines();
    let name = lines[1]
        .split(' ')
        .next()
        .unwrap()
        .trim_start_matches('+')
        .to_owned();
    assert_eq!(
        lines,
        [
            "create stable m".to_owned(),
            format!("+{name} of m(t) {name}(_ts v) 2023-11-14T22:13:20+00:00 1"),
            "alter stable m 5 w".to_owned(),
            format!("{name}(_ts w) 2023-11-14T22:13:20.001+00:00 xy"),
        ]
    );
}

#[test]
fn what_fails_leaves_no_entry() {
    let bed = with_super();
    bed.run("create table d1 using st tags (1, 'a')");
    let before = bed.lines();
    for sql in [
        "insert into d1 values (1700000000000, 1, 'x') d2 using st tags (1, 'x') values (1700000000000, 'y', 'z')",
        "create table x using st tags (1, 'x') d1 using st tags (1, 'x')",
        "drop table d1, missing",
        "alter table st add column v int",
    ] {
        bed.session.execute(sql).unwrap_err();
        assert_eq!(bed.lines(), before, "{sql}");
    }
    let failing = bed.engine.store().write(|write| {
        let tables = vec![crate::meta::DroppedTable {
            name: "x".to_owned(),
            super_uid: 0,
            uid: 0,
            if_exists: 0,
        }];
        write.log(2, Body::Meta(Meta::DropTables(tables)))?;
        Err(crate::sql::SqlError::unsupported("this"))
    });
    failing.unwrap_err();
    bed.run("create table d2 using st tags (1, 'a')");
    assert_eq!(bed.lines().len(), before.len() + 1);
}

#[test]
fn a_database_that_keeps_no_log_has_none_and_no_topic() {
    let bed = Bed::new("create database d vgroups 1 wal_retention_period 0");
    bed.run(SUPER);
    bed.run("insert into d1 using st tags (1, 'a') values (1700000000000, 1, 'x')");
    bed.run("delete from st");
    assert!(bed.lines().is_empty());
    let error = bed
        .session
        .execute("create topic t as database d")
        .unwrap_err();
    assert_eq!(error.code, 0x038C);
    bed.run("alter database d wal_retention_period 60");
    bed.run("create topic t as database d");
    assert_eq!(bed.left_by("drop table d1"), ["drop d1"]);
    let error = bed
        .session
        .execute("alter database d wal_retention_period 0")
        .unwrap_err();
    assert_eq!(error.code, 0x038C);
}

#[test]
fn vgroups_are_filled_evenly_and_hold_what_belongs_to_their_tables() {
    let bed = Bed::new("create database d vgroups 4");
    bed.run(SUPER);
    for n in 0..40 {
        // every second number goes to the other database
        bed.run(&format!("create table d{n} using st tags (1, 'a')"));
        bed.run(&format!("create database if not exists o{n} vgroups 1"));
    }
    let catalog = bed.engine.store().catalog();
    let database = catalog.database("d").unwrap();
    assert_eq!(database.vgroups(), 2..6);
    let mut counts = std::collections::BTreeMap::new();
    for (_, entry) in database.tables.iter() {
        if let crate::catalog::Entry::Child(child) = entry {
            *counts
                .entry(database.vgroup_of(child.id))
                .or_insert(0_usize) += 1;
        }
    }
    assert_eq!(counts.values().sum::<usize>(), 40);
    assert!(
        counts.values().all(|count| (9..=11).contains(count)),
        "{counts:?}"
    );
    for vgroup in 2..6 {
        let lines: Vec<String> = bed.log(vgroup).iter().map(line).collect();
        assert_eq!(lines.len(), counts[&vgroup] + 1);
        assert_eq!(lines[0], "create stable st");
    }
}

#[test]
fn the_log_is_read_from_any_version_in_pieces_and_commits_are_told() {
    let bed = with_super();
    let store = bed.engine.store();
    let mut changes = store.log_changes();
    assert!(!changes.has_changed().unwrap());
    bed.run("insert into d1 using st tags (1, 'a') values (1700000000000, 1, 'x')(1700000000001, 1, 'y')");
    bed.run("insert into d1 values (1700000000002, 1, 'x')");
    assert!(changes.has_changed().unwrap());
    changes.mark_unchanged();
    assert_eq!(store.log_bounds(2), (0, 5));
    let versions = |from, rows, bytes| -> Vec<i64> {
        let entries = store.log_read(2, from, rows, bytes).unwrap();
        entries.iter().map(|entry| entry.version).collect()
    };
    assert_eq!(versions(0, 1, usize::MAX), [2]);
    assert_eq!(
        versions(3, 1, usize::MAX),
        [3],
        "a piece is never less than an entry"
    );
    assert_eq!(versions(3, 3, usize::MAX), [3, 4]);
    assert_eq!(versions(3, usize::MAX, 1), [3]);
    assert!(versions(5, 1, 1).is_empty() && versions(99, 1, 1).is_empty());
    bed.run("create user u pass 'Secret_12'");
    assert!(!changes.has_changed().unwrap(), "nothing was logged");
    assert_eq!(store.log_bounds(3), (0, 2), "a vgroup of nobody");
}

#[test]
fn a_statement_of_many_rows_leaves_entries_of_a_size_that_every_reader_takes() {
    let bed = with_super();
    let rows = |range: std::ops::Range<i64>| -> String {
        range
            .map(|n| format!("({}, {n})", 1_700_000_000_000 + n))
            .collect()
    };
    let before = bed.log(bed.vgroup()).len();
    bed.run(&format!(
        "insert into a using st tags (1, 'a') (ts, v) values {}",
        rows(0..9000)
    ));
    let log = bed.log(bed.vgroup()).split_off(before);
    let parts = |entry: &Entry| match &entry.body {
        Body::Rows(parts) => parts.clone(),
        Body::Meta(_) => panic!("rows were written"),
    };
    let sizes: Vec<u64> = log
        .iter()
        .flat_map(parts)
        .map(|part| part.rows.rows)
        .collect();
    assert_eq!((log.len(), sizes), (3, vec![4096, 4096, 808]));
    let created: Vec<bool> = log
        .iter()
        .flat_map(parts)
        .map(|p| p.created.is_some())
        .collect();
    assert_eq!(created, [true, false, false]);
}

#[test]
fn wide_rows_and_many_tables_of_one_statement_go_into_entries_with_room() {
    let bed = Bed::new(DATABASE);
    bed.run("create table w (ts timestamp, s varchar(60000), n nchar(1000))");
    let (text, wide) = ("x".repeat(50_000), "y".repeat(1000));
    for n in 0..15 {
        let rows: String = (0..10)
            .map(|r| {
                format!(
                    "({}, '{text}', '{wide}')",
                    1_700_000_000_000_i64 + n * 10 + r
                )
            })
            .collect();
        bed.run(&format!("insert into w values {rows}"));
    }
    bed.run("create table copy (ts timestamp, s varchar(60000), n nchar(1000))");
    let before = bed.log(bed.vgroup()).len();
    bed.run("insert into copy select * from w");
    let log = bed.log(bed.vgroup()).split_off(before);
    let bytes = |entry: &Entry| match &entry.body {
        Body::Rows(parts) => parts
            .iter()
            .map(|part| part.rows.block.len())
            .sum::<usize>(),
        Body::Meta(_) => 0,
    };
    let sizes: Vec<usize> = log.iter().map(bytes).collect();
    assert!(
        sizes.len() == 2 && sizes.iter().all(|size| *size < 5 << 20),
        "{sizes:?}"
    );
    bed.run("create stable st (ts timestamp, v int) tags (t int)");
    let tables: String = (0..5000)
        .map(|n| format!("c{n} using st tags ({n}) values (1700000000000, 1) "))
        .collect();
    let left = bed.left_by(&format!("insert into {tables}"));
    assert_eq!(left.len(), 2);
}
