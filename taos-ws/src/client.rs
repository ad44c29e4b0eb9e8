//! A connection that comes back: dialling, login, the state machine, and the resending of requests.

use crate::config::Config;
use crate::connection::{Failure, Link, QueryAnswer, Reading};
use crate::events::Events;
use crate::login::login;
use crate::protocol::{ConnOption, TextReply, Version, encode_query};
use crate::resend::Effect;
use crate::transport::Dialer;
use crate::tries::{Stop, Tries};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use taos_query::{Code, ConnectionState, ErrorKind, RawError, RawResult};
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep, timeout_at};

/// What must hold again after a reconnect before anything else is sent.
#[derive(Debug, Clone, Default)]
pub(crate) struct Session {
    pub(crate) database: String,
    /// Values by option number.
    pub(crate) options: BTreeMap<i32, Option<String>>,
}

impl Session {
    pub(crate) fn options(&self) -> Vec<ConnOption> {
        self.options
            .iter()
            .map(|(option, value)| ConnOption::new(*option, value.clone()))
            .collect()
    }
}

/// The states of a connection.
#[derive(Debug)]
enum State {
    /// Somebody dials, or nobody has yet.
    Connecting,
    Ready(Arc<Link>),
    /// The next use connects again.
    Broken {
        cause: Refusal,
    },
    /// For good.
    Closed,
}

/// Why the last attempt to connect failed, for those who waited for it.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    kind: ErrorKind,
    code: Code,
    message: String,
}

impl Refusal {
    pub(crate) fn of(error: &RawError) -> Self {
        Self {
            kind: error.kind(),
            code: error.code(),
            message: words(error),
        }
    }

    pub(crate) fn error(&self) -> RawError {
        RawError::of(self.kind, self.message.clone()).with_code(self.code)
    }
}

/// All that an error says, without its code.
fn words(error: &RawError) -> String {
    let text = error.to_string();
    match text.split_once("] ") {
        Some((code, words)) if code.starts_with("[0x") => words.to_owned(),
        _ => text,
    }
}

#[derive(Debug)]
struct Shared {
    state: State,
    /// Counts failed attempts, so that those who waited for one do not each repeat it.
    failures: u64,
}

/// Makes connections for one DSN and keeps one usable.
pub(crate) struct Client {
    pub(crate) config: Config,
    dialer: Dialer,
    shared: Mutex<Shared>,
    /// Held while dialling.
    connecting: tokio::sync::Mutex<()>,
    session: Mutex<Session>,
    pub(crate) events: Arc<Events>,
    /// The version of the first server, in its own words.
    pub(crate) first_version: OnceLock<String>,
    /// The address to try first: where the ring of addresses goes on.
    next: AtomicUsize,
}

impl Drop for Client {
    fn drop(&mut self) {
        self.events.set(ConnectionState::Closed);
    }
}

impl Client {
    pub(crate) fn new(config: Config) -> RawResult<Self> {
        let session = Session {
            database: config.database.clone(),
            options: BTreeMap::new(),
        };
        Ok(Self {
            dialer: Dialer::new(&config)?,
            config,
            shared: Mutex::new(Shared {
                state: State::Connecting,
                failures: 0,
            }),
            connecting: tokio::sync::Mutex::new(()),
            session: Mutex::new(session),
            events: Arc::new(Events::new()),
            first_version: OnceLock::new(),
            next: AtomicUsize::new(0),
        })
    }

    /// A client with the same configuration and no connection yet.
    pub(crate) fn sibling(&self) -> RawResult<Self> {
        let sibling = Self::new(self.config.clone())?;
        #[cfg(test)]
        let sibling = {
            let mut sibling = sibling;
            sibling.dialer.pipes.clone_from(&self.dialer.pipes);
            sibling
        };
        Ok(sibling)
    }

