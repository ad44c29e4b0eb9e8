//! Queries over a small pool of connections, and over other servers when one is lost.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use super::super::socket::Refusal;
use super::super::wire::egress::{Bind, Query, capability};
use super::connection::Connection;
use super::endpoints::{Endpoints, State};
use super::rows::QwpRows;
use super::stream::Stream;
use super::tries::Tries;
use crate::error::{Error, ErrorCode, Result, error};
use crate::net::Dialer;
use crate::settings::Settings;
use crate::sql::only_reads;

/// Connections that are kept without a query.
const MAX_IDLE: usize = 4;
/// Queries that may run at the same time.
const MAX_OPEN: usize = 64;
/// How long a query waits for one of them to end.
const ACQUIRE_LIMIT: Duration = Duration::from_secs(5);
/// Connections that nobody used for so long are closed.
const IDLE_LIMIT: Duration = Duration::from_secs(60);
/// How long what is left of an abandoned query may take before its connection is closed instead.
const DRAIN_LIMIT: Duration = Duration::from_secs(1);
/// What a server may take for the next piece of an answer unless the query has a limit of its own, as
/// over HTTP; the time of a request comes on top.
const SERVER_LIMIT: Duration = Duration::from_secs(60);
/// How much longer than the server a query waits for its limit, if requests have as long.
const TIMEOUT_GRACE: Duration = Duration::from_secs(5);

/// Queries one database. Cheap to clone; usable from many tasks.
#[derive(Clone)]
pub(crate) struct Session {
    shared: Arc<Shared>,
}

#[allow(
    clippy::vec_box,
    reason = "connections move between the list and results, and are large"
)]
pub(super) struct Shared {
    pub(super) settings: Arc<Settings>,
    dialer: Dialer,
    endpoints: Endpoints,
    idle: Mutex<Vec<Box<Connection>>>,
    permits: Arc<Semaphore>,
}

/// Why an attempt gave no result.
enum Trouble {
    /// Trying again cannot help, or is not allowed.
    Final(Error),
    /// No server could be used.
    Round { error: Error, only_roles: bool },
    /// A connection broke, and the statement may be run again.
    Broken(Error),
}

impl Session {
    /// Connects to the first server that will do.
    ///
    /// # Errors
    /// None of them will.
    pub(crate) async fn connect(settings: impl Into<Arc<Settings>>) -> Result<Self> {
        let settings = settings.into();
        let query = &settings.query;
        let shared = Arc::new(Shared {
            dialer: Dialer::new(&settings)?,
            endpoints: Endpoints::new(settings.addresses.clone(), query.zone.clone()),
            idle: Mutex::default(),
            permits: Arc::new(Semaphore::new(MAX_OPEN)),
            settings,
        });
        match shared.open().await {
            Ok(connection) => shared.give_back(connection),
            Err(Trouble::Final(error) | Trouble::Broken(error) | Trouble::Round { error, .. }) => {
                return Err(error);
            }
        }
        Ok(Self { shared })
    }

    /// Runs a statement and waits until its first rows or its end.
    ///
    /// # Errors
    /// What the server says; what the connections suffered, marked as in doubt if the statement may
    /// have changed something.
    pub(crate) async fn query(&self, sql: &str, binds: &[Bind]) -> Result<QwpRows> {
        let patience = patience(&self.shared.settings);
        self.query_within(sql, binds, patience).await
    }

    /// Asks what every server answers at once.
    ///
    /// # Errors
    /// As [`query`](Self::query), and `QueryTimeout` when the answer takes longer than a request may.
    pub(crate) async fn ask(&self, sql: &str) -> Result<QwpRows> {
        let patience = self.shared.settings.ingest.request_timeout;
        self.query_within(sql, &[], patience).await
    }

