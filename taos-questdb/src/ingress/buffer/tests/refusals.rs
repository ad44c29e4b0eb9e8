//! What is refused, with which words, and that the buffer stays as it was (questdb §15.3).

use super::{ALL, V1, V2, V3, refused};
use crate::ErrorCode::{
    ArrayError, InvalidApiCall, InvalidDecimal, InvalidName, InvalidTimestamp, ProtocolVersionError,
};
use crate::ingress::buffer::Buffer;
use crate::ingress::{
    ColumnName, DecimalView, NdArrayView, TableName, Timestamp, TimestampMicros, TimestampNanos,
};

/// A buffer in the middle of a row, `t,s=x` or `t i=1i`.
fn row(version: crate::ingress::ProtocolVersion, symbol: bool) -> Buffer {
    let mut buffer = Buffer::new(version);
    let open = buffer.table("t").unwrap();
    if symbol {
        open.symbol("s", "x").unwrap();
    } else {
        open.column_i64("i", 1).unwrap();
    }
    buffer
}

#[test]
fn arrays_and_decimals_need_their_versions() {
    let mut buffer = row(V1, true);
    let (code, words) = refused(buffer.column_arr("a", &vec![1.0]));
    assert_eq!(code, ProtocolVersionError);
    assert!(words.contains("v1") && words.contains("array"), "{words}");
    for version in [V1, V2] {
        let mut buffer = row(version, true);
        let (code, words) = refused(buffer.column_dec("d", "1.5"));
        assert_eq!(code, ProtocolVersionError);
        assert!(
            words.contains(&version.to_string()) && words.contains("decimal"),
            "{words}"
        );
        assert_eq!(buffer.as_bytes(), b"t,s=x");
    }
}

#[test]
fn arrays_of_integers_are_not_for_lines() {
    let mut buffer = row(V2, true);
    let (code, words) = refused(buffer.column_arr("a", &vec![1_i64]));
    assert_eq!(code, InvalidApiCall);
    assert!(words.contains("f64"), "{words}");
    assert_eq!(buffer.as_bytes(), b"t,s=x");
}

#[test]
fn ragged_arrays_are_refused() {
    let mut buffer = row(V2, true);
    let ragged = vec![vec![1.0], vec![1.0, 2.0]];
    assert_eq!(refused(buffer.column_arr("a", &ragged)).0, ArrayError);
    let deep = vec![vec![vec![1.0], vec![1.0, 2.0]]];
    assert_eq!(refused(buffer.column_arr("a", &deep)).0, ArrayError);
    let wide = vec![vec![vec![1.0]], vec![]];
    assert_eq!(refused(buffer.column_arr("a", &wide)).0, ArrayError);
    assert_eq!(buffer.as_bytes(), b"t,s=x");
    buffer.column_i64("i", 1).unwrap();
    assert_eq!(buffer.as_bytes(), b"t,s=x i=1i");
}

/// A view that says what it is told to.
struct Told {
    dims: Vec<usize>,
    elements: Vec<f64>,
}

impl NdArrayView<f64> for Told {
    type Iter<'a> = std::slice::Iter<'a, f64>;

    fn ndim(&self) -> usize {
        self.dims.len()
    }

    fn dim(&self, index: usize) -> crate::Result<usize> {
        Ok(self.dims[index])
    }

    fn as_slice(&self) -> Option<&[f64]> {
        None
    }

    fn iter(&self) -> Self::Iter<'_> {
        self.elements.iter()
    }
}

#[test]
fn arrays_beyond_the_limits_of_the_wire_are_refused() {
    for (dims, word) in [
        (vec![], "at least one dimension"),
        (vec![1; 33], "33 dimensions"),
        (vec![0x1000_0000], "dimension 0"),
        (vec![8192, 8193], "536870912 bytes"),
        (vec![0x0FFF_FFFF; 32], "536870912 bytes"),
    ] {
        let mut buffer = row(V2, true);
        let view = Told {
            dims,
            elements: Vec::new(),
        };
        let (code, words) = refused(buffer.column_arr("a", &view));
        assert_eq!(code, ArrayError);
        assert!(words.contains(word), "{words}");
        assert_eq!(buffer.as_bytes(), b"t,s=x");
    }
    let mut buffer = row(V2, true);
    let most = Told {
        dims: vec![1; 32],
        elements: vec![1.0],
    };
    buffer.column_arr("a", &most).unwrap();
}

