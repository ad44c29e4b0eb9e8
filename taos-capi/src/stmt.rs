//! Prepared statements of the first generation: `taos_stmt_*` (native-ffi §6.1).
//!
//! Every function but those that say otherwise gives 0, or an error code whose words `taos_stmt_errstr` has. A
//! statement that failed stays failed, as in the native library: close it and make another.

mod state;

use std::ffi::{c_char, c_int, c_void};
use std::ptr;

use taos_query::abi::{SqlLen, TaosFieldE, TaosMultiBind, TaosStmtOptions};
use taos_query::stmt::StmtField;
use taos_query::{AsyncBindable as _, RawResult};
use taos_ws::Stmt;

use crate::args::{copy_name, one, request_id};
use crate::binds::{free_array, give_array, wrong};
use crate::error::{BROKEN, Failure, coded, forget, remember};
use crate::guard::guard;
use crate::handle::{at_mut, give, take};
use crate::runtime::wait;
use crate::statement::{connection, count, no_statement, out, sql_text, table_name};
use crate::types::{Taos, TaosRes, TaosStmt};

use state::Statement;

/// Takes a step with a statement; one that fails is the last.
///
/// # Safety
/// As [`at_mut`].
unsafe fn step(
    name: &str,
    pointer: *mut c_void,
    work: impl FnOnce(&mut Statement) -> RawResult<()>,
) -> c_int {
    // SAFETY: as the caller says.
    unsafe {
        ask(name, pointer, |statement| {
            // Also what comes to a panic.
            statement.failed = true;
            work(statement)?;
            statement.failed = false;
            statement.error = Failure::default();
            Ok(())
        })
    }
}

/// Asks a statement for something, which does no harm if it fails.
///
/// # Safety
/// As [`at_mut`].
unsafe fn ask(
    name: &str,
    pointer: *mut c_void,
    work: impl FnOnce(&mut Statement) -> RawResult<()>,
) -> c_int {
    guard(name, BROKEN, || {
        // SAFETY: as the caller says.
        let Some(statement) = (unsafe { at_mut::<Statement>(pointer) }) else {
            return remember(no_statement());
        };
        if statement.failed {
            return remember(statement.error.clone());
        }
        // For a panic, which leaves no other words.
        statement.error = Failure::broken();
        let outcome = work(statement).map_err(Failure::from);
        statement.error = outcome.as_ref().err().cloned().unwrap_or_default();
        coded(outcome)
    })
}

/// # Safety
/// As [`connection`].
unsafe fn open(name: &str, taos: *mut Taos, id: i64) -> *mut c_void {
    guard(name, ptr::null_mut(), || {
        // SAFETY: as the caller says.
        let opened = unsafe { connection(taos) }.and_then(|conn| {
            let taos = conn.taos();
            let opening = Stmt::init_with_req_id(&taos, request_id(id));
            let stmt = wait(conn.kill.unless_killed(opening))?;
            Ok(Statement::new(stmt, conn.kill.clone()))
        });
        match opened {
            Ok(stmt) => {
                forget();
                give(stmt)
            }
            Err(failure) => {
                remember(failure);
                ptr::null_mut()
            }
        }
    })
}

/// Makes a statement, to be closed by `taos_stmt_close`. NULL is an error, which `taos_errno(NULL)` tells.
///
/// # Safety
/// `taos` is NULL or a handle that is open.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_stmt_init(taos: *mut Taos) -> *mut TaosStmt {
    // SAFETY: as the caller says.
    unsafe { open("taos_stmt_init", taos, 0) }
}

/// As `taos_stmt_init`, with a request id that shows in the server's logs; 0 lets one be made.
///
/// # Safety
/// As `taos_stmt_init`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_stmt_init_with_reqid(taos: *mut Taos, reqid: i64) -> *mut TaosStmt {
    // SAFETY: as the caller says.
    unsafe { open("taos_stmt_init_with_reqid", taos, reqid) }
}

/// As `taos_stmt_init_with_reqid`. What else the options say makes the native library faster, and nothing here.
///
/// # Safety
/// As `taos_stmt_init`; `options` is NULL or leads to the options.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_stmt_init_with_options(
    taos: *mut Taos,
    options: *mut TaosStmtOptions,
) -> *mut TaosStmt {
    // SAFETY: as the caller says.
    let id = unsafe { one(options) }.map_or(0, |options| options.reqId);
    // SAFETY: as the caller says.
    unsafe { open("taos_stmt_init_with_options", taos, id) }
}

