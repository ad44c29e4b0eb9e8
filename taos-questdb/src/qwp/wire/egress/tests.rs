#![allow(
    clippy::unwrap_used,
    reason = "a test fails where something is missing"
)]

mod parameters;

use std::sync::Arc;

use proptest::prelude::*;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use taos_query::RawBlock;
use taos_query::common::{Precision, Ty, Value};

use super::super::{Header, flags, put_string, put_varint};
use super::frame::Batch;
use super::{Bind, Decoder, Event, Query, Schema, cancel, credit, failure, limit};
use crate::ErrorCode;
use crate::testing::hex;

fn message(flags: u8, table_count: u16, payload: &[u8]) -> Vec<u8> {
    let header = Header {
        flags,
        table_count,
        payload_len: payload.len().try_into().unwrap(),
    };
    [&header.to_bytes(), payload].concat()
}

/// A batch of request 1, with this behind its number.
fn batch(flags: u8, seq: u64, body: &[u8]) -> Vec<u8> {
    let mut payload = vec![0x11];
    payload.extend_from_slice(&1_i64.to_le_bytes());
    put_varint(&mut payload, seq);
    payload.extend_from_slice(body);
    message(flags, 1, &payload)
}

/// The table block of one column `c`, with everything behind its schema as given.
fn column(code: u8, rows: u64, data: &[u8]) -> Vec<u8> {
    let mut body = vec![0];
    put_varint(&mut body, rows);
    body.extend_from_slice(&[1, 1, b'c', code]);
    body.extend_from_slice(data);
    body
}

fn as_batch(message: &[u8]) -> Batch<'_> {
    match Event::read(message).unwrap() {
        Event::Batch(batch) => batch,
        other => panic!("{other:?}"),
    }
}

fn decode(flags: u8, body: &[u8]) -> crate::Result<RawBlock> {
    let message = batch(flags, 0, body);
    Decoder::default().batch(&as_batch(&message), &mut None)
}

fn cells(code: u8, rows: u64, data: &str) -> Vec<Value> {
    let block = decode(0, &column(code, rows, &hex(data))).unwrap();
    block
        .rows()
        .map(|row| row.into_values().remove(0))
        .collect()
}

fn texts(code: u8, rows: u64, data: &str) -> Vec<Option<String>> {
    cells(code, rows, data)
        .into_iter()
        .map(|value| match value {
            Value::VarChar(text) => Some(text),
            Value::Json(json) => Some(json.to_string()),
            Value::Null(_) => None,
            other => panic!("{other:?}"),
        })
        .collect()
}

fn some(texts: &[&str]) -> Vec<Option<String>> {
    texts.iter().map(|text| Some((*text).to_owned())).collect()
}

#[test]
fn requests_have_the_documented_bytes() {
    let query = Query {
        sql: "SELECT $1, $2",
        binds: &[Bind::Long(42), Bind::Varchar("abc".to_owned())],
        credit: 65536,
        timeout_ms: 0,
    };
    let expected = "10 01 00 00 00 00 00 00 00 0d 53 45 4c 45 43 54 20 24 31 2c 20 24 32 80 80 04 \
                    02 05 00 2a 00 00 00 00 00 00 00 0f 00 00 00 00 00 03 00 00 00 61 62 63";
    assert_eq!(query.encode(1).unwrap(), hex(expected));
    let limited = Query {
        timeout_ms: 300,
        ..query
    };
    assert_eq!(
        limited.encode(1).unwrap(),
        hex(&format!("{expected} 02 ac 02"))
    );
    assert_eq!(credit(1, 70), hex("15 01 00 00 00 00 00 00 00 46"));
    assert_eq!(cancel(1), hex("14 01 00 00 00 00 00 00 00"));
}

