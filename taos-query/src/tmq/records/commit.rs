use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::time::{Instant, Sleep};

use super::tracker::{Place, Tracker};
use crate::error::{RawError, RawResult};
use crate::tmq::{AsAsyncConsumer, IsOffset as _};
use crate::util::pause;

/// What became of a commit of one vgroup.
type Outcome<O> = (Place, O, RawResult<()>);

/// The shortest pause before a commit that failed is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// The longest interval; longer ones would leave the range of times.
const LONGEST: Duration = Duration::from_secs(365 * 86_400);

/// Commits what was acknowledged: at most one commit is under way.
pub(super) struct Committer<'a, C: AsAsyncConsumer> {
    consumer: &'a C,
    interval: Option<Duration>,
    earliest: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
    running: Option<Running<'a, C>>,
    /// The last commit left out vgroups that are not here.
    left_out: bool,
}

struct Running<'a, C: AsAsyncConsumer> {
    work: BoxFuture<'a, Vec<Outcome<C::Offset>>>,
    /// Somebody waits for this very commit.
    asked_for: bool,
}

impl<'a, C: AsAsyncConsumer> Committer<'a, C> {
    pub(super) const fn new(consumer: &'a C) -> Self {
        Self {
            consumer,
            interval: None,
            earliest: None,
            timer: None,
            running: None,
            left_out: false,
        }
    }

    pub(super) fn every(&mut self, interval: Duration) {
        self.interval = Some(interval.min(LONGEST));
    }

    /// Goes on with a commit that is under way, and begins one if its time has come. Ready with an error of a
    /// commit; pending otherwise.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        tracker: &mut Tracker<C::Offset>,
    ) -> Poll<RawError> {
        loop {
            if self.running.is_some()
                && let Err(error) = ready!(self.poll_running(cx, tracker))
            {
                return Poll::Ready(error);
            }
            if self.interval.is_none() || !tracker.is_ready() {
                return Poll::Pending;
            }
            ready!(self.poll_due(cx));
            self.begin(tracker, false);
        }
    }

    /// Commits all that may be, now.
    pub(super) fn poll_all(
        &mut self,
        cx: &mut Context<'_>,
        tracker: &mut Tracker<C::Offset>,
    ) -> Poll<RawResult<()>> {
        loop {
            if let Some(Running { asked_for, .. }) = self.running {
                let outcome = ready!(self.poll_running(cx, tracker));
                // What failed before is tried again below.
                if asked_for && (outcome.is_err() || self.left_out) {
                    return Poll::Ready(outcome);
                }
            }
            tracker.sweep();
            if !tracker.is_ready() {
                return Poll::Ready(Ok(()));
            }
            self.begin(tracker, true);
        }
    }

    fn poll_due(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let left = self.earliest.map_or(Duration::ZERO, |earliest| {
            earliest.saturating_duration_since(Instant::now())
        });
        if left.is_zero() {
            return Poll::Ready(());
        }
        self.timer
            .get_or_insert_with(|| Box::pin(pause(left)))
            .poll_unpin(cx)
    }

    fn begin(&mut self, tracker: &mut Tracker<C::Offset>, asked_for: bool) {
        self.not_before(self.interval.unwrap_or_default());
        let ready = tracker.take_ready();
        if ready.is_empty() {
            return;
        }
        let consumer = self.consumer;
        let work = async move {
            let mut outcomes = Vec::with_capacity(ready.len());
            for (place, offset) in ready {
                let outcome = consumer.commit(offset.clone()).await;
                outcomes.push((place, offset, outcome));
            }
            outcomes
        };
        self.running = Some(Running {
            work: Box::pin(work),
            asked_for,
        });
    }

    fn not_before(&mut self, pause: Duration) {
        self.timer = None;
        self.earliest = self.earliest.max(Some(Instant::now() + pause));
    }

    fn poll_running(
        &mut self,
        cx: &mut Context<'_>,
        tracker: &mut Tracker<C::Offset>,
    ) -> Poll<RawResult<()>> {
        let Some(running) = &mut self.running else {
            return Poll::Ready(Ok(()));
        };
        let outcomes = ready!(running.work.poll_unpin(cx));
        self.running = None;
        self.left_out = false;
        let mut first = Ok(());
        for (place, offset, outcome) in outcomes {
            let (topic, vgroup) = &place;
            match outcome {
                Ok(()) => tracker.committed(place, offset.offset()),
                // After a cut the vgroup may come back, and until then nobody else commits for this consumer.
                // Whoever else has it is given what was not committed.
                Err(error) if error.is_foreign_vgroup() => {
                    tracing::debug!(%error, topic = &**topic, vgroup, "acknowledged after the vgroup had gone");
                    self.not_before(RETRY);
                    self.left_out = true;
                    tracker.put_off(place, offset);
                }
                Err(error) => {
                    let text = format!(
                        "committing topic `{topic}`, vgroup {vgroup}, offset {}",
                        offset.offset()
                    );
                    first = first.and(Err(error.context(text)));
                    self.not_before(RETRY);
                    tracker.put_back(place, offset);
                }
            }
        }
        Poll::Ready(first)
    }
}
