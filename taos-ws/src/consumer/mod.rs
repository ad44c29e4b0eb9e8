//! Consumers of topics over `/rest/tmq` (taosadapter-ws §11).
//!
//! # How a message comes
//!
//! One task a consumer asks for messages, and only while someone waits for one; after a message was
//! taken it asks for one more, so that the next is there when the user comes back. What came and was
//! not taken stays: neither a wait that ended nor a dropped future loses it. At most two messages are
//! held, the user's and the next.
//!
//! A message is fetched whole before the server is asked for another, because the server keeps only
//! one. Servers before 3.3.1.2 cannot give it whole; there a message is read from the server piece by
//! piece, nothing is asked for ahead, and a message is gone once the next one was asked for. The same
//! holds, but for the reading, with `experimental.snapshot.enable`.
//!
//! # Commits
//!
//! The server's own automatic commit is never switched on: it would commit what the user has not
//! taken. [`commit`](AsAsyncConsumer::commit) writes down the place behind its message. With
//! `enable.auto.commit=true` the consumer does so each `auto.commit.interval.ms` for what the user
//! has taken and moved past, that is: asked for another message after it; and once more at the end.
//! An automatic commit that fails is logged and made again with the next one; nothing is lost by it,
//! and `commit_all` and `unsubscribe` commit the same places and more.
//!
//! One commit is under way at a time, and is seen to its answer even if its caller leaves. What the
//! group has committed already, by this consumer or by another that had the vgroup meanwhile, is not
//! committed again and never set back, but by [`commit_offset`](AsAsyncConsumer::commit_offset) and
//! after [`offset_seek`](AsAsyncConsumer::offset_seek).
//!
//! # After a loss
//!
//! When the connection breaks, or the server does not know the consumer any more, the next
//! use subscribes again and reading goes on where it was: behind what was received, or where the
//! group has committed if that is further. A vgroup that is given back later goes on there too; one that
//! stays away for longer than the group remembers a member is another's, and begins at what that one has
//! committed. What the log has lost meanwhile is logged and listed by
//! [`Consumer::gaps`]. `auto.reconnect=false` switches this off.
//!
//! A poll that is refused for a reason that passes (the server starts, is busy, or balances the group)
//! is sent again after growing pauses, `conn_retries` times, before the error is told. A message that
//! is not given within a minute is fetched by a new subscription. `unsubscribe`, another `subscribe`
//! and dropping the consumer wait for none of that.

mod builder;
mod calls;
mod commits;
mod config;
mod content;
mod driver;
mod orders;
mod receive;
mod refusals;
mod restore;
mod session;
mod shared;

pub use builder::TmqBuilder;
pub use shared::Gap;

use driver::Driver;
use futures_util::stream::Stream;
use orders::Order;
use shared::{Phase, Shared};
use std::future::Future;
use std::sync::Arc;
use taos_query::tmq::{
    AsAsyncConsumer, Assignment, Data, IsOffset as _, Leftovers, MessageSet, Meta, Offset, Timeout,
    VGroupId,
};
use taos_query::{Code, ConnectionState, ErrorKind, RawError, RawResult};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;

/// A member of a consumer group.
#[derive(Debug)]
pub struct Consumer {
    shared: Arc<Shared>,
    task: Option<Task>,
    leftovers: Leftovers,
}

#[derive(Debug)]
struct Task {
    orders: mpsc::UnboundedSender<Order>,
    abort: AbortHandle,
}

impl Consumer {
    fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            task: None,
            leftovers: Leftovers::default(),
        }
    }

    /// What was no longer in the log when the consumer came back to it, the oldest first.
    pub fn gaps(&self) -> Vec<Gap> {
        self.shared.state().gaps.clone()
    }

    /// What the connection is doing right now.
    pub fn connection_state(&self) -> ConnectionState {
        self.shared.client.events.state()
    }

    /// The present state of the connection, and then each change.
    pub fn connection_events(&self) -> impl Stream<Item = ConnectionState> + Send + use<> {
        self.shared.client.events.watch()
    }

    /// The version of the server, in its own words.
    pub fn server_version(&self) -> &str {
        self.shared
            .client
            .first_version
            .get()
            .map_or("", String::as_str)
    }

    /// Has `listener` told how each automatic commit ended. It may not block; the first one stays.
    #[doc(hidden)]
    pub fn on_auto_commit(&self, listener: impl Fn(RawResult<()>) + Send + Sync + 'static) {
        self.shared.listener.set(listener);
    }

    /// True while no message waits to be taken.
    #[cfg(test)]
    pub(crate) fn waits_for_nobody(&self) -> bool {
        self.shared.state().slot.is_none()
    }

    fn order(&mut self) -> RawResult<&mpsc::UnboundedSender<Order>> {
        let ended = self
            .task
            .as_ref()
            .is_some_and(|task| task.orders.is_closed());
        if ended {
            self.task = None;
            self.shared.set_phase(Phase::Idle);
        }
        if self.task.is_none() {
            let runtime = Handle::try_current().map_err(|_| {
                RawError::of(
                    ErrorKind::Config,
                    "subscribing needs a tokio runtime: call this from inside one, or use the \
                     blocking API",
                )
            })?;
            let _ = self.shared.runtime.set(runtime.clone());
            let (orders, queue) = mpsc::unbounded_channel();
            let driver = Driver::new(Arc::clone(&self.shared));
            let abort = runtime.spawn(driver.run(queue)).abort_handle();
            self.task = Some(Task { orders, abort });
        }
        self.task
            .as_ref()
            .map(|task| &task.orders)
            .ok_or_else(ended_task)
    }

    /// Has the task do something, to the end even if the caller leaves, unless the consumer is dropped
    /// too or told to do something else.
    async fn obeyed<T>(
        &mut self,
        order: impl FnOnce(oneshot::Sender<RawResult<T>>) -> Order,
    ) -> RawResult<T> {
        let (done, result) = oneshot::channel();
        let orders = self.order()?;
        orders.send(order(done)).map_err(|_| ended_task())?;
        result.await.unwrap_or_else(|_| Err(ended_task()))
    }

    /// The same on a consumer that is shared.
    async fn asked<T>(
        &self,
        order: impl FnOnce(oneshot::Sender<RawResult<T>>) -> Order,
    ) -> RawResult<T> {
        let (done, result) = oneshot::channel();
        let task = self.task.as_ref().ok_or_else(ended_task)?;
        task.orders.send(order(done)).map_err(|_| ended_task())?;
        result.await.unwrap_or_else(|_| Err(ended_task()))
    }
}

