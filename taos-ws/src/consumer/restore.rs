//! Subscribing, and going on where reading was.

use super::refusals::OUT_OF_RANGE;
use super::session::{Session, Trouble};
use super::shared::{Phase, Shared};
use crate::protocol::Action;
use crate::telemetry::span;
use std::sync::Arc;
use taos_query::{ErrorKind, RawResult};
use tokio::time::{Instant, sleep};

/// What is to be done about a vgroup after a new subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Resume {
    /// The server goes on in the right place.
    Fine,
    Seek(i64),
    /// What lay between the two is gone from the log.
    Hole {
        from: i64,
        to: i64,
    },
}

/// Where reading goes on: where it was, or where the group has committed if that is further.
///
/// `known` is where it was, `committed` is negative if nothing is; the server would start at `start`,
/// and has what lies in `begin..end`.
pub(super) const fn resume(known: i64, committed: i64, start: i64, begin: i64, end: i64) -> Resume {
    let wanted = if committed > known { committed } else { known };
    if wanted < begin || wanted > end {
        // In a log that ends before it, everything is new.
        Resume::Hole {
            from: wanted,
            to: begin,
        }
    } else if wanted == start {
        Resume::Fine
    } else {
        Resume::Seek(wanted)
    }
}

impl Shared {
    /// Joins the group over a link that is not subscribed to anything.
    async fn join(&self, topics: &[String]) -> RawResult<Arc<Session>> {
        let deadline = Instant::now() + self.config.connection.conn_total_timeout;
        let mut round = 0;
        loop {
            let link = self.client.link().await?;
            let session = Arc::new(Session::new(link, &self.config));
            match session.subscribe(&self.config, topics).await {
                Ok(()) => return Ok(session),
                Err(Trouble::Refused(error)) => {
                    // What the server holds of the attempt is not known.
                    self.client.retire(&session.link, &error);
                    return Err(error);
                }
                Err(Trouble::Lost(error)) => {
                    self.client.retire(&session.link, &error);
                    round += 1;
                    let pause = self.config.connection.backoff(round);
                    if round > self.config.connection.conn_retries
                        || Instant::now() + pause >= deadline
                    {
                        return Err(error);
                    }
                    tracing::debug!(%error, "subscribing again");
                    sleep(pause).await;
                }
            }
        }
    }

    /// Leaves the topics of before, if there are any, and reads these.
    pub(super) async fn subscribe(&self, topics: Vec<String>) -> RawResult<()> {
        let work = async {
            let before = match &self.state().phase {
                Phase::Live(session) if session.link.is_usable() => Some(Arc::clone(session)),
                _ => None,
            };
            self.set_phase(Phase::Subscribing);
            self.state().forget();
            let mut joined = None;
            if let Some(session) = before {
                // A server that does not let go of the old subscription would refuse the new one.
                match session.unsubscribe().await {
                    Ok(()) => match session.subscribe(&self.config, &topics).await {
                        Ok(()) => joined = Some(session),
                        Err(Trouble::Refused(error)) => {
                            self.client.retire(&session.link, &error);
                            return Err(error);
                        }
                        Err(Trouble::Lost(error)) => self.client.retire(&session.link, &error),
                    },
                    Err(trouble) => self.client.retire(&session.link, &trouble.into_error()),
                }
            }
            let session = match joined {
                Some(session) => session,
                None => self.join(&topics).await?,
            };
            self.begin(&session, &topics).await.inspect_err(|error| {
                self.client.retire(&session.link, error);
            })?;
            let mut state = self.state();
            state.topics = topics;
            state.phase = Phase::Live(session);
            drop(state);
            self.changed.notify_waiters();
            Ok(())
        };
        let subscribed = self.client.traced(span("subscribe"), work).await;
        if subscribed.is_err() {
            self.set_phase(Phase::Idle);
        }
        subscribed
    }

