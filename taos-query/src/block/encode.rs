//! Typed cells into the bytes of a raw block (raw-block §1 to §5), as a server sends them.

use bytes::Bytes;

use super::parse::{HEADER_LEN, SCHEMA_PRESENT, array};
use crate::common::{BorrowedValue, Precision, Ty};
use crate::{ErrorKind, RawError, RawResult};

/// Collects the cells of one column.
#[derive(Debug, Clone)]
pub struct ColumnBuilder {
    ty: Ty,
    declared: u32,
    precision: u8,
    scale: u8,
    rows: usize,
    /// The NULL bitmap of a fixed-width column as far as its last NULL, the offsets of a variable one.
    head: Vec<u8>,
    data: Vec<u8>,
    /// Longest payload of a variable column.
    longest: usize,
}

/// Writes an integer with the width of the column. A macro, because going through the widest integer
/// costs more than the write itself.
macro_rules! put_integer {
    ($this:ident, $value:ident) => {{
        macro_rules! put {
            ($ty:ty) => {
                match <$ty>::try_from($value) {
                    Ok(value) => $this.put(&value.to_le_bytes()),
                    Err(_) => return Err($this.wrong_integer(i128::from($value))),
                }
            };
        }
        match $this.ty {
            Ty::BigInt | Ty::Timestamp | Ty::Decimal64 => put!(i64),
            Ty::Int => put!(i32),
            Ty::Bool => $this.put(&[u8::from($value != 0)]),
            Ty::TinyInt => put!(i8),
            Ty::SmallInt => put!(i16),
            Ty::UTinyInt => put!(u8),
            Ty::USmallInt => put!(u16),
            Ty::UInt => put!(u32),
            Ty::UBigInt => put!(u64),
            Ty::Decimal => put!(i128),
            _ => return Err($this.wrong_integer(i128::from($value))),
        }
        Ok(())
    }};
}

impl ColumnBuilder {
    /// An empty column of `ty`. `declared_width` is the width of the SQL declaration: bytes for
    /// VARCHAR, characters for NCHAR, unused for fixed types; `precision` and `scale` count for
    /// decimals only.
    pub const fn new(ty: Ty, declared_width: u32, precision: u8, scale: u8) -> Self {
        Self {
            ty,
            declared: declared_width,
            precision,
            scale,
            rows: 0,
            head: Vec::new(),
            data: Vec::new(),
            longest: 0,
        }
    }

    /// Declares the width that the longest cell needs, if it is more than was declared.
    pub(super) fn fit_width(&mut self) {
        let unit = if self.ty == Ty::NChar { 4 } else { 1 };
        let needed = u32::try_from(self.longest / unit).unwrap_or(u32::MAX);
        self.declared = self.declared.max(needed);
    }

    /// The column's type.
    pub const fn ty(&self) -> Ty {
        self.ty
    }

    /// Cells pushed so far.
    pub const fn len(&self) -> usize {
        self.rows
    }

    /// True before the first cell.
    pub const fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Forgets all cells and keeps the memory.
    pub fn clear(&mut self) {
        self.rows = 0;
        self.longest = 0;
        self.head.clear();
        self.data.clear();
    }

    /// Bytes that the cells take in the block.
    pub fn byte_len(&self) -> usize {
        self.head_len() + self.data.len()
    }

    /// Bytes of the NULL bitmap or the offsets in the block.
    pub(super) fn head_len(&self) -> usize {
        if self.ty.is_var_type() {
            self.head.len()
        } else {
            self.rows.div_ceil(8)
        }
    }

