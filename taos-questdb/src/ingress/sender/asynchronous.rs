use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use hyper::StatusCode;
use tokio::runtime::Handle;

use super::auto::Auto;
use super::lend::Lent;
use super::tcp::Tcp;
use crate::error::{Error, Result, error};
use crate::http::{Client, Request, negotiate, write_lines};
use crate::ingress::{Buffer, Protocol, ProtocolVersion, SenderBuilder, Timestamp};
use crate::net::Dialer;
use crate::qwp::ingest::Publisher;
use crate::settings::Settings;

/// Sends buffers of rows, without blocking the thread.
///
/// The blocking [`Sender`](super::Sender) has the same methods and drives one of these.
///
/// ```no_run
/// use taos_questdb::ingress::{AsyncSender, TimestampNanos};
///
/// # async fn run() -> taos_questdb::Result<()> {
/// let mut sender = AsyncSender::from_conf("http::addr=localhost:9000;").await?;
/// let mut buffer = sender.new_buffer();
/// buffer
///     .table("trades")?
///     .symbol("symbol", "ETH-USD")?
///     .column_f64("price", 2615.54)?
///     .at(TimestampNanos::now())?;
/// sender.flush(&mut buffer).await?;
/// # Ok(())
/// # }
/// ```
///
/// # Failed and abandoned flushes
/// A flush that fails keeps the rows in the buffer, and so does one whose future is dropped. Over HTTP
/// the next flush goes over another connection. Over TCP part of a line may be on its way by then, so
/// that [`must_close`](Self::must_close) is true and later flushes fail at once.
///
/// # Runtimes
/// Await it inside a tokio runtime. A sender over TCP or QWP belongs to the one in which it was made;
/// over TCP a flush in another one is an `InvalidApiCall` if the first is single-threaded. Over HTTP
/// any runtime will do.
///
/// # Auto-flush
/// A sender built with [`SenderBuilder::auto_flush`] or one of its triggers flushes by itself where rows are completed through
/// it, by [`at`](Self::at), [`at_now`](Self::at_now) or [`flush_if_due`](Self::flush_if_due). There is
/// no timer behind it: rows wait in the buffer for the next row or for a flush.
pub struct AsyncSender {
    pub(super) transport: Transport,
    pub(super) auto: Auto,
    pub(super) protocol: Protocol,
    protocol_version: ProtocolVersion,
    addresses: String,
    /// Bytes.
    init_buf_size: usize,
    /// Bytes.
    max_buf_size: usize,
    /// Bytes.
    max_name_len: usize,
}

pub(super) enum Transport {
    Http(Client),
    Tcp(Tcp),
    Qwp {
        publisher: Box<Publisher>,
        /// For pings, which the same port answers.
        http: Client,
    },
}

impl fmt::Debug for AsyncSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncSender")
            .field("protocol", &self.protocol)
            .field("addresses", &self.addresses)
            .field("protocol_version", &self.protocol_version)
            .field("must_close", &self.must_close())
            .finish_non_exhaustive()
    }
}

impl AsyncSender {
    /// Makes a sender from a configuration string, as `http::addr=localhost:9000;`.
    ///
    /// # Errors
    /// As [`SenderBuilder::from_conf`] and [`SenderBuilder::build`].
    pub async fn from_conf<T: AsRef<str>>(conf: T) -> Result<Self> {
        SenderBuilder::from_conf(conf)?.build_async().await
    }

    /// Makes a sender from the configuration string in the environment variable `QDB_CLIENT_CONF`.
    ///
    /// # Errors
    /// As [`SenderBuilder::from_env`] and [`SenderBuilder::build`].
    pub async fn from_env() -> Result<Self> {
        SenderBuilder::from_env()?.build_async().await
    }

    /// Over TCP and QWP this connects. Over HTTP it asks the server for its version of the line
    /// protocol if the settings do not name one, and otherwise does nothing yet.
    pub(crate) async fn connect(settings: Settings) -> Result<Self> {
        let dialer = Dialer::new(&settings)?;
        Self::connect_with(settings, dialer).await
    }

    pub(crate) async fn connect_with(settings: Settings, dialer: Dialer) -> Result<Self> {
        if settings.protocol.is_http() {
            let client = Client::with_dialer(&settings, dialer)?;
            return Self::over(settings, client).await;
        }
        let transport = if Handle::try_current().is_err() {
            return Err(error!(
                InvalidApiCall,
                "connecting needs a tokio runtime: await it inside one, or use the blocking `Sender`"
            ));
        } else if settings.protocol.is_qwp() {
            let http = Client::with_dialer(&settings, dialer)?;
            let publisher = Box::new(Publisher::connect(settings.clone()).await?);
            Transport::Qwp { publisher, http }
        } else {
            Transport::Tcp(Tcp::connect(&settings, &dialer).await?)
        };
        Ok(Self::with(&settings, transport))
    }

    /// Over HTTP by a client that is there already, with its connections.
    pub(crate) async fn over(mut settings: Settings, client: Client) -> Result<Self> {
        if settings.protocol_version.is_none() {
            let said = negotiate(&client).await?;
            settings.protocol_version = Some(said.version);
            settings.max_name_len = said.max_name_len.unwrap_or(settings.max_name_len);
        }
        Ok(Self::with(&settings, Transport::Http(client)))
    }

