//! `bench-questdb ADDRESS CASE`: one case of the QuestDB bench on this repository's client.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "the report goes to standard output")]

#[path = "../../shared/questdb/mod.rs"]
mod cases;
#[allow(dead_code, reason = "other programs use the rest")]
#[path = "../../shared/measure.rs"]
mod measure;

use std::time::Duration;

/// The client that the cases are compiled against.
use taos_questdb as client;

use futures::TryStreamExt;
use taos_query::RawBlock;
use taos_query::common::ColumnView;
use taos_query::prelude::{AsyncFetchable, AsyncQueryable, AsyncTBuilder};
use taos_questdb::TaosBuilder;
use taos_questdb::ingress::{AckLevel, Sender};

use cases::{Failure, Seen, Ways};

const WAYS: Ways = Ways {
    read: |address, sql, seen| read(address, sql, |block| columns(block, seen)),
    read_rows: Some(|address, sql, seen| read(address, sql, |block| rows(block, seen))),
    acknowledged,
};
/// An acknowledgement that takes longer never comes.
const PATIENCE: Duration = Duration::from_secs(60);

fn main() -> Result<(), Failure> {
    let mut args = std::env::args().skip(1);
    let (Some(address), Some(case)) = (args.next(), args.next()) else {
        return Err("usage: bench-questdb ADDRESS CASE".into());
    };
    println!("{}", cases::run("ours", &address, &case, &WAYS)?);
    Ok(())
}

/// Reads the whole result of `sql` over QWP, block by block.
fn read(
    address: &str,
    sql: &str,
    mut take: impl FnMut(&RawBlock) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let builder = TaosBuilder::from_dsn(format!("questdb+ws://{address}"))?;
        let taos = builder.build().await?;
        let mut result = taos.query(sql).await?;
        let mut blocks = result.blocks();
        while let Some(block) = blocks.try_next().await? {
            take(&block)?;
        }
        Ok(())
    })
}

/// By the views of the columns.
fn columns(block: &RawBlock, seen: &mut Seen) -> Result<(), Failure> {
    let [
        ColumnView::Timestamp(ts),
        ColumnView::BigInt(id),
        ColumnView::Double(price),
        ColumnView::VarChar(symbol),
        ColumnView::VarChar(note),
    ] = block.column_views()
    else {
        return Err("the columns have other types".into());
    };
    for row in 0..block.nrows() {
        let (Some(ts), Some(id), Some(price)) = (ts.get(row), id.get(row), price.get(row)) else {
            return Err(format!("row {row} lacks a number").into());
        };
        let (symbol, note) = (symbol.get(row), note.get(row));
        seen.row(
            ts.as_raw_i64(),
            id,
            price,
            symbol.as_deref(),
            note.as_deref(),
        );
    }
    Ok(())
}

/// As tuples, whose texts are borrowed.
fn rows(block: &RawBlock, seen: &mut Seen) -> Result<(), Failure> {
    for row in block.deserialize::<(i64, i64, f64, Option<&str>, Option<&str>)>() {
        let (ts, id, price, symbol, note) = row?;
        seen.row(ts, id, price, symbol, note);
    }
    Ok(())
}

fn acknowledged(sender: &mut Sender) -> taos_questdb::Result<()> {
    sender.wait(AckLevel::Ok, PATIENCE)
}