    async fn query_within(&self, sql: &str, binds: &[Bind], patience: Duration) -> Result<QwpRows> {
        let settings = &self.shared.settings.query;
        let query = Query {
            sql,
            binds,
            credit: settings.initial_credit,
            timeout_ms: settings
                .query_timeout
                .as_millis()
                .try_into()
                .unwrap_or(u64::MAX),
        };
        // What is wrong with the statement itself is no reason to connect.
        query.encode(0)?;
        let mut tries = Tries::new(settings);
        loop {
            match self.attempt(&query, patience).await {
                Ok(rows) => return Ok(rows),
                Err(Trouble::Final(error)) => return Err(error),
                Err(Trouble::Round { error, only_roles }) => {
                    tries.after_round(error, only_roles).await?;
                }
                Err(Trouble::Broken(error)) => tries.after_break(error).await?,
            }
        }
    }

    async fn attempt(
        &self,
        query: &Query<'_>,
        patience: Duration,
    ) -> std::result::Result<QwpRows, Trouble> {
        let permit = self.shared.permit().await.map_err(Trouble::Final)?;
        let connection = match self.shared.idle().await {
            Some(connection) => connection,
            None => self.shared.open().await?,
        };
        let mut stream = Stream::new(Arc::clone(&self.shared), connection, permit, patience);
        let first = self.start(&mut stream, query).await;
        match first {
            Ok(first) => Ok(QwpRows::new(
                stream,
                first,
                self.shared.settings.query.failover,
            )),
            Err(error) => {
                let lost = stream.given_up
                    || stream.cut_off
                    || matches!(
                        error.code(),
                        ErrorCode::SocketError | ErrorCode::ProtocolError
                    );
                // Only a query answers with columns.
                let reads = only_reads(query.sql) || stream.schema.is_some();
                if lost && stream.sent && !reads {
                    return Err(Trouble::Final(
                        error
                            .doubtful()
                            .context("it is not known whether the statement was run"),
                    ));
                }
                Err(if error.code() == ErrorCode::SocketError {
                    Trouble::Broken(error)
                } else {
                    Trouble::Final(error)
                })
            }
        }
    }

    /// Sends the statement and waits for the first rows or the end.
    async fn start(
        &self,
        stream: &mut Stream,
        query: &Query<'_>,
    ) -> Result<Option<taos_query::RawBlock>> {
        let settings = &self.shared.settings;
        let request = stream.request();
        let connection = stream.connection()?;
        if query.timeout_ms > 0 && !connection.info.can(capability::QUERY_TIMEOUT) {
            return Err(error!(
                UnsupportedServer,
                "{} cannot limit the time of queries; leave `query_timeout_ms` out, and put a limit \
                 around the call",
                connection.address
            ));
        }
        let message = query.encode(request)?;
        stream.sent = true;
        let connection = stream.connection()?;
        if let Err(error) = connection
            .send(message, settings.ingest.request_timeout)
            .await
        {
            stream.lose();
            return Err(error);
        }
        std::future::poll_fn(|cx| stream.poll_next(cx)).await
    }
}

/// How long a query waits for each message of the server.
fn patience(settings: &Settings) -> Duration {
    let request = settings.ingest.request_timeout;
    match settings.query.query_timeout {
        Duration::ZERO => SERVER_LIMIT.saturating_add(request),
        told => told.saturating_add(TIMEOUT_GRACE.min(request)),
    }
}

