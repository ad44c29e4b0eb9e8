//! Conditions on the times of two sources.

use super::super::expr::Place;
use super::super::planner::Planner;
use super::no_equal_times;
use super::side::Source;
use crate::sql::SqlError;
use crate::sql::ast::{BinaryOp, Expr, ExprKind, Ident};

/// A source and its time, or what `timetruncate` makes of it.
pub(super) type TimeRef<'e> = (usize, &'e Expr);

/// Times of two sources that are to be equal.
pub(super) struct Equal<'e> {
    pub(super) left: TimeRef<'e>,
    pub(super) right: TimeRef<'e>,
}

impl Equal<'_> {
    pub(super) const fn turned(self) -> Self {
        Self {
            left: self.right,
            right: self.left,
        }
    }
}

/// The source and the SQL that a column means.
pub(super) fn column_of<'s>(
    table: Option<&Ident>,
    name: &Ident,
    sources: &'s [Source],
) -> Option<(usize, &'s super::super::scope::ScopeColumn)> {
    let mut found = sources.iter().enumerate().filter_map(|(index, source)| {
        if table.is_some_and(|table| table.name != source.name) {
            return None;
        }
        let column = source
            .columns
            .iter()
            .find(|column| column.name == name.name);
        column.map(|column| (index, column))
    });
    let first = found.next();
    first.filter(|_| found.next().is_none())
}

/// The source whose time an expression is.
pub(super) fn time_of<'e>(expr: &'e Expr, sources: &[Source]) -> Option<TimeRef<'e>> {
    match &expr.kind {
        ExprKind::Column { table, name } => {
            let (index, column) = column_of(table.as_ref(), name, sources)?;
            let source = sources.get(index)?;
            source.is_time(&column.sql).then_some((index, expr))
        }
        ExprKind::Function { name, args, .. } if name == "timetruncate" => {
            let inner = args.first()?;
            let plain = matches!(inner.kind, ExprKind::Column { .. });
            let (index, _) = time_of(inner, sources).filter(|_| plain)?;
            Some((index, expr))
        }
        _ => None,
    }
}

/// A comparison of the times of two sources.
pub(super) fn compared_times<'e>(
    expr: &'e Expr,
    sources: &[Source],
) -> Option<(BinaryOp, Equal<'e>)> {
    let ExprKind::Binary(op, left, right) = &expr.kind else {
        return None;
    };
    let (left, right) = (time_of(left, sources)?, time_of(right, sources)?);
    (left.0 != right.0).then_some((*op, Equal { left, right }))
}

pub(super) fn equal_times<'e>(expr: &'e Expr, sources: &[Source]) -> Option<Equal<'e>> {
    match compared_times(expr, sources)? {
        (BinaryOp::Equal, equal) => Some(equal),
        _ => None,
    }
}

impl Planner<'_> {
    /// A time as SQL of the source's own rows.
    pub(super) fn inner_time(
        &mut self,
        time: TimeRef<'_>,
        sources: &[Source],
    ) -> Result<String, SqlError> {
        let source = sources.get(time.0).ok_or_else(no_equal_times)?;
        Ok(self.expr(time.1, Place::rows(&source.inner))?.sql)
    }

    /// A time as the join sees it: a truncated one becomes a column, so that an index can have it.
    fn key(&mut self, time: TimeRef<'_>, sources: &mut [Source]) -> Result<String, SqlError> {
        if let ExprKind::Column { table, name } = &time.1.kind {
            let column = column_of(table.as_ref(), name, sources);
            return column
                .map(|(_, column)| column.sql.clone())
                .ok_or_else(no_equal_times);
        }
        let inner = self.inner_time(time, sources)?;
        let source = sources.get_mut(time.0).ok_or_else(no_equal_times)?;
        source.hold = true;
        let name = format!("k{}", source.parts().len());
        Ok(source.add(&name, &inner))
    }

    /// The equality with the source that is looked up on the left.
    pub(super) fn key_condition(
        &mut self,
        equal: &Equal<'_>,
        sources: &mut [Source],
    ) -> Result<String, SqlError> {
        let left = self.key(equal.left, sources)?;
        let right = self.key(equal.right, sources)?;
        Ok(format!("{right} = {left}"))
    }
}
