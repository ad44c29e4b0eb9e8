//! One member at work: what it has read, and its polls.
//!
//! A poll waits without a thread and reads on the blocking pool. Nothing is locked meanwhile, so that
//! commits and questions do not wait for it.

mod saving;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use taos_ws::protocol::{AssignmentReply, NO_OFFSET};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout_at;

use super::super::{Message, Page, TopicReader};
use super::{
    Broker, Holding, MemberId, Reset, Terms, consumer_unknown, foreign_topic, foreign_vgroup,
};
use crate::exec::STALE;
use crate::sql::SqlError;
use crate::store::{Store, internal};

const NO_COMMITTED: u32 = 0x0A0D;
const OUT_OF_RANGE: u32 = 0x4007;
const NOT_INITIALIZED: u32 = 0x4010;

/// What a poll waits for work that is under way, however short its own time: pages and commits take a
/// moment, and the server may be busy.
const GRACE: Duration = Duration::from_millis(500);
/// How often a subscription is made anew because a topic was made anew meanwhile.
const ATTEMPTS: usize = 3;

/// A subscription at work; ends its membership when it goes away.
#[derive(Debug)]
pub(crate) struct Consumer {
    broker: Arc<Broker>,
    store: Store,
    id: MemberId,
    terms: Terms,
    topics: BTreeMap<String, OpenTopic>,
    epochs: watch::Receiver<u64>,
    state: Mutex<State>,
    /// A poll that waits is to look again.
    nudge: Notify,
    closed: watch::Sender<bool>,
    /// Held for the time of a commit.
    committing: Mutex<()>,
}

#[derive(Debug)]
struct OpenTopic {
    name: Arc<str>,
    db: Arc<str>,
    reader: Arc<TopicReader>,
}

#[derive(Debug)]
struct State {
    /// The epoch that `held` is of.
    epoch: Option<u64>,
    held: Vec<Held>,
    /// Topics and vgroups that were held at any time.
    known: BTreeSet<(String, i32)>,
    /// Whose turn it is.
    turn: usize,
    /// A poll or a question for the assignment came.
    initialized: bool,
    /// Polls that run; the time between them does not count meanwhile.
    polling: usize,
    polled: Instant,
    /// When a poll last committed by itself.
    saved: Option<Instant>,
    /// That commit, if the poll had no time to wait for it.
    saving: Option<JoinHandle<Result<(), SqlError>>>,
    /// What the next poll will probably want.
    ahead: Option<(Job, Reading)>,
}

/// A vgroup of a topic, and how far it is read.
#[derive(Debug)]
struct Held {
    topic: String,
    vgroup: i32,
    /// Where reading goes on; nothing if nobody said where to begin.
    position: Option<i64>,
    /// Where the last message began.
    last: Option<i64>,
    /// Where the position was last committed.
    committed: Option<i64>,
    /// Goes up with each jump, so that what was read for the old place is dropped.
    jumps: u64,
    /// Of the group, when the member got the vgroup.
    tenure: u64,
    /// Where the member began when it got the vgroup back. A commit of something lower is left from its
    /// earlier tenure, and others may have committed more since.
    back_at: Option<i64>,
}

/// A message on its way to the client.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) topic: Arc<str>,
    pub(crate) database: Arc<str>,
    pub(crate) vgroup: i32,
    pub(crate) message: Message,
}

/// What a poll is to read next.
#[derive(Debug)]
struct Job {
    reader: Arc<TopicReader>,
    topic: String,
    vgroup: i32,
    from: i64,
    jumps: u64,
    tenure: u64,
}

/// A page on its way.
type Reading = JoinHandle<Result<Page, SqlError>>;

