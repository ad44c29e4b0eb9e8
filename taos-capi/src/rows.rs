//! Blocks as C programs read them: rows, or columns with their values one behind the other.
//!
//! A block is taken apart once, when the first row or column of it is asked for. Values of fixed width are aligned,
//! which they are not in the server's block. Text and bytes have their length in the two bytes (four for BLOB) before
//! them, which programs rely on; NCHAR and JSON also end with NUL. NCHAR becomes UTF-8, decimals become text.

use std::ffi::{c_int, c_void};
use std::fmt::Write as _;
use std::ptr::null_mut;

use bytes::Bytes;
use taos_query::RawBlock;
use taos_query::common::{BorrowedValue, Ty};

use crate::types::TaosRow;

/// Bytes from one decimal to the next: the text, NUL and room.
const DECIMAL_STRIDE: usize = 64;

/// Where the values of a column lie.
#[derive(Debug)]
enum Data {
    /// In the server's block, from here on.
    Block(usize),
    /// Aligned.
    Words(Vec<u64>),
    /// Made here.
    Own(Vec<u8>),
}

/// How the values of a column are found.
#[derive(Debug)]
enum Shape {
    /// Each this many bytes behind the other; NULLs by bit, from this place of the block on.
    Fixed { width: usize, nulls: usize },
    /// At these offsets, -1 for NULL, behind a length of so many bytes.
    Var { offsets: Vec<c_int>, prefix: usize },
}

#[derive(Debug)]
struct Column {
    ty: Ty,
    shape: Shape,
    data: Data,
    /// The widest value, length included.
    storage: c_int,
}

/// A block, taken apart.
#[derive(Debug)]
pub(crate) struct Rows {
    bytes: Bytes,
    count: usize,
    columns: Vec<Column>,
    /// What the program is given: one address and one length a column.
    addresses: Vec<*mut c_void>,
    lengths: Vec<c_int>,
    /// The address of the former, for those who want a place that holds it.
    row: TaosRow,
}

// SAFETY: the addresses lead into bytes and buffers that the object itself owns, wherever it is.
unsafe impl Send for Rows {}

/// The place of a column in the bytes of a block (raw-block §1, §3).
struct Place {
    ty: Ty,
    head: usize,
    data: usize,
    data_len: usize,
    info: u32,
}

fn places(block: &RawBlock) -> Vec<Place> {
    let (rows, columns) = (block.nrows(), block.ncols());
    let bytes = block.as_raw_bytes();
    let mut at = 28 + 9 * columns;
    let column = |(number, schema): (usize, taos_query::block::ColSchema)| {
        let length = bytes.get(28 + 5 * columns + 4 * number..)?;
        let length = i32::from_le_bytes(*length.first_chunk()?);
        let data_len = usize::try_from(length).ok()?;
        let head = at;
        let data = head
            + if schema.ty.is_var_type() {
                4 * rows
            } else {
                rows.div_ceil(8)
            };
        at = data + data_len;
        Some(Place {
            ty: schema.ty,
            head,
            data,
            data_len,
            info: schema.len,
        })
    };
    // The block was checked when it came, so that no column is left out.
    block
        .schemas()
        .into_iter()
        .enumerate()
        .map_while(column)
        .collect()
}

impl Column {
    fn new(block: &RawBlock, number: usize, place: &Place) -> Self {
        let ty = place.ty;
        let (shape, data) = match ty {
            Ty::NChar | Ty::Json => terminated(block, number),
            ty if ty.is_var_type() => (
                Shape::Var {
                    offsets: offsets(block, place),
                    prefix: if ty.is_blob() { 4 } else { 2 },
                },
                Data::Block(place.data),
            ),
            ty if ty.is_decimal() => (
                Shape::Fixed {
                    width: DECIMAL_STRIDE,
                    nulls: place.head,
                },
                Data::Own(decimals(block, number)),
            ),
            _ => (
                Shape::Fixed {
                    width: ty.fixed_length(),
                    nulls: place.head,
                },
                aligned(block.as_raw_bytes(), place),
            ),
        };
        let storage = match ty {
            ty if ty.is_decimal() => DECIMAL_STRIDE,
            ty if ty.is_var_type() => usize::try_from(place.info).unwrap_or(usize::MAX),
            ty => ty.fixed_length(),
        };
        Self {
            ty,
            shape,
            data,
            storage: length(storage),
        }
    }

