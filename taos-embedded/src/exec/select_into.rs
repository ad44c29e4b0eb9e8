//! INSERT … SELECT: a query's rows in the stored forms of the columns they go into.

use rusqlite::types::Value;
use taos_query::common::{Precision, Ty};

use super::insert::{Layout, null_key};
use super::values::{fitting_bytes, fitting_text, integer_range, stored_float, stored_integer};
use super::{Exec, decimal};
use crate::catalog::TableDef;
use crate::plan::{self, ColumnInfo, ResultColumn, tick};
use crate::sql::SqlError;
use crate::sql::ast::Query;
use crate::store::Collected;

const COUNT: u32 = 0x263F;

/// The rows of a query.
pub(super) struct Selected {
    columns: Vec<ResultColumn>,
    precision: Precision,
    pub(super) rows: Collected,
}

impl Exec<'_> {
    /// Runs a query whose columns go where `layout` says, as `cast` would make them fit. All its rows are held, because nothing may be
    /// written before the last of them is known to fit.
    pub(super) fn select_for(
        &self,
        query: &Query,
        layout: &Layout,
        def: &TableDef,
        precision: Precision,
    ) -> Result<Selected, SqlError> {
        let mut targets: Vec<Option<&ColumnInfo>> = vec![None; layout.width];
        let columns = layout.columns.iter().zip(&layout.sources);
        let columns = columns.map(|(&at, &source)| (source, def.columns.get(at)));
        let tags = layout.tags.iter();
        let tags = tags.map(|&(source, at)| (source, def.tags.get(at)));
        for (source, column) in columns.chain(tags) {
            if let Some(target) = targets.get_mut(source) {
                *target = column;
            }
        }
        let plan = plan::plan_into(query, self.sql, &self.context(), &targets, precision)?;
        if plan.columns.len() != layout.width {
            return Err(SqlError::new(COUNT, "Illegal number of columns"));
        }
        let (columns, precision) = (plan.columns.clone(), plan.precision);
        let rows = self.store().rows(plan, self.queries)?;
        Ok(Selected {
            columns,
            precision,
            rows,
        })
    }
}

impl Selected {
    /// The subtable that a row names.
    pub(super) fn name(&self, row: &[Value], layout: &Layout) -> Result<String, SqlError> {
        match layout.name.and_then(|at| row.get(at)) {
            Some(Value::Text(name)) => Ok(name.clone()),
            _ => Err(SqlError::new(0x0200, "tbname column should not be null")),
        }
    }

    /// The tags of a row, NULL for those not selected.
    pub(super) fn tags(
        &self,
        row: &[Value],
        layout: &Layout,
        def: &TableDef,
        precision: Precision,
    ) -> Result<Vec<Value>, SqlError> {
        let mut tags = vec![Value::Null; def.tags.len()];
        for &(source, at) in &layout.tags {
            if let (Some(slot), Some(tag)) = (tags.get_mut(at), def.tags.get(at)) {
                *slot = self.converted(row, source, tag, precision)?;
            }
        }
        Ok(tags)
    }

    /// Adds a row in the order of storage.
    pub(super) fn take(
        &self,
        row: &[Value],
        layout: &Layout,
        def: &TableDef,
        precision: Precision,
        out: &mut Vec<Value>,
    ) -> Result<(), SqlError> {
        for (&at, &source) in layout.columns.iter().zip(&layout.sources) {
            let Some(column) = def.columns.get(at) else {
                return Err(super::rows::stale());
            };
            let value = self.converted(row, source, column, precision)?;
            if value == Value::Null && (at == 0 || column.composite_key) {
                return Err(null_key());
            }
            out.push(value);
        }
        Ok(())
    }

