//! Prepared statements.

mod first;
mod second;

pub use first::Stmt;
pub use second::Stmt2;

use taos_query::RawError;

fn unsupported() -> RawError {
    RawError::unsupported("preparing statements", "native")
}
