//! How far a consumer is in each vgroup. Nothing here waits or talks to anyone.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::tmq::{IsOffset as _, Offset, VGroupId};

/// A vgroup of a topic. All numbers are the next version to be read.
#[derive(Debug)]
pub struct Place {
    /// The topic.
    pub topic: Arc<str>,
    /// Its database.
    pub database: Arc<str>,
    /// The vgroup.
    pub vgroup: VGroupId,
    /// Where reading began.
    pub start: Option<i64>,
    /// Behind what came from the server.
    pub received: Option<i64>,
    /// Behind what the user has taken.
    pub taken: Option<i64>,
    /// Where the message that the user took last begins.
    pub last: Option<i64>,
    /// Behind what the user has taken and moved past.
    pub passed: Option<i64>,
    /// The message that was taken last is still the user's.
    in_hand: bool,
    /// What the group has committed, as far as it is known here: by commits of this consumer, or told by
    /// the server. Only the user's own will leads below it.
    pub committed: Option<i64>,
    /// The user has set the group back while this was passed: automatic commits leave it at that.
    kept_back: Option<i64>,
    /// The user went here, and the group may be set back to it.
    sought: bool,
    /// After a new subscription: where reading must go on, until that is made sure of.
    pub resume: Option<i64>,
    /// After a new subscription: what lies before `received` may come again.
    pub repeats: bool,
    /// Where the messages began that were taken by this subscription and of which only the server knows
    /// what is behind; the oldest first.
    noted: VecDeque<i64>,
}

/// Messages of a vgroup that are kept in mind until they are committed.
const NOTED: usize = 4096;

impl Place {
    /// A message was taken that begins there, and of which only the server knows what is behind.
    pub fn note(&mut self, begin: i64) {
        self.in_hand = true;
        if self.noted.back() == Some(&begin) {
            return;
        }
        if self.noted.len() >= NOTED {
            self.noted.pop_front();
        }
        self.noted.push_back(begin);
    }

    /// Where the message after that at `begin` began, if one was taken; `None` if that at `begin` is not
    /// known.
    pub fn behind(&self, begin: i64) -> Option<Option<i64>> {
        let at = self.noted.iter().rposition(|noted| *noted == begin)?;
        Some(self.noted.get(at + 1).copied())
    }

    /// Where the message in the user's hand begins, if only the server knows what is behind it.
    pub fn in_hand(&self) -> Option<i64> {
        self.noted.back().copied().filter(|_| self.in_hand)
    }

    /// True while only the message in the user's hand was taken of what is kept in mind.
    pub fn is_first_in_hand(&self) -> bool {
        self.in_hand && self.noted.len() == 1
    }

    /// Where a new subscription must go on.
    pub fn known(&self) -> Option<i64> {
        self.received.or(self.start)
    }

    /// What is to be committed of `wanted`.
    fn dirty(&self, wanted: Option<i64>) -> Option<i64> {
        wanted.filter(|wanted| self.committed.is_none_or(|committed| committed < *wanted))
    }

    /// What automatic commits have to write down.
    fn passed(&self) -> Option<i64> {
        self.dirty(self.passed)
            .filter(|passed| self.kept_back.is_none_or(|kept| kept < *passed))
    }

    /// The server says what the group has committed; it was `before` here when it was asked. Others of
    /// the group may have gone further than this consumer, which then has nothing to add.
    pub fn told(&mut self, before: Option<i64>, told: i64) {
        let told = Some(told).filter(|told| *told >= 0);
        self.committed = if self.committed == before {
            told
        } else {
            // A commit was answered meanwhile.
            self.committed.max(told)
        };
        for place in [&mut self.taken, &mut self.passed] {
            if place.is_some() {
                *place = (*place).max(told);
            }
        }
    }

    /// The vgroup is another consumer's: what was taken of it is not committed by this one any more,
    /// and what the group has committed there is not known.
    fn lost(&mut self) {
        self.taken = None;
        self.passed = None;
        self.committed = None;
        self.sought = false;
    }

    /// Reading goes on elsewhere, by the will of the user.
    pub fn seek(&mut self, offset: i64) {
        self.start = Some(offset);
        self.received = None;
        self.taken = None;
        self.last = None;
        self.passed = None;
        // What was committed before may lie behind what is taken next.
        self.committed = None;
        self.kept_back = None;
        self.sought = true;
        self.resume = None;
        self.repeats = false;
        self.noted.clear();
    }

    /// True until the first commit after a seek, which may set the group back.
    pub const fn may_go_back(&self) -> bool {
        self.sought && self.committed.is_none()
    }

