//! Results, block by block while they arrive.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use chrono_tz::Tz;
use taos_query::common::{Field, Precision};
use taos_query::{AsyncFetchable, PollBlock, RawBlock, RawResult};

use super::exec::Answer;
use super::state::States;
use super::trouble::Trouble;
use crate::http::Response;
use crate::qwp::egress::QwpRows;
use crate::rest::Reply;

/// Fewer rows than these are not handed out just because the network is slow, but for the first.
const WORTH_A_BLOCK: usize = 256;

/// The result of a query. Rows are read from the connection as they are taken; dropping the result
/// early ends the query on the server: over HTTP by closing its connection, over QWP by cancelling it.
///
/// Times become text in UTC, as the server writes them.
pub struct ResultSet {
    fields: Arc<[Field]>,
    precision: Precision,
    affected: i64,
    source: Source,
}

/// What brings the blocks, and how many it has brought.
struct Source {
    rows: Rows,
    summary: (usize, usize),
    /// Learns when the connection is lost.
    states: Option<Arc<States>>,
}

enum Rows {
    None,
    Http(Box<HttpRows>),
    // Never locked, as the body below.
    Qwp(Box<Mutex<QwpRows>>),
}

struct HttpRows {
    reply: Reply,
    // Never locked: connections are not `Sync`, and results have to be.
    body: Mutex<Body>,
}

type Piece = (Box<Response>, crate::Result<Option<Bytes>>);

enum Body {
    Waiting(Box<Response>),
    Reading(Pin<Box<dyn Future<Output = Piece> + Send>>),
    Over,
}

impl ResultSet {
    /// The result of an answer over HTTP. The rows that a statement changed are not counted: the server
    /// tells them for few statements only, and for most tables another number instead.
    pub(super) fn http(answer: Answer) -> Self {
        let Answer { reply, response } = answer;
        let Some(head) = reply.head() else {
            return Self::without_rows(0);
        };
        Self {
            fields: Arc::clone(&head.fields),
            precision: head.precision,
            affected: 0,
            source: Source {
                rows: Rows::Http(Box::new(HttpRows {
                    body: Mutex::new(match response {
                        Some(response) => Body::Waiting(Box::new(response)),
                        None => Body::Over,
                    }),
                    reply,
                })),
                summary: (0, 0),
                states: None,
            },
        }
    }

    /// The result of an answer over QWP.
    pub(super) fn qwp(rows: QwpRows) -> Self {
        let affected = i64::try_from(rows.affected()).unwrap_or(i64::MAX);
        Self {
            fields: Arc::clone(rows.fields()),
            precision: rows.precision(),
            affected,
            source: Source {
                rows: Rows::Qwp(Box::new(Mutex::new(rows))),
                summary: (0, 0),
                states: None,
            },
        }
    }

    /// The result of a statement that changed so many rows.
    pub(crate) fn without_rows(affected: i64) -> Self {
        Self {
            fields: Arc::default(),
            precision: Precision::Millisecond,
            affected,
            source: Source {
                rows: Rows::None,
                summary: (0, 0),
                states: None,
            },
        }
    }

    /// Tells there when the connection is lost while rows are read.
    pub(super) fn noted_in(mut self, states: &Arc<States>) -> Self {
        self.source.states = Some(Arc::clone(states));
        self
    }
}

impl HttpRows {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<RawBlock>, Trouble>> {
        loop {
            let body = self.body.get_mut().unwrap_or_else(PoisonError::into_inner);
            // Once all rows are there the end of the body is on its way. Taken along, it leaves the
            // connection to the next query, also when only the first row is read.
            let ending = self.reply.is_complete() && !matches!(body, Body::Over);
            if !ending && let Some(block) = self.reply.next_block() {
                return Poll::Ready(Ok(Some(block)));
            }
            match std::mem::replace(body, Body::Over) {
                Body::Over => return Poll::Ready(Ok(None)),
                Body::Waiting(mut response) => {
                    *body = Body::Reading(Box::pin(async move {
                        let piece = response.chunk().await;
                        (response, piece)
                    }));
                }
                Body::Reading(mut piece) => match piece.as_mut().poll(cx) {
                    Poll::Ready((response, Ok(Some(piece)))) => {
                        self.reply.feed(&piece)?;
                        *body = Body::Waiting(response);
                    }
                    Poll::Ready((_, Ok(None))) => self.reply.finish()?,
                    // What was lost behind the last row is not missed.
                    Poll::Ready((_, Err(_))) if ending => self.reply.finish()?,
                    Poll::Ready((_, Err(error))) => return Poll::Ready(Err(error.into())),
                    Poll::Pending => {
                        *body = Body::Reading(piece);
                        if ending || !self.worth_a_block() {
                            return Poll::Pending;
                        }
                        self.reply.close_block()?;
                    }
                },
            }
        }
    }

    /// Whether the rows that are there should not wait for more.
    fn worth_a_block(&self) -> bool {
        let rows = self.reply.rows_waiting();
        rows >= WORTH_A_BLOCK || (rows > 0 && !self.reply.has_given())
    }
}

impl PollBlock for Source {
    fn poll_block(&mut self, cx: &mut Context<'_>) -> Poll<RawResult<Option<RawBlock>>> {
        let block = match &mut self.rows {
            Rows::None => return Poll::Ready(Ok(None)),
            Rows::Http(rows) => ready!(rows.poll(cx)),
            Rows::Qwp(rows) => {
                let rows = rows.get_mut().unwrap_or_else(PoisonError::into_inner);
                ready!(rows.poll_block(cx))
                    .map(|block| {
                        block.map(|mut block| {
                            block.with_timezone(Tz::UTC);
                            block
                        })
                    })
                    .map_err(Trouble::from)
            }
        };
        let block = block.map_err(|trouble| {
            if let Some(states) = &self.states {
                states.trouble(&trouble);
            }
            trouble.error
        });
        match &block {
            Ok(Some(block)) => {
                self.summary.0 += 1;
                self.summary.1 += block.nrows();
            }
            Ok(None) | Err(_) => self.rows = Rows::None,
        }
        Poll::Ready(block)
    }
}

impl AsyncFetchable for ResultSet {
    fn fields(&self) -> &[Field] {
        &self.fields
    }

    fn precision(&self) -> Precision {
        self.precision
    }

    fn affected_rows64(&self) -> i64 {
        self.affected
    }

    fn summary(&self) -> (usize, usize) {
        self.source.summary
    }

    fn timezone(&self) -> Option<Tz> {
        Some(Tz::UTC)
    }

    fn split(&mut self) -> (&[Field], &mut dyn PollBlock) {
        (&self.fields, &mut self.source)
    }
}

impl fmt::Debug for ResultSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResultSet")
            .field("fields", &self.fields)
            .field("affected_rows", &self.affected)
            .finish_non_exhaustive()
    }
}
