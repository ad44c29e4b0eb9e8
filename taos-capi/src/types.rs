//! The names that the handles have in C. To a program all of them are addresses of nothing that it knows.

use std::ffi::c_void;

/// A connection.
pub type Taos = c_void;
/// The result of a statement, or a message of a topic.
pub type TaosRes = c_void;
/// A prepared statement of the first generation.
pub type TaosStmt = c_void;
/// A prepared statement of the second generation.
pub type TaosStmt2 = c_void;
/// A row, or the columns of a block: one address a column.
pub type TaosRow = *mut *mut c_void;
/// A consumer of topics.
pub type Tmq = c_void;
/// The configuration of a consumer.
pub type TmqConf = c_void;
/// A list of topics.
pub type TmqList = c_void;
