//! What `describe` and `show databases` give, as structs.

mod database;
mod describe;
mod names;

pub use database::{DatabaseProperties, ShowDatabase};
pub use describe::{ColumnMeta, CompressOptions, Describe, Described};
pub use names::quote_name;
pub(crate) use names::quote_table;
