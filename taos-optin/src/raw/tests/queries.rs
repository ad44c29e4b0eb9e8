use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use futures_util::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use taos_query::common::{Precision, Ty};
use taos_query::sync;
use taos_query::{AsyncFetchable, AsyncQueryable, AsyncTBuilder, ConnectionState, ErrorKind};

use super::Fake;
use super::fake::{assert_clean, count, reaches};
use crate::TaosBuilder;

/// The ways that callbacks can come.
const WAYS: [&str; 4] = ["now now", "now late", "late now", "late late"];

#[tokio::test]
async fn rows_come_whenever_the_library_calls_back() {
    for fake in [Fake::new(), Fake::old()] {
        let taos = fake.taos().await;
        for way in WAYS {
            let mut result = taos.query(format!("{way} rows 3 5")).await.unwrap();
            assert_eq!(result.precision(), Precision::Microsecond);
            let field = &result.fields()[0];
            assert_eq!(
                (field.name(), field.ty(), field.bytes()),
                ("value", Ty::Int, 4)
            );
            let values: Vec<i32> = result.deserialize::<i32>().try_collect().await.unwrap();
            assert_eq!(values, (0..15).collect::<Vec<_>>(), "{way}");
            assert_eq!(result.summary(), (3, 15));
            let again = result.blocks().next().await;
            assert!(again.is_none(), "the end stays");
            assert_eq!(taos.exec(format!("{way} update 7")).await.unwrap(), 7);
        }
        assert_clean(&taos).await;
    }
}

#[tokio::test]
async fn one_block_is_fetched_ahead_and_no_more() {
    let fake = Fake::new();
    let taos = fake.taos().await;
    let mut result = taos.query("late now rows 9 1").await.unwrap();
    assert_eq!(count(&taos, "fetches").await, 1);
    for taken in 2..5 {
        result.blocks().try_next().await.unwrap().unwrap();
        assert_eq!(count(&taos, "fetches").await, taken);
    }
    drop(result);
    assert_clean(&taos).await;

    let first: Option<i32> = taos.query_one("late late rows 9 1").await.unwrap();
    assert_eq!(first, Some(0));
    assert_eq!(
        count(&taos, "fetches").await,
        5,
        "nothing ahead of the first block"
    );
    assert_clean(&taos).await;
}

#[tokio::test]
async fn a_statement_given_up_is_freed_when_it_comes() {
    let fake = Fake::new();
    let taos = fake.taos().await;
    for sql in [
        "hold late rows 3 1",
        "hold late update 1",
        "hold late fail 0x80000388",
    ] {
        {
            let mut query = pin!(taos.query(sql));
            let mut cx = Context::from_waker(Waker::noop());
            assert!(query.as_mut().poll(&mut cx).is_pending());
        }
        assert_eq!(count(&taos, "live").await, 1);
        taos.exec("release").await.unwrap();
        assert_clean(&taos).await;
    }
    assert_eq!(count(&taos, "fetches").await, 0, "for nobody");
}

#[tokio::test]
async fn a_result_dropped_with_a_fetch_in_flight_is_freed_after_it() {
    let fake = Fake::new();
    let taos = fake.taos().await;
    for sql in ["late hold rows 3 1", "now hold rows 3 1"] {
        let result = taos.query(sql).await.unwrap();
        drop(result);
        assert_eq!(count(&taos, "live").await, 1);
        taos.exec("release").await.unwrap();
        assert_clean(&taos).await;
    }
    // The same with a fetch that somebody waits for.
    let mut result = taos.query("late hold rows 3 1").await.unwrap();
    {
        let mut blocks = result.blocks();
        let mut block = pin!(blocks.next());
        let mut cx = Context::from_waker(Waker::noop());
        assert!(block.as_mut().poll(&mut cx).is_pending());
    }
    drop(result);
    taos.exec("release").await.unwrap();
    assert_clean(&taos).await;
}

#[tokio::test]
async fn the_connection_is_closed_after_the_last_result_and_on_another_thread() {
    let fake = Fake::new();
    let (first, second) = (fake.taos().await, fake.taos().await);
    let mut result = first.query("late late rows 2 1").await.unwrap();
    drop(first);
    result.blocks().try_next().await.unwrap().unwrap();
    assert_eq!(count(&second, "closed").await, 0);
    drop(result);
    reaches(&second, "closed", 1).await;
    assert_eq!(count(&second, "stolen").await, 0);

    let third = fake.taos().await;
    let result = third.query("late hold rows 2 1").await.unwrap();
    drop((third, result));
    assert_eq!(count(&second, "closed").await, 1);
    second.exec("release").await.unwrap();
    reaches(&second, "closed", 2).await;
    assert_clean(&second).await;
}

