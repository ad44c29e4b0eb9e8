use std::collections::VecDeque;
use std::sync::Arc;

use taos_query::block::RawBlock;
use taos_query::common::Precision;

use super::{ResultColumn, SqlError};
use crate::metrics::Metrics;
use crate::store::{Cancel, Stream};

/// What a statement is answered with.
#[derive(Debug)]
pub enum Answer {
    /// Rows written or deleted; 0 for DDL.
    Affected(u64),
    /// A result.
    Rows(ResultRows),
}

impl Answer {
    /// Counts the rows of a result as they are taken; gives how many rows were changed instead.
    pub(super) fn counted(&mut self, metrics: &Arc<Metrics>) -> u64 {
        match self {
            Self::Affected(rows) => *rows,
            Self::Rows(rows) => {
                rows.count_into(metrics);
                0
            }
        }
    }
}

/// A result on its way. Dropping it ends the query behind it.
#[derive(Debug)]
pub struct ResultRows {
    /// The columns.
    pub columns: Arc<[ResultColumn]>,
    /// The unit of its times.
    pub precision: Precision,
    source: Source,
    counted: Option<Arc<Metrics>>,
}

#[derive(Debug)]
enum Source {
    Ready(VecDeque<RawBlock>),
    Stream(Box<Stream>),
}

impl ResultRows {
    /// A result that is all there.
    pub(crate) fn ready(
        columns: Arc<[ResultColumn]>,
        precision: Precision,
        blocks: Vec<RawBlock>,
    ) -> Self {
        Self {
            columns,
            precision,
            source: Source::Ready(blocks.into()),
            counted: None,
        }
    }

    /// A result that a reader computes.
    pub(crate) fn streaming(
        columns: Arc<[ResultColumn]>,
        precision: Precision,
        stream: Stream,
    ) -> Self {
        Self {
            columns,
            precision,
            source: Source::Stream(Box::new(stream)),
            counted: None,
        }
    }

    /// The next rows, at most 4,096; `None` behind the last. Waits for the reader that computes them.
    ///
    /// # Errors
    /// What went wrong while the rows were computed.
    pub fn next_block(&mut self) -> Result<Option<RawBlock>, SqlError> {
        let next = match &mut self.source {
            Source::Ready(blocks) => Ok(blocks.pop_front()),
            Source::Stream(stream) => stream.next(),
        };
        if let Some(metrics) = &self.counted {
            match &next {
                Ok(Some(block)) => {
                    let rows = u64::try_from(block.nrows()).unwrap_or(u64::MAX);
                    metrics.rows_read.add(rows);
                }
                Ok(None) => {}
                Err(error) => metrics.error(error.code),
            }
        }
        next
    }

    /// Ends the query behind the result while another thread waits for its next rows.
    pub(crate) fn cancel(&self) -> Option<Arc<Cancel>> {
        match &self.source {
            Source::Ready(_) => None,
            Source::Stream(stream) => Some(stream.cancel()),
        }
    }

    /// Counts the rows that are taken from here on.
    fn count_into(&mut self, metrics: &Arc<Metrics>) {
        self.counted = Some(Arc::clone(metrics));
    }
}
