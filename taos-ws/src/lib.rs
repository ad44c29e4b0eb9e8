//! WebSocket backend of the taos SDK: speaks taosAdapter's protocol.
#![forbid(unsafe_code)]

mod builder;
mod client;
mod config;
mod connection;
mod login;
pub mod protocol;
mod query;
mod resend;
mod transport;

pub use builder::TaosBuilder;
pub use query::{ResultSet, ServerStatus, Taos, check_server_status};

#[cfg(test)]
mod tests;
