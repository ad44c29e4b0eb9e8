//! What programs bind, copied out of their buffers (native-ffi §6).
//!
//! Both generations describe a column by a type, a buffer, lengths and NULLs; they differ in how values of
//! variable length stand in the buffer. Every count, length and pointer is looked at before it is used; that
//! the memory behind a pointer is as long as the program says can only be believed.

use std::ffi::{c_char, c_int, c_void};
use std::mem::size_of;
use std::slice;

use taos_query::abi::{TaosMultiBind, TaosStmt2Bind};
use taos_query::block::{ColumnBuilder, ColumnView};
use taos_query::common::{Precision, Ty, Value};
use taos_query::stmt::logic::Target;
use taos_query::{Code, ErrorKind, RawError, RawResult};

/// The most rows of one bind (native-ffi §6.1).
const ROWS: usize = 32_767;

/// What a placeholder of an INSERT takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    ty: Ty,
    /// Of timestamps, which are bound as plain numbers.
    unit: Precision,
    /// Of decimals, which are bound as integers without a point.
    digits: Option<(u8, u8)>,
}

impl From<&Target> for Wanted {
    fn from(target: &Target) -> Self {
        Self {
            ty: target.ty,
            unit: target.precision,
            digits: target.digits,
        }
    }
}

/// How values of variable length stand in the buffer.
#[derive(Debug, Clone, Copy)]
enum Spacing {
    /// So many bytes from the start of one to the start of the next.
    Stride(usize),
    /// One behind the other; a NULL takes no room.
    Packed,
}

/// One column, as either generation describes it.
#[derive(Debug)]
pub(crate) struct Source {
    ty: Ty,
    buffer: *const u8,
    spacing: Spacing,
    lengths: *const i32,
    nulls: *const c_char,
    rows: usize,
}

pub(crate) fn wrong(text: impl Into<String>) -> RawError {
    let text: String = text.into();
    RawError::of(ErrorKind::Config, text).with_code(Code::INVALID_PARA)
}

fn type_of(number: c_int) -> RawResult<Ty> {
    u8::try_from(number)
        .ok()
        .and_then(Ty::from_u8_option)
        .ok_or_else(|| wrong(format!("there is no data type {number}")))
}

fn rows_of(num: c_int, one: bool) -> RawResult<usize> {
    match usize::try_from(num) {
        // Programs that bind one row leave the number out.
        Ok(0 | 1) if one => Ok(1),
        Ok(rows) if !one && (1..=ROWS).contains(&rows) => Ok(rows),
        _ if one => Err(wrong(format!(
            "one value is bound here, but its `num` is {num}"
        ))),
        _ => Err(wrong(format!(
            "`num` is {num}; 1 to {ROWS} rows can be bound at once"
        ))),
    }
}

impl Source {
    /// A column of the first generation, of `one` row or of as many as it says.
    pub(crate) fn first(bind: &TaosMultiBind, one: bool) -> RawResult<Self> {
        Ok(Self {
            ty: type_of(bind.buffer_type)?,
            buffer: bind.buffer.cast_const().cast(),
            spacing: Spacing::Stride(bind.buffer_length),
            lengths: bind.length,
            nulls: bind.is_null,
            rows: rows_of(bind.num, one)?,
        })
    }

    /// The same for the second generation.
    pub(crate) fn second(bind: &TaosStmt2Bind, one: bool) -> RawResult<Self> {
        Ok(Self {
            ty: type_of(bind.buffer_type)?,
            buffer: bind.buffer.cast_const().cast(),
            spacing: Spacing::Packed,
            lengths: bind.length,
            nulls: bind.is_null,
            rows: rows_of(bind.num, one)?,
        })
    }

    /// Which rows are NULL.
    ///
    /// # Safety
    /// The NULLs are an array of the number of rows, or there is no pointer to them.
    unsafe fn nulls(&self) -> RawResult<Vec<bool>> {
        if self.nulls.is_null() {
            return Ok(vec![self.ty.is_null(); self.rows]);
        }
        // SAFETY: not NULL, and as long as the caller says.
        let flags = unsafe { slice::from_raw_parts(self.nulls, self.rows) };
        flags
            .iter()
            .enumerate()
            .map(|(row, flag)| match flag {
                0 => Ok(self.ty.is_null()),
                1 => Ok(true),
                // The first generation knows NULL only, and programs fill the array with any number.
                _ if matches!(self.spacing, Spacing::Stride(_)) => Ok(true),
                _ => Err(RawError::of(
                    ErrorKind::Unsupported,
                    format!(
                        "`is_null` of row {row} is {flag}: a column cannot be left out of single rows \
                         over WebSocket; bind a value or NULL (1), or prepare without the column"
                    ),
                )),
            })
            .collect()
    }

