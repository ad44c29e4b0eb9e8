//! Schemaless writes: the most specific function that the library has for what is set (native-ffi §5).

use std::ffi::{CString, c_char, c_int};
use std::ptr;

use taos_query::util::generate_req_id;
use taos_query::writes::{payload, wrong};
use taos_query::{RawResult, SchemalessPrecision, SmlData};

use super::connection::Connection;
use super::text::c_text;
use super::{answer::Answer, signed_id};
use crate::ffi::{Api, TaosRes};

/// A schemaless write as the library takes it.
#[derive(Debug)]
pub(crate) struct Lines {
    /// A copy of our own, for the library takes it as text that it may change; a NUL ends it.
    text: Vec<u8>,
    /// Without that NUL.
    length: c_int,
    protocol: c_int,
    precision: c_int,
    /// 0 is never.
    ttl: i32,
    req_id: i64,
    /// Whether the caller has chosen it, so that a library which cannot take it must not be used.
    id_is_wanted: bool,
    /// Ours and with a NUL, as the text.
    table_name_key: Option<Vec<u8>>,
}

impl Lines {
    /// # Errors
    /// For data that no function takes: with a NUL in it, or too long.
    pub(crate) fn new(data: &SmlData) -> RawResult<Self> {
        let text = c_text("the schemaless data", payload(data)?)?.into_bytes_with_nul();
        let length = c_int::try_from(text.len() - 1).map_err(|_| {
            wrong(format!(
                "the schemaless data has {} bytes, and the client library takes {} at a time: write it in parts",
                text.len() - 1,
                c_int::MAX
            ))
        })?;
        let key = data.table_name_key().filter(|key| !key.is_empty());
        let wanted = data.req_id();
        Ok(Self {
            text,
            length,
            protocol: data.protocol() as c_int,
            precision: precision(data.precision()),
            ttl: data.ttl().unwrap_or(0),
            req_id: signed_id(wanted.unwrap_or_else(generate_req_id)),
            id_is_wanted: wanted.is_some(),
            table_name_key: key
                .map(|key| c_text("the table_name_key", key.as_str()))
                .transpose()?
                .map(CString::into_bytes_with_nul),
        })
    }
}

/// The number of a precision, which is not its text as over WebSocket.
const fn precision(precision: SchemalessPrecision) -> c_int {
    match precision {
        SchemalessPrecision::NonConfigured => 0,
        SchemalessPrecision::Hours => 1,
        SchemalessPrecision::Minutes => 2,
        SchemalessPrecision::Seconds => 3,
        SchemalessPrecision::Millisecond => 4,
        SchemalessPrecision::Microsecond => 5,
        SchemalessPrecision::Nanosecond => 6,
    }
}

/// The functions of the library for schemaless writes, by what they take besides the lines.
#[derive(Debug, Clone, Copy)]
enum Put {
    Plain,
    Id,
    Ttl,
    TtlId,
    TtlIdKey,
}

impl Put {
    /// The most specific one for what is set. An id that the caller has not chosen only helps to find the request in
    /// logs, so that a library which takes none is used without.
    fn of(api: &Api, lines: &Lines) -> Self {
        let wanted = lines.id_is_wanted;
        match (&lines.table_name_key, lines.ttl) {
            (Some(_), _) => Self::TtlIdKey,
            (None, 0) => match api.taos_schemaless_insert_raw_with_reqid.found() {
                None if !wanted => Self::Plain,
                _ => Self::Id,
            },
            (None, _) => match api.taos_schemaless_insert_raw_ttl_with_reqid.found() {
                None if !wanted => Self::Ttl,
                _ => Self::TtlId,
            },
        }
    }

    /// Calls it; gives the result, and the number of all rows.
    ///
    /// # Errors
    /// If the library has no such function.
    fn call(self, connection: &Connection, lines: &mut Lines) -> RawResult<(*mut TaosRes, i32)> {
        let api = &connection.library().api;
        let taos = connection.as_ptr();
        let mut total = 0_i32;
        let rows = &raw mut total;
        let text: *mut c_char = lines.text.as_mut_ptr().cast();
        let key = lines.table_name_key.as_mut();
        let key: *mut c_char = key.map_or(ptr::null_mut(), |key| key.as_mut_ptr().cast());
        let (n, ttl, id) = (lines.length, lines.ttl, lines.req_id);
        let (p, u) = (lines.protocol, lines.precision);
        // SAFETY: the connection is open. Text, key and the place for the number of rows live until the call returns, and
        // nobody else has them; text and key end with NUL.
        let res = unsafe {
            match self {
                Self::Plain => api.taos_schemaless_insert_raw.get()?(taos, text, n, rows, p, u),
                Self::Id => {
                    let put = api.taos_schemaless_insert_raw_with_reqid.get()?;
                    put(taos, text, n, rows, p, u, id)
                }
                Self::Ttl => {
                    let put = api.taos_schemaless_insert_raw_ttl.get()?;
                    put(taos, text, n, rows, p, u, ttl)
                }
                Self::TtlId => {
                    let put = api.taos_schemaless_insert_raw_ttl_with_reqid.get()?;
                    put(taos, text, n, rows, p, u, ttl, id)
                }
                Self::TtlIdKey => {
                    let put = api.taos_schemaless_insert_raw_ttl_with_reqid_tbname_key;
                    put.get()?(taos, text, n, rows, p, u, ttl, id, key)
                }
            }
        };
        Ok((res, total))
    }
}

impl Connection {
    /// Writes lines; gives the number of rows that changed, and of all rows. Blocks.
    ///
    /// # Errors
    /// `Unsupported` from a library without a function for what is set, and the library's.
    pub(crate) fn put(&self, mut lines: Lines) -> RawResult<(usize, usize)> {
        let put = Put::of(&self.library().api, &lines);
        let (res, total) = put.call(self, &mut lines)?;
        // SAFETY: the call has just given this result on this thread, and it is nobody else's.
        let answer = unsafe { Answer::new(self.library(), res) }?;
        let changed = usize::try_from(answer.affected_rows()).unwrap_or(0);
        Ok((changed, usize::try_from(total).unwrap_or(0)))
    }
}

#[cfg(test)]
mod tests {
    use taos_query::{SchemalessProtocol, SmlDataBuilder};

    use super::*;

    #[test]
    fn precisions_have_the_numbers_of_the_library() {
        use SchemalessPrecision::*;
        let all = [
            NonConfigured,
            Hours,
            Minutes,
            Seconds,
            Millisecond,
            Microsecond,
            Nanosecond,
        ];
        assert_eq!(all.map(precision), [0, 1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn lines_end_with_a_nul_that_does_not_count_and_have_none_inside() {
        let mut builder = SmlDataBuilder::default();
        builder
            .protocol(SchemalessProtocol::Line)
            .data(vec!["a b=1".to_owned(), "a b=2".to_owned()]);
        let lines = Lines::new(&builder.build().unwrap()).unwrap();
        assert_eq!(lines.text, b"a b=1\na b=2\0");
        assert_eq!((lines.length, lines.protocol), (11, 1));
        assert!(!lines.id_is_wanted && lines.req_id != 0);

        builder.data(vec!["a b=\"x\0y\"".to_owned()]);
        let error = Lines::new(&builder.build().unwrap())
            .unwrap_err()
            .to_string();
        assert!(error.contains("NUL character at byte 6"), "{error}");
    }
}
