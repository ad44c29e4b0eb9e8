//! The blocking traits: one adapter over the async ones, for every backend at once.
//!
//! Connections made here live on [`global_tokio_runtime`](crate::util::global_tokio_runtime). The
//! calls may be made from plain threads and from inside runtimes of either kind.

use std::borrow::Cow;
use std::future::poll_fn;
use std::iter::FusedIterator;
use std::marker::PhantomData;
use std::sync::Arc;

use chrono_tz::Tz;
use serde::de::DeserializeOwned;

use super::query::in_batch;
use super::{AsyncFetchable, AsyncQueryable, AsyncTBuilder, PollBlock};
use crate::block::{RawBlock, RowView};
use crate::common::{Field, Precision, Value};
use crate::de::RowPlan;
use crate::dsn::IntoDsn;
use crate::error::RawResult;
use crate::helpers::{Describe, ShowDatabase};
use crate::util::{Edition, block_on};
use crate::{RawMeta, SmlData};
use tokio::runtime;

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

/// Runs SQL on a connection, blocking; see [`AsyncQueryable`].
pub trait Queryable {
    /// The result of a query.
    type ResultSet: Fetchable;

    /// Runs any statement.
    fn query<T: AsRef<str> + Send + Sync>(&self, sql: T) -> RawResult<Self::ResultSet>;

    /// Runs a statement under a request id that shows in the server's logs.
    fn query_with_req_id<T: AsRef<str> + Send + Sync>(
        &self,
        sql: T,
        req_id: u64,
    ) -> RawResult<Self::ResultSet>;

    /// Runs a statement and returns the number of affected rows.
    fn exec<T: AsRef<str> + Send + Sync>(&self, sql: T) -> RawResult<usize>;

    /// As [`exec`](Self::exec), with a request id of the caller.
    fn exec_with_req_id<T: AsRef<str> + Send + Sync>(
        &self,
        sql: T,
        req_id: u64,
    ) -> RawResult<usize>;

    /// Runs statements one after another up to the first error; the sum of affected rows.
    fn exec_many<T, I>(&self, input: I) -> RawResult<usize>
    where
        T: AsRef<str> + Send + Sync,
        I: IntoIterator<Item = T>,
    {
        let mut sum = 0;
        for (nth, sql) in (1usize..).zip(input) {
            sum += self.exec(sql).map_err(|e| in_batch(e, nth))?;
        }
        Ok(sum)
    }

    /// The first row of the result, or `None` if there are no rows.
    fn query_one<T: AsRef<str> + Send + Sync, O: DeserializeOwned + Send>(
        &self,
        sql: T,
    ) -> RawResult<Option<O>>;

    /// The server's version.
    fn server_version(&self) -> RawResult<Cow<'_, str>>;

    /// Creates a database unless it exists. The name is quoted.
    fn create_database<N: AsRef<str> + Send>(&self, name: N) -> RawResult<()>;

    /// Makes a database the current one of this connection. The name is quoted.
    fn use_database<N: AsRef<str> + Send>(&self, name: N) -> RawResult<()>;

    /// True if the database is there.
    ///
    /// # Errors
    /// When the server cannot be asked; that is not the same as `false`.
    fn database_exists(&self, name: &str) -> RawResult<bool>;

    /// The databases of the server.
    fn databases(&self) -> RawResult<Vec<ShowDatabase>>;

    /// The columns and tags of a table, given as `table` or `database.table`.
    fn describe(&self, table: &str) -> RawResult<Describe>;

    /// Writes lines whose tables the server makes by itself.
    fn put(&self, data: &SmlData) -> RawResult<()>;

    /// Replays a raw message of a topic into the current database.
    fn write_raw_meta(&self, meta: &RawMeta) -> RawResult<()>;

    /// Writes a block into the table that it names.
    fn write_raw_block(&self, block: &RawBlock) -> RawResult<()>;

