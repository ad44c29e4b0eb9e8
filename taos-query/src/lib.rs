//! The common layer of the taos SDK: everything that needs no I/O.
#![forbid(unsafe_code)]

pub mod block;
pub mod common;
mod connection;
pub mod de;
pub mod dsn;
pub mod error;
pub mod helpers;
pub mod prelude;
mod raw_data;
pub mod schemaless;
pub mod stmt;
mod traits;
pub mod util;

pub use block::RawBlock;
pub use connection::ConnectionState;
pub use de::DeError;
pub use dsn::{Address, Dsn, DsnError, IntoDsn, redact_dsn, value_is_true};
pub use error::{Code, ErrorKind, RawError, RawResult};
pub use raw_data::{RawData, RawMeta};
pub use schemaless::{SchemalessPrecision, SchemalessProtocol, SmlData, SmlDataBuilder};
pub use stmt::{
    AsyncBindable, AsyncStatements, Bindable, Statements, Stmt2AsyncBindable, Stmt2BindParam,
    Stmt2Bindable,
};
pub use traits::sync::{self, Fetchable, Queryable, TBuilder};
pub use traits::{
    AsyncBlocks, AsyncDeserialized, AsyncFetchable, AsyncQueryable, AsyncRows, AsyncTBuilder,
    PollBlock,
};
pub use util::{block_in_place_or_global, global_tokio_runtime};
