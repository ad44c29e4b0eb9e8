//! INTERP with RANGE, EVERY and FILL (DIALECT §7).

use super::planner::{Planned, Planner};
use super::scope::Scope;
use super::select::Filter;
use crate::sql::SqlError;
use crate::sql::ast::{Query, Select};

impl Planner<'_> {
    /// A SELECT of interpolated values; `None` if it asks for none.
    pub(super) fn interp_select(
        &mut self,
        select: &Select,
        _query: &Query,
        _scope: &Scope,
        _filter: &Filter,
    ) -> Result<Option<Planned>, SqlError> {
        if select.range.is_some() {
            return Err(SqlError::unsupported("range"));
        }
        if select.every.is_some() {
            return Err(SqlError::unsupported("every"));
        }
        Ok(None)
    }
}
