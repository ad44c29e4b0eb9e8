//! The columns of a result (native-ffi §4, §8).

use std::ffi::{c_char, c_int};
use std::slice;
use std::sync::Arc;

use taos_query::RawResult;
use taos_query::common::{Field, Ty};

use super::{error, text};
use crate::ffi::{Library, TaosRes};

/// What is known of the columns.
#[derive(Debug)]
pub(crate) struct Columns {
    pub(crate) fields: Arc<[Field]>,
    /// Digits of each decimal, 0 for other types; empty if the library does not tell.
    pub(crate) precisions: Vec<i64>,
    /// Digits of each decimal behind the point.
    pub(crate) scales: Vec<i64>,
}

/// Reads the columns of a result that has `count` of them.
///
/// # Errors
/// For a type that is not known and a width below 0.
///
/// # Safety
/// The result is not freed yet, and used by nobody else meanwhile.
pub(in crate::raw) unsafe fn read(
    library: &Library,
    res: *mut TaosRes,
    count: c_int,
) -> RawResult<Columns> {
    let count =
        usize::try_from(count).map_err(|_| error::malformed(format!("has {count} columns")))?;
    let api = &library.api;
    if let Some(extended) = api.taos_fetch_fields_e.found() {
        // SAFETY: the caller's.
        let fields = unsafe { extended(res) };
        if !fields.is_null() {
            // SAFETY: an array of as many as there are columns, which stays until the result is freed.
            let fields = unsafe { slice::from_raw_parts(fields, count) };
            let decimal = |ty: i8| {
                u8::try_from(ty)
                    .ok()
                    .and_then(Ty::from_u8_option)
                    .is_some_and(Ty::is_decimal)
            };
            let digits = |ty: i8, value: u8| if decimal(ty) { i64::from(value) } else { 0 };
            return Ok(Columns {
                fields: fields
                    .iter()
                    .map(|field| named(&field.name, field.r#type, field.bytes))
                    .collect::<RawResult<_>>()?,
                precisions: fields
                    .iter()
                    .map(|field| digits(field.r#type, field.precision))
                    .collect(),
                scales: fields
                    .iter()
                    .map(|field| digits(field.r#type, field.scale))
                    .collect(),
            });
        }
    }
    // SAFETY: the caller's.
    let fields = unsafe { (api.taos_fetch_fields)(res) };
    if fields.is_null() {
        return Err(error::malformed("does not tell its columns"));
    }
    // SAFETY: an array of as many as there are columns, which stays until the result is freed.
    let fields = unsafe { slice::from_raw_parts(fields, count) };
    Ok(Columns {
        fields: fields
            .iter()
            .map(|field| named(&field.name, field.r#type, field.bytes))
            .collect::<RawResult<_>>()?,
        precisions: Vec::new(),
        scales: Vec::new(),
    })
}

fn named(name: &[c_char], ty: i8, bytes: i32) -> RawResult<Field> {
    let name = text::of_array(name);
    let known = u8::try_from(ty).ok().and_then(Ty::from_u8_option);
    let known =
        known.ok_or_else(|| error::malformed(format!("gives column `{name}` the type {ty}")))?;
    let bytes = u32::try_from(bytes)
        .map_err(|_| error::malformed(format!("gives column `{name}` the width {bytes}")))?;
    Ok(Field::new(name, known, bytes))
}
