//! What the placeholders of an INSERT stand for, and bound values as rows in the order of storage.

use std::sync::Arc;

use rusqlite::types::Value;
use taos_query::common::{Precision, Ty};

use super::super::Exec;
use super::super::insert::{Layout, null_key};
use super::super::rows::{TableRows, stale};
use super::super::time;
use super::super::values::Reading;
use super::{Rules, Source, Template, bad_rows, invalid};
use crate::catalog::{Catalog, Database, Entry, TableDef, byte_length};
use crate::plan::ColumnInfo;
use crate::sql::SqlError;
use crate::sql::ast::{InsertValue, InsertValueKind, TimeBase, TimeExpr};

/// Width of a table's name in field lists (taosadapter-ws §9.1).
const NAME_BYTES: u32 = 271;
const JSON_BYTES: u32 = 16_384;
/// What the original says of a BLOB.
const BLOB_BYTES: u32 = 5;

/// What a placeholder stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FieldKind {
    Column,
    Tag,
    Name,
}

/// A placeholder as field lists tell it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BoundField {
    pub(crate) name: String,
    pub(crate) ty: Ty,
    /// Unit of a time, else 0.
    pub(crate) precision: u8,
    /// Width in storage.
    pub(crate) bytes: u32,
    pub(crate) kind: FieldKind,
}

impl BoundField {
    fn of(column: &ColumnInfo, precision: Precision, kind: FieldKind) -> Self {
        Self {
            name: column.name.clone(),
            ty: column.ty,
            precision: match column.ty {
                Ty::Timestamp => precision.as_u8(),
                _ => 0,
            },
            bytes: match column.ty {
                Ty::Json => JSON_BYTES,
                Ty::Blob | Ty::MediumBlob => BLOB_BYTES,
                _ => byte_length(column),
            },
            kind,
        }
    }

    pub(super) fn table_name() -> Self {
        Self {
            name: "tbname".to_owned(),
            ty: Ty::VarChar,
            precision: 0,
            bytes: NAME_BYTES,
            kind: FieldKind::Name,
        }
    }
}

/// Tags of a table in their stored forms.
#[derive(Debug, Clone)]
pub(crate) struct Tags {
    /// The super table as it was when they were bound.
    pub(super) def: Arc<TableDef>,
    /// A value for each of its tags.
    pub(super) values: Vec<Value>,
}

impl Tags {
    /// Memory that they take, about.
    pub(crate) fn bytes(&self) -> usize {
        let each = |value: &Value| size_of::<Value>() + text_bytes(value);
        self.values.iter().map(each).sum()
    }
}

fn text_bytes(value: &Value) -> usize {
    match value {
        Value::Text(text) => text.len(),
        Value::Blob(bytes) => bytes.len(),
        _ => 0,
    }
}

/// Where a value comes from.
#[derive(Debug)]
pub(super) enum Slot {
    /// Bound, counted among those of its kind.
    Bound(usize),
    /// A literal of the statement.
    Constant(Value),
    /// A time of the statement that goes with the clock.
    Clock(TimeExpr),
}

impl Slot {
    fn literal(
        value: &InsertValue,
        info: &ColumnInfo,
        reading: Reading<'_>,
    ) -> Result<Self, SqlError> {
        let constant = reading.convert(value, info)?;
        let time = match value.kind {
            InsertValueKind::Time(at) => usize::try_from(at).ok(),
            _ => None,
        };
        let time = time.and_then(|at| reading.times.get(at));
        Ok(match time {
            Some(time) if matches!(time.base, TimeBase::Now | TimeBase::Today) => {
                Self::Clock(time.clone())
            }
            _ => Self::Constant(constant),
        })
    }
}

/// What a time that goes with the clock is now.
fn moment(time: &TimeExpr, rules: &Rules) -> Result<Value, SqlError> {
    let reading = Reading {
        sql: "",
        times: &[],
        precision: rules.precision,
        now: rules.now,
        zone: rules.zone,
    };
    let ticks = time::evaluate(time, &reading)?;
    ticks
        .map(Value::Integer)
        .ok_or_else(|| invalid("the time lies outside of what can be stored"))
}

/// How the table of a row is found.
#[derive(Debug)]
pub(super) enum Naming {
    /// Bound.
    Bound,
    /// As the statement says.
    Fixed(String),
}

