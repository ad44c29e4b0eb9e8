use arrow_array::cast::AsArray as _;
use arrow_schema::{DataType, TimeUnit};
use bytes::Bytes;

use super::*;
use crate::block::ColumnView;

const ROWS: usize = 19;

/// Values of the given rows, with NULL at every third.
fn some<T>(value: impl Fn(usize) -> T) -> Vec<Option<T>> {
    (0..ROWS)
        .map(|row| (row % 3 != 1).then(|| value(row)))
        .collect()
}

fn small<T: TryFrom<usize>>(row: usize) -> T {
    T::try_from(row).unwrap_or_else(|_| panic!("{row} is small"))
}

fn text(row: usize) -> String {
    "\u{6587}x".repeat(row % 4)
}

fn columns() -> Vec<(ColumnView, DataType)> {
    let utc = || Some("Asia/Tokyo".into());
    let binary = || some(|row| vec![small::<u8>(row); row]);
    vec![
        (
            ColumnView::from_nanos_timestamp(some(small::<i64>)),
            DataType::Timestamp(TimeUnit::Nanosecond, utc()),
        ),
        (
            ColumnView::from_bools(some(|row| row % 2 == 0)),
            DataType::Boolean,
        ),
        (
            ColumnView::from_tiny_ints(some(|row| -small::<i8>(row))),
            DataType::Int8,
        ),
        (
            ColumnView::from_small_ints(some(|row| -small::<i16>(row))),
            DataType::Int16,
        ),
        (
            ColumnView::from_ints(some(|row| -small::<i32>(row))),
            DataType::Int32,
        ),
        (
            ColumnView::from_big_ints(some(|row| i64::MIN + small::<i64>(row))),
            DataType::Int64,
        ),
        (
            ColumnView::from_unsigned_tiny_ints(some(|row| u8::MAX - small::<u8>(row))),
            DataType::UInt8,
        ),
        (
            ColumnView::from_unsigned_small_ints(some(small::<u16>)),
            DataType::UInt16,
        ),
        (
            ColumnView::from_unsigned_ints(some(small::<u32>)),
            DataType::UInt32,
        ),
        (
            ColumnView::from_unsigned_big_ints(some(|row| u64::MAX - small::<u64>(row))),
            DataType::UInt64,
        ),
        (
            ColumnView::from_floats(some(|row| f32::from(small::<u8>(row)) / 4.0)),
            DataType::Float32,
        ),
        (
            ColumnView::from_doubles(some(|row| f64::from(small::<u8>(row)) / 8.0)),
            DataType::Float64,
        ),
        (
            ColumnView::from_decimal(some(|row| -small::<i128>(row) * 10_i128.pow(20)), 38, 4),
            DataType::Decimal128(38, 4),
        ),
        (
            ColumnView::from_decimal64(some(|row| -small::<i64>(row)), 10, 2),
            DataType::Decimal128(10, 2),
        ),
        (
            ColumnView::from_varchar::<String, _, _, _>(some(text)),
            DataType::Utf8,
        ),
        (
            ColumnView::from_nchar::<String, _, _, _>(some(text)),
            DataType::Utf8,
        ),
        (
            ColumnView::from_json::<String, _, _, _>(some(|row| format!("[{row}]"))),
            DataType::Utf8,
        ),
        (
            ColumnView::from_bytes::<Vec<u8>, _, _, _>(binary()),
            DataType::Binary,
        ),
        (
            ColumnView::from_geobytes::<Vec<u8>, _, _, _>(binary()),
            DataType::Binary,
        ),
        (
            ColumnView::from_blob_bytes::<Vec<u8>, _, _, _>(binary()),
            DataType::Binary,
        ),
    ]
}

fn block() -> RawBlock {
    let views: Vec<ColumnView> = columns().into_iter().map(|(view, _)| view).collect();
    let mut block = RawBlock::try_from_views(&views, Precision::Nanosecond).unwrap();
    block.with_field_names((0..views.len()).map(|col| format!("c{col}")));
    block.with_timezone(chrono_tz::Asia::Tokyo);
    block
}

/// What a cell is, as text, for all types but BOOL.
fn cell(batch: &RecordBatch, col: usize, row: usize) -> String {
    let array = batch.column(col);
    macro_rules! number {
        ($ty:ty) => {
            array.as_primitive::<$ty>().value(row).to_string()
        };
    }
    match array.data_type() {
        DataType::Boolean => array.as_boolean().value(row).to_string(),
        DataType::Int8 => number!(Int8Type),
        DataType::Int16 => number!(Int16Type),
        DataType::Int32 => number!(Int32Type),
        DataType::Int64 => number!(Int64Type),
        DataType::UInt8 => number!(UInt8Type),
        DataType::UInt16 => number!(UInt16Type),
        DataType::UInt32 => number!(UInt32Type),
        DataType::UInt64 => number!(UInt64Type),
        DataType::Float32 => number!(Float32Type),
        DataType::Float64 => number!(Float64Type),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => number!(TimestampNanosecondType),
        DataType::Decimal128(..) => array.as_primitive::<Decimal128Type>().value_as_string(row),
        DataType::Utf8 => array.as_string::<i32>().value(row).to_owned(),
        DataType::Binary => format!("{:?}", array.as_binary::<i32>().value(row)),
        other => panic!("{other} was not expected"),
    }
}

