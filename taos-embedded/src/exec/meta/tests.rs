use std::sync::Arc;

use bytes::Bytes;

use crate::engine::{Answer, Engine, Session, SqlError, Storage};
use crate::meta::{
    Action, Alter, ChangedField, Column, Compression, Deletion, DroppedTable, Key, Meta, NewKind,
    NewTable, Schema, SuperChange, SuperTable, TagSetting, TagValue, Tags,
};

const T0: i64 = 1_700_000_000_000;

/// A database with the super table `st (ts, v) tags (a int, b nchar(4))`.
fn session() -> Session {
    let session = Engine::open(Storage::Memory).unwrap().session("root");
    run(&session, "create database d");
    run(&session, "use d");
    let sql = "create table st (ts timestamp, v int) tags (a int, b nchar(4))";
    run(&session, sql);
    session
}

fn run(session: &Session, sql: &str) {
    match session.execute(sql) {
        Ok(Answer::Affected(_)) => {}
        other => panic!("{sql}: {other:?}"),
    }
}

fn rows(session: &Session, sql: &str) -> Vec<String> {
    let Ok(Answer::Rows(mut rows)) = session.execute(sql) else {
        panic!("{sql}")
    };
    let mut all = Vec::new();
    while let Some(block) = rows.next_block().unwrap() {
        for row in block.rows() {
            let row: Vec<String> = row
                .into_values()
                .iter()
                .map(|v| match v {
                    taos_query::common::Value::Null(_) => "NULL".to_owned(),
                    v => v.to_string().unwrap(),
                })
                .collect();
            all.push(row.join("|"));
        }
    }
    all
}

fn apply(session: &Session, meta: Meta) {
    session.write_meta(vec![meta]).unwrap();
}

fn refused(session: &Session, meta: Meta) -> SqlError {
    session.write_meta(vec![meta]).unwrap_err()
}

fn column(ty: u8, bytes: i32, id: i32, name: &str) -> Column {
    Column {
        ty,
        flags: 1,
        bytes,
        id,
        name: name.to_owned(),
    }
}

fn schema(columns: Vec<Column>) -> Schema {
    Schema {
        version: 1,
        columns,
    }
}

fn super_table(name: &str, columns: Vec<Column>, tags: Vec<Column>) -> SuperTable {
    SuperTable {
        name: name.to_owned(),
        uid: 7,
        columns: schema(columns),
        tags: schema(tags),
        change: None,
        source: 0,
        is_compressed: 1,
        compression: Compression::default(),
        keep: -1,
        digits: None,
    }
}

/// A change of `st`, whose columns and tags are given as they are afterwards.
fn change(kind: u8, names: &[&str], columns: Vec<Column>, tags: Vec<Column>) -> Meta {
    let field = |name: &&str| ChangedField {
        ty: 0,
        bytes: 0,
        name: (*name).to_owned(),
        compression: None,
    };
    let mut table = super_table("st", columns, tags);
    table.change = Some(SuperChange {
        full_name: "1.d.st".to_owned(),
        kind,
        fields: names.iter().map(field).collect(),
        rest: Bytes::new(),
    });
    Meta::AlterSuper(table)
}

fn new_table(name: &str, kind: NewKind) -> NewTable {
    NewTable {
        flags: 0,
        name: name.to_owned(),
        uid: 8,
        created: T0,
        ttl: 0,
        comment: None,
        kind,
        sql: Bytes::new(),
    }
}

fn normal(name: &str, columns: Vec<Column>) -> NewTable {
    let kind = NewKind::Normal {
        columns: schema(columns),
        compression: Compression::default(),
        digits: None,
    };
    new_table(name, kind)
}

fn create(tables: Vec<NewTable>) -> Meta {
    Meta::CreateTables { tables, source: 0 }
}

fn wide(text: &str) -> Bytes {
    let fours = text.chars().flat_map(|c| u32::from(c).to_le_bytes());
    fours.collect::<Vec<u8>>().into()
}

fn child(name: &str, stable: &str, values: &[(i32, u8, Bytes)], names: &[&str]) -> NewTable {
    let value = |(number, ty, data): &(i32, u8, Bytes)| TagValue {
        key: Key::Number(*number),
        ty: *ty,
        data: data.clone(),
    };
    let kind = NewKind::Child {
        stable: stable.to_owned(),
        tag_count: 2,
        super_uid: 7,
        tags: Tags {
            flags: 0,
            version: 1,
            values: values.iter().map(value).collect(),
        },
        names: names.iter().map(|name| (*name).to_owned()).collect(),
    };
    new_table(name, kind)
}

fn alter(table: &str, action: Action) -> Meta {
    Meta::AlterTable(Alter {
        table: table.to_owned(),
        action,
        column_id: 0,
        changed: T0,
        source: 0,
        ids: (0, 0),
    })
}

