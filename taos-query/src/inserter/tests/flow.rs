//! When batches leave, and what becomes of them.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use serde::Serialize;
use tokio::time::advance;

use super::fake::Fake;
use crate::error::{ErrorKind, RawError};
use crate::inserter::{AsyncInsertable, InserterBuilder, sync};

const TABLE: [super::fake::Line; 2] = [("ts", "TIMESTAMP", 8, ""), ("v", "INT", 4, "")];

#[derive(Serialize)]
struct Row {
    ts: i64,
    v: i32,
}

const fn row(n: i32) -> Row {
    Row { ts: 1, v: n }
}

fn open(fake: &Fake) -> InserterBuilder<'_, Fake, Row> {
    fake.inserter::<Row>("t")
}

/// Polls once.
fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Lets the tasks go on until they have nothing left to do.
async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_batch_leaves_when_it_is_full_and_the_rest_when_closed() {
    let fake = Fake::new(&TABLE);
    let mut inserter = open(&fake).max_rows(3).open().await.unwrap();
    for n in 0..7 {
        inserter.write(&row(n)).await.unwrap();
    }
    let summary = inserter.close().await.unwrap();
    assert_eq!(fake.batches(), [3, 3, 1]);
    assert_eq!(fake.numbers(1), (0..7).collect::<Vec<_>>());
    assert_eq!(
        fake.log().prepared,
        ["INSERT INTO `power`.`t`(`ts`,`v`) VALUES(?,?)"],
        "one statement for all batches"
    );
    assert_eq!(
        (summary.rows, summary.batches, summary.affected_rows),
        (7, 3, 7)
    );
    assert_eq!(inserter.pending_rows(), 0);
    let error = inserter.write(&row(8)).await.unwrap_err();
    assert_eq!(error.error().kind(), ErrorKind::Closed);
}

#[tokio::test]
async fn bytes_fill_a_batch_too() {
    let fake = Fake::new(&TABLE);
    // A row is 8 + 4 bytes and two NULL flags.
    let mut inserter = open(&fake).max_bytes(14 * 4).open().await.unwrap();
    for n in 0..9 {
        inserter.write(&row(n)).await.unwrap();
    }
    inserter.close().await.unwrap();
    assert_eq!(fake.batches(), [4, 4, 1]);
}

#[tokio::test]
async fn one_table_never_has_more_rows_than_a_bind_takes() {
    let fake = Fake::new(&TABLE);
    let mut inserter = open(&fake).max_rows(100_000).open().await.unwrap();
    for n in 0..40_000 {
        inserter.write(&row(n)).await.unwrap();
    }
    inserter.close().await.unwrap();
    assert_eq!(fake.batches(), [32_760, 7_240]);
}

#[tokio::test(start_paused = true)]
async fn rows_that_wait_long_enough_leave_without_a_further_call() {
    let fake = Fake::new(&TABLE);
    let inserter = open(&fake).open().await.unwrap();
    for n in 0..3 {
        settle().await;
        inserter.write(&row(n)).await.unwrap();
        settle().await;
        advance(Duration::from_millis(400)).await;
        settle().await;
    }
    // The first of them is 1.2 seconds old, the limit is one.
    assert_eq!(fake.batches(), [3]);
    advance(Duration::from_secs(3_600)).await;
    inserter.write(&row(3)).await.unwrap();
    settle().await;
    assert_eq!(fake.batches(), [3], "the clock starts with the first row");
    advance(Duration::from_millis(1_001)).await;
    settle().await;
    assert_eq!(fake.batches(), [3, 1]);
    assert_eq!(inserter.pending_rows(), 0);
}

#[tokio::test(start_paused = true)]
async fn without_a_delay_rows_wait_for_their_flush() {
    let fake = Fake::new(&TABLE);
    let inserter = open(&fake).max_delay(None).open().await.unwrap();
    inserter.write(&row(1)).await.unwrap();
    advance(Duration::from_secs(86_400)).await;
    settle().await;
    assert!(fake.batches().is_empty());
    inserter.flush().await.unwrap();
    assert_eq!(fake.batches(), [1]);
}

