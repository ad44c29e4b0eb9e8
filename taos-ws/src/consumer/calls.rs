//! What users ask beside messages: commits, places, topics.

use super::places::Mark;
use super::refusals::FOREIGN;
use super::session::{Session, Trouble, plain};
use super::shared::Shared;
use crate::protocol::Action;
use crate::resend::RESENDS;
use crate::telemetry::span;
use std::future::Future;
use std::sync::Arc;
use taos_query::tmq::{Assignment, IsOffset as _, Offset, VGroupId};
use taos_query::{Code, ErrorKind, RawError, RawResult};

/// The place behind a message of which only the server knows it.
enum Behind {
    At(i64),
    /// Where the server is in the vgroup.
    Position,
    /// Behind all that the server has sent.
    All,
}

impl Shared {
    /// Asks on the subscription, made anew if it is lost. All that is asked this way may be asked
    /// twice.
    async fn call<T, F, W>(&self, name: &'static str, ask: F) -> RawResult<T>
    where
        F: Fn(Arc<Session>) -> W + Send + Sync,
        W: Future<Output = Result<T, Trouble>> + Send,
        T: Send,
    {
        let work = async {
            let mut tries = 0;
            loop {
                let session = self.session().await?;
                match ask(Arc::clone(&session)).await {
                    Ok(value) => return Ok(value),
                    Err(Trouble::Refused(error)) => return Err(error),
                    Err(Trouble::Lost(error)) => {
                        self.lose(&session, &error);
                        if tries >= RESENDS || !self.config.reconnect {
                            return Err(error);
                        }
                        tries += 1;
                    }
                }
            }
        };
        // Large, and rarely waited for together with others.
        Box::pin(self.client.traced(span(name), work)).await
    }

    pub(super) async fn commit(&self, offset: &Offset) -> RawResult<()> {
        let (topic, vgroup) = (offset.topic(), offset.vgroup_id());
        let Some(next) = offset.next() else {
            return self.commit_message(offset).await;
        };
        self.commit_offset(topic, vgroup, next).await
    }

    pub(super) async fn commit_offset(
        &self,
        topic: &str,
        vgroup: VGroupId,
        offset: i64,
    ) -> RawResult<()> {
        let mark = Mark {
            topic: topic.into(),
            vgroup,
            offset,
        };
        self.call("commit_offset", |session| {
            let mark = &mark;
            async move { session.commit_offset(mark).await }
        })
        .await?;
        self.state().places.committed(topic, vgroup, offset);
        Ok(())
    }

    /// Commits a message of which only the server knows what comes behind it, and nothing but that and
    /// what lies before it in its vgroup.
    async fn commit_message(&self, offset: &Offset) -> RawResult<()> {
        self.call("commit", |session| async move {
            let (topic, vgroup) = (offset.topic(), offset.vgroup_id());
            let behind = match self.behind(offset).map_err(Trouble::Refused)? {
                Behind::All => {
                    session.commit_all(offset.message_id()).await?;
                    self.state().unplaced = false;
                    return Ok(());
                }
                Behind::Position => session
                    .offsets(Action::Position, topic, &[vgroup])
                    .await?
                    .first()
                    .copied()
                    .unwrap_or_default(),
                Behind::At(behind) => behind,
            };
            session
                .commit_offset(&Mark {
                    topic: topic.into(),
                    vgroup,
                    offset: behind,
                })
                .await
        })
        .await
    }

    /// What to commit for a message that was taken.
    fn behind(&self, offset: &Offset) -> RawResult<Behind> {
        let state = self.state();
        let waiting = state.slot.as_ref().map(|message| &message.offset);
        let begin = offset.offset();
        if begin < 0 && waiting.is_none() {
            // In a snapshot only the server knows places.
            return Ok(Behind::All);
        }
        let (topic, vgroup) = (offset.topic(), offset.vgroup_id());
        let place = state.places.get(topic, vgroup);
        let Some(next) = place.and_then(|place| place.behind(begin)) else {
            return Err(RawError::of(
                ErrorKind::ConnectionLost,
                "the message came by a subscription that was lost, and this server cannot commit it by \
                 another: it comes again",
            )
            .with_code(FOREIGN));
        };
        let same = |next: &&Offset| next.topic() == topic && next.vgroup_id() == vgroup;
        Ok(match (next, waiting) {
            (Some(next), _) => Behind::At(next),
            (None, Some(_)) => waiting
                .filter(same)
                .map_or(Behind::Position, |next| Behind::At(next.offset())),
            (None, None) if state.places.unplaced().len() > 1 => Behind::Position,
            (None, None) => Behind::All,
        })
    }

    pub(super) async fn commit_all(&self) -> RawResult<()> {
        let (marks, unplaced, waiting, lost) = {
            let state = self.state();
            let waiting = state.slot.as_ref().map(|message| message.offset.clone());
            let lost = state.unplaced && !state.places.has_noted();
            (state.places.taken(), state.unplaced, waiting, lost)
        };
        for mark in &marks {
            self.commit_offset(&mark.topic, mark.vgroup, mark.offset)
                .await?;
        }
        if !unplaced {
            // An unsubscribed consumer has nothing to commit, and should know it.
            return self.session().await.map(drop);
        }
        if lost {
            return Err(RawError::of(
                ErrorKind::ConnectionLost,
                "what was taken came by a subscription that was lost, and this server cannot commit all \
                 of it by another: it comes again; single messages can be committed",
            )
            .with_code(Code::WS_DISCONNECTED));
        }
        if let Some(waiting) = waiting {
            return self.commit_before(&waiting).await;
        }
        self.call(
            "commit",
            |session| async move { session.commit_all(0).await },
        )
        .await?;
        self.state().unplaced = false;
        Ok(())
    }

    /// Commits what the user has taken of vgroups where only the server knows how far that is, while
    /// a message waits that was received for a wait that ended.
    async fn commit_before(&self, waiting: &Offset) -> RawResult<()> {
        let unplaced = self.state().places.unplaced();
        for (topic, vgroup) in unplaced {
            let same = &*topic == waiting.topic() && vgroup == waiting.vgroup_id();
            let behind = if same {
                waiting.offset()
            } else {
                self.server_offset(Action::Position, &topic, vgroup).await?
            };
            // Of a snapshot there is no place; it is committed when nothing waits.
            if behind >= 0 {
                self.commit_offset(&topic, vgroup, behind).await?;
            }
        }
        Ok(())
    }

    pub(super) async fn list_topics(&self) -> RawResult<Vec<String>> {
        self.call(
            "list_topics",
            |session| async move { session.topics().await },
        )
        .await
    }

    /// The server counts what was fetched ahead as delivered; here it is not.
    pub(super) async fn assignment(&self, topic: &str) -> RawResult<Vec<Assignment>> {
        let assigned = self
            .call("assignment", |session| async move {
                session.assignment(topic).await
            })
            .await?;
        let state = self.state();
        Ok(assigned
            .into_iter()
            .map(|vgroup| {
                let place = state.places.get(topic, vgroup.vgroup_id);
                let last = place.and_then(|place| {
                    let seeked = place.start.filter(|_| place.received.is_none());
                    place.last.or(seeked)
                });
                Assignment::new(
                    vgroup.vgroup_id,
                    last.unwrap_or(vgroup.offset),
                    vgroup.begin,
                    vgroup.end,
                )
            })
            .collect())
    }

    pub(super) async fn committed(&self, topic: &str, vgroup: VGroupId) -> RawResult<i64> {
        self.server_offset(Action::Committed, topic, vgroup).await
    }

    pub(super) async fn position(&self, topic: &str, vgroup: VGroupId) -> RawResult<i64> {
        let own = {
            let mut state = self.state();
            state.usable()?;
            let waiting = state.slot.as_ref().is_some_and(|message| {
                message.offset.topic() == topic && message.offset.vgroup_id() == vgroup
            });
            state
                .places
                .get(topic, vgroup)
                .and_then(|place| place.taken.or_else(|| place.start.filter(|_| waiting)))
        };
        match own {
            Some(position) => Ok(position),
            None => self.server_offset(Action::Position, topic, vgroup).await,
        }
    }

    async fn server_offset(&self, action: Action, topic: &str, vgroup: VGroupId) -> RawResult<i64> {
        let name = match action {
            Action::Committed => "committed",
            _ => "position",
        };
        let offsets = self
            .call(name, |session| {
                let action = action.clone();
                async move { session.offsets(action, topic, &[vgroup]).await }
            })
            .await?;
        Ok(offsets.first().copied().unwrap_or_default())
    }

    /// Commits places in the background of everything else; what fails is left for the next time.
    pub(super) async fn commit_marks(&self, session: &Session, marks: Vec<Mark>) {
        for mark in marks {
            let done = session.commit_offset(&mark).await;
            let mut state = self.state();
            match plain(done) {
                Ok(()) => state
                    .places
                    .committed(&mark.topic, mark.vgroup, mark.offset),
                Err(error) => {
                    if i32::from(error.code()) == FOREIGN {
                        state.places.lost(&mark);
                    }
                    drop(state);
                    tracing::warn!(
                        group = %self.config.group_id,
                        topic = %mark.topic,
                        vgroup = mark.vgroup,
                        offset = mark.offset,
                        %error,
                        "an automatic commit failed"
                    );
                }
            }
        }
    }
}
