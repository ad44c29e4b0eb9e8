//! Pools of connections: `deadpool` for async programs, `r2d2` for blocking ones, side by side.
//!
//! Both keep connections through one [`Manager`] and judge them by one health check: a connection
//! that this side knows to be gone is dropped at once, any other must answer a ping within
//! [`CHECK_LIMIT`] before it is handed out again.

#[cfg(feature = "r2d2")]
pub(crate) mod blocking;
#[cfg(feature = "deadpool")]
pub(crate) mod managed;

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use crate::dsn::IntoDsn;
use crate::error::RawResult;
use crate::traits::sync::TBuilder;

/// How long a connection of a pool may take to answer the ping before it is handed out again.
pub const CHECK_LIMIT: Duration = Duration::from_secs(5);

/// Pool of connections for async programs.
#[cfg(feature = "deadpool")]
pub type Pool<T> = deadpool::managed::Pool<Manager<T>>;

/// The pools of blocking programs.
#[cfg(feature = "r2d2")]
pub mod sync {
    use super::Manager;

    /// Pool of connections for blocking programs.
    pub type Pool<T> = r2d2::Pool<Manager<T>>;

    /// Settings of a [`Pool`].
    pub type PoolBuilder<T> = r2d2::Builder<Manager<T>>;
}

/// Makes and checks the connections of a pool; works with both kinds of pool.
#[derive(Debug, Clone)]
pub struct Manager<T> {
    builder: T,
}

impl<T: TBuilder> Manager<T> {
    /// A manager of connections from this builder.
    pub const fn new(builder: T) -> Self {
        Self { builder }
    }

    /// A manager of connections from this DSN, and those of its parameters that the builder does not
    /// know.
    ///
    /// # Errors
    /// As [`TBuilder::from_dsn`], but for unknown parameters.
    pub fn from_dsn<D: IntoDsn>(dsn: D) -> RawResult<(Self, BTreeMap<String, String>)> {
        let mut dsn = dsn.into_dsn()?;
        let known = T::available_params();
        let (used, unused) = std::mem::take(&mut dsn.params)
            .into_iter()
            .partition(|(key, _)| known.contains(&key.as_str()));
        dsn.params = used;
        Ok((Self::new(T::from_dsn(dsn)?), unused))
    }
}

impl<T> Deref for Manager<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.builder
    }
}

impl<T> DerefMut for Manager<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.builder
    }
}

#[cfg(all(test, any(feature = "deadpool", feature = "r2d2")))]
mod tests;
