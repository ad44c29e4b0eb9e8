//! Rows of a result into blocks (questdb §13.3).

use std::mem;
use std::sync::Arc;

use taos_query::RawBlock;
use taos_query::common::{Field, Precision, Ty};

use super::super::{ColumnType, MAX_COLUMNS, MAX_NAME_LEN, Reader, flags};
use super::block::BlockOut;
use super::dictionary::Dictionary;
use super::fixed::{Nulls, Times, booleans, copy, decimals, factor, times};
use super::frame::Batch;
use super::inflate::Inflater;
use super::{array, limit, text};
use crate::error::{Error, Result, error};
use crate::types::{Kind, precision_of};

/// The columns of a result, which only its first batch tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Schema {
    types: Box<[ColumnType]>,
    fields: Arc<[Field]>,
    precision: Precision,
}

impl Schema {
    /// The columns as fields of the SDK.
    pub(crate) const fn fields(&self) -> &Arc<[Field]> {
        &self.fields
    }

    /// The unit of all times.
    pub(crate) const fn precision(&self) -> Precision {
        self.precision
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self> {
        let count = reader.count(MAX_COLUMNS, "number of columns")?;
        let mut types = Vec::with_capacity(count.min(reader.remaining()));
        let mut fields = Vec::with_capacity(count.min(reader.remaining()));
        let mut kinds = Vec::new();
        for index in 0..count {
            let name = reader.string(MAX_NAME_LEN, "name of a column")?;
            let code = reader.u8("type of a column")?;
            let ty = ColumnType::from_code(code).ok_or_else(|| {
                error!(
                    ProtocolError,
                    "column {index} `{name}` has the unknown type {code:#04x}; cast it in the statement"
                )
            })?;
            let kind = kind_of(ty);
            types.push(ty);
            fields.push(kind.field(name));
            kinds.push(kind);
        }
        Ok(Self {
            types: types.into(),
            fields: fields.into(),
            precision: precision_of(kinds),
        })
    }
}

const fn kind_of(ty: ColumnType) -> Kind {
    match ty {
        ColumnType::Boolean => Kind::Bool,
        ColumnType::Byte => Kind::Byte,
        ColumnType::Short => Kind::Short,
        ColumnType::Int => Kind::Int,
        ColumnType::Long => Kind::Long,
        ColumnType::Float => Kind::Float,
        ColumnType::Double => Kind::Double,
        ColumnType::Date => Kind::Date,
        ColumnType::Timestamp => Kind::Micros,
        ColumnType::TimestampNanos => Kind::Nanos,
        // The scale comes with the values.
        ColumnType::Decimal64 => Kind::Decimal {
            precision: 18,
            scale: 0,
        },
        ColumnType::Decimal128 => Kind::Decimal {
            precision: 38,
            scale: 0,
        },
        ColumnType::Decimal256 => Kind::WideDecimal,
        ColumnType::DoubleArray | ColumnType::LongArray => Kind::Array,
        ColumnType::Binary => Kind::Binary,
        ColumnType::Symbol
        | ColumnType::Varchar
        | ColumnType::Uuid
        | ColumnType::Long256
        | ColumnType::Geohash
        | ColumnType::Char
        | ColumnType::Ipv4 => Kind::Text,
    }
}

/// What a connection keeps from one batch to the next.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    dictionary: Dictionary,
    inflater: Inflater,
    scratch: Vec<u8>,
}

impl Decoder {
    /// The server forgets what it has sent; bits other than the first mean nothing yet.
    pub(crate) fn reset(&mut self, mask: u8) {
        if mask & 1 == 1 {
            self.dictionary.clear();
        }
    }

    /// The rows of a batch. The first one of a result sets `schema`.
    ///
    /// # Errors
    /// Code [`ProtocolError`](crate::ErrorCode::ProtocolError) if the message cannot be trusted any
    /// more, and then neither can the connection. After any other code it can.
    pub(crate) fn batch(
        &mut self,
        batch: &Batch<'_>,
        schema: &mut Option<Arc<Schema>>,
    ) -> Result<RawBlock> {
        self.with_body(batch, |this, reader| this.rows(batch, reader, schema))
    }

    /// Passes over a batch that nobody wants, but for what later ones build upon.
    ///
    /// # Errors
    /// As [`batch`](Self::batch).
    pub(crate) fn skip(&mut self, batch: &Batch<'_>) -> Result<()> {
        if !batch.has(flags::DELTA_SYMBOL_DICT) {
            return Ok(());
        }
        self.with_body(batch, |this, reader| this.dictionary.extend(reader))
    }

