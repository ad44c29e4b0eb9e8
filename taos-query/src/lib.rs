//! The common layer of the taos SDK: everything that needs no I/O.
#![forbid(unsafe_code)]

pub mod block;
pub mod common;
pub mod de;
pub mod error;

pub use block::RawBlock;
pub use error::{Code, ErrorKind, RawError, RawResult};