#[test]
fn a_view_that_gives_other_than_its_lengths_say_leaves_nothing_behind() {
    for (elements, word) in [(vec![1.0], "fewer"), (vec![1.0; 3], "more")] {
        let mut buffer = row(V2, true);
        let view = Told {
            dims: vec![2],
            elements,
        };
        let (code, words) = refused(buffer.column_arr("a", &view));
        assert_eq!(code, ArrayError);
        assert!(words.contains(word), "{words}");
        assert_eq!(buffer.as_bytes(), b"t,s=x");
        buffer.symbol("more", "x").unwrap();
    }
}

#[test]
fn decimals_name_the_first_wrong_character() {
    for (text, named) in [
        ("1,5", "','"),
        ("abc", "'b'"),
        ("1 5", "' '"),
        ("１", "'１'"),
    ] {
        let mut buffer = row(V3, true);
        let (code, words) = refused(buffer.column_dec("d", text));
        assert_eq!(code, InvalidDecimal);
        assert!(words.contains(named), "{words}");
        assert_eq!(buffer.as_bytes(), b"t,s=x");
    }
    let (code, words) = refused(DecimalView::try_new_scaled(77, vec![1]));
    assert_eq!(code, InvalidDecimal);
    assert!(words.contains("77") && words.contains("76"), "{words}");
    assert_eq!(
        refused(DecimalView::try_new_scaled(300, vec![1])).0,
        InvalidDecimal
    );
    assert_eq!(
        refused(DecimalView::try_new_scaled(0, vec![1; 33])).0,
        InvalidDecimal
    );
    let by_hand = DecimalView::Scaled {
        scale: 77,
        value: vec![1].into(),
    };
    assert_eq!(
        refused(row(V3, true).column_dec("d", by_hand)).0,
        InvalidDecimal
    );
}

#[cfg(feature = "bigdecimal")]
#[test]
fn a_power_of_ten_beyond_the_wire_is_refused_before_it_is_computed() {
    let huge = bigdecimal::BigDecimal::new(1.into(), -1_000_000_000_000);
    assert_eq!(refused(DecimalView::try_from(&huge)).0, InvalidDecimal);
    let zero = bigdecimal::BigDecimal::new(0.into(), -1_000_000_000_000);
    assert!(DecimalView::try_from(&zero).is_ok());
    let small = bigdecimal::BigDecimal::new(1.into(), 77);
    assert_eq!(refused(DecimalView::try_from(&small)).0, InvalidDecimal);
}

#[test]
fn times_before_1970_are_refused_and_leave_the_row_open() {
    for version in ALL {
        let mut buffer = row(version, true);
        let (code, words) = refused(buffer.at(TimestampNanos::new(-1)));
        assert_eq!(code, InvalidTimestamp);
        assert!(words.contains("-1"), "{words}");
        assert_eq!(
            refused(buffer.at(TimestampMicros::new(-1))).0,
            InvalidTimestamp
        );
        assert_eq!(buffer.as_bytes(), b"t,s=x");
        assert_eq!(buffer.row_count(), 0);
        buffer.at_now().unwrap();
    }
}

#[test]
fn microseconds_beyond_nanoseconds_are_refused_in_version_1() {
    let mut buffer = row(V1, true);
    let (code, words) = refused(buffer.at(TimestampMicros::new(i64::MAX)));
    assert_eq!(code, InvalidTimestamp);
    assert!(words.contains("out of range"), "{words}");
    assert_eq!(buffer.as_bytes(), b"t,s=x");
    let mut buffer = row(V2, true);
    buffer.at(TimestampMicros::new(i64::MAX)).unwrap();
    assert_eq!(buffer.as_bytes(), b"t,s=x 9223372036854775807t\n");
}

/// Never a point in time.
struct Never;

impl TryFrom<Never> for Timestamp {
    type Error = crate::Error;

    fn try_from(_: Never) -> crate::Result<Self> {
        Err(crate::Error::new(InvalidTimestamp, "never"))
    }
}

#[test]
fn a_timestamp_that_does_not_convert_leaves_the_name_and_a_marker_helps() {
    let mut buffer = Buffer::new(V2);
    buffer.set_marker().unwrap();
    buffer.table("t").unwrap();
    assert_eq!(refused(buffer.column_ts("c", Never)).0, InvalidTimestamp);
    assert_eq!(buffer.as_bytes(), b"t c=");
    buffer.rewind_to_marker().unwrap();
    assert!(buffer.is_empty());
}

