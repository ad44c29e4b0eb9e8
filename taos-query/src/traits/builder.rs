use std::future::Future;

use tokio::runtime;

use super::AsyncQueryable;
use crate::dsn::IntoDsn;
use crate::error::{Code, ErrorKind, RawError, RawResult};
use crate::pool::CHECK_LIMIT;
use crate::util::{Edition, within};

/// Makes connections from a DSN.
///
/// Backends implement it; programs call it. What a backend must do: read every parameter it knows
/// through [`Dsn::param`](crate::Dsn::param), reject the rest through
/// [`Dsn::check_params`](crate::Dsn::check_params), and open nothing before [`build`](Self::build).
pub trait AsyncTBuilder: Sized + Send + Sync + 'static {
    /// What [`build`](Self::build) makes.
    type Target: Send + Sync + 'static;

    /// The names of the DSN parameters that this builder reads.
    fn available_params() -> &'static [&'static str];

    /// Checks the DSN and keeps it; opens no connection.
    ///
    /// # Errors
    /// For a DSN that cannot be parsed, an unknown parameter, or a parameter with a value that
    /// cannot be read.
    fn from_dsn<D: IntoDsn>(dsn: D) -> RawResult<Self>;

    /// The version of the client.
    fn client_version() -> &'static str;

    /// The server's version, asked once over a connection of its own.
    fn server_version(&self) -> impl Future<Output = RawResult<&str>> + Send;

    /// Asks whether `target` still works, with one cheap request.
    fn ping(&self, target: &mut Self::Target) -> impl Future<Output = RawResult<()>> + Send;

    /// The runtime that drives a connection's task, see [`AsyncQueryable::home`].
    #[doc(hidden)]
    fn home(_target: &Self::Target) -> Option<runtime::Id> {
        None
    }

    /// True if this side already knows that `target` is gone; asks nobody.
    fn is_broken(_target: &Self::Target) -> bool {
        false
    }

    /// What a pool asks before it hands `target` out again: whether it is known to be gone, and if
    /// not, whether it answers a ping within [`CHECK_LIMIT`].
    #[doc(hidden)]
    fn check(&self, target: &mut Self::Target) -> impl Future<Output = RawResult<()>> + Send {
        async move {
            if Self::is_broken(target) {
                return Err(RawError::of(
                    ErrorKind::ConnectionLost,
                    "the pooled connection broke while nobody used it",
                )
                .with_code(Code::WS_DISCONNECTED));
            }
            within(CHECK_LIMIT, self.ping(target)).await.map_err(|_| {
                RawError::of(
                    ErrorKind::Timeout,
                    format!("the pooled connection did not answer a ping within {CHECK_LIMIT:?}"),
                )
                .with_code(Code::WS_RECV_TIMEOUT)
            })?
        }
    }

    /// True if a connection may be tried; always true here.
    fn ready(&self) -> impl Future<Output = bool> + Send {
        async { true }
    }

    /// Connects and logs in.
    ///
    /// # Cancel safety
    /// Dropping the future closes what was opened.
    fn build(&self) -> impl Future<Output = RawResult<Self::Target>> + Send;

    /// Which edition the server is, asked over a connection of its own.
    ///
    /// # Errors
    /// When the server tells it in neither of the known ways.
    fn get_edition(&self) -> impl Future<Output = RawResult<Edition>> + Send
    where
        Self::Target: AsyncQueryable,
    {
        async move { edition(&self.build().await?).await }
    }

    /// True for an enterprise or cloud edition whose licence has not run out.
    ///
    /// # Errors
    /// As [`get_edition`](Self::get_edition).
    fn is_enterprise_edition(&self) -> impl Future<Output = RawResult<bool>> + Send
    where
        Self::Target: AsyncQueryable,
    {
        async move { Ok(self.get_edition().await?.is_enterprise_edition()) }
    }

    /// As [`is_enterprise_edition`](Self::is_enterprise_edition), with an error in place of `false`.
    ///
    /// # Errors
    /// As [`get_edition`](Self::get_edition), and for any other edition.
    fn assert_enterprise_edition(&self) -> impl Future<Output = RawResult<()>> + Send
    where
        Self::Target: AsyncQueryable,
    {
        async move { self.get_edition().await?.assert_enterprise_edition() }
    }

    /// A pool of connections with the [default settings](Self::default_pool_config).
    ///
    /// # Errors
    /// None with these settings.
    #[cfg(feature = "deadpool")]
    fn pool(self) -> RawResult<crate::pool::Pool<Self>> {
        let config = self.default_pool_config();
        self.with_pool_config(config)
    }

    /// The builder of a pool, with the [default settings](Self::default_pool_config) to change.
    #[cfg(feature = "deadpool")]
    fn pool_builder(self) -> deadpool::managed::PoolBuilder<crate::pool::Manager<Self>> {
        let config = self.default_pool_config();
        crate::pool::managed::builder(self, config)
    }

    /// At most 5000 connections, the one unused for longest first, 30 s for making one, and no limit
    /// on waiting for one to come free.
    #[cfg(feature = "deadpool")]
    fn default_pool_config(&self) -> deadpool::managed::PoolConfig {
        crate::pool::managed::default_config()
    }

    /// A pool with these settings. Its timeouts are those of tokio.
    ///
    /// # Errors
    /// None at present.
    #[cfg(feature = "deadpool")]
    fn with_pool_config(
        self,
        config: deadpool::managed::PoolConfig,
    ) -> RawResult<crate::pool::Pool<Self>> {
        crate::pool::managed::pool(self, config)
    }
}

/// Servers tell it in a system table; those before that table, as the grants of the cluster.
async fn edition(target: &impl AsyncQueryable) -> RawResult<Edition> {
    let cluster = "select version, expire_time < now from information_schema.ins_cluster";
    let first = match target.query_one::<_, (String, Option<bool>)>(cluster).await {
        Ok(Some((edition, expired))) => {
            return Ok(Edition::new(edition.trim(), expired.unwrap_or(false)));
        }
        Ok(None) => RawError::from_string("the cluster's table is empty"),
        Err(error) => error,
    };
    // Behind the edition stand the time of expiry and whether it has passed, all of them texts.
    match target
        .query_one::<_, (String, String, String)>("show grants")
        .await
    {
        Ok(Some((edition, _, expired))) => {
            Ok(Edition::new(edition.trim(), expired.trim() == "true"))
        }
        Ok(None) | Err(_) => Err(first.context("the server does not tell its edition")),
    }
}