/// The same from the block itself.
fn expected(block: &RawBlock, col: usize, row: usize) -> String {
    use crate::common::BorrowedValue as V;
    match block.get_ref(row, col).unwrap() {
        V::Timestamp(time) => time.as_raw_i64().to_string(),
        V::Json(bytes) => String::from_utf8(bytes.into_owned()).unwrap(),
        V::VarBinary(v) | V::Geometry(v) | V::Blob(v) => format!("{:?}", &*v),
        value => value.to_string().unwrap(),
    }
}

fn check(block: &RawBlock) {
    let batch = block.to_record_batch().unwrap();
    assert_eq!(
        (batch.num_rows(), batch.num_columns()),
        (ROWS, block.ncols())
    );
    for (col, (view, ty)) in columns().iter().enumerate() {
        let schema = batch.schema();
        let field = schema.field(col);
        assert_eq!((field.data_type(), field.is_nullable()), (ty, true));
        assert_eq!(field.metadata()[TYPE_KEY], view.as_ty().name());
        assert_eq!(*field.name(), format!("c{col}"));
        for row in 0..ROWS {
            assert_eq!(
                batch.column(col).is_null(row),
                row % 3 == 1,
                "{ty}, row {row}"
            );
            if row % 3 != 1 {
                assert_eq!(
                    cell(&batch, col, row),
                    expected(block, col, row),
                    "{ty}, row {row}"
                );
            }
        }
    }
}

#[test]
fn every_type_and_its_nulls_arrive() {
    check(&block());
}

#[test]
fn it_does_not_matter_where_in_memory_a_block_begins() {
    let block = block();
    for shift in 0..16 {
        let mut bytes = vec![0; shift];
        bytes.extend_from_slice(block.as_raw_bytes());
        let bytes = Bytes::from(bytes).slice(shift..);
        let mut moved = RawBlock::parse_from_raw_block(bytes, Precision::Nanosecond).unwrap();
        moved.with_field_names(block.field_names());
        moved.with_timezone(block.timezone());
        check(&moved);
    }
}

#[test]
fn aligned_values_are_shared_with_the_block() {
    let values: Vec<i64> = (0..1_000).collect();
    let block = RawBlock::from_views(&[ColumnView::from(values)], Precision::Millisecond);
    let raw = block.as_raw_bytes();
    // Somewhere within eight bytes the values are aligned.
    let shared = (0..8).any(|shift| {
        let bytes = Bytes::from([&vec![0; shift][..], raw].concat()).slice(shift..);
        let range = bytes.as_ptr_range();
        let block = RawBlock::parse_from_raw_block(bytes, Precision::Millisecond).unwrap();
        let batch = block.to_record_batch().unwrap();
        let numbers = batch.column(0).as_primitive::<Int64Type>();
        range.contains(&numbers.values().inner().as_ptr())
    });
    assert!(shared);
}

#[test]
fn times_without_a_zone_are_in_utc_and_keep_their_unit() {
    for (precision, unit) in [
        (Precision::Millisecond, TimeUnit::Millisecond),
        (Precision::Microsecond, TimeUnit::Microsecond),
        (Precision::Nanosecond, TimeUnit::Nanosecond),
    ] {
        let times = ColumnView::from_millis_timestamp(vec![1_i64]);
        let batch = RecordBatch::try_from(&RawBlock::from_views(&[times], precision)).unwrap();
        let expected = DataType::Timestamp(unit, Some("UTC".into()));
        assert_eq!(*batch.column(0).data_type(), expected);
    }
}

#[test]
fn text_that_is_not_unicode_is_an_error_that_names_the_column() {
    let binary = ColumnView::from_bytes::<&[u8], _, _, _>(vec![&b"ok"[..], &[0xFF]]);
    let mut bytes = RawBlock::from_views(&[binary], Precision::Millisecond)
        .as_raw_bytes()
        .to_vec();
    bytes[28] = Ty::VarChar.as_u8();
    let mut block = RawBlock::parse_from_raw_block(bytes, Precision::Millisecond).unwrap();
    block.with_field_names(["v"]);
    let error = block.to_record_batch().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode);
    assert!(
        error.to_string().contains("`v`: the text in row 1"),
        "{error}"
    );
}

#[test]
fn a_block_without_rows_still_has_its_columns() {
    let views = [ColumnView::null(0, Ty::Int), ColumnView::null(0, Ty::NChar)];
    let batch = RawBlock::from_views(&views, Precision::Millisecond)
        .to_record_batch()
        .unwrap();
    assert_eq!((batch.num_rows(), batch.num_columns()), (0, 2));
}
