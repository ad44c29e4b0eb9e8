use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use hyper::StatusCode;
use hyper::body::{Body as _, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName};
use tokio::time::{Instant, timeout_at};

use super::client::{Client, words};
use super::connection::Connection;
use crate::error::{Error, Result, error};

/// An answer whose body arrives while it is read. At its end the connection is kept for the next
/// request; an answer dropped before takes its connection along.
pub(crate) struct Response {
    status: StatusCode,
    headers: HeaderMap,
    body: Incoming,
    connection: Option<Connection>,
    client: Client,
    number: usize,
    url: String,
    limit: Duration,
    end: Instant,
}

impl Response {
    pub(super) fn new(
        answer: hyper::Response<Incoming>,
        connection: Connection,
        client: Client,
        number: usize,
        url: String,
        limit: Duration,
        end: Instant,
    ) -> Self {
        let (head, body) = answer.into_parts();
        Self {
            status: head.status,
            headers: head.headers,
            body,
            connection: Some(connection),
            client,
            number,
            url,
            limit,
            end,
        }
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    /// The number of the server in the ring.
    pub(super) fn number(&self) -> usize {
        self.number
    }

    /// Where the answer comes from, without the query.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// A header's text; absent also when it is not text.
    pub(crate) fn header(&self, name: HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The media type without its parameters, which say nothing about the form.
    pub(crate) fn is_json(&self) -> bool {
        self.header(CONTENT_TYPE)
            .and_then(|value| value.split(';').next())
            .is_some_and(|media| media.trim().eq_ignore_ascii_case("application/json"))
    }

    /// The next piece of the body, `None` at its end.
    ///
    /// # Errors
    /// `SocketError` when the connection breaks, or brings nothing within the request's limit.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>> {
        let end = Instant::now() + self.limit;
        self.chunk_until(end).await
    }

    /// The whole body, within what is left of the request's limit.
    ///
    /// # Errors
    /// `SocketError` as [`chunk`](Self::chunk), and for more than `max` bytes.
    pub(crate) async fn read_to_end(mut self, max: usize) -> Result<Bytes> {
        let mut whole = BytesMut::new();
        while let Some(piece) = self.chunk_until(self.end).await? {
            if whole.len() + piece.len() > max {
                return Err(error!(
                    SocketError,
                    "the answer of {} is longer than {max} bytes", self.url
                ));
            }
            whole.extend_from_slice(&piece);
        }
        Ok(whole.freeze())
    }

    async fn chunk_until(&mut self, end: Instant) -> Result<Option<Bytes>> {
        match timeout_at(end, poll_fn(|cx| self.poll_chunk(cx))).await {
            Ok(result) => result,
            Err(_) => {
                self.connection = None;
                Err(error!(
                    SocketError,
                    "the answer of {} stopped: nothing more within {:?}", self.url, self.limit
                )
                .late())
            }
        }
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>>> {
        if let Poll::Ready(piece) = self.poll_body(cx) {
            return Poll::Ready(piece);
        }
        if let Some(connection) = &mut self.connection {
            connection.poll_driver(cx);
        }
        self.poll_body(cx)
    }

    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>>> {
        loop {
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => {
                    if let Ok(piece) = frame.into_data() {
                        return Poll::Ready(Ok(Some(piece)));
                    }
                }
                Some(Err(error)) => {
                    self.connection = None;
                    return Poll::Ready(Err(self.broken(&error)));
                }
                None => {
                    if let Some(connection) = self.connection.take() {
                        self.client.idle().give(connection, cx);
                    }
                    return Poll::Ready(Ok(None));
                }
            }
        }
    }

    fn broken(&self, error: &hyper::Error) -> Error {
        error!(
            SocketError,
            "the answer of {} broke off: {}",
            self.url,
            words(error)
        )
    }
}
