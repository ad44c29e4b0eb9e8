//! Rows and columns, as C programs and taospy read them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::null_mut;

use common::{Answer, Session};
use taos_capi::fetch::{taos_fetch_raw_block, taos_fetch_rows_a};
use taos_capi::print::{taos_print_row, taos_print_row_with_size};
use taos_capi::query::{taos_fetch_fields, taos_field_count};
use taos_capi::read::*;
use taos_capi::types::TaosRow;

const TABLE: &[&str] = &[
    "create database d precision 'us'",
    "use d",
    "create table t (ts timestamp, b bool, i1 tinyint, i2 smallint, i4 int, i8 bigint, f float, g double, \
     u1 tinyint unsigned, u8 bigint unsigned, s varchar(20), n nchar(20), x varbinary(20), d decimal(10, 2), \
     e decimal(38, 10))",
    "insert into t values (1700000000000000, true, -1, -2, -3, -4, 1.5, 2.5, 250, 18446744073709551615, 'text', \
     'é中文', '\\x00ff', '-12.50', '12345678901234567890.5')",
    "insert into t (ts) values (1700000000000001)",
    "insert into t values (1700000000000002, false, 1, 2, 3, 4, 0.5, 0.25, 0, 1, '', '', '', '0', '0')",
];

/// Values of a row as bytes; none for NULL.
fn values(answer: &Answer, row: TaosRow) -> Vec<Option<Vec<u8>>> {
    // SAFETY: a row of this result, with as many addresses and lengths as columns.
    unsafe {
        let columns = usize::try_from(taos_field_count(answer.0)).unwrap();
        let lengths = std::slice::from_raw_parts(taos_fetch_lengths(answer.0), columns);
        let value = |(address, length): (&*mut c_void, &c_int)| {
            let length = usize::try_from(*length).unwrap();
            (!address.is_null())
                .then(|| std::slice::from_raw_parts(address.cast::<u8>(), length).to_vec())
        };
        let row = std::slice::from_raw_parts(row, columns);
        row.iter().zip(lengths).map(value).collect()
    }
}

#[test]
fn a_row_lends_each_value_with_its_length() {
    let session = Session::start();
    session.exec(TABLE);
    let answer = session.query("select * from t");
    // SAFETY: the result is alive.
    let first = unsafe { taos_fetch_row(answer.0) };
    let first: Vec<Vec<u8>> = values(&answer, first).into_iter().flatten().collect();
    let expected: [Vec<u8>; 15] = [
        1_700_000_000_000_000_i64.to_le_bytes().to_vec(),
        vec![1],
        vec![255],
        (-2_i16).to_le_bytes().to_vec(),
        (-3_i32).to_le_bytes().to_vec(),
        (-4_i64).to_le_bytes().to_vec(),
        1.5_f32.to_le_bytes().to_vec(),
        2.5_f64.to_le_bytes().to_vec(),
        vec![250],
        u64::MAX.to_le_bytes().to_vec(),
        b"text".to_vec(),
        "é中文".as_bytes().to_vec(),
        vec![0, 255],
        b"-12.50".to_vec(),
        b"12345678901234567890.5000000000".to_vec(),
    ];
    assert_eq!(first, expected);
    // SAFETY: the result is alive.
    unsafe {
        let second = taos_fetch_row(answer.0);
        let second = values(&answer, second);
        assert!(second[0].is_some() && second[1..].iter().all(Option::is_none));
        let third = taos_fetch_row(answer.0);
        let third = values(&answer, third);
        assert_eq!(third[10..13], [Some(vec![]), Some(vec![]), Some(vec![])]);
        assert_eq!(third[13].as_deref(), Some(&b"0.00"[..]));
        assert!(taos_fetch_row(answer.0).is_null());
        assert!(taos_fetch_row(answer.0).is_null(), "the end stays");
        assert_eq!(answer.error().0, 0);
    }
}

