//! Running SQL, and what is known of a result before its rows.

use std::ffi::{c_char, c_int, c_void};
use std::ptr::null_mut;

use taos_query::AsyncQueryable as _;
use taos_query::abi::{TaosCallback, TaosField, TaosFieldE};

use crate::args::{request_id, text};
use crate::connect::{Conn, no_connection};
use crate::error::{BROKEN, Failure, last};
use crate::guard::guard;
use crate::handle::at;
use crate::result::{self, Res};
use crate::runtime::{Param, caught, start, wait};
use crate::types::{Taos, TaosRes};

/// The work of a statement, which needs the connection's handle no more.
///
/// # Safety
/// `taos` is NULL or a handle that is alive, `sql` NULL or a text.
unsafe fn work(
    taos: *mut Taos,
    sql: *const c_char,
    req_id: i64,
) -> Result<impl Future<Output = Result<Res, Failure>> + Send + use<>, Failure> {
    // SAFETY: the caller's duty.
    let conn = unsafe { at::<Conn>(taos) }.ok_or_else(no_connection)?;
    // SAFETY: the caller's duty.
    let sql = unsafe { text(sql) }?.to_owned();
    let req_id = request_id(req_id);
    let (taos, stop) = (conn.taos(), conn.stop());
    let query = async move { taos.query_with_req_id(sql, req_id).await };
    let query = stop.unless_stopped(query);
    Ok(async move {
        let result = query.await??;
        Ok(Res::rows(result, stop))
    })
}

/// As [`work`].
unsafe fn run(taos: *mut Taos, sql: *const c_char, req_id: i64) -> *mut TaosRes {
    // SAFETY: the caller's duty.
    unsafe { work(taos, sql, req_id) }
        .and_then(wait)
        .unwrap_or_else(Res::failed)
        .into_handle()
}

/// As [`work`]; `fp` may be called with `param` from any thread.
unsafe fn run_a(
    taos: *mut Taos,
    sql: *const c_char,
    fp: Option<TaosCallback>,
    param: *mut c_void,
    req_id: i64,
) {
    let param = Param(param);
    // SAFETY: the caller's duty.
    let work = unsafe { work(taos, sql, req_id) };
    let work = async move {
        match work {
            Ok(work) => caught(work).await,
            Err(failure) => Err(failure),
        }
    };
    start(work, move |outcome| {
        let result = outcome.unwrap_or_else(Res::failed);
        let Some(fp) = fp else {
            return;
        };
        let code = result.code();
        let handle = result.into_handle();
        let Param(param) = { param };
        // SAFETY: the program's function of this very type, called once with what it gave and a result that is
        // its own from now on.
        unsafe { fp(param, handle, code) };
    });
}

/// Runs a statement and waits for it. The result is never NULL, also after an error: ask `taos_errno(result)`, and
/// free it with `taos_free_result`.
///
/// # Safety
/// `taos` is NULL or a connection that is not closed meanwhile, `sql` NULL or NUL-terminated text in UTF-8.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_query(taos: *mut Taos, sql: *const c_char) -> *mut TaosRes {
    // SAFETY: the same duty.
    guard("taos_query", null_mut(), || unsafe { run(taos, sql, 0) })
}

/// As `taos_query`, with a request id that shows in the server's logs; 0 lets the library make one.
///
/// # Safety
/// As `taos_query`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_query_with_reqid(
    taos: *mut Taos,
    sql: *const c_char,
    req_id: i64,
) -> *mut TaosRes {
    guard("taos_query_with_reqid", null_mut(), || {
        // SAFETY: the same duty.
        unsafe { run(taos, sql, req_id) }
    })
}

/// Runs a statement and reports to `fp(param, result, code)` on a thread of the library that may block. The SQL is
/// copied. The result is never NULL and belongs to the callback; the code is 0 or negative.
///
/// # Safety
/// As `taos_query`; `fp` may be called from another thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_query_a(
    taos: *mut Taos,
    sql: *const c_char,
    fp: Option<TaosCallback>,
    param: *mut c_void,
) {
    // SAFETY: the same duty.
    guard("taos_query_a", (), || unsafe {
        run_a(taos, sql, fp, param, 0);
    });
}

/// As `taos_query_a`, with a request id as in `taos_query_with_reqid`.
///
/// # Safety
/// As `taos_query_a`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_query_a_with_reqid(
    taos: *mut Taos,
    sql: *const c_char,
    fp: Option<TaosCallback>,
    param: *mut c_void,
    req_id: i64,
) {
    // SAFETY: the same duty.
    guard("taos_query_a_with_reqid", (), || unsafe {
        run_a(taos, sql, fp, param, req_id);
    });
}

/// The code of a result's error, negative, or 0; of NULL that of the last call on this thread.
///
/// # Safety
/// NULL or a result that is alive.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_errno(res: *mut TaosRes) -> c_int {
    guard("taos_errno", BROKEN, || {
        // SAFETY: the same duty.
        match unsafe { at::<Res>(res) } {
            Some(result) => result.code(),
            None => last(Failure::code),
        }
    })
}

