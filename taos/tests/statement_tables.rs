//! Statements whose tables differ from each other, or lie elsewhere than the session is by now.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use taos::*;
use taos_embedded::Embedded;

/// Of both generations.
const VERSIONS: [&str; 2] = ["3.3.7.5", "3.2.3.0"];

async fn connected(version: &str, statements: &[&str]) -> (Embedded, Taos) {
    let server = Embedded::builder()
        .memory()
        .emulate(version)
        .start()
        .await
        .unwrap();
    let taos = TaosBuilder::from_dsn(server.dsn())
        .unwrap()
        .build()
        .await
        .unwrap();
    taos.exec_many(statements).await.unwrap();
    (server, taos)
}

async fn text(taos: &Taos, sql: &str) -> String {
    taos.query_one(sql).await.unwrap().unwrap_or_default()
}

fn times() -> ColumnView {
    ColumnView::from_millis_timestamp(vec![1_700_000_000_000])
}

fn of(table: &str, column: ColumnView) -> Stmt2BindParam {
    Stmt2BindParam::new(Some(table.into()), None, Some(vec![times(), column]))
}

async fn write(stmt: &mut Stmt2, params: &[Stmt2BindParam]) -> RawResult<usize> {
    stmt.bind(params).await?.exec().await
}

fn decimal() -> ColumnView {
    ColumnView::from_decimal64(vec![Some(15)], 10, 1)
}

#[tokio::test]
async fn each_table_of_a_bare_mark_has_its_own_scale() {
    let (_server, taos) = connected(
        "3.3.7.5",
        &[
            "create database db",
            "use db",
            "create table t1 (ts timestamp, v decimal(10,2))",
            "create table t2 (ts timestamp, v decimal(10,4))",
            "create table t3 (ts timestamp, v decimal(10,2))",
            "create table t4 (ts timestamp, v decimal(10,4))",
        ],
    )
    .await;
    let mut stmt = taos.stmt2("insert into ? values(?,?)").await.unwrap();
    // One after another, and together.
    for tables in [&["t1"][..], &["t2"], &["t3", "t4"]] {
        let params: Vec<_> = tables.iter().map(|table| of(table, decimal())).collect();
        assert_eq!(write(&mut stmt, &params).await.unwrap(), tables.len());
    }
    for (table, value) in [
        ("t1", "1.50"),
        ("t2", "1.5000"),
        ("t3", "1.50"),
        ("t4", "1.5000"),
    ] {
        let sql = format!("select cast(v as varchar(20)) from {table}");
        assert_eq!(text(&taos, &sql).await, value, "{table}");
    }
}

#[tokio::test]
async fn each_table_of_a_bare_mark_has_its_own_unit_types_and_widths() {
    for version in VERSIONS {
        let (_server, taos) = connected(
            version,
            &[
                "create database db_ms precision 'ms' keep 36500",
                "create database db_ns precision 'ns' keep 36500",
                "create table db_ms.t1 (ts timestamp, v varchar(4))",
                "create table db_ns.t2 (ts timestamp, v varchar(40))",
                "create table db_ms.t3 (ts timestamp, v int)",
            ],
        )
        .await;
        let mut stmt = taos.stmt2("insert into ? values(?,?)").await.unwrap();
        let words = |text: &str| ColumnView::from_varchar::<&str, _, _, _>(vec![text]);
        let number = ColumnView::from_ints(vec![3]);
        for param in [
            of("db_ms.t1", words("abcd")),
            of("db_ns.t2", words("more than four")),
            of("db_ms.t3", number.clone()),
        ] {
            assert_eq!(write(&mut stmt, &[param]).await.unwrap(), 1, "{version}");
        }
        for (table, ticks) in [
            ("db_ms.t1", 1_700_000_000_000_i64),
            ("db_ns.t2", 1_700_000_000_000_000_000),
            ("db_ms.t3", 1_700_000_000_000),
        ] {
            let sql = format!("select cast(ts as bigint) from {table}");
            let stored: Option<i64> = taos.query_one(sql).await.unwrap();
            assert_eq!(stored, Some(ticks), "{table} on {version}");
        }
        // Columns of different types in one bind.
        let both = [
            of("db_ms.t1", words("next")),
            of("db_ms.t3", number.clone()),
        ];
        assert_eq!(write(&mut stmt, &both).await.unwrap(), 2, "{version}");
        let error = write(&mut stmt, &[of("db_ms.t1", words("too long"))])
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains("`db_ms.t1`: column `v` takes 4"), "{error}");
    }
}

