//! Types of values, columns and times.

mod field;
mod precision;
mod ty;

pub use field::Field;
pub use precision::Precision;
pub use ty::Ty;