fn set(name: &str, ty: u8, value: Option<Bytes>) -> TagSetting {
    TagSetting {
        id: 0,
        name: name.to_owned(),
        ty,
        value,
    }
}

fn one() -> Bytes {
    Bytes::from_static(&[1, 0, 0, 0])
}

fn ts() -> Column {
    column(9, 8, 1, "ts")
}

#[test]
fn subtables_get_their_tags_by_name_and_those_without_a_value_are_null() {
    let session = session();
    let values = [(3, 4, one()), (4, 10, wide("水"))];
    apply(
        &session,
        create(vec![
            // the names stand in the order of the statement, the values in that of the tags
            child("both", "st", &values, &["b", "a"]),
            child("text", "st", &values[1..], &["b"]),
            child("none", "st", &[], &[]),
            // a release that names all tags, one of them NULL
            child("numbers", "st", &values[1..], &["a", "b"]),
            child("elsewhere", "missing", &values, &["a", "b"]),
        ]),
    );
    let sql = "select distinct tbname, a, b from st order by tbname";
    run(&session, "insert into both values (1700000000000, 1)");
    run(&session, "insert into text values (1700000000000, 1)");
    run(&session, "insert into none values (1700000000000, 1)");
    run(&session, "insert into numbers values (1700000000000, 1)");
    assert_eq!(
        rows(&session, sql),
        [
            "both|1|水",
            "none|NULL|NULL",
            "numbers|NULL|水",
            "text|NULL|水"
        ]
    );
    assert_eq!(rows(&session, "show tables").len(), 4);
    let long = child("long", "st", &[(4, 10, wide("12345"))], &["b"]);
    assert_eq!(refused(&session, create(vec![long])).code, 0x2653);
    let wrong = child("wrong", "st", &[(3, 5, Bytes::from(vec![0; 8]))], &["a"]);
    assert_eq!(refused(&session, create(vec![wrong])).code, 0x0200);
    let unknown = child("unknown", "st", &[(9, 4, one())], &["x"]);
    assert_eq!(refused(&session, create(vec![unknown])).code, 0x0118);
}

#[test]
fn a_json_tag_is_its_pairs() {
    let session = session();
    run(
        &session,
        "create table js (ts timestamp, v int) tags (j json)",
    );
    let pair = |key: &'static str, ty: u8, data: Bytes| TagValue {
        key: Key::Json(Bytes::from_static(key.as_bytes())),
        ty,
        data,
    };
    let tags = Tags {
        flags: 0x40,
        version: 1,
        values: vec![
            pair("b", 1, Bytes::from_static(&[1])),
            pair("n", 7, Bytes::copy_from_slice(&1.5_f64.to_le_bytes())),
            pair("s", 10, wide("é")),
            pair("z", 0, Bytes::new()),
        ],
    };
    let empty = Tags {
        values: Vec::new(),
        ..tags.clone()
    };
    for (name, tags) in [("pairs", &tags), ("empty", &empty)] {
        let kind = NewKind::Child {
            stable: "js".to_owned(),
            tag_count: 1,
            super_uid: 7,
            tags: tags.clone(),
            names: vec!["j".to_owned()],
        };
        apply(&session, create(vec![new_table(name, kind)]));
        run(
            &session,
            &format!("insert into {name} values (1700000000000, 1)"),
        );
    }
    let all = "select tags tbname, j from js order by tbname";
    let json = r#"{"b":true,"n":1.5,"s":"é","z":null}"#;
    assert_eq!(
        rows(&session, all),
        ["empty|NULL".to_owned(), format!("pairs|{json}")]
    );
    let value = Some(Bytes::from(tags.encode().unwrap()));
    apply(
        &session,
        alter("empty", Action::SetTag(set("j", 15, value))),
    );
    apply(&session, alter("pairs", Action::SetTag(set("j", 15, None))));
    assert_eq!(
        rows(&session, all),
        [format!("empty|{json}"), "pairs|NULL".to_owned()]
    );
}

