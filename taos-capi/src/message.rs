//! Messages of topics as results.

use taos_query::tmq::{Data, MessageSet, Meta, Offset};

/// What a result knows of the message that it is.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) offset: Offset,
    pub(crate) set: MessageSet<Meta, Data>,
}