#[tokio::test(start_paused = true)]
async fn rows_whose_time_comes_while_the_line_is_full_leave_as_soon_as_there_is_room() {
    let fake = Fake::new(&TABLE).gated();
    let inserter = open(&fake)
        .max_rows(2)
        .max_in_flight(1)
        .open()
        .await
        .unwrap();
    for n in 0..3 {
        inserter.write(&row(n)).await.unwrap();
    }
    settle().await;
    advance(Duration::from_secs(2)).await;
    settle().await;
    assert!(fake.batches().is_empty());
    fake.let_pass(2);
    settle().await;
    assert_eq!(fake.batches(), [2, 1], "no call was needed");
}

#[tokio::test]
async fn writing_waits_while_the_line_is_full_and_a_dropped_write_takes_nothing() {
    let fake = Fake::new(&TABLE).gated();
    let mut inserter = open(&fake)
        .max_rows(1)
        .max_in_flight(2)
        .open()
        .await
        .unwrap();
    for n in 0..3 {
        inserter.write(&row(n)).await.unwrap();
    }
    settle().await;
    let dropped = row(100);
    assert!(poll(pin!(inserter.write(&dropped))).is_pending());
    let kept = row(3);
    {
        let mut write = pin!(inserter.write(&kept));
        assert!(poll(write.as_mut()).is_pending());
        fake.let_pass(1);
        write.await.unwrap();
    }
    assert!(inserter.pending_rows() >= 3);
    fake.let_pass(10);
    inserter.close().await.unwrap();
    assert_eq!(fake.numbers(1), [0, 1, 2, 3]);
}

