//! Checks of the published `questdb-rs` crate against the server at TAOS_ADDRESS, `qwp-mock` of the tests; each
//! prints one line, `ok …` or `FAILED …`.
//!
//! The server was written from the same document as the client of this repository. A misreading that both share
//! shows here.

mod queries;
mod rows;

use std::fmt::Debug;
use std::process::ExitCode;

use anyhow::{Result, ensure};
use questdb::egress::column::ColumnView;
use questdb::egress::reader::Reader;

/// A name, and what it claims.
type Check = (&'static str, fn() -> Result<()>);

fn address() -> String {
    std::env::var("TAOS_ADDRESS").unwrap_or_else(|_| "127.0.0.1:9000".to_owned())
}

fn reader() -> Result<Reader> {
    let mut conf = format!("ws::addr={};failover=off;", address());
    // As the client asks for nothing compressed by itself.
    if let Ok(compression) = std::env::var("JUDGE_COMPRESSION") {
        conf += &format!("compression={compression};");
    }
    Ok(Reader::from_conf(conf)?)
}

fn equal<T: PartialEq<U> + Debug, U: Debug>(got: T, expected: U) -> Result<()> {
    ensure!(got == expected, "expected {expected:?}\n     got {got:?}");
    Ok(())
}

/// The rows that were sent for a table, as the server counts them.
fn count(table: &str) -> Result<i64> {
    let mut reader = reader()?;
    let mut cursor = reader.execute(format!("select count() from {table}"))?;
    let mut counted = None;
    while let Some(batch) = cursor.next_batch()? {
        if let (1, ColumnView::Long(column)) = (batch.row_count(), batch.column(0)?) {
            counted = Some(column.value(0));
        }
    }
    counted.ok_or_else(|| anyhow::anyhow!("no count of {table} came"))
}

fn main() -> ExitCode {
    let mut passed = true;
    for (name, check) in [rows::CHECKS, queries::CHECKS].concat() {
        match check() {
            Ok(()) => println!("ok questdb-rs: {name}"),
            Err(error) => {
                passed = false;
                println!("FAILED questdb-rs: {name}\n{error:#}");
            }
        }
    }
    ExitCode::from(u8::from(!passed))
}
