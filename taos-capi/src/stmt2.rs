//! Prepared statements of the second generation: `taos_stmt2_*` (native-ffi §6.2).
//!
//! Every function but those that say otherwise gives 0, or an error code whose words `taos_stmt2_error` has. A
//! statement that failed stays failed until it is prepared anew.

mod bind;
mod state;

use std::ffi::{c_char, c_int, c_void};
use std::ptr;
use std::sync::Arc;

use taos_query::abi::{SqlLen, TaosCallback, TaosFieldAll, TaosStmt2Bindv, TaosStmt2Option};
use taos_query::{RawResult, Stmt2AsyncBindable as _};
use taos_ws::Stmt2;

use crate::args::{copy_name, one, request_id};
use crate::binds::{free_array, give_array};
use crate::connect::Conn;
use crate::error::{BROKEN, Failure, coded, forget, remember};
use crate::guard::guard;
use crate::handle::{Object, at, give, take};
use crate::result::Res;
use crate::runtime::{Param, caught, start, wait};
use crate::statement::{OwnedResult, connection, count, no_statement, out, out_of_order, sql_text};
use crate::types::{Taos, TaosRes, TaosStmt2};

use state::{Report, Shared, State};

/// A statement of the second generation. An execution in the background shares it.
struct Statement(Arc<Shared>);

impl Object for Statement {
    const KIND: u64 = u64::from_be_bytes(*b"taosstm2");
}

/// Does something with a statement once no execution in the background holds it; one that failed is left alone.
///
/// # Safety
/// As [`at`].
unsafe fn with(
    name: &str,
    stmt: *mut TaosStmt2,
    work: impl FnOnce(&mut State) -> RawResult<()>,
) -> c_int {
    guard(name, BROKEN, || {
        // SAFETY: as the caller says.
        let Some(statement) = (unsafe { at::<Statement>(stmt) }) else {
            return remember(no_statement());
        };
        let mut state = statement.0.idle();
        if state.failed {
            return remember(state.error.clone());
        }
        settle(&mut state, work)
    })
}

/// Does it, and keeps the error if there is one.
fn settle(state: &mut State, work: impl FnOnce(&mut State) -> RawResult<()>) -> c_int {
    match work(state) {
        Ok(()) => {
            state.error = Failure::default();
            forget();
            0
        }
        Err(error) => {
            state.error = Failure::from(error);
            remember(state.error.clone())
        }
    }
}

/// As [`with`], where an error is the end of it until the statement is prepared anew.
///
/// # Safety
/// As [`at`].
unsafe fn step(
    name: &str,
    stmt: *mut TaosStmt2,
    work: impl FnOnce(&mut State) -> RawResult<()>,
) -> c_int {
    // SAFETY: as the caller says.
    unsafe {
        with(name, stmt, |state| {
            let outcome = work(state);
            state.failed = outcome.is_err();
            outcome
        })
    }
}

fn open(conn: &Conn, option: Option<&TaosStmt2Option>) -> RawResult<Stmt2> {
    let mut stmt = Stmt2::new(&conn.taos());
    let id = option.map_or(0, |option| option.reqid);
    let single = option.is_some_and(|option| option.singleStbInsert);
    let once = option.is_some_and(|option| option.singleTableBindOnce);
    let opening = stmt.init_with_options(request_id(id), single, once);
    wait(conn.kill.unless_killed(opening))?;
    Ok(stmt)
}

/// Makes a statement, to be closed by `taos_stmt2_close`. NULL is an error, which `taos_errno(NULL)` tells.
///
/// # Safety
/// `taos` is NULL or a connection that is open; `option` is NULL or leads to options.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_stmt2_init(
    taos: *mut Taos,
    option: *mut TaosStmt2Option,
) -> *mut TaosStmt2 {
    guard("taos_stmt2_init", ptr::null_mut(), || {
        // SAFETY: as the caller says.
        let (conn, option) = unsafe { (connection(taos), one(option)) };
        match conn.and_then(|conn| Ok((conn, open(conn, option.as_ref())?))) {
            Ok((conn, stmt)) => {
                forget();
                let report = option.and_then(|option| {
                    let call = option.asyncExecFn?;
                    let param = Param(option.userdata);
                    Some(Report { call, param })
                });
                give(Statement(Arc::new(Shared::new(
                    stmt,
                    conn.kill.clone(),
                    report,
                ))))
            }
            Err(failure) => {
                remember(failure);
                ptr::null_mut()
            }
        }
    })
}

/// Prepares an INSERT or SELECT of `length` bytes; 0 means that it ends with NUL. What was bound is forgotten,
/// and so is an error.
///
/// # Safety
/// `stmt` is NULL or a statement that is open and that nobody else uses meanwhile; `sql` is NULL or a text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_stmt2_prepare(
    stmt: *mut TaosStmt2,
    sql: *const c_char,
    length: SqlLen,
) -> c_int {
    guard("taos_stmt2_prepare", BROKEN, || {
        // SAFETY: as the caller says.
        let Some(statement) = (unsafe { at::<Statement>(stmt) }) else {
            return remember(no_statement());
        };
        let mut state = statement.0.idle();
        settle(&mut state, |state| {
            // SAFETY: as the caller says.
            let sql = unsafe { sql_text(sql, length) };
            let prepared = sql.and_then(|sql| state.prepare(sql));
            state.failed = prepared.is_err();
            prepared
        })
    })
}

