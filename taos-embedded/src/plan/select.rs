//! SELECT and UNION: from clauses to SQL.

use taos_query::common::Ty;

use super::aggregate::{SELECTING, calls, contains};
use super::expr::{Place, condition};
use super::planner::{Grouping, Planned, Planner, WindowSql};
use super::scope::{Scope, is_tbname};
use super::types::{ColType, Typed, USES_DATA, USES_TAGS};
use super::{name, scalar};
use crate::sql::ast::{
    BinaryOp, Expr, ExprKind, FillMode, FunctionForm, Ident, Limit, OrderItem, Query, QueryBody,
    Select, Span, Window,
};
use crate::sql::{SqlError, code};

/// A column of the result before it is planned.
struct Output {
    name: String,
    expr: Expr,
    alias: Option<String>,
    /// Columns of a wildcard are known already.
    typed: Option<Typed>,
}

/// WHERE by what its parts depend on.
#[derive(Default)]
struct Filter {
    constants: Vec<String>,
    tags: Vec<String>,
    rows: Vec<String>,
}

impl Filter {
    fn all(&self) -> impl Iterator<Item = &String> {
        self.constants.iter().chain(&self.tags).chain(&self.rows)
    }

    fn needs_rows(&self) -> bool {
        !self.rows.is_empty()
    }
}

