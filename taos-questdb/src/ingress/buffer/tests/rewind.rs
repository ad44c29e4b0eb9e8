//! Markers, bookmarks, clearing, and the memory behind it all (questdb §4.2, §4.3).

use super::{ALL, V1, V2, refused};
use crate::ErrorCode::InvalidApiCall;
use crate::ingress::buffer::Buffer;
use crate::ingress::{ColumnName, TableName, TimestampNanos};

fn put(buffer: &mut Buffer, table: &str) {
    buffer
        .table(table)
        .unwrap()
        .symbol("s", "x")
        .unwrap()
        .at_now()
        .unwrap();
}

#[test]
fn a_marker_brings_back_everything_it_saw() {
    for version in ALL {
        let mut buffer = Buffer::new(version);
        put(&mut buffer, "a");
        buffer.set_marker().unwrap();
        put(&mut buffer, "b");
        buffer.table("c").unwrap();
        assert!(!buffer.transactional());
        buffer.rewind_to_marker().unwrap();
        assert_eq!(buffer.as_bytes(), b"a,s=x\n");
        assert_eq!((buffer.row_count(), buffer.len()), (1, 6));
        assert!(buffer.transactional());
        buffer.check_can_flush().unwrap();
        assert_eq!(refused(buffer.rewind_to_marker()).0, InvalidApiCall);
    }
}

#[test]
fn the_first_table_after_a_rewind_to_nothing_is_the_first() {
    let mut buffer = Buffer::new(V1);
    buffer.set_marker().unwrap();
    put(&mut buffer, "a");
    buffer.rewind_to_marker().unwrap();
    put(&mut buffer, "b");
    put(&mut buffer, "b");
    assert!(buffer.transactional());
    put(&mut buffer, "a");
    assert!(!buffer.transactional());
    buffer.clear();
    assert!(buffer.transactional());
}

#[test]
fn a_new_marker_takes_the_place_of_the_old_and_clearing_is_idempotent() {
    let mut buffer = Buffer::new(V1);
    let first = buffer.bookmark().unwrap();
    put(&mut buffer, "a");
    buffer.set_marker().unwrap();
    put(&mut buffer, "a");
    assert_eq!(refused(buffer.rewind_to_bookmark(first)).0, InvalidApiCall);
    buffer.clear_bookmark(first);
    buffer.rewind_to_marker().unwrap();
    assert_eq!(buffer.row_count(), 1);
    buffer.set_marker().unwrap();
    buffer.clear_marker();
    buffer.clear_marker();
    assert_eq!(refused(buffer.rewind_to_marker()).0, InvalidApiCall);
    buffer.set_marker().unwrap();
    buffer.clear();
    assert_eq!(refused(buffer.rewind_to_marker()).0, InvalidApiCall);
}

#[test]
fn bookmarks_are_good_for_their_own_buffer_only() {
    let mut buffer = Buffer::new(V1);
    put(&mut buffer, "a");
    let bookmark = buffer.bookmark().unwrap();
    put(&mut buffer, "a");
    let mut copy = buffer.clone();
    let (code, words) = refused(copy.rewind_to_bookmark(bookmark));
    assert_eq!(code, InvalidApiCall);
    assert!(words.contains("another buffer"), "{words}");
    copy.clear_bookmark(bookmark);
    copy.rewind_to_marker().unwrap();
    assert_eq!(copy.row_count(), 1);
    assert_eq!(buffer.row_count(), 2);
    buffer.rewind_to_bookmark(bookmark).unwrap();
    assert_eq!(buffer.row_count(), 1);
    assert_eq!(
        refused(buffer.rewind_to_bookmark(bookmark)).0,
        InvalidApiCall
    );
}

#[test]
fn one_table_is_told_by_its_name_as_written() {
    for names in [
        ["t", "t", "u"],
        ["exactly_16_bytes", "exactly_16_bytes", "exactly_16_bytez"],
        [
            "a_name_of_17_byte",
            "a_name_of_17_byte",
            "a_name_of_17_bytf",
        ],
        ["with space", "with space", "with_space"],
        ["table", "table", "tabl"],
    ] {
        let mut buffer = Buffer::new(V2);
        put(&mut buffer, names[0]);
        put(&mut buffer, names[1]);
        assert!(buffer.transactional(), "{names:?}");
        put(&mut buffer, names[2]);
        assert!(!buffer.transactional(), "{names:?}");
        put(&mut buffer, names[0]);
        assert!(!buffer.transactional(), "{names:?}");
    }
}

