//! The user's side of a message's way.

use super::shared::{Message, Phase, Shared};
use taos_query::RawResult;
use taos_query::tmq::backend::{Until, wait};
use taos_query::tmq::{Data, MessageSet, Meta, Offset, Timeout};

/// One who waits; leaving takes the mark away.
struct Waiting<'a> {
    shared: &'a Shared,
    id: u64,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.shared.state().wants.remove(self.id);
    }
}

impl Shared {
    /// The next message; nothing if none came in time.
    ///
    /// # Cancel safety
    /// The message stays where it is until this is ready.
    pub(super) async fn receive(
        &self,
        timeout: Timeout,
    ) -> RawResult<Option<(Offset, MessageSet<Meta, Data>)>> {
        let until = Until::from(timeout);
        let waiting = {
            let mut state = self.state();
            state.places.pass();
            if let Some(message) = state.take() {
                return Ok(Some(self.hand_over(state, until, message)));
            }
            if let Some(error) = state.error.take() {
                return Err(error);
            }
            state.usable()?;
            Waiting {
                shared: self,
                id: state.wants.add(until),
            }
        };
        self.wake.notify_one();
        wait(&self.changed, until, || {
            let mut state = self.state();
            if let Some(message) = state.take() {
                // In one go with taking it: a mark beside an empty slot asks for a poll, and a
                // server that keeps one message only would forget this one.
                state.wants.remove(waiting.id);
                return Some(Ok(Some(self.hand_over(state, until, message))));
            }
            if let Some(error) = state.error.take() {
                return Some(Err(error));
            }
            if state.wants.has_looked(waiting.id) {
                return Some(Ok(None));
            }
            if matches!(state.phase, Phase::Live(_)) {
                return None;
            }
            state.usable().err().map(Err)
        })
        .await
    }

    fn hand_over(
        &self,
        mut state: std::sync::MutexGuard<'_, super::shared::State>,
        until: Until,
        message: Message,
    ) -> (Offset, MessageSet<Meta, Data>) {
        let ahead = matches!(&state.phase, Phase::Live(session) if session.means.ahead);
        // One who only looks pays for each poll, and knows when it is sent.
        if ahead && !matches!(until, Until::Look) {
            state.ahead = true;
            drop(state);
            self.wake.notify_one();
        }
        (message.offset, message.set)
    }
}