    /// The values of a type of fixed width.
    ///
    /// # Safety
    /// The buffer holds a value for each row, unless it is NULL.
    unsafe fn fixed<const N: usize, T>(
        &self,
        nulls: &[bool],
        read: impl Fn([u8; N]) -> T,
    ) -> RawResult<Vec<Option<T>>> {
        if self.buffer.is_null() {
            return Err(wrong("`buffer` is NULL, but there are values to bind"));
        }
        // SAFETY: not NULL, and as long as the caller says; bytes need no alignment.
        let bytes = unsafe { slice::from_raw_parts(self.buffer, self.rows * N) };
        let (cells, _) = bytes.as_chunks::<N>();
        let values = cells.iter().zip(nulls);
        Ok(values
            .map(|(cell, null)| (!null).then(|| read(*cell)))
            .collect())
    }

    /// Hands the bytes of each row to `push`, `None` for NULL.
    ///
    /// # Safety
    /// The lengths are an array of the number of rows, and the buffer is as long as they say.
    unsafe fn variable(
        &self,
        nulls: &[bool],
        mut push: impl FnMut(Option<&[u8]>) -> RawResult<()>,
    ) -> RawResult<()> {
        if self.lengths.is_null() {
            return Err(wrong(format!(
                "`length` is NULL, but values of type {} need their lengths",
                self.ty
            )));
        }
        let mut packed = 0;
        for (row, null) in nulls.iter().enumerate() {
            if *null {
                push(None)?;
                continue;
            }
            // SAFETY: not NULL, and as long as the caller says. Programs do not always align.
            let length = unsafe { self.lengths.add(row).read_unaligned() };
            let length = usize::try_from(length)
                .map_err(|_| wrong(format!("`length` of row {row} is {length}")))?;
            let start = match self.spacing {
                Spacing::Packed => packed,
                Spacing::Stride(stride) if self.rows == 1 || length <= stride => {
                    row.saturating_mul(stride)
                }
                Spacing::Stride(stride) => {
                    return Err(wrong(format!(
                        "`length` of row {row} is {length}, more than `buffer_length`, which is {stride}"
                    )));
                }
            };
            packed = start + length;
            if length == 0 {
                push(Some(&[]))?;
                continue;
            }
            if self.buffer.is_null() {
                return Err(wrong("`buffer` is NULL, but there are values to bind"));
            }
            // SAFETY: the buffer is not NULL and holds this value, as the caller says.
            let value = unsafe { slice::from_raw_parts(self.buffer.add(start), length) };
            push(Some(value)).map_err(|error| error.context(format!("row {row}")))?;
        }
        Ok(())
    }

    /// The values as a column; `wanted` is nothing for a parameter of a query.
    ///
    /// # Safety
    /// Every pointer of the bind is NULL or leads to as much memory as counts and lengths say.
    pub(crate) unsafe fn column(&self, wanted: Option<&Wanted>) -> RawResult<ColumnView> {
        // SAFETY: as the caller says.
        let nulls = unsafe { self.nulls() }?;
        if nulls.iter().all(|null| *null) {
            let ty = if self.ty.is_null() {
                wanted.map_or(Ty::VarChar, |wanted| wanted.ty)
            } else {
                self.ty
            };
            return Ok(ColumnView::null(self.rows, ty));
        }
        macro_rules! numbers {
            ($($ty:ident $number:ty => $from:ident,)*) => {
                match self.ty {
                    $(Ty::$ty => {
                        // SAFETY: as the caller says.
                        let values = unsafe { self.fixed(&nulls, <$number>::from_ne_bytes) }?;
                        ColumnView::$from(values)
                    })*
                    Ty::Bool => {
                        // SAFETY: as the caller says.
                        let values = unsafe { self.fixed(&nulls, |[byte]| byte != 0) }?;
                        ColumnView::from_bools(values)
                    }
                    Ty::Timestamp => {
                        // SAFETY: as the caller says.
                        let ticks = unsafe { self.fixed(&nulls, i64::from_ne_bytes) }?;
                        times(ticks, wanted)
                    }
                    Ty::Decimal | Ty::Decimal64 => {
                        let (precision, scale) = self.digits(wanted)?;
                        if self.ty == Ty::Decimal64 {
                            // SAFETY: as the caller says.
                            let values = unsafe { self.fixed(&nulls, i64::from_ne_bytes) }?;
                            ColumnView::from_decimal64(values, precision, scale)
                        } else {
                            // SAFETY: as the caller says.
                            let values = unsafe { self.fixed(&nulls, i128::from_ne_bytes) }?;
                            ColumnView::from_decimal(values, precision, scale)
                        }
                    }
                    // SAFETY: as the caller says.
                    _ => unsafe { self.texts(&nulls) }?,
                }
            };
        }
        Ok(numbers! {
            TinyInt i8 => from_tiny_ints,
            SmallInt i16 => from_small_ints,
            Int i32 => from_ints,
            BigInt i64 => from_big_ints,
            UTinyInt u8 => from_unsigned_tiny_ints,
            USmallInt u16 => from_unsigned_small_ints,
            UInt u32 => from_unsigned_ints,
            UBigInt u64 => from_unsigned_big_ints,
            Float f32 => from_floats,
            Double f64 => from_doubles,
        })
    }

