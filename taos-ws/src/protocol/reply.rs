use super::action::Action;
use super::mask_code;
use serde::{Deserialize, Deserializer};

/// Any text reply of `/ws`, read in one pass; members that a reply lacks keep their zero value.
///
/// One struct for all replies, because the action that says which it is may come behind the
/// members that differ.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct TextReply {
    /// 0, or the low 16 bits of the engine's code (§13).
    #[serde(deserialize_with = "masked")]
    pub code: u32,
    /// The server's words, empty on success.
    pub message: String,
    /// Echo of the action.
    pub action: Action,
    /// Echo of the request id.
    pub req_id: u64,
    /// Server time in nanoseconds.
    pub timing: i64,
    /// `version`, `conn`: the server's version.
    pub version: Option<String>,
    /// `query`, `fetch`: the result id.
    pub id: u64,
    /// `query`: true if the statement has no columns.
    pub is_update: bool,
    /// `query`: rows changed.
    pub affected_rows: i64,
    /// `query`: number of columns.
    pub fields_count: i64,
    /// `query`: names.
    pub fields_names: Option<Vec<String>>,
    /// `query`: type ids.
    pub fields_types: Option<Vec<u8>>,
    /// `query`: declared widths.
    pub fields_lengths: Option<Vec<i64>>,
    /// `query`: 0 ms, 1 µs, 2 ns.
    pub precision: i64,
    /// `query`: decimal precision of each column, else 0.
    pub fields_precisions: Option<Vec<i64>>,
    /// `query`: decimal scale of each column, else 0.
    pub fields_scales: Option<Vec<i64>>,
    /// `fetch`: true at the end.
    pub completed: bool,
    /// `fetch`: rows of the block.
    pub rows: i64,
    /// `num_fields`: number of columns.
    pub num_fields: i64,
    /// `get_current_db`: the session's database.
    pub db: Option<String>,
    /// `get_server_info`: version lines.
    pub info: Option<String>,
    /// `check_server_status`: the status number.
    pub status: i32,
    /// `check_server_status`: more words.
    pub details: Option<String>,
    /// `validate_sql`: 0 or the engine's code.
    pub result_code: i64,
    /// `insert`: rows of the payload.
    pub total_rows: Option<i64>,
    /// Statements: their id.
    pub stmt_id: u64,
    /// `prepare`, `stmt2_prepare`: false for a query.
    pub is_insert: bool,
    /// `exec`, `stmt2_exec`: rows changed.
    pub affected: i64,
    /// `get_tag_fields`, `get_col_fields`, `stmt2_prepare`: the fields.
    pub fields: Option<Vec<StmtFieldReply>>,
    /// `stmt_num_params`: number of placeholders.
    pub num_params: i64,
    /// `stmt_get_param`: echo of the placeholder's number.
    pub index: i64,
    /// `stmt_get_param`: type id.
    pub data_type: i64,
    /// `stmt_get_param`: storage width.
    pub length: i64,
    /// `use_result`: the result id.
    pub result_id: u64,
}

/// A column, tag or placeholder of a statement (§8, §9.1).
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct StmtFieldReply {
    /// The name, `tbname` for the table.
    pub name: String,
    /// Type id.
    pub field_type: i8,
    /// Unit of a timestamp.
    pub precision: u8,
    /// Decimal scale where the server tells it.
    pub scale: u8,
    /// Storage width.
    pub bytes: i32,
    /// 1 column, 2 tag, 3 query, 4 table name; 0 in the first generation, which does not tell.
    pub bind_type: u8,
}

pub(super) fn masked<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    i64::deserialize(deserializer).map(mask_code)
}
