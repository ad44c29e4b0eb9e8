//! What only senders over QWP have: how far the published frames have come (questdb §12.8).

use std::time::Duration;

use super::asynchronous::{AsyncSender, Transport};
use super::blocking::{Sender, wait};
use crate::error::{Result, error};
use crate::ingress::{AckLevel, Buffer, QwpWsSenderError, QwpWsTotals};
use crate::qwp::ingest::Publisher;

impl AsyncSender {
    fn publisher(&self, call: &str) -> Result<&Publisher> {
        match &self.transport {
            Transport::Qwp { publisher, .. } => Ok(publisher),
            Transport::Http(_) | Transport::Tcp(_) => Err(self.no_qwp(call)),
        }
    }

    fn publisher_mut(&mut self, call: &str) -> Result<&mut Publisher> {
        match self.transport {
            Transport::Qwp {
                ref mut publisher, ..
            } => Ok(publisher),
            Transport::Http(_) | Transport::Tcp(_) => Err(self.no_qwp(call)),
        }
    }

    #[cold]
    fn no_qwp(&self, call: &str) -> crate::Error {
        error!(
            InvalidApiCall,
            "`{call}` is for senders over QWP (ws, wss), this one is over {}", self.protocol
        )
    }

    /// As [`flush`](Self::flush), with the number of the frame; `None` for an empty buffer.
    ///
    /// # Errors
    /// As [`flush`](Self::flush); `InvalidApiCall` over other protocols than QWP.
    pub async fn flush_and_get_fsn(&mut self, buffer: &mut Buffer) -> Result<Option<u64>> {
        let number = self.flush_and_keep_and_get_fsn(buffer).await?;
        buffer.clear();
        Ok(number)
    }

    /// As [`flush_and_keep`](Self::flush_and_keep), with the number of the frame.
    ///
    /// # Errors
    /// As [`flush_and_get_fsn`](Self::flush_and_get_fsn).
    pub async fn flush_and_keep_and_get_fsn(&mut self, buffer: &Buffer) -> Result<Option<u64>> {
        self.publisher("flush_and_get_fsn")?;
        let number = self.send(buffer, false).await?;
        self.auto.flushed();
        Ok(number)
    }

    /// The number of the last published frame, `None` before the first.
    ///
    /// # Errors
    /// `InvalidApiCall` over other protocols than QWP.
    pub fn published_fsn(&self) -> Result<Option<u64>> {
        Ok(self.publisher("published_fsn")?.published_fsn())
    }

    /// The number of the last frame that the server has committed, with all before it.
    ///
    /// # Errors
    /// `InvalidApiCall` over other protocols than QWP.
    pub fn acked_fsn(&self) -> Result<Option<u64>> {
        Ok(self.publisher("acked_fsn")?.acked_fsn())
    }

    /// The number of the last frame that has come as far as `ack_level`.
    ///
    /// # Errors
    /// `InvalidApiCall` over other protocols than QWP, and for `Durable` without
    /// `request_durable_ack=on`.
    pub fn completed_fsn(&self, ack_level: AckLevel) -> Result<Option<u64>> {
        self.publisher("completed_fsn")?.completed_fsn(ack_level)
    }

    /// Waits until all that is published has come as far as `ack_level`. The limit begins anew with
    /// each frame that has; zero is no limit.
    ///
    /// # Errors
    /// `InvalidApiCall` as [`completed_fsn`](Self::completed_fsn); the error that has stopped the
    /// sender; `SocketError` when the limit is over.
    pub async fn wait(&mut self, ack_level: AckLevel, timeout: Duration) -> Result<()> {
        let limit = if timeout.is_zero() {
            Duration::MAX
        } else {
            timeout
        };
        self.publisher_mut("wait")?.wait(ack_level, limit).await
    }

    /// Takes the oldest refusal that was not taken yet, also from a sender that has stopped.
    ///
    /// # Errors
    /// `InvalidApiCall` over other protocols than QWP.
    pub fn poll_qwp_ws_error(&mut self) -> Result<Option<QwpWsSenderError>> {
        Ok(self.publisher_mut("poll_qwp_ws_error")?.poll_error())
    }

    /// The refusal that has stopped the sender, if one has.
    ///
    /// # Errors
    /// `InvalidApiCall` over other protocols than QWP.
    pub fn qwp_ws_terminal_error(&self) -> Result<Option<QwpWsSenderError>> {
        Ok(self.publisher("qwp_ws_terminal_error")?.terminal_error())
    }

    /// Refusals that made room for newer ones because nobody took them (`error_inbox_capacity`).
    ///
    /// # Errors
    /// `InvalidApiCall` over other protocols than QWP.
    pub fn qwp_ws_errors_dropped(&self) -> Result<u64> {
        Ok(self.publisher("qwp_ws_errors_dropped")?.errors_dropped())
    }

