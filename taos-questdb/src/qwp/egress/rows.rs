//! What a query gives.

use std::sync::Arc;
use std::task::{Context, Poll, ready};

use taos_query::RawBlock;
use taos_query::common::{Field, Precision};

use super::stream::Stream;
use crate::error::{Error, ErrorCode, Result};

/// The result of a statement, which arrives while it is read. Dropped before its end it is cancelled.
pub(crate) struct QwpRows {
    fields: Arc<[Field]>,
    precision: Precision,
    affected: u64,
    /// Rows that arrived before anybody asked for them.
    first: Option<RawBlock>,
    stream: Stream,
    failover: bool,
}

impl QwpRows {
    pub(super) fn new(stream: Stream, first: Option<RawBlock>, failover: bool) -> Self {
        let (fields, precision) = match &stream.schema {
            Some(schema) => (Arc::clone(schema.fields()), schema.precision()),
            None => (Arc::default(), Precision::default()),
        };
        Self {
            fields,
            precision,
            affected: stream.affected,
            first,
            stream,
            failover,
        }
    }

    /// The columns; none for statements without rows.
    pub(crate) const fn fields(&self) -> &Arc<[Field]> {
        &self.fields
    }

    /// The unit of all times.
    pub(crate) const fn precision(&self) -> Precision {
        self.precision
    }

    /// Rows that the statement changed.
    pub(crate) const fn affected(&self) -> u64 {
        self.affected
    }

    /// The next rows; `None` at the end, and after an error.
    pub(crate) fn poll_block(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<RawBlock>>> {
        if let Some(block) = self.first.take() {
            return Poll::Ready(Ok(Some(block)));
        }
        Poll::Ready(ready!(self.stream.poll_next(cx)).map_err(|error| self.explain(error)))
    }

    /// Rows were handed out by the time that anything is read here.
    fn explain(&self, error: Error) -> Error {
        if self.failover && error.code() == ErrorCode::SocketError {
            let words = format!(
                "{error}; rows of the result were handed out already, so it was not asked for again"
            );
            return Error::new(ErrorCode::FailoverWouldDuplicate, words);
        }
        error
    }
}
