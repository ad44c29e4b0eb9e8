use crate::dsn::IntoDsn;
use crate::error::RawResult;
use crate::traits::{AsyncQueryable, AsyncTBuilder};
use crate::util::{Edition, block_on};

/// Makes connections from a DSN, blocking; see [`AsyncTBuilder`].
pub trait TBuilder: Sized + Send + Sync + 'static {
    /// What [`build`](Self::build) makes.
    type Target: Send + Sync + 'static;

    /// The names of the DSN parameters that this builder reads.
    fn available_params() -> &'static [&'static str];

    /// Checks the DSN and keeps it; opens no connection.
    ///
    /// # Errors
    /// As [`AsyncTBuilder::from_dsn`].
    fn from_dsn<D: IntoDsn>(dsn: D) -> RawResult<Self>;

    /// The version of the client.
    fn client_version() -> &'static str;

    /// The server's version, asked once over a connection of its own.
    fn server_version(&self) -> RawResult<&str>;

    /// Asks whether `target` still works, with one cheap request.
    fn ping(&self, target: &mut Self::Target) -> RawResult<()>;

    /// True if this side already knows that `target` is gone; asks nobody.
    fn is_broken(target: &Self::Target) -> bool;

    /// See [`AsyncTBuilder::check`].
    #[doc(hidden)]
    fn check(&self, target: &mut Self::Target) -> RawResult<()>;

    /// True if a connection may be tried.
    fn ready(&self) -> bool;

    /// Connects and logs in.
    fn build(&self) -> RawResult<Self::Target>;

    /// Which edition the server is, asked over a connection of its own.
    ///
    /// # Errors
    /// As [`AsyncTBuilder::get_edition`].
    fn get_edition(&self) -> RawResult<Edition>
    where
        Self::Target: AsyncQueryable;

    /// True for an enterprise or cloud edition whose licence has not run out.
    ///
    /// # Errors
    /// As [`get_edition`](Self::get_edition).
    fn is_enterprise_edition(&self) -> RawResult<bool>
    where
        Self::Target: AsyncQueryable,
    {
        Ok(self.get_edition()?.is_enterprise_edition())
    }

    /// As [`is_enterprise_edition`](Self::is_enterprise_edition), with an error in place of `false`.
    ///
    /// # Errors
    /// As [`get_edition`](Self::get_edition), and for any other edition.
    fn assert_enterprise_edition(&self) -> RawResult<()>
    where
        Self::Target: AsyncQueryable,
    {
        self.get_edition()?.assert_enterprise_edition()
    }

    /// A pool of connections with the settings of [`pool_builder`](Self::pool_builder).
    ///
    /// # Errors
    /// None with these settings: no connection is made before one is asked for.
    #[cfg(feature = "r2d2")]
    fn pool(self) -> RawResult<crate::pool::sync::Pool<Self>> {
        let builder = self.pool_builder();
        self.with_pool_builder(builder)
    }

    /// Settings of a pool to change: at most 200 connections, none kept idle, each replaced after
    /// 12 hours, 60 s to wait for one.
    #[cfg(feature = "r2d2")]
    fn pool_builder(&self) -> crate::pool::sync::PoolBuilder<Self> {
        crate::pool::blocking::default_builder()
    }

    /// A pool with these settings.
    ///
    /// # Errors
    /// When the connections that are to be there from the start cannot be made in time.
    #[cfg(feature = "r2d2")]
    fn with_pool_builder(
        self,
        builder: crate::pool::sync::PoolBuilder<Self>,
    ) -> RawResult<crate::pool::sync::Pool<Self>> {
        crate::pool::Manager::new(self).into_pool_with_builder(builder)
    }
}

impl<B: AsyncTBuilder> TBuilder for B {
    type Target = <B as AsyncTBuilder>::Target;

    fn available_params() -> &'static [&'static str] {
        <B as AsyncTBuilder>::available_params()
    }

    fn from_dsn<D: IntoDsn>(dsn: D) -> RawResult<Self> {
        <B as AsyncTBuilder>::from_dsn(dsn)
    }

    fn client_version() -> &'static str {
        <B as AsyncTBuilder>::client_version()
    }

    fn server_version(&self) -> RawResult<&str> {
        block_on(None, AsyncTBuilder::server_version(self))?
    }

    fn ping(&self, target: &mut Self::Target) -> RawResult<()> {
        block_on(
            <B as AsyncTBuilder>::home(target),
            AsyncTBuilder::ping(self, target),
        )?
    }

    fn is_broken(target: &Self::Target) -> bool {
        <B as AsyncTBuilder>::is_broken(target)
    }

    fn check(&self, target: &mut Self::Target) -> RawResult<()> {
        block_on(
            <B as AsyncTBuilder>::home(target),
            AsyncTBuilder::check(self, target),
        )?
    }

    fn ready(&self) -> bool {
        block_on(None, AsyncTBuilder::ready(self)).unwrap_or(false)
    }

    fn build(&self) -> RawResult<Self::Target> {
        block_on(None, AsyncTBuilder::build(self))?
    }

    fn get_edition(&self) -> RawResult<Edition>
    where
        Self::Target: AsyncQueryable,
    {
        block_on(None, AsyncTBuilder::get_edition(self))?
    }
}
