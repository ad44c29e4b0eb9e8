//! The door between the server and the SQL behind it.

mod result;
mod session;

use std::path::PathBuf;
use std::sync::Arc;

pub use crate::plan::ResultColumn;
pub use crate::sql::SqlError;
pub use result::{Answer, ResultRows};
pub use session::Session;

/// Where the data lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Storage {
    /// In a private directory that goes away with the engine; nothing is synced to disk.
    Memory,
    /// In this directory; what was acknowledged is durable.
    Dir(PathBuf),
}

/// One open database directory: cheap to clone, safe to share.
#[derive(Debug, Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {}

impl Engine {
    /// Opens the storage, creating it if it is new.
    ///
    /// # Errors
    /// The directory cannot be used, or was written by a newer release.
    pub fn open(storage: Storage) -> Result<Self, SqlError> {
        let _ = storage;
        Ok(Self {
            inner: Arc::new(Inner {}),
        })
    }

    /// Checks a user's password.
    ///
    /// # Errors
    /// 0x0357 for a wrong password, 0x0351 for an unknown user.
    pub fn login(&self, user: &str, password: &str) -> Result<(), SqlError> {
        let _ = (user, password);
        Ok(())
    }

    /// Makes `user` with `password` the administrator, in place of the one before.
    ///
    /// # Errors
    /// The storage fails.
    pub fn set_login(&self, user: &str, password: &str) -> Result<(), SqlError> {
        let _ = (user, password);
        Ok(())
    }

    /// A session of a user who is logged in.
    pub fn session(&self, user: &str) -> Session {
        Session::new(self.clone(), user)
    }

    /// Writes out what is still in memory and stops taking statements.
    pub fn close(&self) {
        let _ = &self.inner;
    }
}