#[test]
fn nchar_ends_with_nul_and_fixed_values_are_aligned() {
    let session = Session::start();
    session.exec(TABLE);
    let answer = session.query("select i1, n, i8, ts from t");
    // SAFETY: a row of four values.
    unsafe {
        let row = std::slice::from_raw_parts(taos_fetch_row(answer.0), 4);
        assert_eq!(CStr::from_ptr(row[1].cast()).to_str().unwrap(), "é中文");
        assert!(row[2].addr().is_multiple_of(8) && row[3].addr().is_multiple_of(8));
        assert_eq!(row[2].cast::<i64>().read(), -4);
    }
}

#[test]
fn rows_print_as_text_that_fits() {
    let session = Session::start();
    session.exec(TABLE);
    let answer = session.query("select * from t");
    let mut buffer = [0 as c_char; 512];
    // SAFETY: the row, its fields, and a buffer with room.
    unsafe {
        let row = taos_fetch_row(answer.0);
        let fields = taos_fetch_fields(answer.0);
        let written = taos_print_row(buffer.as_mut_ptr(), row, fields, 15);
        let text = CStr::from_ptr(buffer.as_ptr()).to_str().unwrap();
        assert_eq!(
            text,
            "1700000000000000 1 -1 -2 -3 -4 1.500000 2.500000 250 18446744073709551615 text é中文 \\x00FF -12.50 \
             12345678901234567890.5000000000"
        );
        assert_eq!(usize::try_from(written).unwrap(), text.len());
        assert_eq!(
            taos_print_row_with_size(buffer.as_mut_ptr(), 8, row, fields, 15),
            7
        );
        assert_eq!(CStr::from_ptr(buffer.as_ptr()), c"1700000");
        let row = taos_fetch_row(answer.0);
        assert!(taos_print_row(buffer.as_mut_ptr(), row, fields, 2) > 0);
        assert_eq!(CStr::from_ptr(buffer.as_ptr()), c"1700000000000001 NULL");
    }
}

#[test]
fn columns_lend_values_one_behind_the_other() {
    let session = Session::start();
    session.exec(TABLE);
    let answer = session.query("select i4, s, n, d from t");
    let mut columns: TaosRow = null_mut();
    // SAFETY: the result is alive, and the places may be written.
    unsafe {
        assert_eq!(taos_fetch_block(answer.0, &raw mut columns), 3);
        let columns = std::slice::from_raw_parts(columns, 4);
        let ints = columns[0].cast::<i32>();
        assert_eq!((ints.read(), ints.add(2).read()), (-3, 3));
        let mut nulls = [false; 8];
        let mut rows = 8;
        assert_eq!(
            taos_is_null_by_column(answer.0, 0, nulls.as_mut_ptr(), &raw mut rows),
            0
        );
        assert_eq!((rows, &nulls[..3]), (3, &[false, true, false][..]));
        assert!(taos_is_null(answer.0, 1, 0) && !taos_is_null(answer.0, 2, 0));
        assert!(taos_is_null(answer.0, 3, 0), "outside of the block");
        assert!(taos_get_column_data_offset(answer.0, 0).is_null());
        for (column, text) in [(1, "text"), (2, "é中文")] {
            let offsets = taos_get_column_data_offset(answer.0, c_int::try_from(column).unwrap());
            let offsets = std::slice::from_raw_parts(offsets, 3);
            assert_eq!(offsets[1], -1);
            let value = columns[column]
                .cast::<u8>()
                .offset(offsets[0].try_into().unwrap());
            let length = usize::from(value.cast::<u16>().read_unaligned());
            let value = std::slice::from_raw_parts(value.add(2), length);
            assert_eq!(value, text.as_bytes());
        }
        let decimal = columns[3].cast::<c_char>();
        assert_eq!(CStr::from_ptr(decimal), c"-12.50");
        assert_eq!(CStr::from_ptr(decimal.add(2 * 64)), c"0.00");
        let lengths = std::slice::from_raw_parts(taos_fetch_lengths(answer.0), 4);
        assert_eq!(lengths, [4, 22, 82, 64]);
        let (mut rows, mut end) = (7, null_mut());
        assert_eq!(taos_fetch_block_s(answer.0, &raw mut rows, &raw mut end), 0);
        assert_eq!((rows, end), (0, null_mut()));
    }
}