    /// Counts since the sender was made.
    ///
    /// # Errors
    /// `InvalidApiCall` over other protocols than QWP.
    pub fn qwp_ws_totals(&self) -> Result<QwpWsTotals> {
        Ok(self.publisher("qwp_ws_totals")?.totals())
    }

    /// Moves a sender with `qwp_ws_progress=manual` one step on: sends what can be sent and takes what
    /// has come. False when there was nothing to do.
    ///
    /// # Errors
    /// `InvalidApiCall` for senders that move by themselves; the error that has stopped the sender.
    pub async fn drive_once(&mut self) -> Result<bool> {
        self.publisher_mut("drive_once")?.drive_once().await
    }

    /// Takes no more rows and waits for those published, as long as `close_flush_timeout_millis`
    /// allows.
    ///
    /// # Errors
    /// `InvalidApiCall` over other protocols than QWP; otherwise it counts what is not acknowledged.
    pub async fn close_drain(&mut self) -> Result<()> {
        self.publisher_mut("close_drain")?.close_drain().await
    }
}

impl Sender {
    /// As [`flush`](Self::flush), with the number of the frame; `None` for an empty buffer.
    ///
    /// # Errors
    /// As [`AsyncSender::flush_and_get_fsn`].
    pub fn flush_and_get_fsn(&mut self, buf: &mut Buffer) -> Result<Option<u64>> {
        wait(self.0.flush_and_get_fsn(buf))
    }

    /// As [`flush_and_keep`](Self::flush_and_keep), with the number of the frame.
    ///
    /// # Errors
    /// As [`AsyncSender::flush_and_get_fsn`].
    pub fn flush_and_keep_and_get_fsn(&mut self, buf: &Buffer) -> Result<Option<u64>> {
        wait(self.0.flush_and_keep_and_get_fsn(buf))
    }

    /// The number of the last published frame, `None` before the first.
    ///
    /// # Errors
    /// `InvalidApiCall` over other protocols than QWP.
    pub fn published_fsn(&self) -> Result<Option<u64>> {
        self.0.published_fsn()
    }

    /// The number of the last frame that the server has committed, with all before it.
    ///
    /// # Errors
    /// `InvalidApiCall` over other protocols than QWP.
    pub fn acked_fsn(&self) -> Result<Option<u64>> {
        self.0.acked_fsn()
    }

    /// The number of the last frame that has come as far as `ack_level`.
    ///
    /// # Errors
    /// As [`AsyncSender::completed_fsn`].
    pub fn completed_fsn(&self, ack_level: AckLevel) -> Result<Option<u64>> {
        self.0.completed_fsn(ack_level)
    }

    /// Waits until all that is published has come as far as `ack_level`. The limit begins anew with
    /// each frame that has; zero is no limit.
    ///
    /// # Errors
    /// As [`AsyncSender::wait`].
    pub fn wait(&mut self, ack_level: AckLevel, timeout: Duration) -> Result<()> {
        wait(self.0.wait(ack_level, timeout))
    }

    /// Takes the oldest refusal that was not taken yet, also from a sender that has stopped.
    ///
    /// # Errors
    /// `InvalidApiCall` over other protocols than QWP.
    pub fn poll_qwp_ws_error(&mut self) -> Result<Option<QwpWsSenderError>> {
        self.0.poll_qwp_ws_error()
    }

    /// The refusal that has stopped the sender, if one has.
    ///
    /// # Errors
    /// `InvalidApiCall` over other protocols than QWP.
    pub fn qwp_ws_terminal_error(&self) -> Result<Option<QwpWsSenderError>> {
        self.0.qwp_ws_terminal_error()
    }

    /// Refusals that made room for newer ones because nobody took them.
    ///
    /// # Errors
    /// `InvalidApiCall` over other protocols than QWP.
    pub fn qwp_ws_errors_dropped(&self) -> Result<u64> {
        self.0.qwp_ws_errors_dropped()
    }

    /// Counts since the sender was made.
    ///
    /// # Errors
    /// `InvalidApiCall` over other protocols than QWP.
    pub fn qwp_ws_totals(&self) -> Result<QwpWsTotals> {
        self.0.qwp_ws_totals()
    }

    /// Moves a sender with `qwp_ws_progress=manual` one step on; false when there was nothing to do.
    ///
    /// # Errors
    /// As [`AsyncSender::drive_once`].
    pub fn drive_once(&mut self) -> Result<bool> {
        wait(self.0.drive_once())
    }

    /// Takes no more rows and waits for those published, as long as `close_flush_timeout_millis`
    /// allows.
    ///
    /// # Errors
    /// As [`AsyncSender::close_drain`].
    pub fn close_drain(&mut self) -> Result<()> {
        wait(self.0.close_drain())
    }
}
