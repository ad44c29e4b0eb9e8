use std::future::Future;
use std::sync::Arc;

use tokio::sync::watch;

/// Asks loops over messages to end, from anywhere: a signal handler, another task, a test.
///
/// All clones are one handle. What [`Records`](super::Records) do about it is said there.
#[derive(Debug, Clone)]
pub struct Shutdown(Arc<watch::Sender<bool>>);

impl Shutdown {
    /// A handle that nobody has used yet.
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    /// Asks; cannot be taken back.
    pub fn shutdown(&self) {
        self.0.send_replace(true);
    }

    /// True once [`shutdown`](Self::shutdown) was called.
    pub fn is_shutdown(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until [`shutdown`](Self::shutdown) is called.
    pub fn requested(&self) -> impl Future<Output = ()> + Send + use<> {
        let handle = self.clone();
        async move {
            // The sender lives as long as this future, so there is always an answer.
            let _ = handle.0.subscribe().wait_for(|asked| *asked).await;
        }
    }
}

impl Default for Shutdown {
    fn default() -> Self {
        Self::new()
    }
}