impl Shared {
    #[allow(clippy::vec_box, reason = "as above")]
    fn lock(&self) -> MutexGuard<'_, Vec<Box<Connection>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn permit(&self) -> Result<OwnedSemaphorePermit> {
        let permits = Arc::clone(&self.permits);
        match timeout(ACQUIRE_LIMIT, permits.acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) => Err(error!(InvalidApiCall, "the session is closed")),
            Err(_) => Err(error!(
                LimitExceeded,
                "{MAX_OPEN} queries are running and none has ended within {ACQUIRE_LIMIT:?}: read \
                 results to their end or drop them"
            )),
        }
    }

    /// A connection that was used before, clean again.
    async fn idle(&self) -> Option<Box<Connection>> {
        let here = crate::net::runtime();
        loop {
            let mut connection = {
                let mut idle = self.lock();
                idle.retain(|c| c.idle_since.elapsed() < IDLE_LIMIT);
                // Those that need no draining first, of these the one used last.
                let ours = |c: &Connection| c.runtime == here;
                let at = idle
                    .iter()
                    .rposition(|c| ours(c) && c.abandoned.is_none())
                    .or_else(|| idle.iter().rposition(|c| ours(c)))?;
                idle.swap_remove(at)
            };
            if connection.abandoned.is_some() {
                match timeout(DRAIN_LIMIT, connection.drain()).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => {
                        tracing::debug!(%error, "a connection is closed instead of reused");
                        continue;
                    }
                    Err(_) => continue,
                }
            }
            if connection.is_alive() {
                return Some(connection);
            }
        }
    }

    /// Takes a connection that has no query, or an abandoned one.
    pub(super) fn give_back(&self, mut connection: Box<Connection>) {
        if connection.is_broken() {
            return;
        }
        connection.idle_since = Instant::now();
        let mut idle = self.lock();
        let surplus = if idle.len() < MAX_IDLE {
            None
        } else {
            Some(idle.remove(0))
        };
        idle.push(connection);
        drop(idle);
        // Says goodbye, which should not happen under the lock.
        drop(surplus);
    }

    /// Notes that a connection broke, so that another server is asked next.
    pub(super) fn lost(&self, connection: &Connection) {
        self.endpoints
            .mark(connection.endpoint, State::TransportError, None);
    }

    /// Visits each server once, the best first, until one will do.
    async fn open(&self) -> std::result::Result<Box<Connection>, Trouble> {
        let mut visited = vec![false; self.endpoints.len()];
        let (mut last, mut only_roles) = (None, true);
        while let Some((index, address)) = self.endpoints.pick(&visited) {
            if let Some(visited) = visited.get_mut(index) {
                *visited = true;
            }
            match Connection::open(&self.settings, &self.dialer, index, address).await {
                Ok(connection) => {
                    let zone = connection.info.zone.as_deref();
                    self.endpoints.mark(index, State::Healthy, zone);
                    return Ok(Box::new(connection));
                }
                Err(Refusal::Terminal(error)) => return Err(Trouble::Final(error)),
                Err(refusal @ Refusal::Role { .. }) => {
                    let state = if refusal.is_transient_role() {
                        State::TransientReject
                    } else {
                        State::TopologyReject
                    };
                    if let Refusal::Role { zone, error, .. } = refusal {
                        self.endpoints.mark(index, state, zone.as_deref());
                        last = Some(error);
                    }
                }
                Err(Refusal::Transport(error)) => {
                    self.endpoints.mark(index, State::TransportError, None);
                    only_roles = false;
                    last = Some(error);
                }
            }
        }
        self.endpoints.reset();
        let error = last.unwrap_or_else(|| error!(ConfigError, "there is no address to ask"));
        let error = match self.endpoints.len() {
            0 | 1 => error,
            n => error.context(format_args!(
                "none of {n} servers can be asked, the last one"
            )),
        };
        Err(Trouble::Round { error, only_roles })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_waits_for_a_limited_time_whether_it_was_given_one_or_not() {
        let settings = |rest: &str| {
            let dsn = format!("questdb+ws://h{rest}").parse().unwrap();
            Settings::from_dsn(&dsn).unwrap()
        };
        for (rest, limit) in [
            ("?request_timeout=7000", 67_000),
            ("?request_timeout=7000&query_timeout_ms=100", 5_100),
            ("?request_timeout=30&query_timeout_ms=100", 130),
        ] {
            assert_eq!(patience(&settings(rest)).as_millis(), limit, "{rest}");
        }
    }
}
