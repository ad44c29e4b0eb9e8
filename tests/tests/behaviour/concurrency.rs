//! Many requests on one connection, and futures that are dropped half-way.

use std::sync::Arc;
use std::time::Duration;

use futures::future::{join_all, poll_immediate};
use taos::*;
use taos_tests::{Target, for_each_target};

const MANY: i64 = 100_000;

/// A table of [`MANY`] rows: `v` counts from 0, `ts` too.
async fn numbers(target: &Target, stem: &str) -> anyhow::Result<Taos> {
    let (taos, _) = target.fresh(stem, "").await;
    taos.exec("create table t (ts timestamp, v int)").await?;
    for chunk in (0..MANY).collect::<Vec<_>>().chunks(10_000) {
        let rows: String = chunk.iter().map(|v| format!("({v},{v})")).collect();
        taos.exec(format!("insert into t values {rows}")).await?;
    }
    Ok(taos)
}

#[test]
fn a_result_of_many_blocks_arrives_whole_and_in_order() {
    for_each_target(|target| async move {
        let taos = numbers(&target, "blocks").await?;
        let mut result = taos.query("select ts, v from t").await?;
        let mut next = 0;
        let mut rows = result.deserialize::<(i64, i64)>();
        while let Some((ts, v)) = rows.try_next().await? {
            assert_eq!((ts, v), (next, next));
            next += 1;
        }
        assert_eq!(next, MANY);
        let (blocks, rows) = result.summary();
        assert!(blocks > 1);
        assert_eq!(rows, 100_000);
        Ok(())
    });
}

#[test]
fn many_queries_share_one_connection() {
    for_each_target(|target| async move {
        let taos = Arc::new(numbers(&target, "share").await?);
        let tasks = (0..64_i64).map(|n| {
            let taos = Arc::clone(&taos);
            tokio::spawn(async move {
                let sql = format!("select v from t where v >= {n} and v < {}", n + 5_000);
                let mut result = taos.query(sql).await?;
                let rows: Vec<i64> = result.deserialize::<i64>().try_collect().await?;
                assert_eq!(rows, (n..n + 5_000).collect::<Vec<_>>());
                Ok::<_, Error>(())
            })
        });
        for task in join_all(tasks).await {
            task??;
        }
        Ok(())
    });
}

#[test]
fn a_result_dropped_at_any_block_leaves_the_connection_usable() {
    for_each_target(|target| async move {
        let taos = numbers(&target, "dropped").await?;
        for taken in 0..5 {
            let mut result = taos.query("select * from t").await?;
            let mut blocks = result.blocks();
            for _ in 0..taken {
                assert!(blocks.try_next().await?.is_some());
            }
            drop(result);
            let one: Option<i32> = taos.query_one("select v from t where ts = 7").await?;
            assert_eq!(one, Some(7));
        }
        Ok(())
    });
}

#[test]
fn a_future_dropped_after_any_poll_leaves_the_connection_usable() {
    for_each_target(|target| async move {
        let taos = numbers(&target, "cancelled").await?;
        for polls in 0..8 {
            {
                let mut query = Box::pin(async {
                    let mut result = taos.query("select * from t where v < 9000").await?;
                    result.blocks().try_next().await
                });
                for _ in 0..polls {
                    if poll_immediate(query.as_mut()).await.is_some() {
                        break;
                    }
                    tokio::task::yield_now().await;
                }
            }
            let one: Option<i32> = taos.query_one("select v from t where ts = 11").await?;
            assert_eq!(one, Some(11), "after {polls} polls");
        }
        Ok(())
    });
}

#[test]
fn results_may_be_read_in_turns() {
    for_each_target(|target| async move {
        let taos = numbers(&target, "turns").await?;
        let mut results = Vec::new();
        for _ in 0..24 {
            results.push(taos.query("select v from t").await?);
        }
        let mut sums = vec![0_usize; results.len()];
        for _ in 0..3 {
            for (result, sum) in results.iter_mut().zip(&mut sums) {
                *sum += result.blocks().try_next().await?.map_or(0, |b| b.nrows());
            }
        }
        assert!(
            sums.iter().all(|sum| *sum == sums[0] && *sum > 0),
            "{sums:?}"
        );
        let write = taos.exec("insert into t values (now, 1)");
        assert_eq!(
            tokio::time::timeout(Duration::from_secs(20), write).await??,
            1
        );
        Ok(())
    });
}

#[test]
fn inserts_from_many_tasks_are_all_there() {
    for_each_target(|target| async move {
        let (taos, _) = target.fresh("inserts", "").await;
        taos.exec("create table st (ts timestamp, v int) tags (g int)")
            .await?;
        let taos = Arc::new(taos);
        let tasks = (0..32).map(|g| {
            let taos = Arc::clone(&taos);
            tokio::spawn(async move {
                for v in 0..20 {
                    taos.exec(format!(
                        "insert into s{g} using st tags ({g}) values ({v}, {v})"
                    ))
                    .await?;
                }
                Ok::<_, Error>(())
            })
        });
        for task in join_all(tasks).await {
            task??;
        }
        let count: Option<i64> = taos.query_one("select count(*) from st").await?;
        assert_eq!(count, Some(32 * 20));
        Ok(())
    });
}
