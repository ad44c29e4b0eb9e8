//! SELECT and UNION: from clauses to SQL.

use std::cell::Cell;

use taos_query::common::{Precision, Ty};

use super::aggregate::{any, calls, contains};
use super::clauses::{
    aggregate_not_allowed, ambiguous_order, as_key, by_alias, by_name, column_expr, direction,
    flatten, limit_sql, limited, listed, many_columns, natural_order, no_groups, position,
    ranks_of, result_columns, tags_from, time_column, where_sql, with_keys,
};
use super::derived::Wanted;
use super::expr::{Place, condition};
use super::planner::{Planned, Planner, WindowSql};
use super::range::{self, TimeRange};
use super::scope::{Scope, is_tbname, is_window_column};
use super::types::{ColType, Typed, USES_DATA, USES_TAGS};
use super::{ResultColumn, cast, json, name, rewrite};
use crate::sql::ast::{Expr, ExprKind, OrderItem, Query, QueryBody, Select, TableRef};
use crate::sql::{SqlError, code};

/// A column of the result before it is planned.
pub(super) struct Output {
    pub(super) name: String,
    pub(super) expr: Expr,
    pub(super) alias: Option<String>,
    /// Columns of a wildcard are known already.
    pub(super) typed: Option<Typed>,
}

/// WHERE by what its parts depend on.
#[derive(Default)]
pub(super) struct Filter {
    pub(super) constants: Vec<String>,
    pub(super) tags: Vec<String>,
    pub(super) rows: Vec<String>,
}

