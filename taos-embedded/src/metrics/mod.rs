//! What the server counts about itself. Counting costs a few atomic additions a statement; `text`
//! turns the counts into what `/metrics` answers.

mod histogram;
mod text;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use histogram::Histogram;
pub(crate) use text::{CONTENT_TYPE, Surroundings};

use crate::sql::SqlError;
use crate::sql::ast::Statement;

/// Error codes that are counted apart; clients choose which errors they meet, so there is a bound.
const CODES: usize = 64;

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Kinds of statements that are counted apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Select,
    Show,
    /// Also EXPLAIN.
    Describe,
    /// Also rows that were bound, and raw blocks.
    Insert,
    Schemaless,
    Delete,
    Create,
    Alter,
    Drop,
    Use,
    Other,
    /// What could not be parsed.
    Unreadable,
}

/// What a statement's time is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Read,
    Write,
    Definition,
}

impl Class {
    const ALL: [Self; 3] = [Self::Read, Self::Write, Self::Definition];

    const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Definition => "definition",
        }
    }
}

impl Kind {
    const ALL: [Self; 12] = [
        Self::Select,
        Self::Show,
        Self::Describe,
        Self::Insert,
        Self::Schemaless,
        Self::Delete,
        Self::Create,
        Self::Alter,
        Self::Drop,
        Self::Use,
        Self::Other,
        Self::Unreadable,
    ];

    /// The kind of a statement that was parsed.
    pub(crate) fn of(statement: &Statement) -> Self {
        match statement {
            Statement::Query(_) => Self::Select,
            Statement::Show(_) => Self::Show,
            Statement::Describe(_) | Statement::Explain(_) => Self::Describe,
            Statement::Insert(_) => Self::Insert,
            Statement::Delete(_) => Self::Delete,
            Statement::CreateDatabase(_)
            | Statement::CreateTable(_)
            | Statement::CreateSubtables(_)
            | Statement::CreateTopic(_)
            | Statement::CreateUser(_) => Self::Create,
            Statement::AlterDatabase(_) | Statement::AlterTable(_) | Statement::AlterUser(_) => {
                Self::Alter
            }
            Statement::DropDatabase(_)
            | Statement::DropTable(_)
            | Statement::DropTopic(_)
            | Statement::DropConsumerGroup(_)
            | Statement::DropUser(_)
            | Statement::DropFunction(_) => Self::Drop,
            Statement::Use(_) => Self::Use,
            _ => Self::Other,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Select => "select",
            Self::Show => "show",
            Self::Describe => "describe",
            Self::Insert => "insert",
            Self::Schemaless => "schemaless",
            Self::Delete => "delete",
            Self::Create => "create",
            Self::Alter => "alter",
            Self::Drop => "drop",
            Self::Use => "use",
            Self::Other => "other",
            Self::Unreadable => "unreadable",
        }
    }

    /// `None` for what was never run.
    const fn class(self) -> Option<Class> {
        Some(match self {
            Self::Select | Self::Show | Self::Describe => Class::Read,
            Self::Insert | Self::Schemaless | Self::Delete => Class::Write,
            Self::Create | Self::Alter | Self::Drop | Self::Use | Self::Other => Class::Definition,
            Self::Unreadable => return None,
        })
    }
}

#[derive(Debug, Default)]
struct Outcomes {
    ok: Counter,
    failed: Counter,
}

/// Errors by their codes, so many of them at most.
#[derive(Debug, Default)]
struct Codes {
    known: BTreeMap<u32, u64>,
    others: u64,
}

/// Sessions of one path.
#[derive(Debug, Default)]
struct Sessions {
    begun: Counter,
    ended: Counter,
}

/// Paths that sessions live on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Path {
    /// `/ws`
    Ws,
    /// `/rest/tmq`
    Tmq,
}

impl Path {
    const ALL: [Self; 2] = [Self::Ws, Self::Tmq];

    const fn name(self) -> &'static str {
        match self {
            Self::Ws => "/ws",
            Self::Tmq => "/rest/tmq",
        }
    }
}

