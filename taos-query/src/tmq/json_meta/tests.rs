#![allow(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

use std::fs;
use std::path::Path;

use serde_json::json;

use super::*;
use crate::RawBlock;
use crate::block::{BlockWriter, ColumnBuilder};
use crate::common::{Field, Precision, Ty};

fn read(value: Value) -> JsonMeta {
    serde_json::from_value(value).unwrap()
}

/// The statement of the only change.
fn sql(value: Value) -> String {
    let JsonMeta::Single(unit) = read(value) else {
        panic!("several changes")
    };
    unit.to_string()
}

/// Every recorded reply that holds meta, as text.
fn recorded() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden");
    let mut texts = Vec::new();
    for scenario in ["14-tmq-data", "16-tmq-db-meta", "20-tmq-stable-topic"] {
        for file in fs::read_dir(root.join(scenario)).unwrap() {
            let path = file.unwrap().path();
            if !path.to_string_lossy().contains("s2c-fetch_json_meta") {
                continue;
            }
            let reply: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
            if let Some(data) = reply.get("data").filter(|data| data.is_object()) {
                texts.push(data.to_string());
            }
        }
    }
    texts.sort();
    texts.dedup();
    texts
}

#[test]
fn every_recorded_meta_is_written_again_as_it_was() {
    let texts = recorded();
    assert!(texts.len() > 12, "{}", texts.len());
    for text in texts {
        let meta = JsonMeta::parse(&text).unwrap();
        let before: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_value(&meta).unwrap(), before);
        assert_eq!(meta.is_plural(), before.get("metas").is_some());
        assert_ne!(meta.is_plural(), meta.is_single());
        fuzz_json_meta(text.as_bytes());
    }
}

#[test]
fn recorded_meta_prints_as_statements() {
    let all: Vec<String> = recorded()
        .iter()
        .flat_map(|text| JsonMeta::parse(text).unwrap())
        .map(|unit| unit.to_string())
        .collect();
    for statement in [
        "CREATE TABLE IF NOT EXISTS `st` (`ts` TIMESTAMP ENCODE 'delta-i' COMPRESS 'lz4' LEVEL 'medium', \
         `v` INT ENCODE 'simple8b' COMPRESS 'lz4' LEVEL 'medium', `name` NCHAR(16) ENCODE 'disabled' \
         COMPRESS 'zstd' LEVEL 'medium') TAGS (`tg` INT, `tn` VARCHAR(8))",
        "CREATE TABLE IF NOT EXISTS `d1` USING `st` (`tg`, `tn`) TAGS (1, 'a')",
        "CREATE TABLE IF NOT EXISTS `n1` (`ts` TIMESTAMP ENCODE 'delta-i' COMPRESS 'lz4' LEVEL 'medium', \
         `x` DOUBLE ENCODE 'delta-d' COMPRESS 'lz4' LEVEL 'medium')",
        "ALTER TABLE `st` ADD COLUMN `extra` INT",
        "ALTER TABLE `d1` SET TAG `tg` = 9",
        "DROP TABLE IF EXISTS `n1`",
        "delete from `d1` where `ts` >= 1700000000001 and `ts` <= 1700000000001",
    ] {
        assert!(
            all.iter().any(|sql| sql == statement),
            "{statement}\n{all:#?}"
        );
    }
}

#[test]
fn tags_of_every_type_become_literals() {
    let tags = json!([
        {"name": "i", "type": 4, "value": 5},
        {"name": "u", "type": 14, "value": 1.8e19},
        {"name": "yes", "type": 1, "value": 1},
        {"name": "no", "type": 1, "value": false},
        {"name": "ts", "type": 9, "value": 1_700_000_000_000_i64},
        {"name": "d", "type": 7, "value": 0.25},
        {"name": "q", "type": 8, "length": 8, "value": "\"q\"\""},
        {"name": "a", "type": 10, "length": 8, "value": "\"it's \\ 中\""},
        {"name": "b", "type": 16, "length": 8, "value": "\"\\x00fF\""},
        {"name": "null", "type": 4, "value": null},
        {"name": "missing", "type": 4},
    ]);
    let child = json!({
        "type": "create", "tableType": "child", "tableName": "d`1", "using": "st", "tagNum": 12, "tags": tags,
    });
    assert_eq!(
        sql(child),
        "CREATE TABLE IF NOT EXISTS `d``1` USING `st` (`i`, `u`, `yes`, `no`, `ts`, `d`, `q`, `a`, `b`) \
         TAGS (5, 18000000000000000000, true, false, 1700000000000, 0.25, 'q\"', 'it''s \\\\ 中', '\\x00fF')"
    );
    let document = json!({
        "type": "create", "tableType": "child", "tableName": "d", "using": "st", "tagNum": 1,
        "tags": [{"name": "j", "type": 15, "value": "{\"a\":\"it's\"}"}], "createList": [],
    });
    assert_eq!(
        sql(document),
        "CREATE TABLE IF NOT EXISTS `d` USING `st` (`j`) TAGS ('{\"a\":\"it''s\"}')"
    );
}

