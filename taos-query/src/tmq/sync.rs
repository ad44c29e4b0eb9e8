//! Consumers without async: one adapter over the async ones, for every backend at once.

use std::iter::FusedIterator;

use futures_util::StreamExt as _;
use serde::de::DeserializeOwned;
use tokio::runtime;

use super::consumer::Received;
use super::{
    AsAsyncConsumer, Assignment, Data, IsAsyncData, IsAsyncMeta, IsOffset, JsonMeta, Lag,
    MessageSet, Record, Records, Shutdown, Timeout, VGroupId,
};
use crate::error::RawResult;
use crate::util::block_on;
use crate::{RawBlock, RawData, RawMeta};

/// Meta of a message, blocking; see [`IsAsyncMeta`].
pub trait IsMeta {
    /// As the server packs it, to be replayed.
    fn as_raw_meta(&self) -> RawResult<RawMeta>;

    /// As values that print as SQL.
    fn as_json_meta(&self) -> RawResult<JsonMeta>;
}

impl<M: IsAsyncMeta> IsMeta for M {
    fn as_raw_meta(&self) -> RawResult<RawMeta> {
        block_on(self.home(), IsAsyncMeta::as_raw_meta(self))?
    }

    fn as_json_meta(&self) -> RawResult<JsonMeta> {
        block_on(self.home(), IsAsyncMeta::as_json_meta(self))?
    }
}

/// Rows of a message, blocking; see [`IsAsyncData`].
pub trait IsData {
    /// As the server packs them, to be replayed.
    fn as_raw_data(&self) -> RawResult<RawData>;

    /// The next block, with the name of its table where the topic tells it; `None` at the end.
    fn fetch_raw_block(&self) -> RawResult<Option<RawBlock>>;
}

impl<D: IsAsyncData> IsData for D {
    fn as_raw_data(&self) -> RawResult<RawData> {
        block_on(self.home(), IsAsyncData::as_raw_data(self))?
    }

    fn fetch_raw_block(&self) -> RawResult<Option<RawBlock>> {
        if let Some(block) = self.ready_block() {
            return block;
        }
        block_on(self.home(), IsAsyncData::fetch_raw_block(self))?
    }
}

/// The blocks that have not been taken yet, for blocking programs.
impl Iterator for Data {
    type Item = RawResult<RawBlock>;

    fn next(&mut self) -> Option<Self::Item> {
        IsData::fetch_raw_block(self).transpose()
    }
}

/// A message and where it comes from, as a blocking consumer `C` gives it.
pub type Message<C> = (
    <C as AsConsumer>::Offset,
    MessageSet<<C as AsConsumer>::Meta, <C as AsConsumer>::Data>,
);

/// The messages of a blocking consumer `C` that have rows.
pub type DataIter<'a, C> =
    Box<dyn Iterator<Item = RawResult<(<C as AsConsumer>::Offset, <C as AsConsumer>::Data)>> + 'a>;

/// A member of a consumer group, blocking; see [`AsAsyncConsumer`].
pub trait AsConsumer: Sized {
    /// Where a message comes from.
    type Offset: IsOffset;
    /// The meta of a message.
    type Meta: IsMeta;
    /// The rows of a message, block by block.
    type Data: IntoIterator<Item = RawResult<RawBlock>>;

    /// How long `recv` and `iter` wait; the DSN's `timeout`.
    fn default_timeout(&self) -> Timeout;

    /// Joins the group and reads these topics from now on.
    fn subscribe<T: Into<String>, I: IntoIterator<Item = T> + Send>(
        &mut self,
        topics: I,
    ) -> RawResult<()>;

    /// The next message; `None` if none came in time.
    fn recv_timeout(&self, timeout: Timeout) -> RawResult<Option<Message<Self>>>;

    /// The next message; `None` if none came within the [default timeout](Self::default_timeout).
    fn recv(&self) -> RawResult<Option<Message<Self>>> {
        self.recv_timeout(self.default_timeout())
    }

