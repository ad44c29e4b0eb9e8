use std::fmt;

use taos_query::stmt::Stmt2Field;
use taos_query::stmt::logic::tables_of;
use taos_query::util::generate_req_id;
use taos_query::{RawResult, Stmt2AsyncBindable, Stmt2BindParam};

use super::core::Core;
use crate::client::{ResultSet, Taos};
use crate::raw::statement::Opening;

/// A prepared statement of the second generation.
///
/// What is bound is checked at once and given to the library by [`exec`](Stmt2AsyncBindable::exec); after that nothing
/// is bound, whatever came out. A statement that has failed is opened and prepared again by the next call.
///
/// Libraries before 3.3.5.0 know only the first generation; there it goes by that.
///
/// # Cancel safety
/// Every future may be dropped at any point; the connection stays usable. Dropping the one of `exec` drops what was
/// bound, which may or may not have been written.
pub struct Stmt2 {
    core: Core,
}

impl fmt::Debug for Stmt2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.core.describe(f.debug_struct("Stmt2")).finish()
    }
}

impl Stmt2 {
    /// Opens a statement of which the library is told more. Only if all tables belong to one super table, tell so by
    /// `single_stb_insert`; if also each table is bound once for each execution, tell that by
    /// `single_table_bind_once`, and the library takes a shorter way (interlaced mode). The first generation has no such
    /// way, and does without.
    ///
    /// # Errors
    /// The library's.
    pub async fn init_with_options(
        taos: &Taos,
        req_id: u64,
        single_stb_insert: bool,
        single_table_bind_once: bool,
    ) -> RawResult<Self> {
        let opening = Opening {
            req_id,
            single_stb_insert,
            single_table_bind_once,
        };
        let core = Core::open(taos, opening).await?;
        Ok(Self { core })
    }

    /// Number of placeholders, that of the table included; `None` before `prepare`.
    pub fn fields_count(&self) -> Option<usize> {
        let statement = self.core.draft.prepared().ok()?;
        Some(statement.count())
    }

    /// Rows changed by the last execution.
    pub const fn affected_rows_once(&self) -> usize {
        self.core.outcome.affected_once
    }
}

impl Stmt2AsyncBindable<Taos> for Stmt2 {
    async fn init(taos: &Taos) -> RawResult<Self> {
        Self::init_with_options(taos, generate_req_id(), true, false).await
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
