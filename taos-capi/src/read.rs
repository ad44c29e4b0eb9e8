//! Rows and columns of a result.

use std::ffi::c_int;
use std::ptr::null_mut;

use crate::args::put;
use crate::error::{BROKEN, forget, remember};
use crate::fetch::{fetch, no_result};
use crate::guard::guard;
use crate::handle::at;
use crate::result::{Res, State};
use crate::rows::Rows;
use crate::types::{TaosRes, TaosRow};

/// The next row, after a fetch if need be: the address of each value, NULL for NULL. Addresses and lengths stay until
/// the next call. NULL is the end, or an error if `taos_errno(result)` is not 0.
///
/// Text and bytes have no NUL behind them in general: `taos_fetch_lengths` tells where they end. NCHAR and JSON are
/// UTF-8, decimals text that ends with NUL, timestamps 8 bytes in the result's unit.
///
/// # Safety
/// NULL or a result that is alive.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_fetch_row(res: *mut TaosRes) -> TaosRow {
    guard("taos_fetch_row", null_mut(), || {
        // SAFETY: the same duty.
        let Some(result) = (unsafe { at::<Res>(res) }) else {
            remember(no_result());
            return null_mut();
        };
        let mut state = result.state();
        if state
            .block()
            .is_some_and(|block| state.taken < block.nrows())
        {
            return next_row(&mut state);
        }
        drop(state);
        // SAFETY: the same duty.
        unsafe { fetch(res, |state, _| next_row(state)) }.unwrap_or(null_mut())
    })
}

fn next_row(state: &mut State) -> TaosRow {
    let row = state.taken;
    match state.rows() {
        Some(rows) if row < rows.count() => {
            let row = rows.row(row);
            state.taken += 1;
            row
        }
        _ => null_mut(),
    }
}

/// The length of each value of the row that `taos_fetch_row` gave last, 0 for NULL; after `taos_fetch_block` and
/// `taos_fetch_rows_a` the width of each column in storage. NULL if nothing was fetched.
///
/// # Safety
/// NULL or a result that is alive.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_fetch_lengths(res: *mut TaosRes) -> *mut c_int {
    guard("taos_fetch_lengths", null_mut(), || {
        // SAFETY: the same duty.
        unsafe { with_rows(res, null_mut(), Rows::lengths) }
    })
}

/// # Safety
/// NULL or a result that is alive.
unsafe fn with_rows<T>(res: *mut TaosRes, otherwise: T, look: impl FnOnce(&mut Rows) -> T) -> T {
    // SAFETY: the caller's duty.
    let Some(result) = (unsafe { at::<Res>(res) }) else {
        remember(no_result());
        return otherwise;
    };
    let mut state = result.state();
    match state.rows() {
        Some(rows) => look(rows),
        None => otherwise,
    }
}

/// Fetches the next block, with its columns for `rows`; gives the number of rows.
///
/// # Safety
/// NULL or a result that is alive; the place may be written.
unsafe fn fetch_columns(res: *mut TaosRes, rows: *mut TaosRow) -> Result<c_int, c_int> {
    // SAFETY: the caller's duty.
    let fetched = unsafe {
        fetch(res, |state, count| {
            state.taken = count;
            (count, state.rows().map_or(null_mut(), Rows::columns))
        })
    };
    let (count, columns, code) = match fetched {
        Ok((count, columns)) => (count, columns, Ok(())),
        Err(code) => (0, null_mut(), Err(code)),
    };
    // SAFETY: the caller's duty.
    unsafe { put(rows, columns) };
    code.map(|()| c_int::try_from(count).unwrap_or(c_int::MAX))
}

/// Fetches the next block column by column, and gives the number of its rows; 0 is the end, or an error if
/// `taos_errno(result)` is not 0.
///
/// A column of fixed width is the address of its values, one behind the other (decimals: text that ends with NUL,
/// every 64 bytes); `taos_is_null_by_column` tells the NULLs. Of the others `taos_get_column_data_offset` tells where
/// each value begins, with its length in 2 bytes (BLOB: 4) in front. All stays until the next fetch.
///
/// # Safety
/// NULL or a result that is alive; `rows` is NULL or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_fetch_block(res: *mut TaosRes, rows: *mut TaosRow) -> c_int {
    guard("taos_fetch_block", 0, || {
        // SAFETY: the same duty.
        unsafe { fetch_columns(res, rows) }.unwrap_or(0)
    })
}

