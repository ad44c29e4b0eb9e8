//! What is committed, and when it counts.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use super::*;
use crate::store::internal;

/// Keeps the writer busy until the sender goes away.
fn busy(engine: &Engine) -> Sender<()> {
    let (end, wait) = channel::<()>();
    let (begun, tell) = channel();
    let store = engine.store().clone();
    std::thread::spawn(move || {
        store.write(move |_| {
            begun.send(()).map_err(internal)?;
            let _ = wait.recv();
            Ok(0)
        })
    });
    tell.recv().unwrap();
    end
}

fn in_background<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Receiver<T> {
    let (tell, done) = channel();
    std::thread::spawn(move || tell.send(work()));
    done
}

fn rows(engine: &Engine) -> Vec<Option<i64>> {
    let rows = table::load(engine.store()).unwrap();
    rows.iter().map(|row| row.committed).collect()
}

fn member(group: &str, reset: Reset) -> Member {
    Member {
        terms: terms(group, &["t"], reset),
        joined: 0,
        rebalanced: 0,
        epoch: watch::Sender::new(0),
    }
}

fn topic_id(engine: &Engine) -> i64 {
    engine.store().catalog().topics["t"].id
}

#[test]
fn a_member_whose_commit_failed_never_was_one_and_the_next_is_written_down() {
    let engine = engine(Storage::Memory);
    let broker = Arc::clone(&engine.broker);
    let id = topic_id(&engine);
    let lost = engine.store().write(move |write| {
        broker.enrol(write, 7, member("g", Reset::Earliest), &[id])?;
        write.batch("ROLLBACK")?;
        Ok(0)
    });
    assert!(lost.is_err() && rows(&engine).is_empty());
    assert!(engine.broker.state().groups.is_empty() && !is_subscribed(&engine, "t"));
    let reader = consumer(&engine, "g", Reset::Earliest);
    let vgroup = *vgroups(&reader, "t").first().unwrap();
    reader.commit_offset("t", vgroup, 1).unwrap();
    assert_eq!(rows(&engine), [Some(1), None, None, None]);
}

#[test]
fn what_could_not_be_committed_is_not_told_as_committed_and_what_could_not_be_dropped_stays() {
    let engine = engine(Storage::Memory);
    let reader = consumer(&engine, "g", Reset::Earliest);
    let vgroup = *vgroups(&reader, "t").first().unwrap();
    reader.commit_offset("t", vgroup, 1).unwrap();
    let failing = |change: fn(&Arc<Broker>, &mut Write<'_>, Commit) -> Result<(), SqlError>| {
        let broker = Arc::clone(&engine.broker);
        let tenure = broker.state().slot(1, "t", vgroup).unwrap().tenure;
        let place = Commit {
            topic: "t".to_owned(),
            vgroup,
            tenure,
            offset: 2,
        };
        let failed = engine.store().write(move |write| {
            change(&broker, write, place)?;
            write.batch("ROLLBACK")?;
            Ok(0)
        });
        assert!(failed.is_err());
        assert_eq!(reader.committed("t", vgroup), Ok(1));
        assert_eq!(rows(&engine), [Some(1), None, None, None]);
    };
    failing(|broker, write, place| broker.put(write, 1, vec![place], true));
    failing(|broker, write, _| broker.drop_topic(write, "t", true));
    failing(|broker, write, _| broker.drop_group(write, "g", "t", false, true));
    reader.commit_offset("t", vgroup, 2).unwrap();
}

