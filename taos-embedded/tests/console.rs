//! The web console: what its endpoint allows, how its files are served, and the page in a browser.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::net::SocketAddr;

use serde_json::{Value, json};
use support::{basic, http, memory, rest};
use taos_embedded::Embedded;

/// A statement at the console's endpoint as root.
fn ask(addr: SocketAddr, parameters: &str, sql: &str) -> Value {
    let login = basic("root", "taosdata");
    let head = format!("POST /console/query?{parameters} HTTP/1.1\r\n{login}");
    let (_, body) = http(addr, &head, sql.as_bytes());
    serde_json::from_str(&body).unwrap()
}

#[test]
fn only_statements_that_read_are_run() {
    let server = memory();
    let addr = server.addr();
    for sql in [
        "create database d",
        "create table d.t (ts timestamp, v int)",
        "insert into d.t values (1700000000000, 1)",
    ] {
        assert!(
            rest(addr, "/rest/sql", sql).1.starts_with(r#"{"code":0"#),
            "{sql}"
        );
    }
    for sql in [
        "insert into d.t values (now, 2)",
        "insert into d.t select * from d.t",
        "  /* select */ delete from d.t",
        "drop table d.t",
        "drop database d",
        "create database e",
        "create user u pass 'abcDEF12!'",
        "alter table d.t add column w int",
        "create topic p as select * from d.t",
        "use d",
        "flush database d",
    ] {
        let answer = ask(addr, "", sql);
        assert_eq!(answer["code"], 0x0303, "{sql}: {answer}");
    }
    for sql in [
        "select * from d.t",
        "show databases",
        "describe d.t",
        "select v from d.t union all select v from d.t",
    ] {
        let answer = ask(addr, "", sql);
        assert_eq!(answer["code"], 0, "{sql}: {answer}");
    }
    // What stands behind a statement's end is not run, as everywhere.
    ask(addr, "", "select 1; drop database d");
    let left = ask(addr, "db=d", "select count(*) from t");
    assert_eq!(left["data"], json!([["1"]]), "{left}");
}

#[test]
fn results_are_bounded_in_rows_and_bytes_and_say_so() {
    let server = memory();
    let addr = server.addr();
    let run = |sql: &str| {
        let (_, body) = rest(addr, "/rest/sql", sql);
        assert!(body.starts_with(r#"{"code":0"#), "{body}");
    };
    run("create database d keep 36500");
    run("create table d.t (ts timestamp, v bigint, s varchar(16000))");
    for part in 0..4 {
        let rows: String = (part * 3000..(part + 1) * 3000)
            .map(|n| format!("({n},9007199254740993,null)"))
            .collect();
        run(&format!("insert into d.t values {rows}"));
    }
    let shape = |parameters: &str, sql: &str| {
        let answer = ask(addr, parameters, sql);
        let rows = answer["data"].as_array().unwrap().len();
        assert_eq!(answer["rows"], rows, "{}", answer["code"]);
        (rows, answer["cut"].clone())
    };
    let cut = json!("rows");
    let all = "select * from d.t order by ts";
    assert_eq!(shape("", all), (1000, cut.clone()));
    assert_eq!(shape("rows=10000", all), (10_000, cut.clone()));
    assert_eq!(shape("rows=1", all), (1, cut));
    // Exactly as many as may be shown are not cut, also at the end of a block.
    assert_eq!(
        shape("rows=3", "select * from d.t limit 3"),
        (3, Value::Null)
    );
    assert_eq!(
        shape("rows=4096", "select * from d.t limit 4096"),
        (4096, Value::Null)
    );
    assert_eq!(ask(addr, "rows=10001", all)["code"], 0xffff);
    assert_eq!(ask(addr, "rows=0", all)["code"], 0xffff);
    let first = ask(addr, "rows=1", all);
    assert_eq!(
        first["data"][0][1], "9007199254740993",
        "no digit may be lost"
    );

    let text = "x".repeat(16_000);
    for part in 0..10 {
        let rows: String = (part * 50..(part + 1) * 50)
            .map(|n| format!("({n},1,'{text}')"))
            .collect();
        run(&format!("insert into d.t values {rows}"));
    }
    let (rows, cut) = shape("rows=10000", "select * from d.t where v = 1");
    assert_eq!(
        (rows, cut),
        (262, json!("bytes")),
        "the first row beyond 4 MiB is the last"
    );
}

#[test]
fn every_query_needs_a_login_and_no_other_method() {
    let server = memory();
    let addr = server.addr();
    let (status, body) = http(addr, "POST /console/query HTTP/1.1", b"select 1");
    assert_eq!(status, 401, "{body}");
    let login = basic("root", "wrong");
    let (_, body) = http(
        addr,
        &format!("POST /console/query HTTP/1.1\r\n{login}"),
        b"select 1",
    );
    assert!(body.contains(r#""code":855"#), "{body}");
    assert_eq!(http(addr, "GET /console/query HTTP/1.1", b"").0, 405);
    assert_eq!(http(addr, "OPTIONS /console/query HTTP/1.1", b"").0, 405);
}

/// Head and body of a reply, as they came.
fn raw(addr: SocketAddr, head: &str) -> String {
    use std::io::{Read as _, Write as _};
    let mut stream = support::connect(addr);
    write!(stream, "{head}\r\nHost: test\r\nConnection: close\r\n\r\n").unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    reply
}

#[test]
fn browsers_get_the_page_and_others_a_hint() {
    let server = memory();
    let addr = server.addr();
    let page = raw(
        addr,
        "GET / HTTP/1.1\r\nAccept: text/html,application/xml;q=0.9",
    );
    assert!(page.starts_with("HTTP/1.1 200 "), "{page}");
    assert!(page.contains("<title>taos-embedded</title>"));
    let (status, hint) = http(addr, "GET / HTTP/1.1\r\nAccept: */*", b"");
    assert_eq!(status, 404);
    assert!(hint.contains("/rest/sql"), "{hint}");

    let server = Embedded::builder()
        .memory()
        .console(false)
        .start_blocking()
        .unwrap();
    for path in ["/", "/console/main.js"] {
        let head = format!("GET {path} HTTP/1.1\r\nAccept: text/html");
        assert_eq!(http(server.addr(), &head, b"").0, 404, "{path}");
    }
    let query = http(server.addr(), "POST /console/query HTTP/1.1", b"select 1");
    assert_eq!(query.0, 404);
}

#[test]
fn the_page_names_only_files_that_are_there_and_nothing_inline_or_elsewhere() {
    let server = memory();
    let addr = server.addr();
    let mut names = vec!["/".to_owned()];
    let mut seen = 0;
    while let Some(name) = names.get(seen).cloned() {
        seen += 1;
        let reply = raw(addr, &format!("GET {name} HTTP/1.1\r\nAccept: text/html"));
        let (head, body) = reply.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 "), "{name}: {head}");
        assert!(
            head.contains("default-src 'none'; script-src 'self'"),
            "{name}: {head}"
        );
        assert!(
            head.contains("x-content-type-options: nosniff"),
            "{name}: {head}"
        );
        for unsafe_word in ["unsafe-inline", "unsafe-eval", "data:"] {
            assert!(!head.contains(unsafe_word), "{name}: {head}");
        }
        for forbidden in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "style=\"",
            "onclick=\"",
        ] {
            assert!(!body.contains(forbidden), "{name} has {forbidden}");
        }
        let hosts = body.replace("http://www.w3.org/2000/svg", "");
        assert!(
            !hosts.contains("http://") && !hosts.contains("https://"),
            "{name}"
        );
        let linked = body.split(['"', '\'']).filter_map(|text| {
            let local = text
                .strip_prefix("./")
                .map(|file| format!("/console/{file}"));
            local.or_else(|| {
                text.strip_prefix("/console/")
                    .map(|file| format!("/console/{file}"))
            })
        });
        for link in linked.filter(|link| !link.contains("query")) {
            if !names.contains(&link) {
                names.push(link);
            }
        }
    }
    assert!(names.len() >= 9, "{names:?}");
}
