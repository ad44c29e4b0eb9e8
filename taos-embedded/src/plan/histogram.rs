//! Several rows for a group: HISTOGRAM's bins, and `top` and its like in windows (DIALECT §5, §7).

use taos_query::common::Ty;

use super::aggregate::{any, calls};
use super::clauses::{by_alias, limit_sql, position};
use super::expr::{Place, real};
use super::planner::{Planned, Planner};
use super::scalar::{count_error, type_error, value_error};
use super::scope::{Scope, is_window_column};
use super::select::{Filter, Output};
use super::series_rules::{Class, class, must_be_number};
use super::types::{ColType, Literal, Typed, USES_DATA};
use crate::sql::SqlError;
use crate::sql::ast::{Expr, ExprKind, FillMode, Query, Select, Window};

const NAME: &str = "histogram";

/// What a description by numbers makes at most, which is the bound of lists too.
const MOST_EDGES: usize = 1_003;

/// Begins the names of functions that choose rows where they stand as aggregates; no statement can write it.
pub(super) const AGGREGATE: char = '\u{1}';

impl Planner<'_> {
    /// A SELECT with a function that gives several rows for a group: a group's values are one JSON array, which is taken
    /// apart around the groups.
    pub(super) fn exploded_select(
        &mut self,
        select: &Select,
        query: &Query,
        scope: Scope,
        mut outputs: Vec<Output>,
        filter: &mut Filter,
    ) -> Result<Planned, SqlError> {
        let grouped = !select.group_by.is_empty() || !select.partition_by.is_empty();
        match &select.fill {
            Some(fill) if fill.mode == FillMode::None => {
                return Err(SqlError::unsupported(
                    "fill(none) with several rows a window",
                ));
            }
            Some(_) => {
                return Err(SqlError::new(
                    0x2657,
                    "A function that gives several rows is not supported in a fill query",
                ));
            }
            None => {}
        }
        let cut = query.limit.is_some() || query.slimit.is_some();
        if select.distinct || (grouped && cut) {
            return Err(SqlError::unsupported(
                "distinct or limit of several rows a group",
            ));
        }
        let at = only_call(&outputs)?;
        for item in &query.order_by {
            let place = position(&item.expr, outputs.len())?;
            if place.or_else(|| by_alias(&item.expr, &outputs)) == Some(at) {
                return Err(SqlError::unsupported("order by several rows a group"));
            }
        }
        for (index, output) in outputs.iter_mut().enumerate() {
            if index == at {
                rename(&mut output.expr);
            } else if select.window.is_some() && names_column(&output.expr, select) {
                return Err(SqlError::unsupported(
                    "columns beside several rows a window",
                ));
            }
        }
        let mut inner = query.clone();
        inner.limit = None;
        let mut planned = self.windowed_select(select, &inner, scope, outputs, filter)?;
        let parts: Vec<String> = (0..planned.columns.len())
            .map(|index| {
                if index == at {
                    format!("b.value AS q{index}")
                } else {
                    format!("h.q{index} AS q{index}")
                }
            })
            .collect();
        // LIMIT keeps the groups in their order
        planned.sql = format!(
            "SELECT {} FROM (SELECT * FROM ({}) LIMIT -1) h, json_each(h.q{at}) b{}",
            parts.join(", "),
            planned.sql,
            limit_sql(query.limit)
        );
        Ok(planned)
    }

    /// `top`, `bottom` and `sample` as aggregates: the values of a group as one text.
    pub(super) fn chosen_call(
        &mut self,
        name: &str,
        args: &[Expr],
        place: Place<'_>,
    ) -> Result<Typed, SqlError> {
        let [value, count] = args else {
            return Err(count_error(name));
        };
        let value = self.expr(value, Place::rows(place.scope))?;
        let count = self.expr(count, Place::rows(place.scope))?;
        if name == "sample" && !value.ty.is_number() && !value.ty.is_text() {
            return Err(SqlError::unsupported("sample of this type in windows"));
        }
        let time = place.scope.time.as_deref().unwrap_or("0");
        let sql = format!("td_{name}({}, {}, {time})", value.sql, count.sql);
        Ok(Typed::new(sql, value.ty, value.uses | USES_DATA))
    }

    /// The call itself: all bins of a group as one text.
    pub(super) fn histogram_call(
        &mut self,
        args: &[Expr],
        place: Place<'_>,
    ) -> Result<Typed, SqlError> {
        let [value, kind, description, normalised] = args else {
            return Err(count_error(NAME));
        };
        let value = self.expr(value, Place::rows(place.scope))?;
        must_be_number(NAME, &value)?;
        let mut constant = |expr: &Expr| -> Result<Literal, SqlError> {
            let typed = self.expr(expr, Place::rows(place.scope))?;
            typed.literal.ok_or_else(|| type_error(NAME))
        };
        let Literal::Text(kind) = constant(kind)? else {
            return Err(type_error(NAME));
        };
        let kind = kind.to_ascii_lowercase();
        if !matches!(kind.as_str(), "user_input" | "linear_bin" | "log_bin") {
            return Err(value_error(NAME));
        }
        let Literal::Text(description) = constant(description)? else {
            return Err(type_error(NAME));
        };
        let normalised = match constant(normalised)? {
            Literal::Integer(flag @ 0..=1) => flag,
            Literal::Integer(_) => return Err(value_error(NAME)),
            _ => return Err(type_error(NAME)),
        };
        if value.uses == 0 {
            return Err(SqlError::unsupported("histogram of a constant"));
        }
        let edges = edges(&kind, &description).ok_or_else(|| {
            SqlError::new(0x2800, format!("Invalid bins of histogram: {description}"))
        })?;
        if edges.len() > MOST_EDGES {
            return Err(SqlError::unsupported(format!(
                "histogram with more than {} bins",
                MOST_EDGES - 1
            )));
        }
        let edges: Vec<String> = edges.iter().map(|edge| format!("{edge:?}")).collect();
        let sql = format!(
            "td_histogram({}, '{}', {normalised})",
            real(&value)?,
            edges.join(",")
        );
        let ty = ColType::sized(Ty::VarChar, 510);
        Ok(Typed::new(sql, ty, value.uses | USES_DATA))
    }
}

