use bytes::{BufMut as _, BytesMut};

use crate::block::ColumnView;
use crate::common::Value;
use crate::error::RawResult;

/// Appends a value's bytes as a bind has them, none for NULL: numbers little-endian, all text as UTF-8
/// (taosadapter-ws §9.3).
pub fn value_bytes(out: &mut BytesMut, value: &Value) {
    match value {
        Value::Null(_) => {}
        Value::Bool(v) => out.put_u8((*v).into()),
        Value::TinyInt(v) => out.put_i8(*v),
        Value::SmallInt(v) => out.put_i16_le(*v),
        Value::Int(v) => out.put_i32_le(*v),
        Value::BigInt(v) => out.put_i64_le(*v),
        Value::UTinyInt(v) => out.put_u8(*v),
        Value::USmallInt(v) => out.put_u16_le(*v),
        Value::UInt(v) => out.put_u32_le(*v),
        Value::UBigInt(v) => out.put_u64_le(*v),
        Value::Float(v) => out.put_f32_le(*v),
        Value::Double(v) => out.put_f64_le(*v),
        Value::Timestamp(v) => out.put_i64_le(v.as_raw_i64()),
        Value::VarChar(v) | Value::NChar(v) => out.put_slice(v.as_bytes()),
        Value::Json(v) => out.put_slice(v.to_string().as_bytes()),
        Value::VarBinary(v) | Value::Blob(v) | Value::MediumBlob(v) | Value::Geometry(v) => {
            out.put_slice(v);
        }
        Value::Decimal(v) => out.put_i128_le(v.unscaled()),
        Value::Decimal64(v) => out.put_i64_le(i64::try_from(v.unscaled()).unwrap_or_default()),
    }
}

/// Writes UTF-32LE as UTF-8 into the start of `out` and gives its length, which is never more than the
/// payload's. `None` if it is not UTF-32, or there is no room.
pub fn utf32_to_utf8(out: &mut [u8], payload: &[u8]) -> Option<usize> {
    let (chars, rest) = payload.as_chunks::<4>();
    if !rest.is_empty() {
        return None;
    }
    // Text is often ASCII, and a loop without branches is several times faster.
    let room = out.get_mut(..chars.len())?;
    let mut bits = 0;
    for (byte, unit) in room.iter_mut().zip(chars) {
        bits |= u32::from_le_bytes(*unit);
        *byte = unit[0];
    }
    if bits <= 0x7F {
        return Some(chars.len());
    }
    let mut used = 0;
    for unit in chars {
        match *unit {
            [ascii @ 0..=0x7F, 0, 0, 0] => {
                *out.get_mut(used)? = ascii;
                used += 1;
            }
            unit => {
                let c = char::from_u32(u32::from_le_bytes(unit))?;
                let room = out.get_mut(used..used + c.len_utf8())?;
                used += c.encode_utf8(room).len();
            }
        }
    }
    Some(used)
}

/// A column of one row.
///
/// # Errors
/// A value that no column holds.
pub fn tag_column(value: &Value) -> RawResult<ColumnView> {
    match value {
        Value::Null(ty) => Ok(ColumnView::null(1, *ty)),
        value => {
            let value = value.to_borrowed_value();
            ColumnView::try_from_values(value.ty(), [&value])
        }
    }
}
