//! The vectors of questdb §15.1 and §15.2, byte for byte.

use super::{ALL, V1, V2, V3, written};
use crate::ingress::buffer::Buffer;
use crate::ingress::{DecimalView, NdArrayView, ProtocolVersion, TimestampMicros, TimestampNanos};
use crate::testing::hex;

fn trade(buffer: &mut Buffer) -> crate::Result<()> {
    buffer
        .table("trades")?
        .symbol("symbol", "ETH-USD")?
        .symbol("side", "sell")?
        .column_f64("price", 2615.54)?
        .column_f64("amount", 0.00044)?
        .column_i64("n", -42)?
        .column_bool("ok", true)?
        .column_str("note", "hi")?
        .column_ts("t_us", TimestampMicros::new(1_700_000_000_123_456))?
        .column_ts("t_ns", TimestampNanos::new(1_700_000_000_123_456_789))?
        .at(TimestampNanos::new(1_700_000_000_123_456_789))
}

#[test]
fn vector_1_a_row_of_version_1() {
    let expected: &[u8] =
        b"trades,symbol=ETH-USD,side=sell price=2615.54,amount=0.00044,n=-42i,ok=t,\
        note=\"hi\",t_us=1700000000123456t,t_ns=1700000000123456t 1700000000123456789\n";
    assert_eq!(expected.len(), 149);
    assert_eq!(written(V1, trade), expected);
}

#[test]
fn vector_2_a_row_of_versions_2_and_3() {
    let expected: &[u8] = b"trades,symbol=ETH-USD,side=sell price==\x10\xaeG\xe1z\x14o\xa4@,\
        amount==\x10K\xb08\x9c\xf9\xd5<?,n=-42i,ok=t,note=\"hi\",t_us=1700000000123456t,\
        t_ns=1700000000123456789n 1700000000123456789n\n";
    assert_eq!(expected.len(), 159);
    assert_eq!(written(V2, trade), expected);
    assert_eq!(written(V3, trade), expected);
}

#[test]
fn vectors_3_and_4_microseconds_of_a_row() {
    let row = |buffer: &mut Buffer| {
        buffer
            .table("t")?
            .symbol("s", "x")?
            .at(TimestampMicros::new(1_700_000_000_123_456))
    };
    assert_eq!(written(V1, row), b"t,s=x 1700000000123456000\n");
    assert_eq!(written(V2, row), b"t,s=x 1700000000123456t\n");
    assert_eq!(written(V3, row), b"t,s=x 1700000000123456t\n");
}

#[test]
fn vector_5_a_row_timed_by_the_server() {
    for version in ALL {
        let row = |buffer: &mut Buffer| buffer.table("t")?.column_i64("i", 1)?.at_now();
        assert_eq!(written(version, row), b"t i=1i\n");
    }
}

#[test]
fn vectors_6_and_7_the_ends_of_integers() {
    let row = |buffer: &mut Buffer| {
        buffer
            .table("t")?
            .column_bool("f", false)?
            .column_i64("i", i64::MIN)?
            .column_i64("m", i64::MAX)?
            .at(TimestampNanos::new(0))
    };
    let cells = b"t f=f,i=-9223372036854775808i,m=9223372036854775807i ";
    assert_eq!(written(V1, row), [cells, &b"0\n"[..]].concat());
    assert_eq!(written(V2, row), [cells, &b"0n\n"[..]].concat());
}

#[test]
fn vector_8_names_and_symbols_with_backslashes() {
    for version in ALL {
        let row = |buffer: &mut Buffer| {
            buffer
                .table("my table=x")?
                .symbol("a b=c", "v w,x=y\\z\n\r\"q\"'")?
                .column_i64("k l=m", 1)?
                .at_now()
        };
        assert_eq!(
            written(version, row),
            b"my\\ table\\=x,a\\ b\\=c=v\\ w\\,x\\=y\\\\z\\\n\\\x0d\"q\"' k\\ l\\=m=1i\n"
        );
    }
}

#[test]
fn vector_9_strings_with_backslashes() {
    for version in ALL {
        let row = |buffer: &mut Buffer| {
            let value = "a \"q\" \\ back\nnl\rcr,=;'\tt\0z";
            buffer.table("t")?.column_str("s", value)?.at_now()
        };
        assert_eq!(
            written(version, row),
            b"t s=\"a \\\"q\\\" \\\\ back\\\nnl\\\x0dcr,=;'\x09t\x00z\"\n"
        );
    }
}

#[test]
fn vector_10_text_beyond_ascii() {
    for version in ALL {
        let row = |buffer: &mut Buffer| {
            buffer
                .table("táblé")?
                .symbol("sým", "价格 €")?
                .column_str("s", "😀")?
                .at_now()
        };
        let bytes = written(version, row);
        assert_eq!(bytes, "táblé,sým=价格\\ € s=\"😀\"\n".as_bytes());
        assert_eq!(bytes.len(), 34);
    }
}

