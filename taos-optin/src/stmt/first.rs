use taos_query::block::ColumnView;
use taos_query::common::Value;
use taos_query::{AsyncBindable, RawResult};

use super::unsupported;
use crate::client::{ResultSet, Taos};

/// A prepared statement of the first generation.
#[derive(Debug)]
pub struct Stmt(());

impl AsyncBindable<Taos> for Stmt {
    async fn init_with_req_id(_taos: &Taos, _req_id: u64) -> RawResult<Self> {
        Err(unsupported())
    }

    async fn prepare(&mut self, _sql: &str) -> RawResult<&mut Self> {
        Err(unsupported())
    }

    async fn set_tbname(&mut self, _name: &str) -> RawResult<&mut Self> {
        Err(unsupported())
    }

    async fn set_tags(&mut self, _tags: &[Value]) -> RawResult<&mut Self> {
        Err(unsupported())
    }

    async fn bind(&mut self, _params: &[ColumnView]) -> RawResult<&mut Self> {
        Err(unsupported())
    }

    async fn add_batch(&mut self) -> RawResult<&mut Self> {
        Err(unsupported())
    }

    async fn execute(&mut self) -> RawResult<usize> {
        Err(unsupported())
    }

    async fn affected_rows(&self) -> usize {
        0
    }

    async fn result_set(&mut self) -> RawResult<ResultSet> {
        Err(unsupported())
    }
}
