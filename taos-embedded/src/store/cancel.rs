//! Ending queries from outside: one, or all of a client that has gone.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use rusqlite::InterruptHandle;

/// Ends one query, whatever it is doing.
#[derive(Default)]
pub(crate) struct Cancel(Mutex<Progress>);

#[derive(Default)]
enum Progress {
    #[default]
    Waiting,
    Running(InterruptHandle),
    /// The reader is done with it.
    Over,
    /// Nobody wants it any more.
    Unwanted,
}

impl fmt::Debug for Cancel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cancel")
    }
}

impl Cancel {
    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// False if nobody wants the query any more.
    pub(super) fn start(&self, handle: InterruptHandle) -> bool {
        let mut current = self.progress();
        let wanted = matches!(*current, Progress::Waiting);
        if wanted {
            *current = Progress::Running(handle);
        }
        wanted
    }

    /// The reader goes on to something else.
    pub(super) fn finish(&self) {
        let mut current = self.progress();
        if matches!(*current, Progress::Running(_)) {
            *current = Progress::Over;
        }
    }

    /// True if the query is to end.
    pub(super) fn is_unwanted(&self) -> bool {
        matches!(*self.progress(), Progress::Unwanted)
    }

    /// Ends the query, or keeps it from beginning.
    pub(crate) fn cancel(&self) {
        let mut current = self.progress();
        match &*current {
            // under the lock, so that the connection cannot have gone on to another query
            Progress::Running(handle) => handle.interrupt(),
            Progress::Waiting => {}
            Progress::Over | Progress::Unwanted => return,
        }
        *current = Progress::Unwanted;
    }
}

/// What the queries of one client hang on.
#[derive(Debug, Default)]
pub(crate) struct Lifeline(Mutex<Ties>);

#[derive(Debug, Default)]
struct Ties {
    is_cut: bool,
    queries: Vec<Weak<Cancel>>,
}

impl Lifeline {
    fn ties(&self) -> MutexGuard<'_, Ties> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends a query with the others; at once if they have been ended.
    pub(super) fn tie(&self, query: &Arc<Cancel>) {
        let mut ties = self.ties();
        if ties.is_cut {
            return query.cancel();
        }
        // looked through only when it would grow, so that many open queries cost little
        if ties.queries.len() == ties.queries.capacity() {
            ties.queries.retain(|query| query.strong_count() > 0);
        }
        ties.queries.push(Arc::downgrade(query));
    }

    /// Ends all queries, and those that come later too.
    pub(crate) fn cut(&self) {
        let mut ties = self.ties();
        ties.is_cut = true;
        let queries = std::mem::take(&mut ties.queries);
        drop(ties);
        for query in queries.iter().filter_map(Weak::upgrade) {
            query.cancel();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_lifeline_ends_what_hangs_on_it_and_what_is_tied_to_it_later() {
        let line = Lifeline::default();
        let (first, late) = (Arc::<Cancel>::default(), Arc::<Cancel>::default());
        line.tie(&first);
        assert!(!first.is_unwanted());
        line.cut();
        line.tie(&late);
        assert!(first.is_unwanted() && late.is_unwanted());
    }

    #[test]
    fn queries_that_are_over_leave_no_trace() {
        let line = Lifeline::default();
        for _ in 0..1000 {
            line.tie(&Arc::default());
        }
        assert!(line.ties().queries.len() < 10);
    }
}
