use super::remote::Opening;
use super::{Bound, Core, StmtUseResult, WsFieldsable, json, out_of_order};
use crate::query::{ResultSet, Taos};
use std::fmt;
use std::time::Duration;
use taos_query::block::ColumnView;
use taos_query::common::{Ty, Value};
use taos_query::stmt::{BindType, Stmt2Field, StmtField, StmtParam};
use taos_query::util::block_on;
use taos_query::{
    AsyncBindable, AsyncFetchable as _, AsyncStatements, Code, ErrorKind, RawError, RawResult,
};

use super::Stmt2;

/// A prepared statement of the first generation.
///
/// It is sent in the form of the second to servers that know it (3.3.5.0 and newer), and shares the
/// connection that it was made from with everything else on it. If the connection breaks, the
/// statement is prepared again on the next one.
///
/// # Cancel safety
/// Every future may be dropped at any point; the connection stays usable. Dropping the one of
/// `execute` drops what was bound, which may or may not have been written.
pub struct Stmt {
    core: Core,
    table: Option<String>,
    tags: Option<Vec<Value>>,
    /// Bound, but no batch yet.
    open: Vec<Bound>,
}

impl fmt::Debug for Stmt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.core
            .describe(f.debug_struct("Stmt"))
            .field("table", &self.table)
            .finish()
    }
}

impl Stmt {
    /// The longest time that a call may take, connecting again included. Unless this is set, answers
    /// may take the DSN's `read_timeout`, and connecting its `conn_total_timeout`.
    pub const fn set_timeout(&mut self, timeout: Duration) -> &mut Self {
        self.core.timeout = Some(timeout);
        self
    }

    /// Rows changed by the last execution.
    pub const fn affected_rows_once(&self) -> usize {
        self.core.affected_once
    }

    /// The server's id of the statement, as long as it has one.
    pub fn stmt_id(&self) -> Option<u64> {
        self.core.stmt_id()
    }

    /// The tags that are to be bound.
    ///
    /// # Errors
    /// Before `prepare`; and before `set_tbname` where the tags depend on the table.
    pub async fn stmt_get_tag_fields(&mut self) -> RawResult<Vec<StmtField>> {
        self.fields_of(|kind| kind == BindType::Tag).await
    }

    /// The columns that are to be bound.
    ///
    /// # Errors
    /// As [`stmt_get_tag_fields`](Self::stmt_get_tag_fields).
    pub async fn stmt_get_col_fields(&mut self) -> RawResult<Vec<StmtField>> {
        self.fields_of(|kind| !matches!(kind, BindType::Tag | BindType::TableName))
            .await
    }

    async fn fields_of(&mut self, wanted: impl Fn(BindType) -> bool) -> RawResult<Vec<StmtField>> {
        if !self.core.prepared()?.is_insert() {
            return Err(out_of_order("a query has parameters, but no fields"));
        }
        let fields = self.core.learn(self.table.as_deref()).await?;
        let of_kind = fields.iter().filter(|field| wanted(field.bind_type));
        Ok(of_kind.map(first_form).collect())
    }

    /// Number of values to bind a row: columns of an INSERT, parameters of a query.
    ///
    /// # Errors
    /// As [`stmt_get_tag_fields`](Self::stmt_get_tag_fields).
    pub async fn stmt_num_params(&mut self) -> RawResult<usize> {
        let statement = self.core.prepared()?;
        if statement.is_insert() {
            Ok(self.stmt_get_col_fields().await?.len())
        } else {
            Ok(statement.count())
        }
    }

    /// Type and width of one of them, counted from 0.
    ///
    /// # Errors
    /// As [`stmt_get_tag_fields`](Self::stmt_get_tag_fields); a number that is too high; and for a query,
    /// whose parameters take any type.
    pub async fn stmt_get_param(&mut self, index: i64) -> RawResult<StmtParam> {
        let fields = self.stmt_get_col_fields().await?;
        let field = usize::try_from(index)
            .ok()
            .and_then(|at| fields.get(at))
            .ok_or_else(|| {
                RawError::of(
                    ErrorKind::Config,
                    format!(
                        "there is no parameter {index}, the statement has {}",
                        fields.len()
                    ),
                )
            })?;
        let ty = u8::try_from(field.field_type)
            .ok()
            .and_then(Ty::from_u8_option);
        let ty = ty.ok_or_else(|| {
            RawError::of(
                ErrorKind::Protocol,
                format!(
                    "parameter {index} is of the unknown type {}",
                    field.field_type
                ),
            )
            .with_code(Code::WS_BAD_ANSWER)
        })?;
        Ok(StmtParam::new(index, ty, field.bytes.into()))
    }

    /// What the result of an executed SELECT looks like. Its rows come from
    /// [`result_set`](AsyncBindable::result_set), before or after.
    ///
    /// # Errors
    /// For an INSERT, before the execution, and once the result has been taken.
    // Asynchronous as in the 0.12 line, whose programs await it.
    #[allow(clippy::unused_async, reason = "programs of the 0.12 line await it")]
    pub async fn use_result(&mut self) -> RawResult<StmtUseResult> {
        self.s_use_result()
    }

