//! Sending rows over QWP: frames are published into a store, a task of the runtime brings them to a
//! server and keeps them until it has them (questdb §12.8, §14).

mod crc;
mod driver;
mod endpoints;
mod link;
mod orphans;
mod report;
mod shared;
mod slot;
mod store;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use taos_query::util::pause;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use self::driver::Driver;
pub use self::report::{
    AckLevel, QwpWsErrorCategory, QwpWsErrorPolicy, QwpWsSenderError, QwpWsTotals,
};
use self::shared::{Shared, not_acknowledged};
use self::store::Store;
use crate::error::{Result, error};
use crate::ingress::{QwpBuffer, QwpEncoder, SymbolTable};
use crate::settings::{Durability, InitialConnect, Settings};

/// The sender's end: encodes buffers, knows how far they have come.
pub(crate) struct Publisher {
    settings: Arc<Settings>,
    shared: Arc<Shared>,
    encoder: QwpEncoder,
    /// Set when the caller drives the connection.
    driver: Option<Driver>,
    task: Option<JoinHandle<()>>,
    syncer: Option<JoinHandle<()>>,
    closed: bool,
}

/// Takes the symbols of a frame back unless it gets published.
struct Unpublished<'a> {
    shared: &'a Shared,
    first: usize,
    published: bool,
}

impl Drop for Unpublished<'_> {
    fn drop(&mut self) {
        if !self.published {
            self.shared.forget_symbols(self.first);
        }
    }
}

/// Makes one step of a connection that the caller drives; without one, never ends.
async fn drive(driver: Option<&mut Driver>) {
    match driver {
        Some(driver) => driver.step(true).await,
        None => std::future::pending().await,
    }
}

impl Publisher {
    /// Opens the store and connects as `initial_connect_retry` says. The task that sends lives on the
    /// runtime this is called from.
    pub(crate) async fn connect(settings: Settings) -> Result<Self> {
        let settings = Arc::new(settings);
        let ingest = &settings.ingest;
        let (store, known) = match &ingest.sf_dir {
            None => (
                Store::in_memory(ingest.max_total_bytes),
                SymbolTable::default(),
            ),
            Some(root) => {
                let opened =
                    orphans::open(root, &ingest.sender_id, ingest.max_segment_bytes).await?;
                let store = Store::on_disk(opened.slot, ingest.max_total_bytes);
                (store, opened.symbols)
            }
        };
        let shared = Arc::new(Shared::new(store, known, ingest.error_inbox_capacity));
        let mut driver = Driver::new(Arc::clone(&settings), Arc::clone(&shared))?;
        match ingest.initial_connect {
            InitialConnect::Once => driver.connect_first(None).await?,
            InitialConnect::Retry => {
                let limit = ingest.reconnect_max_duration;
                driver.connect_first(Some(limit)).await?;
            }
            InitialConnect::Background => {}
        }
        let syncer = match (ingest.durability, &ingest.sf_dir) {
            (Durability::Periodic(interval), Some(_)) => {
                Some(tokio::spawn(sync(Arc::clone(&shared), interval)))
            }
            _ => None,
        };
        if ingest.drain_orphans && ingest.max_background_drainers > 0 {
            let closed = shared.closed.subscribe();
            tokio::spawn(orphans::drain(Arc::clone(&settings), closed));
        }
        let (driver, task) = if ingest.manual_progress {
            (Some(driver), None)
        } else {
            (None, Some(tokio::spawn(driver.run())))
        };
        Ok(Self {
            settings,
            shared,
            encoder: QwpEncoder::default(),
            driver,
            task,
            syncer,
            closed: false,
        })
    }

    /// Longest message in bytes: what the server, the settings and a segment allow.
    pub(crate) fn frame_limit(&self) -> usize {
        let ingest = &self.settings.ingest;
        let segment = usize::try_from(ingest.max_segment_bytes).unwrap_or(usize::MAX);
        self.shared
            .state()
            .limit
            .min(self.settings.max_buf_size)
            .min(segment.saturating_sub(slot::OVERHEAD))
    }

