//! SELECT with aggregates: groups and windows.

use super::aggregate::{SELECTING, any, by_composite_key, calls, contains, is_aggregate};
use super::clauses::{
    as_key, limited, listed, no_groups, ranks_of, result_columns, time_column, where_sql,
};
use super::expr::{Place, condition};
use super::fill::Filled;
use super::interval::Interval;
use super::planner::{Grouping, Planned, Planner, WindowSql};
use super::scope::{Scope, is_tbname};
use super::select::{Filter, Output};
use super::types::{Typed, USES_TAGS};
use super::windows::without_time;
use crate::sql::ast::{Expr, ExprKind, FillMode, Query, Select, Window};
use crate::sql::{SqlError, code};

/// What INTERVAL adds to a grouped SELECT.
#[derive(Default)]
struct Sliced {
    interval: Option<Interval>,
    /// What follows the source behind FROM.
    from: String,
    filters: Vec<String>,
}

impl Planner<'_> {
    pub(super) fn grouped_select(
        &mut self,
        select: &Select,
        query: &Query,
        scope: &Scope,
        outputs: Vec<Output>,
        filter: &Filter,
        window: Option<WindowSql>,
    ) -> Result<Planned, SqlError> {
        if select.tags {
            return Err(SqlError::unsupported("select tags with aggregates"));
        }
        let both = !select.group_by.is_empty() && !select.partition_by.is_empty();
        if both && (query.limit.is_some() || query.slimit.is_some()) {
            return Err(SqlError::unsupported(
                "limits with partition by and group by",
            ));
        }
        let mut grouping = self.grouping(select, scope)?;
        grouping.window = window;
        let sliced = self.slices(select, scope, &mut grouping)?;
        let counts = ["count", "hyperloglog"];
        let counting = outputs
            .iter()
            .any(|output| output.typed.is_none() && calls(&output.expr, &counts));
        let tag_keys = grouping.keys.iter().all(|key| key.uses == USES_TAGS);
        let bare = grouping.by_table
            && scope.is_super()
            && filter.rows.is_empty()
            && select.having.is_none()
            && !outputs.iter().any(|output| contains(&output.expr))
            && !query.order_by.iter().any(|item| contains(&item.expr));
        grouping.empty_groups = (counting || bare)
            && grouping.written
            && grouping.window.is_none()
            && tag_keys
            && scope.from.is_none()
            && (scope.is_super() || scope.is_child());
        grouping.companion = self.companion(select, &outputs, scope)?;

        let place = Place {
            scope,
            grouping: Some(&grouping),
        };
        let mut typed = Vec::with_capacity(outputs.len());
        for output in &outputs {
            typed.push(self.expr(&output.expr, place)?);
        }
        let state_shown = grouping
            .window
            .as_ref()
            .is_some_and(|window| window.state_used.get());
        refuse_scanned_twice(select, &outputs)?;
        let having = self.having(select, place, counting)?;
        let parts = GroupedSql {
            newest: newest(select, &grouping, &outputs),
            select,
            query,
            scope,
            grouping: &grouping,
            filter,
            sliced: &sliced,
        };
        let fill = select.fill.as_ref();
        let sql = match (fill, &sliced.interval) {
            (Some(fill), Some(interval)) if fill.mode != FillMode::None => {
                let filled = Filled {
                    fill,
                    select,
                    query,
                    outputs: &outputs,
                    typed: &typed,
                    place,
                    interval,
                    rows: parts.source_and_filter(),
                    constants: &filter.constants,
                };
                self.filled(&filled)?
            }
            _ => {
                let mut order = self.order(&query.order_by, &outputs, place)?;
                parts.write(&typed, having.as_deref(), &mut order)?
            }
        };
        check_window_functions(select, query, &grouping, &outputs, state_shown)?;
        if let Some(interval) = &sliced.interval {
            check_bounds(&parts, interval, &outputs)?;
        }
        let start = grouping.window.as_ref().map(|window| window.start.clone());
        Ok(Planned {
            sql,
            time: time_column(&typed, start.as_deref()),
            columns: result_columns(&outputs, &typed),
            precision: scope.precision,
        })
    }

    /// INTERVAL, if it is the window.
    fn slices(
        &self,
        select: &Select,
        scope: &Scope,
        grouping: &mut Grouping,
    ) -> Result<Sliced, SqlError> {
        let mut sliced = Sliced::default();
        let Some(window) = &select.window else {
            return Ok(sliced);
        };
        if grouping.window.is_none() {
            let Some(time) = &scope.time else {
                return Err(without_time(select, scope));
            };
            let interval = self.interval(window, scope)?;
            if let Some(fill) = &select.fill {
                self.check_fill(fill, &interval)?;
            }
            grouping.window = Some(interval.window(time, &mut sliced.from, &mut sliced.filters));
            sliced.interval = Some(interval);
        }
        if !select.group_by.is_empty() {
            return Err(SqlError::new(
                0x2624,
                "GROUP BY and WINDOW-clause can't be used together",
            ));
        }
        Ok(sliced)
    }

    /// What groups and windows must fulfil.
    fn having(
        &mut self,
        select: &Select,
        place: Place<'_>,
        counting: bool,
    ) -> Result<Option<String>, SqlError> {
        let Some(grouping) = place.grouping else {
            return Ok(None);
        };
        let mut parts = Vec::new();
        if let Some(window) = &grouping.window {
            parts.extend(window.having.clone());
        }
        match &select.having {
            Some(having) => {
                if !grouping.written && grouping.window.is_none() {
                    return Err(SqlError::unsupported("having without groups"));
                }
                let typed = self.expr(having, place).map_err(|error| {
                    if error.code == code::NOT_SINGLE_GROUP {
                        return SqlError::new(0x2667, "Invalid usage of expr in HAVING");
                    }
                    error
                })?;
                parts.push(condition(&typed)?);
            }
            None if !grouping.written && grouping.window.is_none() && !counting => {
                parts.push("count(*) > 0".to_owned());
            }
            None => {}
        }
        Ok((!parts.is_empty()).then(|| parts.join(" AND ")))
    }

    fn grouping(&mut self, select: &Select, scope: &Scope) -> Result<Grouping, SqlError> {
        let mut grouping = Grouping::default();
        let partitions = select.partition_by.iter().map(|item| &item.expr);
        for expr in partitions.chain(&select.group_by) {
            grouping.by_table |= is_tbname(expr);
            let key = self.group_key(expr, Place::rows(scope))?;
            grouping.keys.push(key);
        }
        grouping.written = !grouping.keys.is_empty();
        grouping.by_group = !select.group_by.is_empty();
        Ok(grouping)
    }

    /// How columns beside the one selecting function get the values of its row.
    fn companion(
        &mut self,
        select: &Select,
        outputs: &[Output],
        scope: &Scope,
    ) -> Result<Option<String>, SqlError> {
        let other = |part: &Expr| {
            matches!(&part.kind, ExprKind::Function { name, .. }
                if is_aggregate(name) && !SELECTING.contains(&name.as_str()))
        };
        if outputs.iter().any(|output| any(&output.expr, &other)) {
            return Ok(None);
        }
        let mut found = Vec::new();
        for output in outputs.iter().filter(|output| output.typed.is_none()) {
            selecting(&output.expr, &mut found);
        }
        let rows_of_one = one_last_row(select) && found.iter().all(|call| is_last_row(call));
        // equal calls count once, but not in groups and windows
        let equal_count_once = select.group_by.is_empty() && select.window.is_none();
        let mut chosen: Option<(&str, String)> = None;
        for call in found {
            let ExprKind::Function { name, args, .. } = &call.kind else {
                continue;
            };
            let [arg] = args.as_slice() else {
                return Ok(None);
            };
            if contains(arg) {
                return Ok(None);
            }
            let key = self.expr(arg, Place::rows(scope))?.sql;
            let known = |(function, sql): &(&str, String)| *function == name && *sql == key;
            if let Some(before) = &chosen
                && !(rows_of_one || equal_count_once && known(before))
            {
                return Ok(None);
            }
            chosen = Some((name, key));
        }
        let Some((function, key)) = chosen else {
            return Ok(None);
        };
        let time = scope.time.as_deref();
        Ok(match (function, time) {
            ("max" | "min", _) => Some(format!("td_pick_{function}({{}}, {key})")),
            ("first" | "last" | "last_row", Some(_)) if scope.key.is_some() => {
                by_composite_key(scope, function, "{}", &key)?
            }
            ("first" | "last", Some(time)) => {
                Some(format!("td_pick_{function}({{}}, {time}, {key})"))
            }
            ("mode", Some(time)) => Some(format!("td_pick_mode({{}}, {key} ORDER BY {time})")),
            ("last_row", Some(time)) => Some(format!("td_pick_last_row({{}}, {time})")),
            _ => None,
        })
    }
}

