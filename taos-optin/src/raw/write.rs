//! Raw blocks and messages, and where tables live (native-ffi §3, §7).

use std::ffi::{CString, c_char, c_int};
use std::ptr;

use taos_query::abi::{NAME_LEN, TaosField, TmqRawData};
use taos_query::writes::{
    RawField, block_has_blobs, message_has_blobs, records, refuse_blobs, table_of, wrong,
};
use taos_query::{RawBlock, RawMeta, RawResult};

use super::connection::Connection;
use super::text::{c_text, read};
use super::{error, signed_id};
use crate::ffi::Library;

/// A raw block as the library takes it.
#[derive(Debug)]
pub(crate) struct BlockWrite {
    table: CString,
    rows: c_int,
    /// A copy of our own, for the library takes it as data that it may change.
    bytes: Vec<u8>,
    /// The table's columns that the block's go to; without, they go by position.
    fields: Option<Vec<TaosField>>,
    blobs: bool,
    req_id: i64,
}

impl BlockWrite {
    /// # Errors
    /// For a block without a table, and for one that cannot be said in the library's terms.
    pub(crate) fn new(block: &RawBlock, req_id: u64) -> RawResult<Self> {
        let fields = records(block)?;
        let fields = fields.map(|fields| fields.iter().map(field).collect());
        Ok(Self {
            table: c_text("the name of the table", table_of(block)?)?,
            rows: c_int::try_from(block.nrows()).map_err(|_| {
                wrong(format!(
                    "the block has {} rows, more than the client library can count; split it",
                    block.nrows()
                ))
            })?,
            bytes: block.as_raw_bytes().to_vec(),
            fields: fields.transpose()?,
            blobs: block_has_blobs(block),
            req_id: signed_id(req_id),
        })
    }
}

fn field(record: &RawField) -> RawResult<TaosField> {
    let mut name = [0 as c_char; NAME_LEN];
    for (place, byte) in name.iter_mut().take(NAME_LEN - 1).zip(record.name.bytes()) {
        *place = c_char::from_ne_bytes([byte]);
    }
    Ok(TaosField {
        name,
        r#type: i8::from_ne_bytes([record.ty]),
        bytes: i32::try_from(record.bytes)
            .map_err(|_| wrong(format!("the column `{}` is too wide", record.name)))?,
    })
}

/// A raw message as the library takes it.
#[derive(Debug)]
pub(crate) struct MessageWrite {
    raw: Vec<u8>,
    length: u32,
    raw_type: u16,
    blobs: bool,
}

impl MessageWrite {
    /// # Errors
    /// For a data message that cannot be read, and for one of 4 GiB or more.
    pub(crate) fn new(message: &RawMeta) -> RawResult<Self> {
        Ok(Self {
            length: u32::try_from(message.raw_len())
                .map_err(|_| wrong("a raw message of 4 GiB or more cannot be written"))?,
            raw: message.raw_slice().to_vec(),
            raw_type: message.raw_type(),
            blobs: message_has_blobs(message)?,
        })
    }
}

/// Whether a library lives on after a raw write, with or without BLOB columns.
fn survives(library: &Library, blobs: bool) -> RawResult<()> {
    refuse_blobs(blobs, || {
        let (path, version) = (&library.path, &library.version);
        format!("the whole program, by the client library {path} (libtaos {version})")
    })
}

impl Connection {
    /// Writes a block into its table, in the database of the connection. Blocks.
    ///
    /// # Errors
    /// `Unsupported` from a library that takes no names of columns, and for a BLOB, that could make it crash; and the
    /// library's.
    pub(crate) fn write_block(&self, mut write: BlockWrite) -> RawResult<()> {
        let library = self.library();
        survives(library, write.blobs)?;
        let api = &library.api;
        let (taos, rows, req_id) = (self.as_ptr(), write.rows, write.req_id);
        let (data, table) = (write.bytes.as_mut_ptr().cast(), write.table.as_ptr());
        let code = match &mut write.fields {
            Some(fields) => {
                let count = c_int::try_from(fields.len())
                    .map_err(|_| wrong("the block has too many columns"))?;
                let records = fields.as_mut_ptr();
                match api.taos_write_raw_block_with_fields_with_reqid.found() {
                    // SAFETY: the connection is open; block, name and records are of the lengths that are told or
                    // stand in them, and live until the call returns.
                    Some(write) => unsafe {
                        write(taos, rows, data, table, records, count, req_id)
                    },
                    None => {
                        let write = api.taos_write_raw_block_with_fields.get()?;
                        // SAFETY: as above.
                        unsafe { write(taos, rows, data, table, records, count) }
                    }
                }
            }
            // An id only helps to find the request in logs, so that an old library is used without.
            None => match api.taos_write_raw_block_with_reqid.found() {
                // SAFETY: as above.
                Some(write) => unsafe { write(taos, rows, data, table, req_id) },
                // SAFETY: as above.
                None => unsafe { (api.taos_write_raw_block)(taos, rows, data, table) },
            },
        };
        outcome(library, code, "write_raw_block")
    }

