//! JSON tags (DIALECT §12).

use super::planner::Planner;
use super::types::Typed;
use crate::sql::SqlError;

pub(crate) fn arrow(
    planner: &mut Planner<'_>,
    left: &Typed,
    right: &Typed,
) -> Result<Typed, SqlError> {
    let _ = (planner, left, right);
    Err(SqlError::unsupported("JSON ->"))
}

pub(crate) fn contains(
    planner: &mut Planner<'_>,
    left: &Typed,
    right: &Typed,
) -> Result<Typed, SqlError> {
    let _ = (planner, left, right);
    Err(SqlError::unsupported("JSON contains"))
}

pub(crate) fn sides(left: &Typed, right: &Typed) -> Result<(String, String), SqlError> {
    let _ = (left, right);
    Err(SqlError::unsupported("comparison of JSON"))
}
