//! Results as Arrow record batches, awaited and blocking.

use taos::taos_query::arrow::arrow_array::cast::AsArray as _;
use taos::taos_query::arrow::arrow_array::types::{Int32Type, TimestampMicrosecondType};
use taos::taos_query::arrow::arrow_array::{Array as _, RecordBatch};
use taos::taos_query::arrow::arrow_schema::{DataType, TimeUnit};
use taos::*;
use taos_tests::{Target, on_every_target};

const ROWS: i32 = 9_000;

fn query(table: &str) -> String {
    format!("select ts, v, s from {table} order by ts")
}

fn check(batches: &[RecordBatch], zone: &str) {
    let mut next = 0;
    assert!(batches.len() > 1, "so many rows come in several blocks");
    for batch in batches {
        let time = DataType::Timestamp(TimeUnit::Microsecond, Some(zone.into()));
        assert_eq!(*batch.schema().field(0).data_type(), time);
        assert_eq!(batch.schema().field(1).name(), "v");
        let times = batch.column(0).as_primitive::<TimestampMicrosecondType>();
        let numbers = batch.column(1).as_primitive::<Int32Type>();
        let texts = batch.column(2).as_string::<i32>();
        for row in 0..batch.num_rows() {
            assert_eq!(times.value(row), i64::from(next));
            assert_eq!(numbers.is_null(row), next % 5 == 0);
            assert!(next % 5 == 0 || numbers.value(row) == next);
            assert_eq!(texts.value(row), format!("\u{6587}{next}"));
            next += 1;
        }
    }
    assert_eq!(next, ROWS);
}

const fn zone(target: &Target) -> &'static str {
    if target.capabilities().time_zones {
        "Asia/Tokyo"
    } else {
        "UTC"
    }
}

async fn blocking(target: Target, dsn: String, query: String) -> anyhow::Result<()> {
    use taos::sync::{Fetchable, Queryable, TBuilder};
    let work = move || {
        let taos = TBuilder::build(&<TaosBuilder as TBuilder>::from_dsn(dsn)?)?;
        let mut result = Queryable::query(&taos, query)?;
        let batches: Vec<_> = Fetchable::record_batches(&mut result).collect::<Result<_, _>>()?;
        check(&batches, zone(&target));
        drop(target);
        Ok(())
    };
    tokio::task::spawn_blocking(work).await?
}

#[test]
fn a_result_comes_as_record_batches() {
    on_every_target(|target| async move {
        let columns = [("v", Ty::Int), ("s", Ty::VarChar)];
        let mut written = target.table("arrow", &columns).await?;
        let rows: Vec<String> = (0..ROWS)
            .map(|v| match v % 5 {
                0 => format!("{v}, null, '\u{6587}{v}'"),
                _ => format!("{v}, {v}, '\u{6587}{v}'"),
            })
            .collect();
        // Not more than a URL can carry.
        for rows in rows.chunks(500) {
            written.insert(rows).await?;
        }
        let table = written.name().to_owned();

        let mut dsn = target.parsed();
        dsn.set("timezone", zone(&target));
        let taos = TaosBuilder::from_dsn(&dsn)?.build().await?;
        let mut result = taos.query(query(&table)).await?;
        let batches: Vec<RecordBatch> = result.record_batches().try_collect().await?;
        check(&batches, zone(&target));
        blocking(target, dsn.to_string(), query(&table)).await
    });
}
