//! The client against a scripted server in memory.

mod cancel;
mod faults;
mod peer;
mod reconnect;
mod results;
#[cfg(feature = "rustls")]
mod tls;
