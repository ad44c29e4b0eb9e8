//! What the last request found.

use std::sync::Arc;

use futures_util::{Stream, stream};
use taos_query::{ConnectionState, RawError};
use tokio::sync::watch;

use super::trouble::Trouble;

pub(super) struct States {
    address: Arc<str>,
    last: watch::Sender<ConnectionState>,
}

impl States {
    pub(super) fn new(address: &str) -> Self {
        let address: Arc<str> = address.into();
        let ready = ConnectionState::ready(Arc::clone(&address));
        Self {
            address,
            last: watch::Sender::new(ready),
        }
    }

    pub(super) fn now(&self) -> ConnectionState {
        self.last.borrow().clone()
    }

    pub(super) fn ready(&self) {
        self.last.send_if_modified(|state| {
            let changes = !state.is_ready();
            if changes {
                *state = ConnectionState::ready(Arc::clone(&self.address));
            }
            changes
        });
    }

    /// Notes what the way to the server suffered. An answer, whatever it says, is no such thing.
    pub(super) fn trouble(&self, trouble: &Trouble) {
        if trouble.lost {
            self.broken(&trouble.error);
        }
    }

    fn broken(&self, error: &RawError) {
        let state = ConnectionState::broken(error.to_string());
        self.last.send_if_modified(|last| {
            let changes = *last != state;
            if changes {
                *last = state;
            }
            changes
        });
    }

    /// The present state and then each change; one who reads slowly sees the newest.
    pub(super) fn watch(&self) -> impl Stream<Item = ConnectionState> + Send + use<> {
        stream::unfold(
            (self.last.subscribe(), true),
            |(mut states, first)| async move {
                if !first {
                    states.changed().await.ok()?;
                }
                let state = states.borrow_and_update().clone();
                Some((state, (states, false)))
            },
        )
    }
}
