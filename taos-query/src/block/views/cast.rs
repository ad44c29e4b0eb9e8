//! Columns of one type as columns of another.

use std::borrow::Cow;

use super::build::finish;
use super::{CastError, ColSchema, ColumnBuilder, ColumnView};
use crate::common::{BorrowedValue, Decimal, Precision, Timestamp, Ty};

impl ColumnView {
    /// The column as another type: numbers where they fit (fractions are cut), anything to text,
    /// text to what it spells; NULL stays NULL.
    ///
    /// # Errors
    /// A value does not fit into `ty`; the first one is named.
    pub fn cast(&self, ty: Ty) -> Result<Self, CastError> {
        if ty == self.as_ty() {
            return Ok(self.clone());
        }
        self.cast_into(self.builder(ty), |_| true)
    }

    /// As [`cast`](Self::cast), with the width and the digits of another column: decimals are brought
    /// to its scale.
    ///
    /// # Errors
    /// As that, and for a decimal with more digits than the schema has.
    pub fn cast_with_schema(&self, schema: &ColSchema) -> Result<Self, CastError> {
        if !schema.ty.is_decimal() {
            return self.cast(schema.ty);
        }
        let (precision, scale) = schema.decimal_digits();
        if self.as_ty() == schema.ty && self.decimal_digits() == (precision, scale) {
            return Ok(self.clone());
        }
        let most = 10_i128.checked_pow(precision.into());
        let fits = |value: &BorrowedValue<'_>| match value {
            BorrowedValue::Decimal(v) | BorrowedValue::Decimal64(v) => {
                let unscaled = v.rescale(scale).map(i128::unsigned_abs);
                most.is_none_or(|most| unscaled.is_some_and(|v| v < most.unsigned_abs()))
            }
            _ => true,
        };
        self.cast_into(ColumnBuilder::new(schema.ty, 0, precision, scale), fits)
    }

    /// As [`cast`](Self::cast) to `ty`, whose digits, if it is a decimal, stand in a SQL type such as
    /// `DECIMAL(20,4)`.
    ///
    /// # Errors
    /// As that, and for a text that says no digits.
    pub fn cast_origin_type(&self, ty: Ty, origin: &str) -> Result<Self, CastError> {
        if !ty.is_decimal() {
            return self.cast(ty);
        }
        let digits = origin.split_once('(').and_then(|(_, rest)| {
            let (precision, scale) = rest.split_once(')')?.0.split_once(',')?;
            Some((precision.trim().parse().ok()?, scale.trim().parse().ok()?))
        });
        match digits {
            Some((precision, scale)) => {
                self.cast_with_schema(&ColSchema::decimal(ty, precision, scale))
            }
            None => Err(CastError {
                value: format!("the type {origin}"),
                row: 0,
                from: self.as_ty(),
                to: ty,
            }),
        }
    }

    /// The values in the form of a builder without cells, if they `fit`.
    fn cast_into(
        &self,
        mut builder: ColumnBuilder,
        fits: impl Fn(&BorrowedValue<'_>) -> bool,
    ) -> Result<Self, CastError> {
        let ty = builder.ty();
        let fail = |row: usize, value: &BorrowedValue<'_>| CastError {
            value: format!("{value}"),
            row,
            from: self.as_ty(),
            to: ty,
        };
        let precision = self.data().precision();
        for (row, value) in self.iter().enumerate() {
            let cast = convert(&value, ty, precision)
                .filter(&fits)
                .ok_or_else(|| fail(row, &value))?;
            builder.push_value(&cast).map_err(|_| fail(row, &value))?;
        }
        finish(builder, precision).map_err(|error| CastError {
            value: error.to_string(),
            row: 0,
            from: self.as_ty(),
            to: ty,
        })
    }

    /// The same timestamps in another unit; other columns stay as they are.
    #[must_use]
    pub fn cast_precision(&self, precision: Precision) -> Self {
        let Self::Timestamp(view) = self else {
            return self.clone();
        };
        if view.precision() == precision {
            return self.clone();
        }
        let ticks: Vec<Option<i64>> = view
            .iter()
            .map(|time| time.map(|t| t.cast_precision(precision).as_raw_i64()))
            .collect();
        match precision {
            Precision::Millisecond => Self::from_millis_timestamp(ticks),
            Precision::Microsecond => Self::from_micros_timestamp(ticks),
            Precision::Nanosecond => Self::from_nanos_timestamp(ticks),
        }
    }
}

/// A number in its exact form.
enum Number {
    Integer(i128),
    Float(f64),
    Decimal(Decimal),
}

