//! Windows over rows: SESSION, STATE_WINDOW, EVENT_WINDOW, COUNT_WINDOW (DIALECT §6).
//!
//! Each is a number beside every row, found in one pass over the rows in the order of time; NULL for rows in no window.

use std::cell::Cell;

use taos_query::common::{Precision, Ty};

use super::aggregate::{any, is_aggregate};
use super::derived::Wanted;
use super::expr::{Place, condition};
use super::planner::{Planner, WindowSql};
use super::range::is_time;
use super::scope::{Scope, is_tbname, is_window_column};
use super::select::Filter;
use super::types::Typed;
use crate::sql::SqlError;
use crate::sql::ast::{Expr, ExprKind, Query, QueryBody, Select, TableRef, Width, Window};

/// Each row is copied into every window that it belongs to, so more at once are refused.
const MOST_COPIES: i64 = 1_000;

/// Rows on their way into windows.
struct Rows<'r> {
    select: &'r Select,
    scope: &'r Scope,
    filter: &'r Filter,
    wanted: &'r Wanted,
}

impl Planner<'_> {
    /// The rows with the number of their window, and the window's own columns; `None` if the window is no window over rows.
    /// `filter` loses what the new source has applied.
    pub(super) fn row_window(
        &mut self,
        select: &Select,
        scope: &Scope,
        filter: &mut Filter,
        wanted: &Wanted,
    ) -> Result<Option<(Scope, WindowSql)>, SqlError> {
        let Some(window) = &select.window else {
            return Ok(None);
        };
        if matches!(&select.from, Some(TableRef::Table { .. })) && scope.table.is_none() {
            return Err(SqlError::new(
                0x2669,
                "WINDOW is not supported in system table query",
            ));
        }
        if matches!(window, Window::Interval { .. }) {
            return Ok(None);
        }
        let rows = Rows {
            select,
            scope,
            filter: &*filter,
            wanted,
        };
        let (time, mut rows, made) = self.in_windows(&rows, window)?;
        filter.tags.clear();
        filter.rows.clear();
        if made.sparse {
            filter.rows.push(format!("s{}.x0 IS NOT NULL", rows.number));
        }
        if let Some(join) = &made.join {
            rows.from = rows.from.map(|from| format!("{from}{join}"));
        }
        let window = made.window(rows.time.as_deref().unwrap_or(&time));
        Ok(Some((rows, window)))
    }

    /// The time of the rows, and the rows with their numbers.
    fn in_windows(
        &mut self,
        rows: &Rows<'_>,
        window: &Window,
    ) -> Result<(String, Scope, Made), SqlError> {
        let kind = match window {
            Window::Session { .. } => "SESSION",
            Window::State { .. } => "STATE_WINDOW",
            Window::Event { .. } => "EVENT_WINDOW",
            _ => "COUNT_WINDOW",
        };
        let time = rows.time(kind)?;
        let (scope, made) = match window {
            Window::Session { column, gap } => self.session_rows(rows, &time, column, *gap)?,
            Window::State { state, true_for } => self.state_rows(rows, &time, state, *true_for)?,
            Window::Event {
                start,
                end,
                true_for,
            } => self.event_rows(rows, &time, (start, end), *true_for)?,
            Window::Count {
                count,
                step,
                columns,
            } => self.count_rows(rows, &time, (*count, *step), columns)?,
            Window::Interval { .. } => return Err(SqlError::unsupported("interval")),
        };
        Ok((time, scope, made))
    }

    /// ` OVER (…)` for numbers that grow with time, within each partition.
    fn over_rows(&mut self, rows: &Rows<'_>, time: &str) -> Result<String, SqlError> {
        let keys = self.partition_keys(rows.select, Place::rows(rows.scope))?;
        let partition = if keys.is_empty() {
            String::new()
        } else {
            format!("PARTITION BY {} ", keys.join(", "))
        };
        Ok(format!(
            " OVER ({partition}ORDER BY {time} ROWS UNBOUNDED PRECEDING)"
        ))
    }

    fn numbered(&mut self, rows: &Rows<'_>, extra: &[String]) -> Scope {
        self.derived(rows.scope, rows.filter, rows.wanted, extra)
    }

    fn session_rows(
        &mut self,
        rows: &Rows<'_>,
        time: &str,
        column: &Expr,
        gap: Width,
    ) -> Result<(Scope, Made), SqlError> {
        let ExprKind::Column { name, .. } = &column.kind else {
            return Err(SqlError::syntax(column.span.rest(self.sql)));
        };
        let over = self.over_rows(rows, time)?;
        self.expr(column, Place::rows(rows.scope))?;
        let gap = Self::ticks(gap, rows.scope.precision)?.filter(|&gap| gap != 0);
        let Some(gap) = gap else {
            return Err(SqlError::new(
                0x262B,
                "SESSION gap should be fixed time window, and greater than 0",
            ));
        };
        if gap < 0 || !name.quoted && name.name.starts_with('_') {
            return Err(SqlError::unsupported("session of this form"));
        }
        if !is_time(column, rows.scope) {
            return Err(SqlError::new(
                0x262C,
                "Only support SESSION on primary timestamp column",
            ));
        }
        let scope = self.numbered(rows, &[format!("td_session({time}, {gap}){over}")]);
        let made = Made::of(&scope);
        Ok((scope, made))
    }

    fn state_rows(
        &mut self,
        rows: &Rows<'_>,
        time: &str,
        state: &Expr,
        true_for: Option<Width>,
    ) -> Result<(Scope, Made), SqlError> {
        let over = self.over_rows(rows, time)?;
        let typed = self.expr(state, Place::rows(rows.scope))?;
        check_state(state, &typed, rows.scope)?;
        let least = least(true_for, rows.scope.precision)?;
        let mut extra = vec![format!("td_state({}){over}", typed.sql)];
        let having = rows.doubtful_nulls(&typed.sql, &over, least.is_some(), &mut extra);
        let scope = self.numbered(rows, &extra);
        let key = self.expr(state, Place::rows(&scope))?;
        let made = Made {
            sparse: true,
            state: Some(key.sql),
            having: having.map(|having| having.replace("{}", &format!("s{}", scope.number))),
            least,
            ..Made::of(&scope)
        };
        Ok((scope, made))
    }

    fn event_rows(
        &mut self,
        rows: &Rows<'_>,
        time: &str,
        (start, end): (&Expr, &Expr),
        true_for: Option<Width>,
    ) -> Result<(Scope, Made), SqlError> {
        let over = self.over_rows(rows, time)?;
        let mut flags = Vec::new();
        for expr in [start, end] {
            if any(expr, &is_window_column) {
                return Err(SqlError::unsupported("window columns in event_window"));
            }
            let typed = self.expr(expr, Place::rows(rows.scope))?;
            if typed.filter.is_none() && typed.ty.ty != Ty::Bool {
                return Err(SqlError::unsupported(
                    "event_window of what is no condition",
                ));
            }
            flags.push(format!("ifnull({}, 0)", condition(&typed)?));
        }
        let [start, end] = flags.as_slice() else {
            return Err(SqlError::unsupported("event_window"));
        };
        let least = least(true_for, rows.scope.precision)?;
        let number = format!("td_event({start}, {end}){over}");
        let scope = self.numbered(rows, &[number, end.clone()]);
        let made = Made {
            sparse: true,
            // The row that ends a window is its last, so a window without one is not finished.
            having: Some(format!("max(s{}.x1)", scope.number)),
            least,
            ..Made::of(&scope)
        };
        Ok((scope, made))
    }

    fn count_rows(
        &mut self,
        rows: &Rows<'_>,
        time: &str,
        (count, step): (i64, Option<i64>),
        columns: &[Expr],
    ) -> Result<(Scope, Made), SqlError> {
        let refused = |what: &str| Err(SqlError::new(0x2645, what));
        if count <= 1 {
            return refused("Size of Count window must exceed 1.");
        }
        let step = step.unwrap_or(count);
        if step <= 0 {
            return refused("Sliding value of Count window must exceed 0.");
        }
        if step > count {
            return refused("Sliding value of Count window must not exceed its size.");
        }
        if count / step > MOST_COPIES {
            return Err(SqlError::unsupported(
                "count windows that overlap more than 1000 times",
            ));
        }
        let over = self.over_rows(rows, time)?;
        let mut filter = Filter {
            constants: Vec::new(),
            tags: rows.filter.tags.clone(),
            rows: rows.filter.rows.clone(),
        };
        let mut known = Vec::new();
        for column in columns {
            if !matches!(column.kind, ExprKind::Column { .. }) {
                return Err(SqlError::syntax(column.span.rest(self.sql)));
            }
            let typed = self.expr(column, Place::rows(rows.scope))?;
            known.push(format!("{} IS NOT NULL", typed.sql));
        }
        if !known.is_empty() {
            // One of the columns is enough.
            filter.rows.push(format!("({})", known.join(" OR ")));
        }
        let number = format!("row_number(){over} - 1");
        let scope = self.derived(rows.scope, &filter, rows.wanted, &[number]);
        let n = scope.number;
        let mut made = Made::of(&scope);
        if step == count {
            made.group = format!("(s{n}.x0 / {count})");
        } else {
            // Windows that begin early enough to reach the row and not behind it.
            made.group = format!("w{n}.value");
            made.join = Some(format!(
                " CROSS JOIN generate_series(CASE WHEN s{n}.x0 < {count} THEN 0 \
                 ELSE (s{n}.x0 - {count}) / {step} + 1 END, s{n}.x0 / {step}) w{n}"
            ));
        }
        Ok((scope, made))
    }
}

