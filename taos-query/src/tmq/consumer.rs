use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use futures_util::future::{join_all, try_join_all};
use futures_util::stream::unfold;
use futures_util::{Stream, StreamExt as _};
use serde::de::DeserializeOwned;
use tokio::runtime;

use super::{
    Assignment, IsAsyncData, IsAsyncMeta, IsOffset, Lag, Leftovers, MessageSet, Records, Shutdown,
    Timeout, VGroupId,
};
use crate::error::{Code, RawError, RawResult};

/// A message and where it comes from, as the streams of a consumer `C` give them.
pub type Received<C> = (
    <C as AsAsyncConsumer>::Offset,
    MessageSet<<C as AsAsyncConsumer>::Meta, <C as AsAsyncConsumer>::Data>,
);

/// The messages of a consumer `C` as they come.
pub type MessageStream<'a, C> = Pin<Box<dyn Stream<Item = RawResult<Received<C>>> + Send + 'a>>;

/// A member of a consumer group, reading topics.
///
/// Every message is delivered at least once: what was not committed comes again, to this consumer or to
/// another of its group, after a restart or when the group shares its vgroups anew.
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
    fn home(&self) -> Option<runtime::Id> {
        None
    }

    /// Joins the group and reads these topics from now on.
    fn subscribe<T: Into<String>, I: IntoIterator<Item = T> + Send>(
        &mut self,
        topics: I,
    ) -> impl Future<Output = RawResult<()>> + Send;

    /// The next message; `None` if none came in time.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing: the message comes with the next call.
    fn recv_timeout(
        &self,
        timeout: Timeout,
    ) -> impl Future<Output = RawResult<Option<Received<Self>>>> + Send;

    /// The next message; `None` if none came within the [default timeout](Self::default_timeout).
    ///
    /// # Cancel safety
    /// As [`recv_timeout`](Self::recv_timeout).
    fn recv(&self) -> impl Future<Output = RawResult<Option<Received<Self>>>> + Send {
        self.recv_timeout(self.default_timeout())
    }

    /// The messages as they come. The stream ends when none came for the
    /// [default timeout](Self::default_timeout), 5 s unless the DSN says otherwise; take a new one to go on.
    fn stream(&self) -> MessageStream<'_, Self> {
        self.stream_with_timeout(self.default_timeout())
    }

    /// The messages as they come, until none came for `timeout`; endless with [`Timeout::Never`]. An error does not
    /// end the stream.
    fn stream_with_timeout(&self, timeout: Timeout) -> MessageStream<'_, Self> {
        let messages = unfold((), move |()| async move {
            let message = self.recv_timeout(timeout).await.transpose()?;
            Some((message, ()))
        });
        Box::pin(messages.fuse())
    }

    /// The messages as they come, however long the silence, until `shutdown` is asked for. A message that was given by
    /// then is the user's to finish and commit; none is begun after it.
    fn stream_until(&self, shutdown: &Shutdown) -> MessageStream<'_, Self> {
        let messages = self.stream_with_timeout(Timeout::Never);
        Box::pin(messages.take_until(shutdown.requested()))
    }

    /// The rows of all messages as values of `T`, endlessly; see [`Records`].
    fn records<T: DeserializeOwned>(&self) -> Records<'_, Self, T> {
        Records::new(self)
    }

    /// What streams of records left; `None` if this consumer commits by itself, or cannot go back.
    #[doc(hidden)]
    fn leftovers(&self) -> Option<&Leftovers> {
        None
    }

    /// As [`offset_seek`](Self::offset_seek) on a consumer that is shared; never to what it has committed.
    #[doc(hidden)]
    fn go_back(
        &self,
        _topic: &str,
        _vgroup_id: VGroupId,
        _offset: i64,
    ) -> impl Future<Output = RawResult<()>> + Send {
        async { Err(RawError::unsupported("going back to a message", "this")) }
    }

    /// Commits the message at `offset` and all before it in its vgroup. Nothing is written where the group is further.
    ///
    /// # Errors
    /// With [`is_foreign_vgroup`](RawError::is_foreign_vgroup) if the vgroup went to another consumer of the group
    /// meanwhile, which is given the message again: go on with the next one.
    fn commit(&self, offset: Self::Offset) -> impl Future<Output = RawResult<()>> + Send;

    /// Commits all that was received.
    ///
    /// # Errors
    /// As [`commit`](Self::commit), for the first vgroup that fails.
    fn commit_all(&self) -> impl Future<Output = RawResult<()>> + Send;

    /// Commits a place, wherever the group is: `offset` is the next version to be read.
    ///
    /// # Errors
    /// As [`commit`](Self::commit), and 0x4007 if the log does not have the place.
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

    /// The vgroups of each topic that this consumer reads.
    fn try_assignments(
        &self,
    ) -> impl Future<Output = RawResult<Vec<(String, Vec<Assignment>)>>> + Send {
        async move {
            let mut all = Vec::new();
            for topic in self.list_topics().await? {
                let vgroups = self.try_topic_assignment(&topic).await?;
                all.push((topic, vgroups));
            }
            Ok(all)
        }
    }

    /// As [`try_assignments`](Self::try_assignments); `None` for an error, which is logged.
    fn assignments(&self) -> impl Future<Output = Option<Vec<(String, Vec<Assignment>)>>> + Send {
        async move {
            self.try_assignments()
                .await
                .inspect_err(|error| tracing::warn!(%error, "the assignments are not known"))
                .ok()
        }
    }

    /// As [`try_topic_assignment`](Self::try_topic_assignment); empty for an error, which is logged.
    fn topic_assignment(&self, topic: &str) -> impl Future<Output = Vec<Assignment>> + Send {
        async move {
            self.try_topic_assignment(topic)
                .await
                .inspect_err(|error| tracing::warn!(%error, topic, "the assignment is not known"))
                .unwrap_or_default()
        }
    }

    /// How far this consumer is behind, for each vgroup that it reads now. What it was given counts as taken,
    /// committed or not.
    fn lag(&self) -> impl Future<Output = RawResult<Vec<Lag>>> + Send {
        async move {
            let topics = self.list_topics().await?;
            let lags = try_join_all(topics.iter().map(|topic| topic_lag(self, topic))).await?;
            Ok(lags.into_iter().flatten().collect())
        }
    }

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

