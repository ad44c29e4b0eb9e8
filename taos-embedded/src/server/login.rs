//! Logins. A password that was not tried before takes tens of milliseconds and megabytes, so one is computed
//! at a time, and what waits for its turn takes no thread from the statements.

use std::sync::Arc;
use std::time::Duration;

use super::{Shared, guarded, stopping};
use crate::engine::SqlError;

/// How long a login waits for its turn.
const PATIENCE: Duration = Duration::from_secs(10);

/// The code of a login that was not checked.
pub(super) const UNCHECKED: u32 = 0xffff;

impl Shared {
    /// Checks a user's password.
    ///
    /// # Errors
    /// 0x0357 for a wrong password, 0x0351 for an unknown user, 0x0315 for a disabled one; 0xffff if it was
    /// not checked, because too many others are waiting or the server stops.
    pub(super) async fn log_in(
        self: &Arc<Self>,
        user: &str,
        password: &str,
    ) -> Result<(), SqlError> {
        let outcome = self.check_login(user, password).await;
        if outcome.is_err() {
            self.engine.metrics().logins_refused.add(1);
        }
        outcome
    }

    async fn check_login(self: &Arc<Self>, user: &str, password: &str) -> Result<(), SqlError> {
        if let Some(outcome) = self.engine.recall_login(user, password) {
            return outcome;
        }
        let mut stop = self.stop.clone();
        let turn = Arc::clone(&self.logins).acquire_owned();
        let turn = tokio::select! {
            turn = tokio::time::timeout(PATIENCE, turn) => turn,
            _ = stopping(&mut stop) => return Err(unchecked("the server is stopping")),
        };
        let Ok(Ok(turn)) = turn else {
            return Err(unchecked(
                "too many other passwords wait to be checked; try again in a moment",
            ));
        };
        // Of those who waited with the same password the first has found out.
        if let Some(outcome) = self.engine.recall_login(user, password) {
            return outcome;
        }
        let engine = self.engine.clone();
        let (user, password) = (user.to_owned(), password.to_owned());
        let work = move || {
            let outcome = guarded(|| engine.login(&user, &password));
            drop(turn);
            outcome
        };
        match tokio::task::spawn_blocking(work).await {
            Ok(outcome) => outcome,
            Err(_) => Err(unchecked("the server is stopping")),
        }
    }
}

fn unchecked(why: &str) -> SqlError {
    SqlError {
        code: UNCHECKED,
        message: format!("the login was not checked: {why}"),
    }
}
