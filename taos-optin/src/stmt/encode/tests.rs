use proptest::prelude::*;
use taos_query::common::Precision;

use super::*;

const PACKED: Form = Form::Packed {
    decimal_text: false,
};

fn own(view: &ColumnView, form: Form) -> Column {
    column(view, view.as_ty(), form).unwrap()
}

/// The values as memory has them.
fn memory(values: &Values) -> Vec<u8> {
    match values {
        Values::Words(words) => words.iter().flat_map(|word| word.to_ne_bytes()).collect(),
        Values::Bytes(bytes) => bytes.clone(),
    }
}

#[test]
fn numbers_stand_in_their_width_with_a_flag_for_each_null() {
    let view = ColumnView::from_small_ints(vec![Some(1_i16), None, Some(-2)]);
    for form in [PACKED, Form::Strided] {
        let column = own(&view, form);
        assert_eq!(
            (column.ty, column.rows, column.stride),
            (Ty::SmallInt, 3, 2)
        );
        assert_eq!(column.lengths, None);
        assert_eq!(column.nulls, Some(vec![0, 1, 0]));
        assert_eq!(memory(&column.values), [1, 0, 0, 0, 0xFE, 0xFF, 0, 0]);
    }
    let whole = own(&ColumnView::from_bools(vec![true, false]), PACKED);
    assert_eq!(whole.nulls, None);
    assert_eq!(memory(&whole.values)[..2], [1, 0]);
}

#[test]
fn texts_are_utf8_one_behind_the_other_or_at_the_distance_of_the_longest() {
    let view = ColumnView::from_nchar::<&str, _, _, _>(vec![Some("a"), None, Some("é€"), Some("")]);
    let packed = own(&view, PACKED);
    assert_eq!(packed.ty, Ty::NChar);
    assert_eq!(packed.lengths, Some(vec![1, 0, 5, 0]));
    assert_eq!(packed.nulls, Some(vec![0, 1, 0, 0]));
    assert_eq!(memory(&packed.values), [0x61, 0xC3, 0xA9, 0xE2, 0x82, 0xAC]);

    let strided = own(&view, Form::Strided);
    assert_eq!(strided.stride, 5);
    assert_eq!(strided.lengths, packed.lengths);
    let mut expected = vec![0x61, 0, 0, 0, 0];
    expected.extend([0; 5]);
    expected.extend([0xC3, 0xA9, 0xE2, 0x82, 0xAC]);
    expected.extend([0; 5]);
    assert_eq!(memory(&strided.values), expected);

    let other = column(&view, Ty::VarChar, PACKED).unwrap();
    assert_eq!((other.ty, &other.values), (Ty::VarChar, &packed.values));
    assert!(column(&view, Ty::Int, PACKED).is_err());
}

#[test]
fn a_column_of_nulls_is_packed_without_values() {
    for ty in [Ty::Int, Ty::Timestamp, Ty::VarChar, Ty::NChar, Ty::Geometry] {
        let view = ColumnView::null(2, ty);
        let packed = own(&view, PACKED);
        assert_eq!((packed.ty, packed.rows), (ty, 2));
        assert!(packed.values.is_empty(), "{ty}");
        assert_eq!(packed.nulls, Some(vec![1, 1]));
        assert_eq!(packed.lengths, ty.is_var_type().then(|| vec![0, 0]));
        let strided = own(&view, Form::Strided);
        assert!(!strided.values.is_empty() && strided.stride > 0, "{ty}");
    }
}

#[test]
fn decimals_are_scaled_integers_or_text_as_the_library_wants_them() {
    let text = Form::Packed { decimal_text: true };
    let wide = ColumnView::from_decimal(vec![Some(-1234_i128), None], 20, 2);
    let binary = own(&wide, PACKED);
    let mut expected = (-1234_i128).to_le_bytes().to_vec();
    expected.extend([0; 16]);
    assert_eq!((memory(&binary.values), binary.lengths), (expected, None));
    let textual = own(&wide, text);
    assert_eq!(memory(&textual.values), b"-12.34");
    assert_eq!(textual.lengths, Some(vec![6, 0]));

    let narrow = ColumnView::from_decimal64(vec![5_i64], 10, 1);
    assert_eq!(memory(&own(&narrow, PACKED).values), 5_i64.to_le_bytes());
    assert_eq!(memory(&own(&narrow, text).values), b"0.5");
}

