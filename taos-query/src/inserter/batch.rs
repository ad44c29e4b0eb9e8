//! Rows on their way: columns for each table, in memory that is used again.

use std::collections::HashMap;
use std::fmt::Write as _;

use serde::Serialize;
use sha1::{Digest, Sha1};

use super::cell::{Scratch, put};
use super::plan::{Column, Naming, Place, Plan};
use super::record::{Fields, Record, Text};
use super::refusal::Refusal;
use crate::block::{ColumnBuilder, ColumnView};
use crate::common::{BorrowedValue, Ty, Value};
use crate::error::{ErrorKind, RawError, RawResult};
use crate::stmt::Stmt2BindParam;

/// Servers take 32,767 rows of one table in one bind (taosadapter-ws §9.2). A multiple of eight, at
/// which the NULL flags of a column can be cut.
const MAX_ROWS_OF_TABLE: usize = 32_760;
/// Longest name of a table (taosadapter-ws §9.1: 271 bytes with the database, the dot and the end).
const MAX_TABLE_NAME: usize = 192;

/// The rows of one table.
#[derive(Debug)]
struct Slot {
    /// What the table was found by: its name, or the tags it is named after.
    key: String,
    name: String,
    tags: Vec<ColumnBuilder>,
    columns: Vec<ColumnBuilder>,
    rows: usize,
    /// The slot whose row came after the last one of this slot. Sources that take turns do so in
    /// the same order each time, so this guess nearly always saves the look-up.
    next: usize,
}

impl Slot {
    fn new(plan: &Plan, key: String) -> Self {
        let builders = |columns: &[Column]| columns.iter().map(Column::builder).collect();
        Self {
            name: String::new(),
            key,
            tags: builders(&plan.tags),
            columns: builders(&plan.columns),
            rows: 0,
            next: 0,
        }
    }

    fn truncate(&mut self) {
        for column in &mut self.columns {
            column.truncate(self.rows);
        }
    }

    fn clear(&mut self) {
        self.rows = 0;
        for column in &mut self.columns {
            column.clear();
        }
    }

    /// The rows as they are bound. They stay here.
    fn param(&mut self, plan: &Plan) -> RawResult<Stmt2BindParam> {
        let view = |column: &mut ColumnBuilder| ColumnView::of_cells(column, plan.clock.precision);
        let columns = self.columns.iter_mut().map(view);
        let columns = columns.collect::<RawResult<Vec<_>>>()?;
        let tags = tag_values(plan, &mut self.tags)?;
        if self.name.is_empty() {
            self.name = name_of_tags(&plan.bare_name, &tags);
        }
        Ok(Stmt2BindParam::new(
            (plan.naming != Naming::One).then(|| self.name.clone()),
            (!plan.tags.is_empty()).then_some(tags),
            Some(columns),
        ))
    }
}

/// Rows of any number of tables.
#[derive(Debug)]
pub(super) struct Batch {
    slots: Vec<Slot>,
    index: HashMap<String, usize>,
    /// The slot of the last row.
    last: usize,
    /// The slot that is being written; it stays set if a value panics on its way.
    open: Option<usize>,
    scratch: Scratch,
    key: String,
    pub(super) rows: usize,
    pub(super) bytes: usize,
    /// A table has as many rows as one bind can take.
    pub(super) capped: bool,
}

impl Batch {
    pub(super) fn new(plan: &Plan) -> Self {
        Self {
            slots: Vec::new(),
            index: HashMap::new(),
            last: 0,
            open: None,
            scratch: Scratch::new(plan.clock),
            key: String::new(),
            rows: 0,
            bytes: 0,
            capped: false,
        }
    }

    /// Takes a row in whole, or leaves the batch as it was. `nth` counts the rows for messages.
    pub(super) fn push<T: Serialize + ?Sized>(
        &mut self,
        plan: &Plan,
        row: &T,
        nth: u64,
    ) -> RawResult<()> {
        self.settle();
        let at = self
            .find_table(plan, row)
            .map_err(|refusal| in_row(refusal, plan, nth))?;
        let Some(slot) = self.slots.get_mut(at) else {
            return Err(RawError::of(ErrorKind::Closed, "a table was lost"));
        };
        self.open = Some(at);
        let done = write_row(plan, row, slot, &mut self.scratch);
        if let Err(refusal) = done {
            self.settle();
            return Err(in_row(refusal, plan, nth));
        }
        self.open = None;
        slot.rows += 1;
        self.capped |= slot.rows >= MAX_ROWS_OF_TABLE;
        self.rows += 1;
        self.bytes += plan.row_floor + std::mem::take(&mut self.scratch.bytes);
        Ok(())
    }

    /// Removes what a row left behind that did not get to its end.
    fn settle(&mut self) {
        if let Some(slot) = self.open.take().and_then(|at| self.slots.get_mut(at)) {
            slot.truncate();
            self.scratch.bytes = 0;
        }
    }

