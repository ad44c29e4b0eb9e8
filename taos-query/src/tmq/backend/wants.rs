//! Who waits for a message, until when, and how long the next poll may take for that.

use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::error::RawResult;
use crate::tmq::Timeout;
use crate::util::with_timers;

/// Longer waits are endless: the clock cannot count so far.
const LONGEST_WAIT: Duration = Duration::from_secs(10 * 365 * 86_400);

/// Until when one waits for a message.
#[derive(Debug, Clone, Copy)]
pub enum Until {
    /// For ever.
    Never,
    /// At most until then.
    At(Instant),
    /// One answer to a poll.
    Look,
}

impl From<Timeout> for Until {
    /// From now on.
    fn from(timeout: Timeout) -> Self {
        match timeout {
            Timeout::None => Self::Look,
            // As good as looking once, and unlike no poll at all it gets somewhere.
            Timeout::Duration(wait) if wait.is_zero() => Self::Look,
            Timeout::Duration(wait) if wait < LONGEST_WAIT => Self::At(Instant::now() + wait),
            Timeout::Duration(_) | Timeout::Never => Self::Never,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    Wanted,
    Sent,
    Answered,
}

/// One who waits for a message.
#[derive(Debug)]
struct Want {
    id: u64,
    until: Until,
    look: Look,
}

/// All who wait for a message.
#[derive(Debug, Default)]
pub struct Wants {
    waiting: Vec<Want>,
    last: u64,
    /// A poll is under way.
    polling: bool,
}

impl Wants {
    /// True while nobody waits.
    pub const fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Notes one who waits.
    pub fn add(&mut self, until: Until) -> u64 {
        self.last += 1;
        let look = if self.polling {
            Look::Sent
        } else {
            Look::Wanted
        };
        self.waiting.push(Want {
            id: self.last,
            until,
            look,
        });
        self.last
    }

    /// Forgets one who waited.
    pub fn remove(&mut self, id: u64) {
        self.waiting.retain(|want| want.id != id);
    }

    /// True if one who waits for a single answer has had it.
    pub fn has_looked(&self, id: u64) -> bool {
        self.waiting.iter().any(|want| {
            want.id == id && matches!(want.until, Until::Look) && want.look == Look::Answered
        })
    }

    /// How long the next poll may take, `longest` at most; nothing if none is wanted.
    pub fn blocking(&self, longest: Duration) -> Option<Duration> {
        let now = Instant::now();
        let wanted = self.waiting.iter().filter_map(|want| match want.until {
            Until::Never => Some(longest),
            Until::At(end) if end > now => Some((end - now).min(longest)),
            Until::Look if want.look == Look::Wanted => Some(Duration::ZERO),
            Until::At(_) | Until::Look => None,
        });
        wanted.max()
    }

    /// A poll is sent.
    pub fn sent(&mut self) {
        self.polling = true;
        for want in &mut self.waiting {
            want.look = Look::Sent;
        }
    }

    /// The poll that was under way is over.
    pub fn answered(&mut self) {
        self.end(Look::Answered);
    }

    /// The poll under way came to nothing, and those who want one answer still do.
    pub fn interrupted(&mut self) {
        self.end(Look::Wanted);
    }

    /// The poll under way is of no interest any more.
    pub const fn forget_poll(&mut self) {
        self.polling = false;
    }

    fn end(&mut self, look: Look) {
        self.polling = false;
        for want in &mut self.waiting {
            if want.look == Look::Sent {
                want.look = look;
            }
        }
    }
}

/// Waits until `look` has an answer or the time is over; it is asked again after each change.
///
/// # Cancel safety
/// Nothing is kept here.
pub async fn wait<T>(
    changed: &Notify,
    until: Until,
    mut look: impl FnMut() -> Option<RawResult<Option<T>>>,
) -> RawResult<Option<T>> {
    let mut clock = match until {
        Until::At(end) => Some(Box::pin(with_timers(|| sleep_until(end)))),
        Until::Never | Until::Look => None,
    };
    loop {
        let changed = changed.notified();
        tokio::pin!(changed);
        changed.as_mut().enable();
        if let Some(answer) = look() {
            return answer;
        }
        match &mut clock {
            None => changed.await,
            Some(clock) => tokio::select! {
                () = changed => {}
                () = clock => return Ok(None),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONGEST: Duration = Duration::from_millis(500);

    #[test]
    fn one_who_looks_is_answered_by_one_poll_and_asks_for_no_other() {
        let mut wants = Wants::default();
        let id = wants.add(Until::Look);
        assert_eq!(wants.blocking(LONGEST), Some(Duration::ZERO));
        wants.sent();
        assert_eq!(wants.blocking(LONGEST), None);
        assert!(!wants.has_looked(id));
        wants.interrupted();
        assert_eq!(wants.blocking(LONGEST), Some(Duration::ZERO));
        wants.sent();
        wants.answered();
        assert!(wants.has_looked(id));
        assert_eq!(wants.blocking(LONGEST), None);
    }

    #[test]
    fn the_most_patient_of_those_who_wait_says_how_long_a_poll_takes() {
        let mut wants = Wants::default();
        let short = wants.add(Until::At(Instant::now() + Duration::from_millis(20)));
        assert!(
            wants
                .blocking(LONGEST)
                .is_some_and(|time| time <= Duration::from_millis(20))
        );
        wants.add(Until::Never);
        wants.remove(short);
        assert_eq!(wants.blocking(LONGEST), Some(LONGEST));
    }

    #[test]
    fn endless_times_are_endless() {
        for timeout in [Timeout::Never, Timeout::Duration(Duration::MAX)] {
            assert!(matches!(Until::from(timeout), Until::Never));
        }
        for timeout in [Timeout::None, Timeout::from_millis(0)] {
            assert!(matches!(Until::from(timeout), Until::Look));
        }
    }
}
