//! Functions over series and functions that select several rows (DIALECT §7).

use super::planner::{Planned, Planner};
use super::scope::Scope;
use super::select::Filter;
use crate::sql::SqlError;
use crate::sql::ast::{Query, Select};

impl Planner<'_> {
    /// A SELECT that calls a function over series; `None` if it calls none.
    pub(super) fn series_select(
        &mut self,
        _select: &Select,
        _query: &Query,
        _scope: &Scope,
        _filter: &Filter,
    ) -> Result<Option<Planned>, SqlError> {
        Ok(None)
    }
}
