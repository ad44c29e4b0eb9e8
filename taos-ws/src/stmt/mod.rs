//! Prepared statements.
//!
//! One core serves both generations of the API. What is bound is checked against what the server
//! said about the placeholders and kept here; the execution sends it. So a connection that
//! breaks between two calls costs nothing but another preparing, and only the execution itself can
//! have an outcome that nobody knows.
//!
//! - `outline`: what the SQL says about its placeholders;
//! - `layout`: what the server says about them, and whether data fits;
//! - `remote`: one statement on the server, and the messages of both protocols;
//! - `statement`: a statement's text and what is known about it;
//! - `json`: columns given as JSON;
//! - `core`: the steps, their limits and their repetition;
//! - [`Stmt`], [`Stmt2`]: the two APIs.

mod core;
mod first;
mod json;
mod layout;
mod outline;
mod remote;
mod second;
mod shape;
mod statement;

pub use first::Stmt;
pub use second::Stmt2;
pub use shape::{StmtUseResult, WsFieldsable};
pub use taos_query::stmt::{BindType, Stmt2BindParam, Stmt2Field, StmtField, StmtParam};

use self::core::Core;
use taos_query::block::ColumnView;
use taos_query::common::Value;
use taos_query::{Code, ErrorKind, RawError};

/// The data of one table.
#[derive(Debug, Clone, Default)]
struct Bound {
    name: Option<String>,
    tags: Vec<Value>,
    columns: Vec<ColumnView>,
    /// The [`Core`]'s count of changes when this was checked, 0 before.
    fitted: u64,
}

/// A call that comes too early or too late.
fn out_of_order(message: &'static str) -> RawError {
    RawError::of(ErrorKind::Config, message).with_code(Code::new(0x022A))
}
