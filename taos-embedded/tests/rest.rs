//! The REST interface, byte for byte where the original's bytes are known.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use support::{basic, http, memory, rest};

#[test]
fn rows_and_updates_have_the_originals_form() {
    let server = memory();
    let addr = server.addr();
    let ask = |path: &str, sql: &str| rest(addr, path, sql);
    assert_eq!(
        ask("/rest/sql/d", "create database d precision 'us'"),
        (
            200,
            r#"{"code":0,"column_meta":[["affected_rows","INT",4]],"data":[[0]],"rows":1}"#.into()
        )
    );
    ask(
        "/rest/sql/d",
        "create table t (ts timestamp, v int, f float, s varchar(10), b varbinary(4))",
    );
    assert_eq!(
        ask(
            "/rest/sql/d",
            r"insert into t values (1700000000000001, 7, 0.1, 'a<b', '\x00ff') (1700000000000002, null, null, null, null)"
        ),
        (
            200,
            r#"{"code":0,"column_meta":[["affected_rows","INT",4]],"data":[[2]],"rows":1}"#.into()
        )
    );
    let meta = r#"{"code":0,"column_meta":[["ts","TIMESTAMP",8],["v","INT",4],["f","FLOAT",4],["s","VARCHAR",10],["b","VARBINARY",4]],"data":["#;
    assert_eq!(
        ask("/rest/sql/d", "select * from t order by ts").1,
        format!(
            r#"{meta}["2023-11-14T22:13:20.000001Z",7,0.1,"a<b","00ff"],["2023-11-14T22:13:20.000002Z",null,null,null,null]],"rows":2}}"#
        )
    );
    assert_eq!(
        ask(
            "/rest/sql?row_with_meta=true&tz=Asia/Tokyo",
            "select ts, v from d.t where v = 7"
        )
        .1,
        r#"{"code":0,"column_meta":[["ts","TIMESTAMP",8],["v","INT",4]],"data":[{"ts":"2023-11-15T07:13:20.000001+09:00","v":7}],"rows":1}"#
    );
    let timed = ask(
        "/rest/sql/d?timing=true&req_id=5",
        "select v from t where v = 8",
    )
    .1;
    assert!(
        timed
            .starts_with(r#"{"code":0,"column_meta":[["v","INT",4]],"data":[],"rows":0,"timing":"#),
        "{timed}"
    );
}

#[test]
fn errors_have_code_and_words_and_the_originals_status() {
    let server = memory();
    let addr = server.addr();
    let sql = |auth: &str, path: &str, body: &str| {
        let (status, body) = http(
            addr,
            &format!("POST {path} HTTP/1.1\r\n{auth}"),
            body.as_bytes(),
        );
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert!(body["timing"].is_u64(), "{body}");
        (
            status,
            body["code"].as_u64().unwrap(),
            body["desc"].as_str().unwrap().to_owned(),
        )
    };
    let root = basic("root", "taosdata");
    assert_eq!(
        sql("X-A: 1", "/rest/sql", "select 1"),
        (401, 0x1105, "no auth info input".into())
    );
    assert_eq!(
        sql("Authorization: Bearer x", "/rest/sql", "select 1").1,
        0x1122
    );
    assert_eq!(
        sql("Authorization: Basic !", "/rest/sql", "select 1").1,
        0x1124
    );
    assert_eq!(
        sql(&basic("root", "wrong"), "/rest/sql", "select 1"),
        (200, 855, "Authentication failure".into())
    );
    assert_eq!(
        sql(&root, "/rest/sql", ""),
        (400, 0x1106, "request is empty".into())
    );
    assert_eq!(
        sql(&root, "/rest/sql", "selec 1"),
        (200, 9728, "syntax error near \"selec 1\"".into())
    );
    assert_eq!(sql(&root, "/rest/sql?req_id=x", "select 1").0, 400);
    assert_eq!(sql(&root, "/rest/sql?conn_tz=No/Where", "select 1").0, 400);
    assert_eq!(sql(&root, "/rest/sql/db/vgid", "[]").0, 404);
    let long = format!("select {}1", " ".repeat(1 << 20));
    assert_eq!(
        sql(&root, "/rest/sql", &long),
        (200, 0x0219, "SQL statement too long".into())
    );
    assert_eq!(sql(&root, "/rest/sql", &"x".repeat(9 << 20)).0, 413);
    assert_eq!(http(addr, "GET /rest/sql HTTP/1.1", b"").0, 405);
    assert_eq!(
        http(addr, "GET /rest/login/root/taosdata HTTP/1.1", b"").0,
        501
    );
}

#[test]
fn the_database_of_the_path_does_not_outlive_its_request() {
    let server = memory();
    let addr = server.addr();
    rest(addr, "/rest/sql", "create database d keep 36500");
    rest(addr, "/rest/sql", "use d");
    let (_, body) = rest(addr, "/rest/sql/d", "select database()");
    assert!(body.contains(r#"[["d"]]"#), "{body}");
    let (_, body) = rest(addr, "/rest/sql", "select database()");
    assert!(body.contains("[[null]]"), "{body}");
}

#[test]
fn a_long_result_is_streamed_whole() {
    let server = memory();
    let addr = server.addr();
    rest(addr, "/rest/sql/d", "create database d keep 36500");
    rest(addr, "/rest/sql/d", "create table t (ts timestamp, v int)");
    for part in 0..3 {
        let rows: String = (0..5000)
            .map(|n| part * 5000 + n)
            .map(|n| format!("({n},{n})"))
            .collect();
        let (_, body) = rest(addr, "/rest/sql/d", &format!("insert into t values {rows}"));
        assert!(body.contains("[[5000]]"), "{body}");
    }
    let (status, body) = rest(addr, "/rest/sql/d", "select * from t order by ts");
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &body["rows"]), (200, &15000.into()));
    for (n, row) in body["data"].as_array().unwrap().iter().enumerate() {
        assert_eq!(row[1], n);
    }
}

#[test]
fn pages_of_other_sites_cannot_run_statements() {
    let server = memory();
    let addr = server.addr();
    let send = |path: &str, more: &str| {
        let login = basic("root", "taosdata");
        let head = format!("POST {path} HTTP/1.1\r\n{login}\r\n{more}");
        http(addr, &head, b"show databases")
    };
    for path in ["/rest/sql", "/console/query"] {
        for more in [
            "Origin: http://evil.example",
            "Origin: null",
            "Sec-Fetch-Site: cross-site",
        ] {
            let (status, body) = send(path, more);
            assert_eq!(status, 403, "{path} {more}: {body}");
        }
        // `test` is the Host of these requests
        for more in ["Origin: http://test", "Sec-Fetch-Site: same-origin"] {
            let (status, body) = send(path, more);
            assert_eq!(status, 200, "{path} {more}: {body}");
            assert!(body.starts_with(r#"{"code":0"#), "{body}");
        }
    }
}
