//! Bound data in the forms of the C interface (native-ffi §6, §8), in memory of its own and without pointers.

use std::ffi::{CString, c_void};
use std::fmt::Display;

use bytes::BytesMut;
use taos_query::block::ColumnView;
use taos_query::common::{BorrowedValue, Ty, Value};
use taos_query::stmt::logic::{utf32_to_utf8, value_bytes};
use taos_query::{Code, ErrorKind, RawError, RawResult};

use crate::raw::text::c_text;

/// What the library wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// `TAOS_MULTI_BIND`: values of variable length at equal distances.
    Strided,
    /// `TAOS_STMT2_BIND`: one behind the other.
    Packed {
        /// Decimals as text, from 3.4 on, instead of scaled integers.
        decimal_text: bool,
    },
}

/// Values, at an address that their type may be read from.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Values {
    /// Of fixed width. The bytes of each word are in the order of memory; the last may have some too many.
    Words(Vec<u64>),
    /// Of variable length.
    Bytes(Vec<u8>),
}

impl Values {
    fn fixed(bytes: &[u8]) -> Self {
        let (words, rest) = bytes.as_chunks::<8>();
        let mut words: Vec<u64> = words.iter().map(|word| u64::from_ne_bytes(*word)).collect();
        if !rest.is_empty() {
            let mut last = [0; 8];
            for (to, from) in last.iter_mut().zip(rest) {
                *to = *from;
            }
            words.push(u64::from_ne_bytes(last));
        }
        Self::Words(words)
    }

    /// True if there is nothing to point to.
    pub(crate) const fn is_empty(&self) -> bool {
        match self {
            Self::Words(words) => words.is_empty(),
            Self::Bytes(bytes) => bytes.is_empty(),
        }
    }

    /// Good until the values are changed or dropped.
    pub(crate) const fn as_mut_ptr(&mut self) -> *mut c_void {
        match self {
            Self::Words(words) => words.as_mut_ptr().cast(),
            Self::Bytes(bytes) => bytes.as_mut_ptr().cast(),
        }
    }
}

/// The values of one column or tag.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) ty: Ty,
    pub(crate) rows: i32,
    /// Packed, nothing if every row is NULL.
    pub(crate) values: Values,
    /// Strided, the bytes from one value to the next.
    pub(crate) stride: usize,
    /// Of values of variable length; 0 for NULL.
    pub(crate) lengths: Option<Vec<i32>>,
    /// 1 for NULL, if there is any.
    pub(crate) nulls: Option<Vec<u8>>,
}

/// The data of one table.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) name: Option<CString>,
    pub(crate) tags: Vec<Column>,
    pub(crate) columns: Vec<Column>,
}

impl Table {
    /// Columns go as `types`, or as what they are where nobody knows.
    ///
    /// # Errors
    /// A name with a NUL, values that are not of their type, and more of them than can be told.
    pub(crate) fn new(
        name: Option<&str>,
        tags: &[Value],
        columns: &[ColumnView],
        types: &[Ty],
        form: Form,
    ) -> RawResult<Self> {
        let name = name
            .map(|name| c_text("the table name", name))
            .transpose()?;
        let tags = tags.iter().map(|value| tag(value, form));
        let own = |index: usize, view: &ColumnView| {
            types.get(index).copied().unwrap_or_else(|| view.as_ty())
        };
        let columns = columns
            .iter()
            .enumerate()
            .map(|(index, view)| column(view, own(index, view), form));
        Ok(Self {
            name,
            tags: tags.collect::<RawResult<_>>()?,
            columns: columns.collect::<RawResult<_>>()?,
        })
    }
}

fn bad(ty: Ty, row: usize) -> RawError {
    RawError::of(
        ErrorKind::Config,
        format!("row {row} of a column of {ty} does not hold such a value"),
    )
    .with_code(Code::INVALID_PARA)
}

fn too_long(what: impl Display) -> RawError {
    RawError::of(
        ErrorKind::Config,
        format!("{what} of one bind is more than 32 bits can tell; bind fewer rows"),
    )
    .with_code(Code::INVALID_PARA)
}

fn length(bytes: usize) -> RawResult<i32> {
    i32::try_from(bytes).map_err(|_| too_long("the data"))
}