impl Consumer {
    /// Joins the group; blocks.
    ///
    /// # Errors
    /// 0x03E1 for an unknown topic; the storage fails.
    pub(crate) fn open(
        broker: &Arc<Broker>,
        store: &Store,
        terms: &Terms,
    ) -> Result<Arc<Self>, SqlError> {
        let mut attempt = 1;
        loop {
            match Self::try_open(broker, store, terms) {
                // A topic was dropped and made anew while it was opened.
                Err(error) if error.code == STALE && attempt < ATTEMPTS => attempt += 1,
                outcome => return outcome,
            }
        }
    }

    fn try_open(broker: &Arc<Broker>, store: &Store, terms: &Terms) -> Result<Arc<Self>, SqlError> {
        let mut topics = BTreeMap::new();
        let mut ids = Vec::new();
        for name in &terms.topics {
            let reader = TopicReader::open(store, name)?;
            ids.push(reader.topic().id);
            let open = OpenTopic {
                name: name.as_str().into(),
                db: reader.topic().db.as_str().into(),
                reader: Arc::new(reader),
            };
            topics.insert(name.clone(), open);
        }
        let (id, epochs) = broker.join(store, terms.clone(), ids)?;
        Ok(Arc::new(Self {
            broker: Arc::clone(broker),
            store: store.clone(),
            id,
            terms: terms.clone(),
            topics,
            epochs,
            state: Mutex::new(State {
                epoch: None,
                held: Vec::new(),
                known: BTreeSet::new(),
                turn: 0,
                initialized: false,
                polling: 0,
                polled: Instant::now(),
                saved: None,
                saving: None,
                ahead: None,
            }),
            nudge: Notify::new(),
            closed: watch::Sender::new(false),
            committing: Mutex::new(()),
        }))
    }

    /// Vgroup and version of the page that is kept for the next poll.
    #[cfg(test)]
    pub(super) fn ahead(&self) -> Option<(i32, i64)> {
        let state = self.lock();
        state.ahead.as_ref().map(|(job, _)| (job.vgroup, job.from))
    }

    pub(crate) fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Ends the membership and the poll that waits.
    pub(crate) fn close(&self) {
        // First, so that the poll does not take it for a removal.
        self.closed.send_replace(true);
        self.broker.leave(self.id);
        self.lock().ahead = None;
    }

    /// Takes the membership away; the next poll says so.
    pub(crate) fn expire(&self) {
        self.broker.leave(self.id);
    }

    /// When the member is overdue if nobody polls until then.
    pub(crate) fn poll_due(&self) -> Option<Instant> {
        let state = self.lock();
        (state.polling == 0).then(|| state.polled + self.terms.max_poll_interval)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Since when the member holds what it holds; nothing once it has been removed.
    fn epoch(&self) -> Option<u64> {
        // The sender goes with the membership. Nobody's lock is taken for this, since every change of
        // every database wakes the polls that wait.
        self.epochs.has_changed().ok()?;
        Some(*self.epochs.borrow())
    }

    /// Counts as a poll.
    ///
    /// # Errors
    /// 0x03E6 if the member was removed.
    pub(crate) fn touch(&self) -> Result<(), SqlError> {
        self.epoch().ok_or_else(consumer_unknown)?;
        self.lock().polled = Instant::now();
        Ok(())
    }

    /// The state with the vgroups that the member holds now.
    fn current(&self) -> Result<MutexGuard<'_, State>, SqlError> {
        let mut state = self.lock();
        let epoch = self.epoch().ok_or_else(consumer_unknown)?;
        if state.epoch != Some(epoch) {
            let holdings = self.broker.holdings(self.id).ok_or_else(consumer_unknown)?;
            self.take_over(&mut state, holdings);
        }
        Ok(state)
    }

    fn take_over(&self, state: &mut State, (epoch, holdings): (u64, Vec<Holding>)) {
        let mut before = std::mem::take(&mut state.held);
        state.epoch = Some(epoch);
        state.held = holdings
            .into_iter()
            .map(|holding| {
                let same = |held: &Held| {
                    held.vgroup == holding.vgroup
                        && held.topic == holding.topic
                        && held.tenure == holding.tenure
                };
                match before.iter().position(same) {
                    Some(at) => before.swap_remove(at),
                    None => {
                        let is_new = state.known.insert((holding.topic.clone(), holding.vgroup));
                        self.hold(holding, !is_new)
                    }
                }
            })
            .collect();
    }

