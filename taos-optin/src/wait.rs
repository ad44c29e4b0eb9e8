//! Waits that end.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use taos_query::util::pause;
use taos_query::{Code, ErrorKind, RawError};
use tokio::runtime::{Handle, Id};
use tokio::time::{Instant, Sleep};

/// What a future gives within the limit. What is ready at once costs no timer.
pub(crate) async fn within<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let ready = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await;
    if let Poll::Ready(output) = ready {
        return Some(output);
    }
    let mut timer = pin!(pause(limit));
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => timer.as_mut().poll(cx).map(|()| None),
    })
    .await
}

/// The error for an answer that has not come in time.
pub(crate) fn timed_out(what: &str, parameter: &str, limit: Duration) -> RawError {
    RawError::of(
        ErrorKind::Timeout,
        format!(
            "the client library did not answer {what} within {limit:?}; the DSN parameter `{parameter}` \
             sets the limit"
        ),
    )
    .with_code(Code::WS_RECV_TIMEOUT)
}

/// A limit for waits that come one after another, made at the first of them.
#[derive(Debug)]
pub(crate) struct Limit {
    length: Duration,
    timer: Option<Timer>,
    running: bool,
}

#[derive(Debug)]
struct Timer {
    /// The runtime whose clock it is; it must not be asked after that has ended.
    runtime: Option<Id>,
    sleep: Pin<Box<Sleep>>,
}

impl Limit {
    pub(crate) const fn new(length: Duration) -> Self {
        Self {
            length,
            timer: None,
            running: false,
        }
    }

    pub(crate) const fn length(&self) -> Duration {
        self.length
    }

    /// What was waited for has come.
    pub(crate) const fn stop(&mut self) {
        self.running = false;
    }

    /// Ready when the wait that began with the first call since [`stop`](Self::stop) is over.
    pub(crate) fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let runtime = Handle::try_current().ok().map(|handle| handle.id());
        let timer = match &mut self.timer {
            Some(timer) if timer.runtime == runtime => {
                if !self.running {
                    timer.sleep.as_mut().reset(Instant::now() + self.length);
                }
                timer
            }
            place => place.insert(Timer {
                runtime,
                sleep: Box::pin(pause(self.length)),
            }),
        };
        self.running = true;
        timer.sleep.as_mut().poll(cx)
    }
}
