//! Changes of tables as JSON.

use bytes::Bytes;

use super::super::json::{batch, creates, unit};
use crate::meta::{
    Action, Alter, ChangedField, Column, Compression, Deletion, DroppedTable, Key, Meta, NewKind,
    NewTable, Schema, SuperChange, SuperTable, TagSetting, TagValue, Tags, decode_batch,
};

fn nobody(_: &str, _: i32) -> Option<String> {
    None
}

fn json(meta: &Meta) -> String {
    unit(meta, &nobody).to_string()
}

fn column(ty: u8, flags: u8, bytes: i32, id: i32, name: &str) -> Column {
    Column {
        ty,
        flags,
        bytes,
        id,
        name: name.to_owned(),
    }
}

fn value(number: i32, ty: u8, data: &[u8]) -> TagValue {
    TagValue {
        key: Key::Number(number),
        ty,
        data: Bytes::copy_from_slice(data),
    }
}

fn child(name: &str, tag_count: u8, values: Vec<TagValue>, names: &[&str]) -> NewTable {
    NewTable {
        flags: 0,
        name: name.to_owned(),
        uid: 7,
        created: 0,
        ttl: 0,
        comment: None,
        kind: NewKind::Child {
            stable: "st".to_owned(),
            tag_count,
            super_uid: 5,
            tags: Tags {
                flags: 0,
                version: 1,
                values,
            },
            names: names.iter().map(|name| (*name).to_owned()).collect(),
        },
        sql: Bytes::new(),
    }
}

fn wide(text: &str) -> Vec<u8> {
    text.chars()
        .flat_map(|c| u32::from(c).to_le_bytes())
        .collect()
}

fn field(ty: u8, bytes: i32, name: &str, compression: Option<u32>) -> ChangedField {
    ChangedField {
        ty,
        bytes,
        name: name.to_owned(),
        compression,
    }
}

fn changed(kind: u8, fields: Vec<ChangedField>) -> Meta {
    Meta::AlterSuper(SuperTable {
        name: "st".to_owned(),
        uid: 5,
        columns: Schema::default(),
        tags: Schema::default(),
        change: Some(SuperChange {
            full_name: "1.d.st".to_owned(),
            kind,
            fields,
            rest: Bytes::new(),
        }),
        source: 0,
        is_compressed: 1,
        compression: Compression::default(),
        keep: -1,
        digits: None,
    })
}

fn alter(action: Action) -> Meta {
    Meta::AlterTable(Alter {
        table: "t".to_owned(),
        action,
        column_id: 0,
        changed: 0,
        source: 0,
        ids: (0, 0),
    })
}

#[test]
fn a_tag_is_a_number_by_way_of_a_double_or_a_text_in_quotes() {
    let values = vec![
        value(3, 1, &[1]),
        value(4, 9, &1_700_000_000_000_i64.to_le_bytes()),
        value(5, 6, &1.5_f32.to_le_bytes()),
        value(6, 7, &2.25_f64.to_le_bytes()),
        value(7, 14, &u64::MAX.to_le_bytes()),
        value(8, 2, &[0x80]),
        value(9, 8, b"q\""),
        value(10, 10, &wide("水")),
        value(11, 16, &[0, 0xff]),
    ];
    let names = ["b", "t", "f", "d", "u", "i", "v", "n", "x"];
    assert_eq!(
        json(&Meta::CreateTables {
            tables: vec![child("d1", 10, values, &names)],
            source: 0
        }),
        concat!(
            r#"{"type":"create","tableType":"child","tableName":"d1","using":"st","tagNum":10,"tags":["#,
            r#"{"name":"b","type":1,"value":1},{"name":"t","type":9,"value":1700000000000},"#,
            r#"{"name":"f","type":6,"value":1.5},{"name":"d","type":7,"value":2.25},"#,
            r#"{"name":"u","type":14,"value":1.8446744073709552e+19},"#,
            r#"{"name":"i","type":2,"value":-128},{"name":"v","type":8,"value":"\"q\"\""},"#,
            r#"{"name":"n","type":10,"value":"\"水\""},{"name":"x","type":16,"value":"\"\\x00FF\""}"#,
            r#"],"createList":[]}"#
        )
    );
}

#[test]
fn several_subtables_are_listed_behind_the_first() {
    let tables = [
        child("d1", 1, vec![value(3, 4, &[1, 0, 0, 0])], &["tg"]),
        child("d2", 1, Vec::new(), &["tg"]),
    ];
    assert_eq!(
        creates(&tables, &nobody).to_string(),
        concat!(
            r#"{"type":"create","tableType":"child","tableName":"d1","using":"st","tagNum":1,"#,
            r#""tags":[{"name":"tg","type":4,"value":1}],"createList":["#,
            r#"{"tableName":"d1","using":"st","tagNum":1,"tags":[{"name":"tg","type":4,"value":1}]},"#,
            r#"{"tableName":"d2","using":"st","tagNum":1,"tags":[]}]}"#
        )
    );
}