/// Checks that a call is refused with exactly these calls named, and changes nothing.
fn out_of_order<T>(
    mut buffer: Buffer,
    call: impl FnOnce(&mut Buffer) -> crate::Result<T>,
    named: &str,
    allowed: &[&str],
) {
    let before = buffer.as_bytes().to_vec();
    let (code, words) = refused(call(&mut buffer));
    assert_eq!(code, InvalidApiCall);
    let (called, rest) = words.split_once("allowed").unwrap();
    assert!(called.contains(&format!("`{named}`")), "{words}");
    for other in ["table", "symbol", "column", "at", "flush"] {
        assert_eq!(
            rest.contains(&format!("`{other}`")),
            allowed.contains(&other),
            "{words}"
        );
    }
    assert_eq!(buffer.as_bytes(), before);
}

#[test]
fn calls_out_of_order_name_what_is_allowed() {
    for version in ALL {
        let opened = || {
            let mut buffer = Buffer::new(version);
            buffer.table("t").unwrap();
            buffer
        };
        let finished = || {
            let mut buffer = row(version, true);
            buffer.at_now().unwrap();
            buffer
        };
        let after_column = &["column", "at"];
        out_of_order(
            row(version, false),
            |b| b.symbol("s", "x").map(drop),
            "symbol",
            after_column,
        );
        let after_table = &["symbol", "column"];
        out_of_order(opened(), |b| b.at_now(), "at", after_table);
        out_of_order(
            opened(),
            |b| b.at(TimestampNanos::new(1)),
            "at",
            after_table,
        );
        out_of_order(opened(), |b| b.table("t").map(drop), "table", after_table);
        for ready in [Buffer::new(version), finished()] {
            let allowed = &["table", "flush"];
            out_of_order(
                ready.clone(),
                |b| b.symbol("s", "x").map(drop),
                "symbol",
                allowed,
            );
            out_of_order(
                ready.clone(),
                |b| b.column_i64("i", 1).map(drop),
                "column",
                allowed,
            );
            out_of_order(
                ready.clone(),
                |b| b.column_str("i", "").map(drop),
                "column",
                allowed,
            );
            out_of_order(ready.clone(), |b| b.at_now(), "at", allowed);
            out_of_order(ready, |b| b.at(TimestampNanos::new(-1)), "at", allowed);
        }
        let after_symbol = &["symbol", "column", "at"];
        let open = row(version, true);
        out_of_order(open.clone(), |b| b.check_can_flush(), "flush", after_symbol);
        out_of_order(
            open.clone(),
            |b| b.table("t").map(drop),
            "table",
            after_symbol,
        );
        out_of_order(open.clone(), |b| b.set_marker(), "set_marker", after_symbol);
        out_of_order(open, |b| b.bookmark().map(drop), "set_marker", after_symbol);
    }
}

#[test]
fn bad_names_are_refused_before_the_order_of_calls() {
    for (name, at) in [("a..b", 2), (".a", 0), ("a.", 1), (".", 0)] {
        let mut buffer = row(V1, true);
        let (code, words) = refused(buffer.table(name));
        assert_eq!(code, InvalidName);
        assert!(
            words.contains("'.'") && words.contains(&format!("byte {at} ")),
            "{words}"
        );
        assert_eq!(buffer.as_bytes(), b"t,s=x");
    }
    let mut buffer = Buffer::new(V1);
    let (code, words) = refused(buffer.column_i64("a.b", 1));
    assert_eq!(code, InvalidName);
    assert!(
        words.contains("'.'") && words.contains("byte 1 "),
        "{words}"
    );
    assert_eq!(refused(buffer.table("")).0, InvalidName);
    assert_eq!(refused(buffer.symbol("", "x")).0, InvalidName);
    assert!(buffer.is_empty());
}

