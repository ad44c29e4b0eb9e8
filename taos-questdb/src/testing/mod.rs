//! A server of scripted answers for the tests of transports.

mod http;
mod io;
mod tls;

pub(crate) use http::{Script, Step, response};
pub(crate) use io::CountPolls;
pub(crate) use tls::tls_server;
