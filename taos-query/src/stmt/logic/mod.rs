//! What backends share of prepared statements: everything that neither sends nor waits, and the order
//! of the steps. Not part of the public interface.
//!
//! What is bound is checked against what the peer, a server or a client library, said about the placeholders,
//! and kept; the execution sends it.
//!
//! - `outline`: what the SQL says about its placeholders;
//! - `layout`: what the peer says about them, and whether data fits;
//! - `statement`: a statement's text and what is known about it;
//! - `draft`: a statement with what is bound to it;
//! - `batch`: how the first generation collects that;
//! - `learn`: preparing, and asking for the placeholders;
//! - `outcome`: what executions gave;
//! - `rounds`: which rows go together;
//! - `values`: bytes of values.

mod batch;
mod draft;
mod layout;
mod learn;
mod outcome;
mod outline;
mod rounds;
mod statement;
mod values;

pub use batch::{Batch, field_list, param_at, tables_of};
pub use draft::Draft;
pub use layout::{Dialect, Layout, Peer, Target};
pub use learn::{Remote, table_field};
pub use outcome::Outcome;
pub use outline::Outline;
pub use rounds::{Rounds, most_rounds, rounds, slice};
pub use statement::{Known, Prepared, Statement};
pub use values::{tag_column, utf32_to_utf8, value_bytes};

use crate::block::ColumnView;
use crate::common::Value;
use crate::error::{Code, ErrorKind, RawError};

/// The two interfaces of statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Generation {
    /// Table, tags and columns in calls of their own.
    First,
    /// Any number of tables in one call.
    Second,
}

/// The data of one table.
#[derive(Debug, Clone, Default)]
pub struct Bound {
    /// The table's name, where the statement has a `?` for it.
    pub name: Option<String>,
    /// One value a tag.
    pub tags: Vec<Value>,
    /// One view a column, all of the same length.
    pub columns: Vec<ColumnView>,
    /// The [`Draft`]'s count of changes when this was checked, 0 before.
    pub fitted: u64,
}

/// A call that comes too early or too late.
#[must_use]
pub fn out_of_order(message: &'static str) -> RawError {
    RawError::of(ErrorKind::Config, message).with_code(Code::new(0x022A))
}
