//! HISTOGRAM: a row for each bin (DIALECT §5).

use super::planner::{Planned, Planner};
use super::scope::Scope;
use super::select::Filter;
use crate::sql::SqlError;
use crate::sql::ast::{Query, Select};

impl Planner<'_> {
    /// A SELECT with HISTOGRAM.
    pub(super) fn histogram_select(
        &mut self,
        _select: &Select,
        _query: &Query,
        _scope: &Scope,
        _filter: &Filter,
    ) -> Result<Planned, SqlError> {
        Err(SqlError::unsupported("histogram"))
    }
}
