use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::record::Pending;
use crate::tmq::{IsOffset, VGroupId};

/// A topic and one of its vgroups: messages are in order within, and only within.
pub(super) type Place = (Arc<str>, VGroupId);

/// Which messages were given out, and how far each vgroup may be committed.
#[derive(Debug)]
pub(super) struct Tracker<O> {
    lanes: HashMap<Place, Lane<O>>,
}

#[derive(Debug)]
struct Lane<O> {
    /// Given out and not acknowledged, oldest first; and what was acknowledged behind such.
    open: VecDeque<(O, Arc<Pending>)>,
    /// How many there may be before those are looked for that need not be remembered.
    room: usize,
    /// A message that can never be acknowledged; nothing from it on may be committed.
    lost: Option<i64>,
    /// Acknowledged and not committed.
    ready: Option<O>,
    /// Committed.
    committed: Option<i64>,
    /// How often in a row the vgroup was another consumer's when it was to be committed.
    away: u32,
}

/// How often a commit is tried of a vgroup that is not here, a second or more apart: longer than a group takes to miss a
/// consumer whose connection was cut, and to give it its vgroups again.
const TRIES: u32 = 60;

/// Messages of a vgroup that are remembered without a look at what became of them.
const ROOM: usize = 64;

impl<O: IsOffset> Default for Lane<O> {
    fn default() -> Self {
        Self {
            open: VecDeque::new(),
            room: ROOM,
            lost: None,
            ready: None,
            committed: None,
            away: 0,
        }
    }
}

impl<O: IsOffset> Lane<O> {
    fn push(&mut self, offset: O, pending: Arc<Pending>) {
        let version = offset.offset();
        // A log begins anew at what was not committed when the group shares its vgroups or the consumer comes
        // back: what comes again now counts, not how it was given out before. In a snapshot nothing has a version.
        if version >= 0 {
            while self
                .open
                .back()
                .is_some_and(|(last, _)| last.offset() >= version)
            {
                self.open.pop_back();
            }
            if self.lost.is_some_and(|lost| version <= lost) {
                self.lost = None;
            }
        }
        if self.open.len() >= self.room {
            self.compact();
        }
        if self.lost.is_none() {
            self.open.push_back((offset, pending));
        }
    }

    /// Keeps only what a commit can depend on, so that one record that is held for long does not keep all messages
    /// after it in memory: of acknowledged messages in a row the last, and nothing from a lost one on.
    fn compact(&mut self) {
        let mut kept: VecDeque<(O, Arc<Pending>)> = VecDeque::new();
        for (offset, pending) in self.open.drain(..) {
            if pending.is_lost() {
                self.lost = Some(offset.offset());
                break;
            }
            let covers = |(_, before): &(O, Arc<Pending>)| pending.is_done() && before.is_done();
            if kept.back().is_some_and(covers) {
                kept.pop_back();
            }
            kept.push_back((offset, pending));
        }
        self.room = ROOM.max(kept.len().saturating_mul(2));
        self.open = kept;
    }

    /// Looks at what was acknowledged. The offset of a message that was just found lost.
    fn sweep(&mut self) -> Option<i64> {
        while let Some((offset, pending)) = self.open.pop_front() {
            if pending.is_done() {
                self.ready = Some(offset);
            } else if pending.is_lost() {
                // Nothing behind it can be committed, so nothing behind it needs to be remembered.
                self.open.clear();
                self.lost = Some(offset.offset());
                return self.lost;
            } else {
                self.open.push_front((offset, pending));
                break;
            }
        }
        None
    }

    fn take_ready(&mut self) -> Option<O> {
        let ready = self.ready.take()?;
        let older = self
            .committed
            .is_some_and(|committed| ready.offset() >= 0 && ready.offset() <= committed);
        (!older).then_some(ready)
    }
}

impl<O: IsOffset> Tracker<O> {
    pub(super) fn new() -> Self {
        Self {
            lanes: HashMap::new(),
        }
    }

    /// The shared name of a topic.
    pub(super) fn topic(&self, name: &str) -> Arc<str> {
        self.lanes
            .keys()
            .find(|(topic, _)| &**topic == name)
            .map_or_else(|| name.into(), |(topic, _)| Arc::clone(topic))
    }

