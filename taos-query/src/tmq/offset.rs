use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Number of a vgroup: a part of a database with a log of its own.
pub type VGroupId = i32;

/// Where a message comes from.
pub trait IsOffset {
    /// The database of the topic.
    fn database(&self) -> &str;

    /// The topic.
    fn topic(&self) -> &str;

    /// The vgroup whose log the message was read from.
    fn vgroup_id(&self) -> VGroupId;

    /// The version of the log that the message begins with (tmq-raw §7). Seeking to it brings the message
    /// again. -2147467258 for a message from a snapshot, which has no place in the log.
    fn offset(&self) -> i64;

    /// What the server spent on the poll.
    fn timing(&self) -> Duration;
}

/// Place of a message; committing it commits the message and all before it in the same vgroup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offset {
    topic: Arc<str>,
    database: Arc<str>,
    vgroup_id: VGroupId,
    offset: i64,
    next: Option<i64>,
    message_id: u64,
    timing: Duration,
}

impl Offset {
    /// A place in the log of a vgroup; used by backends.
    pub fn new(
        topic: impl Into<Arc<str>>,
        database: impl Into<Arc<str>>,
        vgroup_id: VGroupId,
        offset: i64,
    ) -> Self {
        Self {
            topic: topic.into(),
            database: database.into(),
            vgroup_id,
            offset,
            next: None,
            message_id: 0,
            timing: Duration::ZERO,
        }
    }

    /// With the version behind the message, which is what a commit of the message writes down.
    #[must_use]
    pub const fn with_next(mut self, next: Option<i64>) -> Self {
        self.next = next;
        self
    }

    /// With the number that the message has on its connection.
    #[must_use]
    pub const fn with_message_id(mut self, message_id: u64) -> Self {
        self.message_id = message_id;
        self
    }

    /// With the time that the server spent.
    #[must_use]
    pub const fn with_timing(mut self, timing: Duration) -> Self {
        self.timing = timing;
        self
    }

    /// The version behind the message, where consuming goes on after it; `None` if the server does not tell.
    pub const fn next(&self) -> Option<i64> {
        self.next
    }

    /// True if the message was read from this vgroup of this topic.
    #[doc(hidden)]
    pub fn is_of(&self, topic: &str, vgroup_id: VGroupId) -> bool {
        self.vgroup_id == vgroup_id && &*self.topic == topic
    }

    /// The number that the message has on its connection.
    pub const fn message_id(&self) -> u64 {
        self.message_id
    }
}

impl IsOffset for Offset {
    fn database(&self) -> &str {
        &self.database
    }

    fn topic(&self) -> &str {
        &self.topic
    }

    fn vgroup_id(&self) -> VGroupId {
        self.vgroup_id
    }

    fn offset(&self) -> i64 {
        self.offset
    }

    fn timing(&self) -> Duration {
        self.timing
    }
}

/// A vgroup that this consumer reads, and how far (taosadapter-ws §11.8).
#[repr(C)]
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    vgroup_id: VGroupId,
    offset: i64,
    begin: i64,
    end: i64,
}

impl Assignment {
    /// A vgroup, where the last message from it began, and the versions that its log has.
    pub const fn new(vgroup_id: VGroupId, offset: i64, begin: i64, end: i64) -> Self {
        Self {
            vgroup_id,
            offset,
            begin,
            end,
        }
    }

    /// The vgroup.
    pub const fn vgroup_id(&self) -> VGroupId {
        self.vgroup_id
    }

    /// Where the last message from this vgroup began; before the first, where consuming will begin.
    pub const fn current_offset(&self) -> i64 {
        self.offset
    }

    /// The oldest version that the log still has.
    pub const fn begin(&self) -> i64 {
        self.begin
    }

    /// One more than the newest version.
    pub const fn end(&self) -> i64 {
        self.end
    }
}

/// How far a consumer is behind in one vgroup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lag {
    topic: Arc<str>,
    vgroup_id: VGroupId,
    position: Option<i64>,
    begin: i64,
    end: i64,
}

impl Lag {
    /// `position` is the next version that the user will be given; `None` where it is not a version, as in a
    /// snapshot.
    pub(crate) fn new(topic: Arc<str>, assignment: &Assignment, position: Option<i64>) -> Self {
        Self {
            topic,
            vgroup_id: assignment.vgroup_id,
            position,
            begin: assignment.begin,
            end: assignment.end,
        }
    }

    /// The topic.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// The vgroup.
    pub const fn vgroup_id(&self) -> VGroupId {
        self.vgroup_id
    }

    /// The next version to be taken; `None` while a snapshot is read, which has no place in the log.
    pub const fn position(&self) -> Option<i64> {
        self.position
    }

    /// The oldest version that the log still has.
    pub const fn begin(&self) -> i64 {
        self.begin
    }

    /// One more than the newest version.
    pub const fn end(&self) -> i64 {
        self.end
    }

    /// How many versions are still to be taken. A version is one change of the log, of any number of rows; some hold
    /// nothing for the topic.
    pub fn behind(&self) -> u64 {
        let from = self.position.unwrap_or(self.begin).max(self.begin);
        u64::try_from(self.end.saturating_sub(from)).unwrap_or_default()
    }

    /// How many versions the log has dropped before they were taken, because they were older than the database keeps
    /// them (`WAL_RETENTION_PERIOD`). They are gone.
    pub fn missed(&self) -> u64 {
        let position = self.position.unwrap_or(self.begin);
        u64::try_from(self.begin.saturating_sub(position)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lag_counts_what_is_left_and_what_is_gone() {
        let lag = |position, begin, end| {
            Lag::new("t".into(), &Assignment::new(2, 0, begin, end), position)
        };
        assert_eq!(lag(Some(7), 0, 10).behind(), 3);
        assert_eq!(lag(Some(10), 0, 10).behind(), 0);
        assert_eq!(
            (lag(Some(2), 5, 10).behind(), lag(Some(2), 5, 10).missed()),
            (5, 3)
        );
        assert_eq!(
            (lag(None, 5, 10).behind(), lag(None, 5, 10).missed()),
            (5, 0)
        );
        assert_eq!(
            lag(Some(i64::MIN), 0, i64::MAX).behind(),
            i64::MAX.unsigned_abs()
        );
    }
}
