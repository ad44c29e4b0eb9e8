//! Schemaless writes over the wire: what tables they make, widen and refuse.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeSet;

use serde_json::{Value, json};
use support::{Program, Ws, memory, rest};

/// Writes lines that must succeed, and gives the rows written.
fn put(ws: &mut Ws, protocol: i32, data: &str) -> u64 {
    let reply = send(ws, protocol, data);
    assert_eq!(reply["code"], 0, "{data}: {reply}");
    reply["affected_rows"].as_u64().unwrap()
}

fn send(ws: &mut Ws, protocol: i32, data: &str) -> Value {
    ws.ask(
        "insert",
        json!({"protocol": protocol, "precision": "ms", "data": data}),
    )
}

/// The rows of a query.
fn rows(server: std::net::SocketAddr, sql: &str) -> Value {
    let (status, body) = rest(server, "/rest/sql/d", sql);
    assert_eq!(status, 200, "{sql}: {body}");
    let reply: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(reply["code"], 0, "{sql}: {reply}");
    reply["data"].clone()
}

/// Name, type, length and note of each column and tag.
fn columns(server: std::net::SocketAddr, table: &str) -> Vec<String> {
    let described = rows(server, &format!("describe `{table}`"));
    let line = |row: &Value| {
        format!(
            "{} {} {} {}",
            row[0].as_str().unwrap(),
            row[1].as_str().unwrap(),
            row[2],
            row[3].as_str().unwrap()
        )
    };
    described.as_array().unwrap().iter().map(line).collect()
}

fn in_database(ws: &mut Ws, options: &str) {
    ws.run(&format!("create database d {options}"));
    ws.run("use d");
}

#[test]
fn columns_and_tags_are_added_and_widened_and_nothing_is_lost() {
    let server = memory();
    let addr = server.addr();
    let mut ws = Ws::login(addr);
    in_database(&mut ws, "");
    put(&mut ws, 1, "m,a=1 v=1i32,s=\"abc\" 1700000000000");
    assert_eq!(
        columns(addr, "m"),
        [
            "_ts TIMESTAMP 8 ",
            "v INT 4 ",
            "s VARCHAR 4 ",
            "a NCHAR 2 TAG"
        ]
    );
    put(&mut ws, 1, "m,a=1 s=\"abcd\" 1700000001000");
    let data = format!(
        "m,a=12,b=\u{6807} w=L\"\u{6807}\u{7b7e}\",s=\"{}\" 1700000002000\nm,b=y x=t,g=G\"POINT(1 2)\",y=B\"\\x01\" 1700000003000",
        "z".repeat(1500)
    );
    assert_eq!(put(&mut ws, 1, &data), 2);
    assert_eq!(
        columns(addr, "m"),
        [
            "_ts TIMESTAMP 8 ",
            "v INT 4 ",
            "s VARCHAR 1500 ",
            "w NCHAR 8 ",
            "x BOOL 1 ",
            "g GEOMETRY 32 ",
            "y VARBINARY 2 ",
            "a NCHAR 2 TAG",
            "b NCHAR 4 TAG",
        ]
    );
    assert_eq!(
        rows(addr, "select v, length(s), w, x, a, b from m order by _ts"),
        json!([
            [1, 3, null, null, "1", null],
            [null, 4, null, null, "1", null],
            [null, 1500, "\u{6807}\u{7b7e}", null, "12", "\u{6807}"],
            [null, null, null, true, null, "y"],
        ])
    );
}

