use std::borrow::Cow;
use std::fmt::Display;
use std::future::Future;

use futures_util::TryStreamExt;
use serde::de::DeserializeOwned;
use tokio::runtime;

use super::AsyncFetchable;
use crate::Capabilities;
use crate::common::Field;
use crate::error::{ErrorKind, RawError, RawResult};
use crate::helpers::{Describe, ShowDatabase, Topic, quote_name, quote_table};
use crate::util::{block_on, generate_req_id};
use crate::{RawBlock, RawMeta, SmlData};

/// Runs SQL on a connection.
///
/// A backend implements [`query_with_req_id`](Self::query_with_req_id) and
/// [`home`](Self::home); everything else is written over it.
///
/// # Cancel safety
/// Every future may be dropped at any point: the connection stays usable. A statement that was under
/// way may or may not have been run.
pub trait AsyncQueryable: Send + Sync + Sized {
    /// The result of a query.
    type AsyncResultSet: AsyncFetchable;

    /// Runs a statement; `req_id` shows in the server's logs and must be unique among the requests
    /// in flight.
    fn query_with_req_id<T: AsRef<str> + Send + Sync>(
        &self,
        sql: T,
        req_id: u64,
    ) -> impl Future<Output = RawResult<Self::AsyncResultSet>> + Send;

    /// The runtime that the connection's own task lives on, if there is one: blocking calls from
    /// inside that very runtime, when it has a single thread, are refused instead of hanging.
    #[doc(hidden)]
    fn home(&self) -> Option<runtime::Id> {
        None
    }

    /// What this backend can do.
    fn capabilities(&self) -> Capabilities {
        Capabilities::TDENGINE
    }

    /// Runs any statement.
    fn query<T: AsRef<str> + Send + Sync>(
        &self,
        sql: T,
    ) -> impl Future<Output = RawResult<Self::AsyncResultSet>> + Send {
        self.query_with_req_id(sql, generate_req_id())
    }

    /// As [`query`](Self::query), for one who takes a row and leaves: a backend may answer with the
    /// first block at hand, and need not fetch ahead of the reader.
    #[doc(hidden)]
    fn query_first_block<T: AsRef<str> + Send + Sync>(
        &self,
        sql: T,
    ) -> impl Future<Output = RawResult<Self::AsyncResultSet>> + Send {
        self.query(sql)
    }

    /// Runs a statement and returns the number of affected rows.
    fn exec<T: AsRef<str> + Send + Sync>(
        &self,
        sql: T,
    ) -> impl Future<Output = RawResult<usize>> + Send {
        self.exec_with_req_id(sql, generate_req_id())
    }

    /// As [`exec`](Self::exec), with a request id of the caller.
    fn exec_with_req_id<T: AsRef<str> + Send + Sync>(
        &self,
        sql: T,
        req_id: u64,
    ) -> impl Future<Output = RawResult<usize>> + Send {
        async move {
            let result = self.query_with_req_id(sql, req_id).await?;
            Ok(affected(&result))
        }
    }

    /// Runs statements one after another, stops at the first error, and returns the sum of affected
    /// rows.
    ///
    /// # Errors
    /// The error of the first statement that fails, with its number, counted from 1, in front; those
    /// before it have been run.
    fn exec_many<T, I>(&self, input: I) -> impl Future<Output = RawResult<usize>> + Send
    where
        T: AsRef<str> + Send + Sync,
        I: IntoIterator<Item = T> + Send,
        I::IntoIter: Send,
    {
        async move {
            let mut sum = 0;
            for (nth, sql) in (1usize..).zip(input) {
                sum += self.exec(sql).await.map_err(|e| in_batch(e, nth))?;
            }
            Ok(sum)
        }
    }

    /// The first row of the result, or `None` if there are no rows.
    fn query_one<T: AsRef<str> + Send + Sync, O: DeserializeOwned + Send>(
        &self,
        sql: T,
    ) -> impl Future<Output = RawResult<Option<O>>> + Send {
        async move {
            let mut result = self.query_first_block(sql).await?;
            let first = result.deserialize::<O>().try_next().await?;
            Ok(first)
        }
    }

