//! Raw blocks into tables (taosadapter-ws §10, raw-block §6).

use std::sync::Arc;

use bytes::Bytes;
use taos_query::block::{ColumnView, RawBlock};
use taos_query::common::Ty;

use super::super::meta::child_target;
use super::super::rows::{TableRows, Target};
use super::super::{Exec, SYSTEM_TABLE};
use super::shape::{Naming, Shape, Slot};
use super::{Held, Room, Rules, Source, TableName};
use crate::catalog::{Database, Found, TableDef, byte_length, is_system_database};
use crate::meta::NewTable;
use crate::plan::ColumnInfo;
use crate::sql::SqlError;

const INVALID_PARAMETERS: u32 = 0x0118;
const NO_DATABASE: u32 = 0x0217;

fn unfit(detail: impl std::fmt::Display) -> SqlError {
    SqlError::new(INVALID_PARAMETERS, format!("Invalid parameters: {detail}"))
}

/// A block and the table it goes to.
#[derive(Debug, Clone)]
pub(crate) struct RawBlockRows<'a> {
    pub(crate) table: TableName,
    /// Rows, as the client counts them.
    pub(crate) rows: u32,
    /// The unit of its times, if the client tells it.
    pub(crate) precision: Option<u8>,
    pub(crate) block: &'a Bytes,
    /// The columns that the block's columns go to; `None` means all, by position.
    pub(crate) columns: Option<Vec<&'a str>>,
    /// The subtable that they go to, if the message creates it.
    pub(crate) new: Option<&'a NewTable>,
    /// What the rows take their memory of until they are written.
    pub(crate) room: &'a Arc<Room>,
}

impl Exec<'_> {
    /// The rows of a block, `None` if it has none, and the memory that they take.
    ///
    /// # Errors
    /// 0x2603 for a missing table, 0x0118 for columns that do not fit it, 0xffff if they are too many.
    pub(crate) fn raw_rows(
        &self,
        raw: &RawBlockRows<'_>,
    ) -> Result<(Option<TableRows>, Held), SqlError> {
        let (database, def, target) = self.raw_table(raw)?;
        let block = RawBlock::parse_from_raw_block(raw.block.clone(), database.precision())
            .map_err(unfit)?;
        if usize::try_from(raw.rows).is_ok_and(|rows| rows != block.nrows()) {
            return Err(unfit(format_args!(
                "{} rows are announced, the block has {}",
                raw.rows,
                block.nrows()
            )));
        }
        let mut shape = Shape::new(database, def, Naming::Fixed(raw.table.table.clone()));
        shape.take_columns(block.column_views(), raw.columns.as_deref())?;
        if block.nrows() == 0 {
            return Ok((None, Held::default()));
        }
        let sources: Vec<_> = block.columns().map(Source::View).collect();
        let texts = sources.iter().map(Source::text_bytes).sum::<usize>();
        let bytes = shape.cost(block.nrows()).saturating_add(texts);
        let held = raw.room.take(bytes, 0)?;
        let rules = Rules {
            precision: shape.precision(),
            zone: self.zone,
            now: self.now,
            decimal_text: false,
        };
        let mut rows = TableRows {
            db: database.name.clone(),
            target: match target {
                Some(child) => child,
                None => self.target(&shape, database, None, None)?,
            },
            values: shape.values(&sources, &rules)?,
            columns: Arc::clone(&shape.columns),
            def: shape.def,
        };
        self.check_keep(database, &rows.values, rows.columns.len())?;
        rows.merge();
        Ok((Some(rows), held))
    }

    /// The table that a block goes to, and the target if the message creates it.
    fn raw_table(
        &self,
        raw: &RawBlockRows<'_>,
    ) -> Result<(&Database, Arc<TableDef>, Option<Target>), SqlError> {
        let db = raw.table.db.as_deref().or(self.db.as_deref());
        let db = db.ok_or_else(|| SqlError::new(NO_DATABASE, "Database not specified"))?;
        if is_system_database(db) {
            return Err(SqlError::new(SYSTEM_TABLE, "System table not allowed"));
        }
        let database = self.catalog().database(db)?;
        if raw
            .precision
            .is_some_and(|unit| unit != database.precision().as_u8())
        {
            return Err(unfit("the times have another unit than the database"));
        }
        match database.find(&raw.table.table) {
            None => {
                let new = raw.new.ok_or_else(SqlError::unknown_table)?;
                let (def, child) = child_target(database, new)?;
                Ok((database, def, Some(child)))
            }
            Some(Found::Super(_)) => Err(unfit("rows go into subtables")),
            Some(Found::Normal(def) | Found::Child(_, def)) => {
                Ok((database, Arc::clone(def), None))
            }
        }
    }
}

impl Shape {
    /// The columns of a block, each of exactly the type of its column.
    fn take_columns(
        &mut self,
        views: &[ColumnView],
        names: Option<&[&str]>,
    ) -> Result<(), SqlError> {
        let all = self.def.columns.len();
        let count = names.map_or(all, <[&str]>::len);
        if views.len() != count {
            return Err(unfit(format_args!(
                "the block has {} columns for {count}",
                views.len()
            )));
        }
        let mut columns = Vec::with_capacity(views.len());
        for (index, view) in views.iter().enumerate() {
            let at = match names.and_then(|names| names.get(index)) {
                Some(name) => {
                    let column = self.def.column(name);
                    column
                        .ok_or_else(|| unfit(format_args!("no column {name}")))?
                        .0
                }
                None => index,
            };
            match self.def.columns.get(at) {
                Some(column) if fits(view, column) => columns.push((at, index)),
                Some(column) => {
                    let ty = view.as_ty().name();
                    let name = &column.name;
                    return Err(unfit(format_args!("{ty} does not fit the column {name}")));
                }
                None => return Err(unfit("too many columns")),
            }
        }
        columns.sort_unstable();
        if columns.first().is_none_or(|column| column.0 != 0) {
            return Err(unfit("the primary timestamp is missing"));
        }
        if columns
            .windows(2)
            .any(|pair| matches!(pair, [a, b] if a.0 == b.0))
        {
            return Err(unfit("a column is named twice"));
        }
        let key = self.def.columns.iter().position(|c| c.composite_key);
        if key.is_some_and(|key| columns.iter().all(|c| c.0 != key)) {
            return Err(unfit("the primary key is missing"));
        }
        self.bound_columns = columns.len();
        self.columns = columns.iter().map(|column| column.0).collect();
        self.slots = columns.iter().map(|c| Slot::Bound(c.1)).collect();
        Ok(())
    }
}

/// Type and declared width of a block's column against the table's.
fn fits(view: &ColumnView, column: &ColumnInfo) -> bool {
    let schema = view.schema();
    let digits = match view {
        ColumnView::Decimal(view) | ColumnView::Decimal64(view) => view.precision_and_scale(),
        _ => (0, 0),
    };
    schema.ty == column.ty
        && match schema.ty {
            Ty::Decimal | Ty::Decimal64 => digits == (column.precision, column.scale),
            Ty::Blob | Ty::MediumBlob | Ty::Json => true,
            _ => schema.len <= byte_length(column),
        }
}
