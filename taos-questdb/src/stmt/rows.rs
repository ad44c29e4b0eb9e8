//! Bound columns as rows of lines.

use taos_query::block::ColumnView;
use taos_query::common::BorrowedValue;
use taos_query::{ErrorKind, RawError, RawResult};

use super::sql::{Insert, Item};
use super::table::{Column, Type};
use super::value;
use crate::ingress::{Buffer, ColumnName, TableName};

/// How the rows of one table are written.
#[derive(Debug)]
pub(super) struct Plan {
    table: String,
    marks: usize,
    /// They come first in a line.
    symbols: Vec<Slot>,
    fields: Vec<Slot>,
    /// The designated timestamp, if the statement names it.
    time: Option<Slot>,
    /// A column that can be written as NULL, for rows of nothing but NULLs.
    filler: Option<(String, Type)>,
}

/// A column of the statement.
#[derive(Debug)]
struct Slot {
    column: Column,
    source: Source,
}

#[derive(Debug)]
enum Source {
    Mark(usize),
    Literal(BorrowedValue<'static>),
    Now,
}

fn config(text: String) -> RawError {
    RawError::of(ErrorKind::Config, text)
}

impl Plan {
    pub(super) fn new(insert: &Insert, table: &str, columns: &[Column]) -> RawResult<Self> {
        let mut plan = Self {
            table: table.to_owned(),
            marks: insert.marks(),
            symbols: Vec::new(),
            fields: Vec::new(),
            time: None,
            filler: columns
                .iter()
                .find(|column| value::has_null(&column.ty))
                .map(|column| (column.name.clone(), column.ty.clone())),
        };
        let named: Vec<&Column> = match &insert.columns {
            Some(names) => names
                .iter()
                .map(|name| find(table, columns, name))
                .collect::<RawResult<_>>()?,
            None => columns.iter().collect(),
        };
        if named.len() != insert.values.len() {
            return Err(config(format!(
                "`{table}` has {} columns, the INSERT has {} values",
                named.len(),
                insert.values.len()
            )));
        }
        let mut mark = 0;
        for (column, item) in named.into_iter().zip(&insert.values) {
            let source = match item {
                Item::Mark => {
                    mark += 1;
                    Source::Mark(mark - 1)
                }
                Item::Literal(literal) => Source::Literal(literal.clone()),
                Item::Now if column.designated => Source::Now,
                Item::Now => {
                    return Err(super::sql::unsupported(format_args!(
                        "now() for `{}` in a prepared INSERT (it is only for the designated timestamp)",
                        column.name
                    )));
                }
            };
            plan.add(Slot {
                column: column.clone(),
                source,
            })?;
        }
        Ok(plan)
    }

    fn add(&mut self, slot: Slot) -> RawResult<()> {
        if slot.column.ty == Type::Other {
            return Err(super::sql::unsupported(format_args!(
                "writing `{}` of `{}`, whose type {} lines cannot carry, by a prepared INSERT",
                slot.column.name, self.table, slot.column.type_name
            )));
        }
        if slot.column.designated {
            self.time = Some(slot);
        } else if slot.column.ty == Type::Symbol {
            self.symbols.push(slot);
        } else {
            self.fields.push(slot);
        }
        Ok(())
    }

    /// Appends all rows. After an error the buffer may end with some of them.
    pub(super) fn write(&self, buffer: &mut Buffer, views: &[ColumnView]) -> RawResult<()> {
        if views.len() != self.marks {
            return Err(config(format!(
                "the INSERT into `{}` has {} placeholders, but {} columns were bound; the last is for {}",
                self.table,
                self.marks,
                views.len(),
                self.name(self.marks.saturating_sub(1)),
            )));
        }
        let rows = views.first().map_or(1, ColumnView::len);
        if let Some(odd) = views.iter().position(|view| view.len() != rows) {
            return Err(config(format!(
                "the bound columns of `{}` differ in length: {} has {rows} rows, {} has {}",
                self.table,
                self.name(0),
                self.name(odd),
                views.get(odd).map_or(0, ColumnView::len)
            )));
        }
        self.rows(buffer, views, rows)
    }

    /// What the column is called that a placeholder stands for.
    fn name(&self, mark: usize) -> String {
        let mut slots = self.symbols.iter().chain(&self.fields).chain(&self.time);
        let found = slots.find(|slot| matches!(slot.source, Source::Mark(at) if at == mark));
        match found {
            Some(slot) => format!("`{}`", slot.column.name),
            None => format!("column {}", mark + 1),
        }
    }

    fn rows(&self, buffer: &mut Buffer, views: &[ColumnView], rows: usize) -> RawResult<()> {
        let table = TableName::new(&self.table)?;
        let symbols = names(&self.symbols)?;
        let fields = names(&self.fields)?;
        for row in 0..rows {
            buffer.table(table)?;
            let mut empty = true;
            for (slot, name) in self.symbols.iter().zip(&symbols) {
                if let Some(cell) = slot.source.cell(views, row) {
                    value::symbol(buffer, *name, &cell).map_err(|e| self.refused(slot, row, &e))?;
                    empty = false;
                }
            }
            for (slot, name) in self.fields.iter().zip(&fields) {
                if let Some(cell) = slot.source.cell(views, row) {
                    value::column(buffer, *name, &slot.column.ty, &cell)
                        .map_err(|e| self.refused(slot, row, &e))?;
                    empty = false;
                }
            }
            if empty {
                self.fill(buffer, row)?;
            }
            let time = self.time.as_ref();
            match time.and_then(|slot| Some((slot, slot.source.cell(views, row)?))) {
                Some((slot, cell)) => value::at(buffer, &slot.column.ty, &cell)
                    .map_err(|e| self.refused(slot, row, &e))?,
                None => buffer.at_now()?,
            }
        }
        Ok(())
    }

    /// A line needs a column: one that says NULL.
    fn fill(&self, buffer: &mut Buffer, row: usize) -> RawResult<()> {
        if let Some((name, ty)) = &self.filler
            && value::null(buffer, ColumnName::new(name)?, ty)
                .map_err(|e| config(e.into_owned()))?
        {
            return Ok(());
        }
        Err(config(format!(
            "row {row} for `{}` has only NULLs, which a line cannot say of its columns",
            self.table
        )))
    }

    fn refused(&self, slot: &Slot, row: usize, why: &str) -> RawError {
        config(format!(
            "column `{}` ({}) of `{}`, row {row}: {why}",
            slot.column.name, slot.column.type_name, self.table
        ))
    }
}

fn names(slots: &[Slot]) -> RawResult<Vec<ColumnName<'_>>> {
    let names = slots.iter().map(|slot| ColumnName::new(&slot.column.name));
    Ok(names.collect::<crate::error::Result<_>>()?)
}

fn find<'a>(table: &str, columns: &'a [Column], name: &str) -> RawResult<&'a Column> {
    let found = columns
        .iter()
        .find(|column| column.name.eq_ignore_ascii_case(name));
    found.ok_or_else(|| {
        let known: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        config(format!(
            "`{table}` has no column `{name}`; it has: {}",
            known.join(", ")
        ))
    })
}

impl Source {
    /// The value, `None` for NULL.
    fn cell<'v>(&'v self, views: &'v [ColumnView], row: usize) -> Option<BorrowedValue<'v>> {
        let cell = match self {
            Self::Mark(mark) => views.get(*mark)?.get(row)?,
            Self::Literal(literal) => literal.clone(),
            Self::Now => return None,
        };
        (!cell.is_null()).then_some(cell)
    }
}