    /// Where the DSN wants to begin, and where the server does.
    async fn begin(&self, session: &Session, topics: &[String]) -> RawResult<()> {
        self.learn(session, topics).await;
        if let Some(topic) = topics.first() {
            for (vgroup, offset) in &self.config.seeks {
                let seek = session.seek(topic, *vgroup, *offset).await;
                seek.map_err(|trouble| {
                    trouble.into_error().context(format!(
                        "the DSN's `offset={vgroup}:{offset}` for the topic `{topic}`"
                    ))
                })?;
                self.state().places.entry(topic, *vgroup).seek(*offset);
            }
        }
        Ok(())
    }

    /// Remembers where reading begins, so that what is produced during a cut before the first message
    /// is not missed. True if every topic has vgroups.
    pub(super) async fn learn(&self, session: &Session, topics: &[String]) -> bool {
        if !self.config.reconnect || self.config.snapshot {
            return true;
        }
        let mut complete = true;
        for topic in topics {
            match session.assignment_soon(topic).await {
                Ok(assigned) => {
                    complete &= !assigned.is_empty();
                    let mut state = self.state();
                    for vgroup in assigned {
                        let place = state.places.entry(topic, vgroup.vgroup_id);
                        if place.start.is_none() && vgroup.offset >= 0 {
                            place.start = Some(vgroup.offset);
                        }
                    }
                }
                Err(trouble) => {
                    let error = trouble.into_error();
                    tracing::debug!(%error, %topic, "the assignment is not known yet");
                    complete = false;
                }
            }
        }
        complete
    }

    /// Subscribes again after a loss; another loss on the way is told as such.
    pub(super) async fn restore(&self) -> Result<(), Trouble> {
        let work = async {
            let topics = self.state().topics.clone();
            let session = self.join(&topics).await?;
            if let Err(Trouble::Lost(error)) = self.settle(&session).await {
                self.client.retire(&session.link, &error);
                return Ok(Some(error));
            }
            tracing::info!(
                address = session.link.address(),
                group = %self.config.group_id,
                "subscribed again"
            );
            self.set_phase(Phase::Live(session));
            Ok(None)
        };
        match self.client.traced(span("subscribe"), work).await {
            Ok(None) => Ok(()),
            Ok(Some(error)) => Err(Trouble::Lost(error)),
            Err(error) => Err(Trouble::Refused(error)),
        }
    }

    /// Makes sure that reading goes on where it was in the vgroups that are assigned by now; others
    /// may come later.
    pub(super) async fn settle(&self, session: &Session) -> Result<(), Trouble> {
        if self.config.snapshot || !self.state().places.is_unsettled() {
            return Ok(());
        }
        let topics = self.state().topics.clone();
        for topic in &topics {
            let assigned = match session.assignment_soon(topic).await {
                Ok(assigned) => assigned,
                Err(Trouble::Refused(error)) => {
                    tracing::debug!(%error, %topic, "the assignment is not known yet");
                    continue;
                }
                Err(lost) => return Err(lost),
            };
            let mut open = Vec::new();
            {
                let state = self.state();
                for vgroup in assigned {
                    let place = state.places.get(topic, vgroup.vgroup_id);
                    if let Some(known) = place.and_then(|place| place.resume) {
                        open.push((vgroup, known));
                    }
                }
            }
            let ids: Vec<i32> = open.iter().map(|(vgroup, _)| vgroup.vgroup_id).collect();
            if ids.is_empty() {
                continue;
            }
            let committed = committed(session, topic, &ids).await?;
            for ((vgroup, known), committed) in open.into_iter().zip(committed) {
                let what = resume(known, committed, vgroup.offset, vgroup.begin, vgroup.end);
                self.go_on(session, topic, vgroup.vgroup_id, what).await?;
            }
        }
        Ok(())
    }

    /// A message came from a vgroup of which it is not made sure where reading goes on: true if it is
    /// the right one.
    pub(super) async fn settle_with(
        &self,
        session: &Session,
        topic: &str,
        vgroup: i32,
        begin: i64,
    ) -> Result<bool, Trouble> {
        let known = match self.state().places.get(topic, vgroup) {
            Some(place) => place.resume,
            None => None,
        };
        let Some(known) = known else {
            return Ok(true);
        };
        let committed = committed(session, topic, &[vgroup])
            .await?
            .first()
            .copied()
            .unwrap_or(-1);
        let wanted = known.max(committed);
        if begin == wanted {
            self.settled(topic, vgroup, true);
            return Ok(true);
        }
        let sought = self.go_on(session, topic, vgroup, Resume::Seek(wanted));
        Ok(!sought.await?)
    }

