//! `/metrics`, read as Prometheus reads it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr};

use support::{Ws, basic, http, memory, rest};
use taos_embedded::Embedded;

/// Samples by name with labels.
type Samples = BTreeMap<String, f64>;

/// Reads the exposition format and checks what a scraper checks: every sample belongs to the family
/// declared above it, no family and no sample stands there twice.
fn parse(page: &str) -> Samples {
    let mut samples = Samples::new();
    let mut families = BTreeSet::new();
    let mut family = (String::new(), String::new());
    let mut helped = String::new();
    assert!(page.ends_with('\n'));
    for line in page.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, words) = help.split_once(' ').unwrap();
            assert!(!words.is_empty(), "{line}");
            helped = name.to_owned();
            continue;
        }
        if let Some(declared) = line.strip_prefix("# TYPE ") {
            let (name, kind) = declared.split_once(' ').unwrap();
            assert_eq!(name, helped, "{line}");
            assert!(families.insert(name.to_owned()), "{name} is declared twice");
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            family = (name.to_owned(), kind.to_owned());
            continue;
        }
        let (sample, value) = line.rsplit_once(' ').unwrap();
        let name = sample.split('{').next().unwrap();
        let suffix = name
            .strip_prefix(&family.0)
            .unwrap_or_else(|| panic!("{line} does not belong to {}", family.0));
        match family.1.as_str() {
            "histogram" => assert!(["_bucket", "_sum", "_count"].contains(&suffix), "{line}"),
            _ => assert_eq!(suffix, "", "{line}"),
        }
        if let Some(labels) = sample
            .strip_prefix(name)
            .filter(|labels| !labels.is_empty())
        {
            let labels = labels.strip_prefix('{').unwrap().strip_suffix('}').unwrap();
            for label in labels.split(',') {
                let (label, value) = label.split_once('=').unwrap();
                assert!(label.bytes().all(|b| b.is_ascii_lowercase()), "{line}");
                let value = value.strip_prefix('"').unwrap().strip_suffix('"').unwrap();
                assert!(!value.contains(['"', '\\', '\n']), "{line}");
            }
        }
        let value = value.parse().unwrap_or_else(|_| panic!("{line}"));
        let earlier = samples.insert(sample.to_owned(), value);
        assert_eq!(earlier, None, "{sample} stands there twice");
    }
    samples
}

fn scrape(addr: SocketAddr) -> Samples {
    let (status, page) = http(addr, "GET /metrics HTTP/1.1", b"");
    assert_eq!(status, 200, "{page}");
    parse(&page)
}

