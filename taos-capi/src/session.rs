//! What a connection is asked and told beside SQL.

use std::ffi::{CString, c_char, c_int, c_void};
use std::net::IpAddr;
use std::ptr::null;

use taos_query::helpers::quote_name;
use taos_query::util::sql_value_escape;
use taos_query::{AsyncQueryable as _, Code, RawError, RawResult};
use taos_ws::protocol::ConnOption;

use crate::args::{invalid, optional_text, put, text, write_text};
use crate::connect::{Conn, no_connection};
use crate::error::{BROKEN, Failure, coded};
use crate::guard::guard;
use crate::handle::at;
use crate::options::{is_utf8, only_utf8};
use crate::runtime::wait;
use crate::types::Taos;
use crate::zone;

/// Does something with a connection; gives 0 or a negative code.
///
/// # Safety
/// NULL or a connection that is not closed meanwhile.
pub(crate) unsafe fn with_conn(
    name: &str,
    taos: *mut Taos,
    body: impl FnOnce(&Conn) -> Result<(), Failure>,
) -> c_int {
    guard(name, BROKEN, || {
        // SAFETY: the caller's duty.
        let done = unsafe { at::<Conn>(taos) }
            .ok_or_else(no_connection)
            .and_then(body);
        coded(done)
    })
}

/// Waits for something, until all work of the connection is stopped.
fn ask<T: Send>(
    conn: &Conn,
    work: impl Future<Output = RawResult<T>> + Send,
) -> Result<T, Failure> {
    Ok(wait(conn.stop().unless_stopped(work))??)
}

/// A database as SQL names it: a plain word as it is, so that its case does not matter.
fn database(name: &str) -> Result<String, Failure> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.chars().all(plain) {
        return Ok(name.to_owned());
    }
    Ok(quote_name(name)?)
}

/// Makes a database the current one of the connection; gives 0 or a negative code.
///
/// # Safety
/// NULL or a connection that is not closed meanwhile; NULL or text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_select_db(taos: *mut Taos, db: *const c_char) -> c_int {
    // SAFETY: the same duty.
    unsafe {
        with_conn("taos_select_db", taos, |conn| {
            let db = optional_text(db)?.ok_or_else(|| invalid("no database is named"))?;
            let sql = format!("use {}", database(db)?);
            ask(conn, conn.taos().exec(sql)).map(drop)
        })
    }
}

/// Writes the name of the current database, empty for none, and gives 0. If it does not fit, it is cut, `required`
/// says how many bytes it takes with its NUL, and the code is 0x80000118.
///
/// # Safety
/// NULL or a connection that is not closed meanwhile; `database` has room for `len` bytes, `required` may be written;
/// both may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_get_current_db(
    taos: *mut Taos,
    database: *mut c_char,
    len: c_int,
    required: *mut c_int,
) -> c_int {
    // SAFETY: the same duty.
    unsafe {
        with_conn("taos_get_current_db", taos, |conn| {
            let taos = conn.taos();
            let name = ask(conn, taos.current_database())?.unwrap_or_default();
            give_text(&name, database, len, required)
        })
    }
}

/// # Safety
/// The buffer has room for `room` bytes, `required` may be written; both may be NULL.
unsafe fn give_text(
    text: &str,
    buffer: *mut c_char,
    room: c_int,
    required: *mut c_int,
) -> Result<(), Failure> {
    let needed = c_int::try_from(text.len() + 1).unwrap_or(c_int::MAX);
    // SAFETY: the caller's duty.
    unsafe {
        put(required, needed);
        write_text(text, buffer, room);
    }
    if buffer.is_null() || room < needed {
        return Err(invalid(&format!(
            "the text takes {needed} bytes with its NUL"
        )));
    }
    Ok(())
}

/// Makes the connection one without a current database. The server cannot be told so, which is why the connection
/// logs in anew; results of the old one stay readable.
///
/// # Safety
/// NULL or a connection that is not closed meanwhile.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_reset_current_db(taos: *mut Taos) {
    // SAFETY: the same duty.
    unsafe {
        with_conn("taos_reset_current_db", taos, |conn| {
            conn.renew(|dsn| dsn.subject = None)
        });
    }
}

