use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

/// Polls a future at most so many times and then drops it.
pub(crate) struct CountPolls<F> {
    future: Pin<Box<F>>,
    left: usize,
}

impl<F: Future> CountPolls<F> {
    pub(crate) fn new(future: F, polls: usize) -> Self {
        Self {
            future: Box::pin(future),
            left: polls,
        }
    }
}

impl<F: Future> Future for CountPolls<F> {
    /// `None` when the polls were not enough.
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        self.left -= 1;
        let done = pin!(self.future.as_mut()).poll(cx).map(Some);
        if done.is_pending() && self.left == 0 {
            return Poll::Ready(None);
        }
        done
    }
}
