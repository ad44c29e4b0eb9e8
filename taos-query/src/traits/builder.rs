use std::future::Future;

use crate::dsn::IntoDsn;
use crate::error::RawResult;

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

    /// True if a connection may be tried; always true here.
    fn ready(&self) -> impl Future<Output = bool> + Send {
        async { true }
    }

    /// Connects and logs in.
    ///
    /// # Cancel safety
    /// Dropping the future closes what was opened.
    fn build(&self) -> impl Future<Output = RawResult<Self::Target>> + Send;
}