/// As `taos_fetch_block`, but the number of rows is written to `num_of_rows`, and 0 or an error's code is returned.
///
/// # Safety
/// As `taos_fetch_block`; `num_of_rows` is NULL or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_fetch_block_s(
    res: *mut TaosRes,
    num_of_rows: *mut c_int,
    rows: *mut TaosRow,
) -> c_int {
    guard("taos_fetch_block_s", BROKEN, || {
        // SAFETY: the same duty.
        let (count, code) = match unsafe { fetch_columns(res, rows) } {
            Ok(count) => (count, 0),
            Err(code) => (0, code),
        };
        // SAFETY: the same duty.
        unsafe { put(num_of_rows, count) };
        code
    })
}

/// The place that holds the columns of the block that `taos_fetch_rows_a` reported, as `taos_fetch_block` gives them;
/// NULL if there is none.
///
/// # Safety
/// NULL or a result that is alive.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_result_block(res: *mut TaosRes) -> *mut TaosRow {
    guard("taos_result_block", null_mut(), || {
        // SAFETY: the same duty.
        unsafe { with_rows(res, null_mut(), Rows::place) }
    })
}

/// Where the values of a column of variable width begin, counted from the column's address, -1 for NULL; as many as
/// the block has rows. NULL for other columns.
///
/// # Safety
/// NULL or a result that is alive.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_get_column_data_offset(
    res: *mut TaosRes,
    column_index: c_int,
) -> *mut c_int {
    guard("taos_get_column_data_offset", null_mut(), || {
        let Ok(column) = usize::try_from(column_index) else {
            return null_mut();
        };
        // SAFETY: the same duty.
        unsafe { with_rows(res, null_mut(), |rows| rows.offsets(column)) }
    })
}

/// True if a value of the block that was fetched last is NULL, or is not there.
///
/// # Safety
/// NULL or a result that is alive.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_is_null(res: *mut TaosRes, row: c_int, col: c_int) -> bool {
    guard("taos_is_null", true, || {
        let (Ok(row), Ok(column)) = (usize::try_from(row), usize::try_from(col)) else {
            return true;
        };
        // SAFETY: the same duty.
        unsafe { with_rows(res, true, |rows| rows.is_null(row, column)) }
    })
}

/// Tells the NULLs of a column: `rows` says how much room `result` has, and afterwards how many values were told.
/// Gives 0 or a negative code.
///
/// # Safety
/// NULL or a result that is alive; `result` has room for `*rows` values.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_is_null_by_column(
    res: *mut TaosRes,
    column_index: c_int,
    result: *mut bool,
    rows: *mut c_int,
) -> c_int {
    guard("taos_is_null_by_column", BROKEN, || {
        let column = usize::try_from(column_index);
        if result.is_null() || rows.is_null() {
            return remember(crate::args::invalid(
                "taos_is_null_by_column needs two places to write to",
            ));
        }
        // SAFETY: it is not NULL, and the same duty.
        let room = usize::try_from(unsafe { rows.read_unaligned() }).unwrap_or_default();
        // SAFETY: the same duty.
        let told = unsafe {
            with_rows(res, None, |held| {
                let column = column.ok().filter(|column| *column < held.width())?;
                let told = room.min(held.count());
                for row in 0..told {
                    // SAFETY: there is room for as many.
                    result.add(row).write(held.is_null(row, column));
                }
                c_int::try_from(told).ok()
            })
        };
        let Some(told) = told else {
            return remember(crate::args::invalid(
                "there is no such column, or no block was fetched",
            ));
        };
        // SAFETY: the same duty.
        unsafe { put(rows, told) };
        forget();
        0
    })
}
