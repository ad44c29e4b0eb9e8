//! QuestDB behind the common traits: the builder and the connection.

mod describe;
mod exec;
mod health;
mod lines;
mod query;
mod result;
mod state;
#[cfg(test)]
mod tests;
mod trouble;

use std::fmt;
use std::sync::{Arc, OnceLock};

use futures_util::{Stream, TryStreamExt as _};
use taos_query::dsn::QUESTDB_PARAMS;
use taos_query::util::Edition;
use taos_query::{
    AsyncFetchable as _, AsyncTBuilder, ConnectionState, ErrorKind, IntoDsn, RawError, RawResult,
};
use tokio::sync::OnceCell;
use tokio::time::timeout;

use crate::http;
use crate::ingress::Protocol;
use crate::qwp::egress::{Bind, Session};
use crate::settings::{Auth, Settings};

pub use result::ResultSet;

use health::Release;
use lines::Senders;
use state::States;
pub(crate) use trouble::Trouble;

/// Makes connections to QuestDB from a DSN.
///
/// `questdb://host:9000` and `questdb+http://` speak HTTP, `questdb+https://` the same over TLS. Lines
/// alone go over `questdb+tcp://` and `questdb+tcps://`, queries and lines in the binary protocol
/// over `questdb+ws://` and `questdb+wss://`.
///
/// ```
/// use taos_questdb::TaosBuilder;
/// use taos_query::prelude::*;
///
/// let builder = TaosBuilder::from_dsn("questdb://admin:quest@localhost:9000")?;
/// # async fn run(builder: TaosBuilder) -> RawResult<()> {
/// let taos = builder.build().await?;
/// let sum: Option<i64> = taos.query_one("select sum(x) from long_sequence(10)").await?;
/// assert_eq!(sum, Some(55));
/// # Ok(())
/// # }
/// # let _ = run;
/// # Ok::<(), RawError>(())
/// ```
pub struct TaosBuilder {
    settings: Arc<Settings>,
    release: OnceCell<Release>,
}

/// A connection to QuestDB. Share it by reference: many statements may be under way at the same time,
/// each over an HTTP connection of its own, and those are kept for the next.
///
/// Over HTTP and TCP nothing runs in the background: a connection is driven by whoever awaits it. The
/// rows of a write over QWP are sent by a task.
pub struct Taos {
    pub(crate) shared: Arc<Shared>,
}

/// What a connection, its statements and its results have in common.
pub(crate) struct Shared {
    pub(crate) settings: Arc<Settings>,
    pub(crate) way: Way,
    senders: Senders,
    /// HTTP beside QWP, for lines.
    lines: OnceLock<http::Client>,
    release: OnceCell<Release>,
    states: Arc<States>,
}

/// How the server is reached.
pub(crate) enum Way {
    Http(http::Client),
    /// Lines only.
    Tcp,
    /// QWP.
    WebSocket(Session),
}

impl Shared {
    /// Remembers whether the server could be reached.
    pub(crate) fn note<T>(&self, outcome: Result<T, impl Into<Trouble>>) -> RawResult<T> {
        match outcome.map_err(Into::into) {
            Ok(value) => {
                self.states.ready();
                Ok(value)
            }
            Err(trouble) => {
                self.states.trouble(&trouble);
                Err(trouble.error)
            }
        }
    }

    async fn query(&self, sql: &str) -> RawResult<ResultSet> {
        let result = match &self.way {
            // On the heap, because callers keep these futures inside their own.
            Way::Http(client) => Box::pin(exec::run(client, &self.settings, sql))
                .await
                .map(ResultSet::http),
            Way::WebSocket(session) => Box::pin(session.query(sql, &[]))
                .await
                .map(ResultSet::qwp)
                .map_err(Trouble::from),
            Way::Tcp => Err(lines_only("running SQL").into()),
        };
        self.note(result.map(|result| result.noted_in(&self.states)))
    }

    /// Runs a statement and reads its answer to the end, because only there it is known to have worked.
    async fn exec(&self, sql: &str) -> RawResult<usize> {
        let mut result = self.query(sql).await?;
        let limit = exec::patience(&self.settings);
        let mut blocks = result.blocks();
        let end = async {
            while blocks.try_next().await?.is_some() {}
            RawResult::Ok(())
        };
        match timeout(limit, end).await {
            Ok(end) => end?,
            Err(_) => {
                return Err(RawError::of(
                    ErrorKind::Timeout,
                    format!(
                        "rows of the statement still come after {limit:?}: read them with `query`, or \
                         raise `query_timeout_ms` in the DSN"
                    ),
                ));
            }
        }
        drop(blocks);
        Ok(usize::try_from(result.affected_rows64()).unwrap_or_default())
    }

    /// As `query`, with values for the placeholders; over QWP only.
    pub(crate) async fn query_bound(&self, sql: &str, binds: &[Bind]) -> RawResult<ResultSet> {
        let Way::WebSocket(session) = &self.way else {
            return Err(RawError::unsupported(
                "binding values to a query",
                "QuestDB",
            ));
        };
        let result = session.query(sql, binds).await.map(ResultSet::qwp);
        self.note(result.map(|result| result.noted_in(&self.states)))
    }

    /// HTTP to the same servers, made once.
    pub(crate) fn lines_client(&self) -> crate::Result<&http::Client> {
        match &self.way {
            Way::Http(client) => Ok(client),
            _ => match self.lines.get() {
                Some(client) => Ok(client),
                None => {
                    let client = http::Client::new(&self.settings)?;
                    Ok(self.lines.get_or_init(|| client))
                }
            },
        }
    }

