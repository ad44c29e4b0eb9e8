//! The client library's symbols (native-ffi §2–§7, §9).

mod api;
mod find;
mod library;
#[cfg(test)]
pub(crate) mod stub;
#[cfg(test)]
mod tests;
mod types;

#[allow(unused_imports, reason = "one place to take them from")]
pub(crate) use api::{Api, Callback, CommitCallback, Optional};
pub(crate) use library::{Library, front_hint};
#[allow(unused_imports, reason = "one place to take them from")]
pub(crate) use types::{Taos, TaosRes, TaosStmt, TaosStmt2, Tmq, TmqConf, TmqList};
