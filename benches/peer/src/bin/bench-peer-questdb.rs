//! `bench-peer-questdb ADDRESS CASE`: one case of the QuestDB bench on the published `questdb-rs` crate.
#![forbid(unsafe_code)]

#[path = "../../../shared/questdb/mod.rs"]
mod cases;
#[allow(dead_code, reason = "other programs use the rest")]
#[path = "../../../shared/measure.rs"]
mod measure;

use std::time::Duration;

/// The client that the cases are compiled against.
use questdb as client;

use questdb::egress::column::ColumnView;
use questdb::egress::reader::Reader;

use questdb::ingress::{AckLevel, Sender};

use cases::{Failure, Seen, Ways};

const WAYS: Ways = Ways {
    read,
    read_rows: None,
    acknowledged,
};
/// An acknowledgement that takes longer never comes.
const PATIENCE: Duration = Duration::from_secs(60);

fn main() -> Result<(), Failure> {
    let mut args = std::env::args().skip(1);
    let (Some(address), Some(case)) = (args.next(), args.next()) else {
        return Err("usage: bench-peer-questdb ADDRESS CASE".into());
    };
    println!("{}", cases::run("peer", &address, &case, &WAYS)?);
    Ok(())
}

/// Reads the whole result of `sql` over QWP, column by column.
fn read(address: &str, sql: &str, seen: &mut Seen) -> Result<(), Failure> {
    let mut reader = Reader::from_conf(format!("ws::addr={address};compression=raw;"))?;
    let mut cursor = reader.prepare(sql).execute()?;
    while let Some(batch) = cursor.next_batch()? {
        let columns = (
            batch.column(0)?,
            batch.column(1)?,
            batch.column(2)?,
            batch.column(3)?,
            batch.column(4)?,
        );
        let (
            ColumnView::Timestamp(ts),
            ColumnView::Long(id),
            ColumnView::Double(price),
            ColumnView::Symbol(symbol),
            ColumnView::Varchar(note),
        ) = columns
        else {
            return Err("the columns have other types".into());
        };
        for row in 0..batch.row_count() {
            seen.row(
                ts.value(row),
                id.value(row),
                price.value(row),
                symbol.resolve(row),
                note.value(row),
            );
        }
    }
    Ok(())
}

fn acknowledged(sender: &mut Sender) -> questdb::Result<()> {
    sender.wait(AckLevel::Ok, PATIENCE)
}
