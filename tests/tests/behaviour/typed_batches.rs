//! Typed batches, all the way into a server and back.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use taos::*;
use taos_tests::for_each_target;

const START: i64 = 1_700_000_000_000;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Everything {
    ts: DateTime<Utc>,
    b: Option<bool>,
    i1: Option<i8>,
    i2: Option<i16>,
    i4: Option<i32>,
    i8: Option<i64>,
    u1: Option<u8>,
    u2: Option<u16>,
    u4: Option<u32>,
    u8: Option<u64>,
    f4: Option<f32>,
    f8: Option<f64>,
    at: Option<DateTime<Utc>>,
    text: Option<String>,
    wide: Option<String>,
    bin: Option<Vec<u8>>,
}

fn everything(n: i64) -> Everything {
    let ts = DateTime::from_timestamp_micros(START * 1_000 + n).expect("a time");
    let some = n % 3 > 0;
    let small = i8::try_from(n).expect("few rows");
    Everything {
        ts,
        b: some.then_some(n % 2 == 0),
        i1: some.then_some(i8::MIN + 1 + small),
        i2: some.then_some(i16::MAX),
        i4: some.then_some(i32::MIN + 1),
        i8: some.then_some(i64::MAX - n),
        u1: some.then_some(u8::MAX),
        u2: some.then_some(0),
        u4: some.then_some(u32::MAX),
        u8: some.then_some(u64::MAX),
        f4: some.then_some(0.1),
        f8: some.then_some(-1e300),
        at: some.then_some(ts - TimeDelta::microseconds(1)),
        text: some.then(|| "x".repeat(usize::from(small.unsigned_abs()))),
        wide: some.then(|| "温度, 🌡".to_owned()),
        bin: some.then(|| vec![0, 255, 10]),
    }
}

#[test]
fn records_of_every_type_come_back_as_they_were_written() {
    for_each_target(|target| async move {
        let (taos, _) = target.fresh("inserter_types", "precision 'us'").await;
        taos.exec(
            "create table t (ts timestamp, b bool, i1 tinyint, i2 smallint, i4 int, i8 bigint, \
             u1 tinyint unsigned, u2 smallint unsigned, u4 int unsigned, u8 bigint unsigned, f4 float, \
             f8 double, at timestamp, text varchar(100), wide nchar(10), bin varbinary(10))",
        )
        .await?;
        let rows: Vec<_> = (0..100).map(everything).collect();
        let mut inserter = taos.inserter::<Everything>("t").max_rows(32).open().await?;
        for row in &rows {
            inserter.write(row).await?;
        }
        let summary = inserter.close().await?;
        assert_eq!((summary.rows, summary.affected_rows), (100, 100));
        assert_eq!(summary.batches, 4);
        let mut result = taos.query("select * from t order by ts").await?;
        let read: Vec<Everything> = result.deserialize().try_collect().await?;
        assert_eq!(read, rows);
        Ok(())
    });
}

#[derive(Serialize)]
struct Reading<'a> {
    tbname: &'a str,
    place: &'a str,
    ts: i64,
    v: i32,
}

async fn meters(taos: &Taos) -> RawResult<()> {
    taos.exec("create table meters (ts timestamp, v int) tags (place nchar(16), floor int)")
        .await
        .map(drop)
}

#[test]
fn many_tables_are_made_and_filled_over_several_connections() {
    for_each_target(|target| async move {
        let (taos, database) = target.fresh("inserter_many", "").await;
        meters(&taos).await?;
        // The DSN names no database, so the other connections do not start in this one.
        taos.use_database(&database).await?;
        let mut inserter = taos
            .inserter::<Reading<'_>>("meters")
            .connections(3)
            .max_rows(700)
            .open()
            .await?;
        for n in 0..10_000 {
            let table = format!("d{}", n % 90);
            let reading = Reading {
                tbname: &table,
                place: if n % 2 == 0 { "Oslo" } else { "Kraków" },
                ts: START + i64::from(n),
                v: n,
            };
            inserter.write(&reading).await?;
        }
        let summary = inserter.close().await?;
        assert_eq!((summary.rows, summary.affected_rows), (10_000, 10_000));
        let all: Option<(i64, i64)> = taos
            .query_one("select count(*), sum(v) from meters")
            .await?;
        assert_eq!(all, Some((10_000, 49_995_000)));
        let odd: Option<(i64, i64)> = taos
            .query_one("select count(*), sum(v) from meters where place = 'Kraków'")
            .await?;
        assert_eq!(odd, Some((5_000, 25_000_000)));
        let one: Option<(i64, i64)> = taos.query_one("select min(v), max(v) from d89").await?;
        assert_eq!(one, Some((89, 9_989)));
        Ok(())
    });
}

