use std::fmt;

use taos_query::block::ColumnView;
use taos_query::common::Value;
use taos_query::stmt::logic::{Batch, field_list, out_of_order, param_at};
use taos_query::stmt::{StmtField, StmtParam};
use taos_query::{AsyncBindable, RawResult};

use super::core::Core;
use crate::client::{ResultSet, Taos};
use crate::raw::statement::Opening;

/// A prepared statement of the first generation.
///
/// It goes by the library's second generation where that has it (3.3.5.0 and newer). Nothing reaches the library between
/// `prepare` and `execute`.
///
/// # Cancel safety
/// Every future may be dropped at any point; the connection stays usable. Dropping the one of `execute` drops what was
/// bound, which may or may not have been written.
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
    /// Rows changed by the last execution.
    pub const fn affected_rows_once(&self) -> usize {
        self.core.outcome.affected_once
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
    /// As [`stmt_get_tag_fields`](Self::stmt_get_tag_fields); a number that is too high; and for a query, whose
    /// parameters take any type.
    pub async fn stmt_get_param(&mut self, index: i64) -> RawResult<StmtParam> {
        let fields = self.stmt_get_col_fields().await?;
        param_at(&fields, index)
    }
}

impl AsyncBindable<Taos> for Stmt {
    async fn init_with_req_id(taos: &Taos, req_id: u64) -> RawResult<Self> {
        Ok(Self {
            core: Core::open(taos, Opening::new(req_id)).await?,
            batch: Batch::default(),
        })
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
