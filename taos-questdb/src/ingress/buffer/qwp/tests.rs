use std::net::Ipv4Addr;

use super::{Encoder, SymbolTable};
use crate::ErrorCode;
use crate::ingress::{Buffer, TimestampMicros, TimestampNanos};
use crate::testing::hex;

/// One connection.
#[derive(Default)]
struct Connection {
    encoder: Encoder,
    known: SymbolTable,
}

impl Connection {
    fn send(&mut self, buffer: &Buffer) -> Vec<u8> {
        let mut out = Vec::new();
        let columns = buffer.qwp().unwrap();
        self.encoder
            .encode(columns, &mut self.known, &mut out)
            .unwrap();
        assert!(
            out.len() <= buffer.len(),
            "{} > {}",
            out.len(),
            buffer.len()
        );
        out
    }
}

const TS: i64 = 1_700_000_000_000_000;

/// The rows of message 1 of questdb §15.5.
fn sensors(buffer: &mut Buffer) {
    let row = buffer.table("sensors").unwrap();
    row.symbol("host", "server1").unwrap();
    row.column_f64("temp", 91.5).unwrap();
    row.column_i64("n", 7).unwrap();
    row.at(TimestampMicros::new(TS)).unwrap();
    let row = buffer.table("sensors").unwrap();
    row.symbol("host", "server2").unwrap();
    row.column_f64("temp", 92.5).unwrap();
    row.at(TimestampMicros::new(TS + 1)).unwrap();
    let row = buffer.table("sensors").unwrap();
    row.symbol("host", "server1").unwrap();
    row.column_str("msg", "hé").unwrap();
    row.column_bool("ok", true).unwrap();
    row.at(TimestampMicros::new(TS + 2)).unwrap();
}

const SENSORS: &str = "
    51 57 50 31 01 08 01 00 94 00 00 00
    00 02 07 73 65 72 76 65 72 31 07 73 65 72 76 65 72 32
    07 73 65 6e 73 6f 72 73 03 06
    04 68 6f 73 74 09  04 74 65 6d 70 07  01 6e 05  00 0a  03 6d 73 67 0f  02 6f 6b 01
    00 00 01 00
    00 00 00 00 00 00 e0 56 40 00 00 00 00 00 20 57 40 00 00 00 00 00 00 f8 7f
    00 07 00 00 00 00 00 00 00 00 00 00 00 00 00 00 80 00 00 00 00 00 00 00 80
    00 00 40 1e 18 24 0a 06 00 01 40 1e 18 24 0a 06 00 02 40 1e 18 24 0a 06 00
    01 03 00 00 00 00 03 00 00 00 68 c3 a9
    00 04";

#[test]
fn the_documented_messages_are_met_byte_for_byte() {
    let mut connection = Connection::default();
    let mut buffer = Buffer::new_qwp_ws();
    sensors(&mut buffer);
    assert_eq!(connection.send(&buffer), hex(SENSORS));

    let mut other = Buffer::new_qwp_ws();
    other.table("t").unwrap().symbol("s", "server3").unwrap();
    other.at_now().unwrap();
    connection.send(&other);

    let mut notes = Buffer::new_qwp_ws();
    notes.table("nots").unwrap().column_i64("x", 1).unwrap();
    notes.at_now().unwrap();
    let expected = "
        51 57 50 31 01 08 01 00 15 00 00 00  03 00  04 6e 6f 74 73 01 01  01 78 05
        00 01 00 00 00 00 00 00 00";
    assert_eq!(connection.send(&notes), hex(expected));
}

/// What follows the null flag in a message of one row with this one column.
fn single(write: impl FnOnce(&mut Buffer)) -> Vec<u8> {
    let mut buffer = Buffer::new_qwp_ws();
    buffer.table("t").unwrap();
    write(&mut buffer);
    buffer.at_now().unwrap();
    let bytes = Connection::default().send(&buffer);
    // Header, empty delta, "t", one row, one column named "v" and its type.
    let [0, 0, 1, b't', 1, 1, 1, b'v', _, 0, value @ ..] = &bytes[12..] else {
        panic!("{bytes:02x?}");
    };
    value.to_vec()
}

macro_rules! assert_single {
    ($bytes:literal, $($call:tt)+) => {
        assert_eq!(single(|b| { b.$($call)+.unwrap(); }), hex($bytes));
    };
}