impl Planner<'_> {
    pub(crate) fn query(&mut self, query: &Query) -> Result<Planned, SqlError> {
        match &query.body {
            QueryBody::Select(select) => self.select(select, query),
            QueryBody::Union { all, left, right } => self.union(*all, left, right, query),
        }
    }

    fn union(
        &mut self,
        all: bool,
        left: &Query,
        right: &Query,
        query: &Query,
    ) -> Result<Planned, SqlError> {
        if query.slimit.is_some() {
            return Err(no_groups());
        }
        let left = self.query(left)?;
        let right = self.query(right)?;
        if left.columns.len() != right.columns.len() {
            return Err(SqlError::new(
                0x2634,
                "Query block has incorrect number of result columns",
            ));
        }
        let mut columns = left.columns;
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for (index, (column, other)) in columns.iter_mut().zip(&right.columns).enumerate() {
            let value = Typed::new(format!("q{index}"), ColType::of_result(other), USES_DATA);
            if column.ty == other.ty {
                column.length = column.length.max(other.length);
            }
            theirs.push(format!(
                "{} AS q{index}",
                scalar::as_type(&value, ColType::of_result(column))?
            ));
            ours.push(format!("q{index}"));
        }
        let word = if all { "UNION ALL" } else { "UNION" };
        let mut sql = format!(
            "SELECT {} FROM ({}) {word} SELECT {} FROM ({})",
            ours.join(", "),
            left.sql,
            theirs.join(", "),
            right.sql
        );
        if !query.order_by.is_empty() || query.limit.is_some() {
            let mut scope = Scope::empty(left.precision);
            scope.columns = columns
                .iter()
                .enumerate()
                .map(|(index, column)| super::scope::ScopeColumn {
                    name: column.name.clone(),
                    ty: ColType::of_result(column),
                    sql: format!("q{index}"),
                    tag: false,
                })
                .collect();
            let mut order = Vec::new();
            for item in &query.order_by {
                let by = match position(&item.expr, columns.len())? {
                    Some(at) => format!("q{at}"),
                    None => self.expr(&item.expr, Place::rows(&scope))?.sql,
                };
                order.push(format!("{by}{}", direction(item)));
            }
            sql = format!("SELECT * FROM ({sql})");
            if !order.is_empty() {
                sql.push_str(&format!(" ORDER BY {}", order.join(", ")));
            }
            sql.push_str(&limit_sql(query.limit));
        }
        Ok(Planned {
            sql,
            columns,
            precision: left.precision,
            time: left.time.filter(|_| left.time == right.time),
        })
    }

    fn select(&mut self, select: &Select, query: &Query) -> Result<Planned, SqlError> {
        self.refuse(select)?;
        let scope = self.source(select.from.as_ref())?;
        let outputs = self.outputs(select, &scope)?;
        let grouped = !select.group_by.is_empty()
            || select.window.is_some()
            || select.having.is_some()
            || outputs
                .iter()
                .any(|output| output.typed.is_none() && contains(&output.expr))
            || (!select.tags
                && select.partition_by.is_empty()
                && query.order_by.iter().any(|item| contains(&item.expr)));
        if select.filter.as_ref().is_some_and(contains) {
            return Err(aggregate_not_allowed());
        }
        let filter = self.filter(select.filter.as_ref(), &scope)?;
        if grouped {
            self.grouped_select(select, query, &scope, outputs, &filter)
        } else {
            self.row_select(select, query, &scope, outputs, &filter)
        }
    }

    /// Clauses that are read but not done.
    fn refuse(&self, select: &Select) -> Result<(), SqlError> {
        if select.range.is_some() {
            return Err(SqlError::unsupported("range"));
        }
        if select.every.is_some() {
            return Err(SqlError::unsupported("every"));
        }
        if let Some(fill) = &select.fill
            && fill.mode != FillMode::None
        {
            return Err(SqlError::unsupported("fill"));
        }
        match &select.window {
            Some(Window::Session { .. }) => Err(SqlError::unsupported("session")),
            Some(Window::State { .. }) => Err(SqlError::unsupported("state_window")),
            Some(Window::Event { .. }) => Err(SqlError::unsupported("event_window")),
            Some(Window::Count { .. }) => Err(SqlError::unsupported("count_window")),
            Some(Window::Other(name)) => Err(SqlError::unsupported(name)),
            None | Some(Window::Interval { .. }) => Ok(()),
        }
    }

    // ---- the columns ----

    fn outputs(&self, select: &Select, scope: &Scope) -> Result<Vec<Output>, SqlError> {
        let mut outputs = Vec::with_capacity(select.items.len());
        for item in &select.items {
            match &item.expr.kind {
                ExprKind::Wildcard(qualifier) => {
                    scope.qualify(qualifier.as_ref())?;
                    if select.tags {
                        return Err(SqlError::unsupported("select tags *"));
                    }
                    if scope.columns.is_empty() {
                        return Err(SqlError::syntax(item.expr.span.rest(self.sql)));
                    }
                    for column in &scope.columns {
                        if column.tag && !scope.is_super() {
                            continue;
                        }
                        outputs.push(Output {
                            name: column.name.clone(),
                            expr: column_expr(&column.name),
                            alias: None,
                            typed: Some(scope.use_column(column)),
                        });
                    }
                }
                ExprKind::Function { name, args, form }
                    if matches!(name.as_str(), "first" | "last" | "last_row")
                        && (args.len() > 1
                            || matches!(
                                args.first().map(|arg| &arg.kind),
                                Some(ExprKind::Wildcard(_))
                            )) =>
                {
                    many_columns(name, args, *form, scope, &mut outputs)?;
                }
                _ => outputs.push(Output {
                    name: name::of_item(item, self.sql),
                    expr: item.expr.clone(),
                    alias: item.alias.as_ref().map(|alias| alias.name.clone()),
                    typed: None,
                }),
            }
        }
        Ok(outputs)
    }

    // ---- WHERE ----

    fn filter(&mut self, filter: Option<&Expr>, scope: &Scope) -> Result<Filter, SqlError> {
        let mut parts = Filter::default();
        let mut conjuncts = Vec::new();
        if let Some(filter) = filter {
            flatten(filter, &mut conjuncts);
        }
        for conjunct in conjuncts {
            let typed = self.expr(conjunct, Place::rows(scope))?;
            let sql = condition(&typed)?;
            match typed.uses {
                0 => parts.constants.push(sql),
                USES_TAGS => parts.tags.push(sql),
                _ => parts.rows.push(sql),
            }
        }
        Ok(parts)
    }

    // ---- rows ----

    fn row_select(
        &mut self,
        select: &Select,
        query: &Query,
        scope: &Scope,
        outputs: Vec<Output>,
        filter: &Filter,
    ) -> Result<Planned, SqlError> {
        let place = Place::rows(scope);
        let mut typed = Vec::with_capacity(outputs.len());
        for output in &outputs {
            typed.push(match &output.typed {
                Some(typed) => typed.clone(),
                None => self.expr(&output.expr, place)?,
            });
        }
        let mut partition = Vec::new();
        for item in &select.partition_by {
            if contains(&item.expr) {
                return Err(aggregate_not_allowed());
            }
            partition.push(self.expr(&item.expr, place)?.sql);
        }
        let mut order = self.order(&query.order_by, &outputs, place)?;
        let tags_only = self.tags_only(select, scope, &outputs, &typed, filter)?;
        let per_group = !partition.is_empty() && order.is_empty();
        if order.is_empty() && !tags_only && !select.distinct && !scope.is_super() {
            order.extend(natural_order(scope));
        }
        if query.slimit.is_some() && partition.is_empty() {
            return Err(no_groups());
        }
        let (from, own) = if tags_only {
            tags_from(scope)
        } else {
            scope.from_sql(false, "")
        };
        let filters: Vec<&String> = own.iter().chain(filter.all()).collect();
        let mut sql = String::from("SELECT ");
        if select.distinct {
            sql.push_str("DISTINCT ");
        }
        sql.push_str(&listed(&typed));
        let ranks = per_group && (query.limit.is_some() || query.slimit.is_some());
        if ranks || query.slimit.is_some() {
            let keys = partition.join(", ");
            let by = scope.time.clone().unwrap_or_else(|| "1".to_owned());
            sql.push_str(&format!(
                ", row_number() OVER (PARTITION BY {keys} ORDER BY {by}) AS rn, \
                 dense_rank() OVER (ORDER BY {keys}) AS gn"
            ));
        }
        sql.push_str(&from);
        sql.push_str(&where_sql(&filters));
        if !order.is_empty() {
            sql.push_str(&format!(" ORDER BY {}", order.join(", ")));
        }
        sql = limited(sql, query, typed.len(), ranks);
        Ok(Planned {
            sql,
            time: time_column(&typed, scope.time.as_deref()),
            columns: result_columns(&outputs, &typed),
            precision: scope.precision,
        })
    }

    /// Whether subtables, not rows, are listed: SELECT TAGS and DISTINCT of tbname.
    fn tags_only(
        &self,
        select: &Select,
        scope: &Scope,
        outputs: &[Output],
        typed: &[Typed],
        filter: &Filter,
    ) -> Result<bool, SqlError> {
        let tags = typed.iter().all(|typed| typed.uses == USES_TAGS);
        if select.tags {
            if !tags || filter.needs_rows() || !(scope.is_super() || scope.is_child()) {
                return Err(SqlError::unsupported("select tags of columns"));
            }
            return Ok(true);
        }
        let by_name = outputs.iter().any(|output| is_tbname(&output.expr));
        Ok(select.distinct && tags && by_name && scope.is_super() && !filter.needs_rows())
    }

    fn order(
        &mut self,
        items: &[OrderItem],
        outputs: &[Output],
        place: Place<'_>,
    ) -> Result<Vec<String>, SqlError> {
        let mut order = Vec::with_capacity(items.len());
        for item in items {
            let by = match position(&item.expr, outputs.len())?
                .or_else(|| by_alias(&item.expr, outputs))
            {
                Some(at) => (at + 1).to_string(),
                None => self.expr(&item.expr, place)?.sql,
            };
            order.push(format!("{by}{}", direction(item)));
        }
        Ok(order)
    }

    // ---- groups ----

    fn grouped_select(
        &mut self,
        select: &Select,
        query: &Query,
        scope: &Scope,
        outputs: Vec<Output>,
        filter: &Filter,
    ) -> Result<Planned, SqlError> {
        if select.tags {
            return Err(SqlError::unsupported("select tags with aggregates"));
        }
        if !select.group_by.is_empty() && !select.partition_by.is_empty() {
            return Err(SqlError::unsupported("partition by with group by"));
        }
        let mut from_extra = String::new();
        let mut grouping = self.grouping(select, scope, &outputs)?;
        let mut window_filter = Vec::new();
        if let Some(window) = &select.window {
            grouping.window =
                Some(self.interval(window, scope, &mut from_extra, &mut window_filter)?);
        }
        let counts = ["count", "hyperloglog"];
        let counting = outputs
            .iter()
            .any(|output| output.typed.is_none() && calls(&output.expr, &counts));
        let tag_keys = grouping.keys.iter().all(|key| key.uses == USES_TAGS);
        grouping.empty_groups = counting
            && grouping.written
            && grouping.window.is_none()
            && tag_keys
            && (scope.is_super() || scope.is_child());
        grouping.companion = self.companion(&outputs, scope)?;

        let place = Place {
            scope,
            grouping: Some(&grouping),
        };
        let mut typed = Vec::with_capacity(outputs.len());
        for output in &outputs {
            typed.push(self.expr(&output.expr, place)?);
        }
        let having = match &select.having {
            Some(having) => {
                if !grouping.written && grouping.window.is_none() {
                    return Err(SqlError::unsupported("having without groups"));
                }
                Some(condition(&self.expr(having, place)?)?)
            }
            None if !grouping.written && grouping.window.is_none() && !counting => {
                Some("count(*) > 0".to_owned())
            }
            None => None,
        };
        let mut order = self.order(&query.order_by, &outputs, place)?;
        let parts = GroupedSql {
            select,
            query,
            scope,
            grouping: &grouping,
            filter,
            from_extra: &from_extra,
            window_filter: &window_filter,
        };
        let sql = parts.write(&typed, having.as_deref(), &mut order)?;
        let start = grouping.window.as_ref().map(|window| window.start.clone());
        Ok(Planned {
            sql,
            time: time_column(&typed, start.as_deref()),
            columns: result_columns(&outputs, &typed),
            precision: scope.precision,
        })
    }

    fn grouping(
        &mut self,
        select: &Select,
        scope: &Scope,
        outputs: &[Output],
    ) -> Result<Grouping, SqlError> {
        let mut grouping = Grouping::default();
        let partitions = select.partition_by.iter().map(|item| &item.expr);
        for expr in select.group_by.iter().chain(partitions) {
            let mut expr = expr;
            let at = position(expr, outputs.len())?.or_else(|| match &expr.kind {
                ExprKind::Column { table: None, name }
                    if scope.column(&name.name).ok().flatten().is_none() =>
                {
                    by_alias(expr, outputs)
                }
                _ => None,
            });
            if let Some(output) = at.and_then(|at| outputs.get(at)) {
                expr = &output.expr;
            }
            if contains(expr) {
                return Err(aggregate_not_allowed());
            }
            grouping.by_table |= is_tbname(expr);
            grouping.keys.push(self.expr(expr, Place::rows(scope))?);
        }
        grouping.written = !grouping.keys.is_empty();
        Ok(grouping)
    }

    /// How columns beside the one selecting function get the values of its row.
    fn companion(&mut self, outputs: &[Output], scope: &Scope) -> Result<Option<String>, SqlError> {
        let mut found: Option<(&str, &Expr)> = None;
        for output in outputs.iter().filter(|output| output.typed.is_none()) {
            let ExprKind::Function { name, args, .. } = &output.expr.kind else {
                if calls(&output.expr, SELECTING) {
                    return Ok(None);
                }
                continue;
            };
            if !SELECTING.contains(&name.as_str()) {
                continue;
            }
            let (None, [arg]) = (found, args.as_slice()) else {
                return Ok(None);
            };
            found = Some((name, arg));
        }
        let Some((function, arg)) = found else {
            return Ok(None);
        };
        if contains(arg) {
            return Ok(None);
        }
        let key = self.expr(arg, Place::rows(scope))?.sql;
        let time = scope.time.as_deref();
        Ok(match (function, time) {
            ("max" | "min", _) => Some(format!("td_pick_{function}({{}}, {key})")),
            ("first" | "last", Some(time)) => {
                Some(format!("td_pick_{function}({{}}, {time}, {key})"))
            }
            ("last_row", Some(time)) => Some(format!("td_pick_last_row({{}}, {time})")),
            _ => None,
        })
    }

    /// INTERVAL: each row's window, with SLIDING one row for each window it lies in.
    fn interval(
        &self,
        window: &Window,
        scope: &Scope,
        from: &mut String,
        filters: &mut Vec<String>,
    ) -> Result<WindowSql, SqlError> {
        let Window::Interval {
            width,
            offset,
            sliding,
        } = window
        else {
            return Err(SqlError::unsupported("window"));
        };
        let Some(time) = &scope.time else {
            return Err(SqlError::unsupported(
                "interval on rows without a time column",
            ));
        };
        let precision = scope.precision;
        let offset = match offset {
            Some(offset) => Self::ticks(*offset, precision)?
                .ok_or_else(|| SqlError::unsupported("interval offset in months"))?,
            None => 0,
        };
        let Some(width) = Self::ticks(*width, precision)? else {
            let crate::sql::ast::Width::Duration(duration) = width else {
                return Err(SqlError::unsupported("interval"));
            };
            if offset != 0 || sliding.is_some() {
                return Err(SqlError::unsupported(
                    "interval in months with offset or sliding",
                ));
            }
            let months = duration.months().unwrap_or(1);
            if months < 1 {
                return Err(SqlError::new(0x2615, "Interval value is too small"));
            }
            let id = precision.as_u8();
            let start = format!("td_floor_months({time}, {months}, {id})");
            let end = format!("td_add_months({start}, {months}, {id})");
            return Ok(WindowSql {
                duration: format!("({end} - {start})"),
                start,
                end,
            });
        };
        if width < 1 {
            return Err(SqlError::new(0x2615, "Interval value is too small"));
        }
        if offset < 0 || (offset > 0 && offset >= width) {
            return Err(SqlError::new(
                0x262F,
                "Interval offset should be shorter than the interval",
            ));
        }
        let mut start = format!("td_floor({time}, {width}, {offset})");
        if let Some(sliding) = sliding {
            let Some(step) = Self::ticks(*sliding, precision)? else {
                return Err(SqlError::unsupported("sliding in months"));
            };
            if step > width {
                return Err(SqlError::new(
                    0x2631,
                    "Sliding value no larger than the interval value is expected",
                ));
            }
            if step < 1 || width / step > 100 {
                return Err(SqlError::new(0x2632, "Sliding value is too small"));
            }
            let most = ((width + step - 1) / step).max(1);
            let steps: Vec<String> = (0..most).map(|index| format!("({index})")).collect();
            from.push_str(&format!(
                " CROSS JOIN (SELECT column1 AS k FROM (VALUES {})) w",
                steps.join(", ")
            ));
            start = format!("(td_floor({time}, {step}, {offset}) - w.k * {step})");
            filters.push(format!("{time} < {start} + {width}"));
        }
        Ok(WindowSql {
            end: format!("({start} + {width})"),
            duration: width.to_string(),
            start,
        })
    }
}

