//! What of SQL has to be understood before a server does.

/// What stands behind the comment that the text begins with. One without an end takes all.
pub(crate) fn after_comment(text: &str) -> Option<&str> {
    let (comment, end) = match text.strip_prefix("--") {
        Some(comment) => (comment, "\n"),
        None => (text.strip_prefix("/*")?, "*/"),
    };
    Some(comment.split_once(end).map_or("", |(_, after)| after))
}

/// True for a statement that surely changes nothing, and may be run twice. What is not known here counts as a change.
pub(crate) fn only_reads(sql: &str) -> bool {
    let mut words = Words(sql);
    match words.next() {
        Some(word) if is(word, "with") || is(word, "declare") => {
            !words.any(|word| is(word, "insert") || is(word, "update"))
        }
        // The last two are functions, whose rows may be asked for without SELECT.
        Some(word) => [
            "select",
            "show",
            "explain",
            "describe",
            "values",
            "tables",
            "table_columns",
        ]
        .iter()
        .any(|known| is(word, known)),
        None => false,
    }
}

fn is(word: &str, known: &str) -> bool {
    word.eq_ignore_ascii_case(known)
}

/// The words of a statement, without comments.
struct Words<'a>(&'a str);

impl<'a> Iterator for Words<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let in_word = |c: char| c.is_alphanumeric() || c == '_';
        loop {
            let text = self
                .0
                .trim_start_matches(|c: char| c.is_whitespace() || c == '(');
            if let Some(rest) = after_comment(text) {
                self.0 = rest;
            } else if text.starts_with(in_word) {
                let end = text.find(|c| !in_word(c)).unwrap_or(text.len());
                let (word, rest) = text.split_at(end);
                self.0 = rest;
                return Some(word);
            } else {
                let mut rest = text.chars();
                let sign = rest.next()?;
                self.0 = rest.as_str();
                return Some(text.get(..sign.len_utf8()).unwrap_or_default());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_statements_that_surely_change_nothing_may_be_run_again() {
        for sql in [
            "select 1",
            "  SELECT 1",
            "(select 1) union (select 2)",
            "-- a comment\n/* another */ Select 1",
            "show tables",
            "explain select 1",
            "declare @x := 1 select @x",
            "table_columns('t')",
            "with a as (select 1) select * from a",
        ] {
            assert!(only_reads(sql), "{sql}");
        }
        for sql in [
            "",
            "insert into t values (1)",
            "with a as (select 1) update t set x = 1 from a",
            "with a as (select 1)\ninsert into t select * from a",
            "-- select\ndrop table t",
            "selector",
            "/* select 1",
            "'select'",
            "trades",
        ] {
            assert!(!only_reads(sql), "{sql}");
        }
    }
}
