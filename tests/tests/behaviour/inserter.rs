//! Records of one type go in by batches, over a server.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use taos::*;
use taos_tests::{Table, for_targets, needs, on_every_target};

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
    for_targets(&[needs::TAGS], |target| async move {
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

/// A record for a table without tags.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
struct Plain {
    ts: i64,
    celsius: Option<f32>,
    note: Option<String>,
    floor: i32,
}

const PLAIN: [(&str, Ty); 3] = [
    ("celsius", Ty::Float),
    ("note", Ty::VarChar),
    ("floor", Ty::Int),
];

fn plain(rows: i64) -> Vec<Plain> {
    let of = |ts: i64| Plain {
        ts,
        celsius: (ts % 3 != 0).then(|| f32::from(u8::try_from(ts % 50).unwrap_or(0))),
        note: (ts % 2 == 0).then(|| format!("名{ts}")),
        floor: i32::try_from(ts % 7).unwrap_or(0),
    };
    (0..rows).map(of).collect()
}

async fn all(table: &Table) -> anyhow::Result<Vec<Plain>> {
    let sql = format!("select * from {} order by ts", table.name());
    let mut result = table.taos().query(sql).await?;
    Ok(result.deserialize().try_collect().await?)
}

#[test]
fn plain_records_come_back_as_they_were_written() {
    on_every_target(|target| async move {
        let mut table = target.table("ins_plain", &PLAIN).await?;
        let written = plain(1_500);
        let inserter = table.taos().inserter::<Plain>(table.name());
        let mut inserter = inserter.max_rows(400).open().await?;
        for record in &written {
            inserter.write(record).await?;
        }
        let summary = inserter.close().await?;
        assert_eq!((summary.rows, summary.batches), (1_500, 4));
        table.until(1_500).await?;
        assert_eq!(all(&table).await?, written);
        Ok(())
    });
}

#[test]
fn several_connections_write_every_row_once() {
    on_every_target(|target| async move {
        let mut table = target.table("ins_conns", &PLAIN).await?;
        let written = plain(8_000);
        let mut inserter = table
            .taos()
            .inserter::<Plain>(table.name())
            .max_rows(500)
            .connections(3)
            .open()
            .await?;
        for record in &written {
            inserter.write(record).await?;
        }
        assert_eq!(inserter.close().await?.rows, 8_000);
        table.until(8_000).await?;
        assert_eq!(all(&table).await?, written);
        Ok(())
    });
}

#[test]
fn a_batch_leaves_by_itself_when_its_time_has_come() {
    on_every_target(|target| async move {
        let mut table = target.table("ins_time", &PLAIN).await?;
        let mut inserter = table
            .taos()
            .inserter::<Plain>(table.name())
            .max_delay(Duration::from_millis(50))
            .open()
            .await?;
        for record in &plain(3) {
            inserter.write(record).await?;
        }
        table.until(3).await?;
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
    on_every_target(|target| async move {
        let mut table = target.table("ins_fit", &[("v", Ty::TinyInt)]).await?;
        let mut inserter = table.taos().inserter::<Loose>(table.name()).open().await?;
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
        table.until(2).await
    });
}

#[test]
fn a_batch_that_fails_comes_back_with_its_rows_and_can_be_tried_again() {
    for_targets(&[needs::TAGS], |target| async move {
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
    for_targets(&[needs::DATABASES], |target| async move {
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
    use taos_tests::{targets_with, until_rows_blocking};

    use super::{PLAIN, Plain, plain};

    #[test]
    fn records_are_written_without_async() -> anyhow::Result<()> {
        for target in targets_with(&[]) {
            let table = target.blocking_table("ins_sync", &PLAIN)?;
            let taos = TaosBuilder::from_dsn(target.dsn())?.build()?;
            let mut inserter = taos.inserter::<Plain>(&table).open()?;
            for record in &plain(300) {
                inserter.write(record)?;
            }
            assert_eq!(inserter.close()?.rows, 300);
            until_rows_blocking(&taos, &table, 300)?;
        }
        Ok(())
    }
}
