//! Commits. Only the user's own will sets a group back: a number at or below what the group has committed
//! is not written down, and no two commits are under way at once.

use super::restore::told;
use super::session::{Session, Trouble};
use super::shared::Shared;
use crate::protocol::Action;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use taos_query::tmq::backend::{FOREIGN, Mark, snapshot_waits};
use taos_query::tmq::{IsOffset as _, Offset, VGroupId};
use taos_query::util::pause;
use taos_query::{Code, ErrorKind, RawError, RawResult};

/// Between attempts to commit in a vgroup that the group has not given back yet.
const NOT_YET: Duration = Duration::from_millis(500);

/// Whether a commit may set the group back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Course {
    Forward,
    /// The user says where to, and as far as is known here it is no way back: what others of the group have
    /// committed since a loss stays.
    Onward,
    /// The user sets the group back.
    Anywhere,
}

/// What the server is to commit of which only it knows the place.
#[derive(Debug)]
enum Behind {
    /// All that it has sent.
    All,
    Places(Vec<(Arc<str>, VGroupId, End)>),
}

#[derive(Debug, Clone, Copy)]
enum End {
    At(i64),
    /// Where the server is in the vgroup.
    Position,
}

impl Shared {
    /// Commits what is before `next`, unless the group has.
    pub(super) async fn commit_behind(
        self: &Arc<Self>,
        topic: &str,
        vgroup: VGroupId,
        next: i64,
    ) -> RawResult<()> {
        let mark = Mark::new(topic, vgroup, next);
        self.commit(mark, Course::Forward).await
    }

    /// Commits a place of the user's, wherever the group is.
    pub(super) async fn commit_offset(
        self: &Arc<Self>,
        topic: &str,
        vgroup: VGroupId,
        offset: i64,
    ) -> RawResult<()> {
        let mark = Mark::new(topic, vgroup, offset);
        self.commit(mark, Course::Anywhere).await
    }

    /// Commits all that was taken and tells its place.
    pub(super) async fn commit_taken(self: &Arc<Self>) -> RawResult<()> {
        let marks = self.state().places.taken();
        for mark in marks {
            self.commit(mark, Course::Forward).await?;
        }
        Ok(())
    }

    async fn commit(self: &Arc<Self>, mark: Mark, course: Course) -> RawResult<()> {
        let course = match course {
            Course::Anywhere if !self.is_beyond(&mark) => Course::Onward,
            course => course,
        };
        let mark = Arc::new(mark);
        let sent = AtomicBool::new(false);
        loop {
            let ended = self.call("commit_offset", |session| {
                let (mark, sent) = (Arc::clone(&mark), &sent);
                async move {
                    let again = sent.swap(true, Ordering::Relaxed);
                    if course != Course::Forward && again && self.is_beyond(&mark) {
                        return Err(Trouble::Refused(overtaken(&mark)));
                    }
                    self.in_turn(session, mark, course).await
                }
            });
            match ended.await {
                // The group may still hold the member that this consumer was before a loss.
                Err(error) if is_foreign(&error) && self.may_come_back(&mark) => {
                    pause(NOT_YET).await;
                }
                ended => {
                    let sent = sent.load(Ordering::Relaxed);
                    return ended.map_err(|error| unsettled(error, &mark, sent));
                }
            }
        }
    }

    fn is_beyond(&self, mark: &Mark) -> bool {
        let state = self.state();
        let place = state.places.get(&mark.topic, mark.vgroup);
        place.is_some_and(|place| place.committed > Some(mark.offset))
    }

    /// True while it is not known whether the vgroup of before a loss is still this consumer's.
    fn may_come_back(&self, mark: &Mark) -> bool {
        self.is_unsettled(mark) && self.is_rejoining()
    }

    fn is_unsettled(&self, mark: &Mark) -> bool {
        let state = self.state();
        let place = state.places.get(&mark.topic, mark.vgroup);
        place.is_some_and(|place| place.resume.is_some())
    }

    /// Commits when those before are answered. Once it is sent the next waits for its answer, even if
    /// the caller does not.
    async fn in_turn(
        self: &Arc<Self>,
        session: Arc<Session>,
        mark: Arc<Mark>,
        course: Course,
    ) -> Result<(), Trouble> {
        let turn = Arc::clone(&self.commits).lock_owned().await;
        let shared = Arc::clone(self);
        let runtime = session.link.runtime.clone();
        let work = async move {
            let _turn = turn;
            shared.write(&session, &mark, course).await
        };
        let written = runtime.spawn(work).await;
        written.unwrap_or_else(|_| Err(Trouble::Refused(super::ended_task())))
    }

    /// Only for who has the turn.
    async fn write(&self, session: &Session, mark: &Mark, course: Course) -> Result<(), Trouble> {
        if course != Course::Anywhere && self.is_unsettled(mark) {
            self.ask_group(session, mark).await?;
            if course == Course::Onward && self.is_beyond(mark) {
                return Err(Trouble::Refused(overtaken(mark)));
            }
        }
        if course == Course::Forward && self.state().places.is_committed(mark) {
            return Ok(());
        }
        session.commit_offset(mark).await?;
        let by_user = course != Course::Forward;
        self.state().places.committed(mark, by_user);
        Ok(())
    }