    /// A message is given out.
    pub(super) fn push(&mut self, topic: Arc<str>, offset: O, pending: Arc<Pending>) {
        let place = (topic, offset.vgroup_id());
        self.lanes.entry(place).or_default().push(offset, pending);
    }

    /// Looks at what was acknowledged.
    pub(super) fn sweep(&mut self) {
        for ((topic, vgroup), lane) in &mut self.lanes {
            if let Some(offset) = lane.sweep() {
                tracing::debug!(
                    topic = &**topic,
                    vgroup,
                    offset,
                    "a record was dropped without being acknowledged; its vgroup is committed up to there"
                );
            }
        }
    }

    /// For each vgroup the first message that is not acknowledged whole.
    pub(super) fn unacknowledged(&mut self) -> impl Iterator<Item = (&Place, i64)> {
        self.sweep();
        self.lanes.iter().filter_map(|(place, lane)| {
            let first = lane.open.front().map(|(offset, _)| offset.offset());
            let offset = first.or(lane.lost)?;
            (offset >= 0).then_some((place, offset))
        })
    }

    /// True if something may be committed.
    pub(super) fn is_ready(&self) -> bool {
        self.lanes.values().any(|lane| lane.ready.is_some())
    }

    /// True if records are in someone's hands who may still acknowledge them.
    pub(super) fn is_waiting(&self) -> bool {
        self.lanes.values().any(|lane| !lane.open.is_empty())
    }

    /// What may be committed, for each vgroup the last message.
    pub(super) fn take_ready(&mut self) -> Vec<(Place, O)> {
        let ready = self.lanes.iter_mut();
        ready
            .filter_map(|(place, lane)| Some((place.clone(), lane.take_ready()?)))
            .collect()
    }

    /// A commit succeeded.
    pub(super) fn committed(&mut self, place: Place, offset: i64) {
        let lane = self.lanes.entry(place).or_default();
        lane.committed = lane.committed.max(Some(offset));
        lane.away = 0;
    }

    /// The vgroup is another consumer's: to be tried again for a while.
    pub(super) fn put_off(&mut self, place: Place, offset: O) {
        let lane = self.lanes.entry(place).or_default();
        lane.away += 1;
        if lane.away < TRIES {
            lane.ready.get_or_insert(offset);
        } else {
            lane.away = 0;
        }
    }

    /// A commit failed and is to be tried again, unless there is a later one by now.
    pub(super) fn put_back(&mut self, place: Place, offset: O) {
        let lane = self.lanes.entry(place).or_default();
        lane.ready.get_or_insert(offset);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tmq::Offset;
    use crate::tmq::records::record::Signal;

    fn message(lane: &mut Lane<Offset>, version: i64) -> Arc<Pending> {
        let pending = Arc::new(Pending::new(Arc::<Signal>::default()));
        let offset = Offset::new("t", "db", 1, version);
        lane.push(offset, Arc::clone(&pending));
        pending
    }

    #[test]
    fn what_was_acknowledged_behind_a_held_message_takes_no_memory() {
        let mut lane = Lane::default();
        let held = [message(&mut lane, 0), message(&mut lane, 1)];
        for version in 2..10_000 {
            message(&mut lane, version).done();
            assert!(lane.open.len() <= ROOM, "{} messages", lane.open.len());
        }
        for pending in &held {
            assert_eq!((lane.sweep(), lane.ready.is_some()), (None, false));
            pending.done();
            lane.sweep();
            lane.ready = lane.ready.take().filter(|ready| ready.offset() > 0);
        }
        assert_eq!(lane.ready.map(|ready| ready.offset()), Some(9_999));
    }

    #[test]
    fn nothing_behind_a_lost_message_is_remembered() {
        let mut lane = Lane::default();
        let held = message(&mut lane, 0);
        for version in 1..10_000 {
            message(&mut lane, version).give_up();
            assert!(lane.open.len() <= ROOM, "{} messages", lane.open.len());
        }
        let mut tracker = Tracker::new();
        tracker.lanes.insert(("t".into(), 1), lane);
        let first =
            |tracker: &mut Tracker<Offset>| tracker.unacknowledged().next().map(|(_, at)| at);
        assert_eq!(first(&mut tracker), Some(0));
        held.done();
        assert_eq!(first(&mut tracker), Some(1));
    }
}
