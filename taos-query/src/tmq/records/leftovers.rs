use std::sync::{Mutex, MutexGuard, PoisonError};

use super::tracker::Place;

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