    /// Reading goes on at `to`, because what was at `from` is gone. No number of before means anything
    /// behind it.
    pub fn skip(&mut self, from: i64, to: i64) {
        self.seek(to);
        // Of what is gone nothing need be written down. In a log that was replaced it would be wrong.
        self.committed = Some(to).filter(|_| from < to);
    }
}

/// A place to be committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The topic.
    pub topic: Arc<str>,
    /// The vgroup.
    pub vgroup: VGroupId,
    /// The next version to be read.
    pub offset: i64,
}

impl Mark {
    /// The place before `offset`.
    pub fn new(topic: &str, vgroup: VGroupId, offset: i64) -> Self {
        Self {
            topic: topic.into(),
            vgroup,
            offset,
        }
    }
}

/// All vgroups that the consumer has seen. There are few, so they are looked through.
#[derive(Debug, Default)]
pub struct Places(Vec<Place>);

impl Places {
    /// The place, if something is known of the vgroup.
    pub fn get(&self, topic: &str, vgroup: VGroupId) -> Option<&Place> {
        self.0
            .iter()
            .find(|place| place.vgroup == vgroup && &*place.topic == topic)
    }

    /// As [`get`](Self::get), to be changed.
    pub fn get_mut(&mut self, topic: &str, vgroup: VGroupId) -> Option<&mut Place> {
        self.0
            .iter_mut()
            .find(|place| place.vgroup == vgroup && &*place.topic == topic)
    }