#[tokio::test]
async fn a_statement_asks_about_its_tables_where_it_was_prepared() {
    let (_server, taos) = connected(
        "3.3.7.5",
        &[
            "create database db1",
            "create database db2",
            "create table db1.d1 (ts timestamp, v decimal(10,2))",
            "create table db2.d1 (ts timestamp, v decimal(10,4))",
            "create table db1.only (ts timestamp, v int)",
            "use db1",
        ],
    )
    .await;
    let mut stmt = taos.stmt2("insert into ? values(?,?)").await.unwrap();
    taos.exec("use db2").await.unwrap();
    let only = of("only", ColumnView::from_ints(vec![7]));
    assert_eq!(write(&mut stmt, &[only]).await.unwrap(), 1);
    assert_eq!(write(&mut stmt, &[of("d1", decimal())]).await.unwrap(), 1);
    assert_eq!(
        text(&taos, "select cast(v as varchar(20)) from db1.d1").await,
        "1.50"
    );
    let rows: Option<i64> = taos.query_one("select count(*) from db2.d1").await.unwrap();
    assert_eq!(rows, Some(0));
}

#[tokio::test]
async fn a_qualified_query_goes_on_in_another_database_while_its_result_is_held() {
    let (_server, taos) = connected(
        "3.3.7.5",
        &[
            "create database db1",
            "create database db2",
            "create table db1.t (ts timestamp, a int)",
            "insert into db1.t values(now, 5)",
            "use db1",
        ],
    )
    .await;
    let one = Stmt2BindParam::new(None, None, Some(vec![ColumnView::from_ints(vec![1])]));
    let mut stmt = taos.stmt2("select a from db1.t where a > ?").await.unwrap();
    write(&mut stmt, std::slice::from_ref(&one)).await.unwrap();
    let held = stmt.result_set().await.unwrap();
    taos.exec("use db2").await.unwrap();
    write(&mut stmt, std::slice::from_ref(&one)).await.unwrap();
    for mut result in [held, stmt.result_set().await.unwrap()] {
        let rows: Vec<(i32,)> = result.deserialize::<(i32,)>().try_collect().await.unwrap();
        assert_eq!(rows, [(5,)]);
    }
}

#[tokio::test]
async fn names_that_need_backticks_are_bound_and_described() {
    let (_server, taos) = connected(
        "3.3.7.5",
        &[
            "create database db",
            "use db",
            "create table `my t` (ts timestamp, v decimal(10,2))",
            "create table `größe` (ts timestamp, v decimal(10,2))",
            "create table `1x-y` (ts timestamp, v decimal(10,2))",
            "create table `Upper` (ts timestamp, v decimal(10,2))",
        ],
    )
    .await;
    let columns = [times(), decimal()];
    for name in ["`my t`", "größe", "db.1x-y", "`db`.`Upper`"] {
        let mut stmt = taos.stmt("insert into ? values(?,?)").await.unwrap();
        stmt.set_tbname(name).await.unwrap();
        stmt.bind(&columns)
            .await
            .unwrap()
            .add_batch()
            .await
            .unwrap();
        assert_eq!(stmt.execute().await.unwrap(), 1, "{name}");
    }
    let mut stmt = taos.stmt("insert into `my t` values(?,?)").await.unwrap();
    stmt.bind(&columns)
        .await
        .unwrap()
        .add_batch()
        .await
        .unwrap();
    assert_eq!(stmt.execute().await.unwrap(), 1);
    for name in ["my t", "größe", "1x-y", "Upper"] {
        let sql = format!("select cast(v as varchar(20)) from `{name}`");
        assert_eq!(text(&taos, &sql).await, "1.50", "{name}");
    }
}

#[cfg(feature = "ws")]
#[tokio::test(flavor = "multi_thread")]
async fn the_extras_of_the_websocket_statement_block_where_0_12_does() {
    use taos::taos_query::common::Ty;
    use taos::taos_ws::stmt::{StmtParam, WsFieldsable as _};

    let (_server, taos) = connected(
        "3.3.7.5",
        &[
            "create database db",
            "use db",
            "create table st (ts timestamp, v int) tags (place varchar(8))",
        ],
    )
    .await;
    let mut stmt = taos
        .stmt("insert into ? using st tags(?) values(?,?)")
        .await
        .unwrap();
    let stmt = stmt.as_ws().unwrap();
    let tags = stmt.get_tag_fields().unwrap();
    let columns = stmt.get_col_fields().unwrap();
    assert_eq!(tags[0].name, "place");
    assert_eq!((columns[0].name.as_str(), columns.len()), ("ts", 2));
    assert_eq!(stmt.s_num_params().unwrap(), 2);
    let second = stmt.s_get_param(1).unwrap();
    assert_eq!(second, StmtParam::new(1, Ty::Int, 4));
}
