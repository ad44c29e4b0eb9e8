//! Rows of a connection, for what writes them: senders are kept for the next write, and each has one
//! write at a time.

use std::sync::{Mutex, OnceLock, PoisonError};

use taos_query::{ErrorKind, RawError, RawResult};
use tokio::runtime::Id;

use super::{Shared, Way};
use crate::ingress::{AckLevel, AsyncSender, Buffer, ProtocolVersion};
use crate::net::{Dialer, runtime};
use crate::settings::Settings;
use crate::{ErrorCode, Result};

/// More than these are not kept.
const MAX_IDLE: usize = 4;

#[derive(Default)]
pub(super) struct Senders {
    /// With the runtime that drives its socket: no other wakes it.
    idle: Mutex<Vec<(Option<Id>, AsyncSender)>>,
    /// What the server said to the first about its lines and names.
    spoken: OnceLock<(ProtocolVersion, usize)>,
    /// With the certificates that were read for the first.
    dialer: OnceLock<Dialer>,
}

impl Senders {
    fn pop(&self) -> Option<AsyncSender> {
        let runtime = runtime();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let found = idle.iter().rposition(|(home, _)| *home == runtime)?;
        Some(idle.remove(found).1)
    }

    fn dialer(&self, settings: &Settings) -> Result<Dialer> {
        if let Some(dialer) = self.dialer.get() {
            return Ok(dialer.clone());
        }
        let dialer = Dialer::new(settings)?;
        Ok(self.dialer.get_or_init(|| dialer).clone())
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
        match self.senders.pop() {
            Some(sender) => Ok(sender),
            None => self.new_sender().await,
        }
    }

    async fn new_sender(&self) -> Result<AsyncSender> {
        let settings = self.sender_settings();
        let sender = if let Way::Http(client) = &self.way {
            Box::pin(AsyncSender::over(settings, client.clone())).await?
        } else {
            let dialer = self.senders.dialer(&settings)?;
            Box::pin(AsyncSender::connect_with(settings, dialer)).await?
        };
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
        while let Some(mut kept) = self.senders.pop() {
            let alive = Box::pin(kept.ping()).await;
            if !has_ended(&kept, &alive) {
                self.senders.give(kept);
                return alive;
            }
        }
        let mut sender = self.new_sender().await?;
        Box::pin(sender.ping()).await?;
        self.senders.give(sender);
        Ok(())
    }

    /// Refuses a buffer that could not be sent as one, of which `before` rows were there already.
    ///
    /// # Errors
    /// `Config`. Messages of QWP are measured when they are made.
    pub(crate) fn check_size(&self, buffer: &Buffer, before: usize) -> RawResult<()> {
        let (bytes, most) = (buffer.len(), self.settings.max_buf_size);
        if self.settings.protocol.is_qwp() || bytes <= most {
            return Ok(());
        }
        let hint = if before > 0 {
            "execute the rows bound before, then bind these again"
        } else {
            "bind fewer rows at once"
        };
        Err(RawError::of(
            ErrorKind::Config,
            format!(
                "with these rows an execution would send {bytes} bytes, more than `max_buf_size` \
                 ({most}): {hint}"
            ),
        ))
    }

    /// An empty buffer of the kind, version and limits that [`send`](Self::send) takes.
    pub(crate) async fn new_buffer(&self) -> RawResult<Buffer> {
        let sender = self.note(self.sender().await)?;
        let buffer = sender.new_buffer();
        self.senders.give(sender);
        Ok(buffer)
    }

    /// Sends the rows, waits until the server has them, and clears the buffer, which keeps them when
    /// they cannot be sent.
    ///
    /// # Errors
    /// Those of [`AsyncSender::flush`]. Over QWP one about rows that were handed to the sender is
    /// [in doubt](crate::Error::in_doubt), unless the server refused them: they may arrive yet.
    pub(crate) async fn send(&self, buffer: &mut Buffer) -> RawResult<()> {
        self.note(self.flush(buffer).await)
    }

    async fn flush(&self, buffer: &mut Buffer) -> Result<()> {
        while let Some(mut kept) = self.senders.pop() {
            let sent = self.flush_by(&mut kept, buffer).await;
            if !has_ended(&kept, &sent) {
                self.give_after(kept, &sent);
                return sent;
            }
        }
        let mut sender = self.new_sender().await?;
        let sent = self.flush_by(&mut sender, buffer).await;
        self.give_after(sender, &sent);
        sent
    }

    async fn flush_by(&self, sender: &mut AsyncSender, buffer: &mut Buffer) -> Result<()> {
        if !self.settings.protocol.is_qwp() {
            return Box::pin(sender.flush(buffer)).await;
        }
        // A flush over QWP ends in the sender's own store.
        Box::pin(sender.flush_and_keep(buffer)).await?;
        let limit = self.settings.ingest.request_timeout;
        Box::pin(sender.wait(AckLevel::Ok, limit))
            .await
            .map_err(|error| match error.code() {
                ErrorCode::ServerRejection => error,
                _ => error.doubtful(),
            })?;
        buffer.clear();
        Ok(())
    }

    /// Keeps the sender, unless it still has rows of which the next write would be told.
    fn give_after(&self, sender: AsyncSender, sent: &Result<()>) {
        let waits = self.settings.protocol.is_qwp() && matches!(sent, Err(e) if e.in_doubt());
        if !waits {
            self.senders.give(sender);
        }
    }
}

/// Whether a kept sender was closed by the server meanwhile, so that another one may take its place.
fn has_ended<T>(kept: &AsyncSender, done: &Result<T>) -> bool {
    let ended = matches!(
        done,
        Err(error) if error.code() == ErrorCode::SocketError && !error.in_doubt()
    );
    if ended && kept.must_close() {
        tracing::debug!("a connection kept for lines was closed meanwhile");
        return true;
    }
    false
}
