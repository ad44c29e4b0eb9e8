//! What may stand behind the columns of a table: COMMENT, TTL, SMA and their like (DIALECT §11).

use crate::plan::ColumnInfo;
use crate::sql::SqlError;
use crate::sql::ast::{OptionValue, SqlOption};

const BAD_OPTION: u32 = 0x261A;
const COMMENT_TOO_LONG: u32 = 0x264E;
const OUT_OF_RANGE: u32 = 0x0224;
/// Longest comment in bytes.
const COMMENT: usize = 1024;

/// The kind of a table that has the options.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OptionsOf {
    Normal,
    Super,
    Child,
}

/// The options of a table, as far as they are named.
#[derive(Debug, Default)]
pub(super) struct TableOptions {
    pub(super) comment: Option<String>,
    /// Days.
    pub(super) ttl: Option<i32>,
    /// Numbers of the columns with statistics in each block, which are kept to be shown.
    pub(super) sma: Vec<u32>,
}

/// Reads and checks options of a table.
///
/// # Errors
/// 0x261A for what such a table cannot have, 0x264E for a comment that is too long, 0x2602 for SMA of an unknown
/// column, 0x2600 for an option that does not exist.
pub(super) fn table_options(
    options: &[SqlOption],
    of: OptionsOf,
    columns: &[ColumnInfo],
) -> Result<TableOptions, SqlError> {
    let mut found = TableOptions::default();
    for option in options {
        match (option.name.as_str(), option.values.as_slice()) {
            ("comment", [OptionValue::Text(text)]) => {
                if text.len() > COMMENT {
                    return Err(SqlError::new(COMMENT_TOO_LONG, "Comment too long"));
                }
                found.comment = Some(text.clone());
            }
            ("ttl", [OptionValue::Integer(days)]) if *days >= 0 => {
                let days = i32::try_from(*days)
                    .map_err(|_| SqlError::new(OUT_OF_RANGE, "Value out of range"))?;
                if of == OptionsOf::Super && days != 0 {
                    return Err(SqlError::new(
                        BAD_OPTION,
                        "Invalid option ttl: a super table has none, its subtables may",
                    ));
                }
                found.ttl = Some(days);
            }
            ("sma", values) if of != OptionsOf::Child => found.sma = sma(values, columns)?,
            ("watermark" | "max_delay" | "rollup" | "delete_mark", _) if of != OptionsOf::Child => {
                return Err(SqlError::new(
                    BAD_OPTION,
                    format!(
                        "Invalid option {}: Only supported for create super table in databases configured \
                         with the 'RETENTIONS' option",
                        option.name
                    ),
                ));
            }
            ("keep" | "virtual", _) => {
                return Err(SqlError::unsupported(format!(
                    "table option {}",
                    option.name
                )));
            }
            (name, _) => return Err(SqlError::syntax(name)),
        }
    }
    Ok(found)
}

fn sma(values: &[OptionValue], columns: &[ColumnInfo]) -> Result<Vec<u32>, SqlError> {
    let number = |value: &OptionValue| match value {
        OptionValue::Word(name) | OptionValue::Text(name) => columns
            .iter()
            .find(|column| column.name == *name)
            .map(|column| column.id)
            .ok_or_else(|| SqlError::unknown_column(name)),
        _ => Err(SqlError::syntax("sma")),
    };
    values.iter().map(number).collect()
}