#[test]
fn a_bad_line_or_a_conflict_leaves_neither_rows_nor_tables_nor_columns() {
    let server = memory();
    let addr = server.addr();
    let mut ws = Ws::login(addr);
    in_database(&mut ws, "");
    put(&mut ws, 1, "m,a=1 v=1 1700000000000");
    ws.run("create table n (ts timestamp, v int)");
    ws.run("create table st (ts timestamp, v double) tags (a nchar(4))");
    for (data, code) in [
        ("new,a=1 v=1 1700000000000\nnew v", 0x021F),
        (
            "new,a=1 v=1 1700000000000\nm,a=1 v=1i32 1700000000000",
            0x3002,
        ),
        (
            "new,a=1 v=1 1700000000000\nm,a=1 v=\"x\" 1700000000000",
            0x3002,
        ),
        ("new,a=1 v=1 1700000000000\nm,v=1 w=1 1700000000000", 0x263C),
        ("new,a=1 v=1 1700000000000\nm a=1 1700000000000", 0x263C),
        ("new,a=1 v=1 1700000000000\nn v=1 1700000000000", 0x0603),
        (
            "new,a=1 v=1 1700000000000\nst,a=1 v=1 1700000000000",
            0x3002,
        ),
        ("new,a=1 v=1 1700000000000\nm,a=2 v=2 1", 0x060B),
        ("new,v=1 v=1 1700000000000", 0x263C),
    ] {
        let reply = send(&mut ws, 1, data);
        assert_eq!(reply["code"], code, "{data}: {reply}");
    }
    assert_eq!(rows(addr, "select v from m"), json!([[1]]));
    assert_eq!(columns(addr, "m").len(), 3);
    let names: BTreeSet<String> =
        serde_json::from_value::<Vec<[String; 1]>>(rows(addr, "show stables"))
            .unwrap()
            .into_iter()
            .flatten()
            .collect();
    assert_eq!(names, BTreeSet::from(["m".to_owned(), "st".to_owned()]));
}

#[test]
fn subtables_are_named_by_their_tags_or_by_the_tag_chosen_and_live_their_days() {
    let server = memory();
    let addr = server.addr();
    let mut ws = Ws::login(addr);
    in_database(&mut ws, "");
    put(
        &mut ws,
        1,
        "m,b=2,a=1 v=1 1700000000000\nm,a=1,b=2 v=2 1700000001000\nm,a=1 v=3 1700000000000",
    );
    put(&mut ws, 2, "m.x 1700000000 1 a=1");
    put(&mut ws, 1, "bare v=1 1700000000000");
    let named = json!({"protocol": 1, "precision": "ms", "ttl": 7, "table_name_key": "tn", "data": "m,tn=my.own,a=9 v=4 1700000000000"});
    assert_eq!(ws.ask("insert", named)["code"], 0);
    assert_eq!(
        rows(addr, "select tbname, v from m order by v"),
        json!([
            ["t_72e0cb057ec2f8571f33a481d4f16851", 1],
            ["t_72e0cb057ec2f8571f33a481d4f16851", 2],
            ["t_166473769cb86f9e8ee8e3a91e7e06ed", 3],
            ["my_own", 4],
        ])
    );
    assert_eq!(
        rows(addr, "select distinct tbname from m_x"),
        json!([["t_94743ac5a981d09ed49c31e1e74339e8"]])
    );
    assert_eq!(
        rows(addr, "select tbname, _tag_null from bare"),
        json!([["t_8604aecae9ee64a74c52d4c1965bb0ef", null]])
    );
    assert_eq!(
        rows(
            addr,
            "select ttl from information_schema.ins_tables where table_name = 'my_own'"
        ),
        json!([[7]])
    );
    // a name that a subtable of another super table has
    let taken = json!({"protocol": 1, "precision": "ms", "table_name_key": "tn", "data": "other,tn=my_own v=4 1700000000000"});
    assert_eq!(ws.ask("insert", taken)["code"], 0x0603);
}

#[test]
fn equal_times_overwrite_the_columns_they_name_in_the_order_of_the_lines() {
    let server = memory();
    let addr = server.addr();
    let mut ws = Ws::login(addr);
    in_database(&mut ws, "");
    put(
        &mut ws,
        1,
        "m,a=1 v=1,w=1 1700000000000\nm,a=1 v=2 1700000000000\nm,a=1 v=3,w=3 1700000001000\nm,a=1 v=4,w=4 1700000000000\nm,a=1 w=5 1700000001000",
    );
    assert_eq!(
        rows(addr, "select v, w from m order by _ts"),
        json!([[4, 4], [3, 5]])
    );
}