#[test]
fn a_place_of_an_earlier_tenure_or_of_a_group_dropped_in_the_same_transaction_is_refused() {
    let engine = engine(Storage::Memory);
    let reader = consumer(&engine, "g", Reset::Earliest);
    let vgroup = *vgroups(&reader, "t").first().unwrap();
    let tenure = engine.broker.state().slot(1, "t", vgroup).unwrap().tenure;
    let place = |tenure| Commit {
        topic: "t".to_owned(),
        vgroup,
        tenure,
        offset: 2,
    };
    let early = vec![place(tenure - 1)];
    let refused = engine.broker.commit(engine.store(), 1, early.clone(), true);
    assert_eq!(code(refused), FOREIGN_VGROUP);
    engine
        .broker
        .commit(engine.store(), 1, early, false)
        .unwrap();
    assert_eq!(rows(&engine), [None; 4]);
    let (dropping, broker) = (Arc::clone(&engine.broker), Arc::clone(&engine.broker));
    let late = vec![place(tenure)];
    let outcomes = engine.store().together(vec![
        Box::new(move |write| {
            dropping
                .drop_group(write, "g", "t", false, true)
                .map(|()| 0)
        }),
        Box::new(move |write| broker.put(write, 1, late, true).map(|()| 0)),
    ]);
    let codes: Vec<_> = outcomes
        .into_iter()
        .map(|o| o.map_err(|e| e.code))
        .collect();
    assert_eq!(codes, [Ok(0), Err(CONSUMER_UNKNOWN)]);
    assert!(rows(&engine).is_empty());
}

#[tokio::test]
async fn no_commit_is_answered_before_the_place_is_durable() {
    let engine = engine(Storage::Memory);
    insert(&engine, 0..8);
    let reader = consumer(&engine, "g", Reset::Earliest);
    assert_eq!(values(&reader).await.len(), 8);
    let held_up = busy(&engine);
    let commits: Vec<_> = (0..3)
        .map(|_| {
            let reader = Arc::clone(&reader);
            in_background(move || reader.commit())
        })
        .collect();
    for commit in &commits {
        let answer = commit.recv_timeout(Duration::from_millis(100));
        assert!(answer.is_err(), "{answer:?}");
    }
    drop(held_up);
    for commit in commits {
        commit.recv().unwrap().unwrap();
    }
    assert!(rows(&engine).iter().all(Option::is_some));
}

#[tokio::test]
async fn a_poll_answers_in_time_while_its_own_commit_waits_and_goes_on_when_that_is_done() {
    let engine = engine(Storage::Memory);
    insert(&engine, 0..8);
    let mut asked = terms("g", &["t"], Reset::Earliest);
    asked.auto_commit = Some(Duration::ZERO);
    let reader = engine.consumer(&asked).unwrap();
    let first = reader.poll(Some(Duration::ZERO)).await.unwrap().unwrap();
    let held_up = busy(&engine);
    for _ in 0..2 {
        let nothing = reader.poll(Some(Duration::ZERO)).await.unwrap();
        assert_eq!(nothing.map(drop), None);
    }
    drop(held_up);
    assert!(reader.poll(None).await.unwrap().is_some());
    assert_eq!(reader.committed("t", first.vgroup), Ok(first.message.next));
}

#[tokio::test]
async fn a_commit_left_from_before_a_vgroup_went_and_came_back_sets_nothing_back() {
    let engine = engine(Storage::Memory);
    insert(&engine, 0..8);
    let first = consumer(&engine, "g", Reset::Earliest);
    values(&first).await;
    let before = vgroups(&first, "t");
    let second = consumer(&engine, "g", Reset::Earliest);
    let moved = *vgroups(&second, "t").first().unwrap();
    assert!(before.contains(&moved));
    second.commit_offset("t", moved, 3).unwrap();
    second.close();
    assert_eq!(vgroups(&first, "t"), before);
    assert_eq!(code(first.commit_offset("t", moved, 2)), FOREIGN_VGROUP);
    assert_eq!(first.committed("t", moved), Ok(3));
    first.commit_offset("t", moved, 3).unwrap();
    // One who goes there means it.
    first.seek("t", moved, 2).unwrap();
    first.commit_offset("t", moved, 2).unwrap();
    assert_eq!(first.committed("t", moved), Ok(2));
}
