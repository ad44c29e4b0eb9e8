//! Records of one type go in by batches, over a server.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use taos::*;
use taos_tests::for_each_target;

#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
struct Reading {
    tbname: String,
    ts: i64,
    celsius: Option<f32>,
    note: Option<String>,
    place: String,
    floor: i32,
}

const SUPER_TABLE: &str = "create table weather (ts timestamp, celsius float, note nchar(16)) \
     tags (place varchar(16), floor int)";

fn readings(tables: i32, rows: i64) -> Vec<Reading> {
    let of = |ts: i64, table: i32| Reading {
        tbname: format!("w{table}"),
        ts,
        celsius: (ts % 3 != 0).then(|| f32::from(u8::try_from(ts % 50).unwrap_or(0))),
        note: (ts % 2 == 0).then(|| format!("名{ts}")),
        place: format!("place {table}"),
        floor: table,
    };
    (0..rows)
        .flat_map(|ts| (0..tables).map(move |table| of(ts, table)))
        .collect()
}

async fn stored(taos: &Taos) -> anyhow::Result<Vec<Reading>> {
    let sql = "select tbname, ts, celsius, note, place, floor from weather order by ts, floor";
    Ok(taos.query(sql).await?.deserialize().try_collect().await?)
}

#[test]
fn records_come_back_as_they_were_written_tags_and_nulls_too() {
    for_each_target(|target| async move {
        let (taos, _) = target.fresh("ins", "").await;
        taos.exec(SUPER_TABLE).await?;
        let written = readings(5, 300);
        let mut inserter = taos
            .inserter::<Reading>("weather")
            .max_rows(400)
            .open()
            .await?;
        for reading in &written {
            inserter.write(reading).await?;
        }
        let summary = inserter.close().await?;
        assert_eq!((summary.rows, summary.batches), (1_500, 4));
        assert_eq!(stored(&taos).await?, written);
        Ok(())
    });
}

#[test]
fn several_connections_write_every_row_once() {
    for_each_target(|target| async move {
        let (taos, _) = target.fresh("ins_conns", "").await;
        taos.exec(SUPER_TABLE).await?;
        let written = readings(4, 2_000);
        let mut inserter = taos
            .inserter::<Reading>("weather")
            .max_rows(500)
            .connections(3)
            .open()
            .await?;
        for reading in &written {
            inserter.write(reading).await?;
        }
        assert_eq!(inserter.close().await?.rows, 8_000);
        assert_eq!(stored(&taos).await?, written);
        Ok(())
    });
}

#[test]
fn a_batch_leaves_by_itself_when_its_time_has_come() {
    for_each_target(|target| async move {
        let (taos, _) = target.fresh("ins_time", "").await;
        taos.exec(SUPER_TABLE).await?;
        let mut inserter = taos
            .inserter::<Reading>("weather")
            .max_delay(Duration::from_millis(50))
            .open()
            .await?;
        for reading in &readings(1, 3) {
            inserter.write(reading).await?;
        }
        let arrived = async {
            loop {
                let count: Option<i64> = taos.query_one("select count(*) from weather").await?;
                if count == Some(3) {
                    return Ok::<_, Error>(());
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(10), arrived).await??;
        assert_eq!(inserter.close().await?.rows, 3);
        Ok(())
    });
}

#[test]
fn a_record_that_does_not_fit_is_named_and_the_others_go_on() {
    #[derive(Serialize)]
    struct Loose {
        ts: i64,
        v: i64,
    }
    for_each_target(|target| async move {
        let (taos, _) = target.fresh("ins_fit", "").await;
        taos.exec("create table t (ts timestamp, v tinyint)")
            .await?;
        let mut inserter = taos.inserter::<Loose>("t").open().await?;
        inserter.write(&Loose { ts: 1, v: 1 }).await?;
        let error = inserter
            .write(&Loose { ts: 2, v: 1_000 })
            .await
            .unwrap_err();
        assert!(error.batch().is_none());
        let text = error.error().to_string();
        assert!(text.contains('v') && text.contains("1000"), "{text}");
        inserter.write(&Loose { ts: 3, v: 3 }).await?;
        assert_eq!(inserter.close().await?.rows, 2);
        let count: Option<i64> = taos.query_one("select count(*) from t").await?;
        assert_eq!(count, Some(2));
        Ok(())
    });
}

#[test]
fn a_batch_that_fails_comes_back_with_its_rows_and_can_be_tried_again() {
    for_each_target(|target| async move {
        let (taos, _) = target.fresh("ins_fail", "").await;
        taos.exec(SUPER_TABLE).await?;
        let mut inserter = taos.inserter::<Reading>("weather").open().await?;
        let written = readings(2, 10);
        for reading in &written {
            inserter.write(reading).await?;
        }
        taos.exec("drop table weather").await?;
        let error = inserter.flush().await.unwrap_err();
        assert_eq!(error.error().kind(), ErrorKind::Server, "{error:?}");
        let Some(batch) = error.into_batch() else {
            panic!("a batch without its rows")
        };
        assert_eq!((batch.rows(), batch.tables()), (20, 2));
        taos.exec(SUPER_TABLE).await?;
        inserter.retry(batch);
        assert_eq!(inserter.close().await?.rows, 20);
        assert_eq!(stored(&taos).await?, written);
        Ok(())
    });
}

#[test]
fn rows_stay_in_their_database_though_another_is_used_in_between() {
    for_each_target(|target| async move {
        let (other, elsewhere) = target.fresh("ins_elsewhere", "").await;
        other.exec(SUPER_TABLE).await?;
        let (taos, home) = target.fresh("ins_home", "").await;
        taos.exec(SUPER_TABLE).await?;
        let mut inserter = taos.inserter::<Reading>("weather").open().await?;
        let written = readings(2, 10);
        for reading in &written {
            inserter.write(reading).await?;
        }
        taos.exec(format!("drop table `{home}`.weather")).await?;
        taos.exec(format!("use `{elsewhere}`")).await?;
        let error = inserter.flush().await.unwrap_err();
        let Some(batch) = error.into_batch() else {
            panic!("a batch without its rows")
        };
        taos.exec(format!("use `{home}`")).await?;
        taos.exec(SUPER_TABLE).await?;
        taos.exec(format!("use `{elsewhere}`")).await?;
        inserter.retry(batch);
        assert_eq!(inserter.close().await?.rows, 20);
        assert_eq!(stored(&taos).await?, []);
        taos.exec(format!("use `{home}`")).await?;
        assert_eq!(stored(&taos).await?, written);
        Ok(())
    });
}

mod blocking {
    use taos::sync::*;
    use taos_tests::targets;

    use super::{Reading, SUPER_TABLE, readings};

    #[test]
    fn records_are_written_without_async() -> anyhow::Result<()> {
        for target in targets() {
            let taos = TaosBuilder::from_dsn(target.dsn())?.build()?;
            let name = target.unique("ins_sync");
            taos.exec_many([
                format!("create database `{name}` keep 36500"),
                format!("use `{name}`"),
                SUPER_TABLE.to_owned(),
            ])?;
            let mut inserter = taos.inserter::<Reading>("weather").open()?;
            for reading in &readings(3, 100) {
                inserter.write(reading)?;
            }
            assert_eq!(inserter.close()?.rows, 300);
            let count: Option<i64> = taos.query_one("select count(*) from weather")?;
            assert_eq!(count, Some(300));
        }
        Ok(())
    }
}