#[test]
fn single_values_have_the_documented_bytes() {
    assert_single!("fe", column_i8("v", -2));
    assert_single!("fd ff", column_i16("v", -3));
    assert_single!("fc ff ff ff", column_i32("v", -4));
    assert_single!("00 00 c0 3f", column_f32("v", 1.5));
    assert_single!(
        "88 77 66 55 44 33 22 11 00 ff ee dd cc bb aa 99",
        column_uuid("v", 0x1122_3344_5566_7788, 0x99aa_bbcc_ddee_ff00)
    );
    assert_single!("01 00 00 0a", column_ipv4("v", Ipv4Addr::new(10, 0, 0, 1)));
    assert_single!("41 00", column_char("v", u16::from(b'A')));
    assert_single!(
        "00 00 00 00 02 00 00 00 de ad",
        column_binary("v", &[0xde, 0xad])
    );
    assert_single!("05 15", column_geohash("v", 0b10101, 5));
    assert_single!("02 7d 00 00 00 00 00 00 00", column_dec64("v", "1.25"));
    assert_single!(
        "02 83 ff ff ff ff ff ff ff ff ff ff ff ff ff ff ff",
        column_dec128("v", "-1.25")
    );
    assert_single!("00 04 03 02 01 00 00 00", column_date("v", 0x01_0203_0400));
    let mut array = hex("02 01 00 00 00 02 00 00 00");
    array.extend(1f64.to_le_bytes());
    array.extend(2f64.to_le_bytes());
    assert_eq!(
        single(|b| {
            b.column_arr("v", &[[1.0, 2.0]]).unwrap();
        }),
        array
    );
    let mut decimal = hex("03 40 e2 01");
    decimal.extend([0; 29]);
    assert_eq!(
        single(|b| {
            b.column_dec("v", "123.456").unwrap();
        }),
        decimal
    );
    let mut long = [0; 32];
    long[0] = 1;
    assert_eq!(
        single(|b| {
            b.column_long256("v", &long).unwrap();
        }),
        long
    );
}

#[test]
fn a_reused_buffer_repeats_its_columns_as_nulls() {
    let mut connection = Connection::default();
    let mut buffer = Buffer::new_qwp_ws();
    sensors(&mut buffer);
    connection.send(&buffer);
    buffer.clear();
    assert_eq!(
        (buffer.len(), buffer.row_count(), buffer.is_empty()),
        (0, 0, true)
    );
    buffer.table("sensors").unwrap().column_i64("n", 1).unwrap();
    buffer.at(TimestampMicros::new(0)).unwrap();
    let expected = "
        51 57 50 31 01 08 01 00 4b 00 00 00  02 00
        07 73 65 6e 73 6f 72 73 01 06
        04 68 6f 73 74 09  04 74 65 6d 70 07  01 6e 05  00 0a  03 6d 73 67 0f  02 6f 6b 01
        01 01
        00 00 00 00 00 00 00 f8 7f
        00 01 00 00 00 00 00 00 00
        00 00 00 00 00 00 00 00 00
        01 01 00 00 00 00
        00 00";
    assert_eq!(connection.send(&buffer), hex(expected));
}

#[test]
fn symbols_may_follow_columns_and_the_first_value_of_a_row_counts() {
    let mut buffer = Buffer::new_qwp_ws();
    let row = buffer.table("t").unwrap();
    row.column_i64("n", 1).unwrap();
    row.symbol("s", "a").unwrap();
    row.column_i64("n", 2).unwrap();
    row.at_now().unwrap();
    let expected = "
        51 57 50 31 01 08 01 00 19 00 00 00  00 01 01 61
        01 74 01 02  01 6e 05 01 73 09
        00 01 00 00 00 00 00 00 00  00 00";
    assert_eq!(Connection::default().send(&buffer), hex(expected));
}

