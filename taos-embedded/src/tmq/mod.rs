//! Topics: the log of changes that they read, what they make of it, and the groups that consume it.
//!
//! Every statement that changes something in a vgroup leaves one [`Entry`] in the vgroup's log, in the
//! transaction of the change itself. Versions of a vgroup count from 0 without gaps; the first two stand
//! for the making of the vgroup and are never delivered (as in 14-tmq-data and 16-tmq-db-meta).

mod group;
mod topic;

use bytes::Bytes;
use taos_query::tmq::raw::DataEntry;

use crate::meta::{Meta, NewTable};
pub(crate) use group::{Broker, Consumer, Delivery, Reset, Terms, foreign_topic};
pub(crate) use topic::{ReadOptions, TopicReader};

/// What one statement changed in one vgroup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its place in the vgroup's log.
    pub(crate) version: i64,
    /// Milliseconds since 1970.
    pub(crate) at: i64,
    /// `write_raw` wrote it.
    pub(crate) is_replayed: bool,
    pub(crate) body: Body,
}

/// What was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "few of them are held at once")]
pub(crate) enum Body {
    /// Rows were written.
    Rows(Vec<Part>),
    /// Tables were created, changed or dropped, or rows deleted.
    Meta(Meta),
}

/// Rows of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    /// The number of the subtable or normal table.
    pub(crate) table: i64,
    /// The number of the super table; of the table itself, if that is a normal one.
    pub(crate) def: i64,
    /// The subtable, if the same statement created it.
    pub(crate) created: Option<NewTable>,
    /// The rows: the columns that the statement named, under the names of that time.
    pub(crate) rows: DataEntry,
}

/// What a poll brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) kind: Kind,
    /// The version at which reading began.
    pub(crate) begin: i64,
    /// The version at which reading goes on.
    pub(crate) next: i64,
    /// tmq-raw §4.
    pub(crate) raw_type: u16,
    /// The whole message, as `fetch_raw` and `fetch_raw_data` give it.
    pub(crate) raw: Bytes,
    /// The rows, as `fetch` and `fetch_block` give them; empty for [`Kind::Meta`].
    pub(crate) entries: Vec<DataEntry>,
    /// As `fetch_json_meta` gives it; `None` without meta.
    pub(crate) json: Option<String>,
}

/// The `message_type` of a poll's reply (taosadapter-ws §11.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub(crate) enum Kind {
    Data = 1,
    Meta = 2,
    MetaData = 3,
}

/// What a topic made of a piece of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Page {
    /// Nothing if no change up to `next` concerns the topic.
    pub(crate) message: Option<Message>,
    /// The version at which reading goes on.
    pub(crate) next: i64,
}
