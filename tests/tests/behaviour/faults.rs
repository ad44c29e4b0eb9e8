//! The line breaks at each frame in each way: every call ends within its timeout, and what comes
//! back is either right or an error.

use std::time::Duration;

use futures::future::join_all;
use taos::*;
use taos_tests::proxy::{Direction, Fault};
use taos_tests::{Table, Target, for_targets, needs};

const ROWS: i64 = 9_000;
/// Frames of one run: version, conn, query, three fetches, free.
const FRAMES: usize = 7;
const LIMIT: Duration = Duration::from_secs(15);

async fn table(target: &Target) -> anyhow::Result<Table> {
    let mut table = target.table("faults", &[("v", Ty::Int)]).await?;
    table.count_up(ROWS).await?;
    Ok(table)
}

/// Reads the table through a line that has `fault` at frame `nth`.
async fn read(
    target: &Target,
    table: &str,
    direction: Direction,
    nth: usize,
    fault: Fault,
) -> anyhow::Result<Result<Vec<i64>, Error>> {
    let proxy = target.proxy().await?;
    let proxy = proxy.on(direction, nth, fault).start().await?;
    // What only slows the line down must not end in a timeout on a busy machine.
    let seconds = match fault {
        Fault::Split(_) | Fault::Delay(_) => 12,
        _ => 2,
    };
    let dsn = target.impatient(target.dsn_through([&proxy], ""), seconds);
    let run = async {
        let taos = TaosBuilder::from_dsn(&dsn)?.build().await?;
        let mut result = taos.query(format!("select v from {table}")).await?;
        result.deserialize::<i64>().try_collect().await
    };
    tokio::time::timeout(LIMIT, run)
        .await
        .map_err(|_| anyhow::anyhow!("{fault:?} at frame {nth} {direction:?}: no end"))
}

/// Runs all frames in both directions at once, for the sake of time.
async fn everywhere(
    target: &Target,
    table: &str,
    fault: Fault,
) -> anyhow::Result<Vec<Result<Vec<i64>, Error>>> {
    let places = [Direction::ToServer, Direction::ToClient]
        .into_iter()
        .flat_map(|direction| (1..=FRAMES).map(move |nth| (direction, nth)));
    let runs = places.map(|(direction, nth)| read(target, table, direction, nth, fault));
    join_all(runs).await.into_iter().collect()
}

fn whole(rows: &[i64]) -> bool {
    rows.iter().copied().eq(0..ROWS)
}

#[test]
fn a_slow_or_split_line_changes_nothing() {
    for_targets(&[needs::KNOWN_FRAMES], |target| async move {
        let table = table(&target).await?;
        for fault in [Fault::Split(3), Fault::Delay(Duration::from_millis(30))] {
            for outcome in everywhere(&target, table.name(), fault).await? {
                assert!(whole(&outcome?), "{fault:?}");
            }
        }
        Ok(())
    });
}

#[test]
fn a_cut_or_silent_line_is_an_error_in_time_or_does_not_matter() {
    for_targets(&[needs::KNOWN_FRAMES], |target| async move {
        let table = table(&target).await?;
        for fault in [Fault::Cut, Fault::CutAfter(5), Fault::Stall, Fault::Drop] {
            let outcomes = everywhere(&target, table.name(), fault).await?;
            assert!(outcomes.iter().any(Result::is_err), "{fault:?} did nothing");
            for outcome in outcomes {
                match outcome {
                    Ok(rows) => assert!(whole(&rows), "{fault:?} lost rows: {}", rows.len()),
                    Err(error) => assert!(!error.to_string().is_empty()),
                }
            }
            let count = format!("select count(*) from {}", table.name());
            let rows: Option<i64> = table.taos().query_one(count).await?;
            assert_eq!(rows, Some(ROWS), "another connection is not concerned");
        }
        Ok(())
    });
}

#[test]
fn a_repeated_frame_never_repeats_or_mixes_rows() {
    for_targets(
        &[needs::NUMBERED_ANSWERS, needs::KNOWN_FRAMES],
        |target| async move {
            let table = table(&target).await?;
            let outcomes = everywhere(&target, table.name(), Fault::Duplicate).await?;
            let read: Vec<_> = outcomes.into_iter().flatten().collect();
            assert!(!read.is_empty(), "no run came to its end");
            for rows in read {
                assert!(whole(&rows), "{} rows", rows.len());
            }
            Ok(())
        },
    );
}

#[test]
fn a_changed_byte_never_hangs_or_panics() {
    for_targets(&[needs::KNOWN_FRAMES], |target| async move {
        let table = table(&target).await?;
        for byte in [0, 9, 30, 60] {
            let outcomes = everywhere(&target, table.name(), Fault::Corrupt(byte)).await?;
            // The first byte of a reply cannot be changed without notice; a byte of a value can.
            assert!(
                byte != 0 || outcomes.iter().any(Result::is_err),
                "nothing was changed"
            );
        }
        Ok(())
    });
}

#[test]
fn an_insert_that_is_cut_off_says_whether_it_may_have_been_run() {
    for_targets(&[needs::KNOWN_FRAMES], |target| async move {
        let table = table(&target).await?;
        let proxy = target.proxy().await?;
        let proxy = match target.is_tdengine() {
            // After the answers to version and conn.
            true => proxy.on(Direction::ToClient, 3, Fault::Cut),
            false => proxy.on_answer_to("GET /exec", Fault::Cut),
        };
        let proxy = proxy.start().await?;
        let dsn = target.impatient(target.dsn_through([&proxy], ""), 5);
        let taos = TaosBuilder::from_dsn(&dsn)?.build().await?;
        let insert = table.insertion(&["999999, -1"]);
        let error = tokio::time::timeout(LIMIT, taos.exec(insert))
            .await?
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionLost, "{error:?}");
        assert!(error.outcome_unknown(), "{error:?}");
        assert_eq!(proxy.struck(), 1);
        Ok(())
    });
}
