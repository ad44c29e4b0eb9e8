//! The common layer of the taos SDK: everything that needs no I/O.
#![forbid(unsafe_code)]

pub mod common;
pub mod error;

pub use error::{Code, ErrorKind, RawError, RawResult};
