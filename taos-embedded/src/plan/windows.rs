//! Windows over rows: SESSION, STATE_WINDOW, EVENT_WINDOW, COUNT_WINDOW (DIALECT §6).

use super::derived::Wanted;
use super::planner::{Planner, WindowSql};
use super::scope::Scope;
use super::select::Filter;
use crate::sql::SqlError;
use crate::sql::ast::{Select, Window};

impl Planner<'_> {
    /// The rows with the number of their window, and the window's own columns; `None` if the window is no window over rows.
    /// `filter` loses what the new source has applied.
    pub(super) fn row_window(
        &mut self,
        select: &Select,
        _scope: &Scope,
        _filter: &mut Filter,
        _wanted: &Wanted,
    ) -> Result<Option<(Scope, WindowSql)>, SqlError> {
        match &select.window {
            Some(Window::Session { .. }) => Err(SqlError::unsupported("session")),
            Some(Window::State { .. }) => Err(SqlError::unsupported("state_window")),
            Some(Window::Event { .. }) => Err(SqlError::unsupported("event_window")),
            Some(Window::Count { .. }) => Err(SqlError::unsupported("count_window")),
            None | Some(Window::Interval { .. }) => Ok(None),
        }
    }
}
