//! Consumers against a library that does what it is told over a socket, and ends the process when it is misused.
#![cfg(unix)]

mod commits;
mod fake;
mod messages;
