//! Lines whose tables the server makes by itself.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures::future::join_all;
use taos::*;
use taos_tests::{Target, for_each_target, for_targets, needs, on_every_target, until_rows};

type Weather = (
    String,
    f64,
    Option<i64>,
    Option<bool>,
    Option<String>,
    Option<String>,
);
type Grown = (f64, Option<String>, Option<i32>, Option<String>);

fn lines<const N: usize>(lines: [&str; N]) -> Vec<String> {
    lines.map(str::to_owned).into()
}

fn line_data(data: Vec<String>) -> Result<SmlData, Error> {
    SmlDataBuilder::default()
        .protocol(SchemalessProtocol::Line)
        .precision(SchemalessPrecision::Millisecond)
        .data(data)
        .build()
}

/// A connection that takes lines, a measurement of this test, and what its column of times is called.
async fn measurement(target: &Target, stem: &str) -> (Taos, String, &'static str) {
    let name = target.unique(stem);
    if target.is_tdengine() {
        (target.fresh(stem, "precision 'ns'").await.0, name, "_ts")
    } else {
        (target.connect().await, name, "timestamp")
    }
}

#[test]
fn lines_make_columns_of_the_types_they_name() {
    on_every_target(|target| async move {
        let (taos, weather, time) = measurement(&target, "sml_types").await;
        let data = vec![
            format!(r#"{weather},place=Oslo,id=7 celsius=-3.5,rain=12i,note="it's" 1700000000000"#),
            format!("{weather},place=Bergen,id=8 celsius=7.25 1700000001000"),
            format!("{weather},place=Oslo,id=7 celsius=-4,rain=0i 1700000002000"),
        ];
        taos.put(&line_data(data)?).await?;
        until_rows(&taos, &weather, 3).await?;
        let sql = format!("select place, id, celsius, rain, note from {weather} order by {time}");
        let mut result = taos.query(sql).await?;
        type Row = (String, String, f64, Option<i64>, Option<String>);
        let rows: Vec<Row> = result.deserialize().try_collect().await?;
        let row = |place: &str, id: &str, celsius, rain, note: Option<&str>| {
            let note = note.map(str::to_owned);
            (place.to_owned(), id.to_owned(), celsius, rain, note)
        };
        assert_eq!(
            rows,
            [
                row("Oslo", "7", -3.5, Some(12), Some("it's")),
                row("Bergen", "8", 7.25, None, None),
                row("Oslo", "7", -4.0, Some(0), None),
            ]
        );
        Ok(())
    });
}

#[test]
fn line_protocol_makes_tables_and_columns_of_the_types_it_names() {
    for_each_target(|target| async move {
        let (taos, _) = target.fresh("sml_line", "").await;
        let data = lines([
            r#"weather,place=Oslo,id=7 celsius=-3.5,rain=12i64,snow=t,note="it's",wide=L"你好" 1700000000000"#,
            "weather,place=Bergen,id=8 celsius=7.25 1700000000000",
            "weather,place=Oslo,id=7 celsius=-4,rain=0i64 1700000001000",
        ]);
        taos.put(&line_data(data)?).await?;
        let rows: Vec<Weather> =
            taos.query("select place, celsius, rain, snow, note, wide from weather order by _ts, place desc")
                .await?
                .deserialize()
                .try_collect()
                .await?;
        let row = |place: &str, celsius, rain, snow, note: Option<&str>, wide: Option<&str>| {
            let own = |text: Option<&str>| text.map(str::to_owned);
            (place.to_owned(), celsius, rain, snow, own(note), own(wide))
        };
        assert_eq!(
            rows,
            [
                row(
                    "Oslo",
                    -3.5,
                    Some(12),
                    Some(true),
                    Some("it's"),
                    Some("你好")
                ),
                row("Bergen", 7.25, None, None, None, None),
                row("Oslo", -4.0, Some(0), None, None, None),
            ]
        );
        let tables: Vec<String> = taos
            .query("show tables")
            .await?
            .deserialize::<(String,)>()
            .map_ok(|(name,)| name)
            .try_collect()
            .await?;
        assert_eq!(tables.len(), 2, "one a place: {tables:?}");
        assert!(
            tables.iter().all(|name| name.starts_with("t_")),
            "{tables:?}"
        );
        Ok(())
    });
}

#[test]
fn telnet_lines_have_one_value_each() {
    for_targets(&[needs::OPENTSDB], |target| async move {
        let (taos, _) = target.fresh("sml_telnet", "").await;
        let data = SmlDataBuilder::default()
            .protocol(SchemalessProtocol::Telnet)
            .precision(SchemalessPrecision::Millisecond)
            .data(lines([
                "current 1700000000000 10.5 place=Oslo group=2",
                "current 1700000001000 11.5 place=Oslo group=2",
                "voltage 1700000000000 219 place=Oslo group=2",
            ]))
            .build()?;
        taos.put(&data).await?;
        let rows: Vec<(f64, String)> = taos
            .query("select _value, place from current order by _ts")
            .await?
            .deserialize()
            .try_collect()
            .await?;
        assert_eq!(rows, [(10.5, "Oslo".to_owned()), (11.5, "Oslo".to_owned())]);
        let volts: Option<f64> = taos.query_one("select _value from voltage").await?;
        assert_eq!(volts, Some(219.0));
        Ok(())
    });
}

#[test]
fn json_may_be_an_array_or_one_object() {
    for_targets(&[needs::OPENTSDB], |target| async move {
        let (taos, _) = target.fresh("sml_json", "").await;
        let many = r#"[
            {"metric": "current", "timestamp": 1700000000000, "value": 10.5, "tags": {"place": "Oslo", "group": 2}},
            {"metric": "current", "timestamp": 1700000001000, "value": 11.5, "tags": {"place": "Bergen", "group": 3}}
        ]"#;
        let one = r#"{"metric": "current", "timestamp": 1700000002000, "value": 12.5, "tags": {"place": "Oslo", "group": 2}}"#;
        for document in [many, one] {
            let data = SmlDataBuilder::default()
                .protocol(SchemalessProtocol::Json)
                .precision(SchemalessPrecision::Millisecond)
                .data(vec![document.to_owned()])
                .build()?;
            taos.put(&data).await?;
        }
        let values: Vec<f64> = taos
            .query("select _value from current order by _ts")
            .await?
            .deserialize::<f64>()
            .try_collect()
            .await?;
        assert_eq!(values, [10.5, 11.5, 12.5]);
        Ok(())
    });
}

