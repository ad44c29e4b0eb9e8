//! Parts of a SELECT that need no planner.

use taos_query::common::Ty;

use super::ResultColumn;
use super::scope::{Scope, ScopeColumn, is_tbname};
use super::select::Output;
use super::types::Typed;
use crate::sql::ast::{
    BinaryOp, Expr, ExprKind, FunctionForm, Ident, Limit, OrderItem, Query, Select, Span,
};
use crate::sql::{SqlError, code};

pub(super) fn aggregate_not_allowed() -> SqlError {
    SqlError::new(code::AGGREGATE_NOT_ALLOWED, "There mustn't be aggregation")
}

pub(super) fn no_groups() -> SqlError {
    SqlError::new(
        0x2638,
        "slimit/soffset only available for PARTITION BY query",
    )
}

/// A reference to a column of the source, with the name of its side if that is a join.
pub(super) fn column_expr(column: &ScopeColumn, scope: &Scope) -> Expr {
    let ident = |name: &str| Ident {
        name: name.to_owned(),
        quoted: true,
        span: Span::default(),
    };
    let side = scope.sides.iter().find(|side| {
        let own = scope.columns.get(side.columns.clone()).unwrap_or_default();
        own.iter().any(|other| other.sql == column.sql)
    });
    Expr {
        kind: ExprKind::Column {
            table: side.and_then(|side| side.name.as_deref()).map(ident),
            name: ident(&column.name),
        },
        span: Span::default(),
    }
}

/// `first(*)`, `last(a, b)`: one column each.
pub(super) fn many_columns(
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
                let own = scope.qualified(qualifier.as_ref())?.iter();
                let own = own.filter(|column| !column.tag);
                columns.extend(own.map(|c| (c.name.clone(), column_expr(c, scope))));
            }
            ExprKind::Column { name, .. } => columns.push((name.name.clone(), arg.clone())),
            _ => {
                return Err(SqlError::unsupported(format!(
                    "{name} of several expressions"
                )));
            }
        }
    }
    if columns.is_empty() {
        // no FROM
        return Err(SqlError::syntax("*"));
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

pub(super) fn flatten<'e>(expr: &'e Expr, parts: &mut Vec<&'e Expr>) {
    if let ExprKind::Binary(BinaryOp::And, left, right) = &expr.kind {
        flatten(left, parts);
        flatten(right, parts);
    } else {
        parts.push(expr);
    }
}

/// The place of a position in ORDER BY or GROUP BY, from 0.
pub(super) fn position(expr: &Expr, columns: usize) -> Result<Option<usize>, SqlError> {
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

/// A key of ORDER BY or GROUP BY: an integer alone would be a position to SQLite.
pub(super) fn as_key(sql: &str) -> String {
    if sql.parse::<i64>().is_ok() {
        format!("({sql} + 0)")
    } else {
        sql.to_owned()
    }
}

/// What a key of GROUP BY or PARTITION BY means: a position, a column, or else an alias.
fn group_key<'e>(
    expr: &'e Expr,
    outputs: &'e [Output],
    scope: &Scope,
) -> Result<&'e Expr, SqlError> {
    let at = position(expr, outputs.len())?.or_else(|| match &expr.kind {
        ExprKind::Column { table: None, name }
            if !is_tbname(expr) && scope.column(&name.name).ok().flatten().is_none() =>
        {
            by_alias(expr, outputs)
        }
        _ => None,
    });
    let output = at.and_then(|at| outputs.get(at));
    Ok(output.map_or(expr, |output| &output.expr))
}

/// A SELECT whose keys of PARTITION BY and GROUP BY are what their positions and aliases mean; `None` if it has neither.
/// Everything that looks at keys (windows, series, limits of partitions) thus sees the same ones.
pub(super) fn with_keys(
    select: &Select,
    outputs: &[Output],
    scope: &Scope,
) -> Result<Option<Select>, SqlError> {
    let mut changed = None;
    let partitions = select.partition_by.iter().map(|item| &item.expr);
    for (at, expr) in partitions.chain(&select.group_by).enumerate() {
        let key = group_key(expr, outputs, scope)?;
        if std::ptr::eq(key, expr) {
            continue;
        }
        let changed = changed.get_or_insert_with(|| select.clone());
        let partitions = changed.partition_by.iter_mut().map(|item| &mut item.expr);
        if let Some(place) = partitions.chain(&mut changed.group_by).nth(at) {
            *place = key.clone();
        }
    }
    Ok(changed)
}

