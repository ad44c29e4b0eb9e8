use std::time::Duration;

use super::pipeline::MAX_DELAY;
use crate::error::{ErrorKind, RawError, RawResult};

/// More would not fit into the length fields of a message.
const MOST_BYTES: usize = 1 << 30;
/// More connections than this are a mistake.
const MOST_CONNECTIONS: usize = 256;

/// When batches leave, and how many may be on their way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Options {
    pub(super) max_rows: usize,
    pub(super) max_bytes: usize,
    pub(super) max_delay: Option<Duration>,
    pub(super) connections: usize,
    pub(super) max_in_flight: Option<usize>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_rows: 10_000,
            max_bytes: 8 << 20,
            max_delay: Some(MAX_DELAY),
            connections: 1,
            max_in_flight: None,
        }
    }
}

impl Options {
    pub(super) fn in_flight(&self) -> usize {
        self.max_in_flight
            .unwrap_or_else(|| self.connections.saturating_mul(2))
    }

    pub(super) fn check(&self) -> RawResult<()> {
        let wrong = |name: &str, limit: &str| {
            Err(RawError::of(
                ErrorKind::Config,
                format!("the inserter's option {name} must be {limit}"),
            ))
        };
        if self.max_rows == 0 {
            return wrong("max_rows", "at least 1");
        }
        if !(1..=MOST_BYTES).contains(&self.max_bytes) {
            return wrong("max_bytes", "1 byte to 1 GiB");
        }
        if !(1..=MOST_CONNECTIONS).contains(&self.connections) {
            return wrong("connections", "1 to 256");
        }
        if self.max_in_flight == Some(0) {
            return wrong("max_in_flight", "at least 1");
        }
        if self.max_delay == Some(Duration::ZERO) {
            return wrong("max_delay", "more than nothing, or None");
        }
        Ok(())
    }
}