/// Prepares an INSERT or SELECT of `length` bytes; 0 means that it ends with NUL.
///
/// # Safety
/// `stmt` is NULL or a statement that is open and that nobody else uses meanwhile; `sql` is NULL or a text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_stmt_prepare(
    stmt: *mut TaosStmt,
    sql: *const c_char,
    length: SqlLen,
) -> c_int {
    // SAFETY: as the caller says.
    unsafe {
        step("taos_stmt_prepare", stmt, |statement| {
            statement.prepare(sql_text(sql, length)?)
        })
    }
}

/// Says which table the following columns go to.
///
/// # Safety
/// As `taos_stmt_prepare`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_stmt_set_tbname(stmt: *mut TaosStmt, name: *const c_char) -> c_int {
    // SAFETY: as the caller says.
    unsafe {
        step("taos_stmt_set_tbname", stmt, |statement| {
            statement.set_table(table_name(name)?)
        })
    }
}

/// As `taos_stmt_set_tbname`.
///
/// # Safety
/// As `taos_stmt_prepare`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_stmt_set_sub_tbname(
    stmt: *mut TaosStmt,
    name: *const c_char,
) -> c_int {
    // SAFETY: as the caller says.
    unsafe {
        step("taos_stmt_set_sub_tbname", stmt, |statement| {
            statement.set_table(table_name(name)?)
        })
    }
}

/// Gives the tags of the table, one bind a placeholder.
///
/// # Safety
/// As `taos_stmt_prepare`; `tags` is NULL or leads to as many binds as there are placeholders, each with as much
/// memory behind its pointers as its numbers say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_stmt_set_tags(
    stmt: *mut TaosStmt,
    tags: *mut TaosMultiBind,
) -> c_int {
    // SAFETY: as the caller says.
    unsafe {
        step("taos_stmt_set_tags", stmt, |statement| {
            statement.set_tags(tags)
        })
    }
}

/// `taos_stmt_set_tbname` and `taos_stmt_set_tags` in one call.
///
/// # Safety
/// As those.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_stmt_set_tbname_tags(
    stmt: *mut TaosStmt,
    name: *const c_char,
    tags: *mut TaosMultiBind,
) -> c_int {
    // SAFETY: as the caller says.
    unsafe {
        step("taos_stmt_set_tbname_tags", stmt, |statement| {
            statement.set_table(table_name(name)?)?;
            statement.set_tags(tags)
        })
    }
}

fn described(field: &StmtField) -> TaosFieldE {
    TaosFieldE {
        name: copy_name(&field.name),
        r#type: field.field_type,
        precision: field.precision,
        scale: field.scale,
        bytes: field.bytes,
    }
}

/// # Safety
/// As `taos_stmt_get_col_fields`.
unsafe fn give_fields(
    name: &str,
    stmt: *mut TaosStmt,
    tags: bool,
    (num, fields): (*mut c_int, *mut *mut TaosFieldE),
) -> c_int {
    let work = |statement: &mut Statement| {
        // SAFETY: as the caller says.
        let (num, fields) = unsafe { (out(num, "fieldNum")?, out(fields, "fields")?) };
        let told = if tags {
            let asking = statement.stmt.stmt_get_tag_fields();
            wait(statement.kill.unless_killed(asking))?
        } else {
            let asking = statement.stmt.stmt_get_col_fields();
            wait(statement.kill.unless_killed(asking))?
        };
        let described: Vec<TaosFieldE> = told.iter().map(described).collect();
        fields.put(give_array(&described)?);
        num.put(count(described.len()));
        Ok(())
    };
    // SAFETY: as the caller says.
    unsafe { ask(name, stmt, work) }
}