#[test]
fn vector_11_empty_text() {
    for version in ALL {
        let symbol = |buffer: &mut Buffer| buffer.table("t")?.symbol("s", "")?.at_now();
        let string = |buffer: &mut Buffer| buffer.table("t")?.column_str("s", "")?.at_now();
        assert_eq!(written(version, symbol), b"t,s=\n");
        assert_eq!(written(version, string), b"t s=\"\"\n");
    }
}

#[test]
fn vector_12_rows_of_two_tables() {
    for version in ALL {
        let mut buffer = Buffer::new(version);
        buffer
            .table("t1")
            .unwrap()
            .symbol("s", "x")
            .unwrap()
            .at_now()
            .unwrap();
        assert!(buffer.transactional());
        buffer
            .table("t2")
            .unwrap()
            .symbol("s", "y")
            .unwrap()
            .at_now()
            .unwrap();
        assert_eq!(buffer.as_bytes(), b"t1,s=x\nt2,s=y\n");
        assert_eq!(buffer.row_count(), 2);
        assert!(!buffer.transactional());
    }
}

#[test]
fn vectors_13_to_15_units_of_timestamp_columns() {
    let nanos = |value, at| {
        written(V1, |buffer| {
            buffer
                .table("t")?
                .column_ts("c", TimestampNanos::new(value))?;
            buffer.at(at)
        })
    };
    assert_eq!(nanos(1999, TimestampNanos::new(1000)), b"t c=1t 1000\n");
    assert_eq!(nanos(-1999, TimestampNanos::new(5)), b"t c=-1t 5\n");
    let micros = written(V1, |buffer| {
        buffer
            .table("t")?
            .column_ts("c", TimestampNanos::new(1999))?;
        buffer.at(TimestampMicros::new(1))
    });
    assert_eq!(micros, b"t c=1t 1000\n");
    let row = |buffer: &mut Buffer| {
        buffer
            .table("t")?
            .column_ts("c", TimestampMicros::new(-5))?;
        buffer.at(TimestampNanos::new(5))
    };
    assert_eq!(written(V2, row), b"t c=-5t 5n\n");
}

#[test]
fn vector_16_doubles_as_text() {
    for (value, text) in [
        (0.0, "0.0"),
        (-0.0, "-0.0"),
        (0.1, "0.1"),
        (1e16, "1e16"),
        (1e-7, "1e-7"),
        (123_456_789_012_345_680.0, "1.2345678901234568e17"),
        (5e-324, "5e-324"),
        (f64::MAX, "1.7976931348623157e308"),
        (f64::NAN, "NaN"),
        (f64::INFINITY, "Infinity"),
        (f64::NEG_INFINITY, "-Infinity"),
        (1e15, "1000000000000000.0"),
        (0.000_01, "0.00001"),
    ] {
        let row = |buffer: &mut Buffer| buffer.table("t")?.column_f64("d", value)?.at_now();
        assert_eq!(written(V1, row), format!("t d={text}\n").as_bytes());
    }
}

/// The bytes of one value, from behind the `=` of its name to before the end of the line.
fn value(version: ProtocolVersion, cell: impl FnOnce(&mut Buffer) -> crate::Result<()>) -> Vec<u8> {
    let bytes = written(version, |buffer| {
        cell(buffer.table("t")?)?;
        buffer.at_now()
    });
    let value = bytes.strip_prefix(b"t a=").unwrap();
    value.strip_suffix(b"\n").unwrap().to_vec()
}

#[test]
fn vectors_17_and_18_doubles_as_bytes() {
    for (double, bytes) in [
        (0.0, "3d 10 00 00 00 00 00 00 00 00"),
        (-0.0, "3d 10 00 00 00 00 00 00 00 80"),
        (1.0, "3d 10 00 00 00 00 00 00 f0 3f"),
        (0.1, "3d 10 9a 99 99 99 99 99 b9 3f"),
        (f64::NAN, "3d 10 00 00 00 00 00 00 f8 7f"),
        (f64::NEG_INFINITY, "3d 10 00 00 00 00 00 00 f0 ff"),
    ] {
        for version in [V2, V3] {
            let got = value(version, |b| b.column_f64("a", double).map(drop));
            assert_eq!(got, hex(bytes), "{double}");
        }
    }
}

fn array<A: NdArrayView<f64>>(view: &A) -> Vec<u8> {
    let bytes = value(V2, |b| b.column_arr("a", view).map(drop));
    assert_eq!(bytes, value(V3, |b| b.column_arr("a", view).map(drop)));
    bytes
}

fn with_doubles(head: &str, doubles: &[f64]) -> Vec<u8> {
    let mut bytes = hex(head);
    bytes.extend(doubles.iter().flat_map(|double| double.to_le_bytes()));
    bytes
}

