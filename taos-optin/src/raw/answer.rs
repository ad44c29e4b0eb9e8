//! Results without rows, of calls that block.

use taos_query::RawResult;

use super::error;
use crate::ffi::{Library, TaosRes};

/// The owner of a result that is only asked for its numbers.
pub(in crate::raw) struct Answer {
    library: &'static Library,
    res: *mut TaosRes,
}

impl Answer {
    /// Takes what a call gave.
    ///
    /// # Errors
    /// The call's.
    ///
    /// # Safety
    /// The result, which may be NULL, comes from a call that has just returned on this thread, and nobody else
    /// owns it.
    pub(in crate::raw) unsafe fn new(
        library: &'static Library,
        res: *mut TaosRes,
    ) -> RawResult<Self> {
        if res.is_null() {
            return Err(error::last(library));
        }
        let answer = Self { library, res };
        // SAFETY: it is alive for as long as its owner is.
        match unsafe { (library.api.taos_errno)(res) } {
            0 => Ok(answer),
            // SAFETY: as above; it is freed behind this.
            code => Err(unsafe { error::of_result(library, res, code) }),
        }
    }

    pub(in crate::raw) fn affected_rows(&self) -> i64 {
        match self.library.api.taos_affected_rows64.found() {
            // SAFETY: the result is alive.
            Some(rows) => unsafe { rows(self.res) },
            // SAFETY: as above.
            None => unsafe { i64::from((self.library.api.taos_affected_rows)(self.res)) },
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        // SAFETY: it was taken over by `new`, and nobody else frees it.
        unsafe { (self.library.api.taos_free_result)(self.res) }
    }
}
