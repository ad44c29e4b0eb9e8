//! What the consumer's task is told to do, and when that ends what it is doing.

use std::collections::VecDeque;
use std::future::Future;
use std::time::Duration;
use taos_query::RawResult;
use taos_query::tmq::Offset;
use taos_query::tmq::backend::superseded;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

/// What is under way when the subscription is to end may end by itself within this time, as polls do
/// on servers that answer. The server would not let go of the consumer before either.
const PATIENCE: Duration = Duration::from_secs(1);

/// What only the task may do, because nothing may be asked for meanwhile.
#[derive(Debug)]
pub(super) enum Order {
    Subscribe(Vec<String>, oneshot::Sender<RawResult<()>>),
    Seek {
        topic: String,
        vgroup: i32,
        offset: i64,
        /// Else what streams of records left, and nobody has committed meanwhile.
        by_user: bool,
        done: oneshot::Sender<RawResult<()>>,
    },
    /// Commits that message, or all: of what was taken and only the server knows the place. It is further
    /// once a poll is under way.
    Commit(Option<Offset>, oneshot::Sender<RawResult<()>>),
    Unsubscribe(oneshot::Sender<RawResult<()>>),
}

impl Order {
    /// Nothing is lost by what is left undone then: the subscription ends anyway.
    const fn ends_subscription(&self) -> bool {
        matches!(self, Self::Subscribe(..) | Self::Unsubscribe(_))
    }
}

#[derive(Debug)]
pub(super) struct Orders {
    incoming: mpsc::UnboundedReceiver<Order>,
    /// Came while something was under way.
    queue: VecDeque<Order>,
}

impl Orders {
    pub(super) const fn new(incoming: mpsc::UnboundedReceiver<Order>) -> Self {
        Self {
            incoming,
            queue: VecDeque::new(),
        }
    }

    /// The next one; `None` if the consumer was dropped.
    ///
    /// # Cancel safety
    /// Nothing is taken before this is ready.
    pub(super) async fn next(&mut self) -> Option<Order> {
        match self.queue.pop_front() {
            Some(order) => Some(order),
            None => self.incoming.recv().await,
        }
    }

    /// One that is there already; the error if the consumer was dropped.
    pub(super) fn ready(&mut self) -> Result<Option<Order>, ()> {
        if let Some(order) = self.queue.pop_front() {
            return Ok(Some(order));
        }
        match self.incoming.try_recv() {
            Ok(order) => Ok(Some(order)),
            Err(mpsc::error::TryRecvError::Empty) => Ok(None),
            Err(mpsc::error::TryRecvError::Disconnected) => Err(()),
        }
    }

    /// Does the work, but not to its end if the subscription shall end meanwhile.
    pub(super) async fn unless_ended<W: Future>(&mut self, work: W) -> Option<W::Output> {
        tokio::pin!(work);
        let dropped = tokio::select! {
            biased;
            done = &mut work => return Some(done),
            dropped = self.end() => dropped,
        };
        if dropped {
            return None;
        }
        timeout(PATIENCE, work).await.ok()
    }

    /// Waits for what ends the subscription; true if the consumer was dropped.
    async fn end(&mut self) -> bool {
        loop {
            let Some(order) = self.incoming.recv().await else {
                return true;
            };
            let ends = order.ends_subscription();
            if ends {
                // Places to go to in what is left have no meaning any more.
                for before in self.queue.drain(..) {
                    if let Order::Seek { done, .. } = before {
                        drop(done.send(Err(superseded())));
                    }
                }
            }
            self.queue.push_back(order);
            if ends {
                return false;
            }
        }
    }
}

/// Tells the one who gave an order what became of it; gives nothing where it was left in the middle.
pub(super) fn answer(
    done: oneshot::Sender<RawResult<()>>,
    ended: Option<RawResult<()>>,
) -> Option<()> {
    let left = ended.is_none();
    let ended = ended.unwrap_or_else(|| Err(superseded()));
    if let Err(Err(error)) = done.send(ended)
        && !left
    {
        tracing::warn!(%error, "nobody waits any more for what failed");
    }
    (!left).then_some(())
}
