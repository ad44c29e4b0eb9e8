//! How result columns are called (DIALECT §2).

use crate::sql::ast::{Expr, ExprKind, SelectItem, UnaryOp};
use crate::sql::clip;

/// The longest name of a result column in bytes.
const MAX_NAME: usize = 64;

/// The alias, the column's own name, or the text as written.
pub(crate) fn of_item(item: &SelectItem, sql: &str) -> String {
    if let Some(alias) = &item.alias {
        return clip(&alias.name, MAX_NAME).to_owned();
    }
    of_expr(&item.expr, sql)
}

fn of_expr(expr: &Expr, sql: &str) -> String {
    match &expr.kind {
        ExprKind::Column { name, .. } => name.name.clone(),
        ExprKind::Unary(UnaryOp::Plus, inner) => of_expr(inner, sql),
        _ => clip(&lowered(expr.span.of(sql)), MAX_NAME).to_owned(),
    }
}

/// Lower case outside quotes.
fn lowered(text: &str) -> String {
    let mut quote = None;
    let mut escaped = false;
    text.chars()
        .map(|char| {
            if quote.is_none() {
                if matches!(char, '\'' | '"' | '`') {
                    quote = Some(char);
                }
                return char.to_ascii_lowercase();
            }
            if escaped {
                escaped = false;
            } else if char == '\\' {
                escaped = true;
            } else if quote == Some(char) {
                quote = None;
            }
            char
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::lowered;

    #[test]
    fn only_what_is_not_quoted_is_lowered() {
        assert_eq!(lowered("Sum(V)  + 1"), "sum(v)  + 1");
        assert_eq!(lowered(r"CONCAT('Ab\'C', B)"), r"concat('Ab\'C', b)");
    }
}