#[test]
fn a_wrong_call_changes_nothing() {
    let mut buffer = Buffer::new_qwp_ws();
    sensors(&mut buffer);
    let row = buffer.table("sensors").unwrap();
    for error in [
        row.table("x").map(drop).unwrap_err(),
        row.at_now().unwrap_err(),
        row.set_marker().unwrap_err(),
        row.check_can_flush().unwrap_err(),
        row.column_f64("n", 1.0).map(drop).unwrap_err(),
    ] {
        assert_eq!(error.code(), ErrorCode::InvalidApiCall, "{error}");
    }
    let long = "n".repeat(128);
    for name in ["a.b", "", long.as_str()] {
        let error = row.column_i64(name, 1).map(drop).unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidName, "{error}");
    }
    row.symbol("host", "server2").unwrap();
    let error = row.at(TimestampNanos::new(-1)).unwrap_err();
    assert_eq!(error.code(), ErrorCode::InvalidTimestamp);
    assert!(error.msg().contains("-1"));
    assert_eq!(
        row.column_dec("d", "1,5").map(drop).unwrap_err().code(),
        ErrorCode::InvalidDecimal
    );
    row.at(TimestampMicros::new(TS + 3)).unwrap();
    assert_eq!(buffer.row_count(), 4);
    let error = buffer.column_i64("a.b", 1).map(drop).unwrap_err();
    assert_eq!(
        error.code(),
        ErrorCode::InvalidName,
        "the name is judged first"
    );
    let error = buffer.column_i64("n", 1).map(drop).unwrap_err();
    assert_eq!(error.code(), ErrorCode::InvalidApiCall);
    let sent = Connection::default().send(&buffer);
    assert_eq!(sent[38], 4, "rows");
}

#[test]
fn rewinding_gives_the_message_of_the_marker() {
    let mut buffer = Buffer::new_qwp_ws();
    sensors(&mut buffer);
    buffer.set_marker().unwrap();
    for i in 0..20 {
        let row = buffer.table("sensors").unwrap();
        row.column_bool("ok", true).unwrap();
        row.symbol("host", format!("more{i}")).unwrap();
        row.column_str("msg", "later").unwrap();
        row.column_f64("new", 1.0).unwrap();
        row.at_now().unwrap();
        let row = buffer.table("other").unwrap();
        row.column_i64("x", 1).unwrap();
        row.at_now().unwrap();
    }
    buffer.table("sensors").unwrap().column_i64("n", 3).unwrap();
    buffer.rewind_to_marker().unwrap();
    assert_eq!(buffer.row_count(), 3);
    assert_eq!(Connection::default().send(&buffer), hex(SENSORS));
    assert!(buffer.rewind_to_marker().is_err());
    buffer.table("other").unwrap().column_f64("x", 1.0).unwrap();
    buffer.at_now().unwrap();
}