#[test]
fn answers_with_the_documented_bytes_are_understood() {
    let info = hex(
        "51 57 50 31 01 00 00 00 1c 00 00 00  18 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 2a \
         36 fe 9c 97 17 01 00 63 01 00 6e",
    );
    let Event::Info(info) = Event::read(&info).unwrap() else {
        panic!("not an introduction");
    };
    assert_eq!((info.role, info.capabilities, info.epoch), (0, 0, 0));
    assert_eq!(info.clock, 1_700_000_000_000_000_000);
    assert_eq!((&*info.cluster, &*info.node, info.zone), ("c", "n", None));

    let rows = hex(
        "51 57 50 31 01 00 01 00 3a 00 00 00  11 01 00 00 00 00 00 00 00 00 00 02 02 02 69 64 05 \
         05 76 61 6c 75 65 07 00 01 00 00 00 00 00 00 00 02 00 00 00 00 00 00 00 00 cd cc cc cc cc \
         cc f4 3f 9a 99 99 99 99 99 01 40",
    );
    let rows = as_batch(&rows);
    assert_eq!((rows.request, rows.seq, rows.wire_len), (1, 0, 70));
    let block = Decoder::default().batch(&rows, &mut None).unwrap();
    assert_eq!(block.field_names().collect::<Vec<_>>(), ["id", "value"]);
    let row = |id, value| vec![Value::BigInt(id), Value::Double(value)];
    assert_eq!(block.to_values(), [row(1, 1.3), row(2, 2.2)]);

    let end = hex("51 57 50 31 01 00 00 00 0b 00 00 00  12 01 00 00 00 00 00 00 00 00 02");
    assert!(matches!(
        Event::read(&end).unwrap(),
        Event::End {
            request: 1,
            last_seq: 0,
            rows: 2
        }
    ));
}

#[test]
fn values_of_every_type_have_the_documented_bytes() {
    let v = Value::Bool;
    assert_eq!(cells(0x01, 3, "00 04"), [v(false), v(false), v(true)]);
    assert_eq!(cells(0x02, 1, "00 fe"), [Value::TinyInt(-2)]);
    assert_eq!(cells(0x03, 1, "00 fd ff"), [Value::SmallInt(-3)]);
    let int = cells(0x04, 2, "00 fc ff ff ff 00 00 00 80");
    assert_eq!(int, [Value::Int(-4), Value::Null(Ty::Int)]);
    let float = cells(0x06, 2, "01 01 00 00 c0 3f");
    assert_eq!(float, [Value::Null(Ty::Float), Value::Float(1.5)]);
    let uuid = "00 88 77 66 55 44 33 22 11 00 ff ee dd cc bb aa 99";
    assert_eq!(
        texts(0x0C, 1, uuid),
        some(&["99aabbcc-ddee-ff00-1122-334455667788"])
    );
    assert_eq!(texts(0x18, 1, "00 01 00 00 0a"), some(&["10.0.0.1"]));
    assert_eq!(texts(0x16, 1, "00 41 00"), some(&["A"]));
    let binary = cells(0x17, 1, "00 00 00 00 00 02 00 00 00 de ad");
    assert_eq!(binary, [Value::VarBinary(vec![0xde, 0xad].into())]);
    assert_eq!(texts(0x0E, 1, "00 05 15"), some(&["p"]));
    assert_eq!(texts(0x0E, 1, "00 04 05"), some(&["0101"]));
    assert_eq!(texts(0x0E, 1, "00 05 ff"), [None]);
    let array = "00 02 01 00 00 00 02 00 00 00 00 00 00 00 00 00 f0 3f 00 00 00 00 00 00 00 40";
    assert_eq!(texts(0x11, 1, array), some(&["[[1.0,2.0]]"]));
    assert_eq!(texts(0x11, 1, "00 01 00 00 00 00"), some(&["[]"]));
    let decimal = cells(0x13, 2, "01 02 02 7d 00 00 00 00 00 00 00");
    assert_eq!(decimal[0].to_string().unwrap(), "1.25");
    assert_eq!(decimal[1], Value::Null(Ty::Decimal));
    let decimal = format!("00 02 83 {}", "ff ".repeat(15));
    assert_eq!(cells(0x14, 1, &decimal)[0].to_string().unwrap(), "-1.25");
    let decimal = format!("00 03 40 e2 01 {}", "00 ".repeat(29));
    assert_eq!(texts(0x15, 1, &decimal), some(&["123.456"]));
    let decimal = format!("00 03 {}", "ff ".repeat(32));
    assert_eq!(texts(0x15, 1, &decimal), some(&["-0.001"]));
    let long256 = format!("00 34 12 {}", "00 ".repeat(30));
    assert_eq!(texts(0x0D, 1, &long256), some(&["0x1234"]));
    assert_eq!(texts(0x0F, 1, "01 01 00 00 00 00"), [None]);
    assert_eq!(
        texts(0x0F, 1, "00 00 00 00 00 03 00 00 00 68 c3 a9"),
        some(&["hé"])
    );
    let null = "00 00 00 00 00 00 80 ";
    let long = cells(0x05, 1, &format!("00 00 {null}"));
    assert_eq!(long, [Value::Null(Ty::BigInt)]);
}