    /// Publishes the buffer's rows as one frame and gives its number, `None` for no rows. Waits for
    /// room in the store for as long as `sf_append_deadline_millis` allows. After an error, or when
    /// the future is dropped, nothing was published.
    pub(crate) async fn publish(&mut self, buffer: &QwpBuffer) -> Result<Option<u64>> {
        buffer.check_can_flush()?;
        self.check_open()?;
        if buffer.row_count() == 0 {
            return Ok(None);
        }
        let mut frame = Vec::new();
        let shared = Arc::clone(&self.shared);
        let mut unpublished = Unpublished {
            first: shared.symbols().known.len(),
            shared: &shared,
            published: false,
        };
        self.encoder
            .encode(buffer, &mut shared.symbols().known, &mut frame)?;
        let limit = self.frame_limit();
        if frame.len() > limit {
            return Err(error!(
                BatchTooLarge,
                "{} rows make a message of {} bytes, and the limit is {limit} (the server's, \
                 `max_buf_size`, `sf_max_segment_bytes`); flush oftener",
                buffer.row_count(),
                frame.len()
            ));
        }
        self.wait_for_room(frame.len()).await?;
        let number = shared.append(Bytes::from(frame), unpublished.first)?;
        unpublished.published = true;
        Ok(Some(number))
    }

    async fn wait_for_room(&mut self, len: usize) -> Result<()> {
        let deadline = self.settings.ingest.append_deadline;
        let full = {
            let state = self.shared.state();
            (!state.store.has_room(len)).then(|| state.store.max_bytes())
        };
        let Some(max) = full else {
            return Ok(());
        };
        if len as u64 > max {
            return Err(error!(
                BatchTooLarge,
                "a message of {len} bytes does not fit the {max} bytes of `sf_max_total_bytes`"
            ));
        }
        let mut progress = self.shared.subscribe();
        let mut over = std::pin::pin!(pause(deadline));
        loop {
            progress.mark_unchanged();
            self.shared.check()?;
            if self.shared.state().store.has_room(len) {
                return Ok(());
            }
            tokio::select! {
                _ = progress.changed() => {}
                () = drive(self.driver.as_mut()) => {}
                () = &mut over => {
                    let state = self.shared.state();
                    return Err(error!(
                        SocketError,
                        "no room for a message of {len} bytes within {deadline:?}: {} of the {max} \
                         bytes of `sf_max_total_bytes` wait for acknowledgements. Nothing was \
                         published; flush again later",
                        state.store.bytes()
                    ));
                }
            }
        }
    }

    fn check_open(&self) -> Result<()> {
        if self.closed {
            return Err(error!(InvalidApiCall, "this sender is closed"));
        }
        self.shared.check()
    }

    /// The number of the last published frame.
    pub(crate) fn published_fsn(&self) -> Option<u64> {
        self.shared.state().store.next().checked_sub(1)
    }

    /// The number of the last frame that is committed, all before it being so too.
    pub(crate) fn acked_fsn(&self) -> Option<u64> {
        self.shared.state().acked.checked_sub(1)
    }

    /// The number of the last frame that has come as far as `level`.
    pub(crate) fn completed_fsn(&self, level: AckLevel) -> Result<Option<u64>> {
        self.check_level(level)?;
        let state = self.shared.state();
        Ok(match level {
            AckLevel::Ok => state.acked.checked_sub(1),
            AckLevel::Durable => state.durable.checked_sub(1),
        })
    }

    fn check_level(&self, level: AckLevel) -> Result<()> {
        if level == AckLevel::Durable && !self.settings.ingest.durable_ack {
            return Err(error!(
                InvalidApiCall,
                "the level `Durable` needs `request_durable_ack=on`"
            ));
        }
        Ok(())
    }

    /// Waits until everything published so far has come as far as `level`. The limit begins anew with
    /// every acknowledgement.
    pub(crate) async fn wait(&mut self, level: AckLevel, limit: Duration) -> Result<()> {
        self.check_level(level)?;
        let target = self.shared.state().store.next();
        let mut progress = self.shared.subscribe();
        let mut over = Box::pin(pause(limit));
        let mut before = None;
        loop {
            progress.mark_unchanged();
            let done = {
                let state = self.shared.state();
                match level {
                    AckLevel::Ok => state.acked,
                    AckLevel::Durable => state.durable,
                }
            };
            if done >= target {
                return Ok(());
            }
            self.shared.check()?;
            if before.replace(done).is_some_and(|before| before != done) {
                over = Box::pin(pause(limit));
            }
            tokio::select! {
                _ = progress.changed() => {}
                () = drive(self.driver.as_mut()) => {}
                () = &mut over => {
                    let what = format!("after {limit:?} without progress");
                    return Err(not_acknowledged(done, target, &what));
                }
            }
        }
    }

