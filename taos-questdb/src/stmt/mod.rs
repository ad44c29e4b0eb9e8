//! Prepared INSERT statements, whose bound columns become rows of a buffer.

use taos_query::block::ColumnView;
use taos_query::common::Value;
use taos_query::stmt::Stmt2Field;
use taos_query::{
    AsyncBindable, AsyncStatements, RawError, RawResult, Stmt2AsyncBindable, Stmt2BindParam,
};

use crate::{ResultSet, Taos};

/// A prepared INSERT of the first generation.
#[derive(Debug)]
pub struct Stmt(());

/// A prepared INSERT of the second generation.
#[derive(Debug)]
pub struct Stmt2(());

fn unsupported<T>() -> RawResult<T> {
    Err(RawError::unsupported("prepared statements", "QuestDB"))
}

impl AsyncStatements for Taos {
    type Stmt = Stmt;
    type Stmt2 = Stmt2;

    async fn sibling(&self) -> RawResult<Self> {
        self.another().await
    }
}

impl AsyncBindable<Taos> for Stmt {
    async fn init_with_req_id(_taos: &Taos, _req_id: u64) -> RawResult<Self> {
        unsupported()
    }

    async fn prepare(&mut self, _sql: &str) -> RawResult<&mut Self> {
        unsupported()
    }

    async fn set_tbname(&mut self, _name: &str) -> RawResult<&mut Self> {
        unsupported()
    }

    async fn set_tags(&mut self, _tags: &[Value]) -> RawResult<&mut Self> {
        unsupported()
    }

    async fn bind(&mut self, _params: &[ColumnView]) -> RawResult<&mut Self> {
        unsupported()
    }

    async fn add_batch(&mut self) -> RawResult<&mut Self> {
        unsupported()
    }

    async fn execute(&mut self) -> RawResult<usize> {
        unsupported()
    }

    async fn affected_rows(&self) -> usize {
        0
    }

    async fn result_set(&mut self) -> RawResult<ResultSet> {
        unsupported()
    }
}

impl Stmt2AsyncBindable<Taos> for Stmt2 {
    async fn init(_taos: &Taos) -> RawResult<Self> {
        unsupported()
    }

    async fn prepare(&mut self, _sql: &str) -> RawResult<&mut Self> {
        unsupported()
    }

    async fn bind(&mut self, _params: &[Stmt2BindParam]) -> RawResult<&mut Self> {
        unsupported()
    }

    async fn exec(&mut self) -> RawResult<usize> {
        unsupported()
    }

    async fn affected_rows(&self) -> usize {
        0
    }

    async fn result_set(&self) -> RawResult<ResultSet> {
        unsupported()
    }

    fn is_insert(&self) -> Option<bool> {
        None
    }

    fn fields(&self) -> Option<&[Stmt2Field]> {
        None
    }
}