    /// Replays a message of a topic into the database of the connection. Blocks.
    ///
    /// # Errors
    /// `Unsupported` for a BLOB, that could make the library crash, and the library's.
    pub(crate) fn write_message(&self, mut message: MessageWrite) -> RawResult<()> {
        let library = self.library();
        survives(library, message.blobs)?;
        let raw = TmqRawData {
            raw: message.raw.as_mut_ptr().cast(),
            raw_len: message.length,
            raw_type: message.raw_type,
        };
        // SAFETY: the connection is open, and the bytes live until the call returns.
        let code = unsafe { (library.api.tmq_write_raw)(self.as_ptr(), raw) };
        outcome(library, code, "write_raw")
    }

    /// The virtual group that a table lives in. Blocks.
    ///
    /// # Errors
    /// `Unsupported` from a library before 3.0.1.6, and the library's.
    pub(crate) fn vgroup_of(&self, database: &str, table: &str) -> RawResult<i32> {
        let library = self.library();
        let ask = library.api.taos_get_table_vgId.get()?;
        let database = c_text("the name of the database", database)?;
        let table = c_text("the name of the table", table)?;
        let mut id = 0;
        // SAFETY: the connection is open; both names and the place for the answer live until the call returns.
        let code = unsafe {
            ask(
                self.as_ptr(),
                database.as_ptr(),
                table.as_ptr(),
                &raw mut id,
            )
        };
        outcome(library, code, "table_vgroup_id")?;
        Ok(id)
    }

    /// The virtual groups that tables live in, in their order. Blocks.
    ///
    /// # Errors
    /// `Unsupported` from a library before 3.0.5, and the library's.
    pub(crate) fn vgroups_of(&self, database: &str, tables: &[String]) -> RawResult<Vec<i32>> {
        let library = self.library();
        let ask = library.api.taos_get_tables_vgId.get()?;
        let database = c_text("the name of the database", database)?;
        let names = tables
            .iter()
            .map(|table| c_text("the name of a table", table.as_str()))
            .collect::<RawResult<Vec<CString>>>()?;
        let count = c_int::try_from(names.len()).map_err(|_| wrong("too many tables"))?;
        let pointers: Vec<*const c_char> = names.iter().map(|name| name.as_ptr()).collect();
        let mut ids = vec![0; names.len()];
        // SAFETY: the connection is open; there are as many names and places for answers as `count` says, and all
        // live until the call returns.
        let code = unsafe {
            ask(
                self.as_ptr(),
                database.as_ptr(),
                pointers.as_ptr(),
                count,
                ids.as_mut_ptr(),
            )
        };
        outcome(library, code, "tables_vgroup_ids")?;
        Ok(ids)
    }
}

/// What the code of a call means that has just returned on this thread. Some of these calls leave the thread's last
/// error as it was: then the code's own words are used.
fn outcome(library: &Library, code: c_int, what: &str) -> RawResult<()> {
    if code == 0 {
        return Ok(());
    }
    // SAFETY: NULL asks for the calling thread's last error (native-ffi §4).
    let last = unsafe { (library.api.taos_errno)(ptr::null_mut()) };
    if error::bare(last) == error::bare(code) {
        return error::check(library, code, what);
    }
    // SAFETY: any code may be asked for; the text stays until the thread's next call.
    let words = unsafe { read((library.api.tmq_err2str)(code)) };
    Err(error::of_code(code, words).context(what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_has_its_name_in_a_field_that_ends_with_nul() {
        let record = RawField {
            name: "n".repeat(64),
            ty: 20,
            bytes: 66,
        };
        let made = field(&record).unwrap();
        assert_eq!((made.r#type, made.bytes), (20, 66));
        assert_eq!(made.name.iter().filter(|byte| **byte != 0).count(), 64);
        assert_eq!(made.name.last(), Some(&0));
    }

    #[test]
    fn a_message_that_is_none_of_data_is_refused_before_the_library_sees_it() {
        let error = MessageWrite::new(&RawMeta::new(2, vec![1, 2, 3])).unwrap_err();
        assert!(error.to_string().contains("no data message"), "{error}");
        let meta = MessageWrite::new(&RawMeta::new(1, vec![1, 2, 3])).unwrap();
        assert_eq!((meta.length, meta.raw_type, meta.blobs), (3, 1, false));
    }
}
