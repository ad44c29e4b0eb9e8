//! The calls of `AsyncQueryable`, one after another.

use taos::*;
use taos_tests::for_each_target;

#[test]
fn exec_says_how_many_rows_were_written() {
    for_each_target(|target| async move {
        let (taos, _) = target.fresh("exec", "").await;
        assert_eq!(taos.exec("create table t (ts timestamp, v int)").await?, 0);
        assert_eq!(
            taos.exec("insert into t values (1, 1) (2, 2) (3, null)")
                .await?,
            3
        );
        assert_eq!(
            taos.exec_with_req_id("insert into t values (4, 4)", 0x7000_0000_0000_0001)
                .await?,
            1
        );
        Ok(())
    });
}

#[test]
fn exec_many_stops_at_the_first_error() {
    for_each_target(|target| async move {
        let (taos, _) = target.fresh("exec_many", "").await;
        taos.exec("create table t (ts timestamp, v int)").await?;
        let result = taos
            .exec_many([
                "insert into t values (1, 1)",
                "insert into missing values (1, 1)",
                "insert into t values (2, 2)",
            ])
            .await;
        assert_eq!(result.unwrap_err().code(), 0x2603);
        let count: Option<i64> = taos.query_one("select count(*) from t").await?;
        assert_eq!(count, Some(1));
        Ok(())
    });
}

#[test]
fn query_one_gives_the_first_row_or_nothing() {
    for_each_target(|target| async move {
        let (taos, _) = target.fresh("query_one", "").await;
        taos.exec("create table t (ts timestamp, v int)").await?;
        let none: Option<i32> = taos.query_one("select v from t").await?;
        assert_eq!(none, None);
        taos.exec("insert into t values (1, 7) (2, 8)").await?;
        let pair: Option<(i64, i32)> = taos.query_one("select ts, v from t").await?;
        assert_eq!(pair, Some((1, 7)));
        Ok(())
    });
}

#[test]
fn a_result_without_rows_has_fields_and_ends() {
    for_each_target(|target| async move {
        let (taos, _) = target.fresh("empty", "").await;
        taos.exec("create table t (ts timestamp, v int)").await?;
        let mut result = taos.query_with_req_id("select * from t", 77).await?;
        assert_eq!(result.num_of_fields(), 2);
        assert!(result.rows().try_next().await?.is_none());
        assert_eq!(result.summary(), (0, 0));
        Ok(())
    });
}

#[test]
fn a_statement_without_result_has_no_fields() {
    for_each_target(|target| async move {
        let (taos, _) = target.fresh("no_fields", "").await;
        taos.exec("create table t (ts timestamp, v int)").await?;
        let result = taos.query("insert into t values (1, 1)").await?;
        assert!(result.fields().is_empty());
        assert_eq!(result.affected_rows(), 1);
        Ok(())
    });
}

#[test]
fn describe_tells_columns_from_tags() {
    for_each_target(|target| async move {
        let (taos, _) = target.fresh("describe", "").await;
        taos.exec("create table st (ts timestamp, v double, `A b` nchar(9)) tags (g varchar(7))")
            .await?;
        let describe = taos.describe("st").await?;
        assert!(describe.is_stable());
        assert_eq!(
            describe.names().collect::<Vec<_>>(),
            ["ts", "v", "A b", "g"]
        );
        assert_eq!(describe.tag_names().collect::<Vec<_>>(), ["g"]);
        Ok(())
    });
}

#[test]
fn databases_are_created_found_used_and_listed() {
    for_each_target(|target| async move {
        let taos = target.connect().await;
        let name = target.unique("dbs");
        assert!(!taos.database_exists(&name).await?);
        taos.create_database(&name).await?;
        assert!(taos.database_exists(&name).await?);
        taos.use_database(&name).await?;
        let current: Option<String> = taos.query_one("select database()").await?;
        assert_eq!(current.as_deref(), Some(name.as_str()));
        let listed = taos.databases().await?;
        let Some(found) = listed.iter().find(|db| db.name == name) else {
            panic!("{listed:?}")
        };
        assert_eq!(
            found.props.precision,
            Some(Precision::Millisecond),
            "{found:?}"
        );
        assert!(
            found.created_time.is_some() && found.status.is_some(),
            "{found:?}"
        );
        taos.exec(format!("drop database `{name}`")).await?;
        assert!(!taos.database_exists(&name).await?);
        Ok(())
    });
}

#[test]
fn the_database_of_the_dsn_is_current() {
    for_each_target(|target| async move {
        let (_taos, name) = target.fresh("subject", "").await;
        let other = TaosBuilder::from_dsn(target.dsn_of(&name))?.build().await?;
        let current: Option<String> = other.query_one("select database()").await?;
        assert_eq!(current, Some(name));
        Ok(())
    });
}

#[test]
fn the_servers_version_has_numbers() {
    for_each_target(|target| async move {
        let taos = target.connect().await;
        let version = taos.server_version().await?;
        assert!(version.split('.').count() >= 3, "{version}");
        let mut builder_connection = taos;
        TaosBuilder::from_dsn(target.dsn())?
            .ping(&mut builder_connection)
            .await?;
        Ok(())
    });
}

#[test]
fn equal_timestamps_overwrite() {
    for_each_target(|target| async move {
        let (taos, _) = target.fresh("upsert", "").await;
        taos.exec_many([
            "create table t (ts timestamp, a int, b int)",
            "insert into t values (1, 1, 1)",
            "insert into t (ts, b) values (1, 9)",
        ])
        .await?;
        let row: Option<(i64, i32, i32)> = taos.query_one("select * from t").await?;
        assert_eq!(row, Some((1, 1, 9)));
        Ok(())
    });
}

#[test]
fn intervals_group_by_time() {
    for_each_target(|target| async move {
        let (taos, _) = target.fresh("interval", "").await;
        taos.exec_many([
            "create table t (ts timestamp, v int)",
            "insert into t values (0, 1) (500, 2) (1000, 10) (3500, 5)",
        ])
        .await?;
        let windows: Vec<_> = taos
            .query("select _wstart, _wend, count(*), avg(v) from t interval(1s)")
            .await?
            .deserialize::<(i64, i64, i64, Option<f64>)>()
            .try_collect()
            .await?;
        assert_eq!(
            windows,
            [
                (0, 1000, 2, Some(1.5)),
                (1000, 2000, 1, Some(10.0)),
                (3000, 4000, 1, Some(5.0))
            ]
        );
        Ok(())
    });
}