fn ended_task() -> RawError {
    RawError::of(
        ErrorKind::Closed,
        "the consumer's task has ended with the runtime that it lived on",
    )
    .with_code(Code::WS_CLOSED)
}

impl AsAsyncConsumer for Consumer {
    type Offset = Offset;
    type Meta = Meta;
    type Data = Data;

    fn default_timeout(&self) -> Timeout {
        self.shared.config.subscription.timeout
    }

    fn home(&self) -> Option<tokio::runtime::Id> {
        self.shared
            .runtime
            .get()
            .map(Handle::id)
            .or_else(|| self.shared.client.home())
    }

    /// A second call leaves the first topics and reads only these.
    async fn subscribe<T: Into<String>, I: IntoIterator<Item = T> + Send>(
        &mut self,
        topics: I,
    ) -> RawResult<()> {
        let topics: Vec<String> = topics.into_iter().map(Into::into).collect();
        self.leftovers.clear();
        self.obeyed(|done| Order::Subscribe(topics, done)).await
    }

    fn leftovers(&self) -> Option<&Leftovers> {
        let commits_by_itself = self.shared.config.subscription.auto_commit.is_some();
        (!commits_by_itself).then_some(&self.leftovers)
    }

    async fn go_back(&self, topic: &str, vgroup_id: VGroupId, offset: i64) -> RawResult<()> {
        let topic = topic.to_owned();
        self.asked(|done| Order::Seek {
            topic,
            vgroup: vgroup_id,
            offset,
            by_user: false,
            done,
        })
        .await
    }

    fn recv_timeout(
        &self,
        timeout: Timeout,
    ) -> impl Future<Output = RawResult<Option<(Offset, MessageSet<Meta, Data>)>>> + Send {
        self.shared.receive(timeout)
    }

    async fn commit(&self, offset: Offset) -> RawResult<()> {
        if let Some(next) = offset.next() {
            let (topic, vgroup) = (offset.topic(), offset.vgroup_id());
            return self.shared.commit_behind(topic, vgroup, next).await;
        }
        self.asked(|done| Order::Commit(Some(offset), done)).await
    }

    async fn commit_all(&self) -> RawResult<()> {
        self.shared.commit_taken().await?;
        if self.shared.state().unplaced {
            return self.asked(|done| Order::Commit(None, done)).await;
        }
        // An unsubscribed consumer has nothing to commit, and should know it.
        self.shared.session().await.map(drop)
    }

    async fn commit_offset(&self, topic: &str, vgroup_id: VGroupId, offset: i64) -> RawResult<()> {
        self.shared.commit_offset(topic, vgroup_id, offset).await
    }

    /// What was asked goes on even if the caller leaves: the task sees to it, not the handle.
    async fn unsubscribe(mut self) {
        let Some(task) = self.task.take() else {
            return;
        };
        let (done, result) = oneshot::channel();
        if task.orders.send(Order::Unsubscribe(done)).is_err() {
            return;
        }
        let left = result.await.unwrap_or_else(|_| Err(ended_task()));
        if let Err(error) = left {
            tracing::warn!(group = %self.shared.config.subscription.group_id, %error, "unsubscribing failed");
        }
    }

    async fn list_topics(&self) -> RawResult<Vec<String>> {
        self.shared.list_topics().await
    }

    async fn try_topic_assignment(&self, topic: &str) -> RawResult<Vec<Assignment>> {
        self.shared.assignment(topic).await
    }

    async fn offset_seek(
        &mut self,
        topic: &str,
        vgroup_id: VGroupId,
        offset: i64,
    ) -> RawResult<()> {
        // The will of the user counts from now on, even if the user does not wait for it to be done.
        let left = self.leftovers.forget(topic, vgroup_id);
        let order = |done| Order::Seek {
            topic: topic.to_owned(),
            vgroup: vgroup_id,
            offset,
            by_user: true,
            done,
        };
        let sought = self.obeyed(order).await;
        if let (Err(_), Some(first)) = (&sought, left) {
            self.leftovers.remember(topic, vgroup_id, first);
        }
        sought
    }

    /// -2147467247 (0x80004011) if the group has committed nothing there.
    async fn committed(&self, topic: &str, vgroup_id: VGroupId) -> RawResult<i64> {
        self.shared.committed(topic, vgroup_id).await
    }

    /// What the user has taken counts, not what was fetched ahead. -2147467247 (0x80004011) before the
    /// first message.
    async fn position(&self, topic: &str, vgroup_id: VGroupId) -> RawResult<i64> {
        self.shared.position(topic, vgroup_id).await
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        let Some(task) = self.task.take() else {
            return;
        };
        let state = self.shared.state();
        let auto_commit = self.shared.config.subscription.auto_commit.is_some();
        let last_commit = auto_commit && (state.places.has_passed() || state.has_unplaced());
        drop(state);
        // With its orders gone the task commits what was moved past, and ends.
        if !last_commit {
            task.abort.abort();
        }
    }
}
