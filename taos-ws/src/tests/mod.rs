//! The client against a scripted server in memory.

mod cancel;
#[cfg(feature = "deflate")]
mod compression;
mod consumer;
mod consumer_commits;
mod consumer_faults;
mod consumer_orders;
mod consumer_places;
mod endpoints;
mod faults;
mod peer;
mod reconnect;
mod results;
mod spans;
mod stmt;
mod stmt_faults;
mod stmt_server;
mod stmt_types;
#[cfg(feature = "rustls")]
mod tls;
mod topics;
mod tries;
mod writes;
