use super::upgrade::{Refusal, Request, upgrade};
use super::{BoxSocket, WebSocket};
use crate::config::{Address, Config, Endpoint};
use std::future::Future;
#[cfg(feature = "rustls")]
use std::sync::OnceLock;
use std::time::Duration;
use taos_query::{Code, ErrorKind, RawError};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Gives the client's end of a pipe, or nothing to refuse the connection.
#[cfg(test)]
pub(crate) type Pipes = std::sync::Arc<dyn Fn(&Address) -> Option<BoxSocket> + Send + Sync>;

/// The endpoint of servers before 3.1.1.15 and 3.2.2.0 (taosadapter-ws §12).
const OLD_PATH: &str = "/rest/ws";
const PATH: &str = "/ws";
/// The endpoint of consumers (taosadapter-ws §1).
const TOPICS_PATH: &str = "/rest/tmq";

/// A connection that is not logged in yet.
pub(crate) struct Dialed {
    pub(crate) socket: WebSocket<BoxSocket>,
    /// It was made to the old endpoint, which knows a few actions and says nothing to others.
    pub(crate) old: bool,
}

/// Opens sockets for one configuration.
pub(crate) struct Dialer {
    /// Gives pipes in place of TCP sockets.
    #[cfg(test)]
    pub(crate) pipes: Option<Pipes>,
    #[cfg(feature = "rustls")]
    tls: OnceLock<tokio_rustls::TlsConnector>,
}

impl Dialer {
    /// Prepares TLS if the configuration asks for it.
    pub(crate) fn new(config: &Config) -> Result<Self, RawError> {
        let dialer = Self {
            #[cfg(test)]
            pipes: None,
            #[cfg(feature = "rustls")]
            tls: OnceLock::new(),
        };
        #[cfg(feature = "rustls")]
        if config.secure {
            dialer.connector(config)?;
        }
        #[cfg(not(feature = "rustls"))]
        if config.secure {
            return Err(RawError::of(
                ErrorKind::Config,
                "wss:// needs the Cargo feature `rustls` of taos-ws (`ws-rustls` of taos)",
            ));
        }
        Ok(dialer)
    }

    #[cfg(feature = "rustls")]
    fn connector(&self, config: &Config) -> Result<&tokio_rustls::TlsConnector, RawError> {
        if let Some(connector) = self.tls.get() {
            return Ok(connector);
        }
        let made = super::connector(&config.tls)?;
        Ok(self.tls.get_or_init(|| made))
    }

    /// TCP, TLS and upgrade, each within `conn_timeout`.
    ///
    /// A server that wants TLS gets it although the DSN does not ask for it, verified as always; one
    /// without the usual endpoint is asked for the old one (taosadapter-ws §1).
    pub(crate) async fn dial(
        &self,
        config: &Config,
        address: &Address,
    ) -> Result<Dialed, RawError> {
        let (usual, may_be_old) = match config.endpoint {
            Endpoint::Sql => (PATH, true),
            Endpoint::Topics => (TOPICS_PATH, false),
        };
        let (mut secure, mut path) = (config.secure, usual);
        let mut missing = None;
        loop {
            let io = self.open(config, address, secure).await?;
            let old = path == OLD_PATH;
            match over(io, config, address, path).await {
                Ok(socket) => return Ok(Dialed { socket, old }),
                Err(Refusal::WantsTls(_)) if !secure && cfg!(feature = "rustls") => {
                    tracing::debug!(%address, "the server asks for TLS");
                    secure = true;
                }
                Err(Refusal::NoEndpoint(error)) if may_be_old && !old => {
                    missing = Some(error);
                    path = OLD_PATH;
                }
                // What the usual endpoint said tells more.
                Err(Refusal::NoEndpoint(error)) => return Err(missing.unwrap_or(error)),
                Err(refusal) => return Err(refusal.into_error()),
            }
        }
    }

    async fn open(
        &self,
        config: &Config,
        address: &Address,
        secure: bool,
    ) -> Result<BoxSocket, RawError> {
        let name = address.to_string();
        let tcp = self.tcp(config, address, &name).await?;
        #[cfg(feature = "rustls")]
        if secure {
            let host = address.bare_host().to_owned();
            let server = rustls::pki_types::ServerName::try_from(host).map_err(|error| {
                RawError::of(
                    ErrorKind::Config,
                    format!("`{name}` cannot be the name in a certificate: {error}"),
                )
                .with_code(Code::WS_TLS)
            })?;
            let tls = step(
                config.conn_timeout,
                &name,
                "TLS handshake (does the port expect TLS? if not, use ws://)",
                self.connector(config)?.connect(server, tcp),
            )
            .await?
            .map_err(|error| super::tls::handshake_error(&error, &name))?;
            return Ok(Box::new(tls));
        }
        let _ = secure;
        Ok(tcp)
    }

    async fn tcp(
        &self,
        config: &Config,
        address: &Address,
        name: &str,
    ) -> Result<BoxSocket, RawError> {
        #[cfg(test)]
        if let Some(pipes) = &self.pipes {
            let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
            return pipes(address).ok_or_else(|| tcp_error(&refused, name));
        }
        let tcp = step(
            config.conn_timeout,
            name,
            "TCP connection",
            TcpStream::connect((address.bare_host(), address.port)),
        )
        .await?
        .map_err(|error| tcp_error(&error, name))?;
        tcp.set_nodelay(true)
            .map_err(|error| tcp_error(&error, name))?;
        Ok(Box::new(tcp))
    }
}

/// The upgrade over an open socket, within `conn_timeout`.
async fn over(
    io: BoxSocket,
    config: &Config,
    address: &Address,
    path: &str,
) -> Result<WebSocket<BoxSocket>, Refusal> {
    let name = address.to_string();
    let mut target = zeroize::Zeroizing::new(path.to_owned());
    if let Some(token) = &config.token {
        target.push_str("?token=");
        target.extend(url::form_urlencoded::byte_serialize(
            token.expose().as_bytes(),
        ));
    }
    let request = Request {
        host: &name,
        path: &target,
        address: &name,
        max_message: config.max_message_size,
        compression: config.compression,
    };
    step(
        config.conn_timeout,
        &name,
        "WebSocket upgrade",
        upgrade(io, request),
    )
    .await?
}

async fn step<T>(
    limit: Duration,
    address: &str,
    what: &str,
    work: impl Future<Output = T>,
) -> Result<T, RawError> {
    timeout(limit, work).await.map_err(|_| {
        RawError::of(
            ErrorKind::Timeout,
            format!(
                "no answer from {address} within {limit:?} during the {what}; \
                 conn_timeout sets the limit"
            ),
        )
        .with_code(Code::WS_RECV_TIMEOUT)
    })
}

/// The cause is in the text and therefore not also a source, which printers of chains would repeat.
fn tcp_error(error: &std::io::Error, address: &str) -> RawError {
    let hint = match error.kind() {
        std::io::ErrorKind::ConnectionRefused => {
            "nothing listens there; is taosAdapter running, and is this its port (6041)?"
        }
        std::io::ErrorKind::NotFound => "check the host name in the DSN",
        _ => "check the address in the DSN",
    };
    RawError::of(
        ErrorKind::Connect,
        format!("cannot connect to {address}: {error}; {hint}"),
    )
    .with_code(Code::WS_IO)
}