/// PERCENTILE reads its rows twice, which neither partitions nor windows of rows allow.
fn refuse_scanned_twice(select: &Select, outputs: &[Output]) -> Result<(), SqlError> {
    let by_rows = matches!(
        select.window,
        Some(Window::Event { .. } | Window::Count { .. })
    );
    let called = |output: &Output| output.typed.is_none() && calls(&output.expr, &["percentile"]);
    if (by_rows || !select.partition_by.is_empty()) && outputs.iter().any(called) {
        return Err(super::series_rules::mixed());
    }
    Ok(())
}

/// The calls of functions that select a row.
fn selecting<'e>(expr: &'e Expr, found: &mut Vec<&'e Expr>) {
    if calls_itself(expr, SELECTING) {
        found.push(expr);
        return;
    }
    for part in super::rewrite::parts(expr) {
        selecting(part, found);
    }
}

fn calls_itself(expr: &Expr, names: &[&str]) -> bool {
    matches!(&expr.kind, ExprKind::Function { name, .. } if names.contains(&name.as_str()))
}

fn is_last_row(expr: &Expr) -> bool {
    calls_itself(expr, &["last_row"])
}

/// `last_row(*)` selects one row, however many columns it shows.
fn one_last_row(select: &Select) -> bool {
    let mut found = Vec::new();
    for item in &select.items {
        selecting(&item.expr, &mut found);
    }
    found.len() == 1
}