/// The tags that are to be bound, to be freed by `taos_stmt_reclaim_fields`. `bytes` is the storage width.
///
/// # Safety
/// As `taos_stmt_get_col_fields`.
#[unsafe(no_mangle)]
#[allow(non_snake_case, reason = "parameters have their names in C")]
pub unsafe extern "C" fn taos_stmt_get_tag_fields(
    stmt: *mut TaosStmt,
    fieldNum: *mut c_int,
    fields: *mut *mut TaosFieldE,
) -> c_int {
    let to = (fieldNum, fields);
    // SAFETY: as the caller says.
    unsafe { give_fields("taos_stmt_get_tag_fields", stmt, true, to) }
}

/// The columns that are to be bound, to be freed by `taos_stmt_reclaim_fields`. `bytes` is the storage width.
///
/// # Safety
/// As `taos_stmt_prepare`; the others are NULL or lead to room for a number and a pointer.
#[unsafe(no_mangle)]
#[allow(non_snake_case, reason = "parameters have their names in C")]
pub unsafe extern "C" fn taos_stmt_get_col_fields(
    stmt: *mut TaosStmt,
    fieldNum: *mut c_int,
    fields: *mut *mut TaosFieldE,
) -> c_int {
    let to = (fieldNum, fields);
    // SAFETY: as the caller says.
    unsafe { give_fields("taos_stmt_get_col_fields", stmt, false, to) }
}

/// Frees what `taos_stmt_get_tag_fields` or `taos_stmt_get_col_fields` gave.
///
/// # Safety
/// `fields` is NULL or comes from one of them and was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_stmt_reclaim_fields(_stmt: *mut TaosStmt, fields: *mut TaosFieldE) {
    // SAFETY: as the caller says.
    guard("taos_stmt_reclaim_fields", (), || unsafe {
        free_array(fields.cast());
    });
}

/// 1 for an INSERT, else 0.
///
/// # Safety
/// As `taos_stmt_prepare`; `insert` is NULL or leads to room for a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_stmt_is_insert(stmt: *mut TaosStmt, insert: *mut c_int) -> c_int {
    // SAFETY: as the caller says.
    unsafe {
        ask("taos_stmt_is_insert", stmt, |statement| {
            let insert = out(insert, "insert")?;
            insert.put(c_int::from(statement.is_insert()?));
            Ok(())
        })
    }
}

/// The number of values of a row: columns of an INSERT, parameters of a query.
///
/// # Safety
/// As `taos_stmt_prepare`; `nums` is NULL or leads to room for a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_stmt_num_params(stmt: *mut TaosStmt, nums: *mut c_int) -> c_int {
    // SAFETY: as the caller says.
    unsafe {
        ask("taos_stmt_num_params", stmt, |statement| {
            let nums = out(nums, "nums")?;
            nums.put(count(wait(
                statement
                    .kill
                    .unless_killed(statement.stmt.stmt_num_params()),
            )?));
            Ok(())
        })
    }
}

/// Type and storage width of a column, counted from 0. Parameters of a query take any type, which is an error.
///
/// # Safety
/// As `taos_stmt_prepare`; `type` and `bytes` are NULL or lead to room for a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_stmt_get_param(
    stmt: *mut TaosStmt,
    idx: c_int,
    r#type: *mut c_int,
    bytes: *mut c_int,
) -> c_int {
    // SAFETY: as the caller says.
    unsafe {
        ask("taos_stmt_get_param", stmt, |statement| {
            let (ty, bytes) = (out(r#type, "type")?, out(bytes, "bytes")?);
            let param = wait(
                statement
                    .kill
                    .unless_killed(statement.stmt.stmt_get_param(idx.into())),
            )?;
            ty.put(c_int::from(param.data_type.as_u8()));
            bytes.put(c_int::try_from(param.length).unwrap_or(c_int::MAX));
            Ok(())
        })
    }
}

/// Binds one row, or the parameters of a query. Everything is copied.
///
/// # Safety
/// As `taos_stmt_bind_param_batch`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_stmt_bind_param(
    stmt: *mut TaosStmt,
    bind: *mut TaosMultiBind,
) -> c_int {
    // SAFETY: as the caller says.
    unsafe {
        step("taos_stmt_bind_param", stmt, |statement| {
            statement.bind(bind, true)
        })
    }
}

/// Binds up to 32,767 rows. Everything is copied.
///
/// # Safety
/// As `taos_stmt_prepare`; `bind` is NULL or leads to as many binds as there are columns, each with as much
/// memory behind its pointers as its numbers say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_stmt_bind_param_batch(
    stmt: *mut TaosStmt,
    bind: *mut TaosMultiBind,
) -> c_int {
    // SAFETY: as the caller says.
    unsafe {
        step("taos_stmt_bind_param_batch", stmt, |statement| {
            statement.bind(bind, false)
        })
    }
}

