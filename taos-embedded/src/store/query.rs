//! A SELECT on a reader thread, its blocks on a short way to whoever fetches them.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, InterruptHandle};
use taos_query::block::RawBlock;

use super::encode::Encoder;
use super::readers::Parking;
use super::{Store, internal, sqlite_error};
use crate::plan::Plan;
use crate::sql::SqlError;

/// Blocks that may wait to be fetched.
const BLOCKS: usize = 2;

enum Message {
    Block(RawBlock),
    Failed(SqlError),
    End,
}

/// The blocks of a running query. Dropping it ends the query.
#[derive(Debug)]
pub(crate) struct Stream {
    first: Option<RawBlock>,
    messages: Option<Receiver<Message>>,
    cancel: Arc<Cancel>,
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Message")
    }
}

impl Store {
    /// Starts a query and waits for its first block, so that an error of it comes here.
    ///
    /// # Errors
    /// What SQLite or the dialect's functions say.
    pub(crate) fn query(&self, plan: Plan) -> Result<Stream, SqlError> {
        let (sender, messages) = sync_channel(BLOCKS + 1);
        let cancel = Arc::new(Cancel::default());
        let parking = self.inner.readers.parking();
        let job = Running {
            sender,
            cancel: Arc::clone(&cancel),
            parking,
        };
        self.inner
            .readers
            .submit(Box::new(move |connection| job.run(connection, &plan)))?;
        let mut stream = Stream {
            first: None,
            messages: Some(messages),
            cancel,
        };
        stream.first = stream.receive()?;
        Ok(stream)
    }

    /// All rows of a query at once, for INSERT … SELECT.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub(crate) fn rows(&self, plan: Plan) -> Result<Vec<Vec<rusqlite::types::Value>>, SqlError> {
        self.read(move |connection| {
            let mut statement = connection.prepare(&plan.sql)?;
            let mut rows = statement.query(rusqlite::params_from_iter(plan.params.iter()))?;
            let mut all = Vec::new();
            while let Some(row) = rows.next()? {
                let cells: rusqlite::Result<Vec<_>> =
                    (0..plan.columns.len()).map(|i| row.get(i)).collect();
                all.push(cells?);
            }
            Ok(all)
        })
    }
}

impl Stream {
    /// The next block; `None` behind the last.
    pub(crate) fn next(&mut self) -> Result<Option<RawBlock>, SqlError> {
        match self.first.take() {
            Some(block) => Ok(Some(block)),
            None => self.receive(),
        }
    }

    fn receive(&mut self) -> Result<Option<RawBlock>, SqlError> {
        let Some(messages) = &self.messages else {
            return Ok(None);
        };
        let outcome = match messages.recv() {
            Ok(Message::Block(block)) => return Ok(Some(block)),
            Ok(Message::End) => Ok(None),
            Ok(Message::Failed(error)) => Err(error),
            Err(_) => Err(internal("the query ended without an answer")),
        };
        self.messages = None;
        outcome
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // the channel goes first: a job that waits to send wakes up and sees that it is gone
        self.messages = None;
        self.cancel.cancel();
    }
}

/// Stops a query that computes without sending.
#[derive(Default)]
struct Cancel(Mutex<Progress>);

#[derive(Default)]
enum Progress {
    #[default]
    Waiting,
    Running(InterruptHandle),
    Over,
}

impl std::fmt::Debug for Cancel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cancel")
    }
}

impl Cancel {
    fn set(&self, progress: Progress) -> Progress {
        let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut current, progress)
    }

    /// False if nobody wants the query any more.
    fn start(&self, handle: InterruptHandle) -> bool {
        let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = matches!(*current, Progress::Waiting);
        if wanted {
            *current = Progress::Running(handle);
        }
        wanted
    }

    fn cancel(&self) {
        let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // under the lock, so that the connection cannot have gone on to another query
        if let Progress::Running(handle) = &*current {
            handle.interrupt();
        }
        *current = Progress::Over;
    }
}

struct Running {
    sender: SyncSender<Message>,
    cancel: Arc<Cancel>,
    parking: Parking,
}

impl Running {
    fn run(self, connection: Result<&Connection, SqlError>, plan: &Plan) {
        let outcome = match connection {
            Ok(connection) => {
                if !self.cancel.start(connection.get_interrupt_handle()) {
                    return;
                }
                let outcome = self.feed(connection, plan);
                self.cancel.set(Progress::Over);
                outcome
            }
            Err(error) => Err(error),
        };
        let last = match outcome {
            Ok(()) => Message::End,
            Err(error) => Message::Failed(error),
        };
        self.send(last);
    }

    fn feed(&self, connection: &Connection, plan: &Plan) -> Result<(), SqlError> {
        let mut statement = connection.prepare_cached(&plan.sql).map_err(sqlite_error)?;
        let mut rows = statement
            .query(rusqlite::params_from_iter(plan.params.iter()))
            .map_err(sqlite_error)?;
        let mut encoder = Encoder::new(&plan.columns, plan.precision);
        while let Some(row) = rows.next().map_err(sqlite_error)? {
            let block = encoder.push(|i| row.get_ref(i).map_err(sqlite_error))?;
            if let Some(block) = block
                && !self.send(Message::Block(block))
            {
                return Ok(());
            }
        }
        if let Some(block) = encoder.finish()? {
            self.send(Message::Block(block));
        }
        Ok(())
    }

    /// False if nobody listens any more.
    fn send(&self, message: Message) -> bool {
        match self.sender.try_send(message) {
            Ok(()) => true,
            Err(TrySendError::Disconnected(_)) => false,
            Err(TrySendError::Full(message)) => {
                self.parking.wait(|| self.sender.send(message)).is_ok()
            }
        }
    }
}