    /// [`use_result`](Self::use_result), blocking.
    ///
    /// # Errors
    /// As that.
    pub fn s_use_result(&mut self) -> RawResult<StmtUseResult> {
        let id = self.core.result_id;
        let described = |result: &mut Option<ResultSet>| {
            let result = result.as_ref()?;
            Some(StmtUseResult::of(id, result.fields(), result.precision()))
        };
        self.core.with_result(described)
    }

    /// [`stmt_num_params`](Self::stmt_num_params), blocking.
    ///
    /// # Errors
    /// As that.
    pub fn s_num_params(&mut self) -> RawResult<usize> {
        block_on(self.core.home(), self.stmt_num_params())?
    }

    /// [`stmt_get_param`](Self::stmt_get_param), blocking.
    ///
    /// # Errors
    /// As that.
    pub fn s_get_param(&mut self, index: i64) -> RawResult<StmtParam> {
        block_on(self.core.home(), self.stmt_get_param(index))?
    }

    /// Binds columns of JSON, each an array of one value a row, and adds them as a batch. Times are
    /// ticks in the unit of the table's database, or text by RFC 3339.
    ///
    /// # Errors
    /// Values that are not of the column's type; types that JSON has no form for; and those of
    /// `bind` and `add_batch`.
    pub async fn bind_all(&mut self, columns: Vec<serde_json::Value>) -> RawResult<()> {
        let known = self.core.learn_known(self.table.as_deref()).await?;
        let known = known.ok_or_else(|| out_of_order("JSON is bound to INSERTs only"))?;
        let views = json::columns(&known.layout, columns)?;
        self.bind(&views).await?.add_batch().await?;
        Ok(())
    }
}

impl WsFieldsable for Stmt {
    fn get_tag_fields(&mut self) -> RawResult<Vec<StmtField>> {
        block_on(self.core.home(), self.stmt_get_tag_fields())?
    }

    fn get_col_fields(&mut self) -> RawResult<Vec<StmtField>> {
        block_on(self.core.home(), self.stmt_get_col_fields())?
    }
}

fn first_form(field: &Stmt2Field) -> StmtField {
    StmtField::new(
        field.name.clone(),
        field.field_type,
        field.precision,
        field.scale,
        field.bytes,
    )
}

impl AsyncBindable<Taos> for Stmt {
    async fn init_with_req_id(taos: &Taos, req_id: u64) -> RawResult<Self> {
        let opening = Opening {
            req_id: Some(req_id),
            ..Opening::default()
        };
        let mut core = Core::new(taos, opening);
        core.open().await?;
        Ok(Self {
            core,
            table: None,
            tags: None,
            open: Vec::new(),
        })
    }

    fn home(&self) -> Option<tokio::runtime::Id> {
        self.core.home()
    }

    async fn prepare(&mut self, sql: &str) -> RawResult<&mut Self> {
        self.table = None;
        self.tags = None;
        self.open.clear();
        self.core.prepare(sql).await?;
        Ok(self)
    }

    async fn set_tbname(&mut self, name: &str) -> RawResult<&mut Self> {
        let statement = self.core.prepared()?;
        let named = match statement.fields() {
            Some(fields) => fields.iter().any(|f| f.bind_type == BindType::TableName),
            None => statement.outline.table_mark,
        };
        if !named {
            return Err(out_of_order("the statement has no `?` for a table"));
        }
        if name.is_empty() {
            return Err(RawError::of(ErrorKind::Config, "the table name is empty"));
        }
        self.table = Some(name.to_owned());
        // Those of the table before are not this one's.
        self.tags = None;
        Ok(self)
    }

    async fn set_tags(&mut self, tags: &[Value]) -> RawResult<&mut Self> {
        self.core.prepared()?;
        self.core.check_tags(tags, self.table.as_deref())?;
        self.tags = Some(tags.to_vec());
        Ok(self)
    }

    async fn bind(&mut self, params: &[ColumnView]) -> RawResult<&mut Self> {
        self.core.prepared()?;
        if params.is_empty() {
            return Err(out_of_order("no columns to bind"));
        }
        let mut bound = Bound {
            name: self.table.clone(),
            tags: self.tags.clone().unwrap_or_default(),
            columns: params.to_vec(),
            fitted: 0,
        };
        self.core.check(&mut bound)?;
        self.open.push(bound);
        Ok(self)
    }

    async fn add_batch(&mut self) -> RawResult<&mut Self> {
        if self.open.is_empty() {
            return Err(out_of_order("call bind() before add_batch()"));
        }
        self.core.add(self.open.drain(..))?;
        Ok(self)
    }

    async fn execute(&mut self) -> RawResult<usize> {
        if !self.open.is_empty() {
            if self.core.prepared()?.is_insert() {
                return Err(out_of_order("call add_batch() before execute()"));
            }
            self.core.add(self.open.drain(..))?;
        }
        self.core.execute().await
    }

    async fn affected_rows(&self) -> usize {
        self.core.affected
    }

    async fn result_set(&mut self) -> RawResult<ResultSet> {
        self.core.take_result()
    }
}

impl AsyncStatements for Taos {
    type Stmt = Stmt;
    type Stmt2 = Stmt2;

    async fn sibling(&self) -> RawResult<Self> {
        let sibling = Self::new(std::sync::Arc::new(self.client.sibling()?));
        sibling.client.link().await?;
        Ok(sibling)
    }
}
