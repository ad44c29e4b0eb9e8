//! Checks of the published `taos` crate against the server at TAOS_ADDRESS; each prints one line, `ok …` or `FAILED …`.

mod consumers;
mod lines;
mod queries;
mod statements;

use std::fmt::Debug;
use std::pin::Pin;
use std::process::ExitCode;

use anyhow::{Result, ensure};
use taos::taos_query::common::Timestamp;
use taos::*;

type Body = fn() -> Pin<Box<dyn Future<Output = Result<()>> + Send>>;

/// A name, and what it claims as a future.
#[derive(Clone, Copy)]
struct Check(&'static str, Body);

/// One entry of a table of checks.
macro_rules! check {
    ($name:literal, $function:path) => {
        crate::Check($name, || Box::pin($function()))
    };
}
use check;

fn address() -> String {
    std::env::var("TAOS_ADDRESS").unwrap_or_else(|_| "127.0.0.1:6041".to_owned())
}

async fn connect(database: &str) -> Result<Taos> {
    let dsn = format!("ws://root:taosdata@{}/{database}", address());
    Ok(TaosBuilder::from_dsn(dsn)?.build().await?)
}

fn equal<T: PartialEq<U> + Debug, U: Debug>(got: T, expected: U) -> Result<()> {
    ensure!(got == expected, "expected {expected:?}\n     got {got:?}");
    Ok(())
}

/// The error's text must have these words in it.
fn refused<T>(outcome: Result<T>, words: &[&str]) -> Result<()> {
    let Err(error) = outcome else {
        anyhow::bail!("it was not refused");
    };
    let text = format!("{error:#}");
    for word in words {
        ensure!(text.contains(word), "the error lacks {word:?}: {text}");
    }
    Ok(())
}

/// Reads everything.
async fn rows(taos: &Taos, sql: &str) -> Result<Vec<Vec<Value>>> {
    Ok(taos.query(sql).await?.to_records().await?)
}

/// A time of the tests: so many milliseconds after their first.
fn at(milliseconds: i64) -> Value {
    Value::Timestamp(Timestamp::Milliseconds(1_700_000_000_000 + milliseconds))
}

fn text(value: &str) -> Value {
    Value::VarChar(value.to_owned())
}

fn nchar(value: &str) -> Value {
    Value::NChar(value.to_owned())
}

/// Starts checks side by side and tells of each; whether all passed.
async fn run(checks: &[Check]) -> bool {
    // A panic of the client ends its task, not the run.
    let running: Vec<_> = checks
        .iter()
        .map(|Check(name, body)| (name, tokio::spawn(body())))
        .collect();
    let mut passed = true;
    for (name, task) in running {
        match task.await {
            Ok(Ok(())) => println!("ok taos 0.12: {name}"),
            outcome => {
                passed = false;
                println!("FAILED taos 0.12: {name}");
                match outcome {
                    Ok(Err(error)) => println!("{error:#}"),
                    Err(panic) => println!("{panic}"),
                    Ok(Ok(())) => {}
                }
            }
        }
    }
    passed
}

#[tokio::main]
async fn main() -> ExitCode {
    let mut passed = true;
    let one_by_one = [
        queries::CHECKS,
        statements::CHECKS,
        lines::CHECKS,
        consumers::PREPARATION,
    ];
    for check in one_by_one.concat() {
        passed &= run(&[check]).await;
    }
    // The client's requests wait for delayed acknowledgements, some forty milliseconds each.
    passed &= run(consumers::CHECKS).await;
    ExitCode::from(u8::from(!passed))
}
