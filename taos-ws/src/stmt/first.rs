use super::remote::Opening;
use super::{Core, StmtUseResult, WsFieldsable, json};
use crate::query::{ResultSet, Taos};
use std::fmt;
use std::time::Duration;
use taos_query::block::ColumnView;
use taos_query::common::Value;
use taos_query::stmt::logic::{Batch, Layout, field_list, out_of_order, param_at};
use taos_query::stmt::{StmtField, StmtParam};
use taos_query::util::block_on;
use taos_query::{AsyncBindable, AsyncFetchable as _, AsyncStatements, RawResult};

use super::Stmt2;

/// A prepared statement of the first generation.
///
/// It is sent in the form of the second to servers that know it (3.3.5.0 and newer), and shares the
/// connection that it was made from with everything else on it. If the connection breaks, the
/// statement is prepared again on the next one.
///
/// # Cancel safety
/// Every future may be dropped at any point; the connection stays usable. Dropping the one of
/// `execute` drops what was bound, which may or may not have been written.
pub struct Stmt {
    core: Core,
    batch: Batch,
}

impl fmt::Debug for Stmt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.core
            .describe(f.debug_struct("Stmt"))
            .field("table", &self.batch.table())
            .finish()
    }
}

impl Stmt {
    /// The longest time that a call may take, connecting again included. Unless this is set, answers
    /// may take the DSN's `read_timeout`, and connecting its `conn_total_timeout`.
    pub const fn set_timeout(&mut self, timeout: Duration) -> &mut Self {
        self.core.timeout = Some(timeout);
        self
    }

    /// Rows changed by the last execution.
    pub const fn affected_rows_once(&self) -> usize {
        self.core.outcome.affected_once
    }

    /// The server's id of the statement, as long as it has one.
    pub fn stmt_id(&self) -> Option<u64> {
        self.core.stmt_id()
    }

    /// True for an INSERT, `None` before `prepare`.
    pub fn is_insert(&self) -> Option<bool> {
        let statement = self.core.draft.prepared().ok()?;
        Some(statement.is_insert())
    }

    /// What the placeholders of an INSERT take; `None` for a query.
    #[doc(hidden)]
    pub async fn layout(&mut self) -> RawResult<Option<&Layout>> {
        let known = self.core.learn(self.batch.table()).await?;
        Ok(known.map(|known| &known.layout))
    }

    /// The tags that are to be bound.
    ///
    /// # Errors
    /// Before `prepare`; and before `set_tbname` where the tags depend on the table.
    pub async fn stmt_get_tag_fields(&mut self) -> RawResult<Vec<StmtField>> {
        self.fields_of(true).await
    }

    /// The columns that are to be bound.
    ///
    /// # Errors
    /// As [`stmt_get_tag_fields`](Self::stmt_get_tag_fields).
    pub async fn stmt_get_col_fields(&mut self) -> RawResult<Vec<StmtField>> {
        self.fields_of(false).await
    }

    async fn fields_of(&mut self, tags: bool) -> RawResult<Vec<StmtField>> {
        if !self.core.draft.prepared()?.is_insert() {
            return Err(out_of_order("a query has parameters, but no fields"));
        }
        let known = self.core.learn(self.batch.table()).await?;
        Ok(known.map_or_else(Vec::new, |known| field_list(&known.fields, tags)))
    }

    /// Number of values to bind a row: columns of an INSERT, parameters of a query.
    ///
    /// # Errors
    /// As [`stmt_get_tag_fields`](Self::stmt_get_tag_fields).
    pub async fn stmt_num_params(&mut self) -> RawResult<usize> {
        let statement = self.core.draft.prepared()?;
        if statement.is_insert() {
            Ok(self.stmt_get_col_fields().await?.len())
        } else {
            Ok(statement.count())
        }
    }

    /// Type and width of one of them, counted from 0.
    ///
    /// # Errors
    /// As [`stmt_get_tag_fields`](Self::stmt_get_tag_fields); a number that is too high; and for a query,
    /// whose parameters take any type.
    pub async fn stmt_get_param(&mut self, index: i64) -> RawResult<StmtParam> {
        let fields = self.stmt_get_col_fields().await?;
        param_at(&fields, index)
    }

