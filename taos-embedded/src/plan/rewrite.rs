//! Expressions taken apart and put together again with some parts replaced.

use crate::sql::ast::{Expr, ExprKind};

/// The operands of an expression, from left to right.
pub(super) fn parts(expr: &Expr) -> Vec<&Expr> {
    match &expr.kind {
        ExprKind::Unary(_, inner) | ExprKind::Cast(inner, _) => vec![inner],
        ExprKind::IsNull { value, .. } | ExprKind::InQuery { value, .. } => vec![value],
        ExprKind::Binary(_, left, right) => vec![left, right],
        ExprKind::Between {
            value, low, high, ..
        } => vec![value, low, high],
        ExprKind::In { value, list, .. } => {
            let mut parts: Vec<&Expr> = vec![value];
            parts.extend(list);
            parts
        }
        ExprKind::Function { args, .. } => args.iter().collect(),
        ExprKind::Case {
            operand,
            branches,
            otherwise,
        } => {
            let mut parts: Vec<&Expr> = operand.iter().map(AsRef::as_ref).collect();
            for (when, then) in branches {
                parts.extend([when, then]);
            }
            parts.extend(otherwise.iter().map(AsRef::as_ref));
            parts
        }
        _ => Vec::new(),
    }
}

/// The same expression with every part that `replace` has something for replaced, the outermost first.
pub(super) fn rewritten(expr: &Expr, replace: &dyn Fn(&Expr) -> Option<Expr>) -> Expr {
    if let Some(new) = replace(expr) {
        return new;
    }
    let boxed = |part: &Expr| Box::new(rewritten(part, replace));
    let listed = |list: &[Expr]| list.iter().map(|part| rewritten(part, replace)).collect();
    let kind = match &expr.kind {
        ExprKind::Unary(op, inner) => ExprKind::Unary(*op, boxed(inner)),
        ExprKind::Cast(inner, ty) => ExprKind::Cast(boxed(inner), *ty),
        ExprKind::IsNull { value, negated } => ExprKind::IsNull {
            value: boxed(value),
            negated: *negated,
        },
        ExprKind::InQuery {
            value,
            query,
            negated,
        } => ExprKind::InQuery {
            value: boxed(value),
            query: query.clone(),
            negated: *negated,
        },
        ExprKind::Binary(op, left, right) => ExprKind::Binary(*op, boxed(left), boxed(right)),
        ExprKind::Between {
            value,
            low,
            high,
            negated,
        } => ExprKind::Between {
            value: boxed(value),
            low: boxed(low),
            high: boxed(high),
            negated: *negated,
        },
        ExprKind::In {
            value,
            list,
            negated,
        } => ExprKind::In {
            value: boxed(value),
            list: listed(list),
            negated: *negated,
        },
        ExprKind::Function { name, args, form } => ExprKind::Function {
            name: name.clone(),
            args: listed(args),
            form: *form,
        },
        ExprKind::Case {
            operand,
            branches,
            otherwise,
        } => ExprKind::Case {
            operand: operand.as_ref().map(|part| boxed(part)),
            branches: branches
                .iter()
                .map(|(when, then)| (rewritten(when, replace), rewritten(then, replace)))
                .collect(),
            otherwise: otherwise.as_ref().map(|part| boxed(part)),
        },
        other => other.clone(),
    };
    Expr {
        kind,
        span: expr.span,
    }
}
