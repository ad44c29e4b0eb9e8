//! Joins on time (DIALECT §9).

use super::planner::Planner;
use super::scope::Scope;
use crate::sql::SqlError;
use crate::sql::ast::Join;

impl Planner<'_> {
    /// Two sources as one.
    pub(super) fn join(&mut self, _join: &Join) -> Result<Scope, SqlError> {
        Err(SqlError::unsupported("join"))
    }
}
