//! A server of scripted answers for the tests of transports.

mod http;
mod io;

pub(crate) use http::{Script, Step, response};
pub(crate) use io::CountPolls;
