//! Functions over series and functions that select several rows (DIALECT §7).
//!
//! Their values are computed as window functions beside the rows of the source (`derived`); what is left is a SELECT of rows
//! in which each call stands as a hidden column.

use taos_query::common::Ty;

use super::aggregate::{any, is_aggregate};
use super::derived::Wanted;
use super::expr::Place;
use super::planner::{Planned, Planner};
use super::rewrite::rewritten;
use super::scope::{Scope, ScopeColumn, is_tbname};
use super::select::Filter;
use super::series_rules::{Class, Rules, class, mixed};
use super::types::ColType;
use crate::sql::SqlError;
use crate::sql::ast::{Expr, ExprKind, Ident, Limit, OrderItem, Query, Select, SelectItem, Span};

/// One call, planned: a value beside each row, and which rows it leaves in.
pub(super) struct Call {
    pub(super) name: String,
    /// Written arguments, to find the same call again.
    pub(super) expr: Expr,
    /// What the source of rows computes.
    pub(super) extra: Vec<String>,
    /// The value over those (`{0}`, `{1}`, …), or over the source itself.
    pub(super) value: Value,
    pub(super) ty: ColType,
    /// The condition that a row is there, over the extras.
    pub(super) keeps: String,
}

/// The calls of one SELECT.
pub(super) struct SeriesCalls {
    pub(super) calls: Vec<Expr>,
    /// Several rows a group, not a row for each row.
    pub(super) explode: bool,
}

/// Where the value of a call comes from.
pub(super) enum Value {
    /// An answer of one of the window functions, which marks NULL.
    Answer,
    /// An extra as it is.
    Plain,
}