/// What the server answers for a vgroup of which nothing has been read (tmq-raw §7).
const NOTHING_YET: i64 = -2_147_467_247;
/// The same as an error's code.
const NOTHING_READ: i32 = 0x4011;
/// The log does not have the version, or not any more.
pub(super) const NOT_IN_LOG: Code = Code::TMQ_OUT_OF_LOG;

async fn topic_lag<C: AsAsyncConsumer>(consumer: &C, topic: &str) -> RawResult<Vec<Lag>> {
    let name: Arc<str> = topic.into();
    let vgroups = consumer.try_topic_assignment(topic).await?;
    let positions = vgroups
        .iter()
        .map(|vgroup| consumer.position(topic, vgroup.vgroup_id()));
    let positions = join_all(positions).await;
    vgroups
        .iter()
        .zip(positions)
        .filter_map(|(vgroup, position)| {
            let position = match position {
                Ok(NOTHING_YET) => vgroup.current_offset(),
                Ok(position) => position,
                Err(error) if error.code() == NOTHING_READ => vgroup.current_offset(),
                // It went to another consumer meanwhile.
                Err(error) if error.code() == Code::TMQ_FOREIGN_VGROUP => return None,
                Err(error) => return Some(Err(error)),
            };
            let position = Some(position).filter(|&place| place >= 0);
            Some(Ok(Lag::new(Arc::clone(&name), vgroup, position)))
        })
        .collect()
}
