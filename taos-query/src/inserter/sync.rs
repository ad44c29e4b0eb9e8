//! The same for blocking programs.

use std::time::Duration;

use serde::Serialize;
use tokio::runtime;

use super::builder;
use super::error::{FailedBatch, InsertError, InsertSummary};
use super::pipeline::Taken;
use super::writer;
use crate::AsyncStatements;
use crate::error::RawResult;
use crate::util::block_on;

/// Connections that write records in batches, blocking; see
/// [`AsyncInsertable`](super::AsyncInsertable).
pub trait Insertable: AsyncStatements {
    /// Prepares to write records of `T` into a table or super table.
    fn inserter<T: Serialize>(&self, table: &str) -> InserterBuilder<'_, Self, T> {
        InserterBuilder {
            inner: builder::AsyncInsertable::inserter(self, table),
            home: self.home(),
        }
    }
}

impl<Q: AsyncStatements> Insertable for Q {}

/// The options of a blocking [`Inserter`]; see the [asynchronous one](super::InserterBuilder).
#[must_use = "an inserter is made by `open`"]
pub struct InserterBuilder<'a, Q, T> {
    inner: builder::InserterBuilder<'a, Q, T>,
    home: Option<runtime::Id>,
}

impl<Q, T> InserterBuilder<'_, Q, T> {
    /// A batch leaves with this many rows; 10,000 unless set.
    pub fn max_rows(mut self, rows: usize) -> Self {
        self.inner = self.inner.max_rows(rows);
        self
    }

    /// A batch leaves with about this many bytes; 8 MiB unless set.
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.inner = self.inner.max_bytes(bytes);
        self
    }

    /// A batch leaves when its first row is this old; a second unless set.
    pub fn max_delay(mut self, delay: impl Into<Option<Duration>>) -> Self {
        self.inner = self.inner.max_delay(delay);
        self
    }

    /// Connections that write at the same time; 1 unless set.
    pub fn connections(mut self, connections: usize) -> Self {
        self.inner = self.inner.connections(connections);
        self
    }

    /// Batches that may wait or be executed; two for each connection unless set.
    pub fn max_in_flight(mut self, batches: usize) -> Self {
        self.inner = self.inner.max_in_flight(batches);
        self
    }
}

impl<Q, T> InserterBuilder<'_, Q, T>
where
    Q: AsyncStatements<Stmt2: 'static> + 'static,
    T: Serialize,
{
    /// Asks the server for the columns of the table and opens the connections.
    ///
    /// # Errors
    /// As the asynchronous [`open`](super::InserterBuilder::open).
    pub fn open(self) -> RawResult<Inserter<T>> {
        let inner = block_on(self.home, self.inner.open())??;
        Ok(Inserter {
            inner,
            home: self.home,
        })
    }
}

/// Writes records of `T` in batches, blocking; see the [asynchronous one](super::Inserter). Batches
/// are sent by tasks of their own while the caller goes on.
#[derive(Debug)]
pub struct Inserter<T> {
    inner: writer::Inserter<T>,
    home: Option<runtime::Id>,
}

impl<T> Inserter<T> {
    /// Sends what has been taken and waits until all of it is written.
    ///
    /// # Errors
    /// The first batch that failed, with its rows.
    pub fn flush(&self) -> Result<(), InsertError> {
        block_on(self.home, self.inner.flush())?
    }

    /// Flushes, ends the additional connections, and says what was done.
    ///
    /// # Errors
    /// As [`flush`](Self::flush); the inserter is still open then.
    pub fn close(&mut self) -> Result<InsertSummary, InsertError> {
        block_on(self.home, self.inner.close())?
    }

    /// Puts a batch that failed back in line.
    pub fn retry(&self, batch: FailedBatch) {
        self.inner.retry(batch);
    }

    /// What has been done so far.
    pub fn summary(&self) -> InsertSummary {
        self.inner.summary()
    }

    /// Rows that were taken and are neither confirmed nor given back yet.
    pub fn pending_rows(&self) -> usize {
        self.inner.pending_rows()
    }
}

impl<T: Serialize> Inserter<T> {
    /// Takes a row; waits only while a full batch has no room on the way.
    ///
    /// # Errors
    /// As the asynchronous [`write`](super::Inserter::write).
    pub fn write(&self, row: &T) -> Result<(), InsertError> {
        match self.inner.offer(row)? {
            Taken::Yes => Ok(()),
            Taken::NoRoom => block_on(self.home, self.inner.write(row))?,
        }
    }

    /// Takes rows one after another, with less work for each than [`write`](Self::write) has.
    ///
    /// # Errors
    /// As the asynchronous [`write_all`](super::Inserter::write_all).
    pub fn write_all(&self, rows: &[T]) -> Result<(), InsertError> {
        block_on(self.home, self.inner.write_all(rows))?
    }
}
