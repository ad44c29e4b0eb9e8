use std::fmt;
use std::time::Duration;

use taos_query::util::block_on;

use super::asynchronous::AsyncSender;
use crate::error::{Error, Result, error};
use crate::ingress::{Buffer, Protocol, ProtocolVersion, SenderBuilder, Timestamp};
use crate::settings::Settings;

/// Sends buffers of rows; calls block until they are done.
///
/// It works on plain threads and inside of runtimes; there, prefer [`AsyncSender`], which does not
/// hold up the thread.
///
/// ```no_run
/// use taos_questdb::ingress::{Sender, TimestampNanos};
///
/// let mut sender = Sender::from_conf("http::addr=localhost:9000;")?;
/// let mut buffer = sender.new_buffer();
/// buffer
///     .table("trades")?
///     .symbol("symbol", "ETH-USD")?
///     .column_f64("price", 2615.54)?
///     .at(TimestampNanos::now())?;
/// sender.flush(&mut buffer)?;
/// # taos_questdb::Result::Ok(())
/// ```
pub struct Sender(pub(super) AsyncSender);

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sender").field(&self.0).finish()
    }
}

/// Waits on the runtime behind blocking calls, where the connections of blocking senders live.
pub(super) fn wait<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    block_on(None, work).map_err(|error| error!(ConfigError, "{error}"))?
}

impl Sender {
    /// Makes a sender from a configuration string, as `http::addr=localhost:9000;`.
    ///
    /// # Errors
    /// As [`SenderBuilder::from_conf`] and [`SenderBuilder::build`].
    pub fn from_conf<T: AsRef<str>>(conf: T) -> Result<Self> {
        SenderBuilder::from_conf(conf)?.build()
    }

    /// Makes a sender from the configuration string in the environment variable `QDB_CLIENT_CONF`.
    ///
    /// # Errors
    /// As [`SenderBuilder::from_env`] and [`SenderBuilder::build`].
    pub fn from_env() -> Result<Self> {
        SenderBuilder::from_env()?.build()
    }

    pub(crate) fn connect(settings: Settings) -> Result<Self> {
        wait(AsyncSender::connect(settings)).map(Self)
    }

    /// A buffer of this sender's kind, version and limits.
    pub fn new_buffer(&self) -> Buffer {
        self.0.new_buffer()
    }

    /// Sends the rows and, when that succeeded, clears the buffer. An empty buffer is nothing to do.
    ///
    /// # Errors
    /// As [`AsyncSender::flush`]; the buffer keeps its rows.
    pub fn flush(&mut self, buf: &mut Buffer) -> Result<()> {
        wait(self.0.flush(buf))
    }

    /// Sends the rows and leaves them in the buffer.
    ///
    /// # Errors
    /// As [`AsyncSender::flush`].
    pub fn flush_and_keep(&mut self, buf: &Buffer) -> Result<()> {
        wait(self.0.flush_and_keep(buf))
    }

    /// Sends the rows and leaves them in the buffer. `transactional` refuses, before anything is
    /// sent, rows of several tables, which servers do not apply as one.
    ///
    /// # Errors
    /// As [`AsyncSender::flush_and_keep_with_flags`].
    pub fn flush_and_keep_with_flags(&mut self, buf: &Buffer, transactional: bool) -> Result<()> {
        wait(self.0.flush_and_keep_with_flags(buf, transactional))
    }

    /// Flushes if auto-flush says so. To be called after a row is completed; true when it flushed.
    /// See [`AsyncSender`].
    ///
    /// # Errors
    /// As [`AsyncSender::flush_if_due`].
    pub fn flush_if_due(&mut self, buf: &mut Buffer) -> Result<bool> {
        let due = self.0.is_due(buf);
        if due {
            self.flush(buf)?;
        }
        Ok(due)
    }

    /// Completes the row at this time and flushes if auto-flush says so; true when it flushed.
    ///
    /// # Errors
    /// As [`AsyncSender::at`].
    pub fn at<T>(&mut self, buf: &mut Buffer, timestamp: T) -> Result<bool>
    where
        T: TryInto<Timestamp>,
        Error: From<T::Error>,
    {
        buf.at(timestamp)?;
        self.flush_if_due(buf)
    }

    /// Completes the row, whose time the server sets, and flushes if auto-flush says so; true when it
    /// flushed.
    ///
    /// # Errors
    /// As [`AsyncSender::at_now`].
    pub fn at_now(&mut self, buf: &mut Buffer) -> Result<bool> {
        buf.at_now()?;
        self.flush_if_due(buf)
    }

    /// Asks whether the server is there.
    ///
    /// # Errors
    /// As [`AsyncSender::ping`].
    pub fn ping(&mut self) -> Result<()> {
        wait(self.0.ping())
    }

    /// True when the sender can send no more and another one has to be made. See
    /// [`AsyncSender::must_close`].
    #[must_use]
    pub fn must_close(&self) -> bool {
        self.0.must_close()
    }

    /// How rows travel.
    pub fn protocol(&self) -> Protocol {
        self.0.protocol()
    }

    /// The version of the lines. See [`AsyncSender::protocol_version`].
    pub fn protocol_version(&self) -> ProtocolVersion {
        self.0.protocol_version()
    }

    /// Bytes of the longest name of a table or column.
    pub fn max_name_len(&self) -> usize {
        self.0.max_name_len()
    }

    /// How long a TCP connection may take no byte before it counts as dead; 30 seconds.
    pub fn set_write_timeout(&mut self, limit: Duration) {
        self.0.set_write_timeout(limit);
    }

    /// Ends the connection in order.
    ///
    /// # Errors
    /// As [`AsyncSender::close`].
    pub fn close(self) -> Result<()> {
        wait(self.0.close())
    }
}