    /// What the result of an executed SELECT looks like. Its rows come from
    /// [`result_set`](AsyncBindable::result_set), before or after.
    ///
    /// # Errors
    /// For an INSERT, before the execution, and once the result has been taken.
    // Asynchronous as in the 0.12 line, whose programs await it.
    #[allow(clippy::unused_async, reason = "programs of the 0.12 line await it")]
    pub async fn use_result(&mut self) -> RawResult<StmtUseResult> {
        self.s_use_result()
    }

    /// [`use_result`](Self::use_result), blocking.
    ///
    /// # Errors
    /// As that.
    pub fn s_use_result(&mut self) -> RawResult<StmtUseResult> {
        let id = self.core.result_id;
        let described = |result: &mut Option<ResultSet>| {
            let result = result.as_ref()?;
            Some(StmtUseResult::of(id, result.fields(), result.precision()))
        };
        self.core.outcome.with(&self.core.draft, described)
    }

    /// [`stmt_num_params`](Self::stmt_num_params), blocking.
    ///
    /// # Errors
    /// As that.
    pub fn s_num_params(&mut self) -> RawResult<usize> {
        block_on(self.core.home(), self.stmt_num_params())?
    }

    /// [`stmt_get_param`](Self::stmt_get_param), blocking.
    ///
    /// # Errors
    /// As that.
    pub fn s_get_param(&mut self, index: i64) -> RawResult<StmtParam> {
        block_on(self.core.home(), self.stmt_get_param(index))?
    }

    /// Binds columns of JSON, each an array of one value a row, and adds them as a batch. Times are
    /// ticks in the unit of the table's database, or text by RFC 3339.
    ///
    /// # Errors
    /// Values that are not of the column's type; types that JSON has no form for; and those of
    /// `bind` and `add_batch`.
    pub async fn bind_all(&mut self, columns: Vec<serde_json::Value>) -> RawResult<()> {
        let known = self.core.learn(self.batch.table()).await?;
        let known = known.ok_or_else(|| out_of_order("JSON is bound to INSERTs only"))?;
        let views = json::columns(&known.layout, columns)?;
        self.bind(&views).await?.add_batch().await?;
        Ok(())
    }
}

impl WsFieldsable for Stmt {
    fn get_tag_fields(&mut self) -> RawResult<Vec<StmtField>> {
        block_on(self.core.home(), self.stmt_get_tag_fields())?
    }

    fn get_col_fields(&mut self) -> RawResult<Vec<StmtField>> {
        block_on(self.core.home(), self.stmt_get_col_fields())?
    }
}

impl AsyncBindable<Taos> for Stmt {
    async fn init_with_req_id(taos: &Taos, req_id: u64) -> RawResult<Self> {
        let opening = Opening {
            req_id: Some(req_id),
            ..Opening::default()
        };
        let mut core = Core::new(taos, opening);
        core.open().await?;
        Ok(Self {
            core,
            batch: Batch::default(),
        })
    }

    fn home(&self) -> Option<tokio::runtime::Id> {
        self.core.home()
    }

    async fn prepare(&mut self, sql: &str) -> RawResult<&mut Self> {
        self.batch.clear();
        self.core.prepare(sql).await?;
        Ok(self)
    }

    async fn set_tbname(&mut self, name: &str) -> RawResult<&mut Self> {
        self.batch.set_tbname(&self.core.draft, name)?;
        Ok(self)
    }

    async fn set_tags(&mut self, tags: &[Value]) -> RawResult<&mut Self> {
        self.batch.set_tags(&self.core.draft, tags)?;
        Ok(self)
    }

    async fn bind(&mut self, params: &[ColumnView]) -> RawResult<&mut Self> {
        self.batch.bind(&self.core.draft, params)?;
        Ok(self)
    }

    async fn add_batch(&mut self) -> RawResult<&mut Self> {
        self.batch.add(&mut self.core.draft)?;
        Ok(self)
    }

    async fn execute(&mut self) -> RawResult<usize> {
        self.batch.finish(&mut self.core.draft)?;
        self.core.execute().await
    }

    async fn affected_rows(&self) -> usize {
        self.core.outcome.affected
    }

    async fn result_set(&mut self) -> RawResult<ResultSet> {
        self.core.outcome.take(&self.core.draft)
    }
}

impl AsyncStatements for Taos {
    type Stmt = Stmt;
    type Stmt2 = Stmt2;

    async fn sibling(&self) -> RawResult<Self> {
        let sibling = Self::new(std::sync::Arc::new(self.client.sibling()?));
        sibling.client.link().await?;
        Ok(sibling)
    }
}
