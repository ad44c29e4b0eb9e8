//! Prepared statements.
//!
//! What is bound is checked and kept here, as `taos_query::stmt::logic` has it for all backends; the execution
//! gives it to the library, in one piece of work on a thread that may block.
//!
//! - `encode`: bound data in the forms of the C interface;
//! - `remote`: one statement of the library, by either of its two interfaces;
//! - `core`: the steps;
//! - [`Stmt`], [`Stmt2`]: the two APIs.

mod core;
pub(crate) mod encode;
mod first;
mod remote;
mod second;

pub use first::Stmt;
pub use second::Stmt2;
pub use taos_query::stmt::{BindType, Stmt2BindParam, Stmt2Field, StmtField, StmtParam};
