use std::fmt;
use std::future::poll_fn;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, Stream};
use serde::de::DeserializeOwned;
use tokio::time::Sleep;

use super::commit::Committer;
use super::pace::Pace;
use super::record::{Origin, Pending, Record, Signal, Source};
use super::tracker::{Place, Tracker};
use crate::block::RawBlock;
use crate::common::Field;
use crate::de::RowPlan;
use crate::error::{RawError, RawResult};
use crate::tmq::consumer::{NOT_IN_LOG, Received};
use crate::tmq::{AsAsyncConsumer, IsAsyncData, IsOffset as _, Shutdown, Timeout};
use crate::util::pause;

/// How long an ending stream waits for records that are in someone's hands.
const GRACE: Duration = Duration::from_secs(5);

/// The rows of all messages of a consumer as values of `T`, endlessly.
///
/// Silence does not end the stream, and neither does an error. Messages without rows are passed over.
///
/// ```no_run
/// use std::time::Duration;
/// use taos_query::prelude::*;
///
/// # #[derive(serde::Deserialize)]
/// # struct Reading { celsius: f32 }
/// # async fn run(consumer: impl AsAsyncConsumer) -> RawResult<()> {
/// let mut records = consumer
///     .records::<Reading>()
///     .commit_on_ack(Duration::from_secs(1));
/// let shutdown = records.shutdown_handle(); // give a clone to a signal handler
/// while let Some(record) = records.try_next().await? {
///     println!("{:?}: {} °C", record.table_name(), record.celsius);
///     record.ack();
/// }
/// # Ok(())
/// # }
/// ```
///
/// # What is committed
///
/// [`Record::ack`] says that a record was dealt with; records may be acknowledged in any order and on any task. A message
/// may be committed when all of its records, and those of all messages before it in its vgroup, are acknowledged.
/// With [`commit_on_ack`](Self::commit_on_ack) the stream commits such messages while it is being polled; without, at
/// [`commit_acked`](Self::commit_acked) and when it is shut down. What a commit waits for is remembered: records that are held
/// for long cost a few hundred bytes for each message that they are of, and nothing for the acknowledged ones in
/// between. A record that is dropped instead is never acknowledged:
/// nothing from its message on is committed by this stream, and all of that comes again after a restart.
///
/// A row that cannot be read as a `T` is an error that names topic, vgroup, offset, table, row and column. It counts as
/// acknowledged once the next item is asked for: a program that stops at it gets it again, one that goes on has passed
/// it over.
///
/// Dropping the stream commits nothing. What it gave and was not acknowledged comes again: with the next stream of the same
/// consumer, or after a restart. Take one stream at a time from a consumer; what is taken besides it by `recv` or `stream` is
/// not known to it, and is covered by its commits.
///
/// Records that are not acknowledged at all go with the consumer's own auto commit (`enable.auto.commit`), which commits
/// a message when the stream goes on behind it. Use one of the two.
///
/// # Ending it
///
/// After [`Shutdown::shutdown`] the stream takes no more messages. It gives the records of the one that it has, waits at
/// most [`grace`](Self::grace) for those in someone's hands to be acknowledged or dropped, commits, and ends.
///
/// # Cancel safety
/// Dropping the future of a `next` loses nothing.
#[must_use = "streams do nothing unless polled"]
pub struct Records<'a, C: AsAsyncConsumer, T> {
    consumer: &'a C,
    block: Option<Open>,
    /// The row given last could not be read; asking for more passes over it.
    failed: bool,
    plan: RowPlan,
    /// The columns that the plan is for.
    fields: Option<Arc<[Field]>>,
    pace: Pace,
    message: Option<Message<'a, C::Data>>,
    receiving: Option<BoxFuture<'a, RawResult<Option<Received<C>>>>>,
    returning: Option<BoxFuture<'a, (Place, RawResult<()>)>>,
    /// Came before what an earlier stream left of its vgroup: given only if that is out of the log.
    held: Option<Received<C>>,
    tracker: Tracker<C::Offset>,
    signal: Arc<Signal>,
    committer: Committer<'a, C>,
    shutdown: Shutdown,
    requested: BoxFuture<'a, ()>,
    grace: Duration,
    phase: Phase,
    value: PhantomData<fn() -> T>,
}

enum Phase {
    Running,
    /// Waits for acknowledgements until the timer ends.
    Draining(Option<Pin<Box<Sleep>>>),
    Committing,
    Ended,
}

