//! Waiting for futures, and calling back.

use std::ffi::c_void;
use std::future::Future;

use taos_query::{block_in_place_or_global, global_tokio_runtime};

/// Waits for a future, whatever thread of the program this is.
pub(crate) fn wait<F: Future>(future: F) -> F::Output {
    block_in_place_or_global(future)
}

/// Runs a future in the background, then hands what came out to `report` on a thread that may block: programs
/// call back into the library from there.
pub(crate) fn start<F>(future: F, report: impl FnOnce(F::Output) + Send + 'static)
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let runtime = global_tokio_runtime();
    runtime.spawn(async move {
        let output = future.await;
        runtime.spawn_blocking(move || report(output));
    });
}

/// A pointer of the program's that is only carried to its callback.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Param(pub(crate) *mut c_void);

// SAFETY: it is never looked into here; the C interface says that callbacks run on threads of the library.
unsafe impl Send for Param {}