#[test]
fn memory_is_kept_when_rows_are_dropped_and_lent_out_without_a_copy() {
    let mut buffer = Buffer::with_init_capacity_and_max_name_len(V1, 4096, 127);
    assert!(buffer.capacity() >= 4096);
    for _ in 0..10_000 {
        put(&mut buffer, "t");
    }
    let (bytes, capacity) = (buffer.as_bytes().to_vec(), buffer.capacity());
    let place = buffer.as_bytes().as_ptr();
    let lent = buffer.take_bytes();
    assert_eq!((lent.as_ptr(), &lent), (place, &bytes));
    buffer.restore_bytes(lent);
    assert_eq!(buffer.as_bytes(), bytes);
    assert_eq!((buffer.row_count(), buffer.capacity()), (10_000, capacity));
    put(&mut buffer, "t");
    assert_eq!(buffer.len(), bytes.len() + 6);
    buffer.clear();
    assert_eq!((buffer.len(), buffer.row_count()), (0, 0));
    assert!(buffer.capacity() >= capacity && buffer.is_empty());
    buffer.reserve(1 << 20);
    assert!(buffer.capacity() >= 1 << 20);
}

#[test]
fn a_buffer_whose_lines_are_out_for_good_is_empty_and_goes_on() {
    let mut buffer = Buffer::new(V1);
    put(&mut buffer, "t");
    put(&mut buffer, "t");
    buffer.set_marker().unwrap();
    drop(buffer.take_bytes());
    assert_eq!(buffer.as_bytes(), b"");
    assert_eq!((buffer.len(), buffer.row_count()), (0, 0));
    assert!(buffer.rewind_to_marker().is_err(), "its rows are gone");
    put(&mut buffer, "u");
    assert_eq!(buffer.as_bytes(), b"u,s=x\n");
}

#[test]
fn bytes_that_do_not_come_back_leave_an_empty_buffer() {
    let mut buffer = Buffer::new(V1);
    put(&mut buffer, "t");
    drop(buffer.take_bytes());
    buffer.restore_bytes(Vec::new());
    assert_eq!((buffer.len(), buffer.row_count()), (0, 0));
    put(&mut buffer, "t");
    assert_eq!(buffer.as_bytes(), b"t,s=x\n");
}

#[test]
fn a_value_that_is_missing_leaves_no_trace() {
    let mut buffer = Buffer::new(V1);
    buffer
        .table("t")
        .unwrap()
        .symbol_opt("s", None::<&str>)
        .unwrap()
        .symbol_opt("r", Some("x"))
        .unwrap()
        .column_bool_opt("b", None)
        .unwrap()
        .column_i64_opt("i", None)
        .unwrap()
        .column_f64_opt("f", Some(1.5))
        .unwrap()
        .column_str_opt("x", None::<String>)
        .unwrap()
        .column_ts_opt("n", None::<TimestampNanos>)
        .unwrap()
        .column_arr_opt("a", None::<&Vec<f64>>)
        .unwrap()
        .column_dec_opt("d", None::<&str>)
        .unwrap()
        .column_uuid_opt("u", None)
        .unwrap()
        .column_binary_opt("y", None)
        .unwrap()
        .at_now()
        .unwrap();
    assert_eq!(buffer.as_bytes(), b"t,r=x f=1.5\n");
}

#[test]
fn names_without_checks_are_written_with_their_backslashes() {
    let mut buffer = Buffer::new(V1);
    buffer
        .table(TableName::new_unchecked("a,b"))
        .unwrap()
        .column_i64(ColumnName::new_unchecked("c\\d\n"), 1)
        .unwrap()
        .at_now()
        .unwrap();
    assert_eq!(buffer.as_bytes(), b"a\\,b c\\\\d\\\n=1i\n");
}

#[test]
fn a_buffer_shows_its_size_and_not_its_rows() {
    let mut buffer = Buffer::new(V2);
    put(&mut buffer, "secret");
    let shown = format!("{buffer:?}");
    assert!(
        shown.contains("rows: 1") && !shown.contains("secret"),
        "{shown}"
    );
}
