//! Parameters of statements (questdb §13.5).

use taos_query::common::{Precision, Ty, Value};

use super::super::{ColumnType, put_varint};
use crate::error::{Error, Result, error};

/// The value of `$1`, `$2` ...
#[derive(Debug, Clone, PartialEq)]
#[allow(
    dead_code,
    reason = "servers take more types than the values of the SDK have"
)]
pub(crate) enum Bind {
    /// NULL of a type without a scale or precision.
    Null(ColumnType),
    Bool(bool),
    Byte(i8),
    Short(i16),
    Int(i32),
    Long(i64),
    Float(f32),
    Double(f64),
    /// A unit of UTF-16.
    Char(u16),
    Varchar(String),
    /// Microseconds.
    Timestamp(i64),
    /// Milliseconds.
    Date(i64),
    TimestampNanos(i64),
    /// In the order in which it is written as text.
    Uuid([u8; 16]),
    /// Least significant first.
    Long256([u64; 4]),
    Geohash {
        bits: Option<u64>,
        precision: u8,
    },
    Decimal64 {
        unscaled: Option<i64>,
        scale: u8,
    },
    Decimal128 {
        unscaled: Option<i128>,
        scale: u8,
    },
    /// Two's complement, least significant byte first.
    Decimal256 {
        unscaled: Option<[u8; 32]>,
        scale: u8,
    },
}

impl Bind {
    const fn ty(&self) -> ColumnType {
        match self {
            Self::Null(ty) => *ty,
            Self::Bool(_) => ColumnType::Boolean,
            Self::Byte(_) => ColumnType::Byte,
            Self::Short(_) => ColumnType::Short,
            Self::Int(_) => ColumnType::Int,
            Self::Long(_) => ColumnType::Long,
            Self::Float(_) => ColumnType::Float,
            Self::Double(_) => ColumnType::Double,
            Self::Char(_) => ColumnType::Char,
            Self::Varchar(_) => ColumnType::Varchar,
            Self::Timestamp(_) => ColumnType::Timestamp,
            Self::Date(_) => ColumnType::Date,
            Self::TimestampNanos(_) => ColumnType::TimestampNanos,
            Self::Uuid(_) => ColumnType::Uuid,
            Self::Long256(_) => ColumnType::Long256,
            Self::Geohash { .. } => ColumnType::Geohash,
            Self::Decimal64 { .. } => ColumnType::Decimal64,
            Self::Decimal128 { .. } => ColumnType::Decimal128,
            Self::Decimal256 { .. } => ColumnType::Decimal256,
        }
    }

    const fn is_null(&self) -> bool {
        matches!(
            self,
            Self::Null(_)
                | Self::Geohash { bits: None, .. }
                | Self::Decimal64 { unscaled: None, .. }
                | Self::Decimal128 { unscaled: None, .. }
                | Self::Decimal256 { unscaled: None, .. }
        )
    }

    /// Appends the type and a column of one row.
    pub(super) fn put(&self, out: &mut Vec<u8>) -> Result<()> {
        out.push(self.ty().code());
        out.extend_from_slice(if self.is_null() { &[1, 1] } else { &[0] });
        match self {
            Self::Null(ty) => match ty {
                ColumnType::Symbol
                | ColumnType::Binary
                | ColumnType::Ipv4
                | ColumnType::DoubleArray
                | ColumnType::LongArray => return Err(refused(ty.name())),
                // Theirs hold a scale or precision beside the value.
                ColumnType::Geohash
                | ColumnType::Decimal64
                | ColumnType::Decimal128
                | ColumnType::Decimal256 => {
                    return Err(error!(
                        InvalidBind,
                        "a NULL of type {ty} needs its precision or scale"
                    ));
                }
                _ => {}
            },
            Self::Bool(value) => out.push(u8::from(*value)),
            Self::Byte(value) => out.extend_from_slice(&value.to_le_bytes()),
            Self::Short(value) => out.extend_from_slice(&value.to_le_bytes()),
            Self::Int(value) => out.extend_from_slice(&value.to_le_bytes()),
            Self::Long(value)
            | Self::Timestamp(value)
            | Self::Date(value)
            | Self::TimestampNanos(value) => out.extend_from_slice(&value.to_le_bytes()),
            Self::Float(value) => out.extend_from_slice(&value.to_le_bytes()),
            Self::Double(value) => out.extend_from_slice(&value.to_le_bytes()),
            Self::Char(value) => out.extend_from_slice(&value.to_le_bytes()),
            Self::Varchar(text) => {
                let len = u32::try_from(text.len())
                    .map_err(|_| error!(InvalidBind, "a text of 4 GiB or more"))?;
                out.extend_from_slice(&0_u32.to_le_bytes());
                out.extend_from_slice(&len.to_le_bytes());
                out.extend_from_slice(text.as_bytes());
            }
            Self::Uuid(bytes) => out.extend(bytes.iter().rev()),
            Self::Long256(words) => out.extend(words.iter().flat_map(|word| word.to_le_bytes())),
            Self::Geohash { bits, precision } => put_geohash(out, *bits, *precision)?,
            Self::Decimal64 { unscaled, scale } => {
                put_scale(out, *scale, 18)?;
                out.extend(unscaled.iter().flat_map(|v| v.to_le_bytes()));
            }
            Self::Decimal128 { unscaled, scale } => {
                put_scale(out, *scale, 38)?;
                out.extend(unscaled.iter().flat_map(|v| v.to_le_bytes()));
            }
            Self::Decimal256 { unscaled, scale } => {
                put_scale(out, *scale, 76)?;
                out.extend(unscaled.iter().flatten());
            }
        }
        Ok(())
    }

