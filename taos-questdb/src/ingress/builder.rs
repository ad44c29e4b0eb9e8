use std::path::PathBuf;
use std::time::Duration;

use super::conf::{Draft, Use};
use super::{AsyncSender, CertificateAuthority, Port, Protocol, ProtocolVersion, Sender};
use crate::error::Result;
use crate::settings::{InitialConnect, Settings};

/// Who moves the messages of a QWP sender (questdb §1.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QwpWsProgress {
    /// The sender by itself.
    Background,
    /// The program, by calls.
    Manual,
}

/// Collects the settings of a sender, from a configuration string and by methods.
///
/// A setting given twice with the same value is fine; with another value it is an error that names
/// it. What depends on several settings is checked when the sender is built.
///
/// ```
/// use std::time::Duration;
/// use taos_questdb::ingress::{Protocol, SenderBuilder};
///
/// let builder = SenderBuilder::from_conf("http::addr=localhost:9000;retry_timeout=5000;")?
///     .retry_timeout(Duration::from_secs(5))?
///     .username("admin")?
///     .password("quest")?;
/// assert!(builder.retry_timeout(Duration::from_secs(6)).is_err());
///
/// let builder = SenderBuilder::new(Protocol::Tcp, "localhost", 9009);
/// assert!(builder.retry_timeout(Duration::from_secs(5)).is_err(), "only HTTP repeats");
/// # Ok::<(), taos_questdb::Error>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct SenderBuilder(Draft);