#[test]
fn changes_of_a_super_table_are_made_once() {
    let session = session();
    let v = || column(4, 4, 2, "v");
    let (a, b) = (|| column(4, 4, 3, "a"), || column(10, 18, 4, "b"));
    let w = |bytes| column(8, bytes, 5, "w");
    let steps: [(Meta, &str); 9] = [
        (
            change(5, &["w"], vec![ts(), v(), w(10)], vec![a(), b()]),
            "ts v w a b",
        ),
        (
            change(7, &["w"], vec![ts(), v(), w(22)], vec![a(), b()]),
            "ts v w a b",
        ),
        (
            change(6, &["v"], vec![ts(), w(22)], vec![a(), b()]),
            "ts w a b",
        ),
        (
            change(
                1,
                &["c"],
                vec![ts(), w(22)],
                vec![a(), b(), column(1, 1, 6, "c")],
            ),
            "ts w a b c",
        ),
        (
            change(
                3,
                &["c", "k"],
                vec![ts(), w(22)],
                vec![a(), b(), column(1, 1, 6, "k")],
            ),
            "ts w a b k",
        ),
        (
            change(
                8,
                &["b"],
                vec![ts(), w(22)],
                vec![a(), column(10, 34, 4, "b")],
            ),
            "ts w a b k",
        ),
        (
            change(2, &["a"], vec![ts(), w(22)], vec![column(10, 34, 4, "b")]),
            "ts w b k",
        ),
        (change(13, &["w"], vec![ts(), w(22)], vec![b()]), "ts w b k"),
        (change(9, &[], vec![ts(), w(22)], vec![b()]), "ts w b k"),
    ];
    for (mut meta, names) in steps {
        if let Meta::AlterSuper(table) = &mut meta {
            table.compression.columns = vec![(5, 0xff00_0403)];
            if table.change.as_ref().is_some_and(|c| c.kind != 13) {
                table.compression.columns.clear();
            }
        }
        for _ in 0..2 {
            apply(&session, meta.clone());
            let found: Vec<String> = rows(&session, "describe st")
                .iter()
                .filter_map(|row| row.split('|').next().map(str::to_owned))
                .collect();
            assert_eq!(found.join(" "), names, "{meta:?}");
        }
    }
    let described = rows(&session, "describe st").join("\n");
    assert!(
        described.contains("w|VARCHAR|20||disabled|tsz|high"),
        "{described}"
    );
    assert!(described.contains("b|NCHAR|8|TAG"), "{described}");
    let error = refused(
        &session,
        change(5, &["w"], vec![ts(), column(4, 4, 5, "w")], vec![b()]),
    );
    assert_eq!(error.code, 0x036B);
    let error = refused(&session, change(12, &["w"], vec![ts(), w(22)], vec![b()]));
    assert!(
        error.message.contains("unsupported feature: write_raw"),
        "{}",
        error.message
    );
}

#[test]
fn a_changed_super_table_that_is_missing_is_created_as_it_is_afterwards() {
    let session = session();
    run(&session, "drop table st");
    let digits = column(17, 16, 2, "v");
    let Meta::AlterSuper(mut table) =
        change(6, &["x"], vec![ts(), digits], vec![column(4, 4, 3, "a")])
    else {
        panic!("another message")
    };
    table.digits = Some(vec![0, 0x1e03]);
    table.compression.columns = vec![(1, 0x0200_0102), (2, 0xff00_0302)];
    apply(&session, Meta::AlterSuper(table.clone()));
    let described = rows(&session, "describe st").join("\n");
    assert!(described.contains("v|DECIMAL(30, 3)|16"), "{described}");
    apply(&session, Meta::CreateSuper(table));
    let drop = || Meta::DropSuper {
        name: "st".to_owned(),
        uid: 7,
    };
    apply(&session, drop());
    assert_eq!(rows(&session, "show stables"), [""; 0]);
    apply(&session, drop());
}

#[test]
fn changes_of_a_normal_table_are_made_once() {
    let session = session();
    apply(
        &session,
        create(vec![normal("n", vec![ts(), column(4, 4, 2, "v")])]),
    );
    let add = |name: &str, ty, bytes, digits, compression| Action::AddColumn {
        name: name.to_owned(),
        ty,
        flags: 0,
        bytes,
        compression,
        digits,
    };
    let rename = Action::Rename("v".to_owned(), "u".to_owned());
    let widen = Action::Widen {
        name: "w".to_owned(),
        ty: 0,
        bytes: 42,
    };
    for action in [
        add("w", 8, 12, 0, None),
        add("x", 21, 8, 0x0a02, None),
        add("y", 5, 8, 0, Some(0x0100_0303)),
        widen,
        rename,
        Action::DropColumn("x".to_owned()),
        Action::Compress("w".to_owned(), 1),
        Action::Options {
            ttl: Some(5),
            comment: None,
        },
    ] {
        for _ in 0..2 {
            apply(&session, alter("n", action.clone()));
        }
    }
    assert_eq!(
        rows(&session, "describe n"),
        [
            "ts|TIMESTAMP|8||delta-i|lz4|medium",
            "u|INT|4||simple8b|lz4|medium",
            "w|VARCHAR|40||disabled|zstd|low",
            "y|BIGINT|8||simple8b|zstd|high"
        ]
    );
    apply(
        &session,
        alter("missing", Action::DropColumn("x".to_owned())),
    );
    let error = refused(
        &session,
        alter("n", Action::SetTag(set("a", 4, Some(one())))),
    );
    assert_eq!(error.code, 0x0118);
}