/// Which output is the one call, alone.
fn only_call(outputs: &[Output]) -> Result<usize, SqlError> {
    let inside = |expr: &Expr| calls(expr, &[NAME, "top", "bottom", "sample"]);
    let is_call = |expr: &Expr| match &expr.kind {
        ExprKind::Function { name, .. } => class(name) == Some(Class::Multi),
        _ => false,
    };
    let mut found = outputs
        .iter()
        .enumerate()
        .filter(|(_, output)| inside(&output.expr));
    match (found.next(), found.next()) {
        (Some((at, output)), None) if is_call(&output.expr) => Ok(at),
        _ => Err(SqlError::unsupported(
            "a function of several rows in an expression here",
        )),
    }
}

/// `top` is an aggregate from here on.
fn rename(expr: &mut Expr) {
    if let ExprKind::Function { name, .. } = &mut expr.kind
        && name != NAME
    {
        *name = format!("{AGGREGATE}{name}");
    }
}

/// Whether a column of the rows is named that does not partition them.
fn names_column(expr: &Expr, select: &Select) -> bool {
    let partition = |part: &Expr| {
        select
            .partition_by
            .iter()
            .any(|item| match (&item.expr.kind, &part.kind) {
                (ExprKind::Column { name, .. }, ExprKind::Column { name: other, .. }) => {
                    name.name == other.name
                }
                _ => false,
            })
    };
    let is_state = |part: &str| match &select.window {
        Some(Window::State { state, .. }) => {
            matches!(&state.kind, ExprKind::Column { name, .. } if name.name == part)
        }
        _ => false,
    };
    any(expr, &|part| match &part.kind {
        ExprKind::Column { name, .. } => {
            !is_window_column(part) && !is_state(&name.name) && !partition(part)
        }
        ExprKind::Wildcard(_) => true,
        _ => false,
    })
}

/// The edges between bins; `None` for a description that is none.
fn edges(kind: &str, description: &str) -> Option<Vec<f64>> {
    let json: serde_json::Value = serde_json::from_str(description).ok()?;
    if let serde_json::Value::Array(list) = &json {
        if kind != "user_input" || list.len() < 2 {
            return None;
        }
        let edges: Vec<f64> = list
            .iter()
            .map(serde_json::Value::as_f64)
            .collect::<Option<_>>()?;
        let rising = edges.is_sorted_by(|a, b| a < b);
        return rising.then_some(edges);
    }
    let object = json.as_object().filter(|object| object.len() == 4)?;
    let get = |name: &str| {
        object
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    };
    let start = get("start")?.as_f64()?;
    let counted = get("count")?
        .as_f64()
        .filter(|count| (1.0..1001.0).contains(count))?;
    let infinite = get("infinity")?.as_bool()?;
    let at: Box<dyn Fn(f64) -> f64> = if kind == "linear_bin" {
        let width = get("width")?.as_f64().filter(|&width| width != 0.0)?;
        Box::new(move |index| start + index * width)
    } else if kind == "log_bin" {
        let fits = |factor: &f64| *factor > 0.0 && *factor != 1.0;
        let factor = get("factor")?.as_f64().filter(fits)?;
        if start == 0.0 {
            return None;
        }
        Box::new(move |index: f64| start * factor.powf(index))
    } else {
        return None;
    };
    let mut edges = Vec::new();
    let mut index = 0.0;
    while index <= counted.floor() {
        edges.push(at(index));
        index += 1.0;
    }
    if !edges.iter().all(|edge| edge.is_finite()) {
        return None;
    }
    if infinite {
        let falling = edges.first() > edges.last();
        let (first, last) = if falling {
            (f64::INFINITY, f64::NEG_INFINITY)
        } else {
            (f64::NEG_INFINITY, f64::INFINITY)
        };
        edges.insert(0, first);
        edges.push(last);
    }
    Some(edges)
}
