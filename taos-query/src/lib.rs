//! The common layer of the taos SDK: everything that needs no I/O.
//!
//! # Features
//!
//! | name | gives | default |
//! | --- | --- | --- |
//! | `arrow` | results as Arrow record batches | no |
//! | `deadpool` | [pools](pool) for async programs | no |
//! | `r2d2` | [pools](pool) for blocking programs | no |
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

#[doc(hidden)]
pub mod abi;
#[cfg(feature = "arrow")]
pub mod arrow;
pub mod block;
mod capabilities;
pub mod common;
mod connection;
pub mod de;
pub mod dsn;
pub mod error;
pub mod helpers;
pub mod inserter;
pub mod pool;
pub mod prelude;
mod raw_data;
pub mod schemaless;
pub mod stmt;
pub mod tmq;
mod traits;
pub mod util;
#[doc(hidden)]
pub mod version;
#[doc(hidden)]
pub mod writes;

pub use block::RawBlock;
pub use capabilities::{Capabilities, Dialect};
pub use connection::ConnectionState;
pub use de::DeError;
#[cfg(feature = "deadpool")]
pub use deadpool;
pub use dsn::{Address, Dsn, DsnError, IntoDsn, redact_dsn, value_is_true};
pub use error::{Code, ErrorKind, RawError, RawResult};
pub use inserter::AsyncInsertable;
pub use pool::Manager;
#[cfg(feature = "deadpool")]
pub use pool::Pool;
#[cfg(feature = "r2d2")]
pub use r2d2;
pub use raw_data::{RawData, RawMeta};
pub use schemaless::{SchemalessPrecision, SchemalessProtocol, SmlData, SmlDataBuilder};
pub use stmt::{
    AsyncBindable, AsyncStatements, Bindable, Statements, Stmt2AsyncBindable, Stmt2BindParam,
    Stmt2Bindable,
};
pub use traits::sync::{self, Fetchable, Queryable, TBuilder};
pub use traits::{
    AsyncBlocks, AsyncDeserialized, AsyncFetchable, AsyncQueryable, AsyncRows, AsyncTBuilder,
    Helpers, PollBlock,
};
pub use util::{block_in_place_or_global, global_tokio_runtime};
