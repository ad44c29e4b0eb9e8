//! Prepared statements: the traits that backends implement and the data that they bind.
//!
//! The first generation binds table, tags and columns one call after another; the second binds any
//! number of tables in one call. Blocking twins are one adapter over the async traits.

mod bind;
mod field;
#[doc(hidden)]
pub mod logic;
mod param;
mod statements;
mod sync;

pub use bind::{AsyncBindable, Stmt2AsyncBindable};
pub use field::{BindType, Stmt2Field, StmtField, StmtParam};
pub use param::Stmt2BindParam;
pub use statements::{AsyncStatements, Statements};
pub use sync::{Bindable, Stmt2Bindable};