#[tokio::test]
async fn many_rows_given_at_once_leave_in_batches_as_single_rows_do() {
    let fake = Fake::new(&TABLE).gated();
    let mut inserter = open(&fake)
        .max_rows(3)
        .max_in_flight(1)
        .open()
        .await
        .unwrap();
    let rows: Vec<Row> = (0..10).map(row).collect();
    {
        let mut write = pin!(inserter.write_all(&rows));
        assert!(poll(write.as_mut()).is_pending(), "the line is full");
        fake.let_pass(10);
        write.await.unwrap();
    }
    inserter.write_all(&[]).await.unwrap();
    let summary = inserter.close().await.unwrap();
    assert_eq!(summary.rows, 10);
    assert_eq!(fake.batches(), [3, 3, 3, 1]);
    assert_eq!(fake.numbers(1), (0..10).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_error_among_many_rows_tells_how_many_were_taken() {
    let fake = Fake::new(&TABLE);
    let tuples = fake.inserter::<BTreeMap<&str, i64>>("t");
    let mut inserter = tuples.open().await.unwrap();
    let map = |v: i64| BTreeMap::from([("ts", 1), ("v", v)]);
    let rows = [map(1), map(2), map(i64::MAX), map(4)];
    let error = inserter.write_all(&rows).await.unwrap_err();
    assert_eq!(error.taken(), 2);
    assert!(error.batch().is_none());
    inserter
        .write_all(&rows[error.taken() + 1..])
        .await
        .unwrap();
    inserter.close().await.unwrap();
    assert_eq!(fake.numbers(1), [1, 2, 4]);
}

#[tokio::test]
async fn a_flush_dropped_after_any_poll_loses_nothing() {
    for polls in 0..6 {
        let fake = Fake::new(&TABLE).gated();
        let mut inserter = open(&fake).max_rows(2).open().await.unwrap();
        for n in 0..5 {
            inserter.write(&row(n)).await.unwrap();
        }
        {
            let mut flush = pin!(inserter.flush());
            for step in 0..polls {
                if poll(flush.as_mut()).is_ready() {
                    break;
                }
                if step % 2 == 1 {
                    fake.let_pass(1);
                }
                settle().await;
            }
        }
        fake.let_pass(10);
        let summary = inserter.close().await.unwrap();
        assert_eq!(summary.rows, 5, "after {polls} polls");
        assert_eq!(fake.numbers(1), [0, 1, 2, 3, 4], "after {polls} polls");
    }
}

#[tokio::test]
async fn a_failed_batch_comes_back_with_its_rows_and_can_be_tried_again() {
    let fake = Fake::new(&TABLE);
    fake.fail_next(RawError::new(0x2653, "Value too long").with_outcome_unknown());
    let mut inserter = open(&fake).max_rows(2).open().await.unwrap();
    inserter.write(&row(1)).await.unwrap();
    inserter.write(&row(2)).await.unwrap();
    settle().await;
    let error = inserter.write(&row(3)).await.unwrap_err();
    assert_eq!(error.error().code(), 0x2653);
    assert!(error.error().outcome_unknown());
    let text = error.to_string();
    assert!(
        text.starts_with("2 rows of 1 table were not written: "),
        "{text}"
    );
    let batch = error.into_batch().unwrap();
    assert_eq!((batch.rows(), batch.tables()), (2, 1));
    assert_eq!(fake.numbers(1), [] as [i64; 0]);

    inserter.write(&row(3)).await.unwrap();
    inserter.retry(batch);
    let summary = inserter.close().await.unwrap();
    let mut rows = fake.numbers(1);
    rows.sort_unstable();
    assert_eq!(rows, [1, 2, 3]);
    assert_eq!((summary.rows, summary.failed_batches), (3, 1));
    assert_eq!(
        fake.log().prepared.len(),
        2,
        "prepared anew after the error"
    );
}

#[tokio::test]
async fn closing_tells_of_a_failed_batch_and_can_be_repeated() {
    let fake = Fake::new(&TABLE);
    fake.fail_next(RawError::new(0x0216, "syntax"));
    let mut inserter = open(&fake).open().await.unwrap();
    inserter.write(&row(1)).await.unwrap();
    let error = inserter.close().await.unwrap_err();
    let params = error.into_batch().unwrap().into_params();
    assert_eq!(params[0].columns().unwrap()[1].len(), 1);
    inserter.write(&row(2)).await.unwrap();
    assert_eq!(inserter.close().await.unwrap().rows, 1);
    assert_eq!(fake.numbers(1), [2]);
}

#[tokio::test]
async fn a_table_keeps_the_database_that_was_in_use_at_first() {
    let statement_for = |fake: Fake, table: &'static str| async move {
        let mut inserter = fake.inserter::<Row>(table).open().await.unwrap();
        inserter.write(&row(1)).await.unwrap();
        inserter.close().await.unwrap();
        let prepared = fake.log().prepared.join(";");
        prepared.split('(').next().unwrap_or_default().to_owned()
    };
    let fake = || Fake::new(&TABLE);
    assert_eq!(statement_for(fake(), "t").await, "INSERT INTO `power`.`t`");
    assert_eq!(
        statement_for(fake(), "`a.b`").await,
        "INSERT INTO `power`.`a.b`"
    );
    assert_eq!(
        statement_for(fake(), "other.t").await,
        "INSERT INTO `other`.`t`"
    );
    let nowhere = fake().without_database();
    assert_eq!(statement_for(nowhere, "t").await, "INSERT INTO `t`");

    let fake = fake();
    fake.log().lost = true;
    let error = open(&fake).open().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert!(error.to_string().contains("table `t`"), "{error}");
}

#[tokio::test]
async fn a_flush_ends_though_others_go_on_writing() {
    let fake = Fake::new(&TABLE).gated();
    let inserter = open(&fake).max_delay(None).open().await.unwrap();
    inserter.write(&row(0)).await.unwrap();
    {
        let mut flush = pin!(inserter.flush());
        assert!(poll(flush.as_mut()).is_pending());
        settle().await;
        inserter.write(&row(1)).await.unwrap();
        assert!(poll(flush.as_mut()).is_pending(), "the first is not there");
        fake.let_pass(1);
        settle().await;
        let Poll::Ready(done) = poll(flush.as_mut()) else {
            panic!("it waits for the second row too")
        };
        done.unwrap();
    }
    assert_eq!(fake.numbers(1), [0]);
    assert_eq!(inserter.pending_rows(), 1);
}

#[tokio::test]
async fn a_flush_waits_for_rows_that_had_no_room_on_the_way() {
    let fake = Fake::new(&TABLE).gated();
    let inserter = open(&fake).max_rows(2).max_in_flight(1).open().await;
    let inserter = inserter.unwrap();
    for n in 0..3 {
        inserter.write(&row(n)).await.unwrap();
    }
    let mut flush = pin!(inserter.flush());
    for done in 0..2 {
        assert!(poll(flush.as_mut()).is_pending(), "after {done} batches");
        settle().await;
        fake.let_pass(1);
        settle().await;
    }
    assert!(poll(flush.as_mut()).is_ready());
    assert_eq!(fake.batches(), [2, 1]);
}

#[tokio::test]
async fn a_batch_that_cannot_be_bound_comes_back_whole() {
    let fake = Fake::new(&[TABLE[0], ("n", "NULL", 0, "")]);
    #[derive(Serialize)]
    struct Odd {
        ts: i64,
        n: Option<i32>,
    }
    let mut inserter = fake.inserter::<Odd>("t").open().await.unwrap();
    for ts in 0..3 {
        inserter.write(&Odd { ts, n: None }).await.unwrap();
    }
    for attempt in 0..2 {
        let error = inserter.close().await.unwrap_err();
        let text = error.to_string();
        assert!(
            text.starts_with("3 rows of 1 table were not written: "),
            "attempt {attempt}: {text}"
        );
        assert_eq!(inserter.pending_rows(), 0);
        let batch = error.into_batch().unwrap();
        assert_eq!((batch.rows(), batch.tables()), (3, 1));
        inserter.retry(batch);
    }
    assert!(fake.batches().is_empty());
}

#[tokio::test]
async fn several_connections_work_at_the_same_time_in_the_database_at_hand() {
    let fake = Fake::new(&TABLE).gated();
    let mut inserter = open(&fake).connections(3).max_rows(1).open().await.unwrap();
    for n in 0..3 {
        inserter.write(&row(n)).await.unwrap();
    }
    settle().await;
    assert_eq!(fake.log().siblings, 2);
    // All three have prepared, so all three hold a batch.
    let sql = "INSERT INTO `power`.`t`(`ts`,`v`) VALUES(?,?)";
    assert_eq!(fake.log().prepared, [sql; 3]);
    fake.let_pass(3);
    assert_eq!(inserter.close().await.unwrap().batches, 3);
}

#[tokio::test]
async fn several_tasks_write_through_one_inserter() {
    let fake = Fake::new(&TABLE).gated();
    let inserter = open(&fake).max_rows(3).max_in_flight(1).open().await;
    let inserter = Arc::new(inserter.unwrap());
    let tasks: Vec<_> = (0..8)
        .map(|task| {
            let inserter = Arc::clone(&inserter);
            tokio::spawn(async move {
                for n in 0..10 {
                    inserter.write(&row(task * 10 + n)).await.unwrap();
                }
            })
        })
        .collect();
    settle().await;
    fake.let_pass(100);
    for task in tasks {
        task.await.unwrap();
    }
    inserter.flush().await.unwrap();
    let mut rows = fake.numbers(1);
    rows.sort_unstable();
    assert_eq!(rows, (0..80).collect::<Vec<_>>());
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

#[test]
fn rows_still_collecting_when_the_runtime_ends_come_back_too() {
    for started in [true, false] {
        let fake = Fake::new(&TABLE);
        let first = runtime();
        let mut inserter = first.block_on(async {
            let inserter = open(&fake).max_rows(10).open().await.unwrap();
            if started {
                settle().await;
            }
            for n in 0..3 {
                inserter.write(&row(n)).await.unwrap();
            }
            inserter
        });
        drop(first);
        assert_eq!(inserter.pending_rows(), 3);
        let limit = Duration::from_secs(10);
        let flush_and_close = async {
            let error = inserter.flush().await.unwrap_err();
            assert_eq!(error.error().kind(), ErrorKind::Closed);
            assert!(!error.error().outcome_unknown(), "they were never sent");
            assert_eq!(error.batch().unwrap().rows(), 3);
            assert_eq!(inserter.pending_rows(), 0);
            inserter.close().await.unwrap();
        };
        runtime()
            .block_on(async { tokio::time::timeout(limit, flush_and_close).await })
            .unwrap();
    }
}

#[test]
fn an_inserter_whose_runtime_has_ended_gives_its_rows_back() {
    let fake = Fake::new(&TABLE).gated();
    let first = runtime();
    let mut inserter = first
        .block_on(async {
            let inserter = open(&fake).max_rows(1).open().await?;
            for n in 0..2 {
                inserter.write(&row(n)).await.unwrap();
            }
            settle().await;
            Ok::<_, RawError>(inserter)
        })
        .unwrap();
    drop(first);
    runtime().block_on(async {
        let mut rows = 0;
        while let Some(batch) = inserter.close().await.unwrap_err().into_batch() {
            rows += batch.rows();
            if rows == 2 {
                break;
            }
        }
        assert_eq!(rows, 2);
        let error = inserter.write(&row(3)).await.unwrap_err();
        assert_eq!(error.error().kind(), ErrorKind::Closed);
    });
}

#[tokio::test]
async fn options_outside_their_range_are_refused_by_name() {
    let fake = Fake::new(&TABLE);
    let refused = [
        (open(&fake).max_rows(0), "max_rows"),
        (open(&fake).max_bytes(0), "max_bytes"),
        (open(&fake).max_bytes(usize::MAX), "max_bytes"),
        (open(&fake).connections(0), "connections"),
        (open(&fake).max_in_flight(0), "max_in_flight"),
        (open(&fake).max_delay(Duration::ZERO), "max_delay"),
    ];
    for (builder, name) in refused {
        let error = builder.open().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains(name), "{error}");
    }
    let nothing = Fake::new(&[]);
    let error = open(&nothing).open().await.unwrap_err();
    assert!(error.to_string().contains("table `t`"), "{error}");
}

#[test]
fn the_blocking_twin_writes_from_a_plain_thread() {
    let fake = Fake::new(&TABLE);
    let mut inserter = sync::Insertable::inserter::<Row>(&fake, "t")
        .max_rows(2)
        .max_in_flight(1)
        .open()
        .unwrap();
    for n in 0..50 {
        inserter.write(&row(n)).unwrap();
    }
    inserter.flush().unwrap();
    assert_eq!(inserter.close().unwrap().rows, 50);
    assert_eq!(fake.numbers(1), (0..50).collect::<Vec<_>>());
}

/// Keeps the fields of warnings.
struct Warnings(Arc<Mutex<String>>);

impl tracing::field::Visit for Warnings {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        let text = format!("{}={value:?} ", field.name());
        self.0.lock().unwrap().push_str(&text);
    }
}

impl tracing::Subscriber for Warnings {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() == tracing::Level::WARN
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut Self(Arc::clone(&self.0)));
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

#[tokio::test]
async fn dropping_unwritten_rows_warns_and_dropping_nothing_does_not() {
    let log = Arc::new(Mutex::new(String::new()));
    let _guard = tracing::subscriber::set_default(Warnings(Arc::clone(&log)));
    let fake = Fake::new(&TABLE);
    let mut inserter = open(&fake).open().await.unwrap();
    inserter.write(&row(1)).await.unwrap();
    inserter.close().await.unwrap();
    drop(inserter);
    assert_eq!(*log.lock().unwrap(), "");
    let inserter = open(&fake).open().await.unwrap();
    for n in 0..3 {
        inserter.write(&row(n)).await.unwrap();
    }
    drop(inserter);
    let text = log.lock().unwrap().clone();
    assert!(
        text.contains("rows=3") && text.contains("table=\"t\""),
        "{text}"
    );
}