/// A block whose rows are being given.
struct Open {
    block: RawBlock,
    row: usize,
    origin: Arc<Origin>,
}

/// A message whose blocks are being taken.
struct Message<'a, D> {
    data: Option<D>,
    source: Arc<Source>,
    fetching: Option<BoxFuture<'a, (D, RawResult<Option<RawBlock>>)>>,
}

impl<'a, C: AsAsyncConsumer, T> Records<'a, C, T> {
    pub(crate) fn new(consumer: &'a C) -> Self {
        let shutdown = Shutdown::new();
        if let Some(leftovers) = consumer.leftovers() {
            leftovers.retry();
        }
        Self {
            consumer,
            block: None,
            failed: false,
            plan: RowPlan::default(),
            fields: None,
            pace: Pace::default(),
            message: None,
            receiving: None,
            returning: None,
            held: None,
            tracker: Tracker::new(),
            signal: Arc::default(),
            committer: Committer::new(consumer),
            requested: Box::pin(shutdown.requested()),
            shutdown,
            grace: GRACE,
            phase: Phase::Running,
            value: PhantomData,
        }
    }

    /// Commits acknowledged messages, at most once an `interval`; [`Duration::ZERO`] commits each as soon as it may be. A
    /// commit that fails is an error of the stream and is tried again.
    ///
    /// Commits are made while the stream is asked for more, between the rows of a block too: a program that works longer
    /// on a row than the interval commits after each, one that suddenly slows down after at most 64.
    pub fn commit_on_ack(mut self, interval: Duration) -> Self {
        self.pace.begin();
        self.committer.every(interval);
        self
    }

    /// Ends with this handle instead of one of its own, so that one handle ends several streams.
    pub fn with_shutdown(mut self, shutdown: &Shutdown) -> Self {
        self.shutdown = shutdown.clone();
        self.requested = Box::pin(shutdown.requested());
        self
    }

    /// How long an ending stream waits for records that are in someone's hands; 5 s unless set.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// What ends the stream from elsewhere.
    pub fn shutdown_handle(&self) -> Shutdown {
        self.shutdown.clone()
    }

    /// Commits all that may be committed now.
    ///
    /// # Errors
    /// The first commit that failed; the others were tried too. The rest of a message that cannot be read.
    ///
    /// # Cancel safety
    /// Dropping the future is safe; a commit that was begun goes on with the next poll of the stream.
    pub async fn commit_acked(&mut self) -> RawResult<()> {
        self.look_behind()?;
        poll_fn(|cx| self.committer.poll_all(cx, &mut self.tracker)).await
    }

    /// Passes over a row that could not be read: the next one was asked for.
    #[cold]
    fn pass_over(&mut self) {
        self.failed = false;
        if let Some(open) = &self.block {
            open.origin.source.pending().done();
        }
    }

    /// Sees whether the rows that were given are the last of their message.
    fn look_behind(&mut self) -> RawResult<()> {
        let given = self
            .block
            .as_ref()
            .is_none_or(|open| open.row >= open.block.nrows() && !self.failed);
        let Some(data) = self
            .message
            .as_ref()
            .and_then(|message| message.data.as_ref())
        else {
            return Ok(());
        };
        match given.then(|| data.ready_block()).flatten() {
            Some(block) => self.take_up(block),
            None => Ok(()),
        }
    }

    /// Takes up a block of the message in hand, or its end.
    fn take_up(&mut self, block: RawResult<Option<RawBlock>>) -> RawResult<()> {
        let Some(message) = &mut self.message else {
            return Ok(());
        };
        match block {
            Ok(Some(mut block)) => {
                // Messages of one topic mostly have the same columns: then what is known of them stays known.
                match &self.fields {
                    Some(known) if Arc::ptr_eq(known, block.fields_shared()) => {}
                    Some(known) if known[..] == *block.fields() => {
                        block.with_fields(Arc::clone(known))?;
                    }
                    _ => self.fields = Some(Arc::clone(block.fields_shared())),
                }
                self.block = Some(message.open(block));
            }
            Ok(None) => {
                message.source.pending().done();
                self.message = None;
            }
            Err(error) => {
                // The rest of the message is not acknowledged, so it comes again.
                let error = error.context(format!("reading a message of {}", message.source));
                self.message = None;
                return Err(error);
            }
        }
        Ok(())
    }

