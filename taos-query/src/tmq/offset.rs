use std::sync::Arc;
use std::time::Duration;

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
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
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