/// A column as one of type `ty`, which it is but for VARCHAR and NCHAR, that are the same here.
pub(crate) fn column(view: &ColumnView, ty: Ty, form: Form) -> RawResult<Column> {
    let own = view.as_ty();
    let text = |ty: Ty| matches!(ty, Ty::VarChar | Ty::NChar);
    if own != ty && !(text(own) && text(ty)) {
        return Err(bad(ty, 0));
    }
    let rows = view.len();
    let mut flags = BytesMut::with_capacity(rows);
    let nulls = view.append_nulls(&mut flags);
    let mut column = Column {
        ty,
        rows: i32::try_from(rows).map_err(|_| too_long("the number of rows"))?,
        values: Values::Bytes(Vec::new()),
        stride: own.fixed_length(),
        lengths: None,
        nulls: (nulls > 0).then(|| flags.into()),
    };
    let packed = matches!(form, Form::Packed { .. });
    let decimal_text = form == Form::Packed { decimal_text: true };
    match view.fixed_bytes() {
        Some(_) if own.is_decimal() && decimal_text => {
            let (lengths, values) = decimals(view)?;
            column.lengths = Some(lengths);
            column.values = Values::Bytes(values);
        }
        Some(_) if packed && nulls == rows => column.values = Values::fixed(&[]),
        Some(values) => column.values = Values::fixed(values),
        None => {
            let (lengths, values) = payloads(view, ty)?;
            column.give(lengths, values, form);
        }
    }
    Ok(column)
}

impl Column {
    /// Takes values of variable length that stand one behind the other.
    fn give(&mut self, lengths: Vec<i32>, values: Vec<u8>, form: Form) {
        if form == Form::Strided {
            let longest = lengths.iter().copied().max().unwrap_or(0);
            // A stride of 0 would say that the type has none.
            self.stride = usize::try_from(longest).unwrap_or(0).max(1);
            let mut spread = vec![0; self.stride * lengths.len()];
            let mut rest = values.as_slice();
            for (slot, length) in spread.chunks_exact_mut(self.stride).zip(&lengths) {
                let length = usize::try_from(*length).unwrap_or(0);
                let (value, behind) = rest.split_at_checked(length).unwrap_or((rest, &[]));
                for (to, from) in slot.iter_mut().zip(value) {
                    *to = *from;
                }
                rest = behind;
            }
            self.values = Values::Bytes(spread);
        } else {
            self.values = Values::Bytes(values);
        }
        self.lengths = Some(lengths);
    }
}

/// Lengths and values of a column of variable length.
fn payloads(view: &ColumnView, ty: Ty) -> RawResult<(Vec<i32>, Vec<u8>)> {
    let nchar = view.as_ty() == Ty::NChar;
    // UTF-8 is never longer than UTF-32.
    let most: usize = view.payloads().flatten().map(<[u8]>::len).sum();
    length(most)?;
    let mut lengths = Vec::with_capacity(view.len());
    let mut values = Vec::with_capacity(most);
    if nchar {
        values.resize(most, 0);
    }
    let mut used = 0;
    for (row, payload) in view.payloads().enumerate() {
        let Some(payload) = payload else {
            lengths.push(0);
            continue;
        };
        if nchar {
            let room = values.get_mut(used..).unwrap_or_default();
            let len = utf32_to_utf8(room, payload).ok_or_else(|| bad(ty, row))?;
            used += len;
            lengths.push(length(len)?);
        } else {
            values.extend_from_slice(payload);
            lengths.push(length(payload.len())?);
        }
    }
    if nchar {
        values.truncate(used);
    }
    Ok((lengths, values))
}

fn decimals(view: &ColumnView) -> RawResult<(Vec<i32>, Vec<u8>)> {
    let mut lengths = Vec::with_capacity(view.len());
    let mut values = String::new();
    for row in 0..view.len() {
        let start = values.len();
        if let Some(BorrowedValue::Decimal(value) | BorrowedValue::Decimal64(value)) = view.get(row)
        {
            values.push_str(&value.to_string());
        }
        lengths.push(length(values.len() - start)?);
    }
    length(values.len())?;
    Ok((lengths, values.into_bytes()))
}

/// A tag, as a column of one row.
pub(crate) fn tag(value: &Value, form: Form) -> RawResult<Column> {
    let ty = value.ty();
    let mut bytes = BytesMut::new();
    value_bytes(&mut bytes, value);
    let mut column = Column {
        ty,
        rows: 1,
        values: Values::Words(Vec::new()),
        stride: ty.fixed_length(),
        lengths: None,
        nulls: value.is_null().then(|| vec![1]),
    };
    if ty.is_var_type() {
        column.give(vec![length(bytes.len())?], bytes.into(), form);
    } else if !value.is_null() {
        column.values = Values::fixed(&bytes);
    } else if form == Form::Strided {
        column.values = Values::fixed(&[0; 16]);
    }
    Ok(column)
}

#[cfg(test)]
mod tests;
