//! What comes between.

use std::time::Instant;

use super::*;
use crate::exec::STALE;

#[test]
fn a_topic_that_was_made_anew_while_it_was_opened_is_another_one() {
    let engine = engine(Storage::Memory);
    let before = engine.store().catalog().topics["t"].id;
    run(&engine, "drop topic t");
    run(&engine, "create topic t as select v from d.st");
    let asked = terms("g", &["t"], Reset::Earliest);
    let outcome = engine.broker.join(engine.store(), asked, vec![before]);
    assert_eq!(code(outcome), STALE);
    assert!(!is_subscribed(&engine, "t"));
    consumer(&engine, "g", Reset::Earliest);
}

#[test]
fn a_group_that_begins_with_the_newest_begins_behind_what_was_written_in_the_same_transaction() {
    let engine = engine(Storage::Memory);
    let vgroup = engine
        .store()
        .catalog()
        .database("d")
        .unwrap()
        .vgroups()
        .start;
    let broker = Arc::clone(&engine.broker);
    let id = engine.store().catalog().topics["t"].id;
    let (_, before) = engine.store().log_bounds(vgroup);
    let member = Member {
        terms: terms("g", &["t"], Reset::Latest),
        joined: 0,
        rebalanced: 0,
        epoch: watch::Sender::new(0),
    };
    let outcomes = engine.store().together(vec![
        Box::new(move |write| {
            let dropped = crate::meta::Meta::DropTables(Vec::new());
            write
                .log(vgroup, crate::tmq::Body::Meta(dropped))
                .map(|()| 0)
        }),
        Box::new(move |write| broker.enrol(write, 1, member, &[id]).map(|()| 0)),
    ]);
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    let mut state = engine.broker.state();
    let start = state.slot(1, "t", vgroup).unwrap().start;
    let (_, end) = engine.store().log_bounds(vgroup);
    assert_eq!((start, end), (Some(end), before + 1));
}

#[test]
fn what_wakes_a_poll_is_looked_at_without_the_lock_of_all_groups() {
    let engine = engine(Storage::Memory);
    let reader = consumer(&engine, "g", Reset::Earliest);
    vgroups(&reader, "t");
    let state = engine.broker.state();
    let (tell, told) = std::sync::mpsc::channel();
    let task = Arc::clone(&reader);
    std::thread::spawn(move || tell.send(task.assignment("t").map(|rows| rows.len())));
    let rows = told.recv_timeout(Duration::from_secs(5));
    drop(state);
    assert_eq!(rows, Ok(Ok(4)));
}

/// A runtime whose one blocking thread is taken until the sender goes away.
fn crowded() -> (tokio::runtime::Runtime, std::sync::mpsc::Sender<()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .max_blocking_threads(1)
        .build()
        .unwrap();
    let (end, wait) = std::sync::mpsc::channel::<()>();
    runtime.spawn_blocking(move || wait.recv());
    (runtime, end)
}

#[test]
fn a_poll_keeps_its_time_and_the_next_goes_on_with_what_it_began() {
    let engine = engine(Storage::Memory);
    insert(&engine, 0..8);
    let reader = consumer(&engine, "g", Reset::Earliest);
    let (runtime, taken) = crowded();
    runtime.block_on(async {
        let started = Instant::now();
        let mut begun = None;
        for _ in 0..2 {
            let nothing = reader.poll(Some(Duration::ZERO)).await.unwrap();
            assert_eq!(nothing.map(drop), None);
            let job = reader.ahead().unwrap();
            assert_eq!(*begun.get_or_insert(job), job);
        }
        assert!(started.elapsed() < Duration::from_secs(5));
        drop(taken);
        assert_eq!(values(&reader).await, (0..8).collect::<Vec<_>>());
    });
}

#[test]
fn a_poll_that_reads_while_its_subscription_ends_brings_nothing_and_no_error() {
    let engine = engine(Storage::Memory);
    insert(&engine, 0..8);
    let reader = consumer(&engine, "g", Reset::Earliest);
    let (runtime, taken) = crowded();
    runtime.block_on(async {
        let task = Arc::clone(&reader);
        let poll = tokio::spawn(async move { task.poll(None).await });
        while reader.poll_due().is_some() {
            tokio::task::yield_now().await;
        }
        reader.close();
        drop(taken);
        assert_eq!(poll.await.unwrap().unwrap().map(drop), None);
    });
}
