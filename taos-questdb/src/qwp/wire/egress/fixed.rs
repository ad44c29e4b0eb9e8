//! Columns whose cells have one width, copied in bulk wherever they can be (questdb §12.5).

use std::iter;

use taos_query::common::{Precision, Ty};

use super::super::{Reader, bitmap_len};
use super::block::BlockOut;
use super::gorilla;
use crate::error::{Result, error};

/// Which rows of a column have no value on the wire.
#[derive(Debug, Clone, Copy)]
pub(super) struct Nulls<'a> {
    /// Least significant bit first; `None` if all rows have values.
    bitmap: Option<&'a [u8]>,
    rows: usize,
    values: usize,
    /// The bitmap came, if only to say that no row is NULL.
    told: bool,
}

impl<'a> Nulls<'a> {
    pub(super) fn read(reader: &mut Reader<'a>, rows: usize) -> Result<Self> {
        let mut nulls = Self {
            bitmap: None,
            rows,
            values: rows,
            told: false,
        };
        if reader.u8("null flag")? != 0 {
            nulls.told = true;
            let bitmap = reader.bytes(bitmap_len(rows), "null bitmap")?;
            let set: u32 = bitmap.iter().map(|byte| byte.count_ones()).sum();
            // Bits behind the last row mean nothing.
            let behind = match (rows % 8, bitmap.last()) {
                (0, _) | (_, None) => 0,
                (used, Some(last)) => (last >> used).count_ones(),
            };
            let set = usize::try_from(set - behind).unwrap_or(rows);
            if set > 0 {
                nulls.bitmap = Some(bitmap);
                nulls.values = rows.saturating_sub(set);
            }
        }
        Ok(nulls)
    }

    /// Rows that have a value.
    pub(super) const fn values(&self) -> usize {
        self.values
    }

    /// Whether the bitmap says which rows are NULL. Otherwise values of their own may stand for NULL.
    pub(super) const fn are_told(&self) -> bool {
        self.told
    }

    /// For each row whether it is NULL.
    pub(super) fn rows(&self) -> impl Iterator<Item = bool> + use<'a> {
        let bitmap = self.bitmap;
        (0..self.rows).map(move |row| {
            bitmap.is_some_and(|bits| {
                bits.get(row / 8)
                    .is_some_and(|byte| byte >> (row % 8) & 1 == 1)
            })
        })
    }

    /// The values of `N` bytes each.
    pub(super) fn take<const N: usize>(&self, reader: &mut Reader<'a>) -> Result<&'a [[u8; N]]> {
        let bytes = reader.bytes(self.values.saturating_mul(N), "values")?;
        Ok(bytes.as_chunks().0)
    }

    /// Bits of the bitmap, eight rows at a time.
    fn octets(&self) -> impl Iterator<Item = u8> + use<'a> {
        let bits = self.bitmap.unwrap_or_default();
        bits.iter().copied().chain(iter::repeat(0))
    }
}

/// The type info of a column of this width.
pub(super) fn width<const M: usize>() -> [u8; 4] {
    u32::try_from(M).unwrap_or_default().to_le_bytes()
}

/// Cells that stand in a block as they come; `is_null` knows the value that means NULL.
#[inline]
pub(super) fn copy<const N: usize>(
    out: &mut BlockOut,
    ty: Ty,
    nulls: Nulls<'_>,
    values: &[[u8; N]],
    is_null: impl Fn([u8; N]) -> bool,
) -> Result<()> {
    if nulls.bitmap.is_some() {
        return convert(out, ty, width::<N>(), nulls, values, |cell| {
            (!is_null(cell)).then_some(cell)
        });
    }
    let (flags, cells) = out.fixed(ty, width::<N>(), Some(values))?;
    // Without a branch for each cell, which most columns need none of.
    if !values
        .iter()
        .fold(false, |any, value| any | is_null(*value))
    {
        return Ok(());
    }
    for (flag, cells) in flags.iter_mut().zip(cells.chunks(8)) {
        let mut bits = 0;
        for (place, cell) in cells.iter().enumerate() {
            bits |= u8::from(is_null(*cell)) << (7 - place);
        }
        *flag = bits;
    }
    Ok(())
}

