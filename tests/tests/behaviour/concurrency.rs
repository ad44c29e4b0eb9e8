//! Many requests on one connection, and futures that are dropped half-way.

use std::sync::Arc;
use std::time::Duration;

use futures::future::{join_all, poll_immediate};
use taos::*;
use taos_tests::{Table, Target, on_every_target};

const MANY: i64 = 100_000;

/// A table of [`MANY`] rows: `v` counts from 0, `ts` too.
async fn numbers(target: &Target, stem: &str) -> anyhow::Result<Table> {
    let mut table = target.table(stem, &[("v", Ty::Int)]).await?;
    table.count_up(MANY).await?;
    Ok(table)
}

#[test]
fn a_result_of_many_blocks_arrives_whole_and_in_order() {
    on_every_target(|target| async move {
        let table = numbers(&target, "blocks").await?;
        let all = format!("select ts, v from {}", table.name());
        let mut result = table.taos().query(all).await?;
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
    on_every_target(|target| async move {
        let table = Arc::new(numbers(&target, "share").await?);
        let tasks = (0..64_i64).map(|n| {
            let table = Arc::clone(&table);
            tokio::spawn(async move {
                let (name, end) = (table.name(), n + 5_000);
                let sql = format!("select v from {name} where v >= {n} and v < {end}");
                let mut result = table.taos().query(sql).await?;
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
    on_every_target(|target| async move {
        let table = numbers(&target, "dropped").await?;
        let (taos, name) = (table.taos(), table.name());
        for taken in 0..5 {
            let mut result = taos.query(format!("select * from {name}")).await?;
            let mut blocks = result.blocks();
            for _ in 0..taken {
                assert!(blocks.try_next().await?.is_some());
            }
            drop(result);
            let seven = format!("select v from {name} where v = 7");
            let one: Option<i32> = taos.query_one(seven).await?;
            assert_eq!(one, Some(7));
        }
        Ok(())
    });
}

#[test]
fn a_future_dropped_after_any_poll_leaves_the_connection_usable() {
    on_every_target(|target| async move {
        let table = numbers(&target, "cancelled").await?;
        let (taos, name) = (table.taos(), table.name());
        for polls in 0..8 {
            {
                let mut query = Box::pin(async {
                    let many = format!("select * from {name} where v < 9000");
                    let mut result = taos.query(many).await?;
                    result.blocks().try_next().await
                });
                for _ in 0..polls {
                    if poll_immediate(query.as_mut()).await.is_some() {
                        break;
                    }
                    tokio::task::yield_now().await;
                }
            }
            let eleven = format!("select v from {name} where v = 11");
            let one: Option<i32> = taos.query_one(eleven).await?;
            assert_eq!(one, Some(11), "after {polls} polls");
        }
        Ok(())
    });
}

#[test]
fn results_may_be_read_in_turns() {
    on_every_target(|target| async move {
        let table = numbers(&target, "turns").await?;
        let (taos, name) = (table.taos(), table.name());
        let mut results = Vec::new();
        for _ in 0..24 {
            results.push(taos.query(format!("select v from {name}")).await?);
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
        let write = taos.exec(table.insertion(&[format!("{MANY}, 1")]));
        tokio::time::timeout(Duration::from_secs(20), write).await??;
        Ok(())
    });
}

#[test]
fn inserts_from_many_tasks_are_all_there() {
    on_every_target(|target| async move {
        let mut table = target.table("inserts", &[("v", Ty::Int)]).await?;
        let shared = Arc::new(target.connect().await);
        let tasks = (0..32).map(|task| {
            let taos = Arc::clone(&shared);
            let rows = (0..20).map(|n| format!("{}, {n}", 20 * task + n));
            let inserts: Vec<_> = rows.map(|row| table.insertion(&[row])).collect();
            tokio::spawn(async move { taos.exec_many(inserts).await })
        });
        for task in join_all(tasks).await {
            task??;
        }
        table.until(32 * 20).await
    });
}
