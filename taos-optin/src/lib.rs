//! Native backend of the taos SDK: TDengine's client library `libtaos`, opened at run time.
//!
//! Programs use it through the `taos` crate; alone it looks like this:
//!
//! ```no_run
//! use taos_optin::TaosBuilder;
//! use taos_query::prelude::*;
//!
//! # async fn run() -> RawResult<()> {
//! let taos = TaosBuilder::from_dsn("taos://root:taosdata@localhost:6030")?.build().await?;
//! let mut result = taos.query("select v from db.t").await?;
//! let mut rows = result.rows();
//! while let Some(row) = rows.try_next().await? {
//!     for (name, value) in row {
//!         println!("{name}: {value}");
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Parts
//!
//! - `ffi`: the library's symbols, which versions have them, and how the library is found;
//! - `raw`: one safe owner for each kind of C handle, and the callbacks;
//! - everything else is the common traits over these, and has no `unsafe`.
//!
//! # Threads
//!
//! Statements and blocks come by the library's callbacks, which wake the task that waits: no task and no thread for
//! each. What the library has only as calls that block (connecting, prepared statements, schemaless and raw
//! writes) runs on threads of this crate for such calls, which end when there is nothing to do. A runtime that
//! is dropped waits for none of them, so that a server that is silent keeps no program from ending. Consumers have
//! a thread each.
//!
//! # The end of a program
//!
//! Connections, statements and results that are dropped within a runtime are closed behind it, on such threads. What has not
//! been closed when the process ends goes with it, and the server sees the connection break. Outside of runtimes
//! dropping waits for that, half a second at most.
#![deny(unsafe_code)]

mod builder;
mod client;
pub mod consumer;
#[allow(unsafe_code, reason = "the symbols of a C library")]
mod ffi;
#[allow(unsafe_code, reason = "the owners of C handles")]
mod raw;
mod session;
mod settings;
pub mod stmt;
mod wait;
mod write;

pub use crate::raw::options::ConnectionOption;
pub use builder::TaosBuilder;
pub use client::{ResultSet, Taos};
pub use consumer::{Consumer, TmqBuilder};
pub use stmt::{Stmt, Stmt2};
