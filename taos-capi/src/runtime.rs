//! Waiting for futures, and calling back.

use std::cell::Cell;
use std::ffi::c_void;
use std::future::Future;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::OnceLock;
use std::{process, thread};

use futures_util::FutureExt as _;
use taos_query::{block_in_place_or_global, global_tokio_runtime};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::error::{Failure, NOT_SUPPORTED, thread_ends};
use crate::guard;

/// How many callbacks run at a time. Each has a thread, and may keep it for long.
const CALLBACKS: usize = 16;

static PLACES: Semaphore = Semaphore::const_new(CALLBACKS);

thread_local! {
    /// That of the callback which this thread is in.
    static PLACE: Cell<Option<SemaphorePermit<'static>>> = const { Cell::new(None) };
}

/// The error of a child of the process in which the library was first used: sockets and timers are driven by
/// threads, and `fork` copies none of them.
pub(crate) fn forked() -> Option<Failure> {
    static HOME: OnceLock<u32> = OnceLock::new();
    let here = process::id();
    let home = *HOME.get_or_init(|| here);
    (home != here).then(|| {
        Failure::new(
            NOT_SUPPORTED,
            format!(
                "this process was forked from process {home} after that had used the library, whose threads a fork \
                 does not copy: make the first call after the fork, or start the child with exec"
            ),
        )
    })
}

/// Waits for a future, whatever thread of the program this is. In a child of `fork` it would be for ever: there it
/// unwinds to the [guard](crate::guard) with the reason.
pub(crate) fn wait<F>(future: F) -> F::Output
where
    F: Future + Send,
    F::Output: Send,
{
    if let Some(failure) = forked() {
        resume_unwind(Box::new(failure));
    }
    let lost = |error: tokio::runtime::TryCurrentError| error.is_thread_local_destroyed();
    if !thread_ends() && !Handle::try_current().is_err_and(lost) {
        return block_in_place_or_global(future);
    }
    // Runtimes need thread-locals, which this thread has lost in `atexit` and the like.
    thread::scope(|scope| {
        let waiting = scope.spawn(|| block_in_place_or_global(future));
        waiting
            .join()
            .unwrap_or_else(|payload| resume_unwind(payload))
    })
}

/// Runs a future in the background, then hands what came out to `report` on a thread that may block: programs
/// call back into the library from there. [`CALLBACKS`] of them run at a time.
pub(crate) fn start<F>(future: F, report: impl FnOnce(F::Output) + Send + 'static)
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    if forked().is_some() {
        // All that is started is `caught` or ready, and so has its error at once.
        if let Some(output) = future.now_or_never() {
            thread::spawn(move || report(output));
        }
        return;
    }
    let runtime = global_tokio_runtime();
    runtime.spawn(async move {
        let output = future.await;
        let place = PLACES.acquire().await.ok();
        runtime.spawn_blocking(move || {
            PLACE.set(place);
            report(output);
            give_way();
        });
    });
}

/// Lets another callback run beside the one that this thread is in, if any. Whoever waits for the end of another
/// callback calls it first, as all places may be taken by those who wait.
pub(crate) fn give_way() {
    drop(PLACE.try_with(Cell::take));
}

/// Turns a panic into an error, so that whoever waits for a callback gets it.
pub(crate) async fn caught<T>(
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    if let Some(failure) = forked() {
        return Err(failure);
    }
    AssertUnwindSafe(work)
        .catch_unwind()
        .await
        .unwrap_or_else(|payload| Err(guard::failure("the background", payload)))
}

/// A pointer of the program's that is only carried to its callback.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Param(pub(crate) *mut c_void);

// SAFETY: it is never looked into here; the C interface says that callbacks run on threads of the library.
unsafe impl Send for Param {}
// SAFETY: a reference to it can only copy it.
unsafe impl Sync for Param {}
