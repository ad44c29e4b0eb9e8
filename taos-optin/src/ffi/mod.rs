//! The client library's symbols (native-ffi §2–§7, §9).

mod api;
mod types;

pub(crate) use api::{Api, Optional};
pub(crate) use types::{Taos, TaosRes, TaosStmt, TaosStmt2, Tmq, TmqConf, TmqList};