impl Planner<'_> {
    /// Refuses functions over series where they may not stand.
    pub(super) fn misplaced_series(&self, select: &Select) -> Result<(), SqlError> {
        let find = |expr: &Expr, multi: bool| {
            any(expr, &|part| match class_of(part) {
                Some(Class::Multi) => multi,
                Some(Class::Indefinite | Class::Interp) => !multi,
                _ => false,
            })
        };
        let partitions = select.partition_by.iter().map(|item| &item.expr);
        let before = select.filter.iter().chain(&select.group_by);
        for expr in before.chain(partitions) {
            if find(expr, true) {
                return Err(super::clauses::aggregate_not_allowed());
            }
            if find(expr, false) {
                return Err(mixed());
            }
        }
        if select
            .having
            .iter()
            .any(|having| find(having, true) || find(having, false))
        {
            return Err(mixed());
        }
        Ok(())
    }

    /// The functions over series that a SELECT calls, checked; `None` if it calls none.
    pub(super) fn series_calls(
        &mut self,
        select: &Select,
        query: &Query,
        scope: &Scope,
    ) -> Result<Option<SeriesCalls>, SqlError> {
        let called = |expr: &Expr| any(expr, &|part| class_of(part).is_some());
        if query.order_by.iter().any(|item| called(&item.expr)) {
            return Err(SqlError::unsupported("order by a function over series"));
        }
        if !select.items.iter().any(|item| called(&item.expr)) {
            return Ok(None);
        }
        let mut rules = Rules::new(select.window.is_some() || !select.group_by.is_empty());
        let mut calls = Vec::new();
        for item in &select.items {
            self.check_calls(&item.expr, scope, &mut rules, &mut calls)?;
        }
        if select.tags {
            return Err(SqlError::unsupported(
                "select tags with functions over series",
            ));
        }
        if select.having.is_some() {
            return Err(SqlError::unsupported(
                "having with functions of several rows",
            ));
        }
        Ok(Some(SeriesCalls {
            explode: rules.histogram || select.window.is_some(),
            calls: calls.into_iter().cloned().collect(),
        }))
    }

    /// A SELECT that calls functions over series, a row for each row they leave in.
    pub(super) fn series_select(
        &mut self,
        select: &Select,
        query: &Query,
        scope: &Scope,
        filter: &Filter,
        calls: &[Expr],
    ) -> Result<Planned, SqlError> {
        if select
            .group_by
            .iter()
            .any(|expr| !matches!(&expr.kind, ExprKind::Column { .. }))
        {
            return Err(SqlError::unsupported(
                "functions of several rows in groups by expressions",
            ));
        }
        if let (Some(limit), true) = (query.limit, query.order_by.is_empty())
            && calls.iter().any(|call| cuts_chosen(call, limit))
        {
            return Err(SqlError::unsupported(
                "limit of chosen rows without order by",
            ));
        }
        let mut select = select.clone();
        let groups = std::mem::take(&mut select.group_by);
        let groups = groups
            .into_iter()
            .map(|expr| SelectItem { expr, alias: None });
        select.partition_by.extend(groups);
        self.series_rows(&select, query, scope, filter, calls)
    }

    /// Plans the calls inside an expression, the innermost first, and checks that they go together.
    fn check_calls<'e>(
        &mut self,
        expr: &'e Expr,
        scope: &Scope,
        rules: &mut Rules,
        calls: &mut Vec<&'e Expr>,
    ) -> Result<(), SqlError> {
        for part in super::rewrite::parts(expr) {
            self.check_calls(part, scope, rules, calls)?;
        }
        let ExprKind::Function { name, args, .. } = &expr.kind else {
            return Ok(());
        };
        let Some(class) = class(name).or_else(|| is_aggregate(name).then_some(Class::Aggregate))
        else {
            return Ok(());
        };
        let nested = args.iter().any(|arg| any(arg, &|part| is_vector(part)));
        if matches!(class, Class::Multi | Class::Indefinite) && !nested && name != "histogram" {
            // arguments are looked at before the company
            self.series_call(name, expr, args, scope, &[])?;
        }
        rules.add(class, name, args, nested)?;
        if matches!(class, Class::Multi | Class::Indefinite) && !calls.contains(&expr) {
            calls.push(expr);
        }
        Ok(())
    }

    fn series_rows(
        &mut self,
        select: &Select,
        query: &Query,
        scope: &Scope,
        filter: &Filter,
        calls: &[Expr],
    ) -> Result<Planned, SqlError> {
        let wanted = Wanted::of(select, query);
        let first = self.first_of_key(select, scope, filter, &wanted, calls)?;
        let (scope, filter) = first.as_ref().map_or((scope, filter), |(s, f)| (s, f));
        let keys = self.partition_keys(select, Place::rows(scope))?;
        let mut planned = Vec::with_capacity(calls.len());
        for call in calls {
            let ExprKind::Function { name, args, .. } = &call.kind else {
                continue;
            };
            planned.push(self.series_call(name, call, args, scope, &keys)?);
        }
        let extra: Vec<String> = planned.iter().flat_map(|call| call.extra.clone()).collect();
        let only = Filter {
            constants: Vec::new(),
            tags: filter.tags.clone(),
            rows: filter.rows.clone(),
        };
        let mut rows = self.derived(scope, &only, &wanted, &extra);
        let outputs_of = rows.columns.len();
        let kept = hide(&mut rows, &planned);
        let outer = Filter {
            constants: filter.constants.clone(),
            tags: Vec::new(),
            rows: vec![kept],
        };
        self.outer_rows(select, query, &mut rows, outputs_of, &planned, &outer)
    }

    /// The SELECT of rows around the calls, each of which is a hidden column now.
    fn outer_rows(
        &mut self,
        select: &Select,
        query: &Query,
        rows: &mut Scope,
        visible: usize,
        calls: &[Call],
        filter: &Filter,
    ) -> Result<Planned, SqlError> {
        let hidden = rows.columns.split_off(visible);
        let mut outputs = self.outputs(select, rows)?;
        rows.columns.extend(hidden);
        for output in &mut outputs {
            output.expr = rewritten(&output.expr, &|part| {
                let at = calls.iter().position(|call| call.expr == *part)?;
                Some(hidden_column(at, part.span))
            });
        }
        let mut query = query.clone();
        let ordered = !query.order_by.is_empty() || select.distinct;
        if let (Some(time), false, true) = (&rows.time, ordered, select.partition_by.is_empty()) {
            rows.columns.push(ScopeColumn {
                name: TIME.to_owned(),
                ty: ColType::fixed(Ty::Timestamp),
                sql: time.clone(),
                tag: false,
            });
            query.order_by.push(OrderItem {
                expr: named(TIME, Span::default()),
                descending: calls.iter().any(|call| call.name == "tail"),
                nulls_first: None,
            });
        }
        self.row_select(select, &query, rows, outputs, filter)
    }

    /// Of several rows with one time and different composite keys these functions see only the first.
    fn first_of_key(
        &mut self,
        select: &Select,
        scope: &Scope,
        filter: &Filter,
        wanted: &Wanted,
        calls: &[Expr],
    ) -> Result<Option<(Scope, Filter)>, SqlError> {
        let concerned = calls.iter().any(|call| {
            matches!(&call.kind, ExprKind::Function { name, .. }
                if matches!(name.as_str(), "diff" | "derivative"))
        });
        let (true, Some(key), Some(time)) = (concerned, &scope.key, &scope.time) else {
            return Ok(None);
        };
        if scope.is_super() && !select.partition_by.iter().any(|item| is_tbname(&item.expr)) {
            return Err(SqlError::unsupported(
                "a series of several subtables with composite keys",
            ));
        }
        let mut keys = self.partition_keys(select, Place::rows(scope))?;
        keys.push(time.clone());
        let rank = format!(
            "row_number() OVER (PARTITION BY {} ORDER BY {key})",
            keys.join(", ")
        );
        let only = Filter {
            constants: Vec::new(),
            tags: filter.tags.clone(),
            rows: filter.rows.clone(),
        };
        let rows = self.derived(scope, &only, wanted, &[rank]);
        let filter = Filter {
            constants: filter.constants.clone(),
            tags: Vec::new(),
            rows: vec![format!("s{}.x0 = 1", rows.number)],
        };
        Ok(Some((rows, filter)))
    }
}

