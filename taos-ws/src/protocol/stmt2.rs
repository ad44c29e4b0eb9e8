//! What a bind of a second-generation statement carries (taosadapter-ws §9.3), written.

use super::BinaryAction;
use super::binary::header;
use bytes::{BufMut as _, Bytes, BytesMut};
use std::fmt::Write as _;
use taos_query::block::ColumnView;
use taos_query::common::{BorrowedValue, Decimal, Ty, Value};
use taos_query::stmt::logic::{utf32_to_utf8, value_bytes};

/// The only version of the bodies of codes 9 and 11.
pub(super) const VERSION: u16 = 1;
/// Length of the payload's head.
pub(super) const HEAD: usize = 28;
/// Offset of the payload in the frame.
const PAYLOAD: usize = 30;

/// The data of one table, borrowed.
#[derive(Debug, Clone, Copy, Default)]
pub struct BindTable<'a> {
    /// The table's name; none where the statement has no `?` for one.
    pub name: Option<&'a str>,
    /// One value a tag.
    pub tags: &'a [Value],
    /// One view a column, all of the same length.
    pub columns: &'a [ColumnView],
}

/// How the server wants to have the values of one tag or column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BindForm {
    /// The type that the item names.
    pub ty: Ty,
    /// Decimals as text with lengths, which engines from 3.4 on take, instead of unscaled integers.
    pub decimal_text: bool,
}

impl From<Ty> for BindForm {
    fn from(ty: Ty) -> Self {
        Self {
            ty,
            decimal_text: false,
        }
    }
}

/// Data that the format cannot carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadBind {
    /// A length does not fit into its field.
    #[error("the data of one bind is longer than its 32-bit lengths can say; bind fewer rows")]
    TooLong,
    /// The counts of the payload's head hold for every table.
    #[error("the tables of one bind have different numbers of tags or columns")]
    Uneven,
    /// The length of a name is a `u16` that counts a trailing NUL.
    #[error("a table name is longer than 65,534 bytes or contains a NUL")]
    Name,
    /// The cell is of another type than the item says, or NCHAR that is not UTF-32.
    #[error("row {row} of a column of {ty} does not hold such a value")]
    Value {
        /// The type wanted.
        ty: Ty,
        /// Counted from 0.
        row: usize,
    },
}

