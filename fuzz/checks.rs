//! What must hold for any bytes at all. Shared by the fuzz targets and, over their corpora, by a
//! plain test.

use taos_query::common::{Precision, Value};
use taos_query::{Dsn, RawBlock, redact_dsn};

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

/// A compressed message, and the header that agrees on compression.
pub(crate) fn inflate(data: &[u8]) {
    taos_ws::fuzz_inflate(data);
}
