use std::sync::{Mutex, MutexGuard, PoisonError};

use super::tracker::Place;
use crate::tmq::VGroupId;

/// Where streams of records left messages that nobody acknowledged: the next stream of the consumer begins there
/// again. A consumer that is asked to go on where it was holds one.
#[derive(Debug, Default)]
pub struct Leftovers(Mutex<Vec<Left>>);

#[derive(Debug)]
struct Left {
    place: Place,
    offset: i64,
    /// The vgroup was not here when it was tried.
    away: bool,
}

impl Leftovers {
    fn all(&self) -> MutexGuard<'_, Vec<Left>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets all: reading begins at what was committed.
    pub fn clear(&self) {
        self.all().clear();
    }

    /// Forgets a vgroup, because reading goes on elsewhere in it. Where it would have begun.
    pub fn forget(&self, topic: &str, vgroup: VGroupId) -> Option<i64> {
        let mut all = self.all();
        let at = all
            .iter()
            .position(|left| &*left.place.0 == topic && left.place.1 == vgroup)?;
        Some(all.swap_remove(at).offset)
    }

    /// Takes back that a vgroup was forgotten.
    pub fn remember(&self, topic: &str, vgroup: VGroupId, offset: i64) {
        self.leave((topic.into(), vgroup), offset);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all().is_empty()
    }

    pub(super) fn leave(&self, place: Place, offset: i64) {
        let mut all = self.all();
        match all.iter_mut().find(|left| left.place == place) {
            Some(left) => left.offset = offset.min(left.offset),
            None => all.push(Left {
                place,
                offset,
                away: false,
            }),
        }
    }

    /// A place to go back to.
    pub(super) fn first(&self) -> Option<(Place, i64)> {
        let all = self.all();
        let left = all.iter().find(|left| !left.away)?;
        Some((left.place.clone(), left.offset))
    }

    pub(super) fn done(&self, place: &Place) {
        self.all().retain(|left| left.place != *place);
    }

    /// The vgroup is not here now. If it comes again, reading must go back before anything of it counts.
    pub(super) fn away(&self, place: &Place) {
        for left in self.all().iter_mut().filter(|left| left.place == *place) {
            left.away = true;
        }
    }

    /// What was away may be here by now.
    pub(super) fn retry(&self) {
        self.all().iter_mut().for_each(|left| left.away = false);
    }

    /// A message has come: true if its vgroup was away and reading is behind what was left of it.
    pub(super) fn is_behind(&self, place: &Place, version: i64) -> bool {
        let mut all = self.all();
        let Some(at) = all.iter().position(|left| left.place == *place) else {
            return false;
        };
        let behind = all.get(at).is_some_and(|left| left.offset < version);
        if !behind {
            all.swap_remove(at);
        } else if let Some(left) = all.get_mut(at) {
            left.away = false;
        }
        behind
    }
}
