//! The names under which tools use the driver directly.

use crate::builder::TaosBuilder;
use crate::protocol::Version;
use crate::query::{ResultSet, Taos};
use taos_query::util::generate_req_id;
use taos_query::{AsyncQueryable as _, AsyncTBuilder as _, IntoDsn, RawResult};

/// The driver's connection. It is the same as [`Taos`]: cheap to clone, and all clones share one
/// socket.
pub type WsTaos = Taos;

impl Taos {
    /// Connects.
    ///
    /// # Errors
    /// As [`TaosBuilder::build`](taos_query::AsyncTBuilder::build).
    pub async fn from_dsn(dsn: impl IntoDsn) -> RawResult<Self> {
        TaosBuilder::from_dsn(dsn)?.build().await
    }

    /// A request id that is not in use.
    pub fn get_req_id(&self) -> u64 {
        generate_req_id()
    }

    /// The driver's connection behind this one.
    pub const fn client(&self) -> &Self {
        self
    }

    /// Another handle to the driver's connection.
    pub fn client_cloned(&self) -> Self {
        self.clone()
    }

    /// Runs a statement.
    ///
    /// # Errors
    /// As [`query`](taos_query::AsyncQueryable::query).
    pub async fn s_query(&self, sql: &str) -> RawResult<ResultSet> {
        self.query(sql).await
    }

    /// Runs a statement under a request id of the caller.
    ///
    /// # Errors
    /// As [`query_with_req_id`](taos_query::AsyncQueryable::query_with_req_id).
    pub async fn s_query_with_req_id(&self, sql: &str, req_id: u64) -> RawResult<ResultSet> {
        self.query_with_req_id(sql, req_id).await
    }

    /// Runs a statement and gives the number of affected rows.
    ///
    /// # Errors
    /// As [`exec`](taos_query::AsyncQueryable::exec).
    pub async fn s_exec(&self, sql: &str) -> RawResult<usize> {
        self.exec(sql).await
    }

    /// True if the server takes statements in binary frames (from 3.3.2.0 on, taosadapter-ws §16).
    pub fn is_support_binary_sql(&self) -> bool {
        let known = self.client.current();
        known.unwrap_or_else(|| Version::parse(self.version())) >= Version::BINARY_SQL
    }
}
