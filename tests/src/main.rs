//! The program that tests start in order to kill it.
//!
//! - `taos-test-process serve DIR`: an embedded server that prints `listening on IP:PORT`.
//! - `taos-test-process questdb JAR DIR`: two QuestDB servers, one of them guarded, until standard input
//!   ends; prints `listening on ` and what [`taos_tests::questdb::VARIABLE`] takes.
//! - `taos-test-process guard PROGRAM ARGUMENTS...`: the program, which ends with standard input.
//! - `taos-test-process crowd DSN SIZE`: so many connections and queries at once as [`Size`] says in JSON;
//!   prints the [`Figures`](taos_tests::crowd::Figures).
//! - `taos-test-process consume messages|records DSN TOPIC`: a member of a consumer group that prints
//!   what it was given and what was committed, each line before its next step.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use taos::*;
use taos_embedded::Embedded;
use taos_tests::crowd::Size;
use taos_tests::process::{Event, Line};
use taos_tests::questdb::{Instance, Servers, guard};

#[derive(Debug, Deserialize)]
struct Row {
    n: i64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["serve", directory] => serve(directory).await,
        ["questdb", jar, directory] => questdb(Path::new(jar), Path::new(directory)),
        ["guard", program, arguments @ ..] => guard(program, arguments),
        ["crowd", dsn, size] => {
            let size: Size = serde_json::from_str(size)?;
            let figures = taos_tests::crowd::run(dsn, size).await?;
            let mut out = std::io::stdout().lock();
            writeln!(out, "{}", serde_json::to_string(&figures)?)?;
            Ok(())
        }
        ["consume", how, dsn, topic] => {
            let consumed = match *how {
                "messages" => messages(dsn, topic).await,
                "records" => records(dsn, topic).await,
                _ => anyhow::bail!("there are messages and records, not {how}"),
            };
            if let Err(error) = &consumed {
                tell(Event::Failed(format!("ends: {error:#}")))?;
            }
            consumed
        }
        _ => anyhow::bail!("unknown arguments: {arguments:?}"),
    }
}

/// One write a line: what has been told survives the death of the process.
fn tell(event: Event) -> std::io::Result<()> {
    let text = format!("{}\n", Line::new(event));
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

async fn serve(directory: &str) -> anyhow::Result<()> {
    let mut builder = Embedded::builder().data_dir(directory);
    if let Ok(release) = std::env::var("TAOS_TEST_EMULATE") {
        builder = builder.emulate(release);
    }
    let server = builder.start().await?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "listening on {}", server.addr())?;
    out.flush()?;
    drop(out);
    std::future::pending().await
}

fn questdb(jar: &Path, directory: &Path) -> anyhow::Result<()> {
    let data = tempfile::tempdir_in(directory)?;
    let guard = std::env::current_exe()?;
    let start =
        |name: &str, guarded| Instance::start(&guard, jar, &data.path().join(name), guarded);
    let (plain, guarded) = std::thread::scope(|scope| {
        let plain = scope.spawn(|| start("plain", false));
        let guarded = start("guarded", true);
        (plain.join(), guarded)
    });
    let plain = plain.map_err(|_| anyhow::anyhow!("the start panicked"))??;
    let asking = guarded?;
    let servers = Servers {
        plain: plain.endpoints(),
        guarded: asking.endpoints(),
        jar: jar.to_owned(),
        guard: guard.clone(),
    };
    let mut out = std::io::stdout().lock();
    writeln!(out, "listening on {servers}")?;
    out.flush()?;
    // Whoever started this and ends, however it ends, takes the servers along.
    std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink())?;
    Ok(())
}

async fn join(dsn: &str, topic: &str) -> anyhow::Result<Consumer> {
    let mut consumer = TmqBuilder::from_dsn(dsn)?.build().await?;
    consumer.subscribe([topic]).await?;
    tell(Event::Joined)?;
    Ok(consumer)
}

/// A call has failed, and the next one may do better.
async fn after(error: Error) -> std::io::Result<()> {
    tell(Event::Failed(error.to_string()))?;
    tokio::time::sleep(Duration::from_millis(20)).await;
    Ok(())
}

/// Message by message. One that cannot be read ends the process: to go on would be to commit it unread.
async fn messages(dsn: &str, topic: &str) -> anyhow::Result<()> {
    let consumer = join(dsn, topic).await?;
    loop {
        let (at, message) = match consumer.recv_timeout(Timeout::from_secs(1)).await {
            Ok(Some(received)) => received,
            Ok(None) => continue,
            Err(error) => {
                after(error).await?;
                continue;
            }
        };
        let Some(data) = message.into_data() else {
            continue;
        };
        let (vgroup, offset) = (at.vgroup_id(), at.offset());
        while let Some(block) = data.fetch_raw_block().await? {
            for row in block.deserialize::<Row>() {
                let row = row?.n;
                tell(Event::Delivered {
                    vgroup,
                    offset,
                    row,
                })?;
            }
        }
        match consumer.commit(at).await {
            Ok(()) => tell(Event::Committed { vgroup, offset })?,
            Err(error) => after(error).await?,
        }
    }
}

/// Row by row, acknowledged at once, committed every few rows.
async fn records(dsn: &str, topic: &str) -> anyhow::Result<()> {
    let consumer = join(dsn, topic).await?;
    let mut records = consumer.records::<Row>();
    let mut in_hand = None;
    // Messages that were given whole, the last of each vgroup.
    let mut whole = BTreeMap::new();
    for rows in 1_u64.. {
        let record = match records.next().await {
            Some(Ok(record)) => record,
            Some(Err(error)) => {
                after(error).await?;
                continue;
            }
            None => break,
        };
        let (vgroup, offset) = (record.vgroup_id(), record.offset());
        if in_hand != Some((vgroup, offset)) {
            whole.extend(in_hand.replace((vgroup, offset)));
        }
        let row = record.ack().n;
        tell(Event::Delivered {
            vgroup,
            offset,
            row,
        })?;
        if rows % 16 != 0 {
            continue;
        }
        match records.commit_acked().await {
            Ok(()) => {
                for (vgroup, offset) in std::mem::take(&mut whole) {
                    // Of vgroups that went to another member meanwhile nothing was committed here.
                    let committed = consumer.committed(topic, vgroup).await;
                    if committed.is_ok_and(|committed| committed > offset) {
                        tell(Event::Committed { vgroup, offset })?;
                    }
                }
            }
            Err(error) => after(error).await?,
        }
    }
    anyhow::bail!("the records have ended")
}
