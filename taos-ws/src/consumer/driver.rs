//! The consumer's task: asks for messages, subscribes again, and commits what was moved past.

use super::content::{Lazy, META, META_AND_ROWS, Origin, Whole, set};
use super::orders::{Order, Orders, answer};
use super::refusals::passes;
use super::session::{Session, Trouble};
use super::shared::{Message, Phase, Plan, Shared};
use crate::protocol::{Action, PollArgs, SNAPSHOT_OFFSET, TmqReply};
use crate::resend::RESENDS;
use crate::telemetry::span;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use taos_query::tmq::backend::superseded;
use taos_query::tmq::{Data, MessageSet, Meta, Offset};
use taos_query::util::generate_req_id;
use taos_query::{ErrorKind, RawError, RawResult};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// What the answer to a poll may be late.
const POLL_MARGIN: Duration = Duration::from_secs(10);
/// Longest time that the content of a message takes, with all that is asked about it.
const FETCH: Duration = Duration::from_secs(60);
/// Between looks at which vgroups there are, while it is not known and while nothing comes.
const LEARN_SOON: Duration = Duration::from_millis(500);
const LEARN_LATER: Duration = Duration::from_secs(10);
/// Longest time that a consumer that was dropped takes for its last commit.
const LAST_COMMIT: Duration = Duration::from_secs(2);
enum Step {
    Order(Order),
    Poll(Arc<Session>, Duration),
    Restore,
    Commit,
    /// The consumer was dropped.
    End,
}

pub(super) struct Driver {
    shared: Arc<Shared>,
    /// The last message that was received whole; they count anew with each subscription.
    last_message: u64,
    /// Subscriptions lost since a poll was answered.
    losses: u32,
    /// Messages that could not be fetched since one could.
    missed: u32,
    /// Polls refused for a while since one was answered.
    refusals: u32,
    /// The server owes an answer that nobody waits for any more.
    stuck: bool,
    next_commit: Instant,
    next_learn: Instant,
    origin: Origin,
}