/// An INSERT's placeholders against the catalog of one moment.
#[derive(Debug)]
pub(crate) struct Shape {
    pub(super) db: String,
    pub(super) def: Arc<TableDef>,
    pub(super) precision: Precision,
    /// The table may be made from its tags.
    pub(super) creates: bool,
    pub(super) naming: Naming,
    /// Positions in the table's columns, the time column first, and their slots.
    pub(super) columns: Arc<[usize]>,
    pub(super) slots: Vec<Slot>,
    /// Positions in the table's tags.
    pub(super) tags: Vec<(usize, Slot)>,
    /// The placeholders in the order of the statement.
    pub(crate) fields: Vec<BoundField>,
    pub(crate) bound_columns: usize,
    pub(crate) bound_tags: usize,
}

impl Shape {
    /// A table without any columns yet.
    pub(super) fn new(database: &Database, def: Arc<TableDef>, naming: Naming) -> Self {
        Self {
            db: database.name.clone(),
            def,
            precision: database.precision(),
            creates: false,
            naming,
            columns: Arc::default(),
            slots: Vec::new(),
            tags: Vec::new(),
            fields: Vec::new(),
            bound_columns: 0,
            bound_tags: 0,
        }
    }

    /// The unit of the table's times.
    pub(crate) const fn precision(&self) -> Precision {
        self.precision
    }

    /// True if the definition that it was made of still holds.
    pub(crate) fn is_current(&self, catalog: &Catalog) -> bool {
        let Some(database) = catalog.databases.get(&self.db) else {
            return false;
        };
        let def = match self.def.is_super() {
            true => database.stables.get(&self.def.name),
            false => match database.tables.get(&self.def.name) {
                Some(Entry::Normal(def)) => Some(def),
                _ => None,
            },
        };
        def.is_some_and(|def| Arc::ptr_eq(def, &self.def))
    }

    /// The placeholders of one kind.
    pub(crate) fn of_kind(&self, kind: FieldKind) -> impl Iterator<Item = &BoundField> {
        self.fields.iter().filter(move |field| field.kind == kind)
    }

    /// Bytes that so many rows of one table take until they are written, its name, its tags and bound
    /// texts aside.
    pub(crate) fn cost(&self, rows: usize) -> usize {
        let constants = self.slots.iter().map(|slot| match slot {
            Slot::Constant(value) => text_bytes(value),
            Slot::Bound(_) | Slot::Clock(_) => 0,
        });
        let row = self.columns.len() * size_of::<Value>() + constants.sum::<usize>();
        rows.saturating_mul(row)
            .saturating_add(size_of::<TableRows>() + self.db.len())
    }

    pub(super) fn bind_columns(
        &mut self,
        exec: &Exec<'_>,
        template: &Template,
    ) -> Result<(), SqlError> {
        let reading = exec.reading(template, &template.times, self.precision);
        let def = Arc::clone(&self.def);
        let into_super = template.target.using.is_none() && self.creates;
        let layout = Layout::new(&def, template.target.columns.as_deref(), into_super)?;
        let row = template.row();
        if row.len() != layout.width {
            return Err(invalid(format!(
                "{} values are given for {} columns",
                row.len(),
                layout.width
            )));
        }
        let mut slots: Vec<Option<Slot>> = Vec::new();
        slots.resize_with(layout.columns.len(), || None);
        for (source, value) in row.iter().enumerate() {
            let bound = value.kind == InsertValueKind::Placeholder;
            if layout.name == Some(source) {
                if bound {
                    self.naming = Naming::Bound;
                    self.fields.push(BoundField::table_name());
                } else {
                    self.naming = Naming::Fixed(reading.text(value).into_owned());
                }
                continue;
            }
            let tag = layout.tags.iter().find(|(s, _)| *s == source);
            if let Some(&(_, at)) = tag {
                let info = def.tags.get(at).ok_or_else(stale)?;
                self.push_tag(at, info, value, reading)?;
                continue;
            }
            let place = layout.sources.iter().position(|s| *s == source);
            let at = place.and_then(|place| layout.columns.get(place));
            let info = at.and_then(|at| def.columns.get(*at));
            let (Some(place), Some(info)) = (place, info) else {
                return Err(stale());
            };
            let slot = if bound {
                let field = BoundField::of(info, self.precision, FieldKind::Column);
                self.fields.push(field);
                self.bound_columns += 1;
                Slot::Bound(self.bound_columns - 1)
            } else {
                Slot::literal(value, info, reading)?
            };
            if let Some(empty) = slots.get_mut(place) {
                *empty = Some(slot);
            }
        }
        self.columns = layout.columns;
        self.slots = slots.into_iter().flatten().collect();
        Ok(())
    }