    /// Appends bitmap or offsets and the values, as they stand in a block.
    pub(super) fn append_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.head);
        out.resize(out.len() + self.head_len() - self.head.len(), 0);
        out.extend_from_slice(&self.data);
    }

    /// The values as they stand in a block.
    pub(crate) fn values(&self) -> &[u8] {
        &self.data
    }

    /// Takes cells away from the end until `rows` are left.
    pub(crate) fn truncate(&mut self, rows: usize) {
        while self.rows > rows {
            self.rows -= 1;
            if self.ty.is_var_type() {
                let at = self.rows * 4;
                let offset = i32::from_le_bytes(array(&self.head, at));
                self.head.truncate(at);
                // -1 stands for NULL, which has no bytes.
                if let Ok(start) = usize::try_from(offset) {
                    self.data.truncate(start);
                }
            } else {
                self.data.truncate(self.rows * self.ty.fixed_length());
                self.head.truncate(self.rows.div_ceil(8));
                if let Some(last) = self.head.get_mut(self.rows / 8) {
                    *last &= !(0xff >> (self.rows % 8));
                }
            }
        }
    }

    /// Adds a NULL.
    pub fn push_null(&mut self) {
        if self.ty.is_var_type() {
            self.head.extend_from_slice(&(-1_i32).to_le_bytes());
            self.rows += 1;
        } else {
            self.data
                .resize(self.data.len() + self.ty.fixed_length(), 0);
            let at = self.rows / 8;
            if self.head.len() <= at {
                self.head.resize(at + 1, 0);
            }
            if let Some(flags) = self.head.get_mut(at) {
                *flags |= 0x80 >> (self.rows % 8);
            }
            self.rows += 1;
        }
    }

    fn mismatch(&self, what: &str) -> RawError {
        RawError::of(
            ErrorKind::Decode,
            format!("{what} does not fit into a column of type {}", self.ty),
        )
    }

    /// Adds the bytes of a cell; the caller knows the column's type.
    #[inline]
    pub(crate) fn put<const N: usize>(&mut self, bytes: &[u8; N]) {
        debug_assert_eq!(N, self.ty.fixed_length());
        self.data.extend_from_slice(bytes);
        self.rows += 1;
    }

    /// Adds a boolean to a BOOL column.
    ///
    /// # Errors
    /// The column has another type.
    pub fn push_bool(&mut self, value: bool) -> RawResult<()> {
        if self.ty != Ty::Bool {
            return Err(self.mismatch("a boolean"));
        }
        self.put(&[u8::from(value)]);
        Ok(())
    }

    /// Adds an integer to any integer, BOOL, TIMESTAMP (ticks) or decimal (unscaled) column.
    ///
    /// # Errors
    /// The value does not fit, or the column has another type.
    #[inline]
    pub fn push_i64(&mut self, value: i64) -> RawResult<()> {
        put_integer!(self, value)
    }

    /// As [`push_i64`](Self::push_i64), for values beyond `i64::MAX`.
    ///
    /// # Errors
    /// The value does not fit, or the column has another type.
    pub fn push_u64(&mut self, value: u64) -> RawResult<()> {
        put_integer!(self, value)
    }

    /// As [`push_i64`](Self::push_i64), for the unscaled integers of wide decimals.
    ///
    /// # Errors
    /// The value does not fit, or the column has another type.
    pub fn push_i128(&mut self, value: i128) -> RawResult<()> {
        put_integer!(self, value)
    }

    #[cold]
    fn wrong_integer(&self, value: i128) -> RawError {
        self.mismatch(&format!("integer {value}"))
    }

    /// Adds a number to a DOUBLE column, or rounds it into a FLOAT column.
    ///
    /// # Errors
    /// The column has another type.
    #[inline]
    pub fn push_f64(&mut self, value: f64) -> RawResult<()> {
        match self.ty {
            Ty::Double => self.put(&value.to_le_bytes()),
            #[allow(
                clippy::cast_possible_truncation,
                reason = "rounding to the column's width is what FLOAT means"
            )]
            Ty::Float => self.put(&(value as f32).to_le_bytes()),
            _ => return Err(self.mismatch("a float")),
        }
        Ok(())
    }

    /// Adds a number to a FLOAT or DOUBLE column.
    ///
    /// # Errors
    /// The column has another type.
    pub fn push_f32(&mut self, value: f32) -> RawResult<()> {
        match self.ty {
            Ty::Float => self.put(&value.to_le_bytes()),
            _ => return self.push_f64(value.into()),
        }
        Ok(())
    }

    /// Adds text to a VARCHAR, JSON or NCHAR column; for NCHAR it becomes UTF-32.
    ///
    /// # Errors
    /// The text is longer than a length prefix can say, or the column has another type.
    pub fn push_str(&mut self, value: &str) -> RawResult<()> {
        match self.ty {
            Ty::NChar => {
                let start = self.begin_var(value.chars().count() * 4)?;
                for c in value.chars() {
                    self.data.extend_from_slice(&u32::from(c).to_le_bytes());
                }
                self.end_var(start);
                Ok(())
            }
            Ty::VarChar | Ty::Json => self.push_bytes(value.as_bytes()),
            _ => Err(self.mismatch("text")),
        }
    }

    /// Adds the payload of a variable column as it stands on the wire; for NCHAR that is UTF-32LE.
    ///
    /// # Errors
    /// The payload is longer than a length prefix can say, or the column has a fixed width.
    pub fn push_bytes(&mut self, value: &[u8]) -> RawResult<()> {
        let start = self.begin_var(value.len())?;
        self.data.extend_from_slice(value);
        self.end_var(start);
        Ok(())
    }

    /// Writes the length prefix and gives the offset of the cell.
    fn begin_var(&mut self, len: usize) -> RawResult<i32> {
        let too_long = || {
            RawError::of(
                ErrorKind::Decode,
                format!(
                    "a value of {len} bytes is too long for a column of type {}",
                    self.ty
                ),
            )
        };
        let start = i32::try_from(self.data.len()).map_err(|_| too_long())?;
        self.longest = self.longest.max(len);
        match self.ty.prefix_length() {
            2 => {
                let len = u16::try_from(len).map_err(|_| too_long())?;
                self.data.extend_from_slice(&len.to_le_bytes());
            }
            4 => {
                let len = u32::try_from(len).map_err(|_| too_long())?;
                self.data.extend_from_slice(&len.to_le_bytes());
            }
            _ => return Err(self.mismatch("a value of variable length")),
        }
        Ok(start)
    }

    fn end_var(&mut self, start: i32) {
        self.head.extend_from_slice(&start.to_le_bytes());
        self.rows += 1;
    }

    /// Adds any value that the column can hold.
    ///
    /// # Errors
    /// The value does not fit into the column's type.
    pub fn push_value(&mut self, value: &BorrowedValue<'_>) -> RawResult<()> {
        match value {
            BorrowedValue::Null(_) => {
                self.push_null();
                Ok(())
            }
            BorrowedValue::Bool(v) => self.push_bool(*v),
            BorrowedValue::TinyInt(v) => self.push_i64((*v).into()),
            BorrowedValue::SmallInt(v) => self.push_i64((*v).into()),
            BorrowedValue::Int(v) => self.push_i64((*v).into()),
            BorrowedValue::BigInt(v) => self.push_i64(*v),
            BorrowedValue::UTinyInt(v) => self.push_i64((*v).into()),
            BorrowedValue::USmallInt(v) => self.push_i64((*v).into()),
            BorrowedValue::UInt(v) => self.push_i64((*v).into()),
            BorrowedValue::UBigInt(v) => self.push_u64(*v),
            BorrowedValue::Float(v) => self.push_f32(*v),
            BorrowedValue::Double(v) => self.push_f64(*v),
            BorrowedValue::Timestamp(v) => self.push_i64(v.as_raw_i64()),
            BorrowedValue::VarChar(v) | BorrowedValue::NChar(v) => self.push_str(v),
            BorrowedValue::Json(v)
            | BorrowedValue::VarBinary(v)
            | BorrowedValue::Geometry(v)
            | BorrowedValue::Blob(v)
            | BorrowedValue::MediumBlob(v) => self.push_bytes(v),
            BorrowedValue::Decimal(v) | BorrowedValue::Decimal64(v) => {
                let unscaled = v
                    .rescale(self.scale)
                    .ok_or_else(|| self.mismatch(&format!("decimal {v}")))?;
                self.push_i128(unscaled)
            }
        }
    }

    /// The four bytes of type info in the schema entry (raw-block §2).
    pub(super) fn info(&self) -> [u8; 4] {
        match self.ty {
            Ty::Decimal | Ty::Decimal64 => {
                let width = if self.ty == Ty::Decimal { 16 } else { 8 };
                [self.scale, self.precision, 0, width]
            }
            Ty::NChar => self
                .declared
                .saturating_mul(4)
                .saturating_add(2)
                .to_le_bytes(),
            Ty::Json => 16_384_u32.to_le_bytes(),
            Ty::Blob | Ty::MediumBlob => 5_u32.to_le_bytes(),
            ty if ty.is_var_type() => self.declared.saturating_add(2).to_le_bytes(),
            ty => u32::try_from(ty.fixed_length())
                .unwrap_or_default()
                .to_le_bytes(),
        }
    }
}

