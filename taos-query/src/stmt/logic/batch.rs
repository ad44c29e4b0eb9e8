use super::{Bound, Draft, out_of_order};
use crate::block::ColumnView;
use crate::common::{Ty, Value};
use crate::error::{Code, ErrorKind, RawError, RawResult};
use crate::stmt::{BindType, Stmt2BindParam, Stmt2Field, StmtField, StmtParam};

/// What the calls of the first generation have given, and is no batch yet.
#[derive(Debug, Default)]
pub struct Batch {
    table: Option<String>,
    tags: Option<Vec<Value>>,
    open: Vec<Bound>,
}

impl Batch {
    /// The table that was named last.
    #[must_use]
    pub fn table(&self) -> Option<&str> {
        self.table.as_deref()
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Names the table of what follows.
    ///
    /// # Errors
    /// When the statement has no `?` for it, and for an empty name.
    pub fn set_tbname(&mut self, draft: &Draft, name: &str) -> RawResult<()> {
        let statement = draft.prepared()?;
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
        Ok(())
    }

    /// Gives the tags of that table.
    ///
    /// # Errors
    /// Tags that do not fit.
    pub fn set_tags(&mut self, draft: &Draft, tags: &[Value]) -> RawResult<()> {
        draft.check_tags(tags, self.table())?;
        self.tags = Some(tags.to_vec());
        Ok(())
    }

    /// Gives columns of that table.
    ///
    /// # Errors
    /// Columns that do not fit, or none.
    pub fn bind(&mut self, draft: &Draft, columns: &[ColumnView]) -> RawResult<()> {
        draft.prepared()?;
        if columns.is_empty() {
            return Err(out_of_order("no columns to bind"));
        }
        let mut bound = Bound {
            name: self.table.clone(),
            tags: self.tags.clone().unwrap_or_default(),
            columns: columns.to_vec(),
            fitted: 0,
        };
        draft.check(&mut bound)?;
        self.open.push(bound);
        Ok(())
    }

    /// Closes the batch.
    ///
    /// # Errors
    /// When there is nothing in it.
    pub fn add(&mut self, draft: &mut Draft) -> RawResult<()> {
        if self.open.is_empty() {
            return Err(out_of_order("call bind() before add_batch()"));
        }
        draft.add(self.open.drain(..))
    }

    /// What is to happen before an execution: queries need no `add_batch`.
    ///
    /// # Errors
    /// When columns of an INSERT were bound but not added.
    pub fn finish(&mut self, draft: &mut Draft) -> RawResult<()> {
        if self.open.is_empty() {
            return Ok(());
        }
        if draft.prepared()?.is_insert() {
            return Err(out_of_order("call add_batch() before execute()"));
        }
        draft.add(self.open.drain(..))
    }
}

/// The checked data of one bind of the second generation.
///
/// # Errors
/// No parameters, and those that do not fit.
pub fn tables_of(draft: &Draft, params: &[Stmt2BindParam]) -> RawResult<Vec<Bound>> {
    draft.prepared()?;
    if params.is_empty() {
        return Err(out_of_order("no params to bind"));
    }
    let table = |param: &Stmt2BindParam| {
        let mut bound = Bound {
            name: param.table_name().map(str::to_owned),
            tags: param.tags().unwrap_or_default().to_vec(),
            columns: param.columns().unwrap_or_default().to_vec(),
            fitted: 0,
        };
        draft.check(&mut bound)?;
        Ok(bound)
    };
    params.iter().map(table).collect()
}

/// The tags, or all but tags and table, in the form of the first generation.
#[must_use]
pub fn field_list(fields: &[Stmt2Field], tags: bool) -> Vec<StmtField> {
    let wanted = |field: &&Stmt2Field| match field.bind_type {
        BindType::TableName => false,
        BindType::Tag => tags,
        _ => !tags,
    };
    let first_form = |field: &Stmt2Field| {
        StmtField::new(
            field.name.clone(),
            field.field_type,
            field.precision,
            field.scale,
            field.bytes,
        )
    };
    fields.iter().filter(wanted).map(first_form).collect()
}

/// Type and width of one of these columns, counted from 0.
///
/// # Errors
/// A number that is too high, and a type that is not known.
pub fn param_at(fields: &[StmtField], index: i64) -> RawResult<StmtParam> {
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
