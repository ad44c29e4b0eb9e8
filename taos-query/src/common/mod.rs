//! Types of values, columns and times.

mod borrowed;
mod decimal;
mod field;
pub mod itypes;
mod precision;
mod timestamp;
mod ty;
mod value;
mod value_text;

// Programs written for the 0.12 line import these from here.
pub use crate::block::views;
pub use crate::block::{CastError, ColumnView, RawBlock};
pub use crate::schemaless::{SchemalessPrecision, SchemalessProtocol, SmlData, SmlDataBuilder};
pub use crate::tmq::{
    AlterType, FieldMore, JsonMeta, MetaAlter, MetaCreate, MetaDelete, MetaDrop, MetaUnit,
    TagWithValue,
};
pub use crate::{RawData, RawMeta};
pub use borrowed::BorrowedValue;
pub use decimal::Decimal;
pub use field::Field;
pub use precision::Precision;
pub use timestamp::Timestamp;
pub use ty::Ty;
pub use value::Value;