#[tokio::test]
async fn errors_have_the_bare_code_and_the_librarys_words() {
    let fake = Fake::new();
    let taos = fake.taos().await;
    for way in WAYS {
        let error = taos
            .query(format!("{way} fail 0x80002603"))
            .await
            .unwrap_err();
        assert_eq!(error.code(), 0x2603);
        assert!(error.to_string().contains("the fake's words"), "{error}");
    }
    let error = fake.connect("wrong", "").await.unwrap_err();
    assert_eq!(
        (error.code(), error.kind()),
        (0x0357.into(), ErrorKind::Auth)
    );
    let text = error.to_string();
    assert!(
        text.contains("host") && text.contains("the fake's words"),
        "{text}"
    );
    assert_clean(&taos).await;
}

#[tokio::test]
async fn what_is_lost_while_fetching_is_told_once_and_shows_in_the_state() {
    let fake = Fake::new();
    let taos = fake.taos().await;
    let mut states = Box::pin(taos.connection_events());
    assert_eq!(states.next().await, Some(ConnectionState::ready("host")));
    for way in WAYS {
        let mut result = taos.query(format!("{way} lost")).await.unwrap();
        let error = result.blocks().try_next().await.unwrap_err();
        assert_eq!(
            (error.code(), error.kind()),
            (0x0018.into(), ErrorKind::ConnectionLost)
        );
        assert!(result.blocks().next().await.is_none());
        assert!(!taos.connection_state().is_ready());
        assert!(TaosBuilder::is_broken(&taos));
        assert_eq!(taos.exec("late late update 1").await.unwrap(), 1);
        assert!(taos.connection_state().is_ready());
    }
    assert_clean(&taos).await;
    drop(taos);
    assert_eq!(
        states.collect::<Vec<_>>().await.last(),
        Some(&ConnectionState::Closed)
    );
}

#[tokio::test]
async fn what_fails_for_a_passing_reason_is_tried_again_as_often_as_the_dsn_says() {
    for (sql, code) in [
        ("now now", 0x032C),
        ("select now", 0x032C),
        ("select now", 0x000B),
    ] {
        let fake = Fake::new();
        let taos = fake.taos().await;
        let once = fake.connect("root", "maxRetries=0&").await.unwrap();
        tokio::time::pause();
        let fails = |times| format!("{sql} fails {times} {:#X}", 0x8000_0000_u32 | code);
        assert_eq!(taos.exec(fails(2)).await.unwrap(), 1);
        assert_eq!(count(&taos, "queries").await, 3);
        let error = once.exec(fails(9)).await.unwrap_err();
        assert_eq!(i32::from(error.code()), i32::try_from(code).unwrap());
        assert!(!error.outcome_unknown());
        assert_eq!(count(&taos, "queries").await, 4);
        tokio::time::resume();
    }
    let fake = Fake::new();
    fake.connect("early", "").await.unwrap();
    let fake = Fake::new();
    let error = fake.connect("early", "maxRetries=0&").await.unwrap_err();
    assert_eq!(
        (error.code(), error.kind()),
        (0x000B.into(), ErrorKind::Connect)
    );
}

#[tokio::test]
async fn a_write_that_may_have_reached_one_of_several_servers_is_not_repeated() {
    let fake = Fake::new();
    let taos = fake.taos().await;
    let error = taos.exec("now now fails 1 0x8000000B").await.unwrap_err();
    assert!(error.outcome_unknown(), "{error}");
    assert_eq!(count(&taos, "queries").await, 1);
}

#[tokio::test]
async fn errors_of_this_side_say_nothing_of_a_connection_that_is_lost() {
    let fake = Fake::new();
    let taos = fake.taos().await;
    assert!(taos.exec("now now fail 0x80000018").await.is_err());
    assert!(TaosBuilder::is_broken(&taos));
    let error = taos.validate_sql("select 1").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "not in the fake");
    let words = "a syntax error, which the library finds by itself";
    assert!(
        taos.exec("now now fail 0x80002600").await.is_err(),
        "{words}"
    );
    assert!(TaosBuilder::is_broken(&taos));
    assert!(!taos.connection_state().is_ready());
    assert!(taos.exec("now now fail 0x80000388").await.is_err());
    assert!(!TaosBuilder::is_broken(&taos), "the server has said so");
    assert!(taos.connection_state().is_ready());
}

#[tokio::test]
async fn an_answer_that_does_not_come_ends_in_a_timeout_and_is_freed_later() {
    let fake = Fake::new();
    let patient = fake.taos().await;
    let taos = fake.connect("root", "read_timeout=1s&").await.unwrap();
    let error = taos.exec("hold late update 1").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(
        error.outcome_unknown() && error.to_string().contains("read_timeout"),
        "{error}"
    );
    let error = taos.query("show late rows 1 1").await.unwrap_err();
    assert!(
        !error.outcome_unknown(),
        "a question changes nothing: {error}"
    );

    let mut result = taos.query("late hold rows 2 1").await.unwrap();
    let error = result.blocks().try_next().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(result.blocks().next().await.is_none());
    assert_eq!(count(&patient, "live").await, 3);
    patient.exec("release").await.unwrap();
    assert_clean(&patient).await;
}