    fn find_table<T: Serialize + ?Sized>(
        &mut self,
        plan: &Plan,
        row: &T,
    ) -> Result<usize, Refusal> {
        if plan.naming == Naming::One {
            if self.slots.is_empty() {
                self.slots.push(Slot::new(plan, String::new()));
            }
            return Ok(0);
        }
        self.key.clear();
        let mut key = Key {
            plan,
            at: 0,
            key: &mut self.key,
            loose: Vec::new(),
        };
        match row.serialize(Record::new(&mut key)) {
            Ok(()) => key.settle()?,
            Err(Refusal::Enough) => {}
            Err(refusal) => return Err(refusal),
        }
        let at = match self.guess() {
            Some(at) => at,
            None => match self.index.get(&self.key) {
                Some(at) => *at,
                None => self.add_table(plan)?,
            },
        };
        if let Some(last) = self.slots.get_mut(self.last) {
            last.next = at;
        }
        self.last = at;
        Ok(at)
    }

    fn guess(&self) -> Option<usize> {
        let last = self.slots.get(self.last)?;
        if last.key == self.key {
            return Some(self.last);
        }
        let next = self.slots.get(last.next)?;
        (next.key == self.key).then_some(last.next)
    }

    fn add_table(&mut self, plan: &Plan) -> Result<usize, Refusal> {
        let mut slot = Slot::new(plan, self.key.clone());
        if plan.naming == Naming::Field {
            let len = self.key.len();
            if !(1..=MAX_TABLE_NAME).contains(&len) {
                return Err(Refusal::new(format_args!(
                    "`tbname` has {len} bytes, a table's name has 1 to {MAX_TABLE_NAME}"
                )));
            }
            slot.name.clone_from(&self.key);
        }
        let at = self.slots.len();
        self.slots.push(slot);
        self.index.insert(self.key.clone(), at);
        Ok(at)
    }

    /// Number of tables with rows.
    pub(super) fn tables(&self) -> usize {
        self.slots.iter().filter(|slot| slot.rows > 0).count()
    }

    /// The rows as parameters of the statement; the batch is empty afterwards and keeps its memory.
    ///
    /// # Errors
    /// A column that cannot be made; the batch keeps all its rows then.
    pub(super) fn take_params(&mut self, plan: &Plan) -> RawResult<Vec<Stmt2BindParam>> {
        self.settle();
        let mut params = Vec::with_capacity(self.slots.len());
        for slot in self.slots.iter_mut().filter(|slot| slot.rows > 0) {
            params.push(slot.param(plan)?);
        }
        if self.slots.len() > 2 * params.len() {
            // Tables come and go, and a table that went should not keep its memory for ever.
            self.slots.clear();
            self.index.clear();
        }
        self.slots.iter_mut().for_each(Slot::clear);
        self.last = 0;
        self.rows = 0;
        self.bytes = 0;
        self.capped = false;
        Ok(params)
    }
}

fn in_row(refusal: Refusal, plan: &Plan, nth: u64) -> RawError {
    refusal
        .into_error()
        .context(format!("row {nth} for `{}`", plan.table))
}

fn tag_values(plan: &Plan, tags: &mut [ColumnBuilder]) -> RawResult<Vec<Value>> {
    plan.tags
        .iter()
        .zip(tags)
        .map(|(column, cell)| {
            let view = ColumnView::of_cells(cell, plan.clock.precision)?;
            Ok(match view.get(0) {
                None | Some(BorrowedValue::Null(_)) => Value::Null(column.ty),
                Some(BorrowedValue::VarChar(text)) if column.ty == Ty::NChar => {
                    Value::NChar(text.into_owned())
                }
                Some(value) => value.into_value(),
            })
        })
        .collect()
}

/// A name that the same super table and tags always give: `t_` and the SHA-1 of both.
fn name_of_tags(table: &str, tags: &[Value]) -> String {
    let mut hash = Sha1::new();
    hash.update(table);
    for tag in tags {
        hash.update([0]);
        hash.update(tag.to_json_value().to_string());
    }
    let mut name = String::from("t_");
    for byte in hash.finalize() {
        name.push_str(&format!("{byte:02x}"));
    }
    name
}

fn write_row<T: Serialize + ?Sized>(
    plan: &Plan,
    row: &T,
    slot: &mut Slot,
    scratch: &mut Scratch,
) -> Result<(), Refusal> {
    // The first row of a table says what its tags are.
    let first = slot.rows == 0;
    if first {
        for tag in &mut slot.tags {
            tag.clear();
        }
    }
    let mut fields = Row {
        plan,
        at: 0,
        written: 0,
        rows: slot.rows,
        columns: &mut slot.columns,
        tags: first.then_some(&mut slot.tags),
        scratch,
    };
    row.serialize(Record::new(&mut fields))?;
    if fields.written == plan.columns.len() {
        return Ok(());
    }
    for (column, cells) in plan.columns.iter().zip(&mut slot.columns) {
        if cells.len() == slot.rows {
            if column.key {
                return Err(Refusal::new(format_args!(
                    "field `{}`, the time of the row, is missing",
                    column.name
                )));
            }
            cells.push_null();
        }
    }
    Ok(())
}

