//! Replies as a server writes them.

use serde::Serialize;

/// A text reply: the common envelope (§3.2) with the members of `body` behind it.
#[derive(Debug, Clone, Serialize)]
pub struct ServerReply<'a, B> {
    /// 0, or the low 16 bits of the engine's code.
    pub code: u32,
    /// Empty on success.
    pub message: &'a str,
    /// Echo of the request's action.
    pub action: &'a str,
    /// Echo of the request's id.
    pub req_id: u64,
    /// Server time in nanoseconds.
    pub timing: i64,
    /// What the action adds; [`EmptyBody`] in errors.
    #[serde(flatten)]
    pub body: B,
}

impl<'a, B: Serialize> ServerReply<'a, B> {
    /// A successful reply.
    pub const fn ok(action: &'a str, req_id: u64, timing: i64, body: B) -> Self {
        Self {
            code: 0,
            message: "",
            action,
            req_id,
            timing,
            body,
        }
    }

    /// The text frame, written in one pass.
    #[must_use]
    pub fn encode(&self) -> String {
        // Maps with keys that are not text are the only thing that serde_json refuses to write.
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl<'a> ServerReply<'a, EmptyBody> {
    /// An error reply, which carries only the envelope.
    #[must_use]
    pub const fn error(
        action: &'a str,
        req_id: u64,
        timing: i64,
        code: u32,
        message: &'a str,
    ) -> Self {
        Self::failure(action, req_id, timing, code, message, EmptyBody {})
    }
}

impl<'a, B: Serialize> ServerReply<'a, B> {
    /// An error reply that carries more than the envelope; those about a statement name it (§8).
    pub const fn failure(
        action: &'a str,
        req_id: u64,
        timing: i64,
        code: u32,
        message: &'a str,
        body: B,
    ) -> Self {
        Self {
            code: super::mask_code(code as i64),
            message,
            action,
            req_id,
            timing,
            body,
        }
    }
}

/// Nothing beyond the envelope.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct EmptyBody {}

/// Reply to `version` (§5.1).
#[derive(Debug, Clone, Copy, Serialize)]
pub struct VersionBody<'a> {
    /// Four dotted numbers with an optional suffix.
    pub version: &'a str,
}

/// Reply to `conn` (§5.2).
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct ConnBody<'a> {
    /// The version, in adapters from late 3.3.6 on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<&'a str>,
}

/// Reply to `query` and binary_query (§6.1). Arrays are `None` (null) for statements without rows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct QueryBody<'a> {
    /// The result id, 0 for statements without columns.
    pub id: u64,
    /// True if the statement has no columns.
    pub is_update: bool,
    /// Rows changed.
    pub affected_rows: i64,
    /// Number of columns.
    pub fields_count: usize,
    /// Names.
    pub fields_names: Option<Vec<&'a str>>,
    /// Type ids.
    pub fields_types: Option<Vec<u8>>,
    /// Declared widths.
    pub fields_lengths: Option<Vec<i64>>,
    /// 0 ms, 1 µs, 2 ns.
    pub precision: u8,
    /// Decimal precision, else 0.
    pub fields_precisions: Option<Vec<i64>>,
    /// Decimal scale, else 0.
    pub fields_scales: Option<Vec<i64>>,
}

/// Reply to `fetch` (§6.3).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct FetchBody {
    /// The result id.
    pub id: u64,
    /// True at the end, when the server has freed the result.
    pub completed: bool,
    /// Storage widths; null at the end.
    pub lengths: Option<Vec<i64>>,
    /// Rows of the block.
    pub rows: usize,
}

/// Reply to `num_fields` (§6.6).
#[derive(Debug, Clone, Copy, Serialize)]
pub struct NumFieldsBody {
    /// Number of columns.
    pub num_fields: usize,
}

/// Reply to `get_current_db` (§5.4).
#[derive(Debug, Clone, Copy, Serialize)]
pub struct CurrentDbBody<'a> {
    /// The session's database, empty for none.
    pub db: &'a str,
}

/// Reply to `get_server_info` (§5.5).
#[derive(Debug, Clone, Copy, Serialize)]
pub struct ServerInfoBody<'a> {
    /// Lines `ver:`, `build:` and `gitinfo:`.
    pub info: &'a str,
}

/// Reply to `check_server_status` (§5.7).
#[derive(Debug, Clone, Copy, Serialize)]
pub struct StatusBody<'a> {
    /// 0 unavailable, 1 network ok, 2 service ok, 3 degraded, 4 exiting.
    pub status: i32,
    /// More words, often none.
    pub details: &'a str,
}

