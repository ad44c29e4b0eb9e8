//! The blocking API: from plain threads and from inside both kinds of runtime.

use serde::Deserialize;
use taos::sync::*;
use taos_tests::targets;

#[derive(Debug, Deserialize, PartialEq)]
struct Row {
    ts: i64,
    v: Option<i32>,
}

/// The seed-style program, without await.
fn program(dsn: &str, database: &str) -> anyhow::Result<()> {
    let taos = TaosBuilder::from_dsn(dsn)?.build()?;
    let affected = taos.exec_many([
        format!("create database if not exists `{database}` keep 36500"),
        format!("use `{database}`"),
        "create table if not exists t (ts timestamp, v int)".to_owned(),
        "insert into t values (1, 10) (2, null)".to_owned(),
    ])?;
    assert_eq!(affected, 2);

    let mut result = taos.query("select * from t")?;
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

    let rows: Vec<Row> = taos
        .query("select * from t")?
        .deserialize()
        .collect::<Result<_, _>>()?;
    assert_eq!(rows, [Row { ts: 1, v: Some(10) }, Row { ts: 2, v: None }]);
    let one: Option<i32> = taos.query_one("select v from t")?;
    assert_eq!(one, Some(10));
    let error = taos
        .exec("insert into missing values (1)")
        .expect_err("no table");
    assert!(error.to_string().starts_with("[0x2603] "), "{error}");
    let blocks = taos.query("select * from t")?.to_rows_vec()?;
    assert_eq!(blocks.len(), 2);
    Ok(())
}

#[test]
fn it_works_on_a_plain_thread() -> anyhow::Result<()> {
    for target in targets() {
        program(target.dsn(), &target.unique("sync"))?;
    }
    Ok(())
}

#[test]
fn it_works_inside_a_current_thread_runtime() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    for target in targets() {
        runtime.block_on(async { program(target.dsn(), &target.unique("sync_ct")) })?;
    }
    Ok(())
}

#[test]
fn it_works_inside_a_multi_thread_runtime() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    for target in targets() {
        runtime.block_on(async {
            let name = target.unique("sync_mt");
            tokio::spawn(async move { program(target.dsn(), &name) }).await
        })??;
    }
    Ok(())
}

#[test]
fn one_connection_serves_many_threads() -> anyhow::Result<()> {
    for target in targets() {
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
    for target in targets() {
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
fn a_connection_of_a_runtime_with_one_worker_can_be_used_by_blocking_calls_on_it()
-> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    for target in targets() {
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
    for target in targets() {
        let taos = runtime.block_on(connect_async(target.dsn()))?;
        let one: Option<i64> = taos.query_one("select 1")?;
        assert_eq!(one, Some(1));
    }
    Ok(())
}
