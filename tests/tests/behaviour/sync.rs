//! The blocking API: from plain threads and from inside both kinds of runtime.

use serde::Deserialize;
use taos::sync::*;
use taos_tests::{Target, needs, targets_with, until_rows_blocking};

#[derive(Debug, Deserialize, PartialEq)]
struct Row {
    ts: i64,
    v: Option<i32>,
}

const COLUMNS: [(&str, Ty); 1] = [("v", Ty::Int)];

/// The seed-style program, without await.
fn program(target: &Target, table: &str) -> anyhow::Result<()> {
    let taos = TaosBuilder::from_dsn(target.dsn())?.build()?;
    let affected = taos.exec_many([
        target.insertion(table, &["1, 10"]),
        target.insertion(table, &["2, null"]),
    ])?;
    if target.capabilities().affected_rows {
        assert_eq!(affected, 2);
    }
    until_rows_blocking(&taos, table, 2)?;

    let all = format!("select * from {table}");
    let mut result = taos.query(&all)?;
    assert_eq!(result.fields().len(), 2);
    let mut cells = 0;
    for row in result.rows() {
        for (name, value) in row? {
            assert!(name == "ts" || name == "v");
            assert!(!format!("{value}").is_empty());
            cells += 1;
        }
    }
    assert_eq!(cells, 4);

    let rows: Vec<Row> = taos.query(&all)?.deserialize().collect::<Result<_, _>>()?;
    assert_eq!(rows, [Row { ts: 1, v: Some(10) }, Row { ts: 2, v: None }]);
    let one: Option<i32> = taos.query_one(format!("select v from {table}"))?;
    assert_eq!(one, Some(10));
    let error = taos
        .exec(format!("insert into {table}_missing values (1)"))
        .expect_err("no table");
    assert!(target.misses_table(&error), "{error}");
    let rows = taos.query(&all)?.to_rows_vec()?;
    assert_eq!(rows.len(), 2);
    Ok(())
}

#[test]
fn it_works_on_a_plain_thread() -> anyhow::Result<()> {
    for target in targets_with(&[]) {
        program(&target, &target.blocking_table("sync", &COLUMNS)?)?;
    }
    Ok(())
}

#[test]
fn it_works_inside_a_current_thread_runtime() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    for target in targets_with(&[]) {
        let table = target.blocking_table("sync_ct", &COLUMNS)?;
        runtime.block_on(async { program(&target, &table) })?;
    }
    Ok(())
}

#[test]
fn it_works_inside_a_multi_thread_runtime() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    for target in targets_with(&[]) {
        let table = target.blocking_table("sync_mt", &COLUMNS)?;
        runtime
            .block_on(async { tokio::spawn(async move { program(&target, &table) }).await })??;
    }
    Ok(())
}

#[test]
fn one_connection_serves_many_threads() -> anyhow::Result<()> {
    for target in targets_with(&[]) {
        let taos = TaosBuilder::from_dsn(target.dsn())?.build()?;
        std::thread::scope(|scope| {
            for n in 0..8_i64 {
                let taos = &taos;
                scope.spawn(move || {
                    for _ in 0..20 {
                        let got: Option<i64> = taos
                            .query_one(format!("select {n}"))
                            .unwrap_or_else(|error| panic!("{error}"));
                        assert_eq!(got, Some(n));
                    }
                });
            }
        });
    }
    Ok(())
}

/// Makes the connection with the async calls, on the runtime that is current.
async fn connect_async(dsn: &str) -> anyhow::Result<Taos> {
    use taos::AsyncTBuilder as Builder;
    Ok(Builder::build(&<TaosBuilder as Builder>::from_dsn(dsn)?).await?)
}

#[test]
fn a_blocking_call_inside_the_single_thread_that_drives_the_connection_is_refused()
-> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    for target in targets_with(&[needs::TASK_OF_THE_RUNTIME]) {
        runtime.block_on(async {
            let mut taos = connect_async(target.dsn()).await?;
            let error = taos.exec("select 1").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported);
            let builder = <TaosBuilder as TBuilder>::from_dsn(target.dsn())?;
            let error = TBuilder::ping(&builder, &mut taos).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported);
            assert!(error.to_string().contains("single-threaded"), "{error}");
            let mut result = taos::AsyncQueryable::query(&taos, "select 1").await?;
            let error = result.rows().next().map(|row| row.map(drop));
            assert_eq!(
                error.and_then(Result::err).map(|e| e.kind()),
                Some(ErrorKind::Unsupported)
            );
            anyhow::Ok(())
        })?;
    }
    Ok(())
}

#[test]
fn a_blocking_call_inside_a_single_thread_works_where_the_library_has_threads_of_its_own()
-> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    for target in targets_with(&[needs::NATIVE_LIBRARY]) {
        runtime.block_on(async {
            let mut taos = connect_async(target.dsn()).await?;
            let one: Option<i64> = taos.query_one("select 1")?;
            assert_eq!(one, Some(1));
            let builder = <TaosBuilder as TBuilder>::from_dsn(target.dsn())?;
            TBuilder::ping(&builder, &mut taos)?;
            // Begun by an awaited call, read by blocking ones.
            let mut result = taos::AsyncQueryable::query(&taos, "select 1").await?;
            let values = result
                .rows()
                .next()
                .transpose()?
                .map(|row| row.into_values());
            assert_eq!(values, Some(vec![Value::BigInt(1)]));
            anyhow::Ok(())
        })?;
    }
    Ok(())
}

#[test]
fn a_connection_of_a_runtime_with_one_worker_can_be_used_by_blocking_calls_on_it()
-> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    for target in targets_with(&[]) {
        runtime.block_on(async {
            tokio::spawn(async move {
                let taos = connect_async(target.dsn()).await?;
                let one: Option<i64> = taos.query_one("select 1")?;
                assert_eq!(one, Some(1));
                anyhow::Ok(())
            })
            .await
        })??;
    }
    Ok(())
}

#[test]
fn a_connection_of_a_runtime_can_be_used_by_blocking_calls_outside_of_it() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    for target in targets_with(&[]) {
        let taos = runtime.block_on(connect_async(target.dsn()))?;
        let one: Option<i64> = taos.query_one("select 1")?;
        assert_eq!(one, Some(1));
    }
    Ok(())
}
