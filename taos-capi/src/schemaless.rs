//! Schemaless lines: `taos_schemaless_insert*` (native-ffi §5).
//!
//! Each form gives a result, to be freed by `taos_free_result`, that tells the rows written or the error; NULL
//! only if there is no connection. Protocols are 1 line, 2 telnet, 3 JSON; precisions 0 not configured, 1 h, 2 m,
//! 3 s, 4 ms, 5 µs, 6 ns.

use std::ffi::{c_char, c_int};
use std::ptr;

use taos_query::{SchemalessPrecision, SchemalessProtocol, SmlDataBuilder};

use crate::args::{optional_text, put, request_id, text, without_end};
use crate::binds::array;
use crate::connect::Conn;
use crate::error::{Failure, remember};
use crate::guard::guard;
use crate::result::Res;
use crate::runtime::wait;
use crate::statement::connection;
use crate::types::{Taos, TaosRes};

/// "Invalid protocol type".
const BAD_PROTOCOL: i32 = 0x3000;
/// "Invalid precision type".
const BAD_PRECISION: i32 = 0x3001;
/// "Invalid data" of a schemaless write.
const BAD_DATA: i32 = 0x3002;

/// What the forms differ in.
struct Write {
    name: &'static str,
    protocol: c_int,
    precision: c_int,
    ttl: i32,
    reqid: i64,
    tbname_key: *const c_char,
}

/// The lines of a program.
enum Lines {
    /// A text of so many bytes.
    Raw(*const c_char, c_int),
    /// So many texts that end with NUL.
    Each(*const *mut c_char, c_int),
}

impl Lines {
    /// # Safety
    /// The pointers are NULL or lead to as much as the numbers say.
    unsafe fn read(&self) -> Result<Vec<String>, Failure> {
        let bad = |text: &str| Failure::new(BAD_DATA, text);
        let (Self::Raw(_, number) | Self::Each(_, number)) = self;
        let number = usize::try_from(*number)
            .map_err(|_| bad(&format!("the number of bytes or lines is {number}")))?;
        match self {
            Self::Raw(lines, _) => {
                // SAFETY: as the caller says.
                let bytes = unsafe { array(lines.cast::<u8>(), number) }?;
                let bytes = without_end(bytes).map_err(|place| {
                    bad(&format!(
                        "byte {place} of the lines is NUL, and more follows"
                    ))
                })?;
                let text = std::str::from_utf8(bytes)
                    .map_err(|error| bad(&format!("the lines are not UTF-8: {error}")))?;
                if text.is_empty() {
                    return Err(bad("there are no lines: `lines` is NULL or empty"));
                }
                Ok(vec![text.to_owned()])
            }
            Self::Each(lines, _) => {
                // SAFETY: as the caller says.
                let lines = unsafe { array(*lines, number) }?;
                if lines.is_empty() {
                    return Err(bad("there are no lines: `lines` is NULL or empty"));
                }
                let read = lines.iter().enumerate().map(|(at, line)| {
                    // SAFETY: as the caller says.
                    let line = unsafe { text(*line) };
                    let line = line.map_err(|_| bad(&format!("line {at} is NULL or not UTF-8")))?;
                    Ok(line.to_owned())
                });
                read.collect()
            }
        }
    }
}

fn protocol(number: c_int) -> Result<SchemalessProtocol, Failure> {
    match number {
        1 => Ok(SchemalessProtocol::Line),
        2 => Ok(SchemalessProtocol::Telnet),
        3 => Ok(SchemalessProtocol::Json),
        _ => Err(Failure::new(
            BAD_PROTOCOL,
            format!("there is no protocol {number}: 1 line, 2 telnet, 3 JSON"),
        )),
    }
}

fn precision(number: c_int) -> Result<SchemalessPrecision, Failure> {
    Ok(match number {
        0 => SchemalessPrecision::NonConfigured,
        1 => SchemalessPrecision::Hours,
        2 => SchemalessPrecision::Minutes,
        3 => SchemalessPrecision::Seconds,
        4 => SchemalessPrecision::Millisecond,
        5 => SchemalessPrecision::Microsecond,
        6 => SchemalessPrecision::Nanosecond,
        _ => {
            return Err(Failure::new(
                BAD_PRECISION,
                format!("there is no precision {number}: 0 to 6 are possible"),
            ));
        }
    })
}

