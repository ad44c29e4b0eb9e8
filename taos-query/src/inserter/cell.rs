//! One value of a record into one cell of a column.

use std::fmt::{self, Write as _};

use serde::de::IgnoredAny;
use serde::ser::{Impossible, Serialize, SerializeSeq, SerializeTuple, Serializer};

use super::plan::Column;
use super::refusal::{Refusal, refuse};
use super::time::Clock;
use crate::block::ColumnBuilder;
use crate::common::{Decimal, Timestamp, Ty};

const LONG: Column = Column::plain(Ty::BigInt);
const OCTET: Column = Column::plain(Ty::UTinyInt);

/// Memory that values pass through on their way, reused for every row.
#[derive(Debug)]
pub(super) struct Scratch {
    text: String,
    octets: ColumnBuilder,
    clock: Clock,
    /// Bytes of variable values since the counter was last taken.
    pub(super) bytes: usize,
}

impl Scratch {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            text: String::new(),
            octets: OCTET.builder(),
            clock,
            bytes: 0,
        }
    }
}

/// Writes `value` as one cell.
#[inline(always)]
pub(super) fn put<V: Serialize + ?Sized>(
    value: &V,
    builder: &mut ColumnBuilder,
    column: &Column,
    scratch: &mut Scratch,
) -> Result<(), Refusal> {
    let cell = Cell {
        builder,
        column,
        scratch,
    };
    match value.serialize(cell) {
        Err(Refusal::WantsJson) => put_json(value, builder),
        done => done,
    }
}

#[cold]
fn put_json<V: Serialize + ?Sized>(value: &V, builder: &mut ColumnBuilder) -> Result<(), Refusal> {
    let text = serde_json::to_string(value).map_err(Refusal::new)?;
    Ok(builder.push_str(&text)?)
}

struct Cell<'a> {
    builder: &'a mut ColumnBuilder,
    column: &'a Column,
    scratch: &'a mut Scratch,
}

impl Cell<'_> {
    #[cold]
    fn mismatch(&self, what: impl fmt::Display) -> Refusal {
        if self.column.ty.is_json() {
            return Refusal::WantsJson;
        }
        Refusal::new(format_args!(
            "{what} does not fit into type {}",
            self.column.ty
        ))
    }

    #[inline(never)]
    fn float(self, value: f32) -> Result<(), Refusal> {
        match self.column.ty {
            Ty::Float | Ty::Double => Ok(self.builder.push_f32(value)?),
            _ => Err(self.mismatch(format_args!("float {value}"))),
        }
    }

    #[inline(never)]
    fn double(self, value: f64) -> Result<(), Refusal> {
        match self.column.ty {
            Ty::Double => Ok(self.builder.push_f64(value)?),
            Ty::Float if value.abs() <= f64::from(f32::MAX) || !value.is_finite() => {
                Ok(self.builder.push_f64(value)?)
            }
            _ => Err(self.mismatch(format_args!("float {value}"))),
        }
    }

    #[inline(never)]
    fn integer(self, value: i64) -> Result<(), Refusal> {
        match self.column.ty {
            Ty::TinyInt
            | Ty::SmallInt
            | Ty::Int
            | Ty::BigInt
            | Ty::Timestamp
            | Ty::UTinyInt
            | Ty::USmallInt
            | Ty::UInt
            | Ty::UBigInt => Ok(self.builder.push_i64(value)?),
            _ => self.wide(value.into()),
        }
    }

    /// Integers that are large, or go into a column of something else.
    fn wide(self, value: i128) -> Result<(), Refusal> {
        match self.column.ty {
            Ty::Bool if matches!(value, 0 | 1) => Ok(self.builder.push_bool(value == 1)?),
            Ty::Float | Ty::Double => {
                // Only what the column can give back unchanged.
                let limit = if self.column.ty == Ty::Float { 24 } else { 53 };
                match i64::try_from(value) {
                    Ok(exact) if exact.unsigned_abs() <= 1 << limit => {
                        #[allow(clippy::cast_precision_loss, reason = "checked to be exact")]
                        let number = exact as f64;
                        Ok(self.builder.push_f64(number)?)
                    }
                    _ => Err(self.mismatch(format_args!("integer {value}"))),
                }
            }
            Ty::Decimal | Ty::Decimal64 => self.decimal(Decimal::new(value, 38, 0)),
            Ty::TinyInt
            | Ty::SmallInt
            | Ty::Int
            | Ty::BigInt
            | Ty::Timestamp
            | Ty::UTinyInt
            | Ty::USmallInt
            | Ty::UInt
            | Ty::UBigInt => Ok(self.builder.push_i128(value)?),
            _ => Err(self.mismatch(format_args!("integer {value}"))),
        }
    }

    fn decimal(self, value: Decimal) -> Result<(), Refusal> {
        let scale = self.column.scale();
        match value.rescale(scale) {
            Some(unscaled) if fits(unscaled, self.column.precision()) => {
                Ok(self.builder.push_i128(unscaled)?)
            }
            _ => Err(Refusal::new(format_args!(
                "{value} does not fit into DECIMAL({}, {scale})",
                self.column.precision()
            ))),
        }
    }

    fn text(self, text: &str) -> Result<(), Refusal> {
        match self.column.ty {
            Ty::VarChar | Ty::VarBinary => self.variable(text.as_bytes(), text.len()),
            Ty::NChar if text.len() <= self.column.width => {
                self.variable(text.as_bytes(), text.len())
            }
            Ty::NChar => self.variable(text.as_bytes(), text.chars().count()),
            Ty::Json => match serde_json::from_str::<IgnoredAny>(text) {
                Ok(_) => self.variable(text.as_bytes(), 0),
                Err(error) => Err(Refusal::new(format_args!("the text is not JSON: {error}"))),
            },
            Ty::Blob | Ty::MediumBlob => self.variable(text.as_bytes(), 0),
            Ty::Timestamp => {
                let ticks = self.scratch.clock.read(text)?;
                Ok(self.builder.push_i64(ticks)?)
            }
            Ty::Decimal | Ty::Decimal64 => {
                let value = text.parse()?;
                self.decimal(value)
            }
            _ => Err(self.mismatch("text")),
        }
    }

    fn octets(self, bytes: &[u8]) -> Result<(), Refusal> {
        match self.column.ty {
            Ty::VarBinary | Ty::Geometry | Ty::Blob | Ty::MediumBlob => {
                self.variable(bytes, bytes.len())
            }
            Ty::VarChar | Ty::NChar | Ty::Json => {
                let text = std::str::from_utf8(bytes).map_err(Refusal::new)?;
                self.text(text)
            }
            _ => Err(self.mismatch("a string of bytes")),
        }
    }

    #[inline]
    fn variable(self, bytes: &[u8], units: usize) -> Result<(), Refusal> {
        let width = self.column.width;
        if units > width && width > 0 {
            let unit = if self.column.ty == Ty::NChar {
                "characters"
            } else {
                "bytes"
            };
            return Err(Refusal::new(format_args!(
                "a value of {units} {unit} is too long for type {}({width})",
                self.column.ty
            )));
        }
        self.scratch.bytes += bytes.len();
        Ok(self.builder.push_bytes(bytes)?)
    }
}

