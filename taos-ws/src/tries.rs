//! One call, over however many connections it takes: its limit, its repetition, and what is known of
//! its outcome.

use crate::client::Client;
use crate::connection::{Failure, Link};
use crate::resend::{Effect, RESENDS};
use crate::transport::Cause;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use taos_query::{Code, ErrorKind, RawError, RawResult};
use tokio::runtime::Handle;
use tokio::time::{Instant, Timeout, timeout};

/// Why one try did not succeed.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The connection did not carry it; perhaps another one will.
    Failure(Failure),
    /// Another connection would not help.
    Error(RawError),
}

impl From<RawError> for Stop {
    fn from(error: RawError) -> Self {
        Self::Error(error)
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

/// The tries of one call.
#[derive(Debug)]
pub(crate) struct Tries<'a> {
    client: &'a Client,
    what: &'a str,
    limit: Duration,
    /// Of the limit.
    left: Duration,
    /// Connecting counts too; else it has a limit of its own.
    whole: bool,
    resends: u32,
    /// True once some byte of a write may have reached a server.
    unknown: bool,
}

impl<'a> Tries<'a> {
    /// For a call that waits at most `read_timeout` for answers.
    pub(crate) const fn new(client: &'a Client, what: &'a str) -> Self {
        let limit = client.config.read_timeout;
        Self {
            client,
            what,
            limit,
            left: limit,
            whole: false,
            resends: 0,
            unknown: false,
        }
    }

    /// For a call that takes at most `limit`, if there is one, connecting included.
    pub(crate) const fn within(mut self, limit: Option<Duration>) -> Self {
        if let Some(limit) = limit {
            self.limit = limit;
            self.left = limit;
            self.whole = true;
        }
        self
    }

    /// The connection for the next try.
    pub(crate) async fn link(&mut self) -> RawResult<Arc<Link>> {
        // Outside of a runtime nothing waits here, and there would be no timer either.
        if !self.whole || Handle::try_current().is_err() {
            return self.client.link().await.map_err(|error| self.ended(error));
        }
        let started = Instant::now();
        let link = timeout(self.left, self.client.link()).await;
        self.left = self.left.saturating_sub(started.elapsed());
        let error = match link {
            Ok(Ok(link)) => return Ok(link),
            Ok(Err(error)) => error,
            Err(_) => RawError::of(
                ErrorKind::Timeout,
                format!(
                    "{}: there was no connection within {:?}",
                    self.what, self.limit
                ),
            )
            .with_code(Code::WS_RECV_TIMEOUT),
        };
        Err(self.ended(error))
    }

    /// Makes a try; nothing if it took too long.
    pub(crate) async fn attempt<W: Future>(&mut self, link: &Link, work: W) -> Option<W::Output> {
        let started = Instant::now();
        let ended = within(self.left, link, work).await;
        self.left = self.left.saturating_sub(started.elapsed());
        ended.ok()
    }

    /// What comes of a try: the call's value, or nothing if there shall be another try.
    pub(crate) fn settle<T>(
        &mut self,
        link: &Link,
        effect: &Effect,
        ended: Option<Result<T, Stop>>,
    ) -> RawResult<Option<T>> {
        let write = *effect == Effect::Write;
        match ended {
            Some(Ok(value)) => Ok(Some(value)),
            Some(Err(Stop::Error(error))) => Err(self.ended(error)),
            Some(Err(Stop::Failure(Failure::DuplicateId))) => Err(self.ended(duplicate_id())),
            Some(Err(Stop::Failure(Failure::TooLong))) => Err(self.ended(too_long())),
            Some(Err(Stop::Failure(Failure::Lost { sent, cause }))) => {
                self.unknown |= write && sent;
                let retry_writes = self.client.config.retry_writes;
                if self.resends < RESENDS && effect.may_resend(sent, retry_writes) {
                    self.resends += 1;
                    tracing::debug!(address = link.address(), %cause, "{}: trying again", self.what);
                    return Ok(None);
                }
                Err(lost(cause, link.address(), self.unknown))
            }
            None => {
                self.unknown |= write;
                Err(self.ended(timed_out(self.what, link.address(), self.limit, self.whole)))
            }
        }
    }

    /// An error of the last try says nothing about the tries before.
    fn ended(&self, error: RawError) -> RawError {
        if self.unknown && !error.outcome_unknown() {
            error.with_outcome_unknown()
        } else {
            error
        }
    }
}

/// A limit for work on a link. Outside of any runtime the timer is that of the link's own.
pub(crate) fn within<W: Future>(limit: Duration, link: &Link, work: W) -> Timeout<W> {
    let _entered = Handle::try_current().is_err().then(|| link.runtime.enter());
    timeout(limit, work)
}

fn lost(cause: Cause, address: &str, outcome_unknown: bool) -> RawError {
    let error = cause.into_error(address);
    if outcome_unknown {
        error
            .context(
                "the statement may or may not have been run (retry_writes=true would send it again)",
            )
            .with_outcome_unknown()
    } else {
        error
    }
}

fn timed_out(what: &str, address: &str, limit: Duration, own: bool) -> RawError {
    let setting = if own { "set_timeout" } else { "read_timeout" };
    RawError::of(
        ErrorKind::Timeout,
        format!("{what} was not answered by {address} within {limit:?}; {setting} sets the limit"),
    )
    .with_code(Code::WS_RECV_TIMEOUT)
}

fn duplicate_id() -> RawError {
    RawError::of(
        ErrorKind::Config,
        "the request id is that of a request still in flight on this connection; \
         use another, or let one be made",
    )
}

fn too_long() -> RawError {
    RawError::of(
        ErrorKind::Config,
        "the statement is longer than 4 GiB; split it",
    )
}
