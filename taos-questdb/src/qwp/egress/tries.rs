//! How often and when a query is tried again (questdb §14).

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::error::{Error, ErrorCode, Result};
use crate::settings::QwpQuery;

/// Counts the attempts of one query.
#[derive(Debug)]
pub(super) struct Tries<'a> {
    settings: &'a QwpQuery,
    started: Instant,
    /// Attempts so far.
    made: u32,
    broken: u32,
    backoff: Duration,
}

impl<'a> Tries<'a> {
    pub(super) fn new(settings: &'a QwpQuery) -> Self {
        Self {
            settings,
            started: Instant::now(),
            made: 1,
            broken: 0,
            backoff: settings.failover_backoff_initial,
        }
    }

    /// After a round in which no server could be used.
    pub(super) async fn after_round(&mut self, error: Error, only_roles: bool) -> Result<()> {
        // Asking again does not teach a server what it cannot do.
        let hopeless = matches!(
            error.code(),
            ErrorCode::UnsupportedServer
                | ErrorCode::TlsError
                | ErrorCode::ConfigError
                | ErrorCode::InvalidApiCall
        );
        let pause = if only_roles {
            self.settings.failover_backoff_initial
        } else {
            self.jittered()
        };
        self.again(error, pause, hopeless).await
    }

    /// After a connection broke: another is tried at once, but not for ever.
    pub(super) async fn after_break(&mut self, error: Error) -> Result<()> {
        self.broken += 1;
        let pause = if self.broken > 1 {
            self.jittered()
        } else {
            Duration::ZERO
        };
        self.again(error, pause, false).await
    }

    /// Between nothing and the present back-off, which doubles.
    fn jittered(&mut self) -> Duration {
        let most = self.backoff.min(self.settings.failover_backoff_max);
        self.backoff = most.saturating_mul(2);
        most.mul_f64(rand::random_range(0.0..=1.0))
    }

    async fn again(&mut self, error: Error, pause: Duration, hopeless: bool) -> Result<()> {
        let limit = self.settings.failover_max_duration;
        let too_late = !limit.is_zero() && self.started.elapsed() + pause > limit;
        if !self.settings.failover || hopeless {
            return Err(error);
        }
        if too_late || self.made >= self.settings.failover_max_attempts {
            return Err(error.context(format_args!(
                "given up after {} attempts in {:.1?}",
                self.made,
                self.started.elapsed()
            )));
        }
        tracing::warn!(%error, attempt = self.made, ?pause, "a query is tried again");
        self.made += 1;
        if !pause.is_zero() {
            sleep(pause).await;
        }
        Ok(())
    }
}
