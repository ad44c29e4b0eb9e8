//! One connection, driven by whoever waits for its answer: there is no task behind it.

use std::future::{Future as _, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::runtime::Id;
use tokio::time::Instant;

use super::client::Failure;
use crate::error::error;
use crate::net::{BoxIo, Dialed, Probe, runtime};

/// Bound of a response's head, and of what is read at once.
const MAX_HEAD: usize = 256 * 1024;
/// More than these are not kept for later.
const MAX_IDLE: usize = 8;
/// Connections that nobody used for so long may have been forgotten by routers in between.
const MAX_IDLE_TIME: Duration = Duration::from_secs(60);

type Body = Full<Bytes>;

/// Why no answer came.
pub(super) enum Lost {
    /// The connection was gone before anything was written to it.
    Unsent,
    Broken(hyper::Error),
}

pub(super) struct Connection {
    sender: http1::SendRequest<Body>,
    /// Absent when it is over.
    driver: Option<http1::Connection<TokioIo<BoxIo>, Body>>,
    probe: Option<Probe>,
    /// The number of its address in the ring.
    number: usize,
    runtime: Option<Id>,
    used: Instant,
}

impl Connection {
    pub(super) async fn over(dialed: Dialed, number: usize) -> Result<Self, Failure> {
        let made = http1::Builder::new()
            .max_buf_size(MAX_HEAD)
            .handshake(TokioIo::new(dialed.io))
            .await;
        let (sender, driver) = made.map_err(|error| {
            Failure::unsent(error!(SocketError, "HTTP cannot be set up: {error}"))
        })?;
        Ok(Self {
            sender,
            driver: Some(driver),
            probe: dialed.probe,
            number,
            runtime: runtime(),
            used: Instant::now(),
        })
    }

    pub(super) fn poll_driver(&mut self, cx: &mut Context<'_>) {
        if let Some(driver) = &mut self.driver
            && Pin::new(driver).poll(cx).is_ready()
        {
            self.driver = None;
        }
    }

    /// Sends the request and waits for the head of its answer.
    pub(super) async fn send(
        &mut self,
        request: hyper::Request<Body>,
    ) -> Result<hyper::Response<Incoming>, Lost> {
        let mut answer = pin!(self.sender.try_send_request(request));
        let driver = &mut self.driver;
        let answer = poll_fn(|cx| {
            if let Some(running) = driver
                && Pin::new(running).poll(cx).is_ready()
            {
                *driver = None;
            }
            answer.as_mut().poll(cx)
        });
        answer.await.map_err(|mut lost| {
            if lost.take_message().is_some() {
                Lost::Unsent
            } else {
                Lost::Broken(lost.into_error())
            }
        })
    }

    /// Whether another request can go over it.
    fn is_free(&mut self, cx: &mut Context<'_>) -> bool {
        self.poll_driver(cx);
        self.driver.is_some() && self.sender.is_ready()
    }
}

/// Connections that wait for the next request.
#[derive(Default)]
pub(super) struct Idle(Mutex<Vec<Connection>>);

impl Idle {
    /// A connection to this address that its server has not closed meanwhile.
    pub(super) async fn take(&self, number: usize) -> Option<Connection> {
        loop {
            let mut connection = self.pop(number)?;
            if connection
                .probe
                .as_ref()
                .is_some_and(|probe| !probe.is_quiet())
            {
                continue;
            }
            if poll_fn(|cx| Poll::Ready(connection.is_free(cx))).await {
                return Some(connection);
            }
        }
    }

    fn pop(&self, number: usize) -> Option<Connection> {
        let runtime = runtime();
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|kept| kept.used.elapsed() < MAX_IDLE_TIME);
        // A connection is only woken by the runtime it was made in.
        let found = idle
            .iter()
            .rposition(|kept| kept.number == number && kept.runtime == runtime)?;
        Some(idle.remove(found))
    }

    /// Keeps the connection if another request can go over it.
    pub(super) fn give(&self, mut connection: Connection, cx: &mut Context<'_>) {
        if !connection.is_free(cx) {
            return;
        }
        connection.used = Instant::now();
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() >= MAX_IDLE {
            idle.remove(0);
        }
        idle.push(connection);
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}
