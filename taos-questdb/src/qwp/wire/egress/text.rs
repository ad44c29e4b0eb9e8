//! Columns whose cells become text or bytes of any length (questdb §12.5).

use std::net::Ipv4Addr;

use taos_query::common::Ty;

use super::super::Reader;
use super::block::{BlockOut, NULL, VarColumn, too_long};
use super::dictionary::Dictionary;
use super::fixed::{Nulls, scale};
use crate::error::{Error, Result, error};
use crate::types::LONGEST_TEXT;

/// VARCHAR, and BINARY without the check for UTF-8.
pub(super) fn strings(out: &mut BlockOut, reader: &mut Reader<'_>, ty: Ty) -> Result<()> {
    let nulls = Nulls::read(reader, out.rows())?;
    let count = nulls.values() + 1;
    let offsets = reader.bytes(count.saturating_mul(4), "offsets")?;
    let offsets = offsets.as_chunks::<4>().0;
    let [first, ends @ ..] = offsets else {
        return Err(bad_offsets());
    };
    let end = |bytes: &[u8; 4]| usize::try_from(u32::from_le_bytes(*bytes)).unwrap_or(usize::MAX);
    let total = ends.last().map_or(0, end);
    let bytes = reader.bytes(total, "text")?;
    if end(first) != 0 {
        return Err(bad_offsets());
    }
    let text = ty == Ty::VarChar;
    if text {
        std::str::from_utf8(bytes).map_err(|e| error!(InvalidUtf8, "text is not UTF-8: {e}"))?;
    }
    let (offsets, cells) = out.sized(ty, LONGEST_TEXT, total + 2 * ends.len())?;
    let (mut start, mut at) = (0, 0);
    let mut ends = ends.iter();
    for (row, (offset, null)) in offsets.iter_mut().zip(nulls.rows()).enumerate() {
        if null {
            *offset = NULL.to_le_bytes();
            continue;
        }
        let stop = ends.next().map_or(start, end);
        let cell = bytes.get(start..stop).ok_or_else(bad_offsets)?;
        // The whole is UTF-8; a cell is too if it begins at a character.
        if text && cell.first().is_some_and(|byte| byte & 0xC0 == 0x80) {
            return Err(error!(InvalidUtf8, "a text begins inside a character"));
        }
        let len = u16::try_from(cell.len()).map_err(|_| too_long(row, cell.len()))?;
        *offset = u32::try_from(at).unwrap_or(u32::MAX).to_le_bytes();
        let Some((prefix, place)) = cells.get_mut(at..).and_then(<[u8]>::split_first_chunk_mut)
        else {
            return Err(bad_offsets());
        };
        *prefix = len.to_le_bytes();
        copy_cell(place, bytes.get(start..).unwrap_or_default(), cell.len());
        at += 2 + cell.len();
        start = stop;
    }
    Ok(())
}

/// Copies `len` bytes, a short text in one go: the next cell is written over what is too much.
#[inline]
fn copy_cell(place: &mut [u8], from: &[u8], len: usize) {
    if len <= 16
        && let (Some(place), Some(from)) = (place.first_chunk_mut::<16>(), from.first_chunk())
    {
        *place = *from;
    } else if len <= 32
        && let (Some(place), Some(from)) = (place.first_chunk_mut::<32>(), from.first_chunk())
    {
        *place = *from;
    } else if let (Some(place), Some(from)) = (place.get_mut(..len), from.get(..len)) {
        place.copy_from_slice(from);
    }
}

#[cold]
fn bad_offsets() -> Error {
    error!(ProtocolError, "the offsets of texts do not ascend from 0")
}