#[test]
fn values_without_a_name_each_are_named_by_their_numbers() {
    let tables = [child(
        "d1",
        2,
        vec![value(4, 4, &[1, 0, 0, 0])],
        &["a", "b"],
    )];
    let names = |stable: &str, number: i32| (stable == "st" && number == 4).then(|| "b".to_owned());
    let json = creates(&tables, &names).to_string();
    assert!(
        json.contains(r#""tags":[{"name":"b","type":4,"value":1}]"#),
        "{json}"
    );
}

#[test]
fn a_json_tag_that_is_null_is_left_out() {
    let mut table = child("d1", 1, Vec::new(), &[]);
    if let NewKind::Child { tags, .. } = &mut table.kind {
        tags.flags = 0x40;
    }
    let json = creates(&[table], &nobody).to_string();
    assert!(json.contains(r#""tags":[]"#), "{json}");
}

#[test]
fn a_json_tag_is_its_text() {
    let pair = |key: &str, ty: u8, data: &[u8]| TagValue {
        key: Key::Json(Bytes::copy_from_slice(key.as_bytes())),
        ty,
        data: Bytes::copy_from_slice(data),
    };
    let mut table = child("d1", 1, Vec::new(), &["info"]);
    let pairs = vec![
        pair("a", 7, &1.0_f64.to_le_bytes()),
        pair("b", 10, &wide("x")),
        pair("c", 1, &[1]),
        pair("d", 0, &[]),
    ];
    if let NewKind::Child { tags, .. } = &mut table.kind {
        (tags.flags, tags.values) = (0x40, pairs.clone());
    }
    let json = creates(&[table], &nobody).to_string();
    let text = r#"{"name":"info","type":15,"value":"{\"a\":1,\"b\":\"x\",\"c\":true,\"d\":null}"}"#;
    assert!(json.contains(text), "{json}");
    let tags = Tags {
        flags: 0x40,
        version: 1,
        values: pairs,
    };
    let setting = TagSetting {
        id: 0,
        name: "info".to_owned(),
        ty: 15,
        value: Some(tags.encode().unwrap().into()),
    };
    let json = unit(&alter(Action::SetTag(setting)), &nobody).to_string();
    assert!(json.contains(r#""colValue":"{\"a\":1,"#), "{json}");
}

#[test]
fn lengths_are_those_of_declarations_and_keys_are_marked() {
    let columns = vec![
        column(9, 1, 8, 1, "ts"),
        column(8, 5, 18, 2, "k"),
        column(16, 1, 34, 3, "b"),
        column(20, 1, 66, 4, "g"),
        column(18, 1, 5, 5, "o"),
    ];
    let meta = Meta::CreateTables {
        tables: vec![NewTable {
            kind: NewKind::Normal {
                columns: Schema {
                    version: 1,
                    columns,
                },
                compression: Compression {
                    version: 1,
                    columns: vec![(1, 0x0200_0102), (2, 0xff00_0303), (3, 0x6300_6363)],
                },
                digits: None,
            },
            ..child("n1", 0, Vec::new(), &[])
        }],
        source: 0,
    };
    assert_eq!(
        json(&meta),
        concat!(
            r#"{"type":"create","tableType":"normal","tableName":"n1","columns":["#,
            r#"{"name":"ts","type":9,"isPrimarykey":false,"encode":"delta-i","compress":"lz4","level":"medium"},"#,
            r#"{"name":"k","type":8,"length":16,"isPrimarykey":true,"encode":"disabled","compress":"zstd","level":"high"},"#,
            r#"{"name":"b","type":16,"length":32,"isPrimarykey":false,"encode":"unknown","compress":"unknown","level":"unknown"},"#,
            r#"{"name":"g","type":20,"length":64,"isPrimarykey":false},"#,
            r#"{"name":"o","type":18,"length":1,"isPrimarykey":false}],"tags":[]}"#
        )
    );
}

#[test]
fn every_change_of_a_super_table_has_its_members() {
    let head = |kind: u8| {
        format!(r#"{{"type":"alter","tableType":"super","tableName":"st","alterType":{kind}"#)
    };
    let int = || field(4, 4, "c", None);
    for (kind, fields, rest) in [
        (1, vec![int()], r#","colName":"c","colType":4}"#),
        (2, vec![int()], r#","colName":"c"}"#),
        (
            3,
            vec![int(), field(0, 0, "e", None)],
            r#","colName":"c","colNewName":"e"}"#,
        ),
        (
            5,
            vec![field(8, 18, "c", None)],
            r#","colName":"c","colType":8,"colLength":16}"#,
        ),
        (6, vec![int()], r#","colName":"c"}"#),
        (
            7,
            vec![field(10, 66, "c", None)],
            r#","colName":"c","colType":10,"colLength":16}"#,
        ),
        (
            8,
            vec![field(8, 22, "c", None)],
            r#","colName":"c","colType":8,"colLength":20}"#,
        ),
        (9, vec![], "}"),
        (
            10,
            vec![int(), field(0, 0, "e", None)],
            r#","colName":"c","colNewName":"e"}"#,
        ),
        (
            13,
            vec![field(0, 0x0300, "c", None)],
            r#","colName":"c","compress":"zstd"}"#,
        ),
        (
            14,
            vec![field(4, 4, "c", Some(0x0200_0000))],
            r#","colName":"c","colType":4,"encode":"delta-i"}"#,
        ),
    ] {
        assert_eq!(json(&changed(kind, fields)), head(kind) + rest);
    }
}

#[test]
fn every_change_of_a_table_has_its_members() {
    let name = || "c".to_owned();
    let add = |compression| Action::AddColumn {
        name: name(),
        ty: 8,
        flags: 1,
        bytes: 10,
        compression,
        digits: 0,
    };
    let set = |ty: u8, value: Option<&[u8]>| TagSetting {
        id: 0,
        name: name(),
        ty,
        value: value.map(Bytes::copy_from_slice),
    };
    for (action, kind, rest) in [
        (
            add(None),
            "normal",
            r#"5,"colName":"c","colType":8,"colLength":8}"#,
        ),
        (
            add(Some(3)),
            "normal",
            r#"14,"colName":"c","colType":8,"colLength":8,"level":"high"}"#,
        ),
        (Action::DropColumn(name()), "normal", r#"6,"colName":"c"}"#),
        (
            Action::Widen {
                name: name(),
                ty: 8,
                bytes: 12,
            },
            "normal",
            r#"7,"colName":"c","colType":8,"colLength":10}"#,
        ),
        (
            Action::Options {
                ttl: None,
                comment: None,
            },
            "normal",
            "9}",
        ),
        (
            Action::Rename(name(), "e".to_owned()),
            "normal",
            r#"10,"colName":"c","colNewName":"e"}"#,
        ),
        (
            Action::Compress(name(), 0x0400_0000),
            "normal",
            r#"13,"colName":"c","encode":"delta-d"}"#,
        ),
        (
            Action::SetTag(set(8, Some(b"x"))),
            "child",
            r#"4,"colName":"c","colValue":"\"x\"","colValueNull":false}"#,
        ),
        (
            Action::SetTag(set(4, None)),
            "child",
            r#"4,"colName":"c","colValueNull":true}"#,
        ),
        (
            Action::SetTags(vec![
                set(1, Some(&[1])),
                set(6, Some(&0.1_f32.to_le_bytes())),
            ]),
            "child",
            concat!(
                r#"15,"tags":[{"colName":"c","colValue":"1","colValueNull":false},"#,
                r#"{"colName":"c","colValue":"0.1","colValueNull":false}]}"#
            ),
        ),
    ] {
        let head = format!(r#"{{"type":"alter","tableType":"{kind}","tableName":"t","alterType":"#);
        assert_eq!(json(&alter(action)), head + rest);
    }
}

#[test]
fn what_is_dropped_or_deleted_is_told_in_words() {
    let drop = Meta::DropSuper {
        name: "st".to_owned(),
        uid: 5,
    };
    assert_eq!(
        json(&drop),
        r#"{"type":"drop","tableType":"super","tableName":"st"}"#
    );
    let tables = ["a", "b"].map(|name| DroppedTable {
        name: name.to_owned(),
        super_uid: 5,
        uid: 6,
        if_exists: 0,
    });
    assert_eq!(
        json(&Meta::DropTables(tables.into())),
        r#"{"type":"drop","tableNameList":["a","b"]}"#
    );
    let rows = Meta::Delete(Deletion {
        super_uid: 5,
        uids: vec![6],
        range: (1_700_000_000_000, i64::MAX),
        affected: 1,
        table: "a".to_owned(),
        time_column: "ts".to_owned(),
        changed: 0,
        source: 0,
    });
    assert_eq!(
        json(&rows),
        r#"{"type":"delete","sql":"delete from `a` where `ts` >= 1700000000000 and `ts` <= 9223372036854775807"}"#
    );
    let metas = [drop, rows];
    let raw = Meta::encode_batch(&metas, 3, 9).unwrap();
    assert_eq!(decode_batch(&raw).unwrap(), metas);
    let text = batch(&metas, &nobody).to_string();
    let [first, second] = metas.each_ref().map(json);
    assert_eq!(
        text,
        format!(r#"{{"tmq_meta_version":"1.0","metas":[{first},{second}]}}"#)
    );
}
