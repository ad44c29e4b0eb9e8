use std::future::Future;

use tokio::runtime;

use super::{Stmt2BindParam, Stmt2Field};
use crate::AsyncQueryable;
use crate::block::ColumnView;
use crate::common::Value;
use crate::error::RawResult;
use crate::util::generate_req_id;

/// A prepared statement of the first generation: table, tags and columns are given one after another.
///
/// `set_tbname`, `set_tags`, `bind` and `add_batch` send nothing: what only the server can know
/// arrives at [`execute`](Self::execute).
///
/// # Cancel safety
/// Every future may be dropped at any point; the connection stays usable. A batch that was being
/// executed may or may not have been written.
pub trait AsyncBindable<Q: AsyncQueryable>: Sized + Send {
    /// Makes a statement on a connection.
    fn init(taos: &Q) -> impl Future<Output = RawResult<Self>> + Send {
        Self::init_with_req_id(taos, generate_req_id())
    }

    /// As [`init`](Self::init), with a request id that shows in the server's logs.
    fn init_with_req_id(taos: &Q, req_id: u64) -> impl Future<Output = RawResult<Self>> + Send;

    /// The runtime that drives the connection's task, see [`AsyncQueryable::home`].
    #[doc(hidden)]
    fn home(&self) -> Option<runtime::Id> {
        None
    }

    /// Prepares an INSERT or SELECT with `?` in it.
    ///
    /// # Errors
    /// The server's, for SQL that cannot be prepared.
    fn prepare(&mut self, sql: &str) -> impl Future<Output = RawResult<&mut Self>> + Send;

    /// Names the table that the following columns go to; `db.table` and backticks are understood.
    ///
    /// # Errors
    /// Before `prepare`, or when the statement has no `?` for a table.
    fn set_tbname(&mut self, name: &str) -> impl Future<Output = RawResult<&mut Self>> + Send;

    /// Gives the tags of the table, one value a `?`.
    ///
    /// # Errors
    /// A wrong count or a value of the wrong type; the text names the tag.
    fn set_tags(&mut self, tags: &[Value]) -> impl Future<Output = RawResult<&mut Self>> + Send;

    /// [`set_tbname`](Self::set_tbname) and [`set_tags`](Self::set_tags) in one call.
    ///
    /// # Errors
    /// As those.
    fn set_tbname_tags(
        &mut self,
        name: &str,
        tags: &[Value],
    ) -> impl Future<Output = RawResult<&mut Self>> + Send {
        async move { self.set_tbname(name).await?.set_tags(tags).await }
    }

    /// Gives the columns, each with the same number of rows.
    ///
    /// # Errors
    /// A wrong count, type or length; the text names the column.
    fn bind(&mut self, params: &[ColumnView]) -> impl Future<Output = RawResult<&mut Self>> + Send;

    /// Closes the batch of the current table.
    ///
    /// # Errors
    /// When nothing was bound since the last call.
    fn add_batch(&mut self) -> impl Future<Output = RawResult<&mut Self>> + Send;

    /// Sends all batches and returns the rows that this execution changed.
    ///
    /// # Errors
    /// The server's, or a lost connection, after which
    /// [`outcome_unknown`](crate::RawError::outcome_unknown) tells whether it may have been run.
    fn execute(&mut self) -> impl Future<Output = RawResult<usize>> + Send;

    /// Rows changed by all executions of this statement so far.
    fn affected_rows(&self) -> impl Future<Output = usize> + Send;

    /// The rows of an executed SELECT.
    ///
    /// # Errors
    /// For an INSERT, or before [`execute`](Self::execute).
    fn result_set(&mut self) -> impl Future<Output = RawResult<Q::AsyncResultSet>> + Send;
}

/// A prepared statement of the second generation: one [`Stmt2BindParam`] a table, any number of them
/// in one call.
///
/// # Cancel safety
/// As [`AsyncBindable`].
pub trait Stmt2AsyncBindable<Q: AsyncQueryable>: Sized + Send {
    /// Makes a statement on a connection.
    fn init(taos: &Q) -> impl Future<Output = RawResult<Self>> + Send;

    /// The runtime that drives the connection's task, see [`AsyncQueryable::home`].
    #[doc(hidden)]
    fn home(&self) -> Option<runtime::Id> {
        None
    }

    /// Prepares an INSERT or SELECT with `?` in it.
    ///
    /// # Errors
    /// The server's, for SQL that cannot be prepared.
    fn prepare(&mut self, sql: &str) -> impl Future<Output = RawResult<&mut Self>> + Send;

    /// Gives data for one or more tables, or the one row of a SELECT's parameters.
    ///
    /// # Errors
    /// No parameters, a part that the statement has a `?` for and that is not given, wrong counts,
    /// types or lengths. The text names table and column; nothing has been sent then.
    fn bind(
        &mut self,
        params: &[Stmt2BindParam],
    ) -> impl Future<Output = RawResult<&mut Self>> + Send;

    /// Runs the statement with what was bound and returns the rows it changed.
    ///
    /// # Errors
    /// The server's, or a lost connection, after which
    /// [`outcome_unknown`](crate::RawError::outcome_unknown) tells whether it may have been run.
    fn exec(&mut self) -> impl Future<Output = RawResult<usize>> + Send;

    /// Rows changed by all executions of this statement so far.
    fn affected_rows(&self) -> impl Future<Output = usize> + Send;

    /// The rows of an executed SELECT.
    ///
    /// # Errors
    /// For an INSERT, or before [`exec`](Self::exec).
    fn result_set(&self) -> impl Future<Output = RawResult<Q::AsyncResultSet>> + Send;

    /// True for an INSERT, `None` before [`prepare`](Self::prepare).
    fn is_insert(&self) -> Option<bool>;

    /// What each `?` of a prepared INSERT stands for, in the order of the SQL; `None` for a SELECT
    /// and where the server does not tell.
    fn fields(&self) -> Option<&[Stmt2Field]>;
}