    /// The parameter for a value of the common traits.
    ///
    /// # Errors
    /// Servers take no parameter of this type, or the value is outside of the type that stands for it.
    pub(crate) fn from_value(value: &Value) -> Result<Self> {
        let too_far = |value: &dyn std::fmt::Display| {
            error!(
                InvalidBind,
                "{value} is beyond a LONG; pass it as text and cast it in the statement"
            )
        };
        Ok(match value {
            Value::Null(ty) => Self::null_of(*ty)?,
            Value::Bool(v) => Self::Bool(*v),
            Value::TinyInt(v) => Self::Byte(*v),
            Value::SmallInt(v) => Self::Short(*v),
            Value::Int(v) => Self::Int(*v),
            Value::BigInt(v) => Self::Long(*v),
            Value::UTinyInt(v) => Self::Short((*v).into()),
            Value::USmallInt(v) => Self::Int((*v).into()),
            Value::UInt(v) => Self::Long((*v).into()),
            Value::UBigInt(v) => Self::Long(i64::try_from(*v).map_err(|_| too_far(v))?),
            Value::Float(v) => Self::Float(*v),
            Value::Double(v) => Self::Double(*v),
            Value::Timestamp(v) => {
                let ticks = v.as_raw_i64();
                match v.precision() {
                    Precision::Millisecond => Self::Timestamp(
                        ticks
                            .checked_mul(1000)
                            .ok_or_else(|| error!(InvalidBind, "{ticks} ms are too far away"))?,
                    ),
                    Precision::Microsecond => Self::Timestamp(ticks),
                    Precision::Nanosecond => Self::TimestampNanos(ticks),
                }
            }
            Value::VarChar(v) | Value::NChar(v) => Self::Varchar(v.clone()),
            Value::Decimal(v) | Value::Decimal64(v) => Self::Decimal128 {
                unscaled: Some(v.unscaled()),
                scale: v.scale(),
            },
            other => return Err(refused(other.ty().name())),
        })
    }

    fn null_of(ty: Ty) -> Result<Self> {
        Ok(Self::Null(match ty {
            Ty::Bool => ColumnType::Boolean,
            Ty::TinyInt => ColumnType::Byte,
            Ty::SmallInt | Ty::UTinyInt => ColumnType::Short,
            Ty::Int | Ty::USmallInt => ColumnType::Int,
            Ty::BigInt | Ty::UInt | Ty::UBigInt => ColumnType::Long,
            Ty::Float => ColumnType::Float,
            Ty::Double => ColumnType::Double,
            Ty::Timestamp => ColumnType::Timestamp,
            Ty::Null | Ty::VarChar | Ty::NChar => ColumnType::Varchar,
            Ty::Decimal | Ty::Decimal64 => {
                return Ok(Self::Decimal128 {
                    unscaled: None,
                    scale: 0,
                });
            }
            ty => return Err(refused(ty.name())),
        }))
    }
}

fn refused(ty: &str) -> Error {
    error!(
        InvalidBind,
        "servers take no parameters of type {ty}; write the value into the statement, or pass it as \
         text and cast it there"
    )
}

fn put_scale(out: &mut Vec<u8>, scale: u8, most: u8) -> Result<()> {
    if scale > most {
        return Err(error!(
            InvalidBind,
            "a decimal of scale {scale}; its width allows {most}"
        ));
    }
    out.push(scale);
    Ok(())
}

fn put_geohash(out: &mut Vec<u8>, bits: Option<u64>, precision: u8) -> Result<()> {
    if !(1..=60).contains(&precision) {
        return Err(error!(
            InvalidBind,
            "a geohash of {precision} bits; 1 to 60 are possible"
        ));
    }
    put_varint(out, precision.into());
    if let Some(bits) = bits {
        if bits >> precision != 0 {
            return Err(error!(
                InvalidBind,
                "{bits:#b} has more than the {precision} bits of its geohash"
            ));
        }
        let bytes = bits.to_le_bytes();
        out.extend(bytes.iter().take(usize::from(precision.div_ceil(8))));
    }
    Ok(())
}
