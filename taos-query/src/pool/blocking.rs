use std::time::Duration;

use r2d2::ManageConnection;

use super::Manager;
use super::sync::{Pool, PoolBuilder};
use crate::error::{Code, ErrorKind, RawError, RawResult};
use crate::traits::sync::TBuilder;

/// Connections of a pool when nobody sets a number.
const MAX_SIZE: u32 = 200;
/// Age at which a connection is replaced.
const MAX_LIFETIME: Duration = Duration::from_secs(12 * 60 * 60);
/// Longest wait for a connection.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(60);

pub(crate) fn default_builder<T: TBuilder>() -> PoolBuilder<T> {
    PoolBuilder::new()
        .max_size(MAX_SIZE)
        .min_idle(Some(0))
        .max_lifetime(Some(MAX_LIFETIME))
        .connection_timeout(CONNECTION_TIMEOUT)
}

impl<T: TBuilder> Manager<T> {
    /// A blocking pool with the defaults of [`TBuilder::pool_builder`].
    ///
    /// # Errors
    /// When the connections that are to be there from the start cannot be made.
    pub fn into_pool(self) -> RawResult<Pool<T>> {
        self.into_pool_with_builder(default_builder())
    }

    /// A blocking pool with these settings.
    ///
    /// # Errors
    /// When the connections that are to be there from the start cannot be made.
    pub fn into_pool_with_builder(self, builder: PoolBuilder<T>) -> RawResult<Pool<T>> {
        Ok(builder.build(self)?)
    }
}

impl<T: TBuilder> ManageConnection for Manager<T> {
    type Connection = T::Target;
    type Error = RawError;

    fn connect(&self) -> RawResult<T::Target> {
        TBuilder::build(&self.builder)
    }

    fn is_valid(&self, target: &mut T::Target) -> RawResult<()> {
        TBuilder::check(&self.builder, target)
    }

    fn has_broken(&self, target: &mut T::Target) -> bool {
        <T as TBuilder>::is_broken(target)
    }
}

impl From<r2d2::Error> for RawError {
    /// The only error of that library is a wait that was too long; its text names the last cause.
    fn from(error: r2d2::Error) -> Self {
        Self::of(ErrorKind::Timeout, format!("the pool: {error}"))
            .with_code(Code::WS_RECV_TIMEOUT)
            .with_source(error)
    }
}