/// The server's version, with its build and revision where it tells them, for as long as the connection is open;
/// NULL after an error.
///
/// # Safety
/// NULL or a connection that is not closed meanwhile.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_get_server_info(taos: *mut Taos) -> *const c_char {
    let mut found = null();
    // SAFETY: the same duty.
    unsafe {
        with_conn("taos_get_server_info", taos, |conn| {
            if conn.server_info.get().is_none() {
                let taos = conn.taos();
                let info = ask(conn, taos.server_info())?;
                let info = if info.is_empty() {
                    taos.version().to_owned()
                } else {
                    info
                };
                let info = CString::new(info).unwrap_or_default();
                // Another thread has asked for the same.
                let _ = conn.server_info.set(info);
            }
            found = conn.server_info.get().map_or(null(), |info| info.as_ptr());
            Ok(())
        });
    }
    found
}

/// Sets an option of the connection: -1 all options back to their defaults, 0 charset (UTF-8), 1 time zone, 2 address
/// and 3 name of the program as the server lists them, 4 name of the connector. A NULL value is the default. Gives 0
/// or a negative code.
///
/// In C the function is variadic, as `taos_options` is.
///
/// # Safety
/// NULL or a connection that is not closed meanwhile; `arg` is NULL or text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_options_connection(
    taos: *mut Taos,
    option: c_int,
    arg: *const c_void,
) -> c_int {
    // SAFETY: the same duty.
    unsafe {
        with_conn("taos_options_connection", taos, |conn| {
            let value = match arg.is_null() {
                true => None,
                false => Some(text(arg.cast())?),
            };
            let option = option_of(option, value)?;
            if let Some(option) = option {
                let taos = conn.taos();
                ask(conn, taos.options_connection(std::slice::from_ref(&option)))?;
                conn.remember_option(option);
            }
            Ok(())
        })
    }
}

/// What the server is told; nothing if it is so already.
fn option_of(option: c_int, value: Option<&str>) -> Result<Option<ConnOption>, Failure> {
    let value = match (option, value) {
        (-1, _) | (1..=4, None) => None,
        (0, None) => return Ok(None),
        (0, Some(charset)) if is_utf8(charset) => return Ok(None),
        (0, Some(charset)) => return Err(only_utf8(charset)),
        (1, Some("")) => Some("UTC".to_owned()),
        (1, Some(zone)) => Some(zone::iana(zone)?),
        (2, Some(ip)) if ip.parse::<IpAddr>().is_err() => {
            return Err(invalid(&format!("`{ip}` is not an IP address")));
        }
        (2..=4, Some(value)) => Some(value.to_owned()),
        (other, _) => return Err(invalid(&format!("there is no option {other}"))),
    };
    Ok(Some(ConnOption::new(option, value)))
}

/// Sets a mode of the connection: mode 0 is BI mode, value 1 on, 0 off. The server is told at login only, so that
/// the connection logs in anew; database and options are restored. Gives 0 or a negative code.
///
/// # Safety
/// NULL or a connection that is not closed meanwhile.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_set_conn_mode(taos: *mut Taos, mode: c_int, value: c_int) -> c_int {
    // SAFETY: the same duty.
    unsafe {
        with_conn("taos_set_conn_mode", taos, |conn| {
            if mode != 0 || !matches!(value, 0 | 1) {
                return Err(invalid("mode 0 (BI) with value 0 or 1 is possible"));
            }
            let value = value.to_string();
            if conn.param("conn_mode").unwrap_or_else(|| "0".to_owned()) == value {
                return Ok(());
            }
            let db = ask(conn, conn.taos().current_database())?;
            conn.renew(|dsn| {
                dsn.subject = db;
                dsn.set("conn_mode", value);
            })
        })
    }
}

