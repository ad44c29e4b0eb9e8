//! QuestDB backend of the taos SDK.
//!
//! [`ingress`] has the names of the `questdb-rs` crate: row buffers and senders over HTTP, TCP and
//! WebSocket. [`TaosBuilder`] brings the common traits of the SDK: queries, statements, lines.
//!
//! # Parts
//!
//! - [`ingress`]: buffers, configuration strings, senders;
//! - `settings`: what a configuration string or a DSN says, checked once;
//! - `net`: TCP, TLS and choosing among addresses, without knowledge of requests;
//! - `http`: one HTTP/1.1 connection and the schedule of retries;
//! - `qwp`: the binary protocol over WebSocket, its codec without I/O;
//! - `rest`: results of `/exec`, read while they arrive, without I/O.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

mod client;
mod error;
mod http;
pub mod ingress;
mod net;
mod qwp;
mod rest;
mod settings;
mod sql;
mod stmt;
#[cfg(test)]
mod testing;
mod types;

pub use client::{ResultSet, Taos, TaosBuilder};
pub use error::{Error, ErrorCode, Result};
#[doc(hidden)]
pub use qwp::fuzz_qwp_answers;
pub use stmt::{Stmt, Stmt2};