    fn hold(&self, holding: Holding, again: bool) -> Held {
        let (begin, end) = self.store.log_bounds(holding.vgroup);
        let first = match self.terms.reset {
            Reset::Earliest => Some(begin),
            // A group that began with the oldest goes on there, whoever joins it.
            Reset::Latest => Some(holding.start.unwrap_or(begin)),
            // What a group has committed nothing of, while it has of others, it has not read yet.
            Reset::None => holding.knows.then_some(begin),
        };
        let position = holding.committed.or(first);
        Held {
            topic: holding.topic,
            vgroup: holding.vgroup,
            position: position.map(|position| position.clamp(begin, end)),
            last: None,
            committed: position,
            jumps: 0,
            tenure: holding.tenure,
            back_at: holding.committed.filter(|_| again),
        }
    }

    /// The next message; nothing if none comes within `patience` (`None` waits for ever), or if the
    /// subscription ends.
    ///
    /// # Errors
    /// 0x03E6 if the member was removed, 0x0A0D if it does not know where to begin; what reading fails with.
    pub(crate) async fn poll(
        self: &Arc<Self>,
        patience: Option<Duration>,
    ) -> Result<Option<Delivery>, SqlError> {
        match self.next_message(patience).await {
            Err(_) if *self.closed.borrow() => Ok(None),
            outcome => outcome,
        }
    }

