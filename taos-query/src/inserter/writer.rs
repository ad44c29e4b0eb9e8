use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::Serialize;
use tokio::task::JoinHandle;

use super::error::{FailedBatch, InsertError, InsertSummary};
use super::pipeline::{Flushed, Shared, Taken};
use super::plan::{Plan, Table};

/// Rows that [`Inserter::write_all`] takes under one lock.
const ROWS_AT_ONCE: usize = 1_000;

/// Writes records of `T` in batches; see the [module](super) for what happens to them.
///
/// Made by [`open`](super::InserterBuilder::open). Rows wait in memory until their batch leaves, so
/// end with [`close`](Self::close): dropping an inserter gives up what was not written, and logs a
/// warning if there was something. Several tasks may write through one inserter.
pub struct Inserter<T> {
    shared: Arc<Shared>,
    table: Table,
    workers: Vec<JoinHandle<()>>,
    timer: Option<JoinHandle<()>>,
    /// Covariant, so that records may borrow from something that lives no longer than the call.
    row: PhantomData<fn() -> T>,
}

impl<T> Inserter<T> {
    pub(super) const fn new(
        shared: Arc<Shared>,
        table: Table,
        workers: Vec<JoinHandle<()>>,
        timer: Option<JoinHandle<()>>,
    ) -> Self {
        Self {
            shared,
            table,
            workers,
            timer,
            row: PhantomData,
        }
    }

    /// Sends what has been taken and waits until all of it is written. It does not wait for rows that
    /// other tasks write during the call.
    ///
    /// # Errors
    /// The first batch that failed, with its rows. The others go on; call again to wait for them.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing: what was taken is written all the same.
    pub async fn flush(&self) -> Result<(), InsertError> {
        let end = self.shared.start_flush()?;
        loop {
            // Made before the look, so that what happens in between is not missed.
            let progress = self.shared.progress();
            match self.shared.flushed(end)? {
                Flushed::All => return Ok(()),
                Flushed::NotYet => progress.await,
            }
        }
    }

    /// Flushes, ends the tasks and the additional connections, and says what was done. The
    /// inserter takes no rows afterwards.
    ///
    /// # Errors
    /// As [`flush`](Self::flush); the inserter is still open then, so that the batch can be
    /// [tried again](Self::retry).
    ///
    /// # Cancel safety
    /// As [`flush`](Self::flush).
    pub async fn close(&mut self) -> Result<InsertSummary, InsertError> {
        self.flush().await?;
        self.shared.close();
        if let Some(timer) = self.timer.take() {
            timer.abort();
        }
        while let Some(worker) = self.workers.last_mut() {
            // A worker that panicked has given its rows back before.
            let _ = worker.await;
            self.workers.pop();
        }
        Ok(self.summary())
    }

    /// Puts a batch that failed back in line. What becomes of it is told as for any other batch, by
    /// the next [`write`](Self::write), [`flush`](Self::flush) or [`close`](Self::close).
    ///
    /// After a [lost connection](crate::RawError::outcome_unknown) the server may have the rows
    /// already. Written again they replace themselves where rows of equal time do so: in TDengine,
    /// and in QuestDB only in a table with `DEDUP UPSERT KEYS`; other tables have them twice then.
    pub fn retry(&self, batch: FailedBatch) {
        self.shared.retry(batch);
    }

    /// What has been done so far.
    pub fn summary(&self) -> InsertSummary {
        self.shared.summary()
    }

    /// Rows that were taken and are neither confirmed nor given back yet.
    pub fn pending_rows(&self) -> usize {
        self.shared.pending()
    }
}

impl<T: Serialize> Inserter<T> {
    /// Takes a row. Returns at once but for a full batch that must wait for its turn.
    ///
    /// # Errors
    /// Without a [batch](InsertError::batch), this row does not fit the table: the text names row
    /// (counted from 0), field and type, and nothing of it was taken. With a batch, those rows of earlier
    /// calls could not be written, and this row was not looked at: write it again.
    ///
    /// # Cancel safety
    /// If the future is dropped before it is ready, this row was not taken; no other row is lost.
    #[inline]
    pub async fn write(&self, row: &T) -> Result<(), InsertError> {
        match self.offer(row)? {
            Taken::Yes => Ok(()),
            Taken::NoRoom => self.wait_and_offer(row).await,
        }
    }

    /// Takes rows one after another, as [`write`](Self::write) does, but with less work for each.
    ///
    /// # Errors
    /// As [`write`](Self::write). The rows in front of the one it is about were taken;
    /// [`taken`](InsertError::taken) says how many those are, so that a program can go on behind them.
    ///
    /// # Cancel safety
    /// Rows that were taken before the future is dropped are written, and nothing tells how many they
    /// are. Where that matters, use [`write`](Self::write).
    pub async fn write_all(&self, rows: &[T]) -> Result<(), InsertError> {
        let mut rest = rows;
        while let Some(first) = rest.first() {
            // Made before the look, so that what happens in between is not missed.
            let progress = self.shared.progress();
            let plan = self.plan(first)?;
            // Others shall have their turn at the lock.
            let part = rest.get(..ROWS_AT_ONCE).unwrap_or(rest);
            let (taken, end) = self.shared.push_all(plan, part);
            rest = rest.get(taken..).unwrap_or_default();
            match end {
                Ok(Taken::Yes) => {}
                Ok(Taken::NoRoom) => progress.await,
                Err(error) => return Err(error.after(rows.len() - rest.len())),
            }
        }
        Ok(())
    }

    async fn wait_and_offer(&self, row: &T) -> Result<(), InsertError> {
        loop {
            let progress = self.shared.progress();
            match self.offer(row)? {
                Taken::Yes => return Ok(()),
                Taken::NoRoom => progress.await,
            }
        }
    }

    /// Takes a row if that needs no waiting.
    #[inline]
    pub(super) fn offer(&self, row: &T) -> Result<Taken, InsertError> {
        self.shared.push(self.plan(row)?, row)
    }

    #[inline]
    fn plan(&self, first: &T) -> Result<&Plan, InsertError> {
        if let Some(plan) = self.shared.plan.get() {
            return Ok(plan);
        }
        let plan = Plan::new(&self.table, first)?;
        Ok(self.shared.plan.get_or_init(|| plan))
    }
}

impl<T> Drop for Inserter<T> {
    fn drop(&mut self) {
        if self.shared.close() {
            let rows = self.shared.pending();
            if rows > 0 {
                tracing::warn!(
                    rows,
                    table = self.table.name,
                    "an inserter was dropped with rows that were not written; end it with `close`"
                );
            }
        }
        for task in self.workers.iter().chain(&self.timer) {
            task.abort();
        }
    }
}

impl<T> fmt::Debug for Inserter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inserter")
            .field("table", &self.table.name)
            .field("pending_rows", &self.pending_rows())
            .field("summary", &self.summary())
            .finish_non_exhaustive()
    }
}