#[test]
fn empty_texts_are_no_nulls_and_tags_that_are_all_null_are_told_by_their_number() {
    let child = |tags: Value| {
        json!({
            "type": "create", "tableType": "child", "tableName": "d", "using": "st", "tagNum": 2, "tags": tags,
        })
    };
    assert_eq!(
        sql(child(
            json!([{"name": "t", "type": 8, "length": 4, "value": "\"\""}])
        )),
        "CREATE TABLE IF NOT EXISTS `d` USING `st` (`t`) TAGS ('')"
    );
    assert_eq!(
        sql(child(
            json!([{"name": "t", "type": 8, "length": 4, "value": ""}])
        )),
        "CREATE TABLE IF NOT EXISTS `d` USING `st` (`t`) TAGS ('')"
    );
    assert_eq!(
        sql(child(json!([]))),
        "CREATE TABLE IF NOT EXISTS `d` USING `st` TAGS (NULL, NULL)"
    );
}

#[test]
fn subtables_created_by_one_statement_are_units_of_their_own() {
    let one = json!({"tableName": "a", "using": "st", "tagNum": 1, "tags": [{"name": "t", "type": 4, "value": 1}]});
    let two = json!({"tableName": "b", "using": "st", "tagNum": 1, "tags": []});
    let mut unit = one.clone();
    unit["type"] = "create".into();
    unit["tableType"] = "child".into();
    unit["createList"] = json!([one, two]);
    let meta = read(unit.clone());
    let all: Vec<String> = meta.iter().map(MetaUnit::to_string).collect();
    assert_eq!(
        all,
        [
            "CREATE TABLE IF NOT EXISTS `a` USING `st` (`t`) TAGS (1)",
            "CREATE TABLE IF NOT EXISTS `b` USING `st` TAGS (NULL)",
        ]
    );
    let plural =
        read(json!({"tmq_meta_version": "1.0", "metas": [unit, {"type": "delete", "sql": "x"}]}));
    assert_eq!(plural.iter().len(), 3);
    let error = serde_json::from_value::<MetaUnit>(unit).unwrap_err();
    assert!(error.to_string().contains("JsonMeta"), "{error}");
}

#[test]
fn every_change_of_a_table_prints_as_its_statement() {
    for (members, statement) in [
        (
            json!({"alterType": 1, "colName": "t", "colType": 8, "colLength": 4}),
            "ADD TAG `t` VARCHAR(4)",
        ),
        (json!({"alterType": 2, "colName": "t"}), "DROP TAG `t`"),
        (
            json!({"alterType": 3, "colName": "t", "colNewName": "u"}),
            "RENAME TAG `t` `u`",
        ),
        (
            json!({"alterType": 4, "colName": "t", "colValue": "9", "colValueNull": false}),
            "SET TAG `t` = 9",
        ),
        (
            json!({"alterType": 4, "colName": "t", "colValue": "\"9\""}),
            "SET TAG `t` = '9'",
        ),
        (
            json!({"alterType": 4, "colName": "t", "colValue": "\"a\"b'\""}),
            "SET TAG `t` = 'a\"b'''",
        ),
        (
            json!({"alterType": 4, "colName": "t", "colValue": "\"\""}),
            "SET TAG `t` = ''",
        ),
        (
            json!({"alterType": 4, "colName": "t", "colValue": "1, x = 2"}),
            "SET TAG `t` = '1, x = 2'",
        ),
        (
            json!({"alterType": 4, "colName": "t", "colValueNull": true}),
            "SET TAG `t` = NULL",
        ),
        (
            json!({"alterType": 5, "colName": "c", "colType": 21}),
            "ADD COLUMN `c` DECIMAL",
        ),
        (json!({"alterType": 6, "colName": "c"}), "DROP COLUMN `c`"),
        (
            json!({"alterType": 7, "colName": "c", "colType": 10, "colLength": 9}),
            "MODIFY COLUMN `c` NCHAR(9)",
        ),
        (
            json!({"alterType": 8, "colName": "t", "colType": 8, "colLength": 9}),
            "MODIFY TAG `t` VARCHAR(9)",
        ),
        (
            json!({"alterType": 10, "colName": "c", "colNewName": "d"}),
            "RENAME COLUMN `c` `d`",
        ),
        (
            json!({"alterType": 13, "colName": "c", "level": "high"}),
            "MODIFY COLUMN `c` LEVEL 'high'",
        ),
        (
            json!({"alterType": 14, "colName": "c", "colType": 4, "compress": "zstd"}),
            "ADD COLUMN `c` INT COMPRESS 'zstd'",
        ),
        (
            json!({"alterType": 15, "tags": [{"colName": "a", "colValue": "1", "colValueNull": false}, {"colName": "b", "colValueNull": true}]}),
            "SET TAG `a` = 1, `b` = NULL",
        ),
    ] {
        let unit = alter(&members);
        let printed = sql(unit.clone());
        assert_eq!(printed, format!("ALTER TABLE `t` {statement}"));
        let meta = read(unit);
        assert_eq!(read(serde_json::to_value(&meta).unwrap()), meta);
    }
}