/// SYMBOL: each symbol stands in the block once, however many rows have it. Without the dictionary of the
/// connection the column brings its own behind the NULLs (questdb §12.10).
pub(super) fn symbols(
    out: &mut BlockOut,
    reader: &mut Reader<'_>,
    shared: Option<&mut Dictionary>,
) -> Result<()> {
    let nulls = Nulls::read(reader, out.rows())?;
    let mut own = Dictionary::default();
    let dictionary = match shared {
        Some(shared) => shared,
        None => {
            own.take(reader)?;
            &mut own
        }
    };
    let (offsets, _) = out.sized(Ty::VarChar, LONGEST_TEXT, 0)?;
    dictionary.begin_column();
    for (row, (offset, null)) in offsets.iter_mut().zip(nulls.rows()).enumerate() {
        *offset = if null {
            NULL.to_le_bytes()
        } else {
            let id = reader.varint("symbol")?;
            dictionary.place(id, row)?.to_le_bytes()
        };
    }
    out.append_cells(dictionary.cells())
}

/// Values of `N` bytes as text; `is_null` knows the value that means NULL.
fn texts<const N: usize>(
    out: &mut BlockOut,
    nulls: Nulls<'_>,
    values: &[[u8; N]],
    is_null: impl Fn(&[u8; N]) -> bool,
    write: impl Fn(&[u8; N], &mut Vec<u8>),
) -> Result<()> {
    let mut column = out.variable(Ty::VarChar, LONGEST_TEXT)?;
    let mut values = values.iter();
    for null in nulls.rows() {
        match if null { None } else { values.next() } {
            Some(value) if !is_null(value) => column.written(|out| write(value, out))?,
            _ => column.null(),
        }
    }
    column.finish();
    Ok(())
}

/// CHAR, IPv4, UUID or LONG256.
pub(super) fn chars(out: &mut BlockOut, reader: &mut Reader<'_>) -> Result<()> {
    let nulls = Nulls::read(reader, out.rows())?;
    let values = nulls.take::<2>(reader)?;
    // Over HTTP the unit 0 is the empty text that stands for NULL.
    texts(out, nulls, values, |unit| *unit == [0; 2], put_char)
}

fn put_char(unit: &[u8; 2], out: &mut Vec<u8>) {
    let unit = u32::from(u16::from_le_bytes(*unit));
    // Half of a pair is no character.
    let c = char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER);
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

pub(super) fn ipv4(out: &mut BlockOut, reader: &mut Reader<'_>) -> Result<()> {
    let nulls = Nulls::read(reader, out.rows())?;
    let values = nulls.take::<4>(reader)?;
    let is_null = |value: &[u8; 4]| *value == [0; 4];
    texts(out, nulls, values, is_null, |value, out| {
        let address = Ipv4Addr::from(u32::from_le_bytes(*value));
        out.extend_from_slice(address.to_string().as_bytes());
    })
}

/// The value of 64 bits that means NULL.
const NULL_WORD: [u8; 8] = i64::MIN.to_le_bytes();

fn all_null(words: &[u8]) -> bool {
    words.chunks(8).all(|word| word == NULL_WORD)
}

pub(super) fn uuids(out: &mut BlockOut, reader: &mut Reader<'_>) -> Result<()> {
    let nulls = Nulls::read(reader, out.rows())?;
    let values = nulls.take::<16>(reader)?;
    texts(out, nulls, values, |value| all_null(value), put_uuid)
}

fn put_uuid(value: &[u8; 16], out: &mut Vec<u8>) {
    for (place, byte) in value.iter().rev().enumerate() {
        if matches!(place, 4 | 6 | 8 | 10) {
            out.push(b'-');
        }
        put_hex(*byte, out);
    }
}

fn put_hex(byte: u8, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for half in [byte >> 4, byte & 15] {
        out.extend(DIGITS.get(usize::from(half)));
    }
}

pub(super) fn long256s(out: &mut BlockOut, reader: &mut Reader<'_>) -> Result<()> {
    let nulls = Nulls::read(reader, out.rows())?;
    let values = nulls.take::<32>(reader)?;
    texts(out, nulls, values, |value| all_null(value), put_long256)
}

fn put_long256(value: &[u8; 32], out: &mut Vec<u8>) {
    out.extend_from_slice(b"0x");
    let zeros = value.iter().rev().take_while(|byte| **byte == 0).count();
    for byte in value.iter().rev().skip(zeros.min(31)) {
        put_hex(*byte, out);
    }
}

