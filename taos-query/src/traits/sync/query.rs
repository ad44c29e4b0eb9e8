use std::borrow::Cow;
use std::fmt::Display;

use serde::de::DeserializeOwned;

use super::Fetchable;
use crate::block::RawBlock;
use crate::common::Field;
use crate::error::RawResult;
use crate::helpers::{Describe, ShowDatabase, Topic};
use crate::traits::AsyncQueryable;
use crate::traits::query::in_batch;
use crate::util::block_on;
use crate::{Capabilities, RawMeta, SmlData};

/// Runs SQL on a connection, blocking; see [`AsyncQueryable`].
pub trait Queryable {
    /// The result of a query.
    type ResultSet: Fetchable;

    /// What this backend can do.
    fn capabilities(&self) -> Capabilities;

    /// Runs any statement.
    fn query<T: AsRef<str>>(&self, sql: T) -> RawResult<Self::ResultSet>;

    /// Runs a statement under a request id that shows in the server's logs.
    fn query_with_req_id<T: AsRef<str>>(&self, sql: T, req_id: u64) -> RawResult<Self::ResultSet>;

    /// Runs a statement and returns the number of affected rows.
    fn exec<T: AsRef<str>>(&self, sql: T) -> RawResult<usize>;

    /// As [`exec`](Self::exec), with a request id of the caller.
    fn exec_with_req_id<T: AsRef<str>>(&self, sql: T, req_id: u64) -> RawResult<usize>;

    /// Runs statements one after another up to the first error; the sum of affected rows.
    fn exec_many<T, I>(&self, input: I) -> RawResult<usize>
    where
        T: AsRef<str>,
        I: IntoIterator<Item = T>,
    {
        let mut sum = 0;
        for (nth, sql) in (1usize..).zip(input) {
            sum += self.exec(sql).map_err(|e| in_batch(e, nth))?;
        }
        Ok(sum)
    }

    /// The first row of the result, or `None` if there are no rows.
    fn query_one<T: AsRef<str>, O: DeserializeOwned>(&self, sql: T) -> RawResult<Option<O>>;

    /// The server's version.
    fn server_version(&self) -> RawResult<Cow<'_, str>>;

    /// Creates a database unless it exists. The name is quoted.
    fn create_database<N: AsRef<str>>(&self, name: N) -> RawResult<()>;

    /// Makes a database the current one of this connection. The name is quoted.
    fn use_database<N: AsRef<str>>(&self, name: N) -> RawResult<()>;

    /// True if the database is there.
    ///
    /// # Errors
    /// When the server cannot be asked; that is not the same as `false`.
    fn database_exists(&self, name: &str) -> RawResult<bool>;

    /// The databases of the server.
    fn databases(&self) -> RawResult<Vec<ShowDatabase>>;

    /// The topics of the server.
    fn topics(&self) -> RawResult<Vec<Topic>>;

    /// Creates a topic over a query unless it exists. The name is quoted.
    fn create_topic(&self, name: impl AsRef<str>, sql: impl AsRef<str>) -> RawResult<()>;

    /// Creates a topic over a whole database, changes of its tables included, unless it exists. Both
    /// names are quoted.
    fn create_topic_as_database(&self, name: impl AsRef<str>, db: impl Display) -> RawResult<()>;

    /// The virtual group that a table lives in; `None` if the backend cannot tell, as over WebSocket.
    fn table_vgroup_id(&self, db: &str, table: &str) -> Option<i32>;

    /// The virtual groups that tables live in; `None` if the backend cannot tell, as over WebSocket.
    fn tables_vgroup_ids<T: AsRef<str>>(&self, db: &str, tables: &[T]) -> Option<Vec<i32>>;

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

    /// Writes a block into the table that it names, its columns by these names.
    fn write_raw_block_with_fields(&self, block: &RawBlock, fields: &[Field]) -> RawResult<()>;
}

impl<Q: AsyncQueryable> Queryable for Q {
    type ResultSet = Q::AsyncResultSet;

    fn capabilities(&self) -> Capabilities {
        AsyncQueryable::capabilities(self)
    }

    fn query<T: AsRef<str>>(&self, sql: T) -> RawResult<Self::ResultSet> {
        block_on(self.home(), AsyncQueryable::query(self, sql.as_ref()))?
    }

    fn query_with_req_id<T: AsRef<str>>(&self, sql: T, req_id: u64) -> RawResult<Self::ResultSet> {
        let query = AsyncQueryable::query_with_req_id(self, sql.as_ref(), req_id);
        block_on(self.home(), query)?
    }

    fn exec<T: AsRef<str>>(&self, sql: T) -> RawResult<usize> {
        block_on(self.home(), AsyncQueryable::exec(self, sql.as_ref()))?
    }

    fn exec_with_req_id<T: AsRef<str>>(&self, sql: T, req_id: u64) -> RawResult<usize> {
        let exec = AsyncQueryable::exec_with_req_id(self, sql.as_ref(), req_id);
        block_on(self.home(), exec)?
    }

    fn query_one<T: AsRef<str>, O: DeserializeOwned>(&self, sql: T) -> RawResult<Option<O>> {
        let query = AsyncQueryable::query_first_block(self, sql.as_ref());
        let mut result = block_on(self.home(), query)??;
        Fetchable::deserialize(&mut result).next().transpose()
    }

    fn server_version(&self) -> RawResult<Cow<'_, str>> {
        block_on(self.home(), AsyncQueryable::server_version(self))?
    }

    fn create_database<N: AsRef<str>>(&self, name: N) -> RawResult<()> {
        block_on(
            self.home(),
            AsyncQueryable::create_database(self, name.as_ref()),
        )?
    }

    fn use_database<N: AsRef<str>>(&self, name: N) -> RawResult<()> {
        block_on(
            self.home(),
            AsyncQueryable::use_database(self, name.as_ref()),
        )?
    }

    fn database_exists(&self, name: &str) -> RawResult<bool> {
        block_on(self.home(), AsyncQueryable::database_exists(self, name))?
    }

    fn databases(&self) -> RawResult<Vec<ShowDatabase>> {
        block_on(self.home(), AsyncQueryable::databases(self))?
    }

    fn topics(&self) -> RawResult<Vec<Topic>> {
        block_on(self.home(), AsyncQueryable::topics(self))?
    }

    fn create_topic(&self, name: impl AsRef<str>, sql: impl AsRef<str>) -> RawResult<()> {
        let create = AsyncQueryable::create_topic(self, name.as_ref(), sql.as_ref());
        block_on(self.home(), create)?
    }

    fn create_topic_as_database(&self, name: impl AsRef<str>, db: impl Display) -> RawResult<()> {
        let db = db.to_string();
        let create = AsyncQueryable::create_topic_as_database(self, name.as_ref(), db);
        block_on(self.home(), create)?
    }

    fn table_vgroup_id(&self, db: &str, table: &str) -> Option<i32> {
        let ask = AsyncQueryable::table_vgroup_id(self, db, table);
        block_on(self.home(), ask).ok()?
    }

    fn tables_vgroup_ids<T: AsRef<str>>(&self, db: &str, tables: &[T]) -> Option<Vec<i32>> {
        let tables: Vec<&str> = tables.iter().map(AsRef::as_ref).collect();
        let ask = AsyncQueryable::tables_vgroup_ids(self, db, &tables);
        block_on(self.home(), ask).ok()?
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

    fn write_raw_block_with_fields(&self, block: &RawBlock, fields: &[Field]) -> RawResult<()> {
        let write = AsyncQueryable::write_raw_block_with_fields(self, block, fields);
        block_on(self.home(), write)?
    }
}
