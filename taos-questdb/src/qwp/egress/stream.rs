//! The answers to one query.

use std::sync::Arc;
use std::task::{Context, Poll, ready};

use taos_query::RawBlock;
use tokio::sync::OwnedSemaphorePermit;
use tokio_tungstenite::tungstenite::Message;

use super::super::wire::egress::{Event, Schema, credit, failure};
use super::connection::Connection;
use super::session::Shared;
use crate::error::{Result, error};

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
    ) -> Self {
        let metered = shared.settings.query.initial_credit > 0;
        Self {
            shared,
            request: connection.number(),
            connection: Some(connection),
            _permit: permit,
            sent: false,
            given_up: false,
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
            let Some(connection) = &mut self.connection else {
                return Poll::Ready(Ok(None));
            };
            let message = match ready!(connection.poll_message(cx)) {
                Ok(message) => message,
                Err(error) => {
                    self.lose();
                    return Poll::Ready(Err(error));
                }
            };
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

    /// The connection broke.
    pub(super) fn lose(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.shared.lost(&connection);
        }
    }

    fn take(&mut self, message: &[u8], cx: &mut Context<'_>) -> Result<Next> {
        let Some(connection) = self.connection.as_deref_mut() else {
            return Ok(Next::Ended(Ok(())));
        };
        let event = Event::read(message)
            .map_err(|e| e.context(format_args!("answer of {}", connection.address)))?;
        let stranger =
            |connection: &Connection| connection.violation("answers a query that was not asked");
        match event {
            Event::Batch(batch) => {
                if batch.request != self.request {
                    return Err(stranger(connection));
                }
                if batch.seq != self.next_seq {
                    return Err(connection.violation(&format!(
                        "sent batch {} of a result where {} is next",
                        batch.seq, self.next_seq
                    )));
                }
                let block = connection
                    .decoder
                    .batch(&batch, &mut self.schema)
                    .map_err(|e| e.context(format_args!("result of {}", connection.address)))?;
                self.next_seq += 1;
                self.rows += u64::try_from(block.nrows()).unwrap_or_default();
                if self.metered {
                    let paid = credit(self.request, batch.wire_len);
                    connection.post(Message::Binary(paid.into()), cx)?;
                }
                Ok(if block.nrows() == 0 {
                    Next::More
                } else {
                    Next::Rows(block)
                })
            }
            Event::Reset { mask } => {
                connection.decoder.reset(mask);
                Ok(Next::More)
            }
            Event::End {
                request,
                last_seq,
                rows,
            } => {
                if request != self.request {
                    return Err(stranger(connection));
                }
                if self.next_seq.checked_sub(1) != Some(last_seq) || rows != self.rows {
                    return Err(connection.violation(&format!(
                        "ends a result at batch {last_seq} with {rows} rows, but {} batches with {} \
                         rows came",
                        self.next_seq, self.rows
                    )));
                }
                Ok(Next::Ended(Ok(())))
            }
            Event::Done { request, affected } => {
                if request != self.request || self.next_seq > 0 {
                    return Err(stranger(connection));
                }
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
                    -1 => Err(error),
                    _ => Err(stranger(connection)),
                }
            }
            Event::Info(_) => Err(connection.violation("introduces itself again")),
        }
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
