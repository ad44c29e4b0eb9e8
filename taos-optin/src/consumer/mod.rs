//! Consumers of topics through the client library (native-ffi §7).
//!
//! # How a message comes
//!
//! A consumer has a thread of its own, on which alone its handle is used: the library's calls block, and allow no others
//! meanwhile. The thread asks for messages only while someone waits for one; after a message was taken it asks for one
//! more, so that the next is there when the user comes back. What came and was not taken stays: neither a wait that
//! ended nor a dropped future loses it. A message is read whole on that thread.
//!
//! What else is asked of the library (commits, places) waits for a poll that is under way, 200 ms at most.
//!
//! # Commits
//!
//! The library's own automatic commit is always off: it would commit what the user has not taken.
//! [`commit`](AsAsyncConsumer::commit) writes down the place behind its message. With `enable.auto.commit=true` the
//! consumer does so each `auto.commit.interval.ms` for what the user has taken and moved past, that is: asked for another
//! message after it; and once more at the end. An automatic commit that fails is logged and made again with the next
//! one. What the group is known to have committed already is not committed again and never set back, but by
//! [`commit_offset`](AsAsyncConsumer::commit_offset) and after [`offset_seek`](AsAsyncConsumer::offset_seek).
//!
//! Libraries before 3.1.0.0 tell no places. Through them, and while a snapshot is read, messages are committed by
//! themselves, those that came last.
//!
//! # After a loss
//!
//! The library itself connects again and goes on. What it cannot mend is the error of the next
//! [`recv`](AsAsyncConsumer::recv), from library 3.3.5.8 on.

mod builder;
mod calls;
mod config;
mod content;
mod driver;
mod shared;
#[cfg(test)]
mod tests;
mod unplaced;

pub use builder::TmqBuilder;

use std::future::Future;
use std::sync::Arc;

use shared::{Order, Shared};
use taos_query::tmq::backend::Mark;
use taos_query::tmq::{
    AsAsyncConsumer, Assignment, Data, IsOffset as _, Leftovers, MessageSet, Meta, Offset, Timeout,
    VGroupId,
};
use taos_query::{Code, ErrorKind, RawError, RawResult};
use tokio::sync::oneshot;

use crate::wait::{timed_out, within};
use driver::{Course, Driver};

/// A member of a consumer group.
///
/// Dropping it does not wait: its thread commits what was moved past, if it commits by itself, and leaves the group.
#[derive(Debug)]
pub struct Consumer {
    shared: Arc<Shared>,
    leftovers: Leftovers,
}

impl Consumer {
    /// The group that it belongs to.
    pub fn group_id(&self) -> &str {
        &self.shared.config.subscription.group_id
    }

    /// True if its thread has ended.
    fn is_ended(&self) -> bool {
        self.shared.is_closed()
    }

    /// Has the thread do something, to the end even if the caller leaves.
    async fn asked<T: Send + 'static>(
        &self,
        what: &str,
        work: impl FnOnce(&mut Driver) -> RawResult<T> + Send + 'static,
    ) -> RawResult<T> {
        let (done, result) = oneshot::channel();
        let order = Order::Do(Box::new(move |driver| {
            // Nobody may wait any more, and it is done all the same.
            drop(done.send(work(driver)));
        }));
        self.shared.give(order)?;
        self.answer(what, result).await
    }

    async fn answer<T>(&self, what: &str, result: oneshot::Receiver<RawResult<T>>) -> RawResult<T> {
        let limit = self.shared.config.settings.read_timeout;
        match within(limit, result).await {
            Some(result) => result.unwrap_or_else(|_| Err(ended_thread())),
            None => {
                let what = format!("`{what}` of the group `{}`", self.group_id());
                Err(timed_out(&what, "read_timeout", limit).with_outcome_unknown())
            }
        }
    }
}

