use std::future::Future;

use super::{Assignment, IsAsyncData, IsAsyncMeta, IsOffset, MessageSet, Timeout, VGroupId};
use crate::error::RawResult;

/// A member of a consumer group, reading topics.
///
/// A backend implements the methods without a body.
pub trait AsAsyncConsumer: Sized + Send + Sync {
    /// Where a message comes from.
    type Offset: IsOffset + Clone + Send + Sync;
    /// The meta of a message.
    type Meta: IsAsyncMeta + Send + Sync;
    /// The rows of a message.
    type Data: IsAsyncData + Send + Sync;

    /// How long `recv` and `stream` wait; the DSN's `timeout`.
    fn default_timeout(&self) -> Timeout;

    /// The runtime that the consumer's task lives on.
    #[doc(hidden)]
    fn home(&self) -> Option<tokio::runtime::Id> {
        None
    }

    /// Joins the group and reads these topics from now on.
    fn subscribe<T: Into<String>, I: IntoIterator<Item = T> + Send>(
        &mut self,
        topics: I,
    ) -> impl Future<Output = RawResult<()>> + Send;

    /// The next message; `None` if none came in time. Dropping the future loses nothing.
    fn recv_timeout(
        &self,
        timeout: Timeout,
    ) -> impl Future<Output = RawResult<Option<(Self::Offset, MessageSet<Self::Meta, Self::Data>)>>> + Send;

    /// Commits the message at `offset` and all before it in its vgroup.
    fn commit(&self, offset: Self::Offset) -> impl Future<Output = RawResult<()>> + Send;

    /// Commits all that was received.
    fn commit_all(&self) -> impl Future<Output = RawResult<()>> + Send;

    /// Commits a place: `offset` is the next version to be read.
    fn commit_offset(
        &self,
        topic: &str,
        vgroup_id: VGroupId,
        offset: i64,
    ) -> impl Future<Output = RawResult<()>> + Send;

    /// Leaves the group. What cannot be told to the server is only logged.
    fn unsubscribe(self) -> impl Future<Output = ()> + Send;

    /// The topics that are subscribed to.
    fn list_topics(&self) -> impl Future<Output = RawResult<Vec<String>>> + Send;

    /// The vgroups of a topic that this consumer reads.
    fn try_topic_assignment(
        &self,
        topic: &str,
    ) -> impl Future<Output = RawResult<Vec<Assignment>>> + Send;

    /// Goes on reading at `offset`, the next version to be read.
    fn offset_seek(
        &mut self,
        topic: &str,
        vgroup_id: VGroupId,
        offset: i64,
    ) -> impl Future<Output = RawResult<()>> + Send;

    /// What the group has committed: the next version to be read.
    fn committed(
        &self,
        topic: &str,
        vgroup_id: VGroupId,
    ) -> impl Future<Output = RawResult<i64>> + Send;

    /// How far this consumer has read: the next version to be read.
    fn position(
        &self,
        topic: &str,
        vgroup_id: VGroupId,
    ) -> impl Future<Output = RawResult<i64>> + Send;
}
