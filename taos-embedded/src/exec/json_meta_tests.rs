//! The statements that a client prints of the meta of messages are those that the server takes.

use serde_json::{Value, json};
use taos_query::common::JsonMeta;

use super::log_tests::Bed;
use crate::engine::Answer;

fn run_all(bed: &Bed, meta: Value) {
    let meta: JsonMeta = serde_json::from_value(meta).unwrap();
    for unit in &meta {
        bed.run(&unit.to_string());
    }
}

/// The only column of what a statement selects.
fn texts(bed: &Bed, sql: &str) -> Vec<String> {
    let Answer::Rows(mut rows) = bed.session.execute(sql).unwrap() else {
        panic!("{sql} selects nothing")
    };
    let mut texts = Vec::new();
    while let Some(block) = rows.next_block().unwrap() {
        texts.extend(block.deserialize::<String>().map(Result::unwrap));
    }
    texts
}

#[test]
fn every_statement_printed_of_meta_runs() {
    let bed = Bed::new("create database d vgroups 1");
    let lz4 = |name: &str, ty: u8, encode: &str| json!({"name": name, "type": ty, "isPrimarykey": false, "encode": encode, "compress": "lz4", "level": "medium"});
    let mut text = lz4("name", 10, "disabled");
    text["length"] = 16.into();
    let mut key = lz4("k", 4, "simple8b");
    key["isPrimarykey"] = true.into();
    let tag = |name: &str, ty: u8| json!({"name": name, "type": ty, "length": 24});
    run_all(
        &bed,
        json!({"type": "create", "tableType": "super", "tableName": "st", "columns": [lz4("ts", 9, "delta-i"), lz4("v", 4, "simple8b"), text],
            "tags": [{"name": "n", "type": 4}, tag("s", 8), tag("c", 10), tag("b", 16), {"name": "yes", "type": 1}, {"name": "u", "type": 14}, {"name": "at", "type": 9}]}),
    );
    run_all(
        &bed,
        json!({"type": "create", "tableType": "child", "tableName": "a", "using": "st", "tagNum": 7, "tags": [
            {"name": "n", "type": 4, "value": 5}, {"name": "s", "type": 8, "value": "\"q\" it's \\ 中\""}, {"name": "c", "type": 10, "value": "\"\""},
            {"name": "b", "type": 16, "value": "\"\\x00FF\""}, {"name": "yes", "type": 1, "value": 1}, {"name": "u", "type": 14, "value": 1.8e19},
            {"name": "at", "type": 9, "value": 1_700_000_000_000_i64}], "createList": []}),
    );
    let empty = |name: &str| json!({"tableName": name, "using": "st", "tagNum": 7, "tags": []});
    run_all(
        &bed,
        json!({"type": "create", "tableType": "child", "tableName": "b", "using": "st", "tagNum": 7, "tags": [], "createList": [empty("b"), empty("b 2")]}),
    );
    run_all(
        &bed,
        json!({"type": "create", "tableType": "normal", "tableName": "n", "columns": [lz4("ts", 9, "delta-i"), key, {"name": "x", "type": 8, "length": 4}], "tags": []}),
    );
    let alter = |members: Value| {
        let mut unit = json!({"type": "alter", "tableType": "super", "tableName": "st"});
        for (name, value) in members.as_object().unwrap() {
            unit[name] = value.clone();
        }
        run_all(&bed, unit);
    };
    alter(json!({"alterType": 1, "colName": "t2", "colType": 8, "colLength": 4}));
    alter(json!({"alterType": 8, "colName": "t2", "colType": 8, "colLength": 9}));
    alter(json!({"alterType": 3, "colName": "t2", "colNewName": "t3"}));
    alter(json!({"alterType": 2, "colName": "t3"}));
    alter(json!({"alterType": 5, "colName": "extra", "colType": 4}));
    alter(json!({"alterType": 7, "colName": "name", "colType": 10, "colLength": 20}));
    alter(json!({"alterType": 6, "colName": "extra"}));
    alter(json!({"alterType": 13, "colName": "v", "level": "high"}));
    alter(json!({"alterType": 10, "tableName": "n", "colName": "x", "colNewName": "y"}));
    for (tag, value) in [("n", "-9"), ("s", "\"a\"b'\""), ("s", "\"\"")] {
        alter(json!({"alterType": 4, "tableName": "a", "colName": tag, "colValue": value}));
    }
    alter(json!({"alterType": 4, "tableName": "a", "colName": "n", "colValueNull": true}));
    run_all(
        &bed,
        json!({"tmq_meta_version": "1.0", "metas": [
            {"type": "delete", "sql": "delete from `a` where `ts` >= 0 and `ts` <= 9223372036854775807"},
            {"type": "drop", "tableNameList": ["a", "b", "n"]}, {"type": "drop", "tableType": "super", "tableName": "st"}]}),
    );
}

#[test]
fn values_of_tags_come_through_as_they_were() {
    let bed = Bed::new("create database d vgroups 1");
    run_all(
        &bed,
        json!({"type": "create", "tableType": "super", "tableName": "st", "columns": [{"name": "ts", "type": 9}, {"name": "v", "type": 4}],
            "tags": [{"name": "s", "type": 8, "length": 24}]}),
    );
    for (name, text) in [
        ("a", "\"q\""),
        ("b", ""),
        ("c", "it's \\ 中\n'"),
        ("d", "\\x41"),
    ] {
        run_all(
            &bed,
            json!({"type": "create", "tableType": "child", "tableName": name, "using": "st", "tagNum": 1,
                "tags": [{"name": "s", "type": 8, "length": 24, "value": format!("\"{text}\"")}]}),
        );
        bed.run(&format!("insert into {name} values (now, 1)"));
        assert_eq!(
            texts(&bed, &format!("select s from {name}")),
            [text],
            "{name}"
        );
    }
}
