//! Statements of the second generation on tables without tags.

use std::sync::Arc;

use futures::future::{join_all, poll_immediate};
use taos::*;
use taos_tests::{Table, Target, on_every_target};

async fn table(target: &Target, stem: &str) -> anyhow::Result<Table> {
    let columns = [("v", Ty::Int), ("place", Ty::VarChar)];
    Ok(target.table(stem, &columns).await?)
}

fn columns(rows: std::ops::Range<i32>) -> Vec<ColumnView> {
    let places = rows.clone().map(|v| (v % 2 == 0).then(|| format!("p{v}")));
    vec![
        ColumnView::from_micros_timestamp(rows.clone().map(i64::from).collect()),
        ColumnView::from_ints(rows.collect()),
        ColumnView::from_varchar::<String, _, _, _>(places.collect::<Vec<_>>()),
    ]
}

fn rows(rows: std::ops::Range<i32>) -> Stmt2BindParam {
    Stmt2BindParam::new(None, None, Some(columns(rows)))
}

fn insert(table: &Table) -> String {
    format!("insert into {} values (?, ?, ?)", table.name())
}

#[test]
fn a_table_in_the_sql_takes_columns_and_their_nulls() {
    on_every_target(|target| async move {
        let mut table = table(&target, "stmt2_plain").await?;
        let mut stmt = Stmt2::init(table.taos()).await?;
        stmt.prepare(&insert(&table)).await?;
        assert_eq!(stmt.is_insert(), Some(true));
        assert_eq!(stmt.bind(&[rows(0..6)]).await?.exec().await?, 6);
        assert_eq!(stmt.affected_rows().await, 6);
        table.until(6).await?;
        let all = format!("select ts, v, place from {}", table.name());
        let mut result = table.taos().query(all).await?;
        let read: Vec<(i64, i32, Option<String>)> = result.deserialize().try_collect().await?;
        let expected = (0..6).map(|v| (i64::from(v), v, (v % 2 == 0).then(|| format!("p{v}"))));
        assert_eq!(read, expected.collect::<Vec<_>>());
        Ok(())
    });
}

#[test]
fn several_tables_go_into_one_bind() {
    on_every_target(|target| async move {
        let mut tables = Vec::new();
        for _ in 0..5 {
            tables.push(table(&target, "stmt2_tables").await?);
        }
        let mut stmt = tables[0]
            .taos()
            .stmt2("insert into ? values (?, ?, ?)")
            .await?;
        let params: Vec<_> = (1..)
            .zip(&tables)
            .map(|(n, table)| {
                Stmt2BindParam::new(Some(table.name().to_owned()), None, Some(columns(0..n)))
            })
            .collect();
        let written = stmt.bind(&params).await?.exec().await?;
        assert_eq!(written, 1 + 2 + 3 + 4 + 5);
        for (n, table) in (1..).zip(&mut tables) {
            table.until(n).await?;
        }
        Ok(())
    });
}

#[test]
fn many_small_binds_are_one_execution() {
    on_every_target(|target| async move {
        let mut table = table(&target, "stmt2_small").await?;
        let mut stmt = table.taos().stmt2(&insert(&table)).await?;
        let mut total = 0;
        for round in 0..5 {
            for n in 0..20 {
                let at = round * 20 + n;
                stmt.bind(&[rows(at..at + 1)]).await?;
            }
            total += stmt.exec().await?;
        }
        assert_eq!(total, 100);
        table.until(100).await
    });
}

#[test]
fn what_does_not_fit_is_named_and_the_statement_goes_on() {
    on_every_target(|target| async move {
        let mut table = table(&target, "stmt2_fit").await?;
        let mut stmt = table.taos().stmt2(&insert(&table)).await?;
        let mut too_few = columns(0..2);
        too_few.pop();
        let mut unequal = columns(0..2);
        unequal[1] = ColumnView::from_ints(vec![1]);
        for (columns, named) in [(too_few, "place"), (unequal, "v")] {
            let param = Stmt2BindParam::new(None, None, Some(columns));
            let error = match stmt.bind(&[param]).await {
                Ok(_) => panic!("{named} does not fit"),
                Err(error) => error,
            };
            assert_eq!(error.kind(), ErrorKind::Config, "{named}: {error}");
            assert!(error.to_string().contains(named), "{named}: {error}");
        }
        assert_eq!(stmt.bind(&[rows(0..2)]).await?.exec().await?, 2);
        table.until(2).await
    });
}

#[test]
fn statements_of_many_tasks_share_one_connection() {
    on_every_target(|target| async move {
        let mut tables = Vec::new();
        for _ in 0..4 {
            tables.push(table(&target, "stmt2_tasks").await?);
        }
        let taos = Arc::new(target.connect().await);
        let tasks = (0..16).map(|n| {
            let taos = Arc::clone(&taos);
            let sql = insert(&tables[n % 4]);
            tokio::spawn(async move {
                let first = i32::try_from(n).unwrap_or(0) * 1000;
                let mut stmt = taos.stmt2(&sql).await?;
                for round in 0..10 {
                    let at = first + 10 * round;
                    let written = stmt.bind(&[rows(at..at + 5)]).await?.exec().await?;
                    assert_eq!(written, 5);
                }
                Ok::<_, Error>(())
            })
        });
        for task in join_all(tasks).await {
            task??;
        }
        for table in &mut tables {
            table.until(4 * 10 * 5).await?;
        }
        Ok(())
    });
}

#[test]
fn a_statement_without_tags_dropped_anywhere_leaves_the_connection_usable() {
    on_every_target(|target| async move {
        let table = table(&target, "stmt2_plain_drop").await?;
        let (taos, sql) = (table.taos(), insert(&table));
        for polls in 0..14 {
            {
                let mut program = Box::pin(async {
                    let mut stmt = Stmt2::init(taos).await?;
                    stmt.prepare(&sql).await?;
                    stmt.bind(&[rows(0..10)]).await?.exec().await
                });
                for _ in 0..polls {
                    if poll_immediate(program.as_mut()).await.is_some() {
                        break;
                    }
                    tokio::task::yield_now().await;
                }
            }
            let mut stmt = taos.stmt2(&sql).await?;
            let written = stmt.bind(&[rows(0..10)]).await?.exec().await?;
            assert_eq!(written, 10, "after {polls} polls");
        }
        Ok(())
    });
}
