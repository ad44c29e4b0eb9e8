use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Id, Runtime, RuntimeFlavor, worker_index};
use tokio::task;
use tokio::time::{Sleep, Timeout, sleep, timeout};

use crate::error::{ErrorKind, RawError, RawResult};

static RUNTIME: LazyLock<io::Result<Runtime>> = LazyLock::new(|| {
    Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("taos-sync")
        .enable_all()
        .build()
});

fn runtime() -> RawResult<&'static Runtime> {
    RUNTIME.as_ref().map_err(|error| {
        RawError::of(
            ErrorKind::Config,
            format!("cannot start the runtime behind blocking calls: {error}"),
        )
    })
}

/// The process-wide runtime on which connections made by blocking calls live.
///
/// # Panics
/// When the operating system refuses its threads.
pub fn global_tokio_runtime() -> &'static Runtime {
    match runtime() {
        Ok(runtime) => runtime,
        Err(error) => panic!("{error}"),
    }
}

/// Waits for a future from blocking code, inside or outside of any runtime.
///
/// The future must not depend on a task of the single-threaded runtime it is called from.
///
/// # Panics
/// As [`global_tokio_runtime`].
pub fn block_in_place_or_global<F: Future>(future: F) -> F::Output {
    drive(global_tokio_runtime(), future)
}

/// Waits for a future of a connection whose task lives on the runtime `home`.
///
/// # Errors
/// When waiting would hang, because `home` is the single-threaded runtime that this thread runs.
pub fn block_on<F: Future>(home: Option<Id>, future: F) -> RawResult<F::Output> {
    let runtime = runtime()?;
    if let Ok(current) = Handle::try_current()
        && current.runtime_flavor() == RuntimeFlavor::CurrentThread
        && home == Some(current.id())
    {
        return Err(RawError::of(
            ErrorKind::Unsupported,
            "a blocking call inside the single-threaded runtime that drives this very connection would \
             never end: await the async call instead, make the connection with `taos::sync`, or use \
             a multi-threaded runtime",
        ));
    }
    Ok(drive(runtime, future))
}

fn drive<F: Future>(runtime: &'static Runtime, future: F) -> F::Output {
    match Handle::try_current() {
        Err(_) => runtime.block_on(future),
        // Other threads of such a runtime are no workers: they hold up nobody while they are parked,
        // and a `LocalSet`, which is always on one of them, would not let them block otherwise.
        Ok(handle)
            if handle.runtime_flavor() == RuntimeFlavor::MultiThread
                && worker_index().is_some() =>
        {
            task::block_in_place(|| runtime.block_on(future))
        }
        Ok(_) => park_until_ready(runtime, future),
    }
}

/// Polls on this thread, which a runtime owns and tokio would not let block. Sockets
/// and timers of the future belong to `runtime`, whose own threads drive them.
fn park_until_ready<F: Future>(runtime: &'static Runtime, future: F) -> F::Output {
    let _context = runtime.enter();
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut cx = Context::from_waker(&waker);
    // Unconstrained, because the budget of the task around us is never refilled while we wait.
    let mut future = pin!(task::unconstrained(future));
    loop {
        match future.as_mut().poll(&mut cx) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

/// The shared runtime's context where there is no runtime, for timers.
pub(crate) fn with_timers<T>(make: impl FnOnce() -> T) -> T {
    let _entered = Handle::try_current()
        .is_err()
        .then(|| RUNTIME.as_ref().map(Runtime::enter));
    make()
}

/// A limit for a future. Outside of any runtime the timer is that of the shared one.
pub(crate) fn within<F: Future>(limit: Duration, future: F) -> Timeout<F> {
    with_timers(|| timeout(limit, future))
}

/// A pause. Outside of any runtime the timer is that of the shared one.
#[doc(hidden)]
pub fn pause(length: Duration) -> Sleep {
    with_timers(|| sleep(length))
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Needs a timer and a task of the shared runtime.
    async fn work() -> u8 {
        sleep(Duration::from_millis(1)).await;
        tokio::spawn(async { 7 }).await.unwrap()
    }

    fn current_thread() -> Runtime {
        Builder::new_current_thread().enable_all().build().unwrap()
    }

    #[test]
    fn blocking_works_on_a_plain_thread_and_inside_both_kinds_of_runtime() {
        assert_eq!(block_on(None, work()).unwrap(), 7);
        let inside = async { block_on(None, work()).unwrap() };
        assert_eq!(current_thread().block_on(inside), 7);
        let one_worker = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let task = one_worker.spawn(async { block_on(None, work()).unwrap() });
        assert_eq!(one_worker.block_on(task).unwrap(), 7);
        assert_eq!(
            one_worker.block_on(async { block_in_place_or_global(work()) }),
            7
        );
    }

    #[test]
    fn blocking_works_inside_a_local_set_of_either_kind_of_runtime() {
        let several = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        for runtime in [&current_thread(), &several] {
            let local = task::LocalSet::new();
            let twice = async {
                let first = block_on(None, work()).unwrap();
                let task = task::spawn_local(async { block_in_place_or_global(work()) });
                (first, task.await.unwrap())
            };
            assert_eq!(local.block_on(runtime, twice), (7, 7));
        }
        let blocking = several.spawn_blocking(|| block_on(None, work()).unwrap());
        assert_eq!(several.block_on(blocking).unwrap(), 7);
        let nested = several.spawn(async {
            task::block_in_place(|| {
                block_on(None, async { block_on(None, work()).unwrap() }).unwrap()
            })
        });
        assert_eq!(several.block_on(nested).unwrap(), 7);
    }

    #[test]
    fn a_long_chain_of_ready_steps_does_not_wait_for_the_budget_of_the_task_around_it() {
        let many = async {
            let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
            for n in 0..10_000 {
                sender.send(n).unwrap();
            }
            drop(sender);
            let mut count = 0;
            while receiver.recv().await.is_some() {
                count += 1;
            }
            count
        };
        let count = current_thread().block_on(async { block_on(None, many).unwrap() });
        assert_eq!(count, 10_000);
    }

    #[test]
    fn waiting_for_a_task_of_the_very_thread_is_refused() {
        let runtime = current_thread();
        let home = Some(runtime.handle().id());
        let error = runtime
            .block_on(async { block_on(home, work()) })
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(block_on(home, async { 1 }).is_ok(), "fine from outside");
    }
}
