use serde::Serialize;

/// Reply to `subscribe` (§11.1).
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct SubscribeBody<'a> {
    /// The version, in adapters from late 3.3.6 on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<&'a str>,
}

/// Reply to `poll` (§11.2); the default says that there is no message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct PollBody<'a> {
    /// False if none came in time; the rest is zero then.
    pub have_message: bool,
    /// The topic.
    pub topic: &'a str,
    /// Its database.
    pub database: &'a str,
    /// The vgroup that the message comes from.
    pub vgroup_id: i32,
    /// 1 data, 2 meta, 3 both, 4 rows as they are stored.
    pub message_type: i32,
    /// Counts up from 1 on each connection.
    pub message_id: u64,
    /// Where in the log the message begins.
    pub offset: i64,
}

/// Reply to `fetch` (§11.4); the default, with its `message_id`, and `completed` says that no block
/// is left.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TmqFetchBody<'a> {
    /// The message.
    pub message_id: u64,
    /// True behind the last block; the rest is zero then.
    pub completed: bool,
    /// The block's table, empty for topics of queries.
    pub table_name: &'a str,
    /// Rows of the block.
    pub rows: usize,
    /// Number of columns.
    pub fields_count: usize,
    /// Names.
    pub fields_names: Option<Vec<&'a str>>,
    /// Type ids.
    pub fields_types: Option<Vec<u8>>,
    /// Declared widths.
    pub fields_lengths: Option<Vec<i64>>,
    /// 0 ms, 1 µs, 2 ns.
    pub precision: u8,
}

/// Reply to `commit`; and what failed fetches of all kinds add, but no failed `commit` (§3.2, §11.8).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct MessageBody {
    /// Echo of the message.
    pub message_id: u64,
}

/// Reply to `fetch_json_meta` (§11.7).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct JsonMetaBody<T> {
    /// The message.
    pub message_id: u64,
    /// What it says of tables, as JSON (tmq-raw §6).
    pub data: T,
}

/// Reply to `commit_offset` (§11.8).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct CommitOffsetBody<'a> {
    /// Echo of the topic.
    pub topic: &'a str,
    /// Echo of the vgroup.
    pub vgroup_id: i32,
    /// Echo of the place.
    pub offset: i64,
}

/// Reply to `assignment` (§11.8).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct AssignmentBody {
    /// The vgroups; null for none.
    pub assignment: Option<Vec<super::AssignmentReply>>,
}

/// Reply to `committed` (§11.8).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CommittedBody {
    /// The next version to be read, or [`NO_OFFSET`](super::NO_OFFSET), in the order asked.
    pub committed: Option<Vec<i64>>,
}

/// Reply to `position` (§11.8).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PositionBody {
    /// The next version to be read, or [`NO_OFFSET`](super::NO_OFFSET), in the order asked.
    pub position: Option<Vec<i64>>,
}

/// Reply to `list_topics` (§11.8).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TopicsBody {
    /// The topics that are subscribed to; null for none.
    pub topics: Option<Vec<String>>,
}