    /// A client whose sockets are pipes.
    #[cfg(test)]
    pub(crate) fn over(config: Config, pipes: crate::transport::Pipes) -> Self {
        let mut client = Self::new(config).expect("plain configurations need no set-up");
        client.dialer.pipes = Some(pipes);
        client
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn session(&self) -> MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The version of the server that is connected now.
    pub(crate) fn current(&self) -> Option<Version> {
        match &self.shared().state {
            State::Ready(link) => Some(link.version),
            _ => None,
        }
    }

    /// The runtime that the connection's task lives on.
    pub(crate) fn home(&self) -> Option<tokio::runtime::Id> {
        match &self.shared().state {
            State::Ready(link) => Some(link.runtime.id()),
            _ => None,
        }
    }

    /// True if there is no link that takes requests.
    pub(crate) fn is_broken(&self) -> bool {
        !matches!(&self.shared().state, State::Ready(link) if link.is_usable())
    }

    /// Takes no more requests; those in flight are answered.
    pub(crate) fn close(&self) {
        self.shared().state = State::Closed;
        self.events.set(ConnectionState::Closed);
    }

    /// The server's own error; one that says that the adapter lost its connection ends ours too.
    pub(crate) fn check(&self, link: &Arc<Link>, reply: &TextReply) -> RawResult<()> {
        check(reply).inspect_err(|error| {
            if is_dead(error.code()) {
                self.retire(link, error);
            }
        })
    }

    /// Lets the next use connect again, because the adapter lost its own connection. Of no interest
    /// if another link has taken the place of this one.
    pub(crate) fn retire(&self, link: &Arc<Link>, error: &RawError) {
        let mut shared = self.shared();
        if matches!(&shared.state, State::Ready(current) if Arc::ptr_eq(current, link)) {
            self.events.set(ConnectionState::broken(error.to_string()));
            self.break_down(&mut shared, Refusal::of(error));
        }
    }

    /// The same for whichever link there is.
    pub(crate) fn retire_any(&self, error: &RawError) {
        let link = match &self.shared().state {
            State::Ready(link) => Arc::clone(link),
            _ => return,
        };
        self.retire(&link, error);
    }

    /// The ring of addresses goes on behind the one that failed.
    fn break_down(&self, shared: &mut Shared, cause: Refusal) {
        self.next.fetch_add(1, Ordering::Relaxed);
        shared.state = State::Broken { cause };
    }

    /// The usable link, if there is one.
    fn ready(&self, shared: &mut Shared) -> RawResult<Option<Arc<Link>>> {
        match &shared.state {
            State::Ready(link) if link.is_usable() => Ok(Some(link.clone())),
            State::Ready(link) => {
                let cause = Refusal::of(&link.cause().into_error(link.address()));
                self.break_down(shared, cause);
                Ok(None)
            }
            State::Connecting | State::Broken { .. } => Ok(None),
            State::Closed => Err(closed()),
        }
    }

    /// The usable link, or nothing when it is on the caller to dial. An attempt that has failed since
    /// there were this many failures is not repeated.
    fn begin(&self, failures: u64) -> RawResult<Option<Arc<Link>>> {
        // One lock for looking and writing, else a close in between would be forgotten.
        let mut shared = self.shared();
        if let Some(link) = self.ready(&mut shared)? {
            return Ok(Some(link));
        }
        if let State::Broken { cause } = &shared.state
            && shared.failures != failures
        {
            return Err(cause.error());
        }
        shared.state = State::Connecting;
        Ok(None)
    }

    /// The usable link; connects if there is none.
    ///
    /// # Cancel safety
    /// A dropped future stops dialling; the next caller starts anew, with the next address.
    pub(crate) async fn link(&self) -> RawResult<Arc<Link>> {
        let failures = {
            let mut shared = self.shared();
            if let Some(link) = self.ready(&mut shared)? {
                return Ok(link);
            }
            shared.failures
        };
        if Handle::try_current().is_err() {
            return Err(RawError::of(
                ErrorKind::Config,
                "connecting needs a tokio runtime: call this from inside one, or use the blocking API",
            ));
        }
        let _dialling = self.connecting.lock().await;
        if let Some(link) = self.begin(failures)? {
            return Ok(link);
        }
        self.events.set(ConnectionState::Connecting);
        // Dialling is rare and large; without the box every call's future would have room for it.
        let connected: Pin<Box<dyn Future<Output = RawResult<Link>> + Send + '_>> =
            Box::pin(self.traced(crate::telemetry::span("connect"), self.connect()));
        let connected = connected.await;
        let mut shared = self.shared();
        if matches!(shared.state, State::Closed) {
            return Err(closed());
        }
        match connected {
            Ok(link) => {
                let link = Arc::new(link);
                link.announce();
                shared.state = State::Ready(link.clone());
                Ok(link)
            }
            Err(error) => {
                shared.failures += 1;
                self.events.set(ConnectionState::broken(error.to_string()));
                shared.state = State::Broken {
                    cause: Refusal::of(&error),
                };
                Err(error)
            }
        }
    }

    /// Tries every address, `1 + conn_retries` times, with growing pauses between the rounds, all
    /// within `conn_total_timeout`.
    async fn connect(&self) -> RawResult<Link> {
        let limit = self.config.conn_total_timeout;
        let deadline = Instant::now() + limit;
        let mut last = None;
        let connected = timeout_at(deadline, self.rounds(deadline, &mut last)).await;
        match connected {
            Ok(Some(link)) => Ok(link),
            Ok(None) => Err(last.unwrap_or_else(no_address)),
            Err(_) => Err(match last {
                Some(error) => error.context(format!(
                    "gave up after {limit:?} (conn_total_timeout sets the limit)"
                )),
                None => RawError::of(
                    ErrorKind::Timeout,
                    format!(
                        "no address of the DSN could be reached within {limit:?}; \
                         conn_total_timeout sets the limit"
                    ),
                )
                .with_code(Code::WS_RECV_TIMEOUT),
            }),
        }
    }

    /// The link, or nothing and the error of the last try.
    async fn rounds(&self, deadline: Instant, last: &mut Option<RawError>) -> Option<Link> {
        let mut round = 0;
        loop {
            let mut hopeless = true;
            let start = self.next.load(Ordering::Relaxed);
            for step in 0..self.config.addresses.len() {
                let at = start.wrapping_add(step) % self.config.addresses.len();
                let Some(address) = self.config.addresses.get(at) else {
                    continue;
                };
                // One who gives up here must not begin with the same mute server the next time.
                self.next.store(at.wrapping_add(1), Ordering::Relaxed);
                match self.open(address).await {
                    Ok(link) => {
                        self.next.store(at, Ordering::Relaxed);
                        return Some(link);
                    }
                    Err(error) => {
                        tracing::debug!(%address, %error, "cannot connect");
                        // Another try would not help, and too many lock the user out.
                        let refused = error.kind() == ErrorKind::Auth;
                        hopeless &= is_hopeless(&error);
                        *last = Some(error);
                        if refused {
                            return None;
                        }
                    }
                }
            }
            if hopeless || round >= self.config.conn_retries {
                return None;
            }
            round += 1;
            let pause = self.config.backoff(round);
            if Instant::now() + pause >= deadline {
                return None;
            }
            sleep(pause).await;
        }
    }

    async fn open(&self, address: &crate::config::Address) -> RawResult<Link> {
        let dialed = self.dialer.dial(&self.config, address).await?;
        let session = self.session().clone();
        let name = address.to_string();
        let lease = self.events.lease();
        let (link, database) = login(dialed, &self.config, &name, &session, lease).await?;
        let _ = self.first_version.set(link.version_text.clone());
        if database != session.database {
            self.session().database = database;
        }
        Ok(link)
    }

    /// Runs a statement and resends it as the table in [`crate::resend`] allows.
    pub(crate) async fn query(
        &self,
        sql: &str,
        req_id: u64,
        reading: Reading,
    ) -> RawResult<QueryAnswer> {
        let effect = Effect::of(sql);
        let answer = self
            .with_resend(&effect, "the statement", |link| async move {
                let answer = link.statement(req_id, sql, reading).await?;
                self.check(&link, &answer.reply)?;
                Ok(answer)
            })
            .await?;
        if effect == Effect::Session
            && let Some(database) = crate::resend::used_database(sql)
        {
            self.session().database = database;
        }
        Ok(answer)
    }

    /// Sends a request, waits at most `read_timeout`, and sends it again if that is allowed.
    /// Whatever has to be looked at before sending or in the answer belongs into `send`, which knows
    /// the connection.
    pub(crate) async fn with_resend<T, F, W>(
        &self,
        effect: &Effect,
        what: &str,
        send: F,
    ) -> RawResult<T>
    where
        F: Fn(Arc<Link>) -> W,
        W: Future<Output = Result<T, Stop>>,
    {
        let mut tries = Tries::new(self, what);
        loop {
            let link = tries.link().await?;
            let ended = tries.attempt(&link, send(link.clone())).await;
            if let Some(answer) = tries.settle(&link, effect, ended)? {
                return Ok(answer);
            }
        }
    }
}

impl Link {
    /// Sends a statement in the newest form that the server knows (taosadapter-ws §16).
    async fn statement(
        &self,
        req_id: u64,
        sql: &str,
        reading: Reading,
    ) -> Result<QueryAnswer, Failure> {
        use crate::connection::{Payload, text};
        use crate::protocol::{Action, SqlArgs};
        let payload = if self.version >= Version::BINARY_SQL {
            Payload::Binary(encode_query(req_id, sql).ok_or(Failure::TooLong)?)
        } else {
            text(&Action::Query, &SqlArgs::new(req_id, sql))
        };
        self.query(req_id, payload, reading).await
    }
}

/// The server's own error, with its code and words.
pub(crate) fn check(reply: &TextReply) -> RawResult<()> {
    if reply.code == 0 {
        Ok(())
    } else {
        Err(RawError::new(reply.code, reply.message.clone()))
    }
}

/// Errors that another try would only repeat.
fn is_hopeless(error: &RawError) -> bool {
    match error.kind() {
        ErrorKind::Connect => error.code() == Code::WS_TLS || error.code() == Code::WS_ERROR,
        ErrorKind::Timeout | ErrorKind::ConnectionLost => false,
        ErrorKind::Server => !is_passing(error.code()),
        _ => true,
    }
}

/// Server codes after which only a new connection helps (taosadapter-ws §13).
pub(crate) fn is_dead(code: Code) -> bool {
    matches!(i32::from(code), 0x020B | 0x0213 | 0x0215)
}

/// Server codes of a state that passes: no network, busy, starting, stopping (taosadapter-ws §13).
pub(crate) fn is_passing(code: Code) -> bool {
    matches!(
        i32::from(code),
        0x000B | 0x0018..=0x0021 | 0x0022..=0x0024 | 0x0130 | 0x0131
    )
}

fn closed() -> RawError {
    RawError::of(
        ErrorKind::Closed,
        "the connection was closed by this program; build another",
    )
    .with_code(Code::WS_CLOSED)
}

fn no_address() -> RawError {
    RawError::of(ErrorKind::Config, "the DSN names no address").with_code(Code::WS_DSN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_who_is_about_to_dial_does_not_open_again_what_was_closed_meanwhile() {
        let dsn: taos_query::Dsn = "ws://h".parse().unwrap();
        let client = Client::new(Config::from_dsn(&dsn).unwrap()).unwrap();
        assert!(client.begin(0).unwrap().is_none());
        client.close();
        for _ in 0..2 {
            assert_eq!(client.begin(0).unwrap_err().kind(), ErrorKind::Closed);
        }
    }
}