#[test]
fn tags_of_several_tables_and_patterns_print_as_one_statement() {
    let tag =
        json!({"colName": "a", "colValueNull": false, "regexp": "^(.)'", "replacement": "$1"});
    let tables = json!({
        "type": "alter", "alterType": 19,
        "tables": [{"tableName": "x", "tags": [{"colName": "a", "colValue": "1", "colValueNull": false}]}, {"tableName": "y", "tags": [tag]}],
    });
    assert_eq!(
        sql(tables),
        "ALTER TABLE `x` SET TAG `a` = 1 `y` SET TAG `a` = REGEXP_REPLACE(`a`, '^(.)''', '$1')"
    );
    let condition = json!({
        "type": "alter", "tableType": "super", "tableName": "st", "alterType": 20,
        "tags": [{"colName": "a", "colValue": "\"v\""}], "where": "b > 1",
    });
    assert_eq!(
        sql(condition.clone()),
        "ALTER TABLE USING `st` SET TAG `a` = 'v' WHERE b > 1"
    );
    assert_eq!(
        read(serde_json::to_value(read(condition.clone())).unwrap()),
        read(condition)
    );
}

#[test]
fn what_json_does_not_tell_prints_as_a_comment_and_unknown_kinds_are_kept() {
    let options =
        json!({"type": "alter", "tableType": "super", "tableName": "a*/b", "alterType": 9});
    assert!(sql(options).starts_with("/* its options of `a* /b`"));
    let unknown = json!({"type": "alter", "tableName": "t", "alterType": 77, "news": {}});
    let meta = read(unknown);
    let JsonMeta::Single(MetaUnit::Alter(alter)) = &meta else {
        panic!("{meta:?}")
    };
    assert_eq!(alter.alter_type, AlterType::Other(77));
    assert_eq!(serde_json::to_value(&meta).unwrap()["alterType"], 77);
}

#[test]
fn new_tag_values_that_may_be_bytes_print_as_a_comment() {
    let bytes = "\"\\x6162\"";
    let one = json!({"colName": "b", "colValue": bytes, "colValueNull": false});
    let sound = json!({"colName": "a", "colValue": "1", "colValueNull": false});
    for members in [
        json!({"alterType": 4, "colName": "b", "colValue": bytes, "colValueNull": false}),
        json!({"alterType": 15, "tags": [sound, one]}),
        json!({"alterType": 19, "tables": [{"tableName": "y", "tags": [one]}]}),
        json!({"alterType": 20, "tags": [one], "where": "a > 1"}),
    ] {
        assert_eq!(
            altered(&members),
            "/* new tag values of `t`: JSON does not tell more, take the raw message */"
        );
    }
    let text = json!({"alterType": 4, "colName": "b", "colValue": "\"\\x616g\""});
    assert_eq!(altered(&text), r"ALTER TABLE `t` SET TAG `b` = '\\x616g'");
}

#[test]
fn changes_without_what_they_need_print_as_a_comment() {
    for members in [
        json!({"alterType": 1, "colName": "t"}),
        json!({"alterType": 5, "colType": 4}),
        json!({"alterType": 7, "colName": "c"}),
        json!({"alterType": 8, "colName": "t"}),
        json!({"alterType": 8, "colName": "t", "colType": 8}),
        json!({"alterType": 14, "colName": "c", "level": "high"}),
        json!({"alterType": 2}),
        json!({"alterType": 6}),
        json!({"alterType": 3, "colName": "t"}),
        json!({"alterType": 10, "colName": "c", "colNewName": ""}),
        json!({"alterType": 13, "colName": "c"}),
        json!({"alterType": 4, "colValue": "1"}),
        json!({"alterType": 15}),
        json!({"alterType": 20, "tags": [], "where": "a > 1"}),
        json!({"alterType": 19}),
        json!({"alterType": 19, "tables": [{"tableName": "y", "tags": []}]}),
        json!({"alterType": 19, "tables": [{"tableName": "", "tags": [{"colName": "a"}]}]}),
        json!({"alterType": 6, "colName": "c", "tableName": ""}),
    ] {
        let printed = altered(&members);
        let whole = printed.starts_with("/* ") && printed.ends_with("take the raw message */");
        assert!(whole, "{members}: {printed}");
    }
}

