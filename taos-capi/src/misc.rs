//! What needs no connection.

use std::ffi::{CStr, c_char, c_int};

use taos_query::{AsyncTBuilder as _, RawResult};
use taos_ws::{ServerStatus, TaosBuilder};

use crate::args::{optional_text, write_text};
use crate::config::Settings;
use crate::error::{Failure, forget, remember};
use crate::guard::guard;
use crate::runtime::wait;

/// The name of a type by its number, which lives for ever; "UNKNOWN" for others.
#[unsafe(no_mangle)]
pub extern "C" fn taos_data_type(r#type: c_int) -> *const c_char {
    guard("taos_data_type", c"UNKNOWN".as_ptr(), || {
        type_name(r#type).as_ptr()
    })
}

const fn type_name(ty: c_int) -> &'static CStr {
    match ty {
        0 => c"TSDB_DATA_TYPE_NULL",
        1 => c"TSDB_DATA_TYPE_BOOL",
        2 => c"TSDB_DATA_TYPE_TINYINT",
        3 => c"TSDB_DATA_TYPE_SMALLINT",
        4 => c"TSDB_DATA_TYPE_INT",
        5 => c"TSDB_DATA_TYPE_BIGINT",
        6 => c"TSDB_DATA_TYPE_FLOAT",
        7 => c"TSDB_DATA_TYPE_DOUBLE",
        8 => c"TSDB_DATA_TYPE_VARCHAR",
        9 => c"TSDB_DATA_TYPE_TIMESTAMP",
        10 => c"TSDB_DATA_TYPE_NCHAR",
        11 => c"TSDB_DATA_TYPE_UTINYINT",
        12 => c"TSDB_DATA_TYPE_USMALLINT",
        13 => c"TSDB_DATA_TYPE_UINT",
        14 => c"TSDB_DATA_TYPE_UBIGINT",
        15 => c"TSDB_DATA_TYPE_JSON",
        16 => c"TSDB_DATA_TYPE_VARBINARY",
        17 => c"TSDB_DATA_TYPE_DECIMAL",
        18 => c"TSDB_DATA_TYPE_BLOB",
        19 => c"TSDB_DATA_TYPE_MEDIUMBLOB",
        20 => c"TSDB_DATA_TYPE_GEOMETRY",
        21 => c"TSDB_DATA_TYPE_DECIMAL64",
        _ => c"UNKNOWN",
    }
}

/// The health of the database behind a taosAdapter: 0 not to be reached, 1 the network is fine, 2 the service is,
/// 3 it is degraded, 4 it is being shut down. `details` takes more words, cut to `maxlen` bytes with their NUL.
///
/// No `fqdn` and port 0 stand for what is configured. The login is that of `taos_connect` without name and password;
/// one that is refused still tells that the network is fine.
///
/// # Safety
/// `fqdn` is NULL or text; `details` is NULL or has room for `maxlen` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_check_server_status(
    fqdn: *const c_char,
    port: c_int,
    details: *mut c_char,
    maxlen: c_int,
) -> c_int {
    guard("taos_check_server_status", 0, || {
        // SAFETY: the same duty.
        let asked = unsafe { optional_text(fqdn) }.and_then(|fqdn| status(fqdn, port));
        let (status, words) = match asked {
            Ok(status) => {
                forget();
                (status.status, status.details)
            }
            Err(failure) => {
                let words = failure.text().to_string_lossy().into_owned();
                let reached = failure.code() == crate::error::native(0x0357);
                remember(failure);
                (c_int::from(reached), words)
            }
        };
        // SAFETY: the same duty.
        unsafe { write_text(&words, details, maxlen) };
        status
    })
}

fn status(fqdn: Option<&str>, port: c_int) -> Result<ServerStatus, Failure> {
    let port =
        u16::try_from(port).map_err(|_| crate::args::invalid(&format!("{port} is not a port")))?;
    let mut dsn = Settings::load()?.dsn(fqdn, port)?;
    // The question is whether it is there now.
    dsn.set("conn_retries", "0");
    let asked: RawResult<ServerStatus> = wait(async {
        let taos = TaosBuilder::from_dsn(dsn)?.build().await?;
        taos.check_server_status(None, 0).await
    });
    Ok(asked?)
}
