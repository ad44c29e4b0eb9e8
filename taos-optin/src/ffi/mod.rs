//! The client library's symbols (native-ffi §2–§7, §9).

mod api;
mod find;
mod library;
#[cfg(test)]
pub(crate) mod stub;
#[cfg(test)]
mod tests;
mod types;

pub(crate) use api::Api;
pub(crate) use library::{Library, front_hint};
pub(crate) use types::{Taos, TaosRes, TaosStmt, TaosStmt2, Tmq, TmqConf, TmqList};
