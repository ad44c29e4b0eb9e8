//! What quotes and escapes mean.

use std::borrow::Cow;

/// The contents of a quoted text, escapes resolved (DIALECT §1); borrowed when there is nothing
/// to resolve. `quoted` comes with its quotes, as [`super::ast::InsertValueKind::Text`] spans do.
pub(crate) fn unquote(quoted: &str) -> Cow<'_, str> {
    let Some(quote) = quoted.chars().next() else {
        return Cow::Borrowed(quoted);
    };
    let inner = quoted
        .get(1..quoted.len().saturating_sub(1))
        .unwrap_or_default();
    if !inner.contains(['\\', quote]) {
        return Cow::Borrowed(inner);
    }
    let mut text = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(char) = chars.next() {
        if char == quote {
            // Doubled: the lexer lets no other quote through.
            chars.next();
            text.push(quote);
        } else if char == '\\' {
            match chars.next() {
                Some('n') => text.push('\n'),
                Some('t') => text.push('\t'),
                Some('r') => text.push('\r'),
                // The three that stay as they are: LIKE's escapes and the mark of hex bytes.
                Some(kept @ ('%' | '_' | 'x')) => {
                    text.push('\\');
                    text.push(kept);
                }
                Some(other) => text.push(other),
                None => text.push('\\'),
            }
        } else {
            text.push(char);
        }
    }
    Cow::Owned(text)
}

#[cfg(test)]
mod tests {
    use super::unquote;

    #[test]
    fn escapes_and_doubled_quotes_are_resolved() {
        assert_eq!(unquote(r"'it''s'"), "it's");
        assert_eq!(unquote(r#""a""b""#), "a\"b");
        assert_eq!(unquote(r"'tab\tnew\q\\'"), "tab\tnewq\\");
        assert_eq!(unquote(r"'100\% \_ \x0a'"), r"100\% \_ \x0a");
        assert_eq!(unquote("'plain'"), "plain");
    }
}