/// The ranks that `limited` counts by: `rn` of a row in its partition, `gn` of the partition. They make every row differ,
/// so DISTINCT beside them would leave out nothing.
pub(super) fn ranks_of(select: &Select, keys: &[String], by: &str) -> Result<String, SqlError> {
    if select.distinct {
        return Err(SqlError::unsupported("distinct with limits of partitions"));
    }
    let keys = keys.join(", ");
    Ok(format!(
        ", row_number() OVER (PARTITION BY {keys} ORDER BY {by}) AS rn, \
         dense_rank() OVER (ORDER BY {keys}) AS gn"
    ))
}

pub(super) fn by_alias(expr: &Expr, outputs: &[Output]) -> Option<usize> {
    let ExprKind::Column { table: None, name } = &expr.kind else {
        return None;
    };
    outputs
        .iter()
        .position(|output| output.alias.as_ref() == Some(&name.name))
}

/// The items of the result that a bare name in ORDER BY means, before any column of the tables.
pub(super) fn by_name(expr: &Expr, outputs: &[Output]) -> Vec<usize> {
    let ExprKind::Column { table: None, name } = &expr.kind else {
        return Vec::new();
    };
    let named = outputs.iter().enumerate();
    named
        .filter(|(_, output)| output.name == name.name)
        .map(|(at, _)| at)
        .collect()
}

/// ORDER BY names a result column that there are several of.
pub(super) fn ambiguous_order(name: &str) -> SqlError {
    SqlError::new(0x266F, format!("ORDER BY \"{name}\" is ambiguous"))
}

pub(super) fn direction(item: &OrderItem) -> String {
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

pub(super) fn listed(typed: &[Typed]) -> String {
    let parts: Vec<String> = typed
        .iter()
        .enumerate()
        .map(|(index, typed)| format!("{} AS q{index}", typed.sql))
        .collect();
    parts.join(", ")
}

pub(super) fn where_sql(filters: &[&String]) -> String {
    if filters.is_empty() {
        return String::new();
    }
    let parts: Vec<&str> = filters.iter().map(|part| part.as_str()).collect();
    format!(" WHERE {}", parts.join(" AND "))
}

pub(super) fn limit_sql(limit: Option<Limit>) -> String {
    let Some(limit) = limit else {
        return String::new();
    };
    let count = limit.count.unwrap_or(-1);
    format!(" LIMIT {count} OFFSET {}", limit.offset.unwrap_or(0))
}

/// LIMIT in the whole, or by the ranks within groups; SLIMIT by the rank of the group.
pub(super) fn limited(sql: String, query: &Query, columns: usize, per_group: bool) -> String {
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
pub(super) fn natural_order(scope: &Scope) -> Vec<String> {
    if scope.sides.is_empty() {
        if scope.table.is_none() {
            return Vec::new();
        }
        return scope.time.iter().chain(&scope.key).cloned().collect();
    }
    let Some(time) = &scope.time else {
        return Vec::new();
    };
    let mut order = vec![time.clone()];
    for time in scope.sides.iter().filter_map(|side| side.time.as_ref()) {
        if !order.contains(time) {
            order.push(time.clone());
        }
    }
    order
}

pub(super) fn tags_from(scope: &Scope) -> (String, Option<String>) {
    let n = scope.number;
    let Some(table) = &scope.table else {
        return (String::new(), None);
    };
    let own = scope.is_child().then(|| format!("g{n}.tbl = {}", table.id));
    (format!(" FROM t{} g{n}", table.storage_id()), own)
}

pub(super) fn time_column(typed: &[Typed], time: Option<&str>) -> Option<usize> {
    typed
        .iter()
        .position(|typed| typed.ty.ty == Ty::Timestamp && Some(typed.sql.as_str()) == time)
}

pub(super) fn result_columns(outputs: &[Output], typed: &[Typed]) -> Vec<ResultColumn> {
    outputs
        .iter()
        .zip(typed)
        .map(|(output, typed)| typed.ty.column(output.name.clone()))
        .collect()
}