    /// True if reading goes on elsewhere than before.
    async fn go_on(
        &self,
        session: &Session,
        topic: &str,
        vgroup: i32,
        what: Resume,
    ) -> Result<bool, Trouble> {
        let (offset, hole) = match what {
            Resume::Fine => {
                self.settled(topic, vgroup, true);
                return Ok(false);
            }
            Resume::Seek(offset) => (offset, None),
            Resume::Hole { from, to } => (to, Some(from)),
        };
        match session.seek(topic, vgroup, offset).await {
            Ok(()) => {
                if let Some(from) = hole {
                    self.tell_gap(topic, vgroup, from, offset);
                }
                self.settled(topic, vgroup, hole.is_none());
                Ok(true)
            }
            Err(Trouble::Refused(error))
                if hole.is_none() && i32::from(error.code()) == OUT_OF_RANGE =>
            {
                self.hole(session, topic, vgroup, offset).await
            }
            // Where reading goes on is not known then.
            Err(Trouble::Refused(error)) if error.kind() == ErrorKind::Timeout => {
                Err(Trouble::Lost(error))
            }
            Err(Trouble::Refused(error)) => {
                tracing::warn!(
                    topic,
                    vgroup,
                    %error,
                    "reading goes on where the server says, not where it was"
                );
                self.settled(topic, vgroup, true);
                Ok(false)
            }
            Err(lost) => Err(lost),
        }
    }

    /// The place went out of the log between the question and the seek.
    async fn hole(
        &self,
        session: &Session,
        topic: &str,
        vgroup: i32,
        from: i64,
    ) -> Result<bool, Trouble> {
        let assigned = match session.assignment(topic).await {
            Err(Trouble::Refused(error)) => {
                tracing::debug!(%error, topic, "the assignment is not known");
                Vec::new()
            }
            known => known?,
        };
        let found = assigned.iter().find(|found| found.vgroup_id == vgroup);
        let sought = match found {
            Some(found) => session.seek(topic, vgroup, found.begin).await.is_ok(),
            None => false,
        };
        if let Some(found) = found.filter(|_| sought) {
            self.tell_gap(topic, vgroup, from, found.begin);
        }
        self.settled(topic, vgroup, false);
        Ok(sought)
    }

    /// Reading goes on in the right place; where it is the old one, messages may come twice.
    fn settled(&self, topic: &str, vgroup: i32, same_log: bool) {
        let mut state = self.state();
        let place = state.places.entry(topic, vgroup);
        place.resume = None;
        place.repeats = same_log;
        if !same_log {
            place.received = None;
            place.start = None;
            place.committed = None;
        }
    }
}

/// What the group has committed; negative where it has nothing, or the server does not say.
async fn committed(session: &Session, topic: &str, vgroups: &[i32]) -> Result<Vec<i64>, Trouble> {
    match session.offsets(Action::Committed, topic, vgroups).await {
        Err(Trouble::Refused(error)) => {
            tracing::debug!(%error, topic, "what is committed is not known");
            Ok(vec![-1; vgroups.len()])
        }
        known => known,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_goes_on_where_it_was_or_where_the_group_has_committed() {
        // Known, committed, the server's own start, the log's begin and end.
        for (known, committed, start, begin, end, what) in [
            (5, 5, 5, 0, 9, Resume::Fine),
            (5, -1, 9, 0, 9, Resume::Seek(5)),
            (5, 3, 3, 0, 9, Resume::Seek(5)),
            (5, 7, 7, 0, 9, Resume::Fine),
            (5, 7, 0, 0, 9, Resume::Seek(7)),
            (5, -1, 9, 7, 9, Resume::Hole { from: 5, to: 7 }),
            (50, -1, 9, 0, 9, Resume::Hole { from: 50, to: 0 }),
        ] {
            assert_eq!(resume(known, committed, start, begin, end), what);
        }
    }
}
