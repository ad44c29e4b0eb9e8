//! The web console: what its endpoint allows, how its files are served, and the page in a browser.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod browser;
#[path = "../support/mod.rs"]
mod support;

use std::net::SocketAddr;

use browser::Browser;
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
        "alter user root pass 'abcDEF12!'",
        "  /* select */ delete from d.t",
        "drop table d.t",
        "drop database d",
        "create database e",
        "create user u pass 'abcDEF12!'",
        "alter table d.t add column w int",
        "create topic p as select * from d.t",
        "use d",
        "flush database d",
        "compact database d",
        "kill query 1",
        "grant all on d.* to root",
    ] {
        let answer = ask(addr, "", sql);
        assert_eq!(answer["code"], 0x0303, "{sql}: {answer}");
    }
    for sql in [
        "select * from d.t",
        "show databases",
        "describe d.t",
        "explain select * from d.t",
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

const HOSTILE: &str = "<img src=x onerror=hacked()>";

/// A server with something to look at, and with names and values that would like to be markup.
fn furnished() -> Embedded {
    let server = memory();
    let rows: String = (0..120)
        .map(|n| {
            let wave = f64::from(n % 24) - 12.0;
            format!(
                "({},{wave},{})",
                1_700_000_000_000_i64 + i64::from(n) * 60_000,
                220 + n % 7
            )
        })
        .collect();
    for sql in [
        "create database power keep 36500",
        "create table power.meters (ts timestamp, current double, voltage int) tags (location varchar(64))",
        &format!("insert into power.d0 using power.meters tags ('Oslo') values {rows}"),
        &format!(
            "insert into power.d1 using power.meters tags ('{HOSTILE}') values (1700000000000, 1, 1)"
        ),
        &format!("create table power.`{HOSTILE}` (ts timestamp, `<b>bold` nchar(64))"),
        &format!("insert into power.`{HOSTILE}` values (1700000000000, '{HOSTILE}')"),
    ] {
        let (_, body) = rest(server.addr(), "/rest/sql", sql);
        assert!(body.starts_with(r#"{"code":0"#), "{sql}: {body}");
    }
    server
}

/// Says why a test is not run, where `cargo xtask test` counts it.
fn skipped(test: &str, why: &str) {
    use std::io::Write as _;
    let line = format!("skipped {test}: {why}\n");
    let file = std::env::var_os("TAOS_TEST_SKIPS")
        .and_then(|path| std::fs::File::options().append(true).open(path).ok());
    // Nobody to tell is no reason to fail.
    let _ = match file {
        Some(mut file) => file.write_all(line.as_bytes()),
        None => std::io::stderr().write_all(line.as_bytes()),
    };
}

fn log_in(page: &mut Browser, password: &str) {
    page.eval(&format!(
        "document.querySelector('#password').value = {};
         document.querySelector('#login').requestSubmit()",
        json!(password)
    ));
}

/// Types a statement and runs it by the keyboard.
fn run(page: &mut Browser, sql: &str) {
    let sql = json!(sql);
    page.eval(&format!(
        "document.querySelector('#status').textContent = '';
         document.querySelector('#error').textContent = '';
         document.querySelector('#sql').value = {sql};
         document.querySelector('#sql').focus()"
    ));
    page.key("Enter", 2);
    page.until(
        "(document.querySelector('#status').textContent + document.querySelector('#error').textContent) \
         .replace('running …', '') !== ''",
    );
}

fn cells(page: &mut Browser) -> Value {
    page.eval("[...document.querySelectorAll('#table td')].map(cell => cell.textContent)")
}

#[test]
fn a_browser_logs_in_looks_around_and_draws_a_chart() {
    const NAME: &str = "a_browser_logs_in_looks_around_and_draws_a_chart";
    let Some(program) = browser::find() else {
        return skipped(NAME, "no Chromium on PATH or in CHROME_BIN");
    };
    let server = furnished();
    let mut page = Browser::start(&program);
    page.open(&format!("http://{}/", server.addr()));
    log_in(&mut page, "wrong");
    page.until("document.querySelector('#login-error').textContent.includes('[0x0357]')");
    log_in(&mut page, "taosdata");
    page.until("document.querySelectorAll('#tree summary').length >= 3");
    page.picture("console-login.png");

    the_tree_opens_down_to_columns(&mut page);
    a_query_shows_rows_types_and_a_chart(&mut page);
    names_and_values_stay_text(&mut page);
    refusals_are_told_with_their_code(&mut page);

    let unnamed = ["button", "textbox", "combobox", "tab", "image"];
    for (role, name) in page.accessible() {
        assert!(
            !unnamed.contains(&role.as_str()) || !name.is_empty(),
            "a {role} has no name"
        );
    }
    assert_eq!(page.complaints(), Vec::<String>::new());
}

fn the_tree_opens_down_to_columns(page: &mut Browser) {
    let open = |name: &str| {
        format!(
            "[...document.querySelectorAll('#tree summary')] \
             .find(line => line.firstChild.textContent === {}).click()",
            json!(name)
        )
    };
    let shown = |text: &str| {
        format!(
            "document.querySelector('#tree').textContent.includes({})",
            json!(text)
        )
    };
    page.eval(&open("power"));
    page.until(&shown("meters"));
    page.eval(&open("meters"));
    page.until(&shown("VARCHAR(64)tag"));
    page.eval(&open("tables of it"));
    page.until(&shown("d1"));
    page.eval(&open("d0"));
    page.until("document.querySelectorAll('#tree .column').length >= 8");
    page.picture("console-tree.png");
}

fn a_query_shows_rows_types_and_a_chart(page: &mut Browser) {
    run(
        page,
        "select ts, current, voltage, location from power.meters where tbname = 'd0' order by ts",
    );
    let heads =
        page.eval("[...document.querySelectorAll('#table th')].map(head => head.textContent)");
    assert_eq!(
        heads,
        json!([
            "tsTIMESTAMP",
            "currentDOUBLE",
            "voltageINT",
            "locationVARCHAR(64)"
        ])
    );
    let first = cells(page);
    assert_eq!(first.as_array().unwrap().len(), 480);
    assert_eq!(first[0], "2023-11-14T22:13:20.000Z");
    assert_eq!(first[2], "220");
    page.picture("console-table.png");

    page.eval("document.querySelector('#tab-chart').click()");
    page.until("document.querySelectorAll('#chart path.line').length === 2");
    let path = page.eval("document.querySelector('#chart path.s0').getAttribute('d')");
    let path = path.as_str().unwrap();
    assert!(
        path.starts_with('M') && path.matches('L').count() == 119,
        "{path}"
    );
    assert!(!path.contains("NaN"), "{path}");
    page.point_at("#chart svg");
    page.until(
        "document.querySelector('.readout p:nth-child(3)')?.textContent.startsWith('voltage: 2')",
    );
    page.picture("console-chart.png");
    page.eval("document.querySelector('.legend button').click()");
    page.until("document.querySelectorAll('#chart path.line').length === 1");
    page.eval("document.querySelector('.legend button').click()");

    let dark = json!({"features": [{"name": "prefers-color-scheme", "value": "dark"}]});
    let ground = "getComputedStyle(document.body).backgroundColor";
    let light = page.eval(ground);
    page.call("Emulation.setEmulatedMedia", dark);
    assert_ne!(page.eval(ground), light);
    page.picture("console-dark.png");
    page.call("Emulation.setEmulatedMedia", json!({"features": []}));
    page.eval("document.querySelector('#tab-table').click()");
}

fn names_and_values_stay_text(page: &mut Browser) {
    page.eval("window.hacked = () => { window.wasHacked = true; }");
    let name = json!(format!("Show rows of {HOSTILE}"));
    page.eval(&format!(
        "[...document.querySelectorAll('#tree .look')] \
         .find(button => button.ariaLabel === {name}).click()"
    ));
    page.until(
        "document.querySelector('#table th:nth-child(2)')?.firstChild.textContent === '<b>bold'",
    );
    assert_eq!(cells(page)[1], HOSTILE);
    run(
        page,
        "select distinct location from power.meters order by location",
    );
    assert_eq!(cells(page)[0], HOSTILE);
    // As the name of a line, too.
    run(
        page,
        &format!("select ts, current as `{HOSTILE}` from power.d0"),
    );
    page.eval("document.querySelector('#tab-chart').click()");
    page.until("document.querySelectorAll('.legend button').length === 1");
    page.point_at("#chart svg");
    page.until("document.querySelector('.readout p:nth-child(2)') !== null");
    assert_eq!(
        page.eval("document.querySelector('.legend').textContent"),
        HOSTILE
    );
    run(page, &format!("select `{HOSTILE}` from power.nowhere"));
    assert_eq!(
        page.eval("document.images.length + document.querySelectorAll('b').length"),
        0
    );
    assert_eq!(page.eval("window.wasHacked === undefined"), true);
    page.eval("document.querySelector('#tab-table').click()");
}

fn refusals_are_told_with_their_code(page: &mut Browser) {
    for (sql, code) in [
        ("drop database power", "[0x0303]"),
        ("insert into power.d0 values (now, 1, 1)", "[0x0303]"),
        ("selec 1", "[0x2600]"),
        ("select * from power.nowhere", "[0x2603]"),
    ] {
        run(page, sql);
        let error = page.eval("document.querySelector('#error').textContent");
        assert!(error.as_str().unwrap().starts_with(code), "{sql}: {error}");
    }
    page.picture("console-error.png");
    page.eval("document.querySelector('#rows').value = '100'");
    run(page, "select * from power.d0");
    let status = page.eval("document.querySelector('#status').textContent");
    let status = status.as_str().unwrap();
    assert!(
        status.starts_with("100 rows") && status.contains("there are more"),
        "{status}"
    );
}