    /// As [`write_raw_block`](Self::write_raw_block), with a request id of the caller.
    fn write_raw_block_with_req_id(&self, block: &RawBlock, req_id: u64) -> RawResult<()>;
}

impl<Q: AsyncQueryable> Queryable for Q {
    type ResultSet = Q::AsyncResultSet;

    fn query<T: AsRef<str> + Send + Sync>(&self, sql: T) -> RawResult<Self::ResultSet> {
        block_on(self.home(), AsyncQueryable::query(self, sql))?
    }

    fn query_with_req_id<T: AsRef<str> + Send + Sync>(
        &self,
        sql: T,
        req_id: u64,
    ) -> RawResult<Self::ResultSet> {
        let query = AsyncQueryable::query_with_req_id(self, sql, req_id);
        block_on(self.home(), query)?
    }

    fn exec<T: AsRef<str> + Send + Sync>(&self, sql: T) -> RawResult<usize> {
        block_on(self.home(), AsyncQueryable::exec(self, sql))?
    }

    fn exec_with_req_id<T: AsRef<str> + Send + Sync>(
        &self,
        sql: T,
        req_id: u64,
    ) -> RawResult<usize> {
        let exec = AsyncQueryable::exec_with_req_id(self, sql, req_id);
        block_on(self.home(), exec)?
    }

    fn query_one<T: AsRef<str> + Send + Sync, O: DeserializeOwned + Send>(
        &self,
        sql: T,
    ) -> RawResult<Option<O>> {
        block_on(self.home(), AsyncQueryable::query_one(self, sql))?
    }

    fn server_version(&self) -> RawResult<Cow<'_, str>> {
        block_on(self.home(), AsyncQueryable::server_version(self))?
    }

    fn create_database<N: AsRef<str> + Send>(&self, name: N) -> RawResult<()> {
        block_on(self.home(), AsyncQueryable::create_database(self, name))?
    }

    fn use_database<N: AsRef<str> + Send>(&self, name: N) -> RawResult<()> {
        block_on(self.home(), AsyncQueryable::use_database(self, name))?
    }

    fn database_exists(&self, name: &str) -> RawResult<bool> {
        block_on(self.home(), AsyncQueryable::database_exists(self, name))?
    }

    fn databases(&self) -> RawResult<Vec<ShowDatabase>> {
        block_on(self.home(), AsyncQueryable::databases(self))?
    }

    fn describe(&self, table: &str) -> RawResult<Describe> {
        block_on(self.home(), AsyncQueryable::describe(self, table))?
    }

    fn put(&self, data: &SmlData) -> RawResult<()> {
        block_on(self.home(), AsyncQueryable::put(self, data))?
    }

    fn write_raw_meta(&self, meta: &RawMeta) -> RawResult<()> {
        block_on(self.home(), AsyncQueryable::write_raw_meta(self, meta))?
    }

    fn write_raw_block(&self, block: &RawBlock) -> RawResult<()> {
        block_on(self.home(), AsyncQueryable::write_raw_block(self, block))?
    }

    fn write_raw_block_with_req_id(&self, block: &RawBlock, req_id: u64) -> RawResult<()> {
        let write = AsyncQueryable::write_raw_block_with_req_id(self, block, req_id);
        block_on(self.home(), write)?
    }
}

/// The result of a query, blocking; see [`AsyncFetchable`].
pub trait Fetchable: Sized {
    /// The columns; empty for statements without rows.
    fn fields(&self) -> &[Field];

    /// The unit of the timestamps in this result.
    fn precision(&self) -> Precision;

    /// The number of rows that the statement changed, `i32::MAX` for more.
    fn affected_rows(&self) -> i32;

    /// The number of rows that the statement changed.
    fn affected_rows64(&self) -> i64;

    /// Blocks and rows taken so far.
    fn summary(&self) -> (usize, usize);

    /// The time zone in which timestamps are written as text; `None` is the local one.
    fn timezone(&self) -> Option<Tz>;

    /// The number of columns.
    fn num_of_fields(&self) -> usize {
        self.fields().len()
    }

