//! What users ask beside messages and commits: places, topics.

use taos_query::tmq::backend::{Mark, NOTHING_COMMITTED, TOO_EARLY, hint};
use taos_query::tmq::{Assignment, VGroupId};
use taos_query::{RawError, RawResult};

use super::driver::Driver;

/// The group has committed nothing in a vgroup; the code in [`NOTHING_COMMITTED`].
const NOTHING: i32 = 0x4011;

impl Driver {
    /// Asks the library something that costs nothing, if there is anything to ask.
    pub(super) fn ping(&mut self) -> RawResult<()> {
        let idle = self.shared.state().usable().is_err();
        if idle {
            Ok(())
        } else {
            self.topics().map(drop)
        }
    }

    pub(super) fn topics(&mut self) -> RawResult<Vec<String>> {
        self.shared.state().usable()?;
        let topics = self.handle.subscription();
        topics.map_err(|error| self.named(error, "listing the topics"))
    }

    /// The library counts what was fetched ahead as delivered; here it is not.
    pub(super) fn assignment(&mut self, topic: &str) -> RawResult<Vec<Assignment>> {
        self.shared.state().usable()?;
        let assigned = self.handle.assignment(topic).map_err(|error| {
            self.named(
                error,
                &format!("asking for the assignment of the topic `{topic}`"),
            )
        })?;
        let state = self.shared.state();
        Ok(assigned
            .into_iter()
            .map(|told| {
                let id = told.vgroup_id();
                let current = state.places.current(topic, id, told.current_offset());
                Assignment::new(id, current, told.begin(), told.end())
            })
            .collect())
    }

    /// What the group has committed, if anything.
    pub(super) fn committed_or_none(
        &mut self,
        topic: &str,
        vgroup: VGroupId,
    ) -> RawResult<Option<i64>> {
        match self.handle.committed(topic, vgroup) {
            Ok(committed) => Ok(Some(committed)),
            Err(error) if i32::from(error.code()) == NOTHING => Ok(None),
            Err(error) => {
                let what =
                    format!("asking what is committed in the topic `{topic}`, vgroup {vgroup},");
                Err(self.named(error, &what))
            }
        }
    }

    pub(super) fn committed(&mut self, topic: &str, vgroup: VGroupId) -> RawResult<i64> {
        self.shared.state().usable()?;
        let committed = self.committed_or_none(topic, vgroup)?;
        Ok(committed.unwrap_or(NOTHING_COMMITTED))
    }

    pub(super) fn position(&mut self, topic: &str, vgroup: VGroupId) -> RawResult<i64> {
        let own = {
            let state = self.shared.state();
            state.usable()?;
            let waiting = state.slot.as_ref().map(|received| &received.offset);
            state.places.position(topic, vgroup, waiting)
        };
        if let Some(position) = own {
            return Ok(position);
        }
        match self.handle.position(topic, vgroup) {
            Err(error) if i32::from(error.code()) == NOTHING => Ok(NOTHING_COMMITTED),
            position => position.map_err(|error| {
                let what =
                    format!("asking for the position in the topic `{topic}`, vgroup {vgroup},");
                self.named(error, &what)
            }),
        }
    }

    pub(super) fn seek(&mut self, mark: &Mark) -> RawResult<()> {
        let Mark {
            topic,
            vgroup,
            offset,
        } = mark;
        let mut sought = self.handle.seek(topic, *vgroup, *offset);
        if matches!(&sought, Err(error) if i32::from(error.code()) == TOO_EARLY) {
            self.handle.assignment(topic).map_err(|error| {
                self.named(
                    error,
                    &format!("asking for the assignment of the topic `{topic}`"),
                )
            })?;
            sought = self.handle.seek(topic, *vgroup, *offset);
        }
        sought.map_err(|error| {
            let what = format!("going to {offset} in the topic `{topic}`, vgroup {vgroup},");
            self.named(error, &what)
        })?;
        let mut state = self.shared.state();
        state.seek(topic, *vgroup, *offset);
        Ok(())
    }

    /// Reading goes on where the user says; what was fetched ahead from there is not wanted now.
    pub(super) fn go_to(&mut self, mark: &Mark) -> RawResult<()> {
        self.shared.state().usable()?;
        self.seek(mark)
    }

    /// Reading goes on at what was left to be read again, or at what the group has committed since.
    pub(super) fn go_back(&mut self, mark: &Mark) -> RawResult<()> {
        self.shared.state().usable()?;
        let (topic, vgroup) = (&*mark.topic, mark.vgroup);
        let committed = self.committed_or_none(topic, vgroup)?;
        let offset = committed.map_or(mark.offset, |committed| committed.max(mark.offset));
        self.seek(&Mark::new(topic, vgroup, offset))?;
        let mut state = self.shared.state();
        state.places.entry(topic, vgroup).committed = committed;
        Ok(())
    }

    /// The error with what was tried, as whom, and what to do.
    pub(super) fn named(&self, error: RawError, what: &str) -> RawError {
        let hint = hint(error.code().into());
        let address = self.shared.config.address();
        error.context(format!(
            "{what} by the group `{}` at {address}{hint}",
            self.group()
        ))
    }
}
