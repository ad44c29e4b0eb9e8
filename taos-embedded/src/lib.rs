//! A small, durable time-series server that speaks TDengine's dialect and taosAdapter's protocol.
//!
//! For development, tests, demonstrations and small edge machines: one binary, one directory of data,
//! nothing to install. What it does not know it refuses with `unsupported feature: NAME`; it never
//! answers wrongly.
//!
//! # In process
//! A test suite starts its own server, which takes a free port and keeps its data in memory:
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let server = taos_embedded::Embedded::builder().memory().start_blocking()?;
//! println!("any client of the protocol may connect to {}", server.addr());
//! # Ok(()) }
//! ```
//!
//! # As a program
//! `taos-embedded --listen 127.0.0.1:6041 --data-dir DIR` prints `listening on IP:PORT` when it is
//! ready and stops with grace on SIGTERM or Ctrl-C. WebSocket clients use `/ws`, consumers of topics
//! `/rest/tmq`, and `POST /rest/sql[/db]` takes one statement a request. Browsers find
//! a console at `/` that reads only, Prometheus finds figures at `/metrics`.
//!
//! # Rooms
//! `server` (sockets, sessions, replies) → [`engine`] (the door) → `sql` (text to syntax tree) →
//! `plan` (names, types and rules of the dialect) → `catalog`, `store` and `exec` (SQLite). `schemaless`
//! and `meta` read what else may change tables: points, and messages of topics. `metrics` counts.
#![forbid(unsafe_code)]

mod catalog;
mod clock;
mod embedded;
pub mod engine;
mod exec;
mod meta;
mod metrics;
mod plan;
mod schemaless;
mod server;
mod sql;
mod store;
mod tmq;

pub use embedded::{Embedded, EmbeddedBuilder};
#[doc(hidden)]
pub use meta::fuzz_topic_message;
#[doc(hidden)]
pub use schemaless::fuzz_schemaless;
