use std::fmt;

use taos_query::block::ColumnView;
use taos_query::common::Value;
use taos_query::{AsyncBindable, RawResult};

use super::core::{Core, out_of_order};
use super::sql::unsupported;
use crate::{ResultSet, Taos};

/// A prepared statement of the first generation: an INSERT, and over WebSocket also a query, whose
/// placeholders may be `?` or `$1` and so on.
///
/// An INSERT is `INSERT INTO table (columns) VALUES (?, …)`, where also literals may stand, and a
/// `?` for the table. `bind` makes rows of the columns and `execute` sends all of them at once: rows of
/// one table are stored together or not at all. Afterwards nothing is bound, whatever came out.
/// Columns go by the types that the server tells; a NULL leaves the column out. A row whose
/// designated timestamp is NULL, or not in the statement, is stamped by the server.
///
/// # Cancel safety
/// Every future may be dropped at any point. Dropping the one of `execute` drops what was bound, which
/// may or may not have been stored.
pub struct Stmt {
    core: Core,
    table: Option<String>,
    /// The last batch has been closed.
    added: bool,
}

impl fmt::Debug for Stmt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.core.describe(&mut f.debug_struct("Stmt")).finish()
    }
}

impl AsyncBindable<Taos> for Stmt {
    async fn init_with_req_id(taos: &Taos, _req_id: u64) -> RawResult<Self> {
        Ok(Self {
            core: Core::new(taos),
            table: None,
            added: false,
        })
    }

    async fn prepare(&mut self, sql: &str) -> RawResult<&mut Self> {
        self.table = None;
        self.core.prepare(sql).await?;
        Ok(self)
    }

    async fn set_tbname(&mut self, name: &str) -> RawResult<&mut Self> {
        self.core.prepared()?;
        self.core.check_table(name)?;
        self.table = Some(name.to_owned());
        Ok(self)
    }

    async fn set_tags(&mut self, _tags: &[Value]) -> RawResult<&mut Self> {
        Err(unsupported("set_tags (a SYMBOL column is what a tag is)"))
    }

    async fn bind(&mut self, params: &[ColumnView]) -> RawResult<&mut Self> {
        self.core.prepared()?;
        self.core.bind(&[(self.table.as_deref(), params)]).await?;
        self.added = false;
        Ok(self)
    }

    async fn add_batch(&mut self) -> RawResult<&mut Self> {
        self.core.prepared()?;
        if self.added || !self.core.has_rows() {
            return Err(out_of_order(
                "nothing was bound since the last call: call `bind` first",
            ));
        }
        self.added = true;
        Ok(self)
    }

    async fn execute(&mut self) -> RawResult<usize> {
        self.core.execute().await
    }

    async fn affected_rows(&self) -> usize {
        self.core.affected
    }

    async fn result_set(&mut self) -> RawResult<ResultSet> {
        self.core.take_result()
    }
}
