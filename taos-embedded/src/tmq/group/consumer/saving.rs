//! Committing what a member has consumed.
//!
//! The commits of one consumer are made one after the other, and what they wrote counts as committed only
//! once it is durable: none is answered while an earlier one of the same place is still under way, and
//! none moves a place back that a later one has written.

use std::sync::{Arc, PoisonError};
use std::time::Instant;

use tokio::time::timeout_at;

use super::super::{Commit, foreign_vgroup};
use super::{Consumer, find};
use crate::sql::SqlError;

impl Consumer {
    /// Commits what was consumed before a poll, if it is time to; false if that takes longer than until
    /// `deadline`, and goes on.
    pub(super) async fn commit_by_itself(self: &Arc<Self>, deadline: Option<Instant>) -> bool {
        let Some(interval) = self.terms.auto_commit else {
            return true;
        };
        let under_way = {
            let mut state = self.lock();
            let is_due = state.saved.is_none_or(|at| at.elapsed() >= interval);
            let under_way = state.saving.take();
            if under_way.is_none() && is_due {
                state.saved = Some(Instant::now());
                drop(state);
                // Nothing to write is the rule while nothing comes.
                self.has_consumed().then(|| {
                    let consumer = Arc::clone(self);
                    tokio::task::spawn_blocking(move || consumer.commit())
                })
            } else {
                under_way
            }
        };
        let Some(mut saving) = under_way else {
            return true;
        };
        let outcome = match deadline {
            Some(deadline) => timeout_at(deadline.into(), &mut saving).await,
            None => Ok((&mut saving).await),
        };
        match outcome {
            Ok(Ok(Err(error))) => {
                tracing::warn!(?error, "a consumer's positions were not committed");
            }
            Ok(_) => {}
            Err(_) => {
                self.lock().saving = Some(saving);
                return false;
            }
        }
        true
    }

    fn has_consumed(&self) -> bool {
        self.consumed().is_ok_and(|places| !places.is_empty())
    }

    /// What was consumed and is not yet committed.
    fn consumed(&self) -> Result<Vec<Commit>, SqlError> {
        let state = self.current()?;
        let consumed = state.held.iter().filter_map(|held| {
            let offset = held.position.filter(|at| held.committed != Some(*at))?;
            Some(Commit {
                topic: held.topic.clone(),
                vgroup: held.vgroup,
                tenure: held.tenure,
                offset,
            })
        });
        Ok(consumed.collect())
    }

    /// Commits everything that was consumed; blocks.
    ///
    /// # Errors
    /// 0x03E6 if the member was removed; the storage fails.
    pub(crate) fn commit(&self) -> Result<(), SqlError> {
        let _turn = self
            .committing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let places = self.consumed()?;
        if places.is_empty() {
            return Ok(());
        }
        self.save(places, false)
    }

    /// Commits a place; blocks.
    ///
    /// # Errors
    /// 0x4009, 0x4008, 0x4007 for a topic, vgroup or offset that is not the member's, 0x4008 also for what
    /// is left from before the member lost the vgroup and got it back; 0x03E6.
    pub(crate) fn commit_offset(
        &self,
        topic: &str,
        vgroup: i32,
        offset: i64,
    ) -> Result<(), SqlError> {
        let _turn = self
            .committing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mut state = self.held(topic, vgroup)?;
        let held = find(&mut state, topic, vgroup);
        if held
            .as_ref()
            .is_some_and(|held| held.back_at > Some(offset))
        {
            return Err(foreign_vgroup());
        }
        let tenure = held.map(|held| held.tenure);
        drop(state);
        self.in_range(vgroup, offset)?;
        let place = tenure.map(|tenure| Commit {
            topic: topic.to_owned(),
            vgroup,
            tenure,
            offset,
        });
        self.save(place.into_iter().collect(), true)
    }

    /// Writes places down, and remembers that once it is durable.
    fn save(&self, places: Vec<Commit>, strict: bool) -> Result<(), SqlError> {
        self.broker
            .commit(&self.store, self.id, places.clone(), strict)?;
        let mut state = self.lock();
        for place in places {
            if let Some(held) = find(&mut state, &place.topic, place.vgroup)
                && held.tenure == place.tenure
            {
                held.committed = Some(place.offset);
            }
        }
        Ok(())
    }
}