/// A method that hands a value to the setter of the same name.
macro_rules! setters {
    ($($(#[$doc:meta])* $name:ident($value:ident: $ty:ty);)*) => {$(
        $(#[$doc])*
        ///
        /// # Errors
        /// `ConfigError`: out of range, not for this protocol, or already set to another value.
        pub fn $name(mut self, $value: $ty) -> Result<Self> {
            self.0.$name($value)?;
            Ok(self)
        }
    )*};
}

impl SenderBuilder {
    /// Reads a configuration string (questdb §1.1), as `http::addr=localhost:9000;`.
    ///
    /// # Errors
    /// `ConfigError` naming the key or the position, never a value.
    pub fn from_conf<T: AsRef<str>>(conf: T) -> Result<Self> {
        Draft::from_conf(conf.as_ref(), Use::Ingest).map(Self)
    }

    /// Reads the configuration string in the environment variable `QDB_CLIENT_CONF`.
    ///
    /// # Errors
    /// `ConfigError` if it is not set, otherwise as [`from_conf`](Self::from_conf).
    pub fn from_env() -> Result<Self> {
        Draft::from_env(Use::Ingest).map(Self)
    }

    /// The defaults, with one address. Nothing is checked yet.
    pub fn new<H: Into<String>, P: Into<Port>>(protocol: Protocol, host: H, port: P) -> Self {
        Self(Draft::to(protocol, host.into(), port.into()))
    }

    /// Another server for when the others cannot be reached. Senders stay with the last one that
    /// answered.
    pub fn address<H: Into<String>, P: Into<Port>>(mut self, host: H, port: P) -> Self {
        self.0.add_address(host.into(), port.into());
        self
    }

    /// The local address to connect from, TCP only.
    ///
    /// # Errors
    /// `ConfigError`: not for this protocol, or already set to another value.
    pub fn bind_interface<I: Into<String>>(mut self, addr: I) -> Result<Self> {
        self.0.bind_interface(&addr.into())?;
        Ok(self)
    }

    /// The path of a file of root certificates (PEM; keystores are not read), which then are the only ones. It must be
    /// readable now.
    ///
    /// # Errors
    /// `ConfigError`: no such file, no TLS, or `tls_ca` names another source.
    pub fn tls_roots<P: Into<PathBuf>>(mut self, path: P) -> Result<Self> {
        self.0.tls_roots(path.into())?;
        Ok(self)
    }

    /// The password of the keystore in `tls_roots`, for `wss`.
    ///
    /// # Errors
    /// `ConfigError`: not for this protocol, or already set to another value.
    pub fn tls_roots_password<S: Into<String>>(mut self, password: S) -> Result<Self> {
        self.0.tls_roots_password(&password.into())?;
        Ok(self)
    }

    /// Whether the first connection of a QWP sender is tried again until `reconnect_max_duration`.
    ///
    /// # Errors
    /// `ConfigError`: not for this protocol, or already set to another value.
    pub fn initial_connect_retry(mut self, value: bool) -> Result<Self> {
        self.0.initial_connect(if value {
            InitialConnect::Retry
        } else {
            InitialConnect::Once
        })?;
        Ok(self)
    }

    /// The header `User-Agent` of requests over HTTP; other protocols have none.
    ///
    /// # Errors
    /// `ConfigError` for control characters, or if already set to another value.
    pub fn user_agent(mut self, value: &str) -> Result<Self> {
        self.0
            .put_text("user_agent", value, |d| d.user_agent_slot())?;
        Ok(self)
    }

    /// Fails unless the protocol has TLS.
    ///
    /// # Errors
    /// `ConfigError` naming the `property` that needs it.
    pub fn ensure_tls_enabled(&self, property: &str) -> Result<()> {
        self.0.ensure_tls(property)
    }

    setters! {
        /// The user of basic authentication; over TCP the id of the key.
        username(username: &str);
        /// The password of basic authentication.
        password(password: &str);
        /// The bearer token; over TCP the private key.
        token(token: &str);
        /// The x coordinate of the public key, for TCP.
        token_x(token_x: &str);
        /// The y coordinate of the public key, for TCP.
        token_y(token_y: &str);
        /// The limit of a TLS handshake, of the TCP challenge and of a WebSocket upgrade; 15 s.
        auth_timeout(value: Duration);
        /// The version of the line protocol. Without it HTTP asks the server, and TCP uses 1.
        protocol_version(protocol_version: ProtocolVersion);
        /// False takes every certificate and name; needs the feature `insecure-skip-verify`.
        tls_verify(verify: bool);
        /// Where trusted root certificates come from.
        tls_ca(ca: CertificateAuthority);
        /// Bytes that a new buffer reserves; at least 1024, 64 KiB.
        init_buf_size(value: usize);
        /// Bytes that a flush may have; at least 1024, 100 MiB.
        max_buf_size(value: usize);
        /// Bytes of the longest name; at least 16, 127. Over HTTP the server's limit replaces it.
        max_name_len(value: usize);
        /// How long failed requests are repeated; zero is one attempt, 10 s. HTTP only.
        retry_timeout(value: Duration);
        /// The longest pause between attempts; at least 10 ms, 1 s. HTTP only.
        retry_max_backoff(value: Duration);
        /// Bytes a second that a request is given time for in addition; 0 for none, 100 KiB. HTTP
        /// only.
        request_min_throughput(value: u64);
        /// The base limit of a request, 10 s; over QWP the limit of waits without progress, 30 s.
        request_timeout(value: Duration);
        /// Who moves the messages of a QWP sender.
        qwp_ws_progress(progress: QwpWsProgress);
        /// How long the blocking first connection of a QWP sender is tried; 5 min.
        reconnect_max_duration(value: Duration);
        /// The first pause between connections of a QWP sender; 100 ms.
        reconnect_initial_backoff(value: Duration);
        /// The longest pause between connections of a QWP sender; 5 s.
        reconnect_max_backoff(value: Duration);
        /// How often in a row a QWP message may be refused; at least 1, 4.
        max_frame_rejections(value: usize);
        /// For at least how long a QWP message must be refused before that is final; 5 s.
        poison_min_escalation_window(value: Duration);
        /// Whether rows leave by themselves: off unless this or one of the triggers below says
        /// otherwise. On, what is not set has the defaults of QuestDB's other clients: 75,000 rows or
        /// 1 s over HTTP, 600 rows or 1 s over TCP, 1,000 rows or 100 ms over QWP, any number of
        /// bytes. There is no timer: an idle buffer stays.
        auto_flush(on: bool);
        /// Flush when a row makes the buffer hold this many rows; 0 never for that. It switches
        /// [`auto_flush`](Self::auto_flush) on, and so the other triggers with their defaults.
        auto_flush_rows(rows: usize);
        /// Flush when a row makes the buffer hold this many bytes; 0 never for that. It switches
        /// [`auto_flush`](Self::auto_flush) on, and so the other triggers with their defaults.
        auto_flush_bytes(bytes: usize);
        /// Flush when a row is completed this long after the last flush, over QWP after the first row;
        /// zero never for that. It switches [`auto_flush`](Self::auto_flush) on, and so the other
        /// triggers with their defaults.
        auto_flush_interval(interval: Duration);
    }

    /// Makes the sender. Over TCP and QWP it connects; over HTTP it asks the server for its version
    /// of the line protocol unless one is set, and otherwise does nothing yet.
    ///
    /// # Errors
    /// `ConfigError` for settings that do not go together, `AuthError` and `TlsError` for unusable
    /// keys and certificates, `ProtocolVersionError` when the server does not say its version, and
    /// the codes of connections.
    pub fn build(&self) -> Result<Sender> {
        Sender::connect(self.settings()?)
    }

    /// The same without blocking the thread.
    ///
    /// # Errors
    /// As [`build`](Self::build).
    pub async fn build_async(&self) -> Result<AsyncSender> {
        AsyncSender::connect(self.settings()?).await
    }

    /// Checks everything together.
    pub(crate) fn settings(&self) -> Result<Settings> {
        self.0.finish()
    }
}
