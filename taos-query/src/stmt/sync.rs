use super::{AsyncBindable, Stmt2AsyncBindable, Stmt2BindParam, Stmt2Field};
use crate::block::ColumnView;
use crate::common::Value;
use crate::error::RawResult;
use crate::traits::AsyncQueryable;
use crate::traits::sync::Queryable;
use crate::util::{block_on, generate_req_id};

/// A prepared statement of the first generation, blocking; see [`AsyncBindable`].
pub trait Bindable<Q: Queryable>: Sized {
    /// Makes a statement on a connection.
    fn init(taos: &Q) -> RawResult<Self> {
        Self::init_with_req_id(taos, generate_req_id())
    }

    /// As [`init`](Self::init), with a request id that shows in the server's logs.
    fn init_with_req_id(taos: &Q, req_id: u64) -> RawResult<Self>;

    /// Prepares an INSERT or SELECT with `?` in it.
    fn prepare<S: AsRef<str>>(&mut self, sql: S) -> RawResult<&mut Self>;

    /// Names the table that the following columns go to.
    fn set_tbname<S: AsRef<str>>(&mut self, name: S) -> RawResult<&mut Self>;

    /// Gives the tags of the table, one value a `?`.
    fn set_tags(&mut self, tags: &[Value]) -> RawResult<&mut Self>;

    /// [`set_tbname`](Self::set_tbname) and [`set_tags`](Self::set_tags) in one call.
    fn set_tbname_tags<S: AsRef<str>>(&mut self, name: S, tags: &[Value]) -> RawResult<&mut Self> {
        self.set_tbname(name)?.set_tags(tags)
    }

    /// Gives the columns, each with the same number of rows.
    fn bind(&mut self, params: &[ColumnView]) -> RawResult<&mut Self>;

    /// Closes the batch of the current table.
    fn add_batch(&mut self) -> RawResult<&mut Self>;

    /// Sends all batches and returns the rows that this execution changed.
    fn execute(&mut self) -> RawResult<usize>;

    /// Rows changed by all executions of this statement so far.
    fn affected_rows(&self) -> usize;

    /// The rows of an executed SELECT.
    fn result_set(&mut self) -> RawResult<Q::ResultSet>;
}

impl<Q: AsyncQueryable, S: AsyncBindable<Q>> Bindable<Q> for S {
    fn init_with_req_id(taos: &Q, req_id: u64) -> RawResult<Self> {
        let init = <S as AsyncBindable<Q>>::init_with_req_id(taos, req_id);
        block_on(taos.home(), init)?
    }

    fn prepare<T: AsRef<str>>(&mut self, sql: T) -> RawResult<&mut Self> {
        block_on(self.home(), AsyncBindable::prepare(self, sql.as_ref()))?
    }

    fn set_tbname<T: AsRef<str>>(&mut self, name: T) -> RawResult<&mut Self> {
        block_on(self.home(), AsyncBindable::set_tbname(self, name.as_ref()))?
    }

    fn set_tags(&mut self, tags: &[Value]) -> RawResult<&mut Self> {
        block_on(self.home(), AsyncBindable::set_tags(self, tags))?
    }

    fn bind(&mut self, params: &[ColumnView]) -> RawResult<&mut Self> {
        block_on(self.home(), AsyncBindable::bind(self, params))?
    }

    fn add_batch(&mut self) -> RawResult<&mut Self> {
        block_on(self.home(), AsyncBindable::add_batch(self))?
    }

    fn execute(&mut self) -> RawResult<usize> {
        block_on(self.home(), AsyncBindable::execute(self))?
    }

    fn affected_rows(&self) -> usize {
        block_on(None, AsyncBindable::affected_rows(self)).unwrap_or_default()
    }

    fn result_set(&mut self) -> RawResult<Q::AsyncResultSet> {
        block_on(self.home(), AsyncBindable::result_set(self))?
    }
}

/// A prepared statement of the second generation, blocking; see [`Stmt2AsyncBindable`].
pub trait Stmt2Bindable<Q: Queryable>: Sized {
    /// Makes a statement on a connection.
    fn init(taos: &Q) -> RawResult<Self>;

    /// Prepares an INSERT or SELECT with `?` in it.
    fn prepare<S: AsRef<str>>(&mut self, sql: S) -> RawResult<&mut Self>;

    /// Gives data for one or more tables, or the one row of a SELECT's parameters.
    fn bind(&mut self, params: &[Stmt2BindParam]) -> RawResult<&mut Self>;

    /// Runs the statement with what was bound and returns the rows it changed.
    fn exec(&mut self) -> RawResult<usize>;

    /// Rows changed by all executions of this statement so far.
    fn affected_rows(&self) -> usize;

    /// The rows of an executed SELECT.
    fn result_set(&self) -> RawResult<Q::ResultSet>;

    /// True for an INSERT, `None` before [`prepare`](Self::prepare).
    fn is_insert(&self) -> Option<bool>;

    /// What each `?` of a prepared INSERT stands for.
    fn fields(&self) -> Option<&[Stmt2Field]>;
}

impl<Q: AsyncQueryable, S: Stmt2AsyncBindable<Q> + Sync> Stmt2Bindable<Q> for S {
    fn init(taos: &Q) -> RawResult<Self> {
        block_on(taos.home(), <S as Stmt2AsyncBindable<Q>>::init(taos))?
    }

    fn prepare<T: AsRef<str>>(&mut self, sql: T) -> RawResult<&mut Self> {
        block_on(self.home(), Stmt2AsyncBindable::prepare(self, sql.as_ref()))?
    }

    fn bind(&mut self, params: &[Stmt2BindParam]) -> RawResult<&mut Self> {
        block_on(self.home(), Stmt2AsyncBindable::bind(self, params))?
    }

    fn exec(&mut self) -> RawResult<usize> {
        block_on(self.home(), Stmt2AsyncBindable::exec(self))?
    }

    fn affected_rows(&self) -> usize {
        block_on(None, Stmt2AsyncBindable::affected_rows(self)).unwrap_or_default()
    }

    fn result_set(&self) -> RawResult<Q::AsyncResultSet> {
        block_on(self.home(), Stmt2AsyncBindable::result_set(self))?
    }

    fn is_insert(&self) -> Option<bool> {
        Stmt2AsyncBindable::is_insert(self)
    }

    fn fields(&self) -> Option<&[Stmt2Field]> {
        Stmt2AsyncBindable::fields(self)
    }
}