    async fn next_message(
        self: &Arc<Self>,
        patience: Option<Duration>,
    ) -> Result<Option<Delivery>, SqlError> {
        let now = Instant::now();
        let until = patience.and_then(|patience| now.checked_add(patience));
        let times = Times {
            until,
            deadline: until.map(|until| until.max(now + GRACE)),
        };
        let _polling = Polling::begin(self);
        if !self.commit_by_itself(times.deadline).await {
            return Ok(None);
        }
        let mut log = self.store.log_changes();
        let mut epochs = self.epochs.clone();
        let mut closed = self.closed.subscribe();
        loop {
            log.mark_unchanged();
            epochs.mark_unchanged();
            if *closed.borrow_and_update() {
                return Ok(None);
            }
            if let Some(delivery) = self.scan(times).await? {
                return Ok(Some(delivery));
            }
            let timeout = async {
                match until {
                    Some(until) => tokio::time::sleep_until(until.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                _ = closed.wait_for(|closed| *closed) => return Ok(None),
                () = timeout => return Ok(None),
                Ok(()) = log.changed() => {}
                // The sender goes with the membership.
                _ = epochs.changed() => {}
                () = self.nudge.notified() => {}
            }
        }
    }

    /// Reads on until there is a message, everything is read, or the time is over. Each vgroup gets its
    /// turn, however short the time; a page that takes too long is for the next poll.
    async fn scan(&self, times: Times) -> Result<Option<Delivery>, SqlError> {
        let mut pages = 0;
        loop {
            let Some(job) = self.next(pages, times.until)? else {
                return Ok(None);
            };
            let (vgroup, from) = (job.vgroup, job.from);
            let mut reading = self.read_before(&job).unwrap_or_else(|| self.read(&job));
            let page = match times.deadline {
                Some(deadline) => timeout_at(deadline.into(), &mut reading).await,
                None => Ok((&mut reading).await),
            };
            let Ok(page) = page else {
                self.put_aside(job, reading);
                return Ok(None);
            };
            let page =
                page.unwrap_or_else(|_| Err(internal("reading a topic ended in a panic")))?;
            pages += 1;
            let mut state = self.current()?;
            let held = state.held.iter_mut().find(|held| {
                held.vgroup == job.vgroup
                    && held.topic == job.topic
                    && (held.jumps, held.tenure) == (job.jumps, job.tenure)
            });
            // Another member reads it now, or the client went elsewhere.
            let Some(held) = held else { continue };
            held.position = Some(page.next.max(from));
            let Some(message) = page.message else {
                if page.next <= from {
                    return Ok(None);
                }
                continue;
            };
            held.last = Some(message.begin);
            let rows = message.entries.iter().map(|entry| entry.rows).sum();
            if usize::try_from(rows).is_ok_and(|rows| rows >= self.terms.read.max_rows) {
                self.read_ahead(&mut state);
            }
            drop(state);
            self.broker
                .progress(self.id, &job.topic, vgroup, page.next, rows);
            return Ok(self.topics.get(&job.topic).map(|topic| Delivery {
                topic: Arc::clone(&topic.name),
                database: Arc::clone(&topic.db),
                vgroup,
                message,
            }));
        }
    }

    fn read(&self, job: &Job) -> Reading {
        let (reader, vgroup, from) = (Arc::clone(&job.reader), job.vgroup, job.from);
        let options = self.terms.read;
        tokio::task::spawn_blocking(move || reader.read(vgroup, from, &options))
    }

    /// Reads for the next poll while the client is busy with a full message, behind which there is more.
    fn read_ahead(&self, state: &mut State) {
        let turn = state.turn;
        // What is wrong is for the next poll to tell.
        let job = self.pick(state).ok().flatten();
        state.turn = turn;
        state.ahead = job.map(|job| {
            let reading = self.read(&job);
            (job, reading)
        });
    }

    /// Keeps a page that is on its way for the next poll, whose turn begins with it.
    fn put_aside(&self, job: Job, reading: Reading) {
        let mut state = self.lock();
        let at = state
            .held
            .iter()
            .position(|held| held.vgroup == job.vgroup && held.topic == job.topic);
        state.turn = at.unwrap_or(state.turn);
        state.ahead = Some((job, reading));
    }

    /// What was read ahead, if it is what a job wants.
    fn read_before(&self, job: &Job) -> Option<Reading> {
        let (read, reading) = self.lock().ahead.take()?;
        let same = (read.vgroup, read.from, &read.topic) == (job.vgroup, job.from, &job.topic);
        same.then_some(reading)
    }

    /// What to read next; nothing if every vgroup is read to its end or the time is over.
    fn next(&self, pages: usize, until: Option<Instant>) -> Result<Option<Job>, SqlError> {
        let mut state = self.current()?;
        state.initialized = true;
        if pages >= state.held.len() && until.is_some_and(|until| Instant::now() >= until) {
            return Ok(None);
        }
        self.pick(&mut state)
    }

    /// Whose turn it is to be read.
    fn pick(&self, state: &mut State) -> Result<Option<Job>, SqlError> {
        let count = state.held.len();
        for _ in 0..count {
            let turn = state.turn % count;
            state.turn = turn + 1;
            let Some(held) = state.held.get(turn) else {
                continue;
            };
            let position = held.position.ok_or_else(no_committed)?;
            let (begin, end) = self.store.log_bounds(held.vgroup);
            if position >= end {
                continue;
            }
            if let Some(topic) = self.topics.get(&held.topic) {
                return Ok(Some(Job {
                    reader: Arc::clone(&topic.reader),
                    topic: held.topic.clone(),
                    vgroup: held.vgroup,
                    // What was older is gone.
                    from: position.max(begin),
                    jumps: held.jumps,
                    tenure: held.tenure,
                }));
            }
        }
        Ok(None)
    }

    /// The state, once it is sure that the member holds the vgroup.
    fn held(&self, topic: &str, vgroup: i32) -> Result<MutexGuard<'_, State>, SqlError> {
        let mut state = self.current()?;
        if !self.topics.contains_key(topic) {
            return Err(foreign_topic());
        }
        if find(&mut state, topic, vgroup).is_none() {
            return Err(foreign_vgroup());
        }
        Ok(state)
    }

    fn in_range(&self, vgroup: i32, offset: i64) -> Result<(), SqlError> {
        let (begin, end) = self.store.log_bounds(vgroup);
        if (begin..=end).contains(&offset) {
            return Ok(());
        }
        Err(SqlError::new(OUT_OF_RANGE, "Offset out of range"))
    }

    /// Goes on reading elsewhere.
    ///
    /// # Errors
    /// As [`commit_offset`](Self::commit_offset), and 0x4010 before the first poll or assignment.
    pub(crate) fn seek(&self, topic: &str, vgroup: i32, offset: i64) -> Result<(), SqlError> {
        let mut state = self.held(topic, vgroup)?;
        if !state.initialized {
            let text = "Assignment or poll interface need to be called first";
            return Err(SqlError::new(NOT_INITIALIZED, text));
        }
        self.in_range(vgroup, offset)?;
        if let Some(held) = find(&mut state, topic, vgroup) {
            held.position = Some(offset);
            held.last = None;
            held.jumps += 1;
            held.back_at = None;
        }
        drop(state);
        self.nudge.notify_one();
        Ok(())
    }

    /// The vgroups of a topic that the member holds.
    ///
    /// # Errors
    /// 0x4009 for a topic that is not the member's; 0x03E6.
    pub(crate) fn assignment(&self, topic: &str) -> Result<Vec<AssignmentReply>, SqlError> {
        let mut state = self.current()?;
        if !self.topics.contains_key(topic) {
            return Err(foreign_topic());
        }
        state.initialized = true;
        let held = state.held.iter().filter(|held| held.topic == topic);
        let rows = held.map(|held| {
            let (begin, end) = self.store.log_bounds(held.vgroup);
            let offset = held.last.or(held.position).unwrap_or(begin);
            AssignmentReply {
                vgroup_id: held.vgroup,
                offset: offset.max(begin),
                begin,
                end,
            }
        });
        Ok(rows.collect())
    }

    /// What the group has committed in a vgroup.
    ///
    /// # Errors
    /// 0x4009, 0x4008 for a topic or vgroup that is not the member's; 0x03E6.
    pub(crate) fn committed(&self, topic: &str, vgroup: i32) -> Result<i64, SqlError> {
        let committed = self.broker.committed(self.id, topic, vgroup)?;
        Ok(committed.unwrap_or(NO_OFFSET))
    }

    /// Where reading goes on in a vgroup.
    ///
    /// # Errors
    /// As [`committed`](Self::committed).
    pub(crate) fn position(&self, topic: &str, vgroup: i32) -> Result<i64, SqlError> {
        let mut state = self.held(topic, vgroup)?;
        let initialized = state.initialized;
        let position = find(&mut state, topic, vgroup).and_then(|held| held.position);
        drop(state);
        match position {
            Some(position) if initialized => Ok(position),
            _ => self.committed(topic, vgroup),
        }
    }
}

fn find<'a>(state: &'a mut State, topic: &str, vgroup: i32) -> Option<&'a mut Held> {
    let mut held = state.held.iter_mut();
    held.find(|held| held.vgroup == vgroup && held.topic == topic)
}

fn no_committed() -> SqlError {
    SqlError::new(NO_COMMITTED, "TQ no committed offset")
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.close();
    }
}

/// Until when a poll waits for something to happen, and for work under way; for ever without.
#[derive(Clone, Copy)]
struct Times {
    until: Option<Instant>,
    deadline: Option<Instant>,
}

/// A poll under way.
struct Polling<'a>(&'a Consumer);

impl<'a> Polling<'a> {
    fn begin(consumer: &'a Consumer) -> Self {
        consumer.lock().polling += 1;
        Self(consumer)
    }
}

impl Drop for Polling<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.polling -= 1;
        state.polled = Instant::now();
    }
}
