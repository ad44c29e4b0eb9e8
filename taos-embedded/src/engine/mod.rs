//! The door between the server and the SQL behind it.

mod prepared;
mod result;
mod session;

use std::path::PathBuf;
use std::sync::{Arc, RwLock};

pub(crate) use crate::exec::bound::{
    BoundField, FieldKind, Held, Packed, RawBlockRows, Room, Shape, Source, TableName, Tags,
    no_table_name,
};
pub use crate::plan::ResultColumn;
pub use crate::schemaless::{SchemalessBatch, Written};
pub use crate::sql::SqlError;
pub(crate) use crate::sql::ast::ExprKind as Literal;
pub(crate) use crate::sql::clip;
pub use crate::store::QueryLimits;
pub(crate) use prepared::{Batch, BoundTable, Prepared, literals};
pub use result::{Answer, ResultRows};
pub use session::Session;

use crate::clock::nanos;
use crate::exec::{
    Passwords, choose_administrator, enabled, ensure_administrator, renew, resolve_topics,
    set_administrator,
};
use crate::metrics::Metrics;
use crate::server::Emulated;
use crate::store::{Figures, Store};
use crate::tmq::{Broker, Consumer, Terms};

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
    store: Store,
    /// Consumer groups.
    pub(crate) broker: Arc<Broker>,
    passwords: Arc<Passwords>,
    /// Shared by statements that may change tables; held alone by one that was overtaken by such
    /// changes again and again.
    changes: Arc<RwLock<()>>,
    /// What `server_version()` says.
    version: Arc<str>,
    metrics: Arc<Metrics>,
}

impl Engine {
    /// Opens the storage, creating it if it is new; a new one has the user `root` with the password
    /// `taosdata`.
    ///
    /// # Errors
    /// The directory cannot be used, is used by another process, or was written by a newer release.
    pub fn open(storage: Storage) -> Result<Self, SqlError> {
        Self::open_with(&storage, QueryLimits::default())
    }

    /// As [`open`](Self::open), with limits for its statements.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with(storage: &Storage, limits: QueryLimits) -> Result<Self, SqlError> {
        let store = Store::open_with(storage, limits)?;
        ensure_administrator(&store, nanos())?;
        resolve_topics(&store)?;
        Ok(Self {
            broker: Broker::open(&store)?,
            store,
            passwords: Arc::default(),
            changes: Arc::default(),
            version: Emulated::OWN.into(),
            metrics: Arc::default(),
        })
    }

    /// The same engine for sessions whose `server_version()` is another.
    pub(crate) fn answering_as(mut self, version: &str) -> Self {
        self.version = version.into();
        self
    }

    /// Checks a user's password.
    ///
    /// # Errors
    /// 0x0357 for a wrong password, 0x0351 for an unknown user, 0x0315 for a disabled one.
    pub fn login(&self, user: &str, password: &str) -> Result<(), SqlError> {
        let catalog = self.store.catalog();
        if self.passwords.check(&catalog, user, password)?
            && let Err(error) = renew(&self.store, user, password)
        {
            // The password was right, and a full disk must not keep out who could make room on it.
            tracing::warn!(%error, "the stored hash of a password could not be renewed");
        }
        Ok(())
    }

    /// The outcome of a login that needs no computation, which takes a thread and its time.
    pub(crate) fn recall_login(&self, user: &str, password: &str) -> Option<Result<(), SqlError>> {
        let catalog = self.store.catalog();
        self.passwords.recall(&catalog, user, password)
    }

    /// Checks that a user who logged in may still work.
    ///
    /// # Errors
    /// 0x0351 for one who was dropped, 0x0315 for one who was disabled.
    pub(crate) fn check_user(&self, user: &str) -> Result<(), SqlError> {
        enabled(&self.store.catalog(), user).map(drop)
    }

    /// Makes `user` with `password` the administrator, in place of the one before.
    ///
    /// # Errors
    /// The storage fails.
    pub fn set_login(&self, user: &str, password: &str) -> Result<(), SqlError> {
        set_administrator(&self.store, user, password, nanos())
    }

    /// Makes sure of the administrator that a start asks for; tells its name, and its password if that
    /// is known.
    pub(crate) fn administrator(
        &self,
        user: Option<&str>,
        password: Option<&str>,
    ) -> Result<(String, Option<String>), SqlError> {
        choose_administrator(&self.store, user, password, nanos())
    }

    /// How many passwords were computed to check logins.
    pub(crate) fn computed_passwords(&self) -> u64 {
        self.passwords.computed()
    }

    /// What is counted here.
    pub(crate) const fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// How the store fares.
    pub(crate) fn figures(&self) -> Figures {
        self.store.figures()
    }

    /// What is remembered of logins.
    #[cfg(test)]
    pub(crate) fn passwords(&self) -> &Passwords {
        &self.passwords
    }

    /// What everything lies in.
    #[cfg(test)]
    pub(crate) const fn store(&self) -> &Store {
        &self.store
    }

    /// A session of a user who is logged in.
    pub fn session(&self, user: &str) -> Session {
        Session::new(self.clone(), user)
    }

    /// Subscribes to topics as a member of a group; blocks until that is durable.
    pub(crate) fn consumer(&self, terms: &Terms) -> Result<Arc<Consumer>, SqlError> {
        Consumer::open(&self.broker, &self.store, terms)
    }

    /// True if statements wait because results that nobody reads hold all readers.
    pub(crate) fn is_crowded(&self) -> bool {
        self.store.is_crowded()
    }

    /// Writes out what is still in memory and stops taking statements.
    pub fn close(&self) {
        self.store.close();
    }
}
