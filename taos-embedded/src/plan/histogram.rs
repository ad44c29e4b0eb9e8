//! HISTOGRAM: a row for each bin (DIALECT §5).

use taos_query::common::Ty;

use super::aggregate::calls;
use super::clauses::limit_sql;
use super::expr::{Place, real};
use super::planner::{Planned, Planner};
use super::scalar::{count_error, type_error, value_error};
use super::scope::Scope;
use super::select::Filter;
use super::series_rules::must_be_number;
use super::types::{ColType, Literal, Typed, USES_DATA};
use crate::sql::SqlError;
use crate::sql::ast::{Expr, ExprKind, Query, Select};

const NAME: &str = "histogram";

impl Planner<'_> {
    /// A SELECT with HISTOGRAM: the bins of a group are one JSON array, which is taken apart around the groups.
    pub(super) fn histogram_select(
        &mut self,
        select: &Select,
        query: &Query,
        scope: &Scope,
        filter: &Filter,
    ) -> Result<Planned, SqlError> {
        let grouped = !select.group_by.is_empty() || !select.partition_by.is_empty();
        if select.window.is_some() || select.fill.is_some() || select.distinct {
            return Err(SqlError::unsupported("histogram in windows"));
        }
        if !query.order_by.is_empty()
            || (grouped && (query.limit.is_some() || query.slimit.is_some()))
        {
            return Err(SqlError::unsupported("histogram with order or limit"));
        }
        let is_call =
            |expr: &Expr| matches!(&expr.kind, ExprKind::Function { name, .. } if name == NAME);
        let inside = |expr: &Expr| calls(expr, &[NAME]);
        let mut at = None;
        for (index, item) in select.items.iter().enumerate() {
            match (is_call(&item.expr), inside(&item.expr), at) {
                (true, _, None) => at = Some(index),
                (_, false, _) => {}
                _ => return Err(SqlError::unsupported("histogram in an expression")),
            }
        }
        let Some(at) = at else {
            return Err(SqlError::unsupported("histogram in an expression"));
        };
        let mut inner = query.clone();
        inner.limit = None;
        let outputs = self.outputs(select, scope)?;
        if outputs.len() != select.items.len() {
            return Err(SqlError::unsupported("a wildcard beside histogram"));
        }
        let mut planned = self.grouped_select(select, &inner, scope, outputs, filter, None)?;
        let parts: Vec<String> = (0..planned.columns.len())
            .map(|index| {
                if index == at {
                    format!("b.value AS q{index}")
                } else {
                    format!("h.q{index} AS q{index}")
                }
            })
            .collect();
        planned.sql = format!(
            "SELECT {} FROM ({}) h, json_each(h.q{at}) b{}{}",
            parts.join(", "),
            planned.sql,
            if grouped { "" } else { " ORDER BY b.key" },
            limit_sql(query.limit)
        );
        planned.time = None;
        Ok(planned)
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
