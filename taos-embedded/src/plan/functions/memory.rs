//! Memory of functions that collect what they see: bounded for all queries of the process together, as
//! SQLite's own is.

use std::sync::atomic::{AtomicUsize, Ordering};

use rusqlite::types::ValueRef;

use crate::sql::SqlError;
use crate::store::NO_MEMORY;

/// What they may hold unless an option says otherwise.
const DEFAULT: usize = 512 << 20;
/// A limit that no option has set.
const UNSET: usize = usize::MAX;

/// What functions hold together, and what they may.
#[derive(Debug)]
struct Pool {
    limit: AtomicUsize,
    held: AtomicUsize,
}

impl Pool {
    const fn new(limit: usize) -> Self {
        Self {
            limit: AtomicUsize::new(limit),
            held: AtomicUsize::new(0),
        }
    }

    /// The smallest limit that was asked for counts.
    fn limit_to(&self, bytes: usize) {
        self.limit.fetch_min(bytes, Ordering::Relaxed);
    }

    fn limit(&self) -> usize {
        match self.limit.load(Ordering::Relaxed) {
            UNSET => DEFAULT,
            bytes => bytes,
        }
    }
}

static POOL: Pool = Pool::new(UNSET);

/// Bounds what collecting functions may hold together, until the process ends; of several bounds the
/// smallest counts, as of SQLite's.
pub(crate) fn limit_collected(bytes: usize) {
    POOL.limit_to(bytes);
}

/// What one function or statement holds; it comes back when this is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    pool: &'static Pool,
    bytes: usize,
}

impl Default for Held {
    fn default() -> Self {
        Self {
            pool: &POOL,
            bytes: 0,
        }
    }
}

impl Held {
    /// Takes so many bytes more.
    ///
    /// # Errors
    /// 0x073A if functions would hold too many.
    pub(crate) fn take(&mut self, bytes: usize, function: &str) -> rusqlite::Result<()> {
        let limit = self.pool.limit();
        let before = self.pool.held.fetch_add(bytes, Ordering::Relaxed);
        self.bytes += bytes;
        if before.saturating_add(bytes) <= limit {
            return Ok(());
        }
        let error = SqlError::new(
            NO_MEMORY,
            format!(
                "Query memory exhausted: what collects values, {function} here, may hold {} MiB; \
                 narrow the range of time or the groups, or allow four times as much as is needed by \
                 --max-memory",
                limit >> 20
            ),
        );
        Err(rusqlite::Error::UserFunctionError(error.into()))
    }

    /// Takes `new` bytes in place of `old` ones.
    ///
    /// # Errors
    /// As [`Held::take`].
    pub(super) fn replace(
        &mut self,
        old: usize,
        new: usize,
        function: &str,
    ) -> rusqlite::Result<()> {
        if let Some(more) = new.checked_sub(old) {
            return self.take(more, function);
        }
        let less = (old - new).min(self.bytes);
        self.pool.held.fetch_sub(less, Ordering::Relaxed);
        self.bytes -= less;
        Ok(())
    }
}

/// What a kept value takes beside the place of a [`Value`] itself.
pub(super) fn length(value: ValueRef<'_>) -> usize {
    match value {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.len(),
        _ => 0,
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.pool.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_limits_the_smallest_counts_and_the_usual_one_if_there_is_none() {
        let pool = Pool::new(UNSET);
        assert_eq!(pool.limit(), DEFAULT);
        // more than is usual
        pool.limit_to(1 << 30);
        assert_eq!(pool.limit(), 1 << 30);
        pool.limit_to(4 << 20);
        pool.limit_to(256 << 20);
        assert_eq!(pool.limit(), 4 << 20);
    }

    #[test]
    fn what_would_be_too_much_is_refused_by_name_and_given_back() {
        static SMALL: Pool = Pool::new(1 << 20);
        let new = || Held {
            pool: &SMALL,
            bytes: 0,
        };
        let mut held = new();
        held.replace(0, 1 << 20, "mode").unwrap();
        held.replace(1 << 20, 1 << 10, "mode").unwrap();
        let error = held.take(1 << 20, "mode").unwrap_err().to_string();
        assert!(
            error.contains("mode here, may hold 1 MiB") && error.contains("--max-memory"),
            "{error}"
        );
        new().take(1 << 10, "mode").unwrap_err();
        drop(held);
        new().take(1 << 20, "mode").unwrap();
    }
}
