//! Arrays as JSON text (questdb §12.5).

use taos_query::common::Ty;

use super::super::Reader;
use super::block::BlockOut;
use super::fixed::Nulls;
use super::limit;
use super::text::each_row;
use crate::error::{Result, error};
use crate::types::LONGEST_TEXT;

/// DOUBLE_ARRAY: NaN and infinities, which JSON has not, become `null`.
pub(super) fn doubles(out: &mut BlockOut, reader: &mut Reader<'_>) -> Result<()> {
    let mut number = zmij::Buffer::new();
    arrays(out, reader, |element, out| {
        let value = f64::from_le_bytes(element);
        if value.is_finite() {
            out.extend_from_slice(number.format_finite(value).as_bytes());
        } else {
            out.extend_from_slice(b"null");
        }
    })
}

/// LONG_ARRAY: the smallest number means NULL.
pub(super) fn longs(out: &mut BlockOut, reader: &mut Reader<'_>) -> Result<()> {
    let mut number = itoa::Buffer::new();
    arrays(out, reader, |element, out| {
        let value = i64::from_le_bytes(element);
        if value == i64::MIN {
            out.extend_from_slice(b"null");
        } else {
            out.extend_from_slice(number.format(value).as_bytes());
        }
    })
}

fn arrays(
    out: &mut BlockOut,
    reader: &mut Reader<'_>,
    mut put: impl FnMut([u8; 8], &mut Vec<u8>),
) -> Result<()> {
    let nulls = Nulls::read(reader, out.rows())?;
    let mut column = out.variable(Ty::Json, LONGEST_TEXT)?;
    each_row(&mut column, nulls, |column| {
        let (strides, rank) = shape(reader)?;
        let strides = strides.get(..rank).unwrap_or_default();
        let count = strides.first().copied().unwrap_or_default();
        let elements = reader.bytes(count.saturating_mul(8), "elements")?;
        column.written(|out| json(elements.as_chunks().0, strides, &mut put, out))
    })?;
    column.finish();
    Ok(())
}

/// For each dimension how many elements one of its lists has, all lists below it together, outermost
/// first; and the number of dimensions.
fn shape(reader: &mut Reader<'_>) -> Result<([usize; limit::RANK as usize], usize)> {
    let rank = reader.u8("rank")?;
    if rank == 0 || rank > limit::RANK {
        return Err(error!(
            ProtocolError,
            "an array of {rank} dimensions; 1 to {} are possible",
            limit::RANK
        ));
    }
    let rank = usize::from(rank);
    let lengths = reader.bytes(4 * rank, "lengths of dimensions")?;
    let mut strides = [0; limit::RANK as usize];
    let mut stride = 1_usize;
    let places = strides.iter_mut().take(rank).rev();
    for (place, length) in places.zip(lengths.as_chunks().0.iter().rev()) {
        let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
        stride = stride.saturating_mul(length);
        *place = stride;
    }
    if stride > limit::ELEMENTS {
        return Err(error!(
            LimitExceeded,
            "an array of {stride} elements; the limit is {}",
            limit::ELEMENTS
        ));
    }
    Ok((strides, rank))
}

/// Nested lists; one without elements is `[]` whatever its shape.
fn json(
    elements: &[[u8; 8]],
    strides: &[usize],
    put: &mut impl FnMut([u8; 8], &mut Vec<u8>),
    out: &mut Vec<u8>,
) {
    if elements.is_empty() {
        return out.extend_from_slice(b"[]");
    }
    let most = out.len() + limit::CELL;
    for (index, element) in elements.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        let starting = strides
            .iter()
            .filter(|stride| index.is_multiple_of(**stride));
        out.extend(starting.map(|_| b'['));
        put(*element, out);
        let behind = index + 1;
        let ending = strides
            .iter()
            .filter(|stride| behind.is_multiple_of(**stride));
        out.extend(ending.map(|_| b']'));
        if out.len() > most {
            return;
        }
    }
}
