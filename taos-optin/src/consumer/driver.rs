//! The consumer's thread: asks for messages, and commits what was moved past.

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use taos_query::common::Field;
use taos_query::tmq::backend::{FOREIGN, Mark, Place};
use taos_query::tmq::{IsOffset as _, Offset, VGroupId};
use taos_query::{Code, ErrorKind, RawError, RawResult};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::content::{self, Origin};
use super::shared::{Order, Phase, Received, Shared, Step};
use super::unplaced::Found;
use crate::ffi::Library;
use crate::raw::tmq::{Conf, Handle, Message};

/// "Topic not exist".
const NO_TOPIC: i32 = 0x03E1;

/// Whether a commit may set the group back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Course {
    Forward,
    /// The user says where to.
    Anywhere,
}

pub(super) struct Driver {
    pub(super) shared: Arc<Shared>,
    pub(super) handle: Handle,
    library: &'static Library,
    next_commit: Instant,
    /// Messages are numbered as they come.
    last_message: u64,
    /// The columns that were read last: the next message most likely has the same.
    fields: Option<Arc<[Field]>>,
}

/// Tells everyone when the thread has ended, however it does.
struct Ended(Arc<Shared>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Starts the thread, which says when the consumer is ready, or why it is not.
///
/// # Errors
/// If the system gives no thread.
pub(super) fn start(shared: Arc<Shared>, ready: oneshot::Sender<RawResult<()>>) -> RawResult<()> {
    let work = move || {
        let _ended = Ended(Arc::clone(&shared));
        match Driver::open(shared) {
            Ok(driver) => {
                // One who does not wait any more has dropped the consumer, which ends the thread.
                drop(ready.send(Ok(())));
                driver.run();
            }
            Err(error) => drop(ready.send(Err(error))),
        }
    };
    let started = thread::Builder::new()
        .name("taos-tmq".to_owned())
        .spawn(work);
    started.map(drop).map_err(|error| {
        RawError::of(
            ErrorKind::Connect,
            "the system gives no thread for a consumer",
        )
        .with_source(error)
    })
}

impl Driver {
    fn open(shared: Arc<Shared>) -> RawResult<Self> {
        let config = Arc::clone(&shared.config);
        let library = Library::open(config.settings.library_path.as_deref())?;
        library.configure(config.settings.config_dir.as_deref())?;
        let conf: Conf = config.conf(library)?;
        let handle = Handle::new(&conf).map_err(|error| {
            let (group, user) = (&config.subscription.group_id, config.user());
            let hint = match crate::ffi::front_hint(error.code().into()) {
                Some(hint) => format!("; {hint}"),
                None => "; check user and password in the DSN, and that the server runs".to_owned(),
            };
            error.context(format!(
                "making a consumer of the group `{group}` at {} as `{user}` failed{hint}",
                config.address()
            ))
        })?;
        Ok(Self {
            shared,
            handle,
            library,
            next_commit: Instant::now(),
            last_message: 0,
            fields: None,
        })
    }

    fn run(mut self) {
        loop {
            self.shared.free_spent();
            match self.shared.step(self.interval().map(|_| self.next_commit)) {
                Step::Order(Order::Do(work)) => work(&mut self),
                Step::Order(Order::Leave(done)) => return self.leave(done),
                Step::Poll(blocking) => self.poll(blocking),
                Step::Commit => self.commit_passed(),
                Step::End => return self.last_commit(),
            }
        }
    }

    fn interval(&self) -> Option<Duration> {
        self.shared.config.subscription.auto_commit
    }

    fn leave(mut self, done: oneshot::Sender<RawResult<()>>) {
        self.last_commit();
        let live = self.shared.state().phase == Phase::Live;
        let left = if live {
            self.handle.unsubscribe()
        } else {
            Ok(())
        };
        // Closed before anyone is told: who drops the topic next is refused while a consumer reads it.
        drop(self);
        drop(done.send(left));
    }

    /// Leaves the topics of before, if there are any, and reads these.
    pub(super) fn subscribe(&mut self, topics: Vec<String>) -> RawResult<()> {
        self.last_commit();
        let before = {
            let mut state = self.shared.state();
            state.forget();
            state.phase
        };
        self.shared.set_phase(Phase::Subscribing);
        if before == Phase::Live
            && let Err(error) = self.handle.unsubscribe()
        {
            tracing::warn!(group = self.group(), %error, "leaving the topics of before failed");
        }
        let subscribed = self.try_subscribe(&topics);
        let phase = if subscribed.is_ok() {
            Phase::Live
        } else {
            Phase::Idle
        };
        self.next_commit = Instant::now() + self.interval().unwrap_or_default();
        self.shared.set_phase(phase);
        subscribed
    }

    fn try_subscribe(&mut self, topics: &[String]) -> RawResult<()> {
        let config = Arc::clone(&self.shared.config);
        self.handle.subscribe(topics).map_err(|error| {
            let names = topics.join("`, `");
            let address = config.address();
            let what = match i32::from(error.code()) {
                NO_TOPIC if topics.len() > 1 => format!(
                    "subscribing at {address}: not all of the topics `{names}` exist; SHOW TOPICS lists them"
                ),
                NO_TOPIC => format!(
                    "subscribing at {address}: there is no topic `{names}`; SHOW TOPICS lists them"
                ),
                _ => format!(
                    "subscribing to `{names}` in the group `{}` at {address} failed",
                    config.subscription.group_id
                ),
            };
            error.context(what)
        })?;
        let Some(topic) = topics.first() else {
            return Ok(());
        };
        for (vgroup, offset) in &config.subscription.seeks {
            let mark = Mark::new(topic, *vgroup, *offset);
            if let Err(error) = self.seek(&mark) {
                if let Err(error) = self.handle.unsubscribe() {
                    tracing::warn!(group = self.group(), %error, "unsubscribing failed");
                }
                return Err(error.context(format!(
                    "the DSN's `offset={vgroup}:{offset}` for the topic `{topic}`"
                )));
            }
        }
        Ok(())
    }

    fn poll(&mut self, blocking: Duration) {
        let begun = Instant::now();
        match self.handle.poll(blocking) {
            Ok(Some(message)) => {
                let received = self.received(message, begun.elapsed());
                self.shared.deliver(received);
            }
            Ok(None) => self.shared.answered(),
            Err(error) => {
                let error = self.named(error, "asking for the next message");
                self.shared.report(error);
            }
        }
    }

    /// Reads a message that has come. One that cannot be read is given to the user all the same, with the reason for
    /// what it holds: a commit of the next one goes past it.
    fn received(&mut self, message: Message, timing: Duration) -> Received {
        let kind = message.kind();
        let (topic, vgroup, begin) = (message.topic(), message.vgroup(), message.offset());
        let next = self.place_behind(&topic, vgroup, begin);
        self.ask_group(&topic, vgroup, begin);
        let (topic, database) = {
            let mut state = self.shared.state();
            let place = state.places.entry(&topic, vgroup);
            let database = message.database();
            if *place.database != *database {
                place.database = database.into();
            }
            if next.is_some() {
                place.received = next;
            }
            if place.start.is_none() {
                place.start = Some(begin).filter(|begin| *begin >= 0);
            }
            (Arc::clone(&place.topic), Arc::clone(&place.database))
        };
        let origin = Origin {
            database: Arc::clone(&database),
            zone: self.shared.config.settings.timezone,
        };
        let message = Arc::new(Mutex::new(message));
        let set = content::read(kind, &message, &origin, &mut self.fields);
        self.last_message += 1;
        let offset = Offset::new(topic, database, vgroup, begin)
            .with_next(next)
            .with_message_id(self.last_message)
            .with_timing(timing);
        Received {
            offset,
            set,
            message,
        }
    }

    /// Where reading goes on after the message that was polled last, if the library knows.
    fn place_behind(&mut self, topic: &str, vgroup: VGroupId, begin: i64) -> Option<i64> {
        if begin < 0 || self.library.api.tmq_commit_offset_sync.found().is_none() {
            return None;
        }
        match self.handle.position(topic, vgroup) {
            Ok(next) => Some(next).filter(|next| *next >= begin),
            Err(error) => {
                tracing::debug!(%error, topic, vgroup, "the place behind a message is not known");
                None
            }
        }
    }

    /// Learns what the group has committed in a vgroup that is new here, or that went away and has come back: then
    /// others may have gone further.
    fn ask_group(&mut self, topic: &str, vgroup: VGroupId, begin: i64) {
        let before = {
            let state = self.shared.state();
            match state.places.get(topic, vgroup) {
                None => None,
                Some(place) if place.committed.is_some() && place.received != Some(begin) => {
                    place.committed
                }
                Some(_) => return,
            }
        };
        match self.committed_or_none(topic, vgroup) {
            Ok(Some(told)) => self.shared.state().told(topic, vgroup, before, told),
            Ok(None) => {}
            Err(error) => {
                tracing::debug!(%error, topic, vgroup, "what is committed is not known");
            }
        }
    }

    /// Commits a place; going forward, not if the group is there already.
    pub(super) fn commit(&mut self, mark: &Mark, course: Course) -> RawResult<()> {
        self.shared.state().usable()?;
        if course == Course::Forward && self.is_committed(mark) {
            return Ok(());
        }
        match self.handle.commit_offset(mark) {
            Ok(()) => {}
            // Another of the group may have gone further while the library made its connection anew.
            Err(error)
                if course == Course::Forward
                    && error.kind() == ErrorKind::ConnectionLost
                    && self.is_committed(mark) =>
            {
                tracing::debug!(%error, vgroup = mark.vgroup, "the group is there already");
                return Ok(());
            }
            Err(error) => {
                let Mark {
                    topic,
                    vgroup,
                    offset,
                } = mark;
                let what = format!("committing {offset} in the topic `{topic}`, vgroup {vgroup},");
                return Err(self.named(error, &what));
            }
        }
        let mut state = self.shared.state();
        state.places.committed(mark, course == Course::Anywhere);
        Ok(())
    }

    /// Whether the group has committed that, or more. The vgroup may have been another's meanwhile, of which the
    /// library says nothing: so it is asked each time, which costs nothing where it knows the answer.
    fn is_committed(&mut self, mark: &Mark) -> bool {
        let (topic, vgroup) = (&*mark.topic, mark.vgroup);
        let before = {
            let state = self.shared.state();
            if state.places.is_committed(mark) {
                return true;
            }
            let place = state.places.get(topic, vgroup);
            if place.is_some_and(Place::may_go_back) {
                return false;
            }
            place.and_then(|place| place.committed)
        };
        match self.committed_or_none(topic, vgroup) {
            Ok(Some(told)) => {
                let mut state = self.shared.state();
                state.told(topic, vgroup, before, told);
                state.places.is_committed(mark)
            }
            Ok(None) => false,
            // Then the commit itself tells what is wrong.
            Err(error) => {
                tracing::debug!(%error, topic, vgroup, "what is committed is not known");
                false
            }
        }
    }

    /// Commits a message that tells no place.
    pub(super) fn commit_message(&mut self, offset: &Offset) -> RawResult<()> {
        let found = {
            let state = self.shared.state();
            state.usable()?;
            state.unplaced.find(offset)
        };
        let message = match found {
            Found::Message(message) => message,
            Found::Done => return Ok(()),
            Found::Gone => {
                return Err(RawError::of(
                    ErrorKind::Closed,
                    "the message tells no place and is not kept any more: only the last of them are, until \
                     the next subscription; it comes again",
                )
                .with_code(Code::WS_CLOSED));
            }
        };
        let committed = self.handle.commit(&content::lock(&message));
        committed.map_err(|error| {
            let (topic, vgroup) = (offset.topic(), offset.vgroup_id());
            let what = format!("committing a message of the topic `{topic}`, vgroup {vgroup},");
            self.named(error, &what)
        })?;
        self.shared.state().committed_unplaced(offset);
        Ok(())
    }

    /// Commits all that was taken.
    pub(super) fn commit_taken(&mut self) -> RawResult<()> {
        let (marks, last) = {
            let state = self.shared.state();
            // An unsubscribed consumer has nothing to commit, and should know it.
            state.usable()?;
            (state.places.taken(), state.unplaced.last(false))
        };
        for mark in marks {
            self.commit(&mark, Course::Forward)?;
        }
        for offset in last {
            self.commit_message(&offset)?;
        }
        Ok(())
    }

    /// Commits what was moved past; what fails is left for the next time.
    fn commit_passed(&mut self) {
        self.next_commit = Instant::now() + self.interval().unwrap_or_default();
        let (marks, last) = {
            let state = self.shared.state();
            (state.places.passed(), state.unplaced.last(true))
        };
        for mark in marks {
            if let Err(error) = self.commit(&mark, Course::Forward) {
                if i32::from(error.code()) == FOREIGN {
                    self.shared.state().places.lost(&mark);
                }
                self.log_failure(&error);
            }
        }
        for offset in last {
            if let Err(error) = self.commit_message(&offset) {
                if i32::from(error.code()) == FOREIGN {
                    let mut state = self.shared.state();
                    state.forget_unplaced_of(offset.topic(), offset.vgroup_id());
                }
                self.log_failure(&error);
            }
        }
    }

    fn log_failure(&self, error: &RawError) {
        tracing::warn!(group = self.group(), %error, "an automatic commit failed");
    }

    /// Commits what was moved past, before the subscription ends.
    fn last_commit(&mut self) {
        if self.interval().is_some() && self.shared.state().has_passed() {
            self.commit_passed();
        }
    }

    pub(super) fn group(&self) -> &str {
        &self.shared.config.subscription.group_id
    }
}