    fn with(settings: &Settings, transport: Transport) -> Self {
        let addresses: Vec<String> = settings.addresses.iter().map(ToString::to_string).collect();
        Self {
            transport,
            auto: Auto::new(settings.auto_flush, settings.protocol),
            protocol: settings.protocol,
            protocol_version: settings.protocol_version.unwrap_or_default(),
            addresses: addresses.join(","),
            init_buf_size: settings.init_buf_size,
            max_buf_size: settings.max_buf_size,
            max_name_len: settings.max_name_len,
        }
    }

    /// A buffer of this sender's kind, version and limits.
    pub fn new_buffer(&self) -> Buffer {
        if self.protocol.is_qwp() {
            return Buffer::qwp_ws_with_max_name_len(self.max_name_len);
        }
        Buffer::with_init_capacity_and_max_name_len(
            self.protocol_version,
            self.init_buf_size,
            self.max_name_len,
        )
    }

    /// Sends the rows and, when that succeeded, clears the buffer. An empty buffer is nothing to do.
    ///
    /// Over HTTP the rows are stored when it succeeds, over TCP the operating system has them. Over QWP
    /// they are in the sender's own store, and [`wait`](Self::wait) tells when the server has them.
    ///
    /// # Errors
    /// `InvalidApiCall` in the middle of a row, for another kind of buffer, or for more than
    /// `max_buf_size` bytes (over QWP that is `BatchTooLarge`); `ProtocolVersionError` for a buffer of another version; what the server
    /// answers (`ServerFlushError`, `AuthError`, `HttpNotSupported`); `SocketError` and the other
    /// codes of connections. The buffer keeps its rows. [`Error::in_doubt`] tells whether some may
    /// have been stored nevertheless.
    pub async fn flush(&mut self, buffer: &mut Buffer) -> Result<()> {
        if let Transport::Http(client) = &self.transport {
            if self.check(buffer, false)? {
                let lent = Lent::take(buffer);
                write_lines(client, lent.lines()).await?;
            }
        } else {
            self.send(buffer, false).await?;
        }
        buffer.clear();
        self.auto.flushed();
        Ok(())
    }

    /// Sends the rows and leaves them in the buffer.
    ///
    /// # Errors
    /// As [`flush`](Self::flush).
    pub async fn flush_and_keep(&mut self, buffer: &Buffer) -> Result<()> {
        self.flush_and_keep_with_flags(buffer, false).await
    }

    /// Sends the rows and leaves them in the buffer. `transactional` refuses, before anything is
    /// sent, rows of several tables, which servers do not apply as one.
    ///
    /// # Errors
    /// As [`flush`](Self::flush); `InvalidApiCall` also for `transactional` over other transports
    /// than HTTP.
    pub async fn flush_and_keep_with_flags(
        &mut self,
        buffer: &Buffer,
        transactional: bool,
    ) -> Result<()> {
        self.send(buffer, transactional).await?;
        self.auto.flushed();
        Ok(())
    }

    /// Gives the number of the frame over QWP.
    pub(super) async fn send(
        &mut self,
        buffer: &Buffer,
        transactional: bool,
    ) -> Result<Option<u64>> {
        if !self.check(buffer, transactional)? {
            return Ok(None);
        }
        match &mut self.transport {
            Transport::Http(client) => {
                write_lines(client, Bytes::copy_from_slice(buffer.as_bytes())).await?;
            }
            Transport::Tcp(tcp) => tcp.send(buffer.as_bytes()).await?,
            Transport::Qwp { publisher, .. } => {
                if let Some(columns) = buffer.qwp() {
                    return publisher.publish(columns).await;
                }
            }
        }
        Ok(None)
    }

    /// The checks of questdb §5.7 in their order. False when there is nothing to send.
    pub(super) fn check(&self, buffer: &Buffer, transactional: bool) -> Result<bool> {
        if let Transport::Tcp(tcp) = &self.transport {
            tcp.check()?;
        }
        if transactional && self.protocol.is_qwp() {
            return Err(self.no_transactions());
        }
        if self.protocol.is_qwp() && buffer.qwp().is_none() {
            return Err(error!(
                InvalidApiCall,
                "a buffer of lines cannot be flushed over QWP; take one from `new_buffer`"
            ));
        }
        if self.protocol.is_qwp() {
            // The publisher knows the rest, and the limits of the server.
            return Ok(true);
        }
        let over_http = self.protocol.is_http();
        let some = buffer.check_flush(
            self.max_buf_size,
            self.protocol_version,
            transactional && over_http,
        )?;
        if some && transactional && !over_http {
            return Err(self.no_transactions());
        }
        Ok(some)
    }

    fn no_transactions(&self) -> Error {
        error!(
            InvalidApiCall,
            "transactional flushes are of HTTP only, not of {}", self.protocol
        )
    }

    pub(super) fn is_due(&mut self, buffer: &Buffer) -> bool {
        self.auto.is_due(buffer)
    }

