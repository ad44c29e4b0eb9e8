//! Programs with the imports and calls that the documentation of the 0.12 line shows, in our words:
//! they must compile with nothing changed but the dependency.

use anyhow::Result;
use serde::Deserialize;
use taos::taos_query::common::{SchemalessPrecision, SchemalessProtocol, SmlDataBuilder};
use taos::*;
use taos_tests::for_each_target;

#[derive(Debug, Deserialize)]
#[allow(dead_code, reason = "all columns are read, some are looked at")]
struct Row {
    ts: String,
    c1: bool,
    c2: i8,
    c3: i16,
    c4: i32,
    c5: i64,
    c6: u8,
    c7: u16,
    c8: u32,
    c9: u64,
    c10: Option<f32>,
    c11: f64,
    c12: String,
    c13: String,
}

const COLUMNS: &str = "ts timestamp, c1 bool, c2 tinyint, c3 smallint, c4 int, c5 bigint, \
     c6 tinyint unsigned, c7 smallint unsigned, c8 int unsigned, c9 bigint unsigned, \
     c10 float, c11 double, c12 varchar(100), c13 nchar(100)";

fn one_of_each() -> Vec<ColumnView> {
    vec![
        ColumnView::from_millis_timestamp(vec![0]),
        ColumnView::from_bools(vec![true]),
        ColumnView::from_tiny_ints(vec![i8::MAX]),
        ColumnView::from_small_ints(vec![i16::MAX]),
        ColumnView::from_ints(vec![i32::MAX]),
        ColumnView::from_big_ints(vec![i64::MAX]),
        ColumnView::from_unsigned_tiny_ints(vec![u8::MAX]),
        ColumnView::from_unsigned_small_ints(vec![u16::MAX]),
        ColumnView::from_unsigned_ints(vec![u32::MAX]),
        ColumnView::from_unsigned_big_ints(vec![u64::MAX]),
        ColumnView::from_floats(vec![f32::MAX]),
        ColumnView::from_doubles(vec![f64::MAX]),
        ColumnView::from_varchar(vec!["ABC"]),
        ColumnView::from_nchar(vec!["数据"]),
    ]
}

fn check(row: &Row) {
    assert_eq!((row.c5, row.c8, row.c9), (i64::MAX, u32::MAX, u64::MAX));
    assert_eq!(row.c10, Some(f32::MAX));
    assert_eq!((row.c12.as_str(), row.c13.as_str()), ("ABC", "数据"));
}

#[test]
fn the_program_that_binds_rows_runs() {
    for_each_target(|target| async move {
        let (taos, _) = target.fresh("doc_bind", "").await;
        taos.exec_many([format!("create table tb1 ({COLUMNS})")])
            .await?;
        let mut stmt = Stmt::init(&taos).await?;
        stmt.prepare("insert into tb1 values(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
            .await?;
        let params = one_of_each();
        let rows = stmt
            .bind(&params)
            .await?
            .add_batch()
            .await?
            .execute()
            .await?;
        assert_eq!(rows, 1);
        let rows: Vec<Row> = taos
            .query("select * from tb1")
            .await?
            .deserialize()
            .try_collect()
            .await?;
        check(&rows[0]);
        Ok(())
    });
}

#[test]
fn the_program_that_binds_tags_runs() {
    for_each_target(|target| async move {
        let (taos, _) = target.fresh("doc_tags", "").await;
        taos.exec_many([format!(
            "create table tb1 ({COLUMNS}) tags (t1 varchar(100))"
        )])
        .await?;
        let mut stmt = Stmt::init(&taos).await?;
        stmt.prepare(
            "insert into ? using tb1 tags(?) values(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .await?;
        stmt.set_tbname("d0").await?;
        stmt.set_tags(&[Value::VarChar("标签".to_string())]).await?;
        let params = one_of_each();
        stmt.bind(&params).await?.add_batch().await?;
        assert_eq!(stmt.execute().await?, 1);
        let rows: Vec<Row> = taos
            .query("select * from tb1")
            .await?
            .deserialize()
            .try_collect()
            .await?;
        check(&rows[0]);
        Ok(())
    });
}

#[test]
fn the_program_that_writes_lines_from_a_pool_runs() {
    async fn write(taos: &Taos) -> Result<()> {
        let data = [
            "measurement,host=host1 field1=2i,field2=2.0 1577837300000",
            "measurement,host=host1 field1=2i,field2=2.0 1577837400000",
        ]
        .map(String::from)
        .to_vec();
        let sml_data = SmlDataBuilder::default()
            .protocol(SchemalessProtocol::Line)
            .precision(SchemalessPrecision::Millisecond)
            .data(data.clone())
            .ttl(1000)
            .req_id(100u64)
            .build()?;
        assert_eq!(taos.put(&sml_data).await?, ());
        Ok(())
    }
    for_each_target(|target| async move {
        let (_direct, database) = target.fresh("doc_lines", "").await;
        let pool = TaosBuilder::from_dsn(target.dsn_of(&database))?.pool()?;
        let taos = pool.get().await?;
        write(&taos).await?;
        let count: Option<i64> = taos.query_one("select count(*) from measurement").await?;
        assert_eq!(count, Some(2));
        Ok(())
    });
}

mod blocking {
    use std::time::Duration;

    use taos::sync::*;
    use taos_tests::targets;

    #[test]
    fn the_blocking_program_over_a_pool_runs() -> anyhow::Result<()> {
        for target in targets() {
            let builder = TaosBuilder::from_dsn(target.dsn())?;
            let pool = builder.with_pool_builder(
                PoolBuilder::new()
                    .max_size(8)
                    .max_lifetime(Some(Duration::from_secs(60)))
                    .min_idle(Some(1)),
            )?;
            let database = target.unique("doc_sync");
            let taos = pool.get()?;
            taos.exec_many([
                format!("create database `{database}` keep 36500"),
                format!("use `{database}`"),
                "create table st (ts timestamp, v int) tags (g int)".to_owned(),
            ])?;
            let mut stmt = Stmt::init(&taos)?;
            stmt.prepare("insert into ? using st tags(?) values(?, ?)")?;
            stmt.set_tbname_tags("d0", &[Value::Int(1)])?;
            let params = [
                ColumnView::from_millis_timestamp(vec![1, 2]),
                ColumnView::from_ints(vec![1, 2]),
            ];
            let rows = stmt.bind(&params)?.add_batch()?.execute()?;
            assert_eq!(rows, 2);
            let count: Option<i64> = taos.query_one("select count(*) from st")?;
            assert_eq!(count, Some(2));
        }
        Ok(())
    }
}