/// What the SQL of a grouped SELECT is made of.
struct GroupedSql<'g> {
    select: &'g Select,
    query: &'g Query,
    scope: &'g Scope,
    grouping: &'g Grouping,
    filter: &'g Filter,
    from_extra: &'g str,
    window_filter: &'g [String],
}

impl GroupedSql<'_> {
    fn write(
        &self,
        typed: &[Typed],
        having: Option<&str>,
        order: &mut Vec<String>,
    ) -> Result<String, SqlError> {
        let query = self.query;
        let keys: Vec<&str> = self
            .grouping
            .keys
            .iter()
            .map(|key| key.sql.as_str())
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
            let keys = keys.join(", ");
            let by = self
                .grouping
                .window
                .as_ref()
                .map_or("1", |window| window.start.as_str());
            sql.push_str(&format!(
                ", row_number() OVER (PARTITION BY {keys} ORDER BY {by}) AS rn, \
                 dense_rank() OVER (ORDER BY {keys}) AS gn"
            ));
        }
        sql.push_str(&self.from_and_where());
        let mut groups = keys;
        if let Some(window) = &self.grouping.window {
            groups.push(&window.start);
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

    fn from_and_where(&self) -> String {
        let mut filters: Vec<&String> = self.filter.tags.iter().collect();
        let (mut from, own);
        let child;
        if self.grouping.empty_groups {
            let mut on = String::new();
            for part in &self.filter.rows {
                on.push_str(&format!(" AND {part}"));
            }
            (from, own) = self.scope.from_sql(true, &on);
            if let Some(table) = self.scope.table.as_ref().filter(|_| self.scope.is_child()) {
                child = format!("g{}.tbl = {}", self.scope.number, table.id);
                filters.push(&child);
            }
        } else {
            (from, own) = self.scope.from_sql(false, "");
            filters.extend(&self.filter.rows);
        }
        from.push_str(self.from_extra);
        filters.extend(self.window_filter);
        filters.extend(own.as_ref());
        from.push_str(&where_sql(&filters));
        from
    }
}

