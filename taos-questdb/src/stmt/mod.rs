//! Prepared statements and schemaless writes. The bound columns of an INSERT become rows of a buffer;
//! queries have parameters over QWP only.
//!
//! - `sql` reads the INSERT, `table` what the server says about the columns;
//! - `rows` and `value` write bound columns into a buffer, without I/O;
//! - `core` is what both generations of statements share.

mod array;
mod core;
mod exact;
mod first;
mod put;
mod query;
mod rows;
mod second;
mod sql;
mod table;
#[cfg(test)]
mod tests;
mod value;

use taos_query::{AsyncStatements, RawResult};

pub use self::first::Stmt;
pub use self::second::Stmt2;
pub(crate) use self::sql::table_name;
use crate::Taos;

impl AsyncStatements for Taos {
    type Stmt = Stmt;
    type Stmt2 = Stmt2;

    async fn sibling(&self) -> RawResult<Self> {
        self.another().await
    }
}
