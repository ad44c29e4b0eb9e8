//! The user's side of a message's way.

use super::shared::{Message, Phase, Shared, Until};
use taos_query::RawResult;
use taos_query::tmq::{Data, MessageSet, Meta, Offset, Timeout};
use tokio::runtime::Handle;
use tokio::time::{Instant, Sleep, sleep_until};

/// Longer waits are endless: the clock cannot count so far.
const LONGEST_WAIT: std::time::Duration = std::time::Duration::from_secs(10 * 365 * 86_400);

/// One who waits; leaving takes the mark away.
struct Waiting<'a> {
    shared: &'a Shared,
    id: u64,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.shared.state().unwant(self.id);
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
        let until = match timeout {
            Timeout::None => Until::Look,
            // As good as looking once, and unlike no poll at all it gets somewhere.
            Timeout::Duration(wait) if wait.is_zero() => Until::Look,
            Timeout::Duration(wait) if wait < LONGEST_WAIT => Until::At(Instant::now() + wait),
            Timeout::Duration(_) | Timeout::Never => Until::Never,
        };
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
                id: state.want(until),
            }
        };
        self.wake.notify_one();
        let mut clock = match until {
            Until::At(end) => Some(Box::pin(self.clock(end))),
            Until::Never | Until::Look => None,
        };
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            {
                let mut state = self.state();
                if let Some(message) = state.take() {
                    // In one go with taking it: a mark beside an empty slot asks for a poll, and a
                    // server that keeps one message only would forget this one.
                    state.unwant(waiting.id);
                    return Ok(Some(self.hand_over(state, until, message)));
                }
                if let Some(error) = state.error.take() {
                    return Err(error);
                }
                if state.has_looked(waiting.id) {
                    return Ok(None);
                }
                if !matches!(state.phase, Phase::Live(_)) {
                    state.usable()?;
                }
            }
            match &mut clock {
                None => changed.await,
                Some(clock) => tokio::select! {
                    () = changed => {}
                    () = clock => return Ok(None),
                },
            }
        }
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

    /// A clock that also runs where the caller has no runtime.
    fn clock(&self, end: Instant) -> Sleep {
        let runtime = self.runtime.get();
        let _entered = runtime
            .filter(|_| Handle::try_current().is_err())
            .map(Handle::enter);
        sleep_until(end)
    }
}
