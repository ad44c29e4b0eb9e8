//! Safe owners of the library's handles, and its callbacks (native-ffi §3–§7).

mod answer;
pub(crate) mod blocking;
pub(crate) mod columns;
pub(crate) mod connection;
pub(crate) mod error;
pub(crate) mod options;
pub(crate) mod reaper;
pub(crate) mod result;
pub(crate) mod schemaless;
pub(crate) mod statement;
pub(crate) mod stmt;
pub(crate) mod stmt2;
pub(crate) mod text;
mod threads;
pub(crate) mod tmq;
pub(crate) mod write;

#[cfg(test)]
pub(crate) mod tests;

use std::any::Any;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Drops what a panic carried, which could panic too.
fn discard(panic: Box<dyn Any + Send>) {
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
        mem::forget(again);
    }
}

// SAFETY: the C library that every program has declares it so.
unsafe extern "C" {
    /// Gives back what libraries have made with `malloc` that have no function of their own for that.
    fn free(memory: *mut std::ffi::c_void);
}

/// A request id as C has it: the same bits, with a sign.
pub(crate) const fn signed_id(req_id: u64) -> i64 {
    req_id.cast_signed()
}
