//! What the consumer's thread and the handle share.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use taos_query::tmq::backend::{Places, Until, Wants, not_subscribed, wait};
use taos_query::tmq::{Data, MessageSet, Meta, Offset, Timeout, VGroupId};
use taos_query::{RawError, RawResult};
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use super::config::Config;
use super::driver::Driver;
use super::ended_thread;
use super::unplaced::Unplaced;
use crate::raw::tmq::Message;

/// Longest poll: everything else that is asked of the consumer waits behind it.
const LONGEST_POLL: Duration = Duration::from_millis(200);

/// A message on its way to the user.
pub(super) struct Received {
    pub(super) offset: Offset,
    pub(super) set: MessageSet<Meta, Data>,
    /// What `set` reads.
    pub(super) message: Arc<Mutex<Message>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing is subscribed to.
    Idle,
    /// A subscription is on its way.
    Subscribing,
    Live,
    /// The thread has ended.
    Closed,
}

/// What the thread is told to do.
pub(super) enum Order {
    Do(Box<dyn FnOnce(&mut Driver) + Send>),
    /// Leave the group; the last.
    Leave(oneshot::Sender<RawResult<()>>),
}

pub(super) struct State {
    pub(super) phase: Phase,
    /// Received and not taken yet.
    pub(super) slot: Option<Received>,
    /// For the next one who asks for a message.
    error: Option<RawError>,
    wants: Wants,
    /// One message may be fetched although nobody waits yet.
    pub(super) ahead: bool,
    pub(super) places: Places,
    pub(super) unplaced: Unplaced,
    /// What nobody needs any more. The library frees messages, which may take it some time: the thread sees to it, and
    /// nobody waits for the lock meanwhile.
    spent: Vec<Arc<Mutex<Message>>>,
    orders: VecDeque<Order>,
    /// The consumer was dropped.
    abandoned: bool,
}

/// What the thread has to do.
pub(super) enum Step {
    Order(Order),
    Poll(Duration),
    Commit,
    /// The consumer was dropped.
    End,
}

pub(super) struct Shared {
    pub(super) config: Arc<Config>,
    state: Mutex<State>,
    /// Wakes the thread.
    wake: Condvar,
    /// Wakes whoever waits for a message.
    changed: Notify,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

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
    pub(super) fn new(config: Arc<Config>) -> Self {
        Self {
            config,
            state: Mutex::new(State {
                phase: Phase::Idle,
                slot: None,
                error: None,
                wants: Wants::default(),
                ahead: false,
                places: Places::default(),
                unplaced: Unplaced::default(),
                spent: Vec::new(),
                orders: VecDeque::new(),
                abandoned: false,
            }),
            wake: Condvar::new(),
            changed: Notify::new(),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state().phase == Phase::Closed
    }

    /// Gives the thread an order.
    ///
    /// # Errors
    /// If it has ended.
    pub(super) fn give(&self, order: Order) -> RawResult<()> {
        let mut state = self.state();
        if state.phase == Phase::Closed {
            return Err(ended_thread());
        }
        state.orders.push_back(order);
        drop(state);
        self.wake.notify_one();
        Ok(())
    }

    /// The consumer was dropped.
    pub(super) fn abandon(&self) {
        self.state().abandoned = true;
        self.wake.notify_one();
    }

    pub(super) fn set_phase(&self, phase: Phase) {
        self.state().phase = phase;
        self.changed.notify_waiters();
    }

    /// The thread has ended; whoever still waits must not wait for ever.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.phase = Phase::Closed;
        let orders = std::mem::take(&mut state.orders);
        let slot = state.slot.take();
        state.forget_unplaced();
        let spent = std::mem::take(&mut state.spent);
        drop(state);
        drop((orders, slot, spent));
        self.changed.notify_waiters();
    }

    /// Frees the messages that nobody needs any more.
    pub(super) fn free_spent(&self) {
        let spent = std::mem::take(&mut self.state().spent);
        drop(spent);
    }

