//! Calls that block, and what may be held up by them.

use std::future::Future as _;
use std::pin::pin;
use std::sync::mpsc::channel;
use std::task::{Context, Waker};
use std::thread;
use std::time::Duration;

use taos_query::{AsyncQueryable, AsyncTBuilder, ErrorKind, RawResult};

use super::Fake;
use super::fake::{count, reaches};
use crate::raw::{blocking, reaper};
use crate::{Taos, TaosBuilder};

/// What does not come in this time does not come.
const LONG: Duration = Duration::from_secs(30);

/// Does this on another thread, and waits for it.
fn in_time(work: impl FnOnce() + Send + 'static) {
    let (done, ended) = channel();
    thread::spawn(move || {
        work();
        done.send(()).unwrap();
    });
    ended.recv_timeout(LONG).unwrap();
}

#[test]
fn a_runtime_ends_while_a_call_does_not() {
    let fake = Fake::new();
    let ended = tokio::runtime::Runtime::new().unwrap();
    let taos = ended.block_on(async {
        let taos = fake.taos().await;
        let mut slow = pin!(fake.connect("slow", ""));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(slow.as_mut().poll(&mut cx).is_pending());
        reaches(&taos, "waiting", 1).await;
        taos
    });
    in_time(move || drop(ended));
    let other = tokio::runtime::Runtime::new().unwrap();
    other.block_on(async {
        assert_eq!(count(&taos, "waiting").await, 1, "it goes on");
        taos.exec("release").await.unwrap();
        reaches(&taos, "closed", 1).await;
    });
}

#[tokio::test]
async fn a_timeout_of_connecting_is_told_while_the_call_goes_on() {
    let fake = Fake::new();
    let taos = fake.taos().await;
    let slow = fake.connect("slow", "conn_total_timeout=50ms&").await;
    assert_eq!(slow.unwrap_err().kind(), ErrorKind::Timeout);
    taos.exec("release").await.unwrap();
    reaches(&taos, "closed", 1).await;
    assert_eq!(count(&taos, "open").await, 1);
}

#[tokio::test]
async fn a_connection_that_cannot_be_closed_holds_up_no_other() {
    let fake = Fake::new();
    let taos = fake.taos().await;
    drop(fake.connect("stuck", "").await.unwrap());
    reaches(&taos, "waiting", 1).await;
    drop(fake.taos().await);
    reaches(&taos, "closed", 1).await;
    assert_eq!(count(&taos, "waiting").await, 1);
    taos.exec("release").await.unwrap();
    reaches(&taos, "closed", 2).await;
}

#[test]
fn a_program_of_blocking_calls_waits_for_its_connections_but_not_for_ever() {
    let fake = Fake::new();
    let connect = |user| -> Taos {
        let builder = TaosBuilder::from_dsn(fake.dsn(user, "")).unwrap();
        taos_query::sync::TBuilder::build(&builder).unwrap()
    };
    let exec = |taos: &Taos, sql: &str| taos_query::sync::Queryable::exec(taos, sql).unwrap();
    let taos = connect("root");
    drop(connect("root"));
    assert_eq!(exec(&taos, "count closed"), 1);
    let stuck = connect("stuck");
    in_time(move || drop(stuck));
    assert_eq!(exec(&taos, "count closed"), 1);
    exec(&taos, "release");
    exec(&taos, "await closed 2");
}

#[tokio::test]
async fn a_panic_of_a_call_is_its_error_and_ends_nothing_else() {
    let panicked: RawResult<()> = blocking::run(|| panic!("of a call")).await;
    assert_eq!(panicked.unwrap_err().kind(), ErrorKind::Protocol);
    assert_eq!(blocking::run(|| Ok(7)).await.unwrap(), 7);
    reaper::later(|| panic!("of a close"));
    let (done, ended) = channel();
    reaper::later(move || done.send(()).unwrap());
    ended.recv_timeout(LONG).unwrap();
}
