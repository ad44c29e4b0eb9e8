//! Statements of the first generation (taosadapter-ws §8).

use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value as Json;
use taos_query::common::Precision;

use super::reply::{Done, Failure};
use super::state::{Outcome, State, Terms, add, block, out_of_order, sources};
use crate::engine::{
    Batch, BoundTable, FieldKind, Session, Shape, Source, TableName, no_table_name,
};

/// The words of the layer before the engine, which reads the text form (§8).
fn bad_json(what: &str, failure: Failure) -> Failure {
    if failure.breaks {
        return failure;
    }
    Failure::adapter(format!("stmt parse {what} json:{}", failure.message))
}

impl State {
    pub(super) fn prepare(&mut self, sql: &str, session: &Session) -> Outcome {
        let is_insert = self.read_sql(sql, session)?;
        Ok(Done::Prepared { is_insert })
    }

    pub(super) fn set_table(&mut self, name: &str, session: &Session) -> Outcome {
        let prepared = self.prepared()?;
        if !prepared.template().is_some_and(|t| t.is_any_table()) {
            return Err(out_of_order());
        }
        let name = TableName::parse(name);
        self.shape = Some(Arc::new(session.shape(prepared, Some(&name))?));
        self.table = Some(name);
        self.tags = None;
        Ok(Done::Plain)
    }

    /// What the placeholders of an INSERT are.
    fn current_shape(&mut self, session: &Session) -> Result<Arc<Shape>, Failure> {
        let prepared = self.prepared()?;
        let template = prepared.template().ok_or_else(out_of_order)?;
        if template.is_any_table() && self.table.is_none() {
            return Err(no_table_name().into());
        }
        if let Some(shape) = &self.shape
            && session.is_current(shape)
        {
            return Ok(Arc::clone(shape));
        }
        let shape = Arc::new(session.shape(prepared, self.table.as_ref())?);
        self.shape = Some(Arc::clone(&shape));
        Ok(shape)
    }

    pub(super) fn set_tags_json(&mut self, tags: &[Json], session: &Session) -> Outcome {
        let tags: Vec<_> = tags.chunks(1).map(Source::Json).collect();
        self.set_tags(&tags, session)
            .map_err(|failure| bad_json("tag", failure))
    }

    pub(super) fn set_tags_block(&mut self, bytes: Bytes, session: &Session) -> Outcome {
        let shape = self.current_shape(session)?;
        let block = block(bytes, shape.precision())?;
        if block.nrows() != 1 {
            return Err(Failure::adapter("rows not equal 1"));
        }
        self.set_tags(&sources(block.column_views()), session)
    }

    fn set_tags(&mut self, tags: &[Source<'_>], session: &Session) -> Outcome {
        let shape = self.current_shape(session)?;
        if tags.len() != shape.bound_tags {
            return Err(Failure::adapter("stmt tags count not match"));
        }
        self.tags = Some(shape.tags(tags, &session.rules(&shape, false))?);
        Ok(Done::Plain)
    }

    pub(super) fn bind_json(
        &mut self,
        columns: &[Vec<Json>],
        session: &Session,
        terms: Terms<'_>,
    ) -> Outcome {
        if !self.prepared()?.is_insert() {
            return Err(out_of_order());
        }
        let columns: Vec<_> = columns.iter().map(|c| Source::Json(c)).collect();
        self.bind(&columns, session, terms)
            .map_err(|failure| bad_json("column", failure))
    }

    pub(super) fn bind_block(
        &mut self,
        bytes: Bytes,
        session: &Session,
        terms: Terms<'_>,
    ) -> Outcome {
        if !self.prepared()?.is_insert() {
            let block = block(bytes, Precision::Millisecond)?;
            return self.bind_values(&sources(block.column_views()), terms);
        }
        let shape = self.current_shape(session)?;
        let block = block(bytes, shape.precision())?;
        self.bind(&sources(block.column_views()), session, terms)
    }

    fn bind(&mut self, columns: &[Source<'_>], session: &Session, terms: Terms<'_>) -> Outcome {
        let shape = self.current_shape(session)?;
        if columns.len() != shape.bound_columns {
            return Err(Failure::adapter("stmt column count not match"));
        }
        let table = BoundTable {
            name: self.table.as_ref(),
            tags: self.tags.clone(),
            columns,
        };
        let mut bound = Batch::default();
        // a bind takes the place of one that was not added
        let terms = Terms {
            replaced: self.bound.bytes(),
            ..terms
        };
        add(session, &shape, table, &mut bound, terms)?;
        self.bound = bound;
        Ok(Done::Plain)
    }

    pub(super) fn add_batch(&mut self) -> Outcome {
        if self.values.is_some() {
            return Ok(Done::Plain);
        }
        self.prepared()?;
        if self.bound.is_empty() {
            return Err(out_of_order());
        }
        let mut bound = std::mem::take(&mut self.bound);
        self.batch.append(&mut bound);
        Ok(Done::Plain)
    }

    fn fields(&mut self, kind: FieldKind, session: &Session) -> Outcome {
        let shape = self.current_shape(session)?;
        let fields: Vec<_> = shape.of_kind(kind).cloned().collect();
        Ok(Done::Fields((!fields.is_empty()).then_some(fields)))
    }

    pub(super) fn tag_fields(&mut self, session: &Session) -> Outcome {
        self.fields(FieldKind::Tag, session)
    }

    pub(super) fn column_fields(&mut self, session: &Session) -> Outcome {
        self.fields(FieldKind::Column, session)
    }

    pub(super) fn num_params(&mut self, session: &Session) -> Outcome {
        let prepared = self.prepared()?;
        let number = match prepared.template() {
            Some(template) => template.value_placeholders(),
            None => return Ok(Done::NumParams(prepared.placeholders())),
        };
        self.current_shape(session)?;
        Ok(Done::NumParams(number))
    }

    pub(super) fn get_param(&mut self, index: i64, session: &Session) -> Outcome {
        let shape = self.current_shape(session)?;
        let field = usize::try_from(index)
            .ok()
            .and_then(|at| shape.of_kind(FieldKind::Column).nth(at))
            .ok_or_else(|| Failure::engine(0x0118, "Invalid parameters"))?;
        Ok(Done::Param {
            index,
            field: field.clone(),
        })
    }
}
