//! Programs in the style users already have, which must compile as they are.

use serde::Deserialize;
use taos::*;
use taos_tests::{for_targets, needs};

#[derive(Debug, Deserialize, PartialEq)]
struct Record {
    ts: i64,
    current: Option<f32>,
    voltage: Option<i32>,
    location: String,
}

async fn meters(taos: &Taos) -> Result<(), Error> {
    let affected = taos
        .exec_many([
            "CREATE STABLE meters (ts TIMESTAMP, current FLOAT, voltage INT) TAGS (groupid INT, location VARCHAR(24))",
            "CREATE TABLE d0 USING meters TAGS(0, 'Los Angles')",
            "INSERT INTO d0 VALUES (1700000000000, 10.5, 116) (1700000001000, NULL, NULL)",
            "INSERT INTO d1 USING meters TAGS(1, 'San Francisco') VALUES (1700000002000, 11.25, 118)",
        ])
        .await?;
    assert_eq!(affected, 3);
    Ok(())
}

#[test]
fn rows_are_iterated_by_name_and_value() {
    for_targets(&[needs::TAGS], |target| async move {
        let (taos, _) = target.fresh("seed_rows", "").await;
        meters(&taos).await?;
        let mut result = taos.query("select * from meters order by ts").await?;
        let names: Vec<&str> = result.fields().iter().map(|f| f.name()).collect();
        assert_eq!(names, ["ts", "current", "voltage", "groupid", "location"]);

        let mut rows = result.rows();
        let mut seen = Vec::new();
        while let Some(row) = rows.try_next().await? {
            for (name, value) in row {
                assert_eq!(value.to_string()?.is_empty(), value.is_null());
                seen.push(format!("{name}={value}"));
            }
        }
        assert_eq!(seen.len(), 15);
        assert!(
            seen.contains(&"location=San Francisco".to_owned()),
            "{seen:?}"
        );
        assert!(seen.contains(&"current=NULL".to_owned()), "{seen:?}");
        Ok(())
    });
}

#[test]
fn records_come_out_of_a_query_as_a_vec() {
    for_targets(&[needs::TAGS], |target| async move {
        let (taos, _) = target.fresh("seed_records", "").await;
        meters(&taos).await?;
        let records: Vec<Record> = taos
            .query("select ts, current, voltage, location from meters order by ts")
            .await?
            .deserialize()
            .try_collect()
            .await?;
        assert_eq!(records.len(), 3);
        assert_eq!(
            records[1],
            Record {
                ts: 1_700_000_001_000,
                current: None,
                voltage: None,
                location: "Los Angles".to_owned()
            }
        );
        Ok(())
    });
}

#[test]
fn blocks_can_be_read_one_by_one() {
    for_targets(&[needs::TAGS], |target| async move {
        let (taos, _) = target.fresh("seed_blocks", "").await;
        meters(&taos).await?;
        let mut result = taos
            .query("select ts, voltage from meters order by ts")
            .await?;
        let mut blocks = result.blocks();
        let mut rows = 0;
        while let Some(block) = blocks.try_next().await? {
            assert_eq!(block.ncols(), 2);
            let types: Vec<Ty> = block.columns().map(ColumnView::as_ty).collect();
            assert_eq!(types, [Ty::Timestamp, Ty::Int]);
            assert!(block.columns().all(|view| view.len() == block.nrows()));
            rows += block.nrows();
        }
        assert_eq!(rows, 3);
        Ok(())
    });
}

#[test]
fn records_of_values_hold_every_row() {
    for_targets(&[needs::TAGS], |target| async move {
        let (taos, _) = target.fresh("seed_values", "").await;
        meters(&taos).await?;
        let values = taos
            .query("select voltage, location from meters order by ts")
            .await?
            .to_records()
            .await?;
        assert_eq!(values.len(), 3);
        assert_eq!(values[0][0], Value::Int(116));
        assert_eq!(values[2][1], Value::VarChar("San Francisco".to_owned()));
        Ok(())
    });
}

#[test]
fn errors_print_the_servers_code_in_brackets() {
    for_targets(&[needs::TAGS], |target| async move {
        let (taos, _) = target.fresh("seed_errors", "").await;
        let error = taos.query("select * from nothing_here").await.unwrap_err();
        assert!(error.to_string().starts_with("[0x2603] "), "{error}");
        assert_eq!(error.code(), 0x2603);
        Ok(())
    });
}

#[test]
fn every_call_can_be_made_from_a_spawned_task() {
    for_targets(&[needs::TAGS], |target| async move {
        let (taos, database) = target.fresh("seed_spawn", "").await;
        meters(&taos).await?;
        let task = tokio::spawn(async move {
            let statements = vec![
                format!("use `{database}`"),
                "insert into d0 values (1, 1, 1)".to_owned(),
            ];
            taos.exec_many(&statements).await?;
            taos.exec_many(statements.iter().map(String::as_str))
                .await?;
            taos.exec_many((0..3).map(|n| format!("insert into d0 values ({n}, 1, 1)")))
                .await?;
            let one: Option<Record> = taos
                .query_one("select ts, current, voltage, location from meters")
                .await?;
            let mut result = taos.query(&statements[0]).await?;
            let fields = result.fields();
            taos.use_database(&database).await?;
            assert!(fields.is_empty());
            assert!(result.rows().try_next().await?.is_none());
            let shape = taos.describe("meters").await?;
            let found = taos.database_exists(&database).await?;
            taos.databases().await?;
            taos.server_version().await?;
            Ok::<_, Error>((one.is_some(), shape.is_stable(), found))
        });
        assert_eq!(task.await??, (true, true, true));
        Ok(())
    });
}

#[test]
fn rows_can_be_numbered_and_padded() {
    for_targets(&[needs::TAGS], |target| async move {
        let (taos, _) = target.fresh("seed_numbered", "").await;
        meters(&taos).await?;
        let mut result = taos
            .query("select location, voltage from meters order by ts")
            .await?;
        let mut rows = result.rows();
        let mut lines = Vec::new();
        while let Some(row) = rows.try_next().await? {
            for (col, (name, value)) in row.enumerate() {
                lines.push(format!("{col} {name:>8} {value}"));
            }
        }
        assert_eq!(lines[0], "0 location Los Angles");
        assert_eq!(lines[1], "1  voltage 116");
        Ok(())
    });
}