/// What the SQL of a grouped SELECT is made of.
struct GroupedSql<'g> {
    /// Only the last row counts.
    newest: bool,
    select: &'g Select,
    query: &'g Query,
    scope: &'g Scope,
    grouping: &'g Grouping,
    filter: &'g Filter,
    sliced: &'g Sliced,
}

impl GroupedSql<'_> {
    fn write(
        &self,
        typed: &[Typed],
        having: Option<&str>,
        order: &mut Vec<String>,
    ) -> Result<String, SqlError> {
        let query = self.query;
        let keys: Vec<String> = self
            .grouping
            .keys
            .iter()
            .map(|key| as_key(&key.sql))
            .collect();
        if query.slimit.is_some() && keys.is_empty() {
            return Err(no_groups());
        }
        let mut sql = String::from("SELECT ");
        if self.select.distinct {
            sql.push_str("DISTINCT ");
        }
        sql.push_str(&listed(typed));
        let limits = query.limit.is_some() && order.is_empty() && !keys.is_empty();
        let ranks = limits || query.slimit.is_some();
        if ranks {
            let window = self.grouping.window.as_ref();
            let by = window.map_or("1", |window| window.start.as_str());
            sql.push_str(&ranks_of(self.select, &keys, by)?);
        }
        sql.push_str(&self.source_and_filter());
        let mut groups: Vec<&str> = keys.iter().map(String::as_str).collect();
        if let Some(window) = &self.grouping.window {
            groups.push(&window.group);
            if order.is_empty() && !ranks {
                order.push(window.start.clone());
            }
        }
        if !groups.is_empty() {
            sql.push_str(&format!(" GROUP BY {}", groups.join(", ")));
        }
        if let Some(having) = having {
            sql.push_str(&format!(" HAVING {having}"));
        }
        if !order.is_empty() {
            sql.push_str(&format!(" ORDER BY {}", order.join(", ")));
        }
        let mut sql = limited(sql, query, typed.len(), limits);
        if !self.filter.constants.is_empty() {
            // A condition that no row decides leaves out even the row of count(*).
            sql = format!(
                "SELECT * FROM ({sql}) WHERE {}",
                self.filter.constants.join(" AND ")
            );
        }
        Ok(sql)
    }

    /// A condition that the rows of the last time fulfil, found by the key of the data table: without it
    /// all rows are read.
    fn newest_row(&self, from: &str, filters: &[&String]) -> Option<String> {
        let (true, Some(table), Some(time)) = (self.newest, &self.scope.table, &self.scope.time)
        else {
            return None;
        };
        if self.scope.from.is_some() {
            return None;
        }
        if !self.scope.is_super() {
            let rows = where_sql(filters);
            return Some(format!("{time} = (SELECT max({time}){from}{rows})"));
        }
        let (id, n) = (table.storage_id(), self.scope.number);
        filters.is_empty().then(|| {
            format!(
                "a{n}.tbl IN (SELECT tbl FROM t{id}) AND {time} = (SELECT max(m) FROM (SELECT \
                 (SELECT max(ts) FROM d{id} WHERE d{id}.tbl = t{id}.tbl) AS m FROM t{id}))"
            )
        })
    }

    fn source_and_filter(&self) -> String {
        let mut filters: Vec<&String> = self.filter.tags.iter().collect();
        let (mut from, own);
        let child;
        if self.grouping.empty_groups {
            let mut on = String::new();
            for part in &self.filter.rows {
                on.push_str(&format!(" AND {part}"));
            }
            (from, own) = self.scope.source_sql(true, &on);
            if let Some(table) = self.scope.table.as_ref().filter(|_| self.scope.is_child()) {
                child = format!("g{}.tbl = {}", self.scope.number, table.id);
                filters.push(&child);
            }
        } else {
            (from, own) = self.scope.source_sql(false, "");
            filters.extend(&self.filter.rows);
        }
        from.push_str(&self.sliced.from);
        filters.extend(&self.sliced.filters);
        filters.extend(own.as_ref());
        let newest = self.newest_row(&from, &filters);
        filters.extend(newest.as_ref());
        from.push_str(&where_sql(&filters));
        from
    }
}

