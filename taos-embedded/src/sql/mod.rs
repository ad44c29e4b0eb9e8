//! Text to syntax tree: the lexer and the parser of the dialect.

pub(crate) mod ast;
mod error;
mod lexer;
mod parser;
mod text;

pub use error::SqlError;
pub(crate) use error::{clip, code};
pub(crate) use text::unquote;

/// The longest statement in bytes (DIALECT §1).
pub(crate) const MAX_STATEMENT: usize = 1_048_576;

/// Reads the first statement of a text; whatever follows its `;` is not looked at.
///
/// # Errors
/// Syntax errors with the server's codes: 0x2600 (cannot be read), 0x2601 (ends too early),
/// 0x0216 (inside INSERT), 0x0219 (longer than [`MAX_STATEMENT`]).
pub(crate) fn parse(sql: &str) -> Result<ast::Statement, SqlError> {
    if sql.len() > MAX_STATEMENT {
        return Err(SqlError::new(
            code::TOO_LONG,
            format!(
                "SQL statement too long: {} bytes, at most {MAX_STATEMENT} are allowed",
                sql.len()
            ),
        ));
    }
    parser::Parser::new(sql).statement()
}
