//! Statements of the first generation: table, tags and columns one after another.

use futures::future::poll_immediate;
use taos::*;
use taos_tests::proxy::{Direction, Proxy};
use taos_tests::{Target, for_targets, needs, on_every_target};

/// A connection by way of a proxy that counts.
async fn counted(target: &Target) -> anyhow::Result<(Taos, Proxy)> {
    let proxy = target.proxy().await?.start().await?;
    let dsn = target.dsn_through([&proxy], "");
    Ok((TaosBuilder::from_dsn(dsn)?.build().await?, proxy))
}

/// How much that could be a write has been sent.
fn written(target: &Target, proxy: &Proxy) -> usize {
    let kind = if target.is_tdengine() { "" } else { "POST" };
    proxy.passed(Direction::ToServer, kind)
}

fn two_columns(values: std::ops::Range<i32>) -> [ColumnView; 2] {
    [
        ColumnView::from_micros_timestamp(values.clone().map(i64::from).collect()),
        ColumnView::from_ints(values.collect()),
    ]
}

#[test]
fn rows_of_several_batches_go_into_a_normal_table() {
    on_every_target(|target| async move {
        let mut table = target.table("stmt_normal", &[("v", Ty::Int)]).await?;
        let insert = format!("insert into {} values (?, ?)", table.name());
        let mut stmt = Stmt::init(table.taos()).await?;
        stmt.prepare(&insert).await?;
        for batch in 0..4 {
            let columns = two_columns(batch * 100..batch * 100 + 100);
            stmt.bind(&columns).await?.add_batch().await?;
        }
        assert_eq!(stmt.execute().await?, 400);
        assert_eq!(stmt.affected_rows().await, 400);
        stmt.bind(&two_columns(400..403)).await?;
        assert_eq!(stmt.add_batch().await?.execute().await?, 3);
        assert_eq!(stmt.affected_rows().await, 403, "of all executions");
        table.until(403).await?;
        let sum = format!("select sum(v) from {}", table.name());
        let got: Option<i64> = table.taos().query_one(sum).await?;
        assert_eq!(got, Some((0..403).sum()));
        Ok(())
    });
}

#[test]
fn a_statement_is_made_from_the_connection_too() {
    on_every_target(|target| async move {
        let table = target.table("stmt_of", &[("v", Ty::Int)]).await?;
        let insert = format!("insert into {} (ts, v) values (?, ?)", table.name());
        let mut stmt = table.taos().stmt(&insert).await?;
        let rows = stmt
            .bind(&two_columns(0..2))
            .await?
            .add_batch()
            .await?
            .execute()
            .await?;
        assert_eq!(rows, 2);
        Ok(())
    });
}

#[test]
fn existing_subtables_are_named_one_after_another() {
    for_targets(&[needs::TAGS], |target| async move {
        let (taos, database) = target.fresh("stmt_child", "precision 'us'").await;
        taos.exec_many([
            "create table st (ts timestamp, v int) tags (g int)",
            "create table d0 using st tags (0)",
            "create table d1 using st tags (1)",
        ])
        .await?;
        let mut stmt = Stmt::init(&taos).await?;
        stmt.prepare("insert into ? values (?, ?)").await?;
        for (table, rows) in [
            ("d0", 0..3),
            ("`d1`", 0..5),
            (&format!("{database}.d0"), 7..9),
        ] {
            stmt.set_tbname(table).await?;
            stmt.bind(&two_columns(rows)).await?.add_batch().await?;
        }
        assert_eq!(stmt.execute().await?, 10);
        let counts: Vec<_> = taos
            .query("select g, count(*) from st group by g order by g")
            .await?
            .deserialize::<(i32, i64)>()
            .try_collect()
            .await?;
        assert_eq!(counts, [(0, 5), (1, 5)]);
        Ok(())
    });
}