#[test]
fn tags_are_set_one_or_several_at_once() {
    let session = session();
    run(
        &session,
        "insert into d1 using st tags (1, 'x') values (1700000000000, 1)",
    );
    let tags = || rows(&session, "select a, b from st").join("");
    apply(
        &session,
        alter(
            "d1",
            Action::SetTags(vec![set("a", 4, None), set("b", 10, Some(wide("é水")))]),
        ),
    );
    assert_eq!(tags(), "NULL|é水");
    apply(
        &session,
        alter("d1", Action::SetTag(set("a", 4, Some(one())))),
    );
    assert_eq!(tags(), "1|é水");
    let both = Action::SetTags(vec![set("a", 4, None), set("missing", 4, None)]);
    assert_eq!(refused(&session, alter("d1", both)).code, 0x0118);
    assert_eq!(
        tags(),
        "1|é水",
        "nothing is left of a change that was refused"
    );
}

#[test]
fn rows_and_tables_go_and_what_is_missing_is_no_error() {
    let session = session();
    let insert = "insert into d1 using st tags (1, 'x') values (1700000000000, 1)(1700000000001, 2)\
        d2 using st tags (2, 'y') values (1700000000000, 3)";
    run(&session, insert);
    let delete = |table: &str, low, high| {
        Meta::Delete(Deletion {
            super_uid: 7,
            uids: vec![8],
            range: (low, high),
            affected: 1,
            table: table.to_owned(),
            time_column: "ts".to_owned(),
            changed: T0,
            source: 0,
        })
    };
    let left = || rows(&session, "select v from st order by v").join(" ");
    apply(&session, delete("d1", T0 + 1, i64::MAX));
    assert_eq!(left(), "1 3");
    apply(&session, delete("missing", i64::MIN, i64::MAX));
    apply(&session, delete("st", T0, T0));
    assert_eq!(left(), "");
    let drop = |names: &[&str]| {
        let table = |name: &&str| DroppedTable {
            name: (*name).to_owned(),
            super_uid: 7,
            uid: 8,
            if_exists: 0,
        };
        Meta::DropTables(names.iter().map(table).collect())
    };
    apply(&session, drop(&["d1", "missing", "st"]));
    assert_eq!(rows(&session, "show tables"), ["d2"]);
    assert_eq!(rows(&session, "show stables"), ["st"]);
}

#[test]
fn of_several_messages_all_are_applied_or_none() {
    let session = session();
    let good = create(vec![normal("n", vec![ts(), column(4, 4, 2, "v")])]);
    let bad = create(vec![normal("st", vec![ts(), column(4, 4, 2, "v")])]);
    let drop = Meta::DropSuper {
        name: "st".to_owned(),
        uid: 7,
    };
    let error = session.write_meta(vec![good.clone(), bad]).unwrap_err();
    assert_eq!(error.code, 0x0603);
    assert_eq!(rows(&session, "show tables"), [""; 0]);
    let empty = Meta::CreateSuper(super_table("new", vec![ts()], vec![]));
    session.write_meta(vec![drop, empty]).unwrap_err();
    assert_eq!(rows(&session, "show stables"), ["st"]);
    apply(&session, good.clone());
    apply(&session, good);
    assert_eq!(rows(&session, "show tables"), ["n"]);
}

#[test]
fn without_a_database_nothing_is_applied() {
    let engine = Engine::open(Storage::Memory).unwrap();
    let session = Arc::new(engine.session("root"));
    let error = refused(&session, create(vec![]));
    assert_eq!(error.code, 0x2616);
    session.assume_db("missing");
    assert_eq!(refused(&session, create(vec![])).code, 0x0388);
    session.assume_db("information_schema");
    assert_eq!(refused(&session, create(vec![])).code, 0x2669);
}

#[test]
fn what_was_applied_is_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let open = || Engine::open(Storage::Dir(dir.path().to_owned())).unwrap();
    let engine = open();
    let session = engine.session("root");
    run(&session, "create database d");
    run(&session, "use d");
    let tags = vec![column(4, 4, 3, "a"), column(10, 18, 4, "b")];
    let table = super_table("st", vec![ts(), column(4, 4, 2, "v")], tags);
    let values = [(3, 4, one()), (4, 10, wide("水"))];
    let mut new = child("d1", "st", &values, &["a", "b"]);
    (new.ttl, new.comment) = (3, Some("made elsewhere".to_owned()));
    let all = vec![Meta::CreateSuper(table), create(vec![new])];
    session.write_meta(all).unwrap();
    engine.close();
    drop((session, engine));
    let session = open().session("root");
    run(&session, "insert into d.d1 values (1700000000000, 1)");
    assert_eq!(rows(&session, "select a, b from d.st"), ["1|水"]);
    let options =
        "select ttl, table_comment from information_schema.ins_tables where table_name = 'd1'";
    assert_eq!(rows(&session, options), ["3|made elsewhere"]);
}