impl Driver {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let now = Instant::now();
        Self {
            origin: Origin {
                database: Arc::default(),
                zone: shared.config.connection.timezone,
                home: Handle::try_current().ok().map(|runtime| runtime.id()),
                schema: Arc::new(Mutex::new(None)),
            },
            shared,
            last_message: 0,
            losses: 0,
            missed: 0,
            refusals: 0,
            stuck: false,
            next_commit: now,
            next_learn: now,
        }
    }

    pub(super) async fn run(mut self, orders: mpsc::UnboundedReceiver<Order>) {
        let mut orders = Orders::new(orders);
        loop {
            let done = match self.step(&mut orders).await {
                Step::Commit => {
                    self.commit();
                    continue;
                }
                Step::Poll(session, blocking) => {
                    orders.unless_ended(self.poll(&session, blocking)).await
                }
                Step::Restore => orders.unless_ended(self.restore()).await,
                Step::Order(Order::Subscribe(topics, done)) => {
                    let subscribed = orders.unless_ended(self.subscribe(topics)).await;
                    answer(done, subscribed)
                }
                Step::Order(Order::Seek {
                    topic,
                    vgroup,
                    offset,
                    by_user,
                    done,
                }) => {
                    let sought = self.seek(&topic, vgroup, offset, by_user);
                    answer(done, orders.unless_ended(sought).await)
                }
                Step::Order(Order::Commit(offset, done)) => {
                    self.restore_plan();
                    let commit = self.shared.commit_unplaced(offset.as_ref());
                    answer(done, orders.unless_ended(commit).await)
                }
                Step::Order(Order::Unsubscribe(done)) => {
                    self.last_commit().await;
                    let left = self.leave().await;
                    drop(done.send(left));
                    return;
                }
                Step::End => return self.last_commit().await,
            };
            if done.is_none() {
                self.give_up();
            }
        }
    }

    /// Something was left in the middle, because the subscription ends.
    fn give_up(&mut self) {
        self.shared.interrupted();
        let phase = self.shared.state().phase.clone();
        match phase {
            Phase::Live(_) => self.stuck = true,
            // Half of a subscription may have been made there.
            _ => self.shared.client.retire_any(&superseded()),
        }
    }

    async fn subscribe(&mut self, topics: Vec<String>) -> RawResult<()> {
        self.last_commit().await;
        if std::mem::take(&mut self.stuck) {
            // The late answer, or the poll that it is for, would meet the new subscription.
            let phase = self.shared.state().phase.clone();
            if let Phase::Live(session) = phase {
                self.shared.lose(&session, &superseded());
            }
        }
        let subscribed = self.shared.subscribe(topics).await;
        self.fresh();
        subscribed
    }

    fn fresh(&mut self) {
        let now = Instant::now();
        self.last_message = 0;
        self.losses = 0;
        self.missed = 0;
        self.refusals = 0;
        self.next_learn = now + LEARN_SOON;
        self.next_commit = now
            + self
                .shared
                .config
                .subscription
                .auto_commit
                .unwrap_or_default();
    }

    async fn step(&self, orders: &mut Orders) -> Step {
        loop {
            match orders.ready() {
                Ok(Some(order)) => return Step::Order(order),
                Ok(None) => {}
                Err(()) => return Step::End,
            }
            let commit = self.commit_due();
            if commit.is_some_and(|due| due <= Instant::now()) {
                return Step::Commit;
            }
            match self.shared.plan() {
                Plan::Poll(session, blocking) => return Step::Poll(session, blocking),
                Plan::Restore => return Step::Restore,
                Plan::Wait => {}
            }
            tokio::select! {
                order = orders.next() => return order.map_or(Step::End, Step::Order),
                () = self.shared.wake.notified() => {}
                () = sleep_until(commit.unwrap_or(self.next_commit)), if commit.is_some() => {}
            }
        }
    }

    /// When the next automatic commit is to be made, if there is something to commit.
    fn commit_due(&self) -> Option<Instant> {
        self.shared.config.subscription.auto_commit?;
        let state = self.shared.state();
        let live = matches!(&state.phase, Phase::Live(session) if session.link.is_usable());
        (live && !state.committing && state.places.has_passed()).then_some(self.next_commit)
    }

    /// Commits in a task of its own, so that no message waits for it.
    fn commit(&mut self) {
        let Some(interval) = self.shared.config.subscription.auto_commit else {
            return;
        };
        self.next_commit = Instant::now() + interval;
        let session = {
            let mut state = self.shared.state();
            let Phase::Live(session) = &state.phase else {
                return;
            };
            let session = Arc::clone(session);
            state.committing = true;
            session
        };
        let shared = Arc::clone(&self.shared);
        tokio::spawn(async move {
            shared.commit_passed(session).await;
            shared.state().committing = false;
            shared.wake.notify_one();
        });
    }

    /// Commits what was moved past, before the subscription ends.
    async fn last_commit(&self) {
        if self.shared.config.subscription.auto_commit.is_none() {
            return;
        }
        let Phase::Live(session) = self.shared.state().phase.clone() else {
            return;
        };
        let commit = async {
            self.shared.commit_passed(Arc::clone(&session)).await;
            // A poll that was given up may have taken the server further than the user is.
            if !self.stuck && self.shared.state().has_unplaced() {
                self.shared.commit_passed_unplaced(&session).await;
            }
        };
        if timeout(LAST_COMMIT, commit).await.is_err() {
            tracing::warn!(
                group = %self.shared.config.subscription.group_id,
                "the last automatic commit was not answered"
            );
        }
    }

    /// Where only the server knows what comes behind a message, it commits all that it has sent: the
    /// user has taken all of that, and asks for more.
    async fn commit_unplaced(&mut self, session: &Arc<Session>) {
        let Some(interval) = self.shared.config.subscription.auto_commit else {
            return;
        };
        if self.next_commit > Instant::now() || !self.shared.state().has_unplaced() {
            return;
        }
        self.next_commit = Instant::now() + interval;
        self.shared.commit_passed_unplaced(session).await;
    }

    async fn leave(&self) -> RawResult<()> {
        let phase = self.shared.state().phase.clone();
        match phase {
            Phase::Live(session) => session.unsubscribe().await.map_err(Trouble::into_error),
            _ => Ok(()),
        }
    }

    async fn seek(
        &mut self,
        topic: &str,
        vgroup: i32,
        offset: i64,
        by_user: bool,
    ) -> RawResult<()> {
        let mut tries = 0;
        loop {
            match self.try_seek(topic, vgroup, offset, by_user).await {
                Err(Trouble::Lost(error))
                    if self.shared.config.subscription.reconnect && tries < RESENDS =>
                {
                    tracing::debug!(%error, "seeking again");
                    tries += 1;
                }
                ended => return ended.map_err(Trouble::into_error),
            }
        }
    }

    async fn try_seek(
        &mut self,
        topic: &str,
        vgroup: i32,
        offset: i64,
        by_user: bool,
    ) -> Result<(), Trouble> {
        if let Plan::Restore = self.restore_plan() {
            self.shared.restore().await?;
            self.fresh();
        }
        let session = {
            let mut state = self.shared.state();
            state.usable().map_err(Trouble::Refused)?;
            match &state.phase {
                Phase::Live(session) => Arc::clone(session),
                _ => return Err(Trouble::Refused(super::ended_task())),
            }
        };
        let sought = if by_user {
            self.shared.go_to(&session, topic, vgroup, offset).await
        } else {
            self.shared.go_back(&session, topic, vgroup, offset).await
        };
        if let Err(Trouble::Lost(error)) = &sought {
            self.shared.lose(&session, error);
        }
        sought
    }

    /// A link that was lost while nobody used it is noticed here.
    fn restore_plan(&self) -> Plan {
        let phase = self.shared.state().phase.clone();
        if let Phase::Live(session) = &phase
            && !session.link.is_usable()
        {
            let error = session.link.cause().into_error(session.link.address());
            self.shared.lose(session, &error);
        }
        match &self.shared.state().phase {
            Phase::Broken => Plan::Restore,
            _ => Plan::Wait,
        }
    }

    async fn restore(&mut self) {
        let failures = self.losses.max(self.missed);
        if failures > 1 {
            // The server lets us in and then fails: not faster and faster.
            sleep(self.shared.config.connection.backoff(failures - 1)).await;
        }
        match self.shared.restore().await {
            Ok(()) => {
                let (losses, missed) = (self.losses, self.missed);
                self.fresh();
                (self.losses, self.missed) = (losses, missed);
            }
            Err(Trouble::Lost(error))
                if self.losses <= self.shared.config.connection.conn_retries =>
            {
                tracing::debug!(%error, "lost again while subscribing");
                self.losses += 1;
            }
            Err(trouble) => {
                self.losses = 0;
                self.shared.restore_failed(trouble.into_error());
            }
        }
    }

    async fn poll(&mut self, session: &Arc<Session>, blocking: Duration) {
        self.commit_unplaced(session).await;
        let shared = Arc::clone(&self.shared);
        let (mut lost, mut found) = (false, false);
        let work = async {
            let ended = match self.ask(session, blocking).await {
                Ok(Some(reply)) => {
                    found = true;
                    self.fetch(session, &reply).await
                }
                Ok(None) => Ok(None),
                Err(trouble) => Err(trouble),
            };
            lost = matches!(ended, Err(Trouble::Lost(_)));
            ended.map_err(Trouble::into_error)
        };
        match shared.client.traced(span("poll"), work).await {
            Ok(Some(message)) => {
                (self.losses, self.missed, self.refusals) = (0, 0, 0);
                self.shared.deliver(message);
            }
            Ok(None) => {
                // A message that cannot be fetched is there again after any number of empty answers.
                (self.losses, self.refusals) = (0, 0);
                self.look_around(session).await;
                self.shared.answered();
            }
            Err(error) if !lost => self.refused(error).await,
            Err(error) => {
                let failures = if found {
                    &mut self.missed
                } else {
                    &mut self.losses
                };
                *failures += 1;
                let retries = self.shared.config.connection.conn_retries;
                let enough = *failures > retries.saturating_add(1);
                self.shared.lose(session, &error);
                if enough {
                    (self.losses, self.missed) = (0, 0);
                    self.shared.report(error);
                } else {
                    self.shared.interrupted();
                }
            }
        }
    }

    /// The server refuses a poll: what passes by itself is asked again before anyone is told.
    async fn refused(&mut self, error: RawError) {
        if passes(&error) && self.refusals < self.shared.config.connection.conn_retries {
            self.refusals += 1;
            tracing::debug!(%error, "asking again");
            self.shared.interrupted();
            sleep(self.shared.config.connection.backoff(self.refusals)).await;
            return;
        }
        self.refusals = 0;
        self.shared.report(error);
    }

    /// Nothing came: time to see whether the vgroups are still the same.
    async fn look_around(&mut self, session: &Arc<Session>) {
        let now = Instant::now();
        if now < self.next_learn {
            return;
        }
        let limit = FETCH.min(session.limit);
        let settled = timeout(limit, self.shared.settle(session)).await;
        let settled = settled.unwrap_or_else(|_| Err(Trouble::Lost(session.silent(limit))));
        if let Err(Trouble::Lost(error)) = settled {
            self.shared.lose(session, &error);
            return;
        }
        let topics = self.shared.state().topics.clone();
        let complete = self.shared.learn(session, &topics).await;
        let unsettled = self.shared.state().places.is_unsettled() && self.shared.is_rejoining();
        self.next_learn = Instant::now()
            + if complete && !unsettled {
                LEARN_LATER
            } else {
                LEARN_SOON
            };
    }

    /// The message that a poll has found, in a time of its own: a server that does not give it is left
    /// sooner than `read_timeout` would allow.
    async fn fetch(
        &mut self,
        session: &Arc<Session>,
        reply: &TmqReply,
    ) -> Result<Option<Message>, Trouble> {
        let limit = FETCH.min(session.limit);
        let Ok(fetched) = timeout(limit, self.message(session, reply)).await else {
            return Err(Trouble::Lost(session.missed(reply, limit)));
        };
        fetched
    }

    async fn message(
        &mut self,
        session: &Arc<Session>,
        reply: &TmqReply,
    ) -> Result<Option<Message>, Trouble> {
        let topic = reply.topic.as_deref().unwrap_or_default();
        let place = {
            let mut state = self.shared.state();
            let place = state.places.entry(topic, reply.vgroup_id);
            let database = reply.database.as_deref().unwrap_or_default();
            if &*place.database != database {
                place.database = database.into();
            }
            (Arc::clone(&place.topic), Arc::clone(&place.database))
        };
        self.origin.database = Arc::clone(&place.1);
        let (set, next) = self.content(session, reply).await?;
        self.last_message = reply.message_id;
        let offset = reply.offset;
        if !self
            .shared
            .settle_with(session, topic, reply.vgroup_id, offset)
            .await?
            || self
                .shared
                .is_repeated(topic, reply.vgroup_id, offset, next)
        {
            return Ok(None);
        }
        let nanos = u64::try_from(reply.timing).unwrap_or_default();
        let offset = Offset::new(place.0, place.1, reply.vgroup_id, offset)
            .with_next(next)
            .with_message_id(reply.message_id)
            .with_timing(Duration::from_nanos(nanos));
        Ok(Some(Message { offset, set }))
    }

    /// The answer to a poll, if there is a message. One that is lost on its way is asked for again
    /// where the server can tell by the last message that this is so.
    async fn ask(
        &self,
        session: &Session,
        blocking: Duration,
    ) -> Result<Option<Box<TmqReply>>, Trouble> {
        let wait = i64::try_from(blocking.as_micros().div_ceil(1000)).unwrap_or(i64::MAX);
        let limit = blocking + POLL_MARGIN.min(session.limit);
        let last = session.means.repeats.then_some(self.last_message);
        let mut again = session.means.repeats;
        loop {
            let req_id = generate_req_id();
            let args = PollArgs::new(req_id, wait, last);
            let reply = match session.ask(Action::Poll, req_id, &args, limit).await {
                Ok(frame) => session
                    .reply(frame)
                    .map_err(|trouble| session.named(trouble, "`poll`"))?,
                Err(Trouble::Refused(error)) if error.kind() == ErrorKind::Timeout => {
                    if std::mem::take(&mut again) {
                        tracing::debug!(%error, "asking again");
                        continue;
                    }
                    return Err(Trouble::Lost(error));
                }
                Err(trouble) => return Err(trouble),
            };
            // One that was received whole already was sent again without need.
            let new = reply.have_message
                && !(session.means.repeats && reply.message_id == self.last_message);
            return Ok(new.then_some(reply));
        }
    }

    /// The message's content, and the version behind it. What cannot be fetched would be missed: only
    /// a new subscription brings it again.
    async fn content(
        &self,
        session: &Arc<Session>,
        reply: &TmqReply,
    ) -> Result<(MessageSet<Meta, Data>, Option<i64>), Trouble> {
        let (id, kind) = (reply.message_id, reply.message_type);
        if !session.means.whole {
            let lazy = Lazy::new(&self.shared, session, id, kind, self.origin.clone());
            return Ok((set(kind, Arc::new(lazy))?, None));
        }
        let missed = |trouble: Trouble| Trouble::Lost(trouble.into_error());
        let (raw_type, raw) = session.raw_data(id).await.map_err(missed)?;
        let json = if matches!(kind, META | META_AND_ROWS) {
            Some(session.json_meta(id).await.map_err(missed)?)
        } else {
            None
        };
        let (whole, mut next) = Whole::new(raw_type, raw, json, self.origin.clone(), kind);
        if next.is_none() && reply.offset != SNAPSHOT_OFFSET {
            next = self.place_behind(session, reply).await?;
        }
        Ok((set(kind, Arc::new(whole))?, next))
    }

    /// Messages without rows do not tell what comes behind them; the server does. Where it does not,
    /// the message's own place is committed, and the message may come again.
    async fn place_behind(
        &self,
        session: &Session,
        reply: &TmqReply,
    ) -> Result<Option<i64>, Trouble> {
        let topic = reply.topic.as_deref().unwrap_or_default();
        let position = session
            .offsets(Action::Position, topic, &[reply.vgroup_id])
            .await;
        let next = match position {
            Ok(offsets) => offsets.first().copied().filter(|next| *next >= 0),
            Err(Trouble::Refused(error)) => {
                tracing::debug!(%error, topic, "the position is not known");
                None
            }
            Err(lost) => return Err(lost),
        };
        Ok(next.or_else(|| Some(reply.offset).filter(|offset| *offset >= 0)))
    }
}

impl Shared {
    /// The poll under way came to nothing; those who want one answer still do.
    fn interrupted(&self) {
        self.state().wants.interrupted();
        self.changed.notify_waiters();
    }

    /// True for what was received before the subscription was made anew. Notes how far it goes.
    fn is_repeated(&self, topic: &str, vgroup: i32, begin: i64, next: Option<i64>) -> bool {
        let mut state = self.state();
        let place = state.places.entry(topic, vgroup);
        let Some(next) = next else {
            return false;
        };
        if place.repeats && place.received.is_some_and(|received| next <= received) {
            return true;
        }
        place.repeats = false;
        place.received = Some(next);
        if place.start.is_none() {
            place.start = Some(begin);
        }
        false
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // Whoever still waits must not wait for ever.
        self.shared.set_phase(Phase::Closed);
    }
}
