//! Telling programs of the ends of commits.

use std::cell::Cell;
use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::conf::TmqCommitCb;
use crate::runtime::Param;

/// How long closing a consumer waits for callbacks that run.
const LONGEST_CALL: Duration = Duration::from_secs(5);

thread_local! {
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Calls back to the program about one consumer, and knows how many such calls there are.
#[derive(Debug, Default)]
pub(super) struct Reports {
    /// The consumer's handle; NULL from its end on.
    handle: AtomicPtr<c_void>,
    calls: Mutex<usize>,
    ended: Condvar,
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
        let handle = self.0.handle.load(Ordering::Acquire);
        if handle.is_null() && !promised {
            return;
        }
        INSIDE.set(true);
        // SAFETY: the caller vouches for it. The handle stays until the call has returned, or for as long as one
        // may wait for that.
        unsafe { cb(handle, code, param.0) };
        INSIDE.set(false);
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let calls = self.0.calls.lock();
        let mut calls = calls.unwrap_or_else(PoisonError::into_inner);
        *calls = calls.saturating_sub(1);
        self.0.ended.notify_all();
    }
}

impl Reports {
    pub(super) fn belong_to(&self, handle: *mut c_void) {
        self.handle.store(handle, Ordering::Release);
    }

    /// Says that a call will be made.
    pub(super) fn begin(self: &Arc<Self>) -> Call {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        *calls += 1;
        drop(calls);
        Call(Arc::clone(self))
    }

    /// Waits for the calls that were begun, and tells those after it of no handle. From within a call there is nothing
    /// to wait for.
    pub(super) fn finish(&self) {
        if !INSIDE.get() {
            let calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
            let waited = self
                .ended
                .wait_timeout_while(calls, LONGEST_CALL, |calls| *calls > 0);
            if waited.is_ok_and(|(_, late)| late.timed_out()) {
                tracing::warn!("a consumer is closed while a callback of it still runs");
            }
        }
        self.belong_to(null_mut());
    }
}
