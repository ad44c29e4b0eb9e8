//! What `describe`, `show databases` and `show topics` give, as structs.

mod database;
mod describe;
mod names;
mod topic;

pub use database::{DatabaseProperties, ShowDatabase};
pub use describe::{ColumnMeta, CompressOptions, Describe, Described};
pub use names::{quote_name, quote_table, split_table};
pub use topic::Topic;
