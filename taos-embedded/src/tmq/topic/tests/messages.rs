//! What goes into messages, and where one ends.

use super::*;

fn texts(rows: &[(Option<String>, Vec<Value>)]) -> Vec<String> {
    let text = |(table, row): &(Option<String>, Vec<Value>)| {
        let cells = row.iter().skip(1).map(|cell| match cell {
            Value::Null(_) => "-".to_owned(),
            cell => cell.to_string().unwrap(),
        });
        let cells: Vec<String> = cells.collect();
        format!("{}: {}", table.as_deref().unwrap_or("?"), cells.join(" "))
    };
    rows.iter().map(text).collect()
}

const DATABASE: &str = "create database m vgroups 1 keep 36500";
const STABLE: &str = "create stable m.st (ts timestamp, v int, s varchar(8)) tags (tg int)";

#[test]
fn a_topic_without_meta_carries_the_rows_of_all_tables_that_are_there() {
    let bed = Bed::new(&[
        DATABASE,
        STABLE,
        "create topic t as database m",
        "insert into m.a using m.st tags (1) values (1700000000001, 1, 'x')",
        "create table m.n (ts timestamp, f double)",
        "insert into m.n values (1700000000002, 0.5)",
        "create table m.gone (ts timestamp, f double)",
        "insert into m.gone values (1700000000003, 0.75)",
        "insert into m.a (ts, s) values (1700000000004, 'y') m.n values (1700000000005, 1.5)",
        "drop table m.gone",
        "create stable m.other (ts timestamp, v int) tags (tg int)",
        "insert into m.o using m.other tags (1) values (1700000000006, 9)",
    ]);
    let messages = bed.messages("t", &ReadOptions::default());
    assert_eq!(kinds(&messages), [Kind::Data]);
    assert_eq!(
        texts(&bed.rows("t")),
        ["a: 1 x", "n: 0.5", "a: y", "n: 1.5", "o: 9"]
    );
    let message = &messages[0].1;
    assert_eq!(message.json, None);
    assert_eq!(names(&message.entries[2]), ["ts", "s"]);
    let ids = |entry: &DataEntry| -> Vec<i32> {
        let columns = entry.schema.as_ref().unwrap().columns().into_iter();
        columns.map(|column| column.id).collect()
    };
    assert_eq!(ids(&message.entries[2]), [1, 3]);
}

#[test]
fn a_message_ends_behind_the_entry_that_fills_it() {
    let bed = Bed::new(&[
        DATABASE,
        "create table m.n (ts timestamp, v int)",
        "create topic t as select v from m.n",
        "create topic d as database m",
        "insert into m.n values (1, 1)(2, 2)(3, 3)(4, 4)(5, 5)",
        "insert into m.n values (6, 6)",
        "insert into m.n values (7, 7)",
        "insert into m.n values (8, 8)",
        "insert into m.n values (9, 9)",
    ]);
    let sizes = |topic: &str, max_rows, max_bytes| -> Vec<u64> {
        let options = ReadOptions {
            max_rows,
            max_bytes,
            ..ReadOptions::default()
        };
        let messages = bed.messages(topic, &options);
        let rows = |message: &Message| message.entries.iter().map(|entry| entry.rows).sum();
        messages.iter().map(|(_, message)| rows(message)).collect()
    };
    for topic in ["t", "d"] {
        assert_eq!(sizes(topic, 2, usize::MAX), [5, 2, 2]);
        assert_eq!(sizes(topic, 1, usize::MAX), [5, 1, 1, 1, 1]);
        assert_eq!(sizes(topic, 6, usize::MAX), [6, 3]);
        assert_eq!(sizes(topic, usize::MAX, 1), [5, 1, 1, 1, 1]);
        assert_eq!(sizes(topic, 4096, 1 << 20), [9]);
    }
}

#[test]
fn a_topic_on_a_super_table_carries_its_own_changes_only() {
    let bed = Bed::new(&[
        DATABASE,
        STABLE,
        "create topic t with meta as stable m.st",
        "create stable m.other (ts timestamp, v int) tags (tg int)",
        "create table m.a using m.st tags (1)",
        "create table m.o using m.other tags (1)",
        "create table m.n (ts timestamp, v int)",
        "insert into m.a values (1, 1, 'x') m.o values (2, 2) m.n values (3, 3)",
        "insert into m.b using m.st tags (2) values (4, 4, 'y')",
        "drop table m.o",
        "drop table m.n",
        "drop table m.a",
        "drop stable m.other",
    ]);
    let messages = bed.messages("t", &ReadOptions::default());
    let jsons = jsons(&messages);
    let kinds = kinds(&messages);
    assert_eq!(kinds, [Kind::Meta, Kind::Meta, Kind::MetaData, Kind::Meta]);
    for (json, part) in jsons.iter().zip([
        r#""tableType":"super","tableName":"st""#,
        r#""tableType":"child","tableName":"a""#,
        r#""tableType":"child","tableName":"b""#,
        r#"{"type":"drop","tableNameList":["a"]}"#,
    ]) {
        assert!(json.contains(part), "{json}");
    }
    assert_eq!(texts(&bed.rows("t")), ["b: 4 y"]);
}