/// Rows that a text of lines has, for servers that do not tell.
fn rows(protocol: SchemalessProtocol, lines: &[String]) -> Option<usize> {
    if protocol == SchemalessProtocol::Json {
        return None;
    }
    let lines = lines.iter().flat_map(|text| text.lines());
    let counted = lines.filter(|line| {
        let line = line.trim_start();
        !line.is_empty() && !line.starts_with('#')
    });
    Some(counted.count())
}

impl Write {
    /// Without a time to live, a request id and a key of names.
    const fn new(name: &'static str, protocol: c_int, precision: c_int) -> Self {
        Self {
            name,
            protocol,
            precision,
            ttl: 0,
            reqid: 0,
            tbname_key: ptr::null(),
        }
    }

    /// # Safety
    /// As [`Lines::read`]; the key is NULL or a text.
    unsafe fn send(&self, conn: &Conn, lines: &Lines) -> Result<(usize, Option<usize>), Failure> {
        let mut builder = SmlDataBuilder::default();
        let protocol = protocol(self.protocol)?;
        builder
            .protocol(protocol)
            .precision(precision(self.precision)?)
            .req_id(request_id(self.reqid));
        // SAFETY: as the caller says.
        let (lines, key) = unsafe { (lines.read()?, optional_text(self.tbname_key)?) };
        let told = rows(protocol, &lines);
        builder.data(lines);
        if self.ttl > 0 {
            builder.ttl(self.ttl);
        }
        if let Some(key) = key {
            builder.table_name_key(key);
        }
        let (data, taos) = (builder.build()?, conn.taos());
        let (affected, total) = wait(conn.kill.unless_killed(taos.s_put(&data)))?;
        Ok((affected, total.or(told)))
    }

    /// # Safety
    /// As [`send`](Self::send); `taos` is NULL or a connection that is open; `total` is NULL or leads to room for
    /// a number.
    unsafe fn run(self, taos: *mut Taos, lines: &Lines, total: *mut i32) -> *mut TaosRes {
        guard(self.name, ptr::null_mut(), || {
            // SAFETY: as the caller says.
            let conn = match unsafe { connection(taos) } {
                Ok(conn) => conn,
                Err(failure) => {
                    remember(failure);
                    return ptr::null_mut();
                }
            };
            // SAFETY: as the caller says.
            match unsafe { self.send(conn, lines) } {
                Ok((affected, rows)) => {
                    let rows = rows.unwrap_or(affected);
                    // SAFETY: as the caller says.
                    unsafe { put(total, i32::try_from(rows).unwrap_or(i32::MAX)) };
                    Res::affected(i64::try_from(affected).unwrap_or(i64::MAX)).into_handle()
                }
                Err(failure) => {
                    // SAFETY: as the caller says.
                    unsafe { put(total, 0) };
                    Res::failed(failure).into_handle()
                }
            }
        })
    }
}

/// Writes an array of lines.
///
/// # Safety
/// As `taos_schemaless_insert_ttl_with_reqid_tbname_key`.
#[unsafe(no_mangle)]
#[allow(non_snake_case, reason = "parameters have their names in C")]
pub unsafe extern "C" fn taos_schemaless_insert(
    taos: *mut Taos,
    lines: *mut *mut c_char,
    numLines: c_int,
    protocol: c_int,
    precision: c_int,
) -> *mut TaosRes {
    let write = Write::new("taos_schemaless_insert", protocol, precision);
    // SAFETY: as the caller says.
    unsafe { write.run(taos, &Lines::Each(lines, numLines), ptr::null_mut()) }
}

