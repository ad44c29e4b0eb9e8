//! Columns from values, and what can be done with them.
#![allow(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

use taos_query::block::{ColumnView, RawBlock};
use taos_query::common::views::views_to_raw_block;
use taos_query::common::{BorrowedValue, Decimal, Precision, Timestamp, Ty, Value};

fn values(column: &ColumnView) -> Vec<Value> {
    column.iter().map(BorrowedValue::into_value).collect()
}

fn every_kind() -> Vec<ColumnView> {
    vec![
        ColumnView::from_millis_timestamp(vec![Some(1), Some(2), Some(3)]),
        ColumnView::from_bools(vec![Some(true), None, Some(false)]),
        ColumnView::from_tiny_ints(vec![Some(i8::MIN), None, Some(i8::MAX)]),
        ColumnView::from_small_ints(vec![Some(i16::MIN), None, Some(i16::MAX)]),
        ColumnView::from_ints(vec![Some(i32::MIN), None, Some(i32::MAX)]),
        ColumnView::from_big_ints(vec![Some(i64::MIN), None, Some(i64::MAX)]),
        ColumnView::from_unsigned_tiny_ints(vec![Some(0), None, Some(u8::MAX)]),
        ColumnView::from_unsigned_small_ints(vec![Some(0), None, Some(u16::MAX)]),
        ColumnView::from_unsigned_ints(vec![Some(0), None, Some(u32::MAX)]),
        ColumnView::from_unsigned_big_ints(vec![Some(0), None, Some(u64::MAX)]),
        ColumnView::from_floats(vec![Some(0.5), None, Some(-0.0)]),
        ColumnView::from_doubles(vec![Some(1e300), None, Some(-1.5)]),
        ColumnView::from_varchar::<&str, _, _, _>(vec![Some("é"), None, Some("")]),
        ColumnView::from_nchar::<&str, _, _, _>(vec![Some("中文"), None, Some("")]),
        ColumnView::from_json::<&str, _, _, _>(vec![Some(r#"{"a":1}"#), None, Some("null")]),
        ColumnView::from_bytes::<&[u8], _, _, _>(vec![
            Some(b"\x00\xff".as_slice()),
            None,
            Some(b""),
        ]),
        ColumnView::from_geobytes::<&[u8], _, _, _>(vec![
            Some(b"\x01".as_slice()),
            None,
            Some(b""),
        ]),
        ColumnView::from_blob_bytes::<Vec<u8>, _, _, _>(vec![
            Some(vec![7_u8; 70_000]),
            None,
            Some(vec![]),
        ]),
        ColumnView::from_decimal(vec![Some(-1_i128), None, Some(10_i128.pow(37))], 38, 10),
        ColumnView::from_decimal64(vec![Some(-1_i64), None, Some(12_345)], 10, 2),
    ]
}

#[test]
fn columns_of_every_kind_survive_a_block() {
    let views = every_kind();
    let block = RawBlock::from_views(&views, Precision::Millisecond);
    assert_eq!((block.nrows(), block.ncols()), (3, views.len()));
    for (own, read) in views.iter().zip(block.columns()) {
        assert_eq!(own, read);
        assert_eq!(own.schema(), read.schema());
        assert_eq!(own.len(), 3);
        assert!(own.is_null(1) || own.as_ty() == Ty::Timestamp);
        assert!(own.is_null(3) && own.get(3).is_none());
    }
    assert_eq!(views_to_raw_block(&views), *block.as_raw_bytes());
}

#[test]
fn slices_of_every_kind_show_their_rows() {
    for column in every_kind() {
        let all = values(&column);
        let tail = column.slice(1..9).unwrap();
        assert_eq!(values(&tail), all[1..]);
        assert_eq!(values(&tail.slice(1..2).unwrap()), all[2..]);
        assert_eq!(column.slice(3..3).unwrap().len(), 0);
        assert!(column.slice(4..5).is_none());
        let joined = tail.concat_strictly(&column);
        assert_eq!(values(&joined), [&all[1..], &all[..]].concat());
        assert_eq!(joined.as_ty(), column.as_ty());
    }
}

#[test]
fn an_all_null_column_of_every_type_can_be_made() {
    for id in 1..=21 {
        let ty = Ty::from_u8(id).unwrap();
        let column = ColumnView::null(9, ty);
        assert_eq!(values(&column), vec![Value::Null(ty); 9]);
    }
    assert_eq!(ColumnView::null(1, Ty::Null).as_ty(), Ty::VarChar);
}

#[test]
fn seed_style_calls_compile() {
    let text = ColumnView::from_varchar::<&str, _, _, _>(vec![None; 3]);
    assert_eq!(text.len(), 3);
    let bytes = ColumnView::from_bytes::<Vec<u8>, _, _, _>(vec![vec![1_u8]]);
    assert_eq!(bytes.max_variable_length(), 1);
    let ints = ColumnView::from_ints(vec![1, 2]);
    assert_eq!(ints, ColumnView::from(vec![Some(1), Some(2)]));
    assert_eq!(ColumnView::from(vec![true, false]).as_ty(), Ty::Bool);
    assert_eq!(values(&ColumnView::from(Value::Int(1))), [Value::Int(1)]);
    assert_eq!((ints.clone() + ints).len(), 4);
    let texts = ColumnView::from_varchar(["a", "b"]);
    assert_eq!(texts.schema().len, 3);
}

#[test]
fn typed_views_give_rust_values() {
    let ColumnView::Int(ints) = ColumnView::from_ints(vec![Some(1), None]) else {
        panic!("INT");
    };
    assert_eq!(ints.to_vec(), [Some(1), None]);
    assert_eq!(ints.to_nulls_vec(), [false, true]);
    assert_eq!(ints.concat(&ints).len(), 4);
    let ColumnView::NChar(wide) = ColumnView::from_nchar(["é中", ""]) else {
        panic!("NCHAR");
    };
    // A slice taken before the first read decodes the right rows.
    assert_eq!(wide.slice(1..2).unwrap().to_vec(), [Some(String::new())]);
    assert_eq!(wide.to_vec(), [Some("é中".to_owned()), Some(String::new())]);
    assert_eq!(wide.lengths(), [Some(8), Some(0)]);
    let ColumnView::Decimal64(decimals) = ColumnView::from_decimal64(vec![125], 10, 2) else {
        panic!("DECIMAL");
    };
    assert_eq!(decimals.get(0), Some(Decimal::new(125, 10, 2)));
    assert_eq!(decimals.precision_and_scale(), (10, 2));
    let ColumnView::Timestamp(times) = ColumnView::from_micros_timestamp(vec![7]) else {
        panic!("TIMESTAMP");
    };
    assert_eq!(times.precision(), Precision::Microsecond);
    assert_eq!(times.get(0), Some(Timestamp::Microseconds(7)));
}

#[test]
fn casts_keep_values_or_name_what_does_not_fit() {
    let ints = ColumnView::from_ints(vec![Some(1), None, Some(300)]);
    let text = ints.cast(Ty::VarChar).unwrap();
    assert_eq!(
        values(&text),
        [
            Value::from("1"),
            Value::Null(Ty::VarChar),
            Value::from("300")
        ]
    );
    assert_eq!(text.cast(Ty::Int).unwrap(), ints);
    assert_eq!(
        ints.cast(Ty::TinyInt).unwrap_err().to_string(),
        "300 of row 2 does not fit into TINYINT, cast from INT"
    );
    let doubles = ColumnView::from_doubles(vec![-1.9, 2.5]);
    assert_eq!(
        values(&doubles.cast(Ty::BigInt).unwrap()),
        [Value::BigInt(-1), Value::BigInt(2)]
    );
    assert!(
        ColumnView::from_doubles(vec![f64::NAN])
            .cast(Ty::Int)
            .is_err()
    );
    let bytes = ColumnView::from_varchar(["x"]).cast(Ty::Blob).unwrap();
    assert_eq!(values(&bytes), [Value::Blob(vec![b'x'].into())]);
}

#[test]
fn a_block_casts_its_timestamps_and_joins_others() {
    let views = [
        ColumnView::from_nanos_timestamp(vec![1_999_999]),
        ColumnView::from_ints(vec![1]),
    ];
    let mut block = RawBlock::from_views(&views, Precision::Microsecond);
    block.with_field_names(["ts", "v"]).with_table_name("t");
    assert_eq!(
        block.get_ref(0, 0).unwrap(),
        Value::Timestamp(Timestamp::Microseconds(1_999))
    );
    let ms = block.cast_precision(Precision::Millisecond);
    assert_eq!(
        ms.get_ref(0, 0).unwrap(),
        Value::Timestamp(Timestamp::Milliseconds(1))
    );
    assert_eq!(ms.table_name(), Some("t"));
    let both = block.concat(&ms).unwrap();
    assert_eq!(both.nrows(), 2);
    assert_eq!(
        both.get_ref(1, 0).unwrap(),
        Value::Timestamp(Timestamp::Microseconds(1_000))
    );
    assert_eq!(both.field_names().collect::<Vec<_>>(), ["ts", "v"]);
    let text = block.pretty_format().to_string();
    assert!(text.starts_with("table: t\n"), "{text}");
}

#[test]
fn columns_of_different_length_do_not_make_a_block() {
    let views = [
        ColumnView::from_ints(vec![1]),
        ColumnView::from_ints(vec![1, 2]),
    ];
    assert!(RawBlock::try_from_views(&views, Precision::Millisecond).is_err());
    assert_eq!(
        RawBlock::from_views(&views, Precision::Millisecond).nrows(),
        0
    );
}

#[test]
fn texts_named_after_their_sql_types_choose_the_column() {
    use taos_query::common::itypes::{INChar, IVarChar};
    let narrow = ColumnView::from(vec![Some(IVarChar::from("a")), None]);
    assert_eq!(
        narrow,
        ColumnView::from_varchar::<&str, _, _, _>(vec![Some("a"), None])
    );
    let wide = ColumnView::from(vec![INChar::from("é")]);
    assert_eq!(values(&wide), [Value::NChar("é".into())]);
}

#[test]
fn a_cast_with_a_schema_brings_decimals_to_its_digits() {
    use taos_query::block::ColSchema;
    let doubles = ColumnView::from_doubles(vec![Some(1.25), None, Some(-3.0)]);
    let schema = ColSchema::decimal(Ty::Decimal64, 6, 2);
    let expected = ColumnView::from_decimal64(vec![Some(125), None, Some(-300)], 6, 2);
    assert_eq!(doubles.cast_with_schema(&schema).unwrap(), expected);
    let cast = doubles.cast_origin_type(Ty::Decimal64, "DECIMAL(6, 2)");
    assert_eq!(cast.unwrap(), expected);
    assert_eq!(expected.schema(), schema);
    assert_eq!(schema.decimal_digits(), (6, 2));

    let finer = expected.cast_with_schema(&ColSchema::decimal(Ty::Decimal, 30, 4));
    assert_eq!(
        finer.unwrap(),
        ColumnView::from_decimal(vec![Some(12_500), None, Some(-30_000)], 30, 4)
    );
    let narrow = ColSchema::decimal(Ty::Decimal64, 2, 2);
    let error = expected.cast_with_schema(&narrow).unwrap_err();
    assert!(error.to_string().contains("1.25 of row 0"), "{error}");
    let error = doubles
        .cast_origin_type(Ty::Decimal, "DECIMAL")
        .unwrap_err();
    assert!(error.to_string().contains("the type DECIMAL"), "{error}");
    let ints = expected.cast_origin_type(Ty::Int, "INT").unwrap();
    assert_eq!(
        values(&ints),
        [Value::Int(1), Value::Null(Ty::Int), Value::Int(-3)]
    );
}
