//! The answers to one query.

use std::future::Future as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use taos_query::RawBlock;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep, sleep};
use tokio_tungstenite::tungstenite::Message;

use super::super::wire::egress::{Batch, Event, Schema, credit, failure};
use super::connection::Connection;
use super::session::Shared;
use crate::error::{Error, Result, error};

/// How long a server may be silent while somebody waits for it.
struct Patience {
    limit: Duration,
    waiting: bool,
    end: Pin<Box<Sleep>>,
}

impl Patience {
    fn new(limit: Duration) -> Self {
        Self {
            limit,
            waiting: false,
            end: Box::pin(sleep(limit)),
        }
    }

    /// Ready once nothing has come for too long. Time in which nobody asked counts for nothing.
    fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.waiting {
            self.waiting = true;
            self.end.as_mut().reset(Instant::now() + self.limit);
        }
        self.end.as_mut().poll(cx)
    }
}

/// A query that is running. Dropped before its end it is cancelled.
pub(super) struct Stream {
    shared: Arc<Shared>,
    /// Gone once the query has ended.
    connection: Option<Box<Connection>>,
    _permit: OwnedSemaphorePermit,
    request: i64,
    /// The server may have the request.
    pub(super) sent: bool,
    /// The client did not wait any longer.
    pub(super) given_up: bool,
    /// The server failed the connection as a whole, and with it what ran there.
    pub(super) cut_off: bool,
    /// The connection broke, which is told behind the rows that had come by then.
    loss: Option<Error>,
    patience: Patience,
    pub(super) schema: Option<Arc<Schema>>,
    pub(super) affected: u64,
    next_seq: u64,
    rows: u64,
    /// Bytes of batches are paid back.
    metered: bool,
}

impl Stream {
    pub(super) fn new(
        shared: Arc<Shared>,
        mut connection: Box<Connection>,
        permit: OwnedSemaphorePermit,
        patience: Duration,
    ) -> Self {
        let metered = shared.settings.query.initial_credit > 0;
        Self {
            shared,
            request: connection.number(),
            connection: Some(connection),
            _permit: permit,
            sent: false,
            given_up: false,
            cut_off: false,
            loss: None,
            patience: Patience::new(patience),
            schema: None,
            affected: 0,
            next_seq: 0,
            rows: 0,
            metered,
        }
    }

    pub(super) const fn request(&self) -> i64 {
        self.request
    }

    pub(super) fn connection(&mut self) -> Result<&mut Connection> {
        self.connection
            .as_deref_mut()
            .ok_or_else(|| error!(InvalidApiCall, "the query has ended"))
    }

