/// Escapes text for use between single quotes in SQL: quotes are doubled, backslashes and control
/// characters become backslash escapes, NUL is dropped.
pub fn sql_value_escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 2);
    for c in text.chars() {
        match c {
            '\0' => {}
            '\'' => escaped.push_str("''"),
            '\\' => escaped.push_str("\\\\"),
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            '\t' => escaped.push_str("\\t"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::sql_value_escape;

    #[test]
    fn text_that_would_end_or_change_a_literal_is_escaped() {
        assert_eq!(sql_value_escape("it's"), "it''s");
        assert_eq!(sql_value_escape("a\\b\n\0c"), "a\\\\b\\nc");
        assert_eq!(sql_value_escape("plain 文"), "plain 文");
    }
}
