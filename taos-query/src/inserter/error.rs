use std::fmt;

use super::batch::Batch;
use crate::error::RawError;
use crate::stmt::Stmt2BindParam;

/// Rows that could not be written, as columns.
///
/// [`Inserter::retry`](super::Inserter::retry) sends them again; [`into_params`](Self::into_params)
/// gives them out, for a statement of one's own or to be looked at.
pub struct FailedBatch {
    pub(super) sql: String,
    pub(super) params: Vec<Stmt2BindParam>,
    pub(super) rows: usize,
    /// The rows themselves if they could not be made into parameters, which are empty then.
    pub(super) unsent: Option<Box<Batch>>,
}

impl FailedBatch {
    /// Number of rows.
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// Number of tables.
    pub fn tables(&self) -> usize {
        let unsent = self.unsent.as_ref().map(|batch| batch.tables());
        unsent.unwrap_or(self.params.len())
    }

    /// The statement that the parameters belong to.
    pub fn sql(&self) -> &str {
        &self.sql
    }

    /// Tables, tags and columns of the rows; nothing if the error is that they cannot be made.
    pub fn params(&self) -> &[Stmt2BindParam] {
        &self.params
    }

    /// As [`params`](Self::params).
    pub fn into_params(self) -> Vec<Stmt2BindParam> {
        self.params
    }
}

impl fmt::Debug for FailedBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FailedBatch")
            .field("sql", &self.sql)
            .field("rows", &self.rows)
            .field("tables", &self.tables())
            .finish_non_exhaustive()
    }
}

/// Why rows were not written, with the rows.
///
/// Without a batch it is about the row that was just given, which was not taken, or about the
/// inserter as a whole. With a batch it is about rows that were taken before.
pub struct InsertError(Box<Inner>);

struct Inner {
    error: RawError,
    batch: Option<FailedBatch>,
    taken: usize,
}

impl InsertError {
    pub(super) fn new(error: RawError, batch: Option<FailedBatch>) -> Self {
        Self(Box::new(Inner {
            error,
            batch,
            taken: 0,
        }))
    }

    /// The same error of a call that has taken rows before it.
    pub(super) fn after(mut self, taken: usize) -> Self {
        self.0.taken = taken;
        self
    }

    /// Rows of this call of [`write_all`](super::Inserter::write_all) that were taken before it
    /// ended; 0 for every other call.
    pub fn taken(&self) -> usize {
        self.0.taken
    }

    /// What went wrong. Its [`outcome_unknown`](RawError::outcome_unknown) tells whether the server
    /// may have written the batch nevertheless.
    pub fn error(&self) -> &RawError {
        &self.0.error
    }

    /// The rows of the batch that failed.
    pub fn batch(&self) -> Option<&FailedBatch> {
        self.0.batch.as_ref()
    }

    /// What went wrong, and the rows of the batch that failed.
    pub fn into_parts(self) -> (RawError, Option<FailedBatch>) {
        (self.0.error, self.0.batch)
    }

    /// The rows of the batch that failed.
    pub fn into_batch(self) -> Option<FailedBatch> {
        self.0.batch
    }
}

impl Inner {
    /// What became of the rows.
    fn fate(&self) -> String {
        match &self.batch {
            Some(batch) => format!(
                "{} of {} were not written",
                counted(batch.rows, "row"),
                counted(batch.tables(), "table")
            ),
            None if self.taken > 0 => {
                format!(
                    "{} were taken, the next was not",
                    counted(self.taken, "row")
                )
            }
            None => "nothing was taken".to_owned(),
        }
    }
}

fn counted(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

impl fmt::Display for InsertError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.fate(), self.0.error)
    }
}

impl fmt::Debug for InsertError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {:?}", self.0.fate(), self.0.error)
    }
}

impl std::error::Error for InsertError {
    /// What lies behind [`error`](Self::error), whose own text is part of this one's.
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.error.source()
    }
}

impl From<RawError> for InsertError {
    fn from(error: RawError) -> Self {
        Self::new(error, None)
    }
}

impl From<InsertError> for RawError {
    /// Lets go of the rows, and says in the text how many there were.
    fn from(error: InsertError) -> Self {
        let text = error.0.fate();
        match error.into_parts() {
            (error, None) => error,
            (error, Some(_)) => error.context(text),
        }
    }
}

/// What an inserter has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct InsertSummary {
    /// Rows that the server has confirmed.
    pub rows: u64,
    /// Batches that the server has confirmed.
    pub batches: u64,
    /// Batches that failed and were given back, those sent again included.
    pub failed_batches: u64,
    /// Rows that the server counted as changed. It may count less than it was given, for example
    /// when several rows have one time.
    pub affected_rows: u64,
}
