//! Spans with the field names that OpenTelemetry gives to database clients.
//!
//! All are of level DEBUG. A span that nobody collects costs one look at an atomic number: nothing
//! is allocated and no field is made. Statements appear without their values, so that data and
//! passwords stay out of traces.

use crate::client::Client;
use std::future::Future;
use taos_query::{ErrorKind, RawError, RawResult};
use tracing::{Instrument as _, Span};

/// Longest statement text in a span, in bytes.
const QUERY_TEXT: usize = 512;

/// A span of this operation; the other fields are filled in when they are known.
fn new_span(operation: &str) -> Span {
    tracing::debug_span!(
        "tdengine",
        otel.name = operation,
        otel.kind = "client",
        otel.status_code = tracing::field::Empty,
        db.system.name = "tdengine",
        db.operation.name = operation,
        db.namespace = tracing::field::Empty,
        db.query.text = tracing::field::Empty,
        server.address = tracing::field::Empty,
        server.port = tracing::field::Empty,
        db.response.status_code = tracing::field::Empty,
        error.type = tracing::field::Empty,
    )
}

/// A span of an operation that is not a statement's text: `put`, `stmt2_bind`, `connect`.
pub(crate) fn span(operation: &'static str) -> Span {
    new_span(operation)
}

/// A span of a prepared statement's step.
pub(crate) fn stmt_span(operation: &'static str, sql: Option<&str>) -> Span {
    let span = new_span(operation);
    if let Some(sql) = sql.filter(|_| !span.is_disabled()) {
        span.record("db.query.text", sanitized(sql));
    }
    span
}

/// A span of a statement, named by its first word.
pub(crate) fn sql_span(sql: &str) -> Span {
    if !tracing::enabled!(tracing::Level::DEBUG) {
        return Span::none();
    }
    let word = crate::resend::operation(sql).to_ascii_uppercase();
    let span = new_span(&word);
    if !span.is_disabled() {
        span.record("db.query.text", sanitized(sql));
    }
    span
}

impl Client {
    /// Runs `work` inside the span, and notes there how it ended and which server answered.
    pub(crate) async fn traced<T>(
        &self,
        span: Span,
        work: impl Future<Output = RawResult<T>>,
    ) -> RawResult<T> {
        let result = work.instrument(span.clone()).await;
        if !span.is_disabled() {
            self.describe(&span);
            if let Err(error) = &result {
                describe_error(&span, error);
            }
        }
        result
    }

    fn describe(&self, span: &Span) {
        let database = self.session().database.clone();
        if !database.is_empty() {
            span.record("db.namespace", database);
        }
        let address = match self.events.state() {
            taos_query::ConnectionState::Ready { address, .. } => Some(address.to_string()),
            _ => self.config.addresses.first().map(ToString::to_string),
        };
        if let Some((host, port)) = address.as_deref().and_then(|a| a.rsplit_once(':')) {
            span.record("server.address", host);
            if let Ok(port) = port.parse::<u16>() {
                span.record("server.port", port);
            }
        }
    }
}

fn describe_error(span: &Span, error: &RawError) {
    let code = format!("{:#06x}", error.code());
    span.record("otel.status_code", "ERROR");
    if matches!(error.kind(), ErrorKind::Server | ErrorKind::Auth) {
        span.record("db.response.status_code", code.as_str());
        span.record("error.type", code.as_str());
    } else {
        span.record("error.type", tracing::field::debug(error.kind()));
    }
}

/// The statement with `?` in the place of every literal and without comments, cut at a length that
/// logs can bear, and where it cannot be told any more what is a literal.
fn sanitized(sql: &str) -> String {
    let mut out = String::with_capacity(sql.len().min(QUERY_TEXT + 4));
    let mut rest = sql;
    let mut in_word = false;
    while let Some(c) = rest.chars().next() {
        if out.len() >= QUERY_TEXT {
            out.push('…');
            break;
        }
        let tail = rest.get(c.len_utf8()..).unwrap_or_default();
        let starts_word = !std::mem::replace(&mut in_word, false);
        rest = match c {
            '\'' | '"' => {
                out.push('?');
                after_literal(tail, c)
            }
            '`' => {
                let Some((name, tail)) = tail.split_once('`') else {
                    out.push('?');
                    break;
                };
                out.push('`');
                out.extend(name.chars().take(QUERY_TEXT));
                out.push('`');
                tail
            }
            '-' if tail.starts_with('-') => tail.split_once('\n').map_or("", |(_, tail)| tail),
            '/' if tail.starts_with('*') => tail.split_once("*/").map_or("", |(_, tail)| tail),
            digit if digit.is_ascii_digit() && starts_word => {
                out.push('?');
                tail.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '.')
            }
            other => {
                in_word = other.is_alphanumeric() || other == '_';
                out.push(other);
                tail
            }
        };
    }
    out
}

/// What follows a literal, of which the first quote is gone already.
fn after_literal(text: &str, quote: char) -> &str {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        if !escaped && c == quote {
            return text.get(at + c.len_utf8()..).unwrap_or_default();
        }
        escaped = !escaped && c == '\\';
    }
    ""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_literal_of_a_statement_stays_in_its_span() {
        for (sql, shown) in [
            ("select 1", "select ?"),
            (
                "insert into d1 using st tags('Oslo', 0x1F) values(1700000000000, -3.5e4)",
                "insert into d1 using st tags(?, ?) values(?, -?)",
            ),
            ("create user u1 pass 'a\\'b''c'", "create user u1 pass ??"),
            ("select \"a b\" from `my 1`", "select ? from `my 1`"),
            ("select 'open", "select ?"),
            ("where t1 > now - 10s", "where t1 > now - ?"),
            // What is a literal cannot be told behind a name without an end.
            ("select `v from t where s = 'hunter2'", "select ?"),
            (
                "select v -- don't\n from t where s = 'hunter2'",
                "select v  from t where s = ?",
            ),
            ("select /* isn't */ v, 'hunter2'", "select  v, ?"),
            ("select v /* 'hunter2'", "select v "),
        ] {
            assert_eq!(sanitized(sql), shown);
        }
        let name = format!("`{}`", "n".repeat(5_000));
        for long in ["a ".repeat(5_000), name.repeat(3)] {
            assert!(sanitized(&long).len() < 2 * QUERY_TEXT);
        }
    }

    #[test]
    fn a_span_that_nobody_collects_does_not_exist() {
        assert!(span("put").is_disabled());
        assert!(sql_span("select 1").is_disabled());
    }
}
