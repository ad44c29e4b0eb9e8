//! Rows of a connection, for what writes them: senders are kept for the next write, and each has one
//! write at a time.

use std::sync::{Mutex, OnceLock, PoisonError};

use taos_query::RawResult;
use tokio::runtime::{Handle, Id};

use super::Shared;
use crate::ingress::{AckLevel, AsyncSender, Buffer, ProtocolVersion};
use crate::settings::Settings;
use crate::{Error, Result};

/// More than these are not kept.
const MAX_IDLE: usize = 4;

#[derive(Default)]
pub(super) struct Senders {
    /// With the runtime that drives its socket: no other wakes it.
    idle: Mutex<Vec<(Option<Id>, AsyncSender)>>,
    /// What the server said to the first about its lines and names.
    spoken: OnceLock<(ProtocolVersion, usize)>,
}

fn runtime() -> Option<Id> {
    Handle::try_current().ok().map(|handle| handle.id())
}

impl Senders {
    fn pop(&self) -> Option<AsyncSender> {
        let runtime = runtime();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let found = idle.iter().rposition(|(home, _)| *home == runtime)?;
        Some(idle.remove(found).1)
    }

    fn give(&self, sender: AsyncSender) {
        if sender.must_close() {
            return;
        }
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() >= MAX_IDLE {
            idle.remove(0);
        }
        idle.push((runtime(), sender));
    }
}

impl Shared {
    async fn sender(&self) -> Result<AsyncSender> {
        if let Some(sender) = self.senders.pop() {
            return Ok(sender);
        }
        let sender = Box::pin(AsyncSender::connect(self.sender_settings())).await?;
        let spoken = (sender.protocol_version(), sender.max_name_len());
        // Another may have been first; both were told the same.
        let _ = self.senders.spoken.set(spoken);
        Ok(sender)
    }

    /// The settings, with what the server said before in place of asking again.
    fn sender_settings(&self) -> Settings {
        let mut settings = Settings::clone(&self.settings);
        if let Some((version, max_name_len)) = self.senders.spoken.get() {
            settings.protocol_version = Some(*version);
            settings.max_name_len = *max_name_len;
        }
        settings
    }

    /// Makes sure that rows could be sent.
    pub(super) async fn connect_sender(&self) -> Result<()> {
        let sender = self.sender().await?;
        self.senders.give(sender);
        Ok(())
    }

    pub(super) async fn ping_sender(&self) -> Result<()> {
        let mut sender = self.sender().await?;
        Box::pin(sender.ping()).await?;
        self.senders.give(sender);
        Ok(())
    }

    /// An empty buffer of the kind, version and limits that [`send`](Self::send) takes.
    pub(crate) async fn new_buffer(&self) -> RawResult<Buffer> {
        let sender = self.note(self.sender().await.map_err(Into::into))?;
        let buffer = sender.new_buffer();
        self.senders.give(sender);
        Ok(buffer)
    }

    /// Sends the rows, waits until the server has them, and clears the buffer, which keeps them when
    /// they cannot be sent.
    ///
    /// # Errors
    /// Those of [`AsyncSender::flush`].
    pub(crate) async fn send(&self, buffer: &mut Buffer) -> RawResult<()> {
        self.note(self.flush(buffer).await.map_err(Into::into))
    }

    async fn flush(&self, buffer: &mut Buffer) -> Result<()> {
        let mut sender = self.sender().await?;
        let mut sent = Box::pin(sender.flush(buffer)).await;
        if sent.is_ok() && self.settings.protocol.is_qwp() {
            // A flush over QWP ends in the sender's own store.
            let limit = self.settings.ingest.request_timeout;
            sent = Box::pin(sender.wait(AckLevel::Ok, limit))
                .await
                .map_err(Error::doubtful);
        }
        self.senders.give(sender);
        sent
    }
}
