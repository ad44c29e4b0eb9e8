use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{SockRef, Socket, TcpKeepalive};
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;

use super::patient::Patient;
use super::{BoxIo, Io, tls};
use crate::error::{Error, ErrorCode, Result, error};
use crate::settings::{Address, Settings};

/// After this long without traffic the system asks whether the peer is still there.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
/// Reads of [`Probe::drain`].
const MOST_DRAINED: usize = 256;

/// Gives the client's end of a pipe, or the error of a refused connection.
#[cfg(test)]
pub(crate) type Pipes =
    std::sync::Arc<dyn Fn(&Address) -> std::result::Result<BoxIo, Error> + Send + Sync>;

/// Opens connections for one configuration.
#[derive(Clone)]
pub(crate) struct Dialer {
    connect_limit: Duration,
    handshake_limit: Duration,
    bind: Option<String>,
    tls: Option<TlsConnector>,
    /// The code of a handshake that the peer ends by closing.
    cut: ErrorCode,
    /// Answers may come before requests have gone out.
    patient: bool,
    /// Gives pipes in place of TCP sockets.
    #[cfg(test)]
    pub(crate) pipes: Option<Pipes>,
}

/// A connection, and a second handle of its socket by which to see whether the peer has closed.
pub(crate) struct Dialed {
    pub(crate) io: BoxIo,
    pub(crate) probe: Option<Probe>,
}

/// Looks at a socket without taking anything from it.
pub(crate) struct Probe(Socket);

impl Probe {
    /// True when nothing has arrived, neither bytes nor the end. The answer is the kernel's, not that of
    /// a reactor which may not have had its turn yet.
    pub(crate) fn is_quiet(&self) -> bool {
        let mut byte = [std::mem::MaybeUninit::uninit()];
        matches!(self.0.peek(&mut byte), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// True when the peer has closed and nothing of it is left to read.
    pub(crate) fn has_ended(&self) -> bool {
        let mut byte = [std::mem::MaybeUninit::uninit()];
        matches!(self.0.peek(&mut byte), Ok(0))
    }

    /// Throws away what has arrived, at most a megabyte, since a peer may send faster than that. A
    /// socket closed with something unread throws away what is on its way to the peer.
    pub(crate) fn drain(&self) {
        let mut bytes = [std::mem::MaybeUninit::uninit(); 4096];
        for _ in 0..MOST_DRAINED {
            if !matches!(self.0.recv(&mut bytes), Ok(1..)) {
                break;
            }
        }
    }
}

impl Dialer {
    /// Prepares TLS if the protocol has it.
    ///
    /// # Errors
    /// `ConfigError` for a missing file or compiled-out roots, `TlsError` for unusable certificates.
    pub(crate) fn new(settings: &Settings) -> Result<Self> {
        let connect_limit = if settings.protocol.is_http() {
            settings.http.request_timeout
        } else {
            settings
                .ingest
                .connect_timeout
                .unwrap_or(settings.auth_timeout)
        };
        Ok(Self {
            connect_limit,
            handshake_limit: settings.auth_timeout,
            bind: settings.bind_interface.clone(),
            tls: settings.tls.as_ref().map(tls::connector).transpose()?,
            cut: tls::code_of_cut(settings.protocol),
            patient: settings.protocol.is_http(),
            #[cfg(test)]
            pipes: None,
        })
    }

    /// TCP within the connect limit, then TLS within `auth_timeout`.
    ///
    /// # Errors
    /// `CouldNotResolveAddr`, `ConnectTimeout`, `SocketError`, `TlsError`.
    pub(crate) async fn dial(&self, address: &Address) -> Result<BoxIo> {
        Ok(self.dial_with_probe(address).await?.io)
    }

    pub(crate) async fn dial_with_probe(&self, address: &Address) -> Result<Dialed> {
        #[cfg(test)]
        if let Some(pipes) = &self.pipes {
            return pipes(address).map(|io| Dialed { io, probe: None });
        }
        if Handle::try_current().is_err() {
            return Err(error!(
                InvalidApiCall,
                "connecting to {address} needs a tokio runtime: await it inside one, or use the \
                 blocking calls"
            ));
        }
        let tcp = self.tcp(address).await?;
        let probe = SockRef::from(&tcp).try_clone().ok().map(Probe);
        let io = if self.patient {
            self.secure(Patient::new(tcp), address).await?
        } else {
            self.secure(tcp, address).await?
        };
        Ok(Dialed { io, probe })
    }

    /// TLS over the connection, if the protocol has it.
    async fn secure(&self, io: impl Io + 'static, address: &Address) -> Result<BoxIo> {
        match &self.tls {
            None => Ok(Box::new(io)),
            Some(connector) => {
                tls::handshake(connector, io, address, self.handshake_limit, self.cut).await
            }
        }
    }

    async fn tcp(&self, address: &Address) -> Result<TcpStream> {
        let end = Instant::now() + self.connect_limit;
        let late = || {
            error!(
                ConnectTimeout,
                "no TCP connection to {address} within {:?}", self.connect_limit
            )
        };
        let peers = timeout_at(end, resolve(&address.host, address.port, "host"))
            .await
            .map_err(|_| late())??;
        let locals = match &self.bind {
            None => Vec::new(),
            Some(name) => timeout_at(end, resolve(name, 0, "bind_interface"))
                .await
                .map_err(|_| late())??,
        };
        let mut last = None;
        let mut left = u32::try_from(peers.len()).unwrap_or(u32::MAX);
        for peer in peers {
            // An address that swallows packets leaves the others their share of the time.
            let share = end.saturating_duration_since(Instant::now()) / left.max(1);
            left = left.saturating_sub(1);
            last = Some(match timeout(share, connect(peer, &locals)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => refused(address, peer, &error),
                Err(_) => late(),
            });
        }
        Err(last.unwrap_or_else(|| {
            error!(
                CouldNotResolveAddr,
                "the host of {address} has no addresses"
            )
        }))
    }
}

async fn resolve(host: &str, port: u16, what: &str) -> Result<Vec<SocketAddr>> {
    match lookup_host((host, port)).await {
        Ok(found) => Ok(found.collect()),
        Err(error) => Err(error!(
            CouldNotResolveAddr,
            "could not resolve the {what} {host:?}: {error}"
        )),
    }
}

async fn connect(peer: SocketAddr, locals: &[SocketAddr]) -> io::Result<TcpStream> {
    let socket = if peer.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    if !locals.is_empty() {
        let same_family = locals
            .iter()
            .find(|local| local.is_ipv4() == peer.is_ipv4());
        let local = same_family.ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::AddrNotAvailable,
                "bind_interface has no address of the same family",
            )
        })?;
        socket.set_reuseaddr(true)?;
        socket.bind(*local)?;
    }
    socket.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_IDLE)
        .with_interval(KEEPALIVE_INTERVAL);
    SockRef::from(&socket).set_tcp_keepalive(&keepalive)?;
    socket.connect(peer).await
}

fn refused(address: &Address, peer: SocketAddr, error: &io::Error) -> Error {
    let hint = if error.kind() == io::ErrorKind::ConnectionRefused {
        "; nothing listens there: is QuestDB running, and is this its port?"
    } else {
        ""
    };
    error!(
        SocketError,
        "could not connect to {address} ({}): {error}{hint}",
        peer.ip()
    )
}
