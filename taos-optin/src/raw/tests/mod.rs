//! The owners of handles against libraries that only seem to be one: they count, call back when told to, or say how they were called.
#![cfg(unix)]

mod blocking;
mod calls;
pub(crate) mod fake;
mod queries;
mod statements;

use fake::Fake;