    /// The next batch that has rows; `None` at the end.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<RawBlock>>> {
        loop {
            if let Some(loss) = self.loss.take() {
                return Poll::Ready(Err(loss));
            }
            let Some(connection) = &mut self.connection else {
                return Poll::Ready(Ok(None));
            };
            let message = match connection.poll_message(cx) {
                Poll::Ready(Ok(message)) => message,
                Poll::Ready(Err(error)) => {
                    self.lose();
                    return Poll::Ready(Err(error));
                }
                Poll::Pending => {
                    return self.patience.poll_over(cx).map(|()| Err(self.give_up()));
                }
            };
            self.patience.waiting = false;
            match self.take(&message, cx) {
                Ok(Next::Rows(block)) => return Poll::Ready(Ok(Some(block))),
                Ok(Next::More) => {}
                Ok(Next::Ended(result)) => {
                    if let Some(connection) = self.connection.take() {
                        self.shared.give_back(connection);
                    }
                    return Poll::Ready(result.map(|()| None));
                }
                Err(error) => {
                    // What follows cannot be trusted.
                    self.connection = None;
                    return Poll::Ready(Err(error));
                }
            }
        }
    }

    /// Leaves a server that says nothing; its connection is closed, which ends the query there.
    #[cold]
    fn give_up(&mut self) -> Error {
        self.given_up = true;
        let address = self.connection.as_ref().map(|c| Arc::clone(&c.address));
        self.lose();
        let limit = self.patience.limit;
        let address = address.as_deref().unwrap_or("the server");
        let told = self.shared.settings.query.query_timeout;
        let why = if told.is_zero() {
            "`query_timeout_ms` or `request_timeout` in the DSN gives it more".to_owned()
        } else {
            format!("it was told to give up after {told:?} (`query_timeout_ms`)")
        };
        error!(
            QueryTimeout,
            "nothing has come from {address} within {limit:?}; {why}"
        )
        .late()
    }

    /// The connection broke.
    pub(super) fn lose(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.shared.lost(&connection);
        }
    }

    fn take(&mut self, message: &Bytes, cx: &mut Context<'_>) -> Result<Next> {
        let Some(connection) = self.connection.as_deref_mut() else {
            return Ok(Next::Ended(Ok(())));
        };
        let event = Event::read(message)
            .map_err(|e| e.context(format_args!("answer of {}", connection.address)))?;
        let stranger = || Err(connection.violation("answers a query that was not asked"));
        match event {
            Event::Batch(batch) if batch.request == self.request => self.rows(&batch, cx),
            Event::Reset { mask } => {
                connection.decoder.reset(mask);
                Ok(Next::More)
            }
            Event::End {
                request,
                last_seq,
                rows,
            } if request == self.request => self.end(last_seq, rows),
            Event::Done { request, affected } if request == self.request && self.next_seq == 0 => {
                self.affected = affected;
                Ok(Next::Ended(Ok(())))
            }
            Event::Failed {
                request,
                status,
                message,
            } => {
                let error = failure(status, message);
                match request {
                    own if own == self.request => Ok(Next::Ended(Err(error))),
                    // The connection as a whole.
                    -1 => {
                        self.cut_off = true;
                        Err(error)
                    }
                    _ => stranger(),
                }
            }
            Event::Info(_) => Err(connection.violation("introduces itself again")),
            Event::Batch(_) | Event::End { .. } | Event::Done { .. } => stranger(),
        }
    }

    fn rows(&mut self, batch: &Batch<'_>, cx: &mut Context<'_>) -> Result<Next> {
        let Some(connection) = self.connection.as_deref_mut() else {
            return Ok(Next::Ended(Ok(())));
        };
        if batch.seq != self.next_seq {
            return Err(connection.violation(&format!(
                "sent batch {} of a result where {} is next",
                batch.seq, self.next_seq
            )));
        }
        let block = connection
            .decoder
            .batch(batch, &mut self.schema)
            .map_err(|e| e.context(format_args!("result of {}", connection.address)))?;
        self.next_seq += 1;
        self.rows += u64::try_from(block.nrows()).unwrap_or_default();
        if self.metered {
            let paid = credit(self.request, batch.wire_len);
            // The rows are there, whatever becomes of the next.
            self.loss = connection.post(Message::Binary(paid.into()), cx).err();
            if self.loss.is_some() {
                self.lose();
            }
        }
        Ok(if block.nrows() == 0 {
            Next::More
        } else {
            Next::Rows(block)
        })
    }

    fn end(&self, last_seq: u64, rows: u64) -> Result<Next> {
        if self.next_seq.checked_sub(1) == Some(last_seq) && rows == self.rows {
            return Ok(Next::Ended(Ok(())));
        }
        let address = self.connection.as_ref().map(|c| &*c.address);
        Err(error!(
            ProtocolError,
            "{} ends a result at batch {last_seq} with {rows} rows, but {} batches with {} rows came",
            address.unwrap_or("the server"),
            self.next_seq,
            self.rows
        ))
    }
}

enum Next {
    Rows(RawBlock),
    More,
    Ended(Result<()>),
}

impl Drop for Stream {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else {
            return;
        };
        if !self.sent || connection.abandon(self.request) {
            self.shared.give_back(connection);
        }
    }
}
