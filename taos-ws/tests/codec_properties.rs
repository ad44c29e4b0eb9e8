//! Whatever is encoded decodes to the same, and whatever is not a frame is refused without a panic.

use proptest::prelude::*;
use taos_query::block::ColumnView;
use taos_query::common::{BorrowedValue, Ty, Value};
use taos_ws::protocol::{
    Action, BinaryRequest, BindTable, FetchOutcome, FetchReply, Reply, ServerReply, SqlArgs,
    TextRequest, VersionBody, classify_binary, classify_text, decode_binary, decode_text,
    encode_query, encode_stmt2_bind, encode_text, encode_validate_sql, fuzz_bind, fuzz_reply,
    fuzz_tmq,
};

fn outcome() -> impl Strategy<Value = FetchOutcome> {
    prop_oneof![
        Just(FetchOutcome::End),
        (1..=0xFFFFu32, ".*").prop_map(|(code, message)| FetchOutcome::Error { code, message }),
        prop::collection::vec(any::<u8>(), 8..300).prop_map(|mut block| {
            let len = u32::try_from(block.len()).unwrap_or(0);
            block[4..8].copy_from_slice(&len.to_le_bytes());
            FetchOutcome::Block(block.into())
        }),
    ]
}

proptest! {
    #[test]
    fn statements_survive_both_forms_with_any_text_and_id(req_id: u64, sql in ".+") {
        let query = encode_query(req_id, &sql).map(|frame| decode_binary(&frame));
        let expected = BinaryRequest::Query { req_id, sql: sql.clone() };
        prop_assert_eq!(query, Some(Ok(expected)));
        let validate = encode_validate_sql(req_id, &sql).map(|frame| decode_binary(&frame));
        let expected = BinaryRequest::ValidateSql { req_id, sql: sql.clone() };
        prop_assert_eq!(validate, Some(Ok(expected)));
        let args = SqlArgs::new(req_id, sql);
        let text = decode_text(&encode_text(&Action::Query, &args));
        prop_assert_eq!(text, Ok(TextRequest::Query(args)));
    }

    #[test]
    fn fetch_replies_survive_with_any_ids(req_id: u64, result_id: u64, timing: u64, outcome in outcome()) {
        let reply = FetchReply { req_id, result_id, timing, outcome };
        let frame = reply.encode();
        prop_assert!(frame.is_some());
        let read = frame.map(|frame| classify_binary(&frame));
        prop_assert_eq!(read, Some(Reply::Fetch(reply)));
    }

    #[test]
    fn text_replies_survive_with_any_words(req_id: u64, timing: i64, version in ".*", message in ".*") {
        let reply = ServerReply { message: &message, ..ServerReply::ok("version", req_id, timing, VersionBody { version: &version }) };
        let Reply::Text(read) = classify_text(&reply.encode()) else {
            return Err(TestCaseError::fail("not a text reply"));
        };
        prop_assert_eq!((read.req_id, read.timing), (req_id, timing));
        prop_assert_eq!(read.version, Some(version));
        prop_assert_eq!(read.message, message);
    }

    #[test]
    fn arbitrary_bytes_never_panic(data in prop::collection::vec(any::<u8>(), 0..200)) {
        fuzz_reply(&data);
        fuzz_tmq(&data);
    }

    #[test]
    fn a_damaged_fetch_reply_never_panics(outcome in outcome(), at: prop::sample::Index, bit in 0..8u8, cut: prop::sample::Index) {
        let reply = FetchReply { req_id: 1, result_id: 2, timing: 3, outcome };
        let mut frame = reply.encode().unwrap_or_default().to_vec();
        let at = at.index(frame.len());
        frame[at] ^= 1 << bit;
        frame.truncate(cut.index(frame.len()) + 1);
        fuzz_reply(&frame);
    }
}

