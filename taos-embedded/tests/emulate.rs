//! The server as another release: what that one does not know is unknown here too.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use serde_json::{Value, json};
use support::{Program, Ws};
use taos_embedded::Embedded;
use taos_ws::protocol::{Reply, encode_query, encode_validate_sql};

fn emulating(version: &str) -> Embedded {
    Embedded::builder()
        .emulate(version)
        .start_blocking()
        .unwrap()
}

/// The reply to a binary request that the release may not know.
fn sent(ws: &mut Ws, frame: impl Into<bytes::Bytes>) -> Value {
    ws.send_binary(frame);
    ws.receive_json()
}

#[test]
fn every_place_that_tells_a_version_tells_the_emulated_one() {
    for (version, in_conn) in [("3.2.3.0", false), ("3.3.2.0", false), ("3.4.1.0", true)] {
        let server = emulating(version);
        let mut ws = Ws::open(server.addr());
        assert_eq!(ws.ask("version", json!({}))["version"], version);
        let login = ws.ask("conn", json!({"user": "root", "password": "taosdata"}));
        assert_eq!(login["code"], 0);
        let expected = if in_conn { json!(version) } else { Value::Null };
        assert_eq!(login["version"], expected, "{login}");
        let info = ws.ask("get_server_info", json!({}));
        assert!(
            info["info"]
                .as_str()
                .unwrap()
                .starts_with(&format!("ver:{version}\n"))
        );
        let (_, body) = support::rest(server.addr(), "/rest/sql", "select server_version()");
        assert!(body.contains(&format!("[[\"{version}\"]]")), "{body}");
    }
}

#[test]
fn requests_that_came_later_are_unknown_whatever_their_arguments() {
    let server = emulating("3.2.3.0");
    let mut ws = Ws::login(server.addr());
    for frame in [
        encode_query(7, "select 1").unwrap(),
        encode_validate_sql(7, "select 1").unwrap(),
    ] {
        let reply = sent(&mut ws, frame.clone());
        let code = frame.get(16).unwrap();
        assert_eq!(
            (&reply["code"], &reply["action"], &reply["message"]),
            (
                &json!(65535),
                &json!("unknown"),
                &json!(format!("unknown binary action {code}"))
            )
        );
        assert_eq!(reply["req_id"], 7);
    }
    for (action, args) in [
        ("options_connection", json!({"options": []})),
        ("options_connection", json!({"options": 5})),
        ("check_server_status", json!({})),
        ("stmt2_init", json!({})),
        ("stmt2_bind", json!({})),
    ] {
        let reply = ws.ask(action, args);
        assert_eq!(reply["code"], 65535, "{reply}");
        assert_eq!(reply["message"], format!("unknown action {action}"));
    }
}

#[test]
fn the_oldest_release_still_answers_queries_by_its_three_requests() {
    let server = emulating("3.2.3.0");
    let mut ws = Ws::login(server.addr());
    for sql in [
        "create database d",
        "create table d.t (ts timestamp, v int)",
        "insert into d.t values (1700000000000, 5)",
    ] {
        assert_eq!(ws.ask("query", json!({"sql": sql}))["code"], 0, "{sql}");
    }
    let reply = ws.ask("query", json!({"sql": "select * from d.t"}));
    assert_eq!(reply["fields_names"], json!(["ts", "v"]));
    assert!(reply.get("fields_precisions").is_none(), "{reply}");
    let id = &reply["id"];
    let step = ws.ask("fetch", json!({"id": id}));
    assert_eq!(
        (&step["completed"], &step["rows"]),
        (&json!(false), &json!(1))
    );
    ws.send_text(json!({"action": "fetch_block", "args": {"req_id": 9, "id": id}}).to_string());
    assert!(matches!(ws.receive_reply(), Reply::OldBlock(_)));
    assert_eq!(ws.ask("fetch", json!({"id": id}))["completed"], true);
}