#[test]
fn blocks_keep_the_columns_of_their_time() {
    let bed = Bed::new(&[
        DATABASE,
        STABLE,
        "create topic t as stable m.st",
        "insert into m.a using m.st tags (1) values (1, 1, 'x')",
        "alter table m.st add column w bigint",
        "insert into m.a values (2, 2, 'y', 20)",
        "alter table m.st drop column v",
        "alter table m.st modify column s varchar(40)",
        "insert into m.a values (3, 'a text of more than eight', 30)",
    ]);
    let messages = bed.messages("t", &ReadOptions::default());
    let names: Vec<_> = messages[0].1.entries.iter().map(names).collect();
    assert_eq!(
        names,
        [
            vec!["ts", "v", "s"],
            vec!["ts", "v", "s", "w"],
            vec!["ts", "s", "w"]
        ]
    );
    assert_eq!(
        texts(&bed.rows("t")),
        ["a: 1 x", "a: 2 y 20", "a: a text of more than eight 30"]
    );
}

#[test]
fn the_tags_of_now_choose_the_subtables() {
    let bed = Bed::new(&[
        DATABASE,
        STABLE,
        "create topic t with meta as stable m.st where tg > 1 and tbname != 'c'",
        "insert into m.a using m.st tags (1) values (1, 1, 'x')",
        "insert into m.b using m.st tags (2) values (2, 2, 'y')",
        "insert into m.c using m.st tags (2) values (3, 3, 'z')",
    ]);
    assert_eq!(texts(&bed.rows("t")), ["b: 2 y"]);
    bed.run("alter table m.a set tag tg = 5");
    bed.run("alter table m.b set tag tg = 0");
    assert_eq!(texts(&bed.rows("t")), ["a: 1 x"]);
    let jsons = jsons(&bed.messages("t", &ReadOptions::default()));
    assert!(
        jsons.iter().all(|json| !json.contains(r#""b""#)),
        "{jsons:?}"
    );
}

#[test]
fn rows_that_share_a_message_with_new_tables_name_all_of_them() {
    let bed = Bed::new(&[
        DATABASE,
        STABLE,
        "create topic t with meta as database m",
        "insert into m.a using m.st tags (1) values (1, 1, 'x') m.b using m.st tags (2) values (2, 2, 'y')",
        "insert into m.a values (3, 3, 'z')",
    ]);
    let messages = bed.messages("t", &ReadOptions::default());
    assert_eq!(kinds(&messages), [Kind::Meta, Kind::MetaData]);
    let message = &messages[1].1;
    assert_eq!(message.raw_type, 4);
    assert_eq!(texts(&bed.rows("t")), ["a: 1 x", "b: 2 y", "a: 3 z"]);
    let json = message.json.as_deref().unwrap();
    let list = r#""createList":[{"tableName":"a","using":"st","tagNum":1,"tags":[{"name":"tg","type":4,"value":1}]},"#;
    assert!(json.contains(list), "{json}");
}

#[test]
fn what_stands_before_a_topics_table_is_passed_over_however_much_it_is() {
    let bed = Bed::new(&[
        DATABASE,
        "create table m.n (ts timestamp, v int)",
        "create table m.o (ts timestamp, v int)",
        "create topic t as select v from m.o",
    ]);
    for i in 0..40 {
        bed.run(&format!("insert into m.n values ({i}, {i})"));
    }
    bed.run("insert into m.o values (1, 7)");
    let options = ReadOptions {
        max_rows: 1,
        ..ReadOptions::default()
    };
    let messages = bed.messages("t", &options);
    assert_eq!(kinds(&messages), [Kind::Data]);
    assert_eq!(bed.rows("t"), [(None, vec![Value::Int(7)])]);
}

#[test]
fn a_consumer_that_leaves_replays_out_gets_what_was_written_here() {
    let from = Bed::new(&[
        DATABASE,
        "create topic t with meta as database m",
        "create table m.far (ts timestamp, v int)",
    ]);
    let bed = Bed::new(&[
        DATABASE,
        "create topic t with meta as database m",
        "use m",
        "create table m.near (ts timestamp, v int)",
        "create topic q as select v + 1 from m.near where v > 0",
    ]);
    let vgroup = from.vgroups("m").start;
    for entry in from.engine.store().log_read(vgroup, 0, 9, 999).unwrap() {
        if let crate::tmq::Body::Meta(meta) = entry.body {
            bed.session.write_meta(vec![meta]).unwrap();
        }
    }
    bed.run("insert into m.near values (1, 1)");
    let all = ReadOptions::default();
    let own = ReadOptions {
        without_replayed: true,
        ..all
    };
    let told = |options| jsons(&bed.messages("t", options)).concat();
    assert!(told(&all).contains("far") && told(&all).contains("near"));
    assert!(!told(&own).contains("far") && told(&own).contains("near"));
    assert_eq!(kinds(&bed.messages("q", &own)), [Kind::Data]);
}

#[test]
fn a_change_of_a_subtable_is_told_to_the_super_table_that_it_had_then() {
    let bed = Bed::new(&[
        DATABASE,
        STABLE,
        "create stable m.other (ts timestamp, v int) tags (tg int)",
        "create table m.c using m.st tags (1)",
        "alter table m.c set tag tg = 77",
        "drop table m.c",
        "create table m.c using m.other tags (2)",
        "create topic t with meta as stable m.st",
        "create topic u with meta as stable m.other",
        "create topic v with meta as stable m.other where tg = 2",
    ]);
    let options = ReadOptions::default();
    let told = |topic| jsons(&bed.messages(topic, &options)).concat();
    assert!(told("t").contains("77"));
    for topic in ["u", "v"] {
        assert!(
            !told(topic).contains("77") && told(topic).contains(r#""c""#),
            "{topic}"
        );
    }
}
