//! Calls that block, on threads that may block.

use taos_query::{ErrorKind, RawError, RawResult, global_tokio_runtime};
use tokio::runtime::Handle;

/// Runs `work` on a thread for blocking calls: of the runtime around, or of the shared one where there is none.
///
/// # Cancel safety
/// Work that was begun goes on without its future, and what it made is dropped on its thread.
///
/// # Errors
/// Those of `work`, and when the runtime ends before it was begun.
pub(crate) async fn run<T, F>(work: F) -> RawResult<T>
where
    T: Send + 'static,
    F: FnOnce() -> RawResult<T> + Send + 'static,
{
    let running = match Handle::try_current() {
        Ok(runtime) => runtime.spawn_blocking(work),
        Err(_) => global_tokio_runtime().spawn_blocking(work),
    };
    running.await.unwrap_or_else(|error| {
        Err(RawError::of(
            ErrorKind::Protocol,
            "a call of the client library did not come to its end: it panicked, or the runtime was shut down",
        )
        .with_source(error))
    })
}