    /// Learns what others of the group have committed since this consumer was cut off.
    async fn ask_group(&self, session: &Session, mark: &Mark) -> Result<(), Trouble> {
        let (topic, vgroup) = (&*mark.topic, mark.vgroup);
        let before = {
            let state = self.state();
            let place = state.places.get(topic, vgroup);
            place.and_then(|place| place.committed)
        };
        let told = told(session, topic, &[vgroup]).await?;
        let told = told.first().copied().flatten();
        self.state().told(topic, vgroup, before, told);
        Ok(())
    }

    /// Commits what was moved past; what fails is left for the next time.
    pub(super) async fn commit_passed(self: &Arc<Self>, session: Arc<Session>) {
        let turn = Arc::clone(&self.commits).lock_owned().await;
        let shared = Arc::clone(self);
        let runtime = session.link.runtime.clone();
        let work = async move {
            let _turn = turn;
            shared.write_passed(&session).await;
        };
        // It fails with the runtime only, and then there is nobody left to commit for.
        drop(runtime.spawn(work).await);
    }

    async fn write_passed(&self, session: &Session) {
        let marks = self.state().places.passed();
        if !marks.is_empty() {
            let ended = self.write_each(session, marks).await;
            self.listener.tell(ended);
        }
    }

    /// Gives the last error.
    async fn write_each(&self, session: &Session, marks: Vec<Mark>) -> RawResult<()> {
        let mut ended = Ok(());
        for mark in marks {
            let Err(trouble) = self.write(session, &mark, Course::Forward).await else {
                continue;
            };
            let lost = matches!(trouble, Trouble::Lost(_));
            let error = trouble.into_error();
            if is_foreign(&error) && !self.may_come_back(&mark) {
                self.state().places.lost(&mark);
            }
            tracing::warn!(
                group = %self.config.subscription.group_id,
                topic = %mark.topic,
                vgroup = mark.vgroup,
                offset = mark.offset,
                %error,
                "an automatic commit failed"
            );
            let hopeless = lost || error.kind() == ErrorKind::Timeout;
            ended = Err(error);
            if hopeless {
                // Nor would the others be answered, and the user's own commits wait behind them.
                break;
            }
        }
        ended
    }

    /// Commits what only the server can commit: a message, or all that was taken. Between polls only: the
    /// server counts what a poll brings as taken.
    pub(super) async fn commit_unplaced(
        self: &Arc<Self>,
        offset: Option<&Offset>,
    ) -> RawResult<()> {
        let behind = match offset {
            Some(offset) => self.behind(offset)?,
            None => self.behind_taken()?,
        };
        let Some(session) = self.state().usable()? else {
            return Err(lost_subscription());
        };
        let message = offset.map_or(0, Offset::message_id);
        let ended = self.commit_ends(&session, behind, message).await;
        ended.map_err(|trouble| {
            if let Trouble::Lost(error) = &trouble {
                self.lose(&session, error);
            }
            trouble.into_error()
        })
    }

    /// The same of what was moved past, for nobody who waits. Between polls only.
    pub(super) async fn commit_passed_unplaced(self: &Arc<Self>, session: &Arc<Session>) {
        let behind = self.behind_passed();
        let ended = self.commit_ends(session, behind, 0).await;
        let ended = ended.map_err(Trouble::into_error);
        if let Err(error) = &ended {
            tracing::warn!(group = %self.config.subscription.group_id, %error, "an automatic commit failed");
        }
        self.listener.tell(ended);
    }

    async fn commit_ends(
        self: &Arc<Self>,
        session: &Arc<Session>,
        behind: Behind,
        message: u64,
    ) -> Result<(), Trouble> {
        let places = match behind {
            Behind::Places(places) => places,
            Behind::All => {
                let _turn = self.commits.lock().await;
                session.commit_all(message).await?;
                self.state().unplaced = false;
                return Ok(());
            }
        };
        for (topic, vgroup, end) in places {
            let offset = match end {
                End::At(offset) => offset,
                End::Position => {
                    let position = session.offsets(Action::Position, &topic, &[vgroup]).await?;
                    position.first().copied().unwrap_or(-1)
                }
            };
            if offset < 0 {
                return Err(Trouble::Refused(snapshot_waits(&topic, vgroup)));
            }
            let mark = Mark::new(&topic, vgroup, offset);
            self.in_turn(Arc::clone(session), Arc::new(mark), Course::Forward)
                .await?;
        }
        Ok(())
    }

