//! Consumers of topics: `tmq_*` (native-ffi §7).
//!
//! - [`conf`], [`list`]: what a consumer is made of and told;
//! - [`consumer`]: its life, and messages;
//! - [`commit`], [`places`]: how far the group is;
//! - [`message`], [`raw`]: what a message tells of itself, beside the rows that the functions for results give;
//! - [`words`]: what codes mean.

pub mod commit;
pub mod conf;
pub mod consumer;
pub mod list;
pub mod message;
pub mod places;
pub mod raw;
mod reports;
pub mod words;
