//! Names at the edge of what is allowed, read back from the server.

use serde_json::json;
use taos::questdb::ErrorCode;
use taos::questdb::ingress::{Buffer, ColumnName, Sender, TableName, TimestampNanos};
use taos_tests::questdb::{Servers, exec};

use crate::settles;

const AT: TimestampNanos = TimestampNanos::new(1_700_000_000_000_000_000);

/// Writes a row of this table and column in every version and over both transports.
fn round_trip(servers: &Servers, table: &str, column: &str) -> anyhow::Result<()> {
    let (http, tcp) = (servers.plain.http, servers.plain.tcp);
    let confs = [
        format!("http::addr={http};protocol_version=1;"),
        format!("http::addr={http};protocol_version=2;"),
        format!("http::addr={http};"),
        format!("tcp::addr={tcp};protocol_version=3;"),
    ];
    for conf in &confs {
        let mut sender = Sender::from_conf(conf)?;
        let mut buffer = sender.new_buffer();
        buffer
            .table(table)?
            .symbol("s", "x")?
            .column_i64(column, 7)?
            .at(AT)?;
        sender.flush(&mut buffer)?;
    }
    let rows = json!(vec![json!([7, "x"]); confs.len()]);
    settles(
        http,
        &format!("select \"{column}\", s from \"{table}\""),
        &rows,
    )
}

#[test]
#[ignore = "needs QuestDB: cargo xtask test"]
fn names_with_spaces_signs_and_letters_of_any_script_arrive() -> anyhow::Result<()> {
    let Some(servers) = Servers::of_this_run() else {
        return Ok(());
    };
    for (table, column) in [
        ("names with spaces", "col umn"),
        ("names=signs;&#[]", "a=b;c&d#[e]"),
        ("names-dash.dot", "under_score"),
        ("имена", "数据"),
        ("naïve 😀", "größe €"),
    ] {
        round_trip(&servers, table, column)?;
    }
    Ok(())
}

#[test]
#[ignore = "needs QuestDB: cargo xtask test"]
fn a_name_of_127_bytes_arrives_and_one_of_128_is_refused_at_once() -> anyhow::Result<()> {
    let Some(servers) = Servers::of_this_run() else {
        return Ok(());
    };
    let longest = "n".repeat(127);
    // 127 bytes are fewer letters where a letter takes two.
    let wide = format!("{}x", "ü".repeat(63));
    round_trip(&servers, &longest, &wide)?;
    let sender = Sender::from_conf(format!("http::addr={};", servers.plain.http))?;
    assert_eq!(sender.max_name_len(), 127, "as the server says");
    let mut buffer = sender.new_buffer();
    for long in ["n".repeat(128), "ü".repeat(64)] {
        let error = buffer.table(long.as_str()).unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidName);
        assert!(error.msg().contains("127"), "{error}");
        buffer.table("names_short")?;
        let error = buffer.column_i64(long.as_str(), 1).unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidName);
        buffer.clear();
    }
    Ok(())
}

#[test]
#[ignore = "needs QuestDB: cargo xtask test"]
fn names_that_the_client_refuses_are_refused_by_the_server_too() -> anyhow::Result<()> {
    let Some(servers) = Servers::of_this_run() else {
        return Ok(());
    };
    let http = servers.plain.http;
    let mut sender = Sender::from_conf(format!("http::addr={http};"))?;
    for name in ["it's", "say \"hi\"", "two\nlines", "a/b", "why?", ""] {
        assert!(TableName::new(name).is_err(), "{name:?}");
        assert!(ColumnName::new(name).is_err(), "{name:?}");
        let mut buffer = sender.new_buffer();
        let before = buffer.as_bytes().to_vec();
        assert_eq!(
            buffer.table(name).unwrap_err().code(),
            ErrorCode::InvalidName
        );
        assert_eq!(buffer.as_bytes(), before, "the buffer is as it was");
        if name.is_empty() {
            continue;
        }
        // Past the check, the server judges, and the sender goes on.
        buffer
            .table(TableName::new_unchecked(name))?
            .column_i64("n", 1)?
            .at(AT)?;
        let error = sender.flush(&mut buffer).unwrap_err();
        assert_eq!(error.code(), ErrorCode::ServerFlushError, "{name:?}");
    }
    let mut buffer: Buffer = sender.new_buffer();
    buffer.table("names_after")?.column_i64("n", 1)?.at(AT)?;
    sender.flush(&mut buffer)?;
    settles(http, "select n from names_after", &json!([[1]]))
}

#[test]
#[ignore = "needs QuestDB: cargo xtask test"]
fn names_differ_by_more_than_case() -> anyhow::Result<()> {
    let Some(servers) = Servers::of_this_run() else {
        return Ok(());
    };
    let http = servers.plain.http;
    let mut sender = Sender::from_conf(format!("http::addr={http};"))?;
    let mut buffer = sender.new_buffer();
    for (table, column) in [("names_case", "Value"), ("NAMES_CASE", "vALUE")] {
        buffer.table(table)?.column_i64(column, 1)?.at(AT)?;
    }
    assert!(!buffer.transactional(), "to the buffer they are two");
    sender.flush(&mut buffer)?;
    settles(http, "select value from names_case", &json!([[1], [1]]))?;
    assert_eq!(exec(http, "select * from names_case")?.types().len(), 2);
    Ok(())
}
