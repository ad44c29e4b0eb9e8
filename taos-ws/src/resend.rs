//! What may be sent again after a connection broke, in one place.
//!
//! | request | nothing of it left this machine | some of it may have left |
//! | --- | --- | --- |
//! | reads: SELECT, SHOW, DESCRIBE, EXPLAIN | again | again |
//! | USE, session options, questions about the server | again | again |
//! | statements with parameters, up to their execution, and queries among them | rebuilt | rebuilt |
//! | execution of a bound INSERT | rebuilt | only with `retry_writes=true`, else the outcome is unknown |
//! | all other SQL, schemaless lines, raw blocks, raw messages | again | as above |
//! | fetching the rest of a result | fails: the result went with its connection | fails |

/// How often one call is sent again before its failure is told.
pub(crate) const RESENDS: u32 = 3;

/// What a request does, as far as sending it twice is concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Changes nothing on the server.
    Read,
    /// Changes only the session, to the same state each time.
    Session,
    /// May change data.
    Write,
}

impl Effect {
    /// By the statement's first word; what is not known counts as a write.
    pub(crate) fn of(sql: &str) -> Self {
        let (word, _) = first_word(sql);
        match word {
            word if is(word, &["select", "show", "describe", "desc", "explain"]) => Self::Read,
            word if is(word, &["use"]) => Self::Session,
            _ => Self::Write,
        }
    }

    pub(crate) const fn may_resend(&self, sent: bool, retry_writes: bool) -> bool {
        match self {
            Self::Read | Self::Session => true,
            Self::Write => !sent || retry_writes,
        }
    }
}

/// The first word of a statement.
pub(crate) fn operation(sql: &str) -> &str {
    first_word(sql).0
}

/// The database that a `USE` statement selects.
pub(crate) fn used_database(sql: &str) -> Option<String> {
    let (word, rest) = first_word(sql);
    if !is(word, &["use"]) {
        return None;
    }
    let rest = skip_blank(rest);
    let name = match rest.strip_prefix('`') {
        Some(quoted) => quoted.split('`').next().unwrap_or_default().to_owned(),
        None => {
            let end = rest
                .find(|c: char| c.is_whitespace() || c == ';')
                .unwrap_or(rest.len());
            // Names that are not quoted are lower case for the server.
            rest.get(..end).unwrap_or_default().to_lowercase()
        }
    };
    (!name.is_empty()).then_some(name)
}

fn is(word: &str, words: &[&str]) -> bool {
    words.iter().any(|known| known.eq_ignore_ascii_case(word))
}

fn first_word(sql: &str) -> (&str, &str) {
    let sql = skip_blank(sql);
    let end = sql
        .find(|c: char| !c.is_ascii_alphabetic())
        .unwrap_or(sql.len());
    sql.split_at(end)
}

/// Skips spaces, `-- …` and `/* … */`.
fn skip_blank(sql: &str) -> &str {
    let mut rest = sql.trim_start();
    loop {
        let after = if let Some(comment) = rest.strip_prefix("--") {
            comment.split_once('\n').map_or("", |(_, after)| after)
        } else if let Some(comment) = rest.strip_prefix("/*") {
            comment.split_once("*/").map_or("", |(_, after)| after)
        } else {
            return rest;
        };
        rest = after.trim_start();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_decides_and_unknown_words_count_as_writes() {
        for (sql, effect) in [
            ("select 1", Effect::Read),
            ("  \n SELECT 1", Effect::Read),
            ("-- why\n/* and */ show databases", Effect::Read),
            ("desc t", Effect::Read),
            ("use db", Effect::Session),
            ("insert into t values(now, 1)", Effect::Write),
            ("selection", Effect::Write),
            ("create database x", Effect::Write),
            ("", Effect::Write),
            ("/* open", Effect::Write),
        ] {
            assert_eq!(Effect::of(sql), effect, "{sql}");
        }
    }

    #[test]
    fn writes_are_sent_again_only_if_nothing_left_or_the_user_said_so() {
        for (effect, sent, opted_in, again) in [
            (Effect::Read, true, false, true),
            (Effect::Session, true, false, true),
            (Effect::Write, false, false, true),
            (Effect::Write, true, false, false),
            (Effect::Write, true, true, true),
        ] {
            assert_eq!(effect.may_resend(sent, opted_in), again, "{effect:?}");
        }
    }

    #[test]
    fn the_database_of_a_use_statement_is_found() {
        for (sql, name) in [
            ("use db1", Some("db1")),
            ("USE Db1;", Some("db1")),
            (" use `Db 1` ;", Some("Db 1")),
            ("use /* x */ a", Some("a")),
            ("use", None),
            ("select 1", None),
        ] {
            assert_eq!(used_database(sql).as_deref(), name, "{sql}");
        }
    }
}
