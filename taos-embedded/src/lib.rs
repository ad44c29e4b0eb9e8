//! An embedded time-series server that speaks TDengine's dialect and taosAdapter's protocol.
#![forbid(unsafe_code)]

pub mod engine;
pub mod plan;
pub mod sql;