    /// The messages that have rows, until none came for `timeout`.
    fn iter_data_only(&self, timeout: Timeout) -> DataIter<'_, Self> {
        let messages = self.iter_with_timeout(timeout);
        Box::new(messages.filter_map(|message| match message {
            Ok((offset, message)) => message.into_data().map(|data| Ok((offset, data))),
            Err(error) => Some(Err(error)),
        }))
    }

    /// The messages as they come, until none came for `timeout`.
    fn iter_with_timeout(&self, timeout: Timeout) -> MessageSetsIter<'_, Self> {
        MessageSetsIter {
            consumer: self,
            timeout,
        }
    }

    /// The messages as they come, until none came for the [default timeout](Self::default_timeout).
    fn iter(&self) -> MessageSetsIter<'_, Self> {
        self.iter_with_timeout(self.default_timeout())
    }

    /// The rows of all messages as values of `T`, endlessly; see [`Records`].
    fn records<T: DeserializeOwned>(&self) -> RecordIter<'_, Self, T>
    where
        Self: AsAsyncConsumer,
    {
        RecordIter {
            home: AsAsyncConsumer::home(self),
            records: AsAsyncConsumer::records(self),
        }
    }

    /// Commits the message at `offset` and all before it in its vgroup; see [`AsAsyncConsumer::commit`].
    fn commit(&self, offset: Self::Offset) -> RawResult<()>;

    /// Commits all that was received.
    fn commit_all(&self) -> RawResult<()>;

    /// Commits a place: `offset` is the next version to be read.
    fn commit_offset(&self, topic: &str, vgroup_id: VGroupId, offset: i64) -> RawResult<()>;

    /// Leaves the group. What cannot be told to the server is only logged.
    fn unsubscribe(self);

    /// The topics that are subscribed to.
    fn list_topics(&self) -> RawResult<Vec<String>>;

    /// The vgroups of each topic that this consumer reads.
    fn try_assignments(&self) -> RawResult<Vec<(String, Vec<Assignment>)>>;

    /// As [`try_assignments`](Self::try_assignments); `None` for an error, which is logged.
    fn assignments(&self) -> Option<Vec<(String, Vec<Assignment>)>>;

    /// How far this consumer is behind, for each vgroup that it reads now; see [`AsAsyncConsumer::lag`].
    fn lag(&self) -> RawResult<Vec<Lag>>;

    /// Goes on reading at `offset`, the next version to be read.
    fn offset_seek(&mut self, topic: &str, vgroup_id: VGroupId, offset: i64) -> RawResult<()>;

    /// What the group has committed: the next version to be read.
    fn committed(&self, topic: &str, vgroup_id: VGroupId) -> RawResult<i64>;

    /// How far this consumer has read: the next version to be read.
    fn position(&self, topic: &str, vgroup_id: VGroupId) -> RawResult<i64>;
}

