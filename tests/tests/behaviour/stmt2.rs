//! Statements of the second generation: any number of tables in one bind.

use std::sync::Arc;

use futures::future::{join_all, poll_immediate};
use taos::*;
use taos_query::stmt::BindType;
use taos_tests::proxy::{Direction, Proxy};
use taos_tests::{Target, for_targets, needs};

const SUPER_TABLE: &str =
    "create table st (ts timestamp, v int, place varchar(8)) tags (g int, name nchar(8))";

async fn with_super_table(target: &Target, stem: &str) -> anyhow::Result<Taos> {
    let (taos, _) = target.fresh(stem, "").await;
    taos.exec(SUPER_TABLE).await?;
    Ok(taos)
}

fn columns(rows: std::ops::Range<i32>) -> Vec<ColumnView> {
    let places = rows.clone().map(|v| (v % 2 == 0).then(|| format!("p{v}")));
    vec![
        ColumnView::from_millis_timestamp(rows.clone().map(i64::from).collect()),
        ColumnView::from_ints(rows.collect()),
        ColumnView::from_varchar::<String, _, _, _>(places.collect::<Vec<_>>()),
    ]
}

fn tags(n: i32) -> Vec<Value> {
    vec![Value::Int(n), Value::NChar(format!("名{n}"))]
}

fn table(n: i32, rows: std::ops::Range<i32>) -> Stmt2BindParam {
    Stmt2BindParam::new(Some(format!("d{n}")), Some(tags(n)), Some(columns(rows)))
}

async fn counts(taos: &Taos) -> anyhow::Result<Vec<(i32, i64)>> {
    let mut result = taos
        .query("select g, count(*) from st group by g order by g")
        .await?;
    Ok(result.deserialize::<(i32, i64)>().try_collect().await?)
}

#[test]
fn many_tables_go_into_one_bind() {
    for_targets(&[needs::TAGS], |target| async move {
        let taos = with_super_table(&target, "stmt2_many").await?;
        let mut stmt = Stmt2::init(&taos).await?;
        stmt.prepare("insert into ? using st tags (?, ?) values (?, ?, ?)")
            .await?;
        assert_eq!(stmt.is_insert(), Some(true));
        let params: Vec<_> = (0..50).map(|n| table(n, 0..n + 1)).collect();
        let rows = stmt.bind(&params).await?.exec().await?;
        assert_eq!(rows, (1..=50).sum::<usize>());
        assert_eq!(stmt.affected_rows().await, rows);
        let expected: Vec<_> = (0..50).map(|n| (n, i64::from(n) + 1)).collect();
        assert_eq!(counts(&taos).await?, expected);
        let row: Option<(i32, Option<String>, String, String)> = taos
            .query_one("select v, place, name, tbname from st where g = 49 and v = 4")
            .await?;
        let expected = (
            4,
            Some("p4".to_owned()),
            "名49".to_owned(),
            "d49".to_owned(),
        );
        assert_eq!(row, Some(expected));
        Ok(())
    });
}

#[test]
fn rows_of_tables_may_be_interlaced_over_many_binds() {
    for_targets(&[needs::TAGS], |target| async move {
        let taos = with_super_table(&target, "stmt2_inter").await?;
        let mut stmt = Stmt2::init(&taos).await?;
        stmt.prepare("insert into ? using st tags (?, ?) values (?, ?, ?)")
            .await?;
        let mut total = 0;
        for round in 0..5 {
            for ts in 0..20 {
                let at = round * 20 + ts;
                let params: Vec<_> = (0..8).map(|n| table(n, at..at + 1)).collect();
                stmt.bind(&params).await?;
            }
            total += stmt.exec().await?;
        }
        assert_eq!(total, 8 * 100);
        assert_eq!(
            counts(&taos).await?,
            (0..8).map(|n| (n, 100)).collect::<Vec<_>>()
        );
        Ok(())
    });
}

