//! One HTTP/1.1 client: connections kept alive, limits, and the schedule of retries (questdb §5).

mod client;
mod connection;
mod negotiate;
mod response;
mod retry;
mod write;

#[cfg(test)]
mod tests;

pub(crate) use client::{Client, NO_CREDENTIALS, REFUSED_CREDENTIALS, Request, port_of_lines};
pub(crate) use negotiate::negotiate;
pub(crate) use response::Response;
pub(crate) use write::{write_lines, write_lines_to};
