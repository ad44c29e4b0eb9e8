//! Telling programs of the ends of commits.

use std::cell::Cell;
use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
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

/// Counts as a call until it is dropped.
pub(super) struct Call<'a>(&'a Reports);

impl Drop for Call<'_> {
    fn drop(&mut self) {
        INSIDE.set(false);
        let mut calls = self.0.calls.lock().unwrap_or_else(PoisonError::into_inner);
        *calls = calls.saturating_sub(1);
        self.0.ended.notify_all();
    }
}

impl Reports {
    pub(super) fn belong_to(&self, handle: *mut c_void) {
        self.handle.store(handle, Ordering::Release);
    }

    /// # Safety
    /// The function may be called with this parameter.
    pub(super) unsafe fn call(&self, cb: TmqCommitCb, param: Param, code: i32) {
        {
            let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
            *calls += 1;
        }
        let call = Call(self);
        INSIDE.set(true);
        let handle = self.handle.load(Ordering::Acquire);
        // SAFETY: the caller vouches for it. The handle stays until the call has returned, or for as long as one
        // may wait for that.
        unsafe { cb(handle, code, param.0) };
        drop(call);
    }

    /// Waits for the calls that run, and tells those after it of no handle. From within a call there is nothing to
    /// wait for.
    pub(super) fn finish(&self) {
        self.belong_to(null_mut());
        if INSIDE.get() {
            return;
        }
        let calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .ended
            .wait_timeout_while(calls, LONGEST_CALL, |calls| *calls > 0);
        if waited.is_ok_and(|(_, late)| late.timed_out()) {
            tracing::warn!("a consumer is closed while a callback of it still runs");
        }
    }
}