#[test]
fn nulls_of_a_bitmap_come_out_where_they_are() {
    // Rows 0, 2, 7 and 8 of ten; the bits behind the last row are noise.
    let mut data = vec![1, 0b1000_0101, 0b1111_1101];
    for value in 1..=6_i32 {
        data.extend_from_slice(&value.to_le_bytes());
    }
    let block = decode(0, &column(0x04, 10, &data)).unwrap();
    let got: Vec<Option<i32>> = block.deserialize().collect::<Result<_, _>>().unwrap();
    let expected = [
        None,
        Some(1),
        None,
        Some(2),
        Some(3),
        Some(4),
        Some(5),
        None,
        None,
        Some(6),
    ];
    assert_eq!(got, expected);
}

#[test]
fn symbols_are_remembered_from_batch_to_batch_until_they_are_reset() {
    let mut decoder = Decoder::default();
    let mut schema: Option<Arc<Schema>> = None;
    let mut delta = hex("00 02 01 61 02 62 62");
    delta.extend(column(0x09, 3, &[0, 1, 0, 1]));
    let first = batch(flags::DELTA_SYMBOL_DICT, 0, &delta);
    let block = decoder.batch(&as_batch(&first), &mut schema).unwrap();
    let texts: Vec<String> = block.deserialize().collect::<Result<_, _>>().unwrap();
    assert_eq!(texts, ["bb", "a", "bb"]);
    assert_eq!(
        block
            .as_raw_bytes()
            .windows(2)
            .filter(|w| w == b"bb")
            .count(),
        1,
        "a symbol stands in a block once"
    );

    // Later batches have no schema, and this one no new symbols.
    let second = batch(flags::DELTA_SYMBOL_DICT, 1, &hex("02 00 00 02 01 01 00"));
    let block = decoder.batch(&as_batch(&second), &mut schema).unwrap();
    let texts: Vec<Option<String>> = block.deserialize().collect::<Result<_, _>>().unwrap();
    assert_eq!(texts, [None, Some("a".to_owned())]);

    // One that nobody wants still brings its symbols.
    let skipped = batch(flags::DELTA_SYMBOL_DICT, 2, &hex("02 01 01 63 00 01 00 02"));
    decoder.skip(&as_batch(&skipped)).unwrap();
    let third = batch(flags::DELTA_SYMBOL_DICT, 3, &hex("03 00 00 01 00 02"));
    let block = decoder.batch(&as_batch(&third), &mut schema).unwrap();
    assert_eq!(block.to_values(), [[Value::VarChar("c".to_owned())]]);

    let gap = batch(flags::DELTA_SYMBOL_DICT, 4, &hex("05 01 01 64 00 01 00 00"));
    let refused = decoder.batch(&as_batch(&gap), &mut schema).unwrap_err();
    assert_eq!(refused.code(), ErrorCode::ProtocolError);
    decoder.reset(0xfe);
    assert!(decoder.batch(&as_batch(&third), &mut schema).is_ok());
    decoder.reset(1);
    assert!(decoder.batch(&as_batch(&third), &mut schema).is_err());
    let again = batch(flags::DELTA_SYMBOL_DICT, 3, &hex("00 00 00 01 00 02"));
    let refused = decoder.batch(&as_batch(&again), &mut schema).unwrap_err();
    assert!(refused.msg().contains("symbol 2"), "{refused}");

    // Without the flag a column has symbols of its own.
    let own = batch(0, 4, &hex("00 02 00 02 01 78 01 79 01 00"));
    let block = decoder.batch(&as_batch(&own), &mut schema).unwrap();
    let texts: Vec<String> = block.deserialize().collect::<Result<_, _>>().unwrap();
    assert_eq!(texts, ["y", "x"]);
}