#[test]
fn a_block_that_was_handed_out_whole_gives_no_rows() {
    let session = Session::start();
    session.exec(TABLE);
    let answer = session.query("select i4 from t");
    let (mut rows, mut block) = (0, null_mut());
    // SAFETY: the result is alive.
    unsafe {
        assert_eq!(
            taos_fetch_raw_block(answer.0, &raw mut rows, &raw mut block),
            0
        );
        assert_eq!(rows, 3);
        assert!(taos_fetch_row(answer.0).is_null());
    }
}

/// Counts the rows of a result, callback by callback, and frees it in the last.
unsafe extern "C" fn count(param: *mut c_void, res: *mut c_void, rows: c_int) {
    // SAFETY: the test gives a channel that outlives the callbacks, and the result is alive until freed here.
    unsafe {
        let sender = &*param.cast::<std::sync::mpsc::Sender<c_int>>();
        for _ in 0..rows {
            assert!(!taos_fetch_row(res).is_null());
        }
        if rows > 0 {
            assert!(!taos_result_block(res).is_null());
            taos_fetch_rows_a(res, Some(count), param);
        } else {
            taos_capi::query::taos_free_result(res);
        }
        sender.send(rows).unwrap();
    }
}

#[test]
fn a_callback_takes_rows_asks_for_more_and_frees_the_result() {
    let session = Session::start();
    session.exec(TABLE);
    let (sender, receiver) = std::sync::mpsc::channel::<c_int>();
    let sender = Box::new(sender);
    let answer = session.query("select * from t");
    let param = (&raw const *sender).cast_mut().cast();
    // SAFETY: the result is alive, and its callbacks free it.
    unsafe { taos_fetch_rows_a(answer.0, Some(count), param) };
    std::mem::forget(answer);
    let wait = || {
        receiver
            .recv_timeout(std::time::Duration::from_secs(30))
            .unwrap()
    };
    let mut reports = [wait(), wait()];
    reports.sort_unstable();
    assert_eq!(
        reports,
        [0, 3],
        "in any order: a callback may run while another has not returned"
    );
}

#[test]
fn json_blob_and_geometry_are_read_like_text() {
    let session = Session::start();
    session.exec(&[
        "create database d",
        "use d",
        "create stable s (ts timestamp, b blob, g geometry(64)) tags (j json)",
        "insert into t using s tags ('{\"k\":\"é\"}') values (1700000000000, '\\x010203', 'POINT(1 2)')",
    ]);
    let answer = session.query("select j, b, g from s");
    let mut buffer = [0 as c_char; 256];
    // SAFETY: a row of three values, its fields, and a buffer with room.
    unsafe {
        let row = taos_fetch_row(answer.0);
        let held = values(&answer, row);
        assert_eq!(held[0].as_deref(), Some("{\"k\":\"é\"}".as_bytes()));
        assert_eq!(held[1].as_deref(), Some(&[1, 2, 3][..]));
        assert_eq!(held[2].as_ref().map(Vec::len), Some(21));
        assert_eq!(
            CStr::from_ptr((*row).cast()).to_str().unwrap(),
            "{\"k\":\"é\"}"
        );
        let fields = taos_fetch_fields(answer.0);
        taos_print_row(buffer.as_mut_ptr(), row, fields, 3);
        let text = CStr::from_ptr(buffer.as_ptr()).to_str().unwrap();
        assert!(
            text.starts_with("{\"k\":\"é\"} \\x010203 \\x01010000"),
            "{text}"
        );
    }
    let answer = session.query("select b from s");
    let mut columns: TaosRow = null_mut();
    // SAFETY: one column of one value, behind a length of four bytes.
    unsafe {
        assert_eq!(taos_fetch_block(answer.0, &raw mut columns), 1);
        let offset = *taos_get_column_data_offset(answer.0, 0);
        let value = (*columns).cast::<u8>().offset(offset.try_into().unwrap());
        let value = std::slice::from_raw_parts(value, 7);
        assert_eq!(value, [3, 0, 0, 0, 1, 2, 3]);
    }
}