/// Writes what is known of the connection: info 0 is the user's name. `len` says how much room there is, and
/// afterwards how many bytes the text takes with its NUL. Gives 0 or a negative code.
///
/// # Safety
/// NULL or a connection that is not closed meanwhile; `buffer` has room for `*len` bytes; both may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_get_connection_info(
    taos: *mut Taos,
    info: c_int,
    buffer: *mut c_char,
    len: *mut c_int,
) -> c_int {
    // SAFETY: the same duty.
    unsafe {
        with_conn("taos_get_connection_info", taos, |conn| {
            if info != 0 {
                return Err(invalid(&format!("there is no info {info}")));
            }
            if len.is_null() {
                return Err(invalid("the length is NULL"));
            }
            let name = match conn.user() {
                Some(name) => name,
                None => {
                    let taos = conn.taos();
                    let user = ask(conn, taos.query_one::<_, String>("select user()"))?;
                    // As `name@address`.
                    let user = user.unwrap_or_default();
                    user.split('@').next().unwrap_or_default().to_owned()
                }
            };
            give_text(&name, buffer, len.read_unaligned(), len)
        })
    }
}

/// Checks a statement without running it; gives 0 or a negative code.
///
/// # Safety
/// NULL or a connection that is not closed meanwhile; NULL or text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_validate_sql(taos: *mut Taos, sql: *const c_char) -> c_int {
    // SAFETY: the same duty.
    unsafe {
        with_conn("taos_validate_sql", taos, |conn| {
            let sql = text(sql)?;
            let taos = conn.taos();
            ask(conn, taos.validate_sql(sql))
        })
    }
}

/// Writes the number of the vgroup that a table lies in, as `information_schema` tells it; gives 0 or a negative
/// code.
///
/// # Safety
/// NULL or a connection that is not closed meanwhile; NULL or texts; `vg_id` may be written.
#[unsafe(no_mangle)]
#[allow(non_snake_case, reason = "the name in C")]
pub unsafe extern "C" fn taos_get_table_vgId(
    taos: *mut Taos,
    db: *const c_char,
    table: *const c_char,
    vg_id: *mut c_int,
) -> c_int {
    // SAFETY: the same duty.
    unsafe {
        with_conn("taos_get_table_vgId", taos, |conn| {
            if vg_id.is_null() {
                return Err(invalid("there is no place for the vgroup"));
            }
            let vgroup = vgroup_of(conn, text(db)?, text(table)?)?;
            put(vg_id, vgroup);
            Ok(())
        })
    }
}

/// As `taos_get_table_vgId`, for `num` tables of one database.
///
/// # Safety
/// As `taos_get_table_vgId`; `tables` has `num` texts, `vg_id` room for as many numbers.
#[unsafe(no_mangle)]
#[allow(non_snake_case, reason = "the name in C")]
pub unsafe extern "C" fn taos_get_tables_vgId(
    taos: *mut Taos,
    db: *const c_char,
    tables: *const *const c_char,
    num: c_int,
    vg_id: *mut c_int,
) -> c_int {
    // SAFETY: the same duty.
    unsafe {
        with_conn("taos_get_tables_vgId", taos, |conn| {
            let count = usize::try_from(num).unwrap_or_default();
            if vg_id.is_null() || tables.is_null() || count == 0 {
                return Err(invalid(
                    "there are no tables, or no place for their vgroups",
                ));
            }
            let db = text(db)?;
            for number in 0..count {
                let table = text(tables.add(number).read_unaligned())?;
                put(vg_id.add(number), vgroup_of(conn, db, table)?);
            }
            Ok(())
        })
    }
}

fn vgroup_of(conn: &Conn, db: &str, table: &str) -> Result<c_int, Failure> {
    let sql = format!(
        "select vgroup_id from information_schema.ins_tables where db_name = '{}' and table_name = '{}'",
        sql_value_escape(db),
        sql_value_escape(table),
    );
    let taos = conn.taos();
    ask(conn, taos.query_one::<_, i32>(sql))?.ok_or_else(|| {
        let what = format!("there is no table `{db}`.`{table}`");
        RawError::new(Code::TABLE_NOT_EXIST, what).into()
    })
}

/// Stops all statements and fetches of the connection: they end with 0x8000022D.
///
/// # Safety
/// NULL or a connection that is not closed meanwhile.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_kill_query(taos: *mut Taos) {
    // SAFETY: the same duty.
    unsafe {
        with_conn("taos_kill_query", taos, |conn| {
            conn.kill.kill();
            Ok(())
        });
    }
}
