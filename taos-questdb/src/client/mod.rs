//! QuestDB behind the common traits: the builder and the connection.

mod describe;
mod dsn;
mod exec;
mod query;
mod result;
mod state;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use futures_util::Stream;
use serde_json::Value;
use taos_query::{AsyncTBuilder, ConnectionState, ErrorKind, IntoDsn, RawError, RawResult};
use tokio::sync::OnceCell;

use crate::http;
use crate::ingress::Protocol;
use crate::settings::Settings;

pub use result::ResultSet;

use state::States;

/// The answer to `/settings` is short; longer ones are not read.
const MAX_SETTINGS: usize = 4 << 20;

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
    version: OnceCell<String>,
}

/// A connection to QuestDB. Share it by reference: many statements may be under way at the same time,
/// each over an HTTP connection of its own, and those are kept for the next.
///
/// Nothing runs in the background: a connection is driven by whoever awaits it.
pub struct Taos {
    pub(crate) shared: Arc<Shared>,
}

/// What a connection, its statements and its results have in common.
pub(crate) struct Shared {
    pub(crate) settings: Arc<Settings>,
    pub(crate) way: Way,
    version: OnceCell<String>,
    states: States,
}

/// How the server is reached.
pub(crate) enum Way {
    Http(http::Client),
    /// Lines only.
    Tcp,
    /// QWP.
    WebSocket,
}

impl Shared {
    /// The client for queries over HTTP.
    pub(crate) fn http(&self, what: &str) -> RawResult<&http::Client> {
        match &self.way {
            Way::Http(client) => Ok(client),
            Way::Tcp => Err(RawError::unsupported(
                format_args!("{what} (use `questdb+http` for it)"),
                "QuestDB over TCP",
            )),
            Way::WebSocket => Err(RawError::unsupported(
                format_args!("{what} (use `questdb+http` for it)"),
                "QuestDB over WebSocket",
            )),
        }
    }

    /// Remembers whether the server could be reached.
    fn note<T>(&self, outcome: RawResult<T>) -> RawResult<T> {
        match &outcome {
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::Connect | ErrorKind::ConnectionLost | ErrorKind::Timeout
                ) =>
            {
                self.states.broken(error);
            }
            Ok(_) => self.states.ready(),
            Err(_) => {}
        }
        outcome
    }

    /// The server's version, asked once.
    async fn version(&self) -> RawResult<&str> {
        let version = self
            .version
            .get_or_try_init(|| async {
                let client = self.http("asking for the server's version")?;
                self.note(version(client).await)
            })
            .await?;
        Ok(version)
    }

    async fn ping(&self) -> RawResult<()> {
        match &self.way {
            Way::Http(client) => self.note(ping(client).await),
            Way::Tcp | Way::WebSocket => Ok(()),
        }
    }
}

/// What `release.version` of `/settings` says; this needs no user (questdb §5.1).
async fn version(client: &http::Client) -> RawResult<String> {
    let request = http::Request::get("/settings", client.limits().request_timeout);
    let response = client.request(request).await.map_err(unreachable)?;
    let (status, url) = (response.status(), response.url().to_owned());
    let body = response.read_to_end(MAX_SETTINGS).await?;
    let wrong = |what: &str| {
        RawError::of(
            ErrorKind::Connect,
            format!("{url} {what}: is this the HTTP port of a QuestDB server?"),
        )
    };
    if matches!(status.as_u16(), 401 | 403) {
        return Err(exec::refused(status.as_u16(), &body));
    }
    if !status.is_success() {
        return Err(wrong(&format!("answers status {}", status.as_u16())));
    }
    let settings: Value =
        serde_json::from_slice(&body).map_err(|_| wrong("does not answer with JSON"))?;
    let config = settings.get("config").unwrap_or(&settings);
    let version = config.get("release.version").and_then(Value::as_str);
    version
        .map(str::to_owned)
        .ok_or_else(|| wrong("does not tell a version"))
}

/// One cheap request that asks nothing of the database.
async fn ping(client: &http::Client) -> RawResult<()> {
    let request = http::Request::get("/ping", client.limits().request_timeout);
    let response = client.request(request).await.map_err(unreachable)?;
    let status = response.status();
    if !status.is_success() {
        return Err(RawError::of(
            ErrorKind::Server,
            format!("{} answers status {}", response.url(), status.as_u16()),
        ));
    }
    response.read_to_end(MAX_SETTINGS).await?;
    Ok(())
}

/// A connection error with what to look at.
fn unreachable(error: crate::Error) -> RawError {
    let hint = matches!(
        error.code(),
        crate::ErrorCode::SocketError
            | crate::ErrorCode::ConnectTimeout
            | crate::ErrorCode::CouldNotResolveAddr
    );
    let raw = RawError::from(error);
    if !hint {
        return raw;
    }
    let kind = if raw.kind() == ErrorKind::ConnectionLost && !raw.outcome_unknown() {
        ErrorKind::Connect
    } else {
        raw.kind()
    };
    raw.with_kind(kind)
        .context("QuestDB cannot be reached (it listens for HTTP on port 9000 by default)")
}

impl TaosBuilder {
    pub(crate) fn from_settings(settings: Arc<Settings>) -> Self {
        Self {
            settings,
            version: OnceCell::new(),
        }
    }

    fn client(&self) -> RawResult<http::Client> {
        Ok(http::Client::new(&self.settings)?)
    }

    /// A connection that nothing has been sent over.
    fn shared(&self) -> RawResult<Shared> {
        let way = match self.settings.protocol {
            Protocol::Http | Protocol::Https => Way::Http(self.client()?),
            Protocol::Tcp | Protocol::Tcps => Way::Tcp,
            _ => Way::WebSocket,
        };
        let address = self.settings.addresses.first();
        let address = address.map(ToString::to_string).unwrap_or_default();
        Ok(Shared {
            settings: Arc::clone(&self.settings),
            way,
            version: OnceCell::new(),
            states: States::new(&address),
        })
    }
}

impl AsyncTBuilder for TaosBuilder {
    type Target = Taos;

    fn available_params() -> &'static [&'static str] {
        dsn::params()
    }

    fn from_dsn<D: IntoDsn>(dsn: D) -> RawResult<Self> {
        let settings = dsn::settings(&dsn.into_dsn()?)?;
        Ok(Self::from_settings(Arc::new(settings)))
    }

    fn client_version() -> &'static str {
        env!("CARGO_PKG_VERSION")
    }

    /// The server's release, such as `9.3.4`.
    async fn server_version(&self) -> RawResult<&str> {
        let version = self
            .version
            .get_or_try_init(|| async {
                let shared = self.shared()?;
                shared.version().await.map(str::to_owned)
            })
            .await?;
        Ok(version)
    }

    async fn ping(&self, target: &mut Taos) -> RawResult<()> {
        target.shared.ping().await
    }

    /// Asks the server for its version, and if there is a user, whether it lets that user in.
    async fn build(&self) -> RawResult<Taos> {
        let shared = Arc::new(self.shared()?);
        if let Way::Http(client) = &shared.way {
            shared.version().await?;
            if shared.settings.auth != crate::settings::Auth::None {
                exec::log_in(client).await?;
            }
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