/// Binds the data of any number of tables; of one column only, counted from 0, unless `col_idx` is -1.
/// Everything is copied.
///
/// # Safety
/// As `taos_stmt2_prepare`; `bindv` is NULL or leads to arrays as long as it and the statement say, with as much
/// memory behind their pointers as their numbers say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_stmt2_bind_param(
    stmt: *mut TaosStmt2,
    bindv: *mut TaosStmt2Bindv,
    col_idx: i32,
) -> c_int {
    // SAFETY: as the caller says.
    unsafe {
        step("taos_stmt2_bind_param", stmt, |state| {
            bind::bind(state, bindv, col_idx)
        })
    }
}

/// As `taos_stmt2_bind_param`; the outcome is reported to `fp`, with `param` and no result, on a thread of the
/// library. An error code that is returned is not reported.
///
/// # Safety
/// As `taos_stmt2_bind_param`; `fp` may be called from another thread with `param`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_stmt2_bind_param_a(
    stmt: *mut TaosStmt2,
    bindv: *mut TaosStmt2Bindv,
    col_idx: i32,
    fp: Option<TaosCallback>,
    param: *mut c_void,
) -> c_int {
    const NAME: &str = "taos_stmt2_bind_param_a";
    let Some(fp) = fp else {
        return guard(NAME, BROKEN, || {
            remember(crate::args::invalid(
                "`fp` is NULL: there is nobody to report to",
            ))
        });
    };
    guard(NAME, BROKEN, || {
        // SAFETY: as the caller says.
        if unsafe { at::<Statement>(stmt) }.is_none() {
            return remember(no_statement());
        }
        // SAFETY: as the caller says.
        let code = unsafe { step(NAME, stmt, |state| bind::bind(state, bindv, col_idx)) };
        let param = Param(param);
        start(async move { code }, move |code| {
            let param = param;
            // SAFETY: the program said that it may be called so.
            unsafe { fp(param.0, ptr::null_mut(), code) };
        });
        forget();
        0
    })
}

/// Runs the statement with what was bound.
///
/// With an `asyncExecFn` it comes back at once, and the outcome is reported to that on a thread of the library:
/// the result belongs to the statement. One execution may be under way at a time. Otherwise it waits, and tells
/// the rows changed.
///
/// # Safety
/// As `taos_stmt2_prepare`; `affected_rows` is NULL or leads to room for a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_stmt2_exec(stmt: *mut TaosStmt2, affected_rows: *mut c_int) -> c_int {
    const NAME: &str = "taos_stmt2_exec";
    guard(NAME, BROKEN, || {
        // SAFETY: as the caller says.
        let Some(statement) = (unsafe { at::<Statement>(stmt) }) else {
            return remember(no_statement());
        };
        if let Some(report) = statement.0.report {
            return coded(execute_behind(&statement.0, report));
        }
        // SAFETY: as the caller says.
        unsafe {
            step(NAME, stmt, |state| {
                let rows = state.execute()?;
                crate::args::put(affected_rows, count(rows));
                Ok(())
            })
        }
    })
}

/// Lets the statement be executed by the runtime, which has it alone until then.
fn execute_behind(shared: &Arc<Shared>, report: Report) -> Result<(), Failure> {
    let mut state = shared.lock();
    if state.failed {
        return Err(state.error.clone());
    }
    if let Err(error) = state.complete() {
        state.failed = true;
        state.error = Failure::from(error);
        return Err(state.error.clone());
    }
    let Some(mut stmt) = state.stmt.take() else {
        let error = if state.lost() {
            out_of_order("the statement was lost in a panic: close it")
        } else {
            out_of_order("an execution of this statement is under way: wait for its callback")
        };
        state.error = Failure::from(error);
        return Err(state.error.clone());
    };
    state.error = Failure::default();
    state.result = OwnedResult::none();
    let stop = state.kill.stop();
    let killed = state.kill.clone();
    drop(state);
    let work = async move {
        let executing = killed.unless_killed(async {
            let rows = stmt.exec().await?;
            let rows_too = stmt.is_insert() == Some(false);
            let set = if rows_too {
                Some(stmt.result_set().await?)
            } else {
                None
            };
            Ok((rows, set))
        });
        let outcome = executing.await;
        Ok((stmt, outcome))
    };
    let shared = Arc::clone(shared);
    start(caught(work), move |outcome| {
        // Whole, as its parts may not go to other threads.
        let Report { call, param } = report;
        let (stmt, outcome) = match outcome {
            Ok((stmt, outcome)) => (Some(stmt), outcome.map_err(Failure::from)),
            Err(failure) => (None, Err(failure)),
        };
        let (result, failure) = match outcome {
            Ok((_, Some(set))) => (Res::rows(set, stop), None),
            Ok((rows, None)) => (Res::affected(i64::try_from(rows).unwrap_or(i64::MAX)), None),
            Err(failure) => (Res::failed(failure.clone()), Some(failure)),
        };
        let code = failure.as_ref().map_or(0, Failure::code);
        let result = shared.finish(stmt, OwnedResult::new(result), failure);
        // SAFETY: the program said that it may be called so; a result stays until the next execution.
        unsafe { call(param.0, result, code) };
        shared.reported();
    });
    Ok(())
}

