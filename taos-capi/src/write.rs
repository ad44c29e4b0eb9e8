//! Raw blocks and raw messages written back: `taos_write_raw_block*`, `tmq_write_raw` (native-ffi §7).

use std::ffi::{CStr, c_char, c_int};

use bytes::Bytes;
use taos_query::abi::{TaosField, TmqRawData};
use taos_query::common::Precision;
use taos_query::{AsyncQueryable as _, RawBlock, RawMeta, RawResult};

use crate::args::{request_id, text};
use crate::binds::{array, wrong};
use crate::error::{BROKEN, Failure, coded};
use crate::guard::guard;
use crate::runtime::wait;
use crate::statement::connection;
use crate::types::Taos;

/// Up to here a block says its length (raw-block §1).
const LENGTH_END: usize = 8;

/// What is to be written, as a program has it.
struct Block {
    rows: c_int,
    data: *const c_char,
    table: *const c_char,
    /// The columns by name; nothing if they go by position.
    fields: Option<(*const TaosField, c_int)>,
    reqid: i64,
}

/// The bytes of a block, which says its own length.
///
/// # Safety
/// `data` is NULL or leads to as many bytes as it says.
unsafe fn block_bytes(data: *const c_char) -> RawResult<Bytes> {
    // SAFETY: as the caller says; every block is longer than that.
    let head = unsafe { array(data.cast::<u8>(), LENGTH_END) }?;
    let Some((_, length)) = head.split_last_chunk::<4>() else {
        return Err(wrong("the block is NULL"));
    };
    let length = i32::from_le_bytes(*length);
    let length = usize::try_from(length)
        .ok()
        .filter(|length| *length >= LENGTH_END)
        .ok_or_else(|| wrong(format!("the block says that it has {length} bytes")))?;
    // SAFETY: as the caller says.
    let bytes = unsafe { array(data.cast::<u8>(), length) }?;
    Ok(Bytes::copy_from_slice(bytes))
}

/// The names of columns.
///
/// # Safety
/// `fields` is NULL or leads to so many fields.
unsafe fn names(fields: *const TaosField, number: c_int) -> RawResult<Vec<String>> {
    let number =
        usize::try_from(number).map_err(|_| wrong(format!("the number of fields is {number}")))?;
    // SAFETY: as the caller says.
    let fields = unsafe { array(fields, number) }?;
    if fields.is_empty() {
        return Err(wrong("there are no fields: `fields` is NULL or empty"));
    }
    let name = |(at, field): (usize, &TaosField)| {
        let bytes = field.name.map(c_char::cast_unsigned);
        let name = CStr::from_bytes_until_nul(&bytes).ok();
        let name = name.and_then(|name| name.to_str().ok());
        name.map(str::to_owned).ok_or_else(|| {
            wrong(format!(
                "the name of field {at} is not UTF-8 that ends with NUL"
            ))
        })
    };
    fields.iter().enumerate().map(name).collect()
}

impl Block {
    /// # Safety
    /// The pointers are NULL or lead to as much as [`block_bytes`] and [`names`] say; `table` ends with NUL.
    unsafe fn read(&self) -> Result<RawBlock, Failure> {
        // SAFETY: as the caller says.
        let (table, bytes) = unsafe { (text(self.table)?, block_bytes(self.data)?) };
        // The server takes the numbers of timestamps as they are.
        let mut block = RawBlock::parse_from_raw_block(bytes, Precision::Millisecond)?;
        if usize::try_from(self.rows) != Ok(block.nrows()) {
            return Err(wrong(format!(
                "`rows` is {}, but the block has {}",
                self.rows,
                block.nrows()
            ))
            .into());
        }
        if let Some((fields, number)) = self.fields {
            // SAFETY: as the caller says.
            let names = unsafe { names(fields, number) }?;
            if names.len() != block.ncols() {
                return Err(wrong(format!(
                    "{} fields were given, but the block has {} columns",
                    names.len(),
                    block.ncols()
                ))
                .into());
            }
            block.with_field_names(names);
        }
        block.with_table_name(table);
        Ok(block)
    }

    /// # Safety
    /// As [`read`](Self::read); `taos` is NULL or a connection that is open.
    unsafe fn write(self, name: &str, taos: *mut Taos) -> c_int {
        guard(name, BROKEN, || {
            // SAFETY: as the caller says.
            let written = unsafe { connection(taos) }.and_then(|conn| {
                // SAFETY: as the caller says.
                let block = unsafe { self.read() }?;
                let (taos, id) = (conn.taos(), request_id(self.reqid));
                let writing = taos.write_raw_block_with_req_id(&block, id);
                Ok(wait(conn.kill.unless_killed(writing))?)
            });
            coded(written)
        })
    }
}

