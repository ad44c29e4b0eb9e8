//! Calls that block, on threads that may block.

use taos_query::{ErrorKind, RawError, RawResult};
use tokio::sync::oneshot;

use super::threads::Threads;

/// As many calls may wait for servers at a time; further ones wait for them.
static THREADS: Threads = Threads::new("taos-native", 512);

/// Runs `work` on a thread for blocking calls, of which no runtime knows: one that is dropped does not wait for it.
///
/// # Cancel safety
/// Work that was begun goes on without its future, and what it made is dropped on its thread. Work that was not begun
/// is dropped.
///
/// # Errors
/// Those of `work`, and where the system gives no thread.
pub(crate) async fn run<T, F>(work: F) -> RawResult<T>
where
    T: Send + 'static,
    F: FnOnce() -> RawResult<T> + Send + 'static,
{
    let (answer, answered) = oneshot::channel();
    let job = move || {
        if !answer.is_closed() {
            // Nobody may want it any more; it is dropped here then.
            drop(answer.send(work()));
        }
    };
    if THREADS.give(Box::new(job)).is_err() {
        return Err(RawError::of(
            ErrorKind::Config,
            "the system gives no thread for a call of the client library: raise its limit of threads",
        ));
    }
    answered.await.unwrap_or_else(|_| {
        Err(RawError::of(
            ErrorKind::Protocol,
            "a call of the client library panicked; this is a bug of this crate",
        ))
    })
}