// ---- small parts ----

fn aggregate_not_allowed() -> SqlError {
    SqlError::new(code::AGGREGATE_NOT_ALLOWED, "There mustn't be aggregation")
}

fn no_groups() -> SqlError {
    SqlError::new(
        0x2638,
        "slimit/soffset only available for PARTITION BY query",
    )
}

fn column_expr(name: &str) -> Expr {
    Expr {
        kind: ExprKind::Column {
            table: None,
            name: Ident {
                name: name.to_owned(),
                quoted: true,
                span: Span::default(),
            },
        },
        span: Span::default(),
    }
}

/// `first(*)`, `last(a, b)`: one column each.
fn many_columns(
    name: &str,
    args: &[Expr],
    form: FunctionForm,
    scope: &Scope,
    outputs: &mut Vec<Output>,
) -> Result<(), SqlError> {
    let mut columns = Vec::new();
    for arg in args {
        match &arg.kind {
            ExprKind::Wildcard(qualifier) => {
                scope.qualify(qualifier.as_ref())?;
                let own = scope.columns.iter().filter(|column| !column.tag);
                columns.extend(own.map(|column| (column.name.clone(), column_expr(&column.name))));
            }
            ExprKind::Column { name, .. } => columns.push((name.name.clone(), arg.clone())),
            _ => {
                return Err(SqlError::unsupported(format!(
                    "{name} of several expressions"
                )));
            }
        }
    }
    for (column, arg) in columns {
        outputs.push(Output {
            name: format!("{name}({column})"),
            expr: Expr {
                kind: ExprKind::Function {
                    name: name.to_owned(),
                    args: vec![arg],
                    form,
                },
                span: Span::default(),
            },
            alias: None,
            typed: None,
        });
    }
    Ok(())
}

