//! Telling programs of the ends of commits.

use std::cell::Cell;
use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::conf::TmqCommitCb;
use super::consumer::Member;
use crate::handle::take;
use crate::runtime::{Param, give_way};

/// How long closing a consumer waits for callbacks that run.
const LONGEST_CALL: Duration = Duration::from_secs(5);

thread_local! {
    /// Whose callback this thread is in: the address of its reports, else 0.
    static INSIDE: Cell<usize> = const { Cell::new(0) };
}

/// Calls back to the program about one consumer, and knows how many such calls there are.
#[derive(Debug)]
pub(super) struct Reports {
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Debug)]
struct State {
    /// The consumer's handle; NULL from its end on.
    handle: Param,
    calls: usize,
    /// The handle of a consumer that was closed during a call, which the last of the calls frees.
    left: Param,
}

/// A call that will be made; it counts until it is dropped.
#[derive(Debug)]
pub(super) struct Call(Arc<Reports>);

impl Call {
    /// Makes the call; after the consumer's end only if the program waits for it.
    ///
    /// # Safety
    /// The function may be called with this parameter.
    pub(super) unsafe fn make(self, cb: TmqCommitCb, param: Param, code: i32, promised: bool) {
        let Param(handle) = self.0.lock().handle;
        if handle.is_null() && !promised {
            return;
        }
        let outer = INSIDE.replace(self.0.address());
        // SAFETY: the caller vouches for it. The handle stays while this call is counted.
        unsafe { cb(handle, code, param.0) };
        INSIDE.set(outer);
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.calls = state.calls.saturating_sub(1);
        let left = if state.calls == 0 {
            std::mem::replace(&mut state.left, Param(null_mut()))
        } else {
            Param(null_mut())
        };
        drop(state);
        self.0.ended.notify_all();
        // SAFETY: the program has closed it, and this was the last call that had it.
        drop(unsafe { take::<Member>(left.0) });
    }
}

impl Reports {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                handle: Param(null_mut()),
                calls: 0,
                left: Param(null_mut()),
            }),
            ended: Condvar::new(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn address(self: &Arc<Self>) -> usize {
        Arc::as_ptr(self).addr()
    }

    pub(super) fn belong_to(&self, handle: *mut c_void) {
        self.lock().handle = Param(handle);
    }

    /// Says that a call will be made.
    pub(super) fn begin(self: &Arc<Self>) -> Call {
        self.lock().calls += 1;
        Call(Arc::clone(self))
    }

    /// Waits for the calls that were begun, and tells those after it of no handle. True if the consumer may be freed
    /// now; else the last of the calls does it. From within a call of this consumer there is nothing to wait for.
    pub(super) fn finish(self: &Arc<Self>) -> bool {
        let mut state = self.lock();
        if state.calls > 0 && INSIDE.get() != self.address() {
            give_way();
            let waited = self
                .ended
                .wait_timeout_while(state, LONGEST_CALL, |state| state.calls > 0);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let handle = std::mem::replace(&mut state.handle, Param(null_mut()));
        if state.calls == 0 {
            return true;
        }
        state.left = handle;
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    unsafe extern "C" fn closes(_: *mut c_void, _: i32, param: *mut c_void) {
        // SAFETY: the tests give one that outlives the call.
        let close = unsafe { &*param.cast::<Box<dyn Fn()>>() };
        close();
    }

    #[test]
    fn closing_within_a_call_leaves_the_consumer_to_the_end_of_that_call() {
        let reports = Reports::new();
        let (sender, receiver) = mpsc::channel();
        let inner = Arc::clone(&reports);
        let close: Box<dyn Fn()> = Box::new(move || sender.send(inner.finish()).unwrap());
        let call = reports.begin();
        // SAFETY: the function takes this parameter.
        unsafe { call.make(closes, Param((&raw const close).cast_mut().cast()), 0, true) };
        assert!(!receiver.recv().unwrap(), "the call still had it");
        assert!(reports.finish(), "the call has returned");
    }

    #[test]
    fn closing_within_a_call_of_another_consumer_waits_for_those_of_its_own() {
        let (one, other) = (Reports::new(), Reports::new());
        let held = Mutex::new(Some(other.begin()));
        let (sender, receiver) = mpsc::channel();
        let closed = Arc::clone(&other);
        let close: Box<dyn Fn()> = Box::new(move || {
            let held = held.lock().unwrap().take();
            let ending = std::thread::spawn(move || {
                std::thread::sleep(Duration::from_millis(50));
                drop(held);
            });
            sender.send(closed.finish()).unwrap();
            ending.join().unwrap();
        });
        let call = one.begin();
        // SAFETY: the function takes this parameter.
        unsafe { call.make(closes, Param((&raw const close).cast_mut().cast()), 0, true) };
        assert!(receiver.recv().unwrap(), "it was not waited for");
    }
}
