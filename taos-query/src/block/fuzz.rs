//! The entry point of the raw block fuzzer.

use serde::de::IgnoredAny;

use super::RawBlock;
use crate::common::{Precision, Value};

/// Decodes arbitrary bytes and, if they are a block, walks through everything that reads it.
///
/// # Panics
/// If a checked block reads differently on two ways, which is a defect.
pub fn fuzz_raw_block(data: &[u8]) {
    let Ok(mut block) = RawBlock::parse_from_raw_block(data.to_vec(), Precision::Millisecond)
    else {
        return;
    };
    // A few bytes can claim millions of all-NULL or shared cells; these add nothing.
    if block.nrows().saturating_mul(block.ncols()) > 4_096 {
        return;
    }
    block.with_field_names((0..block.ncols()).map(|col| format!("c{col}")));
    let mut rows = 0;
    for (row, values) in block.rows().enumerate() {
        for (col, (_, value)) in values.enumerate() {
            assert_eq!(value.is_null(), block.is_null(row, col));
            let _ = (format!("{value}"), value.to_sql_value(), value.to_string());
        }
        rows += 1;
    }
    assert_eq!(rows, block.nrows());
    for read in block.deserialize::<Vec<Value>>() {
        let _ = read;
    }
    for column in block.columns() {
        assert_eq!(column.iter().count(), rows);
        let _ = (column.max_variable_length(), column.slice(1..3));
    }
    assert!(block.deserialize::<IgnoredAny>().all(|read| read.is_ok()));
    assert_eq!(block.deserialize::<Vec<IgnoredAny>>().count(), rows);
}
