//! SELECT: names, types and rules of the dialect on one side, SQL of the storage on the other.

mod aggregate;
mod cast;
mod clauses;
mod compare;
mod decimal;
mod delete;
mod derived;
mod expr;
mod fill;
mod functions;
mod geometry;
mod grouped;
mod histogram;
mod interp;
mod interval;
mod join;
mod json;
mod kinds;
mod leading;
mod name;
mod planner;
mod range;
mod rewrite;
mod scalar;
mod schema;
mod scope;
mod select;
mod series;
mod series_rules;
mod shift;
mod source;
#[cfg(test)]
mod tests;
mod time;
mod time_format;
mod types;
mod wide;
mod windows;
mod zone;

pub(crate) use aggregate::{any as any_part, contains as has_aggregate};
pub(crate) use delete::plan_delete;
pub(crate) use functions::{Held, limit_collected, register_functions};
pub(crate) use schema::{ColumnInfo, Schema, SystemTable, TableInfo, TableKind};
pub(crate) use time::{parse_time, tick};
pub(crate) use zone::{clock, seconds};

use chrono_tz::Tz;
use rusqlite::types::Value;
use taos_query::common::{Precision, Ty};

use crate::sql::SqlError;
use crate::sql::ast::Query;

/// What a statement is planned and run under.
pub(crate) struct Context<'a> {
    /// The catalog.
    pub schema: &'a dyn Schema,
    /// The current database.
    pub db: Option<String>,
    /// The one value of `now`, nanoseconds since 1970.
    pub now: i64,
    /// The zone of the connection; `None` for the server's own, UTC.
    pub zone: Option<Tz>,
    /// What `server_version()` says.
    pub version: &'a str,
}

/// A column of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultColumn {
    /// Its name.
    pub name: String,
    /// Its type.
    pub ty: Ty,
    /// Declared length: bytes, for NCHAR characters; the type's width if it is fixed.
    pub length: u32,
    /// Digits of a decimal, else 0.
    pub precision: u8,
    /// Digits of a decimal behind the point, else 0.
    pub scale: u8,
}

/// A query ready to run on a connection that knows the dialect's functions.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// The result's columns; SQLite gives their stored forms, in this order.
    pub columns: Vec<ResultColumn>,
    /// The unit of the result's times.
    pub precision: Precision,
    /// SQLite's SQL.
    pub sql: String,
    /// The values of `?1`, `?2`, ….
    pub params: Vec<Value>,
}

/// What DELETE takes away: a range of times and, on a super table, the subtables it concerns.
#[derive(Debug, Clone)]
pub(crate) struct DeleteFilter {
    /// First tick, included.
    pub low: i64,
    /// Last tick, included; nothing is deleted if it is below `low`.
    pub high: i64,
    /// A SELECT of the subtables' numbers (`tbl`), with its values; `None` if all are concerned.
    pub tables: Option<(String, Vec<Value>)>,
}

/// Plans a SELECT. `sql` is the statement's text, which the spans of `query` point into.
///
/// # Errors
/// The dialect's codes for names and types that do not fit, 0x0100 for what is not done here.
pub(crate) fn plan(query: &Query, sql: &str, context: &Context<'_>) -> Result<Plan, SqlError> {
    let mut planner = planner::Planner::new(sql, context);
    let planned = planner.query(query)?;
    let (sql, params) = planner::compact(&planned.sql, &planner.params)?;
    Ok(Plan {
        columns: planned.columns,
        precision: planned.precision,
        sql,
        params,
    })
}

/// Plans the SELECT of an INSERT: each column is cast to the column or tag it goes into, if that has another type.
/// `precision` is the unit of the table's times.
///
/// # Errors
/// As [`plan`].
pub(crate) fn plan_into(
    query: &Query,
    sql: &str,
    context: &Context<'_>,
    targets: &[Option<&ColumnInfo>],
    precision: Precision,
) -> Result<Plan, SqlError> {
    let mut planner = planner::Planner::new(sql, context);
    let mut planned = planner.query(query)?;
    let mut parts = Vec::with_capacity(planned.columns.len());
    for (index, column) in planned.columns.iter_mut().enumerate() {
        let name = format!("q{index}");
        let target = targets.get(index).copied().flatten();
        let cast = target.and_then(|to| cast::into_column(&planner, &name, column, to, precision));
        if let (Some(_), Some(to)) = (&cast, target) {
            *column = types::ColType::of_column(to).column(column.name.clone());
        }
        parts.push(format!(
            "{} AS {name}",
            cast.unwrap_or_else(|| name.clone())
        ));
    }
    let wrapped = format!("SELECT {} FROM ({})", parts.join(", "), planned.sql);
    let (sql, params) = planner::compact(&wrapped, &planner.params)?;
    Ok(Plan {
        columns: planned.columns,
        precision: planned.precision,
        sql,
        params,
    })
}
