use std::sync::{Mutex, PoisonError};

use super::{Draft, out_of_order};
use crate::error::RawResult;

/// What came out of the executions of a statement.
#[derive(Debug)]
pub struct Outcome<R> {
    /// Rows changed by all of them.
    pub affected: usize,
    /// Rows changed by the last.
    pub affected_once: usize,
    /// The rows of the last, until somebody takes them.
    result: Mutex<Option<R>>,
}

impl<R> Default for Outcome<R> {
    fn default() -> Self {
        Self {
            affected: 0,
            affected_once: 0,
            result: Mutex::new(None),
        }
    }
}

impl<R> Outcome<R> {
    /// Counts the rows of an execution that has succeeded.
    pub const fn count(&mut self, rows: usize) {
        self.affected_once = rows;
        self.affected += rows;
    }

    /// Forgets what the last execution gave.
    pub fn clear(&mut self) {
        self.affected_once = 0;
        self.set(None);
    }

    /// Puts a result in the place of the one before.
    pub fn set(&self, result: Option<R>) {
        let mut slot = self.result.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *slot, result);
        // A result may take its time to go.
        drop(slot);
        drop(before);
    }

    /// The result, once.
    ///
    /// # Errors
    /// For an INSERT, and when there is none, or none any more.
    pub fn take(&self, draft: &Draft) -> RawResult<R> {
        self.with(draft, Option::take)
    }

    /// Looks at the result that was not taken yet.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    pub fn with<T>(
        &self,
        draft: &Draft,
        look: impl FnOnce(&mut Option<R>) -> Option<T>,
    ) -> RawResult<T> {
        if draft.prepared()?.is_insert() {
            return Err(out_of_order("an INSERT has no result set"));
        }
        look(&mut self.result.lock().unwrap_or_else(PoisonError::into_inner)).ok_or_else(|| {
            out_of_order("there is a result after an execution, and it can be taken once")
        })
    }
}
