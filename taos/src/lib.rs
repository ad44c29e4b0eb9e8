//! One async Rust SDK for time-series databases: TDengine and QuestDB behind the same traits.
//!
//! ```
//! use serde::Deserialize;
//! use taos::*;
//!
//! #[derive(Debug, Deserialize)]
//! struct Reading {
//!     ts: chrono::DateTime<chrono::Utc>,
//!     celsius: f32,
//!     place: String,
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Error> {
//!     let dsn = "ws://root:taosdata@localhost:6041";
//! #   let server = taos_embedded::Embedded::builder().memory().start().await?;
//! #   let dsn = server.dsn();
//!     let taos = TaosBuilder::from_dsn(dsn)?.build().await?;
//!     taos.exec_many([
//!         "create database demo",
//!         "use demo",
//!         "create table weather (ts timestamp, celsius float) tags (place varchar(16))",
//!         "insert into oslo using weather tags ('Oslo') values (now, -3.5)",
//!     ])
//!     .await?;
//!
//!     let mut result = taos.query("select ts, celsius, place from weather").await?;
//!     let readings: Vec<Reading> = result.deserialize().try_collect().await?;
//!     assert_eq!(readings.len(), 1);
//!     for Reading { ts, celsius, place } in readings {
//!         println!("{ts} {place}: {celsius} °C");
//!     }
//!     Ok(())
//! }
//! ```
//!
//! # Concepts
//!
//! - A [`Dsn`] says in one line where the server is and how to reach it:
//!   `ws://user:password@host1:6041,host2:6041/database?timezone=UTC`. [`TaosBuilder`] checks it
//!   without connecting; a parameter that nobody knows is an error that names the nearest one.
//! - [`Taos`] is a connection. Many tasks may use one at the same time; requests are multiplexed.
//! - [`ResultSet`] brings rows block by block: as [`blocks`](AsyncFetchable::blocks), as
//!   [`rows`](AsyncFetchable::rows) of names and values, or read by serde with
//!   [`deserialize`](AsyncFetchable::deserialize). Dropping it early frees it on the server; natively the
//!   library does that as soon as the call that is under way has come back.
//! - [`Consumer`] reads topics as a member of a group: message by message with
//!   [`stream`](AsAsyncConsumer::stream), or row by row as structs with
//!   [`records`](AsAsyncConsumer::records). [`TmqBuilder`] makes it from a DSN with a `group.id`.
//! - [`sync`] has the same calls without `await`, for programs without a runtime and, carefully,
//!   inside one.
//! - [`Error`] carries the server's own code and words, and a [kind](ErrorKind) to decide by.
//!
//! # Pools
//!
//! A connection carries any number of requests at a time, so one is often enough. A pool gives
//! connections away one by one, each with a current database of its own.
#![cfg_attr(feature = "deadpool", doc = include_str!("../docs/pool.md"))]
#![cfg_attr(feature = "r2d2", doc = include_str!("../docs/pool-sync.md"))]
//!
//! # Drivers
//!
//! | DSN begins with | backend | feature |
//! | --- | --- | --- |
//! | `ws`, `http`, `taosws`, `taos+ws`, `taos+http`, `tmq+ws` | TDengine over WebSocket | `ws` |
//! | `wss`, `https`, `taoswss`, `taos+wss`, `taos+https`, `tmq+wss`, `taos` with a `token` | the same over TLS | `ws-rustls` |
//! | `taos`, `tmq` without a protocol | TDengine through its client library `libtaos`, opened at run time | `optin` |
//! | `questdb`, `questdb+http`, `questdb+https` | QuestDB over HTTP: queries and lines | `questdb` |
//! | `questdb+tcp`, `questdb+tcps` | QuestDB over TCP: lines | `questdb` |
//! | `questdb+ws`, `questdb+wss` | QuestDB 10 and newer over WebSocket (QWP): queries and lines | `questdb` |
//!
//! # Features
//!
//! | feature | gives | default |
//! | --- | --- | --- |
//! | `ws` | TDengine over WebSocket, without TLS | through `ws-rustls` |
//! | `ws-rustls` | TLS by rustls, verified against the system's roots | yes |
//! | `optin`, or `native` | TDengine through `libtaos`, which need not be there to build | yes |
//! | `deflate` | `compression=true` in the DSN: less traffic for more work on both sides | no |
//! | `questdb` | QuestDB: drivers of the common traits, and the module `taos::questdb` | no |
//! | `tls-webpki-certs` | QuestDB over TLS, verified against Mozilla's roots, compiled in | yes |
//! | `tls-native-certs` | QuestDB over TLS, verified against the system's roots | no |
//! | `insecure-skip-verify` | permits `tls_verify=unsafe_off` for QuestDB | no |
//! | `ndarray`, `rust_decimal`, `bigdecimal` | these types in QuestDB's row buffers | no |
//! | `ilp-over-http`, `sync-sender`, `sync-sender-http`, `sync-sender-tcp`, `sync-sender-qwp-ws`, `chrono-timestamp`, `chrono_timestamp`, `sync-reader`, `sync-reader-qwp-ws`, `ring-crypto` | nothing that `questdb` has not; for manifests that list them | no |
//! | `arrow` | results as record batches: `record_batches()`, `RawBlock::to_record_batch()` | no |
//! | `deadpool` | [`Pool`] of connections for async programs | yes |
//! | `r2d2` | `sync::Pool` of connections for blocking programs | no |
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

#[cfg(not(any(feature = "ws", feature = "optin", feature = "questdb")))]
compile_error!(
    "the crate `taos` needs at least one backend: enable the feature `ws-rustls` or `optin` (both are \
     defaults), `ws` or `questdb`, as in `taos = { version = \"0.1\", default-features = false, features = \
     [\"ws-rustls\"] }`"
);

mod client;
mod consumer;
mod creating;
mod driver;
mod statement;

#[cfg(feature = "optin")]
pub use taos_optin;
pub use taos_query;
pub use taos_query::RawError as Error;
pub use taos_query::prelude::*;
pub use taos_query::tmq::{self, Data, Meta, Offset};
#[cfg(feature = "questdb")]
pub use taos_questdb as questdb;
#[cfg(feature = "ws")]
pub use taos_ws;

/// A pool of connections.
#[cfg(feature = "deadpool")]
pub type TaosPool = Pool<TaosBuilder>;

pub use client::{ResultSet, Taos, TaosBuilder};
pub use consumer::{Consumer, TmqBuilder};
pub use statement::{Stmt, Stmt2};

/// The same types with blocking calls.
///
/// ```no_run
/// use taos::sync::*;
///
/// # fn main() -> Result<(), Error> {
/// let taos = TaosBuilder::from_dsn("ws://localhost:6041")?.build()?;
/// let version: Option<String> = taos.query_one("select server_version()")?;
/// println!("{version:?}");
/// # Ok(())
/// # }
/// ```
///
/// Connections made here live on threads of their own, so the calls work from plain threads and
/// from inside runtimes of either kind. A connection made by the async calls works here too, except
/// inside the single-threaded runtime that drives it: there the call fails instead of hanging.
pub mod sync {
    pub use taos_query::RawError as Error;
    pub use taos_query::prelude::sync::*;

    pub use crate::{
        Consumer, Data, Meta, Offset, ResultSet, Stmt, Stmt2, Taos, TaosBuilder, TmqBuilder, tmq,
    };

    /// A pool of connections.
    #[cfg(feature = "r2d2")]
    pub type TaosPool = Pool<TaosBuilder>;
}

/// The README's program, run as a test.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
mod readme {}