impl Filter {
    pub(super) fn all(&self) -> impl Iterator<Item = &String> {
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
        let times = |planned: &Planned| planned.columns.iter().any(|c| c.ty == Ty::Timestamp);
        if left.precision != right.precision && (times(&left) || times(&right)) {
            return Err(SqlError::unsupported("union of times in different units"));
        }
        let mut columns = left.columns;
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for (index, (column, other)) in columns.iter_mut().zip(&right.columns).enumerate() {
            let value = Typed::new(format!("q{index}"), ColType::of_result(other), USES_DATA);
            if column.length == 0 && column.ty == Ty::VarChar && other.length > 0 {
                return Err(SqlError::unsupported(
                    "union whose first branch has no type",
                ));
            }
            if column.ty == other.ty {
                column.length = column.length.max(other.length);
            }
            theirs.push(format!(
                "{} AS q{index}",
                cast::as_type(self, &value, ColType::of_result(column))?
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
        sql = self.ordered_union(sql, &columns, left.precision, query)?;
        Ok(Planned {
            sql,
            columns,
            precision: left.precision,
            time: left.time.filter(|_| left.time == right.time),
        })
    }

    /// A union with its ORDER BY and LIMIT, which know the names of the first branch.
    fn ordered_union(
        &mut self,
        mut sql: String,
        columns: &[ResultColumn],
        precision: Precision,
        query: &Query,
    ) -> Result<String, SqlError> {
        if query.order_by.is_empty() && query.limit.is_none() {
            return Ok(sql);
        }
        let mut scope = Scope::empty(precision);
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
            let mut at = position(&item.expr, columns.len())?;
            if at.is_none() {
                at = union_column(&item.expr, columns)?;
            }
            let by = match at {
                Some(at) if columns.get(at).is_some_and(|column| column.ty == Ty::Json) => {
                    format!("td_json_order(q{at})")
                }
                Some(at) => format!("q{at}"),
                None => {
                    let typed = self.expr(&item.expr, Place::rows(&scope))?;
                    json::order_key(&typed).unwrap_or(typed.sql)
                }
            };
            order.push(format!("{by}{}", direction(item)));
        }
        sql = format!("SELECT * FROM ({sql})");
        if !order.is_empty() {
            sql.push_str(&format!(" ORDER BY {}", order.join(", ")));
        }
        sql.push_str(&limit_sql(query.limit));
        Ok(sql)
    }

    fn select(&mut self, select: &Select, query: &Query) -> Result<Planned, SqlError> {
        let scope = match &select.from {
            Some(TableRef::Join(join)) => {
                let mut wanted = Wanted::of(select, query);
                select.filter.iter().for_each(|filter| wanted.add(filter));
                self.join(join, wanted, select.filter.as_ref())?
            }
            from => self.source(from.as_ref())?,
        };
        let groups = !select.group_by.is_empty()
            || !select.partition_by.is_empty()
            || select.window.is_some()
            || scope.row.is_some();
        if select.having.is_some() && !groups {
            return Err(SqlError::new(
                code::NOT_GROUPED,
                "Not a GROUP BY expression",
            ));
        }
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
        self.misplaced_series(select)?;
        super::series_rules::refuse_without_time_line(select, &scope)?;
        if select.filter.as_ref().is_some_and(contains) {
            return Err(aggregate_not_allowed());
        }
        let mut filter = self.filter(select.filter.as_ref(), &scope)?;
        let with_keys = with_keys(select, &outputs, &scope)?;
        let select = with_keys.as_ref().unwrap_or(select);
        self.misplaced_series(select)?;
        let interp = select
            .items
            .iter()
            .any(|item| calls(&item.expr, &["interp"]));
        let clauses = select.fill.is_some() || select.range.is_some() || select.every.is_some();
        if clauses && select.window.is_none() && !interp {
            return Err(SqlError::new(
                0x265D,
                "Invalid usage of RANGE clause, EVERY clause or FILL clause",
            ));
        }
        let mut range = TimeRange::ALL;
        if range::asks(select, query) {
            range = self.time_range(select.filter.as_ref(), &scope)?;
        }
        self.ranges.push(range);
        let planned = if interp {
            self.interp_select(select, query, &scope, &filter)
        } else {
            match self.series_calls(select, query, &scope)? {
                Some(series) if series.explode => {
                    self.exploded_select(select, query, scope, outputs, &mut filter)
                }
                Some(series) => self.series_select(select, query, &scope, &filter, &series.calls),
                None if grouped => self.windowed_select(select, query, scope, outputs, &mut filter),
                None => self.row_select(select, query, &scope, outputs, &filter),
            }
        };
        self.ranges.pop();
        planned
    }

    pub(super) fn windowed_select(
        &mut self,
        select: &Select,
        query: &Query,
        mut scope: Scope,
        outputs: Vec<Output>,
        filter: &mut Filter,
    ) -> Result<Planned, SqlError> {
        let wanted = Wanted::of(select, query);
        let mut window = None;
        if let Some((rows, over)) = self.row_window(select, &scope, filter, &wanted)? {
            scope = rows;
            window = Some(over);
        }
        if let Some(row) = &scope.row {
            let written = !select.group_by.is_empty() || !select.partition_by.is_empty();
            if written || select.window.is_some() {
                return Err(SqlError::new(
                    0x2664,
                    "Not supported join since 'No WINDOW/GROUP BY/PARTITION BY allowed in WINDOW join'",
                ));
            }
            let shown = outputs.iter().map(|output| &output.expr);
            let order = query.order_by.iter().map(|item| &item.expr);
            let mut exprs = shown.chain(order).chain(&select.having);
            if exprs.any(|expr| any(expr, &is_window_column)) {
                return Err(SqlError::unsupported("bounds of the windows of a join"));
            }
            window = Some(per_row(row));
        }
        self.grouped_select(select, query, &scope, outputs, filter, window)
    }

    // ---- the columns ----

    pub(super) fn outputs(&self, select: &Select, scope: &Scope) -> Result<Vec<Output>, SqlError> {
        let mut outputs = Vec::with_capacity(select.items.len());
        for item in &select.items {
            match &item.expr.kind {
                ExprKind::Wildcard(qualifier) => {
                    let columns = scope.wildcard(qualifier.as_ref())?;
                    if select.tags {
                        return Err(SqlError::unsupported("select tags *"));
                    }
                    if scope.columns.is_empty() {
                        return Err(SqlError::syntax(item.expr.span.rest(self.sql)));
                    }
                    for column in columns {
                        outputs.push(Output {
                            name: column.name.clone(),
                            expr: column_expr(column, scope),
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

    pub(super) fn row_select(
        &mut self,
        select: &Select,
        query: &Query,
        scope: &Scope,
        outputs: Vec<Output>,
        filter: &Filter,
    ) -> Result<Planned, SqlError> {
        let place = Place::rows(scope);
        let typed = self.row_outputs(&outputs, place)?;
        let partition = self.partition_keys(select, place)?;
        let mut order = self.order(&query.order_by, &outputs, place)?;
        if select.distinct {
            for value in &typed {
                json::check_key(value)?;
            }
            for item in &query.order_by {
                self.selected(&item.expr, &outputs, &typed, place)?;
            }
        }
        let tags_only = self.tags_only(select, scope, &outputs, &typed, filter)?;
        let rows_of = format!("a{}.", scope.number);
        if tags_only && order.iter().any(|by| by.contains(&rows_of)) {
            return Err(SqlError::unsupported("subtables ordered by their rows"));
        }
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
            scope.source_sql(false, "")
        };
        let filters: Vec<&String> = own.iter().chain(filter.all()).collect();
        let mut sql = String::from("SELECT ");
        if select.distinct {
            sql.push_str("DISTINCT ");
        }
        sql.push_str(&listed(&typed));
        let ranks = per_group && (query.limit.is_some() || query.slimit.is_some());
        if ranks || query.slimit.is_some() {
            let by = scope.time.as_deref().unwrap_or("1");
            sql.push_str(&ranks_of(select, &partition, by)?);
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

    /// Refuses what a DISTINCT result cannot be ordered by: columns that it does not show.
    fn selected(
        &mut self,
        expr: &Expr,
        outputs: &[Output],
        shown: &[Typed],
        place: Place<'_>,
    ) -> Result<(), SqlError> {
        if by_alias(expr, outputs).is_some() {
            return Ok(());
        }
        let typed = self.expr(expr, place)?;
        if typed.uses == 0 || shown.iter().any(|shown| shown.sql == typed.sql) {
            return Ok(());
        }
        let parts = rewrite::parts(expr);
        if parts.is_empty() {
            return Err(SqlError::new(0x260B, "Not SELECTed expression"));
        }
        parts
            .into_iter()
            .try_for_each(|part| self.selected(part, outputs, shown, place))
    }

    fn row_outputs(
        &mut self,
        outputs: &[Output],
        place: Place<'_>,
    ) -> Result<Vec<Typed>, SqlError> {
        let typed = outputs.iter().map(|output| match &output.typed {
            Some(typed) => Ok(typed.clone()),
            None => self.expr(&output.expr, place),
        });
        typed.collect()
    }

    pub(super) fn partition_keys(
        &mut self,
        select: &Select,
        place: Place<'_>,
    ) -> Result<Vec<String>, SqlError> {
        let keys = select.partition_by.iter();
        keys.map(|item| Ok(self.group_key(&item.expr, place)?.sql))
            .collect()
    }

    /// A key of PARTITION BY or GROUP BY, whose positions and aliases `with_keys` has replaced.
    pub(super) fn group_key(&mut self, key: &Expr, place: Place<'_>) -> Result<Typed, SqlError> {
        if contains(key) {
            return Err(aggregate_not_allowed());
        }
        let typed = self.expr(key, place)?;
        json::check_key(&typed)?;
        Ok(typed)
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

    /// The result column that a bare name means; equal ones are as good as one.
    fn order_name(
        &mut self,
        expr: &Expr,
        outputs: &[Output],
        place: Place<'_>,
    ) -> Result<Option<usize>, SqlError> {
        let found = by_name(expr, outputs);
        let named: Vec<&Output> = found.iter().filter_map(|&at| outputs.get(at)).collect();
        if let [first, others @ ..] = named.as_slice()
            && !others.is_empty()
        {
            let wanted = self.expr(&first.expr, place)?.sql;
            for other in others {
                if of_two_tables(&first.expr, &other.expr)
                    || self.expr(&other.expr, place)?.sql != wanted
                {
                    return Err(ambiguous_order(&first.name));
                }
            }
        }
        Ok(found.first().copied())
    }

    pub(super) fn order(
        &mut self,
        items: &[OrderItem],
        outputs: &[Output],
        place: Place<'_>,
    ) -> Result<Vec<String>, SqlError> {
        let mut order = Vec::with_capacity(items.len());
        for item in items {
            let mut at = position(&item.expr, outputs.len())?;
            if at.is_none() {
                at = self.order_name(&item.expr, outputs, place)?;
            }
            let output = at.and_then(|at| outputs.get(at));
            let typed = match output {
                Some(Output {
                    typed: Some(typed), ..
                }) if place.grouping.is_none() => typed.clone(),
                Some(output) => self.expr(&output.expr, place)?,
                None => self.expr(&item.expr, place)?,
            };
            if let Some(key) = json::order_key(&typed) {
                order.push(format!("{key}{}", direction(item)));
                continue;
            }
            let by = at.map_or_else(|| as_key(&typed.sql), |at| (at + 1).to_string());
            order.push(format!("{by}{}", direction(item)));
        }
        Ok(order)
    }
}

/// The column that a bare name in a union's ORDER BY means: one of its result, whatever the tables have.
fn union_column(expr: &Expr, columns: &[ResultColumn]) -> Result<Option<usize>, SqlError> {
    let ExprKind::Column { table: None, name } = &expr.kind else {
        return Ok(None);
    };
    match columns.iter().position(|column| column.name == name.name) {
        None => Err(SqlError::new(
            0x2675,
            format!("Invalid expression in ORDER BY clause: {}", name.name),
        )),
        found => Ok(found),
    }
}

/// Whether two expressions are columns of different tables, which are two even where the values agree.
fn of_two_tables(one: &Expr, other: &Expr) -> bool {
    match (&one.kind, &other.kind) {
        (
            ExprKind::Column {
                table: Some(one), ..
            },
            ExprKind::Column {
                table: Some(other), ..
            },
        ) => one.name != other.name,
        _ => false,
    }
}

/// Each row of the driving source of a window join is a group of its own.
fn per_row(row: &str) -> WindowSql {
    WindowSql {
        start: row.to_owned(),
        end: row.to_owned(),
        duration: "0".to_owned(),
        group: row.to_owned(),
        having: None,
        state: None,
        state_used: Cell::default(),
        sliced: false,
    }
}
