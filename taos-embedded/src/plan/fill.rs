//! FILL: windows without rows (DIALECT §6).

use super::planner::{Planned, Planner};
use super::scope::Scope;
use super::select::{Filter, Output};
use crate::sql::SqlError;
use crate::sql::ast::{FillMode, Query, Select};

impl Planner<'_> {
    /// A SELECT with INTERVAL and FILL; `None` if nothing is to be filled.
    pub(super) fn filled_select(
        &mut self,
        select: &Select,
        _query: &Query,
        _scope: &Scope,
        _outputs: &[Output],
        _filter: &Filter,
    ) -> Result<Option<Planned>, SqlError> {
        match &select.fill {
            Some(fill) if fill.mode != FillMode::None => Err(SqlError::unsupported("fill")),
            _ => Ok(None),
        }
    }
}