    fn base(&self, block: &Bytes) -> *const u8 {
        match &self.data {
            Data::Block(at) => block.get(*at..).unwrap_or_default().as_ptr(),
            Data::Words(words) => words.as_ptr().cast(),
            Data::Own(bytes) => bytes.as_ptr(),
        }
    }

    /// The bytes from an offset on, of a column of variable width or of decimals.
    fn from<'a>(&'a self, block: &'a Bytes, offset: usize) -> &'a [u8] {
        let bytes = match &self.data {
            Data::Block(at) => block.get(*at..),
            Data::Own(bytes) => Some(&bytes[..]),
            Data::Words(_) => None,
        };
        bytes
            .and_then(|bytes| bytes.get(offset..))
            .unwrap_or_default()
    }

    fn is_null(&self, block: &Bytes, row: usize) -> bool {
        match &self.shape {
            Shape::Fixed { nulls, .. } => block
                .get(nulls + row / 8)
                .is_none_or(|byte| byte & (0x80 >> (row % 8)) != 0),
            Shape::Var { offsets, .. } => offsets.get(row).is_none_or(|offset| *offset < 0),
        }
    }

    /// A value's address and length; NULL and 0 for NULL.
    fn value(&self, block: &Bytes, row: usize) -> (*mut c_void, c_int) {
        if self.is_null(block, row) {
            return (null_mut(), 0);
        }
        let address = |offset: usize| self.base(block).wrapping_add(offset).cast_mut().cast();
        match &self.shape {
            Shape::Fixed { width, .. } if self.ty.is_decimal() => {
                let text = self.from(block, width * row);
                let end = text.iter().position(|byte| *byte == 0).unwrap_or(0);
                (address(width * row), length(end))
            }
            Shape::Fixed { width, .. } => (address(width * row), length(*width)),
            Shape::Var { offsets, prefix } => {
                let offset = offsets.get(row).copied().unwrap_or(-1);
                let Ok(offset) = usize::try_from(offset) else {
                    return (null_mut(), 0);
                };
                let cell = self.from(block, offset);
                let len = match prefix {
                    4 => cell.first_chunk().map(|len| u32::from_le_bytes(*len)),
                    _ => cell
                        .first_chunk()
                        .map(|len| u32::from(u16::from_le_bytes(*len))),
                };
                let len = len.and_then(|len| c_int::try_from(len).ok());
                (address(offset + prefix), len.unwrap_or_default())
            }
        }
    }
}

fn length(bytes: usize) -> c_int {
    c_int::try_from(bytes).unwrap_or(c_int::MAX)
}

fn offsets(block: &RawBlock, place: &Place) -> Vec<c_int> {
    let bytes = block.as_raw_bytes();
    let bytes = bytes.get(place.head..place.data).unwrap_or_default();
    let (offsets, _) = bytes.as_chunks::<4>();
    offsets
        .iter()
        .map(|offset| i32::from_le_bytes(*offset))
        .collect()
}

/// Values of fixed width, copied unless they are aligned where they are.
fn aligned(bytes: &Bytes, place: &Place) -> Data {
    let values = bytes
        .get(place.data..place.data + place.data_len)
        .unwrap_or_default();
    let width = place.ty.fixed_length().max(1);
    if values.as_ptr().addr().is_multiple_of(width) {
        return Data::Block(place.data);
    }
    let (words, rest) = values.as_chunks::<8>();
    let mut last = [0; 8];
    for (place, byte) in last.iter_mut().zip(rest) {
        *place = *byte;
    }
    let words = words.iter().chain(std::iter::once(&last));
    Data::Words(words.map(|word| u64::from_ne_bytes(*word)).collect())
}

