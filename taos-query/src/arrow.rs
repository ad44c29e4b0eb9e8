//! Blocks as Arrow record batches.
//!
//! | column | Arrow type | copies |
//! | --- | --- | --- |
//! | BOOL | `Boolean` | bytes to bits |
//! | TINYINT … BIGINT, unsigned too | `Int8` … `UInt64` | none if aligned, else one |
//! | FLOAT, DOUBLE | `Float32`, `Float64` | the same |
//! | TIMESTAMP | `Timestamp` of the database's unit, in the zone of the block, else `UTC` | the same |
//! | DECIMAL | `Decimal128` of the column's digits | none or one; one for those of 64 bits |
//! | VARCHAR, NCHAR, JSON | `Utf8` | one |
//! | VARBINARY, GEOMETRY, BLOB | `Binary`; a geometry is WKB | one |
//!
//! Every field may hold NULL. Its metadata has the name of the column's type at [`TYPE_KEY`], since
//! several of them share an Arrow type.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::builder::{BinaryBuilder, StringBuilder};
use arrow_array::types::{
    ArrowPrimitiveType, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{
    Array as _, ArrayRef, BooleanArray, PrimitiveArray, RecordBatch, RecordBatchOptions,
};
use arrow_buffer::{BooleanBuffer, Buffer, MutableBuffer, NullBuffer, ScalarBuffer};
use arrow_schema::{Field, Schema};
pub use {arrow_array, arrow_schema};

use crate::block::{BlockData, Column, RawBlock};
use crate::common::{Precision, Ty};
use crate::{ErrorKind, RawError, RawResult};

/// Key of a field's metadata that holds the name of the column's type, such as `NCHAR`.
pub const TYPE_KEY: &str = "taos.type";

/// Digits of a `Decimal128` whose column does not say how many it has.
const MOST_DIGITS: u8 = 38;

impl RawBlock {
    /// The block as a record batch. What becomes of each type stands in the [module](crate::arrow).
    ///
    /// # Errors
    /// For text that is not Unicode, and more than 2 GiB of text in a column; the column is named.
    pub fn to_record_batch(&self) -> RawResult<RecordBatch> {
        let zone: Arc<str> = self.timezone().map_or("UTC", |zone| zone.name()).into();
        let mut fields = Vec::with_capacity(self.ncols());
        let mut arrays = Vec::with_capacity(self.ncols());
        for (column, field) in self.data.columns.iter().zip(self.fields()) {
            let named = |error: RawError| error.context(format!("column `{}`", field.name()));
            let array = array(&self.data, column, &zone).map_err(named)?;
            let metadata = HashMap::from([(TYPE_KEY.to_owned(), column.ty.name().to_owned())]);
            let field = Field::new(field.name(), array.data_type().clone(), true);
            fields.push(field.with_metadata(metadata));
            arrays.push(array);
        }
        let rows = RecordBatchOptions::new().with_row_count(Some(self.nrows()));
        RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &rows)
            .map_err(decode)
    }
}

impl TryFrom<&RawBlock> for RecordBatch {
    type Error = RawError;

    fn try_from(block: &RawBlock) -> RawResult<Self> {
        block.to_record_batch()
    }
}

fn decode(error: impl std::error::Error + Send + Sync + 'static) -> RawError {
    RawError::of(ErrorKind::Decode, error.to_string()).with_source(error)
}

/// A column of a checked block.
fn array(block: &BlockData, column: &Column, zone: &Arc<str>) -> RawResult<ArrayRef> {
    match column.ty {
        Ty::Bool => Ok(bools(block, column)),
        Ty::TinyInt => numbers::<Int8Type>(block, column),
        Ty::SmallInt => numbers::<Int16Type>(block, column),
        Ty::Int => numbers::<Int32Type>(block, column),
        Ty::BigInt => numbers::<Int64Type>(block, column),
        Ty::UTinyInt => numbers::<UInt8Type>(block, column),
        Ty::USmallInt => numbers::<UInt16Type>(block, column),
        Ty::UInt => numbers::<UInt32Type>(block, column),
        Ty::UBigInt => numbers::<UInt64Type>(block, column),
        Ty::Float => numbers::<Float32Type>(block, column),
        Ty::Double => numbers::<Float64Type>(block, column),
        Ty::Timestamp => times(block, column, zone),
        Ty::Decimal => {
            let wide = primitive::<Decimal128Type>(block, column)?;
            decimals(column, wide)
        }
        Ty::Decimal64 => {
            let narrow = primitive::<Int64Type>(block, column)?;
            decimals(column, narrow.unary(i128::from))
        }
        Ty::VarChar | Ty::NChar | Ty::Json => texts(block, column),
        Ty::VarBinary | Ty::Geometry | Ty::Blob | Ty::MediumBlob => bytes(block, column),
        // A checked block has no such column.
        Ty::Null => Err(RawError::unsupported("a column of type NULL", "Arrow")),
    }
}