    /// Flushes if auto-flush says so. To be called after a row is completed; true when it flushed.
    ///
    /// # Errors
    /// As [`flush`](Self::flush). The row is in the buffer, it must not be added again.
    pub async fn flush_if_due(&mut self, buffer: &mut Buffer) -> Result<bool> {
        let due = self.is_due(buffer);
        if due {
            self.flush(buffer).await?;
        }
        Ok(due)
    }

    /// Completes the row at this time and flushes if auto-flush says so; true when it flushed.
    ///
    /// ```no_run
    /// use std::time::Duration;
    /// use taos_questdb::ingress::{SenderBuilder, TimestampNanos};
    ///
    /// # async fn run() -> taos_questdb::Result<()> {
    /// let mut sender = SenderBuilder::from_conf("http::addr=localhost:9000;")?
    ///     .auto_flush_rows(10_000)?
    ///     .auto_flush_interval(Duration::from_secs(1))?
    ///     .build_async()
    ///     .await?;
    /// let mut buffer = sender.new_buffer();
    /// for n in 0..1_000_000 {
    ///     buffer.table("numbers")?.column_i64("n", n)?;
    ///     sender.at(&mut buffer, TimestampNanos::now()).await?;
    /// }
    /// sender.flush(&mut buffer).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Buffer::at`], then as [`flush_if_due`](Self::flush_if_due).
    pub async fn at<T>(&mut self, buffer: &mut Buffer, timestamp: T) -> Result<bool>
    where
        T: TryInto<Timestamp>,
        Error: From<T::Error>,
    {
        buffer.at(timestamp)?;
        self.flush_if_due(buffer).await
    }

    /// Completes the row, whose time the server sets, and flushes if auto-flush says so; true when it
    /// flushed.
    ///
    /// # Errors
    /// As [`Buffer::at_now`], then as [`flush_if_due`](Self::flush_if_due).
    pub async fn at_now(&mut self, buffer: &mut Buffer) -> Result<bool> {
        buffer.at_now()?;
        self.flush_if_due(buffer).await
    }

    /// Asks whether the server is there. Over TCP, where servers answer nothing, it is whether the
    /// connection is still open as far as is known.
    ///
    /// # Errors
    /// As [`flush`](Self::flush) for connections; `ServerFlushError` for another answer than expected.
    pub async fn ping(&mut self) -> Result<()> {
        match &mut self.transport {
            Transport::Http(http) | Transport::Qwp { http, .. } => ping(http).await,
            Transport::Tcp(tcp) => tcp.look().await,
        }
    }

    /// True when the sender can send no more and another one has to be made: over TCP after a flush
    /// that failed or was given up, over QWP after an error that is final, over HTTP never.
    #[must_use]
    pub fn must_close(&self) -> bool {
        match &self.transport {
            Transport::Http(_) => false,
            Transport::Tcp(tcp) => tcp.is_broken(),
            Transport::Qwp { publisher, .. } => publisher.must_close(),
        }
    }

    /// How rows travel.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// The version of the lines: as set, or as the server said, or 1. Version 1 over QWP, where it
    /// means nothing.
    pub fn protocol_version(&self) -> ProtocolVersion {
        self.protocol_version
    }

    /// Bytes of the longest name of a table or column: over HTTP what the server said if it was asked
    /// for its version, otherwise as set.
    pub fn max_name_len(&self) -> usize {
        self.max_name_len
    }

    /// How long a TCP connection may take no byte before it counts as dead; 30 seconds. Without
    /// effect on other transports, whose requests have limits of their own.
    pub fn set_write_timeout(&mut self, limit: Duration) {
        if let Transport::Tcp(tcp) = &mut self.transport {
            tcp.set_write_limit(limit);
        }
    }

    /// Ends the connection in order. Over TCP it waits until the server has read everything and closes
    /// its end, five seconds at most; a dropped sender does not wait, but what it flushed is still
    /// delivered. Over QWP it is [`close_drain`](Self::close_drain), and needed: a sender that is
    /// dropped only tries to send, for a moment and while its runtime lives, and rows in memory that
    /// do not arrive then are lost. With `sf_dir` they stay on disk for the next sender.
    ///
    /// # Errors
    /// `SocketError`.
    pub async fn close(mut self) -> Result<()> {
        match &mut self.transport {
            Transport::Http(_) => Ok(()),
            Transport::Tcp(tcp) => tcp.close().await,
            Transport::Qwp { publisher, .. } => publisher.close_drain().await,
        }
    }
}

async fn ping(client: &Client) -> Result<()> {
    let request = Request::get("/ping", client.limits().request_timeout);
    let response = client.request(request).await?;
    let status = response.status();
    let url = response.url().to_owned();
    response.read_to_end(64 * 1024).await?;
    match status {
        status if status.is_success() => Ok(()),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(error!(
            AuthError,
            "{url} refuses the login ({}) [code: {}]",
            client.login(),
            status.as_u16()
        )),
        status => Err(error!(
            ServerFlushError,
            "{url} answers status {}",
            status.as_u16()
        )),
    }
}
