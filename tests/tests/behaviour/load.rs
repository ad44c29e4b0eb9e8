//! More at once than the other side takes: callers wait, none is turned away.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use taos::*;
use taos_tests::proxy::{Direction, Proxy};
use taos_tests::{for_each_target, for_targets, needs, on_every_target, until_rows};

#[test]
fn two_hundred_inserts_of_half_a_megabyte_to_a_slow_reader_all_succeed() {
    const INSERTS: i64 = 200;
    const ROWS: i64 = 32;
    const WIDTH: usize = 16_000;
    for_targets(
        &[needs::TDENGINE_SQL, needs::KNOWN_FRAMES],
        |target| async move {
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
        },
    );
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

/// One table for each way of writing, of one number and a time.
const WAYS: usize = 4;

/// Writes a row in the way of its turn: by SQL, a statement, a record or a line.
async fn write(taos: &Taos, tables: &[String; WAYS], way: usize, n: i64) -> anyhow::Result<()> {
    #[derive(serde::Serialize)]
    struct Row {
        ts: i64,
        v: i64,
    }
    let table = &tables[way];
    match way {
        0 => drop(taos.exec(taos_row(table, n)).await?),
        1 => {
            let mut stmt = Stmt2::init(taos).await?;
            stmt.prepare(&format!("insert into {table} values (?, ?)"))
                .await?;
            let row = vec![
                ColumnView::from_micros_timestamp(vec![n]),
                ColumnView::from_big_ints(vec![n]),
            ];
            let row = Stmt2BindParam::new(None, None, Some(row));
            assert_eq!(stmt.bind(&[row]).await?.exec().await?, 1);
        }
        2 => {
            let mut inserter = taos.inserter::<Row>(table).open().await?;
            inserter.write(&Row { ts: n, v: n }).await?;
            assert_eq!(inserter.close().await?.rows, 1);
        }
        _ => {
            let name = table.rsplit('.').next().unwrap_or(table);
            let data = SmlDataBuilder::default()
                .protocol(SchemalessProtocol::Line)
                .precision(SchemalessPrecision::Microsecond)
                .data(vec![format!("{name} v={n}.0 {n}")])
                .build()?;
            taos.put(&data).await?;
        }
    }
    Ok(())
}

fn taos_row(table: &str, n: i64) -> String {
    format!("insert into {table} values ({n}, {n})")
}

#[test]
fn tasks_that_write_in_every_way_over_one_connection_lose_and_double_nothing() {
    const TASKS: i64 = 16;
    const ROUNDS: i64 = 8;
    on_every_target(|target| async move {
        let columns = [("v", Ty::BigInt)];
        let made = [
            target.table("mix_sql", &columns).await?,
            target.table("mix_stmt", &columns).await?,
            target.table("mix_record", &columns).await?,
        ];
        // The database of the first, where there is one, takes the lines.
        let lines = target.unique("mix_lines");
        let database = made[0].name().split_once('.').map(|(database, _)| database);
        let lines =
            database.map_or_else(|| lines.clone(), |database| format!("{database}.{lines}"));
        let taos = match database {
            Some(database) => {
                TaosBuilder::from_dsn(target.dsn_of(database))?
                    .build()
                    .await?
            }
            None => target.connect().await,
        };
        let taos = Arc::new(taos);
        let [sql, stmt, record] = made.each_ref().map(|table| table.name().to_owned());
        let tables = Arc::new([sql, stmt, record, lines]);
        let tasks = (0..TASKS).map(|task| {
            let (taos, tables) = (Arc::clone(&taos), Arc::clone(&tables));
            tokio::spawn(async move {
                for round in 0..ROUNDS {
                    let n = 1 + task * ROUNDS + round;
                    for way in 0..WAYS {
                        write(&taos, &tables, way, n).await?;
                    }
                    let echoed: Option<i64> = taos.query_one(format!("select {n}")).await?;
                    anyhow::ensure!(echoed == Some(n), "{echoed:?} instead of {n}");
                }
                anyhow::Ok(())
            })
        });
        for task in join_all(tasks).await {
            task??;
        }
        let rows = TASKS * ROUNDS;
        for table in tables.iter() {
            until_rows(&taos, table, rows).await?;
            let sum: Option<f64> = taos
                .query_one(format!("select sum(v) from {table}"))
                .await?;
            let expected = rows * (rows + 1) / 2;
            assert_eq!(sum.map(|sum| sum.to_string()), Some(expected.to_string()));
        }
        Ok(())
    });
}
