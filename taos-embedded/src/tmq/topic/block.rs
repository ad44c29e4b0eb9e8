//! Raw blocks cut into columns and put together anew, no cell looked at (raw-block §1 to §4).

use bytes::Bytes;
use taos_query::common::Ty;

use crate::sql::SqlError;
use crate::store::internal;

/// Bytes in front of the columns' descriptions.
const HEAD: usize = 28;
/// The columns are described.
const DESCRIBED: u32 = 0x8000_0000;
/// What blocks in messages of topics begin with; those of queries have 1.
const VERSION: i32 = 2;

/// Bytes of the rows that one statement of a topic makes at once; clients take messages of 256 MiB.
const MOST_BYTES: usize = 160 << 20;

/// What a block says of a column: the type and its width or digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) ty: Ty,
    pub(super) info: [u8; 4],
}

impl Head {
    /// Bytes of a value as it is stored.
    pub(super) fn width(self) -> i32 {
        if self.ty.is_var_type() {
            i32::from_le_bytes(self.info)
        } else {
            i32::try_from(self.ty.fixed_length()).unwrap_or_default()
        }
    }
}

/// The cells of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cells {
    /// The length as the block tells it, bitmap or offsets not counted.
    length: usize,
    /// Bitmap and values, or offsets and values.
    bytes: Bytes,
}

/// A block in its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cut {
    pub(super) rows: usize,
    pub(super) columns: Vec<(Head, Cells)>,
}

fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let four = bytes.get(at..)?.first_chunk::<4>()?;
    usize::try_from(i32::from_le_bytes(*four)).ok()
}

/// Bytes in front of the values of a column.
fn lead(ty: Ty, rows: usize) -> usize {
    if ty.is_var_type() {
        rows.saturating_mul(4)
    } else {
        rows.div_ceil(8)
    }
}

/// Cuts a block; the parts share its bytes.
///
/// # Errors
/// The block does not hold what it says.
pub(super) fn cut(block: &Bytes) -> Result<Cut, SqlError> {
    parts(block).ok_or_else(|| internal("a block of the log is damaged"))
}

fn parts(block: &Bytes) -> Option<Cut> {
    let (rows, count) = (number(block, 8)?, number(block, 12)?);
    let mut at = HEAD.checked_add(count.checked_mul(9)?)?;
    if at > block.len() {
        return None;
    }
    let mut columns = Vec::with_capacity(count);
    for index in 0..count {
        let [ty, info @ ..] = *block.get(HEAD + 5 * index..)?.first_chunk::<5>()?;
        let ty = Ty::from_u8_option(ty)?;
        let length = number(block, HEAD + 5 * count + 4 * index)?;
        let end = at.checked_add(lead(ty, rows))?.checked_add(length)?;
        if end > block.len() {
            return None;
        }
        let bytes = block.slice(at..end);
        columns.push((Head { ty, info }, Cells { length, bytes }));
        at = end;
    }
    Some(Cut { rows, columns })
}

/// Refuses rows that would take more memory than a message may have.
///
/// # Errors
/// 0x0100.
pub(super) fn check_size(rows: usize, width: usize) -> Result<(), SqlError> {
    match rows.checked_mul(width) {
        Some(bytes) if bytes <= MOST_BYTES => Ok(()),
        _ => Err(SqlError::unsupported("a message of more than 160 MiB")),
    }
}

/// Puts columns together as a message carries them.
///
/// # Errors
/// The block would have more than 2 GiB.
pub(super) fn join(rows: usize, columns: &[(Head, Cells)]) -> Result<Bytes, SqlError> {
    let cells: usize = columns.iter().map(|(_, cells)| cells.bytes.len()).sum();
    let length = HEAD + 9 * columns.len() + cells + 1;
    let mut out = Vec::with_capacity(length);
    let count = |number: usize| -> Result<[u8; 4], SqlError> {
        let number = i32::try_from(number).map_err(|_| SqlError::unsupported("2 GiB of rows"))?;
        Ok(number.to_le_bytes())
    };
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&count(length)?);
    out.extend_from_slice(&count(rows)?);
    out.extend_from_slice(&count(columns.len())?);
    out.extend_from_slice(&DESCRIBED.to_le_bytes());
    out.extend_from_slice(&[0; 8]);
    for (head, _) in columns {
        out.push(head.ty.as_u8());
        out.extend_from_slice(&head.info);
    }
    for (_, cells) in columns {
        out.extend_from_slice(&count(cells.length)?);
    }
    for (_, cells) in columns {
        out.extend_from_slice(&cells.bytes);
    }
    out.push(0);
    Ok(out.into())
}

/// A block as a message carries it, whatever it was made for.
pub(super) fn stamped(block: &Bytes) -> Bytes {
    let stamp = VERSION.to_le_bytes();
    if block.starts_with(&stamp) {
        return block.clone();
    }
    let mut out = block.to_vec();
    if let Some(version) = out.first_chunk_mut::<4>() {
        *version = stamp;
    }
    out.into()
}

impl Cells {
    /// So many NULLs.
    pub(super) fn nulls(ty: Ty, rows: usize) -> Self {
        if ty.is_var_type() {
            return Self {
                length: 0,
                bytes: vec![0xff; rows.saturating_mul(4)].into(),
            };
        }
        let length = rows.saturating_mul(ty.fixed_length());
        let mut bytes = vec![0xff; rows / 8];
        if !rows.is_multiple_of(8) {
            bytes.push(!(0xff >> (rows % 8)));
        }
        bytes.resize(bytes.len() + length, 0);
        Self {
            length,
            bytes: bytes.into(),
        }
    }

    /// Bytes that the one cell here takes in each row.
    pub(super) fn width(&self) -> usize {
        self.bytes.len()
    }

    /// The one cell here as that of so many rows, which [`check_size`] has let pass.
    pub(super) fn repeated(&self, ty: Ty, rows: usize) -> Self {
        let Some((lead, value)) = self.bytes.split_at_checked(lead(ty, 1)) else {
            return Self::nulls(ty, rows);
        };
        // the only offset is 0 or -1, the bitmap's only bit the highest
        if lead.first().is_some_and(|first| *first != 0) {
            return Self::nulls(ty, rows);
        }
        let length = rows.saturating_mul(value.len());
        let mut bytes = Vec::new();
        if ty.is_var_type() {
            let offsets = (0..rows).map(|row| row.saturating_mul(value.len()));
            for offset in offsets {
                bytes.extend_from_slice(&i32::try_from(offset).unwrap_or(i32::MAX).to_le_bytes());
            }
        } else {
            bytes.resize(rows.div_ceil(8), 0);
        }
        bytes.extend(value.repeat(rows));
        Self {
            length,
            bytes: bytes.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_no_message_can_hold_are_refused_before_memory_is_taken_for_them() {
        check_size(4096, 32 << 10).unwrap();
        for (rows, width) in [(32_767, 16 << 10), (usize::MAX, 2)] {
            assert_eq!(check_size(rows, width).unwrap_err().code, 0x0100);
        }
    }
}
