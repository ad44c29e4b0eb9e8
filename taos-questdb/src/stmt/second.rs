use std::fmt;

use taos_query::stmt::Stmt2Field;
use taos_query::{RawResult, Stmt2AsyncBindable, Stmt2BindParam};

use super::core::{Core, out_of_order};
use super::sql::unsupported;
use crate::{ResultSet, Taos};

/// A prepared statement of the second generation, which binds any number of tables in one call.
///
/// Statement, rows and times are those of [`Stmt`](super::Stmt). All rows of an execution leave in one
/// request; those of one table are stored together or not at all, those of several need not be.
///
/// # Cancel safety
/// As [`Stmt`](super::Stmt).
pub struct Stmt2 {
    core: Core,
}

impl fmt::Debug for Stmt2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.core.describe(&mut f.debug_struct("Stmt2")).finish()
    }
}

impl Stmt2 {
    /// Rows stored by the last execution.
    pub const fn affected_rows_once(&self) -> usize {
        self.core.affected_once
    }
}

impl Stmt2AsyncBindable<Taos> for Stmt2 {
    async fn init(taos: &Taos) -> RawResult<Self> {
        Ok(Self {
            core: Core::new(taos),
        })
    }

    async fn prepare(&mut self, sql: &str) -> RawResult<&mut Self> {
        self.core.prepare(sql).await?;
        Ok(self)
    }

    async fn bind(&mut self, params: &[Stmt2BindParam]) -> RawResult<&mut Self> {
        self.core.prepared()?;
        if params.is_empty() {
            return Err(out_of_order("no params to bind"));
        }
        if params
            .iter()
            .any(|param| param.tags().is_some_and(|tags| !tags.is_empty()))
        {
            return Err(unsupported(
                "binding tags (a SYMBOL column is what a tag is)",
            ));
        }
        let parts: Vec<_> = params
            .iter()
            .map(|param| (param.table_name(), param.columns().unwrap_or_default()))
            .collect();
        self.core.bind(&parts).await?;
        Ok(self)
    }

    async fn exec(&mut self) -> RawResult<usize> {
        self.core.execute().await
    }

    async fn affected_rows(&self) -> usize {
        self.core.affected
    }

    async fn result_set(&self) -> RawResult<ResultSet> {
        self.core.take_result()
    }

    fn is_insert(&self) -> Option<bool> {
        self.core.is_insert()
    }

    fn fields(&self) -> Option<&[Stmt2Field]> {
        self.core.fields()
    }
}
