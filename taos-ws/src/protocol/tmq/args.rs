use crate::protocol::args::args;
use serde::Serialize;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

args! {
    /// Arguments of `subscribe` (§11.1), all of them text. What is empty is not sent. Its `Debug`
    /// form hides what must stay secret.
    SubscribeArgs {
        /// The client's request id.
        req_id: u64 = "req_id",
        /// The user's name.
        user: String = "user",
        /// The password in clear text.
        password: String = "password",
        /// Without effect.
        #[serde(skip_serializing_if = "String::is_empty")]
        db: String = "db",
        /// The consumer group; an empty one is refused.
        group_id: String = "group_id",
        /// Name of this member.
        #[serde(skip_serializing_if = "String::is_empty")]
        client_id: String = "client_id",
        /// Where a group without a committed offset begins: `earliest`, `latest`, `none`.
        #[serde(skip_serializing_if = "String::is_empty")]
        offset_reset: String = "offset_reset",
        /// The older spelling of `offset_reset`.
        #[serde(skip_serializing_if = "String::is_empty")]
        offset_rest: String = "offset_rest",
        /// What to read.
        topics: Vec<String> = "topics",
        /// `true` or `false` in any spelling that Go knows.
        #[serde(skip_serializing_if = "String::is_empty")]
        auto_commit: String = "auto_commit",
        /// Milliseconds between automatic commits.
        #[serde(skip_serializing_if = "String::is_empty")]
        auto_commit_interval_ms: String = "auto_commit_interval_ms",
        /// `true` also delivers what is older than the log.
        #[serde(skip_serializing_if = "String::is_empty")]
        snapshot_enable: String = "snapshot_enable",
        /// Without effect on what comes.
        #[serde(skip_serializing_if = "String::is_empty")]
        with_table_name: String = "with_table_name",
        /// `1` packs several changes of tables into one message.
        #[serde(skip_serializing_if = "String::is_empty")]
        enable_batch_meta: String = "enable_batch_meta",
        /// `1` leaves out what replication wrote.
        #[serde(skip_serializing_if = "String::is_empty")]
        msg_consume_excluded: String = "msg_consume_excluded",
        /// Milliseconds without a heartbeat after which the member is dropped.
        #[serde(skip_serializing_if = "String::is_empty")]
        session_timeout_ms: String = "session_timeout_ms",
        /// Milliseconds between polls after which the member is dropped.
        #[serde(skip_serializing_if = "String::is_empty")]
        max_poll_interval_ms: String = "max_poll_interval_ms",
        /// `1` delivers rows as they are stored.
        #[serde(skip_serializing_if = "String::is_empty")]
        msg_consume_rawdata: String = "msg_consume_rawdata",
        /// An IANA time zone.
        #[serde(skip_serializing_if = "String::is_empty")]
        tz: String = "tz",
        /// The application's name.
        #[serde(skip_serializing_if = "String::is_empty")]
        app: String = "app",
        /// The address to record for the user.
        #[serde(skip_serializing_if = "String::is_empty")]
        ip: String = "ip",
        /// Name and version of the connector.
        #[serde(skip_serializing_if = "String::is_empty")]
        connector: String = "connector",
        /// Further keys of the consumer's configuration; they win over the members above.
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        config: BTreeMap<String, String> = "config",
    }
}

args! {
    /// Arguments of `poll` (§11.2).
    #[derive(Debug)]
    PollArgs {
        /// The client's request id.
        req_id: u64 = "req_id",
        /// Milliseconds that the server waits for a message; negative for ever.
        blocking_time: i64 = "blocking_time",
        /// The last message received, 0 if none; without it the server never repeats one.
        #[serde(skip_serializing_if = "Option::is_none")]
        message_id: Option<u64> = "message_id",
    }
}

args! {
    /// Arguments of `fetch`, `fetch_block`, `fetch_raw`, `fetch_raw_data`, `fetch_json_meta` and
    /// `commit` (§11.3, §11.8).
    #[derive(Debug)]
    MessageArgs {
        /// The client's request id.
        req_id: u64 = "req_id",
        /// The message.
        message_id: u64 = "message_id",
    }
}

