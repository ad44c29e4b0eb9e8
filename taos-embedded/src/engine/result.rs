use std::sync::Arc;

use taos_query::block::RawBlock;
use taos_query::common::Precision;

use super::{ResultColumn, SqlError};

/// What a statement is answered with.
#[derive(Debug)]
pub enum Answer {
    /// Rows written or deleted; 0 for DDL.
    Affected(u64),
    /// A result.
    Rows(ResultRows),
}

/// A result on its way.
#[derive(Debug)]
pub struct ResultRows {
    /// The columns.
    pub columns: Arc<[ResultColumn]>,
    /// The unit of its times.
    pub precision: Precision,
}

impl ResultRows {
    /// The next rows, at most 4,096; `None` behind the last.
    ///
    /// # Errors
    /// What went wrong while the rows were computed.
    pub fn next_block(&mut self) -> Result<Option<RawBlock>, SqlError> {
        Ok(None)
    }
}
