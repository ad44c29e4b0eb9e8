//! Subscribing, and going on where reading was.

use super::session::{Session, Trouble};
use super::shared::{Phase, Shared};
use crate::protocol::Action;
use crate::telemetry::span;
use std::sync::Arc;
use std::time::Duration;
use taos_query::RawResult;
use taos_query::tmq::backend::{FOREIGN, FOREIGN_TOPIC, OUT_OF_RANGE};
use tokio::time::{Instant, sleep};

/// `session.timeout.ms` unless it is set (taosadapter-ws §11.1).
const SESSION_TIMEOUT: Duration = Duration::from_secs(12);
/// How long a server keeps a connection alive, and the member behind it, of which nothing is heard
/// (taosadapter-ws §15).
const LONGEST_GHOST: Duration = Duration::from_secs(120);
/// Within that time a group without a member has shared its vgroups anew.
const REBALANCE: Duration = Duration::from_secs(5);
/// How often a place is looked for in a log that is cut off meanwhile.
const SEEKS: u32 = 3;

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

/// What became of going on elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Sought,
    /// Reading goes on where the server would.
    Unchanged,
    /// The vgroup is not this consumer's now. It may come back.
    NotOurs,
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
            for (vgroup, offset) in &self.config.subscription.seeks {
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
        if !self.config.subscription.reconnect || self.config.subscription.snapshot {
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
            let topics = {
                let mut state = self.state();
                state.rejoined = None;
                state.topics.clone()
            };
            let session = self.join(&topics).await?;
            if let Err(Trouble::Lost(error)) = self.settle(&session).await {
                self.client.retire(&session.link, &error);
                return Ok(Some(error));
            }
            tracing::info!(
                address = session.link.address(),
                group = %self.config.subscription.group_id,
                "subscribed again"
            );
            self.state().rejoined = Some(Instant::now());
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
        if self.config.subscription.snapshot || !self.state().places.is_unsettled() {
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
                for vgroup in &assigned {
                    let place = state.places.get(topic, vgroup.vgroup_id);
                    if let Some((place, known)) =
                        place.and_then(|place| Some((place, place.resume?)))
                    {
                        open.push((vgroup, known, place.committed));
                    }
                }
            }
            let ids: Vec<i32> = open.iter().map(|(vgroup, ..)| vgroup.vgroup_id).collect();
            if !ids.is_empty() {
                let told = told(session, topic, &ids).await?;
                for ((vgroup, known, before), told) in open.into_iter().zip(told) {
                    let id = vgroup.vgroup_id;
                    self.state().told(topic, id, before, told);
                    let committed = told.unwrap_or(-1);
                    let what = resume(known, committed, vgroup.offset, vgroup.begin, vgroup.end);
                    self.go_on(session, topic, id, vgroup.offset, what).await?;
                }
            }
            if self.rejoined_since(self.session_timeout() + LONGEST_GHOST) {
                let here = |id| assigned.iter().any(|vgroup| vgroup.vgroup_id == id);
                self.state().places.give_up(topic, here);
            }
        }
        Ok(())
    }

    /// After how long a group misses a member of which it does not hear.
    fn session_timeout(&self) -> Duration {
        let millis = self.config.subscription.session_timeout_ms.parse();
        millis.map_or(SESSION_TIMEOUT, Duration::from_millis)
    }

    fn rejoined_since(&self, long: Duration) -> bool {
        let rejoined = self.state().rejoined;
        rejoined.is_some_and(|at| at.elapsed() >= long)
    }

    /// True while vgroups that this consumer had are likely to be given back to it: the group may still
    /// hold the member that it was before the loss.
    pub(super) fn is_rejoining(&self) -> bool {
        !self.rejoined_since(self.session_timeout() + REBALANCE)
    }

    /// A message came from a vgroup of which it is not made sure where reading goes on: true if it is
    /// to be delivered.
    pub(super) async fn settle_with(
        &self,
        session: &Session,
        topic: &str,
        vgroup: i32,
        begin: i64,
    ) -> Result<bool, Trouble> {
        let open = match self.state().places.get(topic, vgroup) {
            Some(place) => place.resume.map(|known| (known, place.committed)),
            None => None,
        };
        let Some((known, before)) = open else {
            return Ok(true);
        };
        let told = told(session, topic, &[vgroup]).await?;
        let told = told.first().copied().flatten();
        self.state().told(topic, vgroup, before, told);
        let wanted = known.max(told.unwrap_or(-1));
        let what = if begin == wanted {
            Resume::Fine
        } else {
            Resume::Seek(wanted)
        };
        match self.go_on(session, topic, vgroup, begin, what).await? {
            Way::Sought => Ok(false),
            Way::Unchanged => Ok(true),
            Way::NotOurs => {
                // The message was still given to this consumer, and is better than none.
                self.stay(topic, vgroup, wanted, begin);
                Ok(true)
            }
        }
    }

    /// Has reading go on where it must; without that the server would read on at `at`.
    async fn go_on(
        &self,
        session: &Session,
        topic: &str,
        vgroup: i32,
        at: i64,
        what: Resume,
    ) -> Result<Way, Trouble> {
        let (wanted, mut target) = match what {
            Resume::Fine => {
                self.settled(topic, vgroup);
                return Ok(Way::Unchanged);
            }
            Resume::Seek(offset) => (offset, offset),
            Resume::Hole { from, to } => (from, to),
        };
        let mut tries = 0;
        loop {
            let error = match session.seek(topic, vgroup, target).await {
                Ok(()) if target == wanted => {
                    self.settled(topic, vgroup);
                    return Ok(Way::Sought);
                }
                Ok(()) => {
                    self.tell_gap(topic, vgroup, wanted, target);
                    let mut state = self.state();
                    state.places.entry(topic, vgroup).skip(wanted, target);
                    return Ok(Way::Sought);
                }
                // Where the server reads on is not known, or not what is wanted.
                Err(trouble) => trouble.unless_final()?,
            };
            match i32::from(error.code()) {
                FOREIGN | FOREIGN_TOPIC => {
                    tracing::debug!(topic, vgroup, %error, "the vgroup is not here any more");
                    return Ok(Way::NotOurs);
                }
                // The log was cut off between the question and the seek.
                OUT_OF_RANGE if tries < SEEKS => {
                    tries += 1;
                    match log_begin(session, topic, vgroup).await? {
                        Some(begin) => target = begin,
                        None => return Ok(Way::NotOurs),
                    }
                }
                OUT_OF_RANGE => return Err(Trouble::Lost(error)),
                _ => {
                    tracing::warn!(
                        topic,
                        vgroup,
                        %error,
                        "reading goes on where the server says, not where it was"
                    );
                    self.stay(topic, vgroup, wanted, at);
                    return Ok(Way::Unchanged);
                }
            }
        }
    }

    /// Reading goes on at `at` because the server does not let it go on at `wanted`.
    fn stay(&self, topic: &str, vgroup: i32, wanted: i64, at: i64) {
        if at > wanted {
            self.tell_gap(topic, vgroup, wanted, at);
        }
        self.settled(topic, vgroup);
    }

    /// Reading goes on in the right place; messages may come twice.
    fn settled(&self, topic: &str, vgroup: i32) {
        let mut state = self.state();
        let place = state.places.entry(topic, vgroup);
        place.resume = None;
        place.repeats = true;
    }
}

/// Where the log begins; nothing if the vgroup is not this consumer's.
async fn log_begin(session: &Session, topic: &str, vgroup: i32) -> Result<Option<i64>, Trouble> {
    let assigned = session.assignment_soon(topic).await;
    // Without an answer it is not known where reading goes on.
    let assigned = assigned.map_err(|trouble| Trouble::Lost(trouble.into_error()))?;
    let found = assigned.iter().find(|found| found.vgroup_id == vgroup);
    Ok(found.map(|found| found.begin))
}

/// What the group has committed; negative where that is nothing, and `None` where the server does not
/// say.
pub(super) async fn told(
    session: &Session,
    topic: &str,
    vgroups: &[i32],
) -> Result<Vec<Option<i64>>, Trouble> {
    match session.offsets(Action::Committed, topic, vgroups).await {
        Ok(told) => Ok(told.into_iter().map(Some).collect()),
        Err(trouble) => {
            let error = trouble.unless_final()?;
            tracing::debug!(%error, topic, "what is committed is not known");
            Ok(vec![None; vgroups.len()])
        }
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