    /// What the server says about itself, asked once.
    async fn release(&self) -> RawResult<&Release> {
        let ask = || async {
            let release = match &self.way {
                Way::Http(client) => Box::pin(health::release(client)).await,
                Way::WebSocket(session) => Box::pin(health::release_over_qwp(session)).await,
                Way::Tcp => Err(lines_only("asking for the server's version")),
            };
            self.note(release.map_err(Trouble::asking))
        };
        self.release.get_or_try_init(ask).await
    }

    async fn version(&self) -> RawResult<&str> {
        Ok(&self.release().await?.version)
    }

    async fn ping(&self) -> RawResult<()> {
        let answer = match &self.way {
            Way::Http(client) => Box::pin(health::ping(client)).await,
            Way::Tcp => self.ping_sender().await.map_err(health::unreachable),
            Way::WebSocket(session) => Box::pin(session.ask("select 1"))
                .await
                .map(drop)
                .map_err(Into::into),
        };
        self.note(answer.map_err(Trouble::asking))
    }
}

/// The error of what the TCP listener, which takes lines only, cannot do.
#[cold]
fn lines_only(what: &str) -> RawError {
    let text = format!(
        "{what} is not supported over QuestDB's TCP, which takes lines only; use \
         `questdb+http://host:9000`"
    );
    RawError::of(ErrorKind::Unsupported, text)
}

impl TaosBuilder {
    pub(crate) fn from_settings(settings: Arc<Settings>) -> Self {
        Self {
            settings,
            release: OnceCell::new(),
        }
    }

    async fn shared(&self) -> RawResult<Shared> {
        let settings = &self.settings;
        let way = match settings.protocol {
            Protocol::Http | Protocol::Https => Way::Http(http::Client::new(settings)?),
            Protocol::Tcp | Protocol::Tcps => Way::Tcp,
            Protocol::Ws | Protocol::Wss => {
                let session = Box::pin(Session::connect(Arc::clone(settings))).await;
                Way::WebSocket(session.map_err(health::unreachable)?)
            }
        };
        let address = settings.addresses.first();
        let address = address.map(ToString::to_string).unwrap_or_default();
        Ok(Shared {
            settings: Arc::clone(settings),
            way,
            senders: Senders::default(),
            lines: OnceLock::new(),
            release: OnceCell::new(),
            states: Arc::new(States::new(&address)),
        })
    }
}

impl TaosBuilder {
    async fn release(&self) -> RawResult<&Release> {
        let ask = || async { self.shared().await?.release().await.cloned() };
        self.release.get_or_try_init(ask).await
    }
}

impl AsyncTBuilder for TaosBuilder {
    type Target = Taos;

    fn available_params() -> &'static [&'static str] {
        QUESTDB_PARAMS
    }

    fn from_dsn<D: IntoDsn>(dsn: D) -> RawResult<Self> {
        let settings = Settings::from_dsn(&dsn.into_dsn()?)?;
        if settings.ingest.sf_dir.is_some() {
            // One directory has one writer at a time, and a connection writes as often as it is asked.
            return Err(RawError::of(
                ErrorKind::Config,
                "`sf_dir` keeps the rows of one sender, not of a connection that writes many times at \
                 once: leave it out of the DSN, or use `questdb::ingress::Sender` with it",
            ));
        }
        Ok(Self::from_settings(Arc::new(settings)))
    }

    fn client_version() -> &'static str {
        env!("CARGO_PKG_VERSION")
    }

    /// The server's release, such as `9.3.4`.
    async fn server_version(&self) -> RawResult<&str> {
        Ok(&self.release().await?.version)
    }

    async fn ping(&self, target: &mut Taos) -> RawResult<()> {
        target.shared.ping().await
    }

    /// `community` for the open-source release, `official` for the others.
    async fn get_edition(&self) -> RawResult<Edition> {
        self.release().await?.edition()
    }

    /// Connects. Over HTTP the server is asked for its version, and if there is a user, whether it
    /// lets that user in.
    ///
    /// # Errors
    /// `Connect` when no server answers at the addresses, `Auth` when it refuses the user.
    async fn build(&self) -> RawResult<Taos> {
        let shared = Arc::new(self.shared().await?);
        match &shared.way {
            Way::Http(client) => {
                shared.release().await?;
                if shared.settings.auth != Auth::None {
                    Box::pin(exec::log_in(client)).await?;
                }
            }
            Way::Tcp => shared.connect_sender().await.map_err(health::unreachable)?,
            Way::WebSocket(_) => {}
        }
        Ok(Taos { shared })
    }
}

impl Taos {
    /// The state of the connection, as the last statement found it.
    pub fn connection_state(&self) -> ConnectionState {
        self.shared.states.now()
    }

    /// The present state of the connection and then each change, until it is dropped.
    pub fn connection_events(&self) -> impl Stream<Item = ConnectionState> + Send + use<> {
        self.shared.states.watch()
    }

    /// Another connection made from the same DSN.
    pub(crate) async fn another(&self) -> RawResult<Self> {
        TaosBuilder::from_settings(Arc::clone(&self.shared.settings))
            .build()
            .await
    }
}

impl fmt::Debug for TaosBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaosBuilder")
            .field("protocol", &self.settings.protocol)
            .field("addresses", &self.settings.addresses)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Taos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Taos")
            .field("protocol", &self.shared.settings.protocol)
            .field("state", &self.connection_state())
            .finish_non_exhaustive()
    }
}