    /// Waits for something to do. What is moved past is committed at `next_commit`, if at all. A poll that this gives
    /// counts as sent.
    pub(super) fn step(&self, next_commit: Option<Instant>) -> Step {
        let mut state = self.state();
        loop {
            if let Some(order) = state.orders.pop_front() {
                return Step::Order(order);
            }
            if state.abandoned {
                return Step::End;
            }
            let due = next_commit.filter(|_| state.has_passed());
            let now = Instant::now();
            if due.is_some_and(|due| due <= now) {
                return Step::Commit;
            }
            if let Some(blocking) = state.blocking() {
                state.ahead = false;
                state.wants.sent();
                return Step::Poll(due.map_or(blocking, |due| blocking.min(due - now)));
            }
            let woken = match due {
                None => self.wake.wait(state),
                Some(due) => {
                    let woken = self.wake.wait_timeout(state, due - now);
                    woken
                        .map(|(state, _)| state)
                        .map_err(|error| PoisonError::new(error.into_inner().0))
                }
            };
            state = woken.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The poll that was under way is over.
    pub(super) fn answered(&self) {
        self.state().wants.answered();
        self.changed.notify_waiters();
    }

    pub(super) fn deliver(&self, received: Received) {
        self.state().slot = Some(received);
        self.answered();
    }

    /// Tells whoever waits for a message of an error; if nobody does, it is of no use later.
    pub(super) fn report(&self, error: RawError) {
        let mut state = self.state();
        if state.wants.is_empty() {
            tracing::debug!(%error, "asking for the next message failed while nobody waited for it");
        } else {
            state.error = Some(error);
        }
        drop(state);
        self.answered();
    }

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
            state.unplaced.pass();
            if let Some(received) = state.take() {
                return Ok(Some(self.hand_over(state, until, received)));
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
            if let Some(received) = state.take() {
                // In one go with taking it: a mark beside an empty slot asks for a poll.
                state.wants.remove(waiting.id);
                return Some(Ok(Some(self.hand_over(state, until, received))));
            }
            if let Some(error) = state.error.take() {
                return Some(Err(error));
            }
            if state.wants.has_looked(waiting.id) {
                return Some(Ok(None));
            }
            state.usable().err().map(Err)
        })
        .await
    }

    fn hand_over(
        &self,
        mut state: MutexGuard<'_, State>,
        until: Until,
        received: Received,
    ) -> (Offset, MessageSet<Meta, Data>) {
        // One who only looks pays for each poll, and knows when it is sent.
        state.ahead = !matches!(until, Until::Look);
        drop(state);
        // There may be others who wait, besides what is wanted ahead.
        self.wake.notify_one();
        (received.offset, received.set)
    }
}

impl State {
    /// # Errors
    /// If nothing is subscribed to, or the thread has ended.
    pub(super) fn usable(&self) -> RawResult<()> {
        match self.phase {
            Phase::Subscribing | Phase::Live => Ok(()),
            Phase::Idle => Err(not_subscribed()),
            Phase::Closed => Err(ended_thread()),
        }
    }

    /// How long the next poll may take; nothing if none is wanted.
    fn blocking(&self) -> Option<Duration> {
        if self.phase != Phase::Live || self.slot.is_some() || self.error.is_some() {
            return None;
        }
        // What is ready already may come while the user is busy, but nothing shall wait behind that.
        let wanted = self.wants.blocking(LONGEST_POLL);
        wanted.or_else(|| self.ahead.then_some(Duration::ZERO))
    }

    /// True if an automatic commit has something to write down.
    pub(super) fn has_passed(&self) -> bool {
        self.phase == Phase::Live && (self.places.has_passed() || self.unplaced.has_passed())
    }

    /// The message that waits is the user's now.
    fn take(&mut self) -> Option<Received> {
        let received = self.slot.take()?;
        if !self.places.take(&received.offset) {
            let message = Arc::clone(&received.message);
            let least = self.unplaced.keep(received.offset.clone(), message);
            self.spent.extend(least);
        }
        Some(received)
    }

    /// Throws away what waits of a vgroup, and goes on there at `offset`.
    pub(super) fn seek(&mut self, topic: &str, vgroup: VGroupId, offset: i64) {
        self.empty_slot_if(|offset| offset.is_of(topic, vgroup));
        self.forget_unplaced_of(topic, vgroup);
        self.places.entry(topic, vgroup).seek(offset);
        self.ahead = false;
    }

    /// The server has said what the group has committed; `before` is what was known when it was asked. A message that
    /// waits and was dealt with by another of the group is not given again.
    pub(super) fn told(&mut self, topic: &str, vgroup: VGroupId, before: Option<i64>, told: i64) {
        self.places.entry(topic, vgroup).told(before, told);
        self.empty_slot_if(|offset| {
            offset.next().is_some_and(|next| next <= told) && offset.is_of(topic, vgroup)
        });
    }

    fn empty_slot_if(&mut self, unwanted: impl Fn(&Offset) -> bool) {
        let taken = self.slot.take_if(|received| unwanted(&received.offset));
        self.spent.extend(taken.map(|received| received.message));
    }

    /// The message is committed, and with it those before it in its vgroup.
    pub(super) fn committed_unplaced(&mut self, offset: &Offset) {
        self.spent.extend(self.unplaced.committed(offset));
    }

    /// Reading goes on elsewhere in the vgroup, or others do.
    pub(super) fn forget_unplaced_of(&mut self, topic: &str, vgroup: VGroupId) {
        self.spent.extend(self.unplaced.forget(topic, vgroup));
    }

    fn forget_unplaced(&mut self) {
        self.spent.extend(self.unplaced.clear());
    }

    /// Forgets all that belongs to the topics of before.
    pub(super) fn forget(&mut self) {
        self.empty_slot_if(|_| true);
        self.error = None;
        self.ahead = false;
        self.places.clear();
        self.forget_unplaced();
    }
}
