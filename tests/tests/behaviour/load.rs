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

/// What one task does in its turn, each with values of its own that are read back and compared.
async fn turn(taos: &Taos, task: i64, round: i64) -> anyhow::Result<()> {
    let value = task * 1_000_000 + round;
    let ts = round + 1;
    let read = match task % 4 {
        0 => format!("select {value}"),
        1 => {
            let mut stmt = taos
                .stmt("insert into ? using bound tags (?) values (?, ?)")
                .await?;
            stmt.set_tbname_tags(&format!("b{task}"), &[Value::BigInt(task)])
                .await?;
            let columns = [
                ColumnView::from_millis_timestamp(vec![ts]),
                ColumnView::from_big_ints(vec![value]),
            ];
            stmt.bind(&columns).await?.add_batch().await?;
            assert_eq!(stmt.execute().await?, 1);
            format!("select v from bound where task = {task} and ts = {ts}")
        }
        2 => {
            let data = SmlDataBuilder::default()
                .protocol(SchemalessProtocol::Line)
                .data(vec![format!("lines,task={task} v={value}i64 {ts}")])
                .build()?;
            taos.put(&data).await?;
            format!("select v from lines where task = '{task}' and _ts = {ts}")
        }
        _ => {
            let rows = taos
                .exec(format!(
                    "insert into s{task} using texts tags ({task}) values ({ts}, {value})"
                ))
                .await?;
            assert_eq!(rows, 1);
            format!("select v from texts where task = {task} and ts = {ts}")
        }
    };
    let got: Option<i64> = taos.query_one(&read).await?;
    anyhow::ensure!(got == Some(value), "{read}: {got:?} instead of {value}");
    Ok(())
}

/// 64 tasks on one connection, by queries, statements, lines and SQL in turn.
fn mixed(time: Duration) {
    const TASKS: i64 = 64;
    for_each_target(|target| async move {
        let (taos, _) = target.fresh("mixed", "").await;
        taos.exec_many([
            "create table bound (ts timestamp, v bigint) tags (task bigint)",
            "create table texts (ts timestamp, v bigint) tags (task bigint)",
        ])
        .await?;
        let taos = Arc::new(taos);
        let end = tokio::time::Instant::now() + time;
        let tasks = (0..TASKS).map(|task| {
            let taos = Arc::clone(&taos);
            tokio::spawn(async move {
                let mut rounds = 0;
                while tokio::time::Instant::now() < end {
                    turn(&taos, task, rounds).await?;
                    rounds += 1;
                }
                anyhow::Ok(rounds)
            })
        });
        let mut written = 0;
        for (task, rounds) in join_all(tasks).await.into_iter().enumerate() {
            let rounds = rounds??;
            anyhow::ensure!(rounds > 0, "task {task} had no turn");
            written += if task % 4 == 0 { 0 } else { rounds };
        }
        let mut stored = 0;
        for table in ["bound", "lines", "texts"] {
            let count = taos.query_one::<_, i64>(format!("select count(*) from {table}"));
            stored += count.await?.unwrap_or_default();
        }
        assert_eq!(stored, written, "every row once");
        Ok(())
    });
}

#[test]
fn sixty_four_tasks_mix_their_calls_on_one_connection_and_none_is_crossed() {
    mixed(Duration::from_secs(3));
}

#[test]
#[ignore = "takes a minute: cargo xtask soak"]
fn sixty_four_tasks_mix_their_calls_for_a_minute() {
    mixed(Duration::from_secs(60));
}