    /// The server's version, as `select server_version()` gives it.
    fn server_version(&self) -> impl Future<Output = RawResult<Cow<'_, str>>> + Send {
        async move {
            let version = self
                .query_one::<_, String>("select server_version()")
                .await?;
            version.map(Cow::Owned).ok_or_else(no_version)
        }
    }

    /// Creates a database unless it exists. The name is quoted.
    fn create_database<N: AsRef<str> + Send>(
        &self,
        name: N,
    ) -> impl Future<Output = RawResult<()>> + Send {
        let sql =
            quote_name(name.as_ref()).map(|name| format!("create database if not exists {name}"));
        async move { self.exec(sql?).await.map(drop) }
    }

    /// Makes a database the current one of this connection. The name is quoted.
    fn use_database<N: AsRef<str> + Send>(
        &self,
        name: N,
    ) -> impl Future<Output = RawResult<()>> + Send {
        let sql = quote_name(name.as_ref()).map(|name| format!("use {name}"));
        async move { self.exec(sql?).await.map(drop) }
    }

    /// True if the database is there.
    ///
    /// # Errors
    /// When the server cannot be asked; that is not the same as `false`.
    fn database_exists(&self, name: &str) -> impl Future<Output = RawResult<bool>> + Send {
        async move {
            let mut result = self.query("show databases").await?;
            let mut names = result.deserialize::<String>();
            while let Some(found) = names.try_next().await? {
                if found == name {
                    return Ok(true);
                }
            }
            Ok(false)
        }
    }

    /// The databases of the server.
    fn databases(&self) -> impl Future<Output = RawResult<Vec<ShowDatabase>>> + Send {
        async move {
            // `show databases` has names only since 3.0; this table has the rest as well.
            let sql = "select * from information_schema.ins_databases";
            let mut result = self.query(sql).await?;
            result.deserialize().try_collect().await
        }
    }

    /// The columns and tags of a table, which may be given as `table` or `database.table`.
    fn describe(&self, table: &str) -> impl Future<Output = RawResult<Describe>> + Send {
        let sql = quote_table(table).map(|table| format!("describe {table}"));
        async move {
            let mut result = self.query(sql?).await?;
            let rows: Vec<_> = result.deserialize().try_collect().await?;
            Ok(Describe(rows))
        }
    }

    /// The topics of the server.
    fn topics(&self) -> impl Future<Output = RawResult<Vec<Topic>>> + Send {
        async move {
            let sql = "select * from information_schema.ins_topics";
            let mut result = self.query(sql).await?;
            result.deserialize().try_collect().await
        }
    }

    /// Creates a topic over a query unless it exists. The name is quoted.
    fn create_topic<N: AsRef<str> + Send + Sync, S: AsRef<str> + Send>(
        &self,
        name: N,
        sql: S,
    ) -> impl Future<Output = RawResult<()>> + Send {
        let sql = create_topic(name.as_ref(), sql.as_ref());
        async move { self.exec(sql?).await.map(drop) }
    }

    /// Creates a topic over a whole database, changes of its tables included, unless it exists. Both
    /// names are quoted.
    fn create_topic_as_database(
        &self,
        name: impl AsRef<str> + Send + Sync,
        db: impl Display + Send,
    ) -> impl Future<Output = RawResult<()>> + Send {
        let sql = create_topic_as_database(name.as_ref(), &db.to_string());
        async move { self.exec(sql?).await.map(drop) }
    }

    /// The virtual group that a table lives in; `None` if the backend cannot tell, as over WebSocket.
    fn table_vgroup_id(&self, db: &str, table: &str) -> impl Future<Output = Option<i32>> + Send {
        let _ = (db, table);
        async { None }
    }

    /// The virtual groups that tables live in; `None` if the backend cannot tell, as over WebSocket.
    fn tables_vgroup_ids<T: AsRef<str> + Sync>(
        &self,
        db: &str,
        tables: &[T],
    ) -> impl Future<Output = Option<Vec<i32>>> + Send {
        let _ = (db, tables);
        async { None }
    }

    /// Writes lines whose tables the server makes by itself.
    ///
    /// # Errors
    /// The server's, for the whole of the data if one line is bad; `Unsupported` from a backend
    /// without schemaless writes.
    fn put(&self, data: &SmlData) -> impl Future<Output = RawResult<()>> + Send {
        let _ = data;
        async { Err(unsupported("schemaless writes")) }
    }

    /// Replays a raw message of a topic into the current database.
    ///
    /// # Errors
    /// The server's; `Unsupported` from a backend that cannot.
    fn write_raw_meta(&self, meta: &RawMeta) -> impl Future<Output = RawResult<()>> + Send {
        let _ = meta;
        async { Err(unsupported("writing raw messages")) }
    }

    /// Writes a block into the table that it names, in the current database. Columns go by name if
    /// the block has names, else by position.
    ///
    /// # Errors
    /// When the block names no table, and the server's.
    fn write_raw_block(&self, block: &RawBlock) -> impl Future<Output = RawResult<()>> + Send {
        self.write_raw_block_with_req_id(block, generate_req_id())
    }

    /// As [`write_raw_block`](Self::write_raw_block), with a request id of the caller.
    ///
    /// # Errors
    /// As that; `Unsupported` from a backend that cannot.
    fn write_raw_block_with_req_id(
        &self,
        block: &RawBlock,
        req_id: u64,
    ) -> impl Future<Output = RawResult<()>> + Send {
        let _ = (block, req_id);
        async { Err(unsupported("writing raw blocks")) }
    }

    /// Writes a block into the table that it names, its columns by these names, which may be fewer
    /// than the table's: the others become NULL.
    ///
    /// # Errors
    /// As [`write_raw_block`](Self::write_raw_block), and for another number of fields than columns.
    fn write_raw_block_with_fields(
        &self,
        block: &RawBlock,
        fields: &[Field],
    ) -> impl Future<Output = RawResult<()>> + Send {
        let named = named(block, fields);
        async move { self.write_raw_block(&named?).await }
    }

    /// [`exec`](Self::exec), blocking.
    fn exec_sync<T: AsRef<str> + Send + Sync>(&self, sql: T) -> RawResult<usize> {
        block_on(self.home(), self.exec(sql))?
    }

    /// [`query`](Self::query), blocking.
    fn query_sync<T: AsRef<str> + Send + Sync>(&self, sql: T) -> RawResult<Self::AsyncResultSet> {
        block_on(self.home(), self.query(sql))?
    }
}