/// Texts in UTF-8, each behind its length and before a NUL.
fn terminated(block: &RawBlock, column: usize) -> (Shape, Data) {
    let mut data = Vec::new();
    let offsets = (0..block.nrows()).map(|row| {
        let value = block.get_ref(row, column)?;
        let text = match &value {
            BorrowedValue::NChar(text) | BorrowedValue::VarChar(text) => text.as_bytes(),
            BorrowedValue::Json(text) | BorrowedValue::VarBinary(text) => text,
            _ => return None,
        };
        let offset = c_int::try_from(data.len()).ok()?;
        // A cell of at most 65517 bytes in UTF-32 is not longer in UTF-8.
        data.extend_from_slice(&u16::try_from(text.len()).ok()?.to_le_bytes());
        data.extend_from_slice(text);
        data.push(0);
        Some(offset)
    });
    let offsets = offsets.map(|offset| offset.unwrap_or(-1)).collect();
    (Shape::Var { offsets, prefix: 2 }, Data::Own(data))
}

/// Decimals as text, each in the same room.
fn decimals(block: &RawBlock, column: usize) -> Vec<u8> {
    let mut data = vec![0; DECIMAL_STRIDE * block.nrows()];
    let mut text = String::new();
    for (row, room) in data.chunks_exact_mut(DECIMAL_STRIDE).enumerate() {
        if let Some(BorrowedValue::Decimal(value) | BorrowedValue::Decimal64(value)) =
            block.get_ref(row, column)
        {
            text.clear();
            // Writing into a String cannot fail.
            let _ = write!(text, "{value}");
            for (place, byte) in room.iter_mut().take(DECIMAL_STRIDE - 1).zip(text.bytes()) {
                *place = byte;
            }
        }
    }
    data
}

impl Rows {
    pub(crate) fn new(block: &RawBlock) -> Self {
        let columns: Vec<Column> = places(block)
            .iter()
            .enumerate()
            .map(|(number, place)| Column::new(block, number, place))
            .collect();
        let mut rows = Self {
            bytes: block.as_raw_bytes().clone(),
            count: block.nrows(),
            addresses: vec![null_mut(); columns.len()],
            lengths: vec![0; columns.len()],
            columns,
            row: null_mut(),
        };
        rows.columns();
        rows
    }

    /// The columns' data: the first value of each of fixed width; of the others what the offsets count from. The
    /// lengths are then the columns' widths in storage.
    pub(crate) fn columns(&mut self) -> TaosRow {
        let places = self.addresses.iter_mut().zip(&mut self.lengths);
        for ((address, length), column) in places.zip(&self.columns) {
            *address = column.base(&self.bytes).cast_mut().cast();
            *length = column.storage;
        }
        self.row = self.addresses.as_mut_ptr();
        self.row
    }

    /// One row: the address of each value, NULL for NULL. The lengths are then those of the values.
    pub(crate) fn row(&mut self, row: usize) -> TaosRow {
        let places = self.addresses.iter_mut().zip(&mut self.lengths);
        for ((address, length), column) in places.zip(&self.columns) {
            (*address, *length) = column.value(&self.bytes, row);
        }
        self.row = self.addresses.as_mut_ptr();
        self.row
    }

    /// The place that holds what the other two gave last.
    pub(crate) const fn place(&mut self) -> *mut TaosRow {
        &raw mut self.row
    }

    pub(crate) const fn lengths(&mut self) -> *mut c_int {
        self.lengths.as_mut_ptr()
    }

    /// Rows of the block.
    pub(crate) const fn count(&self) -> usize {
        self.count
    }

    /// Columns of the block.
    pub(crate) const fn width(&self) -> usize {
        self.columns.len()
    }

    /// True for NULL, and outside of the block.
    pub(crate) fn is_null(&self, row: usize, column: usize) -> bool {
        row >= self.count
            || self
                .columns
                .get(column)
                .is_none_or(|column| column.is_null(&self.bytes, row))
    }

    /// Where the values of a column of variable width begin, counted from the column's data; NULL for others.
    pub(crate) fn offsets(&mut self, column: usize) -> *mut c_int {
        match self.columns.get_mut(column).map(|column| &mut column.shape) {
            Some(Shape::Var { offsets, .. }) => offsets.as_mut_ptr(),
            _ => null_mut(),
        }
    }
}
