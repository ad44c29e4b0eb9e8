//! A row as text.

use std::ffi::{c_char, c_int, c_void};
use std::fmt::Write as _;

use taos_query::abi::TaosField;
use taos_query::common::Ty;

use crate::args::write_text;
use crate::error::remember;
use crate::guard::guard;
use crate::types::TaosRow;

/// Writes a row as text, its values between spaces and `NULL` for NULL, and gives the number of bytes. The text ends
/// with NUL. How much room there is cannot be told here, so `taos_print_row_with_size` is better.
///
/// # Safety
/// `row` is what `taos_fetch_row` gave last, with as many fields; `str` has room for the text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_print_row(
    str: *mut c_char,
    row: TaosRow,
    fields: *mut TaosField,
    num_fields: c_int,
) -> c_int {
    guard("taos_print_row", 0, || {
        // SAFETY: the same duty.
        unsafe { print(str, c_int::MAX, row, fields, num_fields) }
    })
}

/// As `taos_print_row`, cut to `size` bytes with the NUL.
///
/// # Safety
/// As `taos_print_row`; `str` has room for `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_print_row_with_size(
    str: *mut c_char,
    size: u32,
    row: TaosRow,
    fields: *mut TaosField,
    num_fields: c_int,
) -> c_int {
    guard("taos_print_row_with_size", 0, || {
        let size = c_int::try_from(size).unwrap_or(c_int::MAX);
        // SAFETY: the same duty.
        unsafe { print(str, size, row, fields, num_fields) }
    })
}

/// # Safety
/// As [`taos_print_row_with_size`].
unsafe fn print(
    str: *mut c_char,
    size: c_int,
    row: TaosRow,
    fields: *mut TaosField,
    count: c_int,
) -> c_int {
    let (Ok(count), Ok(room)) = (usize::try_from(count), usize::try_from(size)) else {
        return 0;
    };
    if str.is_null() || row.is_null() || fields.is_null() || room == 0 {
        remember(crate::args::invalid(
            "an argument of taos_print_row is NULL",
        ));
        return 0;
    }
    let mut text = String::new();
    for column in 0..count {
        if column > 0 {
            text.push(' ');
        }
        // SAFETY: there are as many values as fields.
        let (value, ty) = unsafe {
            let field = fields.add(column).read_unaligned();
            (row.add(column).read_unaligned(), field.r#type)
        };
        let ty = u8::try_from(ty).ok().and_then(Ty::from_u8_option);
        // SAFETY: a value that `taos_fetch_row` gave for a column of this type.
        unsafe { write_value(&mut text, value, ty.unwrap_or_default()) };
    }
    // SAFETY: the caller vouches for the room.
    unsafe { write_text(&text, str, size) };
    c_int::try_from(crate::args::cut(&text, room).len()).unwrap_or(c_int::MAX)
}

/// # Safety
/// The value is NULL or one of this type as `taos_fetch_row` gives it.
unsafe fn write_value(text: &mut String, value: *mut c_void, ty: Ty) {
    macro_rules! fixed {
        ($ty:ty, $form:literal) => {
            // SAFETY: a value of this width lies there.
            write!(text, $form, unsafe { value.cast::<$ty>().read_unaligned() })
        };
    }
    if value.is_null() {
        text.push_str("NULL");
        return;
    }
    // Writing into a String cannot fail.
    let _ = match ty {
        Ty::Bool => fixed!(u8, "{}"),
        Ty::TinyInt => fixed!(i8, "{}"),
        Ty::SmallInt => fixed!(i16, "{}"),
        Ty::Int => fixed!(i32, "{}"),
        Ty::BigInt | Ty::Timestamp => fixed!(i64, "{}"),
        Ty::UTinyInt => fixed!(u8, "{}"),
        Ty::USmallInt => fixed!(u16, "{}"),
        Ty::UInt => fixed!(u32, "{}"),
        Ty::UBigInt => fixed!(u64, "{}"),
        Ty::Float => fixed!(f32, "{:.6}"),
        Ty::Double => fixed!(f64, "{:.6}"),
        Ty::Decimal | Ty::Decimal64 => {
            // SAFETY: decimals are text that ends with NUL.
            let decimal = unsafe { std::ffi::CStr::from_ptr(value.cast()) };
            text.push_str(&decimal.to_string_lossy());
            Ok(())
        }
        Ty::VarChar | Ty::NChar | Ty::Json => {
            // SAFETY: text lies behind its length in two bytes.
            let bytes = unsafe { sized(value, 2) };
            text.push_str(&String::from_utf8_lossy(bytes));
            Ok(())
        }
        Ty::VarBinary | Ty::Geometry => {
            // SAFETY: these bytes lie behind their length in two bytes.
            write_hex(text, unsafe { sized(value, 2) })
        }
        Ty::Blob | Ty::MediumBlob => {
            // SAFETY: a BLOB lies behind its length in four bytes.
            write_hex(text, unsafe { sized(value, 4) })
        }
        _ => Ok(()),
    };
}

fn write_hex(text: &mut String, bytes: &[u8]) -> std::fmt::Result {
    text.push_str("\\x");
    bytes.iter().try_for_each(|byte| write!(text, "{byte:02X}"))
}

/// A value of variable width, whose length lies in so many bytes before it.
///
/// # Safety
/// `value` is such a value.
unsafe fn sized<'a>(value: *mut c_void, prefix: usize) -> &'a [u8] {
    let value = value.cast::<u8>().cast_const();
    // SAFETY: the length lies there, and as many bytes behind it.
    unsafe {
        let at = value.sub(prefix);
        let length = match prefix {
            4 => usize::try_from(at.cast::<u32>().read_unaligned()).unwrap_or_default(),
            _ => usize::from(at.cast::<u16>().read_unaligned()),
        };
        std::slice::from_raw_parts(value, length)
    }
}