/// The validity of a fixed-width column: here 1 is NULL and the first row the highest bit, there 1 is
/// valid and the first row the lowest.
fn validity(block: &BlockData, column: &Column) -> Option<NullBuffer> {
    let bitmap = block.bytes.get(column.head..column.data)?;
    if bitmap.iter().all(|byte| *byte == 0) {
        return None;
    }
    let valid: Vec<u8> = bitmap.iter().map(|byte| !byte.reverse_bits()).collect();
    let bits = BooleanBuffer::new(valid.into(), 0, block.rows);
    Some(NullBuffer::new(bits))
}

fn bools(block: &BlockData, column: &Column) -> ArrayRef {
    let set = BooleanBuffer::collect_bool(block.rows, |row| block.fixed(column, row) != [0_u8]);
    Arc::new(BooleanArray::new(set, validity(block, column)))
}

/// The values of a fixed-width column, shared if they lie where their type may, else copied once.
fn values<T: ArrowPrimitiveType>(block: &BlockData, column: &Column) -> ScalarBuffer<T::Native> {
    let range = column.data..column.data + column.data_len;
    let slots = block.bytes.slice(range);
    let aligned = slots.as_ptr().align_offset(align_of::<T::Native>()) == 0;
    let buffer = if aligned {
        Buffer::from(slots)
    } else {
        let mut copy = MutableBuffer::new(slots.len());
        copy.extend_from_slice(&slots);
        copy.into()
    };
    ScalarBuffer::new(buffer, 0, block.rows)
}

#[cfg(target_endian = "big")]
compile_error!("the feature `arrow` of taos-query shares little-endian bytes with Arrow");

fn primitive<T: ArrowPrimitiveType>(
    block: &BlockData,
    column: &Column,
) -> RawResult<PrimitiveArray<T>> {
    let values = values::<T>(block, column);
    PrimitiveArray::try_new(values, validity(block, column)).map_err(decode)
}

fn numbers<T: ArrowPrimitiveType>(block: &BlockData, column: &Column) -> RawResult<ArrayRef> {
    Ok(Arc::new(primitive::<T>(block, column)?))
}

fn times(block: &BlockData, column: &Column, zone: &Arc<str>) -> RawResult<ArrayRef> {
    let zone = Some(Arc::clone(zone));
    Ok(match block.precision {
        Precision::Millisecond => {
            let times = primitive::<TimestampMillisecondType>(block, column)?;
            Arc::new(times.with_timezone_opt(zone))
        }
        Precision::Microsecond => {
            let times = primitive::<TimestampMicrosecondType>(block, column)?;
            Arc::new(times.with_timezone_opt(zone))
        }
        Precision::Nanosecond => {
            let times = primitive::<TimestampNanosecondType>(block, column)?;
            Arc::new(times.with_timezone_opt(zone))
        }
    })
}

fn decimals(column: &Column, values: PrimitiveArray<Decimal128Type>) -> RawResult<ArrayRef> {
    let digits = match column.precision {
        0 => MOST_DIGITS,
        digits => digits,
    };
    let scale = i8::try_from(column.scale).map_err(decode)?;
    let values = values
        .with_precision_and_scale(digits, scale)
        .map_err(decode)?;
    Ok(Arc::new(values))
}

fn texts(block: &BlockData, column: &Column) -> RawResult<ArrayRef> {
    let mut texts = StringBuilder::with_capacity(block.rows, column.data_len);
    let mut room = Room::new();
    for row in 0..block.rows {
        if block.is_null(column, row) {
            texts.append_null();
        } else if let Some(text) = block.text(column, row) {
            room.take(text.len())?;
            texts.append_value(text);
        } else {
            let text = (column.ty == Ty::NChar).then(|| block.nchar_text(column, row));
            let text = text.flatten().ok_or_else(|| not_text(row))?;
            room.take(text.len())?;
            texts.append_value(text);
        }
    }
    Ok(Arc::new(texts.finish()))
}

fn bytes(block: &BlockData, column: &Column) -> RawResult<ArrayRef> {
    let mut values = BinaryBuilder::with_capacity(block.rows, column.data_len);
    let mut room = Room::new();
    for row in 0..block.rows {
        match block.payload(column, row) {
            Some(value) => {
                room.take(value.len())?;
                values.append_value(value);
            }
            None => values.append_null(),
        }
    }
    Ok(Arc::new(values.finish()))
}

fn not_text(row: usize) -> RawError {
    RawError::of(
        ErrorKind::Decode,
        format!("the text in row {row} is not Unicode; select it as VARBINARY"),
    )
}

/// Bytes that the offsets of one array can still tell. Rows may share a cell, so there can be more
/// than the block has.
struct Room(usize);

impl Room {
    fn new() -> Self {
        Self(usize::try_from(i32::MAX).unwrap_or(usize::MAX))
    }

    fn take(&mut self, bytes: usize) -> RawResult<()> {
        self.0 = self.0.checked_sub(bytes).ok_or_else(|| {
            RawError::of(
                ErrorKind::Decode,
                "an Arrow array holds at most 2 GiB of text or bytes",
            )
        })?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
