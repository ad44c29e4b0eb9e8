use taos_query::RawResult;
use taos_query::common::{Field, Precision, Ty};
use taos_query::stmt::StmtField;

/// Asking a prepared INSERT what is to be bound to it, blocking; the async twins are
/// [`stmt_get_tag_fields`](super::Stmt::stmt_get_tag_fields) and
/// [`stmt_get_col_fields`](super::Stmt::stmt_get_col_fields).
pub trait WsFieldsable {
    /// The tags.
    ///
    /// # Errors
    /// Before `prepare`; before `set_tbname` where they depend on the table; and inside the
    /// single-threaded runtime that drives the connection.
    fn get_tag_fields(&mut self) -> RawResult<Vec<StmtField>>;

    /// The columns.
    ///
    /// # Errors
    /// As [`get_tag_fields`](Self::get_tag_fields).
    fn get_col_fields(&mut self) -> RawResult<Vec<StmtField>>;
}

/// What the result of an executed SELECT looks like (taosadapter-ws §8).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StmtUseResult {
    /// The server's id of the result.
    pub result_id: u64,
    /// Number of columns.
    pub fields_count: i64,
    /// Their names.
    pub fields_names: Option<Vec<String>>,
    /// Their types.
    pub fields_types: Option<Vec<Ty>>,
    /// Their declared widths: characters of NCHAR, else bytes.
    pub fields_lengths: Option<Vec<u32>>,
    /// The unit of all times.
    pub precision: Precision,
}

impl StmtUseResult {
    pub(super) fn of(result_id: u64, fields: &[Field], precision: Precision) -> Self {
        Self {
            result_id,
            fields_count: i64::try_from(fields.len()).unwrap_or(i64::MAX),
            fields_names: Some(fields.iter().map(|field| field.name().into()).collect()),
            fields_types: Some(fields.iter().map(Field::ty).collect()),
            fields_lengths: Some(fields.iter().map(Field::bytes).collect()),
            precision,
        }
    }
}