#[test]
fn encoded_timestamps_are_decoded_also_with_nulls() {
    // 10, 20, then differences of 0, 63, -64, 64, -256, 2047, -2048, 2048 and i32::MIN.
    let mut bits = String::new();
    let mut put = |prefix: &str, value: i64, width: u32| {
        bits.push_str(prefix);
        bits.extend((0..width).map(|bit| if value >> bit & 1 == 1 { '1' } else { '0' }));
    };
    let steps = [0, 63, -64, 64, -256, 2047, -2048, 2048, i64::from(i32::MIN)];
    put("0", 0, 0);
    put("10", 63, 7);
    put("10", -64, 7);
    put("110", 64, 9);
    put("110", -256, 9);
    put("1110", 2047, 12);
    put("1110", -2048, 12);
    put("1111", 2048, 32);
    put("1111", i64::from(i32::MIN), 32);
    let stream = bits.as_bytes().chunks(8).map(|eight| {
        (0..8).fold(0_u8, |byte, bit| {
            byte | u8::from(eight.get(bit) == Some(&b'1')) << bit
        })
    });
    let mut expected = vec![10_i64, 20];
    let mut step = 10;
    for difference in steps {
        step += difference;
        expected.push(expected[expected.len() - 1] + step);
    }
    for code in [0x0A, 0x0B, 0x10] {
        // A NULL first and eleven values behind it.
        let mut data = vec![1, 1, 0, 1];
        data.extend(expected[..2].iter().flat_map(|v| v.to_le_bytes()));
        data.extend(stream.clone());
        let block = decode(flags::GORILLA, &column(code, 12, &data)).unwrap();
        let precision = match code {
            0x0A => Precision::Microsecond,
            0x0B => Precision::Millisecond,
            _ => Precision::Nanosecond,
        };
        assert_eq!(block.precision(), precision);
        let got = block.to_values().into_iter().map(|row| match &row[0] {
            Value::Timestamp(ts) => Some(ts.as_raw_i64()),
            _ => None,
        });
        let wanted = std::iter::once(None).chain(expected.iter().copied().map(Some));
        assert!(got.eq(wanted));
    }
    let cut = column(0x0A, 12, &hex("01 01 00 01 00 00 00 00 00 00 00 00"));
    assert!(decode(flags::GORILLA, &cut).is_err());
    let few = column(0x0A, 1, &hex("00 01 07 00 00 00 00 00 00 00"));
    assert!(decode(flags::GORILLA, &few).is_ok());
    let unknown = column(0x0A, 0, &hex("00 02"));
    assert!(decode(flags::GORILLA, &unknown).is_err());
}

