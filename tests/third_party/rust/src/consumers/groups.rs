//! Offsets, and consumers that share a group.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use taos::taos_query::tmq::Assignment;
use taos::*;

use super::{
    NUMBERS, PATIENCE, SILENCE, by_time, consumer, drain, numbers, poll, subscribed, write,
};
use crate::{address, connect, equal, refused};

async fn places(reader: &Consumer, topic: &str) -> BTreeMap<i32, Assignment> {
    let found = reader.topic_assignment(topic).await;
    found
        .into_iter()
        .map(|place| (place.vgroup_id(), place))
        .collect()
}

pub(super) async fn seek_back() -> Result<()> {
    let expected = numbers("rust_seek").await?;
    let mut reader = subscribed("seek", "rust_seek", "").await?;
    equal(places(&reader, "rust_seek").await.len(), 4)?;
    let first = drain(&reader, expected.len()).await?;
    equal(&by_time(&first, 1), &expected)?;
    for (vgroup, place) in places(&reader, "rust_seek").await {
        let position = reader.position("rust_seek", vgroup).await?;
        ensure!(
            place.begin() < position && position <= place.end(),
            "{place:?}, at {position}"
        );
        reader
            .offset_seek("rust_seek", vgroup, place.begin())
            .await?;
    }
    let again = drain(&reader, expected.len()).await?;
    equal(&by_time(&again, 1), &expected)?;
    reader.unsubscribe().await;
    Ok(())
}

pub(super) async fn offsets() -> Result<()> {
    let expected = numbers("rust_offsets").await?;
    let reader = subscribed("offsets", "rust_offsets", "").await?;
    let first = drain(&reader, expected.len()).await?;
    equal(&by_time(&first, 1), &expected)?;
    for (vgroup, place) in places(&reader, "rust_offsets").await {
        for offset in [place.end(), place.begin()] {
            reader.commit_offset("rust_offsets", vgroup, offset).await?;
            equal(reader.committed("rust_offsets", vgroup).await?, offset)?;
        }
    }
    reader.unsubscribe().await;
    let second = subscribed("offsets", "rust_offsets", "").await?;
    let again = drain(&second, expected.len()).await?;
    equal(&by_time(&again, 1), &expected)
}

pub(super) async fn resume() -> Result<()> {
    let expected = numbers("rust_resume").await?;
    let first = subscribed("resume", "rust_resume", "").await?;
    let mut taken = Vec::new();
    for _ in 0..2 {
        let Some(mut message) = poll(&first, PATIENCE).await? else {
            bail!("nothing came");
        };
        if let Some(offset) = message.offset.take() {
            first.commit(offset).await?;
        }
        equal(
            first.committed("rust_resume", message.vgroup).await?,
            first.position("rust_resume", message.vgroup).await?,
        )?;
        taken.push(message);
    }
    // Closing without a word ends a consumer as well.
    drop(first);
    let rows = taken.iter().map(|message| message.rows().len()).sum();
    let second = subscribed("resume", "rust_resume", "").await?;
    let rest = drain(&second, expected.len().saturating_sub(rows)).await?;
    ensure!(rows > 0 && !rest.is_empty(), "one of them read nothing");
    taken.extend(rest);
    equal(by_time(&taken, 1), expected)?;
    second.unsubscribe().await;
    Ok(())
}

pub(super) async fn auto_commit() -> Result<()> {
    let expected = numbers("rust_auto").await?;
    let automatic = "&enable.auto.commit=true&auto.commit.interval.ms=1";
    let reader = subscribed("auto", "rust_auto", automatic).await?;
    let first = drain(&reader, expected.len()).await?;
    equal(by_time(&first, 1), expected)?;
    let deadline = Instant::now() + PATIENCE;
    for vgroup in places(&reader, "rust_auto").await.into_keys() {
        while reader.committed("rust_auto", vgroup).await?
            != reader.position("rust_auto", vgroup).await?
        {
            ensure!(
                Instant::now() < deadline,
                "vgroup {vgroup} is not committed"
            );
            poll(&reader, SILENCE).await?;
        }
    }
    drop(reader);
    let taos = connect(NUMBERS).await?;
    let more = write(&taos, "rust_auto", 3, 50..53).await?;
    let second = subscribed("auto", "rust_auto", automatic).await?;
    let rest = drain(&second, more.len()).await?;
    equal(by_time(&rest, 1), more)
}

