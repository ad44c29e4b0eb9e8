//! Tells whoever watches a connection what becomes of it.

use futures_util::stream::{self, Stream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use taos_query::ConnectionState;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

/// Changes that a slow watcher may fall behind before it misses the oldest.
const KEPT: usize = 16;

/// The state of one client's connection, and those who watch it.
#[derive(Debug)]
pub(crate) struct Events {
    now: Mutex<Now>,
    changes: broadcast::Sender<ConnectionState>,
    leases: AtomicU64,
}

#[derive(Debug)]
struct Now {
    state: ConnectionState,
    /// The lease of the link that is ready.
    current: u64,
}

impl Events {
    pub(crate) fn new() -> Self {
        Self {
            now: Mutex::new(Now {
                state: ConnectionState::Connecting,
                current: 0,
            }),
            changes: broadcast::Sender::new(KEPT),
            leases: AtomicU64::new(0),
        }
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn state(&self) -> ConnectionState {
        self.now().state.clone()
    }

    /// Notes a change. Nothing follows [`ConnectionState::Closed`].
    pub(crate) fn set(&self, state: ConnectionState) {
        self.change(&mut self.now(), state);
    }

    fn change(&self, now: &mut Now, state: ConnectionState) {
        if now.state == ConnectionState::Closed || now.state == state {
            return;
        }
        tracing::debug!(%state, "connection state");
        if self.changes.receiver_count() > 0 {
            // Watchers that have just left do not matter.
            let _ = self.changes.send(state.clone());
        }
        now.state = state;
    }

    /// For a link that is being made.
    pub(crate) fn lease(self: &Arc<Self>) -> Lease {
        Lease {
            events: self.clone(),
            id: self.leases.fetch_add(1, Ordering::Relaxed) + 1,
        }
    }

    /// The present state, and then each change until the connection is closed.
    pub(crate) fn watch(&self) -> impl Stream<Item = ConnectionState> + Send + use<> {
        let now = self.now();
        let changes = self.changes.subscribe();
        let first = now.state.clone();
        drop(now);
        stream::unfold(Some((Some(first), changes)), |watch| async move {
            let (first, mut changes) = watch?;
            let state = match first {
                Some(state) => state,
                None => loop {
                    match changes.recv().await {
                        Ok(state) => break state,
                        Err(RecvError::Lagged(_)) => {}
                        Err(RecvError::Closed) => return None,
                    }
                },
            };
            let rest = (state != ConnectionState::Closed).then_some((None, changes));
            Some((state, rest))
        })
    }
}

/// A link's right to speak about the connection, as long as it is the one in use.
#[derive(Debug, Clone)]
pub(crate) struct Lease {
    events: Arc<Events>,
    id: u64,
}

impl Lease {
    /// The link is the one in use from now on.
    pub(crate) fn ready(&self, address: &str) {
        let mut now = self.events.now();
        now.current = self.id;
        self.events
            .change(&mut now, ConnectionState::ready(address));
    }

    /// The link broke; of no interest if another has taken its place.
    pub(crate) fn broken(&self, cause: &dyn std::fmt::Display) {
        let mut now = self.events.now();
        if now.current == self.id && now.state.is_ready() {
            let state = ConnectionState::broken(cause.to_string());
            self.events.change(&mut now, state);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::StreamExt as _;

    #[tokio::test]
    async fn only_the_link_in_use_speaks_and_nothing_follows_the_end() {
        let events = Arc::new(Events::new());
        let mut watched = Box::pin(events.watch());
        let (old, new) = (events.lease(), events.lease());
        old.broken(&"too early");
        old.ready("a:1");
        new.ready("b:2");
        old.broken(&"too late");
        new.broken(&"cut");
        new.broken(&"told already");
        events.set(ConnectionState::Closed);
        new.ready("b:2");
        let mut seen = Vec::new();
        while let Some(state) = watched.next().await {
            seen.push(state.to_string());
        }
        assert_eq!(
            seen,
            [
                "connecting",
                "ready (a:1)",
                "ready (b:2)",
                "broken: cut",
                "closed"
            ]
        );
        assert_eq!(events.state(), ConnectionState::Closed);
    }

    #[tokio::test]
    async fn a_watcher_that_falls_behind_goes_on_with_what_is_left() {
        let events = Arc::new(Events::new());
        let mut watched = Box::pin(events.watch());
        for n in 0..100 {
            events.set(ConnectionState::broken(n.to_string()));
        }
        drop(events);
        assert_eq!(watched.next().await, Some(ConnectionState::Connecting));
        let rest: Vec<_> = watched.collect().await;
        assert_eq!(rest.len(), KEPT);
        assert_eq!(rest.last(), Some(&ConnectionState::broken("99")));
    }
}