#[test]
fn times_of_several_units_have_the_finest_of_them() {
    let mut body = hex("00 01 02 01 64 0b 01 6e 10");
    body.extend(hex("00 05 00 00 00 00 00 00 00"));
    body.extend(hex("00 07 00 00 00 00 00 00 00"));
    let block = decode(0, &body).unwrap();
    assert_eq!(block.precision(), Precision::Nanosecond);
    let row = block.to_values().remove(0);
    let ticks: Vec<i64> = row
        .iter()
        .map(|value| match value {
            Value::Timestamp(ts) => ts.as_raw_i64(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(ticks, [5_000_000, 7]);

    let far = body.len() - 18;
    body[far + 7] = 0x7f;
    let error = decode(0, &body).unwrap_err();
    assert!(error.msg().contains("column `d`"), "{error}");
    assert!(error.msg().contains("::timestamp"), "{error}");
}

#[test]
fn a_compressed_result_is_read_and_one_without_end_is_not() {
    let plain = column(0x02, 4, &hex("00 01 02 03 04"));
    let packed = |bytes: &[u8]| compress_to_vec(bytes, CompressionLevel::Fastest);
    let expected: Vec<Value> = (1..=4).map(Value::TinyInt).collect();
    let mut decoder = Decoder::default();
    for _ in 0..2 {
        let message = batch(flags::ZSTD, 0, &packed(&plain));
        let block = decoder.batch(&as_batch(&message), &mut None).unwrap();
        assert_eq!(block.to_values().concat(), expected);
    }
    let mut longer = packed(&plain);
    longer.push(0);
    assert!(decode(flags::ZSTD, &longer).is_err());
    let whole = packed(&plain);
    assert!(decode(flags::ZSTD, &whole[..whole.len() - 1]).is_err());
    assert!(decode(flags::ZSTD, b"nothing of the kind").is_err());
    let bomb = packed(&vec![0; limit::INFLATED + 1]);
    let error = decode(flags::ZSTD, &bomb).unwrap_err();
    assert_eq!(error.code(), ErrorCode::LimitExceeded);
}

#[test]
fn a_message_ends_where_its_fields_end() {
    let whole = batch(0, 0, &column(0x05, 1, &[0; 9]));
    let block = |bytes: &[u8]| match Event::read(bytes)? {
        Event::Batch(batch) => Decoder::default().batch(&batch, &mut None),
        other => panic!("{other:?}"),
    };
    assert!(block(&whole).is_ok());
    for end in 12..whole.len() {
        assert!(block(&message(0, 1, &whole[12..end])).is_err(), "{end}");
    }
    assert!(block(&[&whole[..], &[0]].concat()).is_err());
    assert!(block(&message(0, 1, &[&whole[12..], &[0]].concat())).is_err());
    let done = hex("16 01 00 00 00 00 00 00 00 02 05");
    assert!(Event::read(&message(0, 0, &done)).is_ok());
    assert!(
        Event::read(&message(0, 1, &done)).is_err(),
        "it has no table"
    );
    assert!(Event::read(&message(0, 0, &[&done[..], &[0]].concat())).is_err());
    assert!(Event::read(&message(0, 0, &[0x19])).is_err());
}

#[test]
fn what_is_beyond_a_limit_is_refused_before_it_takes_memory() {
    let rows = |rows: u64| column(0x01, rows, &[]);
    for (body, words) in [
        (rows(1 << 20 | 1), "number of rows"),
        (rows(u64::MAX), "number of rows"),
        (column(0x01, 1 << 20, &[0]), "bits"),
        (hex("00 01 81 10"), "number of columns"),
        (hex("00 01 01 80 01"), "name of a column"),
        (hex("00 01 01 01 63 08"), "unknown type 0x08"),
        (column(0x11, 1, &[0, 0]), "0 dimensions"),
        (column(0x11, 1, &[0, 33]), "33 dimensions"),
        (column(0x11, 1, &hex("00 01 01 00 00 01")), "elements"),
        (column(0x0E, 1, &hex("00 3d")), "61 bits"),
        (column(0x13, 1, &hex("00 13")), "scale 19"),
        (
            column(0x0F, 1, &hex("00 01 00 00 00 01 00 00 00 61")),
            "offsets",
        ),
        (
            column(0x0F, 1, &hex("00 00 00 00 00 01 00 00 00 ff")),
            "UTF-8",
        ),
    ] {
        let error = decode(0, &body).unwrap_err();
        assert!(error.msg().contains(words), "{error}");
    }
    // Many dimensions without an element would make a long text of few bytes.
    let hollow = hex("00 02 ff ff ff ff 00 00 00 00");
    assert_eq!(
        decode(0, &column(0x11, 1, &hollow)).unwrap().to_values(),
        [[Value::Json(serde_json::json!([]))]]
    );
    let mut long = hex("00 00 00 00 00 00 00 01 00");
    long.resize(long.len() + (1 << 16), b'x');
    let error = decode(0, &column(0x0F, 1, &long)).unwrap_err();
    assert_eq!(error.code(), ErrorCode::LimitExceeded);
    assert!(error.msg().contains("column `c`"), "{error}");
}

#[test]
fn a_geohash_of_nothing_but_ones_is_null_only_where_no_bitmap_tells() {
    let null = vec![None];
    assert_eq!(texts(0x0E, 1, "00 08 ff"), null);
    assert_eq!(texts(0x0E, 1, "01 00 08 ff"), some(&["11111111"]));
    assert_eq!(texts(0x0E, 1, "01 01 08"), null);
    // More ones than it has bits is no geohash.
    assert_eq!(texts(0x0E, 1, "01 00 05 ff"), null);
}

#[test]
fn a_status_says_what_kind_of_failure_it_is() {
    for (status, code) in [
        (0x03, ErrorCode::ServerSchemaMismatch),
        (0x05, ErrorCode::ServerParseError),
        (0x06, ErrorCode::ServerInternalError),
        (0x08, ErrorCode::ServerSecurityError),
        (0x0A, ErrorCode::Cancelled),
        (0x0B, ErrorCode::ServerLimitExceeded),
        (0x0E, ErrorCode::QueryTimeout),
        (0x77, ErrorCode::ServerInternalError),
    ] {
        let error = failure(status, "why");
        assert_eq!(error.code(), code);
        assert!(error.msg().starts_with("why"));
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_break_the_decoder(data in proptest::collection::vec(any::<u8>(), 0..400)) {
        super::fuzz(&data);
    }

    #[test]
    fn columns_of_arbitrary_bytes_never_break_the_decoder(
        code in 1_u8..0x19,
        rows in 0_u64..40,
        coded in any::<bool>(),
        data in proptest::collection::vec(prop_oneof![Just(0_u8), Just(1), any::<u8>()], 0..300),
    ) {
        let flags = if coded { flags::GORILLA } else { 0 };
        if let Ok(block) = decode(flags, &column(code, rows, &data)) {
            prop_assert_eq!(block.nrows() as u64, rows);
            prop_assert_eq!(block.to_values().len() as u64, rows);
        }
    }

    #[test]
    fn integers_come_out_as_they_went_in(
        cells in proptest::collection::vec(proptest::option::of(-1000_i64..1000), 0..200),
        bitmap in any::<bool>(),
    ) {
        let mut data = vec![u8::from(bitmap)];
        if bitmap {
            data.extend(cells.chunks(8).map(|eight| {
                eight.iter().enumerate().fold(0_u8, |byte, (bit, cell)| {
                    byte | u8::from(cell.is_none()) << bit
                })
            }));
        }
        for cell in &cells {
            match cell {
                Some(value) => data.extend_from_slice(&value.to_le_bytes()),
                None if bitmap => {}
                None => data.extend_from_slice(&i64::MIN.to_le_bytes()),
            }
        }
        let block = decode(0, &column(0x05, cells.len() as u64, &data)).unwrap();
        let got: Vec<Option<i64>> = block.deserialize().collect::<Result<_, _>>().unwrap();
        prop_assert_eq!(got, cells);
    }

    #[test]
    fn texts_come_out_as_they_went_in(
        cells in proptest::collection::vec(proptest::option::of(".{0,12}"), 0..60),
    ) {
        let any = cells.iter().any(Option::is_none);
        let mut data = vec![u8::from(any)];
        if any {
            data.extend(cells.chunks(8).map(|eight| {
                eight.iter().enumerate().fold(0_u8, |byte, (bit, cell)| {
                    byte | u8::from(cell.is_none()) << bit
                })
            }));
        }
        let mut end = 0_u32;
        data.extend_from_slice(&end.to_le_bytes());
        for cell in cells.iter().flatten() {
            end += u32::try_from(cell.len()).unwrap();
            data.extend_from_slice(&end.to_le_bytes());
        }
        data.extend(cells.iter().flatten().flat_map(|cell| cell.bytes()));
        let block = decode(0, &column(0x0F, cells.len() as u64, &data)).unwrap();
        let got: Vec<Option<String>> = block.deserialize().collect::<Result<_, _>>().unwrap();
        prop_assert_eq!(got, cells);
    }
}

#[test]
fn long_statements_count_as_their_bytes() {
    let mut expected = Vec::new();
    put_string(&mut expected, &"é".repeat(100));
    let sql = "é".repeat(100);
    let query = Query {
        sql: &sql,
        binds: &[],
        credit: 0,
        timeout_ms: 0,
    };
    let bytes = query.encode(7).unwrap();
    assert_eq!(&bytes[9..bytes.len() - 2], expected);
}