pub(crate) fn flatten<'e>(expr: &'e Expr, parts: &mut Vec<&'e Expr>) {
    if let ExprKind::Binary(BinaryOp::And, left, right) = &expr.kind {
        flatten(left, parts);
        flatten(right, parts);
    } else {
        parts.push(expr);
    }
}

/// The place of a position in ORDER BY or GROUP BY, from 0.
fn position(expr: &Expr, columns: usize) -> Result<Option<usize>, SqlError> {
    let ExprKind::Integer(text) = &expr.kind else {
        return Ok(None);
    };
    match text.parse::<usize>() {
        Ok(at) if at >= 1 && at <= columns => Ok(Some(at - 1)),
        _ => Err(SqlError::new(
            code::WRONG_POSITION,
            "ORDER BY / GROUP BY item must be the number of a SELECT-list expression",
        )),
    }
}

fn by_alias(expr: &Expr, outputs: &[Output]) -> Option<usize> {
    let ExprKind::Column { table: None, name } = &expr.kind else {
        return None;
    };
    outputs
        .iter()
        .position(|output| output.alias.as_ref() == Some(&name.name))
}

fn direction(item: &OrderItem) -> String {
    let mut text = String::new();
    if item.descending {
        text.push_str(" DESC");
    }
    match item.nulls_first {
        Some(true) => text.push_str(" NULLS FIRST"),
        Some(false) => text.push_str(" NULLS LAST"),
        None => {}
    }
    text
}

