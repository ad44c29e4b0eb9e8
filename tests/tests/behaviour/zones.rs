//! The time zone of a connection.

use taos::*;
use taos_tests::{for_targets, needs};

#[test]
fn the_zone_of_the_dsn_decides_what_times_mean() {
    for_targets(&[needs::TIME_ZONES], |target| async move {
        let (taos, db) = target.fresh("zones", "").await;
        taos.exec(format!("create table {db}.t (ts timestamp, v int)"))
            .await?;
        let shanghai = TaosBuilder::from_dsn(target.dsn_with("timezone=Asia/Shanghai"))?
            .build()
            .await?;
        let written = format!("insert into {db}.t values ('2024-01-01 08:00:00', 1)");
        shanghai.exec(written).await?;
        let read = format!("select ts, v from {db}.t where ts = '2024-01-01 00:00:00'");
        let utc: Option<(i64, i32)> = taos.query_one(read.as_str()).await?;
        assert_eq!(utc, Some((1_704_067_200_000, 1)));
        assert_eq!(shanghai.query_one::<_, (i64, i32)>(read).await?, None);
        let iso: Option<String> = shanghai
            .query_one("select to_iso8601(1700000000000)")
            .await?;
        assert_eq!(iso.as_deref(), Some("2023-11-15T06:13:20.000+0800"));
        let window = format!("select _wstart, count(*) from {db}.t interval(1d)");
        let day: Option<(i64, i64)> = shanghai.query_one(window).await?;
        assert_eq!(day, Some((1_704_038_400_000, 1)));
        Ok(())
    });
}

#[test]
fn a_zone_with_summer_time_reads_each_text_with_the_offset_of_its_day() {
    for_targets(&[needs::TIME_ZONES], |target| async move {
        let (taos, db) = target.fresh("summer", "").await;
        taos.exec(format!("create table {db}.t (ts timestamp, v int)"))
            .await?;
        let berlin = TaosBuilder::from_dsn(target.dsn_with("timezone=Europe/Berlin"))?
            .build()
            .await?;
        let written = format!(
            "insert into {db}.t values ('2024-01-15 12:00:00', 1) ('2024-07-15 12:00:00', 2)"
        );
        berlin.exec(written).await?;
        let times: Vec<i64> = taos
            .query(format!("select ts from {db}.t order by ts"))
            .await?
            .deserialize::<i64>()
            .try_collect()
            .await?;
        assert_eq!(times, [1_705_316_400_000, 1_721_037_600_000]);
        Ok(())
    });
}