/// Closes the statement and frees its result, once an execution under way has been reported.
///
/// # Safety
/// `stmt` is NULL or a statement that is open; it is worth nothing afterwards.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_stmt2_close(stmt: *mut TaosStmt2) -> c_int {
    guard("taos_stmt2_close", BROKEN, || {
        // SAFETY: as the caller says.
        match unsafe { take::<Statement>(stmt) } {
            Some(statement) => {
                statement.0.close();
                forget();
                0
            }
            None => remember(no_statement()),
        }
    })
}

/// 1 for an INSERT, else 0.
///
/// # Safety
/// As `taos_stmt2_prepare`; `insert` is NULL or leads to room for a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_stmt2_is_insert(stmt: *mut TaosStmt2, insert: *mut c_int) -> c_int {
    // SAFETY: as the caller says.
    unsafe {
        with("taos_stmt2_is_insert", stmt, |state| {
            let insert = out(insert, "insert")?;
            insert.put(c_int::from(state.is_insert()?));
            Ok(())
        })
    }
}

/// What the placeholders stand for, to be freed by `taos_stmt2_free_fields`; of a query their number only.
/// `bytes` is the storage width.
///
/// # Safety
/// As `taos_stmt2_prepare`; `count` and `fields` are NULL or lead to room for a number and a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_stmt2_get_fields(
    stmt: *mut TaosStmt2,
    count: *mut c_int,
    fields: *mut *mut TaosFieldAll,
) -> c_int {
    // SAFETY: as the caller says.
    unsafe {
        with("taos_stmt2_get_fields", stmt, |state| {
            let count = out(count, "count")?;
            if state.is_insert()? {
                let described = described(state)?;
                crate::args::put(fields, give_array(&described)?);
                count.put(crate::statement::count(described.len()));
            } else {
                let parameters = state.stmt()?.fields_count().unwrap_or_default();
                count.put(crate::statement::count(parameters));
                crate::args::put(fields, ptr::null_mut());
            }
            Ok(())
        })
    }
}

fn described(state: &State) -> RawResult<Vec<TaosFieldAll>> {
    let stmt = state.stmt.as_ref();
    let fields = stmt.and_then(|stmt| stmt.fields()).ok_or_else(|| {
        out_of_order("the placeholders depend on the table, and none was bound yet")
    })?;
    let described = fields.iter().map(|field| TaosFieldAll {
        name: copy_name(&field.name),
        r#type: field.field_type,
        precision: field.precision,
        scale: field.scale,
        bytes: field.bytes,
        field_type: field.bind_type.into(),
    });
    Ok(described.collect())
}

/// Frees what `taos_stmt2_get_fields` gave.
///
/// # Safety
/// `fields` is NULL or comes from there and was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_stmt2_free_fields(_stmt: *mut TaosStmt2, fields: *mut TaosFieldAll) {
    // SAFETY: as the caller says.
    guard("taos_stmt2_free_fields", (), || unsafe {
        free_array(fields.cast());
    });
}

/// The rows of an executed query. They belong to the statement until it is closed, prepared or executed again:
/// do not free them. NULL is an error.
///
/// # Safety
/// As `taos_stmt2_prepare`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_stmt2_result(stmt: *mut TaosStmt2) -> *mut TaosRes {
    let mut result = ptr::null_mut();
    let work = |state: &mut State| {
        if state.result.pointer().is_null() {
            let kill = state.kill.clone();
            let rows = wait(kill.unless_killed(state.stmt()?.result_set()))?;
            state.result = OwnedResult::new(Res::rows(rows, kill.stop()));
        }
        result = state.result.pointer();
        Ok(())
    };
    // SAFETY: as the caller says.
    unsafe { with("taos_stmt2_result", stmt, work) };
    result
}

/// The words of the last error. They belong to the statement until its next call.
///
/// # Safety
/// As `taos_stmt2_prepare`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_stmt2_error(stmt: *mut TaosStmt2) -> *mut c_char {
    guard("taos_stmt2_error", ptr::null_mut(), || {
        // SAFETY: as the caller says.
        match unsafe { at::<Statement>(stmt) } {
            Some(statement) => statement.0.lock().error.text().as_ptr().cast_mut(),
            None => crate::error::last(|failure| failure.text().as_ptr().cast_mut()),
        }
    })
}