/// GEOHASH, as the server writes it over HTTP: characters for whole groups of five bits, else bits.
pub(super) fn geohashes(out: &mut BlockOut, reader: &mut Reader<'_>) -> Result<()> {
    let nulls = Nulls::read(reader, out.rows())?;
    let bits = match reader.varint("precision")? {
        bits @ 1..=60 => u32::try_from(bits).unwrap_or_default(),
        bits => {
            return Err(error!(
                ProtocolError,
                "geohashes of {bits} bits; 1 to 60 are possible"
            ));
        }
    };
    let width = usize::try_from(bits.div_ceil(8)).unwrap_or_default();
    let bytes = reader.bytes(nulls.values().saturating_mul(width), "geohashes")?;
    let mut values = bytes.chunks_exact(width);
    let mut column = out.variable(Ty::VarChar, LONGEST_TEXT)?;
    let told = nulls.are_told() && bits.is_multiple_of(8);
    for null in nulls.rows() {
        match if null { None } else { values.next() } {
            // All ones may be a geohash where the bitmap says which rows are NULL.
            Some(value) if told || value.iter().any(|byte| *byte != 0xff) => {
                column.written(|out| put_geohash(value, bits, out))?;
            }
            _ => column.null(),
        }
    }
    column.finish();
    Ok(())
}

fn put_geohash(value: &[u8], bits: u32, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";
    let mut word = [0; 8];
    for (place, byte) in word.iter_mut().zip(value) {
        *place = *byte;
    }
    let word = u64::from_le_bytes(word);
    let (step, digits) = if bits.is_multiple_of(5) {
        (5, &DIGITS[..])
    } else {
        (1, &DIGITS[..2])
    };
    let mut left = bits;
    while left >= step {
        left -= step;
        let digit = usize::try_from(word >> left & ((1 << step) - 1)).unwrap_or_default();
        out.extend(digits.get(digit));
    }
}

/// DECIMAL256, which is wider than the decimals of a block.
pub(super) fn wide_decimals(out: &mut BlockOut, reader: &mut Reader<'_>) -> Result<()> {
    let nulls = Nulls::read(reader, out.rows())?;
    let scale = usize::from(scale(reader, 76)?);
    let values = nulls.take::<32>(reader)?;
    texts(
        out,
        nulls,
        values,
        |_| false,
        |value, out| put_decimal(value, scale, out),
    )
}

/// A number of 256 bits in two's complement, `scale` of its digits behind the point.
fn put_decimal(value: &[u8; 32], scale: usize, out: &mut Vec<u8>) {
    let negative = value.last().is_some_and(|byte| byte & 0x80 != 0);
    let mut words = [0_u32; 8];
    for (word, bytes) in words.iter_mut().zip(value.as_chunks::<4>().0) {
        *word = u32::from_le_bytes(*bytes);
    }
    if negative {
        let mut carry = true;
        for word in &mut words {
            (*word, carry) = (!*word).overflowing_add(carry.into());
        }
    }
    // Digits from the last to the first.
    let mut digits = Vec::with_capacity(78);
    while words.iter().any(|word| *word != 0) {
        let mut rest = 0_u64;
        for word in words.iter_mut().rev() {
            let whole = rest << 32 | u64::from(*word);
            *word = u32::try_from(whole / 10).unwrap_or_default();
            rest = whole % 10;
        }
        digits.push(b'0' + u8::try_from(rest).unwrap_or_default());
    }
    while digits.len() <= scale {
        digits.push(b'0');
    }
    if negative {
        out.push(b'-');
    }
    for (place, digit) in digits.iter().enumerate().rev() {
        out.push(*digit);
        if place == scale && scale > 0 {
            out.push(b'.');
        }
    }
}

/// Rows of a column that `write` reads itself, one at a time; it gives whether it wrote a value.
pub(super) fn each_row(
    column: &mut VarColumn<'_>,
    nulls: Nulls<'_>,
    mut write: impl FnMut(&mut VarColumn<'_>) -> Result<()>,
) -> Result<()> {
    for null in nulls.rows() {
        if null {
            column.null();
        } else {
            write(column)?;
        }
    }
    Ok(())
}
