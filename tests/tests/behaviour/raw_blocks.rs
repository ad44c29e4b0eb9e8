//! Blocks that were read, or made of columns, are written as they are.

use taos::*;
use taos_tests::{for_targets, needs};

const TABLE: &str = "(ts timestamp, v int, place varchar(16), wide nchar(8), ratio double)";

async fn rows(taos: &Taos, table: &str) -> anyhow::Result<Vec<Vec<Value>>> {
    let mut result = taos.query(format!("select * from {table}")).await?;
    Ok(result.to_records().await?)
}

#[test]
fn a_result_is_copied_into_another_table_block_by_block() {
    for_targets(&[needs::RAW_WRITES], |target| async move {
        let (taos, _) = target.fresh("raw_copy", "").await;
        taos.exec_many([
            format!("create table source {TABLE}"),
            format!("create table copy {TABLE}"),
        ])
        .await?;
        let many: String = (0..9_000)
            .map(|n| format!("({n}, {n}, 'p{n}', '名{}', null)", n % 7))
            .collect();
        taos.exec(format!("insert into source values {many}"))
            .await?;
        let mut result = taos.query("select * from source").await?;
        let mut blocks = result.blocks();
        let mut copied = 0;
        while let Some(mut block) = blocks.try_next().await? {
            block.with_table_name("copy");
            taos.write_raw_block(&block).await?;
            copied += 1;
        }
        assert!(copied > 1);
        assert_eq!(rows(&taos, "copy").await?, rows(&taos, "source").await?);
        Ok(())
    });
}

#[test]
fn named_columns_find_their_place_and_the_others_become_null() {
    for_targets(&[needs::RAW_WRITES], |target| async move {
        let (taos, _) = target.fresh("raw_named", "").await;
        taos.exec(format!("create table t {TABLE}")).await?;
        let views = [
            ColumnView::from_doubles(vec![Some(0.5), None]),
            ColumnView::from_millis_timestamp(vec![1, 2]),
            ColumnView::from_varchar(vec!["a", "b"]),
        ];
        let mut block = RawBlock::from_views(&views, Precision::Millisecond);
        block
            .with_field_names(["ratio", "ts", "place"])
            .with_table_name("t");
        taos.write_raw_block_with_req_id(&block, 0x5_0002).await?;
        let got: Vec<(i64, Option<i32>, String, Option<f64>)> = taos
            .query("select ts, v, place, ratio from t")
            .await?
            .deserialize()
            .try_collect()
            .await?;
        assert_eq!(
            got,
            [
                (1, None, "a".to_owned(), Some(0.5)),
                (2, None, "b".to_owned(), None)
            ]
        );
        Ok(())
    });
}

#[test]
fn columns_without_names_go_by_position() {
    for_targets(&[needs::RAW_WRITES], |target| async move {
        let (taos, _) = target.fresh("raw_plain", "").await;
        taos.exec("create table t (ts timestamp, v int, s varchar(4))")
            .await?;
        let views = [
            ColumnView::from_millis_timestamp(vec![1, 2]),
            ColumnView::from_ints(vec![Some(7), None]),
            ColumnView::from_varchar(vec!["a", "b"]),
        ];
        let mut block = RawBlock::from_views(&views, Precision::Millisecond);
        block.with_table_name("t");
        taos.write_raw_block(&block).await?;
        let got: Vec<(i64, Option<i32>, String)> = taos
            .query("select * from t")
            .await?
            .deserialize()
            .try_collect()
            .await?;
        assert_eq!(
            got,
            [(1, Some(7), "a".to_owned()), (2, None, "b".to_owned())]
        );
        Ok(())
    });
}

#[test]
fn a_block_without_a_table_is_refused_before_it_is_sent() {
    for_targets(&[needs::RAW_WRITES], |target| async move {
        let (taos, _) = target.fresh("raw_nowhere", "").await;
        let views = [ColumnView::from_millis_timestamp(vec![1])];
        let block = RawBlock::from_views(&views, Precision::Millisecond);
        let error = taos.write_raw_block(&block).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        assert!(error.to_string().contains("table"), "{error}");
        Ok(())
    });
}

#[test]
fn a_table_that_is_not_there_is_the_servers_error() {
    for_targets(&[needs::RAW_WRITES], |target| async move {
        let (taos, _) = target.fresh("raw_missing", "").await;
        let views = [
            ColumnView::from_millis_timestamp(vec![1]),
            ColumnView::from_ints(vec![1]),
        ];
        let mut block = RawBlock::from_views(&views, Precision::Millisecond);
        block
            .with_field_names(["ts", "v"])
            .with_table_name("missing");
        let error = taos.write_raw_block(&block).await.unwrap_err();
        assert_eq!(error.code(), 0x2603, "{error}");
        let one: Option<i64> = taos.query_one("select 1").await?;
        assert_eq!(one, Some(1));
        Ok(())
    });
}
