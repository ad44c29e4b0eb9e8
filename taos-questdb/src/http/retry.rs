use std::time::Duration;

use rand::Rng as _;
use tokio::time::Instant;

const FIRST: Duration = Duration::from_millis(10);
/// Milliseconds added to or taken from each wait.
const JITTER: std::ops::Range<i64> = -5..5;

/// When to try again (questdb §5.5).
#[derive(Debug)]
pub(super) struct Schedule {
    budget: Duration,
    longest: Duration,
    interval: Duration,
    /// Taken when the first attempt has failed.
    deadline: Option<Instant>,
}

impl Schedule {
    pub(super) fn new(budget: Duration, longest: Duration) -> Self {
        Self {
            budget,
            longest,
            interval: FIRST,
            deadline: None,
        }
    }

    /// How long to wait before the next attempt; `None` when there is to be none.
    pub(super) fn next(&mut self) -> Option<Duration> {
        if self.budget.is_zero() {
            return None;
        }
        let now = Instant::now();
        let deadline = *self.deadline.get_or_insert(now + self.budget);
        let jitter = rand::rng().random_range(JITTER);
        let by = Duration::from_millis(jitter.unsigned_abs());
        let wait = if jitter < 0 {
            self.interval.saturating_sub(by)
        } else {
            self.interval + by
        };
        if now + wait > deadline {
            return None;
        }
        self.interval = (self.interval * 2).min(self.longest);
        Some(wait)
    }
}

/// Answers that another attempt may change: those of the protocol, and those of overloaded servers and
/// of proxies in front of a server that restarts. The wrong server is worth another attempt only where
/// there is another server.
pub(super) fn is_retriable(status: u16, several: bool) -> bool {
    matches!(
        status,
        429 | 500 | 502 | 503 | 504 | 507 | 509 | 523 | 524 | 529 | 599
    ) || (status == 421 && several)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn waits_double_up_to_the_longest_and_end_with_the_budget() {
        for _ in 0..50 {
            let mut schedule = Schedule::new(Duration::from_secs(3), Duration::from_secs(1));
            let mut waits = Vec::new();
            let start = Instant::now();
            while let Some(wait) = schedule.next() {
                waits.push(i64::try_from(wait.as_millis()).unwrap());
                tokio::time::sleep(wait).await;
            }
            let nominal = [10, 20, 40, 80, 160, 320, 640, 1000];
            for (wait, nominal) in waits.iter().zip(nominal) {
                assert!((-5..5).contains(&(wait - nominal)), "{waits:?}");
            }
            assert_eq!(waits.len(), 8, "{waits:?}");
            assert!(start.elapsed() <= Duration::from_secs(3));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_deadline_counts_from_the_end_of_the_first_attempt() {
        let mut schedule = Schedule::new(Duration::from_millis(100), Duration::from_secs(1));
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert!(schedule.next().is_some());
        tokio::time::sleep(Duration::from_millis(101)).await;
        assert_eq!(schedule.next(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_budget_there_is_no_second_attempt() {
        let mut schedule = Schedule::new(Duration::ZERO, Duration::from_secs(1));
        assert_eq!(schedule.next(), None);
    }

    #[test]
    fn only_another_server_makes_421_worth_another_attempt() {
        assert!(is_retriable(421, true));
        assert!(!is_retriable(421, false));
        for status in [400, 401, 403, 404, 405, 408, 413, 501, 505] {
            assert!(!is_retriable(status, true), "{status}");
        }
    }
}