fn fits(unscaled: i128, digits: u8) -> bool {
    10_u128
        .checked_pow(digits.into())
        .is_none_or(|limit| unscaled.unsigned_abs() < limit)
}

/// A value whose type is the column's own is the rule, and is kept apart from all the others.
macro_rules! numbers {
    ($($method:ident($ty:ty), $own:pat, $other:ident;)*) => {$(
        #[inline(always)]
        fn $method(self, value: $ty) -> Result<(), Refusal> {
            if matches!(self.column.ty, $own) {
                self.builder.put(&value.to_le_bytes());
                return Ok(());
            }
            self.$other(value.into())
        }
    )*};
}

impl<'a> Serializer for Cell<'a> {
    type Ok = ();
    type Error = Refusal;
    type SerializeSeq = Octets<'a>;
    type SerializeTuple = Octets<'a>;
    type SerializeTupleStruct = Impossible<(), Refusal>;
    type SerializeTupleVariant = Impossible<(), Refusal>;
    type SerializeMap = Impossible<(), Refusal>;
    type SerializeStruct = Impossible<(), Refusal>;
    type SerializeStructVariant = Impossible<(), Refusal>;

    numbers! {
        serialize_i8(i8), Ty::TinyInt, integer;
        serialize_i16(i16), Ty::SmallInt, integer;
        serialize_i32(i32), Ty::Int, integer;
        serialize_i64(i64), Ty::BigInt | Ty::Timestamp, integer;
        serialize_u8(u8), Ty::UTinyInt, integer;
        serialize_u16(u16), Ty::USmallInt, integer;
        serialize_u32(u32), Ty::UInt, integer;
        serialize_f32(f32), Ty::Float, float;
        serialize_f64(f64), Ty::Double, double;
    }

    fn serialize_u64(self, value: u64) -> Result<(), Refusal> {
        match i64::try_from(value) {
            Ok(value) => self.integer(value),
            Err(_) => self.wide(value.into()),
        }
    }

    fn serialize_i128(self, value: i128) -> Result<(), Refusal> {
        self.wide(value)
    }

    fn serialize_u128(self, value: u128) -> Result<(), Refusal> {
        match i128::try_from(value) {
            Ok(value) => self.wide(value),
            Err(_) => Err(self.mismatch(format_args!("integer {value}"))),
        }
    }

    #[inline]
    fn serialize_bool(self, value: bool) -> Result<(), Refusal> {
        match self.column.ty {
            Ty::Bool => Ok(self.builder.push_bool(value)?),
            _ => Err(self.mismatch("a boolean")),
        }
    }

    fn serialize_char(self, value: char) -> Result<(), Refusal> {
        self.text(value.encode_utf8(&mut [0; 4]))
    }

