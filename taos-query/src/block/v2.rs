//! Blocks of servers before 3.0: cells in slots of one width, a NULL is a value of its own.

use bytes::Bytes;

use super::parse::array;
use super::{ColumnBuilder, ColumnView, RawBlock};
use crate::common::{Field, Precision, Ty};
use crate::{ErrorKind, RawError, RawResult};

impl RawBlock {
    /// A block in the layout of servers before 3.0, turned into one of today.
    ///
    /// The columns stand one after another, each as `rows` slots of its entry in `lengths`. A text
    /// begins with its length in two bytes; NCHAR and JSON are UTF-8. NULL is the smallest signed
    /// integer, the largest unsigned one, 2 for BOOL, the bits `0x7FF00000` for FLOAT and
    /// `0x7FFFFF0000000000` for DOUBLE, the byte `FF` for VARCHAR and four of them for NCHAR and JSON.
    ///
    /// # Errors
    /// Fields and lengths of different number, a type that those servers did not have, and bytes that
    /// end too early.
    pub fn parse_from_raw_block_v2(
        bytes: impl Into<Bytes>,
        fields: &[Field],
        lengths: &[u32],
        rows: usize,
        precision: Precision,
    ) -> RawResult<Self> {
        let bytes: Bytes = bytes.into();
        if fields.len() != lengths.len() {
            return Err(malformed(format!(
                "{} fields have {} lengths",
                fields.len(),
                lengths.len()
            )));
        }
        let mut rest: &[u8] = &bytes;
        let mut views = Vec::with_capacity(fields.len());
        for (field, length) in fields.iter().zip(lengths) {
            let of_column = |error: RawError| error.context(format!("column `{}`", field.name()));
            let width = slot_width(field.ty(), *length).map_err(of_column)?;
            let (slots, behind) = width
                .checked_mul(rows)
                .and_then(|size| rest.split_at_checked(size))
                .ok_or_else(|| malformed(format!("{} bytes are too few", rest.len())))
                .map_err(of_column)?;
            rest = behind;
            views.push(column(field, slots, width, precision).map_err(of_column)?);
        }
        let mut block = Self::try_from_views(&views, precision)?;
        block.with_fields(fields.into())?;
        Ok(block)
    }
}

fn malformed(message: String) -> RawError {
    RawError::of(
        ErrorKind::Protocol,
        format!("malformed block of a server before 3.0: {message}"),
    )
}

fn slot_width(ty: Ty, length: u32) -> RawResult<usize> {
    let text = matches!(ty, Ty::VarChar | Ty::NChar | Ty::Json);
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    let fixed = !text && length > 0 && ty.fixed_length() == length && !ty.is_decimal();
    if fixed || (text && length >= 2) {
        return Ok(length);
    }
    Err(malformed(format!(
        "{ty} cannot have slots of {length} bytes"
    )))
}

fn column(
    field: &Field,
    slots: &[u8],
    width: usize,
    precision: Precision,
) -> RawResult<ColumnView> {
    let mut builder = ColumnBuilder::new(field.ty(), field.bytes(), 0, 0);
    for slot in slots.chunks_exact(width) {
        push(&mut builder, field.ty(), slot)?;
    }
    ColumnView::of_cells(&mut builder, precision)
}

/// A number unless it is the one that stands for NULL.
macro_rules! number {
    ($builder:ident.$push:ident, $slot:ident as $ty:ty, null $null:expr) => {{
        let value = <$ty>::from_le_bytes(array($slot, 0));
        if value == $null {
            $builder.push_null();
        } else {
            $builder.$push(value.into())?;
        }
    }};
}

fn push(builder: &mut ColumnBuilder, ty: Ty, slot: &[u8]) -> RawResult<()> {
    match ty {
        Ty::Bool => match slot.first() {
            Some(2) => builder.push_null(),
            value => builder.push_bool(value.is_some_and(|value| *value != 0))?,
        },
        Ty::TinyInt => number!(builder.push_i64, slot as i8, null i8::MIN),
        Ty::SmallInt => number!(builder.push_i64, slot as i16, null i16::MIN),
        Ty::Int => number!(builder.push_i64, slot as i32, null i32::MIN),
        Ty::BigInt | Ty::Timestamp => number!(builder.push_i64, slot as i64, null i64::MIN),
        Ty::UTinyInt => number!(builder.push_u64, slot as u8, null u8::MAX),
        Ty::USmallInt => number!(builder.push_u64, slot as u16, null u16::MAX),
        Ty::UInt => number!(builder.push_u64, slot as u32, null u32::MAX),
        Ty::UBigInt => number!(builder.push_u64, slot as u64, null u64::MAX),
        Ty::Float => match u32::from_le_bytes(array(slot, 0)) {
            0x7FF0_0000 => builder.push_null(),
            bits => builder.push_f32(f32::from_bits(bits))?,
        },
        Ty::Double => match u64::from_le_bytes(array(slot, 0)) {
            0x7FFF_FF00_0000_0000 => builder.push_null(),
            bits => builder.push_f64(f64::from_bits(bits))?,
        },
        _ => text(builder, ty, slot)?,
    }
    Ok(())
}

