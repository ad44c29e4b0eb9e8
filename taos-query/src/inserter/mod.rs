//! Writing records of one Rust type in batches.
//!
//! ```no_run
//! # use serde::Serialize;
//! # use taos_query::prelude::*;
//! #[derive(Serialize)]
//! struct Reading<'a> {
//!     tbname: &'a str,
//!     location: &'a str,
//!     ts: i64,
//!     celsius: Option<f32>,
//! }
//!
//! # async fn run<Q: AsyncInsertable + 'static>(taos: Q) -> Result<(), Box<dyn std::error::Error>>
//! # where Q::Stmt2: 'static {
//! let mut inserter = taos.inserter::<Reading<'_>>("weather").max_rows(5_000).open().await?;
//! for minute in 0..100_000 {
//!     let ts = 1_700_000_000_000 + minute * 60_000;
//!     let reading = Reading { tbname: "oslo", location: "Oslo", ts, celsius: Some(-3.5) };
//!     inserter.write(&reading).await?;
//! }
//! let summary = inserter.close().await?;
//! println!("{} rows in {} batches", summary.rows, summary.batches);
//! # Ok(())
//! # }
//! ```
//!
//! # Records
//!
//! A record is a struct, or a map with text keys, that serde can serialize. Its fields are matched
//! with the columns and tags of the table by their names, exactly as serde spells them, so
//! `#[serde(rename = "...")]` counts. The first record decides which columns the statement names;
//! columns that it does not have keep their values or stay NULL. Of a map, all columns take part.
//!
//! | table | the record has |
//! | --- | --- |
//! | a table | columns |
//! | a super table, its tables named | `tbname`, columns, and tags for tables that are not there yet |
//! | a super table, names made up | tags and columns; the name is `t_` and the SHA-1, in hexadecimal, of the super table's name and the tags, so equal tags always mean the same table |
//!
//! Tags are read from the first row of a table in each batch, and set when that makes the table;
//! those of an existing table do not change.
//!
//! | column | takes |
//! | --- | --- |
//! | integers | any integer that fits |
//! | FLOAT, DOUBLE | floats, and integers that stay exact |
//! | BOOL | booleans, 0 and 1 |
//! | TIMESTAMP | ticks as an integer, [`Timestamp`](crate::common::Timestamp), chrono's `DateTime` and every RFC 3339 text, dates and times without an offset in the connection's zone |
//! | DECIMAL | integers, [`Decimal`](crate::common::Decimal) and decimal text, all exact |
//! | VARCHAR, NCHAR | text, characters, enums without data by their names, UTF-8 bytes |
//! | VARBINARY, GEOMETRY, BLOB | bytes; text but for GEOMETRY |
//! | JSON (tags, and the arrays of QuestDB) | whatever serializes to JSON, as `Vec<f64>`; text is taken as JSON text |
//! | any | `Option`, newtypes, and [`Value`](crate::common::Value) of the above |
//!
//! QuestDB has no super tables: all rows go into the one table, and a SYMBOL column takes text. A
//! record needs the designated timestamp there.
//!
//! # Batches
//!
//! A batch leaves when it has [`max_rows`](InserterBuilder::max_rows) rows or
//! [`max_bytes`](InserterBuilder::max_bytes) bytes, when its first row is
//! [`max_delay`](InserterBuilder::max_delay) old, or on [`flush`](Inserter::flush). Batches of one
//! connection are executed in the order of their rows; several connections keep no order.
//! When as many are under way as [`max_in_flight`](InserterBuilder::max_in_flight) says,
//! [`write`](Inserter::write) waits. A program that has several rows at hand gives them to
//! [`write_all`](Inserter::write_all), which costs less for each.
//!
//! A batch that fails comes back with its rows from the next call of the inserter, as an
//! [`InsertError`].

mod batch;
mod builder;
mod cell;
mod error;
mod older;
mod options;
mod pipeline;
mod plan;
mod record;
mod refusal;
pub mod sync;
#[cfg(test)]
mod tests;
mod time;
mod writer;

pub use builder::{AsyncInsertable, InserterBuilder};
pub use error::{FailedBatch, InsertError, InsertSummary};
pub use writer::Inserter;