    fn with_body<T>(
        &mut self,
        batch: &Batch<'_>,
        read: impl FnOnce(&mut Self, &mut Reader<'_>) -> Result<T>,
    ) -> Result<T> {
        if !batch.is_compressed() {
            return read(self, &mut Reader::new(batch.body));
        }
        let mut inflater = mem::take(&mut self.inflater);
        let result = inflater
            .inflate(batch.body)
            .and_then(|body| read(self, &mut Reader::new(body)));
        self.inflater = inflater;
        result
    }

    fn rows(
        &mut self,
        batch: &Batch<'_>,
        reader: &mut Reader<'_>,
        schema: &mut Option<Arc<Schema>>,
    ) -> Result<RawBlock> {
        if batch.has(flags::DELTA_SYMBOL_DICT) {
            self.dictionary.extend(reader)?;
        }
        reader.string(MAX_NAME_LEN, "name of the table")?;
        let rows = reader.count(limit::ROWS, "number of rows")?;
        let schema = match schema {
            Some(schema) if batch.seq > 0 => &*schema,
            None if batch.seq > 0 => {
                return Err(error!(
                    ProtocolError,
                    "batch {} comes before the first, which alone tells the columns", batch.seq
                ));
            }
            schema => &*schema.insert(Arc::new(Schema::read(reader)?)),
        };
        let fixed: usize = schema.fields.iter().map(|f| rows * cell_len(f)).sum();
        // A guess by the sender's claim alone could be made to ask for any memory.
        let expected = (fixed + reader.remaining()).min(8 * reader.remaining() + 4096);
        let mut out = BlockOut::new(rows, schema.types.len(), expected);
        for (ty, field) in schema.types.iter().zip(&*schema.fields) {
            self.column(&mut out, reader, *ty, schema.precision, batch)
                .map_err(|e| e.context(format_args!("column `{}` ({ty})", field.name())))?;
        }
        reader.finish("result")?;
        let mut block = out.finish(schema.precision)?;
        block
            .with_fields(Arc::clone(&schema.fields))
            .map_err(|e| error!(ProtocolError, "{e}"))?;
        Ok(block)
    }

    fn column(
        &mut self,
        out: &mut BlockOut,
        reader: &mut Reader<'_>,
        ty: ColumnType,
        precision: Precision,
        batch: &Batch<'_>,
    ) -> Result<()> {
        use ColumnType as T;
        match ty {
            T::Boolean => booleans(out, reader),
            T::Byte => plain::<1>(out, reader, Ty::TinyInt, |_| false),
            T::Short => plain::<2>(out, reader, Ty::SmallInt, |_| false),
            T::Int => plain(out, reader, Ty::Int, |v| i32::from_le_bytes(v) == i32::MIN),
            T::Long => plain(out, reader, Ty::BigInt, |v| {
                i64::from_le_bytes(v) == i64::MIN
            }),
            T::Float => plain(out, reader, Ty::Float, |v| f32::from_le_bytes(v).is_nan()),
            T::Double => plain(out, reader, Ty::Double, |v| f64::from_le_bytes(v).is_nan()),
            T::Timestamp | T::Date | T::TimestampNanos => {
                let own = kind_of(ty).precision().unwrap_or(precision);
                let how = Times {
                    encoded: batch.has(flags::GORILLA),
                    factor: factor(own, precision),
                };
                if times(out, reader, &mut self.scratch, how)? {
                    Ok(())
                } else {
                    Err(out_of_range(ty, precision))
                }
            }
            T::Decimal64 => decimals(out, reader, 18, |v| i64::from_le_bytes(v).into()),
            T::Decimal128 => decimals(out, reader, 38, i128::from_le_bytes),
            T::Decimal256 => text::wide_decimals(out, reader),
            T::Symbol => {
                let shared = batch.has(flags::DELTA_SYMBOL_DICT);
                text::symbols(out, reader, shared.then_some(&mut self.dictionary))
            }
            T::Varchar => text::strings(out, reader, Ty::VarChar),
            T::Binary => text::strings(out, reader, Ty::VarBinary),
            T::Uuid => text::uuids(out, reader),
            T::Long256 => text::long256s(out, reader),
            T::Geohash => text::geohashes(out, reader),
            T::Char => text::chars(out, reader),
            T::Ipv4 => text::ipv4(out, reader),
            T::DoubleArray => array::doubles(out, reader),
            T::LongArray => array::longs(out, reader),
        }
    }
}

/// Bytes that a cell takes at least.
const fn cell_len(field: &Field) -> usize {
    if field.ty().is_var_type() {
        4
    } else {
        field.ty().fixed_length()
    }
}

fn plain<const N: usize>(
    out: &mut BlockOut,
    reader: &mut Reader<'_>,
    ty: Ty,
    is_null: impl Fn([u8; N]) -> bool,
) -> Result<()> {
    let nulls = Nulls::read(reader, out.rows())?;
    let values = nulls.take::<N>(reader)?;
    copy(out, ty, nulls, values, is_null)
}

#[cold]
fn out_of_range(ty: ColumnType, precision: Precision) -> Error {
    let (finest, cast) = match precision {
        Precision::Nanosecond => ("TIMESTAMP_NS", "timestamp"),
        Precision::Microsecond | Precision::Millisecond => ("TIMESTAMP", "date"),
    };
    error!(
        LimitExceeded,
        "a time is too far away for the unit of the result, which a {finest} column sets: cast that \
         column with `::{cast}`, or this {ty} with `::varchar`"
    )
}