    /// The place, made if it is new.
    pub fn entry(&mut self, topic: &str, vgroup: VGroupId) -> &mut Place {
        let at = self
            .0
            .iter()
            .position(|place| place.vgroup == vgroup && &*place.topic == topic);
        let at = at.unwrap_or_else(|| {
            let topic = self
                .0
                .iter()
                .find(|place| &*place.topic == topic)
                .map_or_else(|| topic.into(), |place| Arc::clone(&place.topic));
            self.0.push(Place {
                topic,
                database: Arc::default(),
                vgroup,
                start: None,
                received: None,
                taken: None,
                last: None,
                passed: None,
                in_hand: false,
                committed: None,
                kept_back: None,
                sought: false,
                resume: None,
                repeats: false,
                noted: VecDeque::new(),
            });
            self.0.len() - 1
        });
        #[allow(
            clippy::indexing_slicing,
            reason = "just found there, or just put there"
        )]
        &mut self.0[at]
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// The user asks for the next message, and so has moved past all those taken.
    pub fn pass(&mut self) {
        for place in &mut self.0 {
            place.passed = place.taken;
            place.in_hand = false;
        }
    }

    /// A message is the user's now; false if only the server knows what comes behind it.
    pub fn take(&mut self, offset: &Offset) -> bool {
        let place = self.entry(offset.topic(), offset.vgroup_id());
        place.last = Some(offset.offset());
        if let Some(next) = offset.next() {
            place.taken = Some(next);
            return true;
        }
        place.note(offset.offset());
        // A new subscription begins with it again.
        if offset.offset() >= 0 {
            place.start = Some(offset.offset());
        }
        false
    }

    /// Where the user is, if that is known without asking the server; `waiting` is a message that has come
    /// and was not taken yet.
    pub fn position(&self, topic: &str, vgroup: VGroupId, waiting: Option<&Offset>) -> Option<i64> {
        let waiting = waiting.is_some_and(|offset| offset.is_of(topic, vgroup));
        let place = self.get(topic, vgroup)?;
        place.taken.or_else(|| place.start.filter(|_| waiting))
    }

    /// Where the last message began that the user has taken, or where the user went since; `told` is what
    /// the server says of the last one that it has delivered.
    pub fn current(&self, topic: &str, vgroup: VGroupId, told: i64) -> i64 {
        let last = self.get(topic, vgroup).and_then(|place| {
            let sought = place.start.filter(|_| place.received.is_none());
            place.last.or(sought)
        });
        last.unwrap_or(told)
    }

    /// A new subscription knows nothing of the old one's progress.
    pub fn resume(&mut self) {
        for place in &mut self.0 {
            place.resume = place.known();
            place.noted.clear();
        }
    }

    /// True while it is not made sure everywhere that reading goes on where it was.
    pub fn is_unsettled(&self) -> bool {
        self.0.iter().any(|place| place.resume.is_some())
    }

    /// True while something taken by this subscription has no known place behind it.
    pub fn has_noted(&self) -> bool {
        self.0.iter().any(|place| !place.noted.is_empty())
    }

    /// What automatic commits have to write down.
    pub fn passed(&self) -> Vec<Mark> {
        self.marks(Place::passed)
    }

    /// True if automatic commits have something to write down.
    pub fn has_passed(&self) -> bool {
        self.0.iter().any(|place| place.passed().is_some())
    }

    /// What a commit of everything has to write down.
    pub fn taken(&self) -> Vec<Mark> {
        self.marks(|place| place.dirty(place.taken))
    }

    /// The vgroups from which this subscription took messages that do not tell what comes behind them.
    pub fn unplaced(&self) -> impl Iterator<Item = &Place> {
        self.0
            .iter()
            .filter(|place| !place.noted.is_empty() && place.taken.is_none())
    }

    fn marks(&self, wanted: impl Fn(&Place) -> Option<i64>) -> Vec<Mark> {
        self.0
            .iter()
            .filter_map(|place| {
                Some(Mark {
                    topic: Arc::clone(&place.topic),
                    vgroup: place.vgroup,
                    offset: wanted(place)?,
                })
            })
            .collect()
    }

    /// A commit has succeeded. One by which the user sets the group back is not undone by what was taken
    /// before.
    pub fn committed(&mut self, mark: &Mark, by_user: bool) {
        if let Some(place) = self.get_mut(&mark.topic, mark.vgroup) {
            let offset = Some(mark.offset);
            place.kept_back = place.taken.filter(|_| by_user && offset < place.taken);
            place.sought = false;
            place.committed = if by_user {
                offset
            } else {
                place.committed.max(offset)
            };
        }
    }

    /// True if the group has committed that, or more.
    pub fn is_committed(&self, mark: &Mark) -> bool {
        let place = self.get(&mark.topic, mark.vgroup);
        place.is_some_and(|place| place.dirty(Some(mark.offset)).is_none())
    }

    /// The vgroup is another consumer's now.
    pub fn lost(&mut self, mark: &Mark) {
        if let Some(place) = self.get_mut(&mark.topic, mark.vgroup) {
            place.lost();
        }
    }

    /// Those vgroups of the topic that were not given back, `here` being the ones that were, are others'
    /// now: whenever they come, reading begins at what the group has committed by then.
    pub fn give_up(&mut self, topic: &str, here: impl Fn(VGroupId) -> bool) {
        for place in &mut self.0 {
            if place.resume.is_some() && &*place.topic == topic && !here(place.vgroup) {
                place.lost();
                place.start = None;
                place.received = None;
                place.last = None;
                place.resume = None;
                place.repeats = false;
                place.noted.clear();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_moved_past_and_not_committed_yet_is_to_be_committed() {
        let mut places = Places::default();
        places.entry("t", 2).taken = Some(5);
        assert!(!places.has_passed() && places.passed().is_empty());
        assert_eq!(places.taken().len(), 1);
        places.pass();
        places.entry("t", 2).taken = Some(9);
        let [mark] = &places.passed()[..] else {
            panic!("{places:?}");
        };
        assert_eq!((mark.vgroup, mark.offset), (2, 5));
        places.committed(mark, false);
        assert!(!places.has_passed());
        places.pass();
        assert!(places.has_passed());
    }

    #[test]
    fn behind_a_message_begins_the_next_one_of_its_subscription() {
        let mut places = Places::default();
        let place = places.entry("t", 2);
        for begin in [3, 7, 9] {
            place.note(begin);
        }
        assert_eq!(place.behind(3), Some(Some(7)));
        assert_eq!(place.behind(9), Some(None));
        assert_eq!(place.behind(4), None);
        places.resume();
        assert!(!places.has_noted());
    }

    #[test]
    fn a_seek_forgets_what_came_before_it() {
        let mut places = Places::default();
        let place = places.entry("t", 2);
        (place.received, place.taken, place.passed) = (Some(9), Some(7), Some(7));
        place.seek(3);
        assert_eq!(place.known(), Some(3));
        assert!(!places.has_passed() && places.taken().is_empty());
        places.resume();
        assert!(places.is_unsettled());
    }

    #[test]
    fn a_group_may_be_set_back_by_the_first_commit_after_a_seek_alone() {
        let mut places = Places::default();
        let may = |places: &mut Places| places.entry("t", 2).may_go_back();
        assert!(!may(&mut places));
        places.entry("t", 2).seek(3);
        assert!(may(&mut places));
        places.committed(&Mark::new("t", 2, 4), false);
        assert!(!may(&mut places));
        places.entry("t", 2).seek(3);
        places.lost(&Mark::new("t", 2, 4));
        assert!(!may(&mut places));
    }
}
