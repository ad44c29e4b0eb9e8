//! One connection for queries: messages out and in, without knowledge of results.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Sink, SinkExt as _, Stream};
use hyper::header::{HeaderName, HeaderValue};
use tokio::runtime::Id;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::error::{Error as WsError, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::super::socket::{Outcome, Refusal, Target, UpgradeHeaders, upgrade};
use super::super::wire::egress::{Decoder, Event, ServerInfo, cancel, limit, role};
use super::endpoints::serves;
use crate::error::{Error, Result, error};
use crate::net::{BoxIo, Dialer, Probe};
use crate::settings::{Address, QwpQuery, Settings};

/// How long a server may take to say what it is (questdb §13.3).
const INFO_LIMIT: Duration = Duration::from_secs(5);

/// An open connection.
pub(super) struct Connection {
    socket: WebSocketStream<BoxIo>,
    probe: Option<Probe>,
    pub(super) decoder: Decoder,
    pub(super) info: ServerInfo,
    /// Number of the server in the list of addresses.
    pub(super) endpoint: usize,
    /// For words.
    pub(super) address: Arc<str>,
    /// Where its socket is driven; elsewhere it would never wake up.
    pub(super) runtime: Option<Id>,
    /// A query whose end was not awaited.
    pub(super) abandoned: Option<i64>,
    pub(super) idle_since: Instant,
    next_request: i64,
    /// Something was handed to the socket that may not have left.
    unflushed: bool,
    broken: bool,
}

impl Connection {
    /// Dials, upgrades, and waits for the server to introduce itself.
    pub(super) async fn open(
        settings: &Settings,
        dialer: &Dialer,
        endpoint: usize,
        address: &Address,
    ) -> Outcome<Self> {
        let query = &settings.query;
        let dialed = dialer
            .dial_with_probe(address)
            .await
            .map_err(Refusal::Transport)?;
        let target = Target {
            path: &query.path,
            headers: headers(query).map_err(Refusal::Terminal)?,
            max_message: limit::MESSAGE,
        };
        let (socket, answer) = upgrade(settings, dialed.io, address, &target).await?;
        check_encoding(query, address, &answer)?;
        let mut connection = Self {
            socket,
            probe: dialed.probe,
            decoder: Decoder::default(),
            info: ServerInfo::default(),
            endpoint,
            address: address.to_string().into(),
            runtime: crate::net::runtime(),
            abandoned: None,
            idle_since: Instant::now(),
            next_request: 1,
            unflushed: false,
            broken: false,
        };
        connection.introduce(query).await?;
        Ok(connection)
    }

    async fn introduce(&mut self, query: &QwpQuery) -> Outcome<()> {
        let message = timeout(INFO_LIMIT, self.message())
            .await
            .map_err(|_| {
                Refusal::Transport(error!(
                    HandshakeError,
                    "{} did not introduce itself within {INFO_LIMIT:?}", self.address
                ))
            })?
            .map_err(Refusal::Transport)?;
        self.info = match Event::read(&message) {
            Ok(Event::Info(info)) => info,
            Ok(_) => {
                return Err(Refusal::Terminal(
                    self.violation("does not introduce itself first"),
                ));
            }
            Err(error) => {
                let error = error.context(format_args!("{} introduces itself", self.address));
                return Err(Refusal::Terminal(error));
            }
        };
        tracing::debug!(address = %self.address, info = ?self.info, "a server introduced itself");
        if !serves(query.target, self.info.role) {
            let name = role::name(self.info.role);
            return Err(Refusal::Role {
                role: name.to_owned(),
                zone: self.info.zone.clone(),
                error: error!(
                    RoleMismatch,
                    "{} is {name}, which `target={}` does not take",
                    self.address,
                    match query.target {
                        crate::settings::Role::Any => "any",
                        crate::settings::Role::Primary => "primary",
                        crate::settings::Role::Replica => "replica",
                    }
                ),
            });
        }
        Ok(())
    }

    /// A number that no request of this connection has had.
    pub(super) fn number(&mut self) -> i64 {
        let number = self.next_request;
        self.next_request = self.next_request.wrapping_add(1).max(1);
        number
    }

    /// The error of a server that breaks the protocol.
    pub(super) fn violation(&self, what: &str) -> Error {
        error!(ProtocolError, "{} {what}", self.address)
    }

    fn lost(&mut self, error: WsError) -> Error {
        self.broken = true;
        match error {
            WsError::Capacity(what) => error!(
                LimitExceeded,
                "{} sent a message that is too long: {what}; ask for fewer rows at a time with \
                 `max_batch_rows`",
                self.address
            ),
            WsError::ConnectionClosed
            | WsError::AlreadyClosed
            | WsError::Protocol(ProtocolError::ResetWithoutClosingHandshake) => self.closed(None),
            WsError::Protocol(what) => self.violation(&format!("breaks WebSocket: {what}")),
            other => error!(
                SocketError,
                "the connection to {} broke: {other}", self.address
            ),
        }
    }

    fn closed(&mut self, frame: Option<CloseFrame>) -> Error {
        self.broken = true;
        match frame {
            Some(frame) if frame.code == CloseCode::Size => error!(
                LimitExceeded,
                "{} takes no message as long as this statement with its parameters: {}",
                self.address,
                frame.reason
            ),
            Some(frame) => error!(
                SocketError,
                "{} closed the connection ({}): {}",
                self.address,
                frame.code,
                if frame.reason.is_empty() {
                    "no reason given"
                } else {
                    frame.reason.as_str()
                }
            ),
            None => error!(SocketError, "{} closed the connection", self.address),
        }
    }

    /// The next message of the server.
    pub(super) fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes>> {
        if self.unflushed
            && let Poll::Ready(result) = Pin::new(&mut self.socket).poll_flush(cx)
        {
            self.unflushed = false;
            if let Err(error) = result {
                return Poll::Ready(Err(self.lost(error)));
            }
        }
        loop {
            let message = match Pin::new(&mut self.socket).poll_next(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(Ok(message))) => message,
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(self.lost(error))),
                Poll::Ready(None) => return Poll::Ready(Err(self.closed(None))),
            };
            match message {
                Message::Binary(bytes) => return Poll::Ready(Ok(bytes)),
                Message::Close(frame) => return Poll::Ready(Err(self.closed(frame))),
                Message::Text(_) => {
                    self.broken = true;
                    return Poll::Ready(Err(self.violation("sent text instead of bytes")));
                }
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
        }
    }

    /// As [`poll_message`](Self::poll_message).
    pub(super) async fn message(&mut self) -> Result<Bytes> {
        std::future::poll_fn(|cx| self.poll_message(cx)).await
    }

    /// Sends a message within the limit.
    pub(super) async fn send(&mut self, message: Vec<u8>, limit: Duration) -> Result<()> {
        // Dropped half-way, the rest leaves before whatever comes next.
        self.unflushed = true;
        let sent = timeout(limit, self.socket.send(Message::Binary(message.into()))).await;
        match sent {
            Ok(Ok(())) => {
                self.unflushed = false;
                Ok(())
            }
            Ok(Err(error)) => Err(self.lost(error)),
            Err(_) => {
                self.broken = true;
                Err(error!(
                    SocketError,
                    "{} took no request for {limit:?}", self.address
                ))
            }
        }
    }

    /// Hands a short message to the socket, which sends what it can at once and the rest later.
    pub(super) fn post(&mut self, message: Message, cx: &mut Context<'_>) -> Result<()> {
        let mut socket = Pin::new(&mut self.socket);
        // The socket has a buffer of its own: not ready means no more than that it is not empty.
        let ready = match socket.as_mut().poll_ready(cx) {
            Poll::Ready(result) => result,
            Poll::Pending => Ok(()),
        };
        if let Err(error) = ready.and_then(|()| socket.as_mut().start_send(message)) {
            return Err(self.lost(error));
        }
        match socket.poll_flush(cx) {
            Poll::Ready(Ok(())) => self.unflushed = false,
            Poll::Ready(Err(error)) => return Err(self.lost(error)),
            Poll::Pending => self.unflushed = true,
        }
        Ok(())
    }

    /// Gives up a query without waiting for anything. False if the connection is of no use any more.
    pub(super) fn abandon(&mut self, request: i64) -> bool {
        if self.broken {
            return false;
        }
        self.abandoned = Some(request);
        let mut cx = Context::from_waker(Waker::noop());
        self.post(Message::Binary(cancel(request).into()), &mut cx)
            .is_ok()
    }

    /// Reads what is left of an abandoned query.
    pub(super) async fn drain(&mut self) -> Result<()> {
        while let Some(wanted) = self.abandoned {
            let message = self.message().await?;
            match Event::read(&message)? {
                Event::Batch(batch) if batch.request == wanted => self.decoder.skip(&batch)?,
                Event::Reset { mask } => self.decoder.reset(mask),
                Event::End { request, .. }
                | Event::Done { request, .. }
                | Event::Failed { request, .. }
                    if request == wanted =>
                {
                    self.abandoned = None;
                }
                _ => return Err(self.violation("answers a query that was not asked")),
            }
        }
        Ok(())
    }

    /// Whether a connection without a query is still of use.
    pub(super) fn is_alive(&mut self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        loop {
            match self.poll_message(&mut cx) {
                Poll::Ready(Ok(message)) => match Event::read(&message) {
                    Ok(Event::Reset { mask }) => self.decoder.reset(mask),
                    _ => return false,
                },
                Poll::Ready(Err(_)) => return false,
                // The reactor may not know yet what the kernel does.
                Poll::Pending => return self.probe.as_ref().is_none_or(Probe::is_quiet),
            }
        }
    }

    pub(super) const fn is_broken(&self) -> bool {
        self.broken
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if !self.broken && self.runtime.is_some() {
            let frame = CloseFrame {
                code: CloseCode::Normal,
                reason: "".into(),
            };
            let mut cx = Context::from_waker(Waker::noop());
            // A courtesy: the end of the connection says the same.
            let _ = self.post(Message::Close(Some(frame)), &mut cx);
        }
    }
}