/// Reply to validate_sql (§6.7).
#[derive(Debug, Clone, Copy, Serialize)]
pub struct ValidateBody {
    /// 0 if valid, otherwise the engine's code, possibly in its negative 32-bit form.
    pub result_code: i64,
}

/// Reply to `insert` (§7).
#[derive(Debug, Clone, Copy, Serialize)]
pub struct InsertBody {
    /// Rows written.
    pub affected_rows: i64,
    /// Rows of the payload, in servers from 3.3.2.7 on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_rows: Option<i32>,
}

/// Reply to requests about a statement that add nothing else, and their errors (§8, §9.1).
#[derive(Debug, Clone, Copy, Serialize)]
pub struct StmtBody {
    /// The statement.
    pub stmt_id: u64,
}

/// Reply to `prepare` (§8).
#[derive(Debug, Clone, Copy, Serialize)]
pub struct StmtPrepareBody {
    /// The statement.
    pub stmt_id: u64,
    /// False for a query.
    pub is_insert: bool,
}

/// Reply to `exec` and `stmt2_exec` (§8, §9.1).
#[derive(Debug, Clone, Copy, Serialize)]
pub struct StmtExecBody {
    /// The statement.
    pub stmt_id: u64,
    /// Rows changed by this execution.
    pub affected: i64,
}

/// A column, tag or placeholder of a statement (§8, §9.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StmtFieldBody<'a> {
    /// The name, `tbname` for the table.
    pub name: &'a str,
    /// Type id.
    pub field_type: u8,
    /// Unit of a timestamp.
    pub precision: u8,
    /// Decimal scale where the server tells it.
    pub scale: u8,
    /// Storage width.
    pub bytes: i32,
    /// 1 column, 2 tag, 3 query, 4 table name; only in the second generation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bind_type: Option<u8>,
}

/// Reply to `get_tag_fields` and `get_col_fields` (§8).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StmtFieldsBody<'a> {
    /// The statement.
    pub stmt_id: u64,
    /// The tags or columns.
    pub fields: Option<Vec<StmtFieldBody<'a>>>,
}

/// Reply to `stmt_num_params` (§8).
#[derive(Debug, Clone, Copy, Serialize)]
pub struct StmtNumParamsBody {
    /// The statement.
    pub stmt_id: u64,
    /// Number of placeholders.
    pub num_params: usize,
}

/// Reply to `stmt_get_param` (§8).
#[derive(Debug, Clone, Copy, Serialize)]
pub struct StmtGetParamBody {
    /// The statement.
    pub stmt_id: u64,
    /// Echo of the placeholder's number.
    pub index: i64,
    /// Type id.
    pub data_type: u8,
    /// Storage width.
    pub length: i64,
}

/// The columns of a statement's result, as `use_result` and `stmt2_result` tell them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct StmtResultFields<'a> {
    /// Number of columns.
    pub fields_count: usize,
    /// Names.
    pub fields_names: Option<Vec<&'a str>>,
    /// Type ids.
    pub fields_types: Option<Vec<u8>>,
    /// Storage widths.
    pub fields_lengths: Option<Vec<i64>>,
    /// 0 ms, 1 µs, 2 ns.
    pub precision: u8,
    /// Decimal precision, else 0; left out by releases before 3.3.6.0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fields_precisions: Option<Vec<i64>>,
    /// Decimal scale, else 0; left out like the precision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fields_scales: Option<Vec<i64>>,
}

/// Reply to `use_result` (§8).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UseResultBody<'a> {
    /// The statement.
    pub stmt_id: u64,
    /// The result id.
    pub result_id: u64,
    /// Its columns.
    #[serde(flatten)]
    pub fields: StmtResultFields<'a>,
}

/// Reply to `stmt2_result` (§9.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stmt2ResultBody<'a> {
    /// The statement.
    pub stmt_id: u64,
    /// The result id.
    pub id: u64,
    /// Its columns.
    #[serde(flatten)]
    pub fields: StmtResultFields<'a>,
}

/// Reply to `stmt2_prepare` (§9.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stmt2PrepareBody<'a> {
    /// The statement.
    pub stmt_id: u64,
    /// False for a query.
    pub is_insert: bool,
    /// What the placeholders of an INSERT stand for, in the order of the SQL; null for a query.
    pub fields: Option<Vec<StmtFieldBody<'a>>>,
    /// Number of placeholders.
    pub fields_count: usize,
}