    /// Takes up a message.
    fn begin(&mut self, (offset, message): Received<C>) {
        let topic = self.tracker.topic(offset.topic());
        let pending = Arc::new(Pending::new(Arc::clone(&self.signal)));
        let source = Source::new(&offset, Arc::clone(&topic), Arc::clone(&pending));
        self.tracker.push(topic, offset, pending);
        match message.into_data() {
            Some(data) => {
                self.message = Some(Message {
                    data: Some(data),
                    source: Arc::new(source),
                    fetching: None,
                });
            }
            None => {
                source.pending().done();
                self.tracker.sweep();
            }
        }
    }
}

impl<'a, C, T> Records<'a, C, T>
where
    C: AsAsyncConsumer<Data: 'a>,
    T: DeserializeOwned,
{
    /// True if commits are to be looked after before the next row.
    #[inline]
    pub(crate) fn is_due(&mut self) -> bool {
        self.pace.is_due()
    }

    /// Looks after acknowledgements and commits. Ready with an error of a commit.
    fn poll_commits(&mut self, cx: &mut Context<'_>) -> Poll<RawError> {
        if self.signal.take() {
            self.tracker.sweep();
        }
        match self.phase {
            Phase::Running => self.committer.poll(cx, &mut self.tracker),
            _ => Poll::Pending,
        }
    }

    /// The next row of the block in hand; ready without waiting.
    #[inline]
    pub(crate) fn next_ready(&mut self) -> Option<RawResult<Record<T>>> {
        if self.failed {
            self.pass_over();
        }
        let Open { block, row, origin } = self.block.as_mut()?;
        let at = *row;
        if at >= block.nrows() {
            return None;
        }
        *row = at + 1;
        match block.deserialize_row(at, &mut self.plan) {
            Ok(value) => Some(Ok(Record::new(value, at, Arc::clone(origin)))),
            Err(error) => {
                self.failed = true;
                Some(Err(origin.locate(error, at)))
            }
        }
    }

    /// Brings the next block with rows, a block at a time, whatever that takes.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<Option<RawResult<Record<T>>>> {
        self.block = None;
        self.signal.waker.register(cx.waker());
        loop {
            if let Poll::Ready(error) = self.poll_commits(cx) {
                return Poll::Ready(Some(Err(error)));
            }
            if let Some(message) = &mut self.message {
                let block = ready!(message.poll_block(cx));
                if let Err(error) = self.take_up(block) {
                    return Poll::Ready(Some(Err(error)));
                }
                if let Some(item) = self.next_ready() {
                    return Poll::Ready(Some(item));
                }
                continue;
            }
            if !matches!(self.phase, Phase::Running) || self.requested.poll_unpin(cx).is_ready() {
                self.receiving = None;
                return self.poll_end(cx);
            }
            match ready!(self.poll_receive(cx)) {
                Ok(Some(received)) => self.begin(received),
                Ok(None) => {}
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
        }
    }

    /// Has what an earlier stream left delivered again.
    fn poll_return(&mut self, cx: &mut Context<'_>) -> Poll<RawResult<()>> {
        let consumer = self.consumer;
        let Some(leftovers) = consumer.leftovers() else {
            return Poll::Ready(Ok(()));
        };
        loop {
            if let Some(returning) = &mut self.returning {
                let (place, outcome) = ready!(returning.poll_unpin(cx));
                self.returning = None;
                let (topic, vgroup) = &place;
                match outcome {
                    Ok(()) => {
                        leftovers.done(&place);
                        self.held = None;
                    }
                    // Whoever has it now begins at what was committed. After a cut that may still be this consumer.
                    Err(error) if error.is_foreign_vgroup() => {
                        tracing::debug!(%error, topic = &**topic, vgroup, "not delivered here again");
                        leftovers.away(&place);
                        self.held = None;
                    }
                    Err(error) => {
                        if error.code() == NOT_IN_LOG {
                            leftovers.done(&place);
                        }
                        return Poll::Ready(Err(error.context(format!(
                            "going back to what was not acknowledged of topic `{topic}`, vgroup {vgroup}"
                        ))));
                    }
                }
            }
            let Some((place, offset)) = leftovers.first() else {
                return Poll::Ready(Ok(()));
            };
            self.returning = Some(Box::pin(async move {
                let outcome = consumer.go_back(&place.0, place.1, offset).await;
                (place, outcome)
            }));
        }
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<RawResult<Option<Received<C>>>> {
        let consumer = self.consumer;
        loop {
            if self.receiving.is_none() {
                ready!(self.poll_return(cx))?;
                if let Some(held) = self.held.take() {
                    return Poll::Ready(Ok(Some(held)));
                }
            }
            let receiving = self
                .receiving
                .get_or_insert_with(|| Box::pin(consumer.recv_timeout(Timeout::Never)));
            let received = ready!(receiving.poll_unpin(cx));
            self.receiving = None;
            match received {
                Ok(Some(message)) if self.is_early(&message.0) => self.held = Some(message),
                other => return Poll::Ready(other),
            }
        }
    }

    /// True if something of the message's vgroup that was left lies before it and is to come first.
    fn is_early(&self, offset: &C::Offset) -> bool {
        let place = || (self.tracker.topic(offset.topic()), offset.vgroup_id());
        let leftovers = self.consumer.leftovers().filter(|left| !left.is_empty());
        leftovers.is_some_and(|left| left.is_behind(&place(), offset.offset()))
    }

    /// Waits for the last acknowledgements, commits, and ends.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Option<RawResult<Record<T>>>> {
        loop {
            match &mut self.phase {
                Phase::Running => self.phase = Phase::Draining(None),
                Phase::Draining(timer) => {
                    self.tracker.sweep();
                    if self.tracker.is_waiting() {
                        let timer = timer.get_or_insert_with(|| Box::pin(pause(self.grace)));
                        ready!(timer.poll_unpin(cx));
                    }
                    self.phase = Phase::Committing;
                }
                Phase::Committing => {
                    let outcome = ready!(self.committer.poll_all(cx, &mut self.tracker));
                    self.phase = Phase::Ended;
                    return Poll::Ready(outcome.err().map(Err));
                }
                Phase::Ended => return Poll::Ready(None),
            }
        }
    }
}