/// The counts of one server.
#[derive(Debug)]
pub(crate) struct Metrics {
    started: Instant,
    /// Connections that were accepted.
    pub(crate) accepted: Counter,
    /// Logins that failed.
    pub(crate) logins_refused: Counter,
    sessions: [Sessions; Path::ALL.len()],
    statements: [Outcomes; Kind::ALL.len()],
    codes: Mutex<Codes>,
    seconds: [Histogram; Class::ALL.len()],
    /// Rows of results that were handed to clients.
    pub(crate) rows_read: Counter,
    rows_written: Counter,
    rows_deleted: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            accepted: Counter::default(),
            logins_refused: Counter::default(),
            sessions: Default::default(),
            statements: Default::default(),
            codes: Mutex::default(),
            seconds: Default::default(),
            rows_read: Counter::default(),
            rows_written: Counter::default(),
            rows_deleted: Counter::default(),
        }
    }
}

impl Metrics {
    /// Counts a statement that has been answered, or whose first rows are there.
    pub(crate) fn statement(&self, kind: Kind, taken: Duration, outcome: Result<u64, &SqlError>) {
        let counts = self.outcomes(kind);
        match outcome {
            Ok(rows) => {
                counts.ok.add(1);
                match kind {
                    Kind::Insert | Kind::Schemaless => self.rows_written.add(rows),
                    Kind::Delete => self.rows_deleted.add(rows),
                    _ => {}
                }
            }
            Err(error) => {
                counts.failed.add(1);
                self.error(error.code);
            }
        }
        if let Some(class) = kind.class() {
            self.times(class).observe(taken);
        }
    }

    /// Counts an error; alone for one that came behind the first rows of a result.
    pub(crate) fn error(&self, code: u32) {
        let mut codes = self.codes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = codes.known.get_mut(&code) {
            *count += 1;
        } else if codes.known.len() < CODES {
            codes.known.insert(code, 1);
        } else {
            codes.others += 1;
        }
    }

    /// Counts a session as long as what is returned lives.
    pub(crate) fn session(self: &Arc<Self>, path: Path) -> CountedSession {
        self.of_path(path).begun.add(1);
        CountedSession {
            metrics: Arc::clone(self),
            path,
        }
    }

    // The arrays are as long as their enums have variants, so the places exist.
    fn outcomes(&self, kind: Kind) -> &Outcomes {
        &self.statements[kind as usize]
    }

    fn times(&self, class: Class) -> &Histogram {
        &self.seconds[class as usize]
    }

    fn of_path(&self, path: Path) -> &Sessions {
        &self.sessions[path as usize]
    }
}

/// A session that is counted as open.
#[derive(Debug)]
pub(crate) struct CountedSession {
    metrics: Arc<Metrics>,
    path: Path,
}

impl Drop for CountedSession {
    fn drop(&mut self) {
        self.metrics.of_path(self.path).ended.add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variant_has_its_own_place_and_name() {
        for (place, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, place, "{kind:?}");
        }
        for (place, class) in Class::ALL.into_iter().enumerate() {
            assert_eq!(class as usize, place, "{class:?}");
        }
        for (place, path) in Path::ALL.into_iter().enumerate() {
            assert_eq!(path as usize, place, "{path:?}");
        }
        let names: std::collections::BTreeSet<_> = Kind::ALL.iter().map(|k| k.name()).collect();
        assert_eq!(names.len(), Kind::ALL.len());
    }

    #[test]
    fn codes_beyond_the_bound_are_counted_together() {
        let metrics = Metrics::default();
        for code in 0..100 {
            metrics.error(code);
            metrics.error(code);
        }
        let codes = metrics.codes.lock().unwrap();
        assert_eq!(codes.known.len(), CODES);
        assert!(codes.known.values().all(|count| *count == 2));
        assert_eq!(codes.others, 2 * (100 - u64::try_from(CODES).unwrap()));
    }
}
