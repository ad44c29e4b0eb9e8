use std::sync::{Mutex, MutexGuard, PoisonError};

use super::tracker::Place;
use crate::tmq::VGroupId;

/// Where streams of records left messages that nobody acknowledged: the next stream of the consumer begins there
/// again. A consumer that is asked to go on where it was holds one.
#[derive(Debug, Default)]
pub struct Leftovers(Mutex<Vec<(Place, i64)>>);

impl Leftovers {
    fn places(&self) -> MutexGuard<'_, Vec<(Place, i64)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets all: reading begins at what was committed.
    pub fn clear(&self) {
        self.places().clear();
    }

    /// Forgets a vgroup, because reading goes on elsewhere in it. Where it would have begun.
    pub fn forget(&self, topic: &str, vgroup: VGroupId) -> Option<i64> {
        let mut places = self.places();
        let at = places
            .iter()
            .position(|((known, id), _)| &**known == topic && *id == vgroup)?;
        Some(places.swap_remove(at).1)
    }

    /// Takes back that a vgroup was forgotten.
    pub fn remember(&self, topic: &str, vgroup: VGroupId, offset: i64) {
        self.leave((topic.into(), vgroup), offset);
    }

    pub(super) fn leave(&self, place: Place, offset: i64) {
        let mut places = self.places();
        match places.iter_mut().find(|(known, _)| *known == place) {
            Some((_, first)) => *first = offset.min(*first),
            None => places.push((place, offset)),
        }
    }

    pub(super) fn first(&self) -> Option<(Place, i64)> {
        self.places().first().cloned()
    }

    pub(super) fn done(&self, place: &Place) {
        self.places().retain(|(known, _)| known != place);
    }
}