fn text(builder: &mut ColumnBuilder, ty: Ty, slot: &[u8]) -> RawResult<()> {
    let length = usize::from(u16::from_le_bytes(array(slot, 0)));
    let payload = slot
        .get(2..2 + length)
        .ok_or_else(|| malformed(format!("a text of {length} bytes is longer than its slot")))?;
    match (ty, payload) {
        (Ty::VarChar, [0xFF]) | (Ty::NChar | Ty::Json, [0xFF, 0xFF, 0xFF, 0xFF]) => {
            builder.push_null();
            Ok(())
        }
        (Ty::NChar, payload) => {
            let text = std::str::from_utf8(payload)
                .map_err(|error| malformed("NCHAR is not UTF-8".to_owned()).with_source(error))?;
            builder.push_str(text)
        }
        (_, payload) => builder.push_bytes(payload),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::Value;

    /// Slots of fixed width, all little-endian.
    fn slots<const N: usize>(values: &[[u8; N]]) -> Vec<u8> {
        values.concat()
    }

    fn texts(width: usize, values: &[&[u8]]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for value in values {
            let at = bytes.len();
            bytes.extend(u16::try_from(value.len()).unwrap().to_le_bytes());
            bytes.extend_from_slice(value);
            bytes.resize(at + width, 0);
        }
        bytes
    }

    /// Each column with a value in its first row and a NULL in its second.
    fn sample() -> (Vec<u8>, Vec<Field>, Vec<u32>) {
        let columns: Vec<(Ty, u32, Vec<u8>)> = vec![
            (
                Ty::Timestamp,
                8,
                slots(&[7_i64, i64::MIN].map(i64::to_le_bytes)),
            ),
            (Ty::Bool, 1, vec![1, 2]),
            (
                Ty::TinyInt,
                1,
                slots(&[-1_i8, i8::MIN].map(i8::to_le_bytes)),
            ),
            (
                Ty::SmallInt,
                2,
                slots(&[-2_i16, i16::MIN].map(i16::to_le_bytes)),
            ),
            (Ty::Int, 4, slots(&[-3_i32, i32::MIN].map(i32::to_le_bytes))),
            (
                Ty::BigInt,
                8,
                slots(&[-4_i64, i64::MIN].map(i64::to_le_bytes)),
            ),
            (Ty::UTinyInt, 1, vec![1, u8::MAX]),
            (
                Ty::USmallInt,
                2,
                slots(&[2_u16, u16::MAX].map(u16::to_le_bytes)),
            ),
            (Ty::UInt, 4, slots(&[3_u32, u32::MAX].map(u32::to_le_bytes))),
            (
                Ty::UBigInt,
                8,
                slots(&[4_u64, u64::MAX].map(u64::to_le_bytes)),
            ),
            (
                Ty::Float,
                4,
                slots(&[1.5_f32.to_bits(), 0x7FF0_0000].map(u32::to_le_bytes)),
            ),
            (
                Ty::Double,
                8,
                slots(&[2.5_f64.to_bits(), 0x7FFF_FF00_0000_0000].map(u64::to_le_bytes)),
            ),
            (Ty::VarChar, 12, texts(12, &[b"abc", &[0xFF]])),
            (
                Ty::NChar,
                12,
                texts(12, &["\u{6587}".as_bytes(), &[0xFF; 4]]),
            ),
            (Ty::Json, 12, texts(12, &[b"{}", &[0xFF; 4]])),
        ];
        let fields = columns
            .iter()
            .map(|(ty, width, _)| Field::new(ty.name(), *ty, *width));
        let (fields, lengths) = (
            fields.collect(),
            columns.iter().map(|column| column.1).collect(),
        );
        let bytes = columns.into_iter().flat_map(|column| column.2).collect();
        (bytes, fields, lengths)
    }

    #[test]
    fn every_type_and_its_null_are_read() {
        let (bytes, fields, lengths) = sample();
        let precision = Precision::Microsecond;
        let block =
            RawBlock::parse_from_raw_block_v2(bytes, &fields, &lengths, 2, precision).unwrap();
        let [first, second] = <[Vec<Value>; 2]>::try_from(block.to_values()).unwrap();
        let read: Vec<String> = first
            .iter()
            .skip(1)
            .map(|v| v.to_string().unwrap())
            .collect();
        let expected = [
            "true", "-1", "-2", "-3", "-4", "1", "2", "3", "4", "1.5", "2.5", "abc", "\u{6587}",
            "{}",
        ];
        assert_eq!(read, expected);
        assert!(matches!(first[0], Value::Timestamp(t) if t.as_raw_i64() == 7));
        assert!(second.iter().all(Value::is_null));
        assert!(block.field_names().eq(fields.iter().map(Field::name)));
    }

    #[test]
    fn bytes_that_end_early_or_lie_are_an_error() {
        let (bytes, fields, lengths) = sample();
        let parse = |bytes: &[u8], lengths: &[u32]| {
            let bytes = bytes.to_vec();
            RawBlock::parse_from_raw_block_v2(bytes, &fields, lengths, 2, Precision::Millisecond)
        };
        for end in 0..bytes.len() {
            assert!(parse(&bytes[..end], &lengths).is_err(), "{end} bytes");
        }
        let mut longer = lengths.clone();
        longer[3] = 4;
        let error = parse(&bytes, &longer).unwrap_err();
        assert!(error.to_string().contains("SMALLINT"), "{error}");
        assert!(parse(&bytes, &lengths[1..]).is_err());
    }
}