const TIME: &str = "\u{1}time";

pub(super) fn hidden_name(at: usize) -> String {
    format!("\u{1}series{at}")
}

pub(super) fn named(name: &str, span: Span) -> Expr {
    Expr {
        kind: ExprKind::Column {
            table: None,
            name: Ident {
                name: name.to_owned(),
                quoted: true,
                span,
            },
        },
        span,
    }
}

pub(super) fn hidden_column(at: usize, span: Span) -> Expr {
    named(&hidden_name(at), span)
}

/// Adds the calls' values as columns that no statement can name; gives the condition that a row is there.
fn hide(rows: &mut Scope, calls: &[Call]) -> String {
    let number = rows.number;
    let mut next = 0;
    let mut conditions = Vec::new();
    for (at, call) in calls.iter().enumerate() {
        let first = format!("s{number}.x{next}");
        let sql = match call.value {
            Value::Answer => format!("nullif({first}, '')"),
            Value::Plain => first,
        };
        let mut keeps = call.keeps.clone();
        for index in (0..call.extra.len()).rev() {
            let column = format!("s{number}.x{}", next + index);
            keeps = keeps.replace(&format!("{{{index}}}"), &column);
        }
        conditions.push(keeps);
        next += call.extra.len();
        rows.columns.push(ScopeColumn {
            name: hidden_name(at),
            ty: call.ty,
            sql,
            tag: false,
        });
    }
    if let [one] = conditions.as_slice() {
        return one.clone();
    }
    if calls.iter().all(|call| call.name == "diff") {
        // a row is left out only where all leave it out
        return format!("({})", conditions.join(" OR "));
    }
    let sum: Vec<String> = conditions.iter().map(|part| format!("({part})")).collect();
    let count = conditions.len();
    format!(
        "CASE {} WHEN 0 THEN 0 WHEN {count} THEN 1 ELSE td_uneven() END",
        sum.join(" + ")
    )
}

/// Whether LIMIT leaves out rows of a function that chooses rows, whose order nobody defined.
fn cuts_chosen(call: &Expr, limit: Limit) -> bool {
    let ExprKind::Function { name, args, .. } = &call.kind else {
        return false;
    };
    let most = match name.as_str() {
        "unique" => i64::MAX,
        "top" | "bottom" | "sample" | "tail" => match args.get(1).map(|count| &count.kind) {
            Some(ExprKind::Integer(count)) => count.parse().unwrap_or(i64::MAX),
            _ => i64::MAX,
        },
        _ => return false,
    };
    limit.offset.unwrap_or(0) != 0 || limit.count.is_some_and(|count| count < most)
}

fn class_of(expr: &Expr) -> Option<Class> {
    match &expr.kind {
        ExprKind::Function { name, .. } => class(name),
        _ => None,
    }
}

fn is_vector(expr: &Expr) -> bool {
    matches!(&expr.kind, ExprKind::Function { name, .. } if class(name).is_some() || is_aggregate(name))
}

/// The subtable's name inside an argument is not looked into.
pub(super) fn names_table(expr: &Expr) -> bool {
    any(expr, &is_tbname)
}