#[test]
fn subtables_that_do_not_exist_are_made_with_their_tags() {
    for_targets(&[needs::TAGS], |target| async move {
        let (taos, _) = target.fresh("stmt_tags", "precision 'us'").await;
        taos.exec("create table st (ts timestamp, v int) tags (g int, place varchar(16))")
            .await?;
        let mut stmt = Stmt::init(&taos).await?;
        stmt.prepare("insert into ? using st tags (?, ?) values (?, ?)")
            .await?;
        for (n, place) in [(0, Some("Oslo")), (1, Some("Kraków")), (2, None)] {
            let place = place.map_or(Value::Null(Ty::VarChar), |p| Value::VarChar(p.to_owned()));
            stmt.set_tbname_tags(&format!("d{n}"), &[Value::Int(n), place])
                .await?
                .bind(&two_columns(0..n + 1))
                .await?
                .add_batch()
                .await?;
        }
        assert_eq!(stmt.execute().await?, 6);
        let rows: Vec<(String, i32, Option<String>, i64)> = taos
            .query("select tbname, g, place, count(*) from st group by tbname, g, place order by g")
            .await?
            .deserialize()
            .try_collect()
            .await?;
        let row = |n: i32, place: Option<&str>| {
            (
                format!("d{n}"),
                n,
                place.map(str::to_owned),
                i64::from(n) + 1,
            )
        };
        assert_eq!(
            rows,
            [row(0, Some("Oslo")), row(1, Some("Kraków")), row(2, None)]
        );
        Ok(())
    });
}

#[test]
fn a_select_with_parameters_gives_rows_for_each_execution() {
    for_targets(&[needs::PREPARED_QUERIES], |target| async move {
        let (taos, _) = target.fresh("stmt_select", "").await;
        taos.exec_many([
            "create table t (ts timestamp, v int, s varchar(8))",
            "insert into t values (1, 1, 'a') (2, 2, 'b') (3, 3, 'a') (4, 4, null)",
        ])
        .await?;
        let mut stmt = Stmt::init(&taos).await?;
        stmt.prepare("select v from t where s = ? and v > ?")
            .await?;
        for (s, above, expected) in [
            ("a", 0, vec![1, 3]),
            ("a", 1, vec![3]),
            ("b", 0, vec![2]),
            ("z", 0, vec![]),
        ] {
            let parameters = [
                ColumnView::from_varchar(vec![s]),
                ColumnView::from_ints(vec![above]),
            ];
            stmt.bind(&parameters).await?.add_batch().await?;
            stmt.execute().await?;
            let mut result = stmt.result_set().await?;
            assert_eq!(result.fields()[0].name(), "v");
            let rows: Vec<_> = result.deserialize::<i32>().try_collect().await?;
            assert_eq!(rows, expected, "{s} above {above}");
        }
        Ok(())
    });
}

#[test]
fn calls_in_the_wrong_order_are_errors_and_send_nothing() {
    for_targets(&[needs::KNOWN_FRAMES], |target| async move {
        let table = target.table("stmt_order", &[("v", Ty::Int)]).await?;
        let (taos, proxy) = counted(&target).await?;
        let insert = format!("insert into {} values (?, ?)", table.name());
        let mut stmt = Stmt::init(&taos).await?;
        let sent = written(&target, &proxy);
        let columns = two_columns(0..1);
        for (call, error) in [
            ("bind", stmt.bind(&columns).await.map(drop)),
            ("set_tbname", stmt.set_tbname("t").await.map(drop)),
            ("set_tags", stmt.set_tags(&[Value::Int(1)]).await.map(drop)),
            ("add_batch", stmt.add_batch().await.map(drop)),
            ("execute", stmt.execute().await.map(drop)),
            ("result_set", stmt.result_set().await.map(drop)),
        ] {
            let error = error.expect_err(call);
            if call == "set_tags" && !target.capabilities().tags {
                assert_eq!(error.kind(), ErrorKind::Unsupported, "{call}: {error}");
                continue;
            }
            assert_eq!(error.kind(), ErrorKind::Config, "{call}: {error}");
            assert!(error.to_string().contains("call "), "{call}: {error}");
        }
        assert_eq!(written(&target, &proxy), sent);

        stmt.prepare(&insert).await?;
        let sent = written(&target, &proxy);
        for (call, error) in [
            ("add_batch", stmt.add_batch().await.map(drop)),
            ("execute", stmt.execute().await.map(drop)),
            ("result_set", stmt.result_set().await.map(drop)),
        ] {
            let error = error.expect_err(call);
            assert_eq!(error.kind(), ErrorKind::Config, "{call}: {error}");
        }
        assert_eq!(written(&target, &proxy), sent);
        let rows = stmt.bind(&columns).await?.add_batch().await?.execute();
        assert_eq!(rows.await?, 1, "none of it broke the statement");
        Ok(())
    });
}