#[tokio::test]
async fn statements_that_cannot_be_sent_are_refused_here() {
    let fake = Fake::new();
    let taos = fake.taos().await;
    let error = taos.exec("now now\0 update 1").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(
        error.to_string().contains("NUL character at byte 7"),
        "{error}"
    );
    assert_eq!(taos.exec(" ").await.unwrap_err().kind(), ErrorKind::Config);
    assert_eq!(count(&taos, "queries").await, 0);
    let error = fake.connect("ro%00ot", "").await.unwrap_err();
    assert!(error.to_string().contains("the user has a NUL"), "{error}");
}

#[tokio::test]
async fn a_block_that_cannot_be_one_is_an_error() {
    let fake = Fake::new();
    let taos = fake.taos().await;
    for way in WAYS {
        let mut result = taos.query(format!("{way} short")).await.unwrap();
        let error = result.blocks().try_next().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol);
    }
    assert_clean(&taos).await;
}

#[test]
fn a_result_outlives_the_runtime_that_it_was_begun_in() {
    let fake = Fake::new();
    let begun = tokio::runtime::Runtime::new().unwrap();
    let (taos, mut result) = begun.block_on(async {
        let taos = fake.taos().await;
        let mut result = taos.query("late late rows 40 1").await.unwrap();
        for _ in 0..20 {
            result.blocks().try_next().await.unwrap().unwrap();
        }
        (taos, result)
    });
    drop(begun);
    let other = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    other.block_on(async {
        assert_eq!(result.to_records().await.unwrap().len(), 20);
        drop(result);
        assert_clean(&taos).await;
    });
}

#[test]
fn blocking_calls_work_on_a_plain_thread_and_inside_a_runtime() {
    let fake = Fake::new();
    let calls = || {
        let taos = sync::TBuilder::build(&TaosBuilder::from_dsn(fake.dsn("root", "")).unwrap());
        let taos = taos.unwrap();
        assert_eq!(
            sync::Queryable::exec(&taos, "late late update 3").unwrap(),
            3
        );
        let one: Option<i32> = sync::Queryable::query_one(&taos, "late late rows 2 1").unwrap();
        assert_eq!(one, Some(0));
    };
    calls();
    let inside = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    inside.block_on(async { calls() });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_statements_at_once_of_which_some_are_given_up_leave_nothing() {
    let fake = Fake::new();
    let taos = fake.taos().await;
    let tasks = (0..400u64).map(|n| {
        let taos = taos.clone();
        tokio::spawn(async move {
            let work = async {
                let mut result = taos.query("late late rows 20 3").await.unwrap();
                if n % 3 == 0 {
                    return result.blocks().try_next().await.unwrap().unwrap().nrows();
                }
                result.to_records().await.unwrap().len()
            };
            let rows = match n % 5 {
                0 => tokio::time::timeout(Duration::from_micros(n * 7), work)
                    .await
                    .ok(),
                _ => Some(work.await),
            };
            let whole = if n % 3 == 0 { 3 } else { 60 };
            assert!(rows.is_none_or(|rows| rows == whole));
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    assert_clean(&taos).await;
}

/// Panics when it is woken, as an executor should not.
struct Panicking;

impl Wake for Panicking {
    fn wake(self: Arc<Self>) {
        panic!("woken");
    }
}

#[tokio::test]
async fn a_panic_in_a_callback_stays_on_this_side_and_leaves_nothing() {
    let fake = Fake::new();
    let taos = fake.taos().await;
    let waker = Waker::from(Arc::new(Panicking));
    let mut cx = Context::from_waker(&waker);
    {
        let mut query = pin!(taos.query("hold hold rows 2 1"));
        assert!(query.as_mut().poll(&mut cx).is_pending());
        taos.exec("release").await.unwrap();
        reaches(&taos, "fetches", 1).await;
        let mut result = query.await.unwrap();
        {
            let mut blocks = result.blocks();
            assert!(blocks.next().poll_unpin(&mut cx).is_pending());
        }
        taos.exec("release").await.unwrap();
        assert_eq!(
            result.blocks().try_next().await.unwrap().unwrap().nrows(),
            1
        );
        taos.exec("release").await.unwrap();
    }
    assert_eq!(
        taos.exec("late late update 2").await.unwrap(),
        2,
        "its thread lives"
    );
    taos.exec("release").await.unwrap();
    assert_clean(&taos).await;
}
