use taos_query::stmt::Stmt2Field;
use taos_query::{RawResult, Stmt2AsyncBindable, Stmt2BindParam};

use super::unsupported;
use crate::client::{ResultSet, Taos};

/// A prepared statement of the second generation.
#[derive(Debug)]
pub struct Stmt2(());

impl Stmt2 {
    /// Opens a statement of which the library is told more; see [`Stmt2AsyncBindable::init`].
    ///
    /// # Errors
    /// The library's.
    pub async fn init_with_options(
        _taos: &Taos,
        _req_id: u64,
        _single_stb_insert: bool,
        _single_table_bind_once: bool,
    ) -> RawResult<Self> {
        Err(unsupported())
    }
}

impl Stmt2AsyncBindable<Taos> for Stmt2 {
    async fn init(_taos: &Taos) -> RawResult<Self> {
        Err(unsupported())
    }

    async fn prepare(&mut self, _sql: &str) -> RawResult<&mut Self> {
        Err(unsupported())
    }

    async fn bind(&mut self, _params: &[Stmt2BindParam]) -> RawResult<&mut Self> {
        Err(unsupported())
    }

    async fn exec(&mut self) -> RawResult<usize> {
        Err(unsupported())
    }

    async fn affected_rows(&self) -> usize {
        0
    }

    async fn result_set(&self) -> RawResult<ResultSet> {
        Err(unsupported())
    }

    fn is_insert(&self) -> Option<bool> {
        None
    }

    fn fields(&self) -> Option<&[Stmt2Field]> {
        None
    }
}
