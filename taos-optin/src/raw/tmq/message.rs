//! Messages.

use std::ffi::{c_int, c_void};
use std::fmt;
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::Arc;

use bytes::Bytes;
use taos_query::abi::TmqRawData;
use taos_query::common::{Field, Precision};
use taos_query::tmq::VGroupId;
use taos_query::tmq::backend::SNAPSHOT_OFFSET;
use taos_query::{RawBlock, RawData, RawResult};

use super::refused;
use crate::ffi::{Library, TaosRes};
use crate::raw::{columns, error, result, text};

/// What a message holds (`tmq_get_res_type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Rows.
    Data,
    /// Changes of tables.
    Meta,
    /// Rows, and the tables that were made for them.
    MetaData,
    /// Rows as they are stored.
    Stored,
}

/// A message, freed when it is dropped.
pub(crate) struct Message {
    library: &'static Library,
    res: NonNull<TaosRes>,
}

// SAFETY: "A result must not be used by two threads at once; moving it between threads is fine" (native-ffi §4); without
// `Sync` no two threads use it at once.
unsafe impl Send for Message {}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message").finish_non_exhaustive()
    }
}

impl Message {
    /// # Safety
    /// A message that the library has just given, which nobody else uses or frees.
    pub(super) const unsafe fn adopt(library: &'static Library, res: NonNull<TaosRes>) -> Self {
        Self { library, res }
    }

    /// Good as long as the message lives.
    pub(super) const fn as_ptr(&self) -> *mut TaosRes {
        self.res.as_ptr()
    }

    /// # Errors
    /// For a number that stands for nothing known.
    pub(crate) fn kind(&self) -> RawResult<Kind> {
        // SAFETY: ours and not freed.
        match unsafe { (self.library.api.tmq_get_res_type)(self.as_ptr()) } {
            1 => Ok(Kind::Data),
            2 => Ok(Kind::Meta),
            3 => Ok(Kind::MetaData),
            4 => Ok(Kind::Stored),
            other => Err(error::malformed(format!("is of the unknown type {other}"))),
        }
    }

    pub(crate) fn topic(&self) -> String {
        // SAFETY: ours and not freed; the text is the message's.
        unsafe { text::read((self.library.api.tmq_get_topic_name)(self.as_ptr())) }
    }

    pub(crate) fn database(&self) -> String {
        // SAFETY: as above.
        unsafe { text::read((self.library.api.tmq_get_db_name)(self.as_ptr())) }
    }

    pub(crate) fn vgroup(&self) -> VGroupId {
        // SAFETY: as above.
        unsafe { (self.library.api.tmq_get_vgroup_id)(self.as_ptr()) }
    }

    /// Where it begins; the place of a snapshot where there is no version, and from libraries that do not tell.
    pub(crate) fn offset(&self) -> i64 {
        let Some(offset) = self.library.api.tmq_get_vgroup_offset.found() else {
            return SNAPSHOT_OFFSET;
        };
        // SAFETY: as above.
        unsafe { offset(self.as_ptr()) }
    }

    /// The next block of rows, with the names of its columns and, where the topic tells it, of its table; `None` at the
    /// end. `before` are columns that it may share.
    pub(crate) fn next_block(
        &mut self,
        before: &mut Option<Arc<[Field]>>,
    ) -> RawResult<Option<RawBlock>> {
        let (library, api) = (self.library, &self.library.api);
        let mut rows: c_int = 0;
        let mut block: *mut c_void = ptr::null_mut();
        // SAFETY: ours and not freed, and `&mut self`: nobody else reads it. The two last are written to.
        let code =
            unsafe { (api.taos_fetch_raw_block)(self.as_ptr(), &raw mut rows, &raw mut block) };
        if code != 0 {
            // SAFETY: ours and not freed.
            return Err(unsafe { error::of_result(library, self.as_ptr(), code) });
        }
        if rows == 0 {
            return Ok(None);
        }
        // SAFETY: the library says that there are rows, and the block stays until the next fetch, which needs `&mut`.
        let block = unsafe { result::copy_block(block) }?;
        // SAFETY: ours and not freed. What is asked here is of the block that was fetched last.
        let (columns, precision, table) = unsafe {
            let count = (api.taos_field_count)(self.as_ptr());
            (
                columns::read(library, self.as_ptr(), count)?.fields,
                (api.taos_result_precision)(self.as_ptr()),
                text::read((api.tmq_get_table_name)(self.as_ptr())),
            )
        };
        let precision = u8::try_from(precision)
            .ok()
            .and_then(Precision::from_u8_option)
            .ok_or_else(|| error::malformed(format!("has the time unit {precision}")))?;
        let fields = match before {
            Some(before) if **before == *columns => Arc::clone(before),
            before => Arc::clone(before.insert(columns)),
        };
        let mut block = RawBlock::parse_from_raw_block(block, precision)?;
        block.with_fields(fields)?;
        if !table.is_empty() {
            block.with_table_name(table);
        }
        Ok(Some(block))
    }

    /// The message as the server packs it, copied.
    pub(crate) fn raw(&self) -> RawResult<RawData> {
        let mut raw = TmqRawData {
            raw: ptr::null_mut(),
            raw_len: 0,
            raw_type: 0,
        };
        // SAFETY: ours and not freed; the last is written to.
        let code = unsafe { (self.library.api.tmq_get_raw)(self.as_ptr(), &raw mut raw) };
        if code != 0 {
            return Err(refused(self.library, code).context("getting a message in its packed form"));
        }
        let packed = Packed { message: self, raw };
        Ok(RawData::new(packed.raw.raw_type, packed.copy()))
    }

    /// What it says of tables, as JSON text.
    pub(crate) fn json(&self) -> Option<String> {
        // SAFETY: ours and not freed.
        let json = unsafe { (self.library.api.tmq_get_json_meta)(self.as_ptr()) };
        if json.is_null() {
            return None;
        }
        // SAFETY: a text that ends with NUL and stays until it is freed.
        let copy = unsafe { text::read(json) };
        // SAFETY: given for us to free, and freed nowhere else.
        unsafe { (self.library.api.tmq_free_json_meta)(json) };
        Some(copy)
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        // SAFETY: ours (native-ffi §4: messages are freed as results are), and freed nowhere else.
        unsafe { (self.library.api.taos_free_result)(self.as_ptr()) }
    }
}

/// The packed form, which may be part of the message, and is given back before it.
struct Packed<'a> {
    message: &'a Message,
    raw: TmqRawData,
}

impl Packed<'_> {
    fn copy(&self) -> Bytes {
        let length = usize::try_from(self.raw.raw_len).unwrap_or(0);
        if self.raw.raw.is_null() || length == 0 {
            return Bytes::new();
        }
        // SAFETY: the library has told so many bytes, which stay until they are given back.
        let raw = unsafe { slice::from_raw_parts(self.raw.raw.cast::<u8>(), length) };
        Bytes::copy_from_slice(raw)
    }
}

impl Drop for Packed<'_> {
    fn drop(&mut self) {
        // SAFETY: got by one `tmq_get_raw`, given back once, while the message still lives: it is borrowed.
        unsafe { (self.message.library.api.tmq_free_raw)(self.raw) }
    }
}