/// Whether nothing but `last_row` of all rows is asked for.
fn newest(select: &Select, grouping: &Grouping, outputs: &[Output]) -> bool {
    !grouping.written
        && grouping.window.is_none()
        && select.having.is_none()
        && outputs.iter().all(|output| only_last_row(&output.expr))
        && outputs
            .iter()
            .any(|output| calls(&output.expr, &["last_row"]))
}

/// The server adds points at the bounds of intervals, found between the rows beside them. For `elapsed` over one table
/// they are the bounds themselves.
fn check_bounds(
    parts: &GroupedSql<'_>,
    interval: &Interval,
    outputs: &[Output],
) -> Result<(), SqlError> {
    let outputs = outputs.iter().map(|output| &output.expr);
    let order = parts.query.order_by.iter().map(|item| &item.expr);
    let exprs: Vec<&Expr> = outputs.chain(order).chain(&parts.select.having).collect();
    let has = |name: &str| exprs.iter().any(|expr| calls(expr, &[name]));
    if has("twa") {
        return Err(SqlError::unsupported("twa with interval"));
    }
    let scope = parts.scope;
    let one_table = scope.table.is_some() && scope.from.is_none() && !scope.is_super();
    let plain = one_table
        && !parts.grouping.written
        && !interval.slides()
        && !parts.select.distinct
        && parts.select.having.is_none();
    if has("elapsed") && !plain {
        return Err(SqlError::unsupported("elapsed with interval of this form"));
    }
    Ok(())
}

/// A window needs an aggregate somewhere, or its state.
fn check_window_functions(
    select: &Select,
    query: &Query,
    grouping: &Grouping,
    outputs: &[Output],
    state_shown: bool,
) -> Result<(), SqlError> {
    if grouping.window.is_none() {
        return Ok(());
    }
    let found = outputs.iter().any(|output| contains(&output.expr))
        || select.having.as_ref().is_some_and(contains)
        || query.order_by.iter().any(|item| contains(&item.expr))
        || state_shown;
    if found {
        return Ok(());
    }
    Err(SqlError::new(0x265E, "No valid function in window query"))
}

/// Whether no aggregate but `last_row` is called.
fn only_last_row(expr: &Expr) -> bool {
    !any(expr, &|part| {
        matches!(&part.kind, ExprKind::Function { name, .. }
            if is_aggregate(name) && name != "last_row")
    })
}