args! {
    /// Arguments of `commit_offset` and `seek` (§11.8).
    #[derive(Debug)]
    OffsetArgs {
        /// The client's request id.
        req_id: u64 = "req_id",
        /// The topic.
        topic: String = "topic",
        /// The vgroup.
        vgroup_id: i32 = "vgroup_id",
        /// The next version to be read.
        offset: i64 = "offset",
    }
}

args! {
    /// Arguments of `assignment` (§11.8).
    #[derive(Debug)]
    TopicArgs {
        /// The client's request id.
        req_id: u64 = "req_id",
        /// The topic.
        topic: String = "topic",
    }
}

args! {
    /// A vgroup of a topic.
    #[derive(Debug)]
    TopicVgroup {
        /// The topic.
        topic: String = "topic",
        /// The vgroup.
        vgroup_id: i32 = "vgroup_id",
    }
}

args! {
    /// Arguments of `committed` and `position` (§11.8).
    #[derive(Debug)]
    VgroupsArgs {
        /// The client's request id.
        req_id: u64 = "req_id",
        /// What is asked about; the answers come in this order.
        topic_vgroup_ids: Vec<TopicVgroup> = "topic_vgroup_ids",
    }
}

impl SubscribeArgs {
    /// Arguments of a member of this group reading these topics; the rest is set as members.
    #[must_use]
    pub fn new(req_id: u64, group_id: impl Into<String>, topics: Vec<String>) -> Self {
        Self {
            req_id,
            group_id: group_id.into(),
            topics,
            ..Self::default()
        }
    }

    /// Where a group without a committed offset begins, in whichever spelling it came.
    #[must_use]
    pub fn reset(&self) -> &str {
        if self.offset_reset.is_empty() {
            &self.offset_rest
        } else {
            &self.offset_reset
        }
    }
}

impl fmt::Debug for SubscribeArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubscribeArgs")
            .field("req_id", &self.req_id)
            .field("user", &self.user)
            .field("group_id", &self.group_id)
            .field("client_id", &self.client_id)
            .field("offset_reset", &self.reset())
            .field("topics", &self.topics)
            .field("auto_commit", &self.auto_commit)
            .field("snapshot_enable", &self.snapshot_enable)
            .field("enable_batch_meta", &self.enable_batch_meta)
            .field("msg_consume_rawdata", &self.msg_consume_rawdata)
            .field("config", &self.config.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

impl PollArgs {
    /// Arguments with this request id, wait in milliseconds and last message received.
    #[must_use]
    pub const fn new(req_id: u64, blocking_time: i64, message_id: Option<u64>) -> Self {
        Self {
            req_id,
            blocking_time,
            message_id,
        }
    }
}

impl MessageArgs {
    /// Arguments with this request id and message.
    #[must_use]
    pub const fn new(req_id: u64, message_id: u64) -> Self {
        Self { req_id, message_id }
    }
}

impl OffsetArgs {
    /// Arguments with this request id and place.
    #[must_use]
    pub fn new(req_id: u64, topic: impl Into<String>, vgroup_id: i32, offset: i64) -> Self {
        Self {
            req_id,
            topic: topic.into(),
            vgroup_id,
            offset,
        }
    }
}

impl TopicArgs {
    /// Arguments with this request id and topic.
    #[must_use]
    pub fn new(req_id: u64, topic: impl Into<String>) -> Self {
        Self {
            req_id,
            topic: topic.into(),
        }
    }
}

impl TopicVgroup {
    /// This vgroup of this topic.
    #[must_use]
    pub fn new(topic: impl Into<String>, vgroup_id: i32) -> Self {
        Self {
            topic: topic.into(),
            vgroup_id,
        }
    }
}

impl VgroupsArgs {
    /// Arguments with this request id and vgroups.
    #[must_use]
    pub const fn new(req_id: u64, topic_vgroup_ids: Vec<TopicVgroup>) -> Self {
        Self {
            req_id,
            topic_vgroup_ids,
        }
    }
}