/// As `taos_schemaless_insert`, with a request id; 0 lets one be made.
///
/// # Safety
/// As `taos_schemaless_insert_ttl_with_reqid_tbname_key`.
#[unsafe(no_mangle)]
#[allow(non_snake_case, reason = "parameters have their names in C")]
pub unsafe extern "C" fn taos_schemaless_insert_with_reqid(
    taos: *mut Taos,
    lines: *mut *mut c_char,
    numLines: c_int,
    protocol: c_int,
    precision: c_int,
    reqid: i64,
) -> *mut TaosRes {
    let write = Write {
        reqid,
        ..Write::new("taos_schemaless_insert_with_reqid", protocol, precision)
    };
    // SAFETY: as the caller says.
    unsafe { write.run(taos, &Lines::Each(lines, numLines), ptr::null_mut()) }
}

/// As `taos_schemaless_insert`; tables that it makes go after `ttl` days, never with 0.
///
/// # Safety
/// As `taos_schemaless_insert_ttl_with_reqid_tbname_key`.
#[unsafe(no_mangle)]
#[allow(non_snake_case, reason = "parameters have their names in C")]
pub unsafe extern "C" fn taos_schemaless_insert_ttl(
    taos: *mut Taos,
    lines: *mut *mut c_char,
    numLines: c_int,
    protocol: c_int,
    precision: c_int,
    ttl: i32,
) -> *mut TaosRes {
    let write = Write {
        ttl,
        ..Write::new("taos_schemaless_insert_ttl", protocol, precision)
    };
    // SAFETY: as the caller says.
    unsafe { write.run(taos, &Lines::Each(lines, numLines), ptr::null_mut()) }
}

/// As `taos_schemaless_insert_ttl`, with a request id.
///
/// # Safety
/// As `taos_schemaless_insert_ttl_with_reqid_tbname_key`.
#[unsafe(no_mangle)]
#[allow(non_snake_case, reason = "parameters have their names in C")]
pub unsafe extern "C" fn taos_schemaless_insert_ttl_with_reqid(
    taos: *mut Taos,
    lines: *mut *mut c_char,
    numLines: c_int,
    protocol: c_int,
    precision: c_int,
    ttl: i32,
    reqid: i64,
) -> *mut TaosRes {
    let write = Write {
        ttl,
        reqid,
        ..Write::new("taos_schemaless_insert_ttl_with_reqid", protocol, precision)
    };
    // SAFETY: as the caller says.
    unsafe { write.run(taos, &Lines::Each(lines, numLines), ptr::null_mut()) }
}

/// As `taos_schemaless_insert_ttl_with_reqid`; the tag `tbnameKey` names the table.
///
/// # Safety
/// `taos` is NULL or a connection that is open; `lines` is NULL or leads to so many texts, each NULL or ending
/// with NUL; so does the key.
#[unsafe(no_mangle)]
#[allow(non_snake_case, reason = "parameters have their names in C")]
#[allow(clippy::too_many_arguments, reason = "the interface has so many")]
pub unsafe extern "C" fn taos_schemaless_insert_ttl_with_reqid_tbname_key(
    taos: *mut Taos,
    lines: *mut *mut c_char,
    numLines: c_int,
    protocol: c_int,
    precision: c_int,
    ttl: i32,
    reqid: i64,
    tbnameKey: *mut c_char,
) -> *mut TaosRes {
    let write = Write {
        name: "taos_schemaless_insert_ttl_with_reqid_tbname_key",
        protocol,
        precision,
        ttl,
        reqid,
        tbname_key: tbnameKey,
    };
    // SAFETY: as the caller says.
    unsafe { write.run(taos, &Lines::Each(lines, numLines), ptr::null_mut()) }
}

/// Writes lines in one text of `len` bytes; `totalRows` gets the number of rows in it.
///
/// # Safety
/// As `taos_schemaless_insert_raw_ttl_with_reqid_tbname_key`.
#[unsafe(no_mangle)]
#[allow(non_snake_case, reason = "parameters have their names in C")]
pub unsafe extern "C" fn taos_schemaless_insert_raw(
    taos: *mut Taos,
    lines: *mut c_char,
    len: c_int,
    totalRows: *mut i32,
    protocol: c_int,
    precision: c_int,
) -> *mut TaosRes {
    let write = Write::new("taos_schemaless_insert_raw", protocol, precision);
    // SAFETY: as the caller says.
    unsafe { write.run(taos, &Lines::Raw(lines, len), totalRows) }
}