/// The text of a result's error, which lives as long as the result; of NULL that of the last call on this thread,
/// until the next call on it. "success" if there is none.
///
/// # Safety
/// NULL or a result that is alive.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_errstr(res: *mut TaosRes) -> *const c_char {
    guard("taos_errstr", c"internal error".as_ptr(), || {
        // SAFETY: the same duty.
        match unsafe { at::<Res>(res) } {
            Some(result) => result.failure().map_or(c"success", Failure::text).as_ptr(),
            None => last(|failure| failure.text().as_ptr()),
        }
    })
}

/// Asks a result for something that is there without waiting.
///
/// # Safety
/// NULL or a result that is alive.
unsafe fn ask<T>(
    name: &str,
    res: *mut TaosRes,
    otherwise: T,
    answer: impl FnOnce(&Res) -> Option<T>,
) -> T
where
    T: Copy,
{
    guard(name, otherwise, || {
        // SAFETY: the same duty.
        unsafe { at::<Res>(res) }
            .and_then(answer)
            .unwrap_or(otherwise)
    })
}

/// The number of columns, 0 for a write and for NULL. Of a message those of its present block.
///
/// # Safety
/// NULL or a result that is alive.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_field_count(res: *mut TaosRes) -> c_int {
    // SAFETY: the same duty.
    unsafe { ask("taos_field_count", res, 0, |res| Some(res.fields()?.2)) }
}

/// As `taos_field_count`.
///
/// # Safety
/// NULL or a result that is alive.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_num_fields(res: *mut TaosRes) -> c_int {
    // SAFETY: the same duty.
    unsafe { ask("taos_num_fields", res, 0, |res| Some(res.fields()?.2)) }
}

/// The columns, `taos_field_count` of them, which live as long as the result (of a message until its next block);
/// NULL if there are none. `bytes` counts characters of NCHAR and bytes of every other type.
///
/// # Safety
/// NULL or a result that is alive.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_fetch_fields(res: *mut TaosRes) -> *mut TaosField {
    // SAFETY: the same duty.
    unsafe {
        ask("taos_fetch_fields", res, null_mut(), |res| {
            Some(res.fields()?.0)
        })
    }
}

/// As `taos_fetch_fields`, with the digits of decimals and the unit of timestamps.
///
/// # Safety
/// NULL or a result that is alive.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_fetch_fields_e(res: *mut TaosRes) -> *mut TaosFieldE {
    // SAFETY: the same duty.
    unsafe {
        ask("taos_fetch_fields_e", res, null_mut(), |res| {
            Some(res.fields()?.1)
        })
    }
}

/// The number of rows that a write changed; `INT_MAX` for more.
///
/// # Safety
/// NULL or a result that is alive.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_affected_rows(res: *mut TaosRes) -> c_int {
    // SAFETY: the same duty.
    unsafe {
        ask("taos_affected_rows", res, 0, |res| {
            Some(c_int::try_from(res.affected_rows()).unwrap_or(c_int::MAX))
        })
    }
}

/// The number of rows that a write changed.
///
/// # Safety
/// NULL or a result that is alive.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_affected_rows64(res: *mut TaosRes) -> i64 {
    // SAFETY: the same duty.
    unsafe {
        ask("taos_affected_rows64", res, 0, |res| {
            Some(res.affected_rows())
        })
    }
}

/// The unit of the timestamps: 0 ms, 1 µs, 2 ns.
///
/// # Safety
/// NULL or a result that is alive.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_result_precision(res: *mut TaosRes) -> c_int {
    // SAFETY: the same duty.
    unsafe {
        ask("taos_result_precision", res, 0, |res| {
            Some(c_int::from(res.precision().as_u8()))
        })
    }
}

/// True for a result without columns, and for NULL.
///
/// # Safety
/// NULL or a result that is alive.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_is_update_query(res: *mut TaosRes) -> bool {
    // SAFETY: the same duty.
    unsafe {
        ask("taos_is_update_query", res, true, |res| {
            Some(res.is_update())
        })
    }
}

/// Gives the rest of a result up: a fetch that is under way ends with 0x8000022D, as do those after it. The result
/// must still be freed.
///
/// # Safety
/// NULL or a result that is alive.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_stop_query(res: *mut TaosRes) {
    // SAFETY: the same duty.
    unsafe {
        ask("taos_stop_query", res, (), |res| {
            res.stop();
            Some(())
        });
    }
}

/// Frees a result or a message; NULL is fine. While a fetch of it is under way, or from within a callback about it,
/// it only stops the fetch, and the memory goes when the last callback has returned. The result of a statement
/// belongs to the statement and stays.
///
/// # Safety
/// NULL, or a result that was not freed; nothing that was lent by it may be used any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_free_result(res: *mut TaosRes) {
    // SAFETY: the same duty.
    guard("taos_free_result", (), || unsafe { result::free(res) });
}
