//! SQL behind the common trait.

use std::borrow::Cow;
use std::fmt::Display;

use taos_query::common::Field;
use taos_query::helpers::{Describe, ShowDatabase, Topic};
use taos_query::{
    AsyncQueryable, Capabilities, ErrorKind, RawBlock, RawError, RawMeta, RawResult, SmlData,
};

use super::{ResultSet, Taos, Way, describe};

const BACKEND: &str = "QuestDB";
/// The only database that there is.
const DATABASE: &str = "qdb";

fn unsupported<T>(what: &str) -> RawResult<T> {
    Err(RawError::unsupported(what, BACKEND))
}

fn not_empty(sql: &str) -> RawResult<&str> {
    if sql.trim().is_empty() {
        return Err(RawError::of(ErrorKind::Config, "the statement is empty"));
    }
    Ok(sql)
}

impl AsyncQueryable for Taos {
    type AsyncResultSet = ResultSet;

    fn capabilities(&self) -> Capabilities {
        let (qwp, tcp) = match self.shared.way {
            Way::Http(_) => (false, false),
            Way::Tcp => (false, true),
            Way::WebSocket(_) => (true, false),
        };
        let mut capabilities = Capabilities::QUESTDB;
        capabilities.queries = !tcp;
        capabilities.prepared_queries = qwp;
        capabilities.affected_rows = qwp;
        capabilities.lasting_connections = qwp || tcp;
        capabilities
    }

    /// Runs a statement. The server knows no request ids, so `req_id` is not sent.
    ///
    /// # Errors
    /// Kind `Server` with the server's words and the position in the statement; over TCP, which takes
    /// lines only, `Unsupported`.
    async fn query_with_req_id<T: AsRef<str> + Send + Sync>(
        &self,
        sql: T,
        _req_id: u64,
    ) -> RawResult<ResultSet> {
        self.shared.query(not_empty(sql.as_ref())?).await
    }

    /// Runs a statement to the end of its answer; rows are passed over.
    ///
    /// # Errors
    /// As [`query_with_req_id`](Self::query_with_req_id), also those that come behind rows; `Timeout`
    /// when there is no end to them.
    async fn exec_with_req_id<T: AsRef<str> + Send + Sync>(
        &self,
        sql: T,
        _req_id: u64,
    ) -> RawResult<usize> {
        self.shared.exec(not_empty(sql.as_ref())?).await
    }

    /// The server's release, such as `9.3.4`.
    async fn server_version(&self) -> RawResult<Cow<'_, str>> {
        self.shared.version().await.map(Cow::Borrowed)
    }

    async fn create_database<N: AsRef<str> + Send>(&self, _name: N) -> RawResult<()> {
        unsupported("creating a database (create_database)")
    }

    async fn use_database<N: AsRef<str> + Send>(&self, _name: N) -> RawResult<()> {
        unsupported("choosing a database (use_database)")
    }

    /// True for `qdb`, the only database.
    async fn database_exists(&self, name: &str) -> RawResult<bool> {
        Ok(name == DATABASE)
    }

    /// The only database, `qdb`.
    async fn databases(&self) -> RawResult<Vec<ShowDatabase>> {
        Ok(vec![ShowDatabase {
            name: DATABASE.to_owned(),
            created_time: None,
            ntables: None,
            props: taos_query::helpers::DatabaseProperties::new(),
            status: None,
        }])
    }

    async fn describe(&self, table: &str) -> RawResult<Describe> {
        describe::describe(self, table).await
    }

    async fn topics(&self) -> RawResult<Vec<Topic>> {
        unsupported("listing topics (topics)")
    }

    async fn create_topic<N: AsRef<str> + Send + Sync, S: AsRef<str> + Send>(
        &self,
        _name: N,
        _sql: S,
    ) -> RawResult<()> {
        unsupported("creating a topic (create_topic)")
    }

    async fn create_topic_as_database(
        &self,
        _name: impl AsRef<str> + Send + Sync,
        _db: impl Display + Send,
    ) -> RawResult<()> {
        unsupported("creating a topic (create_topic_as_database)")
    }

    /// Writes lines of InfluxDB's protocol as they are.
    ///
    /// # Errors
    /// `Unsupported` for OpenTSDB's formats, a ttl and a table name key; the server's.
    async fn put(&self, data: &SmlData) -> RawResult<()> {
        self.shared.put(data).await
    }

    async fn write_raw_meta(&self, _meta: &RawMeta) -> RawResult<()> {
        unsupported("writing raw messages (write_raw_meta)")
    }

    async fn write_raw_block_with_req_id(&self, _block: &RawBlock, _req_id: u64) -> RawResult<()> {
        unsupported("writing raw blocks (write_raw_block)")
    }

    async fn write_raw_block_with_fields(
        &self,
        _block: &RawBlock,
        _fields: &[Field],
    ) -> RawResult<()> {
        unsupported("writing raw blocks (write_raw_block_with_fields)")
    }
}
