//! More at once than the other side takes: callers wait, none is turned away.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use taos::*;
use taos_tests::for_each_target;
use taos_tests::proxy::{Direction, Proxy};

#[test]
fn two_hundred_inserts_of_half_a_megabyte_to_a_slow_reader_all_succeed() {
    const INSERTS: i64 = 200;
    const ROWS: i64 = 32;
    const WIDTH: usize = 16_000;
    for_each_target(|target| async move {
        let (direct, database) = target.fresh("slow_reader", "").await;
        direct
            .exec(format!("create table t (ts timestamp, s varchar({WIDTH}))"))
            .await?;
        // 64 KiB, then a pause: a hundred megabytes take longer than the second that others wait.
        let proxy = Proxy::to(target.address().await?)
            .pace(Direction::ToServer, 64 * 1024, Duration::from_millis(1))
            .start()
            .await?;
        let mut dsn = target.dsn_through([&proxy], &database);
        dsn.set("read_timeout", "300");
        let taos = Arc::new(TaosBuilder::from_dsn(dsn)?.build().await?);
        let wide = Arc::new("x".repeat(WIDTH));
        let tasks = (0..INSERTS).map(|n| {
            let (taos, wide) = (Arc::clone(&taos), Arc::clone(&wide));
            tokio::spawn(async move {
                let mut sql = String::from("insert into t values");
                for row in 0..ROWS {
                    sql += &format!(" ({}, '{wide}')", n * ROWS + row);
                }
                taos.exec(sql).await
            })
        });
        for task in join_all(tasks).await {
            assert_eq!(task??, 32);
        }
        assert_eq!(proxy.passed(Direction::ToServer, "query insert"), 200);
        assert_eq!(proxy.connections(), 1);
        let rows: Option<(i64, i64)> = direct
            .query_one("select count(*), sum(length(s)) from t")
            .await?;
        assert_eq!(rows, Some((INSERTS * ROWS, INSERTS * ROWS * 16_000)));
        Ok(())
    });
}
