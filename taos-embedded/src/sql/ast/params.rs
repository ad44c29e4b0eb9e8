//! The placeholders of a query.

use super::{Expr, ExprKind, Fill, Join, Query, QueryBody, Select, TableRef, Window};

/// What is done with each placeholder; its number counts from 0 in the order of the text.
type Visit<'a> = &'a mut dyn FnMut(u32, &mut ExprKind);

impl Query {
    /// Visits every placeholder, in no particular order.
    pub(crate) fn each_placeholder(&mut self, visit: Visit<'_>) {
        match &mut self.body {
            QueryBody::Select(select) => select.each_placeholder(visit),
            QueryBody::Union { left, right, .. } => {
                left.each_placeholder(visit);
                right.each_placeholder(visit);
            }
        }
        for item in &mut self.order_by {
            item.expr.each_placeholder(visit);
        }
    }
}

impl Select {
    fn each_placeholder(&mut self, visit: Visit<'_>) {
        for item in self.items.iter_mut().chain(&mut self.partition_by) {
            item.expr.each_placeholder(visit);
        }
        if let Some(from) = &mut self.from {
            from.each_placeholder(visit);
        }
        match &mut self.window {
            Some(Window::Session { column, .. }) => column.each_placeholder(visit),
            Some(Window::State { state, .. }) => state.each_placeholder(visit),
            Some(Window::Event { start, end, .. }) => {
                start.each_placeholder(visit);
                end.each_placeholder(visit);
            }
            Some(Window::Count { columns, .. }) => all(columns, visit),
            Some(Window::Interval { .. }) | None => {}
        }
        if let Some(Fill { values, .. }) = &mut self.fill {
            all(values, visit);
        }
        all(&mut self.group_by, visit);
        if let Some(range) = &mut self.range {
            all(range, visit);
        }
        for expr in [&mut self.filter, &mut self.every, &mut self.having]
            .into_iter()
            .flatten()
        {
            expr.each_placeholder(visit);
        }
    }
}

impl TableRef {
    fn each_placeholder(&mut self, visit: Visit<'_>) {
        match self {
            Self::Table { .. } => {}
            Self::Subquery { query, .. } => query.each_placeholder(visit),
            Self::Join(join) => {
                let Join {
                    left,
                    right,
                    on,
                    window_offset,
                    ..
                } = &mut **join;
                left.each_placeholder(visit);
                right.each_placeholder(visit);
                if let Some(on) = on {
                    on.each_placeholder(visit);
                }
                if let Some((from, to)) = window_offset {
                    from.each_placeholder(visit);
                    to.each_placeholder(visit);
                }
            }
        }
    }
}

fn all(exprs: &mut [Expr], visit: Visit<'_>) {
    for expr in exprs {
        expr.each_placeholder(visit);
    }
}

impl Expr {
    fn each_placeholder(&mut self, visit: Visit<'_>) {
        if let ExprKind::Placeholder(number) = self.kind {
            return visit(number, &mut self.kind);
        }
        match &mut self.kind {
            ExprKind::Null
            | ExprKind::Bool(_)
            | ExprKind::Integer(_)
            | ExprKind::Float(_)
            | ExprKind::Text(_)
            | ExprKind::Timestamp(_)
            | ExprKind::Duration(_)
            | ExprKind::Column { .. }
            | ExprKind::Wildcard(_)
            | ExprKind::Placeholder(_) => {}
            ExprKind::Unary(_, inner) | ExprKind::Cast(inner, _) => inner.each_placeholder(visit),
            ExprKind::Binary(_, left, right) => {
                left.each_placeholder(visit);
                right.each_placeholder(visit);
            }
            ExprKind::Between {
                value, low, high, ..
            } => {
                for expr in [value, low, high] {
                    expr.each_placeholder(visit);
                }
            }
            ExprKind::In { value, list, .. } => {
                value.each_placeholder(visit);
                all(list, visit);
            }
            ExprKind::InQuery { value, query, .. } => {
                value.each_placeholder(visit);
                query.each_placeholder(visit);
            }
            ExprKind::IsNull { value, .. } => value.each_placeholder(visit),
            ExprKind::Case {
                operand,
                branches,
                otherwise,
            } => {
                for expr in operand.iter_mut().chain(otherwise) {
                    expr.each_placeholder(visit);
                }
                for (when, then) in branches {
                    when.each_placeholder(visit);
                    then.each_placeholder(visit);
                }
            }
            ExprKind::Function { args, .. } => all(args, visit),
            ExprKind::Subquery(query) | ExprKind::Exists(query) => query.each_placeholder(visit),
        }
    }
}