/// The headers of questdb §13.1.
fn headers(query: &QwpQuery) -> Result<Vec<(HeaderName, HeaderValue)>> {
    let mut headers = Vec::new();
    if let Some(id) = &query.client_id {
        let value = HeaderValue::from_str(id).map_err(|_| {
            error!(
                ConfigError,
                "`client_id` holds a character that an HTTP header cannot carry"
            )
        })?;
        headers.push((HeaderName::from_static("x-qwp-client-id"), value));
    }
    let encoding = match (query.zstd, query.zstd_or_raw) {
        (None, _) => "raw".to_owned(),
        (Some(level), false) => format!("zstd;level={level}"),
        (Some(level), true) => format!("zstd;level={level},raw"),
    };
    let encoding = HeaderValue::from_str(&encoding)
        .map_err(|e| error!(ConfigError, "compression cannot be asked for: {e}"))?;
    headers.push((HeaderName::from_static("x-qwp-accept-encoding"), encoding));
    if query.max_batch_rows > 0 {
        let name = HeaderName::from_static("x-qwp-max-batch-rows");
        headers.push((name, query.max_batch_rows.into()));
    }
    Ok(headers)
}

fn check_encoding(query: &QwpQuery, address: &Address, answer: &UpgradeHeaders) -> Outcome<()> {
    let got = answer.get("x-qwp-content-encoding").unwrap_or("raw");
    let zstd = got
        .get(..4)
        .is_some_and(|head| head.eq_ignore_ascii_case("zstd"));
    if query.zstd.is_some() && !query.zstd_or_raw && !zstd {
        return Err(Refusal::Transport(error!(
            UnsupportedServer,
            "{address} does not compress results (it chose `{got}`); use `compression=auto` to do \
             without"
        )));
    }
    Ok(())
}