#[test]
fn every_precision_means_the_same_instant() {
    use SchemalessPrecision::{
        Hours, Microsecond, Millisecond, Minutes, Nanosecond, NonConfigured, Seconds,
    };
    on_every_target(|target| async move {
        let (taos, stem, time) = measurement(&target, "sml_unit").await;
        let hours = 472_222_i64;
        let ns = hours * 3_600_000_000_000;
        for (name, precision, ts) in [
            ("h", Hours, hours),
            ("m", Minutes, hours * 60),
            ("s", Seconds, hours * 3_600),
            ("ms", Millisecond, hours * 3_600_000),
            ("us", Microsecond, hours * 3_600_000_000),
            ("ns", Nanosecond, ns),
            ("none", NonConfigured, ns),
        ] {
            let data = SmlDataBuilder::default()
                .protocol(SchemalessProtocol::Line)
                .precision(precision)
                .data(vec![format!("{stem}_{name},a=b v=1 {ts}")])
                .build()?;
            taos.put(&data).await?;
            let table = format!("{stem}_{name}");
            until_rows(&taos, &table, 1).await?;
            let read = format!("select {time} from {table}");
            let got: Option<DateTime<Utc>> = taos.query_one(read).await?;
            let got = got.and_then(|time| time.timestamp_nanos_opt());
            assert_eq!(got, Some(ns), "{precision:?}");
        }
        Ok(())
    });
}