#[test]
fn the_zone_in_a_login_is_a_member_that_old_releases_do_not_read() {
    for (version, hour) in [("3.3.2.0", 0), ("3.4.1.0", 8)] {
        let server = emulating(version);
        let mut ws = Ws::open(server.addr());
        let login = json!({"user": "root", "password": "taosdata", "tz": "Asia/Shanghai"});
        assert_eq!(ws.ask("conn", login)["code"], 0);
        for sql in [
            "create database d",
            "create table d.t (ts timestamp, v int)",
            "insert into d.t values ('2023-11-15 00:00:00', 1)",
        ] {
            ws.run(sql);
        }
        let ticks = 1_700_006_400_000_i64 - hour * 3_600_000;
        let (_, body) = support::rest(
            server.addr(),
            "/rest/sql",
            "select cast(ts as bigint) from d.t",
        );
        assert!(body.contains(&format!("[[{ticks}]]")), "{version}: {body}");
    }
}

#[test]
fn the_program_takes_the_release_and_a_wrong_one_is_refused() {
    let program = Program::start(&["--memory", "--emulate", "3.3.2.0"]);
    let mut ws = Ws::open(program.addr);
    ws.send_text(r#"{"action":"version"}"#);
    assert_eq!(ws.receive_json()["version"], "3.3.2.0");
    let error = Embedded::builder()
        .emulate("3.9")
        .start_blocking()
        .unwrap_err();
    assert!(error.to_string().contains("3.9"), "{error}");
}

#[test]
fn results_of_statements_tell_precisions_where_those_of_queries_do() {
    for (version, told) in [("3.2.3.0", false), ("3.3.7.5", true)] {
        let server = emulating(version);
        let mut ws = Ws::login(server.addr());
        let id = ws.ask("init", json!({}))["stmt_id"].clone();
        ws.ask("prepare", json!({"stmt_id": id, "sql": "select 1"}));
        assert_eq!(ws.ask("exec", json!({"stmt_id": id}))["code"], 0);
        let result = ws.ask("use_result", json!({"stmt_id": id}));
        assert_eq!(result["fields_count"], 1, "{result}");
        for member in ["fields_precisions", "fields_scales"] {
            assert_eq!(result.get(member).is_some(), told, "{version}: {result}");
        }
    }
}

#[test]
fn the_result_of_an_insert_is_refused_by_new_releases_and_has_no_columns_in_old_ones() {
    for (version, code) in [("3.3.7.5", 0), ("3.4.1.0", 65535)] {
        let server = emulating(version);
        let mut ws = Ws::login(server.addr());
        ws.run("create database d");
        ws.run("create table d.t (ts timestamp, v int)");
        let id = ws.ask("stmt2_init", json!({}))["stmt_id"].clone();
        let sql = "insert into d.t values (1700000000000, 1)";
        ws.ask("stmt2_prepare", json!({"stmt_id": id, "sql": sql}));
        assert_eq!(ws.ask("stmt2_exec", json!({"stmt_id": id}))["code"], 0);
        let result = ws.ask("stmt2_result", json!({"stmt_id": id}));
        assert_eq!(result["code"], code, "{version}: {result}");
        if code == 0 {
            assert_eq!(result["fields_count"], 0, "{result}");
        } else {
            assert_eq!(result["message"], "stmt is insert, no result set");
        }
    }
}

#[test]
fn new_releases_tell_who_is_logged_in() {
    let server = emulating("3.4.1.0");
    let mut ws = Ws::login(server.addr());
    let reply = ws.ask("get_connection_info", json!({"info": 0}));
    assert_eq!(
        (&reply["code"], &reply["info"]),
        (&json!(0), &json!("root"))
    );
    let reply = ws.ask("get_connection_info", json!({"info": 9}));
    assert_eq!(reply["code"], 0x0118, "{reply}");
    let server = emulating("3.3.7.5");
    let reply = Ws::login(server.addr()).ask("get_connection_info", json!({"info": 0}));
    assert_eq!(reply["message"], "unknown action get_connection_info");
}
