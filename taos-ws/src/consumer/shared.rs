//! What the consumer's task and the handle share.

use super::config::TmqConfig;
use super::session::Session;
use crate::client::{Client, Refusal};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use taos_query::tmq::backend::{Places, Wants, not_subscribed};
use taos_query::tmq::{Data, MessageSet, Meta, Offset, VGroupId};
use taos_query::{Code, ErrorKind, RawError, RawResult};
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Longest time that the server keeps a poll, and so everything that queues behind it
/// (taosadapter-ws §14).
const LONGEST_POLL: Duration = Duration::from_millis(500);
/// Holes that are remembered.
const KEPT_GAPS: usize = 1024;

/// Messages of a topic that were no longer there when the consumer came back to read them, because
/// the log keeps them for a limited time only. Or the log was replaced by a shorter one; then `from`
/// is greater than `to`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Gap {
    /// The topic.
    pub topic: String,
    /// The vgroup.
    pub vgroup_id: VGroupId,
    /// The first version that was not delivered.
    pub from: i64,
    /// Where delivery went on.
    pub to: i64,
}

/// A message on its way to the user.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) offset: Offset,
    pub(super) set: MessageSet<Meta, Data>,
}

#[derive(Debug, Clone)]
pub(super) enum Phase {
    /// Nothing is subscribed to.
    Idle,
    /// The first subscription to the present topics is on its way.
    Subscribing,
    Live(Arc<Session>),
    /// The subscription is gone; whoever needs it has it made anew.
    Broken,
    /// The subscription is gone, and the DSN says that the program makes it anew.
    Failed(Refusal),
    /// For good.
    Closed,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) phase: Phase,
    pub(super) topics: Vec<String>,
    /// Received and not taken yet.
    pub(super) slot: Option<Message>,
    /// For the next one who asks for a message.
    pub(super) error: Option<RawError>,
    pub(super) wants: Wants,
    /// Those who wait for a subscription and not for a message.
    callers: usize,
    /// Failed attempts at a new subscription, and why the last one failed.
    failures: u64,
    failure: Option<Refusal>,
    /// One message may be fetched although nobody waits yet.
    pub(super) ahead: bool,
    pub(super) places: Places,
    /// Something without a place in the log was taken and is not committed.
    pub(super) unplaced: bool,
    /// An automatic commit is under way.
    pub(super) committing: bool,
    pub(super) gaps: Vec<Gap>,
    /// When it was subscribed again after a loss.
    pub(super) rejoined: Option<Instant>,
}

/// What the task has to do.
#[derive(Debug)]
pub(super) enum Plan {
    Poll(Arc<Session>, Duration),
    Restore,
    Wait,
}

/// Who wants to know how automatic commits end.
#[derive(Default)]
pub(super) struct Listener(OnceLock<Box<dyn Fn(RawResult<()>) + Send + Sync>>);

impl Listener {
    pub(super) fn set(&self, listener: impl Fn(RawResult<()>) + Send + Sync + 'static) {
        let _ = self.0.set(Box::new(listener));
    }

    pub(super) fn tell(&self, ended: RawResult<()>) {
        if let Some(listener) = self.0.get() {
            listener(ended);
        }
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Listener")
            .field(&self.0.get().is_some())
            .finish()
    }
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) client: Client,
    pub(super) config: TmqConfig,
    state: Mutex<State>,
    /// Held from the sending of a commit to its answer: servers may carry out two at once in any order,
    /// and the smaller number would set the group back (taosadapter-ws §14).
    pub(super) commits: Arc<tokio::sync::Mutex<()>>,
    /// Wakes the task.
    pub(super) wake: Notify,
    /// Wakes whoever waits for the task.
    pub(super) changed: Notify,
    /// Where the task lives.
    pub(super) runtime: OnceLock<Handle>,
    pub(super) listener: Listener,
}