#[test]
fn times_come_out_in_the_databases_unit() {
    let server = memory();
    let addr = server.addr();
    for (precision, unit, expected) in [
        ("us", "u", 1_700_000_000_123_456_i64),
        ("ns", "u", 1_700_000_000_123_456_000),
        ("ms", "u", 1_700_000_000_123),
    ] {
        let mut ws = Ws::login(addr);
        in_database(&mut ws, &format!("precision '{precision}'"));
        let args = json!({"protocol": 1, "precision": unit, "data": "m,a=1 v=1 1700000000123456"});
        assert_eq!(ws.ask("insert", args)["code"], 0);
        assert_eq!(
            rows(addr, "select cast(_ts as bigint) from m"),
            json!([[expected]])
        );
        ws.run("drop database d");
    }
}

#[test]
fn many_clients_may_make_and_widen_the_same_tables_at_once() {
    let server = memory();
    let addr = server.addr();
    in_database(&mut Ws::login(addr), "");
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            std::thread::spawn(move || {
                let mut ws = Ws::login(addr);
                ws.run("use d");
                for round in 0..20_i64 {
                    let text = "x".repeat(usize::try_from(round * 3).unwrap());
                    let time = 1_700_000_000_000 + round;
                    let data = format!(
                        "m,w={writer} v=1,s=\"{text}\",c{round}=2i64 {time}\nn{round},w={writer} v=1 {time}"
                    );
                    assert_eq!(put(&mut ws, 1, &data), 2);
                }
            })
        })
        .collect();
    for writer in writers {
        writer.join().unwrap();
    }
    assert_eq!(
        rows(addr, "select count(*), sum(v), count(c19) from m"),
        json!([[160, 160, 8]])
    );
    assert_eq!(rows(addr, "select count(*) from n19"), json!([[8]]));
    assert!(columns(addr, "m").contains(&"s VARCHAR 64 ".to_owned()));
}

#[test]
fn what_was_acknowledged_is_there_after_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let args = ["--data-dir", dir.path().to_str().unwrap()];
    let mut program = Program::start(&args);
    let mut ws = Ws::login(program.addr);
    in_database(&mut ws, "");
    put(&mut ws, 1, "m,a=1 v=1 1700000000000");
    put(&mut ws, 1, "m,a=12345678,b=2 v=2,s=\"wide\" 1700000000000");
    program.child.kill().unwrap();
    program.child.wait().unwrap();
    let program = Program::start(&args);
    assert_eq!(
        rows(program.addr, "select v, s, a, b from m order by v"),
        json!([[1, null, "1", null], [2, "wide", "12345678", "2"]])
    );
}

#[test]
fn null_arguments_are_defaults_and_no_database_is_an_error() {
    let server = memory();
    let mut ws = Ws::login(server.addr());
    let args = json!({"protocol": 1, "precision": null, "ttl": null, "table_name_key": null, "data": "m v=1"});
    let reply = ws.ask("insert", args.clone());
    assert_eq!(
        (&reply["code"], &reply["message"]),
        (&json!(9750), &json!("Database not specified"))
    );
    in_database(&mut ws, "");
    assert_eq!(ws.ask("insert", args)["code"], 0);
    let reply = ws.ask("insert", json!({"protocol": 9, "data": "m v=1"}));
    assert_eq!(reply["code"], 0x3000);
    ws.run("use information_schema");
    assert_ne!(send(&mut ws, 1, "m v=1")["code"], 0);
}