fn named(block: &RawBlock, fields: &[Field]) -> RawResult<RawBlock> {
    if fields.len() != block.ncols() {
        return Err(RawError::of(
            ErrorKind::Config,
            format!(
                "the block has {} columns, but {} fields were given",
                block.ncols(),
                fields.len()
            ),
        ));
    }
    if let Some(nameless) = fields.iter().position(|field| field.name().is_empty()) {
        return Err(RawError::of(
            ErrorKind::Config,
            format!(
                "field {nameless} has no name to find its column by; to write by position, call \
                 write_raw_block"
            ),
        ));
    }
    let mut block = block.clone();
    block.with_field_names(fields.iter().map(Field::name));
    Ok(block)
}

fn unsupported(what: &str) -> RawError {
    RawError::of(
        ErrorKind::Unsupported,
        format!("this backend does not have {what}"),
    )
}

fn create_topic(name: &str, sql: &str) -> RawResult<String> {
    let name = quote_name(name)?;
    Ok(format!("create topic if not exists {name} as {sql}"))
}

fn create_topic_as_database(name: &str, db: &str) -> RawResult<String> {
    let (name, db) = (quote_name(name)?, quote_name(db)?);
    Ok(format!(
        "create topic if not exists {name} with meta as database {db}"
    ))
}

fn affected(result: &impl AsyncFetchable) -> usize {
    usize::try_from(result.affected_rows64()).unwrap_or_default()
}

/// Says which of several statements failed; their texts may hold what must not be shown.
pub(crate) fn in_batch(error: RawError, nth: usize) -> RawError {
    error.context(format!("statement {nth} of exec_many"))
}

fn no_version() -> RawError {
    RawError::of(
        ErrorKind::Protocol,
        "the server answered `select server_version()` without a row",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_created_with_meta_and_quoted_names() {
        assert_eq!(
            create_topic_as_database("t", "`d`").unwrap(),
            "create topic if not exists `t` with meta as database `d`"
        );
        assert_eq!(
            create_topic("t", "select * from d.m").unwrap(),
            "create topic if not exists `t` as select * from d.m"
        );
        assert!(create_topic("a`b", "select 1").is_err());
    }
}