/// What a kind of window says about its groups.
struct Made {
    group: String,
    /// Some rows are in no window.
    sparse: bool,
    /// What follows the source behind FROM.
    join: Option<String>,
    having: Option<String>,
    /// TRUE_FOR.
    least: Option<i64>,
    state: Option<String>,
}

impl Made {
    fn of(scope: &Scope) -> Self {
        Self {
            group: format!("s{}.x0", scope.number),
            sparse: false,
            join: None,
            having: None,
            least: None,
            state: None,
        }
    }

    /// The columns of windows over rows of this time.
    fn window(self, time: &str) -> WindowSql {
        let duration = format!("(max({time}) - min({time}))");
        let long = self.least.map(|least| format!("{duration} >= {least}"));
        let having: Vec<String> = self.having.into_iter().chain(long).collect();
        WindowSql {
            start: format!("min({time})"),
            end: format!("max({time})"),
            duration,
            group: self.group,
            having: (!having.is_empty()).then(|| having.join(" AND ")),
            state: self.state,
            state_used: Cell::default(),
            sliced: false,
        }
    }
}

impl Rows<'_> {
    /// The time that the rows are ordered by, if they are one line of time.
    fn time(&self, kind: &str) -> Result<String, SqlError> {
        if let Some(TableRef::Subquery { query, .. }) = &self.select.from {
            match in_line(query, self.scope) {
                Some(true) => {}
                Some(false) => {
                    return Err(SqlError::new(
                        0x2666,
                        format!("{kind} requires valid time series input"),
                    ));
                }
                None => {
                    return Err(SqlError::unsupported(
                        "windows over the rows of a subquery in this order",
                    ));
                }
            }
        }
        let time = self.scope.time.clone();
        time.ok_or_else(|| without_time(self.select, self.scope))
    }
}