/// Builds raw blocks, one after another, in the same buffers.
///
/// ```
/// use taos_query::block::{BlockWriter, ColumnBuilder, RawBlock};
/// use taos_query::common::{Precision, Ty};
///
/// let mut writer = BlockWriter::new(vec![
///     ColumnBuilder::new(Ty::Timestamp, 8, 0, 0),
///     ColumnBuilder::new(Ty::VarChar, 20, 0, 0),
/// ]);
/// if let [ts, text] = writer.columns_mut() {
///     ts.push_i64(1_700_000_000_000)?;
///     text.push_str("hello")?;
/// }
/// let block = RawBlock::parse_from_raw_block(writer.finish()?, Precision::Millisecond)?;
/// assert_eq!(block.nrows(), 1);
/// # Ok::<(), taos_query::RawError>(())
/// ```
#[derive(Debug, Clone)]
pub struct BlockWriter {
    columns: Vec<ColumnBuilder>,
}

impl BlockWriter {
    /// A writer of blocks with these columns.
    pub const fn new(columns: Vec<ColumnBuilder>) -> Self {
        Self { columns }
    }

    /// The columns, to push cells into.
    pub fn columns_mut(&mut self) -> &mut [ColumnBuilder] {
        &mut self.columns
    }

    /// One column, to push cells into.
    pub fn column_mut(&mut self, index: usize) -> Option<&mut ColumnBuilder> {
        self.columns.get_mut(index)
    }