#[test]
fn tables_named_after_their_tags_are_found_again() {
    #[derive(Serialize)]
    struct Tagged<'a> {
        ts: i64,
        v: i32,
        place: &'a str,
        floor: i64,
    }
    for_each_target(|target| async move {
        let (taos, _) = target.fresh("inserter_tags", "").await;
        meters(&taos).await?;
        for round in 0..2 {
            let mut inserter = taos.inserter::<Tagged<'_>>("meters").open().await?;
            for n in 0..30 {
                let row = Tagged {
                    ts: START + 100 * round + n,
                    v: 1,
                    place: if n % 3 == 0 { "Oslo" } else { "Kraków" },
                    floor: n % 2,
                };
                inserter.write(&row).await?;
            }
            inserter.close().await?;
        }
        let mut result = taos
            .query("select place, floor, count(*) from meters group by place, floor")
            .await?;
        let mut groups: Vec<(String, i32, i64)> = result.deserialize().try_collect().await?;
        groups.sort();
        let group = |place: &str, floor, count| (place.to_owned(), floor, count);
        assert_eq!(
            groups,
            [
                group("Kraków", 0, 20),
                group("Kraków", 1, 20),
                group("Oslo", 0, 10),
                group("Oslo", 1, 10)
            ]
        );
        let mut tables = taos.query("show tables").await?;
        let tables: Vec<String> = tables.deserialize().try_collect().await?;
        assert_eq!(tables.len(), 4, "{tables:?}");
        Ok(())
    });
}

#[test]
fn a_json_tag_takes_anything_that_serializes_to_json() {
    #[derive(Serialize)]
    struct Labelled {
        tbname: &'static str,
        labels: serde_json::Value,
        ts: i64,
        v: i32,
    }
    for_each_target(|target| async move {
        let (taos, _) = target.fresh("inserter_json", "").await;
        taos.exec("create table labelled (ts timestamp, v int) tags (labels json)")
            .await?;
        let mut inserter = taos.inserter::<Labelled>("labelled").open().await?;
        inserter
            .write(&Labelled {
                tbname: "l1",
                labels: json!({"room": "blue", "seats": 4}),
                ts: START,
                v: 1,
            })
            .await?;
        inserter.close().await?;
        let seats: Option<f64> = taos
            .query_one("select labels->'seats' from labelled")
            .await?;
        assert_eq!(seats, Some(4.0));
        Ok(())
    });
}

#[test]
fn a_batch_that_the_server_refused_is_written_once_its_cause_is_gone() {
    for_each_target(|target| async move {
        let (taos, _) = target.fresh("inserter_retry", "").await;
        meters(&taos).await?;
        let row = |v| Reading {
            tbname: "d1",
            place: "Oslo",
            ts: START + i64::from(v),
            v,
        };
        let mut inserter = taos
            .inserter::<Reading<'_>>("meters")
            .max_rows(2)
            .open()
            .await?;
        inserter.write(&row(1)).await?;
        inserter.write(&row(2)).await?;
        inserter.flush().await?;
        taos.exec("drop table meters").await?;
        inserter.write(&row(3)).await?;
        let error = inserter.flush().await.expect_err("the table is gone");
        assert!(error.error().code() != Code::SUCCESS && !error.error().outcome_unknown());
        let batch = error.into_batch().expect("its rows");
        assert_eq!(batch.rows(), 1);
        meters(&taos).await?;
        inserter.retry(batch);
        inserter.write(&row(4)).await?;
        let summary = inserter.close().await?;
        assert_eq!((summary.rows, summary.failed_batches), (4, 1));
        let mut result = taos.query("select v from meters order by v").await?;
        let rows: Vec<i32> = result.deserialize::<i32>().try_collect().await?;
        assert_eq!(rows, [3, 4]);
        Ok(())
    });
}

#[test]
fn rows_arrive_by_time_alone() {
    for_each_target(|target| async move {
        let (taos, _) = target.fresh("inserter_delay", "").await;
        meters(&taos).await?;
        let inserter = taos
            .inserter::<Reading<'_>>("meters")
            .max_delay(Duration::from_millis(20))
            .open()
            .await?;
        let row = Reading {
            tbname: "d1",
            place: "Oslo",
            ts: START,
            v: 1,
        };
        inserter.write(&row).await?;
        let arrived = async {
            while inserter.pending_rows() > 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), arrived).await?;
        let count: Option<i64> = taos.query_one("select count(*) from meters").await?;
        assert_eq!(count, Some(1));
        Ok(())
    });
}

mod blocking {
    use taos::sync::*;

    pub(super) fn write(dsn: &str) -> Result<InsertSummary, Error> {
        let taos = TaosBuilder::from_dsn(dsn)?.build()?;
        let mut inserter = taos
            .inserter::<super::Reading<'_>>("meters")
            .max_rows(100)
            .open()?;
        for n in 0..1_000 {
            let table = format!("d{}", n % 3);
            inserter.write(&super::Reading {
                tbname: &table,
                place: "Oslo",
                ts: super::START + i64::from(n),
                v: 1,
            })?;
        }
        Ok(inserter.close()?)
    }
}

#[test]
fn the_blocking_inserter_works_from_a_plain_thread() {
    for_each_target(|target| async move {
        let (taos, database) = target.fresh("inserter_sync", "").await;
        meters(&taos).await?;
        let dsn = target.dsn_of(&database);
        let thread = std::thread::spawn(move || blocking::write(&dsn));
        let summary = thread.join().expect("no panic")?;
        assert_eq!(summary.rows, 1_000);
        let sum: Option<i64> = taos.query_one("select sum(v) from meters").await?;
        assert_eq!(sum, Some(1_000));
        Ok(())
    });
}