#[test]
fn the_table_may_stand_among_the_columns() {
    for_targets(&[needs::TAGS], |target| async move {
        let taos = with_super_table(&target, "stmt2_tbname").await?;
        let mut stmt = Stmt2::init(&taos).await?;
        stmt.prepare("insert into st (ts, tbname, v, g, place, name) values (?, ?, ?, ?, ?, ?)")
            .await?;
        let kinds: Vec<BindType> = stmt
            .fields()
            .unwrap_or_default()
            .iter()
            .map(|field| field.bind_type)
            .collect();
        use BindType::{Column, TableName, Tag};
        assert_eq!(kinds, [Column, TableName, Column, Tag, Column, Tag]);
        let rows = stmt.bind(&[table(1, 0..3), table(2, 0..4)]).await?;
        assert_eq!(rows.exec().await?, 7);
        assert_eq!(counts(&taos).await?, [(1, 3), (2, 4)]);
        Ok(())
    });
}

#[test]
fn a_table_named_in_the_sql_takes_columns_only() {
    for_targets(&[needs::TAGS], |target| async move {
        let taos = with_super_table(&target, "stmt2_named").await?;
        taos.exec("create table d1 using st tags (1, 'x')").await?;
        let mut stmt = taos.stmt2("insert into d1 values (?, ?, ?)").await?;
        let param = Stmt2BindParam::new(None, None, Some(columns(0..6)));
        assert_eq!(stmt.bind(&[param]).await?.exec().await?, 6);
        assert_eq!(counts(&taos).await?, [(1, 6)]);
        Ok(())
    });
}

#[test]
fn a_query_takes_its_parameters_and_gives_rows_again_and_again() {
    for_targets(&[needs::TAGS], |target| async move {
        let taos = with_super_table(&target, "stmt2_query").await?;
        taos.exec(
            "insert into d1 using st tags (1, 'x') values (1, 10, 'a') (2, 20, 'b') (3, 30, 'a')",
        )
        .await?;
        let mut stmt = Stmt2::init(&taos).await?;
        stmt.prepare("select ts, v from st where place = ? and v >= ?")
            .await?;
        assert_eq!(stmt.is_insert(), Some(false));
        for (place, least, expected) in [
            ("a", 0, vec![(1, 10), (3, 30)]),
            ("a", 11, vec![(3, 30)]),
            ("none", 0, vec![]),
            ("b", 0, vec![(2, 20)]),
        ] {
            let parameters = vec![
                ColumnView::from_varchar(vec![place]),
                ColumnView::from_ints(vec![least]),
            ];
            let param = Stmt2BindParam::new(None, None, Some(parameters));
            stmt.bind(&[param]).await?.exec().await?;
            let mut result = stmt.result_set().await?;
            let names: Vec<&str> = result.fields().iter().map(|f| f.name()).collect();
            assert_eq!(names, ["ts", "v"]);
            let rows: Vec<_> = result.deserialize::<(i64, i32)>().try_collect().await?;
            assert_eq!(rows, expected, "{place} from {least}");
        }
        Ok(())
    });
}

#[test]
fn one_statement_may_be_prepared_anew() {
    for_targets(&[needs::TAGS], |target| async move {
        let taos = with_super_table(&target, "stmt2_anew").await?;
        let mut stmt = Stmt2::init(&taos).await?;
        stmt.prepare("insert into ? using st tags (?, ?) values (?, ?, ?)")
            .await?;
        stmt.bind(&[table(1, 0..5)]).await?.exec().await?;
        stmt.prepare("select count(*) from st where v < ?").await?;
        let param = Stmt2BindParam::new(None, None, Some(vec![ColumnView::from_ints(vec![3])]));
        stmt.bind(&[param]).await?.exec().await?;
        let mut result = stmt.result_set().await?;
        let count: Vec<_> = result.deserialize::<i64>().try_collect().await?;
        assert_eq!(count, [3]);
        Ok(())
    });
}