impl Rows<'_> {
    /// A condition on windows of states that refuses those where the server takes rows of NULL for rows of the window: it
    /// counts the rows of a window and then takes as many in a line, and the last window ends with the last row.
    /// `{}` stands for the source that has the columns `extra`.
    fn doubtful_nulls(
        &self,
        state: &str,
        over: &str,
        lasting: bool,
        extra: &mut Vec<String>,
    ) -> Option<String> {
        let items = self.select.items.iter().map(|item| &item.expr);
        let exprs: Vec<&Expr> = items.chain(&self.select.having).collect();
        let mut parts = Vec::new();
        if exprs.iter().any(|expr| any(expr, &takes_values)) {
            let column = format!("{{}}.x{}", extra.len());
            extra.push(format!("row_number(){over}"));
            parts.push(format!(
                "td_unsure(max({column}) - min({column}) >= count(*), \
                 'aggregates of state windows with rows of NULL between')"
            ));
        }
        if lasting || exprs.iter().any(|expr| any(expr, &shows_the_end)) {
            let behind = over.replace(
                "ROWS UNBOUNDED PRECEDING",
                "ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING",
            );
            let column = format!("{{}}.x{}", extra.len());
            extra.push(format!(
                "count({state}){behind} = 0 AND count(*){behind} > 0"
            ));
            parts.push(format!(
                "td_unsure(max({column}), 'the end of a state window before rows of NULL')"
            ));
        }
        (!parts.is_empty()).then(|| parts.join(" AND "))
    }
}

