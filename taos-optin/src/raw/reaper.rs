//! Frees handles where that may block: neither on a thread of a runtime nor on one of the library's.
//!
//! Nothing waits for it when the program ends: what is not freed by then goes with the process, and a server sees its
//! connection break.

use std::cell::Cell;
use std::sync::mpsc::channel;
use std::time::Duration;

use tokio::runtime::Handle;

use super::threads::{self, Threads};

/// A handle that a dead server holds up holds up no other, unless there are as many.
static THREADS: Threads = Threads::new("taos-reaper", 16);
/// How long a thread of nobody waits for it: so long that a program of blocking calls has closed its connections when
/// it ends, and no longer, because it may as well be the thread of an executor that is not known here.
const MOMENT: Duration = Duration::from_millis(500);

thread_local! {
    static IN_CALLBACK: Cell<bool> = const { Cell::new(false) };
}

/// Marks this thread as the library's for as long as it lives.
pub(in crate::raw) struct InCallback {
    before: bool,
}

impl InCallback {
    pub(in crate::raw) fn enter() -> Self {
        Self {
            before: IN_CALLBACK.replace(true),
        }
    }
}

impl Drop for InCallback {
    fn drop(&mut self) {
        IN_CALLBACK.set(self.before);
    }
}

/// True while the library calls back on this thread.
pub(in crate::raw) fn in_callback() -> bool {
    IN_CALLBACK.get()
}

/// Does what may block: at once on threads of ours, else on another, which is waited for a moment where that harms
/// nobody.
pub(crate) fn run(job: impl FnOnce() + Send + 'static) {
    if threads::is_ours() {
        job();
    } else if in_callback() || Handle::try_current().is_ok() {
        later(job);
    } else {
        let (done, ended) = channel::<()>();
        later(move || {
            job();
            drop(done);
        });
        // Either it is done, or it goes on without us.
        _ = ended.recv_timeout(MOMENT);
    }
}

/// Does what may block on a thread of its own.
pub(crate) fn later(job: impl FnOnce() + Send + 'static) {
    if let Err(job) = THREADS.give(Box::new(job)) {
        // Blocked for once is better than never freed.
        job();
    }
}

/// Waits until all that was handed over is done.
#[cfg(test)]
pub(crate) fn settle() {
    THREADS.settle();
}
