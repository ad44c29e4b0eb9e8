//! The encoder against the worked example of raw-block §5.
#![allow(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

use taos_query::block::{BlockWriter, ColumnBuilder, RawBlock};
use taos_query::common::{Decimal, Precision, Timestamp, Ty, Value};

const EXAMPLE: &str = "\
    01000000 a1000000 02000000 06000000 00000080 0000000000000000 \
    0908000000 0404000000 080a000000 0a12000000 0101000000 15020a0008 \
    10000000 08000000 04000000 0c000000 02000000 10000000 \
    00 0068e5cf8b010000 e86be5cf8b010000 40 07000000 00000000 \
    00000000 ffffffff 02006162 00000000 0a000000 0800 e9000000 2d4e0000 0000 \
    00 0100 00 3930000000000000 ceffffffffffffff 00";

fn example() -> Vec<u8> {
    let digits: Vec<u8> = EXAMPLE
        .bytes()
        .filter(u8::is_ascii_hexdigit)
        .map(|c| u8::try_from(char::from(c).to_digit(16).unwrap()).unwrap())
        .collect();
    digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}

fn writer() -> BlockWriter {
    BlockWriter::new(vec![
        ColumnBuilder::new(Ty::Timestamp, 8, 0, 0),
        ColumnBuilder::new(Ty::Int, 4, 0, 0),
        ColumnBuilder::new(Ty::VarChar, 8, 0, 0),
        ColumnBuilder::new(Ty::NChar, 4, 0, 0),
        ColumnBuilder::new(Ty::Bool, 1, 0, 0),
        ColumnBuilder::new(Ty::Decimal64, 8, 10, 2),
    ])
}

fn fill(writer: &mut BlockWriter) {
    let [ts, int, text, wide, flag, decimal] = writer.columns_mut() else {
        panic!("six columns");
    };
    ts.push_i64(1_700_000_000_000).unwrap();
    int.push_i64(7).unwrap();
    text.push_str("ab").unwrap();
    wide.push_str("é中").unwrap();
    flag.push_bool(true).unwrap();
    decimal.push_i64(12_345).unwrap();
    ts.push_i64(1_700_000_001_000).unwrap();
    int.push_null();
    text.push_null();
    wide.push_str("").unwrap();
    flag.push_bool(false).unwrap();
    decimal.push_i64(-50).unwrap();
}

#[test]
fn the_worked_example_is_encoded_byte_for_byte() {
    let mut writer = writer();
    fill(&mut writer);
    assert_eq!(writer.byte_len(), 161);
    assert_eq!(writer.finish().unwrap(), example());
    // The buffers are empty again and give the same block a second time.
    assert_eq!(writer.nrows(), 0);
    fill(&mut writer);
    assert_eq!(writer.finish().unwrap(), example());
}

#[test]
fn the_worked_example_is_decoded() {
    let block = RawBlock::parse_from_raw_block(example(), Precision::Millisecond).unwrap();
    let ts = |ms| Value::Timestamp(Timestamp::Milliseconds(ms));
    assert_eq!(
        block.to_values(),
        [
            vec![
                ts(1_700_000_000_000),
                Value::Int(7),
                Value::VarChar("ab".into()),
                Value::NChar("é中".into()),
                Value::Bool(true),
                Value::Decimal64(Decimal::new(12_345, 10, 2)),
            ],
            vec![
                ts(1_700_000_001_000),
                Value::Null(Ty::Int),
                Value::Null(Ty::VarChar),
                Value::NChar(String::new()),
                Value::Bool(false),
                Value::Decimal64(Decimal::new(-50, 10, 2)),
            ],
        ]
    );
    let widths: Vec<u32> = block.fields().iter().map(|f| f.bytes()).collect();
    assert_eq!(widths, [8, 4, 8, 4, 1, 8]);
}

#[test]
fn columns_of_different_length_are_refused_and_kept() {
    let mut writer = writer();
    writer.column_mut(0).unwrap().push_i64(1).unwrap();
    let error = writer.finish().unwrap_err();
    assert!(error.to_string().contains("column 1 has 0 rows"), "{error}");
    assert_eq!(writer.nrows(), 1);
}

#[test]
fn values_that_do_not_fit_their_column_are_refused() {
    let mut tiny = ColumnBuilder::new(Ty::TinyInt, 1, 0, 0);
    assert!(tiny.push_i64(128).is_err());
    assert!(tiny.push_str("1").is_err());
    assert!(tiny.push_f64(1.0).is_err());
    assert!(tiny.is_empty());
    let mut text = ColumnBuilder::new(Ty::VarChar, 10, 0, 0);
    assert!(text.push_bytes(&vec![0; 65_536]).is_err());
    assert!(text.is_empty());
}