/// Appends a stmt2_bind request (code 9) for all columns.
///
/// Tags and columns are written in the form at their position, or in their own type where `tag_forms`
/// and `column_forms` are shorter. Values are not converted but for NCHAR and VARCHAR, which are the
/// same here: a view of another type than its form is an error.
///
/// # Errors
/// What [`BadBind`] lists; `out` holds what it held before then.
pub fn encode_stmt2_bind(
    out: &mut BytesMut,
    req_id: u64,
    stmt_id: u64,
    tables: &[BindTable<'_>],
    tag_forms: &[BindForm],
    column_forms: &[BindForm],
) -> Result<(), BadBind> {
    let start = out.len();
    head(out, req_id, stmt_id);
    let result = encode_payload(out, tables, tag_forms, column_forms);
    if result.is_err() {
        out.truncate(start);
    }
    debug_assert!(result.is_err() || out.len() >= start + PAYLOAD + HEAD);
    result
}

/// A stmt2_bind request (code 9) for all columns, around a payload that is there already.
#[must_use]
pub fn frame_stmt2_bind(req_id: u64, stmt_id: u64, payload: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(PAYLOAD + payload.len());
    head(&mut out, req_id, stmt_id);
    out.put_slice(payload);
    out.freeze()
}

fn head(out: &mut BytesMut, req_id: u64, stmt_id: u64) {
    header(out, req_id, stmt_id, BinaryAction::Stmt2Bind);
    out.put_u16_le(VERSION);
    out.put_i32_le(-1);
}

/// Appends the payload alone.
///
/// # Errors
/// As [`encode_stmt2_bind`], but `out` may hold a part of the payload then.
pub fn encode_payload(
    out: &mut BytesMut,
    tables: &[BindTable<'_>],
    tag_forms: &[BindForm],
    column_forms: &[BindForm],
) -> Result<(), BadBind> {
    let counts = |of: fn(&BindTable<'_>) -> usize| {
        let count = tables.first().map_or(0, of);
        let even = tables.iter().all(|table| of(table) == count);
        if even {
            Ok(count)
        } else {
            Err(BadBind::Uneven)
        }
    };
    let tags = counts(|table| table.tags.len())?;
    let columns = counts(|table| table.columns.len())?;
    let start = out.len();
    put_len(out, 0)?;
    put_len(out, tables.len())?;
    put_len(out, tags)?;
    put_len(out, columns)?;
    out.put_bytes(0, 12);
    if tables.iter().any(|table| table.name.is_some()) {
        patch(out, start + 16, out.len() - start)?;
        put_names(out, tables)?;
    }
    if tags > 0 {
        patch(out, start + 20, out.len() - start)?;
        put_groups(out, tables, |out, table| {
            for (index, value) in table.tags.iter().enumerate() {
                put_tag(out, value, tag_forms.get(index).map(|form| form.ty))?;
            }
            Ok(())
        })?;
    }
    if columns > 0 {
        patch(out, start + 24, out.len() - start)?;
        put_groups(out, tables, |out, table| {
            for (index, view) in table.columns.iter().enumerate() {
                let own = BindForm::from(view.as_ty());
                put_column(out, view, column_forms.get(index).copied().unwrap_or(own))?;
            }
            Ok(())
        })?;
    }
    patch(out, start, out.len() - start)
}

fn put_len(out: &mut BytesMut, len: usize) -> Result<(), BadBind> {
    out.put_u32_le(u32::try_from(len).map_err(|_| BadBind::TooLong)?);
    Ok(())
}

/// Writes a length into the four bytes at `at`, which are there.
fn patch(out: &mut BytesMut, at: usize, len: usize) -> Result<(), BadBind> {
    let len = u32::try_from(len).map_err(|_| BadBind::TooLong)?;
    if let Some(field) = out.get_mut(at..at + 4) {
        field.copy_from_slice(&len.to_le_bytes());
    }
    Ok(())
}

fn put_names(out: &mut BytesMut, tables: &[BindTable<'_>]) -> Result<(), BadBind> {
    let names = || tables.iter().map(|table| table.name.unwrap_or_default());
    for name in names() {
        let len = u16::try_from(name.len() + 1).map_err(|_| BadBind::Name)?;
        if name.as_bytes().contains(&0) {
            return Err(BadBind::Name);
        }
        out.put_u16_le(len);
    }
    for name in names() {
        out.put_slice(name.as_bytes());
        out.put_u8(0);
    }
    Ok(())
}

/// A byte length a table, then what `put` writes for each.
fn put_groups(
    out: &mut BytesMut,
    tables: &[BindTable<'_>],
    put: impl Fn(&mut BytesMut, &BindTable<'_>) -> Result<(), BadBind>,
) -> Result<(), BadBind> {
    let lengths = out.len();
    out.put_bytes(0, 4 * tables.len());
    for (index, table) in tables.iter().enumerate() {
        let start = out.len();
        put(out, table)?;
        patch(out, lengths + 4 * index, out.len() - start)?;
    }
    Ok(())
}

/// Writes one item: `lengths` says whether it has them, `body` writes NULL flags, lengths and values.
fn put_item(
    out: &mut BytesMut,
    ty: Ty,
    rows: usize,
    body: impl FnOnce(&mut BytesMut) -> Result<(), BadBind>,
) -> Result<(), BadBind> {
    let start = out.len();
    put_len(out, 0)?;
    out.put_i32_le(ty.as_u8().into());
    out.put_i32_le(i32::try_from(rows).map_err(|_| BadBind::TooLong)?);
    body(out)?;
    patch(out, start, out.len() - start)
}

fn put_column(out: &mut BytesMut, view: &ColumnView, form: BindForm) -> Result<(), BadBind> {
    let own = view.as_ty();
    let text = |ty: Ty| matches!(ty, Ty::VarChar | Ty::NChar);
    if own != form.ty && !(text(own) && text(form.ty)) {
        return Err(BadBind::Value {
            ty: form.ty,
            row: 0,
        });
    }
    let rows = view.len();
    out.reserve(17 + rows + rows * own.fixed_length().max(4));
    put_item(out, form.ty, rows, |out| {
        let nulls = view.append_nulls(out);
        match view.fixed_bytes() {
            Some(values) if !form.decimal_text || !own.is_decimal() => {
                out.put_u8(0);
                // Servers want no buffer at all where there is no value (§9.3).
                let values = if nulls == rows { &[][..] } else { values };
                put_len(out, values.len())?;
                out.put_slice(values);
                Ok(())
            }
            Some(_) => put_variable(out, rows, |out, row| match view.get(row) {
                Some(BorrowedValue::Decimal(v) | BorrowedValue::Decimal64(v)) => {
                    put_decimal(out, &v, form.ty, row)
                }
                _ => Ok(()),
            }),
            None => put_payloads(out, view, rows, own == Ty::NChar),
        }
    })
}

/// Lengths, buffer length and buffer of `rows` values that `put` writes, nothing for NULL.
fn put_variable(
    out: &mut BytesMut,
    rows: usize,
    mut put: impl FnMut(&mut BytesMut, usize) -> Result<(), BadBind>,
) -> Result<(), BadBind> {
    out.put_u8(1);
    let lengths = out.len();
    out.put_bytes(0, 4 * rows + 4);
    let values = out.len();
    let mut start = values;
    for row in 0..rows {
        put(out, row)?;
        let end = out.len();
        if end > start {
            patch(out, lengths + 4 * row, end - start)?;
        }
        start = end;
    }
    i32::try_from(start - values).map_err(|_| BadBind::TooLong)?;
    patch(out, lengths + 4 * rows, start - values)
}

fn put_decimal(out: &mut BytesMut, value: &Decimal, ty: Ty, row: usize) -> Result<(), BadBind> {
    write!(out, "{value}").map_err(|_| BadBind::Value { ty, row })
}

/// [`put_variable`] for values that stand in a block: room for all is made once.
fn put_payloads(
    out: &mut BytesMut,
    view: &ColumnView,
    rows: usize,
    nchar: bool,
) -> Result<(), BadBind> {
    out.put_u8(1);
    let start = out.len();
    // UTF-8 is never longer than UTF-32.
    let most: usize = view.payloads().flatten().map(<[u8]>::len).sum();
    i32::try_from(most).map_err(|_| BadBind::TooLong)?;
    let head = 4 * rows + 4;
    out.resize(start + head + most, 0);
    let (fields, mut rest) = out
        .get_mut(start..)
        .unwrap_or_default()
        .split_at_mut_checked(head)
        .ok_or(BadBind::TooLong)?;
    let (fields, _) = fields.as_chunks_mut::<4>();
    let Some((total, lengths)) = fields.split_last_mut() else {
        return Ok(());
    };
    let mut used = 0;
    for (row, (field, payload)) in lengths.iter_mut().zip(view.payloads()).enumerate() {
        let Some(payload) = payload else {
            continue;
        };
        let len = if nchar {
            let bad = BadBind::Value { ty: Ty::NChar, row };
            utf32_to_utf8(rest, payload).ok_or(bad)?
        } else {
            if let Some(room) = rest.get_mut(..payload.len()) {
                room.copy_from_slice(payload);
            }
            payload.len()
        };
        *field = length(len)?;
        used += len;
        rest = rest.get_mut(len..).unwrap_or_default();
    }
    *total = length(used)?;
    out.truncate(start + head + used);
    Ok(())
}

fn length(len: usize) -> Result<[u8; 4], BadBind> {
    let len = u32::try_from(len).map_err(|_| BadBind::TooLong)?;
    Ok(len.to_le_bytes())
}

fn put_tag(out: &mut BytesMut, value: &Value, form: Option<Ty>) -> Result<(), BadBind> {
    let own = value.ty();
    let ty = form.unwrap_or(own);
    let text = |ty: Ty| matches!(ty, Ty::VarChar | Ty::NChar | Ty::Json);
    if !value.is_null() && own != ty && !(text(own) && text(ty)) {
        return Err(BadBind::Value { ty, row: 0 });
    }
    put_item(out, ty, 1, |out| {
        out.put_u8(value.is_null().into());
        if ty.is_var_type() {
            put_variable(out, 1, |out, _| {
                value_bytes(out, value);
                Ok(())
            })
        } else {
            out.put_u8(0);
            let at = out.len();
            put_len(out, 0)?;
            value_bytes(out, value);
            patch(out, at, out.len() - at - 4)
        }
    })
}