#[test]
fn what_was_done_is_what_is_counted() {
    let server = memory();
    let addr = server.addr();
    let before = scrape(addr);
    for sql in [
        "create database d",
        "create table d.t (ts timestamp, v int)",
        "insert into d.t values (now, 1) (now + 1s, 2) (now + 2s, 3)",
        "select * from d.t",
        "select * from d.t where v > 1",
        "delete from d.t where ts < now - 1d",
        "selec 1",
        "select * from d.nowhere",
        "select * from d.nowhere",
    ] {
        rest(addr, "/rest/sql", sql);
    }
    let mut ws = Ws::login(addr);
    let lines = serde_json::json!({"protocol": 1, "precision": "ms", "data": "m,a=b v=1 1700000000000", "ttl": 0});
    ws.run("use d");
    assert_eq!(ws.ask("insert", lines)["code"], 0);
    let after = scrape(addr);
    let grown = |sample: &str| {
        let of = |samples: &Samples| samples.get(sample).copied().unwrap_or(0.0);
        of(&after) - of(&before)
    };
    for (sample, by) in [
        (r#"taos_statements_total{kind="create",outcome="ok"}"#, 2.0),
        (r#"taos_statements_total{kind="insert",outcome="ok"}"#, 1.0),
        (r#"taos_statements_total{kind="select",outcome="ok"}"#, 2.0),
        (
            r#"taos_statements_total{kind="select",outcome="error"}"#,
            2.0,
        ),
        (r#"taos_statements_total{kind="delete",outcome="ok"}"#, 1.0),
        (r#"taos_statements_total{kind="use",outcome="ok"}"#, 1.0),
        (
            r#"taos_statements_total{kind="schemaless",outcome="ok"}"#,
            1.0,
        ),
        (
            r#"taos_statements_total{kind="unreadable",outcome="error"}"#,
            1.0,
        ),
        (r#"taos_statement_errors_total{code="0x2600"}"#, 1.0),
        (r#"taos_statement_errors_total{code="0x2603"}"#, 2.0),
        (r#"taos_statement_seconds_count{class="read"}"#, 4.0),
        (
            r#"taos_statement_seconds_bucket{class="read",le="+Inf"}"#,
            4.0,
        ),
        (r#"taos_statement_seconds_count{class="write"}"#, 3.0),
        ("taos_rows_written_total", 4.0),
        ("taos_rows_deleted_total", 0.0),
        ("taos_rows_read_total", 5.0),
        (r#"taos_sessions{path="/ws"}"#, 1.0),
        (r#"taos_sessions_begun_total{path="/ws"}"#, 1.0),
    ] {
        assert!(
            (grown(sample) - by).abs() < 1e-9,
            "{sample}: {}",
            grown(sample)
        );
    }
    for sample in [
        "taos_commits_total",
        "taos_log_entries",
        "taos_log_appended_bytes_total",
        "taos_uptime_seconds",
        r#"taos_statement_seconds_sum{class="write"}"#,
        r#"taos_store_bytes{file="taos.db-wal"}"#,
    ] {
        assert!(grown(sample) > 0.0, "{sample}");
    }
    assert!(after["taos_connections"] >= 2.0);
}

#[test]
fn buckets_never_shrink_towards_the_longer_times_and_end_at_the_count() {
    let server = memory();
    for _ in 0..5 {
        rest(server.addr(), "/rest/sql", "select 1");
    }
    let (_, page) = http(server.addr(), "GET /metrics HTTP/1.1", b"");
    let of = |line: &&str| line.starts_with(r#"taos_statement_seconds_bucket{class="read""#);
    let counts: Vec<f64> = page
        .lines()
        .filter(of)
        .map(|line| line.rsplit_once(' ').unwrap().1.parse().unwrap())
        .collect();
    assert!(counts.len() > 10 && counts.is_sorted(), "{counts:?}");
    let count = parse(&page)[r#"taos_statement_seconds_count{class="read"}"#];
    assert_eq!(counts.last(), Some(&count));
}

#[test]
fn figures_are_free_on_loopback_and_ask_for_a_login_elsewhere() {
    let server = memory();
    assert_eq!(http(server.addr(), "GET /metrics HTTP/1.1", b"").0, 200);
    assert_eq!(http(server.addr(), "POST /metrics HTTP/1.1", b"").0, 405);

    let builder = Embedded::builder().memory().password("s3cret");
    let server = builder
        .listen(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)))
        .start_blocking()
        .unwrap();
    let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, server.addr().port()));
    let ask = |login: &str| http(addr, &format!("GET /metrics HTTP/1.1\r\n{login}"), b"");
    assert_eq!(ask("X-None: 1").0, 401);
    assert_eq!(ask(&basic("root", "taosdata")).0, 401);
    let (status, page) = ask(&basic("root", "s3cret"));
    assert_eq!(status, 200);
    let samples = parse(&page);
    assert!((samples["taos_logins_refused_total"] - 1.0).abs() < 1e-9);
    assert!((samples["taos_passwords_computed_total"] - 2.0).abs() < 1e-9);

    // A browser that was asked for a login would add it to what other sites' pages send here.
    let mut stream = support::connect(addr);
    write!(
        stream,
        "GET /metrics HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    assert!(!answer.to_ascii_lowercase().contains("www-authenticate"));
}