/// A change of the table `t`, printed.
fn altered(members: &Value) -> String {
    sql(alter(members))
}

fn alter(members: &Value) -> Value {
    let mut unit = json!({"type": "alter", "tableType": "super", "tableName": "t"});
    unit.as_object_mut()
        .unwrap()
        .extend(members.as_object().cloned().unwrap());
    unit
}

#[test]
fn several_dropped_tables_are_separated() {
    assert_eq!(
        sql(json!({"type": "drop", "tableNameList": ["a", "b`c"]})),
        "DROP TABLE IF EXISTS `a`, IF EXISTS `b``c`"
    );
    assert_eq!(
        sql(json!({"type": "drop", "tableType": "super", "tableName": "st"})),
        "DROP STABLE IF EXISTS `st`"
    );
    assert_eq!(
        sql(json!({"type": "drop", "tableType": "normal", "tableName": "n"})),
        "DROP TABLE IF EXISTS `n`"
    );
}

#[test]
fn columns_of_older_and_newer_engines_are_understood() {
    let table = json!({
        "type": "create", "tableType": "normal", "tableName": "n", "since": "4.0",
        "columns": [
            {"name": "ts", "type": 9},
            {"name": "k", "type": 4, "isPrimaryKey": true},
            {"name": "b", "type": 18, "length": 1, "isPrimarykey": false, "encode": "unknown", "compress": "lz4", "level": "unknown"},
            {"name": "g", "type": 20, "length": 64, "comment": "?"},
        ],
    });
    assert_eq!(
        sql(table),
        "CREATE TABLE IF NOT EXISTS `n` (`ts` TIMESTAMP, `k` INT PRIMARY KEY, `b` BLOB COMPRESS 'lz4', \
         `g` GEOMETRY(64))"
    );
}

#[test]
fn what_is_no_meta_is_refused_in_words() {
    for (text, word) in [
        ("null", "as_raw_meta"),
        ("[]", "invalid type"),
        ("{}", "`type`"),
        (r#"{"type":"truncate"}"#, "`truncate`"),
        (
            r#"{"type":"create","tableType":"virtual","tableName":"v"}"#,
            "virtual",
        ),
        (r#"{"type":"drop"}"#, "tableNameList"),
        (r#"{"metas":[1]}"#, "an object"),
    ] {
        let error = JsonMeta::parse(text).unwrap_err().to_string();
        assert!(error.contains(word), "{text}: {error}");
    }
}

#[test]
fn programs_can_walk_change_and_take_apart_the_units() {
    let mut meta = read(json!({"tmq_meta_version": "1.0", "metas": [
        {"type": "drop", "tableNameList": ["a"]}, {"type": "delete", "sql": "delete from `a`"},
    ]}));
    for unit in &mut meta {
        if let MetaUnit::Delete(delete) = unit {
            delete.sql.push_str(" where ts > 0");
        }
    }
    assert_eq!(meta.iter().rev().len(), 2);
    let last = meta.into_iter().next_back().unwrap();
    assert_eq!(last.to_string(), "delete from `a` where ts > 0");
}

#[test]
fn a_block_that_knows_its_table_tells_how_to_create_it() {
    let mut writer = BlockWriter::new(vec![
        ColumnBuilder::new(Ty::Timestamp, 8, 0, 0),
        ColumnBuilder::new(Ty::NChar, 8, 0, 0),
    ]);
    let bytes = writer.finish().unwrap();
    let mut block = RawBlock::parse_from_raw_block(bytes, Precision::Millisecond).unwrap();
    assert_eq!(block.to_create(), None);
    let fields = [
        Field::new("ts", Ty::Timestamp, 8),
        Field::new("n", Ty::NChar, 8),
    ];
    block.with_fields(fields.into()).unwrap();
    block.with_table_name("t");
    assert_eq!(
        block.to_create().unwrap().to_string(),
        "CREATE TABLE IF NOT EXISTS `t` (`ts` TIMESTAMP, `n` NCHAR(8))"
    );
}
