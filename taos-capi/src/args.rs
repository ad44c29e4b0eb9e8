//! What programs pass in, checked.

use std::ffi::{CStr, c_char, c_int};

use taos_query::abi::NAME_LEN;
use taos_query::util::generate_req_id;

use crate::error::{Failure, INVALID_PARA};

/// An error about an argument.
pub(crate) fn invalid(what: &str) -> Failure {
    Failure::new(INVALID_PARA, what)
}

/// A text that must be there.
///
/// # Safety
/// NULL, or the address of a NUL-terminated text that stays unchanged for as long as what is returned is used.
pub(crate) unsafe fn text<'a>(address: *const c_char) -> Result<&'a str, Failure> {
    if address.is_null() {
        return Err(invalid("an argument that must be text is NULL"));
    }
    // SAFETY: the caller vouches for a text that ends with NUL.
    let text = unsafe { CStr::from_ptr(address) };
    text.to_str()
        .map_err(|_| invalid("an argument is not UTF-8, the only character set of this library"))
}

/// A text that may be missing: NULL and the empty text say so.
///
/// # Safety
/// As [`text`].
pub(crate) unsafe fn optional_text<'a>(address: *const c_char) -> Result<Option<&'a str>, Failure> {
    if address.is_null() {
        return Ok(None);
    }
    // SAFETY: the same duty.
    let text = unsafe { text(address) }?;
    Ok((!text.is_empty()).then_some(text))
}

/// Cuts a text so that it fits into `room` bytes with a NUL behind it, between two characters.
pub(crate) fn cut(text: &str, room: usize) -> &str {
    let mut end = text.len().min(room.saturating_sub(1));
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// A name as the structs of the interface hold it; one that is too long is cut.
pub(crate) fn copy_name(name: &str) -> [c_char; NAME_LEN] {
    let mut held = [0; NAME_LEN];
    for (place, byte) in held.iter_mut().zip(cut(name, NAME_LEN).bytes()) {
        *place = byte.cast_signed();
    }
    held
}

/// Writes text into a buffer of the program's, cut to fit, with a NUL behind it.
///
/// # Safety
/// The buffer is NULL or has `room` bytes that nobody else uses.
pub(crate) unsafe fn write_text(text: &str, buffer: *mut c_char, room: c_int) {
    let room = usize::try_from(room).unwrap_or_default();
    if buffer.is_null() || room == 0 {
        return;
    }
    let text = cut(text, room);
    // SAFETY: the buffer has `room` bytes, and the text with its NUL is not longer.
    unsafe {
        buffer
            .cast::<u8>()
            .copy_from_nonoverlapping(text.as_ptr(), text.len());
        buffer.add(text.len()).write(0);
    }
}

/// A request id of the program's, bit for bit; 0 stands for none, and one is made.
pub(crate) fn request_id(id: i64) -> u64 {
    match id {
        0 => generate_req_id(),
        id => id.cast_unsigned(),
    }
}

/// A text of known length without the NUL that programs count behind it, too. One in the middle would cut off what
/// comes after it: the error is its place.
pub(crate) fn without_end(bytes: &[u8]) -> Result<&[u8], usize> {
    let end = bytes.iter().rposition(|byte| *byte != 0);
    let bytes = bytes.get(..end.map_or(0, |last| last + 1)).unwrap_or(bytes);
    match bytes.iter().position(|byte| *byte == 0) {
        Some(place) => Err(place),
        None => Ok(bytes),
    }
}

/// What a pointer leads to, if it is not NULL.
///
/// # Safety
/// The pointer is NULL or leads to such a value.
pub(crate) unsafe fn one<T: Copy>(pointer: *const T) -> Option<T> {
    // SAFETY: the caller vouches for it. Programs do not always align.
    (!pointer.is_null()).then(|| unsafe { pointer.read_unaligned() })
}

/// Writes a value where the program wants it, if it does.
///
/// # Safety
/// The place is NULL or may be written.
pub(crate) unsafe fn put<T>(place: *mut T, value: T) {
    if !place.is_null() {
        // SAFETY: the caller vouches for it. Programs do not always align.
        unsafe { place.write_unaligned(value) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_between_characters_and_end_with_nul() {
        let name = copy_name(&"é".repeat(40));
        assert_eq!(name[NAME_LEN - 1], 0);
        assert_eq!(name.iter().filter(|byte| **byte != 0).count(), 64);
        let odd = copy_name(&format!("x{}", "é".repeat(40)));
        assert_eq!(odd.iter().filter(|byte| **byte != 0).count(), 63);
    }

    #[test]
    fn a_request_id_is_taken_bit_for_bit_and_0_lets_one_be_made() {
        assert_eq!(request_id(7), 7);
        assert_eq!(request_id(-1), u64::MAX);
        assert_ne!(request_id(0), 0);
    }

    #[test]
    fn the_nul_behind_a_text_is_no_part_of_it_and_one_within_is_an_error() {
        assert_eq!(without_end(b"ab\0\0"), Ok(&b"ab"[..]));
        assert_eq!(without_end(b"\0"), Ok(&b""[..]));
        assert_eq!(without_end(b"a\0b\0"), Err(1));
    }

    #[test]
    fn null_and_bytes_that_are_not_utf8_are_refused() {
        // SAFETY: NULL is allowed, the others end with NUL.
        unsafe {
            assert!(text(std::ptr::null()).is_err());
            assert!(text(c"\xff".as_ptr()).is_err());
            assert_eq!(text(c"a".as_ptr()).unwrap(), "a");
            assert_eq!(optional_text(c"".as_ptr()).unwrap(), None);
        }
    }
}
