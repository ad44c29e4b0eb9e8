//! A server of scripted answers for the tests of transports.

mod http;
mod io;
mod tls;

pub(crate) use http::{Script, Step, response};
pub(crate) use io::CountPolls;
pub(crate) use tls::tls_server;

/// The bytes of a test vector: `3d 10 00`.
pub(crate) fn hex(text: &str) -> Vec<u8> {
    text.split_whitespace()
        .map(|byte| u8::from_str_radix(byte, 16).unwrap())
        .collect()
}