    /// Takes the oldest refusal that was not asked for yet.
    pub(crate) fn poll_error(&mut self) -> Option<QwpWsSenderError> {
        self.shared.state().inbox.pop_front()
    }

    /// Refusals that nobody asked for and that made room for newer ones.
    pub(crate) fn errors_dropped(&self) -> u64 {
        self.shared.state().dropped
    }

    /// The refusal that has stopped the sender.
    pub(crate) fn terminal_error(&self) -> Option<QwpWsSenderError> {
        let state = self.shared.state();
        state
            .terminal
            .as_ref()
            .and_then(|(_, report)| report.clone())
    }

    pub(crate) fn totals(&self) -> QwpWsTotals {
        self.shared.state().totals
    }

    /// Whether the sender has stopped for good.
    pub(crate) fn must_close(&self) -> bool {
        self.closed || self.shared.state().terminal.is_some()
    }

    /// Connects, or sends what can be sent and takes what has come; false if there was nothing to do.
    pub(crate) async fn drive_once(&mut self) -> Result<bool> {
        self.check_open()?;
        let Some(driver) = &mut self.driver else {
            return Err(error!(
                InvalidApiCall,
                "`drive_once` belongs to `qwp_ws_progress=manual`; this sender drives itself"
            ));
        };
        driver.step(false).await;
        let busy = !driver.is_idle();
        self.shared.check()?;
        Ok(busy)
    }

    /// Waits for acknowledgements as long as `close_flush_timeout_millis` allows, then closes. The
    /// error counts the frames that are not acknowledged.
    pub(crate) async fn close_drain(&mut self) -> Result<()> {
        if self.closed {
            return Ok(());
        }
        let level = if self.settings.ingest.durable_ack {
            AckLevel::Durable
        } else {
            AckLevel::Ok
        };
        let drained = match self.settings.ingest.close_flush_timeout {
            None => Ok(()),
            Some(limit) => self.drain(level, limit).await,
        };
        self.closed = true;
        self.shared.closed.send_replace(true);
        if let Some(mut driver) = self.driver.take() {
            driver.close().await;
        }
        if let Some(task) = self.task.take() {
            // Its goodbye has a limit of its own.
            let _ = task.await;
        }
        if let Some(syncer) = self.syncer.take() {
            let _ = syncer.await;
        }
        drained
    }

    /// As [`wait`](Self::wait), within one limit for all.
    async fn drain(&mut self, level: AckLevel, limit: Duration) -> Result<()> {
        let end = Instant::now() + limit;
        let over = pause(limit);
        let target = self.shared.state().store.next();
        tokio::select! {
            done = self.wait(level, limit) => return done,
            () = over => {}
        }
        let state = self.shared.state();
        let done = match level {
            AckLevel::Ok => state.acked,
            AckLevel::Durable => state.durable,
        };
        debug_assert!(Instant::now() >= end);
        Err(not_acknowledged(done, target, &format!("within {limit:?}")))
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.shared.closed.send_replace(true);
        // The tasks may take a moment to end.
        self.shared.state().store.release();
    }
}

/// Brings what is written to the disk every so often, until the sender is gone.
async fn sync(shared: Arc<Shared>, interval: Duration) {
    let mut closed = shared.closed.subscribe();
    loop {
        let last = tokio::select! {
            _ = closed.wait_for(|closed| *closed) => true,
            () = tokio::time::sleep(interval) => false,
        };
        let unsynced = shared.state().store.unsynced();
        if let Some(unsynced) = unsynced {
            let synced = tokio::task::spawn_blocking(move || unsynced.sync()).await;
            match synced {
                Ok(Ok(before)) => {
                    if let Some(slot) = shared.state().store.slot() {
                        slot.synced(before);
                    }
                }
                Ok(Err(e)) => {
                    tracing::warn!("store-and-forward: cannot bring the frames to the disk: {e}");
                }
                Err(_) => {}
            }
        }
        if last {
            return;
        }
    }
}
