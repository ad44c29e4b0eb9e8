//! Rows of the log as those of a query topic, column by column.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::types::Value;
use taos_query::tmq::raw::{DataEntry, EntrySchema};

use super::block::{self, Cells};
use super::plan::{Output, QueryPlan};
use super::tables::Known;
use crate::plan::ResultColumn;
use crate::sql::SqlError;
use crate::store::{blocks_of, internal};

/// Where the outputs' columns stand in blocks of one description.
type Places = Arc<[Option<usize>]>;

/// Takes columns out of blocks, for one page.
#[derive(Debug, Default)]
pub(super) struct Projector {
    /// The description before, which is mostly the next one too.
    last: Option<(Arc<EntrySchema>, Places)>,
    /// The one value of each tag and name, by table.
    constants: HashMap<i64, Vec<Option<Cells>>>,
}

impl Projector {
    /// The rows of a table as the topic's.
    pub(super) fn rows(
        &mut self,
        plan: &QueryPlan,
        outputs: &[Output],
        table: i64,
        known: &Known,
        rows: &DataEntry,
    ) -> Result<DataEntry, SqlError> {
        let places = self.places(outputs, rows)?;
        let constants = match self.constants.entry(table) {
            std::collections::hash_map::Entry::Occupied(found) => found.into_mut(),
            std::collections::hash_map::Entry::Vacant(place) => {
                place.insert(constants(plan, outputs, known)?)
            }
        };
        let cut = block::cut(&rows.block)?;
        let width = constants.iter().flatten().map(Cells::width).sum();
        block::check_size(cut.rows, width)?;
        let columns = plan.heads.iter().zip(constants.iter()).zip(places.iter());
        let columns: Vec<_> = columns
            .map(|((head, constant), place)| {
                let cells = match (constant, place.and_then(|at| cut.columns.get(at))) {
                    (Some(constant), _) => constant.repeated(head.ty, cut.rows),
                    (None, Some((of, cells))) if of.ty == head.ty => cells.clone(),
                    (None, _) => Cells::nulls(head.ty, cut.rows),
                };
                (*head, cells)
            })
            .collect();
        Ok(DataEntry {
            block: block::join(cut.rows, &columns)?,
            rows: rows.rows,
            precision: plan.precision.as_u8(),
            schema: Some(Arc::clone(&plan.schema)),
            table: None,
        })
    }

    fn places(&mut self, outputs: &[Output], rows: &DataEntry) -> Result<Places, SqlError> {
        let schema = rows.schema.as_ref();
        let schema = schema.ok_or_else(|| internal("rows of the log without a description"))?;
        if let Some((last, places)) = &self.last
            && (Arc::ptr_eq(last, schema) || last == schema)
        {
            return Ok(Arc::clone(places));
        }
        let columns = schema.columns();
        let places: Places = outputs
            .iter()
            .map(|output| match output {
                Output::Column(id) => columns.iter().position(|column| column.id == *id),
                Output::Tag(_) | Output::Name => None,
            })
            .collect();
        self.last = Some((Arc::clone(schema), Arc::clone(&places)));
        Ok(places)
    }
}

/// The cells of a table's tags and name, `None` for its columns.
fn constants(
    plan: &QueryPlan,
    outputs: &[Output],
    known: &Known,
) -> Result<Vec<Option<Cells>>, SqlError> {
    let value = |output: &Output| match output {
        Output::Column(_) => None,
        Output::Tag(at) => Some(known.tags.get(*at).cloned().unwrap_or(Value::Null)),
        Output::Name => Some(Value::Text(known.name.clone())),
    };
    let outputs = plan.columns.iter().zip(outputs);
    let (columns, row): (Vec<ResultColumn>, Vec<Value>) = outputs
        .clone()
        .filter_map(|(column, output)| Some((column.clone(), value(output)?)))
        .unzip();
    let rows = if columns.is_empty() {
        vec![]
    } else {
        vec![row]
    };
    let cells = match blocks_of(&columns, plan.precision, &rows)?.first() {
        Some(block) => block::cut(block.as_raw_bytes())?.columns,
        None => Vec::new(),
    };
    let mut cells = cells.into_iter().map(|(_, cells)| cells);
    Ok(outputs
        .map(|(_, output)| match output {
            Output::Column(_) => None,
            Output::Tag(_) | Output::Name => cells.next(),
        })
        .collect())
}