/// Writes a raw block into a table, column by column in the table's order. Gives 0 or an error code.
///
/// # Safety
/// As `taos_write_raw_block_with_fields_with_reqid`.
#[unsafe(no_mangle)]
#[allow(non_snake_case, reason = "parameters have their names in C")]
pub unsafe extern "C" fn taos_write_raw_block(
    taos: *mut Taos,
    numOfRows: c_int,
    pData: *mut c_char,
    tbname: *const c_char,
) -> c_int {
    let block = Block {
        rows: numOfRows,
        data: pData,
        table: tbname,
        fields: None,
        reqid: 0,
    };
    // SAFETY: as the caller says.
    unsafe { block.write("taos_write_raw_block", taos) }
}

/// As `taos_write_raw_block`, with a request id; 0 lets one be made.
///
/// # Safety
/// As `taos_write_raw_block_with_fields_with_reqid`.
#[unsafe(no_mangle)]
#[allow(non_snake_case, reason = "parameters have their names in C")]
pub unsafe extern "C" fn taos_write_raw_block_with_reqid(
    taos: *mut Taos,
    numOfRows: c_int,
    pData: *mut c_char,
    tbname: *const c_char,
    reqid: i64,
) -> c_int {
    let block = Block {
        rows: numOfRows,
        data: pData,
        table: tbname,
        fields: None,
        reqid,
    };
    // SAFETY: as the caller says.
    unsafe { block.write("taos_write_raw_block_with_reqid", taos) }
}

/// Writes a raw block into the columns of a table that the fields name. Gives 0 or an error code.
///
/// # Safety
/// As `taos_write_raw_block_with_fields_with_reqid`.
#[unsafe(no_mangle)]
#[allow(non_snake_case, reason = "parameters have their names in C")]
pub unsafe extern "C" fn taos_write_raw_block_with_fields(
    taos: *mut Taos,
    rows: c_int,
    pData: *mut c_char,
    tbname: *const c_char,
    fields: *mut TaosField,
    numFields: c_int,
) -> c_int {
    let block = Block {
        rows,
        data: pData,
        table: tbname,
        fields: Some((fields, numFields)),
        reqid: 0,
    };
    // SAFETY: as the caller says.
    unsafe { block.write("taos_write_raw_block_with_fields", taos) }
}

/// As `taos_write_raw_block_with_fields`, with a request id; 0 lets one be made.
///
/// # Safety
/// `taos` is NULL or a connection that is open; `pData` is NULL or a block, as long as its head says; `tbname` is
/// NULL or ends with NUL; `fields` is NULL or leads to so many fields.
#[unsafe(no_mangle)]
#[allow(non_snake_case, reason = "parameters have their names in C")]
pub unsafe extern "C" fn taos_write_raw_block_with_fields_with_reqid(
    taos: *mut Taos,
    rows: c_int,
    pData: *mut c_char,
    tbname: *const c_char,
    fields: *mut TaosField,
    numFields: c_int,
    reqid: i64,
) -> c_int {
    let block = Block {
        rows,
        data: pData,
        table: tbname,
        fields: Some((fields, numFields)),
        reqid,
    };
    // SAFETY: as the caller says.
    unsafe { block.write("taos_write_raw_block_with_fields_with_reqid", taos) }
}

/// Replays a raw message of a topic into the database of the connection. Gives 0 or an error code.
///
/// # Safety
/// `taos` is NULL or a connection that is open; `raw.raw` is NULL or leads to `raw.raw_len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tmq_write_raw(taos: *mut Taos, raw: TmqRawData) -> i32 {
    guard("tmq_write_raw", BROKEN, || {
        // SAFETY: as the caller says.
        let written = unsafe { connection(taos) }.and_then(|conn| {
            let length = usize::try_from(raw.raw_len).unwrap_or_default();
            // SAFETY: as the caller says.
            let bytes = unsafe { array(raw.raw.cast_const().cast::<u8>(), length) }?;
            if bytes.is_empty() {
                return Err(wrong("the message has no bytes").into());
            }
            let message = RawMeta::new(raw.raw_type, Bytes::copy_from_slice(bytes));
            let taos = conn.taos();
            Ok(wait(
                conn.kill.unless_killed(taos.write_raw_meta(&message)),
            )?)
        });
        coded(written)
    })
}
