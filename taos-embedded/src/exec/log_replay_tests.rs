//! What bound values, raw blocks and replayed messages leave in the logs.

use super::log_tests::{Bed, DATABASE, with_super};
use crate::engine::{Batch, BoundTable, FieldKind, RawBlockRows, Room, Source, TableName};
use crate::meta::Meta;
use crate::tmq::Body;

/// Applies an entry as `write_raw` does.
fn replay(to: &Bed, body: Body) {
    let parts = match body {
        Body::Meta(meta) => {
            to.session.write_meta(vec![meta]).unwrap();
            return;
        }
        Body::Rows(parts) => parts,
    };
    let room = Room::new(1 << 20);
    let columns: Vec<_> = parts
        .iter()
        .map(|part| part.rows.schema.as_ref().unwrap().columns())
        .collect();
    let blocks = parts
        .iter()
        .zip(&columns)
        .map(|(part, columns)| RawBlockRows {
            table: TableName::plain(part.rows.table.as_deref().unwrap()),
            rows: u32::try_from(part.rows.rows).unwrap(),
            precision: Some(part.rows.precision),
            block: &part.rows.block,
            columns: Some(columns.iter().map(|column| column.name.as_str()).collect()),
            new: part.created.as_ref(),
            room: &room,
        });
    let blocks: Vec<_> = blocks.collect();
    to.session.write_raw_blocks(&[], &blocks, true).unwrap();
}

#[test]
fn replayed_messages_leave_the_entries_that_they_were_made_of() {
    let from = with_super();
    for sql in [
        "create table d1 using st tags (1, 'a')",
        "create table n (ts timestamp, v int)",
        "insert into n values (1700000000000, 1) e using st tags (null, 'e') (ts, name) values (1700000000000, '水')",
        "insert into d1 (ts, v) values (1700000000000, null)(1700000000001, 2)",
        "alter table st add column extra int",
        "alter table n add column w int",
        "alter table d1 set tag tg = 9, tn = null",
        "delete from st where ts = 1700000000001",
        "drop table n",
        "drop table st",
    ] {
        from.run(sql);
    }
    let to = Bed::new(DATABASE);
    for entry in from.log(2) {
        replay(&to, entry.body);
    }
    assert_eq!(to.lines(), from.lines());
    assert!(from.log(2).iter().all(|entry| !entry.is_replayed));
    assert!(to.log(2).iter().all(|entry| entry.is_replayed));
    let sources = |bed: &Bed| -> Vec<u8> {
        let source = |entry: &crate::tmq::Entry| match &entry.body {
            Body::Meta(Meta::CreateSuper(table) | Meta::AlterSuper(table)) => Some(table.source),
            Body::Meta(Meta::CreateTables { source, .. }) => Some(*source),
            Body::Meta(Meta::AlterTable(alter)) => Some(alter.source),
            Body::Meta(Meta::Delete(rows)) => Some(rows.source),
            _ => None,
        };
        bed.log(2).iter().filter_map(source).collect()
    };
    assert!(sources(&from).len() > 5 && sources(&from).iter().all(|source| *source == 0));
    assert!(sources(&to).iter().all(|source| *source == 1));
}

#[test]
fn normal_tables_that_one_message_creates_are_told_one_by_one() {
    let from = Bed::new(DATABASE);
    from.run("create table n1 (ts timestamp, v int)");
    from.run("create table n2 (ts timestamp, v int)");
    let metas = from.log(2).into_iter().map(|entry| match entry.body {
        Body::Meta(meta) => meta,
        Body::Rows(_) => panic!("no rows were written"),
    });
    let to = Bed::new(DATABASE);
    to.session.write_meta(metas.collect()).unwrap();
    assert_eq!(to.lines(), ["create n1(ts v)", "create n2(ts v)"]);
}

#[test]
fn what_was_bound_leaves_the_columns_that_were_bound() {
    let bed = with_super();
    bed.run("create table d1 using st tags (1, 'a')");
    let prepared = bed
        .session
        .prepare("insert into d1 (v, ts) values (?, ?)")
        .unwrap();
    let shape = bed.session.shape(&prepared, None).unwrap();
    let numbers = [1.into(), serde_json::Value::Null];
    let times = [1_700_000_000_001_i64.into(), 1_700_000_000_000_i64.into()];
    let table = BoundTable {
        name: None,
        tags: None,
        columns: &[
            Source::Json(&numbers, FieldKind::Column),
            Source::Json(&times, FieldKind::Column),
        ],
    };
    let mut batch = Batch::default();
    let rules = bed.session.rules(&shape, false);
    let room = (&Room::new(1 << 20), 0);
    bed.session
        .bind(&shape, table, &rules, room, &mut batch)
        .unwrap();
    assert_eq!(bed.session.write_batch(batch, ""), Ok(2));
    assert_eq!(
        bed.lines().last().unwrap(),
        "d1(ts v) 2023-11-14T22:13:20+00:00 NULL 2023-11-14T22:13:20.001+00:00 1"
    );
}