    /// What to commit for a message that was taken, and nothing but that and what lies before it in its
    /// vgroup.
    fn behind(&self, offset: &Offset) -> RawResult<Behind> {
        let state = self.state();
        let (topic, vgroup) = (offset.topic(), offset.vgroup_id());
        let place = state.places.get(topic, vgroup);
        let Some(next) = place.and_then(|place| place.behind(offset.offset())) else {
            return Err(lost_subscription().with_code(FOREIGN));
        };
        let waiting = state.slot.as_ref().map(|message| &message.offset);
        let end = match (next, waiting) {
            (Some(next), _) => End::At(next),
            (None, Some(waiting)) if waiting.is_of(topic, vgroup) => End::At(waiting.offset()),
            (None, Some(_)) => End::Position,
            // In a snapshot only the server knows places.
            (None, None) if offset.offset() >= 0 && state.places.unplaced().nth(1).is_some() => {
                End::Position
            }
            (None, None) => return Ok(Behind::All),
        };
        Ok(Behind::Places(vec![(topic.into(), vgroup, end)]))
    }

    /// What to commit for all that was taken.
    fn behind_taken(&self) -> RawResult<Behind> {
        let state = self.state();
        if !state.unplaced {
            return Ok(Behind::Places(Vec::new()));
        }
        if !state.places.has_noted() {
            return Err(lost_subscription());
        }
        let Some(waiting) = state.slot.as_ref().map(|message| &message.offset) else {
            return Ok(Behind::All);
        };
        let ends = state.places.unplaced().map(|place| {
            let same = waiting.is_of(&place.topic, place.vgroup);
            let end = if same {
                End::At(waiting.offset())
            } else {
                End::Position
            };
            (Arc::clone(&place.topic), place.vgroup, end)
        });
        Ok(Behind::Places(ends.collect()))
    }

    /// What to commit for what was moved past; nothing in vgroups where that is not known.
    fn behind_passed(&self) -> Behind {
        let state = self.state();
        let waiting = state.slot.as_ref().map(|message| &message.offset);
        let in_hand = state
            .places
            .unplaced()
            .any(|place| place.in_hand().is_some());
        if waiting.is_none() && !in_hand {
            return Behind::All;
        }
        let ends = state.places.unplaced().filter_map(|place| {
            let waiting = waiting.filter(|next| next.is_of(&place.topic, place.vgroup));
            let end = match (place.in_hand(), waiting) {
                _ if place.is_first_in_hand() => return None,
                (Some(begin), _) => End::At(begin),
                (None, Some(next)) => End::At(next.offset()),
                (None, None) => End::Position,
            };
            let known = !matches!(end, End::At(offset) if offset < 0);
            known.then(|| (Arc::clone(&place.topic), place.vgroup, end))
        });
        Behind::Places(ends.collect())
    }

    /// Reading goes on where the user says; what was fetched ahead from there is not wanted now.
    pub(super) async fn go_to(
        &self,
        session: &Session,
        topic: &str,
        vgroup: VGroupId,
        offset: i64,
    ) -> Result<(), Trouble> {
        // No commit of before may be answered after it, and be taken for one of what comes now.
        let _turn = self.commits.lock().await;
        session.seek(topic, vgroup, offset).await?;
        self.sought(topic, vgroup, offset);
        Ok(())
    }

    /// Reading goes on at what was left to be read again, or at what the group has committed since.
    pub(super) async fn go_back(
        &self,
        session: &Session,
        topic: &str,
        vgroup: VGroupId,
        offset: i64,
    ) -> Result<(), Trouble> {
        let _turn = self.commits.lock().await;
        let mark = Mark::new(topic, vgroup, offset);
        self.ask_group(session, &mark).await?;
        let committed = {
            let state = self.state();
            let place = state.places.get(topic, vgroup);
            place.and_then(|place| place.committed)
        };
        let offset = committed.map_or(offset, |committed| committed.max(offset));
        session.seek(topic, vgroup, offset).await?;
        self.sought(topic, vgroup, offset);
        self.state().places.entry(topic, vgroup).committed = committed;
        Ok(())
    }

    fn sought(&self, topic: &str, vgroup: VGroupId, offset: i64) {
        let mut state = self.state();
        state.discard(topic, vgroup);
        state.places.entry(topic, vgroup).seek(offset);
        state.ahead = false;
    }
}

/// A commit that ended with its connection or in silence: refusals say themselves what was asked.
fn unsettled(error: RawError, mark: &Mark, sent: bool) -> RawError {
    if error.kind() == ErrorKind::Server {
        return error;
    }
    let outcome = if sent {
        "it may have been made"
    } else {
        "it was not made"
    };
    error.context(format!(
        "commit of `{}`, vgroup {}, up to {}: {outcome}",
        mark.topic, mark.vgroup, mark.offset
    ))
}

fn is_foreign(error: &RawError) -> bool {
    i32::from(error.code()) == FOREIGN
}

fn overtaken(mark: &Mark) -> RawError {
    RawError::of(
        ErrorKind::ConnectionLost,
        format!(
            "the connection was lost during the commit of {} in vgroup {} of the topic `{}`, and the \
             group has committed more since: commit it again to set the group back",
            mark.offset, mark.vgroup, mark.topic
        ),
    )
    .with_code(Code::WS_DISCONNECTED)
}

fn lost_subscription() -> RawError {
    RawError::of(
        ErrorKind::ConnectionLost,
        "what was taken came by a subscription that was lost, and this server cannot commit it by \
         another: it comes again",
    )
    .with_code(Code::WS_DISCONNECTED)
}