    #[inline]
    fn serialize_str(self, value: &str) -> Result<(), Refusal> {
        self.text(value)
    }

    /// chrono's times and decimals come this way; no text is allocated for them.
    fn collect_str<D: fmt::Display + ?Sized>(self, value: &D) -> Result<(), Refusal> {
        let mut text = std::mem::take(&mut self.scratch.text);
        text.clear();
        let written = write!(text, "{value}").map_err(Refusal::new);
        let Self {
            builder,
            column,
            scratch,
        } = self;
        let done = written.and_then(|()| {
            let scratch = &mut *scratch;
            Cell {
                builder,
                column,
                scratch,
            }
            .text(&text)
        });
        scratch.text = text;
        done
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), Refusal> {
        self.octets(value)
    }

    #[inline]
    fn serialize_none(self) -> Result<(), Refusal> {
        if self.column.key {
            return Err(Refusal::new("the time of a row cannot be NULL"));
        }
        self.builder.push_null();
        Ok(())
    }

    fn serialize_unit(self) -> Result<(), Refusal> {
        self.serialize_none()
    }

    #[inline]
    fn serialize_some<V: Serialize + ?Sized>(self, value: &V) -> Result<(), Refusal> {
        value.serialize(self)
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), Refusal> {
        self.text(variant)
    }

    #[inline]
    fn serialize_newtype_struct<V: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &V,
    ) -> Result<(), Refusal> {
        value.serialize(self)
    }

    /// Of enums with data, those of this crate are known: a time with its unit, and a value.
    fn serialize_newtype_variant<V: Serialize + ?Sized>(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        value: &V,
    ) -> Result<(), Refusal> {
        let time = match (name, variant) {
            ("Value", "Null") => return self.serialize_none(),
            ("Value", _) => return put(value, self.builder, self.column, self.scratch),
            ("Timestamp", "Milliseconds") => Timestamp::Milliseconds,
            ("Timestamp", "Microseconds") => Timestamp::Microseconds,
            ("Timestamp", "Nanoseconds") => Timestamp::Nanoseconds,
            _ => return Err(self.mismatch(format_args!("the enum {name}::{variant} with data"))),
        };
        if self.column.ty != Ty::Timestamp {
            return Err(self.mismatch("a time"));
        }
        let mut ticks = LONG.builder();
        put(value, &mut ticks, &LONG, self.scratch)?;
        let raw = ticks.values().first_chunk().copied().unwrap_or_default();
        let raw = self.scratch.clock.cast(time(i64::from_le_bytes(raw)))?;
        Ok(self.builder.push_i64(raw)?)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Octets<'a>, Refusal> {
        match self.column.ty {
            Ty::VarBinary | Ty::Geometry | Ty::Blob | Ty::MediumBlob => {
                self.scratch.octets.clear();
                Ok(Octets(self))
            }
            _ => Err(self.mismatch("a sequence")),
        }
    }

    fn serialize_tuple(self, len: usize) -> Result<Octets<'a>, Refusal> {
        self.serialize_seq(Some(len))
    }

    refuse! { this => this.mismatch("a struct without fields");
        serialize_unit_struct(&'static str);
    }

    fn serialize_tuple_struct(
        self,
        name: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleStruct, Refusal> {
        Err(self.mismatch(format_args!("the struct {name}")))
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Refusal> {
        Err(self.mismatch(format_args!("the enum {name}::{variant} with data")))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, Refusal> {
        Err(self.mismatch("a map"))
    }

    fn serialize_struct(
        self,
        name: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStruct, Refusal> {
        Err(self.mismatch(format_args!("the struct {name}")))
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Refusal> {
        Err(self.mismatch(format_args!("the enum {name}::{variant} with data")))
    }
}

/// A sequence of bytes, as `Vec<u8>` serializes.
struct Octets<'a>(Cell<'a>);

impl SerializeSeq for Octets<'_> {
    type Ok = ();
    type Error = Refusal;

    fn serialize_element<V: Serialize + ?Sized>(&mut self, value: &V) -> Result<(), Refusal> {
        let scratch = &mut *self.0.scratch;
        let mut octets = std::mem::replace(&mut scratch.octets, OCTET.builder());
        let done = put(value, &mut octets, &OCTET, scratch);
        scratch.octets = octets;
        done
    }

    fn end(self) -> Result<(), Refusal> {
        let octets = std::mem::replace(&mut self.0.scratch.octets, OCTET.builder());
        let Cell {
            builder,
            column,
            scratch,
        } = self.0;
        let done = Cell {
            builder,
            column,
            scratch: &mut *scratch,
        }
        .octets(octets.values());
        scratch.octets = octets;
        done
    }
}

impl SerializeTuple for Octets<'_> {
    type Ok = ();
    type Error = Refusal;

    fn serialize_element<V: Serialize + ?Sized>(&mut self, value: &V) -> Result<(), Refusal> {
        SerializeSeq::serialize_element(self, value)
    }

    fn end(self) -> Result<(), Refusal> {
        SerializeSeq::end(self)
    }
}