#[test]
fn vectors_19_to_22_arrays() {
    let one = with_doubles("3d 0e 0a 01 02 00 00 00", &[1.0, 2.0]);
    assert_eq!(array(&vec![1.0, 2.0]), one);
    assert_eq!(array(&[1.0, 2.0]), one);
    assert_eq!(array(&&[1.0, 2.0][..]), one);

    let two = with_doubles(
        "3d 0e 0a 02 02 00 00 00 03 00 00 00",
        &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
    );
    let rows = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]];
    assert_eq!(array(&vec![rows[0].to_vec(), rows[1].to_vec()]), two);
    assert_eq!(array(&rows), two);
    assert_eq!(array(&&rows[..]), two);

    let three = with_doubles(
        "3d 0e 0a 03 01 00 00 00 02 00 00 00 01 00 00 00",
        &[1.5, 1.5],
    );
    let cube = [[[1.5], [1.5]]];
    assert_eq!(array(&vec![vec![vec![1.5], vec![1.5]]]), three);
    assert_eq!(array(&cube), three);
    assert_eq!(array(&&cube[..]), three);

    assert_eq!(array(&Vec::<f64>::new()), hex("3d 0e 0a 01 00 00 00 00"));
}

#[cfg(feature = "ndarray")]
#[test]
fn vector_23_a_strided_view_is_written_in_logical_order() {
    let square = ndarray::array![[1.0, 2.0], [3.0, 4.0]];
    assert_eq!(
        array(&square.t()),
        with_doubles("3d 0e 0a 02 02 00 00 00 02 00 00 00", &[1.0, 3.0, 2.0, 4.0])
    );
}

fn decimal(view: DecimalView<'_>) -> Vec<u8> {
    value(V3, |b| b.column_dec("a", view).map(drop))
}

#[test]
fn vector_24_decimals_as_text() {
    for text in ["123.45", "-0.001", "1.5e-3", "NaN", ""] {
        let got = value(V3, |b| b.column_dec("a", text).map(drop));
        assert_eq!(got, format!("{text}d").as_bytes());
        let owned = text.to_owned();
        assert_eq!(decimal((&owned).try_into().unwrap()), got);
    }
}

#[test]
fn a_scaled_decimal_is_written_as_given() {
    let scaled =
        |scale, bytes: &[u8]| decimal(DecimalView::try_new_scaled(scale, bytes.to_vec()).unwrap());
    assert_eq!(scaled(2, &[0x30, 0x39]), hex("3d 17 02 02 30 39"));
    assert_eq!(scaled(76, &[]), hex("3d 17 4c 00"));
}

#[cfg(feature = "rust_decimal")]
#[test]
fn vectors_25_to_27_decimals_of_rust_decimal() {
    use rust_decimal::Decimal;

    let bytes = |number: i128, scale| {
        let number = Decimal::from_i128_with_scale(number, scale);
        decimal((&number).try_into().unwrap())
    };
    assert_eq!(bytes(12345, 2), hex("3d 17 02 02 30 39"));
    assert_eq!(bytes(-12345, 2), hex("3d 17 02 02 cf c7"));
    assert_eq!(bytes(0, 0), hex("3d 17 00 01 00"));
    assert_eq!(bytes(0, 2), hex("3d 17 02 01 00"));
    assert_eq!(bytes(127, 0), hex("3d 17 00 01 7f"));
    assert_eq!(bytes(128, 0), hex("3d 17 00 02 00 80"));
    assert_eq!(bytes(-128, 0), hex("3d 17 00 01 80"));
    assert_eq!(bytes(-129, 0), hex("3d 17 00 02 ff 7f"));
    let greatest = [&hex("3d 17 00 0d 00")[..], &[0xFF; 12]].concat();
    assert_eq!(bytes((1 << 96) - 1, 0), greatest);
}

#[cfg(feature = "bigdecimal")]
#[test]
fn vectors_25_to_29_decimals_of_bigdecimal() {
    use bigdecimal::BigDecimal;

    let bytes = |number: &str, scale| {
        let number = BigDecimal::new(number.parse().unwrap(), scale);
        decimal((&number).try_into().unwrap())
    };
    assert_eq!(bytes("12345", 2), hex("3d 17 02 02 30 39"));
    assert_eq!(bytes("-129", 0), hex("3d 17 00 02 ff 7f"));
    assert_eq!(bytes("1", -5), hex("3d 17 00 03 01 86 a0"));
    assert_eq!(bytes("-1", 54), hex("3d 17 36 01 ff"));
    assert_eq!(
        bytes("1234567890123456789012345678901234567895", 1),
        hex("3d 17 01 11 03 a0 c9 20 75 c0 db f3 b8 ac bc 5f 96 ce 3f 0a d7")
    );
}
