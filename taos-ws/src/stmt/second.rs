use super::Core;
use super::remote::Opening;
use crate::protocol::decode_stmt2_payload;
use crate::query::{ResultSet, Taos};
use bytes::Bytes;
use std::fmt;
use std::time::Duration;
use taos_query::stmt::Stmt2Field;
use taos_query::stmt::logic::{Layout, tables_of};
use taos_query::util::generate_req_id;
use taos_query::{ErrorKind, RawError, RawResult, Stmt2AsyncBindable, Stmt2BindParam};

/// A prepared statement of the second generation.
///
/// It shares the connection that it was made from with everything else on it. What is bound is
/// checked at once and sent by [`exec`](Stmt2AsyncBindable::exec); after that nothing is bound,
/// whatever came out. If the connection breaks, the statement is prepared again on the next one.
///
/// Servers before 3.3.5.0 know only the first generation; there it is sent in that form.
///
/// # Cancel safety
/// Every future may be dropped at any point; the connection stays usable. Dropping the one of
/// `exec` drops what was bound, which may or may not have been written.
pub struct Stmt2 {
    core: Core,
}

impl fmt::Debug for Stmt2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.core.describe(f.debug_struct("Stmt2")).finish()
    }
}

impl Stmt2 {
    /// A statement that the server does not know of yet. It is opened by the first call that needs
    /// the server.
    pub fn new(taos: &Taos) -> Self {
        let opening = Opening {
            single_stb_insert: true,
            ..Opening::default()
        };
        Self {
            core: Core::new(taos, opening),
        }
    }

    /// Opens the statement on the server. Only if all tables belong to one super table, tell so by
    /// `single_stb_insert`; if also each table is bound once for each execution, tell that by
    /// `single_table_bind_once`, and the server takes a shorter way (interlaced mode).
    ///
    /// # Errors
    /// The server's, and those of a connection.
    pub async fn init_with_options(
        &mut self,
        req_id: u64,
        single_stb_insert: bool,
        single_table_bind_once: bool,
    ) -> RawResult<()> {
        let timeout = self.core.timeout;
        let mut core = Core::new(
            &self.core.taos(),
            Opening {
                req_id: Some(req_id),
                single_stb_insert,
                single_table_bind_once,
            },
        );
        core.timeout = timeout;
        core.open().await?;
        self.core = core;
        Ok(())
    }

    /// The longest time that a call may take, connecting again included. Unless this is set, answers
    /// may take the DSN's `read_timeout`, and connecting its `conn_total_timeout`.
    pub const fn set_timeout(&mut self, timeout: Duration) -> &mut Self {
        self.core.timeout = Some(timeout);
        self
    }

    /// Binds data that has the form of the wire already (taosadapter-ws §9.3, from its 28 bytes of
    /// head on). Only its lengths are checked here.
    ///
    /// # Errors
    /// Lengths that contradict each other, and calls before `prepare`.
    pub fn bind_bytes(&mut self, req_id: u64, payload: impl Into<Bytes>) -> RawResult<()> {
        let payload = payload.into();
        decode_stmt2_payload(&payload).map_err(|message| {
            RawError::of(ErrorKind::Config, format!("the bound bytes: {message}"))
        })?;
        self.core.add_raw(req_id, payload)
    }

    /// Number of placeholders, that of the table included; `None` before `prepare`.
    pub fn fields_count(&self) -> Option<usize> {
        let statement = self.core.draft.prepared().ok()?;
        Some(statement.count())
    }

    /// What the placeholders of an INSERT take, asked for with `table` where that must be known; `None` for
    /// a query.
    #[doc(hidden)]
    pub async fn layout(&mut self, table: Option<&str>) -> RawResult<Option<&Layout>> {
        let known = self.core.learn(table).await?;
        Ok(known.map(|known| &known.layout))
    }

    /// Rows changed by the last execution.
    pub const fn affected_rows_once(&self) -> usize {
        self.core.outcome.affected_once
    }

    /// The server's id of the statement, as long as it has one.
    pub fn stmt_id(&self) -> Option<u64> {
        self.core.stmt_id()
    }
}

impl Stmt2AsyncBindable<Taos> for Stmt2 {
    async fn init(taos: &Taos) -> RawResult<Self> {
        let mut stmt = Self::new(taos);
        stmt.init_with_options(generate_req_id(), true, false)
            .await?;
        Ok(stmt)
    }

    fn home(&self) -> Option<tokio::runtime::Id> {
        self.core.home()
    }

    async fn prepare(&mut self, sql: &str) -> RawResult<&mut Self> {
        self.core.prepare(sql).await?;
        Ok(self)
    }

    async fn bind(&mut self, params: &[Stmt2BindParam]) -> RawResult<&mut Self> {
        let tables = tables_of(&self.core.draft, params)?;
        self.core.draft.add(tables)?;
        Ok(self)
    }

    async fn exec(&mut self) -> RawResult<usize> {
        self.core.execute().await
    }

    async fn affected_rows(&self) -> usize {
        self.core.outcome.affected
    }

    async fn result_set(&self) -> RawResult<ResultSet> {
        self.core.outcome.take(&self.core.draft)
    }

    fn is_insert(&self) -> Option<bool> {
        let statement = self.core.draft.prepared().ok()?;
        Some(statement.is_insert())
    }

    fn fields(&self) -> Option<&[Stmt2Field]> {
        let statement = self.core.draft.prepared().ok()?;
        statement.fields().map(Vec::as_slice)
    }
}