    /// The result block by block.
    fn blocks(&mut self) -> BlockIter<'_>;

    /// The result row by row.
    fn rows(&mut self) -> RowIter<'_>;

    /// The result as values of a type that serde can read.
    fn deserialize<V: DeserializeOwned>(&mut self) -> DeserializeIter<'_, V>;

    /// The next block, `None` at the end.
    #[doc(hidden)]
    fn fetch_raw_block(&mut self) -> RawResult<Option<RawBlock>> {
        self.blocks().next().transpose()
    }

    /// All rows as values, in memory at once.
    fn to_rows_vec(&mut self) -> RawResult<Vec<Vec<Value>>> {
        self.rows()
            .map(|row| row.map(RowView::into_values))
            .collect()
    }
}

impl<R: AsyncFetchable> Fetchable for R {
    fn fields(&self) -> &[Field] {
        AsyncFetchable::fields(self)
    }

    fn precision(&self) -> Precision {
        AsyncFetchable::precision(self)
    }

    fn affected_rows(&self) -> i32 {
        AsyncFetchable::affected_rows(self)
    }

    fn affected_rows64(&self) -> i64 {
        AsyncFetchable::affected_rows64(self)
    }

    fn summary(&self) -> (usize, usize) {
        AsyncFetchable::summary(self)
    }

    fn timezone(&self) -> Option<Tz> {
        AsyncFetchable::timezone(self)
    }

    fn blocks(&mut self) -> BlockIter<'_> {
        BlockIter {
            home: self.home(),
            source: self.split().1,
        }
    }

    fn rows(&mut self) -> RowIter<'_> {
        let home = self.home();
        let (fields, source) = self.split();
        RowIter {
            fields,
            blocks: BlockIter { source, home },
            block: None,
            row: 0,
        }
    }

    fn deserialize<V: DeserializeOwned>(&mut self) -> DeserializeIter<'_, V> {
        DeserializeIter {
            blocks: Fetchable::blocks(self),
            block: None,
            row: 0,
            plan: RowPlan::default(),
            value: PhantomData,
        }
    }
}

/// The blocks of a result.
pub struct BlockIter<'a> {
    source: &'a mut dyn PollBlock,
    home: Option<runtime::Id>,
}

impl Iterator for BlockIter<'_> {
    type Item = RawResult<RawBlock>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = poll_fn(|cx| self.source.poll_block(cx));
        block_on(self.home, next)
            .and_then(|block| block)
            .transpose()
    }
}

impl FusedIterator for BlockIter<'_> {}

/// The rows of a result.
pub struct RowIter<'a> {
    fields: &'a [Field],
    blocks: BlockIter<'a>,
    block: Option<Arc<RawBlock>>,
    row: usize,
}

impl<'a> Iterator for RowIter<'a> {
    type Item = RawResult<RowView<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(block) = &self.block
                && self.row < block.nrows()
            {
                let row = RowView::shared(Arc::clone(block), self.fields, self.row);
                self.row += 1;
                return Some(Ok(row));
            }
            match self.blocks.next()? {
                Ok(block) => self.block = Some(Arc::new(block)),
                Err(error) => return Some(Err(error)),
            }
            self.row = 0;
        }
    }
}

/// The rows of a result, read into `V`.
pub struct DeserializeIter<'a, V> {
    blocks: BlockIter<'a>,
    block: Option<RawBlock>,
    row: usize,
    plan: RowPlan,
    value: PhantomData<fn() -> V>,
}

impl<V: DeserializeOwned> Iterator for DeserializeIter<'_, V> {
    type Item = RawResult<V>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(block) = &self.block
                && self.row < block.nrows()
            {
                let row = self.row;
                self.row += 1;
                return Some(block.deserialize_row(row, &mut self.plan));
            }
            self.block = match self.blocks.next()? {
                Ok(block) => Some(block),
                Err(error) => return Some(Err(error)),
            };
            self.row = 0;
        }
    }
}
