//! Statements of the first generation (taosadapter-ws §8).

use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value as Json;
use taos_query::block::ColumnView;
use taos_query::common::{Precision, Ty};

use super::reply::{Done, Failure};
use super::state::{Outcome, State, Terms, add, block, out_of_order, sources};
use crate::engine::{
    Batch, BoundTable, FieldKind, Session, Shape, Source, TableName, no_table_name,
};

/// Types that no column has and no parameter of a query (§8).
const fn is_foreign(ty: Ty) -> bool {
    matches!(ty, Ty::Decimal | Ty::Decimal64 | Ty::Blob | Ty::MediumBlob)
}

/// Refuses parameters of a query that have types for columns only.
fn check_parameters(views: &[ColumnView]) -> Result<(), Failure> {
    let mut types = views.iter().map(ColumnView::as_ty);
    match types.find(|ty| is_foreign(*ty) || matches!(ty, Ty::Timestamp | Ty::Geometry)) {
        Some(ty) => Err(Failure::adapter(format!(
            "a query takes no parameter of {}; bind times as BIGINT or VARCHAR and decimals as VARCHAR",
            ty.name()
        ))),
        None => Ok(()),
    }
}

fn fields(shape: &Shape, kind: FieldKind) -> Done {
    let fields: Vec<_> = shape.of_kind(kind).cloned().collect();
    Done::Fields((!fields.is_empty()).then_some(fields))
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
        let tags = tags.chunks(1).map(|tag| Source::Json(tag, FieldKind::Tag));
        self.set_tags(&tags.collect::<Vec<_>>(), session)
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
        let columns = columns.iter();
        let columns = columns.map(|column| Source::Json(column, FieldKind::Column));
        self.bind(&columns.collect::<Vec<_>>(), session, terms)
    }

    pub(super) fn bind_block(
        &mut self,
        bytes: Bytes,
        session: &Session,
        terms: Terms<'_>,
    ) -> Outcome {
        if !self.prepared()?.is_insert() {
            let block = block(bytes, Precision::Millisecond)?;
            check_parameters(block.column_views())?;
            return self.bind_values(&sources(block.column_views()), terms);
        }
        let shape = self.current_shape(session)?;
        let block = block(bytes, shape.precision())?;
        self.bind(&sources(block.column_views()), session, terms)
    }

    fn bind(&mut self, columns: &[Source<'_>], session: &Session, terms: Terms<'_>) -> Outcome {
        let shape = self.column_shape(session)?;
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

    /// The shape, if this generation has all types of the columns.
    fn column_shape(&mut self, session: &Session) -> Result<Arc<Shape>, Failure> {
        let shape = self.current_shape(session)?;
        let foreign = shape
            .of_kind(FieldKind::Column)
            .find(|field| is_foreign(field.ty));
        match foreign {
            Some(field) => Err(Failure::adapter(format!(
                "stmt get column type error, column {} is {}",
                field.name,
                field.ty.name()
            ))),
            None => Ok(shape),
        }
    }

    pub(super) fn tag_fields(&mut self, session: &Session) -> Outcome {
        Ok(fields(&*self.current_shape(session)?, FieldKind::Tag))
    }

    pub(super) fn column_fields(&mut self, session: &Session) -> Outcome {
        Ok(fields(&*self.column_shape(session)?, FieldKind::Column))
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
