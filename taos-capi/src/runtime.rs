//! Waiting for futures, and calling back.

use std::ffi::c_void;
use std::future::Future;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;
use taos_query::{block_in_place_or_global, global_tokio_runtime};

use crate::error::Failure;

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

/// Turns a panic into an error, so that whoever waits for a callback gets it.
pub(crate) async fn caught<T>(
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    AssertUnwindSafe(work)
        .catch_unwind()
        .await
        .unwrap_or_else(|_| Err(Failure::new(0xFFFF, "internal error: a panic was caught")))
}

/// A pointer of the program's that is only carried to its callback.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Param(pub(crate) *mut c_void);

// SAFETY: it is never looked into here; the C interface says that callbacks run on threads of the library.
unsafe impl Send for Param {}
// SAFETY: a reference to it can only copy it.
unsafe impl Sync for Param {}