fn ended_thread() -> RawError {
    RawError::of(
        ErrorKind::Closed,
        "the consumer's thread has ended; build another consumer",
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

    /// A second call leaves the first topics and reads only these.
    async fn subscribe<T: Into<String>, I: IntoIterator<Item = T> + Send>(
        &mut self,
        topics: I,
    ) -> RawResult<()> {
        let topics: Vec<String> = topics.into_iter().map(Into::into).collect();
        self.leftovers.clear();
        self.asked("subscribe", |driver| driver.subscribe(topics))
            .await
    }

    fn leftovers(&self) -> Option<&Leftovers> {
        let commits_by_itself = self.shared.config.subscription.auto_commit.is_some();
        (!commits_by_itself).then_some(&self.leftovers)
    }

    async fn go_back(&self, topic: &str, vgroup_id: VGroupId, offset: i64) -> RawResult<()> {
        let mark = Mark::new(topic, vgroup_id, offset);
        self.asked("seek", move |driver| driver.go_back(&mark))
            .await
    }

    fn recv_timeout(
        &self,
        timeout: Timeout,
    ) -> impl Future<Output = RawResult<Option<(Offset, MessageSet<Meta, Data>)>>> + Send {
        self.shared.receive(timeout)
    }

    async fn commit(&self, offset: Offset) -> RawResult<()> {
        let work = move |driver: &mut Driver| match offset.next() {
            Some(next) => {
                let mark = Mark::new(offset.topic(), offset.vgroup_id(), next);
                driver.commit(&mark, Course::Forward)
            }
            None => driver.commit_message(&offset),
        };
        self.asked("commit", work).await
    }

    async fn commit_all(&self) -> RawResult<()> {
        self.asked("commit_all", Driver::commit_taken).await
    }

    async fn commit_offset(&self, topic: &str, vgroup_id: VGroupId, offset: i64) -> RawResult<()> {
        let mark = Mark::new(topic, vgroup_id, offset);
        let work = move |driver: &mut Driver| driver.commit(&mark, Course::Anywhere);
        self.asked("commit_offset", work).await
    }

    /// What was asked goes on even if the caller leaves: the thread sees to it, not the handle.
    async fn unsubscribe(self) {
        let (done, result) = oneshot::channel();
        let left = match self.shared.give(Order::Leave(done)) {
            Ok(()) => self.answer("unsubscribe", result).await,
            Err(_) => return,
        };
        if let Err(error) = left {
            tracing::warn!(group = self.group_id(), %error, "unsubscribing failed");
        }
    }

    async fn list_topics(&self) -> RawResult<Vec<String>> {
        self.asked("list_topics", Driver::topics).await
    }

    async fn try_topic_assignment(&self, topic: &str) -> RawResult<Vec<Assignment>> {
        let topic = topic.to_owned();
        self.asked("assignment", move |driver| driver.assignment(&topic))
            .await
    }

    async fn offset_seek(
        &mut self,
        topic: &str,
        vgroup_id: VGroupId,
        offset: i64,
    ) -> RawResult<()> {
        // The will of the user counts from now on, even if the user does not wait for it to be done.
        let left = self.leftovers.forget(topic, vgroup_id);
        let mark = Mark::new(topic, vgroup_id, offset);
        let sought = self.asked("seek", move |driver| driver.go_to(&mark)).await;
        if let (Err(_), Some(first)) = (&sought, left) {
            self.leftovers.remember(topic, vgroup_id, first);
        }
        sought
    }

    /// -2147467247 (0x80004011) if the group has committed nothing there.
    async fn committed(&self, topic: &str, vgroup_id: VGroupId) -> RawResult<i64> {
        let topic = topic.to_owned();
        self.asked("committed", move |driver| {
            driver.committed(&topic, vgroup_id)
        })
        .await
    }

    /// What the user has taken counts, not what was fetched ahead. -2147467247 (0x80004011) before the first message.
    async fn position(&self, topic: &str, vgroup_id: VGroupId) -> RawResult<i64> {
        let topic = topic.to_owned();
        self.asked("position", move |driver| driver.position(&topic, vgroup_id))
            .await
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.shared.abandon();
    }
}