#[test]
fn each_forbidden_character_is_named_with_its_byte() {
    let both = "?,'\"\\/:)(+*%~\u{FEFF}\u{7F}\0\u{1}\u{9}\n\u{B}\u{C}\r\u{E}\u{F}";
    for c in both.chars() {
        for name in [
            format!("é{c}x"),
            format!("a_name_with_more_than_sixteen_bytes{c}"),
        ] {
            let at = name.find(c).unwrap();
            for (code, words) in [
                refused(TableName::new(&name)),
                refused(ColumnName::new(&name)),
            ] {
                assert_eq!(code, InvalidName);
                assert!(words.contains(&format!("{c:?} at byte {at} ")), "{words}");
            }
        }
    }
    for c in ['.', '-'] {
        let name = format!("a{c}b");
        assert!(TableName::new(&name).is_ok());
        assert_eq!(refused(ColumnName::new(&name)).0, InvalidName);
    }
    for c in " =;&#[]é价\u{10}\u{1F}\u{80}\u{9F}@<>{|}!$^`".chars() {
        for name in [
            c.to_string(),
            format!("ab{c}"),
            format!("a_name_of_twenty_bytes{c}"),
        ] {
            assert!(TableName::new(&name).is_ok(), "{name:?}");
            assert!(ColumnName::new(&name).is_ok(), "{name:?}");
        }
    }
}

#[test]
fn names_are_limited_in_bytes() {
    let (fits, long) = ("n".repeat(127), "é".repeat(64));
    assert_eq!(long.len(), 128);
    for version in ALL {
        let mut buffer = Buffer::new(version);
        let (code, words) = refused(buffer.table(long.as_str()));
        assert_eq!(code, InvalidName);
        assert!(words.contains("128") && words.contains("127"), "{words}");
        buffer.table(fits.as_str()).unwrap();
        assert_eq!(refused(buffer.column_i64(long.as_str(), 1)).0, InvalidName);
        buffer.symbol(fits.as_str(), "x").unwrap();
        assert_eq!(refused(buffer.symbol(long.as_str(), "x")).0, InvalidName);
        // The length is looked at before the order.
        assert_eq!(refused(buffer.table(long.as_str())).0, InvalidName);
        assert_eq!(buffer.as_bytes(), format!("{fits},{fits}=x").as_bytes());
    }
    let mut short = Buffer::with_max_name_len(V1, 3);
    assert_eq!(refused(short.table("four")).0, InvalidName);
    short.table("six").unwrap().column_i64("six", 6).unwrap();
    assert_eq!(refused(short.column_bool("four", true)).0, InvalidName);
    assert_eq!(short.as_bytes(), b"six six=6i");
}

#[test]
fn types_of_qwp_are_refused_in_lines() {
    let mut buffer = row(V3, true);
    let results = [
        buffer.column_i8("c", 1).map(drop),
        buffer.column_i16("c", 1).map(drop),
        buffer.column_i32("c", 1).map(drop),
        buffer.column_f32("c", 1.0).map(drop),
        buffer.column_uuid("c", 1, 2).map(drop),
        buffer.column_long256("c", &[0; 32]).map(drop),
        buffer
            .column_ipv4("c", std::net::Ipv4Addr::LOCALHOST)
            .map(drop),
        buffer.column_date("c", 1).map(drop),
        buffer.column_char("c", 65).map(drop),
        buffer.column_binary("c", &[1]).map(drop),
        buffer.column_geohash("c", 1, 5).map(drop),
        buffer.column_dec64("c", "1").map(drop),
        buffer.column_dec128("c", "1").map(drop),
    ];
    for result in results {
        let (code, words) = refused(result);
        assert_eq!(code, InvalidApiCall);
        assert!(words.contains("QWP"), "{words}");
    }
    assert_eq!(buffer.as_bytes(), b"t,s=x");
}

#[test]
fn a_flush_checks_in_the_order_of_the_specification() {
    let limit = 100;
    let empty = Buffer::new(V1);
    assert!(!empty.check_flush(limit, V2, true).unwrap());
    let open = row(V1, true);
    assert_eq!(refused(open.check_flush(0, V2, true)).0, InvalidApiCall);
    let mut two = open;
    two.at_now().unwrap();
    two.table("other")
        .unwrap()
        .symbol("s", "x")
        .unwrap()
        .at_now()
        .unwrap();
    let (code, words) = refused(two.check_flush(5, V2, true));
    assert_eq!(code, InvalidApiCall);
    assert!(words.contains("max_buf_size"), "{words}");
    assert!(words.contains("flush more often"), "{words}");
    let (code, words) = refused(two.check_flush(limit, V2, true));
    assert_eq!(code, ProtocolVersionError);
    assert!(words.contains("v1") && words.contains("v2"), "{words}");
    assert_eq!(refused(two.check_flush(limit, V1, true)).0, InvalidApiCall);
    assert!(two.check_flush(limit, V1, false).unwrap());
    let columns = Buffer::new_qwp_ws();
    assert_eq!(
        refused(columns.check_flush(limit, V1, false)).0,
        InvalidApiCall
    );
}
