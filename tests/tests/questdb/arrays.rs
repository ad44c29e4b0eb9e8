//! Arrays of doubles, in all shapes that programs have them in.

use ndarray::{Array2, Array3, ShapeBuilder as _, arr2, s};
use serde_json::{Value, json};
use taos::questdb::ErrorCode;
use taos::questdb::ingress::{Sender, TimestampNanos};
use taos::*;
use taos_tests::questdb::Servers;

use crate::{run, settles};

const AT: TimestampNanos = TimestampNanos::new(1_700_000_000_000_000_000);

#[test]
#[ignore = "needs QuestDB: cargo xtask test"]
fn arrays_arrive_in_logical_order_however_they_lie_in_memory() -> anyhow::Result<()> {
    let Some(servers) = Servers::of_this_run() else {
        return Ok(());
    };
    let square = arr2(&[[1.0, 2.0], [3.0, 4.0]]);
    let columns_first = Array2::from_shape_vec((2, 3).f(), vec![1.0, 4.0, 2.0, 5.0, 3.0, 6.0])?;
    let wide = Array2::from_shape_fn((4, 4), |(row, column)| (row * 4 + column) as f64);
    let confs = [
        format!("http::addr={};", servers.plain.http),
        format!("tcp::addr={};protocol_version=2;", servers.plain.tcp),
    ];
    for (way, conf) in ["http", "tcp"].iter().zip(confs) {
        let table = format!("arrays_{way}");
        let mut sender = Sender::from_conf(conf)?;
        let mut buffer = sender.new_buffer();
        for (n, view) in (0_i64..).zip([
            square.view(),
            square.t(),
            columns_first.view(),
            wide.slice(s![..;2, 1..;2]),
            wide.slice(s![1..3;-1, ..2]),
        ]) {
            buffer
                .table(table.as_str())?
                .column_i64("n", n)?
                .column_arr("a", &view)?
                .at(AT)?;
        }
        sender.flush(&mut buffer)?;
        let rows: Value = json!([
            [[[1.0, 2.0], [3.0, 4.0]]],
            [[[1.0, 3.0], [2.0, 4.0]]],
            [[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]],
            [[[1.0, 3.0], [9.0, 11.0]]],
            [[[8.0, 9.0], [4.0, 5.0]]],
        ]);
        let sql = format!("select a from {table} order by n");
        settles(servers.plain.http, &sql, &rows)?;
    }
    Ok(())
}

#[test]
#[ignore = "needs QuestDB: cargo xtask test"]
fn an_empty_array_is_no_null_and_both_are_read() -> anyhow::Result<()> {
    run(async |servers| {
        let http = servers.plain.http;
        let conf = format!("http::addr={http};");
        let written = move || {
            let mut sender = Sender::from_conf(conf)?;
            let mut buffer = sender.new_buffer();
            let empty: [f64; 0] = [];
            let some = [1.5, f64::NAN, -2.5];
            for (n, array) in (0_i64..).zip([Some(&empty[..]), Some(&some[..]), None]) {
                buffer
                    .table("arrays_empty")?
                    .column_i64("n", n)?
                    .column_arr_opt("a", array.as_ref())?
                    .at(AT)?;
            }
            sender.flush(&mut buffer)
        };
        tokio::task::spawn_blocking(written).await??;
        let sql = "select a from arrays_empty order by n";
        settles(http, sql, &json!([[[]], [[1.5, null, -2.5]], [null]]))?;
        let taos = TaosBuilder::from_dsn(format!("questdb://{http}"))?
            .build()
            .await?;
        let mut result = taos.query(sql).await?;
        let rows: Vec<(Option<Vec<Option<f64>>>,)> = result.deserialize().try_collect().await?;
        let some = vec![Some(1.5), None, Some(-2.5)];
        assert_eq!(rows, [(Some(vec![]),), (Some(some),), (None,)]);
        Ok(())
    })
}

#[test]
#[ignore = "needs QuestDB: cargo xtask test"]
fn vectors_of_vectors_and_three_dimensions_arrive_and_another_rank_is_refused() -> anyhow::Result<()>
{
    let Some(servers) = Servers::of_this_run() else {
        return Ok(());
    };
    let http = servers.plain.http;
    let mut sender = Sender::from_conf(format!("http::addr={http};"))?;
    let mut buffer = sender.new_buffer();
    let nested = vec![vec![vec![1.0], vec![2.0]], vec![vec![3.0], vec![4.0]]];
    let same = Array3::from_shape_vec((2, 2, 1), vec![1.0, 2.0, 3.0, 4.0])?;
    buffer
        .table("arrays_three")?
        .column_arr("a", &nested)?
        .at(AT)?;
    buffer
        .table("arrays_three")?
        .column_arr("a", &same.view())?
        .at(AT)?;
    sender.flush(&mut buffer)?;
    let cube = json!([[[1.0], [2.0]], [[3.0], [4.0]]]);
    settles(http, "select a from arrays_three", &json!([[cube], [cube]]))?;

    buffer.table("arrays_three")?;
    let ragged = vec![vec![1.0], vec![1.0, 2.0]];
    let error = buffer.column_arr("a", &ragged).unwrap_err();
    assert_eq!(error.code(), ErrorCode::ArrayError);
    buffer.clear();
    buffer
        .table("arrays_three")?
        .column_arr("a", &[1.0, 2.0])?
        .at(AT)?;
    let error = sender.flush(&mut buffer).unwrap_err();
    assert_eq!(error.code(), ErrorCode::ServerFlushError, "another rank");
    Ok(())
}
