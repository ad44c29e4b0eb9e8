//! WebSocket backend of the taos SDK: speaks taosAdapter's protocol.
//!
//! Programs use it through the `taos` crate; alone it looks like this:
//!
//! ```no_run
//! use taos_query::prelude::*;
//! use taos_ws::TaosBuilder;
//!
//! # async fn run() -> RawResult<()> {
//! let taos = TaosBuilder::from_dsn("ws://root:taosdata@localhost:6041")?.build().await?;
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
//! - [`protocol`]: the wire format in both directions, without I/O;
//! - `transport`: TCP, TLS, the HTTP upgrade and WebSocket frames, without knowledge of requests;
//! - `connection`: one task a connection that owns the socket, and pairs replies with requests;
//! - `client`: the state machine around it: login, reconnecting, resending;
//! - [`mod@stmt`]: prepared statements;
//! - [`consumer`]: consumers of topics;
//! - [`Taos`], [`TaosBuilder`], [`ResultSet`]: the common traits over all that.
//!
//! # Features
//!
//! | name | gives | default |
//! | --- | --- | --- |
//! | `rustls` | `wss://`, verified against the system's root certificates | yes |
//! | `deflate` | `compression=true`: messages compressed by permessage-deflate | no |
#![forbid(unsafe_code)]

mod builder;
mod client;
mod config;
mod connection;
pub mod consumer;
mod driver;
mod events;
mod login;
pub mod protocol;
mod query;
mod resend;
pub mod stmt;
mod telemetry;
mod transport;
mod tries;
mod write;

pub use builder::TaosBuilder;
pub use consumer::{Consumer, TmqBuilder};
pub use driver::WsTaos;
pub use query::{ResultSet, ServerStatus, Taos, check_server_status};
pub use stmt::{Stmt, Stmt2};

#[cfg(feature = "deflate")]
#[doc(hidden)]
pub use transport::deflate::fuzz_inflate;

#[cfg(test)]
mod tests;