#[test]
fn an_older_release_tells_no_total_and_takes_no_name_for_the_table() {
    for (version, total, child) in [
        ("3.3.2.0", Value::Null, "t_2950f355726ef3e3a5d42c569fa8ae1e"),
        ("3.4.1.0", json!(1), "own"),
    ] {
        let server = taos_embedded::Embedded::builder()
            .emulate(version)
            .start_blocking()
            .unwrap();
        let mut ws = Ws::login(server.addr());
        in_database(&mut ws, "");
        let args = json!({"protocol": 1, "precision": "ms", "table_name_key": "tn", "data": "m,tn=own v=1 1700000000000"});
        let reply = ws.ask("insert", args);
        assert_eq!(reply["code"], 0);
        assert_eq!(reply["total_rows"], total, "{reply}");
        assert_eq!(
            rows(server.addr(), "select tbname from m"),
            json!([[child]])
        );
    }
}

#[test]
fn a_table_with_a_json_tag_gets_no_other_tag() {
    let server = memory();
    let mut ws = Ws::login(server.addr());
    in_database(&mut ws, "");
    ws.run("create stable js (_ts timestamp, v double) tags (j json)");
    let reply = send(&mut ws, 1, "js,a=1 v=1 1700000000000");
    assert_eq!(
        (&reply["code"], &reply["message"]),
        (
            &json!(0x2633),
            &json!("Only one tag if there is a json tag")
        ),
        "{reply}"
    );
    assert_eq!(
        columns(server.addr(), "js"),
        ["_ts TIMESTAMP 8 ", "v DOUBLE 8 ", "j JSON 4095 TAG"]
    );
    assert_eq!(put(&mut ws, 1, "js v=1,w=2 1700000000000"), 1);
}

#[test]
fn points_for_a_table_with_a_second_key_have_it() {
    let server = memory();
    let mut ws = Ws::login(server.addr());
    in_database(&mut ws, "");
    ws.run("create stable m (_ts timestamp, k int primary key, v double) tags (a nchar(4))");
    let keyed = "m,a=1 k=1i32,v=1 1700000000000\nm,a=1 k=2i32 1700000000000\n";
    for data in [
        "m,a=1 v=1 1700000000000",
        &format!("{keyed}m,a=1 v=1 1700000000001"),
    ] {
        let reply = send(&mut ws, 1, data);
        assert_eq!(
            (&reply["code"], &reply["message"]),
            (
                &json!(0x0200),
                &json!("Primary key column should not be none")
            ),
            "{data}: {reply}"
        );
    }
    assert_eq!(put(&mut ws, 1, keyed), 2);
    assert_eq!(
        rows(server.addr(), "select k, v from m order by k"),
        json!([[1, 1], [2, null]])
    );
}

#[test]
fn no_table_gets_a_name_with_control_characters() {
    let server = memory();
    let mut ws = Ws::login(server.addr());
    in_database(&mut ws, "");
    ws.run("create stable st (_ts timestamp, v double) tags (a nchar(4))");
    let refused = |reply: Value, name: &str| {
        assert_eq!(
            (&reply["code"], &reply["message"]),
            (
                &json!(0x2617),
                &json!(format!("Invalid identifier name: {name}"))
            ),
            "{reply}"
        );
    };
    for name in ["a\u{1}b", "a\0b", "a\u{7f}"] {
        let args = json!({
            "protocol": 1, "precision": "ms", "table_name_key": "n",
            "data": format!("st,a=1,n={name} v=1 1700000000000"),
        });
        refused(ws.ask("insert", args), name);
        refused(
            send(&mut ws, 1, &format!("{name},a=1 v=1 1700000000000")),
            name,
        );
        for sql in [
            format!("create table `{name}` (ts timestamp, v int)"),
            format!("create table `{name}` using st tags ('x')"),
            format!("insert into `{name}` using st tags ('x') values (now, 1)"),
        ] {
            refused(ws.sql(&sql), name);
        }
    }
    assert_eq!(rows(server.addr(), "show tables"), json!([]));
}
