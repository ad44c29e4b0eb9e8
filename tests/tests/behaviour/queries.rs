//! The calls of `AsyncQueryable`, one after another.

use taos::*;
use taos_tests::{for_each_target, for_targets, needs, on_every_target};

#[test]
fn exec_says_how_many_rows_were_written() {
    for_targets(&[needs::AFFECTED_ROWS], |target| async move {
        let table = target.table("exec", &[("v", Ty::Int)]).await?;
        let taos = table.taos();
        let insert = table.insertion(&["1, 1", "2, 2", "3, null"]);
        assert_eq!(taos.exec(insert).await?, 3);
        let insert = table.insertion(&["4, 4"]);
        assert_eq!(
            taos.exec_with_req_id(insert, 0x7000_0000_0000_0001).await?,
            1
        );
        Ok(())
    });
}

#[test]
fn exec_many_stops_at_the_first_error() {
    on_every_target(|target| async move {
        let mut table = target.table("exec_many", &[("v", Ty::Int)]).await?;
        let statements = [
            table.insertion(&["1, 1"]),
            "insert into missing values (1, 1)".to_owned(),
            table.insertion(&["2, 2"]),
        ];
        let error = table.taos().exec_many(statements).await.unwrap_err();
        assert!(target.misses_table(&error), "{error}");
        table.taos().exec(table.insertion(&["3, 3"])).await?;
        table.until(2).await?;
        let sum = format!("select sum(v) from {}", table.name());
        assert_eq!(table.taos().query_one::<_, i64>(sum).await?, Some(4));
        Ok(())
    });
}

#[test]
fn query_one_gives_the_first_row_or_nothing() {
    on_every_target(|target| async move {
        let mut table = target.table("query_one", &[("v", Ty::Int)]).await?;
        let v = format!("select v from {}", table.name());
        let none: Option<i32> = table.taos().query_one(&v).await?;
        assert_eq!(none, None);
        table.insert(&["1, 7", "2, 8"]).await?;
        let both = format!("select ts, v from {}", table.name());
        let pair: Option<(i64, i32)> = table.taos().query_one(both).await?;
        assert_eq!(pair, Some((1, 7)));
        Ok(())
    });
}

#[test]
fn a_result_without_rows_has_fields_and_ends() {
    on_every_target(|target| async move {
        let table = target.table("empty", &[("v", Ty::Int)]).await?;
        let all = format!("select * from {}", table.name());
        let mut result = table.taos().query_with_req_id(all, 77).await?;
        assert_eq!(result.num_of_fields(), 2);
        assert!(result.rows().try_next().await?.is_none());
        assert_eq!(result.summary(), (0, 0));
        Ok(())
    });
}

#[test]
fn a_statement_without_result_has_no_fields() {
    on_every_target(|target| async move {
        let table = target.table("no_fields", &[("v", Ty::Int)]).await?;
        let mut result = table.taos().query(table.insertion(&["1, 1"])).await?;
        assert!(result.fields().is_empty());
        assert!(result.rows().try_next().await?.is_none());
        if target.capabilities().affected_rows {
            assert_eq!(result.affected_rows(), 1);
        }
        Ok(())
    });
}

#[test]
fn describe_lists_the_columns_in_their_order() {
    on_every_target(|target| async move {
        let columns = [("v", Ty::Int), ("ratio", Ty::Double), ("s", Ty::VarChar)];
        let table = target.table("columns", &columns).await?;
        let (taos, name) = (table.taos(), table.name().to_owned());
        let describe = taos.describe(&name).await?;
        let names: Vec<_> = describe.names().collect();
        assert_eq!(names, ["ts", "v", "ratio", "s"]);
        assert!(!describe.is_stable());
        Ok(())
    });
}

#[test]
fn describe_tells_columns_from_tags() {
    for_targets(&[needs::TAGS], |target| async move {
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
    for_targets(&[needs::DATABASES], |target| async move {
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
    for_targets(&[needs::DATABASES], |target| async move {
        let (_taos, name) = target.fresh("subject", "").await;
        let other = TaosBuilder::from_dsn(target.dsn_of(&name))?.build().await?;
        let current: Option<String> = other.query_one("select database()").await?;
        assert_eq!(current, Some(name));
        Ok(())
    });
}

#[test]
fn the_servers_version_has_numbers() {
    on_every_target(|target| async move {
        let mut taos = target.connect().await;
        let version = taos.server_version().await?;
        assert!(version.split('.').count() >= 3, "{version}");
        let version = version.into_owned();
        let builder = TaosBuilder::from_dsn(target.dsn())?;
        builder.ping(&mut taos).await?;
        // Asked twice, answered by the first.
        for _ in 0..2 {
            assert_eq!(builder.server_version().await?, version);
        }
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