/// Aggregates that look at more than the number of rows.
fn takes_values(part: &Expr) -> bool {
    matches!(&part.kind, ExprKind::Function { name, args, .. } if is_aggregate(name)
        && !(name == "count" && matches!(args.as_slice(), [Expr { kind: ExprKind::Wildcard(_), .. }])))
}

fn shows_the_end(part: &Expr) -> bool {
    matches!(&part.kind, ExprKind::Column { name, .. }
        if matches!(name.name.as_str(), "_wend" | "_wduration"))
}

/// The error for windows over rows that have no time.
pub(super) fn without_time(select: &Select, scope: &Scope) -> SqlError {
    let times = scope
        .columns
        .iter()
        .any(|column| column.ty.ty == Ty::Timestamp);
    if times || !matches!(select.from, Some(TableRef::Subquery { .. })) {
        return SqlError::unsupported("windows over rows without a time column");
    }
    SqlError::new(
        0x2650,
        "Window query not supported, since no valid timestamp column included in the result of subquery",
    )
}

/// Whether a subquery gives its rows in the order of time; `None` where that is not known.
fn in_line(query: &Query, scope: &Scope) -> Option<bool> {
    let Some(first) = query.order_by.first() else {
        return match &query.body {
            QueryBody::Select(select) => {
                let plain = !select.distinct && select.group_by.is_empty();
                Some(plain && select.partition_by.is_empty())
            }
            QueryBody::Union { .. } => Some(false),
        };
    };
    let ExprKind::Column { table: None, name } = &first.expr.kind else {
        return None;
    };
    if first.descending {
        return None;
    }
    match &query.body {
        QueryBody::Select(select) if select.group_by.is_empty() && !select.distinct => {
            let known = scope.column(&name.name).ok().flatten().is_some();
            known.then(|| is_time(&first.expr, scope))
        }
        _ => None,
    }
}

fn check_state(state: &Expr, typed: &Typed, scope: &Scope) -> Result<(), SqlError> {
    let ty = typed.ty;
    let sized = matches!(ty.ty, Ty::Json | Ty::VarBinary | Ty::Geometry);
    if !(ty.is_integer() || ty.is_text() || ty.ty == Ty::Bool || sized) {
        return Err(SqlError::new(
            0x2628,
            "Only support STATE_WINDOW on integer/bool/varchar column",
        ));
    }
    if let ExprKind::Column { table, name } = &state.kind
        && scope
            .find(table.as_ref(), &name.name)?
            .is_some_and(|column| column.tag)
    {
        return Err(SqlError::new(
            0x2629,
            "Not support STATE_WINDOW on tag column",
        ));
    }
    if typed.uses == 0 || is_tbname(state) {
        return Err(SqlError::unsupported(
            "state_window of a constant or tbname",
        ));
    }
    if !(ty.is_integer() || ty.is_text() || ty.ty == Ty::Bool) {
        return Err(SqlError::unsupported("state_window of binary values"));
    }
    Ok(())
}

/// TRUE_FOR in ticks.
fn least(true_for: Option<Width>, precision: Precision) -> Result<Option<i64>, SqlError> {
    let Some(width) = true_for else {
        return Ok(None);
    };
    match Planner::ticks(width, precision)? {
        Some(ticks) if ticks >= 0 => Ok(Some(ticks)),
        _ => Err(SqlError::unsupported("true_for of this form")),
    }
}
