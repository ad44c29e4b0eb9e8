use super::link::{Control, QueryAnswer, QuerySlot};
use super::status::Status;
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use taos_query::{Code, ErrorKind, RawError, RawResult};
use tokio::runtime::Handle;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::{Instant, Sleep, sleep_until};

/// A result that the server holds, between the connection's task and the one who reads it.
///
/// At most one fetch is in flight (taosadapter-ws §14) and at most two blocks wait: the next fetch
/// leaves when the reader has taken the block that waited, or at once if the reader is already
/// waiting for that block. A reader that wants one block only has nothing fetched ahead.
#[derive(Debug)]
pub(crate) struct ResultShared {
    pub(crate) id: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    blocks: VecDeque<Bytes>,
    waker: Option<Waker>,
    /// A fetch is on its way and its reply will come.
    in_flight: bool,
    /// The server holds nothing any more, or cannot be reached.
    finished: bool,
    /// Nobody will read.
    abandoned: bool,
    /// A block is fetched only when the reader waits for it.
    on_demand: bool,
    /// Leaves when the fetch in flight is answered, whatever the answer.
    held: Option<Box<Held>>,
    error: Option<RawError>,
}

/// An answer that waits for its result's first block.
#[derive(Debug)]
struct Held {
    slot: QuerySlot,
    answer: QueryAnswer,
}

impl QueryAnswer {
    /// Lets the answer leave together with the first block, for a reader who wants no more: nothing
    /// is fetched ahead, which saves the server a fetch and us the reply.
    pub(crate) fn hold(self, slot: QuerySlot) {
        if let Some(result) = &self.result {
            let shared = result.shared.clone();
            let mut state = shared.state();
            state.on_demand = true;
            state.held = Some(Box::new(Held { slot, answer: self }));
        }
    }
}

/// Tells the reader, whichever way it waits. Not under the lock, because an answer that nobody
/// takes gives its result up.
fn notify(waker: Option<Waker>, held: Option<Box<Held>>) {
    if let Some(waker) = waker {
        waker.wake();
    }
    if let Some(held) = held {
        let Held { slot, answer } = *held;
        drop(slot.send(Ok(answer)));
    }
}

impl State {
    /// True, and a fetch is noted as in flight, if none is and the server may hold more.
    const fn may_fetch(&mut self) -> bool {
        let fetch = !self.in_flight && !self.finished;
        self.in_flight |= fetch;
        fetch
    }
}

/// What the connection's task has to do after a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    Nothing,
    Fetch,
    Free,
}

impl ResultShared {
    /// A result whose first fetch is being sent.
    pub(crate) fn fetching(id: u64) -> Arc<Self> {
        Arc::new(Self {
            id,
            state: Mutex::new(State {
                in_flight: true,
                ..State::default()
            }),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A block has come.
    pub(crate) fn deliver(&self, block: Bytes) -> Next {
        let mut state = self.state();
        state.in_flight = false;
        if state.finished {
            return Next::Nothing;
        }
        if state.abandoned {
            state.finished = true;
            return Next::Free;
        }
        state.blocks.push_back(block);
        let (waker, held) = (state.waker.take(), state.held.take());
        let next = if waker.is_some() && state.blocks.len() == 1 && !state.on_demand {
            state.in_flight = true;
            Next::Fetch
        } else {
            Next::Nothing
        };
        drop(state);
        notify(waker, held);
        next
    }

    /// The end has come, or an error that ends the result.
    pub(crate) fn finish(&self, error: Option<RawError>) {
        let mut state = self.state();
        state.in_flight = false;
        if state.finished {
            return;
        }
        state.finished = true;
        state.error = error;
        let (waker, held) = (state.waker.take(), state.held.take());
        drop(state);
        notify(waker, held);
    }
}

/// The reader's end; dropping it gives the result up.
#[derive(Debug)]
pub(crate) struct ResultHandle {
    shared: Arc<ResultShared>,
    control: UnboundedSender<Control>,
    status: Arc<Status>,
    runtime: Handle,
}

impl ResultHandle {
    /// Called by the connection's task, whose runtime also serves as a clock for readers outside of
    /// any.
    pub(crate) fn new(
        shared: Arc<ResultShared>,
        control: UnboundedSender<Control>,
        status: Arc<Status>,
    ) -> Self {
        Self {
            shared,
            control,
            status,
            runtime: Handle::current(),
        }
    }

    /// A timer that is not set yet.
    pub(crate) fn timer(&self) -> Sleep {
        let _entered = Handle::try_current().is_err().then(|| self.runtime.enter());
        sleep_until(Instant::now())
    }

    /// The next block, or `None` at the end.
    pub(crate) fn poll_block(&self, cx: &mut Context<'_>) -> Poll<RawResult<Option<Bytes>>> {
        let mut state = self.shared.state();
        if let Some(block) = state.blocks.pop_front() {
            let fetch = state.blocks.is_empty() && !state.on_demand && state.may_fetch();
            drop(state);
            if fetch {
                self.fetch();
            }
            return Poll::Ready(Ok(Some(block)));
        }
        if let Some(error) = state.error.take() {
            return Poll::Ready(Err(error));
        }
        if state.finished {
            return Poll::Ready(Ok(None));
        }
        match &mut state.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        let fetch = state.may_fetch();
        drop(state);
        if fetch {
            // If that fails, the waker is woken and the next poll tells why.
            self.fetch();
        }
        Poll::Pending
    }

    /// Asks for the next block, which [`State::may_fetch`] has allowed.
    fn fetch(&self) {
        let order = Control::Fetch(self.shared.clone());
        if self.control.send(order).is_err() {
            self.shared.finish(Some(self.lost()));
        }
    }

    fn lost(&self) -> RawError {
        self.status.cause().into_error(&self.status.address)
    }

    /// The error of a reader that gives up waiting.
    pub(crate) fn timed_out(&self, limit: std::time::Duration) -> RawError {
        RawError::of(
            ErrorKind::Timeout,
            format!(
                "no block of the result came from {} within {limit:?}; read_timeout sets the limit",
                self.status.address
            ),
        )
        .with_code(Code::WS_RECV_TIMEOUT)
    }
}

impl Drop for ResultHandle {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        state.abandoned = true;
        state.waker = None;
        let held = std::mem::take(&mut state.blocks);
        // With a fetch in flight, its reply tells whether the server still holds the result.
        let free = !state.in_flight && !state.finished;
        state.finished |= free;
        drop(state);
        drop(held);
        if free {
            let _ = self.control.send(Control::Free(self.shared.id));
        }
    }
}
