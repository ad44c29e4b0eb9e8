//! Values that QWP carries in the type of their column, where lines have a wider one.

use std::net::Ipv4Addr;

use taos_query::common::{BorrowedValue, Precision};

use super::table::Type;
use super::value::{Refusal, Result, integer, mismatch, refuse, ticks, told};
use crate::ingress::{Buffer, ColumnName};

/// Writes the value if its column has such a type; false if it goes as over lines.
pub(super) fn column(
    buffer: &mut Buffer,
    name: ColumnName<'_>,
    ty: &Type,
    value: &BorrowedValue<'_>,
) -> Result<bool> {
    let outside = |number: i64| Refusal::from(format!("{number} does not fit"));
    match ty {
        Type::Integer(-128, _) => {
            let number = integer(value)?;
            let number = i8::try_from(number).map_err(|_| outside(number))?;
            told(buffer.column_i8(name, number))?;
        }
        Type::Integer(-32768, _) => {
            let number = integer(value)?;
            let number = i16::try_from(number).map_err(|_| outside(number))?;
            told(buffer.column_i16(name, number))?;
        }
        Type::Integer(least, _) if *least > i64::MIN => {
            let number = integer(value)?;
            let number = i32::try_from(number).map_err(|_| outside(number))?;
            told(buffer.column_i32(name, number))?;
        }
        Type::Float => match value {
            BorrowedValue::Float(v) => told(buffer.column_f32(name, *v))?,
            #[allow(
                clippy::cast_possible_truncation,
                reason = "the column has no more digits, and takes no DOUBLE beside its FLOATs"
            )]
            BorrowedValue::Double(v) => told(buffer.column_f32(name, *v as f32))?,
            _ => return Ok(false),
        },
        Type::Char => {
            let mut units = text(value)?.encode_utf16();
            match (units.next(), units.next()) {
                (Some(unit), None) => told(buffer.column_char(name, unit))?,
                _ => return refuse("a CHAR is one character of UTF-16"),
            }
        }
        Type::Date => told(buffer.column_date(name, ticks(value, Precision::Millisecond)?))?,
        Type::Uuid => {
            let (lo, hi) = uuid(text(value)?).ok_or("this is no UUID")?;
            told(buffer.column_uuid(name, lo, hi))?;
        }
        Type::Ipv4 => {
            let address: Ipv4Addr = text(value)?
                .parse()
                .map_err(|_| "this is no IPv4 address")?;
            told(buffer.column_ipv4(name, address))?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn text<'v>(value: &'v BorrowedValue<'_>) -> Result<&'v str> {
    match value.as_str() {
        Some(text) => Ok(text),
        None => mismatch(value),
    }
}

/// Lower and upper half.
fn uuid(text: &str) -> Option<(u64, u64)> {
    let groups: Vec<&str> = text.split('-').collect();
    let lengths = [8, 4, 4, 4, 12];
    let shaped = groups.len() == lengths.len()
        && groups
            .iter()
            .zip(lengths)
            .all(|(group, length)| group.len() == length);
    let digits: String = groups.concat();
    if !shaped || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let (hi, lo) = digits.split_at_checked(16)?;
    Some((
        u64::from_str_radix(lo, 16).ok()?,
        u64::from_str_radix(hi, 16).ok()?,
    ))
}

#[cfg(test)]
mod tests {
    use super::uuid;

    #[test]
    fn a_uuid_is_read_into_its_halves() {
        let halves = uuid("99aabbcc-ddee-ff00-1122-334455667788");
        assert_eq!(halves, Some((0x1122_3344_5566_7788, 0x99aa_bbcc_ddee_ff00)));
        for text in [
            "",
            "99aabbccddeeff001122334455667788",
            "99aabbcc-ddee-ff00-1122-33445566778g",
        ] {
            assert_eq!(uuid(text), None, "{text}");
        }
    }
}
