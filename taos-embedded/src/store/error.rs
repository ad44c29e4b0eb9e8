use std::fmt;

use crate::sql::SqlError;

/// The code of what is wrong with the server or its disk, not with the statement.
pub(crate) const INTERNAL: u32 = 0xFFFF;

/// Characters of an error in the log: it may quote the whole statement.
const MOST_LOGGED: usize = 2_000;

/// An error that is no fault of the statement.
pub(crate) fn internal(what: impl fmt::Display) -> SqlError {
    SqlError::new(INTERNAL, format!("internal error: {what}"))
}

/// What is answered to work that comes too late, or that the stop ends.
pub(super) fn shutting_down() -> SqlError {
    SqlError::new(INTERNAL, "the server is shutting down")
}

/// What is answered to work that nobody wants any more.
pub(super) fn cancelled() -> SqlError {
    SqlError::new(INTERNAL, "the statement was cancelled")
}

/// What SQLite said; an error of one of the dialect's functions keeps its code, which it carries as
/// `[0x2802] text`.
#[allow(clippy::needless_pass_by_value, reason = "handed to map_err")]
pub(crate) fn sqlite_error(error: rusqlite::Error) -> SqlError {
    let text = match &error {
        rusqlite::Error::SqliteFailure(_, Some(text)) => text.clone(),
        rusqlite::Error::SqlInputError { msg, .. } => msg.clone(),
        rusqlite::Error::UserFunctionError(inner) => inner.to_string(),
        other => other.to_string(),
    };
    coded(&text).unwrap_or_else(|| {
        let code = error.sqlite_error_code();
        match code {
            Some(rusqlite::ErrorCode::DiskFull) => {
                SqlError::new(INTERNAL, format!("the disk is full: {text}"))
            }
            Some(rusqlite::ErrorCode::OutOfMemory) => SqlError::new(
                super::NO_MEMORY,
                "Query memory exhausted: the storage has taken all that --max-memory allows; run fewer \
                 statements at once, or allow more",
            ),
            Some(rusqlite::ErrorCode::OperationInterrupted) => cancelled(),
            _ if is_limit(&text) => {
                SqlError::unsupported(format!("a statement as large as this ({text})"))
            }
            _ => {
                let logged: String = error.to_string().chars().take(MOST_LOGGED).collect();
                tracing::error!(error = %logged, "a statement of the storage failed");
                internal(text)
            }
        }
    })
}

/// Whether SQLite refused a statement for its size: the statement's fault, not the server's.
fn is_limit(text: &str) -> bool {
    const LIMITS: [&str; 8] = [
        "Expression tree is too large",
        "too many ",
        "parser stack overflow",
        "string or blob too big",
        "at most 64 tables",
        "statement too long",
        "query string is larger",
        "integer overflow",
    ];
    LIMITS.iter().any(|limit| text.contains(limit))
}

fn coded(text: &str) -> Option<SqlError> {
    let (code, message) = text.strip_prefix("[0x")?.split_once("] ")?;
    let code = u32::from_str_radix(code, 16).ok()?;
    Some(SqlError::new(code, message))
}
