//! Text to syntax tree: the lexer and the parser of the dialect.

pub mod ast;
mod error;

pub use error::{SqlError, code};

/// The longest statement in bytes (DIALECT §1).
pub const MAX_STATEMENT: usize = 1_048_576;

/// Reads the first statement of a text; whatever follows its `;` is not looked at.
///
/// # Errors
/// Syntax errors with the server's codes: 0x2600 (cannot be read), 0x2601 (ends too early),
/// 0x0216 (inside INSERT), 0x0219 (longer than [`MAX_STATEMENT`]).
pub fn parse(sql: &str) -> Result<ast::Statement, SqlError> {
    Err(SqlError::syntax(sql))
}

/// The contents of a quoted text, escapes resolved (DIALECT §1); borrowed when there is nothing
/// to resolve. `quoted` comes with its quotes, as [`ast::InsertValueKind::Text`] spans do.
pub fn unquote(quoted: &str) -> std::borrow::Cow<'_, str> {
    std::borrow::Cow::Borrowed(quoted)
}