/// Binds the rows of one column, counted from 0; they count once all columns are bound.
///
/// # Safety
/// As `taos_stmt_bind_param_batch`, with one bind.
#[unsafe(no_mangle)]
#[allow(non_snake_case, reason = "parameters have their names in C")]
pub unsafe extern "C" fn taos_stmt_bind_single_param_batch(
    stmt: *mut TaosStmt,
    bind: *mut TaosMultiBind,
    colIdx: c_int,
) -> c_int {
    // SAFETY: as the caller says.
    unsafe {
        step("taos_stmt_bind_single_param_batch", stmt, |statement| {
            let bind = one(bind).ok_or_else(|| wrong("`bind` is NULL"))?;
            statement.bind_single(&bind, colIdx)
        })
    }
}

/// Closes the batch of the table.
///
/// # Safety
/// As `taos_stmt_prepare`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_stmt_add_batch(stmt: *mut TaosStmt) -> c_int {
    // SAFETY: as the caller says.
    unsafe { step("taos_stmt_add_batch", stmt, Statement::add_batch) }
}

/// Sends all batches, or runs the query.
///
/// # Safety
/// As `taos_stmt_prepare`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_stmt_execute(stmt: *mut TaosStmt) -> c_int {
    // SAFETY: as the caller says.
    unsafe { step("taos_stmt_execute", stmt, Statement::execute) }
}

/// The rows of an executed query. They belong to the statement until it is closed, prepared or executed again:
/// do not free them. NULL is an error.
///
/// # Safety
/// As `taos_stmt_prepare`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_stmt_use_result(stmt: *mut TaosStmt) -> *mut TaosRes {
    let mut result = ptr::null_mut();
    let work = |statement: &mut Statement| {
        result = statement.use_result()?;
        Ok(())
    };
    // SAFETY: as the caller says.
    unsafe { ask("taos_stmt_use_result", stmt, work) };
    result
}

/// Rows changed by all executions of the statement.
///
/// # Safety
/// As `taos_stmt_prepare`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_stmt_affected_rows(stmt: *mut TaosStmt) -> c_int {
    guard("taos_stmt_affected_rows", 0, || {
        // SAFETY: as the caller says.
        match unsafe { at_mut::<Statement>(stmt) } {
            Some(statement) => count(wait(statement.stmt.affected_rows())),
            None => {
                remember(no_statement());
                0
            }
        }
    })
}

/// Rows changed by the last execution.
///
/// # Safety
/// As `taos_stmt_prepare`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_stmt_affected_rows_once(stmt: *mut TaosStmt) -> c_int {
    guard("taos_stmt_affected_rows_once", 0, || {
        // SAFETY: as the caller says.
        match unsafe { at_mut::<Statement>(stmt) } {
            Some(statement) => count(statement.stmt.affected_rows_once()),
            None => {
                remember(no_statement());
                0
            }
        }
    })
}

/// The words of the last error. They belong to the statement until its next call.
///
/// # Safety
/// As `taos_stmt_prepare`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_stmt_errstr(stmt: *mut TaosStmt) -> *mut c_char {
    guard("taos_stmt_errstr", ptr::null_mut(), || {
        // SAFETY: as the caller says.
        match unsafe { at_mut::<Statement>(stmt) } {
            Some(statement) => statement.error.text().as_ptr().cast_mut(),
            None => crate::error::last(|failure| failure.text().as_ptr().cast_mut()),
        }
    })
}

/// Closes the statement and frees its result.
///
/// # Safety
/// `stmt` is NULL or a statement that is open; it is worth nothing afterwards.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_stmt_close(stmt: *mut TaosStmt) -> c_int {
    guard("taos_stmt_close", BROKEN, || {
        // SAFETY: as the caller says.
        match unsafe { take::<Statement>(stmt) } {
            Some(statement) => {
                drop(statement);
                forget();
                0
            }
            None => remember(no_statement()),
        }
    })
}
