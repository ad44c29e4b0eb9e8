use super::upgrade::upgrade;
use super::{BoxSocket, WebSocket};
use crate::config::{Address, Config};
use std::future::Future;
use std::time::Duration;
use taos_query::{Code, ErrorKind, RawError};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Gives the client's end of a pipe, or nothing to refuse the connection.
#[cfg(test)]
pub(crate) type Pipes = std::sync::Arc<dyn Fn(&Address) -> Option<BoxSocket> + Send + Sync>;

/// Opens sockets for one configuration.
pub(crate) struct Dialer {
    /// Gives pipes in place of TCP sockets.
    #[cfg(test)]
    pub(crate) pipes: Option<Pipes>,
    #[cfg(feature = "rustls")]
    tls: Option<tokio_rustls::TlsConnector>,
}

impl Dialer {
    /// Prepares TLS if the configuration asks for it.
    pub(crate) fn new(config: &Config) -> Result<Self, RawError> {
        #[cfg(feature = "rustls")]
        return Ok(Self {
            #[cfg(test)]
            pipes: None,
            tls: config.tls.as_ref().map(super::connector).transpose()?,
        });
        #[cfg(not(feature = "rustls"))]
        match config.tls {
            None => Ok(Self {
                #[cfg(test)]
                pipes: None,
            }),
            Some(_) => Err(RawError::of(
                ErrorKind::Config,
                "wss:// needs the Cargo feature `rustls` of taos-ws (`ws-rustls` of taos)",
            )),
        }
    }

    /// TCP, TLS and upgrade, each within `conn_timeout`.
    pub(crate) async fn dial(
        &self,
        config: &Config,
        address: &Address,
    ) -> Result<WebSocket<BoxSocket>, RawError> {
        let name = address.to_string();
        #[cfg(test)]
        if let Some(pipes) = &self.pipes {
            let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
            let pipe = pipes(address).ok_or_else(|| tcp_error(&refused, &name))?;
            return over(pipe, config, address).await;
        }
        let tcp = step(
            config.conn_timeout,
            &name,
            "TCP connection",
            TcpStream::connect((address.bare_host(), address.port)),
        )
        .await?
        .map_err(|error| tcp_error(&error, &name))?;
        tcp.set_nodelay(true)
            .map_err(|error| tcp_error(&error, &name))?;
        #[cfg(feature = "rustls")]
        if let Some(connector) = &self.tls {
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
                connector.connect(server, tcp),
            )
            .await?
            .map_err(|error| super::tls::handshake_error(&error, &name))?;
            return over(Box::new(tls), config, address).await;
        }
        over(Box::new(tcp), config, address).await
    }
}

/// The upgrade over an open socket, within `conn_timeout`.
async fn over(
    io: BoxSocket,
    config: &Config,
    address: &Address,
) -> Result<WebSocket<BoxSocket>, RawError> {
    let name = address.to_string();
    let path = match &config.token {
        Some(token) => {
            let token: String =
                url::form_urlencoded::byte_serialize(token.expose().as_bytes()).collect();
            zeroize::Zeroizing::new(format!("/ws?token={token}"))
        }
        None => zeroize::Zeroizing::new("/ws".to_owned()),
    };
    step(
        config.conn_timeout,
        &name,
        "WebSocket upgrade",
        upgrade(io, &name, &path, &name, config.max_message_size),
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
