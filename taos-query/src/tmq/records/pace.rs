use std::time::Duration;

use tokio::time::Instant;

/// The most rows between two looks.
const SELDOM: u32 = 64;
/// A program that takes longer from one look to the next is slow.
const SLOW: Duration = Duration::from_millis(10);

/// Says before which rows of a block to look after commits: before each while the program is slow, before few while it
/// is not, because asking for the time costs as much as reading a row.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// Rows until the next look; `None` if there is nothing to look after.
    left: Option<u32>,
    stride: u32,
    last: Option<Instant>,
}

impl Pace {
    /// There is something to look after from now on.
    pub(super) fn begin(&mut self) {
        self.left = Some(0);
    }

    #[inline]
    pub(super) fn is_due(&mut self) -> bool {
        match &mut self.left {
            None => false,
            Some(0) => self.look(),
            Some(left) => {
                *left -= 1;
                false
            }
        }
    }

    fn look(&mut self) -> bool {
        let now = Instant::now();
        let slow = self
            .last
            .is_none_or(|last| now.saturating_duration_since(last) >= SLOW);
        self.stride = match slow {
            true => 0,
            false => (self.stride * 2 + 1).min(SELDOM - 1),
        };
        self.last = Some(now);
        self.left = Some(self.stride);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn slow_programs_are_looked_after_at_each_row_and_quick_ones_seldom() {
        let mut pace = Pace::default();
        assert!(!pace.is_due(), "nothing to look after");
        pace.begin();
        let quick = (0..64_000).filter(|_| pace.is_due()).count();
        assert!((1000..1010).contains(&quick), "{quick}");
        tokio::time::advance(SLOW).await;
        let until = (0..1000).position(|_| pace.is_due());
        assert!(until.is_some_and(|rows| rows < 64), "{until:?}");
        for _ in 0..10 {
            tokio::time::advance(SLOW).await;
            assert!(pace.is_due());
        }
    }
}