    pub(super) fn push_tag(
        &mut self,
        at: usize,
        info: &ColumnInfo,
        value: &InsertValue,
        reading: Reading<'_>,
    ) -> Result<(), SqlError> {
        let slot = if value.kind == InsertValueKind::Placeholder {
            let field = BoundField::of(info, self.precision, FieldKind::Tag);
            self.fields.push(field);
            self.bound_tags += 1;
            Slot::Bound(self.bound_tags - 1)
        } else {
            Slot::literal(value, info, reading)?
        };
        self.tags.push((at, slot));
        Ok(())
    }

    /// A value for each tag, NULL for those not named.
    ///
    /// # Errors
    /// As [`bind`](Exec::bind).
    pub(crate) fn tags(&self, bound: &[Source<'_>], rules: &Rules) -> Result<Tags, SqlError> {
        if bound.len() != self.bound_tags {
            return Err(invalid(format!(
                "{} tags are bound, the statement has {}",
                bound.len(),
                self.bound_tags
            )));
        }
        let mut tags = vec![Value::Null; self.def.tags.len()];
        for (at, slot) in &self.tags {
            let (Some(tag), Some(info)) = (tags.get_mut(*at), self.def.tags.get(*at)) else {
                return Err(stale());
            };
            *tag = match slot {
                Slot::Constant(value) => value.clone(),
                Slot::Clock(time) => moment(time, rules)?,
                Slot::Bound(index) => match bound.get(*index) {
                    Some(source) => source.one(info, rules)?,
                    None => return Err(stale()),
                },
            };
        }
        let def = Arc::clone(&self.def);
        Ok(Tags { def, values: tags })
    }

    /// The rows in the order of storage.
    pub(super) fn values(
        &self,
        bound: &[Source<'_>],
        rules: &Rules,
    ) -> Result<Vec<Value>, SqlError> {
        let rows = self.rows(bound)?;
        if rows > 1 && !self.binds_key() {
            return Err(invalid(format!(
                "{rows} rows would have the one key that the statement gives; bind one row at a time"
            )));
        }
        let width = self.columns.len();
        let mut values = vec![Value::Null; rows * width];
        for (place, (at, slot)) in self.columns.iter().zip(&self.slots).enumerate() {
            let info = self.def.columns.get(*at).ok_or_else(stale)?;
            let column = values.get_mut(place..).unwrap_or_default();
            let cells = column.iter_mut().step_by(width.max(1));
            match slot {
                Slot::Constant(value) => cells.for_each(|cell| cell.clone_from(value)),
                Slot::Clock(time) => {
                    let value = moment(time, rules)?;
                    cells.for_each(|cell| cell.clone_from(&value));
                }
                Slot::Bound(index) => {
                    let source = bound.get(*index).ok_or_else(stale)?;
                    source.store(info, rules, cells)?;
                }
            }
            if *at == 0 || info.composite_key {
                let mut cells = values.iter().skip(place).step_by(width.max(1));
                if cells.any(|cell| *cell == Value::Null) {
                    return Err(null_key());
                }
            }
        }
        Ok(values)
    }

    /// True if rows of one bind can have different keys.
    fn binds_key(&self) -> bool {
        let mut slots = self.columns.iter().zip(&self.slots);
        slots.any(|(at, slot)| {
            let column = self.def.columns.get(*at);
            matches!(slot, Slot::Bound(_))
                && (*at == 0 || column.is_some_and(|column| column.composite_key))
        })
    }

    /// The number of rows, which all columns must have.
    fn rows(&self, bound: &[Source<'_>]) -> Result<usize, SqlError> {
        if bound.len() != self.bound_columns {
            return Err(invalid(format!(
                "{} columns are bound, the statement has {}",
                bound.len(),
                self.bound_columns
            )));
        }
        let rows = bound.first().map_or(1, Source::rows);
        if bound.iter().any(|source| source.rows() != rows) {
            return Err(invalid("row number in each bind param should be the same"));
        }
        if rows == 0 {
            return Err(bad_rows());
        }
        Ok(rows)
    }
}