/// The columns of a slot, while a row goes into them.
struct Row<'a> {
    plan: &'a Plan,
    at: usize,
    written: usize,
    rows: usize,
    columns: &'a mut [ColumnBuilder],
    tags: Option<&'a mut Vec<ColumnBuilder>>,
    scratch: &'a mut Scratch,
}

impl Row<'_> {
    #[inline(always)]
    fn write<V: Serialize + ?Sized>(
        &mut self,
        place: Place,
        name: &str,
        value: &V,
    ) -> Result<(), Refusal> {
        let (cells, column, rows) = match place {
            Place::Column(at) => {
                self.written += 1;
                (
                    self.columns.get_mut(at),
                    self.plan.columns.get(at),
                    self.rows,
                )
            }
            Place::Tag(at) => match &mut self.tags {
                Some(tags) => (tags.get_mut(at), self.plan.tags.get(at), 0),
                None => return Ok(()),
            },
            Place::TableName => return Ok(()),
        };
        let (Some(cells), Some(column)) = (cells, column) else {
            return Err(unplaced(name));
        };
        if cells.len() != rows {
            return Err(twice(name));
        }
        put(value, cells, column, self.scratch).map_err(|refusal| in_field(refusal, name, column))
    }
}

#[cold]
fn unplaced(name: &str) -> Refusal {
    Refusal::new(format_args!("field `{name}` has no column"))
}

#[cold]
fn twice(name: &str) -> Refusal {
    Refusal::new(format_args!("field `{name}` is there twice"))
}

#[cold]
fn in_field(refusal: Refusal, name: &str, column: &Column) -> Refusal {
    Refusal::Error(
        refusal
            .into_error()
            .context(format!("field `{name}` of type {}", column.ty)),
    )
}

impl Fields for Row<'_> {
    #[inline(always)]
    fn field<V: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &V,
    ) -> Result<(), Refusal> {
        let place = self.plan.place(self.at, name)?;
        self.at += 1;
        self.write(place, name, value)
    }

    fn skipped(&mut self, _: &'static str) {
        self.at += 1;
    }

    fn entry<V: Serialize + ?Sized>(&mut self, name: &str, value: &V) -> Result<(), Refusal> {
        match self.plan.find(name) {
            Some(place) => self.write(place, name, value),
            None => Err(Refusal::new(format_args!(
                "`{}` has no column or tag for the field `{name}`",
                self.plan.table
            ))),
        }
    }
}

/// Finds what tells the table of a row: its field `tbname`, or else its tags.
struct Key<'a> {
    plan: &'a Plan,
    at: usize,
    key: &'a mut String,
    /// The tags of a map by their place, because a map may tell them in any order.
    loose: Vec<(usize, String)>,
}

impl Key<'_> {
    /// Adds the tags of a map in the order of the table. One that is NULL and one that is not there
    /// are the same.
    fn settle(mut self) -> Result<(), Refusal> {
        let mut loose = std::mem::take(&mut self.loose);
        loose.sort_unstable();
        loose.iter().try_for_each(|(at, text)| self.push(*at, text))
    }

    /// NUL is no character of JSON, so that tags cannot run into each other.
    fn push(&mut self, at: usize, text: &str) -> Result<(), Refusal> {
        write!(self.key, "{at}={text}\0").map_err(Refusal::new)
    }

    #[inline]
    fn read<V: Serialize + ?Sized>(&mut self, place: Place, value: &V) -> Result<(), Refusal> {
        match (place, self.plan.naming) {
            (Place::TableName, _) => {
                value.serialize(Text(&mut *self.key)).map_err(|refusal| {
                    let error = refusal.into_error();
                    Refusal::Error(error.context("field `tbname`"))
                })?;
                return Err(Refusal::Enough);
            }
            (Place::Tag(at), Naming::Tags) => {
                self.push(at, &serde_json::to_string(value).map_err(Refusal::new)?)?;
            }
            _ => {}
        }
        Ok(())
    }
}

impl Fields for Key<'_> {
    #[inline]
    fn field<V: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &V,
    ) -> Result<(), Refusal> {
        let place = self.plan.place(self.at, name)?;
        self.at += 1;
        self.read(place, value)
    }

    fn skipped(&mut self, _: &'static str) {
        self.at += 1;
    }

    fn entry<V: Serialize + ?Sized>(&mut self, name: &str, value: &V) -> Result<(), Refusal> {
        match (self.plan.find(name), self.plan.naming) {
            (Some(Place::Tag(at)), Naming::Tags) => {
                let text = serde_json::to_string(value).map_err(Refusal::new)?;
                if text != "null" {
                    self.loose.push((at, text));
                }
                Ok(())
            }
            (Some(place), _) => self.read(place, value),
            // The row itself is refused for it.
            (None, _) => Ok(()),
        }
    }
}
