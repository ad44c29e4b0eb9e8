//! What is encoded decodes to the same, for every type, NULL pattern and length.
#![allow(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

use bytes::Bytes;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde::Deserialize;
use taos_query::block::{BlockWriter, ColumnBuilder, ColumnView, RawBlock, fuzz_raw_block};
use taos_query::common::{Decimal, Precision, Timestamp, Ty, Value};

const PRECISION: Precision = Precision::Microsecond;

fn bytes(max: usize) -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..max).prop_map(Bytes::from)
}

/// Any value of one type.
fn value(ty: Ty) -> BoxedStrategy<Value> {
    match ty {
        Ty::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        Ty::TinyInt => any::<i8>().prop_map(Value::TinyInt).boxed(),
        Ty::SmallInt => any::<i16>().prop_map(Value::SmallInt).boxed(),
        Ty::Int => any::<i32>().prop_map(Value::Int).boxed(),
        Ty::BigInt => any::<i64>().prop_map(Value::BigInt).boxed(),
        Ty::UTinyInt => any::<u8>().prop_map(Value::UTinyInt).boxed(),
        Ty::USmallInt => any::<u16>().prop_map(Value::USmallInt).boxed(),
        Ty::UInt => any::<u32>().prop_map(Value::UInt).boxed(),
        Ty::UBigInt => any::<u64>().prop_map(Value::UBigInt).boxed(),
        Ty::Float => any::<f32>().prop_map(Value::Float).boxed(),
        Ty::Double => any::<f64>().prop_map(Value::Double).boxed(),
        Ty::Timestamp => any::<i64>()
            .prop_map(|raw| Value::Timestamp(Timestamp::new(raw, PRECISION)))
            .boxed(),
        Ty::NChar => any::<String>().prop_map(Value::NChar).boxed(),
        Ty::Json => (any::<String>(), any::<i64>())
            .prop_map(|(key, n)| Value::Json(serde_json::json!({ key: n })))
            .boxed(),
        Ty::VarBinary => bytes(300).prop_map(Value::VarBinary).boxed(),
        Ty::Geometry => bytes(100).prop_map(Value::Geometry).boxed(),
        Ty::Blob => bytes(2_000).prop_map(Value::Blob).boxed(),
        Ty::MediumBlob => bytes(300).prop_map(Value::MediumBlob).boxed(),
        Ty::Decimal => any::<i128>()
            .prop_map(|v| Value::Decimal(Decimal::new(v, 38, 10)))
            .boxed(),
        Ty::Decimal64 => any::<i64>()
            .prop_map(|v| Value::Decimal64(Decimal::new(v.into(), 18, 10)))
            .boxed(),
        _ => any::<String>().prop_map(Value::VarChar).boxed(),
    }
}

/// Columns of any types and one length.
fn columns() -> impl Strategy<Value = Vec<(Ty, Vec<Option<Value>>)>> {
    let types = vec((1_u8..=21).prop_map(|id| Ty::from_u8(id).unwrap()), 1..6);
    (types, 0_usize..40).prop_flat_map(|(types, rows)| {
        types
            .into_iter()
            .map(|ty| (Just(ty), vec(option::weighted(0.7, value(ty)), rows)))
            .collect::<Vec<_>>()
    })
}

fn encode(columns: &[(Ty, Vec<Option<Value>>)]) -> RawBlock {
    let builders = columns
        .iter()
        .map(|(ty, _)| ColumnBuilder::new(*ty, 100, 38, 10))
        .collect();
    let mut writer = BlockWriter::new(builders);
    for (builder, (_, values)) in writer.columns_mut().iter_mut().zip(columns) {
        for value in values {
            match value {
                Some(value) => builder.push_value(&value.to_borrowed_value()).unwrap(),
                None => builder.push_null(),
            }
        }
    }
    let length = writer.byte_len();
    let block = writer.finish_block(PRECISION).unwrap();
    assert_eq!(block.as_raw_bytes().len(), length);
    block
}

/// Bit equality of floats, so that NaN and the sign of zero count.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Float(a), Value::Float(b)) => a.to_bits() == b.to_bits(),
        (Value::Double(a), Value::Double(b)) => a.to_bits() == b.to_bits(),
        _ => a == b && a.ty() == b.ty(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn blocks_decode_to_what_was_encoded(columns in columns()) {
        let block = encode(&columns);
        let rows = columns.first().map_or(0, |(_, values)| values.len());
        prop_assert_eq!((block.nrows(), block.ncols()), (rows, columns.len()));
        let read: Vec<Vec<Value>> = block.deserialize().map(Result::unwrap).collect();
        for (row, (direct, read)) in block.to_values().iter().zip(&read).enumerate() {
            for (col, (ty, values)) in columns.iter().enumerate() {
                let wanted = values[row].clone().unwrap_or(Value::Null(*ty));
                prop_assert_eq!(block.is_null(row, col), wanted.is_null());
                prop_assert!(same(&direct[col], &wanted), "{:?} {:?}", direct[col], wanted);
                prop_assert!(same(&read[col], &wanted), "{:?} {:?}", read[col], wanted);
                let lent = block.get_ref(row, col).unwrap().to_value();
                prop_assert!(same(&lent, &wanted), "{:?} {:?}", lent, wanted);
            }
        }
    }

    #[test]
    fn views_encode_to_the_same_bytes(columns in columns()) {
        let block = encode(&columns);
        let again = RawBlock::try_from_views(block.column_views(), PRECISION).unwrap();
        // The declared widths may grow to the data; everything behind the schema is the same.
        let body = 28 + 5 * block.ncols();
        prop_assert_eq!(&again.as_raw_bytes()[body..], &block.as_raw_bytes()[body..]);
    }

    #[test]
    fn slices_are_the_rows_of_their_range(
        values in vec(option::weighted(0.7, any::<String>()), 0..30),
        start in 0_usize..30,
        len in 0_usize..30,
    ) {
        let column = ColumnView::from_nchar::<String, _, _, _>(values.clone());
        match column.slice(start..start + len) {
            Some(slice) => {
                let end = values.len().min(start + len);
                let rows: Vec<Option<String>> = slice
                    .iter()
                    .map(|value| Option::deserialize(value).unwrap())
                    .collect();
                prop_assert_eq!(rows, &values[start..end]);
            }
            None => prop_assert!(start > values.len()),
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(data in vec(any::<u8>(), 0..400)) {
        fuzz_raw_block(&data);
    }

    #[test]
    fn damaged_blocks_never_panic(
        columns in columns(),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut bytes = encode(&columns).as_raw_bytes().to_vec();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        fuzz_raw_block(&bytes);
    }
}