fn listed(typed: &[Typed]) -> String {
    let parts: Vec<String> = typed
        .iter()
        .enumerate()
        .map(|(index, typed)| format!("{} AS q{index}", typed.sql))
        .collect();
    parts.join(", ")
}

fn where_sql(filters: &[&String]) -> String {
    if filters.is_empty() {
        return String::new();
    }
    let parts: Vec<&str> = filters.iter().map(|part| part.as_str()).collect();
    format!(" WHERE {}", parts.join(" AND "))
}

fn limit_sql(limit: Option<Limit>) -> String {
    let Some(limit) = limit else {
        return String::new();
    };
    let count = limit.count.unwrap_or(-1);
    format!(" LIMIT {count} OFFSET {}", limit.offset.unwrap_or(0))
}

/// LIMIT in the whole, or by the ranks within groups; SLIMIT by the rank of the group.
fn limited(sql: String, query: &Query, columns: usize, per_group: bool) -> String {
    if query.slimit.is_none() && !per_group {
        return format!("{sql}{}", limit_sql(query.limit));
    }
    let between = |rank: &str, limit: Limit| {
        let offset = limit.offset.unwrap_or(0);
        let last = limit.count.unwrap_or(i64::MAX).saturating_add(offset);
        format!("{rank} > {offset} AND {rank} <= {last}")
    };
    let mut filters = Vec::new();
    if let Some(slimit) = query.slimit {
        filters.push(between("gn", slimit));
    }
    let mut tail = String::new();
    match query.limit {
        Some(limit) if per_group => filters.push(between("rn", limit)),
        limit => tail = limit_sql(limit),
    }
    let names: Vec<String> = (0..columns).map(|index| format!("q{index}")).collect();
    format!(
        "SELECT {} FROM ({sql}) WHERE {}{tail}",
        names.join(", "),
        filters.join(" AND ")
    )
}

/// One table: ascending time, without asking.
fn natural_order(scope: &Scope) -> Vec<String> {
    let Some(table) = &scope.table else {
        return Vec::new();
    };
    let n = scope.number;
    let mut order = vec![format!("a{n}.ts")];
    let key = table.columns.iter().find(|column| column.composite_key);
    order.extend(key.map(|column| format!("a{n}.c{}", column.id)));
    order
}

fn tags_from(scope: &Scope) -> (String, Option<String>) {
    let n = scope.number;
    let Some(table) = &scope.table else {
        return (String::new(), None);
    };
    let own = scope.is_child().then(|| format!("g{n}.tbl = {}", table.id));
    (format!(" FROM t{} g{n}", table.storage_id()), own)
}

fn time_column(typed: &[Typed], time: Option<&str>) -> Option<usize> {
    typed
        .iter()
        .position(|typed| typed.ty.ty == Ty::Timestamp && Some(typed.sql.as_str()) == time)
}

fn result_columns(outputs: &[Output], typed: &[Typed]) -> Vec<super::ResultColumn> {
    outputs
        .iter()
        .zip(typed)
        .map(|(output, typed)| typed.ty.column(output.name.clone()))
        .collect()
}
