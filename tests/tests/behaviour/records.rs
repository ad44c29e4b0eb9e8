//! The serde rules, through a real connection.

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, Utc};
use serde::Deserialize;
use taos::*;
use taos_tests::{Table, Target, for_targets, needs, on_every_target};

async fn table(target: &Target, stem: &str) -> anyhow::Result<Table> {
    let columns = [
        ("i", Ty::Int),
        ("f", Ty::Double),
        ("s", Ty::VarChar),
        ("n", Ty::VarChar),
        ("b", Ty::Bool),
    ];
    let mut table = target.table(stem, &columns).await?;
    table
        .insert(&[
            "1700000000123456, 42, 1.5, 'Warm', '温', true",
            "1700000000124000, null, null, null, null, null",
        ])
        .await?;
    Ok(table)
}

#[derive(Debug, Deserialize, PartialEq)]
enum Feel {
    Warm,
    Cold,
}

#[test]
fn chrono_types_are_read_from_timestamps() {
    on_every_target(|target| async move {
        let table = table(&target, "chrono").await?;
        let (taos, t) = (table.taos(), table.name());
        let want = NaiveDate::from_ymd_opt(2023, 11, 14)
            .and_then(|date| date.and_hms_micro_opt(22, 13, 20, 123_456))
            .expect("a date");
        let sql = &format!("select ts from {t} limit 1");
        let naive: Option<NaiveDateTime> = taos.query_one(sql).await?;
        let fixed: Option<DateTime<FixedOffset>> = taos.query_one(sql).await?;
        let utc: Option<DateTime<Utc>> = taos.query_one(sql).await?;
        let optional: Option<(Option<DateTime<Utc>>,)> = taos.query_one(sql).await?;
        assert_eq!(utc, Some(want.and_utc()));
        assert_eq!(fixed.map(|t| t.to_utc()), utc);
        assert_eq!(optional.and_then(|(t,)| t), utc);
        assert!(naive.is_some());
        Ok(())
    });
}

#[test]
fn the_dsns_time_zone_holds_in_strings_options_and_tuples() {
    for_targets(&[needs::TIME_ZONES], |target| async move {
        let table = table(&target, "zone").await?;
        let t = table.name();
        let taos = TaosBuilder::from_dsn(target.dsn_with("timezone=Asia/Shanghai"))?
            .build()
            .await?;
        let sql = format!("select ts, ts from {t} limit 1");
        let pair: Option<(String, Option<String>)> = taos.query_one(&sql).await?;
        let (plain, optional) = pair.expect("a row");
        assert_eq!(plain, "2023-11-15T06:13:20.123456+08:00");
        assert_eq!(optional.as_deref(), Some(plain.as_str()));
        let naive: Option<NaiveDateTime> = taos.query_one(&sql).await?;
        assert_eq!(
            naive.map(|t| t.to_string()).as_deref(),
            Some("2023-11-15 06:13:20.123456")
        );
        Ok(())
    });
}

#[test]
fn structs_take_columns_by_name_and_leave_the_rest() {
    #[derive(Debug, Deserialize, PartialEq)]
    struct Some2 {
        s: Option<Feel>,
        f: Option<f32>,
        #[serde(default)]
        absent: u8,
    }
    on_every_target(|target| async move {
        let table = table(&target, "names").await?;
        let (taos, t) = (table.taos(), table.name());
        let rows: Vec<Some2> = taos
            .query(format!("select * from {t}"))
            .await?
            .deserialize()
            .try_collect()
            .await?;
        let first = Some2 {
            s: Some(Feel::Warm),
            f: Some(1.5),
            absent: 0,
        };
        assert_eq!(
            rows,
            [
                first,
                Some2 {
                    s: None,
                    f: None,
                    absent: 0
                }
            ]
        );
        Ok(())
    });
}

#[test]
fn numbers_become_text_and_wider_numbers() {
    on_every_target(|target| async move {
        let table = table(&target, "wider").await?;
        let (taos, t) = (table.taos(), table.name());
        let row: Option<(String, String, String)> = taos
            .query_one(format!("select i, f, b from {t} limit 1"))
            .await?;
        assert_eq!(row, Some(("42".into(), "1.5".into(), "true".into())));
        let row: Option<(i64, u8, f64)> = taos
            .query_one(format!("select i, i, i from {t} limit 1"))
            .await?;
        assert_eq!(row, Some((42, 42, 42.0)));
        Ok(())
    });
}

#[test]
fn a_mismatch_names_column_row_and_types() {
    on_every_target(|target| async move {
        let table = table(&target, "mismatch").await?;
        let (taos, t) = (table.taos(), table.name());
        let wrong = taos
            .query_one::<_, (i64, i32)>(format!("select ts, s from {t}"))
            .await;
        let text = wrong.unwrap_err().to_string();
        assert!(text.contains("`s`") && text.contains("VARCHAR"), "{text}");

        let null: RawResult<Vec<String>> = taos
            .query(format!("select s from {t}"))
            .await?
            .deserialize()
            .try_collect()
            .await;
        let text = null.unwrap_err().to_string();
        assert!(text.contains("`s`") && text.contains("NULL"), "{text}");

        let small = taos
            .query_one::<_, (i64, i8)>(format!("select ts, 300 from {t}"))
            .await;
        let text = small.unwrap_err().to_string();
        assert!(text.contains("300"), "{text}");
        Ok(())
    });
}

#[test]
fn text_borrows_from_a_block() {
    #[derive(Debug, Deserialize, PartialEq)]
    struct Borrowed<'a> {
        s: Option<&'a str>,
        n: Option<&'a str>,
    }
    on_every_target(|target| async move {
        let table = table(&target, "borrow").await?;
        let (taos, t) = (table.taos(), table.name());
        let mut result = taos.query(format!("select s, n from {t}")).await?;
        let block = result.blocks().try_next().await?.expect("a block");
        let rows: Vec<Borrowed<'_>> = block.deserialize().collect::<Result<_, _>>()?;
        assert_eq!(
            rows[0],
            Borrowed {
                s: Some("Warm"),
                n: Some("温")
            }
        );
        assert_eq!(rows[1], Borrowed { s: None, n: None });
        Ok(())
    });
}

#[test]
fn rows_are_read_into_values_and_json() {
    on_every_target(|target| async move {
        let table = table(&target, "json_rows").await?;
        let (taos, t) = (table.taos(), table.name());
        let rows: Vec<Vec<Value>> = taos
            .query(format!("select i, s from {t}"))
            .await?
            .deserialize()
            .try_collect()
            .await?;
        assert_eq!(rows[0], [Value::Int(42), Value::VarChar("Warm".into())]);
        let json: Option<serde_json::Value> = taos
            .query_one::<_, std::collections::BTreeMap<String, serde_json::Value>>(format!(
                "select i, s, b from {t} limit 1"
            ))
            .await?
            .map(|map| serde_json::to_value(map).expect("JSON"));
        assert_eq!(
            json,
            Some(serde_json::json!({"i": 42, "s": "Warm", "b": true}))
        );
        Ok(())
    });
}