impl<'a, D: IsAsyncData + Send + Sync + 'a> Message<'a, D> {
    fn poll_block(&mut self, cx: &mut Context<'_>) -> Poll<RawResult<Option<RawBlock>>> {
        if self.fetching.is_none() {
            let Some(data) = self.data.take() else {
                return Poll::Ready(Ok(None));
            };
            if let Some(block) = data.ready_block() {
                self.data = Some(data);
                return Poll::Ready(block);
            }
            self.fetching = Some(Box::pin(async move {
                let block = data.fetch_raw_block().await;
                (data, block)
            }));
        }
        let Some(fetching) = &mut self.fetching else {
            return Poll::Ready(Ok(None));
        };
        let (data, block) = ready!(fetching.poll_unpin(cx));
        self.fetching = None;
        self.data = Some(data);
        Poll::Ready(block)
    }
}

impl<D> Message<'_, D> {
    fn open(&self, block: RawBlock) -> Open {
        self.source.pending().add(block.nrows());
        let origin = Origin {
            source: Arc::clone(&self.source),
            names: block.names().cloned(),
        };
        Open {
            block,
            row: 0,
            origin: Arc::new(origin),
        }
    }
}

impl<'a, C, T> Stream for Records<'a, C, T>
where
    C: AsAsyncConsumer<Data: 'a>,
    T: DeserializeOwned,
{
    type Item = RawResult<Record<T>>;

    #[inline]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if this.is_due()
            && let Poll::Ready(error) = this.poll_commits(cx)
        {
            return Poll::Ready(Some(Err(error)));
        }
        match this.next_ready() {
            Some(item) => Poll::Ready(Some(item)),
            None => this.poll_more(cx),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self
            .block
            .as_ref()
            .map_or(0, |open| open.block.nrows().saturating_sub(open.row));
        (left, None)
    }
}

impl<C: AsAsyncConsumer, T> Drop for Records<'_, C, T> {
    fn drop(&mut self) {
        // A message whose last row was acknowledged is not left. What cannot be read of another is.
        let _ = self.look_behind();
        if let Some(leftovers) = self.consumer.leftovers() {
            for (place, offset) in self.tracker.unacknowledged() {
                leftovers.leave(place.clone(), offset);
            }
            if let Some((offset, _)) = &self.held {
                leftovers.remember(offset.topic(), offset.vgroup_id(), offset.offset());
            }
        }
    }
}

/// Nothing in it is ever pinned but behind a box of its own.
impl<C: AsAsyncConsumer, T> Unpin for Records<'_, C, T> {}

impl<C: AsAsyncConsumer, T> fmt::Debug for Records<'_, C, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Records")
            .field("shutdown", &self.shutdown.is_shutdown())
            .finish_non_exhaustive()
    }
}
