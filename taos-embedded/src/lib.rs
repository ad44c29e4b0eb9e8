//! An embedded time-series server that speaks TDengine's dialect and taosAdapter's protocol.
#![forbid(unsafe_code)]

pub mod plan;
pub mod sql;