/// As `taos_schemaless_insert_raw`, with a request id; 0 lets one be made.
///
/// # Safety
/// As `taos_schemaless_insert_raw_ttl_with_reqid_tbname_key`.
#[unsafe(no_mangle)]
#[allow(non_snake_case, reason = "parameters have their names in C")]
pub unsafe extern "C" fn taos_schemaless_insert_raw_with_reqid(
    taos: *mut Taos,
    lines: *mut c_char,
    len: c_int,
    totalRows: *mut i32,
    protocol: c_int,
    precision: c_int,
    reqid: i64,
) -> *mut TaosRes {
    let write = Write {
        reqid,
        ..Write::new("taos_schemaless_insert_raw_with_reqid", protocol, precision)
    };
    // SAFETY: as the caller says.
    unsafe { write.run(taos, &Lines::Raw(lines, len), totalRows) }
}

/// As `taos_schemaless_insert_raw`; tables that it makes go after `ttl` days, never with 0.
///
/// # Safety
/// As `taos_schemaless_insert_raw_ttl_with_reqid_tbname_key`.
#[unsafe(no_mangle)]
#[allow(non_snake_case, reason = "parameters have their names in C")]
pub unsafe extern "C" fn taos_schemaless_insert_raw_ttl(
    taos: *mut Taos,
    lines: *mut c_char,
    len: c_int,
    totalRows: *mut i32,
    protocol: c_int,
    precision: c_int,
    ttl: i32,
) -> *mut TaosRes {
    let write = Write {
        ttl,
        ..Write::new("taos_schemaless_insert_raw_ttl", protocol, precision)
    };
    // SAFETY: as the caller says.
    unsafe { write.run(taos, &Lines::Raw(lines, len), totalRows) }
}

/// As `taos_schemaless_insert_raw_ttl`, with a request id.
///
/// # Safety
/// As `taos_schemaless_insert_raw_ttl_with_reqid_tbname_key`.
#[unsafe(no_mangle)]
#[allow(non_snake_case, reason = "parameters have their names in C")]
#[allow(clippy::too_many_arguments, reason = "the interface has so many")]
pub unsafe extern "C" fn taos_schemaless_insert_raw_ttl_with_reqid(
    taos: *mut Taos,
    lines: *mut c_char,
    len: c_int,
    totalRows: *mut i32,
    protocol: c_int,
    precision: c_int,
    ttl: i32,
    reqid: i64,
) -> *mut TaosRes {
    let write = Write {
        ttl,
        reqid,
        ..Write::new(
            "taos_schemaless_insert_raw_ttl_with_reqid",
            protocol,
            precision,
        )
    };
    // SAFETY: as the caller says.
    unsafe { write.run(taos, &Lines::Raw(lines, len), totalRows) }
}

/// As `taos_schemaless_insert_raw_ttl_with_reqid`; the tag `tbnameKey` names the table.
///
/// # Safety
/// `taos` is NULL or a connection that is open; `lines` is NULL or has so many bytes; `totalRows` is NULL or leads
/// to room for a number; the key is NULL or ends with NUL.
#[unsafe(no_mangle)]
#[allow(non_snake_case, reason = "parameters have their names in C")]
#[allow(clippy::too_many_arguments, reason = "the interface has so many")]
pub unsafe extern "C" fn taos_schemaless_insert_raw_ttl_with_reqid_tbname_key(
    taos: *mut Taos,
    lines: *mut c_char,
    len: c_int,
    totalRows: *mut i32,
    protocol: c_int,
    precision: c_int,
    ttl: i32,
    reqid: i64,
    tbnameKey: *mut c_char,
) -> *mut TaosRes {
    let write = Write {
        name: "taos_schemaless_insert_raw_ttl_with_reqid_tbname_key",
        protocol,
        precision,
        ttl,
        reqid,
        tbname_key: tbnameKey,
    };
    // SAFETY: as the caller says.
    unsafe { write.run(taos, &Lines::Raw(lines, len), totalRows) }
}