/// Cells that become others; `None` is NULL.
#[inline]
pub(super) fn convert<const N: usize, const M: usize>(
    out: &mut BlockOut,
    ty: Ty,
    info: [u8; 4],
    nulls: Nulls<'_>,
    values: &[[u8; N]],
    mut cell_of: impl FnMut([u8; N]) -> Option<[u8; M]>,
) -> Result<()> {
    let (flags, cells) = out.fixed::<M>(ty, info, None)?;
    let mut values = values.iter();
    let places = flags.iter_mut().zip(cells.chunks_mut(8));
    for ((flag, cells), nulls) in places.zip(nulls.octets()) {
        let mut bits = 0;
        for (place, cell) in cells.iter_mut().enumerate() {
            let value = if nulls >> place & 1 == 0 {
                values.next().and_then(|value| cell_of(*value))
            } else {
                None
            };
            match value {
                Some(value) => *cell = value,
                None => bits |= 0x80 >> place,
            }
        }
        *flag = bits;
    }
    Ok(())
}

/// BOOLEAN: bits become bytes. The wire has as many bits as rows with values.
pub(super) fn booleans(out: &mut BlockOut, reader: &mut Reader<'_>) -> Result<()> {
    let nulls = Nulls::read(reader, out.rows())?;
    let bits = reader.bytes(bitmap_len(nulls.values()), "bits")?;
    let mut values = bits
        .iter()
        .flat_map(|byte| (0..8).map(move |bit| [byte >> bit & 1]));
    let (flags, cells) = out.fixed::<1>(Ty::Bool, width::<1>(), None)?;
    for ((flag, cells), nulls) in flags
        .iter_mut()
        .zip(cells.chunks_mut(8))
        .zip(nulls.octets())
    {
        let mut null_bits = 0;
        for (place, cell) in cells.iter_mut().enumerate() {
            if nulls >> place & 1 == 0 {
                *cell = values.next().unwrap_or_default();
            } else {
                null_bits |= 0x80 >> place;
            }
        }
        *flag = null_bits;
    }
    Ok(())
}

/// How a column of times is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    /// The mode byte is there (questdb §12.6).
    pub(super) encoded: bool,
    /// What the ticks of the column are multiplied with.
    pub(super) factor: i64,
}

/// DATE, TIMESTAMP, TIMESTAMP_NS, in the unit of the block. Gives whether all values are within it.
pub(super) fn times(
    out: &mut BlockOut,
    reader: &mut Reader<'_>,
    scratch: &mut Vec<u8>,
    how: Times,
) -> Result<bool> {
    let nulls = Nulls::read(reader, out.rows())?;
    let mode = if how.encoded {
        reader.u8("encoding of timestamps")?
    } else {
        0
    };
    let values = match mode {
        0 => nulls.take::<8>(reader)?,
        1 => {
            scratch.clear();
            gorilla::read(reader, nulls.values(), scratch)?;
            scratch.as_chunks().0
        }
        _ => {
            return Err(error!(
                ProtocolError,
                "timestamps in the unknown encoding {mode:#04x}"
            ));
        }
    };
    if how.factor == 1 {
        copy(out, Ty::Timestamp, nulls, values, |cell| {
            i64::from_le_bytes(cell) == i64::MIN
        })?;
        return Ok(true);
    }
    let mut within = true;
    convert(out, Ty::Timestamp, width::<8>(), nulls, values, |cell| {
        let ticks = i64::from_le_bytes(cell);
        if ticks == i64::MIN {
            return None;
        }
        let scaled = ticks.checked_mul(how.factor);
        within &= scaled.is_some();
        scaled.map(i64::to_le_bytes)
    })?;
    Ok(within)
}

/// How many units of `to` one of `from` is; `to` is not coarser.
pub(super) const fn factor(from: Precision, to: Precision) -> i64 {
    match (from, to) {
        (Precision::Millisecond, Precision::Nanosecond) => 1_000_000,
        (Precision::Millisecond, Precision::Microsecond)
        | (Precision::Microsecond, Precision::Nanosecond) => 1_000,
        _ => 1,
    }
}

/// DECIMAL64 and DECIMAL128 as the integers of 128 bits of a block.
pub(super) fn decimals<const N: usize>(
    out: &mut BlockOut,
    reader: &mut Reader<'_>,
    digits: u8,
    widen: impl Fn([u8; N]) -> i128,
) -> Result<()> {
    let nulls = Nulls::read(reader, out.rows())?;
    let scale = scale(reader, digits)?;
    let values = nulls.take::<N>(reader)?;
    let info = [scale, digits, 0, 16];
    convert(out, Ty::Decimal, info, nulls, values, |cell| {
        Some(widen(cell).to_le_bytes())
    })
}

/// The scale of all values of a column.
pub(super) fn scale(reader: &mut Reader<'_>, most: u8) -> Result<u8> {
    let scale = reader.u8("scale")?;
    if scale > most {
        return Err(error!(
            ProtocolError,
            "decimals of scale {scale}; their width allows {most}"
        ));
    }
    Ok(scale)
}