#[test]
fn tags_are_columns_of_one_row() {
    let json = r#"{"a":1}"#;
    for (value, ty, bytes) in [
        (Value::NChar("é".into()), Ty::NChar, vec![0xC3, 0xA9]),
        (Value::Json(json.parse().unwrap()), Ty::Json, json.into()),
    ] {
        let tag = tag(&value, PACKED).unwrap();
        let length = i32::try_from(bytes.len()).unwrap();
        assert_eq!((tag.ty, tag.rows), (ty, 1));
        assert_eq!((tag.lengths, tag.nulls), (Some(vec![length]), None));
        assert_eq!(memory(&tag.values), bytes);
    }
    let number = tag(&Value::Int(-1), PACKED).unwrap();
    assert_eq!(memory(&number.values)[..4], [0xFF; 4]);
    assert_eq!(number.lengths, None);
    let null = tag(&Value::Null(Ty::BigInt), PACKED).unwrap();
    assert_eq!((null.ty, null.nulls), (Ty::BigInt, Some(vec![1])));
    assert!(null.values.is_empty());
    let null = tag(&Value::Null(Ty::BigInt), Form::Strided).unwrap();
    assert!(memory(&null.values).len() >= 8);
}

#[test]
fn a_name_with_a_nul_is_refused() {
    let error = Table::new(Some("d\0"), &[], &[], &[], PACKED).unwrap_err();
    assert!(error.to_string().contains("table name"), "{error}");
}

/// The values of a column of variable length, as the library would read them.
fn read(column: &Column, form: Form) -> Vec<Option<Vec<u8>>> {
    let bytes = memory(&column.values);
    let mut at = 0;
    let lengths = column.lengths.as_ref().unwrap();
    lengths
        .iter()
        .enumerate()
        .map(|(row, length)| {
            let length = usize::try_from(*length).unwrap();
            let start = if form == Form::Strided {
                row * column.stride
            } else {
                at
            };
            at += length;
            let null = column.nulls.as_ref().is_some_and(|nulls| nulls[row] == 1);
            (!null).then(|| bytes[start..start + length].to_vec())
        })
        .collect()
}

proptest! {
    #[test]
    fn what_was_bound_is_read_back(
        texts in prop::collection::vec(prop::option::of(".{0,12}"), 1..20),
        cut in 0..20_usize,
    ) {
        let expected: Vec<_> = texts
            .iter()
            .map(|text| text.as_ref().map(|text| text.clone().into_bytes()))
            .collect();
        let views = [
            ColumnView::from_nchar::<String, _, _, _>(texts.clone()),
            ColumnView::from_varchar::<String, _, _, _>(texts.clone()),
        ];
        let from = cut.min(texts.len() - 1);
        for view in views {
            let part = view.slice(from..texts.len()).unwrap();
            for form in [PACKED, Form::Strided] {
                prop_assert_eq!(read(&own(&view, form), form), expected.clone());
                prop_assert_eq!(read(&own(&part, form), form), expected[from..].to_vec());
            }
        }
    }

    #[test]
    fn times_are_read_back(times in prop::collection::vec(prop::option::of(any::<i64>()), 1..20)) {
        let view = ColumnView::from_nanos_timestamp(times.clone());
        prop_assert_eq!(view.precision(), Precision::Nanosecond);
        let column = own(&view, PACKED);
        let Values::Words(words) = &column.values else {
            panic!("times have no lengths");
        };
        for (row, time) in times.iter().enumerate() {
            match time {
                Some(time) => prop_assert_eq!(words[row].cast_signed(), *time),
                None => prop_assert_eq!(column.nulls.as_ref().unwrap()[row], 1),
            }
        }
    }
}
