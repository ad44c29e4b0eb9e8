use tokio::time::Instant;

use crate::ingress::{Buffer, Protocol};
use crate::settings::AutoFlush;

/// Decides when rows leave by themselves (questdb §8).
#[derive(Debug)]
pub(super) struct Auto {
    triggers: AutoFlush,
    /// QWP counts the interval from the first row, lines count it from the last flush.
    from_first_row: bool,
    since: Option<Instant>,
}

impl Auto {
    pub(super) fn new(triggers: AutoFlush, protocol: Protocol) -> Self {
        let mut auto = Self {
            triggers,
            from_first_row: protocol.is_qwp(),
            since: None,
        };
        auto.flushed();
        auto
    }

    pub(super) fn flushed(&mut self) {
        self.since = (!self.from_first_row && self.triggers.interval.is_some()).then(Instant::now);
    }

    /// Whether the row just completed makes it time. Never in the middle of a row.
    pub(super) fn is_due(&mut self, buffer: &Buffer) -> bool {
        if buffer.row_count() == 0 || buffer.check_can_flush().is_err() {
            return false;
        }
        let AutoFlush {
            rows,
            bytes,
            interval,
        } = self.triggers;
        rows.is_some_and(|limit| buffer.row_count() >= limit)
            || bytes.is_some_and(|limit| buffer.len() >= limit)
            || interval
                .is_some_and(|limit| self.since.get_or_insert_with(Instant::now).elapsed() >= limit)
    }
}