/// One column of any type that can be bound, with NULLs.
fn column() -> impl Strategy<Value = ColumnView> {
    use prop::collection::vec;
    use prop::option::of;
    const ROWS: std::ops::Range<usize> = 1..20;
    prop_oneof![
        vec(of(any::<i32>()), ROWS).prop_map(ColumnView::from_ints),
        vec(of(any::<bool>()), ROWS).prop_map(ColumnView::from_bools),
        vec(
            of(any::<f64>().prop_filter("NaN is not equal to itself", |v| !v.is_nan())),
            ROWS
        )
        .prop_map(ColumnView::from_doubles),
        vec(of(any::<i64>()), ROWS).prop_map(ColumnView::from_micros_timestamp),
        vec(of(".{0,12}"), ROWS).prop_map(ColumnView::from_varchar::<String, _, _, _>),
        vec(of(".{0,12}"), ROWS).prop_map(ColumnView::from_nchar::<String, _, _, _>),
        vec(of(vec(any::<u8>(), 0..12)), ROWS)
            .prop_map(ColumnView::from_blob_bytes::<Vec<u8>, _, _, _>),
        vec(of(any::<i64>()), ROWS).prop_map(|v| ColumnView::from_decimal64(v, 18, 4)),
    ]
}

/// What a server must find under a cell.
fn cell_bytes(column: &ColumnView, row: usize) -> Option<Vec<u8>> {
    let value = column.get(row).filter(|value| !value.is_null())?;
    Some(match value {
        BorrowedValue::NChar(text) | BorrowedValue::VarChar(text) => text.as_bytes().to_vec(),
        _ => match column.payload(row) {
            Some(payload) => payload.to_vec(),
            None => {
                let width = column.as_ty().fixed_length();
                let all = column.fixed_bytes().unwrap_or_default();
                all[row * width..(row + 1) * width].to_vec()
            }
        },
    })
}

proptest! {
    #[test]
    fn bound_tables_survive_with_any_names_tags_and_columns(
        req_id: u64,
        stmt_id: u64,
        names in prop::collection::vec(prop::option::of("[^\0]{1,20}"), 1..5),
        tag in prop::option::of(".{0,9}"),
        column in column(),
        from: prop::sample::Index,
    ) {
        let columns = [column.clone(), column.slice(from.index(column.len())..usize::MAX).unwrap_or(column)];
        let tags = [tag.clone().map_or(Value::Null(Ty::NChar), Value::NChar)];
        let tables: Vec<_> = names
            .iter()
            .map(|name| BindTable { name: name.as_deref(), tags: &tags, columns: &columns })
            .collect();
        let mut out = bytes::BytesMut::new();
        encode_stmt2_bind(&mut out, req_id, stmt_id, &tables, &[], &[])
            .map_err(|error| TestCaseError::fail(error.to_string()))?;
        let Ok(BinaryRequest::Stmt2Bind { req_id: id, stmt_id: stmt, bind }) = decode_binary(&out.freeze()) else {
            return Err(TestCaseError::fail("not a bind"));
        };
        prop_assert_eq!((id, stmt, bind.tables.len()), (req_id, stmt_id, names.len()));
        for (table, name) in bind.tables.iter().zip(&names) {
            prop_assert_eq!(&table.name, name);
            let read: Vec<_> = table.tags.iter().flat_map(|tag| tag.values()).collect();
            prop_assert_eq!(read, [tag.as_deref().map(str::as_bytes)]);
            for (item, column) in table.columns.iter().zip(&columns) {
                prop_assert_eq!(item.known_type(), Some(column.as_ty()));
                let read: Vec<_> = item.values().map(|v| v.map(<[u8]>::to_vec)).collect();
                let bound: Vec<_> = (0..column.len()).map(|row| cell_bytes(column, row)).collect();
                prop_assert_eq!(read, bound);
            }
        }
    }

    #[test]
    fn a_damaged_bind_never_panics(column in column(), at: prop::sample::Index, byte: u8, cut: prop::sample::Index) {
        let columns = [column];
        let tables = [BindTable { name: Some("t"), tags: &[], columns: &columns }];
        let mut out = bytes::BytesMut::new();
        encode_stmt2_bind(&mut out, 1, 2, &tables, &[], &[])
            .map_err(|error| TestCaseError::fail(error.to_string()))?;
        let mut body = out.split_off(24).to_vec();
        let at = at.index(body.len());
        body[at] = byte;
        body.truncate(cut.index(body.len()) + 1);
        fuzz_bind(&body);
    }
}
