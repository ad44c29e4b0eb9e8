//! One connection: a task that owns the socket, and handles that talk to it.
//!
//! Requests travel over a bounded channel and are answered through one-shot slots found by request
//! id. Nothing that a caller does (waiting, dropping a future half-way, reading a result slowly)
//! can stop the task from reading the socket.

mod link;
mod result;
mod status;
mod task;

pub(crate) use link::{Failure, Link, Payload, QueryAnswer, Reading, StmtHandle, text};
pub(crate) use result::ResultHandle;
pub(crate) use task::Options;