#[test]
fn columns_that_do_not_fit_are_named_and_nothing_is_sent() {
    for_targets(&[needs::KNOWN_FRAMES], |target| async move {
        let columns = [("speed", Ty::Int), ("place", Ty::VarChar)];
        let table = target.table("stmt_fit", &columns).await?;
        let (taos, proxy) = counted(&target).await?;
        let insert = format!("insert into {} values (?, ?, ?)", table.name());
        let mut stmt = Stmt::init(&taos).await?;
        stmt.prepare(&insert).await?;
        let sent = written(&target, &proxy);
        let ts = || ColumnView::from_micros_timestamp(vec![1, 2]);
        let place = || ColumnView::from_varchar(vec!["a", "b"]);
        let too_few = vec![ts(), ColumnView::from_ints(vec![1, 2])];
        let wrong_type = vec![ts(), ColumnView::from_varchar(vec!["1", "2"]), place()];
        let unequal = vec![ts(), ColumnView::from_ints(vec![1, 2, 3]), place()];
        for (columns, named) in [
            (too_few, "place"),
            (wrong_type, "speed"),
            (unequal, "speed"),
        ] {
            let error = match stmt.bind(&columns).await {
                Ok(_) => panic!("{named} does not fit"),
                Err(error) => error,
            };
            assert_eq!(error.kind(), ErrorKind::Config, "{error}");
            assert!(error.to_string().contains(named), "{named}: {error}");
        }
        assert_eq!(written(&target, &proxy), sent);
        let columns = [ts(), ColumnView::from_ints(vec![1, 2]), place()];
        let rows = stmt.bind(&columns).await?.add_batch().await?.execute();
        assert_eq!(rows.await?, 2, "none of it broke the statement");
        Ok(())
    });
}

#[test]
fn sql_that_cannot_be_prepared_is_the_servers_error() {
    on_every_target(|target| async move {
        let table = target.table("stmt_sql", &[("v", Ty::Int)]).await?;
        let taos = table.taos();
        let mut stmt = Stmt::init(taos).await?;
        let error = stmt
            .prepare("insert into missing values (?, ?)")
            .await
            .map(drop)
            .unwrap_err();
        // Asked for the fields of the statement as well, servers have a code of their own for it.
        let known = [0x2603, 0x022B].contains(&error.code().into());
        assert!(known || target.misses_table(&error), "{error}");
        let mut stmt = Stmt::init(taos).await?;
        stmt.prepare(&format!("insert into {} values (?, ?)", table.name()))
            .await?;
        let rows = stmt.bind(&two_columns(0..1)).await?.add_batch().await?;
        assert_eq!(rows.execute().await?, 1);
        Ok(())
    });
}

#[test]
fn a_statement_dropped_anywhere_leaves_the_connection_usable() {
    on_every_target(|target| async move {
        let table = target.table("stmt_drop", &[("v", Ty::Int)]).await?;
        let taos = table.taos();
        let insert = format!("insert into {} values (?, ?)", table.name());
        for polls in 0..14 {
            {
                let mut program = Box::pin(async {
                    let mut stmt = Stmt::init(taos).await?;
                    stmt.prepare(&insert).await?;
                    stmt.bind(&two_columns(0..10)).await?.add_batch().await?;
                    stmt.execute().await
                });
                for _ in 0..polls {
                    if poll_immediate(program.as_mut()).await.is_some() {
                        break;
                    }
                    tokio::task::yield_now().await;
                }
            }
            let one: Option<i64> = taos.query_one("select 1").await?;
            assert_eq!(one, Some(1), "after {polls} polls");
            let mut stmt = taos.stmt(&insert).await?;
            let rows = stmt.bind(&two_columns(0..10)).await?.add_batch().await?;
            assert_eq!(rows.execute().await?, 10, "after {polls} polls");
        }
        Ok(())
    });
}