    /// Values of variable length.
    ///
    /// # Safety
    /// As [`column`](Self::column).
    unsafe fn texts(&self, nulls: &[bool]) -> RawResult<ColumnView> {
        let mut builder = ColumnBuilder::new(self.ty, 0, 0, 0);
        let push = |value: Option<&[u8]>| match value {
            None => {
                builder.push_null();
                Ok(())
            }
            // It is bound as UTF-8, and stands in blocks in another form.
            Some(bytes) if self.ty == Ty::NChar => {
                let text = std::str::from_utf8(bytes)
                    .map_err(|error| wrong(format!("NCHAR is bound as UTF-8: {error}")))?;
                builder.push_str(text)
            }
            Some(bytes) => builder.push_bytes(bytes),
        };
        // SAFETY: as the caller says.
        unsafe { self.variable(nulls, push) }?;
        ColumnView::from_builder(builder, Precision::Millisecond)
    }

    fn digits(&self, wanted: Option<&Wanted>) -> RawResult<(u8, u8)> {
        wanted.and_then(|wanted| wanted.digits).ok_or_else(|| {
            RawError::of(
                ErrorKind::Unsupported,
                format!(
                    "{} is bound as an integer without a point, but nobody tells how many of its digits \
                     stand behind the point",
                    self.ty
                ),
            )
        })
    }

    /// The one value as a tag.
    ///
    /// # Safety
    /// As [`column`](Self::column).
    pub(crate) unsafe fn value(&self, wanted: &Wanted) -> RawResult<Value> {
        if self.ty == Ty::Json {
            // SAFETY: as the caller says.
            return unsafe { self.json() };
        }
        // SAFETY: as the caller says.
        let column = unsafe { self.column(Some(wanted)) }?;
        let value = column.get(0).map(|value| value.to_value());
        Ok(value.unwrap_or(Value::Null(wanted.ty)))
    }

    /// # Safety
    /// As [`column`](Self::column).
    unsafe fn json(&self) -> RawResult<Value> {
        // SAFETY: as the caller says.
        let nulls = unsafe { self.nulls() }?;
        let mut value = Value::Null(Ty::Json);
        let push = |bytes: Option<&[u8]>| {
            if let Some(bytes) = bytes {
                value = serde_json::from_slice(bytes)
                    .map(Value::Json)
                    .map_err(|error| wrong(format!("the tag takes JSON: {error}")))?;
            }
            Ok(())
        };
        if nulls != [true] {
            // SAFETY: as the caller says.
            unsafe { self.variable(&nulls, push) }?;
        }
        Ok(value)
    }
}

/// Numbers in the unit of the table; in a query they are what the SQL would say.
fn times(ticks: Vec<Option<i64>>, wanted: Option<&Wanted>) -> ColumnView {
    match wanted.map(|wanted| wanted.unit) {
        None => ColumnView::from_big_ints(ticks),
        Some(Precision::Millisecond) => ColumnView::from_millis_timestamp(ticks),
        Some(Precision::Microsecond) => ColumnView::from_micros_timestamp(ticks),
        Some(Precision::Nanosecond) => ColumnView::from_nanos_timestamp(ticks),
    }
}

/// The `len` elements that a pointer leads to; none for NULL. Not aligned, or longer than memory, is an error.
///
/// # Safety
/// The pointer is NULL or leads to that many elements, which nobody changes meanwhile.
pub(crate) unsafe fn array<'a, T>(pointer: *const T, len: usize) -> RawResult<&'a [T]> {
    if pointer.is_null() {
        return Ok(&[]);
    }
    if !pointer.is_aligned() {
        return Err(wrong(format!(
            "an array is not aligned: its address must be a multiple of {}",
            align_of::<T>()
        )));
    }
    let size = len.checked_mul(size_of::<T>());
    if size.is_none_or(|size| isize::try_from(size).is_err()) {
        return Err(wrong(format!("an array of {len} elements fits nowhere")));
    }
    // SAFETY: not NULL, aligned, and as long as the caller says.
    Ok(unsafe { slice::from_raw_parts(pointer, len) })
}

// SAFETY: the C library that every program has declares them so.
unsafe extern "C" {
    fn malloc(size: usize) -> *mut c_void;
    fn free(pointer: *mut c_void);
}

/// A copy of these on the heap of C, where programs written for older libraries free it by themselves. NULL if
/// there are none.
pub(crate) fn give_array<T: Copy>(items: &[T]) -> RawResult<*mut T> {
    if items.is_empty() {
        return Ok(std::ptr::null_mut());
    }
    // SAFETY: any size may be asked for.
    let room: *mut T = unsafe { malloc(size_of_val(items)) }.cast();
    if room.is_null() {
        let text = format!("there is no memory for {} bytes", size_of_val(items));
        return Err(RawError::new(Code::new(0x0102), text));
    }
    // SAFETY: there is room for all of them, aligned for any type of C, and it is new.
    unsafe { std::ptr::copy_nonoverlapping(items.as_ptr(), room, items.len()) };
    Ok(room)
}

/// Frees what [`give_array`] gave.
///
/// # Safety
/// It is NULL or comes from there, and nobody uses it any more.
pub(crate) unsafe fn free_array(pointer: *mut c_void) {
    // SAFETY: as the caller says; NULL may be freed.
    unsafe { free(pointer) }
}