#[test]
fn a_tag_may_name_the_table_and_days_may_limit_its_life() {
    for_each_target(|target| async move {
        let (taos, database) = target.fresh("sml_key", "").await;
        let data = SmlDataBuilder::default()
            .protocol(SchemalessProtocol::Line)
            .precision(SchemalessPrecision::Millisecond)
            .data(lines([
                "weather,station=bergen_1,id=8 celsius=7.25 1700000000000",
            ]))
            .table_name_key("station")
            .ttl(1000)
            .req_id(0x5_0001_u64)
            .build()?;
        taos.put(&data).await?;
        let celsius: Option<f64> = taos.query_one("select celsius from bergen_1").await?;
        assert_eq!(celsius, Some(7.25));
        let ttl: Option<i32> = taos
            .query_one(format!(
                "select ttl from information_schema.ins_tables \
                 where db_name = '{database}' and table_name = 'bergen_1'"
            ))
            .await?;
        assert_eq!(ttl, Some(1000));
        Ok(())
    });
}

#[test]
fn tables_grow_by_new_columns_and_wider_ones() {
    for_each_target(|target| async move {
        let (taos, _) = target.fresh("sml_grow", "").await;
        for line in [
            r#"m,a=x v=1,s="short" 1"#.to_owned(),
            format!(r#"m,a=x v=2,s="{}" 2"#, "long ".repeat(40)),
            r#"m,a=x,b=new v=3,w=9i32 3"#.to_owned(),
        ] {
            taos.put(&line_data(vec![line])?).await?;
        }
        let rows: Vec<Grown> = taos
            .query("select v, s, w, b from m order by _ts")
            .await?
            .deserialize()
            .try_collect()
            .await?;
        assert_eq!(rows.len(), 3);
        assert_eq!(rows[1].1.as_deref().map(str::len), Some(200));
        assert_eq!(rows[2], (3.0, None, Some(9), Some("new".to_owned())));
        Ok(())
    });
}

#[test]
fn one_bad_line_refuses_the_whole_write() {
    on_every_target(|target| async move {
        let (taos, good, _) = measurement(&target, "sml_bad").await;
        let line = format!("{good},a=b v=1 1700000000000");
        let data = vec![line.clone(), "this is no line at all,,,".to_owned()];
        let error = taos.put(&line_data(data)?).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Server);
        if target.is_tdengine() {
            assert_eq!(error.code(), 0x3002, "{error}");
        }
        taos.put(&line_data(vec![line])?).await?;
        // One, so that nothing of the first is there, and the connection goes on.
        until_rows(&taos, &good, 1).await
    });
}

#[test]
fn without_a_database_the_error_says_so() {
    for_targets(&[needs::DATABASES], |target| async move {
        let taos = target.connect().await;
        let error = taos
            .put(&line_data(lines(["m,a=b v=1 1"]))?)
            .await
            .unwrap_err();
        assert_eq!(error.code(), 0x2616, "{error}");
        Ok(())
    });
}

#[test]
fn what_the_builder_misses_is_named() {
    let error = SmlDataBuilder::default()
        .data(vec!["m,a=b v=1 1".to_owned()])
        .build()
        .unwrap_err();
    assert!(error.to_string().contains("protocol"), "{error}");
}

#[test]
fn sixty_four_writes_at_once_on_one_connection_all_succeed() {
    on_every_target(|target| async move {
        let (taos, many, _) = measurement(&target, "sml_many").await;
        let taos = Arc::new(taos);
        let tasks = (0..64_i64).map(|n| {
            let taos = Arc::clone(&taos);
            let rows = (0..10).map(|v| format!("{many},task={n} v={v}i {}", v + 1));
            let data = line_data(rows.collect());
            tokio::spawn(async move { taos.put(&data?).await })
        });
        for task in join_all(tasks).await {
            task??;
        }
        until_rows(&taos, &many, 640).await?;
        let got: Vec<(String, i64, i64)> = taos
            .query(format!(
                "select task, count(*), sum(v) from {many} group by task"
            ))
            .await?
            .deserialize()
            .try_collect()
            .await?;
        assert_eq!(got.len(), 64);
        assert!(got.iter().all(|row| (row.1, row.2) == (10, 45)), "{got:?}");
        Ok(())
    });
}