#[test]
fn a_column_may_change_its_type_while_it_has_no_values() {
    let mut buffer = Buffer::new_qwp_ws();
    buffer.table("t").unwrap().column_i64("v", 1).unwrap();
    buffer.at_now().unwrap();
    buffer.clear();
    buffer.table("t").unwrap().column_f64("w", 1.0).unwrap();
    buffer.at_now().unwrap();
    buffer.set_marker().unwrap();
    buffer.table("t").unwrap().column_str("v", "x").unwrap();
    buffer.at_now().unwrap();
    let sent = Connection::default().send(&buffer);
    assert!(sent.ends_with(&hex("01 01 00 00 00 00 01 00 00 00 78
         00 00 00 00 00 00 00 f0 3f 00 00 00 00 00 00 f8 7f")));
    buffer.rewind_to_marker().unwrap();
    let sent = Connection::default().send(&buffer);
    let mut expected = hex("00");
    expected.extend(i64::MIN.to_le_bytes());
    expected.push(0);
    expected.extend(1f64.to_le_bytes());
    assert!(sent.ends_with(&expected), "{sent:02x?}");
}

#[test]
fn decimals_of_a_column_get_the_largest_scale() {
    let mut buffer = Buffer::new_qwp_ws();
    for value in ["1.5", "NaN", "-2.125", "3"] {
        buffer.table("t").unwrap().column_dec64("v", value).unwrap();
        buffer.at_now().unwrap();
    }
    let mut expected = hex("01 02 03");
    for value in [1500i64, -2125, 3000] {
        expected.extend(value.to_le_bytes());
    }
    assert!(Connection::default().send(&buffer).ends_with(&expected));
    let row = buffer.table("t").unwrap();
    let error = row.column_dec64("v", "1e17").map(drop).unwrap_err();
    assert_eq!(error.code(), ErrorCode::InvalidDecimal);
    row.column_dec64("v", "4").unwrap();
    row.at_now().unwrap();
    expected[1] = 2;
    expected.extend(4000i64.to_le_bytes());
    assert!(Connection::default().send(&buffer).ends_with(&expected));
}

#[test]
fn geohashes_keep_their_precision_and_whole_bytes_get_a_bitmap() {
    let mut buffer = Buffer::new_qwp_ws();
    buffer
        .table("t")
        .unwrap()
        .column_geohash("v", 0xff, 8)
        .unwrap();
    buffer.at_now().unwrap();
    assert!(
        Connection::default()
            .send(&buffer)
            .ends_with(&hex("01 00 08 ff"))
    );
    let row = buffer.table("t").unwrap();
    for (hash, bits) in [(1, 5), (0, 0), (0, 61), (0x100, 8)] {
        assert!(row.column_geohash("v", hash, bits).is_err());
    }
    row.column_geohash("v", 1, 8).unwrap();
    row.at_now().unwrap();
}

#[test]
fn symbol_numbers_are_varints_and_only_new_ones_travel() {
    let mut connection = Connection::default();
    let mut buffer = Buffer::new_qwp_ws();
    for i in 0..200 {
        buffer
            .table("t")
            .unwrap()
            .symbol("s", i.to_string())
            .unwrap();
        buffer.at_now().unwrap();
    }
    connection.send(&buffer);
    assert_eq!(connection.known.len(), 200);
    buffer.clear();
    for symbol in ["199", "new", "5"] {
        buffer.table("t").unwrap().symbol("s", symbol).unwrap();
        buffer.at_now().unwrap();
    }
    let sent = connection.send(&buffer);
    assert_eq!(
        sent[12..],
        hex("c8 01 01 03 6e 65 77 01 74 03 01 01 73 09 00 c7 01 c8 01 05")
    );
}

#[test]
fn a_message_takes_no_more_columns_and_rows_than_the_protocol_allows() {
    let mut buffer = Buffer::new_qwp_ws();
    let row = buffer.table("t").unwrap();
    for i in 0..2048 {
        row.column_i64(format!("c{i}").as_str(), 1).unwrap();
    }
    let error = row.column_i64("one more", 1).map(drop).unwrap_err();
    assert_eq!(error.code(), ErrorCode::InvalidApiCall);
    row.at_now().unwrap();
    let mut buffer = Buffer::new_qwp_ws();
    for _ in 0..=1_000_000 {
        buffer.table("t").unwrap().column_i8("c", 1).unwrap();
        buffer.at_now().unwrap();
    }
    let error = Encoder::default()
        .encode(
            buffer.qwp().unwrap(),
            &mut SymbolTable::default(),
            &mut Vec::new(),
        )
        .unwrap_err();
    assert_eq!(error.code(), ErrorCode::BatchTooLarge);
}

#[test]
fn a_value_that_is_refused_leaves_no_column_behind() {
    let plain = |buffer: &mut Buffer| {
        buffer.table("t").unwrap().column_i64("n", 1).unwrap();
        buffer.at_now().unwrap();
    };
    let mut expected = Buffer::new_qwp_ws();
    plain(&mut expected);
    let expected = Connection::default().send(&expected);

    let mut buffer = Buffer::new_qwp_ws();
    buffer.table("t").unwrap();
    buffer.column_geohash("geo", 0xffff, 5).unwrap_err();
    buffer.column_geohash("geo", 0, 61).unwrap_err();
    buffer.column_dec64("d", "1e-30").unwrap_err();
    buffer.column_i64("n", 1).unwrap();
    buffer.at_now().unwrap();
    assert_eq!(Connection::default().send(&buffer), expected);

    // The name is free for another type, and for a row that uses it rightly.
    buffer.clear();
    buffer.table("t").unwrap().column_i64("n", 1).unwrap();
    buffer.column_geohash("x", 0xffff, 5).unwrap_err();
    buffer.column_str("x", "text").unwrap();
    buffer.at_now().unwrap();
    let mut right = Buffer::new_qwp_ws();
    right.table("t").unwrap().column_i64("n", 1).unwrap();
    right.column_str("x", "text").unwrap();
    right.at_now().unwrap();
    assert_eq!(
        Connection::default().send(&buffer),
        Connection::default().send(&right)
    );
}

#[test]
fn a_value_that_is_refused_leaves_the_type_of_a_column_without_values() {
    // A decimal that is no number makes a column with nothing but nulls.
    let nulls = |refused: bool| {
        let mut buffer = Buffer::new_qwp_ws();
        buffer.table("t").unwrap().column_dec64("d", "NaN").unwrap();
        buffer.at_now().unwrap();
        buffer.table("t").unwrap();
        if refused {
            buffer.column_geohash("d", 0xffff, 5).unwrap_err();
        }
        buffer.column_i64("n", 1).unwrap();
        buffer.at_now().unwrap();
        Connection::default().send(&buffer)
    };
    assert_eq!(nulls(true), nulls(false));
}