impl Shared {
    pub(super) fn new(client: Client, config: TmqConfig) -> Self {
        Self {
            client,
            config,
            state: Mutex::new(State {
                phase: Phase::Idle,
                topics: Vec::new(),
                slot: None,
                error: None,
                wants: Wants::default(),
                callers: 0,
                failures: 0,
                failure: None,
                ahead: false,
                places: Places::default(),
                unplaced: false,
                committing: false,
                gaps: Vec::new(),
                rejoined: None,
            }),
            commits: Arc::default(),
            wake: Notify::new(),
            changed: Notify::new(),
            runtime: OnceLock::new(),
            listener: Listener::default(),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the task has to do now. A poll that it gives counts as sent.
    pub(super) fn plan(&self) -> Plan {
        let mut state = self.state();
        let session = match &state.phase {
            Phase::Live(session) => Arc::clone(session),
            Phase::Broken if !state.wants.is_empty() || state.callers > 0 => return Plan::Restore,
            _ => return Plan::Wait,
        };
        if state.slot.is_some() || state.error.is_some() {
            return Plan::Wait;
        }
        let Some(blocking) = state.blocking() else {
            return Plan::Wait;
        };
        state.ahead = false;
        state.wants.sent();
        Plan::Poll(session, blocking)
    }

    /// The poll that was under way is over.
    pub(super) fn answered(&self) {
        self.state().wants.answered();
        self.changed.notify_waiters();
    }

    pub(super) fn deliver(&self, message: Message) {
        self.state().slot = Some(message);
        self.answered();
    }

    /// Tells whoever waits for a message of an error; if nobody does, it is of no use later.
    pub(super) fn report(&self, error: RawError) {
        let mut state = self.state();
        if !state.wants.is_empty() {
            state.error = Some(error);
        }
        drop(state);
        self.answered();
    }

    /// A new subscription could not be made.
    pub(super) fn restore_failed(&self, error: RawError) {
        let mut state = self.state();
        state.failures += 1;
        state.failure = Some(Refusal::of(&error));
        if !state.wants.is_empty() {
            state.error = Some(error);
        }
        drop(state);
        self.changed.notify_waiters();
    }

    pub(super) fn set_phase(&self, phase: Phase) {
        self.state().phase = phase;
        self.changed.notify_waiters();
    }

    /// The subscription is of no use any more. Of no interest if it was replaced meanwhile.
    pub(super) fn lose(&self, session: &Arc<Session>, error: &RawError) {
        self.client.retire(&session.link, error);
        let mut state = self.state();
        if !matches!(&state.phase, Phase::Live(current) if Arc::ptr_eq(current, session)) {
            return;
        }
        tracing::warn!(
            address = session.link.address(),
            group = %self.config.subscription.group_id,
            %error,
            "the subscription was lost"
        );
        state.places.resume();
        if !session.means.whole {
            // It can only be read where it came from.
            state.slot = None;
        }
        state.wants.forget_poll();
        state.phase = if self.config.subscription.reconnect {
            Phase::Broken
        } else {
            Phase::Failed(Refusal::of(&RawError::of(
                ErrorKind::ConnectionLost,
                format!(
                    "the subscription was lost ({error}) and the DSN says auto.reconnect=false: \
                     call subscribe again to go on at the committed offsets"
                ),
            )
            .with_code(error.code())))
        };
        drop(state);
        self.changed.notify_waiters();
        self.wake.notify_one();
    }

    /// The subscription; made anew if it was lost. Waits at most until an attempt has failed.
    pub(super) async fn session(&self) -> RawResult<Arc<Session>> {
        let caller = {
            let mut state = self.state();
            if let Some(session) = state.usable()? {
                return Ok(session);
            }
            state.callers += 1;
            Caller {
                shared: self,
                failures: state.failures,
            }
        };
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            {
                let mut state = self.state();
                // Not told by the task, which has nothing under way.
                if let Phase::Live(session) = &state.phase
                    && !session.link.is_usable()
                {
                    let session = Arc::clone(session);
                    drop(state);
                    let error = session.link.cause().into_error(session.link.address());
                    self.lose(&session, &error);
                    continue;
                }
                if let Some(session) = state.usable()? {
                    return Ok(session);
                }
                if state.failures != caller.failures
                    && let Some(failure) = &state.failure
                {
                    return Err(failure.error());
                }
            }
            self.wake.notify_one();
            changed.await;
        }
    }

    pub(super) fn tell_gap(&self, topic: &str, vgroup: VGroupId, from: i64, to: i64) {
        tracing::warn!(
            topic,
            vgroup,
            from,
            to,
            group = %self.config.subscription.group_id,
            "messages are gone from the log before they were read"
        );
        let mut state = self.state();
        if state.gaps.len() < KEPT_GAPS {
            state.gaps.push(Gap {
                topic: topic.to_owned(),
                vgroup_id: vgroup,
                from,
                to,
            });
        }
    }
}

/// Counts as one who waits for a subscription.
struct Caller<'a> {
    shared: &'a Shared,
    failures: u64,
}

impl Drop for Caller<'_> {
    fn drop(&mut self) {
        self.shared.state().callers -= 1;
    }
}

impl State {
    /// The subscription, if there is one that can be used.
    pub(super) fn usable(&mut self) -> RawResult<Option<Arc<Session>>> {
        match &self.phase {
            Phase::Live(session) if session.link.is_usable() => Ok(Some(Arc::clone(session))),
            Phase::Subscribing | Phase::Live(_) | Phase::Broken => Ok(None),
            Phase::Idle => Err(not_subscribed()),
            Phase::Failed(refusal) => Err(refusal.error()),
            Phase::Closed => Err(RawError::of(
                ErrorKind::Closed,
                "the consumer's task has ended; build another consumer",
            )
            .with_code(Code::WS_CLOSED)),
        }
    }

    /// How long the next poll may take; nothing if none is wanted.
    fn blocking(&self) -> Option<Duration> {
        // What is ready already may come while the user is busy, but nothing shall wait behind that.
        self.wants
            .blocking(LONGEST_POLL)
            .or_else(|| self.ahead.then_some(Duration::ZERO))
    }

    /// True if something without a place in the log was taken by this subscription and is not committed.
    pub(super) fn has_unplaced(&self) -> bool {
        self.unplaced && self.places.has_noted()
    }

    /// The server has said what the group has committed, if it did; `before` is what was known when it
    /// was asked. A message that waits and was dealt with by another of the group is not given again.
    pub(super) fn told(
        &mut self,
        topic: &str,
        vgroup: VGroupId,
        before: Option<i64>,
        told: Option<i64>,
    ) {
        let Some(told) = told else {
            return;
        };
        self.places.entry(topic, vgroup).told(before, told);
        self.slot.take_if(|message| {
            let offset = &message.offset;
            offset.next().is_some_and(|next| next <= told) && offset.is_of(topic, vgroup)
        });
    }

    /// Throws away what waits of a vgroup.
    pub(super) fn discard(&mut self, topic: &str, vgroup: VGroupId) {
        self.slot
            .take_if(|message| message.offset.is_of(topic, vgroup));
    }

    /// The message that waits is the user's now.
    pub(super) fn take(&mut self) -> Option<Message> {
        let message = self.slot.take()?;
        if !self.places.take(&message.offset) {
            self.unplaced = true;
        }
        Some(message)
    }

    /// Forgets all that belongs to the topics of before.
    pub(super) fn forget(&mut self) {
        self.slot = None;
        self.error = None;
        self.ahead = false;
        self.unplaced = false;
        self.places.clear();
    }
}