#[test]
fn what_does_not_fit_is_named_and_nothing_is_sent() {
    for_targets(&[needs::TAGS, needs::KNOWN_FRAMES], |target| async move {
        let (direct, database) = target.fresh("stmt2_fit", "").await;
        direct.exec(SUPER_TABLE).await?;
        let proxy = Proxy::to(target.address().await?).start().await?;
        let dsn = target.dsn_through([&proxy], &database);
        let taos = TaosBuilder::from_dsn(dsn)?.build().await?;
        let mut stmt = Stmt2::init(&taos).await?;
        let sent = proxy.passed(Direction::ToServer, "");
        let error = stmt.bind(&[table(1, 0..1)]).await.map(drop).unwrap_err();
        assert!(error.to_string().contains("prepare"), "{error}");
        assert_eq!(proxy.passed(Direction::ToServer, ""), sent);

        stmt.prepare("insert into ? using st tags (?, ?) values (?, ?, ?)")
            .await?;
        let sent = proxy.passed(Direction::ToServer, "");
        let mut unequal = columns(0..2);
        unequal[1] = ColumnView::from_ints(vec![1]);
        let mut wrong_type = columns(0..2);
        wrong_type[1] = ColumnView::from_doubles(vec![1.0, 2.0]);
        let mut too_few = columns(0..2);
        too_few.pop();
        let name = || Some("d7".to_owned());
        for (what, params, named) in [
            ("nothing at all", vec![], "no params"),
            (
                "no name",
                vec![Stmt2BindParam::new(
                    None,
                    Some(tags(1)),
                    Some(columns(0..1)),
                )],
                "table name",
            ),
            (
                "no tags",
                vec![Stmt2BindParam::new(name(), None, Some(columns(0..1)))],
                "tags",
            ),
            (
                "no columns",
                vec![Stmt2BindParam::new(name(), Some(tags(1)), None)],
                "columns",
            ),
            (
                "one tag of two",
                vec![Stmt2BindParam::new(
                    name(),
                    Some(vec![Value::Int(1)]),
                    Some(columns(0..1)),
                )],
                "name",
            ),
            (
                "two columns of three",
                vec![Stmt2BindParam::new(name(), Some(tags(1)), Some(too_few))],
                "place",
            ),
            (
                "a column of another type",
                vec![Stmt2BindParam::new(name(), Some(tags(1)), Some(wrong_type))],
                "v",
            ),
            (
                "unequal lengths",
                vec![Stmt2BindParam::new(name(), Some(tags(1)), Some(unequal))],
                "v",
            ),
        ] {
            let error = match stmt.bind(&params).await {
                Ok(_) => panic!("{what} was taken"),
                Err(error) => error,
            };
            assert_eq!(error.kind(), ErrorKind::Config, "{what}: {error}");
            assert!(error.to_string().contains(named), "{what}: {error}");
        }
        assert_eq!(proxy.passed(Direction::ToServer, ""), sent);
        let rows = stmt.bind(&[table(7, 0..2)]).await?.exec().await?;
        assert_eq!(rows, 2, "none of it broke the statement");
        Ok(())
    });
}

#[test]
fn statements_share_one_connection_without_mixing_their_rows() {
    for_targets(&[needs::TAGS], |target| async move {
        let taos = Arc::new(with_super_table(&target, "stmt2_share").await?);
        let tasks = (0..16).map(|n| {
            let taos = Arc::clone(&taos);
            tokio::spawn(async move {
                let mut stmt = taos
                    .stmt2("insert into ? using st tags (?, ?) values (?, ?, ?)")
                    .await?;
                for round in 0..10 {
                    let at = round * (n + 1);
                    let rows = stmt.bind(&[table(n, at..at + n + 1)]).await?.exec().await?;
                    assert_eq!(rows, usize::try_from(n).unwrap_or(0) + 1);
                }
                Ok::<_, Error>(())
            })
        });
        for task in join_all(tasks).await {
            task??;
        }
        let expected: Vec<_> = (0..16).map(|n| (n, 10 * (i64::from(n) + 1))).collect();
        assert_eq!(counts(&taos).await?, expected);
        Ok(())
    });
}

#[test]
fn a_second_statement_dropped_anywhere_leaves_the_connection_usable() {
    for_targets(&[needs::TAGS], |target| async move {
        let taos = with_super_table(&target, "stmt2_drop").await?;
        for polls in 0..14 {
            {
                let mut program = Box::pin(async {
                    let mut stmt = Stmt2::init(&taos).await?;
                    stmt.prepare("insert into ? using st tags (?, ?) values (?, ?, ?)")
                        .await?;
                    stmt.bind(&[table(1, 0..10)]).await?.exec().await
                });
                for _ in 0..polls {
                    if poll_immediate(program.as_mut()).await.is_some() {
                        break;
                    }
                    tokio::task::yield_now().await;
                }
            }
            let mut stmt = taos
                .stmt2("insert into ? using st tags (?, ?) values (?, ?, ?)")
                .await?;
            let rows = stmt.bind(&[table(1, 0..10)]).await?.exec().await?;
            assert_eq!(rows, 10, "after {polls} polls");
        }
        Ok(())
    });
}
