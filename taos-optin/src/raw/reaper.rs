//! Frees handles where that may block: neither on a thread of a runtime nor on one of the library's.

use std::cell::Cell;
use std::sync::LazyLock;
use std::sync::mpsc::{Sender, channel};
use std::thread;

use tokio::runtime::Handle;

type Job = Box<dyn FnOnce() + Send>;

/// `None` where the system gives no thread.
static JOBS: LazyLock<Option<Sender<Job>>> = LazyLock::new(|| {
    let (jobs, queue) = channel::<Job>();
    let thread = thread::Builder::new().name("taos-reaper".to_owned());
    let started = thread.spawn(move || {
        for job in queue {
            job();
        }
    });
    match started {
        Ok(_) => Some(jobs),
        Err(error) => {
            tracing::warn!(%error, "no thread to free handles of the client library on");
            None
        }
    }
});

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

/// Does what may block: at once if this thread may, else on a thread of its own.
pub(crate) fn run(job: impl FnOnce() + Send + 'static) {
    if in_callback() || Handle::try_current().is_ok() {
        later(job);
    } else {
        job();
    }
}

/// Does what may block on a thread of its own, after all that was handed over before.
pub(crate) fn later(job: impl FnOnce() + Send + 'static) {
    match JOBS.as_ref() {
        // The thread ends only with the process.
        Some(jobs) => drop(jobs.send(Box::new(job))),
        None => job(),
    }
}
