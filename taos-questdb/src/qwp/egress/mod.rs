//! Queries over QWP (questdb §13, §14): connections that are reused, results that arrive while they
//! are read, and another server when one is lost.
//!
//! No task runs behind a connection: whoever waits for a result drives its socket.

mod connection;
mod endpoints;
mod rows;
mod session;
mod stream;
mod tries;

pub(crate) use super::wire::egress::Bind;
pub(crate) use rows::QwpRows;
pub(crate) use session::Session;
