//! Prepared statements.
//!
//! One core serves both generations of the API. What is bound is checked against what the server
//! said about the placeholders and kept here; the execution sends it. So a connection that
//! breaks between two calls costs nothing but another preparing, and only the execution itself can
//! have an outcome that nobody knows.
//!
//! What needs no server is in `taos_query::stmt::logic`, which all backends share.
//!
//! - `remote`: one statement on the server, and the messages of both protocols;
//! - `json`: columns given as JSON;
//! - `core`: the steps, their limits and their repetition;
//! - [`Stmt`], [`Stmt2`]: the two APIs.

mod core;
mod first;
mod json;
mod remote;
mod second;
mod shape;

pub use first::Stmt;
pub use second::Stmt2;
pub use shape::{StmtUseResult, WsFieldsable};
pub use taos_query::stmt::{BindType, Stmt2BindParam, Stmt2Field, StmtField, StmtParam};

use self::core::Core;