fn number(value: &BorrowedValue<'_>) -> Option<Number> {
    Some(match value {
        BorrowedValue::Bool(v) => Number::Integer((*v).into()),
        BorrowedValue::TinyInt(v) => Number::Integer((*v).into()),
        BorrowedValue::SmallInt(v) => Number::Integer((*v).into()),
        BorrowedValue::Int(v) => Number::Integer((*v).into()),
        BorrowedValue::BigInt(v) => Number::Integer((*v).into()),
        BorrowedValue::UTinyInt(v) => Number::Integer((*v).into()),
        BorrowedValue::USmallInt(v) => Number::Integer((*v).into()),
        BorrowedValue::UInt(v) => Number::Integer((*v).into()),
        BorrowedValue::UBigInt(v) => Number::Integer((*v).into()),
        BorrowedValue::Timestamp(v) => Number::Integer(v.as_raw_i64().into()),
        BorrowedValue::Float(v) => Number::Float((*v).into()),
        BorrowedValue::Double(v) => Number::Float(*v),
        BorrowedValue::Decimal(v) | BorrowedValue::Decimal64(v) => Number::Decimal(*v),
        BorrowedValue::VarChar(v) | BorrowedValue::NChar(v) => {
            let text = v.trim();
            match (text.parse::<i128>(), text) {
                (Ok(integer), _) => Number::Integer(integer),
                (_, "true") => Number::Integer(1),
                (_, "false") => Number::Integer(0),
                _ => Number::Float(text.parse().ok()?),
            }
        }
        _ => return None,
    })
}

impl Number {
    fn integer(&self) -> Option<i128> {
        match self {
            Self::Integer(v) => Some(*v),
            #[allow(
                clippy::cast_possible_truncation,
                reason = "the range is checked and the fraction is to be cut"
            )]
            Self::Float(v) if v.is_finite() && v.abs() < 1e38 => Some(*v as i128),
            Self::Float(_) => None,
            Self::Decimal(v) => Some(v.unscaled() / 10_i128.checked_pow(v.scale().into())?),
        }
    }

    fn float(&self) -> f64 {
        match self {
            #[allow(clippy::cast_precision_loss, reason = "rounding is what DOUBLE means")]
            Self::Integer(v) => *v as f64,
            Self::Float(v) => *v,
            Self::Decimal(v) => v.to_f64(),
        }
    }

    fn decimal(&self) -> Option<Decimal> {
        match self {
            Self::Integer(v) => Some(Decimal::new(*v, 38, 0)),
            Self::Float(v) => format!("{v}").parse().ok(),
            Self::Decimal(v) => Some(*v),
        }
    }
}

fn convert<'a>(
    value: &'a BorrowedValue<'a>,
    ty: Ty,
    precision: Precision,
) -> Option<BorrowedValue<'a>> {
    use BorrowedValue as V;
    if value.is_null() {
        return Some(V::Null(ty));
    }
    Some(match ty {
        Ty::Bool => V::Bool(match number(value)? {
            Number::Integer(v) => v != 0,
            Number::Float(v) => v != 0.0,
            Number::Decimal(v) => v.unscaled() != 0,
        }),
        Ty::TinyInt => V::TinyInt(number(value)?.integer()?.try_into().ok()?),
        Ty::SmallInt => V::SmallInt(number(value)?.integer()?.try_into().ok()?),
        Ty::Int => V::Int(number(value)?.integer()?.try_into().ok()?),
        Ty::BigInt => V::BigInt(number(value)?.integer()?.try_into().ok()?),
        Ty::UTinyInt => V::UTinyInt(number(value)?.integer()?.try_into().ok()?),
        Ty::USmallInt => V::USmallInt(number(value)?.integer()?.try_into().ok()?),
        Ty::UInt => V::UInt(number(value)?.integer()?.try_into().ok()?),
        Ty::UBigInt => V::UBigInt(number(value)?.integer()?.try_into().ok()?),
        Ty::Timestamp => V::Timestamp(Timestamp::new(
            number(value)?.integer()?.try_into().ok()?,
            precision,
        )),
        Ty::Float | Ty::Double => V::Double(number(value)?.float()),
        Ty::Decimal => V::Decimal(number(value)?.decimal()?),
        Ty::Decimal64 => V::Decimal64(number(value)?.decimal()?),
        Ty::VarChar => V::VarChar(Cow::Owned(value.to_string().ok()?)),
        Ty::NChar => V::NChar(Cow::Owned(value.to_string().ok()?)),
        Ty::Json => V::Json(Cow::Owned(value.to_json_value().to_string().into_bytes())),
        Ty::VarBinary => V::VarBinary(bytes(value)?),
        Ty::Geometry => V::Geometry(bytes(value)?),
        Ty::Blob => V::Blob(bytes(value)?),
        Ty::MediumBlob => V::MediumBlob(bytes(value)?),
        Ty::Null => return None,
    })
}

fn bytes<'a>(value: &'a BorrowedValue<'a>) -> Option<Cow<'a, [u8]>> {
    match value {
        BorrowedValue::VarChar(v) | BorrowedValue::NChar(v) => Some(Cow::Borrowed(v.as_bytes())),
        BorrowedValue::Json(v)
        | BorrowedValue::VarBinary(v)
        | BorrowedValue::Geometry(v)
        | BorrowedValue::Blob(v)
        | BorrowedValue::MediumBlob(v) => Some(Cow::Borrowed(v)),
        _ => None,
    }
}