pub(super) async fn latest() -> Result<()> {
    numbers("rust_latest").await?;
    let reader = subscribed("latest", "rust_latest", "&auto.offset.reset=latest").await?;
    ensure!(
        poll(&reader, SILENCE).await?.is_none(),
        "it saw rows from before"
    );
    let taos = connect(NUMBERS).await?;
    let mut more = write(&taos, "rust_latest", 1, 60..63).await?;
    more.extend(write(&taos, "rust_latest", 6, 60..62).await?);
    let found = drain(&reader, more.len()).await?;
    equal(by_time(&found, 1), more)
}

pub(super) async fn share() -> Result<()> {
    let expected = numbers("rust_shared").await?;
    let one = subscribed("shared", "rust_shared", "").await?;
    let two = subscribed("shared", "rust_shared", "").await?;
    let mut seen = BTreeSet::new();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let wait = Duration::from_secs(2);
        let (here, there) = tokio::try_join!(poll(&one, wait), poll(&two, wait))?;
        let first = places(&one, "rust_shared").await;
        let second = places(&two, "rust_shared").await;
        let apart = first.keys().all(|vgroup| !second.contains_key(vgroup));
        let messages = here.into_iter().chain(there);
        for row in messages.flat_map(|message| message.rows()) {
            seen.insert(format!("{row:?}"));
        }
        if (first.len(), second.len(), apart) == (2, 2, true) && seen.len() == expected.len() {
            break;
        }
        ensure!(
            Instant::now() < deadline,
            "they hold {first:?} and {second:?}, and saw {} rows",
            seen.len()
        );
    }
    equal(
        seen,
        expected
            .iter()
            .map(|row| format!("{row:?}"))
            .collect::<BTreeSet<_>>(),
    )?;
    two.unsubscribe().await;
    while places(&one, "rust_shared").await.len() < 4 {
        ensure!(Instant::now() < deadline, "the other does not take over");
        poll(&one, SILENCE).await?;
    }
    Ok(())
}

pub(super) async fn drop_topic() -> Result<()> {
    numbers("rust_dropped").await?;
    let taos = connect("").await?;
    let reader = subscribed("dropped", "rust_dropped", "").await?;
    ensure!(poll(&reader, PATIENCE).await?.is_some(), "nothing came");
    let drop = || async {
        taos.exec("drop topic rust_dropped")
            .await
            .map_err(Into::into)
    };
    refused(drop().await, &["0x03EB"])?;
    reader.unsubscribe().await;
    let deadline = Instant::now() + PATIENCE;
    while let Err(refusal) = drop().await {
        refused(Err::<(), _>(refusal), &["0x03EB"])?;
        ensure!(Instant::now() < deadline, "the topic is still in use");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

pub(super) async fn unknown_topic() -> Result<()> {
    let expected = numbers("rust_known").await?;
    let mut reader = consumer("unknown", "").await?;
    let outcome = reader.subscribe(["no_such_topic"]).await;
    refused(outcome.map_err(Into::into), &["0x03E1"])?;
    reader.subscribe(["rust_known"]).await?;
    let found = drain(&reader, expected.len()).await?;
    equal(by_time(&found, 1), expected)
}

pub(super) async fn login() -> Result<()> {
    let dsn = format!("ws://root:wrong@{}/?group.id=login", address());
    let mut reader = TmqBuilder::from_dsn(dsn)?.build().await?;
    let outcome = reader.subscribe(["rust_select"]).await;
    refused(outcome.map_err(Into::into), &["init tscObj failed"])
}