impl<C> AsConsumer for C
where
    C: AsAsyncConsumer<Data: IntoIterator<Item = RawResult<RawBlock>>>,
{
    type Offset = C::Offset;
    type Meta = C::Meta;
    type Data = C::Data;

    fn default_timeout(&self) -> Timeout {
        AsAsyncConsumer::default_timeout(self)
    }

    fn subscribe<T: Into<String>, I: IntoIterator<Item = T> + Send>(
        &mut self,
        topics: I,
    ) -> RawResult<()> {
        let topics: Vec<String> = topics.into_iter().map(Into::into).collect();
        block_on(
            AsAsyncConsumer::home(self),
            AsAsyncConsumer::subscribe(self, topics),
        )?
    }

    fn recv_timeout(&self, timeout: Timeout) -> RawResult<Option<Received<Self>>> {
        block_on(self.home(), AsAsyncConsumer::recv_timeout(self, timeout))?
    }

    fn commit(&self, offset: Self::Offset) -> RawResult<()> {
        block_on(self.home(), AsAsyncConsumer::commit(self, offset))?
    }

    fn commit_all(&self) -> RawResult<()> {
        block_on(self.home(), AsAsyncConsumer::commit_all(self))?
    }

    fn commit_offset(&self, topic: &str, vgroup_id: VGroupId, offset: i64) -> RawResult<()> {
        let commit = AsAsyncConsumer::commit_offset(self, topic, vgroup_id, offset);
        block_on(self.home(), commit)?
    }

    fn unsubscribe(self) {
        let home = self.home();
        if let Err(error) = block_on(home, AsAsyncConsumer::unsubscribe(self)) {
            tracing::warn!(%error, "the server was not told that the consumer leaves");
        }
    }

    fn list_topics(&self) -> RawResult<Vec<String>> {
        block_on(self.home(), AsAsyncConsumer::list_topics(self))?
    }

    fn try_assignments(&self) -> RawResult<Vec<(String, Vec<Assignment>)>> {
        block_on(self.home(), AsAsyncConsumer::try_assignments(self))?
    }

    fn assignments(&self) -> Option<Vec<(String, Vec<Assignment>)>> {
        AsConsumer::try_assignments(self)
            .inspect_err(|error| tracing::warn!(%error, "the assignments are not known"))
            .ok()
    }

    fn lag(&self) -> RawResult<Vec<Lag>> {
        block_on(self.home(), AsAsyncConsumer::lag(self))?
    }

    fn offset_seek(&mut self, topic: &str, vgroup_id: VGroupId, offset: i64) -> RawResult<()> {
        block_on(
            AsAsyncConsumer::home(self),
            AsAsyncConsumer::offset_seek(self, topic, vgroup_id, offset),
        )?
    }

    fn committed(&self, topic: &str, vgroup_id: VGroupId) -> RawResult<i64> {
        let committed = AsAsyncConsumer::committed(self, topic, vgroup_id);
        block_on(self.home(), committed)?
    }

    fn position(&self, topic: &str, vgroup_id: VGroupId) -> RawResult<i64> {
        let position = AsAsyncConsumer::position(self, topic, vgroup_id);
        block_on(self.home(), position)?
    }
}

/// The messages of a consumer. After the `None` of a timeout it may be asked again.
#[derive(Debug)]
pub struct MessageSetsIter<'a, C> {
    consumer: &'a C,
    timeout: Timeout,
}

impl<C: AsConsumer> Iterator for MessageSetsIter<'_, C> {
    type Item = RawResult<Message<C>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.consumer.recv_timeout(self.timeout).transpose()
    }
}

/// The rows of all messages of a consumer as values of `T`; [`Records`] without async.
#[derive(Debug)]
pub struct RecordIter<'a, C: AsAsyncConsumer, T> {
    home: Option<runtime::Id>,
    records: Records<'a, C, T>,
}

impl<C: AsAsyncConsumer, T> RecordIter<'_, C, T> {
    /// See [`Records::commit_on_ack`]. Commits are made while the iterator is asked for more.
    #[must_use]
    pub fn commit_on_ack(mut self, interval: std::time::Duration) -> Self {
        self.records = self.records.commit_on_ack(interval);
        self
    }

    /// See [`Records::with_shutdown`].
    #[must_use]
    pub fn with_shutdown(mut self, shutdown: &Shutdown) -> Self {
        self.records = self.records.with_shutdown(shutdown);
        self
    }

    /// See [`Records::grace`].
    #[must_use]
    pub fn grace(mut self, grace: std::time::Duration) -> Self {
        self.records = self.records.grace(grace);
        self
    }

    /// See [`Records::shutdown_handle`].
    pub fn shutdown_handle(&self) -> Shutdown {
        self.records.shutdown_handle()
    }

    /// See [`Records::commit_acked`].
    ///
    /// # Errors
    /// As there.
    pub fn commit_acked(&mut self) -> RawResult<()> {
        block_on(self.home, self.records.commit_acked())?
    }
}

impl<C: AsAsyncConsumer, T: DeserializeOwned> Iterator for RecordIter<'_, C, T> {
    type Item = RawResult<Record<T>>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if !self.records.is_due()
            && let Some(item) = self.records.next_ready()
        {
            return Some(item);
        }
        block_on(self.home, self.records.next()).unwrap_or_else(|error| Some(Err(error)))
    }
}

impl<C: AsAsyncConsumer, T: DeserializeOwned> FusedIterator for RecordIter<'_, C, T> {}