    fn converted(
        &self,
        row: &[Value],
        source: usize,
        to: &ColumnInfo,
        precision: Precision,
    ) -> Result<Value, SqlError> {
        let (Some(from), Some(value)) = (self.columns.get(source), row.get(source)) else {
            return Err(super::rows::stale());
        };
        if *value == Value::Null {
            return Ok(Value::Null);
        }
        let unsupported = || {
            SqlError::unsupported(format!(
                "insert of {} into {} from a query",
                from.ty.name(),
                to.ty.name()
            ))
        };
        match (to.ty, value) {
            (Ty::VarChar | Ty::NChar, Value::Text(text)) => fitting_text(text.clone(), to),
            (Ty::VarChar | Ty::NChar, _) => {
                fitting_text(text_of(from, value).ok_or_else(unsupported)?, to)
            }
            (Ty::VarBinary | Ty::Geometry | Ty::Blob, Value::Blob(bytes)) => {
                fitting_bytes(bytes.clone(), to)
            }
            (Ty::Timestamp, Value::Integer(ticks)) if from.ty == Ty::Timestamp => {
                rescaled(*ticks, self.precision, precision).ok_or_else(unsupported)
            }
            (Ty::Decimal | Ty::Decimal64, _) if from.ty.is_decimal() => {
                let unscaled = decimal::unscaled(value).ok_or_else(unsupported)?;
                let text = decimal::text(unscaled, from.scale);
                decimal::parse(&text, to.precision, to.scale)
                    .map(|v| decimal::stored(v, to))
                    .map_err(|_| decimal::overflow())
            }
            (Ty::Bool, Value::Integer(v)) if !from.ty.is_decimal() => {
                Ok(Value::Integer((integer(from, *v) != 0).into()))
            }
            (Ty::Float | Ty::Double, Value::Real(v)) => {
                stored_float(*v, to.ty).ok_or_else(unsupported)
            }
            #[allow(clippy::cast_precision_loss, reason = "the column is a float")]
            (Ty::Float | Ty::Double, Value::Integer(v)) if !from.ty.is_decimal() => {
                stored_float(integer(from, *v) as f64, to.ty).ok_or_else(unsupported)
            }
            (ty, Value::Integer(v)) if ty.is_integer() && !from.ty.is_decimal() => {
                in_range(integer(from, *v), ty)
            }
            #[allow(clippy::cast_possible_truncation, reason = "checked against the range")]
            (ty, Value::Real(v)) if ty.is_integer() && v.abs() < 1e20 => in_range(*v as i128, ty),
            _ => Err(unsupported()),
        }
    }
}

/// A stored integer's value.
fn integer(from: &ResultColumn, stored: i64) -> i128 {
    if from.ty == Ty::UBigInt {
        i128::from(stored.cast_unsigned() ^ (1 << 63))
    } else {
        i128::from(stored)
    }
}

fn in_range(number: i128, ty: Ty) -> Result<Value, SqlError> {
    let (name, low, high) = integer_range(ty);
    if (low..=high).contains(&number) {
        Ok(stored_integer(number, ty))
    } else {
        Err(SqlError::insert_syntax(
            &number.to_string(),
            &format!("{name} data overflow"),
        ))
    }
}

fn rescaled(ticks: i64, from: Precision, to: Precision) -> Option<Value> {
    let nanoseconds = i128::from(ticks) * i128::from(tick(from));
    let ticks = nanoseconds.div_euclid(i128::from(tick(to)));
    i64::try_from(ticks).ok().map(Value::Integer)
}

/// A number as the dialect's cast writes it; floats have a form of their own, which is not done here.
fn text_of(from: &ResultColumn, value: &Value) -> Option<String> {
    match value {
        Value::Integer(v) if from.ty == Ty::Bool => Some((*v != 0).to_string()),
        Value::Integer(v) if from.ty.is_integer() || from.ty == Ty::Timestamp => {
            Some(integer(from, *v).to_string())
        }
        _ if from.ty.is_decimal() => Some(decimal::text(decimal::unscaled(value)?, from.scale)),
        _ => None,
    }
}
