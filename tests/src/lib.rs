//! What the behaviour suites share.
#![forbid(unsafe_code)]

mod frame;
pub mod proxy;
