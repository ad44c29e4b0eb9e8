//! Blocks as the server sends them, waited for or called back for.

use std::ffi::{c_int, c_void};
use std::ptr::null;

use taos_query::abi::TaosCallback;

use crate::args::{invalid, put};
use crate::error::{BROKEN, Failure, forget, remember};
use crate::guard::guard;
use crate::handle::at;
use crate::result::{Fetched, Res, State, leave};
use crate::runtime::{Param, start, wait};
use crate::types::TaosRes;

pub(crate) fn no_result() -> Failure {
    invalid("the handle is not a result")
}

/// A fetch and the callback after it, for which a result stays; it ends in a panic, too.
struct Turn {
    handle: Param,
    /// Nobody has told [`Res::finish`] of the fetch yet.
    fetching: bool,
}

impl Turn {
    /// # Safety
    /// `handle` is that of the result, which is alive.
    unsafe fn new(result: &Res, handle: Param, fetching: bool) -> Self {
        result.enter();
        Self { handle, fetching }
    }

    fn result(&self) -> Option<&Res> {
        // SAFETY: it is not freed before `leave`.
        unsafe { at::<Res>(self.handle.0) }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if self.fetching
            && let Some(result) = self.result()
        {
            result.abandon();
        }
        // SAFETY: `enter` was called when this was made.
        unsafe { leave(self.handle.0) };
    }
}

/// Waits for the next block and looks at it. The number of rows is 0 at the end. What it says of an error stays with
/// the result and with the thread.
///
/// # Safety
/// NULL or a result that is alive.
pub(crate) unsafe fn fetch<T>(
    handle: *mut TaosRes,
    look: impl FnOnce(&mut State, usize) -> T,
) -> Result<T, c_int> {
    // SAFETY: the caller's duty.
    let result = unsafe { at::<Res>(handle) }.ok_or_else(|| remember(no_result()))?;
    if result.code() != 0 {
        return Err(result.tell());
    }
    let fetch = result.begin().map_err(remember)?;
    // SAFETY: the caller's duty.
    let mut turn = unsafe { Turn::new(result, Param(handle), true) };
    let fetched = wait(fetch);
    turn.fetching = false;
    match result.finish(fetched) {
        Ok(rows) => {
            forget();
            Ok(look(&mut result.state(), rows))
        }
        Err(_) => Err(result.tell()),
    }
}

/// Fetches the next block in the background, looks at it, and reports the number of its rows, 0 for the end, or a
/// negative code.
///
/// # Safety
/// NULL or a result that is alive; `fp` may be called with `param` from any thread.
unsafe fn fetch_a(
    handle: *mut TaosRes,
    fp: Option<TaosCallback>,
    param: *mut c_void,
    look: fn(&mut State, usize),
) {
    let (param, handle) = (Param(param), Param(handle));
    let report = move |code| {
        let (Param(param), Param(handle)) = (param, handle);
        if let Some(fp) = fp {
            // SAFETY: the program's function of this very type, called once with what it gave and the result
            // that it asked about.
            unsafe { fp(param, handle, code) };
        }
    };
    // SAFETY: the caller's duty.
    let Some(result) = (unsafe { at::<Res>(handle.0) }) else {
        let code = remember(no_result());
        start(async {}, move |()| report(code));
        return;
    };
    let fetch = match result.code() {
        0 => result.begin().map_err(remember),
        code => Err(code),
    };
    // SAFETY: the caller's duty.
    let mut turn = unsafe { Turn::new(result, handle, fetch.is_ok()) };
    let done = move |outcome: Result<Fetched, c_int>| {
        turn.fetching = false;
        let Some(result) = turn.result() else {
            return;
        };
        let code = match outcome.and_then(|fetched| result.finish(fetched)) {
            Ok(rows) => {
                look(&mut result.state(), rows);
                c_int::try_from(rows).unwrap_or(c_int::MAX)
            }
            Err(code) => code,
        };
        result.tell();
        report(code);
        // The callback has returned.
        drop(turn);
    };
    match fetch {
        Ok(fetch) => start(fetch, move |fetched| done(Ok(fetched))),
        Err(code) => start(async {}, move |()| done(Err(code))),
    }
}

/// All rows of a block that is handed out whole are taken.
fn all(state: &mut State, rows: usize) {
    state.taken = rows;
}

/// Fetches the next block as the server sent it (raw-block §1): its rows and its address, which stays until the next
/// fetch. 0 rows and NULL are the end. The result says 0 or an error's code.
///
/// # Safety
/// NULL or a result that is alive; the places may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_fetch_raw_block(
    res: *mut TaosRes,
    num_of_rows: *mut c_int,
    data: *mut *mut c_void,
) -> c_int {
    guard("taos_fetch_raw_block", BROKEN, || {
        if num_of_rows.is_null() || data.is_null() {
            return remember(invalid("taos_fetch_raw_block needs two places to write to"));
        }
        // SAFETY: the same duty.
        let fetched = unsafe {
            fetch(res, |state, rows| {
                all(state, rows);
                (rows, raw(state))
            })
        };
        let (rows, block, code) = match fetched {
            Ok((rows, block)) => (rows, block, 0),
            Err(code) => (0, null(), code),
        };
        // SAFETY: the same duty.
        unsafe {
            put(num_of_rows, c_int::try_from(rows).unwrap_or(c_int::MAX));
            put(data, block.cast_mut());
        }
        code
    })
}

/// Fetches the next block and reports to `fp(param, result, rows)`: 0 rows are the end, a negative number is an
/// error's code. The block is then found by `taos_get_raw_block`. The callback may fetch again, wait for other calls,
/// or free the result.
///
/// # Safety
/// NULL or a result that is alive; `fp` may be called from another thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_fetch_raw_block_a(
    res: *mut TaosRes,
    fp: Option<TaosCallback>,
    param: *mut c_void,
) {
    // SAFETY: the same duty.
    guard("taos_fetch_raw_block_a", (), || unsafe {
        fetch_a(res, fp, param, all);
    });
}

/// The block that was fetched last, until the next fetch; NULL if there is none.
///
/// # Safety
/// NULL or a result that is alive.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_get_raw_block(res: *mut TaosRes) -> *const c_void {
    guard("taos_get_raw_block", null(), || {
        // SAFETY: the same duty.
        unsafe { at::<Res>(res) }.map_or(null(), |result| raw(&result.state()))
    })
}

fn raw(state: &State) -> *const c_void {
    state
        .block()
        .map_or(null(), |block| block.as_raw_bytes().as_ptr().cast())
}

/// Fetches the next block and reports as `taos_fetch_raw_block_a`; the rows are then taken by `taos_fetch_row`, as
/// many as were reported, or column by column from `taos_result_block`.
///
/// # Safety
/// NULL or a result that is alive; `fp` may be called from another thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_fetch_rows_a(
    res: *mut TaosRes,
    fp: Option<TaosCallback>,
    param: *mut c_void,
) {
    // SAFETY: the same duty.
    guard("taos_fetch_rows_a", (), || unsafe {
        fetch_a(res, fp, param, |_, _| ());
    });
}
