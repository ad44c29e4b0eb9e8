//! What must hold for any bytes at all. Shared by the fuzz targets and, over their corpora, by a
//! plain test.

use taos_query::common::{Field, Precision, Ty, Value};
use taos_query::util::Inlinable;
use taos_query::{Dsn, RawBlock, RawData, redact_dsn};

/// The first byte chooses the precision, the rest is the block: it is refused or it can be read whole.
pub(crate) fn raw_block(data: &[u8]) {
    let Some((first, block)) = data.split_first() else {
        return;
    };
    let precision = match first % 3 {
        0 => Precision::Millisecond,
        1 => Precision::Microsecond,
        _ => Precision::Nanosecond,
    };
    let Ok(block) = RawBlock::parse_from_raw_block(block.to_vec(), precision) else {
        return;
    };
    let rows: Vec<Vec<Value>> = block.rows().map(|row| row.into_values()).collect();
    assert_eq!(rows.len(), block.nrows());
    assert!(rows.iter().all(|row| row.len() == block.ncols()));
    for (i, row) in rows.iter().enumerate() {
        for (j, value) in row.iter().enumerate() {
            // What is not text may come out as NULL, but NULL must never come out as a value.
            assert!(!block.is_null(i, j) || matches!(value, Value::Null(_)));
        }
    }
    for values in block.deserialize::<Vec<Value>>() {
        // Text that is not UTF-8 is an error here, and that is right.
        let _ = values.map(|values| assert_eq!(values.len(), block.ncols()));
    }
    let _ = block.pretty_format().to_string();
}

/// A DSN that parses prints to one that parses to the same, and never shows its password.
pub(crate) fn dsn(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let _ = redact_dsn(text);
    let Ok(dsn) = text.parse::<Dsn>() else {
        return;
    };
    let printed = dsn.to_string();
    match printed.parse::<Dsn>() {
        Ok(again) => assert_eq!(again, dsn, "{text:?} printed as {printed:?}"),
        Err(error) => panic!("{text:?} printed as {printed:?}, which is refused: {error}"),
    }
}

/// The first byte chooses what the rest is a dump of: whatever can be restored is written as bytes that
/// give the same again. The last choice are blocks of servers before 3.0.
pub(crate) fn dump(data: &[u8]) {
    match data.split_first() {
        Some((b'b', mut rest)) => {
            let Ok(Some(block)) = RawBlock::read_optional_inlined(&mut rest) else {
                return;
            };
            let again = RawBlock::read_inlined(&mut &block.inlined()[..]);
            let again = again.unwrap_or_else(|error| panic!("written but not read: {error}"));
            assert_eq!(again.as_raw_bytes(), block.as_raw_bytes());
            assert_eq!(again.table_name(), block.table_name());
            assert!(again.field_names().eq(block.field_names()));
        }
        Some((b'm', rest)) => same_again::<RawData>(rest),
        Some((b'f', rest)) => same_again::<Field>(rest),
        Some((rows, rest)) => before_3_0((*rows).into(), rest),
        None => {}
    }
}

fn same_again<T: Inlinable + PartialEq + std::fmt::Debug>(mut data: &[u8]) {
    let Ok(value) = T::read_inlined(&mut data) else {
        return;
    };
    match T::read_inlined(&mut &value.inlined()[..]) {
        Ok(again) => assert_eq!(again, value),
        Err(error) => panic!("{value:?} was written but not read: {error}"),
    }
}

/// The number of columns, then type and width of each, then the slots.
fn before_3_0(rows: usize, data: &[u8]) {
    let Some((columns, mut rest)) = data.split_first() else {
        return;
    };
    let (mut fields, mut lengths) = (Vec::new(), Vec::new());
    for _ in 0..columns % 16 {
        let Some(([ty, width], behind)) = rest.split_first_chunk() else {
            return;
        };
        let ty = Ty::from_u8_option(*ty).unwrap_or(Ty::VarChar);
        fields.push(Field::new(ty.name(), ty, (*width).into()));
        lengths.push((*width).into());
        rest = behind;
    }
    let slots = rest.to_vec();
    let block =
        RawBlock::parse_from_raw_block_v2(slots, &fields, &lengths, rows, Precision::Millisecond);
    if let Ok(block) = block
        && !fields.is_empty()
    {
        assert_eq!((block.nrows(), block.ncols()), (rows, fields.len()));
    }
}

/// The body of a bind, in either of its forms.
pub(crate) fn bind(data: &[u8]) {
    taos_ws::protocol::fuzz_bind(data);
}

/// A frame, text or binary, in either direction.
pub(crate) fn reply(data: &[u8]) {
    taos_ws::protocol::fuzz_reply(data);
}

/// Schemaless data in one of its languages.
pub(crate) fn schemaless(data: &[u8]) {
    taos_embedded::fuzz_schemaless(data);
}

/// A message of a topic about tables, behind its type.
pub(crate) fn topic_message(data: &[u8]) {
    taos_embedded::fuzz_topic_message(data);
}

/// A message of rows of a topic.
pub(crate) fn data_message(data: &[u8]) {
    taos_query::tmq::raw::fuzz_data_message(data);
}

/// What a topic tells of tables, as JSON.
pub(crate) fn json_meta(data: &[u8]) {
    taos_query::tmq::fuzz_json_meta(data);
}

/// A compressed message, and the header that agrees on compression.
pub(crate) fn inflate(data: &[u8]) {
    taos_ws::fuzz_inflate(data);
}

/// Messages of a server of queries, each behind its length in two bytes.
pub(crate) fn qwp_answers(data: &[u8]) {
    taos_questdb::fuzz_qwp_answers(data);
}