    /// Number of columns.
    pub const fn ncols(&self) -> usize {
        self.columns.len()
    }

    /// Rows so far, by the first column.
    pub fn nrows(&self) -> usize {
        self.columns.first().map_or(0, ColumnBuilder::len)
    }

    /// Bytes that the finished block will have.
    pub fn byte_len(&self) -> usize {
        let cells: usize = self.columns.iter().map(ColumnBuilder::byte_len).sum();
        HEADER_LEN + 9 * self.columns.len() + cells + 1
    }

    /// The block's bytes; the writer is empty afterwards and keeps its buffers.
    ///
    /// # Errors
    /// The columns have different numbers of cells, or the block would exceed 2 GiB. The cells are
    /// kept then.
    pub fn finish(&mut self) -> RawResult<Bytes> {
        let bytes = encode(&self.columns)?;
        for column in &mut self.columns {
            column.clear();
        }
        Ok(bytes)
    }

    /// The finished block, decoded again.
    ///
    /// # Errors
    /// As [`finish`](Self::finish).
    pub fn finish_block(&mut self, precision: Precision) -> RawResult<super::RawBlock> {
        super::RawBlock::parse_from_raw_block(self.finish()?, precision)
    }
}

fn too_big(_: std::num::TryFromIntError) -> RawError {
    RawError::of(ErrorKind::Decode, "a raw block cannot exceed 2 GiB")
}

pub(super) fn encode(columns: &[ColumnBuilder]) -> RawResult<Bytes> {
    let rows = columns.first().map_or(0, ColumnBuilder::len);
    if let Some((index, column)) = columns.iter().enumerate().find(|(_, c)| c.len() != rows) {
        return Err(RawError::of(
            ErrorKind::Config,
            format!(
                "column {index} has {} rows but column 0 has {rows}",
                column.len()
            ),
        ));
    }
    let cells: usize = columns.iter().map(ColumnBuilder::byte_len).sum();
    let length = HEADER_LEN + 9 * columns.len() + cells + 1;
    let mut out = Vec::with_capacity(length);
    out.extend_from_slice(&1_i32.to_le_bytes());
    out.extend_from_slice(&i32::try_from(length).map_err(too_big)?.to_le_bytes());
    out.extend_from_slice(&i32::try_from(rows).map_err(too_big)?.to_le_bytes());
    out.extend_from_slice(&i32::try_from(columns.len()).map_err(too_big)?.to_le_bytes());
    out.extend_from_slice(&SCHEMA_PRESENT.to_le_bytes());
    out.extend_from_slice(&0_u64.to_le_bytes());
    for column in columns {
        out.push(column.ty.as_u8());
        out.extend_from_slice(&column.info());
    }
    for column in columns {
        out.extend_from_slice(
            &i32::try_from(column.data.len())
                .map_err(too_big)?
                .to_le_bytes(),
        );
    }
    for column in columns {
        column.append_to(&mut out);
    }
    out.push(0);
    Ok(out.into())
}
